"""Create or upgrade the database: ``python -m mismartera_analytics.models.init_db_if_missing``."""

from __future__ import annotations

import argparse
import sys

from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.models import database, migrate

__all__ = ["init_db_if_missing"]


def init_db_if_missing(*, assume_tz: str = "UTC") -> migrate.Status:
    """Make sure that the configured database has every table, at the newest revision.

    A fresh database is created, an outdated one upgraded, and one that was made without revisions
    adopted. Running it again changes nothing.

    Parameters
    ----------
    assume_tz
        IANA zone in which an adopted database's naive times are read.

    Returns
    -------
    Status
        Where the database stands now.

    Raises
    ------
    DatabaseNotReadyError
        If the database comes from a newer version.
    DatabaseUnreachableError
        If it cannot be opened.
    MigrationError
        If a revision or the adoption fails; the database is as it was.

    Examples
    --------
    >>> init_db_if_missing().state
    'current'
    """
    found = migrate.status(database.engine)
    if found.adoptable:
        migrate.adopt(database.engine, assume_tz=assume_tz)
    elif found.state == "outdated":
        migrate.upgrade(database.engine)
    database.init_db()
    return migrate.status(database.engine)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mismartera_analytics.models.init_db_if_missing",
        description="Create the database, or bring it to the newest revision.",
    )
    parser.add_argument(
        "--assume-tz", default="UTC", help="zone of the naive times in a database that is adopted"
    )
    try:
        found = init_db_if_missing(assume_tz=parser.parse_args().assume_tz)
    except MismarteraError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    sys.stdout.write(f"{database.engine.url!r} is at revision {found.current}.\n")


if __name__ == "__main__":
    _main()
