"""Orders that hang together: brackets, orders that cancel one another, and stops that trail."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    AT_OPEN,
    CANCELLED,
    LIMIT,
    NEVER,
    NOT_HELD,
    ON_SHARES,
    OTHER_FILLED,
    REGULAR,
    STOP,
    TRAILING_STOP,
    WAITING,
    WORKING,
)

__all__ = ["after_fill", "follow", "last_price", "release", "trailed"]

TOLERANCE = 1e-9  # of a quantity [1]


@kernel
def after_fill(
    index: int,
    moment: int,
    row: int,
    quantity: float,
    price: float,
    orders: Any,
    working: Any,
    now: Any,
) -> None:
    """Begin or enlarge an order's bracket, and end what its fill of `quantity` shares cancels."""
    order = orders[index]
    for k in range(index + 1, index + 1 + order.children):
        child = orders[k]
        if child.status == WAITING:
            _begin(child, order, index, moment, row, quantity, price)
            working[now.working] = k
            now.working += 1
            now.linked += 1
        elif child.status == WORKING:
            child.quantity += quantity
    group = order.group
    if group == 0:
        return
    for k in range(now.working):
        other = orders[working[k]]
        if working[k] == index or other.group != group or other.status != WORKING:
            continue
        rest = other.quantity - other.filled - quantity
        if group > 0 or rest <= TOLERANCE * quantity:
            _cancel(other, OTHER_FILLED)
        else:
            other.quantity -= quantity
    if group < 0:
        _cancel(orders[-group - 1], OTHER_FILLED)


@kernel
def _begin(
    child: Any, order: Any, index: int, moment: int, row: int, quantity: float, price: float
) -> None:
    """Make a waiting child an order on what its parent has filled at `price`."""
    child.status = WORKING
    child.side = -order.side
    child.quantity = quantity
    child.parent = index
    child.group = -(index + 1)
    child.placed = order.placed
    child.moment = NEVER
    # Of an entry at the open the whole bar comes later, of any other one only its close is known to.
    child.row = row - 1 if moment == AT_OPEN else row
    if child.type == TRAILING_STOP:
        child.stop = trailed(child, price)
    elif child.rate == child.rate and child.type == STOP:
        child.stop = price * (1.0 + child.side * child.rate)
    elif child.rate == child.rate and child.type == LIMIT:
        child.limit = price * (1.0 - child.side * child.rate)


@kernel
def _cancel(order: Any, reason: int) -> None:
    if order.status == WORKING:
        order.status = CANCELLED
        order.reason = reason


@kernel
def release(symbol: int, orders: Any, working: Any, holdings: Any, now: Any) -> None:
    """End the brackets of a symbol whose position is gone, with what is left of their entries."""
    for k in range(now.working):
        child = orders[working[k]]
        if child.symbol != symbol or child.parent < 0 or child.status != WORKING:
            continue
        if holdings[0, symbol] * child.side >= 0.0:
            _cancel(child, NOT_HELD)
            _cancel(orders[child.parent], NOT_HELD)


@kernel
def trailed(order: Any, price: float) -> float:
    """Return the stop of a trailing order that has seen `price` as its best."""
    distance = order.trail if order.trail == order.trail else price * order.rate
    level: float = price + order.side * distance
    return level


@kernel
def follow(row: int, times: Any, prices: Any, orders: Any, working: Any, now: Any) -> None:
    """Move trailing stops after a bar in regular hours, never away from the price.

    Of a bar that had begun when the order was placed only the close is known to come later.
    """
    for k in range(now.working):
        order = orders[working[k]]
        close = prices[3, order.symbol, row]
        if order.type != TRAILING_STOP or order.status != WORKING or close != close:
            continue
        calendar = times.calendar[order.symbol]
        if times.flags[calendar, row] & REGULAR == 0:
            continue
        best = close
        if order.row < row and times.start[calendar, row] >= order.placed:
            best = prices[1 if order.side < 0 else 2, order.symbol, row]
        level = trailed(order, best)
        if order.stop != order.stop or order.side * (level - order.stop) < 0.0:
            order.stop = level


@kernel
def last_price(row: int, order: Any, prices: Any, actions: Any, now: Any) -> float:
    """Return the symbol's last close up to `row` in the shares the order is placed in, NaN if none."""
    symbol = order.symbol
    for earlier in range(row, -1, -1):
        price: float = prices[3, symbol, earlier]
        if price == price:
            for k in range(len(actions)):
                action = actions[k]
                if action.kind != ON_SHARES or action.symbol != symbol or action.row <= earlier:
                    continue
                is_next = action.row == row + 1 and order.placed >= action.at
                if k < now.actions or is_next:
                    price /= action.ratio
            return price
    return np.nan
