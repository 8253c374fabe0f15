"""Databases to be copied: values at the edges of every column, faults of every kind, all they hold."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from typing import Any

import numpy as np
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    CorporateAction,
    Fill,
    MarketData,
    Order,
    ReportRows,
    SessionConfig,
    User,
    load_mappings,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.models.connections import make_engine

UTC = dt.UTC


def fill(url: str) -> None:
    """Put values at the edges of every kind of column into a database at the newest revision."""
    rng = np.random.default_rng(5)
    bits = rng.integers(1, 2**63 - 1, 200, dtype=np.int64).view(np.float64)
    odd = [x for x in bits.tolist() if math.isfinite(x)] + [
        0.1 + 0.2, 5e-324, 1.7976931348623157e308, 0.0, 2.0**53 + 2,
    ]  # fmt: skip
    start = dt.datetime(1, 1, 1, tzinfo=UTC)
    times = [start, start.replace(year=9999, month=12, day=31, microsecond=999_999)]
    times += [
        start + dt.timedelta(days=int(d), microseconds=int(u))
        for d, u in zip(
            rng.integers(0, 3_600_000, 200), rng.integers(0, 86_400_000_000, 200), strict=True
        )
    ]
    texts = ["", " ", "é" * 10, "\\N", "\t\n\r", "a\\b", "'\"", "🙂", "NULL", "\x01\x7f", "ﬁ"]
    engine = make_engine(url)
    with Session(engine) as s, s.begin():
        s.add_all(
            [
                User(id=3, username="ada", email="ada@x.y", hashed_password="$2b$04$" + "x" * 53),
                User(
                    id=9, username="bob", email="b@x.y", hashed_password="h", is_active=None,
                    is_superuser=True, created_at=None,
                ),
                AccountInfo(id=7, user_id=3, broker="b", currency="EUR", last_synced=times[1]),
                SessionConfig(name="big", config_json='{"x": "' + "é" * 300_000 + '"}'),
                ReportRows(digest="b" * 64, rows_json="[]"),
                ReportRows(digest="B" * 64, rows_json="[1]"),
                BacktestRun(name="r", created_at=times[5], config_json="{}", seed=-(2**31)),
            ]
        )  # fmt: skip
        s.flush()
        for i, (number, moment) in enumerate(zip(odd * 6, times * 6, strict=False)):
            s.add(
                Order(
                    id=i * 3 + 1, account_id=7 if i % 2 else None, broker_order_id=f"o{i}",
                    symbol=texts[i % len(texts)], quantity=number, price=None if i % 3 else number,
                    placed_at=moment if i % 5 else None, status=texts[-i % len(texts)],
                )
            )  # fmt: skip
        s.flush()
        s.add_all(
            [
                Fill(order_id=1, filled_at=times[3], quantity=1.0, price=2.0),
                CashFlow(
                    account_id=7, flow_type="DEPOSIT", occurred_at=times[0], amount=-0.5,
                    acquired_on=dt.date(1970, 1, 1),
                ),
                CorporateAction(symbol="A", action_type="SPLIT", ex_date=dt.date(9999, 12, 31)),
                MarketData(
                    symbol="A", open=1, high=math.inf, low=-math.inf, close=1, volume=2**31 - 1
                ),
            ]
        )  # fmt: skip
    engine.dispose()


FAULTS = {
    "refers to a row of 'account_info' that is not there": (
        "orders.account_id", "UPDATE orders SET account_id = 99 WHERE id IN (4, 7)", "id 4, 7"),
    "refers to a row of 'users' that is not there": (
        "account_info.user_id", "UPDATE account_info SET user_id = 99", "id 7"),
    "is longer than 10 characters": (
        "orders.symbol", "UPDATE orders SET symbol = 'ABCDEFGHIJK' WHERE id < 20",
        "id 1, 4, 7, 10, 13 and 2 more"),
    "holds a NUL character": (
        "orders.symbol", "UPDATE orders SET symbol = 'a' || char(0) WHERE id = 34", "id 34"),
    "is no number": ("orders.quantity", "UPDATE orders SET quantity = 'many' WHERE id = 37", "id 37"),
    "is no text": ("orders.symbol", "UPDATE orders SET symbol = x'00ff' WHERE id = 40", "id 40"),
    "is no time": (
        "orders.placed_at", "UPDATE orders SET placed_at = '2025-02-30 00:00:00' WHERE id = 43",
        "id 43"),
    "is no date": (
        "corporate_actions.ex_date", "UPDATE corporate_actions SET ex_date = 'today'", "id 1"),
    "is no whole number": ("backtest_runs.seed", "UPDATE backtest_runs SET seed = 1.5", "id 1"),
    "does not fit into 32 bits": (
        "market_data.volume", "UPDATE market_data SET volume = 2147483648", "id 1"),
    "is neither true nor false": ("users.is_active", "UPDATE users SET is_active = 2", "id 3, 9"),
    "is there more than once": (
        "users.username",
        "DROP INDEX ix_users_username; UPDATE users SET username = 'ada'", "id 3, 9"),
}  # fmt: skip


def spoil(url: str) -> None:
    """Make each kind of fault in a SQLite database."""
    change_file(url, *(change for _, change, _ in FAULTS.values()))


def change_file(url: str, *scripts: str) -> None:
    """Run SQL on a SQLite database past the library."""
    raw = sqlite3.connect(str(make_url(url).database))
    for script in scripts:
        raw.executescript(script)
    raw.close()


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every mapped table as the ORM reads it: the oracle of these tests."""
    load_mappings()
    engine = make_engine(url)
    found = {}
    try:
        with engine.connect() as connection:
            for name, table in db.Base.metadata.tables.items():
                rows = [tuple(map(plain, row)) for row in connection.execute(table.select())]
                found[name] = sorted(rows, key=repr)
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            found["alembic_version"] = [tuple(row) for row in rows]
    finally:
        engine.dispose()
    return found


def plain(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value


def tables_of(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).scalars()
        names = list(found)
    engine.dispose()
    return names
