"""Whole databases as tables of rows: one state of each, read piece by piece in the order of the key."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    String,
    Table,
    collate,
    create_engine,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.pool import StaticPool

from mismartera_analytics import config
from mismartera_analytics.errors import DatabaseNotReadyError, InvalidInputError, StorageError
from mismartera_analytics.given_files import expanded
from mismartera_analytics.models import connections, failures, load_mappings
from mismartera_analytics.operations.column_forms import (
    Converted,
    Kind,
    converted,
    expression_of,
    kind_of,
)
from mismartera_analytics.operations.table_digests import TableContent, TableDigest

__all__ = [
    "Contents",
    "Piece",
    "TableRows",
    "content_of",
    "contents_of",
    "engine_of",
    "file_engine",
    "snapshot",
    "speak_plainly",
]

MOST_ROWS = 10_000
BYTES = 8_000_000  # of text in a piece, about: what is held in memory at once
VERSION_TABLE = "alembic_version"
_VERSIONS = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


def engine_of(where: str | Path) -> Engine:
    """Return an engine for a database that is named by its URL or, for SQLite, by its file.

    Parameters
    ----------
    where
        A URL, or the path of a SQLite file.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    InvalidInputError
        If it names a database in memory.
    ConfigurationError
        If the URL cannot be read or names another database.

    Examples
    --------
    >>> engine_of("/tmp/mine.db").url.database
    '/tmp/mine.db'
    """
    engine = _engine_of(str(where))
    if str(where) != config.settings().database_url:
        engine.update_execution_options(**{failures.GIVEN: True})
    return engine


def _engine_of(named: str) -> Engine:
    if "://" not in named:
        named = config.sqlite_url(expanded(named, argument="database").absolute())
    elif named.startswith("postgres://"):
        named = named.replace("postgres://", "postgresql://", 1)
    engine = connections.make_engine(named)
    url = engine.url
    if engine.dialect.name == "postgresql" and engine.dialect.driver != "psycopg":
        return connections.make_engine(
            url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        )
    if engine.dialect.name == "sqlite":
        if url.database in (None, "", ":memory:") or url.database.startswith("file:"):
            raise InvalidInputError(f"{url!r} names no file that can be copied.")
        return connections.make_engine(config.sqlite_url(config.home() / url.database))
    return engine


def file_engine(path: Path) -> Engine:
    """Return an engine that reads a SQLite file which nobody changes, and leaves no trace beside it."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=StaticPool)


