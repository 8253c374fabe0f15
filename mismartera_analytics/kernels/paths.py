"""What a bar does not tell: which of two prices between its low and its high came first.

``PESSIMISTIC`` takes the stop first, ``BEST`` the target, and ``OHLC`` walks from the open to the
nearer of high and low (the low when both are as near), then to the other one, then to the close.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    BEST,
    INSIDE,
    LIMIT,
    NEVER,
    OHLC,
    PESSIMISTIC,
    WORKING,
)

__all__ = ["settle", "settle_entries"]

_NOTHING = 0
_STOP = 1
_TARGET = 2


@kernel
def settle(
    row: int, prices: Any, orders: Any, working: Any, holdings: Any, now: Any, rule: Any
) -> None:
    """Mark fills inside the bar that hang on its path; of linked ones leave what is reached first."""
    for k in range(now.working):
        holdings[4, orders[working[k]].symbol] = 0.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == INSIDE and order.status == WORKING:
            touched = holdings[4, order.symbol]
            if order.price > prices[0, order.symbol, row]:
                holdings[4, order.symbol] = 1.0 if touched == 0.0 or touched == 1.0 else 3.0
            else:
                holdings[4, order.symbol] = 2.0 if touched == 0.0 or touched == 2.0 else 3.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == INSIDE and holdings[4, order.symbol] == 3.0:
            order.ambiguous = 1
    if now.linked == 0:
        return
    for k in range(now.working):
        order = orders[working[k]]
        if order.group == 0 or order.moment != INSIDE or order.status != WORKING:
            continue
        for other_k in range(k + 1, now.working):
            other = orders[working[other_k]]
            is_rival = other.group == order.group and other.moment == INSIDE
            if is_rival and other.status == WORKING and order.moment == INSIDE:
                _choose(order, other, row, prices, now, rule)


@kernel
def _choose(order: Any, other: Any, row: int, prices: Any, now: Any, rule: Any) -> None:
    """Let the one of two rivals that is reached first fill; `order` is the older."""
    opened = prices[0, order.symbol, row]
    is_up, other_is_up = order.price > opened, other.price > opened
    if is_up == other_is_up:
        is_first = abs(order.price - opened) <= abs(other.price - opened)
    else:
        now.ambiguous += 1
        if rule.path == OHLC:
            is_first = is_up == _high_first(order.symbol, row, prices)
        elif (order.type == LIMIT) == (other.type == LIMIT):
            is_first = True
        else:
            is_first = (order.type == LIMIT) == (rule.path == BEST)
    if is_first:
        other.moment = NEVER
    else:
        order.moment = NEVER


@kernel
def _high_first(symbol: int, row: int, prices: Any) -> bool:
    opened = prices[0, symbol, row]
    is_first: bool = prices[1, symbol, row] - opened < opened - prices[2, symbol, row]
    return is_first


@kernel
def settle_entries(
    first: int, row: int, prices: Any, orders: Any, fills: Any, working: Any, now: Any, rule: Any
) -> None:
    """Let a bar inside which entries filled fill their brackets, from `first` of the book."""
    k = first
    while k < now.working:
        child = orders[working[k]]
        last = k
        if k + 1 < now.working and orders[working[k + 1]].group == child.group:
            last = k + 1
        stop = child.stop if child.type != LIMIT else np.nan
        target = orders[working[last]].limit
        hit = _NOTHING
        if child.status == WORKING:
            hit = _first_of_bracket(child, stop, target, row, prices, orders, fills, now, rule)
        if hit != _NOTHING:
            chosen = orders[working[last if hit == _TARGET else k]]
            entry = orders[child.parent].price
            level = target if hit == _TARGET else stop
            is_passed = child.side * (level - entry if hit == _TARGET else entry - level) >= 0.0
            chosen.price = entry if is_passed else level
            chosen.moment = INSIDE
            chosen.triggered = 1
        k = last + 1


@kernel
def _first_of_bracket(
    child: Any,
    stop: float,
    target: float,
    row: int,
    prices: Any,
    orders: Any,
    fills: Any,
    now: Any,
    rule: Any,
) -> int:
    """Return which of stop and target the bar reaches after an entry inside it; mark what is unsure."""
    symbol, parent = child.symbol, child.parent
    opened, close = prices[0, symbol, row], prices[3, symbol, row]
    high, low = prices[1, symbol, row], prices[2, symbol, row]
    entry = orders[parent].price
    up_first = _high_first(symbol, row, prices)
    if child.side > 0:  # a short position: look at it upside down
        high, low = -low, -high
        opened, close, entry, stop, target = -opened, -close, -entry, -stop, -target
        up_first = not up_first
    if stop >= entry:
        return _STOP
    if target <= entry:
        return _TARGET
    through = rule.limit_through == 1
    stop_in = low <= stop
    if not (stop_in or _reaches(high, target, through)):
        return _NOTHING
    now.ambiguous += 1
    if rule.path == PESSIMISTIC:
        hit = _STOP if stop_in else _NOTHING
        if hit == _NOTHING and close >= target and _reaches(high, target, through):
            hit = _TARGET
    elif rule.path == BEST:
        hit = _TARGET if _reaches(high, target, through) else _NOTHING
        if hit == _NOTHING and (entry < opened or close <= stop):
            hit = _STOP
    else:
        hit = _walk(entry > opened, up_first, high, low, close, stop, target, through)
    if hit != _NOTHING:
        child.ambiguous = 1
        for k in range(parent + 1, parent + 1 + orders[parent].children):
            orders[k].ambiguous = 1
    else:
        k = now.fills - 1
        while fills[k].order != parent:
            k -= 1
        fills[k].ambiguous = 1
    return hit


@kernel
def _reaches(price: float, target: float, through: int) -> bool:
    return price > target or (price == target and not through)


@kernel
def _walk(
    is_rising: int,
    up_first: int,
    high: float,
    low: float,
    close: float,
    stop: float,
    target: float,
    through: int,
) -> int:
    """Return what the path from the entry on reaches first; `is_rising` tells the entry's own leg."""
    corner, other = (high, low) if up_first else (low, high)
    for leg in range(3):
        end = corner if leg == 0 else (other if leg == 1 else close)
        if leg == 0 and is_rising != up_first:
            continue
        if end <= stop:
            return _STOP
        if _reaches(end, target, through):
            return _TARGET
    return _NOTHING
