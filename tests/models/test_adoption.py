"""Databases that the document's own models have made: nothing is lost, times become instants."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text
from sqlalchemy.engine import Engine

import mismartera_analytics as ma
from mismartera_analytics.errors import DatabaseNotReadyError, InvalidInputError, MigrationError
from mismartera_analytics.models import (
    AccountInfo,
    MarketData,
    MarketHours,
    Order,
    Position,
    TradingHoliday,
    User,
    migrate,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.models.adoption_sqlite import NaiveTimes
from mismartera_analytics.models.init_db_if_missing import init_db_if_missing
from tests.models.fixtures.make_document_schema import DIALECTS, schema, tables_of

pytestmark = pytest.mark.usefixtures("few_rules")

FIXTURES = Path(__file__).parent / "fixtures"
DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "spec" / "database-architecture.md"
TABLES = (
    "account_info", "market_data", "market_hours", "orders", "positions", "session_configs",
    "trading_holidays", "users",
)  # fmt: skip
TIMES = {"created_at", "last_synced", "last_updated", "placed_at", "filled_at", "timestamp"}
NEW_YORK = ZoneInfo("America/New_York")


def kind(engine: Engine) -> str:
    return "sqlite" if engine.dialect.name == "sqlite" else "postgres"


def run(*statements: str) -> None:
    """Run SQL as another program would: without our types, and without foreign keys on SQLite."""
    if kind(db.engine) == "sqlite":
        connection = sqlite3.connect(str(db.engine.url.database))
        for statement in statements:
            connection.executescript(statement)
        connection.close()
    else:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
            for statement in statements:
                connection.exec_driver_sql(statement)


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.sql").read_text(encoding="utf-8")


@pytest.fixture
def old_database(database_url: str) -> str:
    """Configure a database that the document's models have made, with awkward rows."""
    name = kind(db.engine)
    Path(str(db.engine.url.database)).parent.mkdir(exist_ok=True) if name == "sqlite" else None
    run(
        *(fixture(f) for f in (f"document_schema_{name}", "document_rows", f"document_rows_{name}"))
    )
    return database_url


