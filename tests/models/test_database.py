"""Database sessions: when they commit, how they fail, and many writers at once."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import mismartera_analytics as ma
from mismartera_analytics.errors import (
    ConfigurationError,
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    RetiredEngineError,
    StorageError,
)
from mismartera_analytics.models import Order, User
from mismartera_analytics.models import database as db


def person(name: str) -> User:
    return User(username=name, email=f"{name}@example.com", hashed_password="x")


def names() -> set[str]:
    with db.SessionLocal() as db_session:
        return set(db_session.scalars(select(User.username)))


@pytest.mark.usefixtures("ready_database")
class TestCommit:
    def test_session_local_does_not_commit_by_itself(self) -> None:
        with db.SessionLocal() as db_session:
            db_session.add(person("ada"))
        assert names() == set()

    def test_session_scope_commits(self) -> None:
        with db.session_scope() as db_session:
            db_session.add(person("ada"))
        assert names() == {"ada"}

    def test_session_scope_rolls_back_on_error(self) -> None:
        with pytest.raises(ZeroDivisionError), db.session_scope() as db_session:
            db_session.add(person("ada"))
            db_session.flush()
            _ = 1 / 0
        assert names() == set()

    def test_get_db_commits_when_the_loop_ends(self) -> None:
        for db_session in db.get_db():
            db_session.add(person("ada"))
        assert names() == {"ada"}

    def test_get_db_rolls_back_when_the_loop_is_left_or_fails(self) -> None:
        for db_session in db.get_db():
            db_session.add(person("left"))
            db_session.flush()
            break
        with pytest.raises(ZeroDivisionError):
            for db_session in db.get_db():
                db_session.add(person("failed"))
                db_session.flush()
                _ = 1 / 0
        assert names() == set()

    def test_objects_stay_readable_after_the_commit(self) -> None:
        with db.session_scope() as db_session:
            user = person("ada")
            db_session.add(user)
        assert user.username == "ada"
        assert user.id

    def test_a_password_hash_is_not_shown_by_errors_and_logs(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="sqlalchemy.engine")
        secret = {"email": "ada@example.com", "hashed_password": "$2b$s3cret"}
        with db.session_scope() as db_session:
            db_session.add(User(username="ada", **secret))
        with pytest.raises(IntegrityError) as caught, db.session_scope() as db_session:
            db_session.add(User(username="bob", **secret))
        assert "'***'" in str(caught.value)
        assert "s3cret" not in str(caught.value) + caplog.text
        with db.SessionLocal() as db_session:
            assert db_session.scalar(select(User.hashed_password)) == "$2b$s3cret"

    def test_a_read_session_cannot_write_and_leaves_no_mark(self) -> None:
        with pytest.raises(Exception, match=r"read-only"), db.read_session() as db_session:
            db_session.add(person("ada"))
            db_session.commit()
        with db.session_scope() as db_session:
            db_session.add(person("bob"))
        assert names() == {"bob"}


def test_an_open_reader_blocks_nobody(home: Path) -> None:
    ma.init_db()
    with db.SessionLocal() as reader:
        assert reader.scalars(select(User)).all() == []
        with db.session_scope() as writer:
            writer.add(person("ada"))
        assert reader.scalars(select(User)).all() == []


def test_a_first_write_that_comes_too_late_names_session_scope(home: Path) -> None:
    ma.init_db()
    with db.SessionLocal() as late:
        late.scalars(select(User)).all()
        with db.session_scope() as other:
            other.add(person("ada"))
        late.add(person("bob"))
        with pytest.raises(DatabaseBusyError, match="session_scope"):
            late.commit()


THREADS, ROUNDS = 8, 100


def _write_rounds(url: str, process: int) -> None:
    ma.configure(database_url=url)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(ROUNDS):
                with db.session_scope() as db_session:
                    last = db_session.scalar(
                        select(Order.quantity).order_by(Order.id.desc()).limit(1)
                    )
                    db_session.add(
                        Order(symbol=f"P{process}T{thread}", quantity=(last or 0) + 1, price=number)
                    )
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.slow
def test_four_processes_of_eight_threads_read_and_write_one_sqlite_file(home: Path) -> None:
    ma.init_db()
    url = ma.settings().database_url
    ma.close_db()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_write_rounds, args=(url, i)) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=180)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with db.SessionLocal() as db_session:
        quantities = db_session.scalars(select(Order.quantity).order_by(Order.id)).all()
        numbers = db_session.execute(select(Order.symbol, Order.price)).all()
    assert quantities == list(range(1, 4 * THREADS * ROUNDS + 1)), (
        "each saw the write before its own"
    )
    assert len(set(numbers)) == 4 * THREADS * ROUNDS


def test_missing_tables_name_the_command() -> None:
    with pytest.raises(DatabaseNotReadyError, match=r"no table 'users'.*mismartera db init"):
        names()


def test_tables_that_are_not_ours_keep_their_error(home: Path) -> None:
    ma.init_db()
    with (
        pytest.raises(Exception, match="no such table: unicorns") as caught,
        db.SessionLocal() as s,
    ):
        s.execute(text("SELECT * FROM unicorns"))
    assert not isinstance(caught.value, DatabaseNotReadyError)


def test_a_missing_column_names_the_upgrade(home: Path) -> None:
    ma.init_db()
    with db.session_scope() as db_session:
        db_session.execute(text("ALTER TABLE orders DROP COLUMN commission"))
    with (
        pytest.raises(DatabaseNotReadyError, match="mismartera db upgrade"),
        db.SessionLocal() as s,
    ):
        s.scalars(select(Order)).all()


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("mysql://h/x", ConfigurationError, "use 'sqlite' or 'postgresql'"),
        ("postgresql://u:p@127.0.0.1:xx/x", ConfigurationError, "not an SQLAlchemy URL"),
        ("postgresql+unicorn://h/x", ConfigurationError, "postgresql\\+unicorn"),
        ("postgresql+pg8000://h/x", ImportError, "pip install"),
        ("postgresql://ada:s3cret@127.0.0.1:1/x", DatabaseUnreachableError, "cannot open"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_sentence(
    url: str, error: type[Exception], words: str
) -> None:
    ma.configure(database_url=url)
    with pytest.raises(error, match=words) as caught:
        ma.init_db()
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_sentence(home: Path) -> None:
    (home / "data").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot make the folder .*/data"):
        ma.init_db()


def test_a_file_that_is_no_database_is_one_sentence(home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "mismartera.db").write_bytes(b"not a database at all " * 100)
    with pytest.raises(DatabaseUnreachableError, match="not a database"):
        ma.init_db()


def test_the_old_engine_says_that_it_is_retired(home: Path) -> None:
    ma.init_db()
    old = db.engine
    ma.configure(database_url="sqlite:///second.db")
    with pytest.raises(RetiredEngineError, match="configure"), old.connect():
        pass
    ma.init_db()
    assert db.engine is not old
    assert (home / "second.db").is_file()


@pytest.mark.postgres
def test_a_pooled_connection_that_died_is_replaced(postgres_url: str) -> None:
    ma.configure(database_url=postgres_url)
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_a_forked_process_opens_connections_of_its_own(ready_database: str) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    assert names() == set()
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sender, _process_that_connected().encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receiver, 100).decode() not in ("", _process_that_connected())


def _process_that_connected() -> str:
    with db.engine.connect() as connection:
        record: Any = connection.connection._connection_record  # type: ignore[attr-defined]
        return str(record.info["process"])


def test_a_password_in_the_urls_query_is_not_shown() -> None:
    settings = ma.configure(
        database_url="postgresql://127.0.0.1:1/x?user=ada&password=s3cret&connect_timeout=5"
    )
    assert "s3cret" not in repr(settings)
    with pytest.raises(DatabaseUnreachableError) as caught:
        ma.init_db()
    assert "s3cret" not in str(caught.value) + repr(db.engine)


def test_a_database_that_cannot_be_used_leaves_the_former_engine(home: Path) -> None:
    ma.configure(database_url="sqlite://")
    ma.init_db()
    with pytest.raises(ConfigurationError):
        _ = ma.configure(database_url="mysql://h/x"), db.engine
    ma.configure(database_url="sqlite://")
    assert names() == set(), "the database in memory is still the one with tables"


@pytest.mark.parametrize(("revision", "words"), [("0099", "newer version"), ("0002", "upgrade")])
def test_helpers_refuse_a_database_of_another_revision(
    home: Path, revision: str, words: str
) -> None:
    ma.init_db()
    with db.session_scope() as db_session:
        db_session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    with pytest.raises(DatabaseNotReadyError, match=words):
        ma.orders()


def test_reading_makes_no_database(home: Path) -> None:
    with pytest.raises(DatabaseNotReadyError, match="mismartera db init"):
        ma.orders()
    assert list(home.iterdir()) == []


def test_a_finished_process_leaves_one_whole_file(home: Path) -> None:
    program = "import mismartera_analytics as ma; ma.init_db()"
    environment = os.environ | {"PYTHONPATH": str(Path(ma.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=home, env=environment)
    assert [path.name for path in (home / "data").iterdir()] == ["mismartera.db"]


def test_memory_is_one_database_for_every_session() -> None:
    ma.configure(database_url="sqlite://")
    ma.init_db()
    with db.session_scope() as db_session:
        db_session.add(person("ada"))
    assert names() == {"ada"}


def test_another_process_takes_no_log_away_from_an_open_connection(home: Path) -> None:
    path = home / "mine.db"
    ma.configure(database_url=f"sqlite:///{path}")
    with db.session_scope() as db_session:
        db_session.execute(text("CREATE TABLE kept (number INTEGER)"))
    count = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute("
    count += "'SELECT count(*) FROM kept').fetchone()); c.close()"

    def count_elsewhere() -> str:
        command = [sys.executable, "-c", count, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with db.engine.connect() as first, db.engine.connect():  # two, each opens the file
        assert count_elsewhere() == "0"
        first.execute(text("INSERT INTO kept VALUES (1)"))
        first.commit()
        assert count_elsewhere() == "1", "what is committed is in the database"


def test_acknowledged_rows_outlive_a_loss_of_power(home: Path) -> None:
    """FULL is what SQLite does unless it is told otherwise: the log is settled at each COMMIT."""
    ma.configure(database_url=f"sqlite:///{home}/x.db")
    with db.session_scope() as writing, db.SessionLocal() as plain:
        for db_session in (writing, plain):
            driver = db_session.connection().connection.driver_connection
            assert driver is not None
            assert driver.execute("PRAGMA synchronous").fetchone() == (2,)
