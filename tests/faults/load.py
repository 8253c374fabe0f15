"""A database under load: what `trading_process` is started on, and what must be there afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

import mismartera_analytics as ma
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.models import database as db
from mismartera_analytics.recording.accounts import create_account
from tests.faults import trading_process as trading

SCRIPT = Path(trading.__file__)
ROOT = SCRIPT.parents[2]
ORDERS = "SELECT account_id, broker_order_id, quantity FROM orders"


@dataclass(frozen=True)
class Load:
    """Processes at work, and the folder of their notes."""

    process: subprocess.Popen[str]
    folder: Path
    accounts: list[int]
    writers: int

    def notes(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        """Return the notes of the writers or the readers by the process's name."""
        return {
            path.name: [json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted(self.folder.glob(f"{kind}-*"))
        }

    def stop(self) -> None:
        """Let every process end after what it is doing."""
        (self.folder / trading.STOP).touch()

    def finished(self, patience: float) -> str:
        """Wait for the end, and return what the processes complained of."""
        _, told = self.process.communicate(timeout=patience)
        assert self.process.returncode == 0, told[-3000:]
        return told


def prepared_accounts(count: int) -> list[int]:
    """Make a user with some accounts, and prices that stand still, in the configured places."""
    ma.create_user("desk", "desk@example.com", "pw")
    nyse = trading_calendar("US_EQUITY")
    labels = nyse.labels("2025-07-01", "2025-07-03")
    flat = dict.fromkeys(("open", "high", "low", "close"), trading.CLOSE)
    bars = pd.DataFrame(
        {"symbol": trading.SYMBOL, "timestamp": nyse.opens(labels), "session": labels, **flat,
         "volume": 100}
    )  # fmt: skip
    ma.BarStore().write(bars, "1d")
    return [create_account("desk", "schwab", account_number=f"D-{k}") for k in range(count)]


def started(folder: Path, *, writers: int, readers: int, seconds: float) -> Load:
    """Start writers and readers on the configured database."""
    accounts = prepared_accounts(-(-writers // 2))
    url = ma.settings().database_url
    notes = folder / "notes"
    notes.mkdir()
    db.close_db()
    told = {"folder": str(notes), "writers": writers, "readers": readers, "accounts": accounts,
            "seconds": seconds}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(told)],
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MISMARTERA_")}
        | {"PYTHONPATH": str(ROOT), "MISMARTERA_HOME": str(folder), "MISMARTERA_DATABASE_URL": url,
           "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    return Load(process, notes, accounts, writers)


def check_what_is_there(load: Load) -> dict[str, int]:
    """Compare the database with the notes: all that was acknowledged is there, and nothing twice."""
    maybe: set[tuple[int, int]] = set()
    wanted: Counter[tuple[int, str | None, float]] = Counter()
    possible: Counter[tuple[int, str | None, float]] = Counter()
    seen: set[tuple[Any, ...]] = set()
    for name, notes in load.notes("writer").items():
        writer = int(name.partition("-")[2])
        account = load.accounts[writer // 2]
        for note in notes:
            number = note["number"]
            owner: Any = writer // 2 if trading.is_shared(number) else ("own", writer)
            row = account, trading.name_of(writer, number), trading.quantity_of(writer, number)
            if "error" in note:
                maybe.add((writer, number))
                possible[row] = 1 if trading.is_shared(number) else possible[row] + 1
            elif (owner, number) not in seen:
                seen.add((owner, number))
                wanted[row] += 1
    with db.engine.connect() as connection:
        there = Counter(map(tuple, connection.execute(text(ORDERS))))
        fills = connection.execute(
            text("SELECT order_id, count(*), sum(quantity) FROM fills GROUP BY order_id")
        ).all()
        orders = dict(map(tuple, connection.execute(text("SELECT id, quantity FROM orders"))))
        flows = connection.execute(
            text("SELECT account_id, count(*), sum(amount) FROM cash_flows GROUP BY account_id")
        ).all()
    lost, extra = wanted - there, there - wanted - possible
    assert not lost, f"acknowledged and not there: {dict(list(lost.items())[:5])}"
    assert not extra, f"there too often: {dict(list(extra.items())[:5])}"
    assert {row[0]: row[2] for row in fills} == orders
    assert all(row[1] == 2 for row in fills)
    for account, count, amount in flows:
        own = {key: number for key, number in there.items() if key[0] == account}
        assert count == sum(own.values())
        days = ma.pnl(account=account, freq="total").iloc[0]
        assert np.isclose(days["flows"], amount, rtol=1e-12)
        assert np.isclose(days["begin_value"] + days["flows"] + days["total"], days["end_value"])
        held = trading.CLOSE * sum(key[2] * number for key, number in own.items())
        assert np.isclose(days["end_value"], held, rtol=1e-12)
    return {"orders": sum(there.values()), "unknown": len(maybe)}
