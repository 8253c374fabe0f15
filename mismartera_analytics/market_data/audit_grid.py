"""Where bars are expected: the stretches of a calendar's sessions, cut into bars by arithmetic."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.calendars import grid
from mismartera_analytics.market_data.cuts import Hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

    Int64s = NDArray[np.int64]

__all__ = ["Aligned", "SessionGrid", "empty_grid", "microseconds", "session_grid"]

Aligned = Literal["session", "clock"]
_TRADING = ("pre_market", "regular", "post_market")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, eq=False)
class SessionGrid:
    """The bars that a calendar expects in a window of time; nothing is listed one by one.

    A stretch is a phase of a session, or its part before or after a break; for bars of a session and
    longer it is the whole period. Instants are microseconds since 1970 UTC.

    Attributes
    ----------
    calendar
        Whose sessions.
    labels, opens
        Shape (sessions,): label [days since 1970] and first instant, extended hours included.
    starts, ends, places, phases
        Shape (stretches,), in order: first instant, end, place of the (first) session, phase.
    steps
        Shape (stretches,): length of a bar [microseconds].
    low, high
        Shape (stretches,): the bars ``[low, high)`` of a stretch are expected.
    base
        Shape (stretches + 1,): number of bars expected before each stretch.
    others
        Starts and ends of the phases of trading that are not asked for.
    until
        What was not over then is not expected.
    is_listed
        False for a time in which the symbol stands for nothing.
    """

    calendar: TradingCalendar
    labels: Int64s
    opens: Int64s
    starts: Int64s
    ends: Int64s
    places: Int64s
    phases: NDArray[np.object_]
    steps: Int64s
    low: Int64s
    high: Int64s
    base: Int64s
    others: tuple[Int64s, Int64s]
    until: int
    is_listed: bool = True

    def place_of(self, time: Int64s) -> Int64s:
        """Return the place of the session that each instant is in or follows, the first before it."""
        return np.maximum(np.searchsorted(self.opens, time, side="right") - 1, 0)

    def locate(self, time: Int64s) -> tuple[NDArray[np.bool_], Int64s]:
        """Return which instants start an expected bar, and of those the bar's number.

        Parameters
        ----------
        time
            Shape (n,).

        Returns
        -------
        is_expected : numpy.ndarray of bool
            Shape (n,).
        numbers : numpy.ndarray of int64
            Shape (n,): counted through all expected bars; meaningless where none starts.
        """
        if not self.starts.size:
            return np.zeros(len(time), dtype=bool), np.zeros(len(time), dtype=np.int64)
        at = grid.place_in(self.starts, self.ends, time)
        inside = at >= 0
        at = np.maximum(at, 0)
        index, rest = np.divmod(time - self.starts[at], self.steps[at])
        is_expected = inside & (rest == 0) & (index >= self.low[at]) & (index < self.high[at])
        return is_expected, self.base[at] + index - self.low[at]

    def start_of(self, numbers: Int64s) -> Int64s:
        """Return the starts of expected bars by number."""
        at = np.searchsorted(self.base, numbers, side="right") - 1
        within = self.low[at] + numbers - self.base[at]
        return np.asarray(self.starts[at] + within * self.steps[at])

    def end_of(self, numbers: Int64s) -> Int64s:
        """Return the ends of expected bars by number; the last one of a stretch may be shorter."""
        at = np.searchsorted(self.base, numbers, side="right") - 1
        return np.asarray(np.minimum(self.start_of(numbers) + self.steps[at], self.ends[at]))

    def is_regular(self, numbers: Int64s) -> NDArray[np.bool_]:
        """Return which expected bars are of regular hours."""
        at = np.searchsorted(self.base, numbers, side="right") - 1
        return np.asarray(self.phases[at] == "regular")

    @functools.cached_property
    def seams(self) -> Int64s:
        """Numbers of the bars at which a phase, or its part after a break, begins."""
        follows = (self.starts[1:] == self.ends[:-1]) & (self.places[1:] == self.places[:-1])
        follows &= self.phases[1:] == self.phases[:-1]
        return self.base[:-1][np.concatenate(([True], ~follows))[: self.starts.size]]

    def first_bar(self, place: int) -> int:
        """Return the number of the first bar expected in the session at a place or after it."""
        return int(self.base[np.searchsorted(self.places, place)])

    def times_of_labels(self, labels: Int64s) -> Int64s:
        """Return the start of the bar that each label [days since 1970] names; else its midnight."""
        own = self.labels[self.places]
        if not own.size:
            return labels * _DAY_US
        at = np.minimum(np.searchsorted(own, labels), own.size - 1)
        return np.where(own[at] == labels, self.starts[at], labels * _DAY_US)


def session_grid(
    calendar: TradingCalendar,
    interval: clock.Interval,
    hours: Hours,
    aligned: Aligned,
    window: tuple[int | None, int | None],
    until: int,
) -> SessionGrid:
    """Return the bars that are expected of a calendar.

    Parameters
    ----------
    calendar
        The exchange's.
    interval
        Length of a bar.
    hours
        ``"regular"`` or ``"extended"``.
    aligned
        ``"clock"``: after the first one, bars start at multiples of the interval by the clock.
    window
        Bars that start in ``[window[0], window[1])`` [microseconds since 1970 UTC]; None means open.
    until
        Bars that ended by then.

    Returns
    -------
    SessionGrid
    """
    wanted = _TRADING if hours == "extended" else ("regular",)
    if interval.is_intraday:
        starts, ends, places, phases = _stretches(calendar, wanted)
        if aligned == "clock":
            starts, ends, places, phases = _cut_by_clock(
                starts, ends, places, phases, microseconds(interval.length), calendar.timezone
            )
        steps = np.full(starts.size, microseconds(interval.length), dtype=np.int64)
    else:
        starts, ends, places = _periods(calendar, interval)
        phases = np.full(starts.size, "regular", dtype=object)
        steps = ends - starts
    counts = -((starts - ends) // steps)
    low, high = np.zeros_like(counts), counts.copy()
    if window[0] is not None:
        low = np.clip(-((starts - window[0]) // steps), 0, counts)
    if window[1] is not None:
        high = np.clip(-((starts - window[1]) // steps), 0, counts)
    over = np.where(ends <= until, counts, (until - starts) // steps)
    high = np.minimum(high, np.clip(over, 0, counts))
    kept = high > low
    left = [phase for phase in _TRADING if phase not in wanted]
    every, _, of = calendar.stretches(phase="all")
    labels = calendar.labels().as_unit("us").asi8 // _DAY_US
    return SessionGrid(
        calendar=calendar,
        labels=labels,
        opens=every[np.searchsorted(of, np.arange(labels.size))],
        starts=starts[kept],
        ends=ends[kept],
        places=places[kept],
        phases=phases[kept],
        steps=steps[kept],
        low=low[kept],
        high=high[kept],
        base=np.concatenate(([0], np.cumsum((high - low)[kept]))),
        others=calendar.stretches(phase=left)[:2] if left else (low[:0], low[:0]),
        until=until,
    )


def empty_grid(calendar: TradingCalendar) -> SessionGrid:
    """Return the grid of a time in which nothing is expected and nothing can be."""
    nothing = session_grid(calendar, clock.Interval(1, "d"), "extended", "session", (0, 0), 0)
    return replace(nothing, is_listed=False)


def microseconds(length: dt.timedelta) -> int:
    """Return a length of time in microseconds."""
    return length // dt.timedelta(microseconds=1)


def _stretches(
    calendar: TradingCalendar, wanted: tuple[str, ...]
) -> tuple[Int64s, Int64s, Int64s, NDArray[np.object_]]:
    parts = [(*calendar.stretches(phase=phase), phase) for phase in wanted]
    starts, ends, places = (np.concatenate([part[k] for part in parts]) for k in range(3))
    phases = np.concatenate([np.full(len(part[0]), part[3], dtype=object) for part in parts])
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order], places[order], phases[order]


def _cut_by_clock(
    starts: Int64s,
    ends: Int64s,
    places: Int64s,
    phases: NDArray[np.object_],
    step: int,
    timezone: str,
) -> tuple[Int64s, Int64s, Int64s, NDArray[np.object_]]:
    """Return stretches cut in two where a bar of the clock's would begin for the first time."""
    local = pd.DatetimeIndex(starts.view("datetime64[us]"), tz="UTC").tz_convert(timezone)
    wall = local.tz_localize(None).as_unit("us").asi8
    marks = starts + -wall % step
    is_cut = (marks > starts) & (marks < ends)
    order = np.argsort(np.concatenate([starts, marks[is_cut]]), kind="stable")
    return (
        np.concatenate([starts, marks[is_cut]])[order],
        np.concatenate([np.where(is_cut, marks, ends), ends[is_cut]])[order],
        np.concatenate([places, places[is_cut]])[order],
        np.concatenate([phases, phases[is_cut]])[order],
    )


def _periods(calendar: TradingCalendar, interval: clock.Interval) -> tuple[Int64s, Int64s, Int64s]:
    """Return open of the first session, close of the last, and place of the first, of each period."""
    labels = calendar.labels()
    of = grid.period_firsts(labels.as_unit("us").asi8 // _DAY_US, interval)
    firsts = np.unique(of)
    lasts = np.append(firsts[1:], len(of)) - 1
    opens, closes = calendar.opens(labels[firsts]), calendar.closes(labels[lasts])
    return opens.as_unit("us").asi8, closes.as_unit("us").asi8, firsts
