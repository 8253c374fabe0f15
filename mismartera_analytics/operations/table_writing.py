"""Rows read from one database into the tables of another, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Integer, insert, text
from sqlalchemy.engine import Connection

from mismartera_analytics.errors import DatabaseUnreachableError, StorageError
from mismartera_analytics.operations.column_forms import values_for
from mismartera_analytics.operations.table_rows import Piece, TableRows

__all__ = ["set_sequence", "write_table"]


def write_table(
    connection: Connection,
    table: TableRows,
    pieces: Iterator[Piece],
    *,
    on_rows: Callable[[int], object],
) -> None:
    """Write rows to an empty table.

    Parameters
    ----------
    connection
        Inside a transaction.
    table
        Which table, and the columns to write.
    pieces
        Its rows.
    on_rows
        Called with the number of rows that were written.

    Raises
    ------
    StorageError
        If the database refuses a row.
    DatabaseUnreachableError
        If the connection is lost.
    """
    if not table.is_plain:
        _insert_objects(connection, table, pieces, on_rows)
    elif connection.dialect.name == "sqlite":
        _insert_many(connection, table, pieces, on_rows)
    else:
        _copy_in(connection, table, pieces, on_rows)


def _names(connection: Connection, table: TableRows) -> tuple[str, str]:
    prepare = connection.dialect.identifier_preparer
    names = ", ".join(prepare.quote(column.name) for column in table.columns)
    return prepare.format_table(table.table), names


def _rows(table: TableRows, piece: Piece, dialect: str) -> Iterator[tuple[Any, ...]]:
    return zip(
        *(values_for(piece.columns[name], kind, dialect) for name, kind in table.kinds.items()),
        strict=True,
    )


def _insert_many(
    connection: Connection,
    table: TableRows,
    pieces: Iterator[Piece],
    on_rows: Callable[[int], object],
) -> None:
    name, columns = _names(connection, table)
    marks = ", ".join("?" * len(table.columns))
    for piece in pieces:
        rows = list(_rows(table, piece, "sqlite"))
        connection.exec_driver_sql(f"INSERT INTO {name} ({columns}) VALUES ({marks})", rows)
        on_rows(piece.rows)


def _copy_in(
    connection: Connection,
    table: TableRows,
    pieces: Iterator[Piece],
    on_rows: Callable[[int], object],
) -> None:
    name, columns = _names(connection, table)
    driver: Any = connection.dialect.loaded_dbapi
    raw: Any = connection.connection.driver_connection
    try:
        with (
            raw.cursor() as cursor,
            cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy,
        ):
            for piece in pieces:
                for row in _rows(table, piece, "postgresql"):
                    copy.write_row(row)
                on_rows(piece.rows)
    except driver.Error as error:
        # Only the first line: the second shows the row, which may hold a secret.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if raw.closed:
            raise DatabaseUnreachableError(
                f"the connection to {connection.engine.url!r} was lost ({reason}); nothing was written."
            ) from None
        raise StorageError(
            f"{connection.engine.url!r} does not take the rows of {table.name!r}: {reason}; nothing "
            f"was written."
        ) from None


def _insert_objects(
    connection: Connection,
    table: TableRows,
    pieces: Iterator[Piece],
    on_rows: Callable[[int], object],
) -> None:
    """Write a table with types that only its mapping knows how to write."""
    statement = insert(table.table)
    for piece in pieces:
        given = {name: _objects(piece, name, kind) for name, kind in table.kinds.items()}
        rows = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
        connection.execute(statement, rows)
        on_rows(piece.rows)


def _objects(piece: Piece, name: str, kind: str) -> list[Any]:
    import pyarrow as pa

    found = piece.columns[name]
    if kind == "other":
        return list(found.given)
    array = found.array.cast(pa.timestamp("us", "UTC")) if kind == "instant" else found.array
    values: list[Any] = array.to_pylist()
    return values


def set_sequence(connection: Connection, table: TableRows) -> None:
    """Let PostgreSQL number the next row of a table behind the last one."""
    keys = list(table.table.primary_key.columns)
    if len(keys) != 1 or not isinstance(keys[0].type, Integer):
        return
    name, _ = _names(connection, table)
    key = connection.dialect.identifier_preparer.quote(keys[0].name)
    sequence = text("SELECT pg_get_serial_sequence(:table, :key)")
    found = connection.execute(sequence, {"table": name, "key": keys[0].name}).scalar()
    if found is None:
        return
    last = connection.execute(text(f"SELECT max({key}) FROM {name}")).scalar()
    is_used = last is not None and last >= 1
    connection.execute(
        text("SELECT setval(CAST(:sequence AS regclass), :last, :used)"),
        {"sequence": found, "last": last if is_used else 1, "used": is_used},
    )
