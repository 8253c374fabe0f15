"""Which calendar a symbol's bars are held against, and when: the spans of an audit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.market_data.instruments import calendar_of, instruments

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["Span", "Window", "spans_of", "window_of"]

Window = tuple[dt.datetime | None, dt.datetime | None]
"""Bars that start in ``[start, end)``; None means open."""
_REACH = dt.timedelta(days=21)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """A time in which a symbol stands for one instrument, or for none.

    Attributes
    ----------
    symbol, calendar
        The symbol, and its market's calendar.
    first, last
        Labels, both included; None means open.
    is_listed
        False between the instruments that are recorded, before the first and after the last.
    """

    symbol: str
    calendar: TradingCalendar
    first: dt.date | None
    last: dt.date | None
    is_listed: bool

    def window(self, start: clock.Bound | None, end: clock.Bound | None) -> Window | None:
        """Return the window of a range within this span, None if they share nothing."""
        own = window_of(self.calendar, self._covered(self.first), self._covered(self.last))
        asked = window_of(self.calendar, start, end)
        low = max((bound for bound in (own[0], asked[0]) if bound), default=None)
        high = min((bound for bound in (own[1], asked[1]) if bound), default=None)
        return None if low and high and low >= high else (low, high)

    def _covered(self, day: dt.date | None) -> dt.date | None:
        inside = day is not None and self.calendar.covers_from <= day <= self.calendar.covers_to
        return day if inside else None


def spans_of(symbols: list[str], exchange: str | None) -> Iterator[Span]:
    """Give the spans of symbols, those of each in order of time.

    Parameters
    ----------
    symbols
        Names.
    exchange
        Whose calendar is taken; by default each instrument's own.

    Raises
    ------
    UnknownNameError
        If a market is not known.
    """
    if not symbols:
        return
    rows = instruments(symbols)
    own = {} if exchange else calendar_of(symbols)
    market = trading_calendar(exchange) if exchange else None
    for symbol, periods in rows.groupby("symbol", sort=True):
        name = str(symbol)
        ordered = periods.sort_values("valid_from", na_position="first")
        at: dt.date | None = dt.date.min
        for first, last in zip(ordered["valid_from"], ordered["valid_to"], strict=True):
            since, until = _date(first), _date(last)
            calendar = market or (
                own[name] if len(periods) == 1 else calendar_of(name, since or dt.date.min)[name]
            )
            if since and at and at < since:
                yield Span(
                    name, calendar, at if at > dt.date.min else None, since - _DAY, is_listed=False
                )
            yield Span(name, calendar, since, until, is_listed=True)
            at = until and until + _DAY
        if at:
            yield Span(name, calendar, at, None, is_listed=False)


def _date(label: Any) -> dt.date | None:
    return None if pd.isna(label) else label.date()


def window_of(
    calendar: TradingCalendar, start: clock.Bound | None, end: clock.Bound | None
) -> Window:
    """Return the instants between which bars belong to a range.

    Parameters
    ----------
    calendar
        Of the symbols.
    start, end
        Labels: the sessions from the first to the last, with the time around them that is no other
        session's and of the same local days. Instants stay as they are.

    Returns
    -------
    start, end : datetime.datetime or None
    """
    zone = clock.zone(calendar.timezone)
    low = start if isinstance(start, dt.datetime) else None
    high = end if isinstance(end, dt.datetime) else None
    if start is not None and low is None:
        before, after = _around(calendar, start, start)
        low = dt.datetime.combine(start, dt.time(), zone).astimezone(clock.UTC)
        low = min([low, *_begins(after)[:1]])
        low = max([low, *_ends(before)[-1:]])
    if end is not None and high is None:
        day = end + dt.timedelta(days=1)
        before, after = _around(calendar, day, end)
        high = dt.datetime.combine(day, dt.time(), zone).astimezone(clock.UTC)
        high = max([high, *_ends(before)[-1:]])
        high = min([high, *_begins(after)[:1]])
    return low, high


def _around(
    calendar: TradingCalendar, day: dt.date, checked: dt.date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sessions shortly before a date, and those from it on."""
    calendar.labels(checked, checked)  # refuses what the rules do not cover
    first = max(day - _REACH, calendar.covers_from)
    near = calendar.sessions(first, min(day + _REACH, calendar.covers_to))
    is_before = near.index < pd.Timestamp(day)
    return near[is_before], near[~is_before]


def _begins(sessions: pd.DataFrame) -> list[dt.datetime]:
    begins = sessions["pre_market_open"].fillna(sessions["regular_open"])
    return [moment.to_pydatetime() for moment in begins]


def _ends(sessions: pd.DataFrame) -> list[dt.datetime]:
    ends = sessions["post_market_close"].fillna(sessions["regular_close"])
    return [moment.to_pydatetime() for moment in ends]
