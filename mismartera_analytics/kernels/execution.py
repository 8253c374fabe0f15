"""Filling the orders of one moment of a bar: sizes, their sequence, cash, fees."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    ALL_CASH,
    AT_OPEN,
    FILLED,
    INSIDE,
    NO_CASH,
    NO_SHARES,
    NO_SIZE,
    PERCENT,
    REJECTED,
    TARGET,
    VOID,
    WORKING,
)
from mismartera_analytics.kernels.sizing import (
    TOLERANCE,
    affordable,
    common_factor,
    fee,
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

    What reduces a position goes first, and so do the sells of a rebalance; the rest follows by
    placement, the buys of a rebalance together where the first of them stands.
    """
    _size_all(moment, row, prices, orders, working, holdings, now, rule)
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == moment and order.status == WORKING and order.goes_first == 1:
            _fill(working[k], moment, row, 1.0, orders, fills, holdings, now, rule)
    factor = -1.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment != moment or order.status != WORKING:
            continue
        if order.is_target == 0:
            _fill(working[k], moment, row, 1.0, orders, fills, holdings, now, rule)
        elif factor < 0.0:
            factor = _rebalance_factor(moment, orders, working, now, rule)
            for other in range(k, now.working):
                buy = orders[working[other]]
                if buy.moment == moment and buy.status == WORKING and buy.is_target == 1:
                    _fill(working[other], moment, row, factor, orders, fills, holdings, now, rule)


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
    value = -1.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment != moment:
            continue
        units = holdings[0, order.symbol]
        if order.sizing == TARGET or order.sizing == PERCENT:
            if value < 0.0 and order.size != 0.0:
                value = _account_value(moment, row, prices, holdings, now)
            signed = 0.0 if order.size == 0.0 else whole(rule, order.size * value / order.price)
            signed = signed - units if order.sizing == TARGET else order.side * signed
            order.quantity = abs(signed)
            if signed != 0.0:
                order.side = 1 if signed > 0.0 else -1
            else:
                order.status = VOID if order.sizing == TARGET else REJECTED
                order.reason = NO_SIZE
        is_reducing = units * order.side < 0.0
        is_rebalance_sell = order.is_target == 1 and order.side < 0
        order.goes_first = 1 if is_reducing or is_rebalance_sell else 0


@kernel
def _account_value(moment: int, row: int, prices: Any, holdings: Any, now: Any) -> float:
    field = 0 if moment in (AT_OPEN, INSIDE) else 3
    value: float = now.cash
    for symbol in range(holdings.shape[1]):
        units = holdings[0, symbol]
        if units != 0.0:
            price = prices[field, symbol, row]
            value += units * (price if price == price else holdings[1, symbol])
    return value


@kernel
def _rebalance_factor(moment: int, orders: Any, working: Any, now: Any, rule: Any) -> float:
    quantities = np.empty(now.working)
    costs = np.empty(now.working)
    count = 0
    for k in range(now.working):
        order = orders[working[k]]
        if order.moment == moment and order.status == WORKING and order.is_target == 1:
            quantities[count] = order.quantity
            costs[count] = slipped(rule, order, 1.0, order.price)
            count += 1
    return common_factor(rule, quantities[:count], costs[:count], now.cash)


@kernel
def _fill(
    index: int,
    moment: int,
    row: int,
    factor: float,
    orders: Any,
    fills: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fill one order, or reject it with a reason."""
    order = orders[index]
    price = slipped(rule, order, float(order.side), order.price)
    quantity = order.quantity
    if order.sizing == ALL_CASH:
        quantity = affordable(rule, now.cash, price)
    elif factor < 1.0:
        quantity = whole(rule, quantity * factor)
    units = holdings[0, order.symbol]
    asked = quantity
    if order.side < 0:
        quantity, reason = _check_sell(order, quantity, price, units, now, rule)
    else:
        quantity, reason = _check_buy(quantity, price, now, rule)
    order.quantity = quantity if quantity > 0.0 else order.quantity
    if reason != 0:
        order.status = VOID if reason == NO_SIZE and order.is_target == 1 else REJECTED
        order.reason = reason
        return
    charge = fee(rule, quantity, price)
    now.cash -= order.side * quantity * price + charge
    takes_all = order.sizing == ALL_CASH or (order.side > 0 and quantity < asked)
    if now.cash < 0.0 or (takes_all and rule.whole == 0):
        now.cash = 0.0
    left = units + order.side * quantity
    holdings[0, order.symbol] = 0.0 if abs(left) <= TOLERANCE * quantity else left
    order.status = FILLED
    order.fill_row = row
    order.fill_price = price
    order.fee = charge
    fill = fills[now.fills]
    fill.order = index
    fill.row = row
    fill.moment = moment
    fill.symbol = order.symbol
    fill.quantity = order.side * quantity
    fill.price = price
    fill.fee = charge
    now.fills += 1


@kernel
def _check_buy(quantity: float, price: float, now: Any, rule: Any) -> tuple[float, int]:
    """Return the shares to buy and 0, or a reason why none are."""
    if quantity <= 0.0:
        return 0.0, NO_SIZE
    cost = quantity * price + fee(rule, quantity, price)
    if cost - now.cash <= TOLERANCE * cost:
        return quantity, 0
    if rule.partial_on_cash == 1:
        fitting = affordable(rule, now.cash, price)
        if fitting > 0.0:
            return fitting, 0
    return quantity, NO_CASH


@kernel
def _check_sell(
    order: Any, quantity: float, price: float, units: float, now: Any, rule: Any
) -> tuple[float, int]:
    """Return the shares to sell and 0, or a reason why none are."""
    if order.is_target == 1:
        quantity = min(quantity, units)
    if quantity <= 0.0:
        return 0.0, NO_SIZE
    if quantity - units > TOLERANCE * quantity:
        return quantity, NO_SHARES
    if now.cash + quantity * price - fee(rule, quantity, price) < 0.0:
        return quantity, NO_CASH
    return quantity, 0
