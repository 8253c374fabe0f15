"""Moving windows over one series; each value depends on what came before it, never on what follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["exponential_mean", "moving_mean", "warm_up"]

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
def exponential_mean(values: Any, window: int, alpha: float) -> NDArray[np.float64]:
    """Return the exponential mean, begun with the mean of the first `window` values in a row.

    Shape (n,) in and out. A missing value gives NaN and the mean begins anew after it.
    """
    n = len(values)
    means = np.full(n, np.nan)
    seen = 0
    mean = 0.0
    for i in range(n):
        if values[i] != values[i]:
            seen = 0
            mean = 0.0
            continue
        seen += 1
        if seen < window:
            mean += values[i]
        elif seen == window:
            mean = (mean + values[i]) / window
            means[i] = mean
        else:
            mean += alpha * (values[i] - mean)
            means[i] = mean
    return means


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    values = np.ones(3)
    moving_mean(values, 2)
    exponential_mean(values, 2, 0.5)
