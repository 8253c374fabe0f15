"""Entries and exits followed row by row through the matching kernel, as one strategy of two arrays.

Of the orders that signals stand for most could never count: an entry while the symbol is held, an exit
while it is not. Only the others are placed. Whether one of them counts is decided by the book, as for
every order that carries a condition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.execution import execute_moment
from mismartera_analytics.kernels.fills import THROUGH_ROW, advance, smallest_book
from mismartera_analytics.kernels.layouts import AT_OPEN

__all__ = ["follow", "warm_up"]


@kernel
def follow(
    row: int,
    entries: Any,
    exits: Any,
    templates: Any,
    ends: Any,
    due: Any,
    actions: Any,
    orders: Any,
    holdings: Any,
    state: Any,
    book: Any,
) -> int:
    """Work through the rows from `row` on, placing an order where a signal can count.

    Parameters
    ----------
    row
        First row whose signals are heard; all rows before it may be done or not.
    entries, exits
        (symbols, rows) booleans; each is decided at the end of its bar.
    templates
        (2,) of `layouts.ORDER`: an entry and an exit.
    ends
        (rows,) end of each bar [us].
    due
        (symbols, rows) the session to which an order placed then belongs.
    actions, orders, holdings, state
        Those of the book.
    book
        Everything that `fills.advance` takes after its task and number.

    Returns
    -------
    int
        The row to go on with when `orders` or the fills have to grow, else the number of rows. The last
        order's row and all after it still are to be worked through.
    """
    now = state[0]
    symbols: int = entries.shape[0]
    rows: int = entries.shape[1]
    while row < rows:
        if now.working == 0 and now.active == now.orders and now.watched == 0:
            last = rows
            if now.actions < len(actions):
                last = max(min(rows, actions[now.actions].row), row)
            row = _next_signal(row, last, entries, exits, holdings)
            if row == rows:
                break
        if now.orders + 2 * symbols > len(orders):
            return row
        if advance(THROUGH_ROW, row, *book) != 0:
            return row
        for symbol in range(symbols):
            is_held = holdings[0, symbol] != 0.0
            is_exit = exits[symbol, row]
            if (is_exit and is_held) or (entries[symbol, row] and not is_exit and not is_held):
                orders[now.orders] = templates[1 if is_exit else 0]
                order = orders[now.orders]
                order.symbol = symbol
                order.row = row
                order.placed = ends[row]
                order.session = due[symbol, row]
                now.orders += 1
        row += 1
    return rows


@kernel
def _next_signal(row: int, last: int, entries: Any, exits: Any, holdings: Any) -> int:
    """Return the first row from `row` on with a signal that can count, at most `last`."""
    for symbol in range(len(entries)):
        if holdings[0, symbol] != 0.0:
            wanted = exits[symbol]
            for at in range(row, last):
                if wanted[at]:
                    last = at
                    break
        else:
            wanted, barred = entries[symbol], exits[symbol]
            for at in range(row, last):
                if wanted[at] and not barred[at]:
                    last = at
                    break
    return last


@kernel
def follow_alone(
    entries: Any,
    exits: Any,
    templates: Any,
    due: Any,
    session: Any,
    valued_at: Any,
    prices: Any,
    orders: Any,
    fills: Any,
    working: Any,
    holdings: Any,
    values: Any,
    state: Any,
    rules: Any,
) -> tuple[int, int]:
    """Follow the signals of a single symbol where nothing but its plain orders can happen.

    The symbol has a bar in regular hours on every row, no corporate action comes, and each order is a
    market order of the day for the next open. Then the rows between two signals change nothing, and
    the account is valued at the ends of sessions only. Orders fill by `execution.execute_moment`.

    Parameters
    ----------
    entries, exits
        (rows,) booleans.
    templates
        As in `follow`.
    due
        (rows,) the session to which an order placed at each bar's end belongs.
    session
        (rows,) ordinal of each row's session.
    valued_at
        (sessions,) rows at which the account is valued.
    prices
        As in `fills.advance`.
    orders, fills, working
        Room for one order.
    holdings, state, rules
        As in `fills.advance`.
    values
        (sessions,) is filled with the value of the account [currency].

    Returns
    -------
    tuple of int
        Numbers of fills and of positions closed.
    """
    now, rule = state[0], rules[0]
    rows = len(entries)
    valued = 0
    filled = 0
    closed = 0
    row = 0
    while row < rows:
        is_held = holdings[0, 0] != 0.0
        row = _next_alone(row, entries, exits, holdings[0, 0])
        if row >= rows - 1:
            break
        row += 1
        while valued < len(valued_at) and valued_at[valued] < row:
            values[valued] = now.cash + (holdings[0, 0] * prices[3, 0, valued_at[valued]])
            valued += 1
        if session[row] > due[row - 1]:
            continue
        orders[0] = templates[1 if is_held else 0]
        order = orders[0]
        order.moment = AT_OPEN
        order.price = prices[0, 0, row]
        order.is_target = 1 if is_held else 0
        now.working = 1
        now.fills = 0
        execute_moment(AT_OPEN, row, prices, orders, fills, working, holdings, now, rule)
        filled += now.fills
        closed += is_held and now.fills == 1
    while valued < len(valued_at):
        values[valued] = now.cash + (holdings[0, 0] * prices[3, 0, valued_at[valued]])
        valued += 1
    return filled, closed


@kernel
def _next_alone(row: int, entries: Any, exits: Any, units: float) -> int:
    rows = len(entries)
    if units != 0.0:
        while row < rows and not exits[row]:
            row += 1
    else:
        while row < rows and not (entries[row] and not exits[row]):
            row += 1
    return row


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    book = smallest_book()
    times, prices, actions, orders, fills, working, holdings, _, state, rules = book
    templates = np.repeat(orders, 2)
    signals = np.ones((1, 1), np.bool_)
    ends, due = times.end, times.session
    follow(0, signals, ~signals, templates, ends, due, actions, orders, holdings, state, book)
    line = signals[0]
    follow_alone(
        line, ~line, templates, due[0], due[0], working, prices, orders, fills, working, holdings,
        np.zeros(1), state, rules,
    )  # fmt: skip
