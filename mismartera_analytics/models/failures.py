"""What a database's failures are called: drivers' errors become sentences that say what to do."""

from __future__ import annotations

import os
import re
import sqlite3
import weakref
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection, Dialect, ExceptionContext

from mismartera_analytics.errors import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    InvalidInputError,
    MismarteraError,
    NotAllowedError,
    OutcomeUnknownError,
    StorageError,
)

__all__ = ["GIVEN", "bulk_failure", "listen", "translate"]

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
        re.compile(r"due to statement timeout|due to user request"),
        DatabaseBusyError,
        "{where} broke a query off ({said}); ask for fewer rows, or have its statement_timeout raised.",
    ),
    (
        re.compile(r"invalid connection option|bad value for connect_timeout|no such vfs"),
        ConfigurationError,
        "{where} has an option that its driver does not take ({said}); correct the address.",
    ),
    (
        re.compile(r"due to conflict with recovery"),
        DatabaseBusyError,
        "{where} follows another server and had to drop what was read ({said}); try again.",
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
        re.compile(r"disk image is malformed|malformed database schema"),
        StorageError,
        "{where} is damaged ({said}); restore it from a backup.",
    ),
    (
        re.compile(r"Could not decode to UTF-8"),
        StorageError,
        "{where} holds text that is none ({said}); correct or delete the row.",
    ),
    (
        re.compile(r"cannot convert infinity to|(?:timestamp|date) too (?:large|small)"),
        StorageError,
        "{where} holds a time outside the years 1 to 9999 ({said}); correct or delete the row, which "
        "'mismartera db copy' and 'mismartera backup' name.",
    ),
    (
        re.compile(r'violates check constraint "ck_\w+_finite"'),
        InvalidInputError,
        "{where} takes no NaN, no infinite number and no time outside the years 1 to 9999 ({said}).",
    ),
    (
        re.compile(r"violates row-level security policy|row-level security policy \(USING"),
        NotAllowedError,
        "the database's role may write rows of its own user only on {where} ({said}).",
    ),
    (
        re.compile(r"permission denied for function mismartera_"),
        NotAllowedError,
        "the database's role stands for no user of {where}; the tables' owner lets it stand for one "
        "with 'mismartera db grant-role'.",
    ),
    (
        re.compile(r"permission denied for|affected by row-level security"),
        NotAllowedError,
        "the database's role may not do this on {where} ({said}); its owner can GRANT it.",
    ),
)
_HASH = re.compile(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,}")
_NO_VALUE = re.compile(
    r"Error binding parameter|cannot adapt type|out of range|cannot contain NUL|invalid byte sequence"
    r"|signaling NaN"
)
_SQLITE_UNREACHABLE = re.compile(r"unable to open database file|file is not a database")
_RESTARTING = re.compile(
    r"the database system is (?:starting up|shutting down|not yet accepting|not accepting|in recovery)"
    r"|too many clients already|remaining connection slots|terminating connection due to"
)
_SETTING = "MISMARTERA_DATABASE_URL"
GIVEN = "mismartera_given"
"""Option of an engine whose address was an argument, so that no setting is to be checked."""
_COMMITTING = "mismartera_committing"
_reached: weakref.WeakSet[Dialect] = weakref.WeakSet()
"""Dialects of engines that have been connected: where such a server is silent, it restarts."""


def listen(engine: Engine) -> None:
    """Have an engine's failures translated.

    Parameters
    ----------
    engine
        Every connection of it; what a failure means depends on what its connection was doing.
    """
    event.listen(engine, "handle_error", translate)
    event.listen(engine, "connect", lambda *_: _reached.add(engine.dialect))
    event.listen(engine, "begin", lambda connection: _note(connection, committing=False))
    event.listen(engine, "commit", lambda connection: _note(connection, committing=True))
    event.listen(engine, "rollback", lambda connection: _note(connection, committing=False))


def _note(connection: Connection, *, committing: bool) -> None:
    if not connection.invalidated:
        connection.info[_COMMITTING] = committing


