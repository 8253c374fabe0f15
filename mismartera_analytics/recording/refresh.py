"""Positions and balances recomputed from what was recorded."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import pandas as pd
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.ledger.daily import daily_ledger
from mismartera_analytics.models import AccountInfo, CashFlow, Order, Position
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording import books
from mismartera_analytics.recording.checking import content
from mismartera_analytics.recording.companies import Companies, companies_of
from mismartera_analytics.recording.holdings import holdings_at
from mismartera_analytics.recording.markets import markets_of
from mismartera_analytics.recording.ownership import AccountLike, Scope, scope_of
from mismartera_analytics.recording.transactions import writing

__all__ = ["cash_of", "refresh_positions"]

WRITTEN = (
    "symbol", "quantity", "average_price", "current_price", "market_value", "cost_basis",
    "unrealized_pnl", "day_change", "last_updated",
)  # fmt: skip


@repeated
def refresh_positions(
    account: AccountLike | Sequence[AccountLike] | None = None,
    *,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Recompute positions and balances of accounts, and write them.

    Positions come from fills and splits (first in, first out), cash from flows, fills and dividends,
    prices from the last daily bars of the store. Accounts without any order or flow are left as they
    are: their positions are a broker's report.

    Parameters
    ----------
    account
        One or several; by default all of whoever is signed in.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    pandas.DataFrame
        `frames.POSITIONS` of the accounts that were recomputed.

    Raises
    ------
    UnknownNameError
        If an account is not known to whoever is signed in.
    CalendarRangeError
        If the calendar does not cover the records.

    Examples
    --------
    >>> ma.refresh_positions(1)[["symbol", "quantity"]]
      symbol  quantity
    0   GOOG      75.0
    1    IBM     302.0
    """
    now = clock.utc_now()
    with writing(db_session) as own:
        ids = _with_records(own, scope_of(own, account=account))
        scope = scope_of(own, account=ids)
        fills = books.usable_fills(own, books.read_fills(own, *scope.rows(Order)))
        flows = books.read_flows(own, *scope.rows(CashFlow))
        held = holdings_at(own, fills, flows, now)
        traded = {*fills["symbol"], *flows["symbol"].dropna()}
        companies = companies_of(own, None, traded=traded)
        cash = cash_of(own, fills, flows, now, companies)
        own.execute(delete(Position).where(Position.account_id.in_(ids)))
        owners = books.user_of_accounts(own)
        written = held.assign(symbol=held["symbol"].map(companies.symbol_of))
        rows = [
            dict(zip(WRITTEN, row, strict=True))
            | {"account_id": int(number), "user_id": owners[int(number)]}
            for number, row in zip(written["account_id"], content(written, WRITTEN), strict=True)
        ]
        if rows:
            own.execute(insert(Position), rows)
        for number in ids:
            value = float(held.loc[held["account_id"] == number, "market_value"].sum(skipna=False))
            _write_balances(own, number, cash.get(number, 0.0), value, now)
    return frames.POSITIONS.conform(held)


def _with_records(db_session: Session, scope: Scope) -> list[int]:
    """Return the accounts of a scope that have orders or flows."""
    ordered = select(Order.account_id).where(*scope.rows(Order), Order.account_id.is_not(None))
    flowed = select(CashFlow.account_id).where(*scope.rows(CashFlow))
    found = {*db_session.scalars(ordered.distinct()), *db_session.scalars(flowed.distinct())}
    return sorted(number for number in found if number is not None)


def cash_of(
    db_session: Session,
    fills: pd.DataFrame,
    flows: pd.DataFrame,
    moment: dt.datetime,
    companies: Companies,
) -> dict[int, float]:
    """Return the cash of each account [currency] that fills and flows leave.

    Parameters
    ----------
    db_session
        Where corporate actions and the calendar are read.
    fills, flows
        From `books`; of accounts with neither there is no entry.
    moment
        Dividends with an ex-date by then count.
    companies
        Of all that was traded.

    Raises
    ------
    CalendarRangeError
        If the calendar does not cover the records.
    """
    if not len(fills) and not len(flows):
        return {}
    markets = markets_of(db_session, {*fills["symbol"], *flows["symbol"].dropna()})
    fills, flows = markets.of_fills(fills), markets.of_flows(flows, fills)
    labels = [table["session"] for table in (fills, flows) if len(table)]
    first = min(column.min() for column in labels).date()
    last = max(*(column.max().date() for column in labels), moment.date())
    named = {
        symbol: symbol for symbol in ("", *fills["symbol"].unique(), *flows["symbol"].dropna())
    }
    sessions, _ = markets.sessions(named, first, last)
    fills, flows = companies.labelled(fills), companies.labelled(flows)
    actions = companies.actions(
        db_session, {*fills["symbol"], *flows["symbol"].dropna()}, until=last
    )
    no_prices = pd.DataFrame({"symbol": [], "session": [], "close": []})
    no_prices = no_prices.astype({"symbol": "str", "session": "datetime64[us]"})
    _, _, cash = daily_ledger(fills, no_prices, sessions, actions=actions, flows=flows)
    last_row = pd.Series(cash.value).groupby(cash.owner).last()
    return {
        int(number): float(last_row.iloc[owner])
        for owner, number in enumerate(cash.owners["account_id"])
        if not pd.isna(number)
    }


def _write_balances(
    db_session: Session, number: int, cash: float, value: float, now: dt.datetime
) -> None:
    total = None if math.isnan(value) else cash + value
    balances = {"cash_balance": cash, "total_value": total, "equity": total, "last_synced": now}
    account = db_session.get(AccountInfo, number)
    if account is not None and account.account_type != "margin":
        balances["buying_power"] = max(cash, 0.0)
    db_session.execute(update(AccountInfo).where(AccountInfo.id == number).values(**balances))
