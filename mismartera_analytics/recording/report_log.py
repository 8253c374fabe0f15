"""The table of reports: what was written where, and what each cites."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from mismartera_analytics import auth, clock
from mismartera_analytics.json_texts import stored_object
from mismartera_analytics.models import AccountInfo, BacktestRun, Report, ReportRows
from mismartera_analytics.models.retrying import repeated, repeated_until_commit
from mismartera_analytics.recording.cited_rows import Packed, Row, unpack
from mismartera_analytics.recording.ownership import reading, scope_of
from mismartera_analytics.recording.transactions import writing

__all__ = ["LoggedReport", "find_report", "latest_reports", "log_report", "rows_of_report"]

MAX_TITLE = 200
AT_ONCE = 500


@dataclass(frozen=True)
class LoggedReport:
    """A row of the table.

    Attributes
    ----------
    report_id
        Its id.
    title, path, created_at, file_hash
        What was written where and when, and the SHA-256 of its bytes.
    account_id, run_id
        What it is about.
    cites
        What it rests on.
    """

    report_id: int
    title: str
    path: str
    created_at: dt.datetime
    file_hash: str | None
    account_id: int | None
    run_id: int | None
    cites: Mapping[str, Any]


@repeated_until_commit("verify the file: it says whether it was noted.")
def log_report(
    files: Mapping[str, str],
    *,
    title: str,
    cites: Mapping[str, Any],
    packed: Packed | None = None,
    account_id: int | None = None,
    run_id: int | None = None,
    db_session: Session | None = None,
) -> None:
    """Record what was written, in one transaction.

    Parameters
    ----------
    files
        SHA-256 of each file's bytes by its absolute path.
    title
        Of the report.
    cites
        What it rests on, JSON values.
    packed
        The rows of the records that it rests on; those that are kept already are not kept again.
    account_id, run_id
        What it is about. It belongs to the owner of that, else to whoever is signed in.
    db_session
        Where to write, uncommitted; by default a transaction of its own.
    """
    now = clock.utc_now()
    identity = auth.current_user()
    with writing(db_session) as own:
        owner = identity.user_id if identity is not None else None
        if account_id is not None:
            owner = own.get_one(AccountInfo, account_id).user_id
        elif run_id is not None:
            owner = own.get_one(BacktestRun, run_id).user_id
        if packed is not None:
            _keep(own, packed)
        own.add_all(
            Report(
                title=title[:MAX_TITLE], path=path, user_id=owner, account_id=account_id, run_id=run_id,
                created_at=now, cites_json=json.dumps(cites), file_hash=digest,
            )
            for path, digest in files.items()
        )  # fmt: skip


def _keep(db_session: Session, packed: Packed) -> None:
    known = set(
        db_session.scalars(select(ReportRows.digest).where(ReportRows.digest.in_(packed.texts)))
    )
    rows = [
        {"digest": digest, "rows_json": text}
        for digest, text in packed.texts.items()
        if digest not in known
    ]
    insert = sqlite.insert if db_session.get_bind().dialect.name == "sqlite" else postgresql.insert
    if rows:
        db_session.execute(insert(ReportRows).on_conflict_do_nothing(), rows)


@repeated
def find_report(
    *, path: str, file_hash: str | None, db_session: Session | None = None
) -> LoggedReport | None:
    """Return the row of a file: that of its bytes, else the newest one of its path.

    Parameters
    ----------
    path
        Absolute.
    file_hash
        SHA-256 of its bytes.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    LoggedReport or None
        Only one that whoever is signed in may see.
    """
    with reading(db_session) as own:
        for condition in (Report.file_hash == file_hash, Report.path == path):
            chosen = _visible(own).where(condition).order_by(Report.id.desc()).limit(1)
            row = own.scalar(chosen)
            if row is not None:
                return _logged(row)
    return None


@repeated
def latest_reports(
    paths: Iterable[str], *, db_session: Session | None = None
) -> dict[str, LoggedReport]:
    """Return the newest row of each path that has one; whoever is signed in sees their own.

    Parameters
    ----------
    paths
        Absolute.
    db_session
        As in `find_report`.
    """
    wanted, found = sorted(set(paths)), {}
    with reading(db_session) as own:
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            newest = select(func.max(Report.id)).where(Report.path.in_(some))
            newest = newest.where(*scope_of(own).rows(Report)).group_by(Report.path)
            for row in own.scalars(select(Report).where(Report.id.in_(newest))):
                found[row.path] = _logged(row)
    return found


def _visible(db_session: Session) -> Any:
    return select(Report).where(*scope_of(db_session).rows(Report))


def _logged(row: Report) -> LoggedReport:
    return LoggedReport(
        row.id, row.title, row.path, row.created_at, row.file_hash, row.account_id, row.run_id,
        stored_object(row.cites_json, what=f"cites_json of report {row.id}"),
    )  # fmt: skip


@repeated
def rows_of_report(digest: str, *, db_session: Session | None = None) -> dict[str, list[Row]]:
    """Return the rows that a report rests on, as they were.

    Parameters
    ----------
    digest
        As the report cites it.
    db_session
        As in `find_report`.

    Raises
    ------
    StorageError
        If a part is missing or is not what it was.
    """
    with reading(db_session) as own:
        return unpack(own, digest)
