"""Backups restored into an empty database and an empty store: both there as a whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import inspect

from mismartera_analytics import config
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    MismarteraError,
    OutcomeUnknownError,
    StorageError,
)
from mismartera_analytics.files import digest_of, folder_beside, settle
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.market_data.store_restoring import StoreRestore
from mismartera_analytics.models import connections, revisions
from mismartera_analytics.operations.archives import DATABASE, ArchiveReader
from mismartera_analytics.operations.backup_checks import (
    BackupContent,
    intervals_of,
    read_archive,
    reports_of,
    verified,
)
from mismartera_analytics.operations.copying import copy_rows
from mismartera_analytics.operations.database_files import place_file, refuse_logs
from mismartera_analytics.operations.table_digests import TableContent
from mismartera_analytics.operations.table_rows import engine_of
from mismartera_analytics.recording.ownership import refuse_others_than_superusers

__all__ = ["RestoreOutcome", "restore"]


@dataclass(frozen=True)
class RestoreOutcome:
    """What was restored.

    Attributes
    ----------
    content
        What the backup held.
    database, bar_store, reports
        Where it is now; None for what was not restored.
    note
        What there is to know or to do besides, in sentences.
    """

    content: BackupContent
    database: str
    bar_store: str | None
    reports: Path | None
    note: str

    def __repr__(self) -> str:
        places = [self.database, *(str(one) for one in (self.bar_store, self.reports) if one)]
        note = f" {self.note}" if self.note else ""
        return f"{self.content.path} is in {' and '.join(places)}; all checksums agree.{note}"


def restore(
    file: str | Path,
    *,
    database_url: str | None = None,
    bar_store: str | None = None,
    bars: bool = True,
    reports: str | Path | None = None,
    progress: bool | None = None,
) -> RestoreOutcome:
    """Put a backup into an empty database and an empty bar store.

    Everything is checked first, then written beside or in one transaction, checked again, and only
    then there. A fault, or an end by force, leaves database and store each empty or whole; the same
    command again goes on with what is whole.

    Parameters
    ----------
    file
        Of the backup.
    database_url
        The database, SQLite or PostgreSQL whatever it came from; the configured one by default.
    bar_store
        Folder or ``s3://`` address; the configured one by default.
    bars
        Whether bars are restored.
    reports
        Folder for the files of reports, empty; without it they are left in the backup.
    progress
        Whether a bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    RestoreOutcome

    Raises
    ------
    InvalidInputError
        If the database, the store or the folder is not empty.
    StorageError
        If the backup is not whole, or something cannot be written.
    DatabaseNotReadyError
        If the backup's database comes from a newer version, or from an older one and is to go to
        PostgreSQL.
    OutcomeUnknownError
        If the connection broke while PostgreSQL committed; bars and reports are then left there.
    RowsNotTakenError
        If PostgreSQL does not take what a SQLite database held.
    NotAllowedError
        If somebody who is no superuser is signed in.

    Examples
    --------
    >>> from mismartera_analytics.operations.backup import back_up
    >>> home = ma.settings().home
    >>> _ = back_up(home / "monday.zip")
    >>> done = restore(
    ...     home / "monday.zip", database_url="sqlite:///again.db", bar_store=str(home / "again")
    ... )
    >>> done.bar_store.endswith("again")
    True
    """
    refuse_others_than_superusers("restore backups")
    settings = config.settings()
    url = settings.database_url if database_url is None else database_url
    place = settings.bar_store if bar_store is None else bar_store
    with read_archive(file) as archive:
        work = _Restoring(archive, url, None if not bars else place, reports, progress)
        return work.run()


class _Restoring:
    """One restore."""

    def __init__(
        self,
        archive: ArchiveReader,
        url: str,
        place: str | None,
        reports: str | Path | None,
        progress: bool | None,  # noqa: FBT001
    ) -> None:
        self._archive, self._progress = archive, progress
        self._engine = engine_of(url)
        self._reports = None if reports is None else expanded(reports, argument="reports").resolve()
        self._reports_beside: Path | None = None
        self._is_public = self._has_moved_reports = False
        intervals = intervals_of(archive)
        self._store: StoreRestore | None = None
        if place is not None and intervals is not None:
            self._store = StoreRestore(place, intervals, self._open_bars)

    def _open_bars(self, interval: str, path: str) -> Any:
        return self._archive.open(f"bars/{interval}/{path}")

    def run(self) -> RestoreOutcome:
        self._require_empty()
        with ExitStack() as stack:
            stack.callback(self._engine.dispose)
            folder = self._room(stack)
            extracted = folder / DATABASE
            content = verified(self._archive, extracted, self._progress)
            self._require_newest(content)
            try:
                if self._store is not None:
                    with progress_bar(
                        total=len(self._archive.members), what="files", unit="",
                        progress=self._progress,
                    ) as bar:  # fmt: skip
                        self._store.prepare(on_bytes=bar.update)
                self._write_reports(stack)
                note = self._write_database(extracted, content)
            except BaseException as error:
                self._undo(error)
                if isinstance(error, OSError) and not isinstance(error, MismarteraError):
                    raise StorageError(
                        f"{self._engine.url!r} cannot be written: {error.strerror or error}."
                    ) from None
                raise
        where = None if self._store is None else self._store.place.uri
        pages = self._reports if content.reports else None
        if self._reports is None and content.reports:
            note = f"{note} Its {content.reports} files of reports were left in it.".strip()
        if self._reports is not None and not content.reports:
            note = f"{note} It holds no files of reports: backup --reports adds them.".strip()
        return RestoreOutcome(content, repr(self._engine.url), where, pages, note)

    def _room(self, stack: ExitStack) -> Path:
        """Return a folder for what is not finished: beside a SQLite file, so that it can be renamed."""
        if self._engine.dialect.name != "sqlite":
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mismartera-")))
        path = Path(str(self._engine.url.database))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(folder_beside(path))
        except OSError as error:
            raise StorageError(
                f"{path.parent} cannot be written: {error.strerror}; nothing was restored."
            ) from None

    def _require_empty(self) -> None:
        if self._engine.dialect.name == "sqlite":
            refuse_logs(Path(str(self._engine.url.database)))
        if not connections.is_missing_file(self._engine):
            with self._engine.connect() as connection:
                names = sorted(inspect(connection).get_table_names())
            if names:
                raise InvalidInputError(
                    f"{self._engine.url!r} is not empty: it has the tables {', '.join(names[:5])}"
                    f"{' and more' if len(names) > 5 else ''}; name a database without tables."
                )
        if self._store is not None:
            self._store.require_empty()
        if self._reports is not None and not (
            self._is_absent(self._reports) or self._has_reports()
        ):
            raise InvalidInputError(f"the folder {self._reports} is not empty; name an empty one.")

    def _is_absent(self, folder: Path) -> bool:
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))

    def _has_reports(self) -> bool:
        """Whether the folder holds exactly the backup's files, as a killed restore leaves it."""
        assert self._reports is not None
        expected = {path: self._archive.members[name]["sha256"] for name, path in self._files_of()}
        found = [path for path in self._reports.rglob("*") if not path.is_dir()]
        return set(found) == expected.keys() and all(
            digest_of(path) == expected[path] for path in found
        )

    def _files_of(self) -> list[tuple[str, Path]]:
        """Return the members that are reports, and where each is to be."""
        folder = self._reports
        if folder is None:
            return []
        return [
            (name, folder / name.removeprefix("reports/")) for name in reports_of(self._archive)
        ]

    def _require_newest(self, content: BackupContent) -> None:
        newest = revisions.scripts_of().get_current_head()
        if self._engine.dialect.name != "sqlite" and content.revision != newest:
            raise DatabaseNotReadyError(
                f"the database in {content.path} is at revision {content.revision}, and only {newest} "
                f"goes to PostgreSQL: restore it into a SQLite file, bring that up to date with "
                f"'mismartera db upgrade', and copy it with 'mismartera db copy'."
            )

    def _write_database(self, extracted: Path, content: BackupContent) -> str:
        """Write the records; the store gets its name when they are whole, just before them."""
        if self._engine.dialect.name == "sqlite":
            self._publish()
            place_file(extracted, Path(str(self._engine.url.database)))
            return self._advice(content)
        source = connections.make_engine(config.sqlite_url(extracted))
        try:
            done = copy_rows(
                source,
                self._engine,
                progress=self._progress,
                before_commit=lambda outcome: self._agree(outcome.tables, content),
            )
        finally:
            source.dispose()
        return done.note

    def _agree(self, found: tuple[TableContent, ...], content: BackupContent) -> None:
        known = {one.name: one for one in content.tables}
        for one in found:
            if known.get(one.name) != one:
                raise self._archive.fault(f"table {one.name!r} differs from the manifest")
        self._publish()

    def _publish(self) -> None:
        """Give bars and reports their names."""
        self._is_public = True
        if self._store is not None:
            self._store.publish()
        if self._reports is None or self._reports_beside is None:
            return
        try:
            if self._reports.exists():
                self._reports.rmdir()
            self._reports_beside.rename(self._reports)
            self._has_moved_reports = True
            settle(self._reports.parent)
        except OSError as error:
            raise StorageError(f"{self._reports} cannot be written: {error.strerror}.") from None

    def _advice(self, content: BackupContent) -> str:
        newest = revisions.scripts_of().get_current_head()
        if content.revision == newest:
            return ""
        return (
            f"The database is at revision {content.revision}, as it was backed up; bring it to "
            f"{newest} with 'mismartera db upgrade'."
        )

    def _write_reports(self, stack: ExitStack) -> None:
        """Write the files in a folder beside; one that is there by now is whole."""
        if self._reports is None or not self._is_absent(self._reports):
            return
        try:
            self._reports.parent.mkdir(parents=True, exist_ok=True)
            self._reports_beside = stack.enter_context(folder_beside(self._reports)) / "reports"
            self._reports_beside.mkdir()
            for name, path in self._files_of():
                beside = self._reports_beside / path.relative_to(self._reports)
                beside.parent.mkdir(parents=True, exist_ok=True)
                with self._archive.open(name) as source, beside.open("xb") as target:
                    shutil.copyfileobj(source, target)
                settle(beside)
        except MismarteraError:
            raise
        except OSError as error:
            raise StorageError(f"{self._reports} cannot be written: {error.strerror}.") from None

    def _undo(self, error: BaseException) -> None:
        """Take back what was written, unless the records may be there, which would miss it.

        What is left then is whole, and the same restore goes on with it.
        """
        is_sure = isinstance(error, MismarteraError) and not isinstance(error, OutcomeUnknownError)
        if self._is_public and not is_sure:
            return
        if self._store is not None:
            self._store.withdraw()
        if self._reports is not None and self._has_moved_reports:
            shutil.rmtree(self._reports, ignore_errors=True)
