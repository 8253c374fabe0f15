"""SQLite databases as files: one state of each, and a name for what is finished."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import Connection

from mismartera_analytics.errors import DatabaseBusyError, InvalidInputError, StorageError
from mismartera_analytics.files import settle
from mismartera_analytics.models import connections
from mismartera_analytics.operations.table_rows import file_engine

__all__ = ["give_name", "opened_file", "place_file", "refuse_logs", "take_file"]

_FILE_MODE = 0o660
"""As of databases that are made: not for others."""


@contextlib.contextmanager
def opened_file(path: Path) -> Iterator[Connection]:
    """Give a connection to a SQLite file that nobody changes, and leave no trace beside it."""
    engine = file_engine(path)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def take_file(source: Path, target: Path) -> None:
    """Copy one state of a SQLite database into a new file, while others write, and settle it.

    Raises
    ------
    OSError
        If the target's disk is full; the caller knows what is being written.
    StorageError
        If the source is damaged.
    DatabaseBusyError
        If another program holds the source for longer than the busy timeout.
    """
    try:
        with (
            contextlib.closing(sqlite3.connect(source.as_uri() + "?mode=rw", uri=True)) as here,
            contextlib.closing(sqlite3.connect(target)) as there,
        ):
            _copy_pages(here, there, source)
            there.execute("PRAGMA journal_mode = DELETE")  # a single file
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:  # of the target: the
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None  # source is read
        raise StorageError(f"{source} cannot be copied: {error}.") from None
    settle(target)


def _copy_pages(here: sqlite3.Connection, there: sqlite3.Connection, held: Path) -> None:
    """Copy all pages in one step: it is one state, and no writer can restart it."""
    deadline = time.monotonic() + connections.BUSY_TIMEOUT

    def waited(status: int, _left: int, _all: int) -> None:  # without it Python waits for ever
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise DatabaseBusyError(f"another program holds {held}; close it, or try again.")

    for connection in (here, there):
        connection.execute(f"PRAGMA busy_timeout = {int(connections.BUSY_TIMEOUT * 1000)}")
    here.backup(there, progress=waited)


def give_name(beside: Path, path: Path) -> None:
    """Give a finished file its name, which nobody has yet, and settle it.

    Raises
    ------
    FileExistsError
        If somebody has it by now.
    """
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        beside.rename(path)
    settle(path.parent)


def refuse_logs(path: Path) -> None:
    """Refuse a name whose former database left a log: SQLite would play it into the new one.

    Raises
    ------
    InvalidInputError
        If there is one, and no database.
    """
    logs = [] if path.exists() else [Path(f"{path}{end}") for end in ("-wal", "-journal")]
    left = next((log for log in logs if log.exists() and log.stat().st_size), None)
    if left is not None:
        raise InvalidInputError(
            f"{left} was left by a former database of that name and would damage the new one; move it "
            f"away, or name another file."
        )


def place_file(beside: Path, path: Path) -> None:
    """Give a finished file of SQLite its name, or its content to a database without tables.

    Raises
    ------
    InvalidInputError
        If there is a database with tables by now, or a log of a former one.
    StorageError
        If the database that is there takes nothing.
    DatabaseBusyError
        If another program holds it for longer than the busy timeout.
    """
    refuse_logs(path)
    beside.chmod(beside.stat().st_mode & _FILE_MODE)
    try:
        give_name(beside, path)
    except FileExistsError:
        try:
            _fill(path, beside)
        except sqlite3.Error as error:
            raise StorageError(f"{path} cannot be written: {error}.") from None


def _fill(path: Path, beside: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as there:
        if there.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise InvalidInputError(f"{path} is not empty; name another file.") from None
        with contextlib.closing(sqlite3.connect(beside)) as here:
            _copy_pages(here, there, path)  # one transaction of the database that is there
