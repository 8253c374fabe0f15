"""Backups checked: every byte, every table and every version of bars, before anything is believed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from mismartera_analytics import clock
from mismartera_analytics.errors import DatabaseNotReadyError, MismarteraError, StorageError
from mismartera_analytics.files import settle
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.market_data.snapshots import Versions
from mismartera_analytics.market_data.store_copies import check_log
from mismartera_analytics.market_data.store_restoring import RestoredInterval
from mismartera_analytics.models import revisions
from mismartera_analytics.operations.archives import DATABASE, ArchiveReader
from mismartera_analytics.operations.database_files import opened_file
from mismartera_analytics.operations.table_digests import TableContent
from mismartera_analytics.operations.table_rows import content_of, contents_of

__all__ = [
    "BackupContent",
    "intervals_of",
    "read_archive",
    "reports_of",
    "verified",
    "verify_backup",
]


@dataclass(frozen=True)
class BackupContent:
    """What a backup says of itself, checked.

    Attributes
    ----------
    path
        The file.
    created_at
        When the records were read, as text.
    library_version, revision
        Of the library that wrote it, and of its database.
    tables
        Each with its rows and its checksum.
    bars
        The newest version of each interval, and how many can be read; None without bars.
    reports
        How many files of reports.
    """

    path: Path
    created_at: str
    library_version: str
    revision: str | None
    tables: tuple[TableContent, ...]
    bars: dict[str, tuple[int, int]] | None
    reports: int

    def __repr__(self) -> str:
        rows = sum(one.rows for one in self.tables)
        held = [f"{rows:,} rows of {len(self.tables)} tables at revision {self.revision}"]
        for interval, (version, readable) in (self.bars or {}).items():
            held.append(f"{interval} bars at version {version}, {readable} versions readable")
        if self.bars is None:
            held.append("no bars")
        if self.reports:
            held.append(f"{self.reports} files of reports")
        return f"{self.path} of {self.created_at} is whole: {'; '.join(held)}."


def verify_backup(file: str | Path, *, progress: bool | None = None) -> BackupContent:
    """Read a backup to its last byte and check all that it says, without restoring it.

    Parameters
    ----------
    file
        Of the backup.
    progress
        Whether a bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    BackupContent

    Raises
    ------
    StorageError
        If it is damaged, cut short, of a newer format, or holds what a backup never does.

    Examples
    --------
    >>> from mismartera_analytics.operations.backup import back_up
    >>> file = ma.settings().home / "monday.zip"
    >>> _ = back_up(file)
    >>> verify_backup(file).bars
    {'1d': (0, 1)}
    """
    with read_archive(file) as archive, tempfile.TemporaryDirectory(prefix="mismartera-") as folder:
        return verified(archive, Path(folder, DATABASE), progress)


@contextlib.contextmanager
def read_archive(file: str | Path) -> Iterator[ArchiveReader]:
    """Give a backup whose outline has been checked.

    Yields
    ------
    ArchiveReader

    Raises
    ------
    StorageError
        If it is no backup.
    """
    with ArchiveReader(expanded(file, argument="file").absolute()) as archive:
        yield archive


def intervals_of(archive: ArchiveReader) -> dict[str, RestoredInterval] | None:
    """Return what a manifest says of bars, checked for its form."""
    told = archive.manifest.get("bars")
    if told is None:
        return None
    found = {}
    try:
        for interval, one in told.items():
            if str(clock.parse_interval(interval)) != interval:
                raise ValueError(interval)
            names = {str(path): f"bars/{interval}/{path}" for path in one["files"]}
            missing = next((name for name in names.values() if name not in archive.members), None)
            if missing is not None:
                raise archive.fault(f"it lacks {missing!r}")
            version = int(one["version"])
            readable = _versions(one["readable"], version)
            digests = {path: archive.members[name]["sha256"] for path, name in names.items()}
            found[interval] = RestoredInterval(version, readable, digests)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, MismarteraError) and isinstance(error, StorageError):
            raise
        raise archive.fault("its manifest tells nothing sensible of bars") from None
    return found


def _versions(text: str, newest: int) -> Versions:
    if not 0 <= newest < 10**7:
        raise ValueError(newest)
    found = Versions.parse(text)
    if any(not 0 <= first <= last <= newest for first, last in found.ranges):
        raise ValueError(text)
    return found


def reports_of(archive: ArchiveReader) -> list[str]:
    """Return the members that a manifest calls files of reports, each of which is there."""
    told = archive.manifest.get("reports") or []
    is_sound = isinstance(told, list) and all(
        isinstance(name, str) and name.startswith("reports/") and name in archive.members
        for name in told
    )
    if not is_sound:
        raise archive.fault("its manifest names reports that it lacks")
    return list(told)


def verified(
    archive: ArchiveReader,
    extracted: Path,
    progress: bool | None,  # noqa: FBT001
) -> BackupContent:
    """Check every member and what they make together; the database is then at `extracted`."""
    with progress_bar(
        total=archive.size, what="checking", unit="B", progress=progress, scaled=True
    ) as bar:
        archive.check(on_bytes=bar.update)
    intervals = intervals_of(archive)
    for interval, one in (intervals or {}).items():
        try:
            check_log(
                interval, one.version, one.readable, one.files,
                lambda path, name=interval: archive.content(f"bars/{name}/{path}"),  # type: ignore[misc]
            )  # fmt: skip
        except StorageError as error:
            raise archive.fault(str(error)) from None
    reports = reports_of(archive)
    tables, revision = _checked_database(archive, extracted)
    told = archive.manifest
    return BackupContent(
        archive.path,
        str(told.get("created_at")),
        str(told.get("library_version")),
        revision,
        tables,
        None
        if intervals is None
        else {name: (one.version, len(list(one.readable))) for name, one in intervals.items()},
        len(reports),
    )


def _checked_database(
    archive: ArchiveReader, extracted: Path
) -> tuple[tuple[TableContent, ...], str | None]:
    told = archive.manifest.get("database")
    tables = told.get("tables") if isinstance(told, dict) else None
    if not isinstance(tables, dict):
        raise archive.fault("its manifest tells nothing of a database")
    _extract(archive, extracted)
    try:
        with opened_file(extracted) as connection:
            state = revisions.status_on(connection, revisions.scripts_of())
            if state.state in ("newer", "fresh"):
                raise DatabaseNotReadyError(f"the database in {archive.path} {state.advice}.")
            (sound,) = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars()
            if sound != "ok":
                raise archive.fault(f"its database is damaged ({sound})")
            found = tuple(content_of(connection, t) for t in contents_of(connection).tables)
            lacking = sorted(tables.keys() - set(inspect(connection).get_table_names()))
    except MismarteraError:
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise archive.fault(f"its database cannot be read ({_first_line(error)})") from None
    if lacking:
        raise archive.fault(f"its database lacks the table {lacking[0]!r}")
    for one in found:
        if tables.get(one.name) != {"rows": one.rows, "checksum": one.checksum}:
            raise archive.fault(f"table {one.name!r} differs from the manifest")
    return found, state.current


def _extract(archive: ArchiveReader, extracted: Path) -> None:
    try:
        with archive.open(DATABASE) as source, extracted.open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        settle(extracted)
    except MismarteraError:
        raise
    except OSError as error:
        raise StorageError(
            f"{extracted.parent.parent}, where {DATABASE!r} is unpacked, cannot be written: "
            f"{error.strerror}; nothing was restored."
        ) from None


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
