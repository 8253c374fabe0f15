"""On which sessions the symbols of books trade, and in which session each record counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.market_data.instruments import calendar_of
from mismartera_analytics.market_data.layout import is_symbol
from mismartera_analytics.recording import marks

__all__ = ["Markets", "markets_of"]


@dataclass(frozen=True)
class Markets:
    """The calendars of symbols.

    Attributes
    ----------
    default
        Of whatever is not listed.
    others
        Of the symbols that trade elsewhere.
    """

    default: TradingCalendar
    others: Mapping[str, TradingCalendar]

    def of(self, symbol: Any) -> TradingCalendar:
        """Return the calendar of a symbol."""
        return self.others.get(symbol, self.default)

    def of_fills(self, fills: pd.DataFrame) -> pd.DataFrame:
        """Return fills with ``session``, the label of the session in which each counts.

        Raises
        ------
        CalendarRangeError
            If a calendar does not reach so far.
        """
        return fills.assign(session=self._labels(fills["symbol"], fills["filled_at"]))

    def of_flows(self, flows: pd.DataFrame, fills: pd.DataFrame) -> pd.DataFrame:
        """Return flows with ``session``: of the symbol's market, else the account's next one.

        Parameters
        ----------
        flows, fills
            Columns ``account_id, symbol`` and, of flows, ``occurred_at``. Cash moves in the first
            session after it of any market on which the account has traded a symbol.

        Raises
        ------
        CalendarRangeError
            If a calendar does not reach so far.
        """
        labels = self._labels(flows["symbol"], flows["occurred_at"])
        is_cash = flows["symbol"].isna().to_numpy()
        if self.others and is_cash.any():
            account = flows["account_id"].fillna(-1).to_numpy(np.int64)
            for number, calendars in self._of_accounts(fills, flows).items():
                rows = np.flatnonzero(is_cash & (account == number))
                if len(rows):
                    moments = flows["occurred_at"].iloc[rows]
                    found = [marks.session_labels(calendar, moments) for calendar in calendars]
                    labels[rows] = np.minimum.reduce(found)
        return flows.assign(session=labels)

    def sessions(
        self, symbols: Mapping[str, str], since: dt.date, until: dt.date
    ) -> tuple[pd.DatetimeIndex, dict[str, pd.DatetimeIndex] | None]:
        """Return the sessions of all markets of some companies, and those of each.

        Parameters
        ----------
        symbols
            From a company's name to its last symbol.
        since, until
            Labels, both included.

        Returns
        -------
        sessions : pandas.DatetimeIndex
            In which any of them trades.
        own : dict or None
            From a company's name to its sessions, one index a market; None where there is only one.
        """
        calendars = {name: self.of(symbol) for name, symbol in symbols.items()}
        several = {id(calendar): calendar for calendar in calendars.values()}
        found = {key: _labels_of(calendar, since, until) for key, calendar in several.items()}
        if len(found) == 1:
            return next(iter(found.values())), None
        every = pd.DatetimeIndex(
            np.unique(np.concatenate([index.to_numpy() for index in found.values()]))
        )
        return every, {name: found[id(calendar)] for name, calendar in calendars.items()}

    def _labels(self, symbols: pd.Series, instants: pd.Series) -> np.ndarray[Any, Any]:
        """Return the label of each instant on the calendar of its symbol."""
        elsewhere = symbols.isin(list(self.others)).to_numpy()
        labels = np.zeros(len(symbols), "datetime64[us]")
        labels[~elsewhere] = marks.session_labels(self.default, instants.loc[~elsewhere])
        if elsewhere.any():
            by_calendar: dict[int, list[str]] = {}
            for symbol, calendar in self.others.items():
                by_calendar.setdefault(id(calendar), []).append(symbol)
            for names in by_calendar.values():
                rows = symbols.isin(names).to_numpy()
                labels[rows] = marks.session_labels(self.others[names[0]], instants.loc[rows])
        return labels

    def _of_accounts(self, *tables: pd.DataFrame) -> dict[int, list[TradingCalendar]]:
        """Return the calendars of each account's symbols; accounts without a symbol are left out."""
        found: dict[int, dict[int, TradingCalendar]] = {}
        for table in tables:
            traded = table.loc[table["symbol"].notna(), ["account_id", "symbol"]].drop_duplicates()
            for number, symbol in zip(
                traded["account_id"].fillna(-1), traded["symbol"], strict=True
            ):
                calendar = self.of(symbol)
                found.setdefault(int(number), {})[id(calendar)] = calendar
        return {number: list(calendars.values()) for number, calendars in found.items()}


def markets_of(db_session: Session, symbols: Iterable[str]) -> Markets:
    """Return the markets of symbols, through the instruments; US equities where none is recorded.

    Parameters
    ----------
    db_session
        Where to read.
    symbols
        Tickers.

    Raises
    ------
    UnknownNameError
        If an instrument's exchange group has no calendar.
    """
    default = marks.market(db_session)
    names = [name for name in set(symbols) if is_symbol(name)]
    calendars = calendar_of(names, db_session=db_session) if names else {}
    home = default.exchange_group, default.asset_class
    others = {
        name: calendar
        for name, calendar in calendars.items()
        if (calendar.exchange_group, calendar.asset_class) != home
    }
    return Markets(default, others)


def _labels_of(calendar: TradingCalendar, since: dt.date, until: dt.date) -> pd.DatetimeIndex:
    first, last = max(since, calendar.covers_from), min(until, calendar.covers_to)
    return calendar.labels(first, last) if first <= last else pd.DatetimeIndex([])
