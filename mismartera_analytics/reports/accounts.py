"""From an account's records to the content of its tear sheet."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.reports.content import (
    Fact,
    Identity,
    Notice,
    TearSheetContent,
    order_fact,
)

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.clock import LabelLike

__all__ = ["AccountRecord", "content_of_record", "from_account", "read_account", "session_values"]

MARKET = "US_EQUITY"
"""Whose sessions part the days of the ledger."""
RETURNS_RULE = (
    "of a session: its profit and loss over the value at its start, to which money that came in on "
    "that session is added; money that left is taken to have left at its end"
)


@dataclass(frozen=True)
class AccountRecord:
    """What is recorded of one account in a period, as frames.

    Attributes
    ----------
    account_id, name, user, currency
        Of the account.
    calendar
        Whose sessions part the days.
    rows
        `frames.PNL` by session, one row a symbol and one, without a symbol, for the cash.
    orders, fills, trades
        `frames.ORDERS`, `frames.FILLS` and `frames.TRADES`, in the calendar's zone.
    broker
        Where the account is.
    prices
        Version of the store's daily bars, -1 where there are none.
    """

    account_id: int
    name: str
    user: str
    currency: str
    calendar: TradingCalendar
    rows: pd.DataFrame
    orders: pd.DataFrame
    fills: pd.DataFrame
    trades: pd.DataFrame
    broker: str = ""
    prices: int = -1

    @functools.cached_property
    def sessions(self) -> pd.DataFrame:
        """The account by session, as `session_values` gives it."""
        return session_values(self.rows)


def from_account(
    account: int | str, *, start: LabelLike | None = None, end: LabelLike | None = None
) -> TearSheetContent:
    """Return the content of an account's tear sheet, from its recorded orders and flows.

    Parameters
    ----------
    account
        Id of the account, or its number at the broker.
    start, end
        Labels of the first and last session, both included; all by default.

    Returns
    -------
    TearSheetContent
        Marked to market on every session, with the identity checked from lots, dividends and fees.
        An account without orders gives content that a report shows as such.

    Raises
    ------
    UnknownNameError
        If there is no such account, or it is not the current user's.
    InvalidInputError
        If a number stands for accounts at several brokers, or `start` comes after `end`.

    Examples
    --------
    >>> from_account(ma.accounts()["account_id"][0]).title
    'backtest demo'
    """
    return content_of_record(read_account(account, start=start, end=end))


def read_account(
    account: int | str, *, start: LabelLike | None = None, end: LabelLike | None = None
) -> AccountRecord:
    """Return what is recorded of an account; parameters and errors as in `from_account`."""
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.market_data.store import BarStore
    from mismartera_analytics.queries.profit import pnl, round_trips
    from mismartera_analytics.queries.records import accounts, fills, orders

    found = accounts(account=account)
    if len(found) != 1:
        raise InvalidInputError(
            f"account={as_given(account)} stands for {len(found)} accounts; pass one of the ids "
            f"{found['account_id'].tolist()}."
        )
    row: Any = found.iloc[0]
    number = int(row["account_id"])
    calendar = trading_calendar(MARKET)
    zone = str(calendar.timezone)
    name = row["account_number"] if pd.notna(row["account_number"]) else number
    return AccountRecord(
        account_id=number,
        name=f"{row['broker']} {name}",
        user=str(row["user"]),
        currency=str(row["currency"]),
        calendar=calendar,
        rows=pnl(account=number, by=["account", "symbol"], start=start, end=end),
        orders=orders(account=number, start=start, end=end, tz=zone),
        fills=fills(account=number, start=start, end=end, tz=zone),
        trades=round_trips(account=number, start=start, end=end, tz=zone),
        broker=str(row["broker"]),
        prices=BarStore().version("1d"),
    )


def content_of_record(record: AccountRecord) -> TearSheetContent:
    """Return the content of the tear sheet of what was read of an account."""
    sessions = record.sessions
    return TearSheetContent(
        title=record.name,
        subtitle=f"Account of {record.user}",
        currency=record.currency,
        returns=_returns(sessions),
        equity=_equity(sessions, record.calendar),
        orders=record.orders,
        fills=record.fills,
        trades=record.trades,
        pnl_by_symbol=record.rows.groupby("symbol")["total"].sum(skipna=False),
        flows=sessions["flows"],
        identity=_identity(sessions),
        conventions=(
            Fact("Sources", "recorded orders, fills and cash flows"),
            Fact("Prices", _prices(record.prices)),
            Fact("Lots", "first in, first out"),
            Fact("Returns", RETURNS_RULE),
            order_fact(record.orders),
            Fact("Records as of", f"{clock.utc_now():%Y-%m-%d %H:%M} UTC"),
        ),
        notices=tuple(_notices(sessions)),
    )


def _prices(version: int) -> str:
    return f"daily bars of the store, version {version}" if version >= 0 else "no daily bars"


def session_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Return an account's sessions, summed up from the rows of its symbols and its cash.

    Parameters
    ----------
    rows
        Columns of `frames.PNL` by session, one row a symbol and one, without a symbol, for the cash.

    Returns
    -------
    pandas.DataFrame
        Index ``session``; columns ``begin, flows, total, end, cash`` [currency]. A session on which a
        price lacks has NaN, never a part of the sum.

    Examples
    --------
    >>> session_values(frames.PNL.empty()).columns.tolist()
    ['begin', 'flows', 'total', 'end', 'cash']
    """
    names = {"begin_value": "begin", "flows": "flows", "total": "total", "end_value": "end"}
    grouped = rows.groupby("session")[list(names)]
    summed = grouped.sum(skipna=False) if len(rows) else rows.set_index("session")[list(names)]
    cash = rows[rows["symbol"].isna()].groupby("session")["end_value"].sum()
    return summed.rename(columns=names).assign(cash=cash.reindex(summed.index))


