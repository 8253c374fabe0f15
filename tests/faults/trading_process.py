"""Writers and readers of one database, for some seconds, each a process of its own.

A write is one order of two fills and the deposit that pays for them, so that the account's cash is 0
whenever a whole number of writes is seen. Two writers share an account, and every fifth write of
theirs is the same: recorded by both, it must be there once. Each writer notes a number after it was
acknowledged, on the disk before it goes on; each reader notes what it read or the error it got.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

# What the first calls would import, so that forked processes share it.
import deltalake  # noqa: F401
import numpy as np
import pandas as pd

import mismartera_analytics as ma
from mismartera_analytics.errors import DatabaseUnreachableError, MismarteraError
from mismartera_analytics.kernels import lots  # noqa: F401
from mismartera_analytics.models import database as db
from mismartera_analytics.models.database import read_session
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries import profit  # noqa: F401
from mismartera_analytics.recording import flows, orders  # noqa: F401

FIRST = pd.Timestamp("2025-07-02T14:00Z")
SYMBOL, CLOSE = "AAPL", 100.0
SHARED_EVERY = 5
PAUSE = 0.05
"""Between two writes or reads of one process [s]; people pause, and nobody takes every turn."""
STOP = "stop"
"""File beside the notes that ends the work before its time."""


def is_shared(number: int) -> bool:
    return number % SHARED_EVERY == SHARED_EVERY - 1


def name_of(writer: int, number: int) -> str | None:
    """Return the broker's id of a write; every other shared write has none."""
    if is_shared(number):
        return f"S-{writer // 2}-{number}" if number % 2 else None
    return f"W-{writer}-{number}"


def quantity_of(writer: int, number: int) -> float:
    """Return how much is bought; a shared write without a name is told by it."""
    return 1000.0 + number if is_shared(number) else 2.0 + (writer + number) % 7


def price_of(number: int) -> float:
    return 90.0 + number % 16


def cost_of(writer: int, number: int) -> float:
    """Return what a write costs, fees included; exact in binary."""
    return quantity_of(writer, number) * price_of(number) + 0.5


def frames_of(writer: int, number: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the order, its fills and the deposit of a write."""
    name, quantity = name_of(writer, number), quantity_of(writer, number)
    at = FIRST + pd.Timedelta(milliseconds=number)
    order = pd.DataFrame(
        {"order_id": [number], "broker_order_id": [name], "symbol": SYMBOL, "side": "BUY",
         "quantity": quantity, "placed_at": [at]}
    )  # fmt: skip
    fills = pd.DataFrame(
        {"order_id": number, "quantity": [1.0, quantity - 1.0], "price": price_of(number),
         "commission": [0.25, 0.25], "filled_at": [at, at]}
    )  # fmt: skip
    deposit = pd.DataFrame(
        {"broker_flow_id": [name], "flow_type": "DEPOSIT", "occurred_at": [at],
         "amount": [cost_of(writer, number)]}
    )  # fmt: skip
    return order, fills, deposit


@repeated
def record_together(writer: int, number: int, account: int) -> None:
    """Record a write in one transaction; it is safe to repeat as a whole."""
    order, fills, deposit = frames_of(writer, number)
    with ma.session_scope() as db_session:
        ma.record_orders(order, fills, account=account, db_session=db_session)
        ma.record_flows(deposit, account=account, db_session=db_session)


def check_state(account: int) -> int:
    """Read one state of an account twice over, compare, and return how many orders it has."""
    with read_session() as db_session:
        placed = ma.orders(account=account, db_session=db_session)
        filled = ma.fills(account=account, db_session=db_session)
        days = ma.pnl(account=account, db_session=db_session)
    bought = filled.groupby("order_id")["quantity"].sum().reindex(placed["order_id"]).to_numpy()
    assert np.array_equal(bought, placed["quantity"].to_numpy()), "an order without all its fills"
    assert len(filled) == 2 * len(placed), f"{len(filled)} fills of {len(placed)} orders"
    if len(days):
        ends = days["begin_value"] + days["flows"] + days["total"]
        assert np.allclose(ends, days["end_value"], rtol=1e-12), "the identity does not hold"
        held = CLOSE * placed["quantity"].sum()
        assert np.isclose(days["end_value"].iloc[-1], held, rtol=1e-12), "cash is not 0"
    return len(placed)


checked = repeated(check_state)


def write(folder: Path, writer: int, account: int, seconds: float) -> None:
    """Write until the time is over."""
    with (folder / f"writer-{writer}").open("a") as notes:
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end and not (folder / STOP).exists():
            began = time.monotonic()
            note: dict[str, Any] = {"number": number}
            try:
                record_together(writer, number, account)
            except DatabaseUnreachableError as error:
                note["error"] = f"{type(error).__name__}: {error}"
            note["took"] = time.monotonic() - began
            print(json.dumps(note), file=notes, flush=True)
            os.fsync(notes.fileno())
            number += 1
            time.sleep(PAUSE)


def read(folder: Path, reader: int, accounts: list[int], seconds: float) -> None:
    """Read and check until the time is over."""
    with (folder / f"reader-{reader}").open("a") as notes:
        end, turn = time.monotonic() + seconds, reader
        while time.monotonic() < end and not (folder / STOP).exists():
            began = time.monotonic()
            note: dict[str, Any] = {}
            try:
                note["orders"] = checked(accounts[turn % len(accounts)])
            except MismarteraError as error:
                note["error"] = f"{type(error).__name__}: {error}"
            note["took"] = time.monotonic() - began
            print(json.dumps(note), file=notes, flush=True)
            turn += 1
            time.sleep(PAUSE)


def main(folder: str, writers: int, readers: int, accounts: list[int], seconds: float) -> int:
    """Fork the writers and readers, and return how many of them ended badly."""
    ma.orders(account=accounts[0])  # imports and mappings, once for all; no thread is started by it
    ma.accounts()
    db.close_db()
    children = []
    works = [(write, Path(folder), k, accounts[k // 2], seconds) for k in range(writers)]
    works += [(read, Path(folder), k, accounts, seconds) for k in range(readers)]  # type: ignore[misc]
    for work, *arguments in works:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(*arguments)
                status = 0
            finally:  # nothing of the parent's clean-up is this process's to do
                if status:
                    traceback.print_exc()
                os._exit(status)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
