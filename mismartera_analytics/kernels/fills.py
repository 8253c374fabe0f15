"""The matching kernel: orders and bars of many symbols on one clock become fills, cash and value.

One row of the clock goes by in this order: orders decided at the last row enter the book, corporate
actions apply to positions and orders, orders whose session is over expire, what is left is matched at
the open, then inside the bar, then at the close, and the account is valued at the close, where a margin
call may place orders. Every way
into a backtest runs through `advance`, whole or row by row, so one set of rules fills them all.

Arrays: ``times`` a `layouts.Times`; ``prices`` (5, symbols, rows) open, high, low, close and volume,
NaN where a symbol has no bar; ``holdings`` (6, symbols) units and last close of what is held, shares
traded in a bar and its row, how the bar at hand is touched, and whether the symbol has ended;
``ledger`` (2, rows) cash and value of positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels import layouts
from mismartera_analytics.kernels.book import apply_actions, expire, sweep, value
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.entering import enter
from mismartera_analytics.kernels.execution import execute_moment
from mismartera_analytics.kernels.layouts import (
    AT_CALL,
    AT_CLOSE,
    AT_OPEN,
    INSIDE,
    NEVER,
    OPG,
    REGULAR,
    WORKING,
)
from mismartera_analytics.kernels.linked import follow
from mismartera_analytics.kernels.margin import call_margin
from mismartera_analytics.kernels.matching import fill_point
from mismartera_analytics.kernels.paths import settle, settle_entries

__all__ = [
    "FILLS_AN_ORDER",
    "MORE_ORDERS",
    "THROUGH_ROW",
    "TO_END",
    "TO_OPEN",
    "advance",
    "warm_up",
]

THROUGH_ROW = 0
TO_OPEN = 1
TO_END = 2
MORE_ORDERS = -1
FILLS_AN_ORDER = 4  # in one row at most: at the decision, in the bar, and its bracket's two


@kernel
def advance(
    task: int,
    number: int,
    times: Any,
    prices: Any,
    actions: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    ledger: Any,
    state: Any,
    rules: Any,
) -> int:
    """Work on; one function for three tasks, so that Numba compiles and loads one.

    Returns 0 when the task is done. Else how long ``fills`` must be to go on, or `MORE_ORDERS`: the
    caller gives a longer array with what was there and calls again.

    ``THROUGH_ROW``: work through the rows from ``state.row`` to `number`, both included.
    ``TO_OPEN``: bring the book to the start of row `number`, all rows before it being done.
    ``TO_END``: take in the orders of the last row and expire those whose session is over by its end.
    """
    now = state[0]
    rule = rules[0]
    last = number if task == THROUGH_ROW else now.row
    row = now.row
    while row <= last:
        is_due = now.active < now.orders and orders[now.active].row + rule.delay < row
        if rule.forces == 1 and len(orders) - now.orders < holdings.shape[1]:
            now.row = row
            return MORE_ORDERS
        if is_due or now.working > 0 or rule.forces == 1:
            needed = now.fills + FILLS_AN_ORDER * (now.working + _entering(row, orders, now))
            needed += holdings.shape[1] if rule.forces == 1 else 0
            if needed > len(fills):
                now.row = row
                return int(needed)
        if is_due:
            enter(
                row, times, prices, actions, orders, fills, working, holdings, ledger, now, rule
            )  # fmt: skip
        if task == TO_END:
            expire(times.final, times.calendar, orders, working, holdings, now)
            return 0
        if now.actions < len(actions):
            apply_actions(
                row, times, actions, orders, fills, working, holdings, now, rule
            )  # fmt: skip
        if task == TO_OPEN:
            return 0
        if now.working > 0:
            expire(times.session[:, row], times.calendar, orders, working, holdings, now)
            _match(row, times, prices, orders, fills, working, holdings, now, rule)
            until = row + 1
        elif rule.keeps == 1 and (now.watched == 1 or is_due):
            until = row + 1
        else:
            until = _next_event(row, last + 1, actions, orders, now, rule)
        value(row, until, prices, holdings, ledger, now)
        if rule.keeps == 1:
            call_margin(row, times.end[row], orders, working, holdings, now, rule)
        now.row = row = until
    return 0


@kernel
def _next_event(row: int, last: int, actions: Any, orders: Any, now: Any, rule: Any) -> int:
    """Return the first row after `row`, at most `last`, at which an order or an action is due."""
    if now.active < now.orders:
        last = min(last, orders[now.active].row + rule.delay + 1)
    if now.actions < len(actions):
        last = min(last, actions[now.actions].row)
    return int(max(last, row + 1))


@kernel
def _entering(row: int, orders: Any, now: Any) -> int:
    """Return how many orders enter the book before `row`."""
    index = now.active
    while index < now.orders and orders[index].row < row:
        index += 1
    return int(index - now.active)


@kernel
def _match(
    row: int,
    times: Any,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Fill what the bar of `row` fills."""
    is_called = at_open = inside = at_close = False
    old = now.working
    for k in range(old):
        order = orders[working[k]]
        order.moment = NEVER
        order.ambiguous = 0
        symbol = order.symbol
        calendar = times.calendar[symbol]
        flags = times.flags[calendar, row]
        if prices[3, symbol, row] != prices[3, symbol, row] or flags & REGULAR == 0:
            continue
        if times.start[calendar, row] < order.placed:
            continue
        is_first = order.tif == OPG and _is_first_bar(row, symbol, calendar, times, prices)
        fill_point(order, symbol, row, flags, is_first, prices, rule)
        is_called |= order.moment == AT_CALL
        at_open |= order.moment == AT_OPEN
        inside |= order.moment == INSIDE
        at_close |= order.moment == AT_CLOSE
    if is_called:
        execute_moment(AT_CALL, row, prices, orders, fills, working, holdings, now, rule)
    if at_open:
        execute_moment(AT_OPEN, row, prices, orders, fills, working, holdings, now, rule)
        if now.working > old and rule.bracket_next == 0:
            inside |= _match_born(
                old, row, times, prices, orders, fills, working, holdings, now, rule
            )
    if inside:
        settle(row, prices, orders, working, holdings, now, rule)
        old = now.working
        execute_moment(INSIDE, row, prices, orders, fills, working, holdings, now, rule)
        if now.working > old and rule.bracket_next == 0:
            settle_entries(old, row, prices, orders, fills, working, now, rule)
            execute_moment(INSIDE, row, prices, orders, fills, working, holdings, now, rule)
    if at_close:
        execute_moment(AT_CLOSE, row, prices, orders, fills, working, holdings, now, rule)
    follow(row, times, prices, orders, working, now)
    sweep(orders, working, now)


