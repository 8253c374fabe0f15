"""One revision run alone, as a script: ``python migrations/versions/<script>.py [downgrade]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from sqlalchemy import Engine

from mismartera_analytics.errors import MigrationError, MismarteraError
from mismartera_analytics.models import revisions
from mismartera_analytics.models.migration_lock import migrating

__all__ = ["main", "run_alone"]


def main(script: Path) -> None:
    """Read the command line, run `script` on the configured database and say what was done.

    Parameters
    ----------
    script
        Path of the revision.

    Raises
    ------
    SystemExit
        With 1 if the revision cannot run now, with 2 if the call is wrong.
    """
    from mismartera_analytics.models import database

    parser = argparse.ArgumentParser(prog=f"python {script.name}", description="Run one revision.")
    parser.add_argument("direction", nargs="?", default="upgrade", choices=["upgrade", "downgrade"])
    direction = parser.parse_args().direction
    try:
        found = run_alone(database.engine, script, direction=direction)
    except MismarteraError as error:
        sys.stderr.write(f"{script.name}: {error}\n")
        raise SystemExit(1) from None
    sys.stdout.write(f"{database.engine.url!r} is at revision {found.current or 'base'}.\n")


def run_alone(
    engine: Engine, script: Path, *, direction: revisions.Direction = "upgrade"
) -> revisions.Status:
    """Run one revision up or down, if it follows the revision that the database is at.

    Parameters
    ----------
    engine
        The database.
    script
        Path of the revision, in a folder ``versions`` beside ``env.py``.
    direction
        ``"upgrade"`` or ``"downgrade"``.

    Returns
    -------
    Status
        Where the database stands afterwards.

    Raises
    ------
    MigrationError
        If another revision must run first, naming it, or `script` is applied already.
    DatabaseNotReadyError
        If the database comes from a newer version, or was made without revisions.
    """
    location = script.resolve().parents[1]
    scripts = revisions.scripts_of(location)
    revision = next(
        (each for each in scripts.walk_revisions() if Path(each.path).name == script.name), None
    )
    if revision is None:
        raise MigrationError(f"{script} is no revision of {location}.")
    with migrating(engine) as connection:
        found = revisions.require_managed(connection, scripts)
        if direction == "upgrade":
            _check_upgrade(revision, found, scripts, folder=script.parent)
            target = revision.revision
        else:
            _check_downgrade(revision, found, scripts, folder=script.parent)
            target = str(revision.down_revision or "base")
        revisions.run(connection, direction, target, location=location)
        return revisions.status_on(connection, scripts)


def _check_upgrade(
    revision: Script, found: revisions.Status, scripts: ScriptDirectory, *, folder: Path
) -> None:
    if revision.revision not in found.pending:
        raise MigrationError(
            f"revision {revision.revision} is applied already: the database is at {found.current}."
        )
    if revision.revision != found.pending[0]:
        raise MigrationError(
            f"revision {revision.revision} follows {revision.down_revision}, but the database is at "
            f"{found.current or 'none'}; run first: python "
            f"{_script_of(found.pending[0], scripts, folder)} (or all: mismartera db upgrade)."
        )


def _check_downgrade(
    revision: Script, found: revisions.Status, scripts: ScriptDirectory, *, folder: Path
) -> None:
    if found.current is None or revision.revision in found.pending:
        raise MigrationError(
            f"revision {revision.revision} is not applied: the database is at "
            f"{found.current or 'none'}."
        )
    if revision.revision != found.current:
        raise MigrationError(
            f"revision {revision.revision} is not the last one, the database is at {found.current}; "
            f"run first: python {_script_of(found.current, scripts, folder)} downgrade."
        )


def _script_of(name: str, scripts: ScriptDirectory, folder: Path) -> Path:
    revision = scripts.get_revision(name)
    assert revision is not None
    return folder / Path(revision.path).name
