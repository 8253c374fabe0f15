"""Filling the orders of one moment of a bar: sizes, their sequence, cash, fees."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.book import price_now
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    ALL_CASH,
    AT_CALL,
    AT_OPEN,
    CANCELLED,
    FILLED,
    INSIDE,
    NEVER,
    NO_CASH,
    NO_MARGIN,
    NO_SHARES,
    NO_SIZE,
    PERCENT,
    REJECTED,
    TARGET,
    UNITS,
    VOID,
    WORKING,
)
from mismartera_analytics.kernels.limits import check_limits
from mismartera_analytics.kernels.linked import after_fill, release
from mismartera_analytics.kernels.margin import check_margin, margin_factor, part
from mismartera_analytics.kernels.sizing import (
    TOLERANCE,
    change_to,
    charge,
    common_factor,
    fitting,
    most,
    room,
    slipped,
    whole,
)

__all__ = ["execute_moment"]


@kernel
def execute_moment(
    moment: int,
    row: int,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fill every working order whose ``moment`` this is.

    What reduces a position goes first, and so does what a rebalance makes smaller; the rest follows
    by placement, what a rebalance enlarges together where the first of it stands.
    """
    _size_all(moment, row, prices, orders, working, holdings, now, rule)
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == moment and order.status == WORKING and order.goes_first == 1:
            _fill(working[k], moment, row, 1.0, prices, orders, fills, working, holdings, now, rule)
    factor = -1.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment != moment or order.status != WORKING:
            continue
        if order.is_target == 0:
            _fill(working[k], moment, row, 1.0, prices, orders, fills, working, holdings, now, rule)
        elif factor < 0.0:
            if rule.margin == 1:
                factor = margin_factor(moment, row, prices, orders, working, holdings, now, rule)
            else:
                factor = _cash_factor(moment, row, prices, orders, working, holdings, now, rule)
            for other in range(k, now.working):
                buy = orders[working[other]]
                if buy.moment == moment and buy.status == WORKING and buy.is_target == 1:
                    _fill(
                        working[other],
                        moment,
                        row,
                        factor,
                        prices,
                        orders,
                        fills,
                        working,
                        holdings,
                        now,
                        rule,
                    )


