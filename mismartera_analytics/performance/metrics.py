"""Metrics of simple returns, each with its formula.

Every function takes simple returns as an array or Series of shape (n,), which gives a float, or as an
array or DataFrame of shape (n, k), which gives one number per column. NaN is a session without a
return: it is left out. What is not defined (too few observations, no variance, no loss) is NaN, never
infinite; `summary.performance_summary` says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mismartera_analytics.performance.observations import (
    ROUNDING,
    Observations,
    observations,
    rate_of_observation,
)

__all__ = [
    "cagr",
    "calmar_ratio",
    "downside_deviation",
    "max_drawdown",
    "sharpe_ratio",
    "sortino_ratio",
    "total_return",
    "volatility",
]

Floats = npt.NDArray[np.floating[Any]]


def total_return(returns: Any) -> Any:
    """Return the compounded return of all observations [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``prod(1 + r) - 1``; 0 without observations. Compounding ends where everything is lost: then at
        most -1, less when more was lost than there was.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> round(total_return([0.5, -0.5]), 12)
    -0.25
    """
    data = observations(returns)
    return data.shaped(_wealth(data) - 1.0)


def _wealth(data: Observations) -> Floats:
    """Return what one unit has become; less one it would lose the digits of what is nearly lost."""
    from mismartera_analytics.kernels import drawdowns

    if not len(data.values):
        return np.ones(data.values.shape[1])
    final: Floats = drawdowns.wealth(data.values)[-1]
    return final


def cagr(returns: Any, *, periods_per_year: float | None = None) -> Any:
    """Return the compound annual growth rate [1/year].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``(1 + total_return) ** (periods_per_year / n) - 1``, -1 when everything was lost, NaN without
        observations. Sessions without a return (NaN) do not count in n.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`, or the labels do not tell the periods a year.

    Examples
    --------
    >>> round(cagr([0.21, 0.0], periods_per_year=1), 12)
    0.1
    """
    data = observations(returns)
    return data.shaped(_cagr(data, periods_per_year))


def _cagr(data: Observations, periods_per_year: float | None) -> Floats:
    periods = data.periods(periods_per_year)
    base = np.maximum(_wealth(data), 0.0)
    years = data.counts / periods
    rate: Floats = np.full(len(years), np.nan)
    with np.errstate(over="ignore"):
        np.power(base, 1.0 / np.maximum(years, 1e-300), out=rate, where=years > 0)
    rate[np.isinf(rate)] = np.nan
    return rate - 1.0


def volatility(returns: Any, *, periods_per_year: float | None = None) -> Any:
    """Return the annualised standard deviation [1/sqrt(year)].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        Sample standard deviation (n - 1) times ``sqrt(periods_per_year)``; NaN below two observations.

    Raises
    ------
    InvalidInputError
        As in `cagr`.

    Examples
    --------
    >>> round(volatility([0.01, -0.01], periods_per_year=2), 12)
    0.02
    """
    data = observations(returns)
    periods = data.periods(periods_per_year)
    return data.shaped(_deviation(data.values) * np.sqrt(periods))


def _moments(values: Floats) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return mean, deviations from it (missing ones 0) and counts per column."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
    return mean, np.where(known, values - mean, 0.0), counts.astype(np.int64)


def _deviation(values: Floats) -> Floats:
    """Return the sample standard deviation per column, exactly 0 where it is only rounding."""
    _, deviations, counts = _moments(values)
    squares = np.square(deviations).sum(axis=0)
    variance = np.divide(squares, counts - 1, out=np.full(squares.shape, np.nan), where=counts > 1)
    deviation: Floats = np.sqrt(variance)
    deviation[deviation <= ROUNDING * _scale(values)] = 0.0
    return deviation


def _scale(values: Floats) -> Floats:
    """Return the size of the largest value per column, 0 without values."""
    sizes: Floats = np.where(np.isnan(values), 0.0, np.abs(values)).max(axis=0, initial=0.0)
    return sizes


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is zero or missing."""
    ratio: Floats = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0.0)
    return ratio


def _excess(values: Floats, annual_rate: float, periods: float, argument: str) -> Floats:
    excess: Floats = values - rate_of_observation(annual_rate, periods, argument=argument)
    return excess


def sharpe_ratio(
    returns: Any, *, risk_free: float = 0.0, periods_per_year: float | None = None
) -> Any:
    """Return the annualised Sharpe ratio [1/sqrt(year)].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    risk_free
        Rate per YEAR [1/year]; taken off each observation as ``(1 + rate) ** (1 / periods) - 1``.
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        Mean excess return over the sample standard deviation (n - 1), times
        ``sqrt(periods_per_year)``. NaN below two observations and without variance.

    Raises
    ------
    InvalidInputError
        As in `cagr`, or if the rate is not above -1.

    References
    ----------
    Sharpe, W. F. (1994), The Sharpe Ratio, Journal of Portfolio Management 21(1).

    Examples
    --------
    >>> round(sharpe_ratio([0.02, 0.0], periods_per_year=2), 12)
    1.0
    """
    data = observations(returns)
    periods = data.periods(periods_per_year)
    excess = _excess(data.values, risk_free, periods, "risk_free")
    return data.shaped(_ratio(_moments(excess)[0], _deviation(data.values)) * np.sqrt(periods))


def downside_deviation(
    returns: Any, *, required: float = 0.0, periods_per_year: float | None = None
) -> Any:
    """Return the annualised root mean square of the shortfalls [1/sqrt(year)].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    required
        Rate per YEAR below which a return falls short [1/year].
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``sqrt(mean(min(r - required, 0) ** 2) * periods_per_year)`` over all n observations, not just
        the losing ones; NaN without observations.

    Raises
    ------
    InvalidInputError
        As in `cagr`, or if the rate is not above -1.

    Examples
    --------
    >>> round(downside_deviation([0.02, -0.02], periods_per_year=2), 12)
    0.02
    """
    data = observations(returns)
    periods = data.periods(periods_per_year)
    excess = _excess(data.values, required, periods, "required")
    return data.shaped(_shortfall(excess) * np.sqrt(periods))


def _shortfall(excess: Floats) -> Floats:
    """Return the root mean square of what falls below 0, exactly 0 where it is only rounding."""
    shortfall: Floats = np.sqrt(_moments(np.square(np.minimum(excess, 0.0)))[0])
    shortfall[shortfall <= ROUNDING * _scale(excess)] = 0.0
    return shortfall


def sortino_ratio(
    returns: Any, *, required: float = 0.0, periods_per_year: float | None = None
) -> Any:
    """Return the annualised Sortino ratio [1/sqrt(year)].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).
    required
        Rate per YEAR [1/year] that is asked of the returns.
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        Mean excess return over the root mean square of the shortfalls, times
        ``sqrt(periods_per_year)``. NaN without observations and where nothing falls short.

    Raises
    ------
    InvalidInputError
        As in `cagr`, or if the rate is not above -1.

    References
    ----------
    Rollinger, T. and Hoffman, S. (2013), Sortino: A "Sharper" Ratio, Red Rock Capital.

    Examples
    --------
    >>> round(sortino_ratio([0.03, -0.01], periods_per_year=2), 12)
    2.0
    """
    data = observations(returns)
    periods = data.periods(periods_per_year)
    excess = _excess(data.values, required, periods, "required")
    return data.shaped(_ratio(_moments(excess)[0], _shortfall(excess)) * np.sqrt(periods))


def max_drawdown(returns: Any) -> Any:
    """Return the deepest fall from a high [1].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k).

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        At most 0, which it is when nothing was lost or nothing observed. The value before the first
        observation is a high: a loss on the first day counts. Below -1 when more was lost than there
        was.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `observations`.

    Examples
    --------
    >>> max_drawdown([-0.5, 1.0])
    -0.5
    """
    data = observations(returns)
    return data.shaped(_max_drawdown(data))


def _max_drawdown(data: Observations) -> Floats:
    from mismartera_analytics.kernels import drawdowns

    deepest: Floats = drawdowns.drawdowns(data.values).min(axis=0, initial=0.0)
    return deepest


def calmar_ratio(returns: Any, *, periods_per_year: float | None = None) -> Any:
    """Return the annual growth rate over the size of the deepest drawdown [1/year].

    Parameters
    ----------
    returns
        Simple returns, shape (n,) or (n, k), over the whole record (not the last three years).
    periods_per_year
        Observations a year; counted from the labels when not given.

    Returns
    -------
    float, numpy.ndarray or pandas.Series
        ``cagr / -max_drawdown``; NaN without a drawdown or without observations.

    Raises
    ------
    InvalidInputError
        As in `cagr`.

    Examples
    --------
    >>> round(calmar_ratio([-0.5, 1.42], periods_per_year=1), 12)
    0.2
    """
    data = observations(returns)
    return data.shaped(_ratio(_cagr(data, periods_per_year), -_max_drawdown(data)))
