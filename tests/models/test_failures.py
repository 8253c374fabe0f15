"""A database that fails says one sentence of ours, on both databases, and stays usable."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.exc import IntegrityError

import mismartera_analytics as ma
from mismartera_analytics.errors import (
    ConfigurationError,
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    MismarteraError,
    NotAllowedError,
    StorageError,
)
from mismartera_analytics.models import Order, User, bulk_reading, connections, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.models.turns import take_turn


def person(name: str) -> User:
    return User(username=name, email=f"{name}@example.com", hashed_password="x")


def count() -> int:
    with ma.SessionLocal() as db_session:
        return len(db_session.scalars(select(User.id)).all())


def changed(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def alter(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("ALTER TABLE users ADD COLUMN horn integer"))


def is_waited_for(engine: Engine) -> bool:
    """Whether somebody waits for a lock."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def is_one_sentence(error: BaseException) -> bool:
    return isinstance(error, MismarteraError) and "\n" not in str(error)


class TestNotReady:
    def test_a_missing_table(self, database_url: str) -> None:
        with pytest.raises(DatabaseNotReadyError, match=r"'users'.*mismartera db init") as caught:
            count()
        assert is_one_sentence(caught.value)

    def test_a_missing_table_while_writing(self, database_url: str) -> None:
        with (
            pytest.raises(DatabaseNotReadyError, match=r"'users'.*mismartera db init"),
            ma.session_scope() as db_session,
        ):
            db_session.add(person("ada"))

    @pytest.mark.parametrize(
        "use",
        [
            lambda s: s.scalars(select(Order)).all(),
            lambda s: s.query(Order).filter(Order.commission > 1).count(),
            lambda s: s.execute(text("SELECT o.commission FROM orders o")),
            lambda s: (s.add(Order(symbol="A", quantity=1, commission=1)), s.flush()),
            lambda s: s.query(Order).update({"commission": 2}),
        ],
    )
    def test_a_missing_column(self, ready_database: str, use: Callable[[Any], Any]) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE orders DROP COLUMN commission"))
        with (
            pytest.raises(DatabaseNotReadyError, match=r"commission.*mismartera db upgrade"),
            ma.SessionLocal() as db_session,
        ):
            use(db_session)

    @pytest.mark.parametrize("name", ["SELECT * FROM unicorns", "SELECT horn FROM users"])
    def test_what_is_not_ours_keeps_its_error(self, ready_database: str, name: str) -> None:
        with (
            pytest.raises(Exception, match=r"unicorns|horn") as caught,
            ma.SessionLocal() as db_session,
        ):
            db_session.execute(text(name))
        assert not isinstance(caught.value, MismarteraError)


