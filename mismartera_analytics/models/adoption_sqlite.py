"""A table of SQLite made anew with named constraints, and its naive times read in a zone."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Inspector,
    MetaData,
    Table,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import UserDefinedType

from mismartera_analytics import clock
from mismartera_analytics.errors import MigrationError

__all__ = ["NaiveTimes", "rebuild"]

_COPY = "_mismartera_adopted"
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_LOST = re.compile(r"\b(COLLATE|AUTOINCREMENT|WITHOUT\s+ROWID|STRICT)\b", re.IGNORECASE)
_OF_A_BOOLEAN = re.compile(r"\w+ IN \(0, 1\)")


class NaiveTimes:
    """Reads the texts in which SQLite keeps times, and counts what it had to assume.

    Attributes
    ----------
    naive, doubled, shifted
        Times without a zone; those in a doubled hour (the first is taken); those in a skipped hour
        (moved forward).
    unreadable
        Descriptions of values that are no time.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.naive = self.doubled = self.shifted = 0
        self.unreadable: list[str] = []

    def read(self, label: str, row: int, by_database: int, value: Any) -> str | None:
        """Return a time as UTC, in the form in which SQLAlchemy writes it.

        Parameters
        ----------
        label, row
            Column and id, for the message about a value that cannot be read.
        by_database
            Whether the column has the default CURRENT_TIMESTAMP. SQLite writes that in UTC and without
            a fraction, which the mappings always write: such a time is UTC whatever the zone.
        value
            ISO text, with or without fraction and offset; None stays None.
        """
        if value is None:
            return None
        try:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = self._in_zone(
                    moment, clock.UTC if by_database and "." not in value else None
                )
            moment = moment.astimezone(clock.UTC).replace(tzinfo=None)
        except (TypeError, ValueError, OverflowError):
            self.unreadable.append(f"{label} of row {row} is {value!r}")
            return None
        return moment.isoformat(sep=" ", timespec="microseconds")

    def _in_zone(self, moment: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
        self.naive += 1
        first = moment.replace(tzinfo=zone or self.zone, fold=0)
        offset, later_offset = first.utcoffset(), first.replace(fold=1).utcoffset()
        assert offset is not None
        assert later_offset is not None
        self.doubled += offset > later_offset
        self.shifted += offset < later_offset
        return first


class _Declared(UserDefinedType[Any]):
    """A type as the table declares it."""

    cache_ok = True

    def __init__(self, declaration: str) -> None:
        self.declaration = declaration

    def get_col_spec(self, **_: Any) -> str:
        return self.declaration


def rebuild(connection: Connection, documented: Table, times: NaiveTimes) -> None:
    """Make a table anew as `documented`, with the user's own columns, and copy its rows.

    Parameters
    ----------
    connection
        Inside a transaction, with foreign keys off.
    documented
        The table as it shall be.
    times
        Reads its times.

    Raises
    ------
    MigrationError
        If a time cannot be read, or the table has a feature that would be lost.
    """
    name = documented.name
    inspector = inspect(connection)
    _refuse_features(connection, inspector, name)
    table = _with_extras(connection, inspector, documented)
    indexes = _own_indexes(connection, documented)
    connection.exec_driver_sql(f'CREATE TEMP TABLE {_COPY} AS SELECT * FROM main."{name}"')
    connection.exec_driver_sql(f'DROP TABLE main."{name}"')
    connection.execute(CreateTable(table))
    _copy(connection, table, times)
    connection.exec_driver_sql(f"DROP TABLE temp.{_COPY}")
    for index in table.indexes:
        connection.execute(CreateIndex(index))
    for statement in indexes:
        connection.exec_driver_sql(statement)
    if times.unreadable:
        raise MigrationError(
            f"{len(times.unreadable)} times cannot be read ({'; '.join(times.unreadable[:3])}); "
            f"correct them first."
        )


def _refuse_features(connection: Connection, inspector: Inspector, name: str) -> None:
    created: str = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
    ).scalar_one()
    feature = _LOST.search(_QUOTED.sub("''", created))
    lost = feature[1].upper() if feature else ""
    for column in connection.exec_driver_sql(f'PRAGMA table_xinfo("{name}")').mappings():
        if column["hidden"]:
            lost = f"the generated column {column['name']}"
    if lost:
        raise MigrationError(
            f"table {name!r} is made with {lost}, which adoption would lose; make the table anew "
            f"without it."
        )
    key = inspector.get_pk_constraint(name)["constrained_columns"]
    if key != ["id"]:
        raise MigrationError(f"the primary key of table {name!r} is {key} instead of ['id'].")


def _with_extras(connection: Connection, inspector: Inspector, documented: Table) -> Table:
    """Return `documented` with the columns and constraints that the user has added."""
    metadata = MetaData()
    for each in documented.metadata.tables.values():
        each.to_metadata(metadata)
    table = metadata.tables[documented.name]
    rows = connection.exec_driver_sql(f'PRAGMA table_info("{table.name}")').mappings()
    for row in rows:
        if row["name"] not in table.columns:
            default = None if row["dflt_value"] is None else _verbatim(f"({row['dflt_value']})")
            kind = _Declared(row["type"])
            table.append_column(
                Column(row["name"], kind, nullable=not row["notnull"], server_default=default)
            )
    _append_constraints(inspector, table, documented)
    return table


def _append_constraints(inspector: Inspector, table: Table, documented: Table) -> None:
    name, metadata = table.name, table.metadata
    ours = {tuple(c.name for c in key.columns) for key in documented.foreign_key_constraints}
    for key in inspector.get_foreign_keys(name):
        if tuple(key["constrained_columns"]) in ours:
            continue
        parent, columns = key["referred_table"], key["referred_columns"]
        if parent not in metadata.tables:
            Table(parent, metadata, *(Column(column) for column in columns))
        table.append_constraint(
            ForeignKeyConstraint(
                key["constrained_columns"],
                [f"{parent}.{column}" for column in columns],
                name=key["name"],
                **key.get("options", {}),
            )
        )
    known = {
        frozenset(column.name for column in constraint.columns)
        for constraint in documented.constraints
        if isinstance(constraint, UniqueConstraint)
    }
    for unique in inspector.get_unique_constraints(name):
        if frozenset(unique["column_names"]) not in known:
            table.append_constraint(UniqueConstraint(*unique["column_names"], name=unique["name"]))
    for check in inspector.get_check_constraints(name):
        if not _OF_A_BOOLEAN.fullmatch(check["sqltext"]):
            table.append_constraint(
                CheckConstraint(_verbatim(check["sqltext"]), name=check["name"])
            )


def _verbatim(sql: str) -> Any:
    return text(sql.replace(":", r"\:"))


def _own_indexes(connection: Connection, documented: Table) -> list[str]:
    """Return the statements of the indexes that the user has added."""
    ours = {index.name for index in documented.indexes}
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master "
        "WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (documented.name,),
    )
    return [statement for name, statement in rows if name not in ours]


def _copy(connection: Connection, table: Table, times: NaiveTimes) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.create_function("_mismartera_utc", 4, times.read)
    quote = connection.dialect.identifier_preparer.quote_identifier
    values = [
        f"_mismartera_utc('{table.name}.{column.name}', \"id\", "
        f"{int(column.server_default is not None)}, {quote(column.name)})"
        if isinstance(column.type, DateTime)
        else quote(column.name)
        for column in table.columns
    ]
    connection.exec_driver_sql(
        f"INSERT INTO {quote(table.name)} ({', '.join(quote(c.name) for c in table.columns)}) "
        f"SELECT {', '.join(values)} FROM temp.{_COPY}"
    )
