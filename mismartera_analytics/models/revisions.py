"""The revisions of this package, and where a database stands among them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from mismartera_analytics.errors import DatabaseNotReadyError, MigrationError, MismarteraError
from mismartera_analytics.models import revision_files

__all__ = [
    "Direction",
    "Status",
    "as_one_sentence",
    "documented_tables",
    "mark_first",
    "require_managed",
    "run",
    "scripts_of",
    "status_on",
]

State = Literal["fresh", "current", "outdated", "newer", "unmanaged"]
Direction = Literal["upgrade", "downgrade"]


@dataclass(frozen=True)
class Status:
    """Where a database stands.

    Attributes
    ----------
    state
        ``fresh`` (none of our tables), ``current``, ``outdated``, ``newer`` (its revision is not known
        here) or ``unmanaged`` (the documented tables without a revision: `adopt` takes them over).
    current
        The database's revision, None when it has none.
    head
        The newest revision of this package.
    pending
        Revisions between the two, oldest first.
    """

    state: State
    current: str | None
    head: str
    pending: tuple[str, ...]

    @property
    def adoptable(self) -> bool:
        """Whether `adopt` is what comes next."""
        return self.state == "unmanaged"

    @property
    def advice(self) -> str:
        """What to do, as a sentence without a subject; empty when there is nothing to do."""
        return {
            "fresh": "has no tables yet; create them with 'mismartera db init' or ma.init_db()",
            "current": "",
            "outdated": f"is at revision {self.current}, but this version works with {self.head}; "
            f"bring it up to date with 'mismartera db upgrade'",
            "newer": f"is at revision {self.current!r}, which this version does not know (its newest "
            f"is {self.head}): a newer version made it; install that one with "
            f"'pip install --upgrade mismartera-analytics'",
            "unmanaged": "holds the documented tables but no revision; 'mismartera db upgrade' adopts "
            "it (with --assume-tz if its naive times are not UTC)",
        }[self.state]


def scripts_of(location: Path | None = None) -> ScriptDirectory:
    """Return the revisions in `location`; those of the package by default."""
    return ScriptDirectory.from_config(_configuration(location))


def _configuration(location: Path | None) -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option(
        "script_location", str(location or revision_files.location()).replace("%", "%%")
    )
    return config


def documented_tables(scripts: ScriptDirectory) -> MetaData:
    """Return the documented tables as the first revision froze them."""
    first = scripts.get_revision(scripts.get_base() or "base")
    assert first is not None
    metadata: MetaData = first.module.metadata
    return metadata


def status_on(connection: Connection, scripts: ScriptDirectory) -> Status:
    """Return where the database of `connection` stands among the revisions of `scripts`."""
    head = scripts.get_current_head() or ""
    heads = MigrationContext.configure(connection).get_current_heads()
    known = [script.revision for script in scripts.walk_revisions()]  # newest first
    if not heads:
        documented = documented_tables(scripts).tables
        is_unmanaged = any(name in documented for name in inspect(connection).get_table_names())
        return Status("unmanaged" if is_unmanaged else "fresh", None, head, tuple(known[::-1]))
    current = ", ".join(heads)
    if current not in known:
        return Status("newer", current, head, ())
    pending = tuple(known[: known.index(current)][::-1])
    return Status("outdated" if pending else "current", current, head, pending)


def require_managed(connection: Connection, scripts: ScriptDirectory) -> Status:
    """Refuse a database that has the documented tables but no revision, or an unknown revision.

    Returns
    -------
    Status
        Where any other database stands.

    Raises
    ------
    DatabaseNotReadyError
        Saying what to do.
    """
    found = status_on(connection, scripts)
    if found.state in ("newer", "unmanaged"):
        raise DatabaseNotReadyError(f"{connection.engine.url!r} {found.advice}.")
    return found


def _on(connection: Connection, location: Path | None) -> Config:
    config = _configuration(location)
    config.attributes["connection"] = connection
    return config


def run(
    connection: Connection,
    direction: Direction,
    target: str,
    *,
    location: Path | None = None,
) -> None:
    """Run revisions up or down to `target` inside the transaction of `connection`.

    Raises
    ------
    MigrationError
        If a revision fails.
    """
    move = command.upgrade if direction == "upgrade" else command.downgrade
    with as_one_sentence(connection, "migrating"):
        move(_on(connection, location), target)


def mark_first(connection: Connection) -> None:
    """Mark the database as being at the first revision, without running it."""
    command.stamp(_on(connection, None), scripts_of().get_base() or "base")


@contextlib.contextmanager
def as_one_sentence(connection: Connection, what: str) -> Iterator[None]:
    """Raise what a database or Alembic says as a `MigrationError`."""
    try:
        yield
    except MismarteraError:
        raise
    except (SQLAlchemyError, CommandError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].strip()
        raise MigrationError(
            f"{what} {connection.engine.url!r} failed, and it is as it was: {reason}."
        ) from error
