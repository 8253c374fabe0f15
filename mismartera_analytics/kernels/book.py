"""The book of working orders: corporate actions, expiry, and the account's value at a bar's close."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    AT_CALL,
    AT_OPEN,
    BORROW,
    CANCELLED,
    DELISTED,
    ENDING,
    EXPIRED,
    FILLED,
    FORCED,
    GTC,
    INSIDE,
    MARKET,
    NEVER,
    ON_SHARES,
    UNITS,
    VOID,
    WAITING,
    WORKING,
)

__all__ = ["apply_actions", "expire", "forced", "price_now", "sweep", "value"]


@kernel
def apply_actions(
    row: int,
    times: Any,
    actions: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    now: Any,
    rule: Any,
) -> None:
    """Apply what is in force from `row`: splits, which never round, dividends, ends, financing."""
    while now.actions < len(actions) and actions[now.actions].row <= row:
        action = actions[now.actions]
        now.actions += 1
        if action.kind == ENDING:
            expire(times.session[:, row], times.calendar, orders, working, holdings, now)
            _end_symbol(row, action, orders, fills, working, holdings, now)
            continue
        if action.kind != ON_SHARES:
            action.paid = _financing(action, holdings, now, rule)
            now.cash += action.paid
            continue
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
                _split(order, ratio)
                for child in range(working[k] + 1, working[k] + 1 + order.children):
                    if orders[child].status == WAITING:
                        _split(orders[child], ratio)
        for k in range(now.active, now.orders):
            order = orders[k]
            if order.row >= row:
                break
            if order.condition == FORCED:  # in the book already
                continue
            if order.symbol == symbol and order.placed < action.at:  # placed, but not arrived yet
                _split(order, ratio)


@kernel
def _end_symbol(
    row: int, action: Any, orders: Any, fills: Any, working: Any, holdings: Any, now: Any
) -> None:
    """Cancel a delisted symbol's orders and turn its position into cash, without costs."""
    symbol = action.symbol
    holdings[5, symbol] = 1.0
    for k in range(now.working):
        order = orders[working[k]]
        if order.symbol == symbol:
            order.status = VOID if _is_met(order, holdings) else CANCELLED
            order.reason = DELISTED
    sweep(orders, working, now)
    units = holdings[0, symbol]
    if units == 0.0:
        return
    price = action.amount if action.amount == action.amount else holdings[1, symbol]
    index = forced(row, action.at, symbol, -units, DELISTED, orders, now)
    order = orders[index]
    order.status = FILLED
    order.filled = order.quantity
    order.fill_price = price
    order.fill_row = row
    fill = fills[now.fills]
    fill.order = index
    fill.row = row
    fill.moment = AT_OPEN
    fill.symbol = symbol
    fill.quantity = -units
    fill.price = price
    fill.fee = 0.0
    fill.ambiguous = 0
    now.fills += 1
    now.cash += units * price
    holdings[0, symbol] = 0.0


@kernel
def forced(
    row: int, placed: int, symbol: int, change: float, reason: int, orders: Any, now: Any
) -> int:
    """Append an order that nobody placed, to trade `change` shares; return its number."""
    index = now.orders
    order = orders[index]
    order.placed = placed
    order.size = 0.0
    order.quantity = abs(change)
    order.limit = order.stop = order.trail = order.rate = order.price = np.nan
    order.fill_price = np.nan
    order.fee = order.filled = 0.0
    order.row = row
    order.symbol = symbol
    order.fill_row = order.parent = -1
    order.group = 0
    order.side = 1 if change > 0.0 else -1
    order.type = MARKET
    order.tif = GTC
    order.sizing = UNITS
    order.condition = FORCED
    order.status = WORKING
    order.reason = reason
    order.triggered = order.children = order.ambiguous = order.goes_first = 0
    order.is_target = 1
    order.moment = NEVER
    now.orders += 1
    return int(index)


@kernel
def _is_met(order: Any, holdings: Any) -> bool:
    """Tell whether the order was to end a position that is not there."""
    is_closing = order.is_target == 1 and order.size == 0.0
    return bool(is_closing and holdings[0, order.symbol] == 0.0 and order.filled == 0.0)


@kernel
def _split(order: Any, ratio: float) -> None:
    """Adjust what an order still asks for; what it has filled stays as it was traded."""
    order.quantity = order.filled + (order.quantity - order.filled) * ratio
    order.limit /= ratio
    order.stop /= ratio
    order.trail /= ratio


@kernel
def _financing(action: Any, holdings: Any, now: Any, rule: Any) -> float:
    """Return what the account receives for the nights since the session before, by last closes."""
    shorts = 0.0
    for symbol in range(holdings.shape[1]):
        if holdings[0, symbol] < 0.0:
            shorts -= holdings[0, symbol] * holdings[1, symbol]
    years = action.nights / 360.0
    if action.kind == BORROW:
        return -float(rule.borrow_rate * shorts * years)
    balance = now.cash - shorts  # what short sales brought is held as their security
    rate = rule.credit_rate if balance > 0.0 else rule.debit_rate
    return float(rate * balance * years)


@kernel
def price_now(moment: int, row: int, symbol: int, prices: Any, holdings: Any) -> float:
    """Return what a share is worth at a moment of a row: without a bar its last close."""
    price: float = prices[0 if moment in (AT_CALL, AT_OPEN, INSIDE) else 3, symbol, row]
    return price if price == price else float(holdings[1, symbol])


@kernel
def expire(
    sessions: Any, calendar: Any, orders: Any, working: Any, holdings: Any, now: Any
) -> None:
    """End the orders whose last session came before that of `sessions` (calendars,) at their symbol."""
    is_changed = False
    for k in range(now.working):
        order = orders[working[k]]
        if order.status != WORKING:  # cancelled since the last row
            is_changed = True
        elif order.tif != GTC and order.session < sessions[calendar[order.symbol]]:
            order.status = VOID if _is_met(order, holdings) else EXPIRED
            is_changed = True
    if is_changed:
        sweep(orders, working, now)


@kernel
def sweep(orders: Any, working: Any, now: Any) -> None:
    """Drop from the book what no longer works, keeping the order of placement."""
    kept = 0
    for k in range(now.working):
        if orders[working[k]].status == WORKING:
            working[kept] = working[k]
            kept += 1
    now.working = kept


@kernel
def value(first: int, last: int, prices: Any, holdings: Any, ledger: Any, now: Any) -> None:
    """Value the account at the closes of rows `first` to `last` (left out), or at the last ones known.

    Nothing but prices may change in these rows.
    """
    for row in range(first, last):
        ledger[0, row] = now.cash
        ledger[1, row] = 0.0
    for symbol in range(holdings.shape[1]):
        units = holdings[0, symbol]
        if units != 0.0:
            close = holdings[1, symbol]
            for row in range(first, last):
                price = prices[3, symbol, row]
                if price == price:
                    close = price
                ledger[1, row] += units * close
            holdings[1, symbol] = close
