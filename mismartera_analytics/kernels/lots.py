"""Matching of fills to open lots, position by position, in one pass.

Rows ("events") come sorted by group (one account's position in one symbol) and, inside a group, by
time. A lot remembers the event that opened it; quantities and prices of open lots follow splits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = [
    "AVERAGE",
    "DIVIDEND",
    "FIFO",
    "FILL",
    "HIFO",
    "LIEU",
    "LIFO",
    "NO_CHOICES",
    "SPECIFIC",
    "SPLIT",
    "TRANSFER",
    "Choices",
    "match",
]

FIFO, LIFO, HIFO, AVERAGE, SPECIFIC = 0, 1, 2, 3, 4
"""Which open lot a fill closes first: the oldest, the newest, the one whose close gains least, the
oldest at the mean cost of all, or those that were named for it and then the oldest."""

SPLIT, DIVIDEND, TRANSFER, FILL, LIEU = 0, 1, 2, 3, 4
"""Kinds of events, in the order in which they take effect inside one session. LIEU is a fraction of a
share that was paid out in cash: a fill without an order."""

DUST = 1e-12
"""Share of a lot's or fill's size below which a remainder counts as rounding [1]."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POSITION, BASIS, FEES = 0, 1, 2  # places in the pool of a position


class Choices(NamedTuple):
    """Lots that were named for closing events.

    Attributes
    ----------
    first
        (n + 1,): the candidates of event e are the rows ``first[e]`` to ``first[e + 1]``.
    lot
        (c,) the event that opened the candidate.
    choice
        (c,) the choice that the candidate serves; those of one choice are adjacent.
    quantity
        (d,) shares to take by that choice, at the exit.
    """

    first: Ints
    lot: Ints
    choice: Ints
    quantity: Floats


_NONE = np.zeros(0, np.int64)
NO_CHOICES = Choices(_NONE, _NONE, _NONE, np.zeros(0))


@kernel
def _next(
    method: int, book: Ints, head: int, tail: int, price: Floats, fee: Floats, left: Floats,
    sign: float,
) -> int:  # fmt: skip
    """Return the place in the book of the lot that is closed next."""
    if method == LIFO:
        return tail - 1
    if method != HIFO:
        return head
    best = head
    best_cost = -np.inf
    for place in range(head, tail):
        lot = book[place]
        cost = sign * price[lot] + fee[lot] / left[lot]
        if cost > best_cost:
            best, best_cost = place, cost
    return best


@kernel
def _chosen(choices: Choices, p: int, end: int, book: Ints, head: int, tail: int, left: Floats,
            need: Floats) -> tuple[int, int]:  # fmt: skip
    """Return the first candidate from p on that is still wanted and open, and its place, or -1."""
    while p < end:
        if need[choices.choice[p]] > 0.0 and left[choices.lot[p]] > 0.0:
            for place in range(head, tail):
                if book[place] == choices.lot[p]:
                    return p, place
        p += 1
    return p, -1


@kernel
def _split(book: Ints, head: int, tail: int, ratio: float, left: Floats, size: Floats,
           price: Floats) -> None:  # fmt: skip
    """Count the open lots in new shares."""
    for place in range(head, tail):
        lot = book[place]
        left[lot] *= ratio
        size[lot] *= ratio
        price[lot] /= ratio


@kernel
def _take(lot: int, taken: float, method: int, pool: Floats, left: Floats, price: Floats,
          fee: Floats) -> tuple[float, float]:  # fmt: skip
    """Take shares out of a lot and the pool; return their entry price and entry fee."""
    sign = 1.0 if pool[POSITION] > 0.0 else -1.0
    entry = price[lot]
    entry_fee = fee[lot] * taken / left[lot]
    if method == AVERAGE:
        entry = pool[BASIS] / pool[POSITION]
        entry_fee = pool[FEES] / abs(pool[POSITION]) * taken
    fee[lot] *= 1.0 - taken / left[lot]
    left[lot] -= taken
    pool[POSITION] -= sign * taken
    pool[BASIS] -= sign * taken * entry
    pool[FEES] -= entry_fee
    return entry, entry_fee


@kernel
def _remove(book: Ints, place: int, head: int, tail: int) -> tuple[int, int]:
    """Take a closed lot off the book, which stays in order of age; return its new ends."""
    if place == tail - 1:
        return head, tail - 1
    for at in range(place, head, -1):
        book[at] = book[at - 1]
    return head + 1, tail


@kernel
def _append(book: Ints, head: int, tail: int, lot: int, age: Ints) -> int:
    """Put a lot on the book behind all that are as old; return the book's new end."""
    place = tail
    while place > head and age[book[place - 1]] > age[lot]:
        book[place] = book[place - 1]
        place -= 1
    book[place] = lot
    return tail + 1


@kernel
def _list_open(
    book: Ints, left: Floats, price: Floats, fee: Floats, pool: Floats, method: int, out: Floats
) -> None:
    """Write quantity, price and fee of the open lots of a group."""
    sign = 1.0 if pool[POSITION] > 0.0 else -1.0
    for row in range(book.size):
        lot = book[row]
        out[row, 0], out[row, 1], out[row, 2] = sign * left[lot], price[lot], fee[lot]
        if method == AVERAGE:
            out[row, 1] = pool[BASIS] / pool[POSITION]
            out[row, 2] = pool[FEES] * left[lot] / abs(pool[POSITION])


