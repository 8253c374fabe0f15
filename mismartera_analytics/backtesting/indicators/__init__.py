"""Indicators: each value is made of the bars up to it, never of later ones.

Functions of arrays of shape (n,) that return an array of that shape, or a tuple of them. Where TA-Lib
knows an indicator, its definition holds. A strategy asks for one by ``ctx.indicator(sma, window=20)``.
"""

from mismartera_analytics.backtesting.indicators.averages import ema, sma, vwap, wilder
from mismartera_analytics.backtesting.indicators.bands import (
    atr,
    bollinger,
    donchian,
    true_range,
)
from mismartera_analytics.backtesting.indicators.oscillators import macd, rsi
from mismartera_analytics.backtesting.indicators.spreads import (
    rolling_rank,
    rolling_std,
    zscore,
)

__all__ = [
    "atr",
    "bollinger",
    "donchian",
    "ema",
    "macd",
    "rolling_rank",
    "rolling_std",
    "rsi",
    "sma",
    "true_range",
    "vwap",
    "wilder",
    "zscore",
]
