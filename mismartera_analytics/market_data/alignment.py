"""Where bars shorter than a session may start: whole intervals after the open, or the clock's hours."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics.calendars.grid import place_in
from mismartera_analytics.errors import InvalidBarsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.layout import Layout

    Bools = NDArray[np.bool_]
    Int64s = NDArray[np.int64]

__all__ = ["Alignment", "require_mostly_on_grid", "starts_of_bars"]

Alignment = Literal["session", "clock"]
_MISSING = np.iinfo(np.int64).min
_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000
_OUTSIDE_SECONDS = 300
"""Bars in extended hours are held to a multiple of this: where those begin differs by source."""


def starts_of_bars(
    times: pd.Series, layout: Layout, calendar: TradingCalendar, *, aligned: Alignment
) -> tuple[pd.Series, Bools]:
    """Return when bars start, and which of them start where none of their interval can.

    In regular hours a bar starts a whole number of intervals after the open, or after the end of a
    break. With ``aligned="clock"`` it starts where the exchange's clock shows a multiple of the
    interval, and the bar that an open or the end of a break cuts in two starts there. Sessions that
    opened late are held to whole minutes, since vendors go on with the usual grid.

    Parameters
    ----------
    times
        Aware, NaT where there is none.
    layout
        Of an interval shorter than a session.
    calendar
        The exchange's.
    aligned
        What the source follows.

    Returns
    -------
    starts : pandas.Series
        As `times`; with ``"clock"`` in UTC and moved to the open where that cuts a bar.
    off_grid : numpy.ndarray of bool
        Shape (rows,).
    """
    step = layout.interval.length // dt.timedelta(microseconds=1)
    if aligned == "clock":
        return _from_clock(times, step, calendar)
    if step <= _MINUTE_US:
        return times, np.zeros(len(times), dtype=bool)
    return times, _off_session_grid(times, step, calendar)


def require_mostly_on_grid(bars: pd.DataFrame, layout: Layout) -> None:
    """Refuse a source of which most bars are off the grid: it follows another one.

    Parameters
    ----------
    bars
        As from `mapping.to_bars`.
    layout
        Of the interval.

    Raises
    ------
    InvalidBarsError
        Naming one of the times, and what may be the matter.
    """
    if "off_grid" not in bars.columns or bars["off_grid"].mean() <= 0.5:
        return
    off = bars[bars["off_grid"]]
    raise InvalidBarsError(
        f"{len(off)} of {len(bars)} {layout.interval} bars do not start whole intervals after the "
        f"open, {off['given'].iloc[0]} for instance; if they follow the clock, say aligned='clock', "
        f"else look at tz and exchange."
    )


def _off_session_grid(times: pd.Series, step: int, calendar: TradingCalendar) -> Bools:
    off: Bools
    moments = _microseconds(times)
    starts, ends, places = calendar.stretches()
    at = place_in(starts, ends, moments)
    is_regular = at >= 0
    at = np.maximum(at, 0)
    coarse = math.gcd(step, _OUTSIDE_SECONDS * 1_000_000)
    off = np.where(is_regular, (moments - starts[at]) % step, moments % coarse) != 0
    off &= moments != _MISSING
    if not off.any():
        return off
    is_late = calendar.sessions()["is_late_open"].to_numpy(dtype=bool)[places[at]]
    off &= ~(is_regular & is_late & (moments % _MINUTE_US == 0))
    return off


def _from_clock(times: pd.Series, step: int, calendar: TradingCalendar) -> tuple[pd.Series, Bools]:
    """Return clock-aligned starts, at an open or the end of a break where that cuts the bar."""
    moments = _microseconds(times)
    starts, ends, _ = calendar.stretches()
    following = np.minimum(np.searchsorted(starts, moments, side="left"), max(starts.size - 1, 0))
    cut = starts[following] if starts.size else np.zeros(len(moments), dtype=np.int64)
    is_cut = (moments < cut) & (cut < moments + step) & (place_in(starts, ends, moments) < 0)
    is_cut &= moments != _MISSING
    wall: Any = times.dt.tz_convert(calendar.timezone).dt.tz_localize(None)
    since_midnight = np.asarray(wall.to_numpy()).astype("datetime64[us]").astype(np.int64) % _DAY_US
    off = (since_midnight % step != 0) & (moments != cut) & (moments != _MISSING)
    found = pd.Series(np.where(is_cut, cut, moments).view("datetime64[us]"), times.index)
    return found.dt.tz_localize("UTC"), off


def _microseconds(times: pd.Series) -> Int64s:
    utc: Any = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(utc.to_numpy()).astype("datetime64[us]").astype(np.int64)
