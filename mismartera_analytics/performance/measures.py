"""The metrics of a summary: how each is worked out and said, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.performance import benchmark as against
from mismartera_analytics.performance import distribution, metrics
from mismartera_analytics.performance.conventions import Conventions
from mismartera_analytics.performance.observations import Annualisation

__all__ = ["Setting", "measured", "measured_against"]

Floats = npt.NDArray[np.floating[Any]]
Row = tuple[str, float, str, str, str]
"""Metric, value, unit, convention and note."""


@dataclass(frozen=True)
class Setting:
    """What the metrics of one summary share.

    Attributes
    ----------
    year
        How many observations make a year; None where that is open.
    unclear
        Why it is open.
    rate
        Risk-free rate per YEAR [1/year].
    conventions
        Whose conventions hold.
    """

    year: Annualisation | None
    unclear: str
    rate: float
    conventions: Conventions

    @property
    def basis(self) -> str:
        """Where the periods a year come from, or why there are none."""
        return self.year.basis if self.year else self.unclear

    @property
    def periods(self) -> float:
        """Observations a year [1/year]; 1 where that is open."""
        return self.year.periods_per_year if self.year else 1.0


@dataclass(frozen=True)
class _Measure:
    """One row: how it is computed, said and, where the labels must tell the year, left out."""

    name: str
    unit: str
    convention: str
    compute: Callable[[Floats, Setting], float]
    is_annual: bool = False


def _shape(corrected: Callable[[Any], Any], power: int, normal: float) -> Any:
    def compute(values: Floats, setting: Setting) -> float:
        if setting.conventions.shape == "corrected":
            return float(corrected(values))
        deviation = values.std() if len(values) else 0.0
        if np.isnan(corrected(values)) or not deviation:
            return np.nan
        return float(np.mean(((values - values.mean()) / deviation) ** power) - normal)

    return compute


_MEASURES: tuple[_Measure, ...] = (
    _Measure("total_return", "fraction", "compounded", lambda r, _: metrics.total_return(r)),
    _Measure(
        "cagr", "fraction/year", "geometric; {basis}",
        lambda r, s: metrics.cagr(r, periods_per_year=s.periods), is_annual=True,
    ),
    _Measure(
        "volatility", "fraction/year", "sample deviation (n - 1); {basis}",
        lambda r, s: metrics.volatility(r, periods_per_year=s.periods), is_annual=True,
    ),
    _Measure(
        "downside_deviation", "fraction/year", "shortfalls below 0 over all n; {basis}",
        lambda r, s: metrics.downside_deviation(r, periods_per_year=s.periods), is_annual=True,
    ),
    _Measure(
        "sharpe_ratio", "ratio", "risk-free {rate:.2%} a year; {basis}",
        lambda r, s: metrics.sharpe_ratio(r, risk_free=s.rate, periods_per_year=s.periods),
        is_annual=True,
    ),
    _Measure(
        "sortino_ratio", "ratio", "required {rate:.2%} a year; {basis}",
        lambda r, s: metrics.sortino_ratio(r, required=s.rate, periods_per_year=s.periods),
        is_annual=True,
    ),
    _Measure(
        "calmar_ratio", "ratio", "cagr over the record's deepest drawdown; {basis}",
        lambda r, s: metrics.calmar_ratio(r, periods_per_year=s.periods), is_annual=True,
    ),
    _Measure(
        "omega_ratio", "ratio", "gains over losses of a session, split at 0",
        lambda r, _: distribution.omega_ratio(r),
    ),
    _Measure(
        "max_drawdown", "fraction", "the start counts as a high",
        lambda r, _: metrics.max_drawdown(r),
    ),
    _Measure(
        "value_at_risk", "fraction", "5% of a session; {tail}",
        lambda r, s: distribution.value_at_risk(r, estimator=s.conventions.tail),
    ),
    _Measure(
        "cvar", "fraction", "mean of the tail below the 5% value at risk; {tail}",
        lambda r, s: distribution.cvar(r, estimator=s.conventions.tail),
    ),
    _Measure("skew", "ratio", "{shape}", _shape(distribution.skew, 3, 0.0)),
    _Measure("kurtosis", "ratio", "excess; {shape}", _shape(distribution.kurtosis, 4, 3.0)),
    _Measure(
        "best_session", "fraction", "highest return of a session",
        lambda r, _: float(r.max()) if len(r) else np.nan,
    ),
    _Measure(
        "worst_session", "fraction", "lowest return of a session",
        lambda r, _: float(r.min()) if len(r) else np.nan,
    ),
    _Measure(
        "session_hit_rate", "fraction", "sessions up over those not flat",
        lambda r, _: distribution.hit_rate(r),
    ),
    _Measure(
        "session_payoff_ratio", "ratio", "mean gain over mean loss of a session",
        lambda r, _: distribution.payoff_ratio(r),
    ),
    _Measure("sessions", "sessions", "with a return", lambda r, _: float(len(r))),
)  # fmt: skip


def measured(known: pd.Series[float], setting: Setting) -> list[Row]:
    """Return the rows of one record, labelled by session and without NaN."""
    values = known.to_numpy()
    is_plain = setting.conventions.shape == "plain"
    words = {
        "basis": setting.basis,
        "rate": setting.rate,
        "tail": f"{setting.conventions.tail} estimate",
        "shape": f"{'not ' if is_plain else ''}corrected for the sample's size",
    }
    lost = _lost(known)
    rows = []
    for measure in _MEASURES:
        is_left_out = measure.is_annual and setting.year is None
        value = np.nan if is_left_out else measure.compute(values, setting)
        note = _reason(measure, values, setting) if np.isnan(value) else ""
        note = note or _caveat(measure, known, setting, lost)
        rows.append((measure.name, value, measure.unit, measure.convention.format(**words), note))
    return rows


Pairs = Callable[[against.Pair, Setting], float]


def _alpha(pair: against.Pair, setting: Setting) -> float:
    return against.alpha(
        pair.returns,
        pair.benchmark,
        risk_free=setting.rate if setting.conventions.alpha_rate == "taken off" else 0.0,
        year=setting.conventions.alpha,
        periods_per_year=setting.periods,
    )


def _information(pair: against.Pair, setting: Setting) -> float:
    is_annual = setting.conventions.information == "year"
    periods = setting.periods if is_annual else 1.0
    return against.information_ratio(pair.returns, pair.benchmark, periods_per_year=periods)


_RELATIVE: tuple[tuple[str, str, str, Pairs], ...] = (
    ("alpha", "fraction/year", "intercept of a session, {alpha}; {basis}", _alpha),
    (
        "beta", "ratio", "covariance over the benchmark's variance",
        lambda pair, _: against.beta(*pair[:2]),
    ),
    ("correlation", "ratio", "Pearson's", lambda pair, _: against.correlation(*pair[:2])),
    (
        "tracking_error", "fraction/year", "deviation of the difference; {basis}",
        lambda pair, s: against.tracking_error(*pair[:2], periods_per_year=s.periods),
    ),
    ("information_ratio", "ratio", "mean of the difference over its deviation; {information}",
     _information),
    (
        "up_capture", "ratio", "compound growth a year where the benchmark rose; {basis}",
        lambda pair, s: against.up_capture(*pair[:2], periods_per_year=s.periods),
    ),
    (
        "down_capture", "ratio", "compound growth a year where the benchmark fell; {basis}",
        lambda pair, s: against.down_capture(*pair[:2], periods_per_year=s.periods),
    ),
)  # fmt: skip
_TIMELESS = ("beta", "correlation")


def measured_against(
    known: pd.Series[float], benchmark: pd.Series[float], setting: Setting, *, remark: str = ""
) -> list[Row]:
    """Return the rows that compare a record with a benchmark; the remark is part of their notes."""
    pair = against.paired(known, benchmark)
    common = f"{len(pair.returns):,} of {len(known):,} sessions are common"
    note = "; ".join(part for part in (common * (len(pair.returns) != len(known)), remark) if part)
    of_session = setting.conventions.information == "observation"
    words = {
        "basis": setting.basis,
        "alpha": f"{setting.conventions.alpha} over a year",
        "information": "per observation" if of_session else setting.basis,
    }
    rows = []
    for name, unit, convention, measure in _RELATIVE:
        is_timeless = name in _TIMELESS or (name == "information_ratio" and of_session)
        is_left_out = setting.year is None and not is_timeless
        value = np.nan if is_left_out else measure(pair, setting)
        missing = setting.unclear if is_left_out else _incomparable(name, pair, common)
        said = convention.format(**words)
        rows.append((name, value, unit, said, missing if np.isnan(value) else note))
    return rows


def _incomparable(name: str, pair: against.Pair, common: str) -> str:
    """Say why a figure against a benchmark is missing."""
    if len(pair.returns) < 2:
        return common
    if name in ("up_capture", "down_capture"):
        way = "rose" if name == "up_capture" else "fell"
        return f"the benchmark never {way} on the {len(pair.returns):,} common sessions"
    if name == "information_ratio":
        return "the difference to the benchmark does not vary"
    if name == "correlation" and not np.ptp(pair.returns):
        return "the returns do not vary"
    return "the benchmark does not vary"


def _reason(measure: _Measure, values: Floats, setting: Setting) -> str:
    """Say why a value is missing."""
    if not len(values):
        return "no session has a return"
    if measure.is_annual and setting.year is None:
        return setting.unclear
    if measure.name in ("sortino_ratio", "calmar_ratio", "omega_ratio"):
        return "no session lost"
    if measure.name == "session_hit_rate":
        return "every session was flat"
    if measure.name == "session_payoff_ratio":
        return "no session lost" if (values > 0).any() else "no session gained"
    if measure.name == "cagr":
        return f"{len(values)} sessions grow beyond what a year can show"
    least = {"skew": 3, "kurtosis": 4}.get(measure.name, 2)
    if len(values) < least:
        return f"{least} sessions are needed, there is {len(values)}"
    return "the returns do not vary"


def _lost(known: pd.Series[float]) -> str:
    """Return the day by which everything was lost, or nothing."""
    lost = np.flatnonzero(np.cumprod(1.0 + known.to_numpy()) <= 0.0)
    return f"{known.index[lost[0]]:%Y-%m-%d}" if len(lost) else ""


_UNTIL_LOST = ("total_return", "max_drawdown", "cagr", "calmar_ratio")
_COUNTS = ("sessions", "best_session", "worst_session", "session_hit_rate", "session_payoff_ratio")


def _caveat(measure: _Measure, known: pd.Series[float], setting: Setting, lost: str) -> str:
    """Say what a reader must know about a value that is there."""
    if lost and measure.name in _UNTIL_LOST:
        return f"everything was lost by {lost}; later returns are left out"
    if lost and measure.name not in _COUNTS and known.index[-1] > pd.Timestamp(lost):
        return f"everything was lost by {lost}; later returns are counted all the same"
    if measure.name == "cagr" and len(known) < setting.periods:
        return f"from {len(known) / setting.periods:.2f} years only"
    return ""
