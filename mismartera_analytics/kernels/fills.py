"""The matching kernel: orders and bars of many symbols on one clock become fills, cash and value.

One row of the clock goes by in this order: orders decided at the last row enter the book, corporate
actions apply to positions and orders, orders whose session is over expire, what is left is matched at
the open, then inside the bar, then at the close, and the account is valued at the close. Every way
into a backtest runs through `advance`, whole or row by row, so one set of rules fills them all.

Arrays: ``clock`` (2, rows) holds each row's session ordinal and end [us]; ``flags`` (rows,);
``prices`` (4, symbols, rows) open, high, low, close, NaN where a symbol has no bar; ``holdings``
(2, symbols) units and last close of what is held; ``ledger`` (2, rows) cash and value of positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels import layouts
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.execution import execute_moment
from mismartera_analytics.kernels.layouts import (
    AT_CLOSE,
    AT_DECISION,
    AT_OPEN,
    CANCELLED,
    EXPIRED,
    GTC,
    IF_FLAT,
    IF_HELD,
    INSIDE,
    MARKET,
    NEVER,
    NO_PRICE,
    NO_SIZE,
    OPG,
    PERCENT,
    REGULAR,
    REJECTED,
    REPLACED,
    SAME_CLOSE,
    TARGET,
    UNITS,
    VOID,
    WORKING,
)
from mismartera_analytics.kernels.matching import fill_point
from mismartera_analytics.kernels.sizing import affordable, whole

__all__ = ["THROUGH_ROW", "TO_END", "TO_OPEN", "advance", "warm_up"]

THROUGH_ROW = 0
TO_OPEN = 1
TO_END = 2


@kernel
def advance(
    task: int,
    number: int,
    clock: Any,
    flags: Any,
    prices: Any,
    actions: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    ledger: Any,
    state: Any,
    rules: Any,
) -> None:
    """Work on; one function for three tasks, so that Numba compiles and loads one.

    ``THROUGH_ROW``: work through the rows from ``state.row`` to `number`, both included.
    ``TO_OPEN``: bring the book to the start of row `number`, all rows before it being done.
    ``TO_END``: take in the orders of the last row and expire those whose session ended before session
    `number`.
    """
    now = state[0]
    rule = rules[0]
    last = number if task == THROUGH_ROW else now.row
    for row in range(now.row, last + 1):
        if now.active < now.orders:
            _enter(
                row, clock, flags, prices, actions, orders, fills, working, holdings, ledger, now, rule
            )  # fmt: skip
        if task == TO_END:
            _expire(number, orders, working, holdings, now)
            return
        if now.actions < len(actions):
            _apply_actions(row, actions, orders, working, holdings, now)
        if task == TO_OPEN:
            return
        if now.working > 0:
            _expire(clock[0, row], orders, working, holdings, now)
            if flags[row] & REGULAR:
                _match(row, clock, flags, prices, orders, fills, working, holdings, now, rule)
        _value(row, prices, holdings, ledger, now)
        now.row = row + 1


@kernel
def _enter(
    row: int,
    clock: Any,
    flags: Any,
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
    """Take orders decided before `row` into the book, sizing those that are sized at the decision."""
    first = now.working
    held_before = now.working
    while now.active < now.orders and orders[now.active].row < row:
        index = now.active
        order = orders[index]
        now.active += 1
        if order.status != WORKING:
            continue
        symbol = order.symbol
        if order.condition == IF_HELD and holdings[0, symbol] == 0.0:
            order.status = VOID
            continue
        if order.condition == IF_FLAT:
            is_free = holdings[0, symbol] == 0.0
            for k in range(now.working):
                if orders[working[k]].symbol == symbol and orders[working[k]].status == WORKING:
                    is_free = False
            if not is_free:
                order.status = VOID
                continue
        if order.sizing == TARGET:
            order.is_target = 1
            for k in range(now.working):
                older = orders[working[k]]
                if older.is_target == 1 and older.symbol == symbol and older.status == WORKING:
                    older.status = CANCELLED
                    older.reason = REPLACED
        if rule.size_at_decision == 1 and order.sizing != UNITS:
            _size_at_decision(row - 1, order, prices, actions, holdings, ledger, now, rule)
        if order.status == WORKING:
            working[now.working] = index
            now.working += 1
    is_entered = row > 0 and now.working > first
    if rule.fill == SAME_CLOSE and is_entered and flags[row - 1] & REGULAR:
        is_touched = False
        for k in range(held_before, now.working):
            order = orders[working[k]]
            order.moment = NEVER
            is_now = order.row == row - 1 and order.placed <= clock[1, row - 1]
            price = prices[3, order.symbol, row - 1]
            if is_now and order.type == MARKET and order.tif <= GTC and price == price:
                order.moment = AT_DECISION
                order.price = price
                is_touched = True
        if is_touched:
            execute_moment(
                AT_DECISION, row - 1, prices, orders, fills, working, holdings, now, rule
            )
            _value(row - 1, prices, holdings, ledger, now)
    _sweep(orders, working, now)


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
    price = np.nan
    for earlier in range(row, -1, -1):
        if prices[3, symbol, earlier] == prices[3, symbol, earlier]:
            price = prices[3, symbol, earlier]
            for k in range(now.actions):
                if actions[k].symbol == symbol and actions[k].row > earlier:
                    price /= actions[k].ratio
            break
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
        if order.sizing == TARGET:
            signed = whole(rule, order.size * value / price) - units
        elif order.sizing == PERCENT:
            signed = order.side * whole(rule, order.size * value / price)
        else:
            signed = affordable(rule, now.cash, price)
    order.sizing = UNITS
    order.quantity = abs(signed)
    if signed == 0.0:
        order.status = VOID if order.is_target == 1 else REJECTED
        order.reason = NO_SIZE
    else:
        order.side = 1 if signed > 0.0 else -1


@kernel
def _apply_actions(
    row: int, actions: Any, orders: Any, working: Any, holdings: Any, now: Any
) -> None:
    """Apply the splits and dividends in force from `row`; a split never rounds."""
    while now.actions < len(actions) and actions[now.actions].row <= row:
        action = actions[now.actions]
        now.actions += 1
        symbol = action.symbol
        ratio = action.ratio
        holdings[0, symbol] *= ratio
        holdings[1, symbol] /= ratio
        action.paid = action.amount * holdings[0, symbol]
        now.cash += action.paid
        if ratio == 1.0:
            continue
        for k in range(now.working):
            order = orders[working[k]]
            if order.symbol == symbol and order.placed < action.at:
                order.quantity *= ratio
                order.limit /= ratio
                order.stop /= ratio


@kernel
def _expire(session: int, orders: Any, working: Any, holdings: Any, now: Any) -> None:
    """End the orders whose last session came before `session`."""
    is_changed = False
    for k in range(now.working):
        order = orders[working[k]]
        if order.status != WORKING:  # cancelled since the last row
            is_changed = True
        elif order.tif != GTC and order.session < session:
            is_met = order.is_target == 1 and order.size == 0.0
            is_met &= holdings[0, order.symbol] == 0.0
            order.status = VOID if is_met else EXPIRED
            is_changed = True
    if is_changed:
        _sweep(orders, working, now)


@kernel
def _sweep(orders: Any, working: Any, now: Any) -> None:
    """Drop from the book what no longer works, keeping the order of placement."""
    kept = 0
    for k in range(now.working):
        if orders[working[k]].status == WORKING:
            working[kept] = working[k]
            kept += 1
    now.working = kept


@kernel
def _match(
    row: int,
    clock: Any,
    flags: Any,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fill what the bar of `row` fills."""
    at_open = inside = at_close = False
    for k in range(now.working):
        order = orders[working[k]]
        order.moment = NEVER
        symbol = order.symbol
        if prices[3, symbol, row] != prices[3, symbol, row]:
            continue
        is_first = order.tif == OPG and _is_first_bar(row, symbol, clock, flags, prices)
        fill_point(order, symbol, row, flags[row], is_first, prices, rule)
        at_open |= order.moment == AT_OPEN
        inside |= order.moment == INSIDE
        at_close |= order.moment == AT_CLOSE
    if at_open:
        execute_moment(AT_OPEN, row, prices, orders, fills, working, holdings, now, rule)
    if inside:
        execute_moment(INSIDE, row, prices, orders, fills, working, holdings, now, rule)
    if at_close:
        execute_moment(AT_CLOSE, row, prices, orders, fills, working, holdings, now, rule)
    _sweep(orders, working, now)


