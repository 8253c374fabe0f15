"""Orders and their fills, written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from mismartera_analytics import frames
from mismartera_analytics.errors import DuplicateError, InvalidOrderError, as_given
from mismartera_analytics.frames.given import check_table, is_missing, text_cells, written
from mismartera_analytics.market_data.layout import SYMBOL_RULE, is_symbol
from mismartera_analytics.models import AccountInfo, Instrument, Order
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording.checking import (
    MAX_SYMBOL,
    bad_rows,
    checked_times,
    content,
    numbers,
    refuse,
    refuse_precision,
    require,
    texts,
)
from mismartera_analytics.recording.fills import CHUNK, write_fills
from mismartera_analytics.recording.ownership import AccountLike, account_of
from mismartera_analytics.recording.transactions import writing

__all__ = ["Recorded", "record_orders"]

TOLERANCE = 1e-9  # of a quantity [1]

FINAL = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED", "REPLACED")
"""Statuses after which an order does not change any more."""

UNKNOWN_TYPE = "UNKNOWN"
"""`order_type` of an order of which only the executions are known."""

FIXED = (
    "symbol", "side", "quantity", "order_type", "price", "stop_price", "time_in_force", "placed_at",
    "time_precision",
)  # fmt: skip
STATE = ("filled_quantity", "average_fill_price", "commission", "status", "filled_at")
COLUMNS = ("broker_order_id", *FIXED, *STATE)


@dataclass(frozen=True)
class Recorded:
    """How many rows were new, how many orders went on since they were recorded, how many were there."""

    orders: int
    fills: int
    updated: int
    unchanged: int


@repeated
def record_orders(
    orders: pd.DataFrame,
    fills: pd.DataFrame | None = None,
    *,
    account: AccountLike,
    db_session: Session | None = None,
) -> Recorded:
    """Write orders, and the fills that executed them, to an account.

    All of it is checked before anything is written, and it is written in one transaction. Recording
    the same again changes nothing: an order is known by its ``broker_order_id``, else by its whole
    content and how often it occurs. An order recorded while it was open may come again further on in
    its life.

    Parameters
    ----------
    orders
        Needs ``symbol, side, quantity, placed_at``. Further columns of `frames.ORDERS` where known:
        ``broker_order_id, order_type`` (MARKET), ``filled_quantity`` (from the fills, else all of an
        order that is FILLED, else none), ``average_fill_price, commission``
        and ``filled_at`` (from the fills, else none; fills may lack, and what they lack of
        ``filled_quantity`` counts as one fill more), ``price, stop_price, time_in_force`` and
        ``status`` (from what is filled), ``time_precision`` (``"DATE"`` where only the day is known)
        and ``currency``. Other columns are ignored.
    fills
        Needs ``quantity, price, filled_at`` and the column that names the order: ``order_id`` or
        ``broker_order_id``, as in `orders`. ``commission`` and ``broker_fill_id`` where known.
    account
        An account's id, its number, or an `AccountInfo`.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    Recorded
        How many orders and fills are new, and how many orders went on or were known.

    Raises
    ------
    InvalidOrderError
        If a row breaks a rule: a quantity that is not positive and finite, a side other than BUY and
        SELL, more filled than ordered, a fill without a price or of no order, filled before it was
        placed, a symbol of over 10 characters, another currency than the account's. The rows are named.
    NaiveDatetimeError
        If a time has no zone.
    DuplicateError
        If a broker's id is recorded with other content.
    UnknownNameError
        If the account is not known to whoever is signed in.

    Examples
    --------
    >>> import pandas as pd
    >>> bought = pd.DataFrame({"symbol": ["IBM"], "side": "BUY", "quantity": 10.0,
    ...     "placed_at": [pd.Timestamp("2013-02-28 10:00", tz="America/New_York")]})
    >>> ma.record_orders(bought, account=1)
    Recorded(orders=1, fills=0, updated=0, unchanged=0)
    >>> ma.record_orders(bought, account=1)
    Recorded(orders=0, fills=0, updated=0, unchanged=1)
    """
    require(orders, ("symbol", "side", "quantity", "placed_at"), argument="orders")
    if fills is not None:
        check_table(fills, argument="fills", error=InvalidOrderError)
    executed = None if fills is None or not len(fills) else _checked_fills(fills, orders)
    checked = _checked_orders(orders, executed)
    with writing(db_session) as own:
        owner = account_of(own, account)
        _check_currency(own, owner, orders, checked)
        return _write(own, owner, checked, executed)


def _checked_orders(orders: pd.DataFrame, fills: pd.DataFrame | None) -> pd.DataFrame:
    """Return all `COLUMNS` of the orders, filled in from their fills; ``place`` is the row."""
    argument = "orders"
    require(orders, ("symbol", "side", "quantity", "placed_at"), argument=argument)
    index = orders.index
    table = pd.DataFrame(index=index)
    table["broker_order_id"] = texts(orders, "broker_order_id", argument=argument, length=100)
    table["symbol"] = texts(orders, "symbol", argument=argument, length=MAX_SYMBOL)
    table["side"] = texts(orders, "side", argument=argument, length=10)
    for name, length in (("order_type", 20), ("status", 20), ("time_in_force", 10),
                         ("time_precision", 10)):  # fmt: skip
        table[name] = texts(orders, name, argument=argument, length=length)
    for name in ("quantity", "filled_quantity", "price", "stop_price", "average_fill_price",
                 "commission"):  # fmt: skip
        table[name] = numbers(orders, name, argument=argument)
    for name in ("placed_at", "filled_at"):
        table[name] = checked_times(orders, name, argument=argument)
    refuse(table["symbol"].isna(), index, "orders without a symbol")
    known = table["symbol"].isna() | table["symbol"].map(is_symbol).astype("bool")
    refuse(~known, index, f"orders with a symbol that is none: {SYMBOL_RULE}")
    refuse(~table["side"].isin(frames.SIDES), index, "orders with a side other than BUY and SELL")
    refuse(~(table["quantity"] > 0), index, "orders whose quantity is not positive")
    refuse(table["placed_at"].isna(), index, "orders without placed_at")
    refuse(table["filled_quantity"] < 0, index, "orders with a negative filled_quantity")
    refuse(table["filled_at"] < table["placed_at"], index, "orders filled before they were placed")
    refuse_precision(table["time_precision"], index, "orders")
    table = table.reset_index(drop=True)
    table["place"] = np.arange(len(table))
    table["label"] = [written(label).encode("utf-8", "replace").decode() for label in index]
    if fills is not None:
        _fill_in(table, fills, index)
    _settle(table, index)
    return _without_repeats(table, index)


def _settle(table: pd.DataFrame, index: pd.Index) -> None:
    """Fill in what was filled, the type and the status, and refuse what contradicts itself."""
    most = table["quantity"] * (1 + TOLERANCE)
    refuse(table["filled_quantity"] > most, index, "orders filled beyond their quantity")
    says_filled = table["status"] == "FILLED"
    usual_quantity = table["quantity"].where(says_filled, 0.0)
    table["filled_quantity"] = table["filled_quantity"].fillna(usual_quantity)
    less = table["filled_quantity"] < table["quantity"] * (1 - TOLERANCE)
    refuse(says_filled & less, index, "orders that are FILLED with less than their quantity")
    is_filled = table["filled_quantity"] > 0
    lacks_price = table["average_fill_price"].isna() & table["price"].isna()
    refuse(is_filled & lacks_price, index, "orders that are filled but have no price")
    table["order_type"] = table["order_type"].fillna("MARKET")
    is_whole = table["filled_quantity"] >= table["quantity"] * (1 - TOLERANCE)
    usual = np.where(is_whole, "FILLED", np.where(is_filled, "PARTIALLY_FILLED", "PENDING"))
    table["status"] = table["status"].fillna(pd.Series(usual, dtype="str"))


def _fill_in(table: pd.DataFrame, fills: pd.DataFrame, index: pd.Index) -> None:
    """Take from the fills what the orders leave open, and refuse what contradicts them."""
    by_order = fills.assign(amount=fills["quantity"] * fills["price"]).groupby("place")
    sums = by_order.agg(
        quantity=("quantity", "sum"), amount=("amount", "sum"), filled_at=("filled_at", "max"),
        begun_at=("filled_at", "min"), commission=("commission", lambda fees: fees.sum(min_count=1)),
    ).reindex(table["place"])  # fmt: skip
    sums.index = table.index
    early = (sums["begun_at"] < table["placed_at"]) & (table["order_type"] != UNKNOWN_TYPE)
    refuse(early, index, "orders with fills from before they were placed")
    given = table["filled_quantity"]
    beyond = sums["quantity"] - given > TOLERANCE * table["quantity"]
    refuse(beyond, index, "orders whose fills add up to more than filled_quantity")
    table["filled_quantity"] = given.fillna(sums["quantity"])
    mean = sums["amount"] / sums["quantity"]
    for name, values in (("average_fill_price", mean), ("filled_at", sums["filled_at"]),
                         ("commission", sums["commission"])):  # fmt: skip
        table[name] = table[name].fillna(values)


def _without_repeats(table: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    """Keep one of several equal rows with one broker's id; refuse those that differ."""
    named = table["broker_order_id"].notna()
    table = table.loc[~(named & table.duplicated(list(COLUMNS)))]
    differs = table["broker_order_id"].notna() & table.duplicated("broker_order_id", keep=False)
    if differs.any():
        rows = np.isin(np.arange(len(index)), table.loc[differs, "place"])
        raise DuplicateError(
            f"orders hold a broker_order_id twice with other content ({bad_rows(rows, index)})."
        )
    return table


