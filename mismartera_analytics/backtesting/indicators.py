"""Indicators: each value is made of the bars up to it, never of later ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.errors import InvalidInputError

__all__ = ["ema", "sma"]


def sma(values: ArrayLike, window: int = 20) -> NDArray[np.float64]:
    """Return the simple moving average.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values in each mean.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in the unit of `values`; NaN for the first ``window - 1`` and where a value of the
        window is NaN.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension or `window` is no positive whole number.

    Examples
    --------
    >>> sma([1.0, 2.0, 3.0, 4.0], window=2)
    array([nan, 1.5, 2.5, 3.5])
    """
    from mismartera_analytics.kernels import windows

    series = _series(values)
    return windows.moving_mean(series, _window(window))


def ema(values: ArrayLike, window: int = 20) -> NDArray[np.float64]:
    """Return the exponential moving average with the weight ``2 / (window + 1)``.

    It begins with the simple mean of the first `window` values, as TA-Lib's does.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in the unit of `values`; NaN for the first ``window - 1``. A NaN gives NaN and the
        average begins anew after it.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension or `window` is no positive whole number.

    Examples
    --------
    >>> ema([1.0, 2.0, 3.0, 5.0], window=2)
    array([       nan, 1.5       , 2.5       , 4.16666667])
    """
    from mismartera_analytics.kernels import windows

    series = _series(values)
    length = _window(window)
    return windows.exponential_mean(series, length, 2.0 / (length + 1))


def _series(values: ArrayLike) -> NDArray[np.float64]:
    series = np.array(values, dtype=np.float64)
    if series.ndim != 1:
        raise InvalidInputError(f"values has {series.ndim} dimensions; give a single series.")
    return series


def _window(window: Any) -> int:
    if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1:
        raise InvalidInputError(f"window={window!r} must be a whole number of at least 1.")
    return int(window)
