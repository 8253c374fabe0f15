"""Report files examined: they are where they were put, as they were written, without leftovers."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import config
from mismartera_analytics.files import is_leftover
from mismartera_analytics.models.runs import Report
from mismartera_analytics.operations.findings import Finding, named

__all__ = ["LEFTOVER_AGE", "check_leftovers", "check_reports"]

LEFTOVER_AGE = 3600.0
"""How old a file beside its place must be: a younger one may be about to be moved there [s]."""


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
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def check_leftovers(db_session: Session | None) -> Iterator[Finding]:
    """Yield files that were written beside their place by a process that was killed."""
    folders = {config.settings().reports}
    if db_session is not None:
        folders |= {
            Path(path).parent for path in db_session.scalars(select(Report.path).distinct())
        }
    found = sorted(file for folder in folders for file in _leftovers(folder))
    if not found:
        return

    def delete() -> str:
        for file in found:
            file.unlink(missing_ok=True)
        return f"{len(found)} files were deleted"

    yield Finding(
        "leftovers", "note", f"{named('file', found)}: left by a process that was killed",
        "mismartera doctor --fix", len(found), delete,
    )  # fmt: skip


def _leftovers(folder: Path) -> list[Path]:
    oldest = time.time() - LEFTOVER_AGE
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path) for entry in entries
                if is_leftover(entry.name) and entry.is_file(follow_symlinks=False)
                and entry.stat().st_mtime < oldest
            ]  # fmt: skip
    except OSError:
        return []
