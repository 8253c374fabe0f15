"""Entries and exits given as frames of booleans."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.arguments import is_number
from mismartera_analytics.backtesting.brackets import with_brackets
from mismartera_analytics.backtesting.forms import BRACKET, SIGNALS, Instructions
from mismartera_analytics.backtesting.frame_rows import blank, decided, rows_of, symbols_of
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import written
from mismartera_analytics.kernels import layouts

__all__ = ["Size", "check_sides", "from_signals", "orders_of_one", "orders_of_signals", "size_of"]

Size = float | Literal["all"]
Flags = NDArray[np.bool_]


def from_signals(market: Market, instructions: Instructions, settings: Settings) -> layouts.Records:
    """Return the orders that entries and exits stand for.

    An entry buys, or sells short, when there is neither a position nor a working order of the symbol;
    an exit ends the whole position of its side. Where an entry and its own exit are true in one row
    the exit rules; where both entries are, neither counts. An entry whose row holds the other side's
    exit counts against a position of that side as well: the exit fills first, then the entry.

    Parameters
    ----------
    market
        The run's.
    instructions
        With ``entries, exits, short_entries, short_exits``: boolean, the index that of the run's bars,
        columns symbols; a Series with one symbol. Each row is decided at the end of its bar. And
        ``size``: ``"all"`` for all cash, or a fraction of the account's value for each entry; and
        ``stop_loss, take_profit, trail``: fractions of an entry's price at which it ends by itself.
    settings
        The rules.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidInputError
        If an index differs from the run's, a value is not boolean, `size` is missing or not allowed,
        or a cash account is to sell short.
    """
    if instructions.short_entries is not None:
        check_sides(settings)
    size = size_of(market, instructions.size, settings)
    flags = [_signal(market, getattr(instructions, name), name) for name in SIGNALS]
    return _bracketed(orders_of_signals(market, *flags, size=size), instructions)


def orders_of_signals(
    market: Market,
    enter: Flags,
    leave: Flags,
    enter_short: Flags,
    leave_short: Flags,
    *,
    size: Size,
) -> layouts.Records:
    """Return the orders of signals that fit the market, each of shape (rows, symbols)."""
    enter = enter & ~leave
    enter_short = enter_short & ~leave_short
    enter, enter_short = enter & ~enter_short, enter_short & ~enter
    parts = [
        _exits(market, leave, layouts.IF_LONG),
        _exits(market, leave_short, layouts.IF_SHORT),
        _entries(market, enter, leave_short, 1, size),
        _entries(market, enter_short, leave, -1, size),
    ]
    records = np.concatenate(parts)
    in_sequence = np.argsort(
        records["row"] * len(market.symbols) + records["symbol"], kind="stable"
    )
    records = records[in_sequence]
    return decided(market, records, records["row"].astype(np.int64))


def _bracketed(records: layouts.Records, instructions: Instructions) -> layouts.Records:
    """Give every entry the bracket asked for."""
    if not instructions.bracket:
        return records
    is_entry = records["sizing"] != layouts.TARGET
    levels = {
        name: np.where(is_entry, instructions.bracket.get(name, np.nan), np.nan) for name in BRACKET
    }
    return with_brackets(records, **levels, unit="fraction")


def check_sides(settings: Settings) -> None:
    """Refuse signals to sell short where the account cannot."""
    if not settings.is_margin:
        raise InvalidInputError(
            "short_entries belongs to account_type='margin': a cash account knows no short sale."
        )


def orders_of_one(market: Market, size: Size) -> layouts.Records:
    """Return the orders of an entry and of an exit of the first symbol, not decided yet."""
    yes = np.ones((1, 1), np.bool_)
    return np.concatenate(
        [_entries(market, yes, ~yes, 1, size), _exits(market, yes, layouts.IF_LONG)]
    )


def size_of(market: Market, size: Any, settings: Settings) -> Size:
    """Return what an entry takes, once it is checked.

    Raises
    ------
    InvalidInputError
        If it is missing with several symbols, or not allowed.
    """
    if size is None and len(market.symbols) > 1:
        raise InvalidInputError(
            f"size is missing: with {len(market.symbols)} symbols say which fraction of the account "
            f"an entry takes, for instance size={1 / len(market.symbols):.2g}."
        )
    chosen: Size = "all" if size is None else size
    is_fraction = is_number(chosen) and 0 < float(chosen) <= settings.limit
    if not (isinstance(chosen, str) and chosen == "all") and not is_fraction:
        raise InvalidInputError(
            f"size={as_given(size)} must be 'all' or a fraction above 0 and up to {settings.limit:g}."
        )
    return chosen


def _exits(market: Market, leave: Flags, condition: int) -> layouts.Records:
    row, symbol = np.nonzero(leave)
    records = blank(market, len(row))
    records["row"], records["symbol"] = row, symbol
    records["condition"] = condition
    return records


def _entries(market: Market, enter: Flags, other: Flags, side: int, size: Size) -> layouts.Records:
    """Return entries of one side; `other` are the exits of the other side."""
    row, symbol = np.nonzero(enter)
    records = blank(market, len(row))
    records["row"], records["symbol"], records["side"] = row, symbol, side
    records["sizing"] = layouts.ALL_CASH if size == "all" else layouts.PERCENT
    records["size"] = 1.0 if size == "all" else float(size)
    is_reversing = other[row, symbol]
    records["condition"] = np.where(is_reversing, layouts.IF_LEAVING, layouts.IF_FLAT)
    return records


def _check_flags(frame: pd.DataFrame, argument: str) -> None:
    """Refuse what is neither True nor False, and say what and where the first is."""
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
            continue
        wrong = [not isinstance(value, (bool, np.bool_)) for value in column]
        if any(wrong):
            row = wrong.index(True)
            raise InvalidInputError(
                f"{argument} must hold True and False only: {name!r} is "
                f"{as_given(column.iloc[row])} on {written(frame.index[row])} ({sum(wrong)} such "
                f"rows); compare, as in values > 0, or fill what is missing with fillna(False)."
            )


def _signal(market: Market, signal: Any, argument: str) -> Flags:
    whole = np.zeros((len(market.clock), len(market.symbols)), np.bool_)
    if signal is None:
        return whole
    frame = signal
    if isinstance(signal, pd.Series):
        if len(market.symbols) > 1:
            raise InvalidInputError(f"{argument} is a Series, but the run has several symbols.")
        frame = signal.to_frame(market.symbols[0])
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"{argument} must be a DataFrame of booleans.")
    _check_flags(frame, argument)
    rows = rows_of(market, frame.index, argument)
    if len(rows) != len(market.clock):
        raise InvalidInputError(
            f"{argument} has {len(rows)} rows, the run has {len(market.clock)} bars; "
            f"give one row a bar."
        )
    whole[:, symbols_of(market, frame.columns, argument)] = frame.to_numpy(np.bool_)
    return whole
