"""The clock of a run: its rows, the session of each, and when each begins and ends."""

from __future__ import annotations

import datetime as dt
import weakref
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidBarsError

__all__ = ["Clock", "SessionSource", "day_clock", "intraday_clock", "microseconds"]

Int64s = NDArray[np.int64]
REGULAR = 1  # kernels.layouts.REGULAR, which costs an import of Numba
LAST_OF_SESSION = 2  # kernels.layouts.LAST_OF_SESSION


class SessionSource(Protocol):
    """What a run asks of a trading calendar."""

    def sessions(self, start: Any = None, end: Any = None) -> pd.DataFrame:
        """Return the sessions of a range of labels, both ends included, indexed by label."""
        ...


@dataclass(frozen=True)
class Clock:
    """Rows in time order; one row stands for the bars of all symbols that start together.

    Attributes
    ----------
    start, end
        (rows,) first instant of the bar and the first after it [us since 1970, UTC].
    session
        (rows,) ordinal of the session in which the bar lies.
    label
        (rows,) label of that session, ``datetime64[D]``.
    flags
        (rows,) bits: 1 in regular hours, 2 the session's last scheduled bar.
    closes
        Close of the session of each ordinal [us]; of bars longer than a session, each bar's end.
    labels, opens, begins
        Label, regular open and first instant (extended hours included) of the session of each ordinal.
    orders_wait_for_opens
        Whether an order belongs to the first session that opens at its instant or later, and not to
        the first that closes later.
    """

    start: Int64s
    end: Int64s
    session: Int64s
    label: NDArray[np.datetime64]
    flags: NDArray[np.uint8]
    closes: Int64s
    labels: NDArray[np.datetime64]
    opens: Int64s
    begins: Int64s
    orders_wait_for_opens: bool = False

    def __len__(self) -> int:
        return len(self.start)

    def opening_rows(self) -> Int64s:
        """Return each session's first row that does not begin before it does.

        Bars after the hours of one session count in the next, but they do not open it.
        """
        rows = np.flatnonzero(
            self.start >= self.begins[np.minimum(self.session, len(self.begins) - 1)]
        )
        sessions = self.session[rows]
        opening: Int64s = rows[np.append(True, sessions[1:] != sessions[:-1])[: len(rows)]]
        return opening

    def sessions_at(self, instants: Int64s) -> Int64s:
        """Return the ordinal of the session to which orders placed at `instants` belong.

        An order placed at or after its session's close belongs to the next one.
        """
        return np.searchsorted(self.session_bounds, instants, side="right").astype(np.int64)

    @property
    def session_bounds(self) -> Int64s:
        """First instant of each ordinal at which an order belongs to a later session [us]."""
        return self.opens + 1 if self.orders_wait_for_opens else self.closes

    def sessions_over(self, instants: Int64s) -> Int64s:
        """Return how many sessions are over at `instants`."""
        return np.searchsorted(self.closes, instants, side="right").astype(np.int64)

    def rows_before(self, instants: Int64s) -> Int64s:
        """Return the row after which orders placed at `instants` can fill; -1 before the first."""
        return np.searchsorted(self.start, instants, side="left").astype(np.int64) - 1


def microseconds(column: pd.Series) -> Int64s:
    """Return aware instants as integers [us since 1970, UTC]; an array of one's own."""
    values: Any = column.dt.as_unit("us").array
    return np.array(values.asi8)


def day_clock(
    labels: NDArray[np.datetime64], interval: clock.Interval, calendar: SessionSource
) -> Clock:
    """Return the clock of bars of a session or longer.

    Parameters
    ----------
    labels
        (rows,) labels of the bars' first sessions, ascending and unique.
    interval
        A unit of ``d``, ``w`` or ``mo``.
    calendar
        Gives opens and closes.

    Returns
    -------
    Clock

    Raises
    ------
    InvalidBarsError
        If a label is no session of the calendar.
    """
    table = _table(calendar, labels[0], labels[-1])
    row = np.searchsorted(table.labels, labels)
    found = np.minimum(row, len(table.labels) - 1)
    strange = labels[(row == len(table.labels)) | (table.labels[found] != labels)]
    if len(strange):
        raise InvalidBarsError(
            f"bars: there are bars on {strange[0]}, which is no session of the calendar "
            f"({len(strange)} such days); correct their sessions or name their calendar."
        )
    if interval == clock.Interval(1, "d"):
        ordinals, closes, opens, names = row, table.closes, table.opens, table.labels
        ends = closes[row]
    else:
        last = np.searchsorted(table.labels, _period_ends(labels, interval, table.labels)) - 1
        ends = table.closes[np.maximum(last, row)]
        ordinals, closes, opens, names = np.arange(len(labels)), ends, table.opens[row], labels
    return Clock(
        start=table.opens[row],
        end=ends,
        session=ordinals.astype(np.int64),
        label=labels,
        flags=np.full(len(labels), REGULAR | LAST_OF_SESSION, np.uint8),
        closes=closes,
        labels=names,
        opens=opens,
        begins=opens,
    )


