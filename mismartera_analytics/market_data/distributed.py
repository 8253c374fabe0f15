"""Bars as a Dask DataFrame: what a partition is, and how a worker reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, MissingDependencyError, as_given
from mismartera_analytics.market_data.adjusted_reading import (
    KnownActions,
    Span,
    frame_of_spans,
)
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.snapshots import DataFile, Snapshot

if TYPE_CHECKING:
    from mismartera_analytics.market_data.bar_table import BarTable

__all__ = ["Request", "dask_frame"]


@dataclass(frozen=True)
class Request:
    """What all partitions have in common.

    Attributes
    ----------
    uri, interval
        The store and its table.
    tz
        IANA zone of the times, None for UTC.
    """

    uri: str
    interval: str
    tz: str | None

    def table(self) -> BarTable:
        """Return the table; a worker that knows the files does not read its log."""
        return bar_table(place_of(self.uri), self.interval)


@dataclass(frozen=True)
class _Partition:
    """The files that one task reads, and what it looks for in them."""

    request: Request
    symbol: str
    spans: tuple[Span, ...]
    files: tuple[DataFile, ...]
    known: KnownActions | None

    def read(self) -> pd.DataFrame:
        """Return the bars as `BarStore.read` gives them."""
        groups: dict[tuple[str | None, int], tuple[DataFile, ...]] = {}
        for file in self.files:
            key = file.symbol, file.period
            groups[key] = (*groups.get(key, ()), file)
        spans = {self.symbol: self.spans}
        frame = frame_of_spans(self.request.table(), Snapshot(0, groups), spans)
        if self.known is not None:
            frame = self.known.adjust(frame)
        return _in_zone(frame, self.request.tz)


def dask_frame(
    request: Request,
    snapshot: Snapshot,
    spans: Mapping[str, list[Span]],
    known: KnownActions | None,
    *,
    columns: list[str] | None,
    partitions: Literal["symbol", "period"],
) -> Any:
    """Return bars as a Dask DataFrame.

    Parameters
    ----------
    request
        Of which store and interval.
    snapshot
        The version to read.
    spans
        For each symbol, sorted, the stored symbols and windows to read.
    known
        Actions to adjust for, None for bars as traded.
    columns
        Columns of `frames.BARS` with `symbol` first; None for all.
    partitions
        One a symbol, or one for each period of a symbol.

    Returns
    -------
    dask.dataframe.DataFrame
        As `BarStore.dask` describes.

    Raises
    ------
    MissingDependencyError
        If Dask is not installed.
    InvalidInputError
        If `partitions` is neither.
    """
    if not is_one_of(partitions, ("symbol", "period")):
        raise InvalidInputError(f"partitions={as_given(partitions)} must be 'symbol' or 'period'.")
    try:
        import dask
        import dask.dataframe as dd
    except ImportError:
        raise MissingDependencyError(
            "BarStore.dask needs Dask; install it with pip install 'mismartera-analytics[distributed]'."
        ) from None
    found = [
        part
        for symbol, own in spans.items()
        for part in _partitions(request, snapshot, symbol, tuple(own), known, partitions)
    ]
    order = [part.symbol for part in found]
    divisions = (*order, order[-1]) if len(set(order)) == len(order) else None
    meta = _indexed(_in_zone(frames.BARS.empty(), request.tz), columns)
    from_map: Any = dd.from_map
    # Dask would give the index a kind of text of its own; the frame keeps pandas' str.
    with dask.config.set({"dataframe.convert-string": False}):
        return from_map(_read, found, columns=list(meta.columns), meta=meta, divisions=divisions)


def _partitions(
    request: Request,
    snapshot: Snapshot,
    symbol: str,
    spans: tuple[Span, ...],
    known: KnownActions | None,
    partitions: Literal["symbol", "period"],
) -> Iterator[_Partition]:
    """Yield the partitions of a symbol, at least one, each with the files that it needs."""
    own = None if known is None else known.of(symbol)
    is_single = request.table().layout.by_symbol
    files = {
        file: None
        for stored, window in spans
        for file in snapshot.by_symbol.get(stored if is_single else None, ())
        if window.may_hold(file)
    }
    periods = sorted({file.period for file in files}) if partitions == "period" else []
    if len(periods) < 2:
        yield _Partition(request, symbol, spans, tuple(files), own)
        return
    for period in periods:
        of_period = tuple(file for file in files if file.period == period)
        yield _Partition(request, symbol, spans, of_period, own)


def _read(part: _Partition, columns: list[str]) -> pd.DataFrame:
    """Return one partition; Dask asks for fewer `columns` where fewer are used."""
    return _indexed(part.read(), columns)


def _indexed(frame: pd.DataFrame, columns: list[str] | None) -> pd.DataFrame:
    indexed = frame.set_index("symbol")
    return indexed if columns is None else indexed[[c for c in columns if c != "symbol"]]


def _in_zone(frame: pd.DataFrame, tz: str | None) -> pd.DataFrame:
    if tz is None:
        return frame
    return frame.assign(timestamp=frame["timestamp"].dt.tz_convert(tz))
