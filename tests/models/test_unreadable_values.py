"""Times and numbers that PostgreSQL holds and nothing reads: refused, or told where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Date, Float, create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, RowsNotTakenError, StorageError
from mismartera_analytics.models import Order, bulk_reading, load_mappings, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.models.types import UTCDateTime
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.database_roles import CHANGEABLE, WRITES, grant_role
from tests.roles import administer, make_role, url_of
from tests.world import Books, books, record_trades

__all__ = ["books", "make_role"]

POSTGRES = pytest.mark.parametrize(
    "ready_database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
TIMES = ["infinity", "-infinity", "4000-01-01 BC", "12000-01-01"]
CHECKS = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conname LIKE '%_finite'"


def checks() -> set[str]:
    with db.engine.connect() as connection:
        return set(connection.scalars(text(CHECKS)))


@POSTGRES
def test_every_column_that_analysts_write_is_checked(ready_database: str) -> None:
    load_mappings()
    written = {
        f"ck_{table}_{column.name}_finite"
        for table in WRITES
        for column in db.Base.metadata.tables[table].columns
        if (isinstance(column.type, Float | UTCDateTime | Date)
        and column.name in CHANGEABLE.get(table, [column.name]))
        or (table == "trials" and column.name == "recorded_at")  # inserted, never changed
    }  # fmt: skip
    assert written == checks() != set()
    migrate.downgrade(db.engine, "0009")
    assert checks() == set()
    migrate.upgrade(db.engine)
    assert checks() == written


@POSTGRES
def test_an_analyst_cannot_write_what_nobody_reads(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    record_trades(books.ada, ("2025-07-02 10:00", "AAPL", 3, 100.0))
    role = make_role()
    grant_role(role, user="ada")
    insert = "INSERT INTO fills (order_id, filled_at, quantity, price) SELECT id, {} FROM orders"
    values = [f"'{time}', 1, 1" for time in TIMES]
    values += [f"'2025-07-02', {number}, 1" for number in ("'NaN'", "'Infinity'", "'-Infinity'")]
    outside = create_engine(url_of(role, ready_database), poolclass=NullPool)
    ma.configure(database_url=url_of(role, ready_database))
    for value in values:
        with pytest.raises(DBAPIError, match="check constraint"), outside.begin() as connection:
            connection.execute(text(insert.format(value)))
        with (
            pytest.raises(InvalidInputError, match=r"takes no NaN.*ck_fills_\w+_finite"),
            ma.session_scope() as db_session,
        ):
            db_session.execute(text(insert.format(value)))
    with ma.session_scope() as db_session:
        db_session.execute(text(insert.format("'0001-01-01 00:00+00', 1, 1")))
        db_session.execute(text(insert.format("'9999-12-31 23:59:59.999999+00', 1, 1")))
    ma.configure(database_url=ready_database)
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM fills WHERE quantity = 1")) == 2


@POSTGRES
@pytest.mark.parametrize(
    ("time", "in_bulk"), [("infinity", False), ("4000-01-01 BC", False), ("12000-01-01", True)]
)
def test_what_was_written_before_is_named(
    books: Books,
    ready_database: str,
    time: str,
    in_bulk: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if in_bulk:
        monkeypatch.setattr(bulk_reading, "LEAST_ROWS", 0)
    record_trades(books.ada, ("2025-07-02 10:00", "AAPL", 3, 100.0))
    migrate.downgrade(db.engine, "0009")
    administer(ready_database, f"UPDATE orders SET filled_at = '{time}'")
    migrate.upgrade(db.engine)  # the row does not stop it
    for use in (ma.orders, lambda: ma.sql("select filled_at from orders")):
        with pytest.raises(StorageError, match=r"outside the years 1 to 9999 as orders\.filled_at"):
            use()
    with pytest.raises(StorageError, match="outside the years 1 to 9999"), db.SessionLocal() as own:
        own.scalars(select(Order.filled_at)).all()
    with pytest.raises(RowsNotTakenError, match=r"orders\.filled_at lies outside.*id \d"):
        back_up(tmp_path / "b.zip")
    administer(ready_database, "UPDATE orders SET filled_at = '2025-07-02 14:00+00'")
    assert len(ma.orders()) == 1
