"""The transaction in which the database's tables are changed."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from mismartera_analytics.errors import MigrationError
from mismartera_analytics.models import connections

__all__ = ["migrating"]

LOCK = 0x6D69736D  # "mism", the key of PostgreSQL's advisory lock
LEFTOVER = "_alembic_tmp_"

_one_at_a_time = threading.RLock()  # Alembic's `op` and `context` are globals of the process


@contextlib.contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside a transaction that holds the database's migration lock.

    It commits at the end and rolls everything back, tables included, when an error leaves the block.

    Parameters
    ----------
    engine
        The database.

    Yields
    ------
    sqlalchemy.engine.Connection

    Raises
    ------
    DatabaseBusyError
        If another connection holds the lock, or a table, for longer than the busy timeout.
    MigrationError
        On SQLite, if references between rows were broken, or an interrupted migration lost a table.
    """
    with _one_at_a_time, connections.for_writing(engine).connect() as connection:
        if engine.dialect.name == "sqlite":
            with (
                _tables_can_be_rebuilt(connection),
                connection.begin(),
                _nothing_lost(connection),
            ):
                yield connection
        else:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
                yield connection


@contextlib.contextmanager
def _tables_can_be_rebuilt(connection: Connection) -> Iterator[None]:
    """Let a table be dropped and made anew without a word to those that refer to it.

    With foreign keys on, dropping a table first deletes its rows, and cascades. Without the legacy
    rename, a view that names the table stops the new one from taking its name. Neither setting can be
    changed inside a transaction.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys = OFF")
    driver.execute("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed, when interrupted
            driver.execute("PRAGMA legacy_alter_table = OFF")
            driver.execute("PRAGMA foreign_keys = ON")


@contextlib.contextmanager
def _nothing_lost(connection: Connection) -> Iterator[None]:
    """Keep triggers, which a rebuilt table loses, and refuse to break references."""
    _clear_leftovers(connection)
    triggers = _triggers(connection)
    broken = broken_references(connection)
    yield
    for name in sorted(triggers.keys() - _triggers(connection).keys()):
        table, statement = triggers[name]
        if table in inspect(connection).get_table_names():
            connection.exec_driver_sql(statement)
    newly_broken = broken_references(connection) - broken
    if newly_broken:
        (table, parent), rows = newly_broken.most_common(1)[0]
        raise MigrationError(
            f"{rows} rows of {table!r} would refer to rows of {parent!r} that are gone; "
            f"nothing was changed."
        )


def _triggers(connection: Connection) -> dict[str, tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
    )
    return {name: (table, statement) for name, table, statement in rows}


def broken_references(connection: Connection) -> Counter[tuple[str, str]]:
    """Count, for each table and the table it refers to, the rows whose reference leads nowhere.

    A table whose reference SQLite cannot follow at all (to a column that is not unique) is left out.

    Parameters
    ----------
    connection
        A connection to SQLite.

    Returns
    -------
    collections.Counter
        Keys are (table, table referred to).
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    broken: Counter[tuple[str, str]] = Counter()
    for name in inspect(connection).get_table_names():
        with contextlib.suppress(OperationalError):  # "foreign key mismatch"
            rows = connection.exec_driver_sql(f"PRAGMA foreign_key_check({quote(name)})")
            broken.update((table, parent) for table, _, parent, _ in rows)
    return broken


def _clear_leftovers(connection: Connection) -> None:
    """Drop what an interrupted batch migration left, which would stop the next one."""
    tables = set(inspect(connection).get_table_names())
    for leftover in sorted(table for table in tables if table.startswith(LEFTOVER)):
        original = leftover.removeprefix(LEFTOVER)
        if original not in tables:
            raise MigrationError(
                f"an interrupted migration left {leftover!r}, and {original!r} is gone: rename it "
                f"with 'ALTER TABLE {leftover} RENAME TO {original}', then try again."
            )
        connection.exec_driver_sql(f'DROP TABLE "{leftover}"')
