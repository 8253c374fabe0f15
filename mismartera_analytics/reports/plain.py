"""From returns that somebody has to the content of a tear sheet."""

from __future__ import annotations

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.performance import tables
from mismartera_analytics.performance.observations import labelled
from mismartera_analytics.performance.returns import Returns
from mismartera_analytics.reports.content import Fact, TearSheetContent

__all__ = ["from_returns", "growth_frame"]

START = 100.0


def from_returns(returns: pd.Series[float] | Returns) -> TearSheetContent:
    """Return the content of a tear sheet about returns alone.

    Parameters
    ----------
    returns
        Simple returns [1] labelled by session, or a `Returns`, whose bars within sessions are
        compounded to sessions; the name of its values is the title. May be empty.

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
    title = "Returns" if record.name is None else str(record.name)
    missing = int(record.isna().sum())
    counted = f"{len(record):,}, as given" + (f"; {missing:,} of them missing" if missing else "")
    return TearSheetContent(
        title=title,
        subtitle="Returns",
        kind="returns",
        currency="start = 100",
        returns=record,
        record=returns if isinstance(returns, Returns) else None,
        equity=growth_frame(record),
        conventions=(Fact("Returns", counted), *_told(returns)),
    )


def _told(returns: pd.Series[float] | Returns) -> list[Fact]:
    """Return what is known of returns beside the numbers."""
    if not isinstance(returns, Returns):
        return [Fact("Costs", "not known: the returns do not say whether they are gross or net")]
    return [
        Fact("Costs", f"{returns.basis} of costs"),
        Fact("Currency", str(returns.currency)),
        Fact("Bars", str(returns.bar)),
        Fact("Sessions", returns.market.name),
    ]


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
