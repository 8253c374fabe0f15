"""Where a calendar cuts bars: the stretches of time that longer bars are made from."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mismartera_analytics import clock
from mismartera_analytics.calendars import grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["Cuts", "Hours", "divides", "of_labels", "of_times"]

Hours = Literal["regular", "extended"]
"""Which bars count: those of the regular hours, or of the pre-market and post-market as well."""

_MICROSECOND = dt.timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_LONGEST = 2**61
"""A step longer than any stretch."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """Stretches in order and apart, and the bars that they belong to.

    Attributes
    ----------
    starts, ends
        Shape (stretches,): ``[start, end)`` [microseconds or days since 1970].
    bins
        Shape (stretches,): number of the bar of a session or longer that a stretch belongs to, of the
        stretch itself for shorter bars; -1 where bars are not wanted.
    step
        Length of a bar shorter than a session [microseconds].
    first_opens, first_labels
        By number of the bar: regular open [microseconds since 1970] and label [days since 1970] of
        its first session; None for bars shorter than a session.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    bins: NDArray[np.int64]
    step: int
    first_opens: NDArray[np.int64] | None = None
    first_labels: NDArray[np.int64] | None = None


def divides(source: clock.Interval, target: clock.Interval) -> bool:
    """Return whether bars of one interval can be put together to bars of another.

    Examples
    --------
    >>> divides(clock.parse_interval("5m"), clock.parse_interval("1h"))
    True
    >>> divides(clock.parse_interval("1w"), clock.parse_interval("1mo"))
    False
    """
    if source.is_intraday:
        return not target.is_intraday or target.length % source.length == dt.timedelta(0)
    if source.unit == target.unit:
        return target.count % source.count == 0
    return source.unit == "d" and source.count == 1 and target.unit in ("w", "mo")


@functools.lru_cache(maxsize=64)
def of_times(calendar: TradingCalendar, interval: clock.Interval, hours: Hours) -> Cuts:
    """Return the stretches for bars that are named by their start.

    Parameters
    ----------
    calendar
        The market's.
    interval
        Of the longer bars. Those shorter than a session are counted from the start of their phase
        (after a break, from its end).
    hours
        Which bars are wanted.

    Returns
    -------
    Cuts

    Raises
    ------
    InvalidInputError
        If there are no such bars.
    """
    starts, ends, places = calendar.stretches(phase="all")
    bins, step = np.arange(starts.size), _LONGEST
    opens = labels = None
    if interval.is_intraday:
        step = interval.length // _MICROSECOND
    else:
        opens, labels, firsts = _sessions(calendar, interval)
        bins = firsts[places]
    if hours == "regular":
        bins = np.where(np.isin(starts, calendar.stretches()[0]), bins, -1)
    return Cuts(starts, ends, _fixed(bins), step, opens, labels)


@functools.lru_cache(maxsize=64)
def of_labels(calendar: TradingCalendar, interval: clock.Interval) -> Cuts:
    """Return the stretches for bars that are named by their session: a day each; as in `of_times`."""
    opens, labels, firsts = _sessions(calendar, interval)
    return Cuts(_fixed(labels), _fixed(labels + 1), _fixed(firsts), _LONGEST, opens, labels)


def _sessions(
    calendar: TradingCalendar, interval: clock.Interval
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return opens and labels of all sessions, and the place of the first one of each one's bar."""
    index = calendar.labels()
    labels = index.as_unit("us").asi8 // _DAY_US
    opens = calendar.opens(index).as_unit("us").asi8
    return opens, labels, grid.period_firsts(labels, interval)


def _fixed(array: NDArray[np.int64]) -> NDArray[np.int64]:
    fixed = np.ascontiguousarray(array, dtype=np.int64).view()
    fixed.flags.writeable = False
    return fixed
