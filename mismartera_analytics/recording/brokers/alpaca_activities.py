"""Alpaca's account activities: what ``GET /v2/account/activities`` returns, pages joined or not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mismartera_analytics.market_data.layout import is_symbol
from mismartera_analytics.recording.brokers.alpaca_orders import instant_at, side_of, text_at
from mismartera_analytics.recording.brokers.cells import (
    positive,
    read_day,
    read_number,
    symbol_of,
)
from mismartera_analytics.recording.brokers.files import Source, json_entries
from mismartera_analytics.recording.brokers.statement import (
    ActionRow,
    FillRow,
    FlowRow,
    Place,
    Skipped,
    Statement,
    When,
    refuse_row,
)

__all__ = ["read_alpaca_activities"]

FLOWS = {
    **dict.fromkeys(
        (
            "DIV",
            "DIVCGL",
            "DIVCGS",
            "DIVROC",
            "DIVTXEX",
            "DIVNRA",
            "DIVFT",
            "DIVTW",
            "DIVWH",
            "CIL",
        ),
        "DIVIDEND",
    ),
    **dict.fromkeys(("INT", "INTNRA", "INTTW", "INTPNL"), "INTEREST"),
    **dict.fromkeys(("FEE", "CFEE", "PTC", "PTR", "DIVFEE", "REG", "TAF"), "FEE"),
    **dict.fromkeys(("CSD", "CSW", "CSR", "TRANS"), "MONEY"),
    **dict.fromkeys(("JNLC", "JNL", "ACATC"), "TRANSFER"),
    **dict.fromkeys(("JNLS", "ACATS"), "LOTS"),
}
"""What the types become; the sign of money tells a deposit from a withdrawal."""

SPLITS = ("SPLIT", "SSP", "SSPLIT")
RENAMES = ("NC", "SC", "SCNC")
NOT_KEPT = ("canceled", "cancelled", "rejected", "pending")
CONTRACT = 100
"""Shares of an option's contract."""
_FROM_TO = re.compile(r"From\s+QTY:\s*([\d.]+),?\s*To\s+QTY:\s*([\d.]+)", re.IGNORECASE)


def read_alpaca_activities(source: Source) -> Statement:
    """Read activities: executions, money, splits and changes of symbol.

    Raises
    ------
    InvalidOrderError
        If an activity lacks what its type has; the entry is named.
    """
    statement = Statement("alpaca", has_ids=True)
    legs: list[tuple[Place, dict[str, Any]]] = []
    seen: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(json_entries(source.json), start=1):
        place = Place(source.name, f"entry {number}")
        key = text_at(entry, "id", place)
        if seen.get(key) == entry:
            continue  # pages overlap
        seen[key] = entry
        kind = text_at(entry, "activity_type", place).upper()
        if kind == "FILL":
            _add_fill(entry, place, statement)
        elif str(entry.get("status") or "").casefold() in NOT_KEPT:
            reason = f"its status is {entry['status']}"
            statement.skipped.append(replace(_skipped(entry, place, reason), amount=None))
        elif kind in (*SPLITS, *RENAMES):
            legs.append((place, entry))
        elif kind in FLOWS:
            _add_flow(entry, place, FLOWS[kind], statement)
        else:
            statement.skipped.append(_skipped(entry, place, "the records have no form for it"))
    _add_actions(legs, statement)
    return statement


def _skipped(entry: dict[str, Any], place: Place, reason: str) -> Skipped:
    amount = read_number(entry.get("net_amount"), "net_amount", place)
    return Skipped(place, str(entry.get("activity_type")), reason, entry.get("symbol") or None,
                   None if amount is None else float(amount))  # fmt: skip


def _add_fill(entry: dict[str, Any], place: Place, statement: Statement) -> None:
    symbol = symbol_of(text_at(entry, "symbol", place))
    quantity = positive(entry.get("qty"), "qty", place)
    price = positive(entry.get("price"), "price", place)
    if not is_symbol(symbol):
        moved = CONTRACT * quantity * price * (-1 if side_of(entry, place) == "BUY" else 1)
        reason = "options and symbols of over 10 characters are not kept"
        statement.skipped.append(Skipped(place, "FILL", reason, symbol, moved))
        return
    filled_at = instant_at(entry, "transaction_time", place)
    if filled_at is None:
        raise refuse_row(place, "transaction_time is missing")
    so_far = read_number(entry.get("cum_qty"), "cum_qty", place)
    left = read_number(entry.get("leaves_qty"), "leaves_qty", place)
    whole = None if so_far is None or left is None else float(so_far + left)
    if whole is not None and quantity > whole * (1 + 1e-9):
        raise refuse_row(
            place, f"qty={quantity:g} is more than the order's whole quantity {whole:g}"
        )
    statement.fills.append(
        FillRow(
            place=place, key=text_at(entry, "id", place),
            order_key=text_at(entry, "order_id", place), symbol=symbol,
            side=side_of(entry, place), quantity=quantity, price=price,
            filled_at=filled_at, of=whole,
        )
    )  # fmt: skip