@kernel
def match(
    group: Ints, kind: Ints, quantity: Floats, price: Floats, fee: Floats, age: Ints, method: int,
    choices: Choices,
) -> Any:  # fmt: skip
    """Match every event against the open lots of its group.

    Parameters
    ----------
    group
        (n,) number of the position; equal numbers are adjacent.
    kind
        (n,) SPLIT, DIVIDEND, TRANSFER, FILL or LIEU.
    quantity
        (n,) FILL, LIEU and TRANSFER: signed shares, positive when they come in. SPLIT: new shares for
        one old. DIVIDEND: not read.
    price
        (n,) FILL, LIEU: currency/share; TRANSFER in: cost per share; DIVIDEND: currency/share.
    fee
        (n,) FILL: fee [currency].
    age
        (n,) by which lots are older or newer, ascending; of equal ones the later event is newer.
    method
        FIFO, LIFO, HIFO, AVERAGE or SPECIFIC.
    choices
        Read with SPECIFIC.

    Returns
    -------
    states
        (n, 4): after each event the position [shares, signed] and the cost of its lots without fees
        [currency, signed]; of the event itself the realised gain before fees and the dividend
        received [currency].
    pairs
        (m, 2): of each closed piece, the events that opened and closed it.
    pieces
        (m, 5): its signed quantity in shares at the exit (negative when it was short), entry price
        in those shares, exit price, entry fee and exit fee.
    lots
        (k,): the events that opened the lots still open, by group and age.
    open_lots
        (k, 3): their signed quantity, price and unrealised fee.
    missing
        (d,) what each choice named but did not get [shares].

    Notes
    -----
    Not a number in, not a number out: callers refuse NaN before.
    """
    n = group.size
    states, pool = np.zeros((n, 4)), np.zeros(3)
    pairs, pieces = np.empty((2 * n, 2), np.int64), np.empty((2 * n, 5))
    lots, open_lots = np.empty(n, np.int64), np.empty((n, 3))
    left, size = (
        np.zeros(n),
        np.zeros(n),
    )  # still open; opened with, in today's shares: both positive
    lot_price, lot_fee = np.zeros(n), np.zeros(n)
    book = np.empty(n, np.int64)  # open lots of the current group, oldest at head
    need = choices.quantity.copy()
    m = k = head = tail = 0
    for e in range(n):
        if e == 0 or group[e] != group[e - 1]:
            head = tail = 0
            pool[:] = 0.0
        if kind[e] == SPLIT:
            pool[POSITION] *= quantity[e]
            _split(book, head, tail, quantity[e], left, size, lot_price)
        elif kind[e] == DIVIDEND:
            states[e, 3] = pool[POSITION] * price[e]
        else:
            sign = 1.0 if pool[POSITION] > 0.0 else -1.0
            to_open = abs(quantity[e])
            p, last = 0, 0
            if method == SPECIFIC:
                p, last = choices.first[e], choices.first[e + 1]
            while to_open > 0.0 and head < tail and sign * quantity[e] < 0.0:
                place, most = -1, to_open
                if p < last:
                    p, place = _chosen(choices, p, last, book, head, tail, left, need)
                    most = to_open if place < 0 else min(to_open, need[choices.choice[p]])
                if place < 0:
                    place = _next(method, book, head, tail, lot_price, lot_fee, left, sign)
                lot = book[place]
                taken = min(left[lot], most)
                if left[lot] - taken <= DUST * size[lot]:
                    taken = left[lot]
                if p < last:
                    choice = choices.choice[p]
                    need[choice] -= taken
                    if need[choice] <= DUST * choices.quantity[choice]:
                        need[choice] = 0.0
                to_open -= taken
                if to_open <= DUST * abs(quantity[e]):
                    to_open = 0.0
                entry, entry_fee = _take(lot, taken, method, pool, left, lot_price, lot_fee)
                if kind[e] >= FILL:
                    states[e, 2] += sign * taken * (price[e] - entry)
                    pairs[m, 0], pairs[m, 1] = lot, e
                    pieces[m, 0], pieces[m, 1], pieces[m, 2] = sign * taken, entry, price[e]
                    pieces[m, 3], pieces[m, 4] = entry_fee, fee[e] * taken / abs(quantity[e])
                    m += 1
                if left[lot] <= 0.0:
                    head, tail = _remove(book, place, head, tail)
                if head == tail:
                    pool[:] = 0.0
            if to_open > 0.0:
                sign = 1.0 if quantity[e] > 0.0 else -1.0
                if head == tail:
                    head = tail = 0
                tail = _append(book, head, tail, e, age)
                left[e] = size[e] = to_open
                lot_price[e], lot_fee[e] = price[e], fee[e] * to_open / abs(quantity[e])
                pool[POSITION] += sign * to_open
                pool[BASIS] += sign * to_open * price[e]
                pool[FEES] += lot_fee[e]
        states[e, 0], states[e, 1] = pool[POSITION], pool[BASIS]
        if e == n - 1 or group[e + 1] != group[e]:
            count = tail - head
            lots[k : k + count] = book[head:tail]
            _list_open(book[head:tail], left, lot_price, lot_fee, pool, method, open_lots[k:])
            k += count
    return states, pairs[:m].copy(), pieces[:m].copy(), lots[:k].copy(), open_lots[:k].copy(), need


def warm_up() -> None:
    """Compile the kernel."""
    number, amount = np.zeros(1, np.int64), np.ones(1)
    match(number, number + FILL, amount, amount, amount, number, FIFO, NO_CHOICES)
