"""Alpaca's orders: what ``GET /v2/orders`` returns, legs nested or not."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mismartera_analytics import clock
from mismartera_analytics.errors import as_given
from mismartera_analytics.market_data.layout import is_symbol
from mismartera_analytics.recording.brokers.cells import positive, read_number, symbol_of
from mismartera_analytics.recording.brokers.files import Source, json_entries
from mismartera_analytics.recording.brokers.statement import (
    OrderRow,
    Place,
    Skipped,
    Statement,
    refuse_row,
)

__all__ = ["instant_at", "read_alpaca_orders", "side_of", "text_at"]

STATUSES = {
    "filled": "FILLED",
    "partially_filled": "PARTIALLY_FILLED",
    "canceled": "CANCELLED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
    "replaced": "REPLACED",
}
OPEN = (
    "new", "accepted", "pending_new", "accepted_for_bidding", "pending_cancel", "pending_replace",
    "done_for_day", "stopped", "suspended", "calculated", "held", "pending_review",
)  # fmt: skip
TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")


def read_alpaca_orders(source: Source) -> Statement:
    """Read orders; each leg of a bracket is an order of its own.

    Raises
    ------
    InvalidOrderError
        If an order lacks what every order has, or is filled beyond its quantity or without a price.
        The entry is named.
    """
    statement = Statement("alpaca", has_ids=True)
    for number, entry in enumerate(json_entries(source.json), start=1):
        _add(entry, Place(source.name, f"entry {number}"), statement)
    return statement


def _add(entry: dict[str, Any], place: Place, statement: Statement) -> None:
    legs = entry.get("legs") or []
    is_frame = entry.get("order_class") == "mleg" or (legs and not entry.get("symbol"))
    if not is_frame:
        found = _order(entry, place)
        kept = statement.orders if isinstance(found, OrderRow) else statement.skipped
        kept.append(found)  # type: ignore[arg-type]
    for number, leg in enumerate(legs, start=1):
        _add(leg, Place(place.file, f"{place.row} leg {number}"), statement)


def _order(entry: dict[str, Any], place: Place) -> OrderRow | Skipped:
    symbol = symbol_of(text_at(entry, "symbol", place))
    status = text_at(entry, "status", place).casefold()
    filled = read_number(entry.get("filled_qty"), "filled_qty", place) or 0
    average = read_number(entry.get("filled_avg_price"), "filled_avg_price", place)
    if not is_symbol(symbol):
        reason = "options and symbols of over 10 characters are not kept"
        return Skipped(place, "order", reason, symbol)
    if status not in STATUSES and status not in OPEN:
        raise refuse_row(place, f"status={as_given(status)} is none of Alpaca's")
    if entry.get("qty") in (None, ""):
        if not filled or status not in STATUSES or status == "partially_filled":
            return Skipped(place, "order", "it is of an amount of money, and has no quantity yet",
                           symbol)  # fmt: skip
        quantity = float(filled)
    else:
        quantity = positive(entry["qty"], "qty", place)
    if float(filled) > quantity * (1 + 1e-9):
        raise refuse_row(place, f"filled_qty={filled} is more than qty={quantity:g}")
    if filled and average is None:
        raise refuse_row(place, f"filled_qty={filled}, but filled_avg_price is missing")
    return OrderRow(
        place=place, key=text_at(entry, "id", place), symbol=symbol, side=side_of(entry, place),
        quantity=quantity, filled_quantity=float(filled),
        average_fill_price=None if average is None else float(average),
        status=STATUSES.get(status, "PARTIALLY_FILLED" if filled else "PENDING"),
        commission=_number(entry, "commission", place),
        order_type=_type(entry, place), price=_number(entry, "limit_price", place),
        stop_price=_number(entry, "stop_price", place),
        time_in_force=(entry.get("time_in_force") or "").upper() or None,
        placed_at=_placed_at(entry, place),
        filled_at=instant_at(entry, "filled_at", place) if filled else None,
    )  # fmt: skip


def _type(entry: dict[str, Any], place: Place) -> str:
    name = str(entry.get("type") or entry.get("order_type") or "").casefold()
    if name not in TYPES:
        raise refuse_row(place, f"type={as_given(name)} is none of Alpaca's")
    return name.upper()


def _placed_at(entry: dict[str, Any], place: Place) -> dt.datetime:
    found = instant_at(entry, "submitted_at", place) or instant_at(entry, "created_at", place)
    if found is None:
        raise refuse_row(place, "submitted_at is missing")
    return found


def _number(entry: dict[str, Any], name: str, place: Place) -> float | None:
    number = read_number(entry.get(name), name, place)
    return None if number is None else float(number)


def text_at(entry: dict[str, Any], name: str, place: Place) -> str:
    """Return a text that must be there.

    Raises
    ------
    InvalidOrderError
        If it is missing or blank.
    """
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise refuse_row(place, f"{name} is missing")
    return value.strip()


def side_of(entry: dict[str, Any], place: Place) -> str:
    """Return BUY or SELL; a short sale is a sale.

    Raises
    ------
    InvalidOrderError
        If it is something else.
    """
    side = text_at(entry, "side", place).casefold()
    if side not in ("buy", "sell", "sell_short"):
        raise refuse_row(place, f"side={as_given(side)} is not one of buy, sell, sell_short")
    return "BUY" if side == "buy" else "SELL"


def instant_at(entry: dict[str, Any], name: str, place: Place) -> dt.datetime | None:
    """Return an instant in UTC, to the microsecond; None where it is missing.

    Raises
    ------
    InvalidOrderError
        If it is no instant with a zone.
    """
    value = entry.get(name)
    if value in (None, ""):
        return None
    try:
        return clock.parse_instant(str(value), argument=name)
    except ValueError as error:
        raise refuse_row(place, str(error).rstrip(".")) from None
