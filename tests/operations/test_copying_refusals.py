"""Copies that are refused: by name, with the reason, and with nothing written."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

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
from mismartera_analytics.models import database as db
from mismartera_analytics.models import migrate
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations import copying
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.restoring import restore
from tests.operations.edge_values import FAULTS, change_file, spoil, tables_of
from tests.roles import administer, url_of

pytestmark = pytest.mark.postgres


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
    change_file(sqlite_url, "UPDATE orders SET stop_price = -9e999 WHERE id = 46")
    refused = r"orders\.stop_price is NaN or infinite \(id 46\)"
    with pytest.raises(RowsNotTakenError, match=refused):
        copy_database(sqlite_url, postgres_url)
    assert tables_of(postgres_url) == []


def test_what_sqlite_does_not_take_is_named(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    copy_database(sqlite_url, postgres_url)
    for name in ("price", "placed_at"):  # as before revision 0010
        administer(postgres_url, f"ALTER TABLE orders DROP CONSTRAINT ck_orders_{name}_finite")
    for change, reason in (
        ("UPDATE orders SET price = 'NaN' WHERE id = 4", "orders.price is NaN"),
        ("UPDATE orders SET placed_at = 'infinity' WHERE id = 7", "outside the years 1 to 9999"),
        ("UPDATE orders SET placed_at = '12025-01-01' WHERE id = 7", "outside the years"),
        ("UPDATE corporate_actions SET ex_date = '-infinity'", "corporate_actions.ex_date lies"),
    ):
        administer(postgres_url, change)
        with pytest.raises(RowsNotTakenError, match=reason):
            copy_database(postgres_url, tmp_path / "back.db")
        assert not (tmp_path / "back.db").exists()


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


def test_a_target_that_is_not_empty_is_refused_by_name(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    administer(postgres_url, "CREATE TABLE theirs (x int)")
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


def test_rows_hidden_by_row_security_are_an_error_and_no_smaller_copy(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    copy_database(sqlite_url, postgres_url)
    administer(
        postgres_url,
        "DROP ROLE IF EXISTS copy_reader",
        "CREATE ROLE copy_reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO copy_reader",
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY few ON orders USING (id = 4)",
    )
    try:
        with pytest.raises(NotAllowedError, match="row-level security"):
            copy_database(url_of("copy_reader", postgres_url), tmp_path / "few.db")
    finally:
        administer(postgres_url, "DROP OWNED BY copy_reader", "DROP ROLE copy_reader")
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