@kernel
def _size_all(
    moment: int,
    row: int,
    prices: Any,
    orders: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Work out the shares of the moment's orders from the account's value, taken once."""
    value = np.nan
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment != moment:
            continue
        units = holdings[0, order.symbol]
        if order.sizing == TARGET or order.sizing == PERCENT:
            if value != value and order.size != 0.0:
                value = _account_value(moment, row, prices, holdings, now)
            if order.size != 0.0 and value < 0.0:
                order.status = REJECTED
                order.reason = NO_MARGIN
                continue
            signed = 0.0 if order.size == 0.0 else whole(rule, order.size * value / order.price)
            signed = change_to(signed, units) if order.sizing == TARGET else order.side * signed
            order.quantity = abs(signed)
            if signed != 0.0:
                order.side = 1 if signed > 0.0 else -1
            else:
                order.status = VOID if order.sizing == TARGET else REJECTED
                order.reason = NO_SIZE
        is_first = units * order.side < 0.0
        if order.is_target == 1 and rule.margin == 0:
            is_first = order.side < 0
        elif order.is_target == 1:
            ends_smaller = order.quantity - order.filled <= 2.0 * abs(units) * (1.0 + TOLERANCE)
            is_first = order.size == 0.0 or (is_first and ends_smaller)
        order.goes_first = 1 if is_first else 0


@kernel
def _account_value(moment: int, row: int, prices: Any, holdings: Any, now: Any) -> float:
    value: float = now.cash
    for symbol in range(holdings.shape[1]):
        if holdings[0, symbol] != 0.0:
            value += holdings[0, symbol] * price_now(moment, row, symbol, prices, holdings)
    return value


@kernel
def _cash_factor(
    moment: int,
    row: int,
    prices: Any,
    orders: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> float:
    quantities = np.empty(now.working)
    costs = np.empty(now.working)
    count = 0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == moment and order.status == WORKING and order.is_target == 1:
            symbol = order.symbol
            volume = prices[4, symbol, row]
            traded = holdings[2, symbol] if holdings[3, symbol] == row else 0.0
            quantity = order.quantity - order.filled
            slice_of = min(quantity, room(rule, traded, volume))
            quantities[count] = quantity
            costs[count] = slipped(rule, order, 1.0, slice_of, traded, volume)
            count += 1
    return common_factor(rule, quantities[:count], costs[:count], now.cash)


@kernel
def _fill(
    index: int,
    moment: int,
    row: int,
    factor: float,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fill one order as far as the bar's volume goes, or reject it with a reason."""
    order = orders[index]
    order.moment = NEVER
    symbol = order.symbol
    units, volume = holdings[0, symbol], prices[4, symbol, row]
    traded = holdings[2, symbol] if holdings[3, symbol] == row else 0.0
    available = room(rule, traded, volume)
    if available == 0.0:
        return
    asked = _asked(order, units, factor, traded, volume, now, rule)
    side = float(order.side)
    price = slipped(rule, order, side, min(asked, available), traded, volume)
    quantity, reason = asked, 0 if asked > 0.0 else NO_SIZE
    if rule.margin == 0:
        quantity, reason = _check_cash(order, asked, price, units, traded, volume, now, rule)
    elif order.is_target == 0:
        quantity, reason = check_margin(
            order, asked, price, moment, row, prices, holdings, now, rule
        )
    if reason == 0 and rule.limited == 1:
        reason = check_limits(order, quantity, price, moment, row, prices, holdings, rule)
    if reason != 0:
        _end(order, quantity, reason)
        return
    filled = min(quantity, available)
    if quantity < asked:
        price = slipped(rule, order, side, filled, traded, volume)
    costs = charge(rule, order, filled, price)
    now.cash -= order.side * filled * price + costs
    takes_all = order.sizing == ALL_CASH and order.side > 0 and quantity == asked
    if rule.margin == 0:
        takes_all |= order.side > 0 and quantity < asked
    takes_all &= rule.whole == 0 and filled == quantity and order.filled == 0.0
    if (now.cash < 0.0 and rule.margin == 0) or takes_all:
        now.cash = 0.0
    left = units + order.side * filled
    holdings[0, symbol] = 0.0 if abs(left) <= TOLERANCE * filled else left
    holdings[2, symbol] = traded + filled
    holdings[3, symbol] = row
    _book(order, quantity, filled, price, costs, row)
    fill = fills[now.fills]
    fill.order = index
    fill.row = row
    fill.moment = AT_OPEN if moment == AT_CALL else moment
    fill.symbol = symbol
    fill.quantity = order.side * filled
    fill.price = price
    fill.fee = costs
    fill.ambiguous = order.ambiguous if moment == INSIDE else 0
    now.fills += 1
    if order.children > 0 or order.group != 0:
        after_fill(index, moment, row, filled, price, orders, working, now)
    if now.linked > 0 and units * holdings[0, symbol] <= 0.0:
        release(symbol, orders, working, holdings, now)


@kernel
def _asked(
    order: Any, units: float, factor: float, traded: float, volume: float, now: Any, rule: Any
) -> float:
    """Return the shares that the order still comes to, before cash and margin are looked at."""
    if order.sizing == ALL_CASH and order.side > 0:
        return fitting(rule, order, now.cash, traded, volume)
    if order.sizing == ALL_CASH:
        return most(rule, order.side, now.cash, slipped(rule, order, -1.0, 0.0, 0.0, 1.0), 1.0)
    quantity: float = order.quantity - order.filled
    if factor < 1.0:
        quantity = whole(rule, part(order, units, factor))
    is_closing = order.size == 0.0 or (rule.margin == 0 and order.side < 0)
    if order.parent >= 0 or (order.is_target == 1 and is_closing):
        quantity = min(quantity, max(-order.side * units, 0.0))
    return quantity


@kernel
def _book(order: Any, quantity: float, filled: float, price: float, costs: float, row: int) -> None:
    """Enter a fill of `filled` out of the `quantity` left into its order."""
    before = order.filled
    order.quantity = before + quantity
    order.fill_price = (
        price if before == 0.0 else (before * order.fill_price + filled * price) / (before + filled)
    )
    order.filled = before + filled
    order.fee += costs
    order.fill_row = row
    if filled == quantity:
        order.status = FILLED
    elif order.sizing != ALL_CASH or order.side < 0:
        order.sizing = UNITS


@kernel
def _end(order: Any, quantity: float, reason: int) -> None:
    """End an order that cannot fill, or what is left of it."""
    if order.filled == 0.0:
        order.quantity = quantity if quantity > 0.0 else order.quantity
        order.status = VOID if reason == NO_SIZE and order.is_target == 1 else REJECTED
        order.reason = reason
    elif reason == NO_SIZE and order.sizing == ALL_CASH:  # the cash that it was to spend is spent
        order.quantity = order.filled
        order.status = FILLED
    else:
        order.status = CANCELLED
        order.reason = reason


@kernel
def _check_cash(
    order: Any,
    quantity: float,
    price: float,
    units: float,
    traded: float,
    volume: float,
    now: Any,
    rule: Any,
) -> tuple[float, int]:
    """Return the shares that a cash account trades and 0, or a reason why none are."""
    if quantity <= 0.0:
        return 0.0, NO_SIZE
    costs = charge(rule, order, quantity, price)
    if order.side < 0:
        if quantity - units > TOLERANCE * quantity:
            return quantity, NO_SHARES
        if now.cash + quantity * price - costs < 0.0:
            return quantity, NO_CASH
        return quantity, 0
    cost = quantity * price + costs
    if cost - now.cash <= TOLERANCE * cost:
        return quantity, 0
    if rule.partial_on_cash == 1:
        less = fitting(rule, order, now.cash, traded, volume)
        if less > 0.0:
            return less, 0
    return quantity, NO_CASH
