"""Copying a whole database: from SQLite to PostgreSQL, back, or to another of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, delete, inspect, select
from sqlalchemy.engine import Connection

from mismartera_analytics import frames
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    MismarteraError,
    StorageError,
)
from mismartera_analytics.files import folder_beside
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.models import User, revisions
from mismartera_analytics.models.migration_lock import migrating
from mismartera_analytics.operations.database_files import (
    opened_file,
    place_file,
    refuse_logs,
    take_file,
)
from mismartera_analytics.operations.row_checks import (
    Misfits,
    check_piece,
    check_references_and_keys,
    check_times,
)
from mismartera_analytics.operations.table_digests import TableContent, TableDigest
from mismartera_analytics.operations.table_rows import (
    VERSION_TABLE,
    Contents,
    content_of,
    contents_of,
    engine_of,
    snapshot,
    speak_plainly,
)
from mismartera_analytics.operations.table_writing import set_sequence, write_table
from mismartera_analytics.recording.ownership import refuse_others_than_superusers

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CopyOutcome",
    "copy_database",
    "copy_file",
    "copy_rows",
]


@dataclass(frozen=True)
class CopyOutcome:
    """What was copied.

    Attributes
    ----------
    source, target
        The two databases; a password is not shown.
    tables
        Each with its rows and the checksum that both sides have.
    left_out
        What the source has besides and the target has not.
    roles
        Roles of PostgreSQL that stand for users in the target, which has granted them nothing yet.
    """

    source: str
    target: str
    tables: tuple[TableContent, ...]
    left_out: tuple[str, ...]
    roles: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """The tables as a frame: name, rows, checksum."""
        import pandas as pd

        rows = [(one.name, one.rows, one.checksum) for one in self.tables]
        return frames.COPIED_TABLES.conform(pd.DataFrame(rows, columns=frames.COPIED_TABLES.names))

    @property
    def note(self) -> str:
        """What is not copied, and what there is to do, in sentences; empty when there is nothing."""
        told = [f"Not copied: {', '.join(self.left_out)}."] if self.left_out else []
        if self.roles:
            told.append(
                f"The roles {', '.join(self.roles)} stand for users and are granted nothing there yet; "
                f"'mismartera db upgrade' on it grants those that its server has."
            )
        return " ".join(told)

    def __repr__(self) -> str:
        rows = sum(one.rows for one in self.tables)
        told = f"{rows:,} rows of {len(self.tables)} tables of {self.source} are in {self.target}; "
        return f"{told}counts and checksums agree.{' ' + self.note if self.note else ''}"


def copy_database(
    source: str | Path, target: str | Path, *, progress: bool | None = None
) -> CopyOutcome:
    """Copy a whole database into an empty one, and compare both by content.

    The source is read in one state while others may write. The target gets everything in one
    transaction: a fault half way leaves it empty. A SQLite database goes to another as the file that
    it is; otherwise the tables that mappings know are copied, and what is left out is said.

    Parameters
    ----------
    source, target
        URL of a database, or path of a SQLite file. The source has the newest revision; the target
        has no tables.
    progress
        Whether a bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    CopyOutcome
        Tables, rows and checksums, which are the same on both sides.

    Raises
    ------
    DatabaseNotReadyError
        If the source has no tables, or is at another revision.
    InvalidInputError
        If the target holds tables, which are named.
    RowsNotTakenError
        If PostgreSQL does not take what SQLite holds: references that lead nowhere, text that is
        too long, values of another type, NUL characters. Table, column and rows are named.
    StorageError
        If the target cannot be written, or holds something else afterwards; it is empty then.
    NotAllowedError
        If somebody who is no superuser is signed in, or the database's role does not see every row.

    Examples
    --------
    >>> settings = ma.settings()
    >>> done = copy_database(settings.database_url, settings.home / "copy.db")
    >>> done.frame.set_index("table").loc["users", "rows"]
    np.int64(1)
    """
    refuse_others_than_superusers("copy a database")
    with ExitStack() as stack:
        here, there = engine_of(source), engine_of(target)
        stack.callback(here.dispose)
        stack.callback(there.dispose)
        if here.dialect.name == there.dialect.name == "sqlite":
            return copy_file(here, there, progress=progress)
        return copy_rows(here, there, progress=progress)


def require_newest(connection: Connection) -> None:
    """Refuse a database of another revision.

    Raises
    ------
    DatabaseNotReadyError
        Naming the command that brings it up to date.
    """
    found = revisions.status_on(connection, revisions.scripts_of())
    if found.state != "current":
        raise DatabaseNotReadyError(
            f"{connection.engine.url!r} {found.advice} (with MISMARTERA_DATABASE_URL naming it)."
        )


def _require_empty(connection: Connection) -> None:
    found = inspect(connection)
    names = sorted(found.get_table_names())
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise InvalidInputError(
            f"{connection.engine.url!r} is not empty: it has the tables {shown}; name a database "
            f"without tables."
        )


def copy_rows(
    source: Engine,
    target: Engine,
    *,
    progress: bool | None = None,
    before_commit: Callable[[CopyOutcome], object] = lambda _: None,
) -> CopyOutcome:
    """Copy the tables that mappings know, in one transaction of the target.

    Parameters
    ----------
    source, target
        At the newest revision, and without tables.
    progress
        As in `copy_database`.
    before_commit
        Called with the outcome when all is written and compared; if it raises, nothing was written.

    Returns
    -------
    CopyOutcome

    Raises
    ------
    DatabaseNotReadyError, InvalidInputError, RowsNotTakenError, StorageError
        As in `copy_database`.
    """
    with snapshot(source) as reading:
        require_newest(reading)
        contents = contents_of(reading)
        counts = {table.name: table.count(reading) for table in contents.tables}
        with progress_bar(
            total=3 * sum(counts.values()), what="rows", unit="", progress=progress, scaled=True
        ) as bar:
            there = _surveyed(reading, contents, target, bar)
            with migrating(target) as writing:
                _require_empty(writing)
                with revisions.as_one_sentence(writing, "copying into"):
                    _prepare(writing)
                    for table in contents.tables:
                        if table.name != VERSION_TABLE:
                            pieces = table.pieces(reading)
                            write_table(writing, table, pieces, on_rows=bar.update)
                    _compare(writing, contents, there, bar)
                    roles = _roles(writing)
                outcome = CopyOutcome(
                    repr(source.url), repr(target.url), there, contents.left_out, roles
                )
                before_commit(outcome)
    return outcome


def _surveyed(
    reading: Connection, contents: Contents, target: Engine, bar: Any
) -> tuple[TableContent, ...]:
    """Return the content of each table; refuse what the target does not take."""
    misfits, found = Misfits(), []
    kind, own = target.dialect.name, reading.dialect.name
    for table in contents.tables:
        if own == "postgresql":
            check_times(reading, table, misfits)
    misfits.refuse(repr(reading.engine.url), repr(target.url))  # such times cannot be read at all
    for table in contents.tables:
        digest = TableDigest(table.name, table.kinds)
        for piece in table.pieces(reading):
            check_piece(table, piece, kind, misfits)
            digest.add(piece.columns, piece.rows)
            bar.update(piece.rows)
        found.append(digest.content())
    if own == "sqlite":
        check_references_and_keys(reading, contents.tables, misfits)
    misfits.refuse(repr(reading.engine.url), repr(target.url))
    return tuple(found)


def _prepare(writing: Connection) -> None:
    """Make the tables, empty: revisions fill those of calendars, whose rows come from the source."""
    from mismartera_analytics.models.database import Base

    revisions.run(writing, "upgrade", "head")
    Base.metadata.create_all(writing)
    for table in reversed(Base.metadata.sorted_tables):
        writing.execute(delete(table))
    if writing.dialect.name == "postgresql":
        speak_plainly(writing)


def _compare(
    writing: Connection, contents: Contents, expected: tuple[TableContent, ...], bar: Any
) -> None:
    """Refuse a target that holds anything else than the source, and number its next rows."""
    for table, wanted in zip(contents.tables, expected, strict=True):
        found = content_of(writing, table)
        bar.update(found.rows)
        if found != wanted:
            raise StorageError(
                f"table {table.name!r} of {writing.engine.url!r} has {found.rows} rows with checksum "
                f"{found.checksum[:12]}, its source {wanted.rows} with {wanted.checksum[:12]}; "
                f"nothing was written."
            )
        if writing.dialect.name == "postgresql":
            set_sequence(writing, table)


def _roles(writing: Connection) -> tuple[str, ...]:
    """Return the roles that stand for users in what was copied to PostgreSQL."""
    if writing.dialect.name != "postgresql":
        return ()
    mapped = select(User.database_role).where(User.database_role.is_not(None))
    return tuple(sorted(map(str, writing.scalars(mapped))))


def copy_file(
    source: Engine,
    target: Engine,
    *,
    progress: bool | None = None,
    before_commit: Callable[[CopyOutcome], object] = lambda _: None,
) -> CopyOutcome:
    """Copy a SQLite database as it is: every table, whoever's, with views, triggers and odd values.

    Parameters
    ----------
    source, target
        Both of SQLite; the target has no file, or one without tables.
    progress
        As in `copy_database`.
    before_commit
        Called with the outcome before the file appears under its name.

    Returns
    -------
    CopyOutcome

    Raises
    ------
    DatabaseNotReadyError, InvalidInputError, StorageError
        As in `copy_database`.
    """
    path = Path(str(target.url.database))
    _require_empty_file(target, path)
    with snapshot(source) as reading:
        require_newest(reading)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with folder_beside(path) as folder:
            beside = folder / "database.sqlite"
            take_file(Path(str(source.url.database)), beside)
            contents, tables = _read_file(beside, progress)
            outcome = CopyOutcome(repr(source.url), repr(target.url), tables, contents.left_out)
            before_commit(outcome)
            place_file(beside, path)
    except MismarteraError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from None
    return outcome


def _read_file(path: Path, progress: bool | None) -> tuple[Contents, tuple[TableContent, ...]]:  # noqa: FBT001
    """Return what a file that nobody changes holds; nothing of it is left out of a copy of the file."""
    with opened_file(path) as connection:
        contents = contents_of(connection)
        with progress_bar(
            total=len(contents.tables), what="tables", unit="", progress=progress
        ) as bar:
            found = []
            for table in contents.tables:
                found.append(content_of(connection, table))
                bar.update(1)
    return Contents(contents.tables, ()), tuple(found)


def _require_empty_file(target: Engine, path: Path) -> None:
    refuse_logs(path)
    if path.exists():
        with target.connect() as connection:
            _require_empty(connection)
