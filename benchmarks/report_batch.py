"""Reports of many accounts: time per account with 10 and with 200 accounts, one of them broken.

    python benchmarks/report_batch.py [--few 10] [--many 200] [--orders 300] [--jobs 1]

Both batches run on databases of their own, made by this script in a temporary folder, by turns. What is
compared is the processor time of this process and of its workers for each report.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ZONE = "America/New_York"
SYMBOLS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        homes = {count: Path(folder, str(count)) for count in (given.few, given.many)}
        for count, home in homes.items():
            make_world(home, count, given.orders)
        measure(homes[given.few], given.few, given.jobs)  # compiled and imported
        few = measure(homes[given.few], given.few, given.jobs)
        many = measure(homes[given.many], given.many, given.jobs)
        question = f"one report among {given.many} accounts, against one among {given.few}"
        told = {"question": question, "ours": many, "peer": f"{given.few} accounts", "theirs": few,
                "unit": "s", "ratio": few / many, "runs": 1, "wanted": 1 / 1.15}  # fmt: skip
        print(json.dumps(told))


def settle(home: Path) -> None:
    import mismartera_analytics as ma

    os.environ["MISMARTERA_HOME"] = str(home)
    ma.configure()


def make_world(home: Path, count: int, orders: int) -> None:
    """Open accounts with orders in some of the symbols each; the first has one of the year 2150."""
    import mismartera_analytics as ma
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.models.init_db_if_missing import init_db_if_missing
    from mismartera_analytics.recording.accounts import create_account

    home.mkdir()
    settle(home)
    init_db_if_missing()
    ma.create_user("ada", "ada@example.com", "pw")
    calendar = trading_calendar("US_EQUITY")
    labels = calendar.labels("2022-01-03", "2024-12-31")
    rng = np.random.default_rng(11)
    steps = rng.normal(0.0003, 0.015, (SYMBOLS, len(labels)))
    closes = 50 * np.exp(np.cumsum(steps, axis=1))
    opens = calendar.opens(labels)
    parts = [
        pd.DataFrame({"symbol": f"S{n:02d}", "timestamp": opens, "session": labels, "open": row,
                      "high": row, "low": row, "close": row, "volume": 1000})
        for n, row in enumerate(closes)
    ]  # fmt: skip
    ma.BarStore().write(pd.concat(parts), "1d")
    begin = pd.Timestamp("2022-01-03 08:00", tz=ZONE)
    for number in range(count):
        account = create_account(
            "ada", "schwab", account_number=f"A-{number}", account_type="margin"
        )
        flow = pd.DataFrame({"flow_type": ["DEPOSIT"], "amount": [1e6], "occurred_at": [begin]})
        ma.record_flows(flow, account=account)
        ma.record_orders(trades(rng, labels, closes, orders), account=account)
        if number == 0:
            break_account(account)


def trades(
    rng: np.random.Generator, labels: pd.DatetimeIndex, closes: np.ndarray, orders: int
) -> pd.DataFrame:
    days = np.sort(rng.integers(0, len(labels), orders))
    symbols = rng.choice(rng.choice(SYMBOLS, 8, replace=False), orders)
    when = pd.DatetimeIndex(
        labels[days] + pd.to_timedelta(rng.integers(600, 900, orders), unit="min")
    )
    times = when.tz_localize(ZONE)
    return pd.DataFrame(
        {
            "symbol": [f"S{n:02d}" for n in symbols],
            "side": np.where(np.arange(orders) % 3 < 2, "BUY", "SELL"),
            "quantity": rng.integers(10, 60, orders).astype(float),
            "average_fill_price": closes[symbols, days],
            "commission": 1.0, "status": "FILLED", "placed_at": times, "filled_at": times,
        }
    ).assign(filled_quantity=lambda table: table["quantity"])  # fmt: skip


def break_account(account: int) -> None:
    import mismartera_analytics as ma
    from mismartera_analytics.models import Order

    moment = pd.Timestamp("2150-01-05 10:00", tz=ZONE)
    with ma.session_scope() as db_session:
        db_session.add(
            Order(symbol="S00", side="BUY", quantity=1.0, filled_quantity=1.0, status="FILLED",
                  average_fill_price=5.0, placed_at=moment, filled_at=moment, account_id=account)
        )  # fmt: skip


def measure(home: Path, count: int, jobs: int) -> float:
    """Return the processor time for each report that was made [s]."""
    import mismartera_analytics as ma

    settle(home)
    began, used = time.perf_counter(), processor_time()
    done = ma.report(out=home / "reports", jobs=jobs, progress=False)
    wall, cpu = time.perf_counter() - began, processor_time() - used
    made = count - len(done.failed)
    print(
        f"{count:>4} accounts, {len(done.failed)} broken, {jobs} jobs: {wall:7.1f} s, a report "
        f"{cpu / made:.3f} s of processor time, {wall / made:.3f} s of time",
        file=sys.stderr,
        flush=True,
    )
    return cpu / made


def processor_time() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
