"""Orders given as a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    NaiveDatetimeError,
)
from mismartera_analytics.kernels import layouts

__all__ = ["from_orders"]

_TERMS = {
    "order_type": "MARKET",
    "price": np.nan,
    "stop_price": np.nan,
    "time_in_force": "DAY",
}
_NOT_BUILT = ("trail", "stop_loss", "take_profit")


def from_orders(market: Market, orders: pd.DataFrame, settings: Settings) -> layouts.Records:
    """Return a frame of orders as the kernel reads them.

    Parameters
    ----------
    market
        The run's.
    orders
        Columns ``placed_at`` (aware), ``symbol``, ``side`` (BUY, SELL), ``quantity`` [shares] and, if
        needed, ``order_type``, ``price``, ``stop_price`` [currency/share], ``time_in_force``. Sorted
        by ``placed_at``; an order is eligible from the first bar that starts then or later.
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
    rows = market.rows_before(placed)
    records = np.zeros(len(table), layouts.ORDER)
    for number, terms in enumerate(table.to_dict("records")):
        try:
            ticket = _ticket(market, terms)
            ticket.check(settings)
        except (InvalidOrderError, InvalidInputError) as error:
            raise InvalidOrderError(f"orders, row {number}: {error}") from None
        records[number] = ticket.record(
            row=int(rows[number]),
            placed=int(placed[number]),
            session=market.session_at(ticket.symbol, int(placed[number])),
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
