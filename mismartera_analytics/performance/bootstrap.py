"""Intervals of metrics by drawing a record again from blocks of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.arguments import is_number, is_whole, whole
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import observations

__all__ = [
    "MOST_DRAWS",
    "bootstrap_intervals",
    "check_draws",
    "drawn",
    "mean_block",
    "stationary_bootstrap",
]

Floats = npt.NDArray[np.floating[Any]]
MOST_DRAWS = 100_000
_AT_ONCE = 2**20
"""Returns that are held at a time."""


def mean_block(count: int) -> float:
    """Return the mean length of blocks that is taken by default: the cube root of the observations.

    Examples
    --------
    >>> mean_block(1000)
    10.0
    """
    return float(max(1, round(count ** (1 / 3))))


def stationary_bootstrap(
    returns: Any, *, draws: int = 1000, block: float | None = None, seed: int = 0
) -> Iterator[Floats]:
    """Yield records drawn from a record, in blocks of random length that keep its dependence.

    A draw begins anywhere in the record and goes on with the next observation, after the last one with
    the first; with probability ``1 / block`` it begins anew.

    Parameters
    ----------
    returns
        Simple returns, shape (n,); NaN is left out.
    draws
        How many records, 1 to 100,000.
    block
        Mean length of the blocks [observations], at least 1; the cube root of n by default.
    seed
        The same seed gives the same draws.

    Yields
    ------
    numpy.ndarray
        Shape (n, some), one draw a column; `draws` columns in all.

    Raises
    ------
    InvalidInputError
        If there is no observation, there are several series, or an argument is not allowed.

    References
    ----------
    Politis, D. N. and Romano, J. P. (1994), The Stationary Bootstrap, Journal of the American
    Statistical Association 89(428).

    Examples
    --------
    >>> [part.shape for part in stationary_bootstrap([0.01, -0.02, 0.0], draws=5)]
    [(3, 5)]
    """
    data = observations(returns)
    values = data.values[~np.isnan(data.values[:, 0]), 0] if data.is_single else data.values
    if not (data.is_single and len(values)):
        raise InvalidInputError(
            f"returns has the shape {data.values.shape}; pass one series with a return."
        )
    check_draws(draws)
    length = mean_block(len(values)) if block is None else block
    if not (is_number(length) and length >= 1):
        raise InvalidInputError(f"block={as_given(block)} must be a mean length of at least 1.")
    return _draws(values, draws, length, np.random.default_rng(whole(seed, "seed")))


def check_draws(draws: int) -> None:
    """Refuse what is no number of draws."""
    if not (is_whole(draws) and 1 <= draws <= MOST_DRAWS):
        raise InvalidInputError(
            f"draws={as_given(draws)} must be a whole number from 1 to {MOST_DRAWS:,}; 1,000 are usual."
        )


def _draws(
    values: Floats, draws: int, length: float, random: np.random.Generator
) -> Iterator[Floats]:
    count = len(values)
    step = max(1, _AT_ONCE // count)
    places = np.arange(count)
    for first in range(0, draws, step):
        shape = (min(step, draws - first), count)
        begins = random.random(shape) < 1.0 / length
        begins[:, 0] = True
        starts = random.integers(count, size=shape)
        last = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
        drawn = (np.take_along_axis(starts, last, axis=1) + places - last) % count
        yield values[drawn].T


def bootstrap_intervals(
    returns: Any,
    measures: Mapping[str, Callable[[Floats], Any]],
    *,
    levels: tuple[float, ...] = (0.025, 0.5, 0.975),
    draws: int = 1000,
    block: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return quantiles of metrics over records drawn again.

    Parameters
    ----------
    returns, draws, block, seed
        As in `stationary_bootstrap`.
    measures
        Functions of a matrix (n, k) of returns that give one number a column.
    levels
        Probabilities.

    Returns
    -------
    pandas.DataFrame
        Index the levels, columns the measures; NaN where a measure has no value in any draw.

    Raises
    ------
    InvalidInputError
        As in `stationary_bootstrap`, or if a level is not between 0 and 1.

    Examples
    --------
    >>> from mismartera_analytics.performance import metrics
    >>> values = np.random.default_rng(1).normal(0.001, 0.01, 250)
    >>> table = bootstrap_intervals(values, {"total_return": metrics.total_return})
    >>> table["total_return"].is_monotonic_increasing
    True
    """
    if not all(0.0 < level < 1.0 for level in levels):
        raise InvalidInputError(f"levels={as_given(levels)} must lie between 0 and 1.")
    table = {}
    for name, values in drawn(returns, measures, draws=draws, block=block, seed=seed).items():
        known = values[~np.isnan(values)]
        table[name] = np.quantile(known, levels) if len(known) else np.full(len(levels), np.nan)
    return pd.DataFrame(table, index=pd.Index(levels, name="level", dtype="float64"))


def drawn(
    returns: Any,
    measures: Mapping[str, Callable[[Floats], Any]],
    *,
    draws: int = 1000,
    block: float | None = None,
    seed: int = 0,
) -> dict[str, Floats]:
    """Return metrics of records drawn again, one value a draw.

    Parameters and errors as in `bootstrap_intervals`. NaN is a draw in which a metric is not defined.
    """
    found: dict[str, list[Floats]] = {name: [] for name in measures}
    for matrix in stationary_bootstrap(returns, draws=draws, block=block, seed=seed):
        for name, measure in measures.items():
            found[name].append(np.asarray(measure(matrix), np.float64))
    return {name: np.concatenate(parts) for name, parts in found.items()}
