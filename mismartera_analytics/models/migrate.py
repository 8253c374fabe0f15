"""Revisions of the database: where it stands, and how it gets to the newest one.

Every change runs in one transaction that holds the database's migration lock: two processes that
start at once do the work once, and a fault half way leaves the old state.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, inspect

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    MigrationError,
    as_given,
)
from mismartera_analytics.models import connections, revisions
from mismartera_analytics.models.migration_lock import migrating
from mismartera_analytics.models.revisions import Direction, Status

if TYPE_CHECKING:
    from mismartera_analytics.models.adoption import Adoption

__all__ = [
    "Status",
    "adopt",
    "downgrade",
    "initialise",
    "run_script",
    "status",
    "upgrade",
]


def run_script(path: str) -> None:
    """Run one revision alone: what ``python migrations/versions/<script>.py [downgrade]`` does.

    Parameters
    ----------
    path
        The script's ``__file__``.

    Raises
    ------
    SystemExit
        With 1 and a sentence on stderr, if the revision does not follow the one that the database is
        at; with 2 if the call is wrong.
    """
    from mismartera_analytics.models.revision_script import main

    main(Path(path))


def status(engine: Engine) -> Status:
    """Return where a database stands. Nothing is written, and a missing SQLite file is not made.

    Parameters
    ----------
    engine
        The database.

    Returns
    -------
    Status

    Raises
    ------
    DatabaseUnreachableError
        If the database cannot be opened.

    Examples
    --------
    >>> from mismartera_analytics.models import database
    >>> status(database.engine).state
    'fresh'
    """
    scripts = revisions.scripts_of()
    if connections.is_missing_file(engine):
        pending = tuple(script.revision for script in scripts.walk_revisions())[::-1]
        return Status("fresh", None, scripts.get_current_head() or "", pending)
    with connections.read_only(engine) as connection:
        return revisions.status_on(connection, scripts)


def initialise(engine: Engine) -> None:
    """Create the tables of a fresh database; `models.database.init_db` is the public form.

    Parameters
    ----------
    engine
        The database. When it is at the newest revision already, only tables of `Base` that no
        revision owns are created, and nothing is written when there are none.

    Raises
    ------
    DatabaseNotReadyError
        If the database is outdated, comes from a newer version, or was made without revisions.
    DatabaseUnreachableError
        If the database cannot be opened.
    MigrationError
        If a revision fails; the database is as it was.

    Examples
    --------
    >>> from mismartera_analytics.models import database
    >>> initialise(database.engine)
    >>> status(database.engine).state
    'current'
    """
    from mismartera_analytics.models.database import Base

    if status(engine).state == "current" and not _missing_tables(engine):
        return
    with migrating(engine) as connection:
        found = revisions.status_on(connection, revisions.scripts_of())
        if found.state == "fresh":
            revisions.run(connection, "upgrade", "head")
        elif found.state != "current":
            raise DatabaseNotReadyError(f"{engine.url!r} {found.advice}.")
        Base.metadata.create_all(connection)


def _missing_tables(engine: Engine) -> bool:
    from mismartera_analytics.models.database import Base

    with connections.read_only(engine) as connection:
        there = inspect(connection).get_table_names()
    return not set(Base.metadata.tables).issubset(there)


def upgrade(engine: Engine, target: str = "head") -> Status:
    """Bring a database to a later revision, from nothing if it is fresh.

    Parameters
    ----------
    engine
        The database.
    target
        A revision, or ``"head"`` for the newest.

    Returns
    -------
    Status
        Where the database stands afterwards.

    Raises
    ------
    InvalidInputError
        If `target` is no revision.
    DatabaseNotReadyError
        If the database comes from a newer version, or was made without revisions (see `adopt`).
    MigrationError
        If a revision fails; the database is as it was.

    Examples
    --------
    >>> from mismartera_analytics.models import database
    >>> upgrade(database.engine, "0001").pending[0]
    '0002'
    """
    return _move(engine, "upgrade", target)


def downgrade(engine: Engine, target: str) -> Status:
    """Take a database back to an earlier revision; what later revisions added is deleted.

    Parameters
    ----------
    engine
        The database.
    target
        A revision, ``"base"`` for none at all, or ``"-1"`` for one step.

    Returns
    -------
    Status
        Where the database stands afterwards.

    Raises
    ------
    InvalidInputError
        If `target` is no revision.
    DatabaseNotReadyError, MigrationError
        As in `upgrade`.

    Examples
    --------
    >>> from mismartera_analytics.models import database
    >>> _ = upgrade(database.engine)
    >>> downgrade(database.engine, "base").state
    'fresh'
    """
    return _move(engine, "downgrade", target)


def adopt(engine: Engine, *, assume_tz: str = "UTC") -> Adoption:
    """Take over a database that holds the documented tables but no revision, and upgrade it.

    No row is lost: odd statuses and rows without an owner are kept, and so are tables and columns
    that are not ours.

    Parameters
    ----------
    engine
        The database.
    assume_tz
        IANA zone in which times without a zone are read. PostgreSQL holds instants already.

    Returns
    -------
    Adoption
        What was found and done.

    Raises
    ------
    InvalidInputError
        If there is no such zone.
    MigrationError
        If the tables are not the documented ones, a time cannot be read, or something would be lost;
        the database is as it was.
    """
    from mismartera_analytics.models import adoption

    zone = clock.zone(assume_tz, argument="assume_tz")
    scripts = revisions.scripts_of()
    with migrating(engine) as connection:
        found = revisions.status_on(connection, scripts)
        if not found.adoptable:
            raise MigrationError(
                f"{engine.url!r} needs no adoption: {found.advice or 'it is up to date'}."
            )
        with revisions.as_one_sentence(connection, "adopting"):
            done = adoption.take_over(connection, revisions.documented_tables(scripts), zone)
            revisions.mark_first(connection)
            revisions.run(connection, "upgrade", "head")
    return done


def _move(engine: Engine, direction: Direction, target: str) -> Status:
    scripts = revisions.scripts_of()
    _check_target(target, scripts)
    with migrating(engine) as connection:
        revisions.require_managed(connection, scripts)
        revisions.run(connection, direction, target)
        return revisions.status_on(connection, scripts)


def _check_target(target: str, scripts: ScriptDirectory) -> None:
    is_known = bool(target)
    if is_known and not target.startswith(("+", "-")):
        try:
            scripts.get_revisions(target)
        except CommandError:
            is_known = False
    if not is_known:
        known = ", ".join(reversed([script.revision for script in scripts.walk_revisions()]))
        raise InvalidInputError(
            f"target={as_given(target)} is no revision; there are {known}, 'head' and 'base'."
        )
