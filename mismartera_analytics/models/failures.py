"""What a database's failures are called: drivers' errors become sentences that say what to do."""

from __future__ import annotations

import re
import sqlite3

from sqlalchemy.engine import ExceptionContext

from mismartera_analytics.errors import (
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    MismarteraError,
    NotAllowedError,
    StorageError,
)

__all__ = ["translate"]

_MISSING_COLUMN = re.compile(
    r"no such column: ([\w.]+)"
    r"|has no column named (\w+)"
    r'|column "?([\w.]+)"? (?:of relation "\w+" )?does not exist'
)
_MISSING_TABLE = re.compile(r'no such table: (?:main\.)?(\w+)|^relation "(\w+)" does not exist')

_SENTENCES: tuple[tuple[re.Pattern[str], type[MismarteraError], str], ...] = (
    (
        re.compile(r"database (?:table )?is locked"),
        DatabaseBusyError,
        "another writer changed or holds {where}; do the reading and the writing inside one 'with "
        "session_scope() as db_session:', which waits for its turn.",
    ),
    (
        re.compile(r"due to lock timeout|deadlock detected|could not serialize access"),
        DatabaseBusyError,
        "another connection holds what is needed of {where} ({said}); close it, or try again.",
    ),
    (
        re.compile(r"cannot start a transaction within a transaction"),
        DatabaseBusyError,
        "{where} has one connection, and an open session uses it; close that session first.",
    ),
    (
        re.compile(r"readonly database|read-only transaction"),
        StorageError,
        "{where} cannot be written: its file or folder is read-only, or the connection was opened "
        "for reading.",
    ),
    (
        re.compile(r"disk is full|No space left on device|disk I/O error"),
        StorageError,
        "{where} cannot be written ({said}); make room on its disk.",
    ),
    (
        re.compile(r"disk image is malformed"),
        StorageError,
        "{where} is damaged ({said}); restore it from a backup.",
    ),
    (
        re.compile(r"permission denied for"),
        NotAllowedError,
        "the database's role may not do this on {where} ({said}); its owner can GRANT it.",
    ),
)
_SQLITE_UNREACHABLE = re.compile(r"unable to open database file|file is not a database")


def translate(context: ExceptionContext) -> None:
    """Replace a driver's error by one of ours, where we know what it means.

    Parameters
    ----------
    context
        What SQLAlchemy's event ``handle_error`` passes.

    Raises
    ------
    MismarteraError
        From the driver's error. Others pass as they are.
    """
    if context.is_pre_ping:  # a pooled connection that has died is replaced, not reported
        return
    failure = context.original_exception
    message = str(failure)
    said = message.splitlines()[0].strip() if message else type(failure).__name__
    where = repr(context.engine.url) if context.engine is not None else "the database"
    missing = _missing(message, where, said)
    if missing is not None:
        raise missing from failure
    for pattern, error, sentence in _SENTENCES:
        if pattern.search(message):
            raise error(sentence.format(where=where, said=said)) from failure
    if context.is_disconnect and context.connection is not None:
        raise DatabaseUnreachableError(
            f"the connection to {where} was lost ({said}); what was not committed is undone. "
            f"Try again."
        ) from failure
    if _could_not_connect(context, message):
        raise DatabaseUnreachableError(
            f"cannot open {where} ({said}); check MISMARTERA_DATABASE_URL and that the server or "
            f"folder is there."
        ) from failure


def _missing(message: str, where: str, said: str) -> DatabaseNotReadyError | None:
    """Return the error of a table or column of ours that is not there."""
    column, table = _MISSING_COLUMN.search(message), _MISSING_TABLE.search(message)
    if column is None and table is None:
        return None
    from mismartera_analytics.models import load_mappings
    from mismartera_analytics.models.database import Base

    load_mappings()
    ours = Base.metadata.tables
    if column is not None:
        name = next(filter(None, column.groups())).rpartition(".")[2]
        if any(name in each.columns for each in ours.values()):
            return DatabaseNotReadyError(
                f"{where} lacks a column ({said}); bring it up to date with 'mismartera db upgrade'."
            )
    elif table is not None and (name := next(filter(None, table.groups()))) in ours:
        return DatabaseNotReadyError(
            f"{where} has no table {name!r}; create the tables with 'mismartera db init' or "
            f"ma.init_db()."
        )
    return None


def _could_not_connect(context: ExceptionContext, message: str) -> bool:
    if isinstance(context.original_exception, sqlite3.Error):
        return _SQLITE_UNREACHABLE.search(message) is not None
    if context.connection is not None:
        return False
    return type(context.original_exception).__name__ in ("OperationalError", "ConnectionTimeout")
