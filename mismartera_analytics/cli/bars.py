"""``mismartera bars``: bring bars in, see what there is, read, audit and tidy them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from mismartera_analytics import clock
from mismartera_analytics.cli import output
from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most, say
from mismartera_analytics.errors import InvalidInputError, as_given

if TYPE_CHECKING:
    from mismartera_analytics.market_data.ingest import IngestSummary

__all__ = ["app"]

app = typer.Typer(help="Bars: ingest, list, show, audit, compact, vacuum.", no_args_is_help=True)

Interval = Annotated[str, typer.Argument(help="Length of the bars: 1s, 1m, 1h, 1d, 1w …")]
Start = Annotated[
    str | None, typer.Option(help="From this session (2025-07-02) or instant (…T09:30-04:00) on.")
]
End = Annotated[str | None, typer.Option(help="To this session, included, or before this instant.")]
Zone = Annotated[str | None, typer.Option("--tz", help="Show times in this zone, else in UTC.")]


@app.command()
def ingest(
    source: Annotated[
        Path, typer.Argument(help="A CSV, CSV.gz or Parquet file, a folder, a tree.")
    ],
    interval: Annotated[
        str | None,
        typer.Argument(help="Length of the bars; left out for a trading system's tree."),
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Symbol, if no column has it.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="close=Last: our name and the file's; may be repeated.")
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="Zone of times without one.")] = None,
    exchange: Annotated[
        str, typer.Option(help="Exchange of bars of a day or longer.")
    ] = "US_EQUITY",
    decimal: Annotated[str, typer.Option(help="What parts decimals: . or a comma.")] = ".",
    aligned: Annotated[
        str, typer.Option(help="session, or clock if hours start at the clock's hours.")
    ] = "session",
    on_bad: Annotated[
        str, typer.Option(help="raise, or quarantine: put bad rows aside.")
    ] = "raise",
) -> None:
    """Bring bars in: every row is checked, all of them in one commit."""
    from mismartera_analytics.market_data.ingest import ingest_bars
    from mismartera_analytics.market_data.trees import import_tree

    quarantine = cast("Literal['raise', 'quarantine']", on_bad)
    alignment = cast("Literal['session', 'clock']", aligned)
    if interval is None:
        if not source.is_dir():
            raise InvalidInputError(
                f"INTERVAL is missing: say how long the bars of {str(source)!r} are, such as 1d; only "
                f"a trading system's tree says it itself."
            )
        for summary in import_tree(source, aligned=alignment, on_bad=quarantine):
            _tell(summary)
        return
    _tell(
        ingest_bars(
            source,
            interval,
            symbol=symbol,
            columns=_columns(column),
            tz=tz,
            decimal=cast("Literal['.', ',']", decimal),
            exchange=exchange,
            aligned=alignment,
            on_bad=quarantine,
        )
    )


def _columns(pairs: list[str] | None) -> dict[str, str] | None:
    if not pairs:
        return None
    split = [pair.partition("=") for pair in pairs]
    for pair, (ours, _, theirs) in zip(pairs, split, strict=True):
        if not ours or not theirs:
            raise InvalidInputError(
                f"column={as_given(pair)} must be written as ours=theirs: close=Last."
            )
    return {ours: theirs for ours, _, theirs in split}


def _tell(summary: IngestSummary) -> None:
    say(str(summary))
    if summary.quarantine is not None:
        say(f"{len(summary.bad):,} bad rows were put aside in {summary.quarantine}", err=True)


@app.command("from-table")
def from_table(
    interval: Interval,
    symbols: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    exchange: Annotated[
        str, typer.Option(help="Whose sessions give the opens and the grid.")
    ] = "US_EQUITY",
    on_bad: Annotated[
        str, typer.Option(help="raise, or quarantine: put bad rows aside.")
    ] = "raise",
) -> None:
    """Bring the bars of the database's table market_data into the store."""
    from mismartera_analytics.market_data.table_bars import bars_from_table

    quarantine = cast("Literal['raise', 'quarantine']", on_bad)
    wanted = symbols or None
    _tell(bars_from_table(interval, symbols=wanted, exchange=exchange, on_bad=quarantine))


@app.command("to-table")
def to_table(
    interval: Interval,
    symbols: Annotated[list[str], typer.Argument(help="Which symbols.")],
    start: Start = None,
    end: End = None,
) -> None:
    """Copy bars of the store into the database's table market_data."""
    from mismartera_analytics.market_data.table_bars import bars_to_table

    say(f"{bars_to_table(symbols, interval, start, end):,} rows are new or changed")


@app.command("import-actions")
def import_actions_(
    file: Annotated[
        Path, typer.Argument(help="CSV: symbol, action_type, ex_date, ratio, amount …")
    ],
) -> None:
    """Record splits, cash dividends and changes of symbol from a file; all of them or none."""
    from mismartera_analytics.market_data.action_files import import_actions

    say(f"{import_actions(file):,} corporate actions are new or changed")


