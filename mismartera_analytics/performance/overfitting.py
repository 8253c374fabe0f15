"""How far a Sharpe ratio can be believed: its sample, its moments, and the tries it was picked from.

Formulas of D. H. Bailey and M. López de Prado. Inside, every Sharpe ratio is one per observation and
kurtosis is the plain one, 3 for a normal distribution. Functions take returns, never a Sharpe ratio
of them, and what compares with it must say whether it is per observation or per year: an annualised
ratio cannot slip in. Shapes, NaN and errors as in `metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mismartera_analytics.arguments import is_number, is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import (
    ROUNDING,
    Observations,
    observations,
)

__all__ = [
    "Per",
    "SharpeEstimate",
    "deflated_sharpe_ratio",
    "expected_maximum_sharpe",
    "minimum_track_record_length",
    "probabilistic_sharpe_ratio",
    "sharpe_estimate",
]

Floats = npt.NDArray[np.floating[Any]]
Per = Literal["observation", "year"]
"""What a Sharpe ratio is a ratio of: one observation, or, annualised, a year."""

_NORMAL = NormalDist()
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class SharpeEstimate:
    """A sample's Sharpe ratio per observation, and what tells how sure it is.

    Attributes
    ----------
    sharpe
        Mean over the sample standard deviation (n - 1) [1/sqrt(observation)], not annualised.
    count
        Observations.
    skew, kurtosis
        Of the sample, uncorrected [1]. Kurtosis is not excess: 3 for a normal distribution.

    Raises
    ------
    InvalidInputError
        If no sample has such moments: kurtosis is at least ``1 + skew ** 2``, so that an excess
        kurtosis is mostly found out.

    Examples
    --------
    >>> estimate = SharpeEstimate(0.458, 24, skew=-2.448, kurtosis=10.164)
    >>> round(estimate.probability_above(0.0), 3)
    0.913
    """

    sharpe: float
    count: int
    skew: float
    kurtosis: float

    def __post_init__(self) -> None:
        least = 1.0 + self.skew**2
        if self.kurtosis < least * (1.0 - 1e-9):
            raise InvalidInputError(
                f"kurtosis={as_given(self.kurtosis)} cannot be: with skew={as_given(self.skew)} it "
                f"is at least "
                f"{least:.4g}. It is the plain kurtosis, 3 for a normal distribution, not the excess."
            )

    @property
    def spread(self) -> float:
        """Variance of the estimate times ``count - 1``: ``1 - skew s + (kurtosis - 1) / 4 s ** 2``."""
        return 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2

    def probability_above(self, benchmark: float) -> float:
        """Return the probability that the true ratio lies above one per observation [1]."""
        if not (self.count > 1 and self.spread > 0.0):
            return math.nan
        distance = (self.sharpe - benchmark) * math.sqrt(self.count - 1)
        return _NORMAL.cdf(distance / math.sqrt(self.spread))

    def needed(self, benchmark: float, confidence: float) -> float:
        """Return the observations that show it to lie above a ratio per observation; NaN below it."""
        gap = self.sharpe - benchmark
        if not gap > 0.0:
            return math.nan
        return 1.0 + self.spread * (_NORMAL.inv_cdf(confidence) / gap) ** 2


def sharpe_estimate(returns: Any) -> SharpeEstimate | None:
    """Return the Sharpe ratio of one series of returns per observation, with its moments.

    Parameters
    ----------
    returns
        Simple returns, shape (n,), of what is to be judged: of a rate of its own, less that rate.

    Returns
    -------
    SharpeEstimate or None
        None below two observations and without variance.

    Raises
    ------
    InvalidInputError
        If there are several columns, or the input breaks a rule of `observations`.

    Examples
    --------
    >>> sharpe_estimate([0.02, 0.0, 0.01, -0.01]).count
    4
    """
    data = observations(returns)
    if not data.is_single:
        raise InvalidInputError(f"returns has {data.values.shape[1]} columns; pass one series.")
    return _estimate(data.values[:, 0])


def _estimate(column: Floats) -> SharpeEstimate | None:
    values = column[~np.isnan(column)]
    if len(values) < 2:
        return None
    deviations = values - values.mean()
    variance = float(np.mean(np.square(deviations)))
    if math.sqrt(variance) <= ROUNDING * float(np.abs(values).max()):
        return None
    standardised = deviations / math.sqrt(variance)
    return SharpeEstimate(
        sharpe=float(values.mean() / values.std(ddof=1)),
        count=len(values),
        skew=float(np.mean(standardised**3)),
        kurtosis=float(np.mean(standardised**4)),
    )


def probabilistic_sharpe_ratio(
    returns: Any,
    *,
    benchmark: float = 0.0,
    per: Per | None = None,
    periods_per_year: float | None = None,
) -> Any:
    """Return the probability that the true Sharpe ratio lies above a benchmark [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    benchmark
        A Sharpe ratio.
    per
        Whether `benchmark` is one per ``"observation"`` or per ``"year"``; needed unless it is 0.
    periods_per_year
        Observations a year, for a benchmark per year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``Phi((s - b) sqrt(n - 1) / sqrt(1 - skew s + (kurtosis - 1) / 4 s ** 2))``. NaN below two
        observations and without variance.

    Raises
    ------
    InvalidInputError
        If `per` is missing or unknown, the labels do not tell the periods a year, or the input breaks
        a rule of `observations`.

    References
    ----------
    Bailey, D. H. and López de Prado, M. (2012), The Sharpe Ratio Efficient Frontier, Journal of Risk
    15(2).

    Examples
    --------
    >>> round(probabilistic_sharpe_ratio([0.02, 0.01, -0.01, 0.01, 0.02, -0.01]), 3)
    0.839
    """
    data = observations(returns)
    level = _per_observation(benchmark, per, periods_per_year, data, "benchmark", power=1)
    return _each(data, lambda estimate: estimate.probability_above(level))


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """Return the highest Sharpe ratio that luck alone is expected to give among several trials.

    Parameters
    ----------
    trials
        Number of independent trials, at least 1.
    variance
        Of the trials' Sharpe ratios, per observation or per year as the result shall be. It means
        nothing with one trial.

    Returns
    -------
    float
        ``sqrt(variance) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)))`` with Z the normal quantile and g
        Euler's constant: the expected maximum of N normal ratios of mean 0. 0 with one trial.

    Raises
    ------
    InvalidInputError
        If there is less than one trial, or the variance is negative or missing.

    References
    ----------
    Bailey, D. H. and López de Prado, M. (2014), The Deflated Sharpe Ratio, Journal of Portfolio
    Management 40(5).

    Examples
    --------
    >>> round(expected_maximum_sharpe(100, 0.5), 2)
    1.79
    """
    if not (is_number(trials) and trials >= 1):
        raise InvalidInputError(f"trials={as_given(trials)} must be a number of at least 1.")
    if trials == 1:
        return 0.0
    _check_variance(variance)
    # Z(1 - p) is -Z(p): the latter has all its digits where p is tiny.
    quantile = (1.0 - _EULER) * _NORMAL.inv_cdf(1.0 / trials)
    quantile += _EULER * _NORMAL.inv_cdf(1.0 / (trials * math.e))
    return -math.sqrt(variance) * quantile


def deflated_sharpe_ratio(
    returns: Any,
    *,
    trials: float,
    variance: float,
    per: Per,
    periods_per_year: float | None = None,
) -> Any:
    """Return the probability that the true Sharpe ratio is above what luck gives the best trial.

    Parameters
    ----------
    returns
        Simple returns of the trial that was picked, shape (n,) or (n, k).
    trials
        Number of independent trials, all that were made; the picked one is one of them.
    variance
        Of the trials' Sharpe ratios; not used with one trial.
    per
        Whether these ratios are per ``"observation"`` or per ``"year"``.
    periods_per_year
        Observations a year, for ratios per year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        `probabilistic_sharpe_ratio` against `expected_maximum_sharpe` [1]. NaN below two observations
        and without variance.

    Raises
    ------
    InvalidInputError
        If there is less than one trial, the variance is negative or missing, `per` is unknown, the
        labels do not tell the periods a year, or the input breaks a rule of `observations`.

    References
    ----------
    Bailey, D. H. and López de Prado, M. (2014), The Deflated Sharpe Ratio, Journal of Portfolio
    Management 40(5).

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.001, 0.01, 1000)
    >>> alone = deflated_sharpe_ratio(returns, trials=1, variance=0.001, per="observation")
    >>> best = deflated_sharpe_ratio(returns, trials=400, variance=0.001, per="observation")
    >>> alone > best
    True
    """
    data = observations(returns)
    if not is_number(trials):
        raise InvalidInputError(f"trials={as_given(trials)} must be a number of at least 1.")
    if trials != 1:
        _check_variance(variance)
        variance = _per_observation(variance, per, periods_per_year, data, "variance", power=2)
    luck = expected_maximum_sharpe(trials, variance)
    return _each(data, lambda estimate: estimate.probability_above(luck))


def minimum_track_record_length(
    returns: Any,
    *,
    benchmark: float = 0.0,
    confidence: float = 0.95,
    per: Per | None = None,
    periods_per_year: float | None = None,
) -> Any:
    """Return how many observations show that the true Sharpe ratio lies above a benchmark.

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    benchmark, per, periods_per_year
        As in `probabilistic_sharpe_ratio`.
    confidence
        Between 0.5 and 1.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``1 + (1 - skew s + (kurtosis - 1) / 4 s ** 2) (Z(confidence) / (s - b)) ** 2``, in
        observations; parts are kept. NaN where the sample's ratio is not above the benchmark: no
        record of its kind would show it.

    Raises
    ------
    InvalidInputError
        As in `probabilistic_sharpe_ratio`, or if `confidence` is not allowed.

    References
    ----------
    As of `probabilistic_sharpe_ratio`.

    Examples
    --------
    >>> round(minimum_track_record_length([0.02, 0.01, -0.01, 0.01, 0.02, -0.01]), 1)
    14.8
    """
    if not (is_number(confidence) and 0.5 < confidence < 1.0):
        raise InvalidInputError(f"confidence={as_given(confidence)} must lie between 0.5 and 1.")
    data = observations(returns)
    level = _per_observation(benchmark, per, periods_per_year, data, "benchmark", power=1)
    return _each(data, lambda estimate: estimate.needed(level, confidence))


def _each(data: Observations, measure: Callable[[SharpeEstimate], float]) -> Any:
    found = [_estimate(column) for column in data.values.T]
    values = [math.nan if estimate is None else measure(estimate) for estimate in found]
    return data.shaped(np.array(values, dtype=np.float64))


def _check_variance(variance: float) -> None:
    if not (is_number(variance) and variance >= 0.0):
        raise InvalidInputError(
            f"variance={as_given(variance)} must be that of the trials' Sharpe ratios, at least 0; two "
            f"trials or more have one."
        )


def _per_observation(
    value: float,
    per: Per | None,
    periods_per_year: float | None,
    data: Observations,
    argument: str,
    *,
    power: int,
) -> float:
    """Return a ratio (`power` 1) or a variance of ratios (2) per observation."""
    if not is_number(value):
        raise InvalidInputError(f"{argument}={as_given(value)} must be a finite number.")
    if per is None and value == 0.0:
        return value
    if not is_one_of(per, ("observation", "year")):
        raise InvalidInputError(
            f"per={as_given(per)} must say what {argument}={as_given(value)} is of: 'observation', "
            f"or 'year' if it "
            f"is annualised."
        )
    if per == "observation":
        return value
    year = data.annualised(periods_per_year)
    return float(value / year.periods_per_year ** (power / 2.0))
