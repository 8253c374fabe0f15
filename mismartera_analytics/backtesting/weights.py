"""Target weights given as a frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.frame_rows import blank, decided, rows_of, symbols_of
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.kernels import layouts

__all__ = ["from_weights"]


def from_weights(market: Market, weights: pd.DataFrame) -> layouts.Records:
    """Return the orders that a frame of target weights stands for: one a weight.

    Parameters
    ----------
    market
        The run's.
    weights
        Index: labels (bars of a session or longer) or starts of bars, a subset of the run's;
        columns: symbols. Each row is decided at the end of its bar [1 = the whole account].

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidInputError
        If the index is not of the run's bars, a symbol is unknown, a weight is NaN or negative, or a
        row's sum exceeds 1.
    """
    rows = rows_of(market, weights.index, "weights")
    symbols = symbols_of(market, weights.columns, "weights")
    values = weights.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise InvalidInputError(
            f"weights: {weights.columns[column]!r} is NaN on {weights.index[row]}; write 0 to hold "
            f"none, or leave the row out to change nothing."
        )
    _check_weights(weights, values)
    records = blank(market, values.size)
    records["symbol"] = np.tile(symbols, len(rows))
    records["sizing"] = layouts.TARGET
    records["size"] = values.ravel()
    return decided(market, records, np.repeat(rows, len(symbols)))


def _check_weights(weights: pd.DataFrame, values: NDArray[np.float64]) -> None:
    if (values < 0).any():
        row, column = np.argwhere(values < 0)[0]
        raise InvalidInputError(
            f"weights: {weights.columns[column]!r} is {values[row, column]:g} on "
            f"{weights.index[row]}; a cash account knows no short sale."
        )
    sums = values.sum(axis=1)
    if (sums > 1 + 1e-9).any():
        row = int(np.argmax(sums > 1 + 1e-9))
        raise InvalidInputError(
            f"weights: they add up to {sums[row]:g} on {weights.index[row]}; a cash account has "
            f"no leverage, so at most 1 is allowed."
        )