@pytest.fixture
def old_sqlite(home: Path) -> Iterator[str]:
    """Configure such a database on SQLite."""
    url = f"sqlite:///{home / 'old.db'}"
    ma.configure(database_url=url)
    run(*(fixture(f"document_{f}") for f in ("schema_sqlite", "rows", "rows_sqlite")))
    yield url
    db.close_db()


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return what the documented tables hold, without their times."""
    found = {}
    with db.engine.connect() as connection:
        for table in TABLES:
            columns = [c["name"] for c in inspect(connection).get_columns(table)]
            names = ", ".join(sorted(set(columns) - TIMES - {"source"}))
            result = connection.exec_driver_sql(f"SELECT {names} FROM {table} ORDER BY id")
            found[table] = [dict(row) for row in result.mappings()]
    return found


def everything() -> list[Any]:
    """Return the whole content of the SQLite file, tables and rows."""
    connection = sqlite3.connect(str(db.engine.url.database))
    content = list(connection.iterdump())
    connection.close()
    return content


def names_of_constraints() -> dict[str, Any]:
    inspector = inspect(db.engine)
    return {
        table: (
            inspector.get_pk_constraint(table)["name"],
            sorted(
                (u["name"], *u["column_names"]) for u in inspector.get_unique_constraints(table)
            ),
            sorted((f["name"], f["referred_table"]) for f in inspector.get_foreign_keys(table)),
            sorted((i["name"], bool(i["unique"])) for i in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
    }


def placed(order_id: int) -> dt.datetime | None:
    with ma.SessionLocal() as db_session:
        return db_session.scalar(select(Order.placed_at).where(Order.id == order_id))


def instant(text_: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text_).astimezone(dt.UTC)


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_the_written_down_schema_is_the_documents(dialect: str) -> None:
    if not DOCUMENT.is_file():
        pytest.skip("../shared is absent")
    assert schema(tables_of(DOCUMENT), dialect) == fixture(f"document_schema_{dialect}")


@pytest.mark.usefixtures("old_database")
class TestBefore:
    def test_it_is_told_apart(self) -> None:
        found = migrate.status(db.engine)
        assert found.adoptable
        assert found.current is None

    def test_init_db_refuses_and_names_the_command(self) -> None:
        before = rows()
        with pytest.raises(DatabaseNotReadyError, match="mismartera db upgrade"):
            ma.init_db()
        assert rows() == before

    def test_upgrade_refuses(self) -> None:
        with pytest.raises(DatabaseNotReadyError, match="adopts it"):
            migrate.upgrade(db.engine)


@pytest.mark.usefixtures("old_database")
class TestAdopted:
    def test_no_row_is_lost_or_changed(self) -> None:
        before = rows()
        adoption = migrate.adopt(db.engine)
        after = rows()
        for table in TABLES:
            kept = [
                {name: row[name] for name in before[table][0]}
                for row in after[table]
                if row["id"] in {old["id"] for old in before[table]}
            ]
            assert kept == before[table], table
            assert adoption.rows[table] == len(before[table])
        added = {table for table in TABLES if len(after[table]) > len(before[table])}
        assert added == {"market_hours", "trading_holidays"}

    def test_it_has_the_tables_of_a_fresh_one(self) -> None:
        migrate.adopt(db.engine)
        adopted = names_of_constraints()
        assert migrate.status(db.engine).state == "current"
        migrate.downgrade(db.engine, "base")
        ma.init_db()
        assert adopted == names_of_constraints()

    def test_the_users_own_hours_and_holidays_stay(self) -> None:
        migrate.adopt(db.engine)
        with ma.SessionLocal() as db_session:
            hours = db_session.scalars(select(MarketHours).filter_by(exchange_group="US_EQUITY"))
            assert [row.pre_market_open for row in hours] == [dt.time(7)]
            christmas = db_session.scalars(
                select(TradingHoliday.holiday_name).filter_by(
                    exchange="US_EQUITY", date=dt.date(2025, 12, 25)
                )
            )
            assert christmas.all() == ["Our own Christmas"]
            assert db_session.scalar(
                select(TradingHoliday).filter_by(exchange="US_EQUITY", date=dt.date(2024, 12, 25))
            )

    def test_the_downgrade_takes_only_what_was_packaged(self) -> None:
        before = rows()
        migrate.adopt(db.engine)
        migrate.downgrade(db.engine, "0001")
        assert rows() == before

    def test_times_are_instants(self) -> None:
        migrate.adopt(db.engine)
        with ma.SessionLocal() as db_session:
            order = db_session.get_one(Order, 5)
            assert order.placed_at == instant("2025-07-01T10:00:00.123456+00:00")
            assert order.placed_at.utcoffset() == dt.timedelta(0)
            position = db_session.get_one(Position, 4)
            assert position.last_updated == instant("1999-12-31T23:59:59.999999+00:00")
            assert db_session.get_one(Order, 3).placed_at is None
            assert db_session.get_one(User, 1).created_at == instant("2024-07-01T12:00:00+00:00")

    def test_new_rows_get_new_numbers(self) -> None:
        migrate.adopt(db.engine)
        with ma.session_scope() as db_session:
            account = db_session.get_one(AccountInfo, 1)
            db_session.add(Order(account=account, symbol="AAPL", quantity=1))
            db_session.add(User(username="new", email="new@example.com", hashed_password="x"))
        assert max(row["id"] for row in rows()["users"]) == 8

    def test_a_second_adoption_is_refused(self) -> None:
        migrate.adopt(db.engine)
        with pytest.raises(MigrationError, match="needs no adoption"):
            migrate.adopt(db.engine)

    def test_init_db_if_missing_adopts(self) -> None:
        assert init_db_if_missing().state == "current"
        assert len(rows()["users"]) == 3

    def test_an_unknown_zone_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="America/New_York"):
            migrate.adopt(db.engine, assume_tz="America/NewYork")
        assert migrate.status(db.engine).adoptable

    def test_tables_and_columns_of_the_users_own_stay(self) -> None:
        run(
            "ALTER TABLE users ADD COLUMN phone VARCHAR(20) DEFAULT 'none'",
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL "
            "REFERENCES users (id), body TEXT)",
            "ALTER TABLE orders ADD COLUMN note_id INTEGER REFERENCES notes (id)",
            "CREATE INDEX my_index ON orders (status, side)",
            "CREATE VIEW who AS SELECT username, phone FROM users",
            "INSERT INTO notes VALUES (1, 1, 'mine')",
            "UPDATE users SET phone = '555' WHERE id = 1",
            "UPDATE orders SET note_id = 1 WHERE id = 2",
        )
        adoption = migrate.adopt(db.engine)
        assert adoption.kept_tables == ("notes",)
        assert set(adoption.kept_columns) == {"users.phone", "orders.note_id"}
        with db.engine.connect() as connection:
            names = connection.execute(text("SELECT phone FROM who ORDER BY username")).scalars()
            assert sorted(names) == ["555", "none", "none"]
            assert connection.scalar(text("SELECT note_id FROM orders WHERE id = 2")) == 1
        inspector = inspect(db.engine)
        assert "my_index" in {index["name"] for index in inspector.get_indexes("orders")}
        keys = inspector.get_foreign_keys("orders")
        assert {"notes", "users", "account_info"} == {key["referred_table"] for key in keys}
        (key,) = inspector.get_foreign_keys("notes")
        assert key["referred_table"] == "users"
        ma.init_db()

    def test_a_table_that_is_missing_is_made(self) -> None:
        run("DROP TABLE market_data", "DROP TABLE session_configs")
        adoption = migrate.adopt(db.engine)
        assert "market_data" not in adoption.rows
        with ma.session_scope() as db_session:
            db_session.add(MarketData(symbol="A", open=1, high=1, low=1, close=1))

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("ALTER TABLE users DROP COLUMN hashed_password", "lacks hashed_password"),
            ("ALTER TABLE orders ADD COLUMN commission FLOAT", "orders.commission.*rename"),
            ("CREATE TABLE fills (id INTEGER)", "fills would be in the way"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_with_a_sentence(
        self, statement: str, said: str
    ) -> None:
        run(statement)
        before = rows()
        with pytest.raises(MigrationError, match=said):
            migrate.adopt(db.engine)
        assert rows() == before
        assert migrate.status(db.engine).adoptable

    def test_a_fault_half_way_leaves_the_old_state(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before, names = rows(), names_of_constraints()
        from alembic.operations import Operations

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("the power fails")

        monkeypatch.setattr(Operations, "create_table", fail)
        with pytest.raises(RuntimeError, match="power"):
            migrate.adopt(db.engine)
        monkeypatch.undo()
        assert rows() == before
        assert names_of_constraints() == names
        migrate.adopt(db.engine)


class TestOnSqlite:
    def test_naive_times_are_read_as_utc(self, old_sqlite: str) -> None:
        adoption = migrate.adopt(db.engine)
        assert (adoption.doubled, adoption.shifted) == (0, 0)
        assert placed(1) == instant("2025-01-15T14:30:00+00:00")
        assert placed(2) == instant("2025-11-02T01:30:00+00:00")
        assert placed(90) == instant("2025-01-15T14:30:00+00:00")
        assert placed(91) == instant("2025-11-02T06:30:00+00:00")
        assert placed(92) == instant("2025-07-01T00:00:00+00:00")

    def test_naive_times_are_read_in_the_zone_that_is_named(self, old_sqlite: str) -> None:
        adoption = migrate.adopt(db.engine, assume_tz="America/New_York")
        assert (adoption.doubled, adoption.shifted) == (1, 1)
        assert placed(1) == instant("2025-01-15T14:30:00-05:00")
        assert placed(2) == instant("2025-11-02T01:30:00-04:00"), "the first of the two"
        assert placed(4) == instant("2025-03-09T03:30:00-04:00"), "moved forward"
        assert placed(91) == instant("2025-11-02T01:30:00-05:00"), "it names its offset"
        assert placed(92) == instant("2025-07-01T00:00:00-04:00")

    def test_what_the_database_wrote_by_default_is_utc(self, old_sqlite: str) -> None:
        migrate.adopt(db.engine, assume_tz="America/New_York")
        with ma.SessionLocal() as db_session:
            by_default, by_program = (db_session.get_one(User, n).created_at for n in (1, 2))
        assert by_default == instant("2024-07-01T12:00:00+00:00")
        assert by_program == instant("2024-07-01T12:00:00.25-04:00")

    def test_a_range_of_times_finds_the_same_rows_whoever_wrote_them(self, old_sqlite: str) -> None:
        migrate.adopt(db.engine)
        moment = instant("2025-01-15T14:30:00+00:00")
        with ma.SessionLocal() as db_session:
            found = db_session.scalars(select(Order.id).where(Order.placed_at == moment))
            assert sorted(found) == [1, 90]

    def test_references_that_lead_nowhere_stay_and_are_counted(self, old_sqlite: str) -> None:
        adoption = migrate.adopt(db.engine)
        assert adoption.orphans == {
            "account_info -> users": 1,
            "positions -> users": 1,
            "positions -> account_info": 1,
        }
        with ma.SessionLocal() as db_session:
            assert db_session.get_one(Position, 90).account_id == 777

    def test_the_command_line_says_what_it_did(
        self, old_sqlite: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from mismartera_analytics.cli.application import run as mismartera

        assert mismartera(["db", "status"]) == 0
        assert "mismartera db upgrade" in capsys.readouterr().out
        assert mismartera(["db", "upgrade", "--assume-tz", "America/New_York"]) == 0
        said = capsys.readouterr().out
        assert "the first was taken" in said
        assert "moved forward" in said
        assert "positions -> account_info" in said
        assert mismartera(["db", "status"]) == 0
        assert "It " not in capsys.readouterr().out

    def test_triggers_stay(self, old_sqlite: str) -> None:
        run(
            "CREATE TABLE audit (what TEXT)",
            "CREATE TRIGGER seen AFTER INSERT ON users BEGIN INSERT INTO audit VALUES (new.email); END",
        )
        migrate.adopt(db.engine)
        with ma.session_scope() as db_session:
            db_session.add(User(username="new", email="new@example.com", hashed_password="x"))
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT what FROM audit")) == "new@example.com"

    def test_rules_of_the_users_own_stay(self, old_sqlite: str) -> None:
        run(
            "ALTER TABLE users ADD COLUMN age INTEGER CHECK (age > 0)",
            "ALTER TABLE users ADD COLUMN seen TEXT DEFAULT 'at 12:30'",
            "CREATE UNIQUE INDEX one_age ON users (age) WHERE age > 100",
        )
        migrate.adopt(db.engine)
        statement = "INSERT INTO users (username, email, hashed_password, age) VALUES"
        with db.engine.connect() as connection, pytest.raises(Exception, match="CHECK"):
            connection.exec_driver_sql(f"{statement} ('a', 'a', 'x', -1)")
        with db.engine.connect() as connection:
            connection.exec_driver_sql(f"{statement} ('a', 'a', 'x', 101)")
            seen = connection.exec_driver_sql("SELECT seen FROM users WHERE username = 'a'")
            assert seen.scalar() == "at 12:30"
            with pytest.raises(Exception, match="UNIQUE"):
                connection.exec_driver_sql(f"{statement} ('b', 'b', 'x', 101)")

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE orders SET placed_at = 'yesterday' WHERE id = 3", "row 3 is 'yesterday'"),
            ("UPDATE orders SET placed_at = 1736951400 WHERE id = 3", "row 3 is 1736951400"),
            ("DROP INDEX ix_users_email; UPDATE users SET email = 'same'", "UNIQUE.*users.email"),
            ("DROP TABLE session_configs; CREATE TABLE session_configs (id INTEGER PRIMARY KEY, "
             "name VARCHAR(100) COLLATE NOCASE, config_json TEXT, created_at DATETIME, "
             "updated_at DATETIME)", "COLLATE"),
            ("ALTER TABLE users ADD COLUMN loud TEXT AS (upper(username))", "generated column loud"),
            ("DROP TABLE session_configs; CREATE TABLE session_configs (id INTEGER, "
             "name VARCHAR(100) PRIMARY KEY, config_json TEXT, created_at DATETIME, "
             "updated_at DATETIME)", "primary key"),
        ],
    )  # fmt: skip
    def test_a_refusal_changes_nothing(self, old_sqlite: str, statement: str, said: str) -> None:
        run(statement)
        before = everything()
        with pytest.raises(MigrationError, match=said):
            migrate.adopt(db.engine)
        db.close_db()
        assert everything() == before

    def test_checks_of_booleans_by_an_older_sqlalchemy_are_dropped(self, old_sqlite: str) -> None:
        run(
            "DROP TABLE trading_holidays",
            "CREATE TABLE trading_holidays (id INTEGER NOT NULL, exchange VARCHAR(50) NOT NULL, "
            "date DATE NOT NULL, holiday_name VARCHAR(100), is_closed BOOLEAN, "
            "early_close_time TIME, PRIMARY KEY (id), UNIQUE (exchange, date), "
            "CHECK (is_closed IN (0, 1)))",
            "INSERT INTO trading_holidays VALUES (1, 'MOON', '2025-01-01', NULL, 1, NULL)",
        )
        assert migrate.adopt(db.engine).rows["trading_holidays"] == 1
        assert inspect(db.engine).get_check_constraints("trading_holidays") == []

    def test_a_row_whose_reference_leads_nowhere_can_be_changed(self, old_sqlite: str) -> None:
        migrate.adopt(db.engine)
        with ma.session_scope() as db_session:
            db_session.get_one(Position, 90).quantity = 2
        with pytest.raises(Exception, match="FOREIGN KEY"), ma.session_scope() as db_session:
            db_session.get_one(Position, 90).account_id = 778

    def test_a_table_of_the_users_own_with_a_crooked_reference(self, old_sqlite: str) -> None:
        run(
            "CREATE TABLE parents (name TEXT)",
            "CREATE TABLE children (name TEXT REFERENCES parents (name))",
            "INSERT INTO children VALUES ('x')",
        )
        assert migrate.adopt(db.engine).kept_tables == ("children", "parents")


@given(
    st.datetimes(min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(2037, 1, 1)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Tokyo", "UTC"]),
)
def test_naive_times_agree_with_pandas(moment: dt.datetime, zone: str) -> None:
    times = NaiveTimes(ZoneInfo(zone))
    read = times.read("t.c", 1, 0, moment.isoformat(sep=" "))
    expected = pd.Timestamp(moment).tz_localize(
        zone, ambiguous=True, nonexistent=pd.Timedelta(hours=1)
    )
    assert read is not None
    assert pd.Timestamp(read, tz="UTC") == expected
    assert (times.naive, times.unreadable) == (1, [])


@pytest.mark.parametrize("value", ["", "soon", 3.5, b"2025", "2025-13-01", "0001-01-01 00:00:00"])
def test_what_is_no_time_is_noted(value: Any) -> None:
    times = NaiveTimes(ZoneInfo("Asia/Tokyo"))
    assert times.read("orders.placed_at", 3, 0, value) is None
    assert times.unreadable == [f"orders.placed_at of row 3 is {value!r}"]
