"""Large tables as Arrow columns: the driver fills them itself, and no Python object is made a value.

On SQLite ranges of the primary key are read side by side, each on a connection of its own, all of one
state of the file and in a process of their own (see `sqlite_reader`). On PostgreSQL one connection
reads them with the server's binary copy.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from mismartera_analytics.models import connections, failures, retrying
from mismartera_analytics.models.sqlite_reader import BUSY

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_in_bulk", "require_one_state"]

LEAST_ROWS = 100_000
"""Below so many keys a process or a connection of its own costs more than it saves."""
READERS = 2
ATTEMPTS = 2
"""How often a function on SQLite is tried with rows in bulk, which see a state of their own."""
_SEEN = "mismartera_seen_in_bulk"
logger = logging.getLogger(__name__)


def read_in_bulk(db_session: Session, statement: Select[Any], key: Any) -> list[pa.Table] | None:
    """Return the rows of a statement in the order of a primary key, None where it would not pay.

    Parameters
    ----------
    db_session
        From `database.read_session`: what it has written itself would not be seen.
    statement
        A select without an order. On SQLite it is read in bulk only inside a `retrying.repeated`
        function, which reads again if the file changed between the session's state and the reader's.
    key
        The integer primary key of the rows.

    Returns
    -------
    list of pyarrow.Table or None
        Columns typed as the driver saw them in each: SQLite's times are text, a column without any
        value has any type. None for small tables, databases in memory, drivers that are not
        installed, and where others never stop writing.
    """
    engine = db_session.get_bind().engine
    first, last = db_session.execute(select(func.min(key), func.max(key))).one()
    if first is None or last - first < LEAST_ROWS:
        return None
    if engine.dialect.name == "postgresql":
        return _read_postgresql(db_session, statement.order_by(key))
    path = engine.url.database
    if not 1 <= retrying.attempt() <= ATTEMPTS:  # nobody would read again where the state has moved
        return None
    if path in (None, "", ":memory:") or path.startswith("file:"):
        return None
    step = -(-(last - first + 1) // READERS)
    ranges = [
        statement.where(key >= low, key < low + step).order_by(key)
        for low in range(first, last + 1, step)
    ]
    db_session.info.setdefault(_SEEN, _data_version(db_session))
    return _read_sqlite(Path(path), ranges, batch_rows=step)


def require_one_state(db_session: Session) -> None:
    """Refuse what a session read together with rows in bulk, if the file has changed meanwhile.

    Parameters
    ----------
    db_session
        From `database.read_session`, at its end: its transaction is over afterwards.

    Raises
    ------
    StateMovedError
        If another process or thread has committed since the session began to read.
    """
    seen = db_session.info.get(_SEEN)
    if seen is None:
        return
    db_session.rollback()
    if _data_version(db_session) != seen:
        raise retrying.StateMovedError("the database has changed while it was read; try again.")


def _data_version(db_session: Session) -> int:
    """Return SQLite's number of the state that a connection sees; another's commit changes it."""
    return int(db_session.connection().exec_driver_sql("PRAGMA data_version").scalar_one())


def _compiled(statement: Select[Any], dialect: Dialect) -> tuple[str, list[Any]]:
    """Return a statement as text with its parameters in order."""
    compiled: Any = statement.compile(dialect=dialect)
    state = compiled.construct_expanded_state()
    values = []
    for name in state.positiontup or ():
        process, value = state.processors.get(name), state.parameters[name]
        if name in compiled.binds:
            process = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
        values.append(value if process is None else process(value))
    return state.statement, values


def _read_sqlite(
    path: Path, ranges: Sequence[Select[Any]], *, batch_rows: int
) -> list[pa.Table] | None:
    import pyarrow as pa

    dialect: Any = sqlite.dialect
    asked = {
        "uri": f"{path.absolute().as_uri()}?mode=ro",
        "batch_rows": batch_rows,
        "queries": [_compiled(one, dialect(paramstyle="qmark")) for one in ranges],
    }
    script = Path(__file__).with_name("sqlite_reader.py")
    done = subprocess.run(  # -P: the folder of a script would hide modules of the standard library
        [sys.executable, "-P", str(script)],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode == BUSY:
        return None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        logger.warning("the fast reader failed (%s); rows are read one by one.", told[-1:])
        return None
    source = pa.BufferReader(done.stdout)
    return [pa.ipc.open_stream(source).read_all() for _ in ranges]


def _read_postgresql(db_session: Session, statement: Select[Any]) -> list[pa.Table] | None:
    """Read on a connection of the driver's own, which sees the state that the session sees."""
    if find_spec("adbc_driver_postgresql") is None:
        return None
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    engine = db_session.get_bind().engine
    dialect: Any = postgresql.dialect
    text, values = _compiled(statement, dialect(paramstyle="numeric_dollar"))
    snapshot = str(db_session.scalar(select(func.pg_export_snapshot())))
    try:
        with (
            dbapi.connect(connections.libpq_url(engine)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            # Who alters the table waits for the session, and would be waited for here: for ever.
            cursor.execute(f"SET LOCAL lock_timeout = {int(connections.BUSY_TIMEOUT * 1000)}")
            cursor.execute(text, values or None)
            return [cursor.fetch_arrow_table()]
    except dbapi.Error as failure:
        translated = failures.bulk_failure(failure, engine)
        if translated is None:
            raise
        raise translated from failure
