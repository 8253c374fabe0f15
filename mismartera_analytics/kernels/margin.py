"""What a margin account allows: gross exposure up to a multiple of its equity, after each fill.

The position traded is valued at the fill's price, the others at the prices of the moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.book import forced, price_now
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    FORCED,
    MARGIN_CALL,
    NO_MARGIN,
    NO_SIZE,
    WORKING,
)
from mismartera_analytics.kernels.sizing import (
    TOLERANCE,
    charge,
    fee,
    most,
    room,
    slipped,
    whole,
)

__all__ = ["call_margin", "check_margin", "margin_factor", "part"]


@kernel
def part(order: Any, units: float, factor: float) -> float:
    """Return the order's shares with what opens or enlarges a position multiplied by `factor`."""
    quantity: float = order.quantity - order.filled
    closing = min(quantity, max(-order.side * units, 0.0))
    return float(closing + (quantity - closing) * factor)


@kernel
def check_margin(
    order: Any,
    quantity: float,
    price: float,
    moment: int,
    row: int,
    prices: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> tuple[float, int]:
    """Return the shares to trade and 0, or a reason why none are."""
    if quantity <= 0.0:
        return 0.0, NO_SIZE
    side = order.side
    units = holdings[0, order.symbol]
    left = abs(units + side * quantity)
    if left <= abs(units) * (1.0 + TOLERANCE):
        return quantity, 0
    equity = now.cash + units * price
    gross = 0.0
    for symbol in range(holdings.shape[1]):
        if symbol != order.symbol and holdings[0, symbol] != 0.0:
            worth = holdings[0, symbol] * price_now(moment, row, symbol, prices, holdings)
            equity += worth
            gross += abs(worth)
    after = gross + left * price
    allowed = rule.leverage * (equity - charge(rule, order, quantity, price))
    if after - allowed <= TOLERANCE * after:
        return quantity, 0
    if rule.partial_on_cash == 1:
        left_over = rule.leverage * equity - gross - side * units * price
        fitting = max(
            most(rule, side, left_over, price, rule.leverage), whole(rule, max(-side * units, 0.0))
        )
        if fitting > 0.0:
            return fitting, 0
    return quantity, NO_MARGIN


@kernel
def margin_factor(
    moment: int,
    row: int,
    prices: Any,
    orders: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> float:
    """Return the largest factor, at most 1, by which what a rebalance opens fits the leverage."""
    places = np.empty(now.working, np.int64)
    costs = np.empty(now.working)
    count = 0
    equity, gross = now.cash, 0.0
    for symbol in range(holdings.shape[1]):
        if holdings[0, symbol] != 0.0:
            worth = holdings[0, symbol] * price_now(moment, row, symbol, prices, holdings)
            equity += worth
            gross += abs(worth)
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == moment and order.status == WORKING and order.is_target == 1:
            units = holdings[0, order.symbol]
            volume = prices[4, order.symbol, row]
            traded = holdings[2, order.symbol] if holdings[3, order.symbol] == row else 0.0
            piece = min(order.quantity - order.filled, room(rule, traded, volume))
            price = slipped(rule, order, float(order.side), piece, traded, volume)
            if units != 0.0:
                before = price_now(moment, row, order.symbol, prices, holdings)
                equity += units * (price - before)
                gross -= abs(units) * before
            places[count] = working[k]
            costs[count] = price
            count += 1
    if _fits(1.0, equity, gross, orders, places[:count], costs, holdings, rule):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _fits(middle, equity, gross, orders, places[:count], costs, holdings, rule):
            low = middle
        else:
            high = middle
    return low


@kernel
def _fits(
    factor: float,
    equity: float,
    gross: float,
    orders: Any,
    places: Any,
    costs: Any,
    holdings: Any,
    rule: Any,
) -> bool:
    for k in range(len(places)):
        order = orders[places[k]]
        units = holdings[0, order.symbol]
        quantity = part(order, units, factor)
        if quantity > 0.0:
            equity -= fee(rule, order.side, quantity, costs[k])
        gross += abs(units + order.side * quantity) * costs[k]
    return bool(gross - rule.leverage * equity <= TOLERANCE * gross)


@kernel
def call_margin(
    row: int, placed: int, orders: Any, working: Any, holdings: Any, now: Any, rule: Any
) -> None:
    """Place what closes so much that the account's value carries the rest, the largest position first.

    Called at a bar's close, once the account is valued. What earlier calls have not closed yet counts
    as closed.
    """
    symbols = holdings.shape[1]
    equity, needed = now.cash, 0.0
    now.watched = 0
    left = np.abs(holdings[0])
    for k in range(now.working):
        order = orders[working[k]]
        if order.condition == FORCED and order.status == WORKING:
            left[order.symbol] = max(left[order.symbol] - (order.quantity - order.filled), 0.0)
    for symbol in range(symbols):
        units = holdings[0, symbol]
        if units != 0.0:
            now.watched = 1
            equity += units * holdings[1, symbol]
            rate = rule.keep_long if units > 0.0 else rule.keep_short
            needed += left[symbol] * holdings[1, symbol] * rate
    lacking = needed - equity
    # Twice: an account that the leverage's own tolerance filled to the brim is not called for it.
    while lacking > 2.0 * TOLERANCE * needed:
        largest, most_worth = -1, 0.0
        for symbol in range(symbols):
            worth = left[symbol] * holdings[1, symbol]
            if worth > most_worth * (1.0 + TOLERANCE):  # of two alike the first, however rounded
                largest, most_worth = symbol, worth
        if largest < 0:
            return
        units, price = holdings[0, largest], holdings[1, largest]
        rate = rule.keep_long if units > 0.0 else rule.keep_short
        quantity = left[largest]
        if lacking < quantity * price * rate:
            quantity = lacking / (rate * price)
            if rule.whole == 1:
                quantity = np.ceil(quantity - TOLERANCE * max(1.0, quantity))
            quantity = min(quantity, left[largest])
        change = -quantity if units > 0.0 else quantity
        working[now.working] = forced(row, placed, largest, change, MARGIN_CALL, orders, now)
        now.working += 1
        left[largest] = 0.0
        lacking -= quantity * price * rate
