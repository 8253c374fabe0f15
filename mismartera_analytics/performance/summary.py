"""One table of every metric of a record, each with its convention and, where missing, the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import measures
from mismartera_analytics.performance.conventions import (
    CONVENTIONS,
    ConventionName,
    Conventions,
    conventions_of,
    reasons,
)
from mismartera_analytics.performance.observations import (
    labelled,
    observations,
    rate_of_observation,
    unclear_year,
)
from mismartera_analytics.performance.returns import Returns

if TYPE_CHECKING:
    from mismartera_analytics.performance.observations import Record

__all__ = ["compare_conventions", "performance_summary", "setting_of"]


def performance_summary(
    returns: Record,
    *,
    benchmark: Record | None = None,
    risk_free: float = 0.0,
    periods_per_year: float | None = None,
    conventions: ConventionName = "actual",
) -> pd.DataFrame:
    """Return every metric of a record of returns, with its unit, convention and caveats.

    Parameters
    ----------
    returns
        Simple returns [1] labelled by session, shape (n,), NaN for sessions without one, or a
        `Returns`, whose bars within sessions are compounded to sessions. May be empty.
    benchmark
        Likewise; adds alpha, beta and their like, worked out on the common sessions.
    risk_free
        Rate per YEAR [1/year]; with ``conventions="empyrical"`` per observation, as that tool has it.
    periods_per_year
        Observations a year; by default those of a `Returns`' calendar or counted from the labels
        (``"actual"``), or the tool's 252.
    conventions
        ``"actual"``, or ``"quantstats"`` (0.0.86) or ``"empyrical"`` (empyrical-reloaded 0.7) to
        reproduce their numbers. What a tool does not have is worked out as by ``"actual"``, with the
        tool's year.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns ``value``, ``unit``, ``convention``, ``note`` as in `frames.METRICS`.
        A value is missing only where its note says why. ``attrs`` say where the year comes from and
        what a `Returns` is of.

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
    chosen = conventions_of(conventions)
    known = labelled(returns).dropna()
    given = chosen.periods_per_year if periods_per_year is None else periods_per_year
    setting = setting_of(returns, chosen, given, risk_free)
    rows = measures.measured(known, setting)
    if benchmark is not None:
        other = labelled(benchmark, argument="benchmark").dropna()
        remark = _remark(returns, benchmark)
        rows += measures.measured_against(known, other, setting, remark=remark)
    table = pd.DataFrame(rows, columns=frames.METRICS.names)
    summary = frames.METRICS.conform(table).set_index("metric")
    summary.attrs = {
        "conventions": conventions,
        "annualisation": setting.basis,
        "periods_per_year": setting.year.periods_per_year if setting.year else None,
        "record": returns.description if isinstance(returns, Returns) else "",
    }
    return summary


def compare_conventions(
    returns: Record, *, benchmark: Record | None = None, risk_free: float = 0.0
) -> pd.DataFrame:
    """Return each metric under each convention, and why they differ.

    Parameters
    ----------
    returns, benchmark
        As in `performance_summary`.
    risk_free
        Rate per YEAR for all; it is turned into a rate per observation where a tool wants that.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns ``actual``, ``quantstats``, ``empyrical`` and ``why``, which is empty
        where all three agree to 1e-12 of their size. Where a value is missing it says the reason.

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
            benchmark=benchmark,
            risk_free=rate_of_observation(risk_free, 252.0, argument="risk_free")
            if CONVENTIONS[name].rate == "per observation"
            else risk_free,
            conventions=name,  # type: ignore[arg-type]
        )
        for name in CONVENTIONS
    }
    compared = pd.DataFrame({name: table["value"] for name, table in tables.items()})
    compared["why"] = _differences(compared, tables["actual"])
    return compared


def _differences(compared: pd.DataFrame, actual: pd.DataFrame) -> list[str]:
    """Return for each metric why its values differ, or why one is missing."""
    basis = str(actual.attrs["annualisation"])
    of_metric = reasons(basis)
    differs = compared.max(axis=1) - compared.min(axis=1) > 1e-12 * compared.abs().max(axis=1)
    said = []
    for metric in compared.index:
        if compared.loc[metric].isna().any():
            said.append(str(actual.loc[metric, "note"]))
        elif differs[metric]:
            said.append(of_metric.get(str(metric), f"{basis}; the others take 252"))
        else:
            said.append("")
    return said


def setting_of(
    returns: Record, conventions: Conventions, periods: float | None, risk_free: float
) -> measures.Setting:
    """Return what the metrics of a record share: its year, or why that is open, and the rate."""
    of_sessions: Any = returns.by_session() if isinstance(returns, Returns) else returns.dropna()
    rate_of_observation(risk_free, 1.0, argument="risk_free")
    try:
        year = observations(of_sessions).annualised(periods)
    except InvalidInputError as error:
        if periods is not None:
            raise
        return measures.Setting(None, unclear_year(error), risk_free, conventions)
    rate = risk_free
    if conventions.rate == "per observation":
        rate = (1.0 + risk_free) ** year.periods_per_year - 1.0
    return measures.Setting(year, "", rate, conventions)


def _remark(returns: Record, benchmark: Record) -> str:
    """Say what makes a comparison of two records uneven."""
    if not (isinstance(returns, Returns) and isinstance(benchmark, Returns)):
        return ""
    if returns.currency != benchmark.currency:
        raise InvalidInputError(
            f"returns are in {returns.currency}, the benchmark in {benchmark.currency}: bring both to "
            f"one currency."
        )
    said = []
    if returns.market.name != benchmark.market.name:
        said.append(f"sessions of {returns.market.name} and of {benchmark.market.name}")
    if returns.basis != benchmark.basis:
        said.append(f"returns {returns.basis} of costs, the benchmark {benchmark.basis}")
    return "; ".join(said)
