"""The cells of orders, fills and accounts, and what they are made of."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from mismartera_analytics.ledger.daily import MAX_PRICE_AGE
from mismartera_analytics.ledger.explanation import Explanation, parts_frame
from mismartera_analytics.ledger.journal import CASH, journal_of
from mismartera_analytics.ledger.pnl_parts import Period, pnl_parts
from mismartera_analytics.models import AccountInfo, Fill, Order
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.queries.explaining_columns import (
    ACCOUNTS,
    FILLS,
    ORDERS,
    as_number,
    check_column,
)
from mismartera_analytics.queries.ledger_inputs import read_inputs
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import Scope, scope_of

__all__ = ["explain_account", "explain_fill", "explain_order"]


def explain_order(
    db_session: Session, scope: Scope, *, column: str, order_id: int | None = None
) -> Explanation:
    """Explain a cell of ``orders``."""
    check_column("orders", column, ORDERS)
    row, own = _order(db_session, scope, order_id)
    executed = own.loc[own["fill_id"].notna()]
    rows: list[dict[str, Any]] = []
    for fill in executed.to_dict("records"):
        known = {"what": "fill", "symbol": fill["symbol"], "at": fill["filled_at"],
                 "quantity": fill["quantity"], "price": fill["price"],
                 "source": f"fill {fill['fill_id']}"}  # fmt: skip
        amount = {"filled_quantity": fill["quantity"], "commission": fill["commission"],
                  "average_fill_price": fill["quantity"] * fill["price"]}  # fmt: skip
        rows.append(known | {"amount": amount.get(column)})
    value = as_number(row[column])
    notes: tuple[str, ...] = ()
    if column in ("quantity", "price", "stop_price") or executed.empty:
        rows = [{"what": "recorded with the order", "symbol": row["symbol"], "at": row["placed_at"],
                 "amount": value, "source": f"order {order_id}"}]  # fmt: skip
        notes = () if len(executed) else ("No fills are recorded; the order stands for its one.",)
    parts = parts_frame(rows)
    computed = float(parts["amount"].sum(skipna=False))
    if column == "average_fill_price" and len(executed):
        computed /= float(executed["quantity"].sum())
    unit = "shares" if "quantity" in column else _currency(db_session, row["account_id"])
    return Explanation(
        "orders", {"order_id": order_id}, column, value, computed, ORDERS[column], unit, parts,
        fills=executed.reset_index(drop=True), notes=notes,
    )  # fmt: skip


def explain_fill(
    db_session: Session,
    scope: Scope,
    *,
    column: str,
    fill_id: int | None = None,
    order_id: int | None = None,
) -> Explanation:
    """Explain a cell of ``fills``."""
    check_column("fills", column, FILLS)
    if (fill_id is None) == (order_id is None):
        raise InvalidInputError("give fill_id=, or order_id= of an order without recorded fills.")
    table = books.read_fills(db_session, *scope.rows(Order))
    if fill_id is not None:
        own = table.loc[table["fill_id"] == fill_id]
    else:
        own = table.loc[(table["order_id"] == order_id) & table["fill_id"].isna()]
    if own.empty:
        raise InvalidInputError(f"there is no fill with fill_id={fill_id}, order_id={order_id}.")
    fill = own.iloc[0]
    row, _ = _order(db_session, scope, int(fill["order_id"]))
    value = as_number(fill[column])
    stored = None if fill_id is None else db_session.get(Fill, fill_id)
    item = {"what": "recorded", "symbol": fill["symbol"], "at": fill["filled_at"],
            "quantity": fill["quantity"], "price": fill["price"],
            "source": f"order {fill['order_id']}"}  # fmt: skip
    amount: Any = None if stored is None else getattr(stored, column)
    if column == "commission" and amount is None:
        of_order = table.loc[table["order_id"] == fill["order_id"]]
        item["what"], amount = books.share_of_fee(
            db_session, as_number(row["commission"]), of_order, float(fill["quantity"])
        )
    elif stored is None:
        names = {"quantity": "filled_quantity", "commission": "commission"}
        amount = row[names[column]] if column in names else row["average_fill_price"]
        if column == "price" and pd.isna(amount):
            amount = row["price"]
    parts = parts_frame([item | {"amount": as_number(amount)}])
    keys = {"fill_id": fill_id} if fill_id is not None else {"order_id": order_id}
    unit = "shares" if column == "quantity" else _currency(db_session, row["account_id"])
    return Explanation(
        "fills", keys, column, value, float(parts["amount"].iloc[0]), FILLS[column], unit, parts,
        fills=own.reset_index(drop=True),
    )  # fmt: skip


def _order(
    db_session: Session, scope: Scope, order_id: int | None
) -> tuple[pd.Series, pd.DataFrame]:
    """Return an order, and its fills."""
    if order_id is None:
        raise InvalidInputError("order_id= is needed.")
    names = [*dict.fromkeys([*ORDERS, "symbol", "placed_at", "account_id"])]
    columns = {name: getattr(Order, name) for name in names}
    conditions = [*scope.rows(Order), Order.id == order_id]
    table = read_frame(db_session, columns, select(Order.id).where(*conditions))
    if table.empty:
        raise UnknownNameError(f"order_id={order_id} is no order that you can see.")
    return table.iloc[0], books.read_fills(db_session, *conditions)


def _currency(db_session: Session, account_id: Any) -> str:
    known = books.read_currencies(db_session)
    return books.DEFAULT_CURRENCY if pd.isna(account_id) else known[int(account_id)]


def explain_account(db_session: Session, account: AccountInfo, *, column: str) -> Explanation:
    """Explain a cell of ``accounts``."""
    check_column("accounts", column, ACCOUNTS)
    value = as_number(getattr(account, column))
    unit = account.currency or books.DEFAULT_CURRENCY
    keys = {"account": account.id}
    synced = account.last_synced
    inputs = read_inputs(db_session, scope_of(db_session, account=account.id), None, end=None)
    is_reported = column == "buying_power" and account.account_type == "margin"
    if inputs is None or is_reported:
        what = {"what": "recorded", "at": synced, "amount": value, "source": "account_info"}
        note = "As the broker reported it." if is_reported else "There is no order and no flow."
        return Explanation("accounts", keys, column, value, value, ACCOUNTS[column], unit,
                           parts_frame([what]), notes=(note,))  # fmt: skip
    journal = journal_of(**vars(inputs), method="fifo", max_price_age=MAX_PRICE_AGE)
    last = len(journal.grid) - 1
    owner = CASH if column in ("cash_balance", "buying_power") else None
    parts, computed = pnl_parts(journal, "end_value", Period(last, last, 0), symbol=owner)
    if column == "buying_power":
        computed = max(computed, 0.0)
    when = "never" if synced is None else f"on {synced:%Y-%m-%d %H:%M} UTC"
    note = (
        f"The frame shows what was recorded {when}, the items everything up to the session of "
        f"{journal.grid[last].astype('datetime64[D]')}; refresh_positions() brings them together."
    )
    return Explanation(
        "accounts", keys, column, value, computed, ACCOUNTS[column], unit, parts,
        fills=inputs.fills, flows=inputs.flows, actions=inputs.actions,
        lots=journal.lots(None, last), notes=(note,),
    )  # fmt: skip