@app.command("list")
def list_(
    interval: Annotated[
        str | None, typer.Argument(help="Its symbols; every interval, without one.")
    ] = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """List what the store holds: the intervals, or the symbols of one."""
    from mismartera_analytics.frames import COVERAGE, INVENTORY
    from mismartera_analytics.market_data.scanning import bar_inventory
    from mismartera_analytics.market_data.store import BarStore

    form = output.form_of(csv=csv, json=json, parquet=parquet)
    store = BarStore()
    frame = bar_inventory(store) if interval is None else store.coverage(interval)
    if frame.empty and form == "table":
        bars = "no bars" if interval is None else f"no {interval} bars"
        say(f"The bar store {store.uri} holds {bars}; 'mismartera bars ingest' brings some in.")
        return
    if tz is not None:
        clock.zone(tz)
        for name in ("first", "last"):
            frame[name] = frame[name].dt.tz_convert(tz)
    what = store.uri if interval is None else f"{interval} bars of {store.uri}"
    spec = INVENTORY if interval is None else COVERAGE
    output.show(frame, spec, title=f"{what}, times in {tz or 'UTC'}", form=form, most=most)


@app.command()
def show(
    symbols: Annotated[list[str], typer.Argument(help="Which symbols.")],
    interval: Annotated[str, typer.Option("--interval", "-i", help="Length of the bars.")] = "1d",
    start: Start = None,
    end: End = None,
    adjust: Annotated[str | None, typer.Option(help="split, or all: dividends as well.")] = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Show bars of one symbol or several."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import BARS

    form = output.form_of(csv=csv, json=json, parquet=parquet)
    kind = cast("Literal['split', 'all'] | None", adjust)
    frame = ma.bars(symbols, interval, start, end, adjust=kind, tz=tz)
    if frame["session"].isna().all():
        frame = frame.drop(columns="session")
    columns = [name for name in BARS.names if name in frame.columns]
    title = f"{interval} bars{f', adjusted: {adjust}' if adjust else ''}, times in {tz or 'UTC'}"
    output.show(frame, BARS, title=title, form=form, most=most, columns=columns)


_FAULTS = (
    "missing", "duplicate", "off_session", "zero_volume", "suspected_split", "suspected_bad_print",
    "stale_run",
)  # fmt: skip


@app.command()
def audit(
    symbols: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    interval: Annotated[str, typer.Option("--interval", "-i", help="Length of the bars.")] = "1m",
    exchange: Annotated[
        str | None, typer.Option(help="Whose sessions; each symbol's own by default.")
    ] = None,
    start: Start = None,
    end: End = None,
    gaps: Annotated[  # noqa: FBT002
        bool, typer.Option("--gaps", help="List the gaps instead of the sessions.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a heat map: PNG, SVG or PDF.")] = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Compare bars with the sessions of their exchange: missing, repeated, suspicious.

    The table shows the sessions that deserve a look; --csv and its like hand over all of them.
    """
    from mismartera_analytics.cli.figure import save
    from mismartera_analytics.frames import AUDIT, GAPS
    from mismartera_analytics.market_data.audit import audit_bars

    form = output.form_of(csv=csv, json=json, parquet=parquet)
    found = audit_bars(symbols or None, interval, exchange, start, end)
    if plot is not None:
        say(save(found.plot, plot, argument="plot"), err=True)
    frame, spec = (found.gaps, GAPS) if gaps else (found.frame, AUDIT)
    title = f"Gaps of {interval} bars"
    if form == "table":
        say(found.summary)
        if not gaps:
            faults = [name for name in frame.columns if name in _FAULTS]
            frame = frame[(frame[faults] > 0).any(axis="columns")]
            title = f"{len(frame):,} of {len(found):,} sessions of {interval} bars deserve a look"
        if frame.empty:
            return
    output.show(frame, spec, title=title, form=form, most=most)


@app.command()
def compact(
    intervals: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
) -> None:
    """Make one file of each partition that has several; old versions stay."""
    from mismartera_analytics.market_data.scanning import stored_intervals
    from mismartera_analytics.market_data.store import BarStore

    store = BarStore()
    held = stored_intervals(store)
    if not held:
        say(f"The bar store {store.uri} holds no bars.")
    for interval in intervals or held:
        before = store.version(interval)
        after = store.compact(interval)
        done = "nothing to do" if after == before else f"compacted in version {after}"
        say(f"{interval}: {done}")


@app.command()
def vacuum(
    intervals: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    days: Annotated[
        float,
        typer.Option(
            min=0, max=100_000, help="Keep versions that were the newest in so many days."
        ),
    ] = 30.0,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
) -> None:
    """Delete what only old versions need that nothing recorded cites."""
    from mismartera_analytics.market_data.scanning import stored_intervals
    from mismartera_analytics.market_data.store import BarStore

    store = BarStore()
    held = stored_intervals(store)
    if not held:
        say(f"The bar store {store.uri} holds no bars.")
    for interval in intervals or held:
        gone = store.vacuum(interval, keep=dt.timedelta(days=days), dry_run=dry_run)
        done = "would be deleted" if dry_run else "deleted"
        size = gone["size"].sum() / 1e6
        say(f"{interval}: {len(gone)} files of {size:.1f} MB {done}")