def _checked_fills(fills: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the fills' columns, and in ``place`` the row of the order that each belongs to."""
    argument = "fills"
    require(fills, ("quantity", "price", "filled_at"), argument=argument)
    keys = [name for name in ("broker_order_id", "order_id")
            if name in fills.columns and name in orders.columns]  # fmt: skip
    if not keys:
        raise InvalidOrderError(
            "orders and fills have neither order_id nor broker_order_id in common, which names the "
            "order of each fill."
        )
    index = fills.index
    key = next((name for name in keys if fills[name].notna().all()), keys[-1])
    named, of_fills = (
        text_cells(frame[key], argument=f"{what}: {key}", error=InvalidOrderError)
        for what, frame in (("orders", orders), ("fills", fills))
    )
    rows = pd.Series(np.arange(len(orders)), index=pd.Index(named))
    rows = rows.loc[~rows.index.duplicated() & rows.index.notna()]
    place = of_fills.map(rows).reset_index(drop=True)
    refuse(place.isna(), index, f"fills whose {key} is none of the orders'")
    table = pd.DataFrame({"place": place.astype("int64")})
    for name in ("quantity", "price", "commission"):
        table[name] = numbers(fills, name, argument=argument)
    table["filled_at"] = checked_times(fills, "filled_at", argument=argument).array
    ids = texts(fills, "broker_fill_id", argument=argument, length=100)
    table["broker_fill_id"] = ids.to_numpy()
    refuse(~(table["quantity"] > 0), index, "fills whose quantity is not positive")
    refuse(table["price"].isna(), index, "fills without a price")
    refuse(table["filled_at"].isna(), index, "fills without filled_at")
    for name in ("symbol", "side"):
        if name in fills.columns:
            theirs = orders[name].astype("str").to_numpy()[table["place"]]
            own = fills[name].astype("str").to_numpy()
            refuse(own != theirs, index, f"fills whose {name} is not that of their order")
    return table


def _check_currency(
    db_session: Session, account: AccountInfo, orders: pd.DataFrame, checked: pd.DataFrame
) -> None:
    """Refuse orders in a currency that is not the account's; a symbol without instrument is in USD."""
    own = account.currency or "USD"
    is_told = pd.Series(data=False, index=orders.index)
    if "currency" in orders.columns:
        told = [None if is_missing(currency) else currency for currency in orders["currency"]]
        is_told = pd.Series([one is not None for one in told], orders.index, dtype="bool")
        other = [one is not None and not (isinstance(one, str) and one == own) for one in told]
        refuse(other, orders.index, f"orders in another currency than the account's {own}")
    statement = select(Instrument.symbol).where(
        Instrument.currency.is_not(None), Instrument.currency != own
    )
    foreign = set(db_session.scalars(statement))
    bad = orders["symbol"].isin(foreign & set(checked["symbol"]))
    refuse(bad, orders.index, f"orders of symbols quoted in another currency than {own}")
    if own != "USD":
        described = set(db_session.scalars(select(Instrument.symbol)))
        unknown = ~is_told & ~orders["symbol"].isin(described)
        refuse(
            unknown, orders.index,
            f"orders of symbols without an instrument, which count as quoted in USD, in an account "
            f"kept in {own}; record_instruments() or a column currency tells what they are quoted in",
        )  # fmt: skip


def _write(
    db_session: Session, account: AccountInfo, checked: pd.DataFrame, fills: pd.DataFrame | None
) -> Recorded:
    known = _known(db_session, account, checked)
    rows = dict(zip(checked["place"], content(checked, COLUMNS), strict=True))
    new, updates, unchanged = [], [], {}
    for place, row in rows.items():
        found = known.get(place)
        if found is None:
            new.append(place)
        elif found[1:] == (account.id, row):
            unchanged[place] = found[0]
        else:
            updates.append((place, found))
    labels = dict(zip(checked["place"], checked["label"], strict=True))
    for place, found in updates:
        _require_progress(found, rows[place], account.id, labels[place])
    ids = dict(unchanged) | {place: found[0] for place, found in updates}
    for place, found in updates:
        state = dict(zip(COLUMNS, rows[place], strict=True))
        values = {name: state[name] for name in (*FIXED, *STATE)}
        db_session.execute(update(Order).where(Order.id == found[0]).values(**values))
    owner = {"account_id": account.id, "user_id": account.user_id}
    values_of = [dict(zip(COLUMNS, rows[place], strict=True)) | owner for place in new]
    ids |= _insert(db_session, dict(zip(new, values_of, strict=True)), needs_ids=fills is not None)
    written = 0 if fills is None else write_fills(db_session, fills, ids)
    return Recorded(len(new), written, len(updates), len(unchanged))


def _insert(
    db_session: Session, values: dict[int, dict[str, Any]], *, needs_ids: bool
) -> dict[int, int]:
    """Write orders in bulk, and return their ids by place where they are needed.

    A nameless order's id can only come back from its own statement, so those are written one by one.
    """
    orders: Any = Order.__table__
    nameless = [place for place, row in values.items() if row["broker_order_id"] is None]
    one_by_one = set(nameless) if needs_ids else set()
    bulk = {place: row for place, row in values.items() if place not in one_by_one}
    if bulk:
        db_session.execute(insert(orders), list(bulk.values()))
    ids = {
        place: int(db_session.scalars(insert(orders).returning(orders.c.id), [values[place]]).one())
        for place in sorted(one_by_one)
    }
    place_of = {row["broker_order_id"]: place for place, row in bulk.items()} if needs_ids else {}
    wanted = list(place_of)
    for first in range(0, len(wanted), CHUNK):
        chosen = select(Order.broker_order_id, Order.id).where(
            Order.broker_order_id.in_(wanted[first : first + CHUNK])
        )
        ids |= {place_of[row[0]]: row[1] for row in db_session.execute(chosen)}
    return ids


def _known(db_session: Session, account: AccountInfo, checked: pd.DataFrame) -> dict[int, Any]:
    """Return, by place, the recorded order of that broker's id, or of the same content."""
    columns = {"id": Order.id, "account_id": Order.account_id}
    columns |= {name: getattr(Order, name) for name in COLUMNS}
    named = checked.loc[checked["broker_order_id"].notna()]
    place_of = dict(zip(named["broker_order_id"], named["place"], strict=True))
    wanted = list(place_of)
    found: dict[int, Any] = {}
    for first in range(0, len(wanted), CHUNK):
        chosen = select(Order.id).where(Order.broker_order_id.in_(wanted[first : first + CHUNK]))
        table = read_frame(db_session, columns, chosen)
        for row in content(table, columns):
            found[place_of[row[2]]] = (row[0], row[1], row[2:])
    nameless = checked.loc[checked["broker_order_id"].isna()]
    if not len(nameless):
        return found
    own = select(Order.id).where(Order.account_id == account.id, Order.broker_order_id.is_(None))
    recorded: dict[tuple[Any, ...], list[Any]] = {}
    for row in content(read_frame(db_session, columns, own.order_by(Order.id)), columns):
        recorded.setdefault(row[2:], []).append(row)
    for place, row in zip(nameless["place"], content(nameless, COLUMNS), strict=True):
        if recorded.get(row):
            match = recorded[row].pop(0)
            found[place] = (match[0], match[1], match[2:])
    return found


def _require_progress(
    found: tuple[Any, ...], row: tuple[Any, ...], account_id: int, label: str
) -> None:
    """Refuse a change that is not the further life of an open order.

    An order of which only executions were known may also become known as what it was.
    """
    before, after = (dict(zip(COLUMNS, values, strict=True)) for values in (found[2], row))
    name = f"broker_order_id={as_given(after['broker_order_id'])}"
    if found[1] != account_id:
        raise DuplicateError(f"{name} is recorded in another account (row {label}).")
    completes = before["order_type"] == UNKNOWN_TYPE != after["order_type"]
    fixed = ("symbol", "side") if completes else FIXED
    changed = [key for key in fixed if before[key] != after[key]]
    if not changed and before["status"] in FINAL and not completes:
        changed = [key for key in STATE if before[key] != after[key]]
    if not changed and (before["filled_quantity"] or 0.0) > after["filled_quantity"]:
        changed = ["filled_quantity"]
    if changed:
        key = changed[0]
        raise DuplicateError(
            f"{name} is recorded with other content: {key} is {before[key]} there, {after[key]} here "
            f"(row {label})."
        )
