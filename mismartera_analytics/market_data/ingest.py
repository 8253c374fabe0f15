"""Bring bars from frames and files into the store: mapped, checked, in one commit."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
    as_given,
)
from mismartera_analytics.files import write_file
from mismartera_analytics.frames.given import check_table
from mismartera_analytics.frames.outgoing import without_formulas
from mismartera_analytics.market_data import alignment, intake, mapping, sources
from mismartera_analytics.market_data.layout import Layout, check_symbols, layout_of
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.market_data.store import BarStore

__all__ = ["IngestSummary", "ingest_bars"]


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did.

    Attributes
    ----------
    interval
        Length of the bars.
    rows
        Good bars that the source held.
    symbols
        Their symbols, sorted.
    first, last
        Starts of the first and the last bar, None without bars.
    version
        The store's version that holds them.
    bad
        Rows that were put aside, with `reason`; empty unless ``on_bad="quarantine"``.
    quarantine
        File that holds them, an address if the store is on S3, None if there are none.
    """

    interval: str
    rows: int
    symbols: tuple[str, ...]
    first: dt.datetime | None
    last: dt.datetime | None
    version: int
    bad: pd.DataFrame = field(repr=False, compare=False)
    quarantine: Path | str | None = None

    def __repr__(self) -> str:
        aside = f"; {len(self.bad):,} bad rows were put aside in {self.quarantine}"
        return f"{self}{aside if self.quarantine is not None else ''}"

    def __str__(self) -> str:
        if self.first is None or self.last is None:
            return f"no {self.interval} bars came in"
        several = len(self.symbols) > 5
        named = f"{len(self.symbols):,} symbols" if several else ", ".join(self.symbols)
        return (
            f"{self.rows:,} {self.interval} bars of {named}, {self.first:%Y-%m-%d %H:%M} to "
            f"{self.last:%Y-%m-%d %H:%M} UTC, in version {self.version}"
        )


def ingest_bars(
    source: pd.DataFrame | str | Path,
    interval: str,
    *,
    symbol: str | None = None,
    columns: Mapping[str, str] | None = None,
    tz: str | None = None,
    decimal: Literal[".", ","] = ".",
    exchange: str = "US_EQUITY",
    aligned: Literal["session", "clock"] = "session",
    on_bad: Literal["raise", "quarantine"] = "raise",
    store: BarStore | None = None,
    progress: bool | None = None,
) -> IngestSummary:
    r"""Bring bars into the store, in one commit.

    Parameters
    ----------
    source
        A frame, a CSV, CSV.gz or Parquet file, or a folder of such files. A file without a column of
        symbols holds the symbol that it is named by (``AAPL.csv``). CSV is UTF-8 with a line of names;
        commas, semicolons, tabs or bars part its fields. Date and time may have a column each.
    interval
        Length of the bars, such as ``"1m"`` or ``"1d"``.
    symbol
        Symbol of all rows, for sources without a column of symbols.
    columns
        Our name to the source's, for instance ``{"close": "Last Price"}``, where it is not one of the
        usual. Ours are symbol, timestamp, open, high, low, close and volume.
    tz
        IANA zone of times that are written without one.
    decimal
        What parts the decimals of numbers in CSV files.
    exchange
        Exchange or exchange group whose calendar gives the date of a daily bar its regular open.
    aligned
        ``"clock"``: bars start where the exchange's clock shows a multiple of the interval, so that
        the hour labelled 09:00 holds 09:30 to 10:00 in New York and starts at 09:30. Only for sources
        of regular hours. By default they start whole intervals after the open.
    on_bad
        ``"raise"``: one bad row and nothing is written. ``"quarantine"``: the good rows are written
        and the bad ones put, with line and reason, into a file in the store's folder ``quarantine``.
    store
        The configured store by default.
    progress
        Show a progress bar; by default only in terminals and notebooks.

    Returns
    -------
    IngestSummary
        What was written, for whom, and what was put aside.

    Raises
    ------
    InvalidBarsError
        If a column is missing, or rows are bad and `on_bad` is ``"raise"``.
    NaiveDatetimeError
        If times have no zone and `tz` gives none.
    InvalidInputError
        If an argument is malformed or a path does not exist.
    StorageError
        If a file cannot be read or the store cannot be written.

    Examples
    --------
    >>> file = ma.settings().home / "prices.csv"
    >>> _ = file.write_text("Date,Open,High,Low,Close,Volume\n2013-02-28,10,12,9,11,500\n")
    >>> ma.ingest_bars(file, "1d", symbol="NEW").rows
    1
    >>> ma.bars("NEW", "1d")["timestamp"][0].isoformat()
    '2013-02-28T14:30:00+00:00'
    """
    if not is_one_of(on_bad, ("raise", "quarantine")):
        raise InvalidInputError(f"on_bad={as_given(on_bad)} must be 'raise' or 'quarantine'.")
    if not is_one_of(aligned, ("session", "clock")):
        raise InvalidInputError(f"aligned={as_given(aligned)} must be 'session' or 'clock'.")
    if not is_one_of(decimal, (".", ",")):
        raise InvalidInputError(f"decimal={as_given(decimal)} must be '.' or ','.")
    if symbol is not None:
        check_symbols(symbol, argument="symbol")
    if tz is not None:
        clock.zone(tz)
    target = BarStore() if store is None else store
    layout = layout_of(interval)
    calendar = trading_calendar(exchange)
    with intake.Intake(layout) as taken:
        for piece in _pieces(source, columns, decimal=decimal, progress=progress):
            with _naming(piece.file):
                mapped = _mapped(piece, symbol, columns)
                bars = mapping.to_bars(mapped, layout, calendar, tz=tz, aligned=aligned)
                alignment.require_mostly_on_grid(bars, layout)
            taken.take(bars, piece.name)
        if on_bad == "raise":
            taken.require_good()
        version = target.write_blocks(taken.blocks, interval, on_repeats=taken.on_repeats(on_bad))
        bad = taken.bad_rows()
        return IngestSummary(
            interval=str(layout.interval),
            rows=taken.total - len(bad),
            symbols=taken.symbols,
            first=taken.first,
            last=taken.last,
            version=version,
            bad=bad,
            quarantine=_put_aside(bad, target, layout) if len(bad) else None,
        )


