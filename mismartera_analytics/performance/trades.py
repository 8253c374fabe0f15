"""Statistics of closed round trips."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError

__all__ = ["trade_statistics"]

_NET = "realised, net of fees"
_ROW = "most {} in a row, in order of their exits"
Row = tuple[str, float, str, str, str]
Floats = npt.NDArray[np.floating[Any]]


def trade_statistics(trades: pd.DataFrame) -> pd.DataFrame:
    """Return how often and how well round trips won.

    Parameters
    ----------
    trades
        Closed round trips with the columns of `frames.TRADES`; may be empty.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.METRICS` with index ``metric``: trades, winners, losers, hit_rate,
        payoff_ratio, profit_factor, expectancy, average_win, average_loss, largest_win, largest_loss,
        longest_winning_streak, longest_losing_streak, average_return, median_holding, fees. What is not
        defined is NaN and its note says why.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> trade_statistics(frames.TRADES.empty()).loc["hit_rate", "note"]
    'no trade was closed'
    """
    missing = [name for name in frames.TRADES.names if name not in trades.columns]
    if missing:
        raise InvalidInputError(f"trades lacks the columns {missing} of frames.TRADES.")
    trades = trades.sort_values("exit_at", kind="stable")
    pnl = trades["realized_pnl"].to_numpy(dtype=np.float64)
    table = pd.DataFrame([*_counts(pnl), *_amounts(pnl), *_kinds(trades)])
    table.columns = pd.Index(frames.METRICS.names)
    table["value"] = table["value"].where(table["note"] == "")
    return frames.METRICS.conform(table).set_index("metric")


def _counts(pnl: Floats) -> list[Row]:
    """Return how many trades there were, and how many of them won."""
    winners, losers = int((pnl > 0).sum()), int((pnl < 0).sum())
    decided = winners + losers
    undecided = "" if len(pnl) else "no trade was closed"
    rate = winners / decided if decided else np.nan
    return [
        ("trades", len(pnl), "trades", "closed round trips, one for each lot closed", ""),
        ("winners", winners, "trades", "gained, net of fees", ""),
        ("losers", losers, "trades", "lost, net of fees", ""),
        (
            "hit_rate", rate, "fraction", "winners over winners and losers",
            undecided or ("" if decided else "no trade won or lost"),
        ),
    ]  # fmt: skip


def _amounts(pnl: Floats) -> list[Row]:
    """Return how well trades won and how badly they lost."""
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    none = "" if len(pnl) else "no trade was closed"
    no_win = none or ("" if len(wins) else "no trade won")
    no_loss = none or ("" if len(losses) else "no trade lost")
    either = no_win or no_loss
    return [
        ("payoff_ratio", _over(wins, losses, "mean"), "ratio", "mean win over mean loss", either),
        ("profit_factor", _over(wins, losses, "sum"), "ratio", "all wins over all losses", no_loss),
        ("expectancy", _mean(pnl), "currency", "mean of all trades, realised, net of fees", none),
        ("average_win", _mean(wins), "currency", _NET, no_win),
        ("average_loss", _mean(losses), "currency", _NET, no_loss),
        ("largest_win", wins.max(initial=-np.inf), "currency", _NET, no_win),
        ("largest_loss", losses.min(initial=np.inf), "currency", _NET, no_loss),
        ("longest_winning_streak", _streak(pnl > 0), "trades", _ROW.format("wins"), ""),
        ("longest_losing_streak", _streak(pnl < 0), "trades", _ROW.format("losses"), ""),
    ]


def _kinds(trades: pd.DataFrame) -> list[Row]:
    """Return what does not hang on winning: returns, times and fees."""
    held = (trades["exit_at"] - trades["entry_at"]).dt.total_seconds() / 86_400
    made = trades["return"].dropna().to_numpy(dtype=np.float64)
    none = "" if len(trades) else "no trade was closed"
    no_return = none or ("" if len(made) else "no trade has a return")
    fees = float(trades["fees"].sum())
    return [
        (
            "average_return", _mean(made), "fraction", "mean over trades, on the cost of the entry",
            no_return,
        ),
        ("median_holding", float(held.median()), "days", "calendar days from entry to exit", none),
        ("fees", fees, "currency", "of both fills of every trade", ""),
    ]  # fmt: skip


def _streak(is_such: npt.NDArray[np.bool_]) -> int:
    """Return how many in a row are true at most."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_such.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _over(
    wins: Floats,
    losses: Floats,
    how: str,
) -> float:
    if not len(losses):
        return np.nan
    return float(getattr(wins, how)() / -getattr(losses, how)()) if len(wins) else 0.0
