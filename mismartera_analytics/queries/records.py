"""Accounts, orders, fills and positions as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.ledger.choices import check_lots
from mismartera_analytics.ledger.events import check_method
from mismartera_analytics.ledger.lots import Method
from mismartera_analytics.market_data.renames import read_changes
from mismartera_analytics.models import AccountInfo, CashFlow, Instrument, Order, Position
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.scope import among, instant_bounds, names_of, within
from mismartera_analytics.recording import books, holdings
from mismartera_analytics.recording.companies import companies_of
from mismartera_analytics.recording.ownership import (
    AccountLike,
    Scope,
    UserLike,
    reading,
    scope_of,
)

__all__ = ["accounts", "fills", "orders", "positions"]

When = clock.LabelLike | clock.InstantLike


@repeated
def accounts(
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return accounts with the balances last recorded.

    Parameters
    ----------
    user
        Only this user's: a name, an id or a `User`.
    account
        Only this one or these: ids, numbers at the broker, or `AccountInfo` objects.
    broker
        Only those at this broker.
    tz
        IANA zone of the instants; UTC by default.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    pandas.DataFrame
        `frames.ACCOUNTS`. Inside ``as_user`` only that user's, a superuser's all.

    Raises
    ------
    UnknownNameError
        If the user, account or broker is not known to whoever asks.
    NotAllowedError
        If somebody who is not a superuser asks for another user's.

    Examples
    --------
    >>> ma.accounts(user="demo")[["account_id", "user", "broker", "currency"]]
       account_id  user    broker currency
    0           1  demo  backtest      USD
    """
    _check_zone(tz)
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        names = [name for name in frames.ACCOUNTS.names if name not in ("account_id", "user")]
        columns = {name: getattr(AccountInfo, name) for name in names}
        columns |= {"account_id": AccountInfo.id, "user_id": AccountInfo.user_id}
        statement = select(AccountInfo.id)
        if scope.user_id is not None:
            statement = statement.where(AccountInfo.user_id == scope.user_id)
        if scope.accounts is not None:
            statement = statement.where(AccountInfo.id.in_(scope.accounts))
        table = read_frame(own, columns, statement)
        table["user"] = books.owner_names(own, table["account_id"], table["user_id"])
    table["currency"] = table["currency"].fillna(books.DEFAULT_CURRENCY)
    return frames.ACCOUNTS.conform(table, tz=tz)


