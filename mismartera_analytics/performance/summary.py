"""One table of every metric of a record, each with its convention and, where missing, the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, suggestion
from mismartera_analytics.performance import benchmark as against
from mismartera_analytics.performance import distribution, metrics
from mismartera_analytics.performance.observations import Annualisation, annualisation, labelled

__all__ = ["Conventions", "compare_conventions", "performance_summary"]

ConventionName = Literal["actual", "quantstats", "empyrical"]


@dataclass(frozen=True)
class Conventions:
    """Where tools differ: periods a year, tails, shape, and how a risk-free rate is read.

    Attributes
    ----------
    periods_per_year
        A fixed number, or None to count the record's own sessions.
    tail
        Estimator of value at risk and expected shortfall.
    shape
        Whether skew and kurtosis are corrected for the sample's size.
    rate
        Whether ``risk_free`` is a rate per year or per observation.
    """

    periods_per_year: float | None
    tail: distribution.Estimator
    shape: Literal["corrected", "plain"]
    rate: Literal["per year", "per observation"]


CONVENTIONS: dict[str, Conventions] = {
    "actual": Conventions(None, "historical", "corrected", "per year"),
    "quantstats": Conventions(252.0, "normal", "corrected", "per year"),
    "empyrical": Conventions(252.0, "historical", "plain", "per observation"),
}


def performance_summary(
    returns: pd.Series[float],
    *,
    benchmark: pd.Series[float] | None = None,
    risk_free: float = 0.0,
    periods_per_year: float | None = None,
    conventions: ConventionName = "actual",
) -> pd.DataFrame:
    """Return every metric of a record of returns, with its unit, convention and caveats.

    Parameters
    ----------
    returns
        Simple returns [1] labelled by session, shape (n,), NaN for sessions without one. May be empty.
    benchmark
        Likewise; adds alpha, beta and their like, worked out on the common sessions.
    risk_free
        Rate per YEAR [1/year]; with ``conventions="empyrical"`` per observation, as that tool has it.
    periods_per_year
        Observations a year; by default counted from the labels (``"actual"``) or the tool's 252.
    conventions
        ``"actual"``, or ``"quantstats"`` (0.0.86) or ``"empyrical"`` (empyrical-reloaded 0.7) to
        reproduce their numbers.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns ``value``, ``unit``, ``convention``, ``note`` as in `frames.METRICS`.
        A value is missing only where its note says why.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session, look like prices, have no session in
        common with the benchmark, or the convention is unknown. Labels that leave the periods a year
        open make the annual figures missing, with the reason; they raise nothing here.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", "2024-12-31")
    >>> table = performance_summary(pd.Series(0.001, index=days))
    >>> table.loc["sharpe_ratio", "note"]
    'the returns do not vary'
    """
    if conventions not in CONVENTIONS:
        raise InvalidInputError(
            f"conventions={conventions!r} is unknown"
            f"{suggestion(str(conventions), CONVENTIONS) or '.'} "
            f"Allowed: {', '.join(CONVENTIONS)}."
        )
    chosen = CONVENTIONS[conventions]
    known = labelled(returns).dropna()
    given = chosen.periods_per_year if periods_per_year is None else periods_per_year
    setting = _setting(known.index, chosen, given, risk_free)
    rows = _rows(known, setting)
    if benchmark is not None:
        rows += _relative_rows(known, labelled(benchmark, argument="benchmark").dropna(), setting)
    table = pd.DataFrame(rows, columns=frames.METRICS.names)
    summary = frames.METRICS.conform(table).set_index("metric")
    summary.attrs = {
        "conventions": conventions,
        "annualisation": setting.basis,
        "periods_per_year": setting.year.periods_per_year if setting.year else None,
    }
    return summary


def compare_conventions(returns: pd.Series[float], *, risk_free: float = 0.0) -> pd.DataFrame:
    """Return each metric under each convention, and why they differ.

    Parameters
    ----------
    returns
        As in `performance_summary`.
    risk_free
        Rate per YEAR for all; it is turned into a rate per observation where a tool wants that.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns ``actual``, ``quantstats``, ``empyrical`` and ``why``, which is empty
        where all three agree to 1e-12 of their size.

    Raises
    ------
    InvalidInputError
        As in `performance_summary`.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=200)
    >>> returns = pd.Series([0.01, -0.005] * 100, index=days)
    >>> compare_conventions(returns).loc["volatility", "why"]
    '260.9 sessions a year, counted from 2024-01-01 to 2024-10-04; the others take 252'
    """
    tables = {
        name: performance_summary(
            returns,
            risk_free=(1.0 + risk_free) ** (1.0 / 252.0) - 1.0
            if CONVENTIONS[name].rate == "per observation"
            else risk_free,
            conventions=name,  # type: ignore[arg-type]
        )
        for name in CONVENTIONS
    }
    compared = pd.DataFrame({name: table["value"] for name, table in tables.items()})
    spread = compared.max(axis=1) - compared.min(axis=1)
    differs = spread > 1e-12 * compared.abs().max(axis=1)
    basis = tables["actual"].attrs["annualisation"]
    shape = "actual and quantstats correct for the sample's size, empyrical does not"
    tail = "quantstats takes a normal distribution, the others the observations"
    reasons = {"value_at_risk": tail, "cvar": tail, "skew": shape, "kurtosis": shape}
    compared["why"] = [
        reasons.get(str(metric), f"{basis}; the others take 252") if differs[metric] else ""
        for metric in compared.index
    ]
    return compared


@dataclass(frozen=True)
class _Setting:
    """What the metrics of one summary share."""

    year: Annualisation | None
    unclear: str
    rate: float
    conventions: Conventions

    @property
    def basis(self) -> str:
        return self.year.basis if self.year else self.unclear

    @property
    def periods(self) -> float:
        return self.year.periods_per_year if self.year else 1.0


def _setting(
    labels: pd.Index[Any], conventions: Conventions, periods: float | None, risk_free: float
) -> _Setting:
    try:
        year = annualisation(labels, periods_per_year=periods)
    except InvalidInputError as error:
        if periods is not None:
            raise
        unclear = str(error).partition("is not clear: ")[2].partition("; pass")[0]
        return _Setting(None, f"not annualised: {unclear}", risk_free, conventions)
    rate = risk_free
    if conventions.rate == "per observation":
        rate = (1.0 + risk_free) ** year.periods_per_year - 1.0
    return _Setting(year, "", rate, conventions)


Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Measure:
    """One row: how it is computed, said and, where the labels must tell the year, left out."""

    name: str
    unit: str
    convention: str
    compute: Callable[[Floats, _Setting], float]
    is_annual: bool = False


def _shape(corrected: Callable[[Any], Any], power: int, normal: float) -> Any:
    def compute(values: Floats, setting: _Setting) -> float:
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


def _rows(known: pd.Series[float], setting: _Setting) -> list[tuple[str, float, str, str, str]]:
    values = known.to_numpy()
    is_plain = setting.conventions.shape == "plain"
    words = {
        "basis": setting.basis,
        "rate": setting.rate,
        "tail": f"{setting.conventions.tail} estimate",
        "shape": f"{'not ' if is_plain else ''}corrected for the sample's size",
    }
    rows = []
    for measure in _MEASURES:
        is_left_out = measure.is_annual and setting.year is None
        value = np.nan if is_left_out else measure.compute(values, setting)
        note = _reason(measure, values, setting) if np.isnan(value) else ""
        note = note or _caveat(measure, known, setting)
        rows.append((measure.name, value, measure.unit, measure.convention.format(**words), note))
    return rows


_RELATIVE: tuple[tuple[str, str, str, Callable[..., float]], ...] = (
    ("alpha", "fraction/year", "intercept of a session, summed over a year", against.alpha),
    ("beta", "ratio", "covariance over the benchmark's variance", against.beta),
    ("correlation", "ratio", "Pearson's", against.correlation),
    ("tracking_error", "fraction/year", "deviation of the difference", against.tracking_error),
    ("information_ratio", "ratio", "Sharpe ratio of the difference", against.information_ratio),
    ("up_capture", "ratio", "growth a year where the benchmark rose", against.up_capture),
    ("down_capture", "ratio", "growth a year where the benchmark fell", against.down_capture),
)


def _relative_rows(
    known: pd.Series[float], benchmark: pd.Series[float], setting: _Setting
) -> list[tuple[str, float, str, str, str]]:
    """Return the rows that compare with a benchmark."""
    rows = []
    pair = against.paired(known, benchmark)
    common = f"{len(pair.returns):,} of {len(known):,} sessions are common"
    note = "" if len(pair.returns) == len(known) else common
    for name, unit, convention, measure in _RELATIVE:
        more: dict[str, float] = {}
        if name not in ("beta", "correlation"):
            more["periods_per_year"] = setting.periods
            convention = f"{convention}; {setting.basis}"
        if name == "alpha":
            more["risk_free"] = setting.rate
        is_left_out = "periods_per_year" in more and setting.year is None
        value = np.nan if is_left_out else measure(pair.returns, pair.benchmark, **more)
        missing = setting.unclear if is_left_out else f"{common}, or one of the two does not vary"
        rows.append((name, value, unit, convention, missing if np.isnan(value) else note))
    return rows


def _reason(measure: _Measure, values: Floats, setting: _Setting) -> str:
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


def _caveat(measure: _Measure, known: pd.Series[float], setting: _Setting) -> str:
    """Say what a reader must know about a value that is there."""
    if measure.name in ("total_return", "max_drawdown", "cagr"):
        lost = np.flatnonzero(np.cumprod(1.0 + known.to_numpy()) <= 0.0)
        if len(lost):
            return f"everything was lost by {known.index[lost[0]]:%Y-%m-%d}; later returns are left out"
    if measure.name == "cagr" and len(known) < setting.periods:
        return f"from {len(known) / setting.periods:.2f} years only"
    return ""
