"""What the prices and volumes of a market must be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import Clock
from mismartera_analytics.errors import InvalidBarsError

__all__ = ["check_prices"]

Floats = NDArray[np.float64]


def check_prices(fields: Floats, symbols: Sequence[str], times: Clock) -> None:
    """Refuse the first bar whose prices or volume cannot be.

    Parameters
    ----------
    fields
        Open, high, low, close and volume, shape (5, symbols, rows); NaN where there is no bar.
    symbols
        Names of the symbols.
    times
        The clock of the rows.

    Raises
    ------
    InvalidBarsError
        If a price is not positive and finite, low and high do not enclose the others, or a volume is
        negative or infinite.
    """
    opened, high, low, close = fields[:4]
    is_good = (low > 0) & (high < np.inf) & (low <= opened) & (low <= close)
    is_good &= (high >= opened) & (high >= close)
    has_bar = None if is_good.all() else ~np.isnan(fields[:4]).all(axis=0)
    _check_volumes(fields[4], symbols, times)
    if has_bar is None:
        return
    bad = np.argwhere(has_bar & ~is_good)
    if len(bad):
        symbol, row = bad[0]
        prices = ", ".join(f"{value:g}" for value in fields[:4, symbol, row])
        raise InvalidBarsError(
            f"bars: {symbols[symbol]!r} on {times.label[row]} has open, high, low, close {prices}; "
            f"prices must be positive with low <= open, close <= high ({len(bad)} such bars)."
        )


def _check_volumes(volumes: Floats, symbols: Sequence[str], times: Clock) -> None:
    bad = np.argwhere((volumes < 0) | (volumes == np.inf))
    if len(bad):
        symbol, row = bad[0]
        raise InvalidBarsError(
            f"bars: {symbols[symbol]!r} on {times.label[row]} has volume {volumes[symbol, row]:g}; "
            f"volumes must be finite and at least 0 ({len(bad)} such bars)."
        )