def _returns(sessions: pd.DataFrame) -> pd.Series[float]:
    base = sessions["begin"] + sessions["flows"].clip(lower=0.0)
    returns = (sessions["total"] / base.where(base > 0)).rename("return")
    return pd.Series(returns, index=pd.DatetimeIndex(sessions.index), dtype="float64")


def _equity(sessions: pd.DataFrame, calendar: TradingCalendar) -> pd.DataFrame:
    """Return the value at each session, with the drawdown of the returns: flows are no gains."""
    from mismartera_analytics.performance.tables import underwater

    valued = sessions[sessions["end"].notna()]
    labels = pd.DatetimeIndex(valued.index)
    depth = underwater(_returns(sessions)).reindex(labels)
    table = pd.DataFrame(
        {
            "timestamp": calendar.closes(labels),
            "session": labels,
            "cash": valued["cash"].to_numpy(),
            "positions": (valued["end"] - valued["cash"]).to_numpy(),
            "equity": valued["end"].to_numpy(),
            "drawdown": depth.to_numpy(),
        }
    )
    return frames.EQUITY.conform(table)


def _identity(sessions: pd.DataFrame) -> Identity | None:
    if not len(sessions):
        return None
    return Identity(
        begin=float(sessions["begin"].iloc[0]),
        flows=float(sessions["flows"].sum()),
        pnl=float(sessions["total"].sum(skipna=False)),
        end=float(sessions["end"].iloc[-1]),
        basis="lots closed and open, dividends and fees of every session; the end from cash and "
        "the positions at their last prices",
    )


def _notices(sessions: pd.DataFrame) -> list[Notice]:
    notices = []
    unvalued = sessions.index[sessions["end"].isna()]
    if len(unvalued):
        notices.append(
            Notice(
                "warning",
                f"On {len(unvalued):,} sessions, the first of them {unvalued[0]:%Y-%m-%d}, a position "
                f"has no price: they have no value and no return here.",
            )
        )
    returns = _returns(sessions)
    if len(sessions) and not returns.notna().any():
        notices.append(
            Notice(
                "warning",
                "No deposit is recorded, so that there is no capital to measure a return on: record "
                "the account's cash flows. Amounts are right; returns are left out.",
            )
        )
    elif (sessions["cash"] < 0).any():
        notices.append(_below_zero(sessions["cash"]))
    return notices


def _below_zero(cash: pd.Series[float]) -> Notice:
    """Return what is said of borrowed cash: from the first session on it is more likely a lack."""
    below = cash.index[cash < 0]
    if cash.iloc[0] < 0:
        return Notice(
            "warning",
            f"Cash was below zero from the first session on ({below[0]:%Y-%m-%d}), as if all had been "
            f"bought on credit: a deposit is not recorded, and returns are too large. Record it with "
            f"ma.record_flows.",
        )
    return Notice(
        "remark",
        f"Cash was below zero on {len(below):,} session{'s' if len(below) > 1 else ''}, first on "
        f"{below[0]:%Y-%m-%d}: borrowed money, or a deposit that is not recorded.",
    )
