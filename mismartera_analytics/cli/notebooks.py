"""``mismartera notebook run``: a notebook as a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mismartera_analytics.cli.output import say

__all__ = ["app"]

app = typer.Typer(help="Notebooks as reports.", no_args_is_help=True)


@app.callback()
def options() -> None:
    """Notebooks as reports."""


@app.command()
def run(
    path: Annotated[
        Path, typer.Argument(metavar="NOTEBOOK", help="The notebook; it is not changed.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A value for its parameters."),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help="html, a page that needs no network; or ipynb.")
    ] = "html",
    out: Annotated[
        Path | None, typer.Option("--out", help="File or folder; by default the folder of reports.")
    ] = None,
    hide_code: Annotated[  # noqa: FBT002
        bool, typer.Option("--hide-code", help="Leave the cells' code out of the page.")
    ] = False,
) -> None:
    """Run a notebook with parameters and write it as a page or with its outputs."""
    from mismartera_analytics.operations import notebooks

    written = notebooks.run_notebook(
        path,
        notebooks.parsed_parameters(parameter or []),
        to=to,  # type: ignore[arg-type]
        out=out,
        code="hidden" if hide_code else "shown",
    )
    say(str(written))