@kernel
def _is_first_bar(row: int, symbol: int, clock: Any, flags: Any, prices: Any) -> bool:
    earlier = row - 1
    while earlier >= 0 and clock[0, earlier] == clock[0, row]:
        is_bar = prices[3, symbol, earlier] == prices[3, symbol, earlier]
        if is_bar and flags[earlier] & REGULAR:
            return False
        earlier -= 1
    return True


@kernel
def _value(row: int, prices: Any, holdings: Any, ledger: Any, now: Any) -> None:
    """Value the account at the closes of `row`, or at the last ones known."""
    value = 0.0
    for symbol in range(holdings.shape[1]):
        units = holdings[0, symbol]
        if units != 0.0:
            close = prices[3, symbol, row]
            if close == close:
                holdings[1, symbol] = close
            value += units * holdings[1, symbol]
    ledger[0, row] = now.cash
    ledger[1, row] = value


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    prices = np.ones((4, 1, 1))
    orders = np.zeros(1, layouts.ORDER)
    orders["row"] = -1
    orders["status"] = WORKING
    orders["side"] = orders["size"] = orders["quantity"] = 1
    state = np.zeros(1, layouts.STATE)
    state["orders"] = 1
    state["cash"] = 10.0
    rules = np.zeros(1, layouts.RULES)
    rules["fee_maximum"] = np.inf
    arrays = (
        np.zeros((2, 1), np.int64),
        np.full(1, REGULAR, np.uint8),
        prices,
        np.zeros(0, layouts.ACTION),
        orders,
        np.zeros(1, layouts.FILL),
        np.zeros(1, np.int64),
        np.zeros((2, 1)),
        np.zeros((2, 1)),
        state,
        rules,
    )
    advance(THROUGH_ROW, 0, *arrays)
