"""Oscillators."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.backtesting.indicators.series import length_of, one_series
from mismartera_analytics.errors import InvalidInputError

__all__ = ["macd", "rsi"]

Floats = NDArray[np.float64]
_STANDSTILL = 1e-14
"""Average changes up to this count as none, as in TA-Lib."""


def rsi(values: ArrayLike, window: int = 14) -> Floats:
    """Return Wilder's relative strength index.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of changes.

    Returns
    -------
    numpy.ndarray
        Shape (n,), from 0 to 100; NaN for the first `window`; 0 where nothing has changed, as in
        TA-Lib. A NaN gives NaN and the index begins anew after it.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension or `window` is no positive whole number.

    Examples
    --------
    >>> rsi([1.0, 2.0, 3.0, 2.0], window=2)
    array([ nan,  nan, 100.,  50.])
    """
    from mismartera_analytics.kernels import windows

    series = one_series(values)
    length = length_of(window)
    changes = np.diff(series, prepend=np.nan)
    gains = windows.exponential_mean(np.maximum(changes, 0.0), length, 1.0 / length)
    losses = windows.exponential_mean(np.maximum(-changes, 0.0), length, 1.0 / length)
    total = gains + losses
    moves = ~(total <= _STANDSTILL)
    index: Floats = 100.0 * np.divide(gains, total, out=np.zeros(len(series)), where=moves)
    return index


def macd(
    values: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[Floats, Floats, Floats]:
    """Return the convergence of two exponential averages, its own average, and their difference.

    As in TA-Lib both averages begin where the slow one does, and all three outputs begin where the
    signal does.

    Parameters
    ----------
    values
        Shape (n,).
    fast, slow
        Lengths of the averages.
    signal
        Length of the convergence's average.

    Returns
    -------
    line, average, histogram : numpy.ndarray
        Shape (n,), in the unit of `values`; NaN for the first ``slow + signal - 2``. A NaN gives NaN
        and all begins anew after it.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension, a length is no positive whole number or `fast` is not less
        than `slow`.

    Examples
    --------
    >>> line, average, histogram = macd([1.0, 2.0, 4.0, 7.0], fast=1, slow=2, signal=2)
    >>> line.round(6)
    array([     nan,      nan, 0.833333, 1.277778])
    """
    from mismartera_analytics.kernels import windows

    series = one_series(values)
    quick, long = length_of(fast, "fast"), length_of(slow, "slow")
    smooth = length_of(signal, "signal")
    if quick >= long:
        raise InvalidInputError(f"fast={fast} must be less than slow={slow}.")
    line = windows.exponential_mean(series, quick, 2.0 / (quick + 1), long)
    line -= windows.exponential_mean(series, long, 2.0 / (long + 1), long)
    average = windows.exponential_mean(line, smooth, 2.0 / (smooth + 1))
    line[np.isnan(average)] = np.nan
    return line, average, line - average
