"""Orders enter the book: on what they depend, what they replace, and their size at the decision."""

from __future__ import annotations

from typing import Any

from mismartera_analytics.kernels.book import sweep, value
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.execution import execute_moment
from mismartera_analytics.kernels.layouts import (
    ALL_CASH,
    AT_DECISION,
    CANCELLED,
    DELISTED,
    FORCED,
    GTC,
    IF_FLAT,
    IF_LEAVING,
    IF_LONG,
    IF_SHORT,
    MARKET,
    NEVER,
    NO_MARGIN,
    NO_PRICE,
    NO_SIZE,
    PERCENT,
    REGULAR,
    REJECTED,
    REPLACED,
    SAME_CLOSE,
    TARGET,
    TRAILING_STOP,
    UNITS,
    VOID,
    WORKING,
)
from mismartera_analytics.kernels.linked import last_price, trailed
from mismartera_analytics.kernels.sizing import affordable, change_to, most, whole

__all__ = ["enter"]


@kernel
def enter(
    row: int,
    times: Any,
    prices: Any,
    actions: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    ledger: Any,
    now: Any,
    rule: Any,
) -> None:
    """Take orders decided before `row` into the book, sizing those that are sized at the decision.

    With a delay they are taken in so many rows later, as if they had been decided then; what has not
    arrived by the last row's end stays outside.
    """
    first = now.working
    held_before = now.working
    while now.active < now.orders and orders[now.active].row < row:
        index = now.active
        order = orders[index]
        if rule.delay > 0:
            if order.row + rule.delay >= row:
                break
            order.row = row - 1
            calendar = times.calendar[order.symbol]
            is_end = row == len(times.end)
            session = times.final[calendar] if is_end else times.session[calendar, row]
            order.session = max(order.session, session)
        now.active += 1
        if order.status != WORKING or order.condition == FORCED:
            continue
        symbol = order.symbol
        if not _is_met(order, orders, working, holdings, now):
            order.status = VOID
            continue
        if holdings[5, symbol] != 0.0:
            order.status = VOID if order.sizing == TARGET and order.size == 0.0 else REJECTED
            order.reason = DELISTED
            continue
        if order.sizing == TARGET:
            order.is_target = 1
            for k in range(now.working):
                older = orders[working[k]]
                if older.condition == FORCED or older.symbol != symbol:
                    continue
                if older.is_target == 1 and older.status == WORKING:
                    older.status = CANCELLED
                    older.reason = REPLACED
        if rule.size_at_decision == 1 and order.sizing != UNITS:
            _size_at_decision(row - 1, order, prices, actions, holdings, ledger, now, rule)
        if order.type == TRAILING_STOP:
            order.stop = trailed(order, last_price(row - 1, order, prices, actions, now))
        if order.status == WORKING:
            working[now.working] = index
            now.working += 1
            now.linked += order.group != 0
    if rule.fill == SAME_CLOSE and row > 0 and now.working > first:
        is_touched = False
        for k in range(held_before, now.working):
            order = orders[working[k]]
            order.moment = NEVER
            is_now = order.row == row - 1 and order.placed <= times.end[row - 1]
            is_now &= times.flags[times.calendar[order.symbol], row - 1] & REGULAR != 0
            price = prices[3, order.symbol, row - 1]
            if is_now and order.type == MARKET and order.tif <= GTC and price == price:
                order.moment = AT_DECISION
                order.price = price
                is_touched = True
        if is_touched:
            execute_moment(
                AT_DECISION, row - 1, prices, orders, fills, working, holdings, now, rule
            )
            value(row - 1, row, prices, holdings, ledger, now)
    sweep(orders, working, now)


@kernel
def _is_met(order: Any, orders: Any, working: Any, holdings: Any, now: Any) -> bool:
    """Tell whether that on which the order depends is so."""
    units = holdings[0, order.symbol]
    if order.condition == IF_LONG:
        return bool(units > 0.0)
    if order.condition == IF_SHORT:
        return bool(units < 0.0)
    if order.condition not in (IF_FLAT, IF_LEAVING):
        return True
    if units != 0.0 and (order.condition == IF_FLAT or units * order.side > 0.0):
        return False
    for k in range(now.working):
        other = orders[working[k]]
        if other.symbol == order.symbol and other.status == WORKING:
            is_closing = other.parent >= 0 or (other.is_target == 1 and other.size == 0.0)
            if order.condition == IF_FLAT or not is_closing:
                return False
    return True


@kernel
def _size_at_decision(
    row: int,
    order: Any,
    prices: Any,
    actions: Any,
    holdings: Any,
    ledger: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fix the order's units from the closes known at the end of `row`."""
    symbol = order.symbol
    units = holdings[0, symbol]
    price = last_price(row, order, prices, actions, now)
    if order.sizing == TARGET and order.size == 0.0:
        signed = -units
    elif price != price:
        order.status = REJECTED
        order.reason = NO_PRICE
        return
    else:
        value = now.cash
        for other in range(holdings.shape[1]):
            if holdings[0, other] != 0.0:
                value += holdings[0, other] * holdings[1, other]
        if value < 0.0 and order.sizing != ALL_CASH:
            order.status = REJECTED
            order.reason = NO_MARGIN
            return
        if order.sizing == TARGET:
            signed = change_to(whole(rule, order.size * value / price), units)
        elif order.sizing == PERCENT:
            signed = order.side * whole(rule, order.size * value / price)
        else:
            is_reversing = order.condition == IF_LEAVING and units * order.side < 0.0
            money = now.cash + (units * price if is_reversing else 0.0)
            if order.side > 0:
                signed = affordable(rule, money, price)
            else:
                signed = -most(rule, order.side, money, price, 1.0)
    order.sizing = UNITS
    order.quantity = abs(signed)
    if signed == 0.0:
        order.status = VOID if order.is_target == 1 else REJECTED
        order.reason = NO_SIZE
    else:
        order.side = 1 if signed > 0.0 else -1
