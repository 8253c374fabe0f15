"""What a store holds of each symbol, from the log's statistics and as little decoding as possible."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.market_data import reading, session_times
from mismartera_analytics.market_data.bar_files import read_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.bar_table import BarTable
    from mismartera_analytics.market_data.snapshots import DataFile, Snapshot

__all__ = ["coverage_of"]

_COLUMNS = ("symbol", "first", "last", "bars", "sessions")
_MOST_FILES = 20_000
"""Of a calendar; a file of a year of minutes takes about 1 KB."""
_Occupied = dict[str, "NDArray[np.int32]"]
_occupied: weakref.WeakKeyDictionary[TradingCalendar, _Occupied] = weakref.WeakKeyDictionary()
"""By calendar and data file, neither of which ever changes: the sessions in which bars start."""
_lock = threading.Lock()


def coverage_of(
    table: BarTable,
    snapshot: Snapshot,
    *,
    calendars: Callable[[list[str]], Mapping[str, TradingCalendar]],
) -> pd.DataFrame:
    """Return first and last bar, number of bars and of distinct sessions of each symbol.

    Where a file holds one symbol, the log knows everything but the sessions: each bar lies in one
    file only, so counts add up even where the ranges of files overlap. For the sessions the times
    are decoded, once a file and calendar. Of a session and longer each bar is a session.

    Parameters
    ----------
    table, snapshot
        What is looked at.
    calendars
        From symbols to their calendars, called for bars shorter than a session: a bar counts for the
        session in which it starts, extended hours included.

    Returns
    -------
    pandas.DataFrame
        As `frames.COVERAGE`.

    Raises
    ------
    StorageError
        If a file is gone or cannot be read.
    """
    if not snapshot.files:
        return frames.COVERAGE.empty()
    if table.layout.by_symbol:
        found = _by_symbol(table, snapshot, calendars(reading.known_symbols(table, snapshot)))
    else:
        found = _within_files(table, snapshot)
    for name in ("first", "last"):
        moments: Any = found[name].to_numpy(dtype=np.int64).view("datetime64[us]")
        found[name] = pd.Series(moments).dt.tz_localize("UTC")
    return frames.COVERAGE.conform(found)


def _by_symbol(
    table: BarTable, snapshot: Snapshot, calendars: Mapping[str, TradingCalendar]
) -> pd.DataFrame:
    rows = [
        (
            symbol,
            min(f.first for f in files),
            max(f.last for f in files),
            sum(f.rows for f in files),
        )
        for symbol, files in snapshot.by_symbol.items()
    ]
    of_calendar: dict[TradingCalendar, list[DataFile]] = {}
    for file in snapshot.files:
        of_calendar.setdefault(calendars[str(file.symbol)], []).append(file)
    sessions: _Occupied = {}
    for calendar, its_files in of_calendar.items():
        sessions |= _sessions(table, its_files, calendar)
    found = pd.DataFrame(rows, columns=list(_COLUMNS[:-1]))
    counts = [
        len(np.unique(np.concatenate([sessions[f.path] for f in files])))
        for files in snapshot.by_symbol.values()
    ]
    return found.assign(sessions=counts)


def _sessions(table: BarTable, files: Sequence[DataFile], calendar: TradingCalendar) -> _Occupied:
    """Return for each file's path the sessions, by position in the calendar, that hold its bars."""
    with _lock:
        known = _occupied.setdefault(calendar, {})
        if len(known) > _MOST_FILES:
            known = _occupied[calendar] = {}
    missing = [file for file in files if table.place.full(file.path) not in known]
    if missing:
        starts, ends = session_times.session_spans(calendar)

        def look(file: DataFile) -> None:
            time = read_times(table.place, file.path)
            held = np.searchsorted(time, ends) > np.searchsorted(time, starts)
            known[table.place.full(file.path)] = np.flatnonzero(held).astype(np.int32)

        with ThreadPoolExecutor(min(table.place.threads, len(missing))) as pool:
            list(pool.map(look, missing))
    return {file.path: known[table.place.full(file.path)] for file in files}


def _within_files(table: BarTable, snapshot: Snapshot) -> pd.DataFrame:
    parts = []
    for block in reading.blocks_of(table, snapshot.files):
        first, end = block.starts[:-1], block.starts[1:]
        columns = (block.names, block.time[first], block.time[end - 1], end - first, end - first)
        parts.append(pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True))))
    grouped = pd.concat(parts).groupby("symbol", as_index=False)
    return grouped.agg({"first": "min", "last": "max", "bars": "sum", "sessions": "sum"})
