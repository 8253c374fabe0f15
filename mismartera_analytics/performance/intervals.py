"""Metrics with the range that their record leaves them: bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_number, is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.frames.given import listed
from mismartera_analytics.performance import bootstrap, distribution, metrics
from mismartera_analytics.performance.conventions import conventions_of
from mismartera_analytics.performance.observations import labelled
from mismartera_analytics.performance.summary import setting_of

if TYPE_CHECKING:
    from mismartera_analytics.performance.observations import Record

__all__ = ["MEASURES", "confidence_intervals"]

Floats = npt.NDArray[np.floating[Any]]
_Measure = Callable[[Floats, float, float], Any]
MEASURES: dict[str, tuple[str, bool, _Measure]] = {
    "total_return": ("fraction", False, lambda r, _, __: metrics.total_return(r)),
    "cagr": ("fraction/year", True, lambda r, p, _: metrics.cagr(r, periods_per_year=p)),
    "volatility": ("fraction/year", True, lambda r, p, _: metrics.volatility(r, periods_per_year=p)),
    "downside_deviation": (
        "fraction/year", True, lambda r, p, _: metrics.downside_deviation(r, periods_per_year=p),
    ),
    "sharpe_ratio": (
        "ratio", True, lambda r, p, f: metrics.sharpe_ratio(r, risk_free=f, periods_per_year=p),
    ),
    "sortino_ratio": (
        "ratio", True, lambda r, p, f: metrics.sortino_ratio(r, required=f, periods_per_year=p),
    ),
    "calmar_ratio": ("ratio", True, lambda r, p, _: metrics.calmar_ratio(r, periods_per_year=p)),
    "omega_ratio": ("ratio", False, lambda r, _, __: distribution.omega_ratio(r)),
    "max_drawdown": ("fraction", False, lambda r, _, __: metrics.max_drawdown(r)),
    "value_at_risk": ("fraction", False, lambda r, _, __: distribution.value_at_risk(r)),
    "cvar": ("fraction", False, lambda r, _, __: distribution.cvar(r)),
}  # fmt: skip
"""Unit, whether a year is needed, and how a metric is worked out of returns, periods and rate."""
_USUAL = ("total_return", "cagr", "volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown")
FEWEST = 20
"""Observations below which blocks drawn again say nothing."""


def confidence_intervals(
    returns: Record,
    names: Iterable[str] = _USUAL,
    *,
    confidence: float = 0.95,
    risk_free: float = 0.0,
    periods_per_year: float | None = None,
    draws: int = 1000,
    block: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return metrics with the interval in which they lie, by the stationary bootstrap.

    Parameters
    ----------
    returns
        As in `performance_summary`.
    names
        Metrics, keys of `MEASURES`.
    confidence
        Probability of the interval, between 0 and 1; as much is cut off below as above.
    risk_free
        Rate per YEAR [1/year].
    periods_per_year
        Observations a year; by default as in `performance_summary`.
    draws, block, seed
        As in `stationary_bootstrap`.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns ``value``, ``lower``, ``upper``, ``unit``, ``note`` as in
        `frames.INTERVALS`. Percentiles of the draws in which a metric is defined; they say how far
        other orders of the same sessions would have led, nothing about sessions that never were. With
        fewer than 20 observations the bounds are missing and the note says why.

    Raises
    ------
    InvalidInputError
        If a metric is unknown, confidence, draws or block are not allowed, or as in
        `performance_summary`.

    References
    ----------
    Politis, D. N. and Romano, J. P. (1994), The Stationary Bootstrap, Journal of the American
    Statistical Association 89(428).

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=250)
    >>> returns = pd.Series(np.random.default_rng(1).normal(0.001, 0.01, 250), index=days)
    >>> table = confidence_intervals(returns, ["sharpe_ratio"])
    >>> bool((table["lower"] < table["value"]).all() and (table["value"] < table["upper"]).all())
    True
    """
    chosen = _chosen(names)
    if not is_number(confidence) or not 0.0 < confidence < 1.0:
        raise InvalidInputError(
            f"confidence={as_given(confidence)} must lie between 0 and 1, such as 0.95."
        )
    values = labelled(returns).dropna().to_numpy()
    setting = setting_of(returns, conventions_of("actual"), periods_per_year, risk_free)
    measures = {name: _bound(MEASURES[name][2], setting.periods, setting.rate) for name in chosen}
    found = {}
    if len(values) >= FEWEST:
        found = bootstrap.drawn(values, measures, draws=draws, block=block, seed=seed)
    else:
        bootstrap.check_draws(draws)
    rows = []
    for name, measure in measures.items():
        unit, needs_year, _ = MEASURES[name]
        is_open = needs_year and setting.year is None
        value = np.nan if is_open else float(np.asarray(measure(values[:, np.newaxis]))[0])
        draw = found.get(name, np.empty(0))
        low, high, note = (
            (np.nan, np.nan, setting.unclear) if is_open else _bounds(draw, confidence)
        )
        rows.append((name, value, low, high, unit, note))
    table = frames.INTERVALS.conform(pd.DataFrame(rows, columns=frames.INTERVALS.names))
    return table.set_index("metric")


def _bound(measure: _Measure, periods: float, rate: float) -> Callable[[Floats], Any]:
    return lambda matrix: measure(matrix, periods, rate)


def _chosen(names: Iterable[str]) -> list[str]:
    chosen = listed(names, argument="names")
    for name in chosen:
        if not is_one_of(name, MEASURES):
            raise InvalidInputError(
                f"names has {name!r}, which has no interval{suggestion(name, MEASURES) or '.'} "
                f"Allowed: {', '.join(MEASURES)}."
            )
    return chosen


def _bounds(draws: Floats, confidence: float) -> tuple[float, float, str]:
    """Return the interval of a metric's draws, and what a reader must know about it."""
    known = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan, f"fewer than {FEWEST} sessions have a return"
    if not len(known):
        return np.nan, np.nan, "in no draw is it defined"
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(known, (tail, 1.0 - tail))
    missing = len(draws) - len(known)
    note = f"not defined in {missing:,} of {len(draws):,} draws" if missing else ""
    return float(low), float(high), note
