"""How connections are opened on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoneFreeError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool, StaticPool

from mismartera_analytics.config import HiddenText
from mismartera_analytics.errors import (
    ConfigurationError,
    DatabaseBusyError,
    MissingDependencyError,
    StorageError,
    as_given,
)
from mismartera_analytics.models import failures

__all__ = [
    "for_writing",
    "impatient",
    "is_missing_file",
    "libpq_url",
    "lively",
    "make_engine",
    "read_only",
]

BUSY_TIMEOUT = 60.0  # [s]
_BEGIN = "mismartera_begin"
_SECRETS = "mismartera_secrets"
_HAS_LIMIT = "mismartera_has_limit"
SECRETS = ("password", "sslpassword")
"""Parts of a URL's query that nobody is shown."""
_FILE_MODE = 0o660
"""Rights of a new SQLite file, less those that the process masks: records of money are not for others
on the machine. SQLite gives its log the rights of the file."""
_SQLITE_OPTIONS = frozenset(
    {
        "cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri",
    }
)  # fmt: skip
"""Those of Python's driver; all others are SQLite's own, and part of a ``file:`` address."""
_TRUE = ("true", "yes", "on", "y", "t", "1")
"""What SQLAlchemy takes for a truth in an address."""
_making = threading.Lock()  # no thread connects to a file that another still has to close


def _parsed(url: str) -> URL:
    wrong = "is not an SQLAlchemy URL"
    with contextlib.suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if "%00" not in parsed.render_as_string(hide_password=False):
            return parsed
        wrong = "holds NUL (%00)"
    # Raised here, so that the error drags no frames along in which the address lies in parts.
    raise ConfigurationError(
        f"database_url {wrong}; write it as 'sqlite:///data/mismartera.db' or "
        "'postgresql://user@host/name'."
    )


def _with_password_hidden(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return a URL that shows no secret when printed, and what the driver has to be told besides."""
    told = {name: value for name in SECRETS if isinstance(value := url.query.get(name), str)}
    url = url.difference_update_query(list(told))
    if "password" in told:
        url = url.set(password=told["password"])
    if url.password is not None and url.get_backend_name() == "postgresql":
        told["password"] = str(url.password)
    return url, {name: HiddenText(value) for name, value in told.items()}


def libpq_url(engine: Engine) -> HiddenText:
    """Return the address of a PostgreSQL database as drivers without SQLAlchemy take it."""
    secrets = engine.get_execution_options().get(_SECRETS, {})
    url = engine.url.set(drivername="postgresql")
    url = url.update_query_dict(lively(url))
    if "sslpassword" in secrets:
        url = url.update_query_dict({"sslpassword": str(secrets["sslpassword"])})
    return HiddenText(url.render_as_string(hide_password=False))


def lively(url: URL) -> dict[str, str]:
    """Return libpq's options that notice a dead connection within a minute, where `url` says nothing.

    A laptop that slept, or a firewall that forgot, sends no word: without them a query waits for hours.
    """
    usual = {
        "connect_timeout": "10",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
    return {name: value for name, value in usual.items() if name not in url.query}


class _Pool(QueuePool):
    """Connections of an engine; says in a sentence that all of them are in use."""

    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except NoneFreeError:
            raise DatabaseBusyError(
                f"{self.checkedout()} connections to the database are in use, which is all there may "
                f"be, and none came free; close sessions, as 'with ma.SessionLocal() as s:' does."
            ) from None


def make_engine(url: str) -> Engine:
    """Return an engine for `url`; no connection is opened.

    Parameters
    ----------
    url
        SQLAlchemy URL of a SQLite file or a PostgreSQL database.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    ConfigurationError
        If the URL cannot be read or its database is neither SQLite nor PostgreSQL.
    MissingDependencyError
        If the driver is not installed.
    StorageError
        If the folder of a SQLite file cannot be made.
    """
    parsed, secrets = _with_password_hidden(_parsed(url))
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"database_url names {parsed.drivername!r}; use 'sqlite' or 'postgresql'."
        )
    _refuse_driver(parsed)
    if parsed.get_backend_name() == "sqlite":
        _refuse_form_of_sqlite(parsed)
    options: dict[str, Any] = {"pool_pre_ping": True, "poolclass": _Pool}
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"check_same_thread": False, "timeout": BUSY_TIMEOUT}
        if parsed.database in (None, "", ":memory:"):
            options["poolclass"] = StaticPool
    else:
        options["connect_args"] = {**lively(parsed), **secrets}
        options["execution_options"] = {_SECRETS: secrets}
    try:
        engine = create_engine(parsed, **options)
    except (TypeError, ValueError, ArgumentError) as error:
        raise ConfigurationError(
            f"database_url has an option whose value cannot be used ({error}); leave it out."
        ) from None
    except ModuleNotFoundError as error:
        package = error.name or parsed.get_driver_name()
        wanted = "'mismartera-analytics[postgres]'" if package == "psycopg" else package
        raise MissingDependencyError(
            f"the driver of {parsed.drivername!r} is not installed; run: pip install {wanted}."
        ) from None
    _listen(engine, parsed)
    return engine


def _refuse_driver(url: URL) -> None:
    try:
        is_async = url.get_dialect().is_async
    except NoSuchModuleError:
        raise ConfigurationError(
            f"database_url names the driver {url.drivername!r}, which SQLAlchemy does not know; "
            f"use 'sqlite' or 'postgresql'."
        ) from None
    if is_async:
        raise ConfigurationError(
            f"database_url names the asynchronous driver {url.drivername!r}; use 'sqlite' or "
            f"'postgresql'."
        )


def _refuse_form_of_sqlite(url: URL) -> None:
    """Refuse what would be left out with a warning: who asks for mode=ro wants nothing written."""
    if url.host or url.port or url.username or url.password:
        raise ConfigurationError(
            "database_url names a server, a user or a password, which a SQLite file has not; write it "
            "as 'sqlite:///data/mismartera.db', or with a fourth slash before an absolute path."
        )
    unheeded = sorted(set(url.query) - _SQLITE_OPTIONS)
    is_uri = str(url.query.get("uri", "")).casefold() in _TRUE
    if is_uri or not (unheeded or (url.database or "").startswith("file:")):
        return
    what = f"the option {as_given(unheeded[0])}" if unheeded else "a name that begins with 'file:'"
    raise ConfigurationError(
        f"database_url has {what}, which SQLite heeds in addresses such as "
        f"'sqlite:///file:/data/mismartera.db?mode=ro&uri=true' only."
    )


def _listen(engine: Engine, url: URL) -> None:
    """Prepare each connection and transaction of an engine, and have its failures translated."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", lambda *_: _make_place(url))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        # First: SQLAlchemy's own questions to a new connection would end in a TypeError there.
        refuse = partial(_refuse_encoding, repr(url))
        event.listen(engine, "connect", refuse, insert=True)
        event.listen(engine, "connect", _note_own_limit)
        event.listen(engine, "begin", _bound_waiting)
    event.listen(engine, "do_connect", _connect_without_frames)
    failures.listen(engine)
    if not isinstance(engine.pool, StaticPool):
        event.listen(engine, "connect", _note_process)
        event.listen(engine, "checkout", _refuse_other_process)


