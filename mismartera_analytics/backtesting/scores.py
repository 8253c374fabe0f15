"""What a search keeps of each run: a row of numbers, by the conventions of every other metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import Clock
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.performance import distribution, metrics
from mismartera_analytics.performance.observations import annualisation

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.simulation import Simulation

__all__ = [
    "EQUITY",
    "LOWER_IS_BETTER",
    "SCORES",
    "SHOWN",
    "best_place",
    "closed_trades",
    "column_of",
    "scores",
    "session_ends",
    "sessions_a_year",
    "typed",
]

Floats = NDArray[np.float64]

SHOWN = (
    "equity", "total_return", "cagr", "volatility", "sharpe_ratio", "sortino_ratio",
    "max_drawdown", "fills", "trades",
)  # fmt: skip
SCORES = (*SHOWN, "sessions", "sharpe", "skew", "kurtosis")
"""Columns of a row of scores; the last four, of single sessions, are what statistics of trials need."""

EQUITY = SCORES.index("equity")
_COUNTS = ("fills", "trades", "sessions")
LOWER_IS_BETTER = ("volatility",)
_SHORT = {"sharpe": "sharpe_ratio", "sortino": "sortino_ratio"}


def session_ends(times: Clock) -> NDArray[np.int64]:
    """Return the last row of each session that has bars."""
    return np.flatnonzero(np.append(times.label[1:] != times.label[:-1], True))


def scores(values: Floats, counts: Floats, *, cash: float, periods: float | None) -> Floats:
    """Return the scores of several runs.

    Parameters
    ----------
    values
        (runs, sessions) value of the account at each session's end [currency].
    counts
        (runs, 2) fills and closed trades.
    cash
        What each began with [currency].
    periods
        Sessions a year, None where that is not known: what is annual is then NaN.

    Returns
    -------
    numpy.ndarray
        (runs, scores) as `SCORES`; NaN where a metric is not defined. A run whose account was worth
        nothing or less at a session's end has no returns afterwards and no metrics, and neither has
        one whose returns no metric takes, such as more than 100% in half of the sessions.
    """
    before = np.concatenate([np.full((len(values), 1), cash), values[:, :-1]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = values / before - 1.0
    table = np.full((len(values), len(SCORES)), np.nan)
    table[:, EQUITY] = values[:, -1]
    for number, name in enumerate(("fills", "trades")):
        table[:, SCORES.index(name)] = counts[:, number]
    table[:, SCORES.index("sessions")] = returns.shape[1]
    known = np.flatnonzero(np.isfinite(returns).all(axis=1) & (before > 0).all(axis=1))
    if len(known):
        _fill_in(table, known, returns, periods)
    return table


def _fill_in(
    table: Floats, runs: NDArray[np.int64], returns: Floats, periods: float | None
) -> None:
    """Write the metrics of runs; where one's returns are refused, as prices are, it has none."""
    try:
        # One run a column, each column contiguous: then its sums are those of the run alone.
        found = _metrics(np.ascontiguousarray(returns[runs]).T, periods)
    except InvalidInputError:
        if len(runs) > 1:
            for run in runs:
                _fill_in(table, np.array([run]), returns, periods)
        return
    for name, column in found.items():
        table[runs, SCORES.index(name)] = column


def _metrics(returns: Floats, periods: float | None) -> dict[str, Any]:
    found = {
        "total_return": metrics.total_return(returns),
        "max_drawdown": metrics.max_drawdown(returns),
        "sharpe": metrics.sharpe_ratio(returns, periods_per_year=1.0),
        "skew": distribution.skew(returns),
        "kurtosis": distribution.kurtosis(returns),
    }
    if periods is not None:
        found |= {
            name: getattr(metrics, name)(returns, periods_per_year=periods)
            for name in ("cagr", "volatility", "sharpe_ratio", "sortino_ratio")
        }
    return found


def sessions_a_year(times: Clock) -> float | None:
    """Return the sessions a year as counted from the labels, None where they leave it open."""
    labels = pd.DatetimeIndex(times.label[session_ends(times)].astype("datetime64[us]"))
    try:
        return annualisation(labels).periods_per_year
    except InvalidInputError:
        return None


def closed_trades(simulation: Simulation) -> int:
    """Return how many round trips a finished run closed: the rows of its trades."""
    from mismartera_analytics.kernels import lots

    fills, actions = simulation.filled, simulation.actions
    splits = actions[actions["ratio"] != 1.0]
    kind = np.repeat([lots.SPLIT, lots.FILL], [len(splits), len(fills)])
    symbol = np.concatenate([splits["symbol"], fills["symbol"]])
    row = np.concatenate([splits["row"], fills["row"]])
    order = np.lexsort((kind, row, symbol))
    quantity = np.concatenate([splits["ratio"], fills["quantity"]])[order]
    price = np.concatenate([np.zeros(len(splits)), fills["price"]])[order]
    age = np.arange(len(order))
    matched = lots.match(
        symbol[order], kind[order], quantity, price, np.zeros(len(order)), age, lots.FIFO,
        lots.NO_CHOICES,
    )  # fmt: skip
    return len(matched[1])


def column_of(name: str, allowed: tuple[str, ...], argument: str) -> str:
    """Return the column that a name or its short form stands for.

    Raises
    ------
    InvalidInputError
        If there is none; the nearest is suggested.
    """
    full = _SHORT.get(name, name) if isinstance(name, str) else ""
    if full not in allowed:
        raise InvalidInputError(
            f"{argument}={as_given(name)} is no column{suggestion(name, allowed) or '.'} "
            f"Allowed: {', '.join(allowed)}."
        )
    return full


def best_place(values: Floats, column: str) -> int | None:
    """Return where the best value of a column stands, of equals the first; None without values."""
    if np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if column in LOWER_IS_BETTER else np.nanargmax(values))


def typed(table: Floats) -> dict[str, NDArray[Any]]:
    """Return the shown columns of a table of scores, counts as whole numbers."""
    return {
        name: table[:, number].astype(np.int64) if name in _COUNTS else table[:, number]
        for number, name in enumerate(SHOWN)
    }
