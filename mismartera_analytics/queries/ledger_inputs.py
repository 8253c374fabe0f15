"""What the daily ledger is made from, read from its homes: fills, flows, actions, closes, sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.ledger.daily import MAX_PRICE_AGE
from mismartera_analytics.ledger.events import transfers_of
from mismartera_analytics.models import AccountInfo, Order
from mismartera_analytics.models.runs import BROKER
from mismartera_analytics.queries.records import check_known, flow_conditions
from mismartera_analytics.queries.scope import among, names_of
from mismartera_analytics.recording import books
from mismartera_analytics.recording.companies import Companies, companies_of
from mismartera_analytics.recording.markets import markets_of
from mismartera_analytics.recording.ownership import Scope
from mismartera_analytics.recording.short_sales import warn_of_short_sales

__all__ = ["LedgerInputs", "lot_inputs", "read_inputs", "session_fills", "session_flows"]

LOOK_BACK = dt.timedelta(days=14)
"""How far before the first event prices are read at least, for a symbol without a bar on that day."""

Symbols = str | Iterable[str] | None


@dataclass(frozen=True)
class LedgerInputs:
    """The arguments of `ledger.daily.daily_ledger`, by the names that they have there."""

    fills: pd.DataFrame
    prices: pd.DataFrame
    sessions: pd.DatetimeIndex
    actions: pd.DataFrame
    flows: pd.DataFrame
    own_sessions: Mapping[str, pd.DatetimeIndex] | None = None

    def by_market(self) -> list[LedgerInputs]:
        """Return the inputs of the accounts that trade on the same markets, one for each set of them.

        The sessions of an account do not depend on what other accounts trade.
        """
        if self.own_sessions is None:
            return [self]
        markets: dict[int, set[str]] = {}
        for table in (self.fills, self.flows):
            traded = table[["account_id", "symbol"]].drop_duplicates().dropna(subset="symbol")
            for number, symbol in zip(
                traded["account_id"].fillna(-1), traded["symbol"], strict=True
            ):
                markets.setdefault(int(number), set()).add(symbol)
        accounts = {int(n) for table in (self.fills, self.flows) for n in _numbers(table).unique()}
        groups: dict[frozenset[int], list[int]] = {}
        for number in sorted(accounts):
            own = {id(self.own_sessions[symbol]) for symbol in markets.get(number, {""})}
            groups.setdefault(frozenset(own), []).append(number)
        return [self._of_accounts(numbers, indexes) for indexes, numbers in groups.items()]

    def _of_accounts(self, numbers: list[int], indexes: frozenset[int]) -> LedgerInputs:
        assert self.own_sessions is not None
        own = {name: days for name, days in self.own_sessions.items() if id(days) in indexes}
        several = list({id(days): days for days in own.values()}.values())
        every = pd.DatetimeIndex(np.unique(np.concatenate([days.to_numpy() for days in several])))
        return LedgerInputs(
            self.fills.loc[_numbers(self.fills).isin(numbers)],
            self.prices.loc[self.prices["symbol"].isin(list(own))],
            every,
            self.actions.loc[self.actions["symbol"].isin(list(own))],
            self.flows.loc[_numbers(self.flows).isin(numbers)],
            own if len(several) > 1 else None,
        )


def _numbers(table: pd.DataFrame) -> pd.Series:
    numbers: pd.Series = table["account_id"].fillna(-1)
    return numbers


def session_fills(
    db_session: Session, scope: Scope, symbols: Symbols
) -> tuple[pd.DataFrame, Companies]:
    """Return the fills that a ledger can count, each with the label of its session.

    Returns
    -------
    fills : pandas.DataFrame
        Of every company that bore one of the symbols, under all its names, as recorded.
    companies : Companies
        That put them, and whatever else, under the companies' names.

    Raises
    ------
    UnknownNameError
        If a symbol is known neither to whoever asks nor to the instruments and the bar store.
    """
    wanted = names_of(symbols, argument="symbols")
    companies = companies_of(db_session, wanted)
    conditions = [*scope.rows(Order), *among(Order.symbol, companies.names)]
    fills = books.usable_fills(db_session, books.read_fills(db_session, *conditions))
    check_known(db_session, scope, symbols, fills["symbol"])
    return markets_of(db_session, fills["symbol"].unique()).of_fills(fills), companies


def session_flows(
    db_session: Session, scope: Scope, companies: Companies, fills: pd.DataFrame
) -> pd.DataFrame:
    """Return flows of companies, or all, each with the label of its session.

    Parameters
    ----------
    db_session, scope
        Where to read, and whose.
    companies, fills
        From `session_fills`.
    """
    conditions = flow_conditions(scope, companies.names)
    flows = books.read_flows(db_session, *conditions)
    traded = {*fills["symbol"], *flows["symbol"].dropna()}
    return markets_of(db_session, traded).of_flows(flows, fills)


def lot_inputs(
    db_session: Session, scope: Scope, symbols: Symbols
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return what lots are matched from: fills, transfers of lots and actions, by companies.

    Raises
    ------
    UnknownNameError
        As in `session_fills`.
    CalendarRangeError
        If the calendar does not cover the records.
    """
    fills, companies = session_fills(db_session, scope, symbols)
    transfers = transfers_of(session_flows(db_session, scope, companies, fills))
    if symbols is None:
        traded = {*fills["symbol"], *transfers["symbol"]}
        companies = companies_of(db_session, None, traded=traded)
    fills, transfers = companies.labelled(fills), companies.labelled(transfers)
    actions = companies.actions(db_session, {*fills["symbol"], *transfers["symbol"]})
    warn_of_short_sales(db_session, fills, transfers, actions)
    return fills, transfers, actions


