"""Orders given as a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.backtesting.brackets import with_brackets
from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, TIMES_IN_FORCE, Ticket
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    NaiveDatetimeError,
    as_given,
    suggestion,
)
from mismartera_analytics.frames.given import check_table, is_missing
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.kernels import layouts

__all__ = ["from_orders"]

_NEEDED = ("placed_at", "symbol", "side", "quantity")
_WORDS = {"order_type": "MARKET", "time_in_force": "DAY"}
_PRICES = {
    "price": "limit",
    "stop_price": "stop",
    "trail": "trail",
    "trail_percent": "trail_percent",
    "stop_loss": "stop_loss",
    "take_profit": "take_profit",
}
_KNOWN = (*_NEEDED, *_WORDS, *_PRICES)
_SIDES = {"BUY": 1, "SELL": -1}
_NONE = -9  # code of a word that is unknown
Floats = NDArray[np.float64]


def from_orders(market: Market, orders: pd.DataFrame, settings: Settings) -> layouts.Records:
    """Return a frame of orders as the kernel reads them, each followed by its bracket.

    Parameters
    ----------
    market
        The run's.
    orders
        Columns ``placed_at`` (aware), ``symbol``, ``side`` (BUY, SELL), ``quantity`` [shares] and, if
        needed, ``order_type``, ``time_in_force``, ``price``, ``stop_price``, ``trail``, ``stop_loss``,
        ``take_profit`` [currency/share], ``trail_percent`` [1]. Sorted by ``placed_at``; an order is
        eligible from the first bar that starts then or later.
    settings
        The rules.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidOrderError
        Naming the row and what is wrong with it.
    InvalidInputError
        If a column is missing or unsorted.
    NaiveDatetimeError
        If ``placed_at`` has no time zone.
    """
    check_table(orders, argument="orders")
    missing = [name for name in _NEEDED if name not in orders.columns]
    if missing:
        raise InvalidInputError(f"orders lacks the columns {missing}.")
    _refuse_misspelt(orders.columns)
    if len(orders) and not isinstance(orders["placed_at"].dtype, pd.DatetimeTZDtype):
        raise NaiveDatetimeError("orders: placed_at must hold aware instants.")
    table = orders.reset_index(drop=True)
    if table["placed_at"].isna().any():
        first = table["placed_at"].isna().argmax()
        raise InvalidOrderError(f"orders, row {first}: placed_at is missing.")
    placed = microseconds(table["placed_at"]) if len(table) else np.zeros(0, np.int64)
    if (np.diff(placed) < 0).any():
        raise InvalidInputError("orders: placed_at is unsorted; sort the frame by it.")
    columns = _Columns.of(market, table)
    for row in np.flatnonzero(columns.may_break_a_rule(whole=bool(settings.only_whole))).tolist():
        _check(market, table, columns, row, settings)
    records = columns.records()
    records["placed"] = placed
    records["row"] = market.rows_before(placed)
    records["session"] = market.sessions_at(records["symbol"], placed)
    prices = columns.prices
    return with_brackets(records, prices["stop_loss"], prices["take_profit"])


def _refuse_misspelt(columns: pd.Index) -> None:
    """Refuse a name that is nearly one of ours: its orders would be others than were meant."""
    lacking = [name for name in _KNOWN if name not in columns]
    for name in columns:
        hint = "" if name in _KNOWN or name in frames.ORDERS.names else suggestion(name, lacking)
        if hint:
            raise InvalidInputError(f"orders has a column {name!r}{hint}")


@dataclass(frozen=True)
class _Columns:
    """The columns of a frame of orders as arrays of codes and prices."""

    symbol: NDArray[np.int64]
    side: NDArray[np.int64]
    order_type: NDArray[np.int64]
    time_in_force: NDArray[np.int64]
    quantity: Floats
    prices: dict[str, Floats]

    @classmethod
    def of(cls, market: Market, table: pd.DataFrame) -> _Columns:
        return cls(
            symbol=_codes(table["symbol"], market.numbers),
            side=_codes(table["side"], _SIDES),
            order_type=_codes(_words(table, "order_type"), ORDER_TYPES),
            time_in_force=_codes(_words(table, "time_in_force"), TIMES_IN_FORCE),
            quantity=_numbers(table, "quantity"),
            prices={name: _numbers(table, name) for name in _PRICES},
        )

    def may_break_a_rule(self, *, whole: bool) -> NDArray[np.bool_]:
        """Return which rows `Ticket.check` has to look at: all that it refuses are among them."""
        prices = self.prices
        limit, stop = prices["price"], prices["stop_price"]
        is_trailing = self.order_type == layouts.TRAILING_STOP
        is_limit = np.isin(self.order_type, (layouts.LIMIT, layouts.STOP_LIMIT))
        is_stop = np.isin(self.order_type, (layouts.STOP, layouts.STOP_LIMIT))
        bad = (self.symbol == _NONE) | (self.side == _NONE)
        bad |= (self.order_type == _NONE) | (self.time_in_force == _NONE)
        bad |= ~(self.quantity > 0) | ~np.isfinite(self.quantity)
        bad |= whole & (self.quantity != np.floor(self.quantity))
        bad |= (is_limit == np.isnan(limit)) | (is_stop == np.isnan(stop))
        is_auction = np.isin(self.time_in_force, (layouts.OPG, layouts.CLS))
        bad |= is_auction & (is_stop | is_trailing)
        for values in prices.values():
            bad |= (values <= 0) | np.isinf(values)
        trails = [~np.isnan(prices[name]) for name in ("trail", "trail_percent")]
        bad |= trails[0].astype(np.int64) + trails[1] != is_trailing
        bad |= prices["trail_percent"] >= 1
        lower, upper = prices["stop_loss"], prices["take_profit"]
        for below, above in ((lower, limit), (lower, stop), (limit, upper), (stop, upper)):
            bad |= self.side * (above - below) <= 0
        bad |= self.side * (upper - lower) <= 0
        return np.asarray(bad)

    def records(self) -> layouts.Records:
        """Return the orders, their times still to be set."""
        template = Ticket(0, layouts.UNITS, 0.0, 0).record(row=0, placed=0, session=0)
        records = np.full(len(self.symbol), np.array(template, layouts.ORDER))
        records["symbol"], records["side"] = self.symbol, self.side
        records["type"], records["tif"] = self.order_type, self.time_in_force
        records["size"] = records["quantity"] = self.quantity
        records["limit"], records["stop"] = self.prices["price"], self.prices["stop_price"]
        records["trail"], records["rate"] = self.prices["trail"], self.prices["trail_percent"]
        return records


def _words(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        return pd.Series(_WORDS[name], index=table.index, dtype="str")
    if isinstance(table[name].dtype, pd.StringDtype):
        return table[name].fillna(_WORDS[name])
    words = [_WORDS[name] if is_missing(word) else word for word in table[name]]
    return pd.Series(words, table.index, dtype=object)


def _codes(column: pd.Series, codes: dict[str, int]) -> NDArray[np.int64]:
    """Return the code of each word, `_NONE` of one that has none."""

    def code(word: Any) -> int:
        return codes.get(word, _NONE) if isinstance(word, str) else _NONE

    if column.dtype == object:  # it may hold what has no hash, or is no whole text
        return np.fromiter(map(code, column), np.int64, len(column))
    number, words = pd.factorize(column)
    return np.array([*map(code, words), _NONE], np.int64)[number]


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    column = table[name]
    numbers = numbers_in(column)
    if column.dtype.kind != "f" and not all(map(is_missing, column[np.isnan(numbers)])):
        raise InvalidInputError(f"orders: {name} must hold numbers.")
    return numbers


def _check(
    market: Market, table: pd.DataFrame, columns: _Columns, row: int, settings: Settings
) -> None:
    """Refuse a row that breaks a rule, saying which."""
    terms: dict[Any, Any] = table.iloc[row].to_dict()
    try:
        side = terms["side"]
        if not is_one_of(side, _SIDES):
            raise InvalidOrderError(f"side={as_given(side)} must be 'BUY' or 'SELL'.")
        given: dict[str, Any] = {
            name: usual if is_missing(terms.get(name)) else terms[name]
            for name, usual in _WORDS.items()
        }
        for name, field in _PRICES.items():
            given[field] = float(columns.prices[name][row])
        ticket = Ticket(
            symbol=market.position_of(terms["symbol"]),
            sizing=layouts.UNITS,
            size=float(columns.quantity[row]),
            side=_SIDES[side],
            **given,
        )
        ticket.check(settings)
    except (InvalidOrderError, InvalidInputError) as error:
        raise InvalidOrderError(f"orders, row {row}: {error}") from None
