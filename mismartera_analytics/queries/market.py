"""Bars of the configured store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from mismartera_analytics import clock
from mismartera_analytics.market_data.store import BarStore

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bars"]


def bars(
    symbols: str | Iterable[str],
    interval: str = "1d",
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    columns: Iterable[str] | None = None,
    adjust: Literal["split", "all"] | None = None,
    as_of: int | clock.InstantLike | None = None,
    tz: str | None = None,
) -> pd.DataFrame:
    """Return bars of the configured store: `BarStore.read` in one line.

    Parameters
    ----------
    symbols, interval, start, end, columns, adjust, as_of, tz
        As in `BarStore.read`.

    Returns
    -------
    pandas.DataFrame
        As `frames.BARS`.

    Raises
    ------
    BarsNotFoundError, InvalidInputError, UnknownNameError
        As in `BarStore.read`.

    Examples
    --------
    >>> ma.bars("AAPL", "1d", "2005-02-25", "2005-02-28", adjust="split")[["session", "close"]]
         session   close
    0 2005-02-25  44.495
    1 2005-02-28  44.860
    """
    return BarStore().read(
        symbols, interval, start, end, columns=columns, adjust=adjust, as_of=as_of, tz=tz
    )
