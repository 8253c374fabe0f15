"""Instructions given as frames: target weights, entries and exits, or orders."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    NaiveDatetimeError,
    suggestion,
)
from mismartera_analytics.kernels import layouts

__all__ = ["Size", "from_orders", "from_signals", "from_weights"]

Size = float | Literal["all"]
_TERMS = {
    "order_type": "MARKET",
    "price": np.nan,
    "stop_price": np.nan,
    "time_in_force": "DAY",
}


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
    rows = _rows_of(market, weights.index, "weights")
    symbols = _symbols_of(market, weights.columns, "weights")
    values = weights.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise InvalidInputError(
            f"weights: {weights.columns[column]!r} is NaN on {weights.index[row]}; write 0 to hold "
            f"none, or leave the row out to change nothing."
        )
    _check_weights(weights, values)
    blank = _blank(market, values.size)
    blank["symbol"] = np.tile(symbols, len(rows))
    blank["sizing"] = layouts.TARGET
    blank["size"] = values.ravel()
    return _decided(market, blank, np.repeat(rows, len(symbols)))


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
    blank = _blank(market, len(row))
    blank["symbol"] = symbol
    blank["side"] = np.where(is_exit, 0, 1)
    entry_sizing = layouts.ALL_CASH if chosen == "all" else layouts.PERCENT
    blank["sizing"] = np.where(is_exit, layouts.TARGET, entry_sizing)
    blank["size"] = np.where(is_exit, 0.0, 1.0 if chosen == "all" else float(chosen))
    blank["condition"] = np.where(is_exit, layouts.IF_HELD, layouts.IF_FLAT)
    return _decided(market, blank, row)


_NOT_BUILT = ("trail", "stop_loss", "take_profit")


def from_orders(market: Market, orders: pd.DataFrame, *, only_whole: str) -> layouts.Records:
    """Return a frame of orders as the kernel reads them.

    Parameters
    ----------
    market
        The run's.
    orders
        Columns ``placed_at`` (aware), ``symbol``, ``side`` (BUY, SELL), ``quantity`` [shares] and, if
        needed, ``order_type``, ``price``, ``stop_price`` [currency/share], ``time_in_force``. Sorted
        by ``placed_at``; an order is eligible from the first bar that starts then or later.
    only_whole
        As in `Ticket.check`.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidOrderError
        Naming the row and what is wrong with it.
    InvalidInputError
        If a column is missing, or asks for trailing stops or brackets, which are not built yet.
    NaiveDatetimeError
        If ``placed_at`` has no time zone.
    """
    missing = [
        name for name in ("placed_at", "symbol", "side", "quantity") if name not in orders.columns
    ]
    if missing:
        raise InvalidInputError(f"orders lacks the columns {missing}.")
    for name in _NOT_BUILT:
        if name in orders.columns and orders[name].notna().any():
            raise InvalidInputError(
                f"orders: the engine does not work {name!r} yet; leave the column empty."
            )
    if len(orders) and not isinstance(orders["placed_at"].dtype, pd.DatetimeTZDtype):
        raise NaiveDatetimeError("orders: placed_at must hold aware instants.")
    table = orders.reset_index(drop=True)
    placed = microseconds(table["placed_at"]) if len(table) else np.zeros(0, np.int64)
    if (np.diff(placed) < 0).any():
        raise InvalidInputError("orders: placed_at is unsorted; sort the frame by it.")
    rows = market.clock.rows_before(placed)
    sessions = market.clock.sessions_at(placed)
    records = np.zeros(len(table), layouts.ORDER)
    for number, terms in enumerate(table.to_dict("records")):
        try:
            ticket = _ticket(market, terms)
            ticket.check(only_whole=only_whole)
        except (InvalidOrderError, InvalidInputError) as error:
            raise InvalidOrderError(f"orders, row {number}: {error}") from None
        records[number] = ticket.record(
            row=int(rows[number]), placed=int(placed[number]), session=int(sessions[number])
        )
    return records


def _ticket(market: Market, terms: dict[Any, Any]) -> Ticket:
    side = terms["side"]
    if side not in ("BUY", "SELL"):
        raise InvalidOrderError(f"side={side!r} must be 'BUY' or 'SELL'.")
    given: dict[str, Any] = {
        name: default if pd.isna(terms.get(name)) else terms[name]
        for name, default in _TERMS.items()
    }
    return Ticket(
        symbol=market.position_of(terms["symbol"]),
        sizing=layouts.UNITS,
        size=float(terms["quantity"]),
        side=1 if side == "BUY" else -1,
        order_type=given["order_type"],
        time_in_force=given["time_in_force"],
        limit=float(given["price"]),
        stop=float(given["stop_price"]),
    )


def _blank(market: Market, count: int) -> layouts.Records:
    template = Ticket(0, layouts.TARGET, 0.0, 0).record(row=0, placed=0, session=0)
    return np.full(count, np.array(template, layouts.ORDER))


def _decided(market: Market, records: layouts.Records, rows: NDArray[np.int64]) -> layouts.Records:
    """Set when orders were decided: at the end of the bars of `rows`, ascending."""
    records["row"] = rows
    records["placed"] = market.clock.end[rows]
    records["session"] = market.clock.sessions_at(records["placed"])
    return records


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
    rows = _rows_of(market, frame.index, argument)
    if len(rows) != len(market.clock):
        raise InvalidInputError(
            f"{argument} has {len(rows)} rows, the run has {len(market.clock)} bars; "
            f"give one row a bar."
        )
    whole = np.zeros((len(market.clock), len(market.symbols)), np.bool_)
    whole[:, _symbols_of(market, frame.columns, argument)] = frame.to_numpy()
    return whole


def _symbols_of(market: Market, columns: pd.Index, argument: str) -> NDArray[np.int64]:
    for symbol in columns:
        if symbol not in market.symbols:
            raise InvalidInputError(
                f"{argument}: {symbol!r} is no symbol of this run"
                f"{suggestion(str(symbol), market.symbols) or '.'}"
            )
    if not columns.is_unique:
        raise InvalidInputError(f"{argument}: a symbol has two columns.")
    return np.array([market.symbols.index(symbol) for symbol in columns], np.int64)


def _rows_of(market: Market, index: pd.Index, argument: str) -> NDArray[np.int64]:
    """Return the clock's rows of an index of labels or of bars' starts."""
    if not isinstance(index, pd.DatetimeIndex):
        raise InvalidInputError(f"{argument}: the index must be a DatetimeIndex.")
    known: NDArray[Any]
    if index.tz is None:
        if market.interval.is_intraday:
            raise NaiveDatetimeError(
                f"{argument}: the index of {market.interval} bars needs a zone."
            )
        keys: NDArray[Any] = index.to_numpy().astype("datetime64[us]")
        known = market.clock.label.astype("datetime64[us]")
    else:
        keys, known = microseconds(index.to_series()), market.clock.start
    rows = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    strange = np.flatnonzero(known[rows] != keys)
    if len(strange):
        raise InvalidInputError(
            f"{argument}: {index[strange[0]]} is no bar of this run ({len(strange)} such rows)."
        )
    if (np.diff(rows) <= 0).any():
        raise InvalidInputError(f"{argument}: the index is unsorted or doubled.")
    return rows.astype(np.int64)
