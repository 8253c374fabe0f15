"""``mismartera sql``: one query on the terminal or into a pipe."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mismartera_analytics.cli import output
from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sql")(query)


def query(
    text: Annotated[
        str, typer.Argument(metavar="QUERY", help="The query; - reads it from standard input.")
    ],
    user: Annotated[str | None, typer.Option("--user", help="Only this user's rows.")] = None,
    tz: Annotated[
        str | None, typer.Option("--tz", help="Show times in this zone, else in UTC.")
    ] = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Ask bars and records in SQL; 'show tables' and 'describe orders' say what there is."""
    import mismartera_analytics as ma

    form = output.form_of(csv=csv, json=json, parquet=parquet)
    asked = sys.stdin.read() if text == "-" else text
    frame = ma.sql(asked, user=user, tz=tz)
    output.show(
        frame, title=f"{len(frame):,} {'row' if len(frame) == 1 else 'rows'}", form=form, most=most
    )
