"""The books of accounts: their fills, flows and corporate actions as frames for the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, cast, exists, func, null, select
from sqlalchemy.orm import Session

from mismartera_analytics import frames
from mismartera_analytics.errors import warn
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    CorporateAction,
    Fill,
    Instrument,
    Order,
    User,
)
from mismartera_analytics.models.reading import read_frame

__all__ = [
    "owner_names",
    "read_actions",
    "read_currencies",
    "read_fills",
    "read_flows",
    "share_of_fee",
    "usable_fills",
    "user_of_accounts",
]

DEFAULT_CURRENCY = "USD"
REST = 1e-9  # of an order's filled quantity, below which a difference is rounding [1]


def user_of_accounts(db_session: Session) -> dict[int, int]:
    """Return the user's id of every account."""
    rows = db_session.execute(select(AccountInfo.id, AccountInfo.user_id))
    return {row[0]: row[1] for row in rows}


def owner_names(db_session: Session, account_id: pd.Series, user_id: pd.Series) -> pd.Series:
    """Return the user name that each row belongs to: its account's user, else its own.

    Parameters
    ----------
    db_session
        Where to read.
    account_id, user_id
        Of the rows; missing where a row has none.

    Returns
    -------
    pandas.Series
        ``str``, missing for a row with neither.
    """
    import pyarrow as pa

    owner_of = user_of_accounts(db_session)
    names = {row[0]: row[1] for row in db_session.execute(select(User.id, User.username))}
    # Few owners, many rows: the names are looked up once each.
    account, accounts = pd.factorize(account_id)
    user, users = pd.factorize(user_id)
    known = [names.get(owner_of.get(int(number), -1)) for number in accounts]
    known += [names.get(int(number)) for number in users]
    code = np.where(account >= 0, account, np.where(user >= 0, user + len(accounts), -1))
    coded = pa.array(code, pa.int32(), mask=code < 0)
    text = pa.DictionaryArray.from_arrays(coded, pa.array(known, pa.string())).cast(pa.string())
    return pd.Series(pd.array(text, dtype="str"), index=account_id.index)


def read_fills(db_session: Session, *conditions: ColumnElement[bool]) -> pd.DataFrame:
    """Return the fills of orders; an order without fills counts as one fill.

    That fill has the order's `filled_quantity` at `average_fill_price`, else at `price`, when it was
    last filled, else placed. What an order is filled beyond its recorded fills counts as one fill
    more, at the price that makes the average. What an order's fee is beyond those of its fills is
    shared by quantity among the fills that have none.

    Parameters
    ----------
    db_session
        Where to read.
    *conditions
        On `Order` and `AccountInfo`-free: which orders.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.FILLS` and ``user_id``, unsorted. A price or time that is not recorded is
        missing.
    """
    whole = {
        "order_id": Order.id,
        "account_id": Order.account_id,
        "user_id": Order.user_id,
        "symbol": Order.symbol,
        "side": Order.side,
        "order_commission": Order.commission,
        "order_filled": Order.filled_quantity,
        "order_price": func.coalesce(Order.average_fill_price, Order.price, type_=Order.price.type),
        "order_filled_at": Order.filled_at,
    }
    executed = whole | {
        "fill_id": Fill.id,
        "quantity": Fill.quantity,
        "price": Fill.price,
        "commission": Fill.commission,
        "filled_at": Fill.filled_at,
        "broker_fill_id": Fill.broker_fill_id,
    }
    statement = select(Fill.id).join(Order, Fill.order_id == Order.id).where(*conditions)
    many = _with_rest(read_frame(db_session, executed, statement, key=Fill.id))
    implied = whole | {
        "fill_id": _nothing(Fill.id),
        "quantity": Order.filled_quantity,
        "price": whole["order_price"],
        "commission": Order.commission,
        "filled_at": func.coalesce(Order.filled_at, Order.placed_at, type_=Order.filled_at.type),
        "broker_fill_id": _nothing(Fill.broker_fill_id),
    }
    has_fills = exists().where(Fill.order_id == Order.id)
    single = read_frame(
        db_session,
        implied,
        select(Order.id).where(Order.filled_quantity > 0, ~has_fills, *conditions),
        key=Order.id,
    )
    table = pd.concat([_with_fees(many), single], ignore_index=True) if len(many) else single
    table["user"] = owner_names(db_session, table["account_id"], table["user_id"])
    return table[[*frames.FILLS.names, "user_id"]]