def _is_committing(context: ExceptionContext) -> bool:
    connection = context.connection
    if connection is None or connection.invalidated or context.statement is not None:
        return False
    return bool(connection.info.get(_COMMITTING))


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
    for each in (failure, context.sqlalchemy_exception):
        if each is not None:
            _hide_hashes(each)
    message, said = str(failure), _said(failure)  # further lines may hold the values of a row
    where = repr(context.engine.url) if context.engine is not None else "the database"
    if context.is_disconnect and context.connection is not None:
        if _is_committing(context):
            raise OutcomeUnknownError(
                f"the connection to {where} was lost during COMMIT ({said}): whether the transaction "
                f"was written is not known; read what it should have written before writing it again."
            ) from failure
        raise _lost(where, said) from failure
    if _is_no_value(failure, said):
        raise InvalidInputError(
            f"{where} can neither hold nor look for a value given: {said}."
        ) from failure
    found = _meaning(said, where, said)
    if found is not None:
        raise found from failure
    if _could_not_connect(context, message):
        raise _unreached(context, message, where, said) from failure


def bulk_failure(failure: Exception, engine: Engine) -> MismarteraError | None:
    """Return the error of ours that a driver's error means, where that driver is not SQLAlchemy's.

    Parameters
    ----------
    failure
        From the reader in bulk.
    engine
        Whose database it read; SQLAlchemy had read from it just before.

    Returns
    -------
    MismarteraError or None
        None where the error is none that we know.
    """
    message, where = str(failure), repr(engine.url)
    found = _meaning(message, where, _said(failure))
    if found is not None:
        return found
    if _LOST_IN_BULK.search(message):
        return _lost(where, _said(failure))
    return None


_LOST_IN_BULK = re.compile(
    r"Failed to connect|server closed the connection|terminating connection|no connection to the "
    r"server|connection to server|could not receive data|SSL SYSCALL|SSL connection has been closed"
    r"|the database system is|Connection refused|Connection reset|Broken pipe"
)


def _said(failure: BaseException) -> str:
    message = str(failure)
    return message.splitlines()[0].strip() if message else type(failure).__name__


def _lost(where: str, said: str) -> ConnectionLostError:
    return ConnectionLostError(
        f"the connection to {where} was lost ({said}); what was not committed is undone. Try again."
    )


def _meaning(message: str, where: str, said: str) -> MismarteraError | None:
    """Return the error that a message means by itself."""
    missing = _missing(message, where, said)
    if missing is not None:
        return missing
    for pattern, error, sentence in _SENTENCES:
        if pattern.search(message):
            return error(sentence.format(where=where, said=said))
    return None


def _unreached(
    context: ExceptionContext, message: str, where: str, said: str
) -> DatabaseUnreachableError:
    """Tell a server that restarts, which is worth waiting for, from an address that is wrong."""
    dialect, engine = context.dialect, context.engine
    refuses = "FATAL" in message  # it answers, but not to us
    is_server = (
        dialect.name != "sqlite"
    )  # a file that cannot be opened does not come back by itself
    if is_server and (_RESTARTING.search(message) or (dialect in _reached and not refuses)):
        return ConnectionLostError(
            f"{where} does not answer for now ({said}); its server restarts or is full. Try again."
        )
    folder = None if is_server or engine is None else _folder_of(engine)
    if folder is not None and folder.is_dir() and not os.access(folder, os.W_OK):
        return DatabaseUnreachableError(
            f"cannot open {where} ({said}); its folder {folder} cannot be written, which SQLite needs "
            f"for its log: give it write permission, or copy the file elsewhere."
        )
    is_given = engine is not None and engine.get_execution_options().get(GIVEN)
    return DatabaseUnreachableError(
        f"cannot open {where} ({said}); check {'the address' if is_given else _SETTING} and that the "
        f"server or folder is there."
    )


def _folder_of(engine: Engine) -> Path | None:
    """Return the folder of a SQLite file; None for a database in memory."""
    name = engine.url.database
    return None if name in (None, "", ":memory:") else Path(str(name)).absolute().parent


def _hide_hashes(failure: BaseException) -> None:
    """Take password hashes out of what a server says of a row that it refuses."""
    if any(isinstance(part, str) and _HASH.search(part) for part in failure.args):
        failure.args = tuple(
            _HASH.sub("***", part) if isinstance(part, str) else part for part in failure.args
        )


def _is_no_value(failure: BaseException, message: str) -> bool:
    """Whether a parameter is what no column holds: NUL, half a character, a number too large."""
    if isinstance(failure, UnicodeEncodeError | OverflowError):
        return True
    return _NO_VALUE.search(message) is not None


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
