"""Frames that are right but for the cells of one column: each of them in each function that takes one."""

from __future__ import annotations

import datetime as dt
import decimal
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mismartera_analytics as ma
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from tests.faults.generated.records import in_transaction
from tests.faults.generated.samples import (
    actions_frame,
    bars_frame,
    fills_frame,
    flows_frame,
    instruments_frame,
    orders_frame,
)
from tests.faults.generated.values import SCALARS
from tests.faults.nasty import NAMES

__all__ = ["ODD", "one_cell"]

ODD: tuple[Any, ...] = (
    dt.time(1, tzinfo=dt.UTC), np.timedelta64("NaT"), np.float32("nan"), np.longdouble("nan"), np.str_("AAPL"),
    np.bytes_(b"x"), [], [1], (1, 2), {}, {"a": 1}, set(), pd.Series([1]), np.array([1, 2]), np.array(1.5),
    pd.DataFrame({"a": [1]}), np.void(b"abc"), np.datetime64("2024-01-02T10:00:00.123456789"),
    np.datetime64(2**62, "ns"), np.datetime64("20240", "Y"), np.timedelta64(2**62, "s"), pd.offsets.Day(3),
    range(3), float, np.float64, np.int8(-128), np.uint64(2**64 - 1), np.complex64(1),
    decimal.Decimal("-Infinity"), decimal.Decimal(10) ** 50, 10**5000, "\ud800", "\x00", "é", "1e5", "nan", "inf",
    " 5", "5 ", "1,000", "-0", "0x10", "True", "2004-01-05", "20040105", "1073260800", "2004-01-05T25:00",
    "2004-01-05 10:00:00.1234567890123Z", "2004-366", "2004-W01-1", "24:00", "2004-01-05T10:00:00+99:99",
    "2004-01-05T10:00:00-00:00",
)  # fmt: skip
"""Cells that pandas holds, and that some function took for what they are not, or stumbled over."""

RUN: dict[str, Any] = {"symbols": ["AAPL", "IBM"], "start": "2012-06-01", "end": "2012-06-28", "count": False}  # fmt: skip


def weights_frame() -> pd.DataFrame:
    """Return good target weights."""
    days = pd.bdate_range("2012-06-01", periods=20)
    return pd.DataFrame({"AAPL": np.arange(20) % 3 / 3, "IBM": np.arange(20) % 2 / 4}, days)


def signals_frame() -> pd.DataFrame:
    """Return good signals."""
    days = pd.bdate_range("2012-06-01", periods=20)
    return pd.DataFrame({"AAPL": np.arange(20) % 3 == 0, "IBM": np.arange(20) % 4 == 0}, days)


def tickets_frame() -> pd.DataFrame:
    """Return good orders of a backtest."""
    placed = pd.to_datetime(["2012-06-04 20:30", "2012-06-05 20:30"], utc=True)
    return pd.DataFrame({
        "placed_at": placed, "symbol": ["AAPL", "IBM"], "side": ["BUY", "SELL"], "quantity": [10.0, 5.0],
        "order_type": ["LIMIT", "MARKET"], "time_in_force": "GTC", "price": [500.0, None],
        "stop_price": [None, None],
    })  # fmt: skip


def of_bars(timestamp: pd.DatetimeIndex, **more: Any) -> pd.DataFrame:
    """Return good bars at some times."""
    price = 100 + np.arange(len(timestamp)) / 10
    return pd.DataFrame({
        "symbol": "AAPL", **more, "timestamp": timestamp, "open": price, "high": price + 1, "low": price - 1,
        "close": price, "volume": 10.0,
    })  # fmt: skip


def minutes_frame() -> pd.DataFrame:
    """Return good bars of a minute."""
    return of_bars(pd.date_range("2012-06-04 13:30", periods=20, freq="min", tz="UTC"))


def days_frame() -> pd.DataFrame:
    """Return good bars of a session, as `ma.bars` gives them."""
    days = pd.bdate_range("2012-07-05", periods=20)
    return of_bars((days + pd.Timedelta("13:30:00")).tz_localize("UTC"), session=days)


def returns_frame() -> pd.DataFrame:
    """Return good returns."""
    index = pd.bdate_range("2012-01-03", periods=40)
    return pd.DataFrame({"r": np.sin(np.arange(40.0)) / 50}, index)


def _with_fills(fills: pd.DataFrame) -> Any:
    return in_transaction(ma.record_orders, orders_frame(), fills, account=1)()


CALLS: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[pd.DataFrame], Any]]] = {
    "record_orders": (orders_frame, lambda f: in_transaction(ma.record_orders, f, account=1)()),
    "record_orders fills": (fills_frame, _with_fills),
    "record_flows": (flows_frame, lambda f: in_transaction(ma.record_flows, f, account=1)()),
    "record_actions": (actions_frame, record_actions),
    "record_instruments": (instruments_frame, record_instruments),
    "ingest_bars": (bars_frame, lambda f: ma.ingest_bars(f, "1d", progress=False)),
    "ingest_bars quarantine": (
        bars_frame, lambda f: ma.ingest_bars(f, "1d", progress=False, on_bad="quarantine")),
    "ingest_bars minutes": (minutes_frame, lambda f: ma.ingest_bars(f, "1m", progress=False)),
    "audit_bars": (bars_frame, lambda f: ma.audit_bars(frame=f, interval="1d")),
    "resample_bars": (minutes_frame, lambda f: ma.resample_bars(f, "5m")),
    "backtest weights": (weights_frame, lambda f: ma.backtest(weights=f, **RUN)),
    "backtest signals": (
        signals_frame, lambda f: ma.backtest(entries=f, exits=signals_frame(), size=0.3, **RUN)),
    "backtest orders": (tickets_frame, lambda f: ma.backtest(orders=f, **RUN)),
    "backtest bars": (days_frame, lambda f: ma.backtest(
        MovingAverageCross(fast=2, slow=5), bars=f, calendar="NYSE", count=False)),
    "backtest actions": (
        actions_frame, lambda f: ma.backtest(weights=weights_frame(), actions=f, **RUN)),
    "performance_summary": (returns_frame, lambda f: ma.performance_summary(f["r"])),
    "sql": (bars_frame, lambda f: ma.sql("select * from mine", mine=f)),
}  # fmt: skip


def one_cell(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """A frame of which one column, or the index, has an odd cell, or nothing else."""
    name = rng.choice(sorted(CALLS))
    make, call = CALLS[name]
    frame = make()
    rows, at = len(frame), rng.randrange(-1, frame.shape[1])
    value = rng.choice(rng.choice((SCALARS, ODD, NAMES)))
    cells = np.empty(rows, dtype=object)
    cells[:] = frame.index if at < 0 else frame.iloc[:, at].astype(object)
    place = rng.choice((0, -1))
    shape = rng.randrange(4)
    if shape == 2:
        cells[:] = None
    for row in range(rows) if shape == 3 else (place,):
        cells[row] = value
    if at < 0:
        frame.index = pd.Index(cells, dtype=object)
        return name, lambda: call(frame)
    columns = [frame.iloc[:, other] for other in range(frame.shape[1])]
    columns[at] = pd.Series(cells, frame.index, dtype=object, name=frame.columns[at])
    if rng.random() < 0.5:
        columns[at] = columns[at].infer_objects()
    spoiled = pd.concat(columns, axis=1)
    return name, lambda: call(spoiled)
