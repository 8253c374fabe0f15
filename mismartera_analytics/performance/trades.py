"""Statistics of closed round trips."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError

__all__ = ["trade_statistics"]

_NET = "realised, net of fees"


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
        median_holding, fees. What is not defined is NaN and its note says why.

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
    pnl = trades["realized_pnl"].to_numpy(dtype=np.float64)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    held = (trades["exit_at"] - trades["entry_at"]).dt.total_seconds() / 86_400
    none = "" if len(pnl) else "no trade was closed"
    no_win = none or ("" if len(wins) else "no trade won")
    no_loss = none or ("" if len(losses) else "no trade lost")
    either = no_win or no_loss
    decided = len(wins) + len(losses)
    rows: list[tuple[str, float, str, str, str]] = [
        ("trades", len(pnl), "trades", "closed round trips, one for each lot closed", ""),
        ("winners", len(wins), "trades", "gained, net of fees", ""),
        ("losers", len(losses), "trades", "lost, net of fees", ""),
        (
            "hit_rate",
            len(wins) / decided if decided else np.nan,
            "fraction",
            "winners over winners and losers",
            none or ("" if decided else "no trade won or lost"),
        ),
        ("payoff_ratio", _over(wins, losses, "mean"), "ratio", "mean win over mean loss", either),
        ("profit_factor", _over(wins, losses, "sum"), "ratio", "all wins over all losses", no_loss),
        ("expectancy", _mean(pnl), "currency", "mean of all trades, realised, net of fees", none),
        ("average_win", _mean(wins), "currency", _NET, no_win),
        ("average_loss", _mean(losses), "currency", _NET, no_loss),
        ("largest_win", wins.max(initial=-np.inf), "currency", _NET, no_win),
        ("largest_loss", losses.min(initial=np.inf), "currency", _NET, no_loss),
        ("median_holding", float(held.median()), "days", "calendar days from entry to exit", none),
        ("fees", float(trades["fees"].sum()), "currency", "of both fills of every trade", ""),
    ]
    table = pd.DataFrame(rows, columns=frames.METRICS.names)
    table["value"] = table["value"].where(table["note"] == "")
    return frames.METRICS.conform(table).set_index("metric")


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(values.mean()) if len(values) else np.nan


def _over(
    wins: np.ndarray[tuple[int], np.dtype[np.float64]],
    losses: np.ndarray[tuple[int], np.dtype[np.float64]],
    how: str,
) -> float:
    if not len(losses):
        return np.nan
    return float(getattr(wins, how)() / -getattr(losses, how)()) if len(wins) else 0.0
