"""Metrics of how returns are spread: tails, shape, and how often and how well they win.

Shapes, NaN and errors as in `metrics`: (n,) gives a float, (n, k) one number per column, NaN is left
out, and what is not defined is NaN.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import (
    ROUNDING,
    observations,
    rate_of_observation,
)

__all__ = [
    "Estimator",
    "cvar",
    "hit_rate",
    "kurtosis",
    "omega_ratio",
    "payoff_ratio",
    "skew",
    "value_at_risk",
]

Floats = npt.NDArray[np.floating[Any]]
Estimator = Literal["historical", "normal"]
"""From the observations themselves, or from a normal distribution of their mean and deviation."""


def _each(returns: Any, measure: Any) -> Any:
    data = observations(returns)
    columns = [measure(column[~np.isnan(column)]) for column in data.values.T]
    return data.shaped(np.array(columns, dtype=np.float64))


def _check_tail(level: float, estimator: str) -> None:
    if not 0.0 < level < 1.0:
        raise InvalidInputError(f"level={as_given(level)} must lie between 0 and 1, such as 0.05.")
    if not is_one_of(estimator, ("historical", "normal")):
        raise InvalidInputError(
            f"estimator={as_given(estimator)} must be 'historical' or 'normal'."
        )


def value_at_risk(returns: Any, *, level: float = 0.05, estimator: Estimator = "historical") -> Any:
    """Return the return of one period that is undercut with probability `level` [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    level
        Probability of the tail, between 0 and 1.
    estimator
        ``"historical"``: the quantile of the observations, interpolated linearly; ``"normal"``: that of
        a normal distribution with their mean and sample deviation.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        A return, so usually negative. NaN without observations (two for ``"normal"``).

    Raises
    ------
    InvalidInputError
        If level or estimator is not allowed, or the input breaks a rule of `observations`.

    Examples
    --------
    >>> value_at_risk([-0.04, -0.02, 0.0, 0.02, 0.04], level=0.25)
    -0.02
    """
    _check_tail(level, estimator)

    def measure(values: Floats) -> float:
        if estimator == "normal":
            return _normal_tail(values, level, expected=False)
        return float(np.quantile(values, level)) if len(values) else np.nan

    return _each(returns, measure)


def cvar(returns: Any, *, level: float = 0.05, estimator: Estimator = "historical") -> Any:
    """Return the mean return of the periods at or below the value at risk [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    level
        Probability of the tail, between 0 and 1.
    estimator
        ``"historical"``: the mean of the observations at or below their quantile; ``"normal"``: the
        tail's mean of a normal distribution with their mean and sample deviation.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        At most the value at risk. NaN without observations (two for ``"normal"``).

    Raises
    ------
    InvalidInputError
        As in `value_at_risk`.

    References
    ----------
    Acerbi, C. and Tasche, D. (2002), On the coherence of expected shortfall.

    Examples
    --------
    >>> round(cvar([-0.04, -0.02, 0.0, 0.02, 0.04], level=0.25), 12)
    -0.03
    """
    _check_tail(level, estimator)

    def measure(values: Floats) -> float:
        if estimator == "normal":
            return _normal_tail(values, level, expected=True)
        if not len(values):
            return np.nan
        return float(values[values <= np.quantile(values, level)].mean())

    return _each(returns, measure)


def _normal_tail(values: Floats, level: float, *, expected: bool) -> float:
    if len(values) < 2:
        return np.nan
    standard = NormalDist()
    quantile = standard.inv_cdf(level)
    distance = -standard.pdf(quantile) / level if expected else quantile
    return float(values.mean() + distance * values.std(ddof=1))


def _central(values: Floats, least: int) -> tuple[float, Floats] | None:
    """Return n and the standardised deviations, or None where they are not defined."""
    if len(values) < least:
        return None
    deviations = values - values.mean()
    deviation = float(np.sqrt(np.mean(np.square(deviations))))
    if deviation <= ROUNDING * float(np.abs(values).max()):
        return None
    return float(len(values)), deviations / deviation


def skew(returns: Any) -> Any:
    """Return the skewness, corrected for the sample's size [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``G1 = sqrt(n (n - 1)) / (n - 2) * m3 / m2 ** 1.5``; NaN below three observations and without
        variance.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> round(skew([-0.01, 0.0, 0.04]), 6)
    1.457863
    """

    def measure(values: Floats) -> float:
        central = _central(values, 3)
        if central is None:
            return np.nan
        n, standardised = central
        cubes = standardised * standardised * standardised  # a tenth of the time of `** 3`
        return float(np.mean(cubes) * np.sqrt(n * (n - 1)) / (n - 2))

    return _each(returns, measure)


def kurtosis(returns: Any) -> Any:
    """Return the excess kurtosis, corrected for the sample's size [1]; 0 for a normal distribution.

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``G2 = (n - 1) / ((n - 2) (n - 3)) * ((n + 1) (m4 / m2 ** 2 - 3) + 6)``; NaN below four
        observations and without variance.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> round(kurtosis([-0.02, -0.01, 0.01, 0.02]), 12)
    -3.3
    """

    def measure(values: Floats) -> float:
        central = _central(values, 4)
        if central is None:
            return np.nan
        n, standardised = central
        biased = float(np.mean(np.square(np.square(standardised)))) - 3.0
        return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * biased + 6.0)

    return _each(returns, measure)


def hit_rate(returns: Any) -> Any:
    """Return the share of gains among the returns that are not zero [1].

    Parameters
    ----------
    returns
        Simple returns of sessions, or of trades, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        Between 0 and 1; NaN when every return is zero or missing.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> hit_rate([0.01, 0.02, -0.01, 0.0, 0.03])
    0.75
    """

    def measure(values: Floats) -> float:
        moved = np.count_nonzero(values)
        return np.count_nonzero(values > 0) / moved if moved else np.nan

    return _each(returns, measure)


def payoff_ratio(returns: Any) -> Any:
    """Return the mean gain over the size of the mean loss [1].

    Parameters
    ----------
    returns
        Simple returns of sessions, or of trades, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        NaN without a gain or without a loss.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> round(payoff_ratio([0.02, 0.04, -0.01]), 12)
    3.0
    """

    def measure(values: Floats) -> float:
        gains, losses = values[values > 0], values[values < 0]
        if not (len(gains) and len(losses)):
            return np.nan
        return float(gains.mean() / -losses.mean())

    return _each(returns, measure)


def omega_ratio(
    returns: Any, *, required: float = 0.0, periods_per_year: float | None = None
) -> Any:
    """Return the sum of excess gains over the size of the sum of shortfalls [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    required
        Rate per YEAR that splits gains from shortfalls [1/year].
    periods_per_year
        Observations a year, needed for a rate other than 0; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        NaN where nothing falls short or nothing is observed.

    Raises
    ------
    InvalidInputError
        If the rate is not above -1, the labels do not tell the periods a year, or the input breaks a
        rule of `observations`.

    References
    ----------
    Keating, C. and Shadwick, W. (2002), A universal performance measure.

    Examples
    --------
    >>> round(omega_ratio([0.02, 0.01, -0.01]), 12)
    3.0
    """
    threshold = rate_of_observation(required, 1.0, argument="required")
    if required:
        periods = observations(returns).periods(periods_per_year)
        threshold = rate_of_observation(required, periods, argument="required")

    def measure(values: Floats) -> float:
        excess = values - threshold
        shortfall = -float(excess[excess < 0].sum())
        return float(excess[excess > 0].sum()) / shortfall if shortfall else np.nan

    return _each(returns, measure)
