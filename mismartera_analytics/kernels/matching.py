"""Where inside a bar an order fills, and at which price, before slippage."""

from __future__ import annotations

from typing import Any

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    AT_CALL,
    AT_CLOSE,
    AT_OPEN,
    CLS,
    EXPIRED,
    FORCED,
    INSIDE,
    LAST_OF_SESSION,
    LIMIT,
    MARKET,
    NEVER,
    NEXT_OPEN,
    OPG,
    STOP_LIMIT,
)

__all__ = ["fill_point"]


@kernel
def fill_point(
    order: Any, symbol: int, row: int, flags: int, is_first: int, prices: Any, rule: Any
) -> None:
    """Set ``order.moment`` and ``order.price`` for the bar of `row`; `is_first` matters to OPG only."""
    low = prices[2, symbol, row]
    high = prices[1, symbol, row]
    if order.tif == OPG:
        _at_auction(order, AT_OPEN, prices[0, symbol, row], is_first)
        if order.moment == NEVER:
            order.status = EXPIRED
    elif order.tif == CLS:
        is_last = (flags & LAST_OF_SESSION) != 0
        _at_auction(order, AT_CLOSE, prices[3, symbol, row], is_last)
    elif order.condition == FORCED:
        order.moment = AT_CALL
        order.price = prices[0, symbol, row]
    elif order.type == MARKET:
        order.moment = AT_OPEN if rule.fill == NEXT_OPEN else AT_CLOSE
        order.price = prices[0 if rule.fill == NEXT_OPEN else 3, symbol, row]
    elif order.type == LIMIT:
        _limit(order, prices[0, symbol, row], high, low, rule)
    elif order.type == STOP_LIMIT:
        _stop_limit(order, prices[0, symbol, row], high, low, rule)
    else:
        _stop(order, prices[0, symbol, row], high, low)


@kernel
def _at_auction(order: Any, moment: int, price: float, is_auction: int) -> None:
    is_good = order.type == MARKET or order.side * (order.limit - price) >= 0.0
    if is_auction and is_good:
        order.moment = moment
        order.price = price


@kernel
def _limit(order: Any, opened: float, high: float, low: float, rule: Any) -> None:
    if order.side * (order.limit - opened) >= 0.0:
        order.moment = AT_OPEN
        order.price = opened
        return
    best = low if order.side > 0 else high
    room = order.side * (order.limit - best)
    if room > 0.0 or (room == 0.0 and rule.limit_through == 0):
        order.moment = INSIDE
        order.price = order.limit


@kernel
def _stop(order: Any, opened: float, high: float, low: float) -> None:
    if order.triggered == 1 or order.side * (opened - order.stop) >= 0.0:
        order.moment = AT_OPEN
        order.price = opened
        order.triggered = 1
    elif order.side * ((high if order.side > 0 else low) - order.stop) >= 0.0:
        order.moment = INSIDE
        order.price = order.stop
        order.triggered = 1


@kernel
def _stop_limit(order: Any, opened: float, high: float, low: float, rule: Any) -> None:
    if order.triggered == 0 and order.side * (opened - order.stop) >= 0.0:
        order.triggered = 1
    if order.triggered == 1:
        _limit(order, opened, high, low, rule)
    elif order.side * ((high if order.side > 0 else low) - order.stop) >= 0.0:
        order.triggered = 1
        if order.side * (order.limit - order.stop) >= 0.0:
            order.moment = INSIDE
            order.price = order.stop