@dataclass(frozen=True)
class _Piece:
    rows: pd.DataFrame
    file: Path | None = None

    @property
    def name(self) -> str:
        return "frame" if self.file is None else str(self.file)


def _pieces(
    source: pd.DataFrame | str | Path,
    columns: Mapping[str, str] | None,
    *,
    decimal: Literal[".", ","],
    progress: bool | None,
) -> Iterator[_Piece]:
    if isinstance(source, pd.DataFrame):
        check_table(source, argument="source", error=InvalidBarsError)
        is_named = source.index.names != [None]
        yield _Piece(source.reset_index() if is_named else source)
        return
    files = sources.files_of(source)
    total = sum(file.stat().st_size for file in files)
    with progress_bar(total=total, what="bars", unit="B", progress=progress, scaled=True) as bar:
        for file in files:
            pieces = sources.read_pieces(file, columns, decimal=decimal, on_bytes=bar.update)
            while True:
                with _naming(file):
                    rows = next(pieces, None)
                if rows is None:
                    break
                yield _Piece(rows, file)


@contextlib.contextmanager
def _naming(file: Path | None) -> Iterator[None]:
    """Name the file in an error that does not."""
    try:
        yield
    except (InvalidInputError, UnknownNameError) as error:
        if file is None or str(file) in str(error):
            raise
        raise type(error)(f"{file}: {error}") from None


def _mapped(piece: _Piece, symbol: str | None, columns: Mapping[str, str] | None) -> pd.DataFrame:
    names = [str(name) for name in piece.rows.columns]
    if symbol is not None or piece.file is None:
        return mapping.map_columns(piece.rows, columns, symbol)
    found = mapping.source_columns(names, columns)
    if "symbol" not in found:
        return mapping.map_columns(piece.rows, columns, sources.symbol_of(piece.file))
    mapped = mapping.map_columns(piece.rows, columns, None)
    folder = sources.tree_symbol(piece.file)
    if folder is not None and not (mapped["symbol"] == folder).all():
        other = mapped["symbol"][mapped["symbol"] != folder].iloc[0]
        raise InvalidBarsError(f"the file holds bars of {other!r} in the folder of {folder!r}.")
    return mapped


def _put_aside(bad: pd.DataFrame, store: BarStore, layout: Layout) -> Path | str:
    place = place_of(store.uri).below("quarantine")
    name = f"{layout.interval}-{clock.utc_now():%Y%m%dT%H%M%S%f}.csv"
    file = f"{place.uri}/{name}"
    content = without_formulas(bad).to_csv(index=False).encode("utf-8", "backslashreplace")

    def save(target: Any) -> None:
        if isinstance(target, Path):
            write_file(target, content, argument="quarantine")
        else:
            target.write(content)

    try:
        place.write(name, save)
    except OSError as error:
        raise StorageError(
            f"the good bars were written, but the bad ones cannot be put aside in {file}: "
            f"{place.said(error)}."
        ) from None
    return file if place.is_remote else Path(file)
