"""What holdings are worth: sessions from the calendar, closes from the bar store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import CalendarRangeError

__all__ = ["DEFAULT_MARKET", "closes_of", "labels_at", "market", "session_labels"]

DEFAULT_MARKET = "US_EQUITY"
INTERVAL = "1d"


def market(db_session: Session) -> TradingCalendar:
    """Return the calendar whose sessions part the days of the books."""
    return trading_calendar(DEFAULT_MARKET, db_session=db_session)


def session_labels(calendar: TradingCalendar, instants: pd.Series) -> np.ndarray[Any, Any]:
    """Return the label of the session in which each instant counts.

    That is its session, extended hours included; an instant between two sessions counts in the
    later one.

    Parameters
    ----------
    calendar
        Of the market.
    instants
        ``datetime64[us, UTC]``.

    Returns
    -------
    numpy.ndarray
        ``datetime64[us]``, naive midnights.

    Raises
    ------
    CalendarRangeError
        If the calendar does not reach so far.
    """
    if not len(instants):
        return np.zeros(0, "datetime64[us]")
    earliest = instants.min().date()
    is_early = earliest <= calendar.covers_from  # the session before it may be needed
    first = calendar.covers_from if is_early else earliest - dt.timedelta(days=1)
    sessions = calendar.sessions(first, None)
    ends = sessions["post_market_close"].fillna(sessions["regular_close"])
    place = np.searchsorted(_numbers(ends), _numbers(instants), side="right")
    if is_early or (place >= len(sessions)).any():
        raise CalendarRangeError(
            f"fills or flows from {instants.min()} to {instants.max()} lie outside of what the "
            f"calendar {calendar.name} covers: {calendar.covers_from} to {calendar.covers_to}."
        )
    labels: np.ndarray[Any, Any] = sessions.index.to_numpy()[place]
    return labels


def _numbers(instants: pd.Series) -> np.ndarray[Any, Any]:
    return instants.astype("datetime64[us, UTC]").astype("int64").to_numpy()


def closes_of(
    symbols: Iterable[str], start: dt.date | None, end: dt.date | None = None
) -> pd.DataFrame:
    """Return daily closes from the configured bar store, as traded.

    Parameters
    ----------
    symbols
        Tickers; those without bars give no rows.
    start, end
        Labels, both included; None means open.

    Returns
    -------
    pandas.DataFrame
        Columns ``symbol, session, close`` [currency/share], by symbol and session.
    """
    from mismartera_analytics.market_data.store import BarStore

    store = BarStore()
    known = set(store.symbols(INTERVAL))
    wanted = sorted(known.intersection(symbols))
    names = ["symbol", "session", "close"]
    if not wanted:
        empty: dict[str, Any] = {"symbol": pd.Series(dtype="str"), "close": pd.Series(dtype=float)}
        return pd.DataFrame(empty | {"session": pd.Series(dtype="datetime64[us]")})[names]
    return store.read(wanted, INTERVAL, start, end, columns=["session", "close"])[names]


def labels_at(moment: dt.datetime, calendar: TradingCalendar) -> tuple[dt.date, dt.date]:
    """Return the labels of the last session that has begun and of the last that has closed.

    Parameters
    ----------
    moment
        Aware.
    calendar
        Of the market.

    Raises
    ------
    CalendarRangeError
        If the calendar does not cover the instant.
    """
    closed = calendar.previous_session(moment)
    running = calendar.session_of(moment)
    return running or closed, closed
