"""What a process does by rule until it is killed, and how what it left is compared with that rule.

Operation `n` of each kind writes rows that say which operation they are of. A process notes the begin
of an operation and each part of it that was acknowledged, on the disk before it goes on: whatever was
acknowledged must be there, once and whole, and of the operation that was under way all or nothing.
"""

from __future__ import annotations

import json
import os
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from mismartera_analytics import config
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Order,
    Position,
    migrate,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.recording.brokers.importing import import_orders
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import record_orders
from mismartera_analytics.recording.refresh import refresh_positions
from mismartera_analytics.reports.batch import report

SYMBOLS = ("AAA", "BBB", "CCC")
DAY = pd.Timestamp("2024-01-03T15:00Z")
ROWS, FLOWS = 20, 2
ACCOUNT, OTHER = 1, 2  # ids of the accounts of ada
HELD = 30  # orders that are there before refreshing begins
MAPPING = {"symbol": "Ticker", "side": "What", "quantity": "Shares", "price": "Price",
           "filled_at": "When"}  # fmt: skip


class Notes:
    """Lines of ``[part, number, seconds]``, each on the disk before the next thing is done."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a")  # noqa: SIM115 - until the process is killed
        self._began = time.monotonic()

    def __call__(self, part: str, number: int) -> None:
        seconds = round(time.monotonic() - self._began, 4)
        print(json.dumps([part, number, seconds]), file=self._file, flush=True)
        os.fsync(self._file.fileno())


def configure(url: str, home: str) -> None:
    """Point this process at a test's places."""
    config.configure(database_url=url, bar_store=f"{home}/bars", reports=f"{home}/reports")


def until_killed(kind: str, url: str, home: str, notes: str, first: int) -> None:
    """Do one operation after the other."""
    warnings.simplefilter("ignore")
    configure(url, home)
    note = Notes(notes)
    work = WORK[kind]
    note("ready", first)
    for number in range(first, first + 1_000_000):
        note("begin", number)
        work(number, Path(home), note)


def moment_of(number: int) -> pd.Timestamp:
    """Return when the orders of an operation are placed: it tells them apart."""
    return DAY + pd.Timedelta(minutes=number)


def orders_of(number: int, count: int = ROWS) -> pd.DataFrame:
    """Return the orders of an operation, with a broker's ids in every other one."""
    ids = [f"order-{number}-{row}" for row in range(count)] if number % 2 == 0 else None
    return pd.DataFrame(
        {
            "order_id": range(count), "broker_order_id": ids, "side": "BUY", "quantity": 10.0,
            "symbol": [SYMBOLS[row % len(SYMBOLS)] for row in range(count)],
            "average_fill_price": 100.0, "status": "FILLED", "placed_at": moment_of(number),
        }
    )  # fmt: skip


def fills_of(number: int) -> pd.DataFrame:
    """Return two fills of each order of an operation."""
    orders = [row for row in range(ROWS) for _ in range(2)]
    later = moment_of(number) + pd.Timedelta(seconds=1)
    return pd.DataFrame({"order_id": orders, "quantity": 5.0, "price": 100.0, "filled_at": later})


