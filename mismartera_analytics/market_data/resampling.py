"""Longer bars out of shorter ones, cut where the market's sessions cut them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    as_given,
    suggestion,
)
from mismartera_analytics.market_data import cuts, reading, validation
from mismartera_analytics.market_data.bar_arrays import BarArrays, bar_arrays
from mismartera_analytics.market_data.blocks import Block
from mismartera_analytics.market_data.instruments import calendar_of
from mismartera_analytics.market_data.source_interval import checked_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["resample_bars"]

_MANY = 500_000
"""Rows from which on the symbols are shared out among threads."""


def resample_bars(
    frame: pd.DataFrame,
    interval: str | clock.Interval,
    calendar: TradingCalendar | str | None = None,
    *,
    hours: cuts.Hours = "regular",
    source: str | clock.Interval | None = None,
    off_session: Literal["drop", "raise"] = "drop",
) -> pd.DataFrame:
    """Return longer bars made of the bars of a frame, cut where the market's sessions cut them.

    A bar shorter than a session is counted from the start of its phase: 30-minute and hourly bars of
    New York start at 09:30, those of a pre-market at its own open, and after a break a new one
    begins. No bar reaches from one phase into another, so the last one before a break or a close,
    early or not, may be shorter. Bars of a session and longer are made of whole sessions; `timestamp`
    is the regular open of the first session of the day, week, month or quarter (``3mo``) and
    `session` its label, whether or not it has bars. A bar without a source bar does not appear.

    Parameters
    ----------
    frame
        Bars of one interval and any number of symbols: `symbol`, `timestamp` (aware), `open`, `high`,
        `low`, `close` [currency/share], `volume` [shares], and `session` (the label) where the bars
        are of a session or longer; without it those of days are known by midnights and opens. Any
        order.
    interval
        Length of the bars to make.
    calendar
        Of all symbols, or a market's name; each symbol's own by default.
    hours
        ``"regular"``: bars of the pre-market and post-market are left out; ``"extended"``: they make
        bars of their own, and count in sessions and longer.
    source
        Length of the frame's bars; by default the commonest distance between them.
    off_session
        What becomes of bars that lie in no phase of any session, in a break or on a holiday:
        ``"drop"`` leaves them out and counts them in ``attrs["off_session"]``.

    Returns
    -------
    pandas.DataFrame
        As `frames.BARS`, `timestamp` in the frame's zone. Volumes are added up. The frame's `attrs`
        stay; `left_out` counts the bars of phases that were not asked for.

    Raises
    ------
    InvalidBarsError
        If a column is missing, a bar breaks a rule or is repeated, a bar reaches from one longer bar
        into the next, or no bar lies in a session (with ``off_session="raise"``, if one does not).
    InvalidInputError
        If the bars cannot be put together to that interval: it is shorter, or no multiple.
    NaiveDatetimeError
        If `timestamp` has no time zone.
    CalendarRangeError
        If bars lie outside the range that the calendar's rules cover.
    UnknownNameError
        If no market has the calendar's name.

    Examples
    --------
    >>> minutes = pd.DataFrame({
    ...     "symbol": "AAPL", "timestamp": pd.date_range("2025-11-28T14:30Z", periods=210, freq="1min"),
    ...     "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 100})
    >>> hourly = ma.resample_bars(minutes, "1h")
    >>> hourly["timestamp"].dt.strftime("%H:%M").tolist()  # until 13:00 in New York
    ['14:30', '15:30', '16:30', '17:30']
    >>> hourly["volume"].tolist()
    [6000.0, 6000.0, 6000.0, 3000.0]
    """
    target = clock.parse_interval(interval)
    given = None if source is None else clock.parse_interval(source, argument="source")
    for name, value, allowed in (
        ("hours", hours, ("regular", "extended")),
        ("off_session", off_session, ("drop", "raise")),
    ):
        if not is_one_of(value, allowed):
            hint = suggestion(value, allowed) or "."
            raise InvalidInputError(
                f"{name}={as_given(value)} must be one of {', '.join(allowed)}{hint}"
            )
    arrays = bar_arrays(frame)
    calendars = _calendars(arrays.names, calendar)
    zone = getattr(frame["timestamp"].dtype, "tz", None) or clock.UTC
    arrays, length = checked_source(arrays, target, given, calendars, zone=zone)
    made = _made(arrays, target, hours, length, calendars)
    if made.first("unsorted") is not None:
        arrays = arrays.in_order()
        made = _made(arrays, target, hours, length, calendars)
    _check_bars(made, frame, arrays)
    _check_fit(made, arrays, target)
    _check_sessions(made, arrays, calendars, off_session)
    bars = made.bars(arrays)
    if str(zone) != "UTC":
        bars["timestamp"] = bars["timestamp"].dt.tz_convert(zone)
    counts = {name: int(made.report[name].sum()) for name in ("left_out", "off_session")}
    bars.attrs = dict(frame.attrs) | counts
    return bars


def _calendars(
    names: tuple[str, ...], calendar: TradingCalendar | str | None
) -> list[TradingCalendar]:
    """Return the calendar of each symbol."""
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.calendars.sessions import TradingCalendar

    if calendar is None:
        by_symbol = calendar_of(names) if names else {}
        return [by_symbol[name] for name in names]
    if isinstance(calendar, str):
        calendar = trading_calendar(calendar)
    if not isinstance(calendar, TradingCalendar):
        raise InvalidInputError(
            f"calendar={as_given(calendar)} must be a TradingCalendar or a market's name, such as "
            f"'NYSE'."
        )
    return [calendar] * len(names)


@dataclass(frozen=True, eq=False)
class _Made:
    """What the kernel wrote, and where the bars were cut.

    Attributes
    ----------
    time, place
        Shape (rows,): start of each longer bar and the number of its stretch, from the first row of
        its symbol on.
    values
        Shape (rows, 5), likewise.
    report
        Each of shape (symbols,), by the names in `kernels.resampling.REPORT`.
    cuts
        One a symbol.
    """

    time: NDArray[np.int64]
    place: NDArray[np.int64]
    values: NDArray[np.float64]
    report: dict[str, NDArray[np.int64]]
    cuts: list[cuts.Cuts]

    def first(self, fault: str) -> tuple[int, int] | None:
        """Return the first symbol with a fault and which of its rows has it."""
        rows = self.report[fault]
        found = np.flatnonzero(rows >= 0)
        return (int(found[0]), int(rows[found[0]])) if len(found) else None

    def bars(self, arrays: BarArrays) -> pd.DataFrame:
        """Return the longer bars as `frames.BARS`."""
        pieces = []
        for i, name in sorted(enumerate(arrays.names), key=lambda item: item[1]):
            begin, count = int(arrays.starts[i]), int(self.report["bars"][i])
            rows, cut = slice(begin, begin + count), self.cuts[i]
            time, session = self.time[rows], None
            if cut.first_opens is not None and cut.first_labels is not None:
                number = cut.bins[self.place[rows]]
                time = cut.first_opens[number]
                session = cut.first_labels[number].astype(np.int32)
            if count:
                ends = np.array([0, count])
                values = tuple(self.values[rows].T)
                block = Block((name,), ends, time, session, values)
                pieces.append(reading.Piece(name, block, slice(0, count)))
        return reading.frame_of(pieces)


def _made(
    arrays: BarArrays,
    target: clock.Interval,
    hours: cuts.Hours,
    length: int,
    calendars: list[TradingCalendar],
) -> _Made:
    from mismartera_analytics.kernels.resampling import REPORT, aggregate

    rows, symbols = len(arrays.time), len(arrays.names)
    time, place = np.empty(rows, np.int64), np.empty(rows, np.int64)
    values, report = np.empty((rows, 5)), np.empty((symbols, len(REPORT)), np.int64)
    by_symbol = [
        cuts.of_times(calendar, target, hours)
        if arrays.session is None
        else cuts.of_labels(calendar, target)
        for calendar in calendars
    ]

    columns = arrays.key, *arrays.values

    def make(i: int) -> None:
        cut, rows = by_symbol[i], slice(int(arrays.starts[i]), int(arrays.starts[i + 1]))
        edges = cut.starts, cut.ends, cut.bins, cut.step, length
        written = time[rows], place[rows], values[rows], report[i]
        arguments: Any = *(column[rows] for column in columns), *edges, *written
        aggregate(*arguments)

    threads = min(os.cpu_count() or 1, symbols) if rows >= _MANY else 1
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(make, range(symbols)))
    return _Made(time, place, values, dict(zip(REPORT, report.T, strict=True)), by_symbol)


def _check_bars(made: _Made, frame: pd.DataFrame, arrays: BarArrays) -> None:
    """Refuse bars that break a rule or are repeated, with all of them in the error."""
    if made.first("bad") is None and made.first("unsorted") is None:
        return
    checked = validation.check_bars(frame, "1s" if arrays.session is None else "1d")
    bad = checked.bad.assign(row=checked.bad.index)
    raise InvalidBarsError(validation.told(bad, checked.counts, total=len(frame)), bad=checked.bad)


def _check_fit(made: _Made, arrays: BarArrays, target: clock.Interval) -> None:
    """Refuse bars that begin in one longer bar and end in the next."""
    misfit = made.first("misfit")
    if misfit is None:
        return
    symbol, row = misfit
    moment = pd.Timestamp(int(arrays.time[arrays.starts[symbol] + row]), unit="us", tz="UTC")
    raise InvalidBarsError(
        f"the bar of {arrays.names[symbol]} at {moment} reaches from one {target} bar into the next; "
        f"resample shorter bars, or name the length of these with source='…' if they are shorter "
        f"than they seem."
    )


def _check_sessions(
    made: _Made,
    arrays: BarArrays,
    calendars: list[TradingCalendar],
    off_session: Literal["drop", "raise"],
) -> None:
    """Refuse bars beyond the calendar's rules, and off its sessions if that is asked or all are."""
    counts = made.report["off_session"]
    for i in np.flatnonzero(counts):
        name, calendar = arrays.names[i], calendars[i]
        rows = slice(int(arrays.starts[i]), int(arrays.starts[i + 1]))
        outside = _off_session(calendar, arrays, rows)
        if off_session == "raise" or counts.sum() == len(arrays.time):
            raise InvalidBarsError(
                f"{counts[i]} of {rows.stop - rows.start} bars of {name} lie in no session of "
                f"{calendar.name}, the one of {outside} for instance; another calendar may be theirs, "
                f"and bars of a day and longer need their label in a column 'session'."
            )


def _off_session(calendar: TradingCalendar, arrays: BarArrays, rows: slice) -> str:
    """Return the first of some bars that is of no session, in words.

    Raises
    ------
    CalendarRangeError
        If a bar lies outside the range that the calendar's rules cover.
    """
    if arrays.session is not None:
        days = arrays.session[rows].astype("datetime64[D]")
        calendar.count(days.min().item(), days.max().item())
        known = calendar.labels().to_numpy().astype("datetime64[D]")
        return str(days[~np.isin(days, known)][0])
    times = pd.DatetimeIndex(arrays.time[rows].view("datetime64[us]"), tz="UTC")
    outside = ~np.isin(
        calendar.phase(times).astype("str"), ("pre_market", "regular", "post_market")
    )
    return str(times[outside][0])