@contextlib.contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of a database while others write, and cannot write.

    Yields
    ------
    sqlalchemy.engine.Connection

    Raises
    ------
    DatabaseNotReadyError
        If a SQLite file is not there.
    NotAllowedError
        Of a later statement on PostgreSQL, if row security would hide rows from this role.
    """
    if connections.is_missing_file(engine):
        raise DatabaseNotReadyError(f"there is no file {engine.url.database!r}.")
    if engine.dialect.name == "sqlite":
        with connections.read_only(engine) as connection, connection.begin():
            yield connection
        return
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        speak_plainly(connection)
        connection.execute(text("SET LOCAL row_security = off"))  # an error instead of fewer rows
        yield connection


def speak_plainly(connection: Connection) -> None:
    """Let PostgreSQL write and read times in UTC and floats with every digit, in this transaction."""
    for setting in ("timezone = 'UTC'", "datestyle = 'ISO, YMD'", "extra_float_digits = 3"):
        connection.execute(text(f"SET LOCAL {setting}"))


@dataclass(frozen=True)
class Piece:
    """Some rows of a table, column by column."""

    rows: int
    columns: dict[str, Converted]


@dataclass(frozen=True)
class TableRows:
    """A table of a database.

    Attributes
    ----------
    table
        As it is mapped.
    columns
        Those of its columns that the database has.
    """

    table: Table
    columns: tuple[Column[Any], ...]

    @property
    def name(self) -> str:
        """Of the table."""
        return self.table.name

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Kind of each column."""
        return {column.name: kind_of(column.type) for column in self.columns}

    @property
    def is_plain(self) -> bool:
        """Whether every column is of a kind that we know."""
        return "other" not in self.kinds.values()

    def count(self, connection: Connection) -> int:
        """Return how many rows there are."""
        found = connection.execute(select(func.count()).select_from(self.table)).scalar_one()
        return int(found)

    def pieces(self, connection: Connection) -> Iterator[Piece]:
        """Yield the rows in the order of the primary key.

        Raises
        ------
        StorageError
            If a value cannot be read, or rows are missing.
        """
        dialect = connection.dialect.name
        selected = [expression_of(column, dialect).label(column.name) for column in self.columns]
        statement = select(*selected).order_by(*self._order(dialect))
        is_server = dialect != "sqlite"  # SQLite hands rows over one by one as it is
        statement = statement.execution_options(stream_results=is_server, max_row_buffer=MOST_ROWS)
        result = connection.execute(statement)
        # A driver's own tuples come several times as fast as Row objects.
        source: Any = result.cursor if self.is_plain and not is_server else result
        read = 0
        size = 1 if self._has_long_text() else MOST_ROWS // 10
        with contextlib.closing(result):
            while rows := self._fetched(connection, source, size):
                parts = zip(self.kinds.items(), zip(*rows, strict=True), strict=True)
                columns = {name: converted(part, kind, dialect) for (name, kind), part in parts}
                yield Piece(len(rows), columns)
                read += len(rows)
                held = sum(piece.array.nbytes for piece in columns.values())
                size = max(1, min(MOST_ROWS, BYTES * len(rows) // max(1, held)))
        if read != (counted := self.count(connection)):
            raise StorageError(
                f"table {self.name!r} of {connection.engine.url!r} gave {read} of its {counted} rows."
            )

    def _has_long_text(self) -> bool:
        return any(
            kind in ("text", "other") and getattr(column.type, "length", None) is None
            for column, kind in zip(self.columns, self.kinds.values(), strict=True)
        )

    def _order(self, dialect: str) -> list[Any]:
        keys = self.table.primary_key.columns
        if dialect == "sqlite":
            return list(keys)
        return [collate(key, "C") if kind_of(key.type) == "text" else key for key in keys]

    def _fetched(self, connection: Connection, source: Any, size: int) -> Any:
        driver: Any = connection.dialect.loaded_dbapi
        try:
            return source.fetchmany(size)
        except driver.Error as error:
            reason = str(error).splitlines()[0]
            raise StorageError(
                f"table {self.name!r} of {connection.engine.url!r} cannot be read: {reason}."
            ) from None


@dataclass(frozen=True)
class Contents:
    """What a database has.

    Attributes
    ----------
    tables
        Those that can be copied, each after the tables that it refers to.
    left_out
        What cannot: tables, columns, views and triggers that no mapping knows, in words.
    """

    tables: tuple[TableRows, ...]
    left_out: tuple[str, ...]


def contents_of(connection: Connection) -> Contents:
    """Return what a database has of the tables that are mapped, and what it has besides."""
    from mismartera_analytics.models.database import Base

    load_mappings()
    found = inspect(connection)
    there = set(found.get_table_names())
    tables, left_out = [], []
    for table in [_VERSIONS, *Base.metadata.sorted_tables]:
        if table.name not in there:
            continue
        if not table.primary_key.columns:
            left_out.append(f"table {table.name!r}, which has no primary key")
            continue
        present = {column["name"] for column in found.get_columns(table.name)}
        tables.append(TableRows(table, tuple(c for c in table.columns if c.name in present)))
        extra = sorted(present - set(table.columns.keys()))
        left_out += [f"column {table.name}.{name}" for name in extra]
    mapped = {VERSION_TABLE, *Base.metadata.tables}
    left_out += [f"table {name!r}" for name in sorted(there - mapped)]
    left_out += [f"view {name!r}" for name in sorted(found.get_view_names())]
    if connection.dialect.name == "sqlite":
        triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
        left_out += [f"trigger {name!r}" for name in connection.execute(triggers).scalars()]
    return Contents(tuple(tables), tuple(left_out))


def content_of(connection: Connection, table: TableRows) -> TableContent:
    """Return rows and checksum of a table.

    Raises
    ------
    StorageError
        If a value cannot be read.
    """
    digest = TableDigest(table.name, table.kinds)
    for piece in table.pieces(connection):
        digest.add(piece.columns, piece.rows)
    return digest.content()
