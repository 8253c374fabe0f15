"""A process that writes bars by rule until it is stopped, and notes each write that was acknowledged.

Write number `i` of writer `w` puts twenty minutes of every symbol to the price ``w + i / 1000``, so
that a list of writes in the order of their versions says what a store holds. A line of the notes is on
the disk before the next write begins.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pandas as pd

SYMBOLS = ["AAPL", "IBM", "MSFT"]
FIRST = pd.Timestamp("2025-07-02T13:30Z")
ROWS, SPAN = 20, 50
COMPACT_EVERY = 5


def minute_of(number: int, writer: int) -> int:
    """Return the minute that a write begins with."""
    return (number * 7 + writer * 3) % SPAN


def price_of(number: int, writer: int) -> float:
    """Return the price that a write leaves behind."""
    return writer + number / 1000


def is_compaction(number: int) -> bool:
    return number % COMPACT_EVERY == COMPACT_EVERY - 1


def bars_of(number: int, writer: int) -> pd.DataFrame:
    """Return the bars of a write."""
    begin = FIRST + pd.Timedelta(minutes=minute_of(number, writer))
    times = pd.date_range(begin, periods=ROWS, freq="1min", unit="us")
    price = price_of(number, writer)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    frames = [
        pd.DataFrame({"symbol": symbol, "timestamp": times, **prices, "volume": float(number)})
        for symbol in SYMBOLS
    ]
    return pd.concat(frames, ignore_index=True)


def write_until_stopped(folder: str, notes: str, writer: int, first: int, seconds: float) -> None:
    """Write and compact, from a number on, for some seconds."""
    from mismartera_analytics.market_data.store import BarStore

    store = BarStore(folder)
    with Path(notes).open("a") as file:
        print("ready", file=file, flush=True)
        end = time.monotonic() + seconds
        number = first
        while time.monotonic() < end:
            if is_compaction(number):
                version = store.compact("1m")
            else:
                version = store.write(bars_of(number, writer), "1m")
            print(json.dumps([version, number]), file=file, flush=True)
            os.fsync(file.fileno())
            number += 1


def write_when_told(folder: str, notes: str, writer: int, rounds: int) -> None:
    """Make one write to each of several stores, each as soon as its folder's sign is there."""
    from mismartera_analytics.market_data.store import BarStore

    bars = [bars_of(number * COMPACT_EVERY, writer) for number in range(rounds)]
    with Path(notes).open("a") as file:
        for number in range(rounds):
            print("ready", file=file, flush=True)
            sign, store = Path(folder, f"go-{number}"), BarStore(Path(folder, str(number)))
            while not sign.exists():
                pass
            version = store.write(bars[number], "1m")
            print(json.dumps([version, number * COMPACT_EVERY]), file=file, flush=True)


if __name__ == "__main__":
    what, *arguments = json.loads(sys.argv[1])
    {"until stopped": write_until_stopped, "when told": write_when_told}[what](*arguments)
