"""How long the bars of a frame are, and whether longer ones can be made of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError
from mismartera_analytics.market_data.bar_arrays import BarArrays, fixed
from mismartera_analytics.market_data.cuts import divides
from mismartera_analytics.market_data.session_times import session_opens, sessions_of_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["checked_source"]

_SYMBOLS, _ROWS = 16, 4096
"""So many symbols and first rows of each are looked at to tell how long the bars are."""
_MICROSECOND = dt.timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_SHORTEST_DAY = 20 * 3_600_000_000
"""Bars that are never less apart are of days, which a change of clocks shortens by an hour."""
_PERIODS = ((1, 4, "1d"), (5, 9, "1w"), (26, 35, "1mo"), (85, 95, "3mo"), (360, 370, "12mo"))
"""Days between neighbouring labels, from and to, and the interval that has them."""


def checked_source(
    arrays: BarArrays,
    target: clock.Interval,
    source: clock.Interval | None,
    calendars: list[TradingCalendar],
    *,
    zone: dt.tzinfo | str,
) -> tuple[BarArrays, int]:
    """Return given bars and their length, provided that longer ones can be made of them.

    Parameters
    ----------
    arrays
        The given bars.
    target
        What to make.
    source
        Their length; None means that the commonest distance between neighbours tells.
    calendars
        One a symbol.
    zone
        Time zone in which the bars were given.

    Returns
    -------
    arrays : BarArrays
        With the labels of bars of a session or longer, also where they were given by time alone: by
        midnights, in `zone` or the exchange's, or by regular opens.
    length : int
        Microseconds; 0 for bars of a session or longer, and where nothing tells.

    Raises
    ------
    InvalidInputError
        If `target` is shorter, or no multiple.
    InvalidBarsError
        If the bars follow the clock and the first one of a session begins before its open, or bars
        of a session or longer lack its label.
    """
    if len(arrays.time) == 0:
        return arrays, 0
    found = source or _commonest(arrays)
    if arrays.session is None and found is not None and not found.is_intraday:
        labels = _labels(arrays, calendars, zone)
        if labels is not None:
            arrays = dataclasses.replace(arrays, session=fixed(labels))
            found = source or _commonest(arrays)
        elif source is None:
            found = None  # few bars, far apart, but not of days
        else:
            raise InvalidBarsError(
                f"source={source}, but the bars start at other times than midnight or the open; give "
                f"the label of each one's (first) session in a column 'session'."
            )
    if source is not None and source.is_intraday and arrays.session is not None:
        raise InvalidInputError(
            f"source={source}, but the bars have sessions; bars shorter than one have none."
        )
    if arrays.session is not None and target.is_intraday:
        found = found or clock.Interval(1, "d")
    if found is None:
        return arrays, 0
    if not divides(found, target):
        seen = "" if source else " (the commonest distance between them; source='…' names another)"
        raise InvalidInputError(
            f"interval={target} cannot be made of {found} bars{seen}: it must be longer, and a whole "
            f"number of them."
        )
    if not found.is_intraday:
        return arrays, 0
    length = found.length // _MICROSECOND
    for symbol, calendar in list(enumerate(calendars))[:_SYMBOLS]:
        _refuse_clock_aligned(_sample(arrays, symbol), length, found, calendar)
    return arrays, length


def _sample(arrays: BarArrays, symbol: int) -> NDArray[np.int64]:
    begin, stop = int(arrays.starts[symbol]), int(arrays.starts[symbol + 1])
    return np.sort(arrays.key[begin : min(stop, begin + _ROWS)])


def _commonest(arrays: BarArrays) -> clock.Interval | None:
    """Return the interval that most neighbouring bars are apart, the shortest of several."""
    samples = [np.diff(_sample(arrays, i)) for i in range(min(len(arrays.names), _SYMBOLS))]
    apart = np.concatenate(samples) if samples else np.empty(0, np.int64)
    apart = apart[apart > 0]
    if arrays.session is None and len(apart) and apart.min() >= _SHORTEST_DAY:
        return clock.Interval(1, "d")
    apart = apart[(apart < _SHORTEST_DAY) | (arrays.session is not None)]
    if not len(apart):
        return None
    values, counts = np.unique(apart, return_counts=True)
    distance = int(values[counts.argmax()])
    if arrays.session is not None:
        known = (name for low, high, name in _PERIODS if low <= distance <= high)
        name = next(known, None)
        return None if name is None else clock.parse_interval(name)
    seconds, rest = divmod(distance, 1_000_000)
    return None if rest else clock.parse_interval(f"{seconds}s")


def _labels(
    arrays: BarArrays, calendars: list[TradingCalendar], zone: dt.tzinfo | str
) -> NDArray[np.int64] | None:
    """Return the labels of bars that start at midnights or opens, None if one does not."""
    labels = np.empty(len(arrays.time), np.int64)
    begin_days = np.zeros(len(arrays.time), bool)
    for i, calendar in enumerate(calendars):
        rows = slice(int(arrays.starts[i]), int(arrays.starts[i + 1]))
        moments = arrays.time[rows]
        sessions = sessions_of_times(calendar, moments)
        _, opens = session_opens(calendar, sessions)
        begins = opens.astype(np.int64) == moments
        label = sessions.astype(np.int64)
        for tz in (calendar.timezone, zone):
            index = pd.DatetimeIndex(moments.view("datetime64[us]"), tz="UTC").tz_convert(tz)
            local = index.tz_localize(None).as_unit("us").asi8
            is_midnight = local % _DAY_US == 0
            is_named = is_midnight | (np.isnat(sessions) & ~begins)  # a holiday, at any time
            label = np.where(is_named, local // _DAY_US, label)
            begins |= is_midnight
        if not (begins | np.isnat(sessions)).all():
            return None
        labels[rows], begin_days[rows] = label, begins
    return labels if begin_days.any() else None


def _refuse_clock_aligned(
    moments: NDArray[np.int64], length: int, source: clock.Interval, calendar: TradingCalendar
) -> None:
    """Refuse bars that follow the clock where one of them begins before an open that it holds."""
    starts, ends, _ = calendar.stretches()
    at = np.searchsorted(starts, moments, side="right") - 1
    inside = (at >= 0) & (moments < ends[at])
    off = inside & ((moments - starts[at]) % length != 0)
    following = np.minimum(at + 1, len(starts) - 1)
    reaches = ~inside & (moments < starts[following]) & (moments + length > starts[following])
    if off.sum() * 2 > inside.sum() and reaches.any():
        first = pd.Timestamp(int(moments[reaches][0]), unit="us", tz=calendar.timezone)
        raise InvalidBarsError(
            f"the {source} bars follow the clock: the one at {first} begins before the open that it "
            f"holds. Bring them in with ingest_bars(…, aligned='clock'), which lets it start at the "
            f"open, or name their length with source='…' if they are shorter."
        )
