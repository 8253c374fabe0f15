"""The rows of a statement written to an account: those that lack, in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.models import AccountInfo, CashFlow, Order
from mismartera_analytics.recording import books, marks
from mismartera_analytics.recording.brokers.executions import fills_frame, with_fills
from mismartera_analytics.recording.brokers.splits import record_splits
from mismartera_analytics.recording.brokers.statement import (
    FillRow,
    FlowRow,
    OrderRow,
    Statement,
    When,
)
from mismartera_analytics.recording.brokers.summary import Imported, skipped_frame
from mismartera_analytics.recording.checking import DATE_ONLY
from mismartera_analytics.recording.fills import CHUNK
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.holdings import holdings_at
from mismartera_analytics.recording.orders import Recorded, record_orders

__all__ = ["write_rows"]

FRACTION_WITHIN = dt.timedelta(days=45)
"""So long after a split the cash for its fraction of a share may be booked."""


def write_rows(
    db_session: Session, owner: AccountInfo, rows: Statement, files: tuple[str, ...], repeated: int
) -> Imported:
    """Write the rows that lack, and tell what was done.

    Parameters
    ----------
    db_session
        A transaction that the caller ends.
    owner
        The account.
    rows
        Of all files, from `combining.combine`.
    files
        Their names.
    repeated
        How many rows stood in several of them.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidOrderError, DuplicateError
        As `import_orders`.
    """
    instants = _Instants(db_session, rows)
    prefix = "" if rows.has_ids else f"{rows.broker}:{owner.id}:"
    orders, flows, known, undone = rows.orders, rows.flows, repeated, 0
    if not rows.has_ids:
        recorded = _recorded_keys(db_session, prefix, [*orders, *flows])
        undone = _undo_cancelled(db_session, prefix, orders, recorded)
        orders = [row for row in orders if row.key not in recorded]
        flows = [row for row in flows if row.key not in recorded]
        known += len(rows.orders) - len(orders) - undone + len(rows.flows) - len(flows)
    whole, fills, made, known_fills = with_fills(db_session, owner.id, orders, rows.fills)
    done = _record_orders(db_session, owner, whole, fills, prefix, instants)
    known += known_fills + max(len(orders) - (done.orders - made) - done.updated, 0)
    plain = [row for row in flows if not row.is_for_fraction]
    written = _record_flows(db_session, owner, plain, prefix, instants)
    actions = record_splits(
        db_session, owner, rows.actions, source=f"import: {', '.join(files)}"[:100]
    )
    paid = [row for row in flows if row.is_for_fraction]
    sales, paid = _sales_of_fractions(paid, actions.fractions)
    sold = _record_orders(db_session, owner, sales, [], prefix, instants)
    written += _record_flows(db_session, owner, paid, prefix, instants)
    known += actions.known + len(plain) + len(paid) - written
    notes = [*rows.notes, *_oversold(db_session, owner)]
    days = sum(not isinstance(row.placed_at, dt.datetime) for row in [*whole, *sales])
    days += sum(not isinstance(row.occurred_at, dt.datetime) for row in [*plain, *paid])
    return Imported(
        account_id=owner.id, files=files, orders=done.orders + sold.orders, fills=done.fills,
        flows=written, actions=actions.new, updated=done.updated + undone, known=known,
        days_only=min(days, done.orders + sold.orders + written),
        skipped=skipped_frame([*rows.skipped, *actions.skipped]), notes=tuple(notes),
    )  # fmt: skip


def _oversold(db_session: Session, owner: AccountInfo) -> list[str]:
    """Say what a cash account is short of: rows from before the files are missing."""
    if owner.account_type != "cash":
        return []
    fills = books.usable_fills(
        db_session, books.read_fills(db_session, Order.account_id == owner.id)
    )
    flows = books.read_flows(db_session, CashFlow.account_id == owner.id)
    held = holdings_at(db_session, fills, flows, clock.utc_now())
    short = held.loc[held["quantity"] < 0].sort_values("symbol")
    told = [f"{row['quantity']:g} {row['symbol']}" for row in short.to_dict("records")]
    if not told:
        return []
    return [
        f"the account is short of {', '.join(told)}, which a cash account cannot be: purchases or "
        f"transfers from before the files are not recorded"
    ]


class _Instants:
    """The instants of days: the close of their session, else of the next one."""

    def __init__(self, db_session: Session, rows: Statement) -> None:
        times: list[When | None] = [row.placed_at for row in rows.orders]
        times += [row.filled_at for row in rows.orders]
        times += [row.occurred_at for row in rows.flows]
        days = {one for one in times if one is not None and not isinstance(one, dt.datetime)}
        self._close: dict[dt.date, Any] = {}
        if days:
            calendar = marks.market(db_session)
            last = min(max(days) + dt.timedelta(days=14), calendar.covers_to)
            labels = calendar.labels(min(days), last)
            places = np.searchsorted(labels, pd.DatetimeIndex(sorted(days)))
            closes = calendar.closes(labels)
            self._close = {
                day: closes[place] for day, place in zip(sorted(days), places, strict=True)
            }

    def __call__(self, when: When | None) -> Any:
        if when is None or isinstance(when, dt.datetime):
            return when
        return self._close[when]


def _recorded_keys(
    db_session: Session, prefix: str, rows: Sequence[OrderRow | FlowRow]
) -> set[str]:
    """Return the keys of rows that are recorded already."""
    keys = [prefix + row.key for row in rows]
    found: set[str] = set()
    for first in range(0, len(keys), CHUNK):
        chosen = keys[first : first + CHUNK]
        for column in (Order.broker_order_id, CashFlow.broker_flow_id):
            found |= {
                key or "" for key in db_session.scalars(select(column).where(column.in_(chosen)))
            }
    return {key.removeprefix(prefix) for key in found}


def _undo_cancelled(
    db_session: Session, prefix: str, orders: list[OrderRow], recorded: set[str]
) -> int:
    """Take back trades that were recorded before the broker cancelled them."""
    keys = [prefix + row.key for row in orders if row.status == "CANCELLED" and row.key in recorded]
    undone = update(Order).where(Order.broker_order_id.in_(keys), Order.status == "FILLED")
    values = {"status": "CANCELLED", "filled_quantity": 0.0, "average_fill_price": None,
              "commission": None, "filled_at": None}  # fmt: skip
    changed: Any = db_session.execute(undone.values(**values)) if keys else None
    return 0 if changed is None else int(changed.rowcount)


def _record_orders(
    db_session: Session, owner: AccountInfo, orders: list[OrderRow], fills: list[FillRow],
    prefix: str, instants: _Instants,
) -> Recorded:  # fmt: skip
    names = ("symbol", "side", "quantity", "status", "filled_quantity", "average_fill_price",
             "commission", "order_type", "price", "stop_price", "time_in_force")  # fmt: skip
    columns: dict[str, Any] = {name: [getattr(row, name) for row in orders] for name in names}
    columns["broker_order_id"] = [prefix + row.key for row in orders]
    for name in ("placed_at", "filled_at"):
        columns[name] = [instants(getattr(row, name)) for row in orders]
    is_exact = [isinstance(row.placed_at, dt.datetime) for row in orders]
    columns["time_precision"] = [None if exact else DATE_ONLY for exact in is_exact]
    frame = pd.DataFrame(columns, index=[str(row.place) for row in orders])
    texts = ("status", "order_type", "time_in_force", "time_precision", "broker_order_id")
    frame = frame.astype(dict.fromkeys(texts, "str"))
    executed = fills_frame(fills) if fills else None
    return record_orders(frame, executed, account=owner, db_session=db_session)


def _record_flows(
    db_session: Session, owner: AccountInfo, flows: list[FlowRow], prefix: str, instants: _Instants
) -> int:
    names = ("flow_type", "amount", "symbol", "quantity", "note")
    columns: dict[str, Any] = {name: [getattr(row, name) for row in flows] for name in names}
    columns["broker_flow_id"] = [prefix + row.key for row in flows]
    columns["occurred_at"] = [instants(row.occurred_at) for row in flows]
    is_exact = [isinstance(row.occurred_at, dt.datetime) for row in flows]
    columns["time_precision"] = [None if exact else DATE_ONLY for exact in is_exact]
    frame = pd.DataFrame(columns, index=[str(row.place) for row in flows])
    texts = ("flow_type", "symbol", "note", "broker_flow_id", "time_precision")
    frame = frame.astype(dict.fromkeys(texts, "str"))
    return record_flows(frame, account=owner, db_session=db_session)


def _sales_of_fractions(
    flows: list[FlowRow], fractions: dict[str, list[tuple[dt.date, float]]]
) -> tuple[list[OrderRow], list[FlowRow]]:
    """Turn the cash for a fraction of a share into its sale; what fits no split stays a flow."""
    sales, rest = [], []
    for row in flows:
        day = (
            row.occurred_at.date() if isinstance(row.occurred_at, dt.datetime) else row.occurred_at
        )
        open_ones = fractions.get(row.symbol or "", [])
        match = next(
            (one for one in open_ones if one[0] <= day <= one[0] + FRACTION_WITHIN), None
        )  # fmt: skip
        if match is None or row.amount <= 0:
            rest.append(row)
            continue
        open_ones.remove(match)
        quantity = match[1]
        sales.append(
            OrderRow(
                place=row.place, key=row.key, symbol=row.symbol or "", side="SELL",
                quantity=quantity, status="FILLED", placed_at=row.occurred_at,
                filled_at=row.occurred_at, filled_quantity=quantity,
                average_fill_price=row.amount / quantity, commission=0.0,
            )
        )  # fmt: skip
    return sales, rest
