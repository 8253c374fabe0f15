"""How fast are lots and the daily ledger, against a plain Python loop, and how much memory is that?

How fast `orders()` gives a million rows is compared in `record_reads.py`, which this script runs too.

A million fills of 500 symbols over ten years, first in first out, marked on every session. The loop is
the one that the tests compare with; it runs over a part of the symbols, and its time is scaled by their
number. Times are those of the processor: both sides use one core, and other work does not count.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FILLS, SYMBOLS, SESSIONS = 1_000_000, 500, 2_520
LOOPED = 5  # symbols that the plain loop does
RUNS = 5


def make_books(seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame, pd.DatetimeIndex]:
    """Return fills, closes and sessions: random trades that turn over and cross zero."""
    random = np.random.default_rng(seed)
    sessions = pd.bdate_range("2014-01-02", periods=SESSIONS)
    day = np.sort(random.integers(0, SESSIONS, FILLS))
    symbol = random.integers(0, SYMBOLS, FILLS)
    names = np.array([f"S{number:03}" for number in range(SYMBOLS)])
    close = 50 * np.exp(np.cumsum(random.normal(0, 0.01, (SESSIONS, SYMBOLS)), axis=0))
    second = pd.to_timedelta(random.integers(0, 23_400, FILLS), unit="s")
    fills = pd.DataFrame(
        {
            "account_id": pd.array(np.ones(FILLS, int), "Int64"),
            "user": pd.Series(["ada"], dtype="str").repeat(FILLS).array,
            "symbol": pd.Series(names, dtype="str").array.take(symbol),
            "side": pd.Categorical.from_codes(random.integers(0, 2, FILLS), ["BUY", "SELL"]),
            "quantity": random.integers(1, 100, FILLS).astype(float),
            "price": close[day, symbol],
            "commission": 1.0,
            "session": sessions[day],
            "filled_at": (sessions[day] + pd.Timedelta(hours=14.5) + second).tz_localize("UTC"),
        }
    )
    prices = pd.DataFrame(
        {
            "symbol": pd.Series(names, dtype="str").array.take(
                np.tile(np.arange(SYMBOLS), SESSIONS)
            ),
            "session": np.repeat(sessions.to_numpy(), SYMBOLS),
            "close": close.ravel(),
        }
    )
    return fills.sort_values("filled_at", ignore_index=True), prices, sessions


def by_account(fills: pd.DataFrame, prices: pd.DataFrame, sessions: Any) -> pd.DataFrame:
    """Match lots, mark them on every session and return the account's profit by session."""
    from mismartera_analytics.ledger.daily import daily_ledger
    from mismartera_analytics.ledger.periods import pnl_frame

    accounts, _, _ = daily_ledger(fills, prices, sessions)
    return pnl_frame(accounts)


def by_symbol(fills: pd.DataFrame, prices: pd.DataFrame, sessions: Any) -> pd.DataFrame:
    """Do the same, with a row for every symbol and session."""
    from mismartera_analytics.ledger.daily import daily_ledger
    from mismartera_analytics.ledger.periods import pnl_frame

    _, symbols, cash = daily_ledger(fills, prices, sessions)
    return pnl_frame(symbols, cash)


def loop(fills: pd.DataFrame, prices: pd.DataFrame, sessions: Any) -> dict[str, list[float]]:
    """Do the same with the tests' loop: each symbol's profit so far, session by session."""
    from tests.ledger.reference_lots import Book

    values: dict[str, list[float]] = {}
    closes = {name: list(part["close"]) for name, part in prices.groupby("symbol")}
    for name, part in fills.groupby("symbol"):
        book, rows = Book(), part[["session", "side", "quantity", "price", "commission"]]
        waiting = list(rows.itertuples(index=False, name=None))[::-1]
        values[name] = []
        for number, session in enumerate(sessions):
            while waiting and waiting[-1][0] <= session:
                _, side, quantity, price, fee = waiting.pop()
                book.fill(quantity if side == "BUY" else -quantity, price, fee, number)
            values[name].append(book.cash + book.position * closes[name][number])
    return values


def seconds(call: Any, *arguments: Any) -> float:
    began = time.process_time()
    call(*arguments)
    return time.process_time() - began


def report(
    question: str, ours: list[float], peer: str, theirs: list[float], unit: str, wanted: float
) -> None:
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    line = {
        "question": question, "ours": round(statistics.median(ours), 4), "peer": peer,
        "theirs": round(statistics.median(theirs), 4), "unit": unit,
        "ratio": round(statistics.median(ratios), 1), "runs": len(ours), "wanted": wanted,
    }  # fmt: skip
    print(json.dumps(line), flush=True)


def check(fills: pd.DataFrame, prices: pd.DataFrame, sessions: Any) -> None:
    """Compare each symbol's profit with the loop's."""
    frame = by_symbol(fills, prices, sessions)
    for name, theirs in loop(fills, prices, sessions).items():
        ours = frame.loc[frame["symbol"] == name].set_index("session")["cumulative"]
        ours = ours.reindex(sessions).ffill().fillna(0.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6)


def peak_memory() -> float:
    """Return the peak of a process that reads the books from files and does the job [GB]."""
    with tempfile.TemporaryDirectory() as folder:
        fills, prices, sessions = make_books()
        fills.to_parquet(f"{folder}/fills.parquet")
        prices.to_parquet(f"{folder}/prices.parquet")
        sessions.to_frame().to_parquet(f"{folder}/sessions.parquet")
        command = [sys.executable, __file__, "--memory", folder]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_in(folder: str) -> None:
    """Do the job on the books in a folder, and print the peak of this process [GB]."""
    fills = pd.read_parquet(f"{folder}/fills.parquet")
    prices = pd.read_parquet(f"{folder}/prices.parquet")
    sessions = pd.DatetimeIndex(pd.read_parquet(f"{folder}/sessions.parquet").iloc[:, 0])
    by_symbol(fills, prices, sessions)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)


def compare_ledger() -> None:
    """Compare lots and the daily ledger with the loop."""
    books = make_books()
    chosen = [f"S{number:03}" for number in range(LOOPED)]
    part = tuple(table.loc[table["symbol"].isin(chosen)] for table in books[:2])
    check(*part, books[2])
    by_account(*books)
    scale = SYMBOLS / LOOPED
    theirs = [scale * seconds(loop, *part, books[2]) for _ in range(RUNS)]
    peer = "a plain Python loop"
    for question, call in (("by account", by_account), ("by symbol", by_symbol)):
        ours = [seconds(call, *books) for _ in range(RUNS)]
        report(f"lots and daily PnL of a million fills, {question}", ours, peer, theirs, "s", 100.0)
    used = peak_memory()
    report("peak memory of that, against the budget of 1 GB", [used], "budget", [1.0], "GB", 1.0)


def main() -> None:
    """Compare the ledger, then the reading of orders."""
    import record_reads

    compare_ledger()
    with tempfile.TemporaryDirectory() as folder:
        record_reads.main(Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        run_in(sys.argv[2])
    else:
        main()
