"""``mismartera calendar``: the rules in the tables, their files, and comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mismartera_analytics.cli.output import say

__all__ = ["app"]

app = typer.Typer(help="Trading calendars: rules, files, comparisons.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Group, exchange, code or alias, such as NYSE.")]


@app.command()
def sync(
    names: Annotated[
        list[str] | None, typer.Argument(help="Calendars to bring up to date; all by default.")
    ] = None,
) -> None:
    """Bring the tables to the installed package's rules; your own rows stay."""
    from mismartera_analytics.calendars.packaged import sync_calendars

    report = sync_calendars(names or None)
    say(
        f"rules {report.version}: {report.inserted} rows inserted, {report.updated} updated, "
        f"{report.deleted} deleted, {len(report.kept)} of your own kept"
    )
    for row in report.kept:
        say(f"  kept {row}")


@app.command("list")
def list_() -> None:
    """List the calendars that the tables hold."""
    from mismartera_analytics.calendars.packaged import list_calendars

    frame = list_calendars()
    if frame.empty:
        say("The tables hold no calendars; run 'mismartera calendar sync'.")
    for row in frame.fillna("").to_dict("records"):
        covers = (
            f"{row['covers_from']:%Y-%m-%d} to {row['covers_to']:%Y-%m-%d}"
            if row["covers_to"]
            else ""
        )
        say(
            f"{row['exchange_group']:<12} {row['asset_class']:<8} {row['timezone']:<31} {covers:<25} "
            f"{row['rules']:<11} {row['exchanges']}".rstrip()
        )


@app.command()
def compare(
    name: Name,
    source: Annotated[
        Path,
        typer.Option("--with", help="CSV of another source's sessions: session, open, close …"),
    ],
) -> None:
    """List every difference with another source's sessions; exit with 1 if there is one."""
    from mismartera_analytics.calendars.comparison import compare_sessions, read_sessions
    from mismartera_analytics.calendars.lookup import trading_calendar

    theirs = read_sessions(source)
    found = compare_sessions(trading_calendar(name), theirs)
    for row in found.to_dict("records"):
        say(
            f"{row['session']:%Y-%m-%d}  {row['what']:<17}  ours {row['ours']}  theirs {row['theirs']}"
        )
    say(f"{len(theirs)} sessions compared, {len(found)} differences")
    if len(found):
        raise typer.Exit(1)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, JSON, or the table that NYSE publishes.")],
    exchange: Annotated[str, typer.Option(help="Whose holidays they are.")],
) -> None:
    """Read holidays from a file; all of them or none."""
    from mismartera_analytics.calendars.files import import_holidays

    report = import_holidays(file, exchange)
    say(
        f"{report.inserted} holidays inserted, {report.updated} updated, {report.unchanged} unchanged"
    )


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="A .csv or .json file.")],
    exchange: Annotated[str, typer.Option(help="Whose holidays.")],
    year: Annotated[int | None, typer.Option(help="Only that year's.")] = None,
) -> None:
    """Write the holidays of one exchange or group to a file."""
    from mismartera_analytics.calendars.files import export_holidays

    say(f"{export_holidays(file, exchange, year=year)} holidays written to {file}")


@app.command()
def delete(
    exchange: Annotated[str, typer.Argument(help="Whose holidays.")],
    year: Annotated[int, typer.Argument(help="Of which year.")],
) -> None:
    """Delete the holidays of one year; packaged ones come back with the next sync."""
    from mismartera_analytics.calendars.files import delete_holidays

    say(f"{delete_holidays(exchange, year)} holidays deleted")


@app.command()
def plot(
    name: Name,
    year: Annotated[int, typer.Argument(help="Which year.")],
    output: Annotated[Path | None, typer.Option(help="PNG, SVG or PDF.")] = None,
) -> None:
    """Draw a year on one page: usual, short and closed days, with their names."""
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.cli.figure import save

    target = output or Path(f"{name.replace('/', '_')}_{year}.png")
    say(save(lambda: trading_calendar(name).plot(year), target))
