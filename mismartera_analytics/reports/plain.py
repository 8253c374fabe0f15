"""From returns that somebody has to the content of a tear sheet."""

from __future__ import annotations

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.performance import tables
from mismartera_analytics.performance.observations import labelled
from mismartera_analytics.reports.content import Fact, TearSheetContent

__all__ = ["from_returns", "growth_frame"]

START = 100.0


def from_returns(returns: pd.Series[float]) -> TearSheetContent:
    """Return the content of a tear sheet about returns alone.

    Parameters
    ----------
    returns
        Simple returns [1] labelled by session; its name is the title. May be empty.

    Returns
    -------
    TearSheetContent

    Raises
    ------
    InvalidInputError
        If it is no Series labelled by session, or looks like prices.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    >>> from_returns(pd.Series([0.1, 0.1], index=days, name="mine")).title
    'mine'
    """
    record = labelled(returns)
    title = "Returns" if returns.name is None else str(returns.name)
    missing = int(record.isna().sum())
    counted = f"{len(record):,}, as given" + (f"; {missing:,} of them missing" if missing else "")
    return TearSheetContent(
        title=title,
        subtitle="Returns",
        kind="returns",
        currency="start = 100",
        returns=record,
        equity=growth_frame(record),
        conventions=(
            Fact("Returns", counted),
            Fact("Costs", "not said: whether the returns are gross or net is not known"),
        ),
    )


def growth_frame(record: pd.Series[float]) -> pd.DataFrame:
    """Return what 100 at the start became, in the columns of an account's value.

    Parameters
    ----------
    record
        Simple returns [1] labelled by session.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.EQUITY`; nothing is held.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01"])
    >>> growth_frame(pd.Series([0.1], index=days))["equity"].round(6).tolist()
    [110.0]
    """
    value = START * tables.growth(record)
    table = pd.DataFrame(
        {
            "timestamp": pd.DatetimeIndex(record.index).tz_localize("UTC"),
            "session": record.index,
            "cash": value.to_numpy(),
            "positions": 0.0,
            "equity": value.to_numpy(),
            "drawdown": tables.underwater(record).to_numpy(),
        }
    )
    return frames.EQUITY.conform(table)
