"""Executions meet their orders: those of the files, those recorded, and those known by them alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from mismartera_analytics.errors import DuplicateError
from mismartera_analytics.models import Fill, Order
from mismartera_analytics.recording.brokers.statement import UNKNOWN, FillRow, OrderRow, refuse_row
from mismartera_analytics.recording.fills import CHUNK
from mismartera_analytics.recording.orders import TOLERANCE

__all__ = ["fills_frame", "with_fills"]


def with_fills(
    db_session: Session, account_id: int, orders: list[OrderRow], fills: list[FillRow]
) -> tuple[list[OrderRow], list[FillRow], int, int]:
    """Return all orders that the rows touch, with all their fills.

    Parameters
    ----------
    db_session
        Where the account's orders are read.
    account_id
        Of the account.
    orders, fills
        Of the files.

    Returns
    -------
    orders
        Those of the files; of fills without one, the order recorded, else one that the fills make,
        whose type is UNKNOWN.
    fills
        Those of the files and those recorded for the same orders.
    made
        How many orders are new and known by their fills alone.
    known
        How many fills of the files are recorded.

    Raises
    ------
    InvalidOrderError
        If fills go beyond their order's quantity; the row is named.
    DuplicateError
        If a fill is recorded with other content, or is not of its order's symbol and side.
    """
    keys = sorted({row.order_key for row in fills} | {row.key for row in orders})
    recorded: dict[str, Order] = {}
    for first in range(0, len(keys), CHUNK):
        chosen = Order.broker_order_id.in_(keys[first : first + CHUNK])
        found = db_session.scalars(
            select(Order)
            .where(chosen, Order.account_id == account_id)
            .options(selectinload(Order.fills))
        )
        recorded |= {order.broker_order_id or "": order for order in found}
    by_key = {row.key: row for row in orders}
    ours: dict[str, list[FillRow]] = {}
    for row in fills:
        ours.setdefault(row.order_key, []).append(row)
    made: dict[str, OrderRow] = {}
    kept: list[FillRow] = []
    known = 0
    for key in keys:
        before = recorded.get(key)
        if not ours.get(key):
            continue
        everything, again = _joined(before, ours[key])
        known += again
        made[key] = _order(by_key.get(key), before, everything)
        kept += everything
    rest = [row for row in orders if row.key not in made]
    alone = sum(key not in by_key and key not in recorded for key in made)
    return [*rest, *made.values()], kept, alone, known


def _joined(before: Order | None, new: list[FillRow]) -> tuple[list[FillRow], int]:
    """Return the fills recorded and the new ones, and how many of the new ones were recorded."""
    if before is None:
        return new, 0
    old = {_key(fill): fill for fill in before.fills}
    place, order_key = new[0].place, new[0].order_key
    joined = [
        FillRow(
            place=place, key=key, order_key=order_key, symbol=before.symbol,
            side=before.side or "", quantity=fill.quantity, price=fill.price,
            filled_at=fill.filled_at, commission=fill.commission,
        )
        for key, fill in old.items()
    ]  # fmt: skip
    known = 0
    for row in new:
        fill = old.get(row.key)
        if fill is None:
            joined.append(row)
            continue
        known += 1
        there = (fill.quantity, fill.price, fill.filled_at)
        here = (row.quantity, row.price, row.filled_at)
        if there != here:
            raise DuplicateError(
                f"{row.place}: the fill {row.key!r} is recorded with other content: "
                f"{there[0]:g} at {there[1]:g} on {there[2]} there, {here[0]:g} at {here[1]:g} on "
                f"{here[2]} here."
            )
    return joined, known


def _key(fill: Fill) -> str:
    return fill.broker_fill_id or f"recorded fill {fill.id}"


def _order(row: OrderRow | None, before: Order | None, fills: list[FillRow]) -> OrderRow:
    """Return the order of some fills: the file's, else the recorded one, else what they make."""
    last = max(reversed(fills), key=lambda fill: fill.filled_at)
    total = sum(fill.quantity for fill in fills)
    if row is None and before is not None and before.order_type != UNKNOWN:
        row = _recorded(before, fills[-1])
    if row is None:
        return _made(before, fills, total, last.filled_at)
    for fill in fills:
        if (fill.symbol, fill.side) != (row.symbol, row.side):
            raise DuplicateError(
                f"{fill.place}: the fill is a {fill.side} of {fill.symbol}, but its order "
                f"{row.key!r} ({row.place}) is a {row.side} of {row.symbol}."
            )
    if total > row.quantity * (1 + TOLERANCE):
        raise refuse_row(
            last.place,
            f"the order {row.key!r} of {row.quantity:g} {row.symbol} is filled beyond its quantity: "
            f"its fills add up to {total:g}",
        )
    if total <= row.filled_quantity * (1 + TOLERANCE):
        return row
    paid = sum(fill.quantity * fill.price for fill in fills)
    is_whole = total >= row.quantity * (1 - TOLERANCE)
    status = "FILLED" if is_whole else row.status
    return replace(
        row, filled_quantity=total, average_fill_price=paid / total, filled_at=last.filled_at,
        status="PARTIALLY_FILLED" if status == "PENDING" else status,
    )  # fmt: skip


