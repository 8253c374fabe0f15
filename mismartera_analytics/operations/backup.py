"""Backups: the records, the bars that they cite and the newest ones, in one file."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mismartera_analytics import clock, config
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    MismarteraError,
    StorageError,
)
from mismartera_analytics.files import folder_beside, is_leftover, settle
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.market_data.store_copies import (
    IntervalCopy,
    VersionGoneError,
    is_below,
    planned,
    vacuumed_by_interval,
)
from mismartera_analytics.models import connections, revisions
from mismartera_analytics.operations.archives import DATABASE, ArchiveWriter
from mismartera_analytics.operations.copying import copy_rows
from mismartera_analytics.operations.database_files import (
    give_name,
    opened_file,
    take_file,
)
from mismartera_analytics.operations.table_digests import TableContent
from mismartera_analytics.operations.table_rows import content_of, contents_of, engine_of
from mismartera_analytics.recording.ownership import refuse_others_than_superusers

__all__ = ["BackupOutcome", "back_up"]

ATTEMPTS = 20
DAMAGED_AFTER = 2  # times that a file is missing which a plan made anew still asks for


@dataclass(frozen=True)
class BackupOutcome:
    """What a backup holds.

    Attributes
    ----------
    path
        The file.
    created_at
        When the records were read.
    tables
        Each table with its rows and its checksum.
    bars
        What was copied of each interval; None without bars.
    reports
        How many files of reports; None without them.
    left_out
        What the database has besides.
    digest
        SHA-256 of the manifest, by which the backup is known.
    """

    path: Path
    created_at: dt.datetime
    tables: tuple[TableContent, ...]
    bars: tuple[IntervalCopy, ...] | None
    reports: int | None
    left_out: tuple[str, ...]
    digest: str

    def __repr__(self) -> str:
        rows = sum(one.rows for one in self.tables)
        told = [f"{rows:,} rows of {len(self.tables)} tables"]
        for one in self.bars or ():
            cited = f" and {len(one.cited)} cited versions" if one.cited else ""
            told.append(f"{one.interval} bars at version {one.version}{cited}")
        if self.bars is None:
            told.append("no bars")
        if self.reports is not None:
            told.append(f"{self.reports} files of reports")
        gone = [
            f"{one.interval} version {version}"
            for one in self.bars or ()
            for version in one.missing
        ]
        lacking = f" Cited, but vacuumed before: {', '.join(gone)}." if gone else ""
        besides = f" Not copied: {', '.join(self.left_out)}." if self.left_out else ""
        return f"{self.path} holds {', '.join(told)}.{lacking}{besides}"


def back_up(
    file: str | Path,
    *,
    bars: bool = True,
    reports: bool = False,
    progress: bool | None = None,
) -> BackupOutcome:
    """Write the configured database and bar store into one file, while others go on writing.

    The records are of one instant. Of the bars the newest version of each interval is copied, and
    every version that saved runs and reports of these records cite, so that they can be run and
    verified again. The file appears under its name when it is whole, readable by its owner only.

    Parameters
    ----------
    file
        Of the backup; there must be none.
    bars
        Whether bars go along.
    reports
        Whether the files in the folder of reports go along.
    progress
        Whether a bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    BackupOutcome

    Raises
    ------
    InvalidInputError
        If the file exists.
    DatabaseNotReadyError
        If the database has no tables; on PostgreSQL, if it is at another revision.
    RowsNotTakenError
        If a PostgreSQL database holds what no SQLite file can: NaN, infinite times.
    StorageError
        If something cannot be read or written, or others keep vacuuming what is being copied.
    NotAllowedError
        If somebody who is no superuser is signed in, or the database's role does not see every row.

    Examples
    --------
    >>> back_up(ma.settings().home / "monday.zip").bars[0].interval
    '1d'
    """
    refuse_others_than_superusers("take backups")
    path = expanded(file, argument="file").absolute()
    if path.exists():
        raise InvalidInputError(f"{path} exists; name a new file.")
    engine = engine_of(config.settings().database_url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with folder_beside(path) as folder:
            work = _Work(engine, folder, progress)
            outcome = work.write(path, has_bars=bars, has_reports=reports)
            settle(work.archive_path)
            give_name(work.archive_path, path)
    except FileExistsError:
        raise InvalidInputError(f"{path} exists by now; name a new file.") from None
    except MismarteraError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        engine.dispose()
    return outcome


class _Work:
    """One backup being written into a folder."""

    def __init__(self, engine: Engine, folder: Path, progress: bool | None) -> None:  # noqa: FBT001
        self.archive_path = folder / "archive.zip"
        self._engine, self._folder, self._progress = engine, folder, progress
        self._store = config.settings().bar_store
        self._left_out: list[str] = []
        self._read_at = clock.utc_now()

    def write(self, path: Path, *, has_bars: bool, has_reports: bool) -> BackupOutcome:
        archive = ArchiveWriter(self.archive_path)
        with (
            contextlib.closing(archive),
            progress_bar(
                total=0, what="backup", unit="B", progress=self._progress, scaled=True
            ) as bar,
        ):
            snapshot, plans = self._consistent(archive, bar.update, has_bars=has_bars)
            with snapshot.open("rb") as source:
                archive.add(DATABASE, source, on_bytes=bar.update)
            reports = self._add_reports(archive, bar.update) if has_reports else None
            tables, database = self._described(snapshot)
            digest = archive.finish(
                {
                    "library_version": _library_version(),
                    "created_at": self._read_at.isoformat(),
                    "database": database,
                    "bars": None if plans is None else {p.interval: _as_json(p) for p in plans},
                    "reports": reports,
                }
            )
        found = None if plans is None else tuple(plans)
        count = None if reports is None else len(reports)
        return BackupOutcome(
            path, self._read_at, tables, found, count, tuple(self._left_out), digest
        )

    def _consistent(
        self, archive: ArchiveWriter, on_bytes: Callable[[int], object], *, has_bars: bool
    ) -> tuple[Path, list[IntervalCopy] | None]:
        """Return a snapshot of the records, and bars in the archive that hold all that it cites.

        The records are read first: what they cite is in a store that is looked at later, unless it
        was vacuumed in between; then both are looked at again. Files that are copied stay copied.
        """
        gone: Counter[str] = Counter()
        for attempt in range(ATTEMPTS):
            before = vacuumed_by_interval(self._store) if has_bars else {}
            self._read_at = clock.utc_now()
            snapshot = self._snapshot(attempt)
            if not has_bars:
                return snapshot, None
            try:
                with _session_on(snapshot) as db_session:
                    plans = planned(self._store, vacuumed_before=before, db_session=db_session)
                for plan in plans:
                    self._add_bars(archive, plan, on_bytes)
            except (VersionGoneError, _FileGoneError) as error:
                snapshot.unlink()
                gone[str(error)] += isinstance(error, _FileGoneError)
                if gone[str(error)] > DAMAGED_AFTER:  # planned anew, and still named by the log
                    raise StorageError(
                        f"the bar file {error} is gone, though no vacuum took it; no backup was "
                        f"written. 'mismartera doctor' names all such files, and --without-bars backs "
                        f"up the records alone."
                    ) from None
                time.sleep(0.01 * attempt)
                continue
            return snapshot, plans
        raise StorageError(
            f"in {ATTEMPTS} attempts others vacuumed {self._store} while it was copied; no backup was "
            f"written, take it when nobody vacuums, or let them keep versions for longer."
        )

    def _snapshot(self, attempt: int) -> Path:
        path = self._folder / f"database-{attempt}.sqlite"
        if self._engine.dialect.name == "sqlite":
            if connections.is_missing_file(self._engine):
                raise DatabaseNotReadyError(f"there is no file {self._engine.url.database!r}.")
            take_file(Path(str(self._engine.url.database)), path)
            return path
        target = connections.make_engine(config.sqlite_url(path))
        try:
            self._left_out = list(copy_rows(self._engine, target, progress=False).left_out)
        finally:
            target.dispose()
        plain = path.with_suffix(".plain")  # without a log beside it
        take_file(path, plain)
        return plain.rename(path)

    def _add_bars(
        self, archive: ArchiveWriter, plan: IntervalCopy, on_bytes: Callable[[int], object]
    ) -> None:
        place = place_of(self._store).below(plan.interval)
        for path in plan.files:
            name = f"bars/{plan.interval}/{path}"
            if name not in archive.members:  # such files never change
                with _opened(place, path) as source:
                    archive.add(name, source, on_bytes=on_bytes)

    def _add_reports(self, archive: ArchiveWriter, on_bytes: Callable[[int], object]) -> list[str]:
        folder = config.settings().reports
        names = []
        for path in sorted(folder.rglob("*")):
            try:
                is_half = any(is_leftover(part) for part in path.relative_to(folder).parts)
                if is_half or path.is_symlink() or not path.is_file():
                    continue
                content = path.read_bytes()
            except FileNotFoundError:  # deleted while we look
                continue
            except OSError as error:
                raise StorageError(
                    f"{path} cannot be read: {error.strerror}; no backup was written."
                ) from None
            name = f"reports/{path.relative_to(folder).as_posix()}"
            if not is_below(name):
                self._left_out.append(f"file {name!r}, a name that not every system takes")
                continue
            archive.add(name, io.BytesIO(content), on_bytes=on_bytes)
            names.append(name)
        return names

    def _described(self, snapshot: Path) -> tuple[tuple[TableContent, ...], dict[str, Any]]:
        with opened_file(snapshot) as connection:
            state = revisions.status_on(connection, revisions.scripts_of())
            if state.state == "fresh":
                raise DatabaseNotReadyError(f"{self._engine.url!r} {state.advice}.")
            contents = contents_of(connection)
            tables = tuple(content_of(connection, table) for table in contents.tables)
        manifest = {
            "member": DATABASE,
            "from": self._engine.dialect.name,
            "revision": state.current,
            "tables": {t.name: {"rows": t.rows, "checksum": t.checksum} for t in tables},
            "left_out": self._left_out,
        }
        return tables, manifest


class _FileGoneError(Exception):
    """A file of bars was vacuumed before it was copied."""


def _library_version() -> str:
    from mismartera_analytics import __version__

    return str(__version__)


def _as_json(plan: IntervalCopy) -> dict[str, Any]:
    return {
        "version": plan.version,
        "readable": str(plan.readable),
        "cited": list(plan.cited),
        "cited_but_gone": list(plan.missing),
        "files": list(plan.files),
    }


@contextlib.contextmanager
def _session_on(snapshot: Path) -> Iterator[Session | None]:
    """Give a session on a snapshot; None where it has no runs and reports, as before revision 0002."""
    with opened_file(snapshot) as connection:
        names = {table.name for table in contents_of(connection).tables}
        if not {"backtest_runs", "reports"} <= names:
            yield None
            return
        with Session(bind=connection) as db_session:
            yield db_session


@contextlib.contextmanager
def _opened(place: Place, path: str) -> Iterator[IO[bytes]]:
    """Give a file of the store that can be read to its end, even if it is deleted meanwhile."""
    try:
        if place.is_remote:
            with place.filesystem.open_input_file(place.full(path)) as file:
                source: IO[bytes] = io.BytesIO(file.read())
        else:
            source = Path(place.full(path)).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise _FileGoneError(f"{place.uri}/{path}") from None
    except OSError as error:
        raise StorageError(
            f"{place.uri}/{path} cannot be read: {place.said(error)}; no backup was written."
        ) from None
    with source:
        yield source