def _add_flow(entry: dict[str, Any], place: Place, kind: str, statement: Statement) -> None:
    amount = read_number(entry.get("net_amount"), "net_amount", place)
    quantity = read_number(entry.get("qty"), "qty", place)
    symbol = symbol_of(str(entry.get("symbol") or ""))
    if symbol and not is_symbol(symbol):
        reason = "options and symbols of over 10 characters are not kept"
        statement.skipped.append(_skipped(entry, place, reason))
        return
    if kind == "LOTS":
        _add_lots(entry, place, statement)
        return
    if not amount:
        if amount is None:
            raise refuse_row(place, "net_amount is missing")
        reason = "it moves shares or coins, no money" if quantity else "it moves no money"
        statement.skipped.append(_skipped(entry, place, reason))
        return
    if kind == "MONEY":
        kind = "DEPOSIT" if amount > 0 else "WITHDRAWAL"
    described = entry.get("description") or ""
    name = str(entry["activity_type"])
    statement.flows.append(
        FlowRow(
            place=place, key=text_at(entry, "id", place), flow_type=kind,
            occurred_at=_when(entry, place), amount=float(amount),
            symbol=symbol or None if kind in ("DIVIDEND", "INTEREST", "FEE") else None,
            note=f"{name}: {described}" if described else name,
            is_for_fraction=name == "CIL" and bool(symbol),
        )
    )  # fmt: skip


def _add_lots(entry: dict[str, Any], place: Place, statement: Statement) -> None:
    quantity = read_number(entry.get("qty"), "qty", place)
    price = read_number(entry.get("price"), "price", place)
    if not quantity:
        raise refuse_row(place, "qty is missing")
    if quantity > 0 and price is None:
        reason = "the file does not tell what the shares cost; record them with record_flows()"
        statement.skipped.append(_skipped(entry, place, reason))
        return
    cost = float(quantity * price) if price is not None and quantity > 0 else 0.0
    statement.flows.append(
        FlowRow(
            place=place, key=text_at(entry, "id", place), flow_type="TRANSFER",
            occurred_at=_when(entry, place), amount=cost, quantity=float(quantity),
            symbol=symbol_of(text_at(entry, "symbol", place)), note=str(entry["activity_type"]),
        )
    )  # fmt: skip


def _when(entry: dict[str, Any], place: Place) -> When:
    """Return the day of an activity; where there is none, the instant at which it was made."""
    if entry.get("date"):
        return read_day(str(entry["date"])[:10], "date", place)
    found = instant_at(entry, "transaction_time", place) or instant_at(entry, "created_at", place)
    if found is None:
        raise refuse_row(place, "date is missing")
    return found


def _add_actions(legs: list[tuple[Place, dict[str, Any]]], statement: Statement) -> None:
    """Pair what an action takes away with what it gives."""
    done: set[Place] = set()
    for place, entry in legs:
        if place in done:
            continue
        kind = str(entry["activity_type"]).upper()
        quantity = read_number(entry.get("qty"), "qty", place)
        other = next(
            (
                (there, one) for there, one in legs
                if there not in done and there != place and _belong(entry, one, kind)
                and (read_number(one.get("qty"), "qty", there) or 0) * (quantity or 0) < 0
            ),
            None,
        )  # fmt: skip
        done |= {place} if other is None else {place, other[0]}
        pair = [(place, entry)] if other is None else [(place, entry), other]
        action = _rename(pair) if kind in RENAMES else _split(pair)
        if action is None:
            reason = "its counterpart is not in the file"
            statement.skipped += [_skipped(one, there, reason) for there, one in pair]
        else:
            statement.actions.append(action)


def _belong(one: dict[str, Any], other: dict[str, Any], kind: str) -> bool:
    if str(other["activity_type"]).upper() != kind or one.get("date") != other.get("date"):
        return False
    if one.get("group_id") and other.get("group_id"):
        return bool(one["group_id"] == other["group_id"])
    return kind in RENAMES or one.get("symbol") == other.get("symbol")


def _signed(pair: list[tuple[Place, dict[str, Any]]]) -> list[tuple[float, Place, dict[str, Any]]]:
    found = []
    for place, entry in pair:
        number = read_number(entry.get("qty"), "qty", place)
        found.append((float(number or 0), place, entry))
    return sorted(found, key=lambda leg: leg[0])


def _rename(pair: list[tuple[Place, dict[str, Any]]]) -> ActionRow | None:
    if len(pair) < 2:
        return None
    (_, _, old), (_, place, new) = _signed(pair)
    before, after = (symbol_of(str(leg.get("symbol") or "")) for leg in (old, new))
    if before == after or not is_symbol(before) or not is_symbol(after):
        return None
    day = read_day(text_at(new, "date", place)[:10], "date", place)
    return ActionRow(place=place, symbol=before, action_type="SYMBOL_CHANGE", ex_date=day,
                     new_symbol=after)  # fmt: skip


def _split(pair: list[tuple[Place, dict[str, Any]]]) -> ActionRow | None:
    legs = _signed(pair)
    quantity, place, entry = legs[-1]
    day = read_day(text_at(entry, "date", place)[:10], "date", place)
    symbol = symbol_of(text_at(entry, "symbol", place))
    before: float | None = None
    after: float | None = None
    told = _FROM_TO.search(str(entry.get("description") or ""))
    if len(legs) == 2:
        before, after = abs(legs[0][0]), quantity
    elif told:
        before, after = float(told[1]), float(told[2])
    if not before or not after:
        return None
    return ActionRow(place=place, symbol=symbol, action_type="SPLIT", ex_date=day, before=before,
                     after=after)  # fmt: skip