def _nothing(column: Any) -> Any:
    return cast(null(), column.type)


def _with_rest(fills: pd.DataFrame) -> pd.DataFrame:
    """Add, for orders that are filled beyond their recorded fills, what lacks as one fill."""
    if not len(fills):
        return fills
    paid = fills["quantity"] * fills["price"]
    by_order = fills.assign(paid=paid).groupby("order_id")
    sums = by_order[["quantity", "paid"]].sum()
    rest: Any = fills.drop_duplicates("order_id").set_index("order_id").sort_index()
    lacks = rest["order_filled"] - sums["quantity"]
    rest = rest.loc[lacks > REST * rest["order_filled"]]
    if not len(rest):
        return fills
    quantity = lacks.loc[rest.index]
    price = (rest["order_filled"] * rest["order_price"] - sums["paid"].loc[rest.index]) / quantity
    rest = rest.assign(
        quantity=quantity, price=price.where(price > 0, rest["order_price"]), fill_id=pd.NA,
        broker_fill_id=None, commission=np.nan,
        filled_at=rest["order_filled_at"].fillna(rest["filled_at"]),
    ).reset_index()  # fmt: skip
    whole: pd.DataFrame = pd.concat(
        [fills, rest[fills.columns].astype(fills.dtypes)], ignore_index=True
    )
    return whole


def _with_fees(fills: pd.DataFrame) -> pd.DataFrame:
    """Share what the fills of an order lack of its fee out to those that have none, by quantity."""
    lacks = fills["commission"].isna() & fills["order_commission"].notna()
    if lacks.any():
        order = fills["order_id"]
        by_order = fills["commission"].groupby(order)
        rest = fills["order_commission"] - by_order.transform("sum")
        lacks &= (by_order.transform("count") == 0) | (rest > 0)
        share = fills["quantity"] / fills["quantity"].where(lacks).groupby(order).transform("sum")
        fills["commission"] = fills["commission"].mask(lacks, rest * share)
    return fills


def share_of_fee(
    db_session: Session, whole: float, fills: pd.DataFrame, quantity: float
) -> tuple[str, float]:
    """Say how the fee of a fill without one of its own comes about, and work it out anew.

    Parameters
    ----------
    db_session
        Where the fees of the order's fills are read.
    whole
        The order's fee [currency].
    fills
        From `read_fills`: all of the order.
    quantity
        Of the fill [shares].
    """
    number = int(fills["order_id"].iloc[0])
    chosen = select(Fill.id, Fill.commission).where(Fill.order_id == number)
    paid = {row[0]: float(row[1]) for row in db_session.execute(chosen) if row[1] is not None}
    others = float(fills.loc[~fills["fill_id"].isin(list(paid)), "quantity"].sum())
    rest = whole - sum(paid.values())
    what = "what the order's fee is beyond its other fills'" if paid else "the order's fee"
    share = rest * quantity / others if rest > 0 or not paid else np.nan
    return f"{quantity:g} of {others:g} shares of {what}", share


def usable_fills(db_session: Session, fills: pd.DataFrame) -> pd.DataFrame:
    """Return the fills that a ledger can count, and warn of those that it cannot, by order.

    Parameters
    ----------
    db_session
        Where instruments are read.
    fills
        From `read_fills`.

    Returns
    -------
    pandas.DataFrame
        Without those that lack a price, a time, a positive quantity, or a known side; with the
        ``multiplier`` of their instruments; sorted by time and order.
    """
    quantity = fills["quantity"].to_numpy(np.float64)
    good = (
        np.isfinite(quantity)
        & (quantity > 0)
        & np.isfinite(fills["price"].to_numpy(np.float64))
        & fills["filled_at"].notna().to_numpy()
        & fills["side"].isin(frames.SIDES).to_numpy()
    )
    if not good.all():
        orders = sorted(fills.loc[~good, "order_id"].unique())
        shown = ", ".join(str(number) for number in orders[:5])
        more = f" and {len(orders) - 5} more" if len(orders) > 5 else ""
        warn(
            f"{int((~good).sum())} fills are left out because they lack a price, a time, a positive "
            f"quantity or the side BUY or SELL: orders {shown}{more}.",
        )
        fills = fills.loc[good]
    fills = fills.sort_values(["filled_at", "order_id"], kind="stable", ignore_index=True)
    return _with_multipliers(db_session, fills)


