"""Prices that stand out from the bars around them and are gone again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["REACH", "spikes", "warm_up"]

REACH = 5
"""Bars looked at on either side."""
_FEWEST = 3
"""Bars needed on a side: the median of three survives one bad one."""


@kernel
def _range_of(high: Any, low: Any, close: Any, i: int) -> float:
    """Return how far the price moved in bar `i`, from the close before it on, as a logarithm."""
    top, bottom = high[i], low[i]
    if i > 0:
        top = max(top, close[i - 1])
        bottom = min(bottom, close[i - 1])
    return math.log(top / bottom)


@kernel
def _side(high: Any, low: Any, close: Any, begin: int, end: int) -> tuple[float, float]:
    """Return the median close and the median range of the bars ``[begin, end)``."""
    ranges = np.empty(end - begin)
    for k in range(begin, end):
        ranges[k - begin] = _range_of(high, low, close, k)
    return np.median(close[begin:end]), np.median(ranges)


@kernel
def _is_beyond(close: Any, begin: int, end: int, price: float, factor: float) -> bool:
    """Whether a price lies by `factor` above (below, if it is under 1) half of the closes or more."""
    count = 0
    for k in range(begin, end):
        if (factor > 1.0 and price > close[k] * factor) or (
            factor < 1.0 and price < close[k] * factor
        ):
            count += 1
    return 2 * count >= end - begin


@kernel
def spikes(high: Any, low: Any, close: Any, ranges: float, floor: float) -> NDArray[np.float64]:
    """Return by how much each bar's high or low lies beyond the medians before and after it.

    Parameters
    ----------
    high, low, close
        Shape (n,), one symbol in order of time, positive, no NaN.
    ranges
        Least distance in median ranges of the bars around.
    floor
        Least distance as a fraction.

    Returns
    -------
    ndarray of float64
        Shape (n,): logarithm of the high over the higher of the two medians, or of the low over the
        lower one (negative); 0 where that is not beyond both limits, or a side has fewer than three
        bars. A price that stays is no spike: it agrees with the median after it.
    """
    n = len(close)
    found = np.zeros(n)
    for i in range(_FEWEST, n - _FEWEST):
        before, after = max(0, i - REACH), min(n, i + 1 + REACH)
        for price, factor in ((high[i], 1.0 + floor), (low[i], 1.0 / (1.0 + floor))):
            if not _is_beyond(close, before, i, price, factor):
                continue
            if not _is_beyond(close, i + 1, after, price, factor):
                continue
            middle, usual = _side(high, low, close, before, i)
            later, later_usual = _side(high, low, close, i + 1, after)
            limit = max(ranges * max(usual, later_usual), math.log(1.0 + floor))
            reference = max(middle, later) if factor > 1.0 else min(middle, later)
            excess = math.log(price / reference)
            if abs(excess) > limit and abs(excess) > abs(found[i]):
                found[i] = excess
    return found


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    spikes(np.ones(8), np.ones(8), np.ones(8), 10.0, 0.02)
