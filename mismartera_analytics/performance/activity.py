"""How much of an account was at work, and how fast it was turned over."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import annualisation, unclear_year

__all__ = ["Counted", "activity_statistics", "exposure", "turnover"]

Counted = Literal["half", "lesser"]
_EQUITY = ("timestamp", "session", "positions", "equity")
_FILLS = ("side", "quantity", "price")


def exposure(equity: pd.DataFrame) -> pd.Series[float]:
    """Return the market value of the positions over the account's value, at each valuation [1].

    Parameters
    ----------
    equity
        Columns of `frames.EQUITY`.

    Returns
    -------
    pandas.Series
        Labelled by session where there is one valuation a session, else by instant. Net: shorts count
        against longs. NaN where the account is worth nothing or less.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> exposure(frames.EQUITY.empty()).tolist()
    []
    """
    _require(equity, _EQUITY, "equity")
    share = equity["positions"] / equity["equity"].where(equity["equity"] > 0.0)
    labels = equity["session" if equity["session"].is_unique else "timestamp"]
    return pd.Series(share.to_numpy(dtype=np.float64), pd.DatetimeIndex(labels), name="exposure")


def turnover(
    fills: pd.DataFrame,
    equity: pd.DataFrame,
    *,
    counted: Counted = "half",
    periods_per_year: float | None = None,
) -> float:
    """Return how often a year the account's mean value was traded [1/year].

    Parameters
    ----------
    fills
        Columns of `frames.FILLS`; amounts are quantity times price [currency].
    equity
        Columns of `frames.EQUITY`; of each session the last value counts.
    counted
        ``"half"``: half of what was bought and sold; ``"lesser"``: the lesser of the two, as funds
        report it, which leaves out what only built a position up or down.
    periods_per_year
        Sessions a year; counted from the equity's sessions when not given.

    Returns
    -------
    float
        ``traded / mean(value) * periods_per_year / sessions``; NaN without a session and where the mean
        value is not above zero.

    Raises
    ------
    InvalidInputError
        If a column is missing, `counted` is unknown, or the sessions do not tell the periods a year.

    References
    ----------
    U.S. Securities and Exchange Commission, Form N-1A, item 13: the lesser of purchases and sales.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    >>> equity = pd.DataFrame({"timestamp": days, "session": days, "positions": 0.0, "equity": 100.0})
    >>> fills = pd.DataFrame({"side": ["BUY", "SELL"], "quantity": 1.0, "price": [50.0, 70.0]})
    >>> turnover(fills, equity, periods_per_year=2)
    0.6
    """
    _require(equity, _EQUITY, "equity")
    _require(fills, _FILLS, "fills")
    if not is_one_of(counted, ("half", "lesser")):
        raise InvalidInputError(f"counted={as_given(counted)} must be 'half' or 'lesser'.")
    values = equity.dropna(subset=["equity"]).groupby("session")["equity"].last()
    if not len(values) or not values.mean() > 0.0:
        return np.nan
    labels = pd.DatetimeIndex(values.index)
    year = annualisation(labels, periods_per_year=periods_per_year)
    bought, sold = _traded(fills)
    traded = min(bought, sold) if counted == "lesser" else (bought + sold) / 2.0
    return float(traded / values.mean() * year.periods_per_year / len(values))


def activity_statistics(
    equity: pd.DataFrame, fills: pd.DataFrame, *, periods_per_year: float | None = None
) -> pd.DataFrame:
    """Return exposure, time in the market and turnover, each with its convention.

    Parameters
    ----------
    equity, fills
        Columns of `frames.EQUITY` and `frames.FILLS`; may be empty.
    periods_per_year
        Sessions a year; counted from the equity's sessions when not given.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.METRICS` with index ``metric``: average_exposure, highest_exposure,
        lowest_exposure, time_invested, traded_value, turnover. What is not defined is NaN and its note
        says why.

    Raises
    ------
    InvalidInputError
        If a column is missing, or `periods_per_year` is no number above zero.

    Examples
    --------
    >>> activity_statistics(frames.EQUITY.empty(), frames.FILLS.empty()).loc["turnover", "note"]
    'no session was valued'
    """
    _require(fills, _FILLS, "fills")
    share = exposure(equity).dropna()
    held = equity["positions"].dropna().to_numpy() != 0.0
    none = "" if len(equity) else "no session was valued"
    no_value = none or ("" if len(share) else "the account was never worth anything")
    value, basis, unclear = _turnover(fills, equity, periods_per_year)
    net = "market value of the positions over the account's; shorts count against longs"
    rows = [
        ("average_exposure", share.mean(), "fraction", f"mean of the {net}", no_value),
        ("highest_exposure", share.max(), "fraction", net, no_value),
        ("lowest_exposure", share.min(), "fraction", net, no_value),
        (
            "time_invested", held.mean() if len(held) else np.nan, "fraction",
            "valuations with a position over all", none,
        ),
        ("traded_value", sum(_traded(fills)), "currency", "bought and sold, before fees", ""),
        (
            "turnover", value, "fraction/year",
            f"half of what was traded over the mean value; {basis}", none or unclear,
        ),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=frames.METRICS.names)
    return frames.METRICS.conform(table).set_index("metric")


def _turnover(
    fills: pd.DataFrame, equity: pd.DataFrame, periods_per_year: float | None
) -> tuple[float, str, str]:
    """Return the turnover with where its year comes from, or why there is none."""
    labels = pd.DatetimeIndex(equity["session"].dropna().unique())
    try:
        year = annualisation(labels, periods_per_year=periods_per_year)
    except InvalidInputError as error:
        if periods_per_year is not None:
            raise
        return np.nan, "a year", unclear_year(error)
    value = turnover(fills, equity, periods_per_year=year.periods_per_year)
    return value, year.basis, "" if value == value else "the account's mean value is not above zero"


def _traded(fills: pd.DataFrame) -> tuple[float, float]:
    """Return what was bought and what was sold [currency]."""
    amounts = (fills["quantity"] * fills["price"]).abs()
    is_bought = fills["side"].astype("str") == "BUY"
    return float(amounts[is_bought].sum()), float(amounts[~is_bought].sum())


def _require(frame: pd.DataFrame, names: tuple[str, ...], argument: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"{argument} lacks the columns {missing}.")
