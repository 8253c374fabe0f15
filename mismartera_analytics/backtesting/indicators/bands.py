"""True range, and bands around prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.arguments import is_number
from mismartera_analytics.backtesting.indicators.series import aligned, length_of, one_series
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["atr", "bollinger", "donchian", "true_range"]

Floats = NDArray[np.float64]


def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """Return the true range: the largest of high less low, and both less the last close.

    Parameters
    ----------
    high, low, close
        Shape (n,) [currency/share].

    Returns
    -------
    numpy.ndarray
        Shape (n,) [currency/share]; NaN for the first, and where a price is missing.

    Raises
    ------
    InvalidInputError
        If an input has not one dimension or their lengths differ.

    Examples
    --------
    >>> true_range([11.0, 15.0], [9.0, 14.0], [10.0, 14.5])
    array([nan,  5.])
    """
    highs, lows, closes = aligned(high=high, low=low, close=close)
    before = np.concatenate([[np.nan], closes])[: len(closes)]
    ranges: Floats = np.maximum(highs - lows, np.maximum(abs(highs - before), abs(lows - before)))
    return ranges


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, window: int = 14) -> Floats:
    """Return the average true range, by Wilder's average.

    Parameters
    ----------
    high, low, close
        Shape (n,) [currency/share].
    window
        Number of ranges.

    Returns
    -------
    numpy.ndarray
        Shape (n,) [currency/share]; NaN for the first `window`. A missing price gives NaN and the
        average begins anew after it.

    Raises
    ------
    InvalidInputError
        If an input has not one dimension, their lengths differ or `window` is no positive whole number.

    Examples
    --------
    >>> atr([11.0, 12.0, 14.0], [9.0, 10.0, 11.0], [10.0, 11.0, 13.0], window=2)
    array([nan, nan, 2.5])
    """
    from mismartera_analytics.kernels import windows

    length = length_of(window)
    return windows.exponential_mean(true_range(high, low, close), length, 1.0 / length)


def bollinger(
    values: ArrayLike, window: int = 20, deviations: float = 2.0
) -> tuple[Floats, Floats, Floats]:
    """Return Bollinger's bands: the simple average, and so many standard deviations around it.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values.
    deviations
        Of the population (``ddof=0``), as TA-Lib has it [1].

    Returns
    -------
    upper, middle, lower : numpy.ndarray
        Shape (n,), in the unit of `values`; NaN for the first ``window - 1`` and where a value of the
        window is NaN.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension, `window` is no positive whole number or `deviations` is not
        finite.

    Examples
    --------
    >>> upper, middle, lower = bollinger([1.0, 3.0, 5.0], window=2, deviations=1)
    >>> upper
    array([nan,  3.,  5.])
    """
    from mismartera_analytics.kernels import windows

    if not is_number(deviations):
        raise InvalidInputError(f"deviations={as_given(deviations)} must be a finite number.")
    means, variances = windows.moving_moments(one_series(values), length_of(window))
    width = deviations * np.sqrt(variances)
    return means + width, means, means - width


def donchian(high: ArrayLike, low: ArrayLike, window: int = 20) -> tuple[Floats, Floats, Floats]:
    """Return Donchian's channel: the highest high and the lowest low of the last bars.

    The latest bar is part of it: a close breaks out of the channel of the bar before, ``upper[-2]``.

    Parameters
    ----------
    high, low
        Shape (n,) [currency/share].
    window
        Number of bars.

    Returns
    -------
    upper, middle, lower : numpy.ndarray
        Shape (n,) [currency/share]; NaN for the first ``window - 1`` and where a price of the window is
        NaN.

    Raises
    ------
    InvalidInputError
        If an input has not one dimension, their lengths differ or `window` is no positive whole number.

    Examples
    --------
    >>> upper, middle, lower = donchian([3.0, 5.0, 4.0], [1.0, 2.0, 3.0], window=2)
    >>> upper, middle, lower
    (array([nan,  5.,  5.]), array([nan, 3. , 3.5]), array([nan,  1.,  2.]))
    """
    from mismartera_analytics.kernels import windows

    highs, lows = aligned(high=high, low=low)
    length = length_of(window)
    upper = windows.moving_maximum(highs, length)
    lower = -windows.moving_maximum(-lows, length)
    return upper, (upper + lower) / 2.0, lower
