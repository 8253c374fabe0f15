"""Target weights given as a frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.frame_rows import blank, decided, rows_of, symbols_of
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.kernels import layouts

__all__ = ["from_weights"]


def from_weights(market: Market, weights: pd.DataFrame, settings: Settings) -> layouts.Records:
    """Return the orders that a frame of target weights stands for: one a weight.

    Parameters
    ----------
    market
        The run's.
    weights
        Index: labels (bars of a session or longer) or starts of bars, a subset of the run's;
        columns: symbols. Each row is decided at the end of its bar [1 = the whole account, -1 = as
        much sold short].
    settings
        The rules; a margin account allows weights below 0, and sizes that add up to its leverage.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidInputError
        If the index is not of the run's bars, a symbol is unknown, a weight is NaN or not finite, or
        a row is more than the account allows.
    """
    rows = rows_of(market, weights.index, "weights")
    symbols = symbols_of(market, weights.columns, "weights")
    try:
        values = weights.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, ArithmeticError):
        raise InvalidInputError("weights must hold numbers.") from None
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        found = "NaN" if np.isnan(values[row, column]) else f"{values[row, column]}"
        raise InvalidInputError(
            f"weights: {weights.columns[column]!r} is {found} on {weights.index[row]}; write 0 to hold "
            f"none, or leave the row out to change nothing."
        )
    _check_weights(weights, values, settings)
    records = blank(market, values.size)
    records["symbol"] = np.tile(symbols, len(rows))
    records["sizing"] = layouts.TARGET
    records["size"] = values.ravel()
    return decided(market, records, np.repeat(rows, len(symbols)))


def _check_weights(weights: pd.DataFrame, values: NDArray[np.float64], settings: Settings) -> None:
    if (values < 0).any() and not settings.is_margin:
        row, column = np.argwhere(values < 0)[0]
        raise InvalidInputError(
            f"weights: {weights.columns[column]!r} is {values[row, column]:g} on "
            f"{weights.index[row]}; a cash account knows no short sale."
        )
    sums = np.abs(values).sum(axis=1)
    is_over = sums > settings.limit + 1e-9
    if is_over.any():
        row = int(np.argmax(is_over))
        why = (
            f"their sizes add up to {sums[row]:g} on {weights.index[row]}; "
            f"leverage={settings.limit:g}"
            if settings.is_margin
            else f"they add up to {sums[row]:g} on {weights.index[row]}; a cash account has no "
            f"leverage, so at most 1"
        )
        raise InvalidInputError(f"weights: {why} is allowed.")
