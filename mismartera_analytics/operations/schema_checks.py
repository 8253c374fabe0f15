"""The tables examined: what a database at the newest revision has lost of them, whole or in part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Table, UniqueConstraint, inspect
from sqlalchemy.engine import Connection

from mismartera_analytics.models import connections, load_mappings
from mismartera_analytics.models.database import Base
from mismartera_analytics.operations.findings import Finding, named

__all__ = ["LOST", "check_tables", "own_tables"]

LOST = "tables"
"""Check of the tables and columns without which no row can be read."""
_OURS = "mismartera_analytics."


def own_tables() -> list[Table]:
    """Return the tables that the revisions make, without those that somebody's program adds."""
    load_mappings()
    ours: list[Any] = [one.class_.__table__ for one in Base.registry.mappers
                       if one.class_.__module__.startswith(_OURS)]  # fmt: skip
    return sorted(ours, key=lambda table: str(table.name))


def check_tables(engine: Engine) -> Iterator[Finding]:
    """Yield tables, columns and indexes that a database at the newest revision lacks."""
    with connections.read_only(engine) as connection:
        there = set(inspect(connection).get_table_names())
        for table in own_tables():
            if table.name not in there:
                yield Finding(
                    LOST, "error", f"the table {table.name} is gone",
                    "restore it from a backup; 'mismartera db init' would make an empty one",
                )  # fmt: skip
                continue
            has = {column["name"] for column in inspect(connection).get_columns(table.name)}
            lost = [column.name for column in table.columns if column.name not in has]
            if lost:
                yield Finding(
                    LOST, "error", f"{table.name} lacks the {named('column', lost)}",
                    "restore the database from a backup; 'mismartera db upgrade' takes it for up to "
                    "date", len(lost),
                )  # fmt: skip
            yield from _lacking_indexes(connection, table, without=set(lost))


def _lacking_indexes(
    connection: Connection, table: Table, *, without: set[str]
) -> Iterator[Finding]:
    """Yield indexes that a table lacks; one of another name over the same columns does as well."""
    found = inspect(connection).get_indexes(table.name)
    names = {index["name"] for index in found}
    plain = {tuple(index["column_names"]) for index in found}
    unique = {tuple(sorted(str(name) for name in index["column_names"]))
              for index in found if index["unique"]}  # fmt: skip
    unique |= {tuple(sorted(one["column_names"]))
               for one in inspect(connection).get_unique_constraints(table.name)}  # fmt: skip
    for name, columns, is_unique in _indexes(table):
        is_there = tuple(sorted(columns)) in unique if is_unique else tuple(columns) in plain
        if is_there or without & set(columns):
            continue
        kind = "UNIQUE INDEX" if is_unique else "INDEX"
        drop = f"DROP INDEX {name}; " if name in names else ""
        what = f"{table.name} lacks the {kind.lower()} {name}"
        yield Finding(
            "database", "error",
            f"{what}: the same may be recorded twice" if is_unique else f"{what}: reading is slow",
            f"{drop}CREATE {kind} {name} ON {table.name} ({', '.join(columns)})"
            + ("; first delete rows that stand twice" if is_unique else ""),
        )  # fmt: skip


def _indexes(table: Table) -> Iterator[tuple[str, list[str], bool]]:
    """Yield name and columns of each index of a table, and whether it is unique."""
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        yield str(index.name), [column.name for column in index.columns], bool(index.unique)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield str(constraint.name), [column.name for column in constraint.columns], True