def recording(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    record_orders(orders_of(number), fills_of(number), account=ACCOUNT)
    note("orders", number)
    ids = [f"flow-{number}-{row}" for row in range(FLOWS)] if number % 2 == 0 else None
    flows = {"flow_type": "DEPOSIT", "amount": [20_000.0] * FLOWS, "occurred_at": moment_of(number),
             "broker_flow_id": ids}  # fmt: skip
    record_flows(pd.DataFrame(flows), account=ACCOUNT)
    note("flows", number)
    note("done", number)


def importing(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    frame, when = orders_of(number), moment_of(number).isoformat()
    if number % 2:
        file = home / f"trades-{number}.csv"
        prices = [100.0 + row for row in range(ROWS)]
        pd.DataFrame({"Ticker": frame["symbol"], "What": "Buy", "Shares": 10, "Price": prices,
                      "When": when}).to_csv(file, index=False)  # fmt: skip
        import_orders(file, account=ACCOUNT, broker="other", mapping=MAPPING)
    else:
        file = home / f"orders-{number}.json"
        entries = [
            {"id": key, "symbol": symbol, "side": "buy", "qty": "10", "filled_qty": "10",
             "filled_avg_price": "100", "status": "filled", "type": "market", "time_in_force": "day",
             "submitted_at": when, "filled_at": when}
            for key, symbol in zip(frame["broker_order_id"], frame["symbol"], strict=True)
        ]  # fmt: skip
        file.write_text(json.dumps(entries))
        import_orders(file, account=ACCOUNT, broker="alpaca")
    note("done", number)


def refreshing(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    record_orders(orders_of(number, 1), account=ACCOUNT)
    refresh_positions(ACCOUNT)
    note("done", number)


def migrating(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    target = random.choice(["0007", "0006", "0004", "0004", "0002"])
    migrate.upgrade(db.engine)
    migrate.downgrade(db.engine, target)
    note("down", number)
    migrate.upgrade(db.engine)
    note("done", number)


def reporting(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    record_orders(orders_of(number, 1), account=ACCOUNT)
    report([ACCOUNT, OTHER], stress=False, progress=False)
    note("done", number)


_results: dict[str, Any] = {}


def saving(number: int, home: Path, note: Callable[[str, int], None]) -> None:
    if not _results:
        days = pd.to_datetime([f"2024-01-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10, 11)])
        opens = days.tz_localize("UTC") + pd.Timedelta(minutes=870)
        bars = pd.DataFrame(
            {
                "symbol": "AAA", "timestamp": opens, "session": days, "open": 100.0, "high": 101.0,
                "low": 99.0, "close": 100.0, "volume": 1e6,
            }
        )  # fmt: skip
        placed = pd.to_datetime([f"2024-01-{day:02}T21:30Z" for day in (2, 3, 4, 5)])
        orders = pd.DataFrame({"placed_at": placed, "symbol": "AAA", "quantity": [5, 3, 4, 6],
                               "side": ["BUY", "SELL", "BUY", "SELL"]})  # fmt: skip
        _results["run"] = backtest(orders=orders, bars=bars, cash=10_000.0, count=False)
    _results["run"].save(f"run {number}", user="ada", replace=True)
    note("done", number)


WORK: dict[str, Callable[[int, Path, Callable[[str, int], None]], None]] = {
    "importing": importing,
    "recording": recording,
    "refreshing": refreshing,
    "migrating": migrating,
    "reporting": reporting,
    "saving": saving,
}


def counts_by(moment: Any, statement: Any) -> dict[int, int]:
    """Return how many rows a database has of each operation."""
    with db.SessionLocal() as db_session:
        rows = db_session.execute(statement.add_columns(moment, func.count()).group_by(moment))
        return {
            round((pd.Timestamp(when) - DAY).total_seconds() // 60): count
            for when, count in rows
        }  # fmt: skip


def held() -> tuple[dict[str, float], int, float]:
    """Return the recorded positions of the account, their rows, and its cash."""
    with db.SessionLocal() as db_session:
        rows = db_session.execute(
            select(Position.symbol, Position.quantity).where(Position.account_id == ACCOUNT)
        ).all()
        cash = db_session.get_one(AccountInfo, ACCOUNT).cash_balance or 0.0
    found: dict[str, float] = {}
    for symbol, quantity in rows:
        found[symbol] = found.get(symbol, 0.0) + quantity
    return found, len(rows), cash


def saved() -> dict[str, tuple[int, int, int, int]]:
    """Return of each run how many accounts, orders, fills and flows there are."""
    with db.SessionLocal() as db_session:
        found = {}
        for run in db_session.scalars(select(BacktestRun)):
            count = [
                db_session.scalar(select(func.count()).select_from(AccountInfo).where(
                    AccountInfo.account_number == run.name)),
                *(db_session.scalar(select(func.count()).select_from(table).where(
                    table.account_id == run.account_id)) for table in (Order, CashFlow)),
                db_session.scalar(select(func.count()).select_from(Fill).join(Order).where(
                    Order.account_id == run.account_id)),
            ]  # fmt: skip
            assert run.name not in found, f"{run.name} is there twice"
            found[run.name] = tuple(count)
        accounts = db_session.scalar(
            select(func.count()).select_from(AccountInfo).where(AccountInfo.broker == "backtest")
        )
        assert accounts == len(found), "an account without a run was left"
    return found


def rows_that_stay() -> tuple[Any, ...]:
    """Return what a migration must not touch, read without the mappings: they may be ahead of it."""
    from sqlalchemy import text

    statements = (
        "SELECT count(*), sum(quantity), sum(filled_quantity), max(id) FROM orders",
        "SELECT count(*), sum(quantity), sum(price), min(id), max(id) FROM fills",
        "SELECT count(*), sum(amount), min(broker_flow_id) FROM cash_flows",
        "SELECT count(*), min(username) FROM users",
        "SELECT count(*), min(broker), min(account_number) FROM account_info",
    )
    with db.engine.connect() as connection:
        return tuple(tuple(connection.execute(text(one)).one()) for one in statements)