def read_inputs(
    db_session: Session,
    scope: Scope,
    symbols: Symbols,
    *,
    end: dt.date | None,
    max_price_age: int = MAX_PRICE_AGE,
) -> LedgerInputs | None:
    """Return everything that the ledger of some accounts needs, None if nothing ever happened.

    Symbols are those of the companies that they meant on their days: records of before a change of
    symbol bear the new one, and there are no changes among the actions.

    Parameters
    ----------
    db_session
        Where to read.
    scope
        Which accounts.
    symbols
        Only these tickers; all by default.
    end
        The last session that is asked for; by default the last one with a fill, a flow or a bar.
        Where all accounts are saved backtests nothing is read beyond the end of the last of them.
    max_price_age
        For how many sessions a price may stand in for a missing one: so far back prices are read.

    Raises
    ------
    UnknownNameError
        As in `session_fills`.
    CalendarRangeError
        If the calendar does not cover the records.
    """
    fills, companies = session_fills(db_session, scope, symbols)
    flows = session_flows(db_session, scope, companies, fills)
    if symbols is None:
        traded = {*fills["symbol"], *flows["symbol"].dropna()}
        companies = companies_of(db_session, None, traded=traded)
    fills, flows = companies.labelled(fills), companies.labelled(flows)
    if not len(fills) and not len(flows):
        return None
    labels = [table["session"] for table in (fills, flows) if len(table)]
    first = min(column.min() for column in labels).date()
    last = max(column.max() for column in labels).date()
    ended = _end_of_runs(db_session, {*_numbers(fills), *_numbers(flows)})
    if ended is not None:
        end = ended if end is None else min(end, ended)
    since = first - LOOK_BACK - dt.timedelta(days=2 * max_price_age)
    until = None if end is None else max(end, since)
    traded = {*fills["symbol"], *flows["symbol"].dropna()}
    closes = companies.closes(traded, since, until)
    if len(closes):
        last = max(last, closes["session"].max().date())
    named = {label: companies.symbol_of(label) for label in traded}
    if _has_cash_only(fills, flows):
        named[""] = ""  # the default market
    sessions, own = markets_of(db_session, named.values()).sessions(named, since, last)
    actions = companies.actions(db_session, traded)
    warn_of_short_sales(db_session, fills, transfers_of(flows), actions)
    if own is not None:
        actions = actions.assign(ex_date=_on_own_sessions(actions, own))
    return LedgerInputs(fills, closes, sessions, actions, flows, own)


def _end_of_runs(db_session: Session, accounts: set[int]) -> dt.date | None:
    """Return the last session of saved backtests; None unless all of the accounts are such.

    What is held at a run's end is worth what it was then: bars that came later are no part of it.
    """
    columns = AccountInfo.id, AccountInfo.last_synced
    rows = db_session.execute(select(*columns).where(AccountInfo.broker == BROKER))
    ends = {number: synced for number, synced in rows if synced is not None}
    if not accounts <= ends.keys():
        return None
    # The close of every market falls on the date of its session's label in New York.
    return (
        max(ends[number] for number in accounts).astimezone(clock.zone("America/New_York")).date()
    )


def _has_cash_only(fills: pd.DataFrame, flows: pd.DataFrame) -> bool:
    """Return whether an account has flows of cash and never had a symbol."""
    traded = {*_numbers(fills), *_numbers(flows.loc[flows["symbol"].notna()])}
    return not set(_numbers(flows)) <= traded or not traded


def _on_own_sessions(actions: pd.DataFrame, own: Mapping[str, pd.DatetimeIndex]) -> pd.Series:
    """Return ex-dates as sessions of their symbols' markets: the next one where they are none."""
    moved = actions["ex_date"].copy()
    for symbol, rows in actions.groupby("symbol").groups.items():
        labels = own[str(symbol)].to_numpy()
        dates = actions.loc[rows, "ex_date"].to_numpy()
        place = np.searchsorted(labels, dates)
        inside = place < len(labels)
        moved.loc[rows] = np.where(inside, labels[np.minimum(place, len(labels) - 1)], dates)
    return moved
