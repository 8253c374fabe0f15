"""Simulated bars for ``backtests.py``, the same for every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["MINUTES", "SESSIONS", "SYMBOLS", "walk", "write_bars"]

MINUTES, SESSIONS, SYMBOLS = 195_000, 8_300, 20


def walk(random: Any, count: int, *, step: float) -> pd.DataFrame:
    """Return bars of a random walk, prices of six decimals so that averages hardly ever tie.

    Volumes are large enough for engines that fill no more than a part of them.
    """
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, step, count))), 6)
    gaps = np.exp(random.normal(0, step / 3, count))
    opened = np.round(np.concatenate([close[:1], close[:-1]]) * gaps, 6)
    reach = random.exponential(step, (2, count))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.round(np.maximum(opened, close) * (1 + reach[0]), 6),
            "low": np.round(np.minimum(opened, close) * (1 - reach[1]), 6),
            "close": close,
            "volume": random.lognormal(14, 0.5, count).round(),
        }
    )


def write_bars(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write minutes, days and twenty years of one symbol as `frames.BARS`; return the first two."""
    import mismartera_analytics as ma

    # With some seeds two averages are equal at a bar, and which is above is then each tool's rounding;
    # with others the first signal comes at the first average, a bar before backtesting.py begins.
    random = np.random.default_rng(9)
    nyse = ma.trading_calendar("NYSE")
    starts = nyse.minutes("2023-01-01", "2025-06-30").tz_convert("UTC").as_unit("us")[:MINUTES]
    minutes = walk(random, MINUTES, step=0.0004).assign(symbol="AAA", timestamp=starts)
    random = np.random.default_rng(7)
    sessions = nyse.sessions("1990-01-01", "2025-06-30").iloc[:SESSIONS]
    opens = sessions["regular_open"].dt.tz_convert("UTC").array
    parts = [
        walk(random, SESSIONS, step=0.012).assign(
            symbol=f"S{number:02}", timestamp=opens, session=sessions.index
        )
        for number in range(SYMBOLS)
    ]
    days = pd.concat(parts, ignore_index=True)
    minutes.to_parquet(folder / "minutes.parquet")
    days.to_parquet(folder / "days.parquet")
    days[days["symbol"] == "S00"].iloc[: 20 * 252].to_parquet(folder / "twenty_years.parquet")
    return minutes, days