def _with_multipliers(db_session: Session, fills: pd.DataFrame) -> pd.DataFrame:
    """Add the ``multiplier`` of the instrument in force on each fill's day, where any is not 1."""
    rows = db_session.execute(
        select(Instrument.symbol, Instrument.valid_to, Instrument.multiplier)
        .where(Instrument.symbol.in_(fills["symbol"].unique().tolist()))
        .order_by(Instrument.symbol, Instrument.valid_from.is_not(None), Instrument.valid_from)
    ).all()
    periods: dict[str, list[tuple[dt.date, float]]] = {}
    for symbol, until, number in rows:
        scale = 1.0 if number is None else float(number)
        periods.setdefault(symbol, []).append((until or dt.date.max, scale))
    if all(scale == 1.0 for own in periods.values() for _, scale in own):
        return fills
    multiplier = np.ones(len(fills))
    for symbol, own in periods.items():
        at = np.flatnonzero(fills["symbol"] == symbol)
        days = fills["filled_at"].iloc[at].dt.tz_localize(None).to_numpy().astype("datetime64[D]")
        ends = np.array([until for until, _ in own], "datetime64[D]")
        place = np.minimum(np.searchsorted(ends, days), len(own) - 1)
        multiplier[at] = np.array([scale for _, scale in own])[place]
    return fills.assign(multiplier=multiplier)


def read_flows(db_session: Session, *conditions: ColumnElement[bool]) -> pd.DataFrame:
    """Return cash flows: columns of `frames.CASH_FLOWS` and ``user``, by time.

    Parameters
    ----------
    db_session
        Where to read.
    *conditions
        On `CashFlow`: which flows.
    """
    columns = {name: getattr(CashFlow, name) for name in frames.CASH_FLOWS.names}
    statement = select(CashFlow.id).where(*conditions).order_by(CashFlow.occurred_at, CashFlow.id)
    table = read_frame(db_session, columns, statement)
    nobody = pd.Series(pd.NA, index=table.index, dtype="Int64")
    return table.assign(user=owner_names(db_session, table["account_id"], nobody))


def read_actions(
    db_session: Session, symbols: Sequence[str], *, until: dt.date | None = None
) -> pd.DataFrame:
    """Return the corporate actions of symbols, and of the names that they once had.

    Parameters
    ----------
    db_session
        Where to read.
    symbols
        Tickers.
    until
        Last ex-date; all by default.

    Returns
    -------
    pandas.DataFrame
        Columns ``symbol, action_type, ex_date, ratio, amount, new_symbol``, by ex-date.
    """
    names = ("symbol", "action_type", "ex_date", "ratio", "amount", "new_symbol")
    columns = {name: getattr(CorporateAction, name) for name in names}
    statement = select(CorporateAction.id).order_by(CorporateAction.ex_date, CorporateAction.id)
    if until is not None:
        statement = statement.where(CorporateAction.ex_date <= until)
    table = read_frame(db_session, columns, statement)
    wanted = set(symbols)
    changed = table.loc[table["action_type"] == "SYMBOL_CHANGE", ["symbol", "new_symbol"]]
    wanted |= set(changed.loc[changed["symbol"].isin(wanted), "new_symbol"])
    is_ours = table["symbol"].isin(wanted)
    known = table["action_type"].isin(["SPLIT", "CASH_DIVIDEND", "SYMBOL_CHANGE"])
    return table.loc[is_ours & known].reset_index(drop=True)


def read_currencies(db_session: Session) -> dict[int, str]:
    """Return the currency of every account; `DEFAULT_CURRENCY` where none is recorded."""
    rows = db_session.execute(select(AccountInfo.id, AccountInfo.currency))
    return {row[0]: row[1] or DEFAULT_CURRENCY for row in rows}
