"""``mismartera doctor``: what is wrong, what to do, and what can be mended mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mismartera_analytics.cli.output import say

if TYPE_CHECKING:
    from mismartera_analytics.operations.doctor import Diagnosis

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor(
    fix: Annotated[  # noqa: FBT002
        bool, typer.Option("--fix", help="Mend what can be mended without a loss.")
    ] = False,
    as_json: Annotated[  # noqa: FBT002
        bool, typer.Option("--json", help="Write JSON: findings, times, what was mended.")
    ] = False,
) -> None:
    """Examine settings, database, records, bars and reports; exit with 1 if anything is wrong."""
    import mismartera_analytics as ma

    found = ma.doctor(fix=fix)
    if as_json:
        typer.echo(_as_json(found))
    else:
        _print(found)
    if not found.is_well:
        raise typer.Exit(1)


def _as_json(found: Diagnosis) -> str:
    return json.dumps(
        {
            "is_well": found.is_well,
            "findings": found.frame.to_dict("records"),
            "mended": list(found.mended),
            "not_checked": found.skipped,
            "seconds": {name: round(spent, 3) for name, spent in found.checks.items()},
        },
        indent=1,
    )


def _print(found: Diagnosis) -> None:
    from mismartera_analytics.cli.screen import console
    from mismartera_analytics.reports.tables import findings_table

    out = console()
    if len(found.frame):
        out.print(findings_table(found.frame))
    for line in found.left_out:
        say(f"not checked: {line}")
    for done in found.mended:
        say(f"mended: {done}")
    say(found.summary)
