"""Wealth, drawdowns and the spells under water, on plain arrays of simple returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Spells", "drawdowns", "spells", "wealth"]

ROUNDING = 1e-12
"""Falls shallower than this are rounding of the products: a high that is met again is met."""

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]


class Spells(NamedTuple):
    """The spells under water of one series, in order of time.

    `start` is the position of the first observation below the high, `trough` that of the lowest one
    (the first of equals), `end` that of the observation that regains the high, or the number of
    observations where none does.
    """

    start: Integers
    trough: Integers
    end: Integers


def wealth(returns: Floats) -> Floats:
    """Return what one unit has become after each observation.

    Parameters
    ----------
    returns
        Simple returns [1], shape (n,) or (n, k). NaN is a session without a return: wealth stays.

    Returns
    -------
    numpy.ndarray
        Same shape. Where wealth reaches zero or less the record is over: it stays at that value,
        below zero when more than everything was lost.

    Examples
    --------
    >>> wealth(np.array([0.5, -0.5, np.nan])).tolist()
    [1.5, 0.75, 0.75]
    >>> wealth(np.array([-1.25, 2.0])).tolist()
    [-0.25, -0.25]
    """
    growth = np.cumprod(1.0 + np.where(np.isnan(returns), 0.0, returns), axis=0)
    ruined = np.maximum.accumulate(growth <= 0.0, axis=0)
    if not ruined.any():
        return growth
    last = np.where(ruined.any(axis=0), ruined.argmax(axis=0), len(growth) - 1)
    final = np.take_along_axis(growth, np.expand_dims(last, 0), axis=0)
    return np.where(ruined, final, growth)


def drawdowns(returns: Floats) -> Floats:
    """Return wealth over its highest value so far, less one; the start counts as a high.

    Parameters
    ----------
    returns
        Simple returns [1], shape (n,) or (n, k). NaN leaves wealth as it is.

    Returns
    -------
    numpy.ndarray
        Same shape, at most 0; exactly 0 where a high is met again, up to rounding. A loss on the first
        observation is a drawdown.

    Examples
    --------
    >>> drawdowns(np.array([-0.5, 1.5, -0.25])).tolist()
    [-0.5, 0.0, -0.25]
    """
    value = wealth(returns)
    fallen = value / np.maximum(np.maximum.accumulate(value, axis=0), 1.0) - 1.0
    return np.where(fallen > -ROUNDING, 0.0, fallen)


def spells(drawdown: Floats) -> Spells:
    """Return where one series of drawdowns is below zero.

    Parameters
    ----------
    drawdown
        Drawdowns [1], shape (n,), at most 0, without NaN.

    Returns
    -------
    Spells
        Arrays of equal length, empty where nothing is below zero.

    Examples
    --------
    >>> spells(np.array([0.0, -0.1, -0.2, 0.0, -0.3]))
    Spells(start=array([1, 4]), trough=array([2, 4]), end=array([3, 5]))
    """
    under = np.concatenate(([False], drawdown < 0.0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    start, end = edges[::2].astype(np.int64), edges[1::2].astype(np.int64)
    troughs = [
        first + int(np.argmin(drawdown[first:last])) for first, last in zip(start, end, strict=True)
    ]
    return Spells(start, np.array(troughs, dtype=np.int64), end)
