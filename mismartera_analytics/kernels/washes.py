"""Losses matched with what was bought around them: wash sales, in one pass over the sales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["match_washes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DUST = 1e-9
"""Share of a quantity below which a remainder counts as rounding [1]."""


@kernel
def match_washes(
    bought_group: Ints, bought_day: Ints, bought: Floats, group: Ints, day: Ints, sale: Ints,
    lot: Ints, quantity: Floats, gain: Floats, window: int,
) -> Any:  # fmt: skip
    """Match the losses on sales with the shares bought within a window of days around them.

    Parameters
    ----------
    bought_group, bought_day, bought
        (a,) purchases, sorted by group and time: whose shares of what, when [days], and shares.
    group, day, sale, lot, quantity, gain
        (p,) closed pieces, sorted likewise: whose, when, the sale that they belong to (those of one
        are adjacent), the purchase that opened them (-1 where none did), shares, and gain [currency].
    window
        Days before and after a sale.

    Returns
    -------
    pairs
        (m, 2): piece and purchase.
    amounts
        (m, 2): shares matched, and loss disallowed [currency, positive].
    adjusted
        (p,) gain of each piece after the losses that were added to the cost of its lot.

    Notes
    -----
    The earliest loss is matched first, with the earliest purchases, each share once. A share bought
    before the sale counts if it is still held after it; the rest of the very lot that was sold does
    not. Of a lot that is sold in parts, the shares to whose cost a loss was added go first.
    """
    added, marked = np.zeros(bought.size), np.zeros(bought.size)
    held, adjusted = bought.copy(), gain.copy()
    room = bought.size + quantity.size
    pairs, amounts = np.empty((room, 2), np.int64), np.empty((room, 2))
    m = start = 0
    for piece in range(quantity.size):
        if piece == 0 or sale[piece] != sale[piece - 1]:
            part = piece
            while part < quantity.size and sale[part] == sale[piece]:
                own = lot[part]
                if own >= 0:
                    held[own] -= quantity[part]
                if own >= 0 and marked[own] > 0.0:
                    share = min(quantity[part] / marked[own], 1.0)
                    adjusted[part] -= added[own] * share
                    added[own] *= 1.0 - share
                    marked[own] *= 1.0 - share
                part += 1
        if adjusted[piece] >= 0.0 or lot[piece] < 0:
            continue
        need, mine = quantity[piece], group[piece]
        while start < bought.size and (
            bought_group[start] < mine
            or (bought_group[start] == mine and bought_day[start] < day[piece] - window)
            or held[start] - marked[start] <= DUST * bought[start]
        ):
            start += 1
        at = start
        while at < bought.size and need > DUST * quantity[piece]:
            if bought_group[at] != mine or bought_day[at] > day[piece] + window:
                break
            free = held[at] - marked[at]
            if at != lot[piece] and free > DUST * bought[at]:
                taken = min(free, need)
                loss = -adjusted[piece] * taken / quantity[piece]
                pairs[m, 0], pairs[m, 1] = piece, at
                amounts[m, 0], amounts[m, 1] = taken, loss
                marked[at] += taken
                added[at] += loss
                need -= taken
                m += 1
            at += 1
    return pairs[:m].copy(), amounts[:m].copy(), adjusted


def warm_up() -> None:
    """Compile the kernel."""
    number, amount = np.zeros(1, np.int64), np.ones(1)
    match_washes(number, number, amount, number, number, number, number, amount, amount, 30)
