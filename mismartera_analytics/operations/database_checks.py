"""The database examined: its revision, its pages, its references and its sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, exists, func, inspect, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, aliased

from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.models import connections, load_mappings, migrate
from mismartera_analytics.models.database import Base, session_scope
from mismartera_analytics.models.migration_lock import LEFTOVER
from mismartera_analytics.operations.findings import SHOWN, Finding, named

__all__ = ["check_database", "check_references", "check_revision", "is_absent"]

LARGE_LOG = 64 * 2**20
"""From this size on SQLite's write-ahead log is worth a word [bytes]."""


def check_revision(engine: Engine) -> Iterator[Finding]:
    """Yield that a database is not at the revision that this version works with."""
    state = migrate.status(engine)
    if state.advice:
        said = state.advice.split(";")[0].split(": ")[0]
        what = f"{engine.url!r} {said}"
        yield Finding("revision", "error", what, _command(state.state))


def _command(state: str) -> str:
    if state == "fresh":
        return "mismartera db init"
    if state == "newer":
        return "pip install --upgrade mismartera-analytics"
    return "mismartera db upgrade"


def check_database(engine: Engine) -> Iterator[Finding]:
    """Yield what is wrong with a database as a database, at whatever revision it is."""
    with connections.read_only(engine) as connection:
        leftovers = [name for name in inspect(connection).get_table_names() if
                     name.startswith(LEFTOVER)]  # fmt: skip
        if leftovers:
            yield Finding(
                "database", "warning", f"{named('table', leftovers)}: left by a migration that was "
                f"interrupted", "mismartera db upgrade", len(leftovers),
            )  # fmt: skip
        if engine.dialect.name == "sqlite":
            yield from _sqlite_pages(connection)
            yield from _write_ahead_log(engine)
        else:
            yield from _invalid_parts(connection)
            yield from _sequences(connection)


def _sqlite_pages(connection: Connection) -> Iterator[Finding]:
    said = connection.exec_driver_sql(f"PRAGMA integrity_check({SHOWN + 1})").scalars().all()
    if list(said) != ["ok"]:
        yield Finding(
            "database", "error", f"the file is damaged: {'; '.join(map(str, said[:SHOWN]))}",
            "restore it from a backup", len(said),
        )  # fmt: skip


def _write_ahead_log(engine: Engine) -> Iterator[Finding]:
    log = Path(f"{engine.url.database}-wal")
    size = log.stat().st_size if log.is_file() else 0
    if size < LARGE_LOG:
        return

    def fold() -> str:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            is_busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return "the log is in use, and was folded in as far as possible" if is_busy else (
            "the log was folded into the database"
        )  # fmt: skip

    yield Finding(
        "database", "note", f"{log} has {size / 2**20:,.0f} MB: a reader that stays open keeps it "
        f"from being folded into the database", "close kernels that are left open", mend=fold,
    )  # fmt: skip


def _invalid_parts(connection: Connection) -> Iterator[Finding]:
    """Yield indexes and constraints that PostgreSQL itself knows not to hold."""
    broken = connection.execute(
        text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
    )
    for name in broken.scalars().all():
        yield Finding("database", "error", f"the index {name} is invalid", f"REINDEX INDEX {name}")
    loose = connection.execute(
        text("SELECT conrelid::regclass::text, conname FROM pg_constraint "
             "WHERE NOT convalidated ORDER BY 1, 2")
    )  # fmt: skip
    for table, name in loose.all():
        yield Finding(
            "database", "warning", f"the constraint {name} of {table} was never checked on its rows",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
        )  # fmt: skip


def _sequences(connection: Connection) -> Iterator[Finding]:
    """Yield sequences that would give an id that is taken: rows were copied in with their ids."""
    load_mappings()
    for table in Base.metadata.sorted_tables:
        if not inspect(connection).has_table(table.name) or "id" not in table.columns:
            continue
        sequence = connection.scalar(
            text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}
        )
        if sequence is None:
            continue
        query = text(f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END "
                     f"FROM {sequence}")  # fmt: skip
        given = connection.scalar(query)
        largest = connection.scalar(select(func.max(table.columns.id)))
        if largest is not None and given is not None and given < largest:
            yield _behind(table.name, str(sequence), int(given), int(largest))


def _behind(table: str, sequence: str, given: int, largest: int) -> Finding:
    def advance() -> str:
        with session_scope() as db_session:
            db_session.execute(text(f'LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE'))
            moved = db_session.scalar(
                text(f'SELECT setval(:sequence, (SELECT max(id) FROM "{table}"))'),
                {"sequence": sequence},
            )
        return f"{sequence} was moved to {moved}"

    return Finding(
        "database", "error", f"{sequence} is at {given}, but {table} has ids up to {largest}: new "
        f"rows are refused", "mismartera doctor --fix", mend=advance,
    )  # fmt: skip


def check_references(db_session: Session) -> Iterator[Finding]:
    """Yield references that lead nowhere, and references and uniqueness that the tables lack."""
    load_mappings()
    connection = db_session.connection()
    for table in Base.metadata.sorted_tables:
        for reference in table.foreign_keys:
            yield from _lost(db_session, table, reference)
        declared = {
            frozenset(key["constrained_columns"])
            for key in inspect(connection).get_foreign_keys(table.name)
        }
        lacking = [key.parent.name for key in table.foreign_keys
                   if frozenset([key.parent.name]) not in declared]  # fmt: skip
        if lacking:
            yield Finding(
                "references", "warning", f"{table.name} has no foreign key on "
                f"{', '.join(sorted(lacking))}: the database does not refuse a reference to nothing",
                "add it with ALTER TABLE, or copy the rows into a database made by "
                "mismartera db init", len(lacking),
            )  # fmt: skip


def _lost(db_session: Session, table: Any, reference: Any) -> Iterator[Finding]:
    parent = reference.column.table
    other = aliased(parent) if parent is table else parent
    column = reference.parent
    leads = exists().where(other.c[reference.column.name] == column)
    statement = select(func.count()).select_from(table).where(column.is_not(None), ~leads)
    count = int(db_session.scalar(statement) or 0)
    if count:
        key = next(iter(table.primary_key.columns))
        chosen = select(key).where(column.is_not(None), ~leads).order_by(key).limit(SHOWN)
        yield Finding(
            "references", "error",
            f"{named('row', db_session.scalars(chosen), count)} of {table.name}: {column.name} "
            f"leads to no row of {parent.name}",
            "set it to null, or to a row that is there" if column.nullable else
            "delete them, or set it to a row that is there", count,
        )  # fmt: skip


def is_absent(engine: Engine) -> bool:
    """Tell whether there is no database to look at: no file, or no server that answers."""
    if connections.is_missing_file(engine):
        return True
    try:
        with connections.read_only(engine):
            return False
    except MismarteraError:
        return True
