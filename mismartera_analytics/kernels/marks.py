"""Holdings from session to session: prices where a bar is missing, and a row for each session held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["carry_forward", "hold"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def carry_forward(closes: NDArray[np.float64], ratios: NDArray[np.float64], limit: int) -> Any:
    """Carry each symbol's last price forward over sessions without a bar.

    Parameters
    ----------
    closes
        (sessions, symbols) closing prices; NaN where there is no bar.
    ratios
        (sessions, symbols) new shares for one old from that session's open on; 1 without a split.
        A price carried over a split is divided by it.
    limit
        For how many sessions a price stands in.

    Returns
    -------
    prices
        (sessions, symbols); NaN before the first bar and where the last one is older than `limit`.
    ages
        (sessions, symbols) sessions since the bar that gave the price, -1 where there is none.
    """
    prices = np.empty_like(closes)
    ages = np.empty(closes.shape, np.int32)
    for column in range(closes.shape[1]):
        last = np.nan
        age = -1
        for row in range(closes.shape[0]):
            last /= ratios[row, column]
            if not np.isnan(closes[row, column]):
                last = closes[row, column]
                age = 0
            elif age >= 0:
                age += 1
            is_old = age > limit
            prices[row, column] = np.nan if is_old else last
            ages[row, column] = -1 if is_old else age
    return prices, ages


@kernel
def hold(
    owner: Ints,
    row: Ints,
    amounts: Floats,
    states: Floats,
    has_state: NDArray[np.bool_],
    count: int,
) -> Any:
    """Give every owner a row for each session on which something is held or happens.

    Parameters
    ----------
    owner, row
        (n,) owner and session of each event, sorted by owner and session.
    amounts
        (n, m) amounts of each event; those of one owner and session are added up.
    states
        (n, 2) position and basis after each event.
    has_state
        (n,) whether the event changes the state; where not, the former one stays.
    count
        Number of sessions.

    Returns
    -------
    owners, sessions
        (r,) of each row, sorted. A flat position has no rows between its events.
    sums
        (r, m) amounts of the session.
    held
        (r, 2) position and basis at its end.
    """
    n, m = amounts.shape
    rows = 0
    position = 0.0
    for e in range(n):
        if e == 0 or owner[e] != owner[e - 1]:
            position = 0.0
        if has_state[e]:
            position = states[e, 0]
        goes_on = e + 1 < n and owner[e + 1] == owner[e]
        if not (goes_on and row[e + 1] == row[e]):
            until = row[e + 1] if goes_on else count
            rows += until - row[e] if position != 0.0 else 1
    owners = np.empty(rows, np.int64)
    sessions = np.empty(rows, np.int64)
    sums = np.zeros((rows, m))
    held = np.empty((rows, 2))
    at = 0
    basis = 0.0
    for e in range(n):
        if e == 0 or owner[e] != owner[e - 1]:
            position = basis = 0.0
        for column in range(m):
            sums[at, column] += amounts[e, column]
        if has_state[e]:
            position, basis = states[e]
        goes_on = e + 1 < n and owner[e + 1] == owner[e]
        if goes_on and row[e + 1] == row[e]:
            continue
        until = row[e + 1] if goes_on else count
        for session in range(row[e], until if position != 0.0 else row[e] + 1):
            owners[at], sessions[at] = owner[e], session
            held[at, 0], held[at, 1] = position, basis
            at += 1
    return owners, sessions, sums, held


def warm_up() -> None:
    """Compile the kernels."""
    carry_forward(np.ones((1, 1)), np.ones((1, 1)), 1)
    one = np.zeros(1, np.int64)
    hold(one, one, np.ones((1, 1)), np.ones((1, 2)), one == 0, 1)
