"""Fixtures of several modules: records that are in order, and databases to be copied."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.edge_values import fill
from tests.roles import make_role
from tests.world import Books, books, prices, record_cash, record_trades

__all__ = ["books", "make_role", "prices"]


@pytest.fixture
def traded(books: Books, prices: object) -> Books:
    """Give both users orders, cash and prices that are in order."""
    prices("AAPL", "2024-01-02", [100.0, 101.0, 102.0])
    for account in (books.ada, books.bob):
        record_cash(account, ("2024-01-02 09:00", "DEPOSIT", 10_000))
        record_trades(
            account, ("2024-01-02 10:00", "AAPL", 10, 100), ("2024-01-03 10:00", "AAPL", -4, 101)
        )
    return books


@pytest.fixture
def other_url(postgres_server: str, postgres_database: Callable[[str | None], str]) -> str:
    """Give one more empty PostgreSQL database."""
    return postgres_database(None)


@pytest.fixture(scope="session")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a SQLite database with values at the edges of every kind of column, to be copied."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    path.write_bytes(sqlite_template.read_bytes())
    fill(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # What most tests do not need, and every copy would write.
        raw.execute("DELETE FROM trading_holidays WHERE id > 100")
    raw.close()
    return path


@pytest.fixture
def sqlite_url(filled: Path, tmp_path: Path) -> str:
    """Give a SQLite database with values at the edges of every kind of column."""
    path = tmp_path / "from.db"
    path.write_bytes(filled.read_bytes())
    return f"sqlite:///{path}"
