"""Example strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mismartera_analytics.backtesting.indicators import sma
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.context import Context

__all__ = ["MovingAverageCross"]


class MovingAverageCross(Strategy):
    """Hold each symbol while its fast moving average lies above its slow one, long only.

    Whenever a symbol is to be bought or sold, every symbol held is brought to an equal slice of the
    account: one over the number of the run's symbols.

    Attributes
    ----------
    fast, slow
        Lengths of the averages [bars].

    Examples
    --------
    >>> MovingAverageCross(fast=20).parameters
    {'fast': 20, 'slow': 200}
    """

    fast = 50
    slow = 200

    def on_start(self, ctx: Context) -> None:
        """Compute the averages."""
        if self.fast >= self.slow:
            raise InvalidInputError(f"fast={self.fast} must be less than slow={self.slow}.")
        self._averages = [
            (
                symbol,
                ctx.indicator(sma, "close", symbol=symbol, window=self.fast),
                ctx.indicator(sma, "close", symbol=symbol, window=self.slow),
            )
            for symbol in ctx.symbols
        ]

    def on_bar(self, ctx: Context) -> None:
        """Rebalance when a symbol has crossed."""
        wanted = [symbol for symbol, fast, slow in self._averages if fast[-1] > slow[-1]]
        held = [symbol for symbol in ctx.symbols if ctx.position(symbol) > 0]
        if wanted != held:
            for symbol in sorted({*wanted, *held}):
                ctx.target_percent(symbol, 1 / len(ctx.symbols) if symbol in wanted else 0.0)
