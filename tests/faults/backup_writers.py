"""Processes that write while backups are taken: records, bars and saved runs, until a file appears.

Each transaction of records adds one order with two fills and a deposit of what they cost, all with one
number, so that half of one shows.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import pandas as pd

import mismartera_analytics as ma
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.market_data.store import BarStore
from tests.market_data import writing_process as minutes

KEEP = dt.timedelta(seconds=4)
RUN = ["IBM"], "2012-01-03", "2012-12-31"
FIRST = pd.Timestamp("2012-03-01 15:00", tz="UTC")


def write_records(stop: Path, account: int) -> int:
    """Write transactions; return how many."""
    number = 0
    while not stop.exists():
        name, price = f"{account}-{number}", 100.0 + number % 50
        when = FIRST + pd.Timedelta(minutes=number % 300)
        order = pd.DataFrame(
            {
                "broker_order_id": [name], "symbol": ["IBM"], "side": "BUY", "quantity": 3.0,
                "placed_at": [when],
            }
        )  # fmt: skip
        fills = pd.DataFrame(
            {
                "broker_order_id": [name, name], "broker_fill_id": [f"{name}a", f"{name}b"],
                "quantity": [1.0, 2.0], "price": price, "filled_at": when,
            }
        )  # fmt: skip
        flow = pd.DataFrame(
            {
                "occurred_at": [when], "flow_type": "DEPOSIT", "amount": [3 * price],
                "broker_flow_id": [name],
            }
        )  # fmt: skip
        with ma.session_scope() as db_session:
            ma.record_flows(flow, account=account, db_session=db_session)
            ma.record_orders(order, fills, account=account, db_session=db_session)
        number += 1
    return number


def write_bars(stop: Path) -> int:
    """Upsert days and minutes, compact and vacuum."""
    store, number = BarStore(), 0
    while not stop.exists():
        days = store.read(["IBM", "AAPL"], "1d", "2012-11-01").assign(volume=float(number))
        store.write(days, "1d")
        store.write(minutes.bars_of(number, 1), "1m")
        if number % 3 == 2:
            store.compact("1m")
            for interval in ("1m", "1d"):
                store.vacuum(interval, keep=KEEP)
        number += 1
    return number


def save_runs(stop: Path) -> int:
    """Save backtests, which cite the version of bars that they saw."""
    number = 0
    while not stop.exists():
        strategy = MovingAverageCross(fast=5 + number % 10, slow=30)
        ma.backtest(strategy, *RUN).save(f"run {number}", user="ada")
        number += 1
    return number


def main() -> None:
    """Do what the first word asks for."""
    what, stop, *more = json.loads(sys.argv[1])
    done = {"records": write_records, "bars": write_bars, "runs": save_runs}[what](
        Path(stop), *more
    )
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main()