@repeated
def orders(
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    side: str | None = None,
    status: str | Iterable[str] | None = None,
    start: When | None = None,
    end: When | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return orders and what became of them.

    Parameters
    ----------
    user, account, broker, tz, db_session
        As in `accounts`.
    symbols
        Only these tickers. Each stands for every company that ever bore it, whose records are found
        under all its names and show the one of their day.
    side
        ``"BUY"`` or ``"SELL"``.
    status
        Only these statuses, as recorded.
    start, end
        When they were placed. Dates include both ends and begin at midnight in New York; instants
        (aware) are ``[start, end)``. Orders without a time are left out of a range.

    Returns
    -------
    pandas.DataFrame
        `frames.ORDERS`, empty where nothing matches.

    Raises
    ------
    UnknownNameError
        If the user, account or broker is not known to whoever asks, or a symbol appears neither in
        these orders nor among the instruments nor in the bar store; the nearest is suggested.
    NaiveDatetimeError
        If `start` or `end` has a time of day without a zone.
    NotAllowedError
        If somebody who is not a superuser asks for another user's.

    Examples
    --------
    >>> sold = ma.orders(account=1, symbols="AAPL", side="SELL", start="2012-08-01")
    >>> sold[["symbol", "side", "quantity", "status"]]
      symbol  side  quantity  status
    0   AAPL  SELL       8.0  FILLED
    1   AAPL  SELL       3.0  FILLED
    2   AAPL  SELL     100.0  FILLED
    """
    _check_zone(tz)
    conditions = _filters(side=side) + within(Order.placed_at, start, end)
    statuses = names_of(status, argument="status")
    if statuses is not None:
        conditions.append(Order.status.in_(statuses))
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        companies = companies_of(own, names_of(symbols, argument="symbols"))
        conditions += among(Order.symbol, companies.names)
        names = [name for name in frames.ORDERS.names if name not in ("order_id", "user")]
        columns = {"order_id": Order.id, "user_id": Order.user_id}
        columns |= {name: getattr(Order, name) for name in names}
        statement = select(Order.id).where(*scope.rows(Order), *conditions)
        table = read_frame(own, columns, statement, key=Order.id)
        table["user"] = books.owner_names(own, table["account_id"], table["user_id"])
        check_known(own, scope, symbols, table["symbol"])
        table = companies.recorded(table, "placed_at")
    return frames.ORDERS.conform(table, tz=tz)


@repeated
def fills(
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    side: str | None = None,
    start: When | None = None,
    end: When | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return what was executed. An order without recorded fills counts as one fill.

    Parameters
    ----------
    user, account, broker, symbols, side, tz, db_session
        As in `orders`.
    start, end
        When they were executed; ranges as in `orders`.

    Returns
    -------
    pandas.DataFrame
        `frames.FILLS`, empty where nothing matches; `fill_id` is missing where the order stands for
        its one fill, at its average fill price, else its price.

    Raises
    ------
    UnknownNameError, NaiveDatetimeError, NotAllowedError
        As in `orders`.

    Examples
    --------
    >>> found = ma.fills(user="demo", symbols=["AAPL", "MSFT"], start="2012-11-01")
    >>> found[["symbol", "side", "quantity", "price"]].round(2)
      symbol  side  quantity   price
    0   AAPL   BUY       4.0  593.77
    1   AAPL  SELL     100.0  524.90
    """
    _check_zone(tz)
    bounds = instant_bounds(start, end)
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        companies = companies_of(own, names_of(symbols, argument="symbols"))
        conditions = _filters(side=side) + among(Order.symbol, companies.names)
        table = books.read_fills(own, *scope.rows(Order), *conditions)
        check_known(own, scope, symbols, table["symbol"])
        table = companies.recorded(table, "filled_at")
    return frames.FILLS.conform(in_range(table, "filled_at", bounds), tz=tz)


@repeated
def positions(
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    side: str | None = None,
    at: When | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return positions as last recorded, or rebuilt as they were at an instant.

    Parameters
    ----------
    user, account, broker, symbols, tz, db_session
        As in `orders`.
    side
        ``"LONG"`` or ``"SHORT"``.
    at
        An instant (aware), or a date: its session's close. Positions are then rebuilt from the fills
        up to it, with splits, and valued at the last daily close of the bar store by then.
    method
        With `at`: which lots are still open, and so what they cost.
    lots
        With ``method="specific"``, the lots named for closing orders, as in `round_trips`.

    Returns
    -------
    pandas.DataFrame
        `frames.POSITIONS`, empty where nothing is held. A rebuilt cost includes the entry fees.

    Raises
    ------
    UnknownNameError, NaiveDatetimeError, NotAllowedError
        As in `orders`.
    CalendarRangeError
        If the calendar does not cover `at`.

    Examples
    --------
    >>> ma.positions(account=1, at="2012-11-23")[["symbol", "quantity"]]
      symbol  quantity
    0   AAPL      96.0
    1   GOOG      84.0
    2    IBM     311.0
    """
    _check_zone(tz)
    check_method(method)
    check_lots(lots, method)
    if not is_one_of(side, (None, "LONG", "SHORT")):
        raise InvalidInputError(f"side={as_given(side)} is not one of LONG, SHORT.")
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        companies = companies_of(own, names_of(symbols, argument="symbols"))
        if at is None:
            table = companies.recorded(_recorded(own, scope, companies.names), "last_updated")
        else:
            moment = instant_of(own, at)
            named = among(Order.symbol, companies.names)
            usable = books.usable_fills(own, books.read_fills(own, *scope.rows(Order), *named))
            flows = books.read_flows(own, *flow_conditions(scope, companies.names))
            table = holdings.holdings_at(
                own, usable, flows, moment, method=method, lots=lots, symbols=companies.wanted
            )
        check_known(own, scope, symbols, table["symbol"])
    if side is not None:
        table = table.loc[(table["quantity"] > 0) == (side == "LONG")]
    return frames.POSITIONS.conform(table, tz=tz)


def _recorded(db_session: Session, scope: Scope, symbols: Sequence[str] | None) -> pd.DataFrame:
    names = [name for name in frames.POSITIONS.names if name not in ("user", "currency")]
    columns = {name: getattr(Position, name) for name in [*names, "user_id"]}
    conditions = [*scope.rows(Position), *among(Position.symbol, symbols)]
    statement = select(Position.id).where(*conditions)
    table = read_frame(db_session, columns, statement)
    table["user"] = books.owner_names(db_session, table["account_id"], table["user_id"])
    currency = table["account_id"].map(books.read_currencies(db_session)).astype("str")
    return table.assign(currency=currency.fillna(books.DEFAULT_CURRENCY))


def flow_conditions(scope: Scope, symbols: Sequence[str] | None) -> list[ColumnElement[bool]]:
    """Return the conditions on flows of a scope and, if asked for, of some symbols."""
    return [*scope.rows(CashFlow), *among(CashFlow.symbol, symbols)]


def instant_of(db_session: Session, at: When) -> Any:
    """Return the instant of `at`: a date means its session's close, or the last one before it."""
    from mismartera_analytics.recording import marks

    bound = clock.parse_bound(at, argument="at")
    if hasattr(bound, "hour"):
        return bound
    calendar = marks.market(db_session)
    if not calendar.is_session(bound):
        bound = calendar.previous_session(bound)
    return calendar.closes([bound])[0].to_pydatetime()


def check_known(
    db_session: Session, scope: Scope, symbols: str | Iterable[str] | None, found: pd.Series
) -> None:
    """Refuse symbols that neither the rows found nor any instrument, bar or visible order knows.

    Raises
    ------
    UnknownNameError
        Naming them, with the nearest known symbol.
    """
    wanted = names_of(symbols, argument="symbols")
    missing = sorted(set(wanted or ()) - set(found.unique()))
    if not missing:
        return
    from mismartera_analytics.market_data.store import BarStore

    known = set(db_session.scalars(select(Order.symbol).where(*scope.rows(Order)).distinct()))
    known |= set(
        db_session.scalars(select(Position.symbol).where(*scope.rows(Position)).distinct())
    )
    known |= set(db_session.scalars(select(Instrument.symbol)))
    known |= {name for change in read_changes(db_session) for name in change[1:]}
    known |= set(BarStore().symbols("1d"))
    unknown = [name for name in missing if name not in known]
    if unknown:
        hint = suggestion(unknown[0], known) or "."
        raise UnknownNameError(
            f"symbols={unknown} appear in no record, instrument or bar that you can see{hint}"
        )


def in_range(table: pd.DataFrame, column: str, bounds: tuple[Any, Any]) -> pd.DataFrame:
    """Return the rows whose instant lies in ``[low, high)``."""
    low, high = bounds
    if low is not None:
        table = table.loc[table[column] >= low]
    if high is not None:
        table = table.loc[table[column] < high]
    return table


def _filters(*, side: str | None = None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if side is not None:
        if not is_one_of(side, frames.SIDES):
            raise InvalidInputError(
                f"side={as_given(side)} is not one of {', '.join(frames.SIDES)}."
            )
        conditions.append(Order.side == side)
    return conditions


def _check_zone(tz: str | None) -> None:
    if tz is not None:
        clock.zone(tz)
