"""Metrics of a record against a benchmark, on the sessions that both have.

Every function takes two Series of simple returns labelled by session, or two arrays of one length.
Sessions that one of them lacks, or where one is NaN, are left out. What is not defined (fewer than two
common sessions, a benchmark that does not vary) is NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.observations import annualisation, observations

__all__ = [
    "Pair",
    "alpha",
    "beta",
    "correlation",
    "down_capture",
    "information_ratio",
    "paired",
    "tracking_error",
    "up_capture",
]

Floats = npt.NDArray[np.floating[Any]]


class Pair(NamedTuple):
    """Returns and benchmark on their common sessions, and those sessions' labels."""

    returns: Floats
    benchmark: Floats
    labels: pd.DatetimeIndex | None

    def periods(self, given: float | None) -> float:
        """Return the observations a year, as given or counted from the labels."""
        return annualisation(self.labels, periods_per_year=given).periods_per_year


def paired(returns: Any, benchmark: Any) -> Pair:
    """Return two records on the sessions that both have.

    Parameters
    ----------
    returns, benchmark
        Simple returns [1]: two Series labelled by session, or two arrays of shape (n,).

    Returns
    -------
    Pair
        Without NaN. May be empty where every common session lacks a return.

    Raises
    ------
    InvalidInputError
        If one is labelled and the other is not, arrays differ in length, no session is common, or
        either breaks a rule of `observations`.

    Examples
    --------
    >>> paired([0.01, float("nan"), 0.02], [0.0, 0.01, 0.03]).returns.tolist()
    [0.01, 0.02]
    """
    ours = observations(returns)
    theirs = observations(benchmark, argument="benchmark")
    if (ours.labels is None) != (theirs.labels is None):
        raise InvalidInputError(
            "returns and benchmark must both be labelled by session, or neither."
        )
    first, second, labels = ours.values[:, 0], theirs.values[:, 0], None
    if ours.labels is not None and theirs.labels is not None:
        labels = ours.labels.intersection(theirs.labels)
        if not len(labels) and len(ours.labels) and len(theirs.labels):
            raise InvalidInputError(
                f"returns ({ours.labels[0]:%Y-%m-%d} to {ours.labels[-1]:%Y-%m-%d}) and benchmark "
                f"({theirs.labels[0]:%Y-%m-%d} to {theirs.labels[-1]:%Y-%m-%d}) have no session in "
                f"common."
            )
        first = first[ours.labels.get_indexer(labels)]
        second = second[theirs.labels.get_indexer(labels)]
    elif len(first) != len(second):
        raise InvalidInputError(
            f"returns has {len(first)} observations and benchmark {len(second)}; label both by "
            f"session, or pass arrays of one length."
        )
    known = ~(np.isnan(first) | np.isnan(second))
    return Pair(first[known], second[known], None if labels is None else labels[known])


def _is_flat(values: Floats) -> bool:
    return len(values) < 2 or metrics.volatility(values, periods_per_year=1.0) == 0.0


def beta(returns: Any, benchmark: Any) -> float:
    """Return the slope of the returns on the benchmark's [1].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.

    Returns
    -------
    float
        Covariance over the benchmark's variance. A constant risk-free rate does not change it.

    Raises
    ------
    InvalidInputError
        As in `paired`.

    Examples
    --------
    >>> round(beta([0.02, -0.01, 0.03], [0.01, -0.005, 0.015]), 12)
    2.0
    """
    return _beta(paired(returns, benchmark))


def _beta(pair: Pair) -> float:
    if _is_flat(pair.benchmark):
        return np.nan
    covariance = np.cov(pair.returns, pair.benchmark)
    return float(covariance[0, 1] / covariance[1, 1])


def alpha(
    returns: Any,
    benchmark: Any,
    *,
    risk_free: float = 0.0,
    periods_per_year: float | None = None,
) -> float:
    """Return Jensen's alpha [1/year].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    risk_free
        Rate per YEAR [1/year].
    periods_per_year
        Observations a year; counted from the common labels when not given.

    Returns
    -------
    float
        ``(mean(r - f) - beta * mean(b - f)) * periods_per_year``: the intercept of a session, summed
        over a year, not compounded.

    Raises
    ------
    InvalidInputError
        As in `paired`, or if the rate is not above -1 or the labels do not tell the periods a year.

    References
    ----------
    Jensen, M. C. (1968), The performance of mutual funds in the period 1945-1964.

    Examples
    --------
    >>> round(alpha([0.03, 0.0, 0.04], [0.01, -0.005, 0.015], periods_per_year=10), 12)
    0.1
    """
    pair = paired(returns, benchmark)
    periods = pair.periods(periods_per_year)
    if not (np.isfinite(risk_free) and risk_free > -1.0):
        raise InvalidInputError(
            f"risk_free={risk_free!r} must be a rate per year above -1, such as 0.03."
        )
    slope = _beta(pair)
    if np.isnan(slope):
        return np.nan
    free = (1.0 + risk_free) ** (1.0 / periods) - 1.0
    return float(((pair.returns - free).mean() - slope * (pair.benchmark - free).mean()) * periods)