def _refuse_encoding(where: str, connection: Any, _record: object) -> None:
    """Refuse a database without an encoding, whose texts drivers hand over as bytes."""
    info = getattr(connection, "info", None)
    if info is not None and info.parameter_status("server_encoding") == "SQL_ASCII":
        raise ConfigurationError(
            f"{where} has the encoding SQL_ASCII, which says of no text what it means; make the "
            f"database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


def _connect_without_frames(
    dialect: Any, _record: object, arguments: Sequence[Any], options: dict[str, Any]
) -> Any:
    """Connect; a failure leaves the driver's frames behind, in which the password lies open."""
    try:
        return dialect.connect(*arguments, **options)
    except dialect.loaded_dbapi.Error as error:
        failure = error.with_traceback(None)
    except (OverflowError, TypeError, ValueError) as error:  # raised while it reads the address
        failure = ConfigurationError(f"the database's address cannot be used: {error}.")
    raise failure


def _note_process(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["process"] = os.getpid()


def _refuse_other_process(
    _connection: object, record: ConnectionPoolEntry, proxy: PoolProxiedConnection
) -> None:
    """Let a forked process open connections of its own: one connection cannot serve two."""
    if record.info["process"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None  # type: ignore[misc]
        raise DisconnectionError("the connection was opened before this process was forked")


def for_writing(engine: Engine) -> Engine:
    """Return `engine` with transactions that take SQLite's write lock at their start."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


@contextlib.contextmanager
def impatient(engine: Engine, seconds: float) -> Iterator[Connection]:
    """Give a connection in a writing transaction, which waits for other writers so long at most.

    It commits at the end.

    Yields
    ------
    sqlalchemy.engine.Connection
    """
    with for_writing(engine).connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")
                yield connection
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")


def is_missing_file(engine: Engine) -> bool:
    """Return whether a database is a SQLite file that is not there; connecting would make it."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or name in (None, "", ":memory:"):
        return False
    # os.path takes a name that is too long for one that is not there; Path raises.
    return not name.startswith("file:") and not os.path.exists(name)  # noqa: PTH110


@contextlib.contextmanager
def read_only(engine: Engine) -> Iterator[Connection]:
    """Give a connection that refuses to write.

    Yields
    ------
    sqlalchemy.engine.Connection
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            # As on SQLite, all that is read is of one state, whatever others commit meanwhile.
            yield connection.execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA query_only = ON")
        try:
            yield connection
        finally:
            driver.execute("PRAGMA query_only = OFF")


def _make_place(url: URL) -> None:
    if url.database in (None, "", ":memory:") or url.database.startswith("file:"):
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {folder} for the database ({error.strerror}); "
            f"set MISMARTERA_DATABASE_URL to a place that can be written."
        ) from None
    # A file that is there is never opened: closing it would take from this process the locks that
    # SQLite holds on it for other connections, and a stranger who closes his would remove the log.
    is_new = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with _making, contextlib.suppress(OSError):  # SQLite says itself why it cannot be opened
        os.close(os.open(os.path.realpath(url.database), is_new, _FILE_MODE))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, DDL included
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")
    _switch_to_wal(connection)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Turn write-ahead logging on; SQLite ignores the busy timeout here, so wait by hand."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode not in ("wal", "memory"):
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "readonly" in str(error) or "unable to open" in str(error):
                return
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _note_own_limit(connection: Any, record: ConnectionPoolEntry) -> None:
    """Remember whether the server, the role or the address bounds the waiting for locks by itself."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        record.info[_HAS_LIMIT] = cursor.fetchone()[0] != "0"
    connection.rollback()


def _bound_waiting(connection: Connection) -> None:
    """Let nobody on PostgreSQL wait for a lock longer than SQLite's writers do.

    A reader waits for a table only while somebody alters it: a migration that hangs.
    """
    if not connection.info.get(_HAS_LIMIT):
        limit = int(BUSY_TIMEOUT * 1000)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {limit}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
