"""What the tests of the doctor share: rows written past every check, and what is said of them."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from sqlalchemy import insert, text, update

import mismartera_analytics as ma
from mismartera_analytics.models import Order
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.doctor import Diagnosis, doctor
from tests.world import Books, when

POSTGRES = pytest.mark.parametrize(
    "ready_database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
SQLITE = pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)


def examined(*, fix: bool = False) -> Diagnosis:
    return doctor(fix=fix, progress=False)


def said(found: Diagnosis, check: str) -> list[tuple[str, str]]:
    rows = found.frame[found.frame["check"] == check]
    return list(zip(rows["severity"], rows["what"], strict=True))


def is_about(found: Diagnosis, check: str, words: str) -> bool:
    return any(words in what for _, what in said(found, check))


def put(table: object, **values: object) -> int:
    """Write a row past every check, as another program would; return its id."""
    with db.session_scope() as db_session:
        done = db_session.execute(insert(table).values(**values))
        return int(done.inserted_primary_key[0])


def change(table: object, **values: object) -> None:
    with db.session_scope() as db_session:
        db_session.execute(update(table).values(**values))


def an_order(books: Books, **values: object) -> int:
    usual = {"user_id": 1, "account_id": books.ada, "symbol": "AAPL", "side": "BUY", "quantity": 10.0,
             "order_type": "MARKET", "status": "FILLED", "filled_quantity": 10.0,
             "average_fill_price": 5.0, "placed_at": when("2024-01-03 10:00"),
             "filled_at": when("2024-01-03 10:01")}  # fmt: skip
    return put(Order, **(usual | values))


def run_sql(statement: str) -> None:
    with db.session_scope() as db_session:
        db_session.execute(text(statement))


def sent(statement: str, *values: object) -> None:
    """Run SQL on the configured SQLite file past the library."""
    with contextlib.closing(sqlite3.connect(str(db.engine.url.database))) as raw, raw:
        raw.execute(statement, values)


def without_foreign_keys(statement: str) -> None:
    """Run SQL past the references of the configured database."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            # It counts outside of a transaction only.
            driver.execute("PRAGMA foreign_keys = OFF")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(statement)
        connection.commit()
    db.close_db()


def held_by(account: int) -> list[float]:
    return ma.positions(account=account)["quantity"].tolist()
