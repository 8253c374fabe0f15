"""Stress: what is left of a run when orders come late, costs double, or luck is taken away."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import whole
from mismartera_analytics.backtesting.costs import Times
from mismartera_analytics.backtesting.financing import InterestRates
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.bootstrap import MOST_DRAWS, bootstrap_intervals, mean_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from mismartera_analytics.backtesting.result import BacktestResult
    from mismartera_analytics.backtesting.settings import Settings

__all__ = ["doubled_costs", "stress"]

BEST_DAYS = (1, 5, 10)
LEVELS = (0.025, 0.5, 0.975)
_MEASURES = ("total_return", "cagr", "sharpe_ratio", "max_drawdown")


def stress(
    result: BacktestResult, *, draws: int = 1000, block: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return the headline metrics of a run as it was and under stress.

    Parameters
    ----------
    result
        A finished run.
    draws, block, seed
        Of the bootstrap, as in `performance.bootstrap.stationary_bootstrap`; 0 draws leave it out.

    Returns
    -------
    pandas.DataFrame
        As `frames.STRESS`: a row for the run as it was, with every order one bar late, with costs
        doubled, without its best 1, 5 and 10 sessions (flat on them), and for the quantiles of records
        drawn again by the stationary bootstrap, each metric on its own.

    Raises
    ------
    InvalidInputError
        If another run of the same instructions gives another result: the strategy keeps something from
        one run to the next. Or if an argument is not allowed.
    StrategyError
        If the strategy raises when its orders come late.
    """
    whole(draws, "draws", most=MOST_DRAWS)
    whole(seed, "seed")
    settings = result.settings
    _check_repeats(result)
    late = _again(result, dataclasses.replace(settings, delay=settings.delay + 1))
    dear, is_free = doubled_costs(settings)
    costly = result if is_free else _again(result, dear)
    rows = [
        _row("as it was", result, result, ""),
        _row("orders one bar late", result, late, f"delay={settings.delay + 1}"),
        _row("costs doubled", result, costly, "no costs were set" if is_free else _paid(costly)),
    ]
    rows += [_without_best(result, count) for count in BEST_DAYS]
    if draws:
        rows += _bootstrapped(result, draws=draws, block=block, seed=seed)
    return frames.STRESS.conform(pd.DataFrame(rows, columns=frames.STRESS.names))


def doubled_costs(settings: Settings) -> tuple[Settings, bool]:
    """Return settings with all costs doubled, and whether there are none.

    Parameters
    ----------
    settings
        Of a run. Commission, slippage, borrowing fees and interest on what is owed count as costs.
    """
    interest = settings.interest.terms()
    dear = dataclasses.replace(
        settings,
        commission=Times(2.0, settings.commission),
        slippage=Times(2.0, settings.slippage),
        borrow=Times(2.0, settings.borrow),
        interest=InterestRates(interest.credit, 2.0 * interest.debit),
    )
    names = ("commission", "slippage", "borrow", "interest")
    same = (getattr(dear, name).terms() == getattr(settings, name).terms() for name in names)
    return dear, all(same)


def _again(result: BacktestResult, settings: Settings) -> BacktestResult:
    from mismartera_analytics.backtesting.run import run_on

    return run_on(result.market, result.instructions.again(), settings)


def _check_repeats(result: BacktestResult) -> None:
    again = _again(result, result.settings)
    if not np.array_equal(again.equity["equity"].to_numpy(), result.equity["equity"].to_numpy()):
        raise InvalidInputError(
            f"another run of {result.config['strategy']} with the same rules gave another result, so "
            f"nothing can be said of it under other rules: it keeps something from one run to the next "
            f"(set it in on_start), or draws numbers other than from ctx.random."
        )


def _paid(result: BacktestResult) -> str:
    return f"{result.fills['commission'].sum():,.2f} of commission"


def _row(case: str, result: BacktestResult, other: BacktestResult, note: str) -> dict[str, Any]:
    return {"case": case, **_values(other.returns, result), "fills": len(other.fills), "note": note}


def _without_best(result: BacktestResult, count: int) -> dict[str, Any]:
    best = result.returns.nlargest(count)
    best = best[best > 0]
    flat = result.returns.mask(result.returns.index.isin(best.index), 0.0)
    sessions = "session" if count == 1 else f"{count} sessions"
    note = f"flat on {len(best)}" if len(best) < count else f"{best.sum():.2%} in sum"
    return {
        "case": f"without its best {sessions}", **_values(flat, result), "fills": pd.NA, "note": note
    }  # fmt: skip


def _bootstrapped(
    result: BacktestResult, *, draws: int, block: float | None, seed: int
) -> list[dict[str, Any]]:
    known = result.returns.dropna()
    if not len(known):
        return []
    measures = _measures(result)
    table: Any = bootstrap_intervals(
        known, measures, levels=LEVELS, draws=draws, block=block, seed=seed
    )
    table = table.reindex(columns=_MEASURES)
    length = mean_block(len(known)) if block is None else block
    note = f"{draws:,} draws in blocks of {length:g} sessions on average, seed {seed}"
    return [
        {"case": f"bootstrap {level:.1%}", **row, "fills": pd.NA, "note": note}
        for level, row in zip(LEVELS, table.to_dict("records"), strict=True)
    ]


def _values(returns: pd.Series[float], result: BacktestResult) -> dict[str, float]:
    found = {name: float(measure(returns)) for name, measure in _measures(result).items()}
    return dict.fromkeys(_MEASURES, np.nan) | found


def _measures(result: BacktestResult) -> dict[str, Callable[[Any], Any]]:
    """Return the metrics that the run's labels allow, all by its own periods a year."""
    periods = result.metrics.attrs["periods_per_year"]
    found: dict[str, Callable[[Any], Any]] = {
        "total_return": metrics.total_return, "max_drawdown": metrics.max_drawdown
    }  # fmt: skip
    if periods is not None:
        found["cagr"] = lambda values: metrics.cagr(values, periods_per_year=periods)
        found["sharpe_ratio"] = lambda values: metrics.sharpe_ratio(
            values, periods_per_year=periods
        )
    return found
