"""Metrics of a record against a benchmark, on the sessions that both have.

Every function takes two Series of simple returns labelled by session, or two arrays of one length.
Sessions that one of them lacks, or where one is NaN, are left out. What is not defined (fewer than two
common sessions, a benchmark that does not vary) is NaN.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.observations import (
    Annualisation,
    Observations,
    annualisation,
    observations,
    rate_of_observation,
)
from mismartera_analytics.performance.regression import correlations, slopes
from mismartera_analytics.performance.returns import Returns

__all__ = [
    "Average",
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
Average = Literal["geometric", "arithmetic"]
"""How returns of some sessions are put together: compounded to a rate a year, or their mean."""


class Pair(NamedTuple):
    """Returns and benchmark on their common sessions, and those sessions' labels."""

    returns: Floats
    benchmark: Floats
    labels: pd.DatetimeIndex | None
    year: Annualisation | None = None

    def periods(self, given: float | None) -> float:
        """Return the observations a year: as given, of a calendar, or counted from the labels."""
        if given is None and self.year is not None:
            return self.year.periods_per_year
        return annualisation(self.labels, periods_per_year=given).periods_per_year


def paired(returns: Any, benchmark: Any) -> Pair:
    """Return two records on the sessions that both have.

    Parameters
    ----------
    returns, benchmark
        Simple returns [1]: two Series labelled by session, `Returns`, or two arrays of shape (n,).

    Returns
    -------
    Pair
        Without NaN. May be empty where every common session lacks a return.

    Raises
    ------
    InvalidInputError
        If one is labelled and the other is not, arrays differ in length, no session is common, two
        `Returns` differ in interval or currency, either holds several series, or either breaks a rule
        of `observations`.

    Examples
    --------
    >>> paired([0.01, float("nan"), 0.02], [0.0, 0.01, 0.03]).returns.tolist()
    [0.01, 0.02]
    """
    ours = observations(returns)
    theirs = observations(benchmark, argument="benchmark")
    _check_comparable(returns, benchmark, ours, theirs)
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
    common = None if labels is None else labels[known]
    return Pair(first[known], second[known], common, ours.year or theirs.year)


def _check_comparable(
    returns: Any, benchmark: Any, ours: Observations, theirs: Observations
) -> None:
    for argument, data in (("returns", ours), ("benchmark", theirs)):
        if not data.is_single:
            raise InvalidInputError(
                f"{argument} holds {data.values.shape[1]} series; compare one with one."
            )
    if isinstance(returns, Returns) and isinstance(benchmark, Returns):
        for name in ("interval", "currency"):
            mine, other = str(getattr(returns, name)), str(getattr(benchmark, name))
            if mine != other:
                raise InvalidInputError(
                    f"returns have the {name} {mine}, the benchmark {other}: bring both to one."
                )


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
    return float(slopes(pair.returns[:, np.newaxis], pair.benchmark[:, np.newaxis])[0])


def alpha(
    returns: Any,
    benchmark: Any,
    *,
    risk_free: float = 0.0,
    year: Literal["summed", "compounded"] = "summed",
    periods_per_year: float | None = None,
) -> float:
    """Return Jensen's alpha [1/year].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    risk_free
        Rate per YEAR [1/year].
    year
        Whether the intercept of a session is summed over a year or compounded.
    periods_per_year
        Observations a year; counted from the common labels when not given.

    Returns
    -------
    float
        ``a = mean(r - f) - beta * mean(b - f)`` of a session; ``a * periods_per_year`` when summed,
        ``(1 + a) ** periods_per_year - 1`` when compounded.

    Raises
    ------
    InvalidInputError
        As in `paired`, or if `year` is unknown, the rate is not above -1, or the labels do not tell
        the periods a year.

    References
    ----------
    Jensen, M. C. (1968), The performance of mutual funds in the period 1945-1964.

    Examples
    --------
    >>> round(alpha([0.03, 0.0, 0.04], [0.01, -0.005, 0.015], periods_per_year=10), 12)
    0.1
    """
    if not is_one_of(year, ("summed", "compounded")):
        raise InvalidInputError(f"year={as_given(year)} must be 'summed' or 'compounded'.")
    pair = paired(returns, benchmark)
    periods = pair.periods(periods_per_year)
    free = rate_of_observation(risk_free, periods, argument="risk_free")
    slope = _beta(pair)
    if np.isnan(slope):
        return np.nan
    intercept = (pair.returns - free).mean() - slope * (pair.benchmark - free).mean()
    if year == "compounded":
        return float((1.0 + intercept) ** periods - 1.0)
    return float(intercept * periods)


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
    return float(correlations(pair.returns[:, np.newaxis], pair.benchmark[:, np.newaxis])[0])


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


def up_capture(
    returns: Any,
    benchmark: Any,
    *,
    average: Average = "geometric",
    periods_per_year: float | None = None,
) -> float:
    """Return what the record made over what the benchmark made, on the sessions where that rose [1].

    Parameters
    ----------
    returns, benchmark
        As in `paired`.
    average
        ``"geometric"``: the compound growth of those sessions, put to a year; ``"arithmetic"``: the
        mean return of those sessions.
    periods_per_year
        Observations a year, for the geometric one; counted from all common labels when not given.

    Returns
    -------
    float
        Ratio of the two averages; NaN where the benchmark never rose.

    Raises
    ------
    InvalidInputError
        As in `tracking_error`, or if the average is unknown.

    Examples
    --------
    >>> round(up_capture([0.02, -0.01], [0.01, -0.01], periods_per_year=1), 12)
    2.0
    >>> round(up_capture([0.02, 0.01], [0.01, 0.02], average="arithmetic"), 12)
    1.0
    """
    pair = paired(returns, benchmark)
    return _capture(pair, pair.benchmark > 0, average, periods_per_year)


def down_capture(
    returns: Any,
    benchmark: Any,
    *,
    average: Average = "geometric",
    periods_per_year: float | None = None,
) -> float:
    """Return what the record made over what the benchmark made, on the sessions where that fell [1].

    Parameters, returns and raises as in `up_capture`.

    Examples
    --------
    >>> round(down_capture([0.02, -0.005], [0.01, -0.01], periods_per_year=1), 12)
    0.5
    """
    pair = paired(returns, benchmark)
    return _capture(pair, pair.benchmark < 0, average, periods_per_year)


def _capture(
    pair: Pair, chosen: npt.NDArray[np.bool_], average: Average, periods_per_year: float | None
) -> float:
    if not is_one_of(average, ("geometric", "arithmetic")):
        raise InvalidInputError(f"average={as_given(average)} must be 'geometric' or 'arithmetic'.")
    if not chosen.any():
        return np.nan
    if average == "arithmetic":
        return float(pair.returns[chosen].mean() / pair.benchmark[chosen].mean())
    periods = pair.periods(periods_per_year)
    ours = metrics.cagr(pair.returns[chosen], periods_per_year=periods)
    theirs = metrics.cagr(pair.benchmark[chosen], periods_per_year=periods)
    return float(ours / theirs) if theirs else np.nan
