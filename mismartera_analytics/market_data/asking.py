"""What a caller asks of a store, checked at the edge: columns, a range, a version, symbols."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_one_of, is_whole
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.frames.given import listed
from mismartera_analytics.market_data import reading, session_times
from mismartera_analytics.market_data.renames import renames_told

if TYPE_CHECKING:
    import pandas as pd

    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.bar_table import BarTable
    from mismartera_analytics.market_data.snapshots import Snapshot

__all__ = [
    "bounds_asked",
    "by_window",
    "check_adjust",
    "columns_asked",
    "not_found",
    "require_known",
    "snapshot_asked",
    "stored_bars",
    "windows_asked",
]

_KEYS = ("symbol", "timestamp")


def columns_asked(columns: Iterable[str] | None) -> list[str] | None:
    """Return the columns of a read: the keys and what is asked for, None for all.

    Raises
    ------
    UnknownNameError
        If bars have no such column.

    Examples
    --------
    >>> columns_asked("close")
    ['symbol', 'timestamp', 'close']
    """
    if columns is None:
        return None
    asked = listed(columns, argument="columns")
    for name in asked:
        if not is_one_of(name, frames.BARS.names):
            raise UnknownNameError(
                f"columns={as_given(name)} is no column of bars{suggestion(name, frames.BARS.names)} "
                f"Bars have {', '.join(frames.BARS.names)}."
            )
    return [*_KEYS, *(name for name in dict.fromkeys(asked) if name not in _KEYS)]


def check_adjust(adjust: object) -> None:
    """Check that bars can be adjusted in the way asked for.

    Raises
    ------
    InvalidInputError
        If they cannot.
    """
    if not is_one_of(adjust, (None, "split", "all")):
        raise InvalidInputError(f"adjust={as_given(adjust)} must be None, 'split' or 'all'.")


def bounds_asked(
    start: clock.LabelLike | clock.InstantLike | None,
    end: clock.LabelLike | clock.InstantLike | None,
) -> tuple[clock.Bound | None, clock.Bound | None]:
    """Return the ends of a range as labels, instants in UTC, or None for open.

    Raises
    ------
    InvalidInputError
        If a bound is malformed.
    """
    first = None if start is None else clock.parse_bound(start, argument="start")
    last = None if end is None else clock.parse_bound(end, argument="end")
    return first, last


def windows_asked(
    table: BarTable,
    names: Sequence[str],
    start: clock.LabelLike | clock.InstantLike | None,
    end: clock.LabelLike | clock.InstantLike | None,
    *,
    calendars: Callable[[list[str]], Mapping[str, TradingCalendar]],
) -> dict[str, reading.Window]:
    """Return each symbol's window of a range: labels include both ends, instants are ``[start, end)``.

    Parameters
    ----------
    table
        Whose bars are asked for.
    names
        The symbols.
    start, end
        Labels, aware instants, or None for open.
    calendars
        From symbols to their calendars; called where bars shorter than a session are asked for by
        label, which begins and ends with the session of each symbol's own market.

    Raises
    ------
    InvalidInputError
        If a bound is malformed, or the range ends before it starts.
    """
    first, last = bounds_asked(start, end)
    window = reading.window(first, last)
    has_label = any(b is not None and not isinstance(b, dt.datetime) for b in (first, last))
    if table.layout.has_session or not has_label:
        return dict.fromkeys(names, window)
    found: dict[TradingCalendar, reading.Window] = {}
    by_symbol = calendars(list(names))
    for calendar in by_symbol.values():
        if calendar not in found:
            low, high = session_times.instants_of_labels(calendar, first, last)
            found[calendar] = reading.window(low, max(high, low) if low and high else high)
    return {name: found[by_symbol[name]] for name in names}


def by_window(
    names: Iterable[str], asked: Mapping[str, reading.Window]
) -> dict[reading.Window, list[str]]:
    """Return the symbols that each window is asked for."""
    found: dict[reading.Window, list[str]] = {}
    for name in names:
        found.setdefault(asked[name], []).append(name)
    return found


def snapshot_asked(table: BarTable, as_of: int | clock.InstantLike | None) -> Snapshot:
    """Return the version of a table that is asked for, by number or instant; the newest for None.

    Raises
    ------
    InvalidInputError
        If there is no such version.
    """
    if as_of is None:
        return table.snapshot()
    if is_whole(as_of):
        return table.at_version(int(as_of))
    return table.at_version(table.version_at(clock.parse_instant(as_of, argument="as_of")))


def require_known(table: BarTable, snapshot: Snapshot, names: list[str], *, where: str) -> None:
    """Check that symbols have bars at all.

    Parameters
    ----------
    table, snapshot
        Where they should be.
    names
        The symbols.
    where
        Address of the store, for the message.

    Raises
    ------
    BarsNotFoundError
        If one has none; what became of it, or the nearest name, is told.
    """
    lacking = _unknown(table, snapshot, names)
    if lacking:
        known = reading.known_symbols(table, snapshot)
        raise not_found(table.layout.interval, lacking, known, where=where)


def stored_bars(
    table: BarTable,
    snapshot: Snapshot,
    names: Sequence[str],
    asked: Mapping[str, reading.Window],
) -> tuple[pd.DataFrame, list[str]]:
    """Return bars as they are stored, and those of the symbols that have none at all.

    Parameters
    ----------
    table, snapshot, names
        As in `reading.find_pieces`.
    asked
        Each symbol's window.
    """
    pieces = [
        piece
        for window, own in by_window(names, asked).items()
        for piece in reading.find_pieces(table, snapshot, own, window)
    ]
    pieces.sort(key=lambda piece: piece.symbol)  # those of a symbol stay in order
    lacking = sorted({*names} - {piece.symbol for piece in pieces})
    return reading.frame_of(pieces), _unknown(table, snapshot, lacking)


def _unknown(table: BarTable, snapshot: Snapshot, names: Sequence[str]) -> list[str]:
    known = set(reading.known_symbols(table, snapshot)) if names else set()
    return [name for name in names if name not in known]


def not_found(
    interval: clock.Interval, names: Sequence[str], known: Iterable[str], *, where: str
) -> BarsNotFoundError:
    """Return the error that says of which symbols there are no bars.

    What became of a symbol, or the nearest name, is told.

    Parameters
    ----------
    interval
        Length of the bars.
    names
        The symbols without.
    known
        Those of which there are bars.
    where
        Address of the store.
    """
    candidates = sorted(known)
    if not candidates:
        return BarsNotFoundError(
            f"there are no {interval} bars in {where}; ingest_bars() brings some in."
        )
    renamed = renames_told(names)
    told = "; ".join(
        f"{name} ({renamed[name]})" if name in renamed else f"{name}{suggestion(name, candidates)}"
        for name in names
    )
    more = "" if told.endswith("?") else f"; there are bars of {len(candidates)} symbols."
    return BarsNotFoundError(f"no {interval} bars in {where} of {told}{more}")