class TestReadOnly:
    def test_a_read_session_cannot_write_and_leaves_no_mark(self, ready_database: str) -> None:
        with (
            pytest.raises(StorageError, match="opened for reading") as caught,
            db.read_session() as db_session,
        ):
            db_session.add(person("ada"))
            db_session.commit()
        assert is_one_sentence(caught.value)
        with ma.session_scope() as db_session:
            db_session.add(person("bob"))
        assert count() == 1

    def test_a_database_that_can_only_be_read(self, home: Path) -> None:
        ma.init_db()
        with ma.session_scope() as db_session:
            db_session.add(person("ada"))
        path = home / "data" / "mismartera.db"
        db.close_db()
        ma.configure(database_url=f"sqlite:///file:{path}?mode=ro&immutable=1&uri=true")
        ma.init_db()
        assert migrate.status(db.engine).state == "current"
        assert count() == 1
        with pytest.raises(StorageError, match="read-only"), ma.session_scope() as db_session:
            db_session.add(person("bob"))
        with pytest.raises(StorageError, match="read-only"):
            migrate.downgrade(db.engine, "base")

    def test_an_empty_one_that_can_only_be_read(self, home: Path) -> None:
        path = home / "empty.db"
        sqlite3.connect(path).close()
        path.touch()
        ma.configure(database_url=f"sqlite:///file:{path}?mode=ro&immutable=1&uri=true")
        with pytest.raises(StorageError, match="read-only"):
            ma.init_db()
        assert path.read_bytes() == b""

    def test_a_folder_in_place_of_the_file(self, home: Path) -> None:
        (home / "data" / "mismartera.db").mkdir(parents=True)
        with pytest.raises(DatabaseUnreachableError, match="unable to open") as caught:
            ma.init_db()
        assert is_one_sentence(caught.value)

    def test_a_file_in_place_of_the_folder(self, home: Path) -> None:
        (home / "data").write_text("")
        with pytest.raises(StorageError, match="cannot make the folder"):
            ma.init_db()

    def test_a_file_that_is_no_database(self, home: Path) -> None:
        path = home / "x.db"
        path.write_text("symbol,quantity\n" * 1000)
        ma.configure(database_url=f"sqlite:///{path}")
        for use in (ma.init_db, count, lambda: migrate.status(db.engine)):
            with pytest.raises(DatabaseUnreachableError, match="not a database") as caught:
                use()
            assert is_one_sentence(caught.value)

    def test_a_damaged_file(self, home: Path) -> None:
        ma.init_db()
        db.close_db()
        path = home / "data" / "mismartera.db"
        content = bytearray(path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        path.write_bytes(content)
        with pytest.raises(StorageError, match="backup") as caught:
            count()
        assert is_one_sentence(caught.value)


@pytest.mark.postgres
class TestServer:
    @pytest.mark.parametrize(
        ("parts", "said"),
        [
            ({"database": "nowhere"}, 'database "nowhere" does not exist'),
            ({"username": "nobody"}, 'role "nobody" does not exist'),
            ({"query": {"host": "/no/such/folder"}}, "No such file"),
            ({"host": "127.0.0.1", "port": 1, "query": {}}, "refused"),
            ({"host": "no-such-host.invalid", "query": {}}, "no-such-host"),
        ],
    )
    def test_one_that_does_not_let_us_in(
        self, postgres_url: str, parts: dict[str, Any], said: str
    ) -> None:
        ma.configure(database_url=changed(postgres_url, password="s3cret", **parts))
        for use in (ma.init_db, count, lambda: migrate.status(db.engine)):
            with pytest.raises(DatabaseUnreachableError, match=said) as caught:
                use()
            assert is_one_sentence(caught.value)
            assert "s3cret" not in str(caught.value)

    def test_a_wrong_password(self, postgres_server: str, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        with db.engine.begin() as connection:
            data = Path(str(connection.scalar(text("SHOW data_directory"))))
            connection.execute(text("CREATE ROLE walter LOGIN PASSWORD 'right'"))
        rules = data / "pg_hba.conf"
        before = rules.read_text()
        try:
            rules.write_text("local all walter scram-sha-256\n" + before)
            with db.engine.begin() as connection:
                connection.execute(text("SELECT pg_reload_conf()"))
            ma.configure(database_url=changed(postgres_url, username="walter", password="s3cret"))
            with pytest.raises(DatabaseUnreachableError, match="password authentication") as caught:
                ma.init_db()
            assert "s3cret" not in str(caught.value)
        finally:
            rules.write_text(before)
            ma.configure(database_url=postgres_url)
            with db.engine.begin() as connection:
                connection.execute(text("DROP ROLE walter"))
                connection.execute(text("SELECT pg_reload_conf()"))

    def test_the_plain_scheme_means_psycopg(self, postgres_url: str) -> None:
        ma.configure(database_url=changed(postgres_url, drivername="postgresql"))
        assert db.engine.driver == "psycopg"
        ma.init_db()

    def test_a_connection_that_is_lost_says_so_and_the_next_works(self, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        with (
            pytest.raises(DatabaseUnreachableError, match=r"was lost.*undone") as caught,
            ma.session_scope() as db_session,
        ):
            db_session.add(person("ada"))
            db_session.flush()
            own = db_session.scalar(text("SELECT pg_backend_pid()"))
            with ma.SessionLocal() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            db_session.scalar(text("SELECT 1"))
        assert is_one_sentence(caught.value)
        assert count() == 0

    def test_an_idle_connection_that_is_lost_is_replaced(self, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        assert count() == 0
        killer = connections.make_engine(postgres_url)
        with killer.connect() as connection:
            statement = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(text(statement))
        killer.dispose()
        assert count() == 0

    def test_an_open_reader_does_not_hang_a_migration_for_ever(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
        with ma.SessionLocal() as reader:
            reader.scalars(select(Order)).all()
            with pytest.raises(DatabaseBusyError, match="lock timeout") as caught:
                migrate.downgrade(db.engine, "base")
        assert is_one_sentence(caught.value)
        assert migrate.status(db.engine).state == "current"
        assert migrate.downgrade(db.engine, "base").state == "fresh"

    def test_a_table_that_is_altered_does_not_hang_a_reader_for_ever(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
        with db.engine.connect() as owner:
            owner.execute(text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
            for read in (ma.orders, lambda: ma.sql("select count(*) from orders")):
                with pytest.raises(DatabaseBusyError, match="lock timeout") as caught:
                    read()
                assert is_one_sentence(caught.value)
        assert ma.orders().empty

    def test_who_alters_between_a_session_and_its_reader_in_bulk_is_not_waited_for(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        monkeypatch.setattr(bulk_reading, "LEAST_ROWS", 1)
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.5)
        with ma.session_scope() as db_session:
            db_session.add_all([person("ada"), person("bob")])
        other = connections.make_engine(postgres_url)
        with ThreadPoolExecutor(1) as pool, db.read_session() as db_session:
            db_session.scalars(select(User.id)).all()
            altering = pool.submit(alter, other)
            deadline = time.monotonic() + 30
            while not is_waited_for(other):
                assert time.monotonic() < deadline, altering
                time.sleep(0.01)
            with pytest.raises(DatabaseBusyError, match="lock timeout"):
                bulk_reading.read_in_bulk(db_session, select(User.id, User.username), User.id)
        assert altering.exception() is None
        other.dispose()

    @pytest.mark.parametrize("limit", ["100ms", "0"])
    def test_a_limit_of_the_role_is_kept(self, postgres_url: str, limit: str) -> None:
        url = make_url(postgres_url).update_query_dict({"options": f"-c lock_timeout={limit}"})
        ma.configure(database_url=url.render_as_string(hide_password=False))
        ma.init_db()
        kept = limit if limit != "0" else f"{int(connections.BUSY_TIMEOUT / 60)}min"
        with ma.SessionLocal() as db_session:
            assert db_session.scalar(text("SHOW lock_timeout")) == kept
        with ma.session_scope() as db_session:
            take_turn(db_session)
            assert db_session.scalar(text("SHOW lock_timeout")) == kept

    def test_a_query_that_takes_too_long_for_the_server(self, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        with (
            pytest.raises(DatabaseBusyError, match=r"statement timeout.*fewer rows") as caught,
            ma.SessionLocal() as db_session,
        ):
            db_session.execute(text("SET LOCAL statement_timeout = 50"))
            db_session.execute(text("SELECT pg_sleep(5)"))
        assert is_one_sentence(caught.value)

    def test_values_of_a_refused_row_do_not_say_what_failed(self, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        for name in ("deadlock detected", "1 is out of range", "permission denied for all"):
            with ma.session_scope() as db_session:
                db_session.add(User(username=name, email=f"{name}@x.com", hashed_password="x"))
            with pytest.raises(IntegrityError), ma.session_scope() as db_session:
                db_session.add(User(username=name, email="y@x.com", hashed_password="x"))

    def test_a_role_without_rights(self, postgres_url: str) -> None:
        ma.configure(database_url=postgres_url)
        ma.init_db()
        with db.engine.begin() as connection:
            connection.execute(text("CREATE ROLE guest LOGIN"))
        try:
            ma.configure(database_url=changed(postgres_url, username="guest"))
            with pytest.raises(NotAllowedError, match="permission denied") as caught:
                count()
            assert is_one_sentence(caught.value)
        finally:
            ma.configure(database_url=postgres_url)
            with db.engine.begin() as connection:
                connection.execute(text("DROP ROLE guest"))


def test_an_asynchronous_driver_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="asynchronous"):
        connections.make_engine("postgresql+psycopg_async://h/x")


def test_memory_has_one_connection() -> None:
    ma.configure(database_url="sqlite://")
    ma.init_db()
    with ma.SessionLocal() as outer:
        outer.scalars(select(User)).all()
        with pytest.raises(DatabaseBusyError, match="close that session"):
            count()
    assert count() == 0


def test_sessions_that_were_never_closed(
    ready_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.engine.pool, "_timeout", 0.05)
    left_open = [ma.SessionLocal() for _ in range(15)]
    for db_session in left_open:
        db_session.scalars(select(User.id)).all()
    with pytest.raises(DatabaseBusyError, match=r"15 connections .* close sessions") as caught:
        count()
    assert is_one_sentence(caught.value)
    for db_session in left_open:
        db_session.close()
    assert count() == 0


def test_a_page_that_is_damaged_in_the_middle_of_a_table_is_told_in_a_sentence(
    demo_data: Path,
) -> None:
    """The first rows are still handed over: the fault shows while the others are fetched."""
    path = str(make_url(ma.settings().database_url).database)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'orders'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    db.close_db()
    content = bytearray(Path(path).read_bytes())
    last = int.from_bytes(content[(root - 1) * size + 8 :][:4], "big")  # the root's last child
    content[(last - 1) * size : (last - 1) * size + 200] = b"\xff" * 200
    Path(path).write_bytes(content)
    for use in (ma.orders, ma.pnl, lambda: ma.sql("SELECT * FROM orders")):
        with pytest.raises(StorageError, match=r"is damaged .*restore it from a backup"):
            use()
