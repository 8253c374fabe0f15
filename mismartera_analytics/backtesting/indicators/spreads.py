"""How far, and how high, the latest value stands among the last ones."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.backtesting.indicators.series import length_of, one_series
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["rolling_rank", "rolling_std", "zscore"]

Floats = NDArray[np.float64]


def rolling_std(values: ArrayLike, window: int = 20, ddof: Literal[0, 1] = 0) -> Floats:
    """Return the standard deviation of the last `window` values.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values.
    ddof
        0 divides by `window`, as TA-Lib does; 1 by one less.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in the unit of `values`; NaN for the first ``window - 1`` and where a value of the
        window is NaN.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension, `window` is no whole number above `ddof`, or `ddof` is
        neither 0 nor 1.

    Examples
    --------
    >>> rolling_std([1.0, 3.0, 3.0], window=2)
    array([nan,  1.,  0.])
    """
    from mismartera_analytics.kernels import windows

    if isinstance(ddof, bool) or ddof not in (0, 1):
        raise InvalidInputError(f"ddof={as_given(ddof)} must be 0 or 1.")
    length = length_of(window, least=1 + ddof)
    variances = windows.moving_moments(one_series(values), length)[1]
    deviations: Floats = np.sqrt(variances * (length / (length - ddof)))
    return deviations


def zscore(values: ArrayLike, window: int = 20, ddof: Literal[0, 1] = 0) -> Floats:
    """Return how many standard deviations each value lies above the mean of its window.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values, the latest included.
    ddof
        As in `rolling_std`.

    Returns
    -------
    numpy.ndarray
        Shape (n,) [1]; NaN for the first ``window - 1``, where a value of the window is NaN, and where
        all values of the window are the same.

    Raises
    ------
    InvalidInputError
        As `rolling_std`.

    Examples
    --------
    >>> zscore([1.0, 3.0, 3.0], window=2)
    array([nan,  1., nan])
    """
    from mismartera_analytics.kernels import windows

    series = one_series(values)
    deviations = rolling_std(series, window, ddof)
    means = windows.moving_moments(series, length_of(window))[0]
    deviations[deviations == 0.0] = np.nan
    scores: Floats = (series - means) / deviations
    return scores


def rolling_rank(values: ArrayLike, window: int = 20) -> Floats:
    """Return the rank of each value among its window's, as a share of them.

    Parameters
    ----------
    values
        Shape (n,).
    window
        Number of values, the latest included.

    Returns
    -------
    numpy.ndarray
        Shape (n,), from ``1 / window`` (the lowest) to 1 (the highest) [1]; equal values share the mean
        of their ranks. NaN for the first ``window - 1`` and where a value of the window is NaN. The
        time grows with the logarithm of `window`, and beyond some thousands with `window`.

    Raises
    ------
    InvalidInputError
        If `values` has not one dimension or `window` is no positive whole number.

    Examples
    --------
    >>> rolling_rank([1.0, 3.0, 2.0, 2.0], window=2)
    array([ nan, 1.  , 0.5 , 0.75])
    """
    from mismartera_analytics.kernels import windows

    return windows.moving_rank(one_series(values), length_of(window))
