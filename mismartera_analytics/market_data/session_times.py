"""Where bars meet the trading calendar: labels to opens, label ranges to instants, times to labels."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["instants_of_labels", "session_opens", "session_spans", "sessions_of_times"]

_REACH = dt.timedelta(days=21)
"""Longer than any market was ever closed, but for wars."""
_DAY_US = 86_400_000_000


def session_opens(
    calendar: TradingCalendar, days: NDArray[np.datetime64], *, reach: int = 1
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Return the session on each date, or the first one soon after it, and its regular open.

    Parameters
    ----------
    calendar
        The exchange's.
    days
        Shape (n,), datetime64[D], may hold NaT.
    reach
        Days in which the session must lie, counted from the date: 1 means the date itself.

    Returns
    -------
    labels : numpy.ndarray of datetime64[D]
    opens : numpy.ndarray of datetime64[us]
        Shape (n,), UTC; NaT where there is no session or the calendar's rules do not reach.
    """
    known = calendar.labels()
    sessions = known.to_numpy().astype("datetime64[D]")
    labels = np.full(len(days), np.datetime64("NaT"), dtype="datetime64[D]")
    opens = np.full(len(days), np.datetime64("NaT"), dtype="datetime64[us]")
    if len(sessions) == 0:
        return labels, opens
    at = np.minimum(np.searchsorted(sessions, days), len(sessions) - 1)
    after = (sessions[at] - days).astype(np.int64)
    found = ~np.isnat(days) & (days >= np.datetime64(calendar.covers_from))
    found &= (after >= 0) & (after < reach)
    labels[found] = sessions[at[found]]
    opens[found] = calendar.opens(known[at[found]]).tz_localize(None).to_numpy()
    return labels, opens


def instants_of_labels(
    calendar: TradingCalendar, start: clock.Bound | None, end: clock.Bound | None
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Replace the labels of a range by the instants at which its first and last session begin and end.

    Parameters
    ----------
    calendar
        The exchange's; extended hours belong to the session.
    start, end
        Labels, instants or None; instants and None stay as they are.

    Returns
    -------
    start, end : datetime.datetime or None
        Of a label that is no session the next one's begin, or the one before's end, is taken; outside
        the range that the calendar covers midnight UTC.
    """
    if start is not None and not isinstance(start, dt.datetime):
        day = start
        start = dt.datetime.combine(day, dt.time(), clock.UTC)
        if calendar.covers_from <= day <= calendar.covers_to:
            near = calendar.sessions(day, min(day + _REACH, calendar.covers_to))
            begins = near["pre_market_open"].fillna(near["regular_open"])
            start = begins.iloc[0].to_pydatetime() if len(near) else start
    if end is not None and not isinstance(end, dt.datetime):
        day = min(end, dt.date.max - dt.timedelta(days=1))
        end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), clock.UTC)
        if calendar.covers_from <= day <= calendar.covers_to:
            near = calendar.sessions(max(day - _REACH, calendar.covers_from), day)
            ends = near["post_market_close"].fillna(near["regular_close"])
            end = ends.iloc[-1].to_pydatetime() if len(near) else end
    return start, end


def session_spans(calendar: TradingCalendar) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first instant of each session and the first after it, extended hours included.

    Parameters
    ----------
    calendar
        The exchange's.

    Returns
    -------
    starts, ends : numpy.ndarray of int64
        Shape (sessions,) [microseconds since 1970, UTC], ascending.
    """
    known = calendar.sessions(calendar.covers_from, calendar.covers_to)
    starts = known["pre_market_open"].fillna(known["regular_open"])
    ends = known["post_market_close"].fillna(known["regular_close"])
    return _numbers(starts), _numbers(ends)


def _numbers(instants: pd.Series) -> NDArray[np.int64]:
    naive = instants.dt.tz_convert("UTC").dt.tz_localize(None)
    numbers: NDArray[np.int64] = naive.to_numpy().astype("datetime64[us]").astype(np.int64)
    return numbers


def sessions_of_times(calendar: TradingCalendar, time: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return the label of the session in which each time lies, extended hours included.

    Parameters
    ----------
    calendar
        The exchange's.
    time
        Shape (n,) [microseconds since 1970, UTC], any order.

    Returns
    -------
    numpy.ndarray of datetime64[D]
        Shape (n,); NaT where no session is or the calendar does not reach.
    """
    labels = np.full(len(time), np.datetime64("NaT"), dtype="datetime64[D]")
    low = (calendar.covers_from - dt.date(1970, 1, 1)).days + 1
    high = (calendar.covers_to - dt.date(1970, 1, 1)).days
    inside = (time >= low * _DAY_US) & (time < high * _DAY_US)
    if inside.any():
        moments: Any = pd.DatetimeIndex(time[inside].view("datetime64[us]"), tz="UTC")
        labels[inside] = calendar.session_of(moments).to_numpy().astype("datetime64[D]")
    return labels
