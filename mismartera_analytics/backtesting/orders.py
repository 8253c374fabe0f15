"""The orders that instructions given as frames stand for."""

from __future__ import annotations

from mismartera_analytics.backtesting.forms import Instructions
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.order_frames import from_orders
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.signals import from_signals
from mismartera_analytics.backtesting.weights import from_weights
from mismartera_analytics.kernels import layouts

__all__ = ["orders_of"]


def orders_of(market: Market, instructions: Instructions, settings: Settings) -> layouts.Records:
    """Return the orders of weights, signals or a frame of orders, by their decision rows.

    Parameters
    ----------
    market
        The run's.
    instructions
        Any form but a strategy.
    settings
        The rules.

    Returns
    -------
    numpy.ndarray of layouts.ORDER

    Raises
    ------
    InvalidInputError, InvalidOrderError
        If a frame does not fit the market or breaks a rule.
    """
    if instructions.weights is not None:
        return from_weights(market, instructions.weights, settings)
    if instructions.orders is not None:
        return from_orders(market, instructions.orders, settings)
    return from_signals(market, instructions, settings)
