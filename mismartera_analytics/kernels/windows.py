"""Moving windows over one series; each value depends on what came before it, never on what follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = [
    "anchored_mean",
    "exponential_mean",
    "moving_maximum",
    "moving_mean",
    "moving_moments",
    "moving_rank",
    "warm_up",
]

_REFRESH = 512
"""After so many steps a running sum is added up anew, so that rounding does not pile up."""


@kernel
def moving_mean(values: Any, window: int) -> NDArray[np.float64]:
    """Return the mean of the last `window` values, NaN where one is missing or there are fewer.

    Shape (n,) in and out.
    """
    n = len(values)
    means = np.full(n, np.nan)
    total = 0.0
    missing = 0
    for i in range(n):
        if i >= window:
            old = values[i - window]
            if old == old:
                total -= old
            else:
                missing -= 1
        if values[i] == values[i]:
            total += values[i]
        else:
            missing += 1
        if i >= window - 1:
            if i % _REFRESH == 0:
                total = 0.0
                for k in range(i - window + 1, i + 1):
                    if values[k] == values[k]:
                        total += values[k]
            if missing == 0:
                means[i] = total / window
    return means


@kernel
def exponential_mean(values: Any, window: int, alpha: float, first: int = 0) -> NDArray[np.float64]:
    """Return the exponential mean, begun with the mean of the first `window` values in a row.

    Shape (n,) in and out. A missing value gives NaN and the mean begins anew after it. With `first`
    above `window` it begins at the value of that number, with the mean of the `window` values up to it.
    """
    n = len(values)
    begin = max(first, window)
    means = np.full(n, np.nan)
    seen = 0
    mean = 0.0
    for i in range(n):
        if values[i] != values[i]:
            seen = 0
            mean = 0.0
            continue
        seen += 1
        if seen <= begin - window:
            continue
        if seen < begin:
            mean += values[i]
        elif seen == begin:
            mean = (mean + values[i]) / window
            means[i] = mean
        else:
            mean += alpha * (values[i] - mean)
            means[i] = mean
    return means


@kernel
def moving_moments(values: Any, window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance (of the population) of the last `window` values.

    Shape (n,) in and out, NaN where one is missing or there are fewer. The series is cut into blocks of
    `window` values; a window is the end of one block and the beginning of the next, and the moments of
    both parts are merged. Nothing is ever subtracted, so nothing drifts or cancels.
    """
    n = len(values)
    means = np.full(n, np.nan)
    variances = np.full(n, np.nan)
    end_means = np.zeros(window + 1)  # of the last block's values from each position on
    end_squares = np.zeros(window + 1)
    mean = squares = 0.0
    for i in range(n):
        place = i % window
        if place == 0:
            mean = squares = 0.0
        step = values[i] - mean
        mean += step / (place + 1)
        squares += step * (values[i] - mean)
        if i >= window - 1:
            left = window - 1 - place
            apart = mean - end_means[place + 1] if left > 0 else 0.0
            means[i] = mean - apart * left / window
            total = squares + end_squares[place + 1] + apart * apart * left * (place + 1) / window
            variances[i] = total / window
        if place == window - 1:
            end_mean = end_square = 0.0
            for k in range(window):
                value = values[i - k]
                step = value - end_mean
                end_mean += step / (k + 1)
                end_square += step * (value - end_mean)
                end_means[window - 1 - k] = end_mean
                end_squares[window - 1 - k] = end_square
    return means, variances


@kernel
def moving_maximum(values: Any, window: int) -> NDArray[np.float64]:
    """Return the highest of the last `window` values, NaN where one is missing or there are fewer.

    Shape (n,) in and out. Blocks as in `moving_moments`.
    """
    n = len(values)
    highest = np.full(n, np.nan)
    ends = np.full(window + 1, -np.inf)
    top = -np.inf
    for i in range(n):
        place = i % window
        if place == 0:
            top = -np.inf
        if not values[i] <= top:  # NaN stays: nothing is above it
            top = values[i] if top == top else top
        if i >= window - 1:
            end = ends[place + 1]
            highest[i] = end if end != end or end > top else top
        if place == window - 1:
            end = -np.inf
            for k in range(window):
                if not values[i - k] <= end:
                    end = values[i - k] if end == end else end
                ends[window - 1 - k] = end
    return highest


@kernel
def moving_rank(values: Any, window: int) -> NDArray[np.float64]:
    """Return the rank of each value among the last `window`, from 1 / window to 1; ties share theirs.

    Shape (n,) in and out, NaN where one is missing or there are fewer. The window is kept sorted.
    """
    n = len(values)
    ranks = np.full(n, np.nan)
    kept = np.empty(window + 1)
    count = 0
    for i in range(n):
        if i >= window and values[i - window] == values[i - window]:
            place = np.searchsorted(kept[:count], values[i - window])
            count -= 1
            for k in range(place, count):
                kept[k] = kept[k + 1]
        if values[i] != values[i]:
            continue
        place = np.searchsorted(kept[:count], values[i])
        for k in range(count, place, -1):
            kept[k] = kept[k - 1]
        kept[place] = values[i]
        count += 1
        if count == window and i >= window - 1:
            above = place + 1
            while above < count and kept[above] == values[i]:
                above += 1
            ranks[i] = 0.5 * (place + 1 + above) / window
    return ranks


@kernel
def anchored_mean(values: Any, weights: Any, anchors: Any) -> NDArray[np.float64]:
    """Return the weighted mean since `anchors` last changed; NaN while the weights are 0.

    Shape (n,) each and out. A missing value or weight gives NaN and is left out.
    """
    n = len(values)
    means = np.full(n, np.nan)
    total = weight = 0.0
    for i in range(n):
        if i == 0 or anchors[i] != anchors[i - 1]:
            total = weight = 0.0
        if values[i] != values[i] or weights[i] != weights[i]:
            continue
        total += values[i] * weights[i]
        weight += weights[i]
        if weight > 0.0:
            means[i] = total / weight
    return means


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    values = np.ones(3)
    moving_mean(values, 2)
    exponential_mean(values, 2, 0.5)
    exponential_mean(values, 1, 0.5, 2)
    moving_moments(values, 2)
    moving_maximum(values, 2)
    moving_rank(values, 2)
    anchored_mean(values, values, values)
