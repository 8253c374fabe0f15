"""A made-up account over three years: a hundred round trips in three symbols, every figure known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.performance import tables
from mismartera_analytics.reports.content import Fact, Identity, Notice, TearSheetContent

CASH = 100_000.0


def sessions(count: int = 700) -> pd.DatetimeIndex:
    return pd.bdate_range("2021-01-04", periods=count).as_unit("us")


def returns(count: int = 700, seed: int = 5) -> pd.Series:
    random = np.random.default_rng(seed)
    values = random.normal(0.0004, 0.011, count)
    values[::9] = 0.0
    return pd.Series(values, index=sessions(count).rename("session"), name="return")


def equity(of: pd.Series) -> pd.DataFrame:
    value = CASH * tables.growth(of)
    at = (value.index + pd.Timedelta(hours=16)).tz_localize("America/New_York")
    positions = value * np.where(np.arange(len(value)) % 60 < 45, 0.8, 0.0)
    return frames.EQUITY.conform(
        pd.DataFrame(
            {
                "timestamp": at,
                "session": value.index,
                "cash": value - positions,
                "positions": positions,
                "equity": value,
                "drawdown": tables.underwater(of),
            }
        )
    )


def trades(count: int = 100) -> pd.DataFrame:
    random = np.random.default_rng(6)
    entry = sessions()[np.linspace(0, 600, count).astype(int)] + pd.Timedelta(hours=9.5)
    entry_price = random.uniform(50, 250, count)
    change = random.normal(0.01, 0.05, count)
    quantity = random.integers(10, 200, count).astype(float)
    fees = np.full(count, 2.0)
    side = np.where(np.arange(count) % 5 == 0, "SELL", "BUY")
    sign = np.where(side == "SELL", -1.0, 1.0)
    pnl = sign * quantity * entry_price * change - fees
    return frames.TRADES.conform(
        pd.DataFrame(
            {
                "account_id": 1,
                "symbol": np.array(["AAPL", "MSFT", "IBM"])[np.arange(count) % 3],
                "side": side,
                "quantity": quantity,
                "entry_at": entry.tz_localize("America/New_York"),
                "entry_price": entry_price,
                "exit_at": (entry + pd.Timedelta(days=21)).tz_localize("America/New_York"),
                "exit_price": entry_price * (1 + change),
                "fees": fees,
                "realized_pnl": pnl,
                "return": pnl / (quantity * entry_price),
            }
        ),
        tz="America/New_York",
    )


def content(title: str = "Crossover of two averages", *, count: int = 100) -> TearSheetContent:
    record = returns()
    value = equity(record)
    closed = trades(count)
    end = float(value["equity"].iloc[-1])
    return TearSheetContent(
        title=title,
        subtitle="Backtest",
        returns=record,
        equity=value,
        trades=closed,
        pnl_by_symbol=closed.groupby("symbol")["realized_pnl"].sum(),
        benchmark=returns(seed=8).rename("Benchmark"),
        identity=Identity(CASH, 0.0, end - CASH, end, "the fills"),
        conventions=(
            Fact("Fills", "market orders at the next bar's open"),
            Fact("Commission", "PerShare: amount 0.005, minimum 1.0"),
            Fact("Data version", "bars/1d at version 3"),
        ),
        notices=(Notice("remark", "14 bars were ambiguous; the stop was taken first."),),
    )
