"""Taking over a database that was made without revisions, by models that name no constraint.

PostgreSQL's constraints are renamed where they are. SQLite cannot do that, and its times carry no
zone: there each table is made anew and its rows are copied. Both end with the tables of the first
revision, or with the old state and a sentence that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    ForeignKeyConstraint,
    Inspector,
    MetaData,
    Table,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.sql.schema import ColumnCollectionConstraint

from mismartera_analytics.errors import MigrationError
from mismartera_analytics.models import load_mappings
from mismartera_analytics.models.adoption_sqlite import NaiveTimes, rebuild
from mismartera_analytics.models.migration_lock import broken_references

__all__ = ["Adoption", "take_over"]


@dataclass(frozen=True)
class Adoption:
    """What an adoption found and did.

    Attributes
    ----------
    rows
        Rows of each documented table; all of them were kept.
    times
        Naive times that were read in the assumed zone; none on PostgreSQL, which holds instants.
    doubled
        Of these, times in the hour that the end of daylight saving doubles: the first was taken.
    shifted
        Of these, times that the start of daylight saving skips: they were moved forward.
    orphans
        Rows that refer to a row that does not exist, by ``"table -> table"``. They were kept.
    kept_tables, kept_columns
        What is not ours and was left alone.
    """

    rows: Mapping[str, int]
    times: int = 0
    doubled: int = 0
    shifted: int = 0
    orphans: Mapping[str, int] = field(default_factory=dict)
    kept_tables: tuple[str, ...] = ()
    kept_columns: tuple[str, ...] = ()

    @property
    def summary(self) -> tuple[str, ...]:
        """What somebody should know who asked for it, a sentence each."""
        said = [f"{sum(self.rows.values())} rows in {len(self.rows)} tables were adopted."]
        if self.times:
            said.append(f"{self.times} times had no zone and were read in the one assumed.")
        if self.doubled:
            said.append(
                f"{self.doubled} of them lie in an hour that the end of daylight saving doubles: "
                f"the first was taken."
            )
        if self.shifted:
            said.append(
                f"{self.shifted} of them lie in an hour that the start of daylight saving skips: "
                f"they were moved forward."
            )
        said += [
            f"{rows} rows refer to a row that does not exist ({where}); they were kept."
            for where, rows in self.orphans.items()
        ]
        own = [*self.kept_tables, *self.kept_columns]
        if own:
            said.append(f"Left alone, since it is not ours: {', '.join(own)}.")
        return tuple(said)


def take_over(connection: Connection, documented: MetaData, zone: ZoneInfo) -> Adoption:
    """Turn the tables of `connection` into those of the first revision, keeping every row.

    Parameters
    ----------
    connection
        Inside a transaction that `migration_lock.migrating` has begun.
    documented
        The tables of the first revision.
    zone
        Zone in which times without a zone are read.

    Returns
    -------
    Adoption

    Raises
    ------
    MigrationError
        If a table is not the documented one, a time cannot be read, or something would be lost. The
        caller rolls back.
    """
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    present = [table for table in documented.sorted_tables if table.name in there]
    absent = [table for table in documented.sorted_tables if table.name not in there]
    kept_columns = _extra_columns(inspector, present)
    _refuse_clashes(documented, there, kept_columns)
    times = NaiveTimes(zone)
    orphans: dict[str, int] = {}
    if connection.dialect.name == "sqlite":
        broken = broken_references(connection)
        orphans = {f"{table} -> {parent}": rows for (table, parent), rows in broken.items()}
        for table in present:
            rebuild(connection, table, times)
    else:
        for table in present:
            _rename_constraints(connection, inspector, table)
    documented.create_all(connection, tables=absent, checkfirst=False)
    _refuse_differences(connection, documented)
    return Adoption(
        rows={table.name: _count(connection, table) for table in present},
        times=times.naive,
        doubled=times.doubled,
        shifted=times.shifted,
        orphans=orphans,
        kept_tables=tuple(sorted(there - documented.tables.keys() - {"alembic_version"})),
        kept_columns=kept_columns,
    )


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _extra_columns(inspector: Inspector, tables: Iterable[Table]) -> tuple[str, ...]:
    """Return the columns that are not ours; refuse a table that lacks one of ours."""
    extra = []
    for table in tables:
        names = [column["name"] for column in inspector.get_columns(table.name)]
        missing = [name for name in table.columns.keys() if name not in names]  # noqa: SIM118
        if missing:
            raise MigrationError(
                f"table {table.name!r} lacks {', '.join(missing)}, so it is not the documented one; "
                f"rename it, or point MISMARTERA_DATABASE_URL to another database."
            )
        extra += [f"{table.name}.{name}" for name in names if name not in table.columns]
    return tuple(extra)


def _refuse_clashes(documented: MetaData, there: set[str], extra_columns: Iterable[str]) -> None:
    """Refuse tables and columns of the user's own whose names later revisions need."""
    from mismartera_analytics.models.database import Base

    load_mappings()
    ours = {f"{t.name}.{c.name}" for t in Base.metadata.tables.values() for c in t.columns}
    tables = there & (Base.metadata.tables.keys() - documented.tables.keys())
    clashes = [*sorted(tables), *(name for name in extra_columns if name in ours)]
    if clashes:
        raise MigrationError(
            f"{', '.join(clashes)} would be in the way of what the upgrade adds under that name; "
            f"rename it first."
        )


def _rename_constraints(connection: Connection, inspector: Inspector, table: Table) -> None:
    """Give PostgreSQL's constraints the names of `table`, and add an index that is missing."""
    found: dict[Any, str | None] = {"pk": inspector.get_pk_constraint(table.name)["name"]}
    for unique in inspector.get_unique_constraints(table.name):
        found[frozenset(unique["column_names"])] = unique["name"]
    for key in inspector.get_foreign_keys(table.name):
        found[tuple(key["constrained_columns"]), key["referred_table"]] = key["name"]
    quote: Callable[[str], str] = connection.dialect.identifier_preparer.quote
    for constraint in table.constraints:
        assert isinstance(constraint, ColumnCollectionConstraint)
        columns = tuple(column.name for column in constraint.columns)
        if constraint is table.primary_key:
            old = found["pk"]
        elif isinstance(constraint, ForeignKeyConstraint):
            old = found.get((columns, constraint.referred_table.name))
        else:
            old = found.get(frozenset(columns))
        new = str(constraint.name)
        if old is not None and old != new:
            connection.exec_driver_sql(
                f"ALTER TABLE {quote(table.name)} RENAME CONSTRAINT {quote(old)} TO {quote(new)}"
            )
    indexes = {index["name"] for index in inspector.get_indexes(table.name)}
    for index in table.indexes:
        if index.name not in indexes:
            index.create(connection)


def _refuse_differences(connection: Connection, documented: MetaData) -> None:
    """Refuse tables that are still not those of the first revision, but for what is not ours."""
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _: kind != "table" or name in documented.tables,
    }
    context = MigrationContext.configure(connection, opts=options)
    for difference in compare_metadata(context, documented):
        for change in difference if isinstance(difference, list) else [difference]:
            if not str(change[0]).startswith("remove_"):
                raise MigrationError(
                    f"the tables are not the documented ones: {_described(change)}."
                )


def _described(change: tuple[Any, ...]) -> str:
    if change[0].startswith("modify_"):
        _, _, table, column, _, old, new = change
        return (
            f"{table}.{column}: {change[0].removeprefix('modify_')} is {old!r} instead of {new!r}"
        )
    what = change[-1]
    table = getattr(getattr(what, "table", None), "name", "")
    return f"{table} lacks {getattr(what, 'name', what)}"
