"""Copies of whole databases: the same content on the other side, read by other means."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

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
    make_url,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from mismartera_analytics.models import Order, Trial, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations import table_rows
from mismartera_analytics.operations.column_forms import converted
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.table_digests import TableDigest
from tests.operations.edge_values import UTC, change_file, contents, spoil
from tests.roles import administer

pytestmark = pytest.mark.postgres


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


def test_roles_that_are_granted_nothing_yet_are_said(
    sqlite_url: str, postgres_url: str, other_url: str
) -> None:
    assert copy_database(sqlite_url, postgres_url).note == ""
    administer(postgres_url, "UPDATE users SET database_role = 'adas' WHERE username = 'ada'")
    done = copy_database(postgres_url, other_url)
    assert done.roles == ("adas",)
    assert "adas" in done.note
    assert "mismartera db upgrade" in done.note


def test_an_odd_sqlite_database_goes_to_sqlite_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    spoil(sqlite_url)
    change_file(
        sqlite_url,
        "CREATE TABLE notes (x); INSERT INTO notes VALUES (1), ('a'), (x'00'); "
        "CREATE VIEW seen AS SELECT * FROM notes; ALTER TABLE orders ADD COLUMN mine TEXT;",
    )
    path = str(make_url(sqlite_url).database)
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
    change_file(
        sqlite_url,
        "CREATE TABLE notes (x); CREATE VIEW seen AS SELECT * FROM notes; "
        "ALTER TABLE orders ADD COLUMN mine TEXT; "
        "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END",
    )
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
