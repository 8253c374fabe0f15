"""Entries and exits given as frames of booleans."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.frame_rows import blank, decided, rows_of, symbols_of
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.kernels import layouts

__all__ = ["Size", "from_signals"]

Size = float | Literal["all"]


def from_signals(
    market: Market, entries: pd.DataFrame | pd.Series, exits: Any, *, size: Size | None
) -> layouts.Records:
    """Return the orders that entries and exits stand for.

    An entry buys when there is neither a position nor a working order of the symbol; an exit sells
    the whole position. Where both are true the exit rules.

    Parameters
    ----------
    market
        The run's.
    entries, exits
        Boolean, the index that of the run's bars, columns symbols; a Series with one symbol. Each row
        is decided at the end of its bar. `exits` may be None.
    size
        ``"all"`` for all cash, or a fraction of the account's value for each entry.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidInputError
        If an index differs from the run's, a value is not boolean, or `size` is missing or not
        allowed.
    """
    if size is None and len(market.symbols) > 1:
        raise InvalidInputError(
            f"size is missing: with {len(market.symbols)} symbols say which fraction of the account "
            f"an entry takes, for instance size={1 / len(market.symbols):.2g}."
        )
    chosen = "all" if size is None else size
    is_fraction = isinstance(chosen, (int, float)) and 0 < chosen <= 1
    if chosen != "all" and not is_fraction:
        raise InvalidInputError(f"size={size!r} must be 'all' or a fraction above 0 and up to 1.")
    enter = _signal(market, entries, "entries")
    leave = np.zeros_like(enter) if exits is None else _signal(market, exits, "exits")
    row, symbol = np.nonzero(enter | leave)
    is_exit = leave[row, symbol]
    records = blank(market, len(row))
    records["symbol"] = symbol
    records["side"] = np.where(is_exit, 0, 1)
    entry_sizing = layouts.ALL_CASH if chosen == "all" else layouts.PERCENT
    records["sizing"] = np.where(is_exit, layouts.TARGET, entry_sizing)
    records["size"] = np.where(is_exit, 0.0, 1.0 if chosen == "all" else float(chosen))
    records["condition"] = np.where(is_exit, layouts.IF_HELD, layouts.IF_FLAT)
    return decided(market, records, row)


def _signal(market: Market, signal: Any, argument: str) -> NDArray[np.bool_]:
    frame = signal
    if isinstance(signal, pd.Series):
        if len(market.symbols) > 1:
            raise InvalidInputError(f"{argument} is a Series, but the run has several symbols.")
        frame = signal.to_frame(market.symbols[0])
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"{argument} must be a DataFrame of booleans.")
    if not all(pd.api.types.is_bool_dtype(dtype) for dtype in frame.dtypes):
        raise InvalidInputError(f"{argument} must hold True and False only.")
    rows = rows_of(market, frame.index, argument)
    if len(rows) != len(market.clock):
        raise InvalidInputError(
            f"{argument} has {len(rows)} rows, the run has {len(market.clock)} bars; "
            f"give one row a bar."
        )
    whole = np.zeros((len(market.clock), len(market.symbols)), np.bool_)
    whole[:, symbols_of(market, frame.columns, argument)] = frame.to_numpy()
    return whole
