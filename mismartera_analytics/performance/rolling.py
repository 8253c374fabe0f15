"""Metrics over a moving window of sessions: each value looks back only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance import benchmark as against
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.observations import labelled, periods_of_sessions
from mismartera_analytics.performance.regression import correlations, slopes

if TYPE_CHECKING:
    from mismartera_analytics.performance.observations import Record

__all__ = [
    "rolling_beta",
    "rolling_cagr",
    "rolling_correlation",
    "rolling_max_drawdown",
    "rolling_sharpe",
    "rolling_sortino",
    "rolling_volatility",
]

Floats = npt.NDArray[np.floating[Any]]


def rolling_sharpe(
    returns: Record,
    *,
    window: int = 126,
    risk_free: float = 0.0,
    periods_per_year: float | None = None,
) -> pd.Series[float]:
    """Return the Sharpe ratio of the last `window` sessions at each session [1/sqrt(year)].

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; NaN is left out.
    window
        Observations; each value looks back only.
    risk_free
        Rate per YEAR [1/year].
    periods_per_year
        Observations a year; counted from all labels when not given.

    Returns
    -------
    pandas.Series
        From the first full window on, so ``n - window + 1`` values or none; NaN without variance.

    Raises
    ------
    InvalidInputError
        If window is below 2, or as in `metrics.sharpe_ratio`.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=3)
    >>> returns = pd.Series([0.02, 0.0, 0.02], index=days)
    >>> rolling_sharpe(returns, window=2, periods_per_year=2).round(6).tolist()
    [1.0, 1.0]
    """

    def measure(stacked: Floats, periods: float) -> Any:
        return metrics.sharpe_ratio(stacked, risk_free=risk_free, periods_per_year=periods)

    return _rolled(returns, window, periods_per_year, measure)


def rolling_sortino(
    returns: Record,
    *,
    window: int = 126,
    required: float = 0.0,
    periods_per_year: float | None = None,
) -> pd.Series[float]:
    """Return the Sortino ratio of the last `window` sessions at each session [1/sqrt(year)].

    Parameters
    ----------
    returns, window, periods_per_year
        As in `rolling_sharpe`.
    required
        Rate per YEAR [1/year] that is asked of the returns.

    Returns
    -------
    pandas.Series
        As in `rolling_sharpe`; NaN where nothing of a window falls short.

    Raises
    ------
    InvalidInputError
        If window is below 2, or as in `metrics.sortino_ratio`.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=3)
    >>> returns = pd.Series([0.03, -0.01, 0.03], index=days)
    >>> rolling_sortino(returns, window=2, periods_per_year=2).round(6).tolist()
    [2.0, 2.0]
    """

    def measure(stacked: Floats, periods: float) -> Any:
        return metrics.sortino_ratio(stacked, required=required, periods_per_year=periods)

    return _rolled(returns, window, periods_per_year, measure)


def rolling_volatility(
    returns: Record, *, window: int = 126, periods_per_year: float | None = None
) -> pd.Series[float]:
    """Return the volatility of the last `window` sessions at each session [1/sqrt(year)].

    Parameters, shape and errors as in `rolling_sharpe`.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=3)
    >>> returns = pd.Series([0.01, -0.01, 0.01], index=days)
    >>> rolling_volatility(returns, window=2, periods_per_year=2).round(6).tolist()
    [0.02, 0.02]
    """

    def measure(stacked: Floats, periods: float) -> Any:
        return metrics.volatility(stacked, periods_per_year=periods)

    return _rolled(returns, window, periods_per_year, measure)


def rolling_cagr(
    returns: Record, *, window: int = 126, periods_per_year: float | None = None
) -> pd.Series[float]:
    """Return the compound annual growth of the last `window` sessions at each session [1/year].

    Parameters, shape and errors as in `rolling_sharpe`.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=3)
    >>> returns = pd.Series([0.21, 0.0, 0.21], index=days)
    >>> rolling_cagr(returns, window=2, periods_per_year=1).round(6).tolist()
    [0.1, 0.1]
    """

    def measure(stacked: Floats, periods: float) -> Any:
        return metrics.cagr(stacked, periods_per_year=periods)

    return _rolled(returns, window, periods_per_year, measure)


def rolling_max_drawdown(returns: Record, *, window: int = 126) -> pd.Series[float]:
    """Return the deepest drawdown inside the last `window` sessions at each session [1].

    Parameters, shape and errors as in `rolling_sharpe`. The value before a window counts as a high.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=3)
    >>> returns = pd.Series([-0.5, 0.1, 0.1], index=days)
    >>> rolling_max_drawdown(returns, window=2).tolist()
    [-0.5, 0.0]
    """

    def measure(stacked: Floats, _: float) -> Any:
        return metrics.max_drawdown(stacked)

    return _rolled(returns, window, 1.0, measure)


def rolling_beta(returns: Record, benchmark: Record, *, window: int = 126) -> pd.Series[float]:
    """Return the slope on the benchmark over the last `window` common sessions at each of them [1].

    Parameters
    ----------
    returns, benchmark
        As in `benchmark.paired`, both labelled by session.
    window
        Common sessions; each value looks back only.

    Returns
    -------
    pandas.Series
        From the first full window on; NaN where the benchmark does not vary inside it.

    Raises
    ------
    InvalidInputError
        If window is below 2, or as in `benchmark.paired`.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=4)
    >>> index = pd.Series([0.01, -0.02, 0.03, 0.01], index=days)
    >>> rolling_beta(2 * index, index, window=3).round(6).tolist()
    [2.0, 2.0]
    """
    return _rolled_pair(returns, benchmark, window, slopes)


def rolling_correlation(
    returns: Record, benchmark: Record, *, window: int = 126
) -> pd.Series[float]:
    """Return Pearson's correlation over the last `window` common sessions at each of them [1].

    Parameters, shape and errors as in `rolling_beta`; NaN where one of the two does not vary.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=4)
    >>> index = pd.Series([0.01, -0.02, 0.03, 0.01], index=days)
    >>> rolling_correlation(2 * index, index, window=3).round(6).tolist()
    [1.0, 1.0]
    """
    return _rolled_pair(returns, benchmark, window, correlations)


def _check_window(window: int) -> None:
    if not is_whole(window) or window < 2:
        raise InvalidInputError(
            f"window={as_given(window)} must be a whole number of sessions, 2 or more."
        )


def _stacked(values: Floats, window: int) -> Floats:
    """Return the windows as columns, shape (window, n - window + 1)."""
    if len(values) < window:
        return np.empty((window, 0))
    return np.lib.stride_tricks.sliding_window_view(values, window).T


def _rolled(
    returns: Record,
    window: int,
    periods_per_year: float | None,
    measure: Callable[[Floats, float], Any],
) -> pd.Series[float]:
    _check_window(window)
    series = labelled(returns).dropna()
    stacked = _stacked(series.to_numpy(), window)
    if not stacked.shape[1]:
        return series.iloc[:0]
    periods = periods_of_sessions(returns, periods_per_year)
    return pd.Series(measure(stacked, periods), index=series.index[window - 1 :], name=series.name)


def _rolled_pair(
    returns: Record, benchmark: Record, window: int, measure: Callable[[Floats, Floats], Floats]
) -> pd.Series[float]:
    _check_window(window)
    ours, theirs = labelled(returns), labelled(benchmark, argument="benchmark")
    pair = against.paired(ours, theirs)
    last = pd.DatetimeIndex(ours.index[:0] if pair.labels is None else pair.labels)[window - 1 :]
    values = measure(_stacked(pair.returns, window), _stacked(pair.benchmark, window))
    return pd.Series(values, index=last, name=ours.name, dtype="float64")