def _recorded(before: Order, fill: FillRow) -> OrderRow:
    return OrderRow(
        place=fill.place, key=before.broker_order_id or "", symbol=before.symbol,
        side=before.side or "", quantity=before.quantity, status=before.status or "PENDING",
        placed_at=before.placed_at or fill.filled_at, filled_at=before.filled_at,
        filled_quantity=before.filled_quantity or 0.0,
        average_fill_price=before.average_fill_price, commission=before.commission,
        order_type=before.order_type or "MARKET", price=before.price,
        stop_price=before.stop_price, time_in_force=before.time_in_force,
    )  # fmt: skip


def _made(before: Order | None, fills: list[FillRow], total: float, last: dt.datetime) -> OrderRow:
    first = min(fills, key=lambda fill: fill.filled_at)
    whole = max([total, *(fill.of for fill in fills if fill.of is not None)])
    one = fills[-1]
    if any((fill.symbol, fill.side) != (one.symbol, one.side) for fill in fills):
        raise DuplicateError(
            f"{one.place}: the fills of the order {one.order_key!r} are not of one symbol and side."
        )
    stated = [fill.of for fill in fills if fill.of is not None]
    if stated and total > max(stated) * (1 + TOLERANCE):
        raise refuse_row(
            one.place,
            f"the order {one.order_key!r} is filled beyond its quantity {max(stated):g}: its fills add "
            f"up to {total:g}",
        )
    placed = before.placed_at if before is not None and before.placed_at else first.filled_at
    paid = sum(fill.quantity * fill.price for fill in fills)
    is_whole = total >= whole * (1 - TOLERANCE)
    return OrderRow(
        place=one.place, key=one.order_key, symbol=one.symbol, side=one.side, quantity=whole,
        status="FILLED" if is_whole else "PARTIALLY_FILLED", placed_at=min(placed, first.filled_at)
        if before is None else placed, filled_at=last, filled_quantity=total,
        average_fill_price=paid / total,
    )  # fmt: skip


def fills_frame(fills: list[FillRow]) -> pd.DataFrame:
    """Return fills as `record_orders` takes them; the index names their rows."""
    names = ("quantity", "price", "commission", "filled_at")
    columns = {name: [getattr(row, name) for row in fills] for name in names}
    columns |= {
        "broker_order_id": [row.order_key for row in fills],
        "broker_fill_id": [
            None if row.key.startswith("recorded fill ") else row.key for row in fills
        ],
    }
    frame = pd.DataFrame(columns, index=[str(row.place) for row in fills])
    return frame.astype({"broker_order_id": "str", "broker_fill_id": "str"})
