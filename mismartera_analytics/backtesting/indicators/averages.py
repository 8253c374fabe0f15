"""Moving averages."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.backtesting.indicators.series import aligned, length_of, one_series

__all__ = ["ema", "sma", "vwap", "wilder"]


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

    series = one_series(values)
    return windows.moving_mean(series, length_of(window))


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

    series = one_series(values)
    length = length_of(window)
    return windows.exponential_mean(series, length, 2.0 / (length + 1))


def wilder(values: ArrayLike, window: int = 14) -> NDArray[np.float64]:
    """Return Wilder's average: exponential, with the weight ``1 / window``.

    It begins with the simple mean of the first `window` values. Also known as RMA or SMMA; RSI and ATR
    are made with it.

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
    >>> wilder([1.0, 3.0, 4.0, 7.0], window=2)
    array([nan,  2.,  3.,  5.])
    """
    from mismartera_analytics.kernels import windows

    series = one_series(values)
    length = length_of(window)
    return windows.exponential_mean(series, length, 1.0 / length)


def vwap(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, session: ArrayLike
) -> NDArray[np.float64]:
    """Return the volume-weighted average price since the session began.

    Each bar counts with its typical price, ``(high + low + close) / 3``, times its volume.

    Parameters
    ----------
    high, low, close
        Shape (n,) [currency/share].
    volume
        Shape (n,) [shares].
    session
        Shape (n,); the average begins anew where it changes. In a strategy ``ctx.indicator(vwap)``
        takes the sessions of the run's clock: bars after the close count with the next session.

    Returns
    -------
    numpy.ndarray
        Shape (n,) [currency/share]; NaN until a share was traded in the session. A bar with a NaN gives
        NaN and is left out.

    Raises
    ------
    InvalidInputError
        If an input has not one dimension or their lengths differ.

    Examples
    --------
    >>> price = [10.0, 13.0, 20.0]
    >>> vwap(price, price, price, volume=[200, 100, 50], session=[0, 0, 1])
    array([10., 11., 20.])
    """
    from mismartera_analytics.kernels import windows

    highs, lows, closes, volumes, sessions = aligned(
        high=high, low=low, close=close, volume=volume, session=session
    )
    return windows.anchored_mean((highs + lows + closes) / 3.0, volumes, sessions)
