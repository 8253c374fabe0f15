"""The columns that can be explained, and what each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion

__all__ = ["ACCOUNTS", "FILLS", "ORDERS", "POSITIONS", "ROUND_TRIPS", "as_number", "check_column"]

POSITIONS = {
    "quantity": "sum of the open lots",
    "average_price": "cost basis ÷ (quantity × multiplier)",
    "current_price": "last daily close, in shares of the day",
    "market_value": "quantity × multiplier × current price of each lot",
    "cost_basis": "quantity × entry price of each open lot, and the fees of its entry",
    "unrealized_pnl": "market value − cost basis",
    "day_change": "quantity × multiplier × (current price − the close before it)",
}
ROUND_TRIPS = {
    "quantity": "shares of the lot that were closed, in shares at the exit",
    "entry_price": "price of the fill that opened the lot, in shares at the exit",
    "exit_price": "price of the fill that closed it",
    "fees": "the closed shares' part of the fees of both fills",
    "realized_pnl": "exit value − entry value − fees",
    "return": "realised PnL ÷ entry value",
}
ORDERS = {
    "quantity": "as recorded",
    "filled_quantity": "sum of its fills",
    "price": "as recorded",
    "stop_price": "as recorded",
    "average_fill_price": "mean price of its fills, weighted by quantity",
    "commission": "fees of its fills",
}
FILLS = {
    "quantity": "as recorded",
    "price": "as recorded",
    "commission": "as recorded, or the order's fee shared out by quantity",
}
ACCOUNTS = {
    "cash_balance": "flows, what fills cost or brought, dividends, fees",
    "total_value": "cash and positions",
    "equity": "cash and positions",
    "buying_power": "cash, at least nothing; as the broker reported it for a margin account",
}


def check_column(frame: str, column: str, known: Mapping[str, str]) -> None:
    """Refuse a column that cannot be explained.

    Raises
    ------
    InvalidInputError
        Naming those that can, and the nearest.
    """
    if not is_one_of(column, known):
        hint = suggestion(column, known) or "."
        raise InvalidInputError(
            f"column={as_given(column)} is no number of {frame}; there are {', '.join(known)}{hint}"
        )


def as_number(value: Any) -> float:
    """Return a cell as a float, NaN where it is missing."""
    return float("nan") if value is None or pd.isna(value) else float(value)
