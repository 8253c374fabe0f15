"""Copies of whole databases: the same content on the other side, read by other means, or a refusal."""

from __future__ import annotations

import datetime as dt
import math
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import (
    JSON,
    Column,
    Date,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

import mismartera_analytics as ma
from mismartera_analytics.errors import (
    ConfigurationError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    InvalidInputError,
    NotAllowedError,
    RowsNotTakenError,
    StorageError,
)
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
    Trial,
    User,
    load_mappings,
    migrate,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations import copying, table_rows
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.column_forms import converted
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.restoring import restore
from mismartera_analytics.operations.table_digests import TableDigest
from tests.roles import administer

pytestmark = pytest.mark.postgres
UTC = dt.UTC


@pytest.fixture
def other_url(postgres_server: str, postgres_database: Callable[[str | None], str]) -> str:
    """Give one more empty PostgreSQL database."""
    return postgres_database(None)


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


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_there_and_back_again_every_value_is_the_same(
    sqlite_url: str, postgres_url: str, other_url: str, tmp_path: Path
) -> None:
    there = copy_database(sqlite_url, postgres_url)
    across = copy_database(postgres_url, other_url)
    back = copy_database(other_url, tmp_path / "back.db")
    beside = copy_database(tmp_path / "back.db", tmp_path / "beside.db")
    wanted = contents(sqlite_url)
    assert len(wanted["orders"]) > 1000
    for url in (postgres_url, other_url, f"sqlite:///{tmp_path}/back.db"):
        assert contents(url) == wanted, url
    assert there.tables == across.tables == back.tables == beside.tables
    assert {one.name: one.rows for one in there.tables} == {k: len(v) for k, v in wanted.items()}
    assert there.left_out == back.left_out == ()
    assert "counts and checksums agree" in repr(there)


def test_one_changed_bit_changes_the_checksum(sqlite_url: str) -> None:
    engine = table_rows.engine_of(sqlite_url)

    def checksums() -> dict[str, str]:
        with table_rows.snapshot(engine) as connection:
            tables = table_rows.contents_of(connection).tables
            return {one.name: table_rows.content_of(connection, one).checksum for one in tables}

    before = checksums()
    changes = [
        "UPDATE orders SET quantity = quantity * (1 + 2.3e-16) WHERE id = 4",
        "UPDATE orders SET placed_at = '2020-01-01 00:00:00.000001' WHERE id = 4",
        "UPDATE orders SET price = 0.0 WHERE price IS NULL AND id = 4",
        "UPDATE orders SET status = '' WHERE id = 4",
        "UPDATE orders SET id = 3 WHERE id = 4",
        "DELETE FROM orders WHERE id = 7",
        "UPDATE users SET is_active = 0 WHERE id = 3",
    ]
    seen = [before]
    for change in changes:
        with engine.begin() as connection:
            connection.execute(text(change))
        after = checksums()
        assert {name for name in after if after[name] != seen[-1][name]} == {
            "users" if "users" in change else "orders"
        }, change
        seen.append(after)
    engine.dispose()


def test_how_rows_are_cut_does_not_change_a_checksum() -> None:
    values = {"a": [1, None, 3, 2**62], "b": ["x", None, "éé", ""], "c": [0.5, -0.0, None, 1e-9]}
    kinds = {"a": "integer", "b": "text", "c": "float"}
    found = set()
    for cuts in ([4], [1, 3], [1, 1, 1, 1], [3, 1]):
        digest, at = TableDigest("t", kinds), 0
        for size in cuts:
            part = {
                name: converted(values[name][at : at + size], kind, "sqlite")
                for name, kind in kinds.items()
            }
            digest.add(part, size)
            at += size
        found.add(digest.content().checksum)
    assert len(found) == 1


def test_the_next_row_gets_the_next_number(sqlite_url: str, postgres_url: str) -> None:
    copy_database(sqlite_url, postgres_url)
    engine = make_engine(postgres_url)
    with Session(engine) as s, s.begin():
        last = s.execute(text("SELECT max(id) FROM orders")).scalar_one()
        made = Order(symbol="A", quantity=1.0)
        first = Trial(family="f", recorded_at=dt.datetime.now(UTC), parameters_json="{}")
        s.add_all([made, first])
        s.flush()
        assert (made.id, first.id) == (last + 1, 1)
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
    raw = sqlite3.connect(str(make_url(url).database))
    for _, change, _ in FAULTS.values():
        raw.executescript(change)
    raw.close()


def test_what_postgresql_does_not_take_is_named_before_anything_is_written(
    sqlite_url: str, postgres_url: str
) -> None:
    spoil(sqlite_url)
    with pytest.raises(RowsNotTakenError, match="nothing was written") as caught:
        copy_database(sqlite_url, postgres_url)
    assert len(caught.value.misfits) == len(FAULTS)
    for reason, (where, _, ids) in FAULTS.items():
        assert f"{where} {reason} ({ids}" in str(caught.value)
        assert f"{where} {reason}" in caught.value.misfits
    assert tables_of(postgres_url) == []


def test_numbers_that_the_checks_refuse_are_named_before_anything_is_written(
    sqlite_url: str, postgres_url: str
) -> None:
    with sqlite3.connect(str(make_url(sqlite_url).database)) as raw:
        raw.execute("UPDATE orders SET stop_price = -9e999 WHERE id = 46")
    raw.close()
    refused = r"orders\.stop_price is NaN or infinite \(id 46\)"
    with pytest.raises(RowsNotTakenError, match=refused):
        copy_database(sqlite_url, postgres_url)
    assert tables_of(postgres_url) == []


def test_a_database_without_an_encoding_is_refused(
    sqlite_url: str, postgres_server: str, tmp_path: Path
) -> None:
    name = f"ascii_{os.getpid()}"
    administer(
        postgres_server,
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
    )
    url = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    ma.configure(database_url=sqlite_url)
    back_up(tmp_path / "b.zip", bars=False)

    def upgrade() -> None:
        ma.configure(database_url=url)
        migrate.upgrade(db.engine)

    try:
        for use in (
            lambda: copy_database(sqlite_url, url),
            lambda: restore(tmp_path / "b.zip", database_url=url, bars=False),
            upgrade,
            ma.init_db,
        ):
            with pytest.raises(ConfigurationError, match=r"SQL_ASCII.*ENCODING 'UTF8'"):
                use()
    finally:
        db.close_db()
        administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def test_roles_that_are_granted_nothing_yet_are_said(
    sqlite_url: str, postgres_url: str, other_url: str
) -> None:
    assert copy_database(sqlite_url, postgres_url).note == ""
    administer(postgres_url, "UPDATE users SET database_role = 'adas' WHERE username = 'ada'")
    done = copy_database(postgres_url, other_url)
    assert done.roles == ("adas",)
    assert "adas" in done.note
    assert "mismartera db upgrade" in done.note


def tables_of(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).scalars()
        names = list(found)
    engine.dispose()
    return names


def test_an_odd_sqlite_database_goes_to_sqlite_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    spoil(sqlite_url)
    path = str(make_url(sqlite_url).database)
    raw = sqlite3.connect(path)
    raw.executescript(
        "CREATE TABLE notes (x); INSERT INTO notes VALUES (1), ('a'), (x'00'); "
        "CREATE VIEW seen AS SELECT * FROM notes; ALTER TABLE orders ADD COLUMN mine TEXT;"
    )
    raw.close()
    done = copy_database(sqlite_url, tmp_path / "as-is.db")
    assert done.left_out == ()
    with sqlite3.connect(path) as one, sqlite3.connect(tmp_path / "as-is.db") as other:
        assert list(one.iterdump()) == list(other.iterdump())


@pytest.mark.parametrize("name", ["what?.db", "50%20.db", "a?b%3Fc/x.db", "a#b@c:d.db"])
def test_a_file_is_found_under_any_name(sqlite_url: str, tmp_path: Path, name: str) -> None:
    """A path is no URL: a question mark in it begins no options, and %20 is no blank."""
    target = tmp_path / "there" / name
    copy_database(sqlite_url, target)
    copy_database(target, tmp_path / "back.db")
    found = [path for path in (tmp_path / "there").rglob("*") if path.is_file()]
    assert found == [target]
    assert contents(f"sqlite:///{tmp_path / 'back.db'}") == contents(sqlite_url)


def test_what_is_not_copied_is_said(sqlite_url: str, tmp_path: Path, postgres_url: str) -> None:
    raw = sqlite3.connect(str(make_url(sqlite_url).database))
    raw.executescript(
        "CREATE TABLE notes (x); CREATE VIEW seen AS SELECT * FROM notes; "
        "ALTER TABLE orders ADD COLUMN mine TEXT; "
        "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END"
    )
    raw.close()
    done = copy_database(sqlite_url, postgres_url)
    assert done.left_out == ("column orders.mine", "table 'notes'", "view 'seen'", "trigger 't'")
    assert done.note == ("Not copied: column orders.mine, table 'notes', view 'seen', trigger 't'.")


def test_a_table_of_ones_own_comes_along_with_types_of_its_own(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    class Own(db.Base):
        __tablename__ = "own_things"
        id: Mapped[int] = mapped_column(primary_key=True)
        day = Column(Date)
        price = Column(Numeric(12, 4))
        blob = Column(LargeBinary)
        config = Column(JSON)
        ratio = Column(Float)
        name = Column(String(20))
        count = Column(Integer)

    try:
        engine = make_engine(sqlite_url)
        migrate.initialise(engine)
        with Session(engine) as s, s.begin():
            s.add(
                Own(
                    id=4, day=dt.date(2025, 7, 2), price=1.25, blob=b"\0\xff", config={"b": [1]},
                    ratio=0.1, name="é",
                )
            )  # fmt: skip
            s.add(Own(id=5))
        engine.dispose()
        copy_database(sqlite_url, postgres_url)
        done = copy_database(postgres_url, tmp_path / "back.db")
        assert {one.name: one.rows for one in done.tables}["own_things"] == 2
        assert contents(postgres_url)["own_things"] == contents(sqlite_url)["own_things"]
    finally:
        db.Base.metadata.remove(Own.__table__)
        db.Base.registry._dispose_cls(Own)


def test_a_target_that_is_not_empty_is_refused_by_name(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (x int)"))
    engine.dispose()
    with pytest.raises(InvalidInputError, match="has the tables theirs; name a database without"):
        copy_database(sqlite_url, postgres_url)
    assert tables_of(postgres_url) == ["theirs"]
    with pytest.raises(InvalidInputError, match=r"account_info, alembic_version.* and \d+ more"):
        copy_database(sqlite_url, sqlite_url)
    (tmp_path / "text.db").write_text("no database at all, but a text")
    with pytest.raises(DatabaseUnreachableError, match="not a database"):
        copy_database(sqlite_url, tmp_path / "text.db")
    assert (tmp_path / "text.db").read_text().startswith("no database")


def test_an_outdated_or_missing_source_is_refused_with_the_command(
    tmp_path: Path, postgres_url: str
) -> None:
    old = make_engine(f"sqlite:///{tmp_path}/old.db")
    migrate.upgrade(old, "0005")
    old.dispose()
    with pytest.raises(DatabaseNotReadyError, match="mismartera db upgrade"):
        copy_database(tmp_path / "old.db", postgres_url)
    with pytest.raises(DatabaseNotReadyError, match="mismartera db upgrade"):
        copy_database(tmp_path / "old.db", tmp_path / "new.db")
    with pytest.raises(DatabaseNotReadyError, match="there is no file"):
        copy_database(tmp_path / "none.db", postgres_url)
    assert tables_of(postgres_url) == []
    assert sorted(p.name for p in tmp_path.glob("*.db")) == ["old.db"]


def test_a_fault_half_way_leaves_the_target_empty(
    sqlite_url: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_of = copying.content_of

    def other(connection: Any, table: Any) -> Any:
        found = content_of(connection, table)
        if table.name != "fills" or connection.engine.url.database == "from.db":
            return found
        return type(found)(found.name, found.rows, "0" * 64)

    monkeypatch.setattr(copying, "content_of", other)
    with pytest.raises(StorageError, match=r"'fills' of .*nothing was written"):
        copy_database(sqlite_url, postgres_url)
    assert tables_of(postgres_url) == []
    monkeypatch.undo()
    copy_database(sqlite_url, postgres_url)
    monkeypatch.setattr(copying, "content_of", other)
    with pytest.raises(StorageError, match="nothing was written"):
        copy_database(postgres_url, tmp_path / "back.db")
    monkeypatch.undo()
    assert sqlite3.connect(tmp_path / "back.db").execute(
        "SELECT count(*) FROM sqlite_master"
    ).fetchone() == (0,)
    copy_database(postgres_url, tmp_path / "back.db")


def test_what_sqlite_does_not_take_is_named(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    copy_database(sqlite_url, postgres_url)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:  # as before revision 0010
        for name in ("price", "placed_at"):
            connection.execute(text(f"ALTER TABLE orders DROP CONSTRAINT ck_orders_{name}_finite"))
    for change, reason in (
        ("UPDATE orders SET price = 'NaN' WHERE id = 4", "orders.price is NaN"),
        ("UPDATE orders SET placed_at = 'infinity' WHERE id = 7", "outside the years 1 to 9999"),
        ("UPDATE orders SET placed_at = '12025-01-01' WHERE id = 7", "outside the years"),
        ("UPDATE corporate_actions SET ex_date = '-infinity'", "corporate_actions.ex_date lies"),
    ):
        with engine.begin() as connection:
            connection.execute(text(change))
        with pytest.raises(RowsNotTakenError, match=reason):
            copy_database(postgres_url, tmp_path / "back.db")
        assert not (tmp_path / "back.db").exists()
    engine.dispose()


def test_rows_hidden_by_row_security_are_an_error_and_no_smaller_copy(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    copy_database(sqlite_url, postgres_url)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in (
            "DROP ROLE IF EXISTS copy_reader", "CREATE ROLE copy_reader LOGIN",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO copy_reader",
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY few ON orders USING (id = 4)",
        ):  # fmt: skip
            connection.execute(text(statement))
    reader = make_url(postgres_url).set(username="copy_reader")
    try:
        with pytest.raises(NotAllowedError, match="row-level security"):
            copy_database(reader.render_as_string(hide_password=False), tmp_path / "few.db")
    finally:
        with engine.connect() as connection:
            connection.execute(text("DROP OWNED BY copy_reader"))
            connection.execute(text("DROP ROLE copy_reader"))
        engine.dispose()
    assert not (tmp_path / "few.db").exists()


def test_only_superusers_copy(sqlite_url: str, tmp_path: Path) -> None:
    ma.configure(database_url=sqlite_url)
    with ma.as_user("ada"), pytest.raises(NotAllowedError, match="'ada' may not copy"):
        copy_database(sqlite_url, tmp_path / "x.db")
    with ma.SessionLocal() as s:
        s.execute(text("UPDATE users SET is_active = true WHERE username = 'bob'"))
        s.commit()
    with ma.as_user("bob"):
        copy_database(sqlite_url, tmp_path / "x.db")