@kernel
def _match_born(
    first: int,
    row: int,
    times: Any,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> bool:
    """Match brackets of entries at the open, from `first` of the book; tell if any fills inside."""
    at_open = inside = False
    for k in range(first, now.working):
        order = orders[working[k]]
        flags = times.flags[times.calendar[order.symbol], row]
        fill_point(order, order.symbol, row, flags, 0, prices, rule)
        at_open |= order.moment == AT_OPEN
        inside |= order.moment == INSIDE
    if at_open:
        execute_moment(AT_OPEN, row, prices, orders, fills, working, holdings, now, rule)
    return inside


@kernel
def _is_first_bar(row: int, symbol: int, calendar: int, times: Any, prices: Any) -> bool:
    earlier = row - 1
    sessions = times.session[calendar]
    while earlier >= 0 and sessions[earlier] == sessions[row]:
        is_bar = prices[3, symbol, earlier] == prices[3, symbol, earlier]
        if is_bar and times.flags[calendar, earlier] & REGULAR:
            return False
        earlier -= 1
    return True


def smallest_book() -> tuple[Any, ...]:
    """Return what `advance` takes after task and number: one row, one symbol, one order to buy."""
    prices = np.ones((5, 1, 1))
    orders = np.zeros(1, layouts.ORDER)
    orders["row"] = -1
    orders["status"] = WORKING
    orders["parent"] = -1
    orders["side"] = orders["size"] = orders["quantity"] = 1
    state = np.zeros(1, layouts.STATE)
    state["orders"] = 1
    state["cash"] = 10.0
    rules = np.zeros(1, layouts.RULES)
    rules["fee_maximum"] = np.inf
    one = np.zeros((1, 1), np.int64)
    flags = np.full((1, 1), REGULAR, np.uint8)
    times = layouts.Times(one, one[0], one, flags, one[0], one[0])
    return (
        times,
        prices,
        np.zeros(0, layouts.ACTION),
        orders,
        np.zeros(FILLS_AN_ORDER, layouts.FILL),
        np.zeros(1, np.int64),
        np.zeros((6, 1)),
        np.zeros((2, 1)),
        state,
        rules,
    )


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    advance(THROUGH_ROW, 0, *smallest_book())
