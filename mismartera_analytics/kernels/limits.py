"""Limits of an account on what an order comes to, looked at when it fills."""

from __future__ import annotations

from typing import Any

from mismartera_analytics.kernels.book import price_now
from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import (
    OVER_BUYING_POWER,
    OVER_POSITIONS,
    OVER_SYMBOL,
    OVER_TRADE,
)
from mismartera_analytics.kernels.sizing import TOLERANCE

__all__ = ["check_limits"]


@kernel
def check_limits(
    order: Any,
    quantity: float,
    price: float,
    moment: int,
    row: int,
    prices: Any,
    holdings: Any,
    rule: Any,
) -> int:
    """Return why an order exceeds a limit, 0 if it does not or makes its position no larger."""
    units = holdings[0, order.symbol]
    left = abs(units + order.side * quantity)
    if left <= abs(units) * (1.0 + TOLERANCE):
        return 0
    slack = 1.0 - TOLERANCE
    if quantity * price * slack > rule.max_trade_value:
        return OVER_TRADE
    if left * price * slack > rule.max_symbol_value:
        return OVER_SYMBOL
    count = 1
    exposure = left * price
    for symbol in range(holdings.shape[1]):
        if symbol != order.symbol and holdings[0, symbol] != 0.0:
            count += 1
            worth = holdings[0, symbol] * price_now(moment, row, symbol, prices, holdings)
            exposure += abs(worth)
    if units == 0.0 and count > rule.max_positions:
        return OVER_POSITIONS
    if exposure * slack > rule.max_exposure:
        return OVER_BUYING_POWER
    return 0