def intraday_clock(starts: Int64s, interval: clock.Interval, calendar: SessionSource) -> Clock:
    """Return the clock of bars shorter than a session.

    Parameters
    ----------
    starts
        (rows,) first instants of the bars, ascending and unique [us since 1970, UTC].
    interval
        Their length.
    calendar
        Gives opens, breaks and closes.

    Returns
    -------
    Clock
        A bar that reaches beyond its session's close ends there. Bars outside regular hours belong to
        the session whose close comes next.
    """
    first, last = starts[[0, -1]].astype("datetime64[us]").astype("datetime64[D]")
    table = _table(calendar, first, last)
    length = int(interval.length / dt.timedelta(microseconds=1))
    begun = int(np.searchsorted(table.closes, starts[0], side="right"))
    near = slice(begun, int(np.searchsorted(table.opens, starts[-1], side="right")))
    over = np.searchsorted(starts, table.closes[near])  # few sessions, many rows
    counts = np.diff(over, prepend=0, append=len(starts))
    session = np.repeat(np.arange(begun, near.stop + 1), counts)
    is_regular = _is_within(table.opens[near], table.closes[near], starts)
    is_regular &= ~_is_within(table.break_starts[near], table.break_ends[near], starts)
    is_last = is_regular & _is_within(table.closes[near] - length, table.closes[near], starts)
    flags = is_regular * np.uint8(REGULAR)
    flags[is_last] |= LAST_OF_SESSION
    ends = starts + length
    ends[is_last] = table.closes[session[is_last]]
    return Clock(
        start=starts,
        end=ends,
        session=session,
        label=table.labels.take(session, mode="clip"),
        flags=flags,
        closes=table.closes,
        labels=table.labels,
        opens=table.opens,
        begins=table.begins,
    )


def _is_within(firsts: Int64s, ends: Int64s, starts: Int64s) -> NDArray[np.bool_]:
    """Tell which of the ascending instants lie within any span, its end left out."""
    is_within = np.zeros(len(starts), np.bool_)
    rows = (np.searchsorted(starts, moments).tolist() for moments in (firsts, ends))
    for first, end in zip(*rows, strict=True):
        is_within[first:end] = True
    return is_within


@dataclass(frozen=True)
class _Sessions:
    labels: NDArray[np.datetime64]
    begins: Int64s
    opens: Int64s
    closes: Int64s
    break_starts: Int64s
    break_ends: Int64s


_known: weakref.WeakKeyDictionary[TradingCalendar, _Sessions] = weakref.WeakKeyDictionary()
"""Hours of calendars, which never change."""


def _table(calendar: SessionSource, first: np.datetime64, last: np.datetime64) -> _Sessions:
    """Return all sessions; the first and the last label must lie in what the calendar covers."""
    calendar.sessions(first.item(), last.item())
    if not isinstance(calendar, TradingCalendar):
        return _hours(calendar)
    if calendar not in _known:
        _known[calendar] = _hours(calendar)
    return _known[calendar]


def _hours(calendar: SessionSource) -> _Sessions:
    frame = calendar.sessions()
    closes = frame["regular_close"]
    return _Sessions(
        labels=frame.index.to_numpy().astype("datetime64[D]"),
        begins=microseconds(frame["pre_market_open"].fillna(frame["regular_open"])),
        opens=microseconds(frame["regular_open"]),
        closes=microseconds(closes),
        break_starts=microseconds(frame["break_start"].fillna(closes)),
        break_ends=microseconds(frame["break_end"].fillna(closes)),
    )


def _period_ends(
    labels: NDArray[np.datetime64], interval: clock.Interval, sessions: NDArray[np.datetime64]
) -> NDArray[np.datetime64]:
    """Return the first day after each bar's period."""
    days = labels.astype("datetime64[D]")
    if interval.unit == "w":
        weekday = (days.astype(np.int64) + 3) % 7
        after_week: Any = days - weekday + np.timedelta64(7 * interval.count, "D")
        return after_week  # type: ignore[no-any-return]
    if interval.unit == "mo":
        months = days.astype("datetime64[M]") + np.timedelta64(interval.count, "M")
        return months.astype("datetime64[D]")
    last = np.searchsorted(sessions, days) + interval.count - 1
    return sessions[np.minimum(last, len(sessions) - 1)] + np.timedelta64(1, "D")
