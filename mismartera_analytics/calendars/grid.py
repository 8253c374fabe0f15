"""Stretches of time cut into bars, as whole arrays; instants are microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.calendars.build import MISSING, SessionArrays
from mismartera_analytics.calendars.phases import Phase
from mismartera_analytics.errors import InvalidInputError

__all__ = ["bar_starts", "common", "period_firsts", "place_in", "stretches"]

Int64s = NDArray[np.int64]


def stretches(sessions: SessionArrays, phases: Collection[Phase]) -> tuple[Int64s, Int64s, Int64s]:
    """Return when given phases start and end, in order, and the place of the session of each.

    Parameters
    ----------
    sessions
        All of a calendar.
    phases
        Which phases of them.

    Returns
    -------
    starts, ends, places : ndarray of int64
        A regular session with a break gives two stretches; a phase of no length gives none.
    """
    every = sessions
    has_break = every.break_start != MISSING
    morning_ends = np.where(has_break, every.break_start, every.regular_close)
    parts: list[tuple[Phase, Int64s, Int64s]] = [
        ("pre_market", every.pre_market_open, every.regular_open),
        ("regular", every.regular_open, morning_ends),
        ("break", every.break_start, every.break_end),
        ("regular", every.break_end, every.regular_close),
        ("post_market", every.regular_close, every.post_market_close),
    ]
    chosen = [(start, end) for name, start, end in parts if name in phases]
    starts = np.column_stack([start for start, _ in chosen]).ravel()
    ends = np.column_stack([end for _, end in chosen]).ravel()
    places = np.repeat(np.arange(every.labels.size), len(chosen))
    is_there = (starts != MISSING) & (ends != MISSING) & (ends > starts)
    if is_there.all():
        return starts, ends, places
    return starts[is_there], ends[is_there], places[is_there]


def period_firsts(labels: Int64s, interval: clock.Interval) -> Int64s:
    """Return for each session the place of the first session of its bar.

    Parameters
    ----------
    labels
        All of a calendar, in order [days since 1970].
    interval
        A session or longer. Of bars of several sessions the first of a year starts with the year's
        first session, and its last may be shorter; weeks begin on Monday, several are counted from
        the week of 1970-01-01; months are those of the year, so ``3mo`` is a quarter and ``12mo`` a
        year.

    Raises
    ------
    InvalidInputError
        If the interval is shorter than a session, or a number of months that does not fit years.

    Examples
    --------
    >>> period_firsts(np.array([1, 4, 5, 6]), clock.parse_interval("1w"))  # Friday to Wednesday
    array([0, 1, 1, 1])
    """
    count, unit = interval.count, interval.unit
    days = labels.astype("datetime64[D]")
    places = np.arange(labels.size)
    if unit == "d":
        years = days.astype("datetime64[Y]").astype(np.int64)
        first_of_year = np.searchsorted(years, years)
        return places - (places - first_of_year) % count
    if unit == "w":
        periods = (labels + 3) // 7 // count
    elif unit == "mo" and (12 % count == 0 or count % 12 == 0):
        periods = (days.astype("datetime64[M]").astype(np.int64) + 1970 * 12) // count
    else:
        raise InvalidInputError(
            f"interval={interval} has no bars made of sessions; use '1d', '1w', '1mo', '3mo' or '12mo'."
        )
    firsts: Int64s = np.searchsorted(periods, periods).astype(np.int64)
    return firsts


def bar_starts(starts: Int64s, ends: Int64s, step: int) -> Int64s:
    """Return the start of every bar; each stretch begins a new one, its last may be shorter.

    Examples
    --------
    >>> bar_starts(np.array([0, 100]), np.array([25, 110]), 10)
    array([  0,  10,  20, 100])
    """
    if not starts.size:
        return np.empty(0, np.int64)
    counts = -((starts - ends) // step)
    stops = np.cumsum(counts)
    out = np.empty(int(stops[-1]), np.int64)
    offsets = np.arange(int(counts.max())) * step
    # Neighbours with as many bars are written as one table: a session a row, a bar a column.
    firsts = np.flatnonzero(np.diff(counts, prepend=-1))
    for first, last in zip(firsts.tolist(), [*firsts[1:].tolist(), counts.size], strict=True):
        number = int(counts[first])
        begin = int(stops[first]) - number
        table = out[begin : int(stops[last - 1])].reshape(last - first, number)
        np.add(starts[first:last, None], offsets[:number], out=table)
    return out


def place_in(starts: Int64s, ends: Int64s, moments: Int64s) -> Int64s:
    """Return for each moment the stretch ``[start, end)`` that holds it, -1 where none does.

    Parameters
    ----------
    starts, ends
        In order and apart.
    moments
        In any order; faster when sorted.

    Examples
    --------
    >>> place_in(np.array([0, 100]), np.array([25, 110]), np.array([0, 25, 109]))
    array([ 0, -1,  1])
    """
    if moments.size > 4 * starts.size and bool((moments[1:] >= moments[:-1]).all()):
        edges = np.column_stack((starts, ends)).ravel()
        cuts = np.searchsorted(moments, edges)
        lengths = np.diff(cuts, prepend=0, append=moments.size)
        places = np.full(edges.size + 1, -1)
        places[1::2] = np.arange(starts.size)
        return np.repeat(places, lengths)
    places = np.searchsorted(starts, moments, side="right") - 1
    outside = places < 0
    outside |= moments >= ends[places] if ends.size else True
    places[outside] = -1
    return places


def common(every: list[tuple[Int64s, Int64s]]) -> tuple[Int64s, Int64s]:
    """Return the stretches that lie in all lists of stretches at once.

    Examples
    --------
    >>> common([(np.array([0]), np.array([10])), (np.array([4, 8]), np.array([6, 20]))])
    (array([4, 8]), array([ 6, 10]))
    """
    times = np.concatenate([part for starts, ends in every for part in (ends, starts)])
    changes = np.concatenate(
        [
            np.full(part.size, sign)
            for starts, ends in every
            for part, sign in ((ends, -1), (starts, 1))
        ]
    )
    order = np.lexsort((changes, times))
    times, depth = times[order], np.cumsum(changes[order])
    is_full = (depth[:-1] == len(every)) & (times[:-1] < times[1:])
    return times[:-1][is_full], times[1:][is_full]
