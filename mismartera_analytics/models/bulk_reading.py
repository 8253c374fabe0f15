"""Large tables as Arrow columns: the driver fills them itself, and no Python object is made a value.

On SQLite ranges of the primary key are read side by side, each on a connection of its own, all of one
state of the file. On PostgreSQL one connection reads them with the server's binary copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_in_bulk"]

LEAST_ROWS = 50_000
"""Below so many keys the drivers' own connections cost more than they save."""
READERS = 2
ATTEMPTS = 5


def read_in_bulk(db_session: Session, statement: Select[Any], key: Any) -> list[pa.Table] | None:
    """Return the rows of a statement in the order of a primary key, None where it would not pay.

    Parameters
    ----------
    db_session
        From `database.read_session`: what it has written itself would not be seen.
    statement
        A select without an order.
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
        return _read_postgresql(engine, statement.order_by(key))
    path = engine.url.database
    if path in (None, "", ":memory:") or path.startswith("file:"):
        return None
    step = -(-(last - first + 1) // READERS)
    ranges = [
        statement.where(key >= low, key < low + step).order_by(key)
        for low in range(first, last + 1, step)
    ]
    return _read_sqlite(Path(path), ranges, batch_rows=step)


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
    dialect: Any = sqlite.dialect

    def read(connection: Any, statement: Select[Any]) -> pa.Table:
        text, values = _compiled(statement, dialect(paramstyle="qmark"))
        with connection.cursor() as cursor:
            # The driver takes a column's type from its first batch, so a range is one batch.
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(batch_rows)})
            cursor.execute(text, values)
            return cursor.fetch_arrow_table()

    with _same_state(path, len(ranges)) as connections, ThreadPoolExecutor(READERS) as pool:
        if connections is None:
            return None
        return list(pool.map(read, connections, ranges))


@contextmanager
def _same_state(path: Path, count: int) -> Iterator[list[Any] | None]:
    """Give connections that see the same state of a file; None while others keep writing."""
    from adbc_driver_sqlite import dbapi

    uri = f"{path.absolute().as_uri()}?mode=ro"
    with ExitStack() as stack:
        watch = stack.enter_context(closing(sqlite3.connect(uri, uri=True)))
        connections = [stack.enter_context(dbapi.connect(uri)) for _ in range(count)]
        for _ in range(ATTEMPTS):
            before = watch.execute("PRAGMA data_version").fetchone()
            for connection in connections:
                connection.rollback()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM sqlite_master")
                    cursor.fetchone()
            if watch.execute("PRAGMA data_version").fetchone() == before:
                yield connections
                return
        yield None


def _read_postgresql(engine: Engine, statement: Select[Any]) -> list[pa.Table] | None:
    if find_spec("adbc_driver_postgresql") is None:
        return None
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    dialect: Any = postgresql.dialect
    text, values = _compiled(statement, dialect(paramstyle="numeric_dollar"))
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return [cursor.fetch_arrow_table()]
