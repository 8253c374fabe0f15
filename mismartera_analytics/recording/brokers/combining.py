"""Several files as one statement: rows that stand in more than one of them count once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from mismartera_analytics.errors import DuplicateError, InvalidInputError
from mismartera_analytics.recording.brokers.statement import (
    ActionRow,
    FillRow,
    FlowRow,
    OrderRow,
    Place,
    Statement,
)
from mismartera_analytics.recording.orders import FINAL

__all__ = ["combine"]

NOWHERE = Place("", "")
FIXED = (
    "symbol",
    "side",
    "quantity",
    "order_type",
    "price",
    "stop_price",
    "time_in_force",
    "placed_at",
)
Row = TypeVar("Row", FillRow, FlowRow)


def combine(statements: Iterable[Statement]) -> tuple[Statement, int]:
    """Return the rows of all statements, and how many stood in several.

    An order that is open in one file and done in another counts as done.

    Raises
    ------
    DuplicateError
        If a broker's id stands twice with other content; both rows are named.
    InvalidInputError
        If the files are of several brokers.
    """
    parts = list(statements)
    filled = [part for part in parts if part.orders or part.fills or part.flows or part.actions]
    first = (filled or parts)[0]
    if any((part.broker, part.has_ids) != (first.broker, first.has_ids) for part in filled):
        raise InvalidInputError(
            "paths holds files of several brokers; import those of one at a time."
        )
    joined = Statement(first.broker, has_ids=first.has_ids)
    orders: dict[str, OrderRow] = {}
    repeated = 0
    for part in parts:
        for order in part.orders:
            known = orders.get(order.key)
            orders[order.key] = order if known is None else _further(known, order)
            repeated += known is not None
        joined.skipped += part.skipped
        joined.notes += part.notes
    joined.orders = list(orders.values())
    joined.fills, again = _distinct([row for part in parts for row in part.fills], joined)
    repeated += again
    joined.flows, again = _distinct([row for part in parts for row in part.flows], joined)
    repeated += again
    actions: dict[ActionRow, ActionRow] = {}
    for action in (action for part in parts for action in part.actions):
        actions.setdefault(replace(action, place=NOWHERE), action)
    joined.actions = list(actions.values())
    return joined, repeated


def _distinct(rows: list[Row], joined: Statement) -> tuple[list[Row], int]:
    found: dict[str, Row] = {}
    for row in rows:
        known = found.setdefault(row.key, row)
        if joined.has_ids and replace(known, place=NOWHERE) != replace(row, place=NOWHERE):
            raise _differ(row.key, known.place, row.place)
    return list(found.values()), len(rows) - len(found)


def _further(one: OrderRow, other: OrderRow) -> OrderRow:
    """Return the later state of an order that stands in two files."""
    if replace(one, place=NOWHERE) == replace(other, place=NOWHERE):
        return one
    if any(getattr(one, name) != getattr(other, name) for name in FIXED):
        raise _differ(one.key, one.place, other.place)
    cancelled = [row for row in (one, other) if row.status == "CANCELLED"]
    if len(cancelled) == 1 and {one.status, other.status} == {"CANCELLED", "FILLED"}:
        return cancelled[0]
    if one.status in FINAL and other.status in FINAL:
        raise _differ(one.key, one.place, other.place)
    return max(one, other, key=lambda row: (row.status in FINAL, row.filled_quantity))


def _differ(key: str, one: Place, other: Place) -> DuplicateError:
    return DuplicateError(f"the id {key!r} stands in {one} and in {other} with other content.")
