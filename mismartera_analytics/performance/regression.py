"""Slopes and correlations of many pairs of columns at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mismartera_analytics.performance.observations import ROUNDING

__all__ = ["correlations", "slopes"]

Floats = npt.NDArray[np.floating[Any]]


def slopes(returns: Floats, benchmark: Floats) -> Floats:
    """Return the covariance over the benchmark's variance of each column [1].

    Parameters
    ----------
    returns, benchmark
        Shape (n, k), without NaN.

    Returns
    -------
    numpy.ndarray
        Shape (k,); NaN below two rows and where the benchmark does not vary.
    """
    ours, theirs = _centred(returns), _centred(benchmark)
    return _divided((ours * theirs).sum(axis=0), np.square(theirs).sum(axis=0))


def correlations(returns: Floats, benchmark: Floats) -> Floats:
    """Return Pearson's correlation of each column [1].

    Shapes as in `slopes`; NaN where one of the two does not vary.
    """
    ours, theirs = _centred(returns), _centred(benchmark)
    spread = np.sqrt(np.square(ours).sum(axis=0) * np.square(theirs).sum(axis=0))
    return np.clip(_divided((ours * theirs).sum(axis=0), spread), -1.0, 1.0)


def _centred(values: Floats) -> Floats:
    """Return deviations from the mean of each column, exactly 0 where they are only rounding."""
    if len(values) < 2:
        return np.zeros_like(values)
    deviations: Floats = values - values.mean(axis=0)
    is_flat = np.abs(deviations).max(axis=0) <= ROUNDING * np.abs(values).max(axis=0)
    return np.where(is_flat, 0.0, deviations)


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    quotient: Floats = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0.0)
    return quotient
