"""Tables and series over time: growth, drawdowns, months and years."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import labelled
from mismartera_analytics.performance.rolling import rolling_sharpe, rolling_volatility

if TYPE_CHECKING:
    from mismartera_analytics.performance.observations import Record

__all__ = [
    "compounded",
    "drawdown_table",
    "growth",
    "monthly_returns",
    "rolling_sharpe",
    "rolling_volatility",
    "underwater",
    "yearly_returns",
]


def growth(returns: Record) -> pd.Series[float]:
    """Return what one unit has become at each session's end [1].

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; at NaN the value stays.

    Returns
    -------
    pandas.Series
        Same index. It stays where everything was lost.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    >>> growth(pd.Series([0.5, 0.5], index=days)).tolist()
    [1.5, 2.25]
    """
    from mismartera_analytics.kernels import drawdowns

    series = labelled(returns)
    return pd.Series(drawdowns.wealth(series.to_numpy()), index=series.index, name=series.name)


def underwater(returns: Record) -> pd.Series[float]:
    """Return the drawdown at each session's end [1].

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; NaN leaves the value as it is.

    Returns
    -------
    pandas.Series
        Same index, at most 0; a loss on the first session counts.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    >>> underwater(pd.Series([-0.5, 1.0], index=days)).tolist()
    [-0.5, 0.0]
    """
    from mismartera_analytics.kernels import drawdowns

    series = labelled(returns)
    return pd.Series(drawdowns.drawdowns(series.to_numpy()), index=series.index, name=series.name)


def drawdown_table(returns: Record, *, top: int | None = None) -> pd.DataFrame:
    """Return every spell under water, deepest first.

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; NaN leaves the value as it is.
    top
        Keep the deepest ones only; all by default.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.DRAWDOWNS`. Lengths count sessions of the record. A fall on the first session
        has no peak (NaT), one that lasts has no recovery.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session, or top is below 1.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-30", periods=4)
    >>> table = drawdown_table(pd.Series([0.1, -0.5, 0.2, 1.0], index=days))
    >>> table[["depth", "length", "to_recovery"]].to_numpy().tolist()
    [[-0.5, 2, 2]]
    """
    from mismartera_analytics.kernels import drawdowns

    if top is not None and top < 1:
        raise InvalidInputError(f"top={as_given(top)} must be 1 or more.")
    series = labelled(returns)
    depth = drawdowns.drawdowns(series.to_numpy())
    found = drawdowns.spells(depth)
    labels = pd.DatetimeIndex([pd.NaT, *series.index, pd.NaT]).as_unit("us")
    is_over = found.end < len(series)
    table = pd.DataFrame(
        {
            "depth": depth[found.trough],
            "peak": labels[found.start],
            "trough": labels[found.trough + 1],
            "recovery": labels[found.end + 1],
            "length": found.end - found.start,
            "to_trough": found.trough - found.start + 1,
            "to_recovery": pd.array(found.end - found.trough, dtype="Int64"),
        }
    )
    table.loc[~is_over, "to_recovery"] = pd.NA
    return frames.DRAWDOWNS.conform(table).head(top if top is not None else len(table))


def compounded(returns: pd.Series[float], keys: list[pd.Index[Any]]) -> pd.Series[float]:
    """Return the growth within each group of observations; it is 0 after a total loss.

    Parameters
    ----------
    returns
        Simple returns [1], shape (n,); NaN is left out.
    keys
        What they are grouped by, each of shape (n,).

    Returns
    -------
    pandas.Series
        One return a group that has any, in order of the keys.
    """
    from mismartera_analytics.kernels import drawdowns

    known = returns.dropna()
    value = drawdowns.wealth(known.to_numpy())
    before = np.concatenate(([1.0], value))[:-1]
    keys = [key[returns.notna().to_numpy()] for key in keys]
    grouped = pd.DataFrame({"after": value, "before": before}).groupby(keys, sort=True)
    ends = grouped.agg({"after": "last", "before": "first"})
    alive = ends["before"] > 0.0
    return (ends["after"] / ends["before"] - 1.0).where(alive, 0.0)


def monthly_returns(returns: Record) -> pd.DataFrame:
    """Return the compounded return of each month by its sessions' labels [1].

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; NaN is left out.

    Returns
    -------
    pandas.DataFrame
        Index ``year``, columns 1 to 12; NaN where the record has no observation. Months chain to the
        total return; those after a total loss are 0.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-06-27", "2025-06-30", "2025-07-01"])
    >>> monthly_returns(pd.Series([0.5, 0.5, 0.1], index=days)).loc[2025, [6, 7]].round(6).tolist()
    [1.25, 0.1]
    """
    series = labelled(returns)
    labels = pd.DatetimeIndex(series.index)
    months = compounded(series, [labels.year, labels.month])
    table = months.unstack() if len(months) else pd.DataFrame()
    years = pd.Index(table.index, name="year", dtype="int64")
    return (
        table.set_axis(years, axis=0)
        .reindex(columns=pd.RangeIndex(1, 13, name="month"))
        .astype("float64")
    )


def yearly_returns(returns: Record) -> pd.Series[float]:
    """Return the compounded return of each year by its sessions' labels [1].

    Parameters
    ----------
    returns
        Simple returns labelled by session, shape (n,), or a `Returns`; NaN is left out.

    Returns
    -------
    pandas.Series
        Index ``year``. The first and last may be parts of a year.

    Raises
    ------
    InvalidInputError
        If the returns are not a Series labelled by session.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-12-31", "2025-01-02", "2025-01-03"])
    >>> yearly_returns(pd.Series([0.5, 0.5, 0.1], index=days)).round(6).to_dict()
    {2024: 0.5, 2025: 0.65}
    """
    series = labelled(returns)
    years = compounded(series, [pd.DatetimeIndex(series.index).year])
    return pd.Series(
        years.to_numpy(), index=pd.Index(years.index, name="year", dtype="int64"), name=series.name
    )