def correlation(returns: Any, benchmark: Any) -> float:
    """Return Pearson's correlation with the benchmark [1].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.

    Returns
    -------
    float
        Between -1 and 1; NaN where one of the two does not vary.

    Raises
    ------
    InvalidInputError
        As in `paired`.

    Examples
    --------
    >>> round(correlation([0.02, -0.01, 0.03], [0.01, -0.005, 0.015]), 12)
    1.0
    """
    pair = paired(returns, benchmark)
    if _is_flat(pair.returns) or _is_flat(pair.benchmark):
        return np.nan
    return float(np.corrcoef(pair.returns, pair.benchmark)[0, 1])


def tracking_error(returns: Any, benchmark: Any, *, periods_per_year: float | None = None) -> float:
    """Return the annualised deviation of the difference to the benchmark [1/sqrt(year)].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    periods_per_year
        Observations a year; counted from the common labels when not given.

    Returns
    -------
    float
        Sample standard deviation (n - 1) of ``r - b`` times ``sqrt(periods_per_year)``.

    Raises
    ------
    InvalidInputError
        As in `paired`, or if the labels do not tell the periods a year.

    Examples
    --------
    >>> round(tracking_error([0.02, 0.0], [0.01, 0.01], periods_per_year=2), 12)
    0.02
    """
    pair = paired(returns, benchmark)
    difference = pair.returns - pair.benchmark
    return float(metrics.volatility(difference, periods_per_year=pair.periods(periods_per_year)))


def information_ratio(
    returns: Any, benchmark: Any, *, periods_per_year: float | None = None
) -> float:
    """Return the mean difference to the benchmark over its deviation, annualised [1/sqrt(year)].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    periods_per_year
        Observations a year; counted from the common labels when not given.

    Returns
    -------
    float
        The Sharpe ratio of ``r - b``; NaN where the difference does not vary.

    Raises
    ------
    InvalidInputError
        As in `tracking_error`.

    Examples
    --------
    >>> round(information_ratio([0.03, 0.01], [0.01, 0.01], periods_per_year=2), 12)
    1.0
    """
    pair = paired(returns, benchmark)
    difference = pair.returns - pair.benchmark
    return float(metrics.sharpe_ratio(difference, periods_per_year=pair.periods(periods_per_year)))


def up_capture(returns: Any, benchmark: Any, *, periods_per_year: float | None = None) -> float:
    """Return the growth a year over the benchmark's, on the sessions where that rose [1].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    periods_per_year
        Observations a year; counted from all common labels when not given.

    Returns
    -------
    float
        Ratio of the two geometric growth rates; NaN where the benchmark never rose.

    Raises
    ------
    InvalidInputError
        As in `tracking_error`.

    Examples
    --------
    >>> round(up_capture([0.02, -0.01], [0.01, -0.01], periods_per_year=1), 12)
    2.0
    """
    pair = paired(returns, benchmark)
    return _capture(pair, pair.benchmark > 0, periods_per_year)


def down_capture(returns: Any, benchmark: Any, *, periods_per_year: float | None = None) -> float:
    """Return the growth a year over the benchmark's, on the sessions where that fell [1].

    Parameters, returns and raises as in `up_capture`.

    Examples
    --------
    >>> round(down_capture([0.02, -0.005], [0.01, -0.01], periods_per_year=1), 12)
    0.5
    """
    pair = paired(returns, benchmark)
    return _capture(pair, pair.benchmark < 0, periods_per_year)


def _capture(pair: Pair, chosen: npt.NDArray[np.bool_], periods_per_year: float | None) -> float:
    if not chosen.any():
        return np.nan
    periods = pair.periods(periods_per_year)
    ours = metrics.cagr(pair.returns[chosen], periods_per_year=periods)
    theirs = metrics.cagr(pair.benchmark[chosen], periods_per_year=periods)
    return float(ours / theirs) if theirs else np.nan
