"""Minutes made up within a day's prices, in whole numbers only: the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["POINTS", "simulate_days", "warm_up"]

POINTS = 8
"""Prices in a minute, of which the bar is made."""
_UNITS = 1024
"""Steps of the walk in a cent."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@kernel
def simulate_days(daily: Any, starts: Any, seeds: Any, out: Any) -> None:
    """Write the minutes of each day.

    Parameters
    ----------
    daily
        Shape (5, days): open, high, low, close [currency/share] and volume [shares].
    starts
        Shape (days + 1,): the minutes of a day are ``starts[i]:starts[i + 1]``, at least one.
    seeds
        Shape (days,), uint64.
    out
        Shape (5, minutes); filled. The first open, the last close, the extremes and the sum of the
        volumes are exactly the day's; other prices are whole cents within its extremes.
    """
    state = np.empty(1, np.uint64)
    for day in range(len(seeds)):
        state[0] = seeds[day]
        begin, count = starts[day], starts[day + 1] - starts[day]
        points = _points(daily[:, day], count * POINTS, state)
        for i in range(count):
            part = points[i * POINTS : (i + 1) * POINTS]
            out[0, begin + i] = part[0]
            out[1, begin + i] = part.max()
            out[2, begin + i] = part.min()
            out[3, begin + i] = part[POINTS - 1]
        _share_out(daily[4, day], out[4, begin : begin + count], state)


@kernel
def _random(state: Any, below: int) -> Any:
    """Return a whole number of at least 0 and less than `below`, by SplitMix64."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    z = z ^ (z >> np.uint64(31))
    return np.int64((z >> np.uint64(1)) % np.uint64(below))


@kernel
def _points(bar: Any, count: int, state: Any) -> Any:
    """Return prices that go from the open by way of both extremes to the close."""
    opened, high, low, close = bar[0], bar[1], bar[2], bar[3]
    at_high = _place(high, opened, close, count, state)
    at_low = _place(low, opened, close, count, state)
    if 0 < at_high < count - 1 and 0 < at_low < count - 1:
        apart = count // 4 + _random(state, count // 2)  # or the price would leap
        at_low = 1 + (at_high - 1 + apart) % (count - 2)
    first, second = min(at_high, at_low), max(at_high, at_low)
    bounds = _steps(low), _steps(high)
    middle = (bounds[1], bounds[0]) if at_high < at_low else (bounds[0], bounds[1])
    walk = np.empty(count, np.int64)
    _bridge(walk, 0, first, _steps(opened), middle[0], bounds, state)
    _bridge(walk, first, second, middle[0], middle[1], bounds, state)
    _bridge(walk, second, count - 1, middle[1], _steps(close), bounds, state)
    prices = np.empty(count)
    for i in range(count):
        cents = (walk[i] + _UNITS // 2) // _UNITS
        prices[i] = min(max(cents / 100.0, low), high)
    prices[at_high], prices[at_low] = high, low
    prices[0], prices[count - 1] = opened, close
    return prices


@kernel
def _steps(price: float) -> Any:
    return np.int64(np.floor(price * (100.0 * _UNITS) + 0.5))


@kernel
def _place(extreme: float, opened: float, close: float, count: int, state: Any) -> Any:
    """Return where an extreme is reached: at an end that has it, else anywhere between."""
    place = 1 + _random(state, count - 2)
    if extreme == opened:
        return 0
    if extreme == close:
        return count - 1
    return place


@kernel
def _bridge(
    walk: Any, first: int, last: int, begin: int, end: int, bounds: Any, state: Any
) -> None:
    """Write a random walk from one price to another, turned back at the day's extremes."""
    low, high = bounds
    step = max((high - low) // 40, 1)
    length = max(last - first, 1)
    total = 0
    for i in range(first, last + 1):
        walk[i] = total
        total += _random(state, 2 * step + 1) - step
    drift = walk[last]
    for i in range(first, last + 1):
        k = i - first
        value = begin + (end - begin) * k // length + walk[i] - drift * k // length
        if value > high:
            value = 2 * high - value
        if value < low:
            value = 2 * low - value
        walk[i] = min(max(value, low), high)


@kernel
def _share_out(volume: float, out: Any, state: Any) -> None:
    """Share a volume out in whole shares, more at both ends of the day; the last takes a fraction."""
    count = len(out)
    weights = np.empty(count + 1, np.int64)
    weights[0] = 0
    for i in range(count):
        side = 2 * i + 1 - count
        weight = 1024 * (count * count + 2 * side * side) // (count * count)
        weights[i + 1] = weights[i] + (weight * (512 + _random(state, 1024)) >> 10)
    whole = np.int64(np.floor(volume))
    given = np.int64(0)
    for i in range(count):
        so_far = whole // weights[count] * weights[i + 1]
        so_far += whole % weights[count] * weights[i + 1] // weights[count]
        out[i] = so_far - given
        given = so_far
    out[count - 1] += volume - whole


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    daily = np.array([[10.0], [11.0], [9.0], [10.5], [100.0]])
    starts, seeds = np.array([0, 2]), np.zeros(1, np.uint64)
    for array in (daily, starts, seeds):
        array.flags.writeable = False
    simulate_days(daily, starts, seeds, np.empty((5, 2)))
