"""Report files examined: they are where they were put, as they were written, without leftovers."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import config
from mismartera_analytics.errors import StorageError
from mismartera_analytics.files import digest_of, is_leftover
from mismartera_analytics.models.runs import Report
from mismartera_analytics.operations.findings import Finding, named
from mismartera_analytics.operations.place_checks import database_file

__all__ = ["LEFTOVER_AGE", "check_leftovers", "check_reports"]

LEFTOVER_AGE = 3600.0
"""How old a file beside its place must be: a younger one may be about to be moved there [s]."""
FOLDER_AGE = 86_400.0
"""As much of a folder: a restore checks a large backup for long before it writes anything there [s]."""


def check_reports(db_session: Session, advance: Callable[[], None]) -> Iterator[Finding]:
    """Yield reports that were noted and are not there, or not as they were written.

    Of a place that was written several times the file must be one of those noted, the newest at best.
    """
    noted: dict[str, list[str]] = {}
    rows = select(Report.path, Report.file_hash).order_by(Report.id)
    for path, digest in db_session.execute(rows):
        noted.setdefault(path, []).append(digest or "")
    gone, altered, former = [], [], []
    for path, digests in noted.items():
        found = _digest(Path(path))
        if found is None:
            gone.append(path)
        elif found not in digests:
            altered.append(path)
        elif found != digests[-1]:
            former.append(path)
        advance()
    if gone:
        yield Finding(
            "reports", "note", f"{named('report', gone)}: no file is there", "nothing, if it was "
            "moved or deleted; else make the report again", len(gone),
        )  # fmt: skip
    if altered:
        yield Finding(
            "reports", "warning", f"{named('report', altered)}: the file is not as it was written",
            "mismartera report verify FILE; make it again to have what the records say", len(altered),
        )  # fmt: skip
    if former:
        yield Finding(
            "reports", "note", f"{named('report', former)}: the newest was noted, and whoever made it "
            f"was stopped before it was in its place", "make it again", len(former),
        )  # fmt: skip


def _digest(path: Path) -> str | None:
    try:
        return digest_of(path) if path.is_file() else None  # a device has no end
    except OSError:
        return None


def check_leftovers(db_session: Session | None) -> Iterator[Finding]:
    """Yield what was written beside its place by a process that was killed: files, and whole folders.

    Looked at are the folders of reports, of the home, and those in which database and store lie.
    """
    settings = config.settings()
    folders = {settings.reports, settings.home}
    if "://" not in settings.bar_store:
        folders.add(Path(settings.bar_store).parent)
    database = database_file()
    if database is not None:
        folders.add(database.parent)
    if db_session is not None:
        folders |= {
            Path(path).parent for path in db_session.scalars(select(Report.path).distinct())
        }
    found = sorted({one for folder in folders for one in _leftovers(folder)})
    if not found:
        return

    def delete() -> str:
        for one in found:
            _delete(one)
        return f"{len(found)} files and folders were deleted"

    yield Finding(
        "leftovers", "note", f"{named('file', found)}: left by a process that was killed",
        "mismartera doctor --fix", len(found), delete,
    )  # fmt: skip


def _delete(one: Path) -> None:
    try:
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink()
    except FileNotFoundError:  # somebody else's doctor
        return
    except OSError as error:
        raise StorageError(f"{one} cannot be deleted: {error.strerror or error}.") from None


def _leftovers(folder: Path) -> list[Path]:
    now = time.time()
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_leftover(entry.name):
                    continue
                changed = entry.stat(follow_symlinks=False).st_mtime
                if entry.is_dir(follow_symlinks=False):
                    is_old = max(changed, _newest_in(entry.path)) < now - FOLDER_AGE
                else:
                    is_old = entry.is_file(follow_symlinks=False) and changed < now - LEFTOVER_AGE
                if is_old:
                    found.append(Path(entry.path))
    except OSError:
        return found
    return found


def _newest_in(folder: str) -> float:
    times = [
        os.lstat(os.path.join(inner, name)).st_mtime  # noqa: PTH118 - walked by text
        for inner, folders, names in os.walk(folder)
        for name in (*folders, *names)
    ]
    return max(times, default=0.0)
