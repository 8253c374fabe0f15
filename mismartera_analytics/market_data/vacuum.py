"""Deleting data files that no kept version needs."""

from __future__ import annotations

import datetime as dt
import random
import time
from bisect import bisect_left
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.bar_table import BarTable, Conflict
from mismartera_analytics.market_data.log_entries import lifetimes
from mismartera_analytics.market_data.places import FileFound
from mismartera_analytics.market_data.snapshots import Snapshot, Versions

__all__ = ["ORPHAN_AGE", "vacuum"]

ORPHAN_AGE = dt.timedelta(days=1)
"""How old a file must be that no version refers to: a younger one may be about to be committed."""
_ATTEMPTS = 40
_LONGEST_WAIT = 0.5
_LONGEST_KEEP = dt.timedelta(days=365_000)


@dataclass(frozen=True)
class _Plan:
    """What is to be deleted, and which versions can no longer be read then."""

    files: list[tuple[FileFound, str]]
    vacuumed: Versions


def vacuum(
    table: BarTable, *, keep: dt.timedelta, cited: Iterable[int], dry_run: bool
) -> pd.DataFrame:
    """Delete data files that no kept version needs, and what writers that were killed left behind.

    Which versions go is committed before the first file is deleted: wherever this is interrupted, a
    kept version reads, one that lost a file is refused, and the next call goes on.

    Parameters
    ----------
    table
        Whose files.
    keep
        Versions that were the newest at some time in this long a past are kept.
    cited
        Versions to keep besides; those that do not exist are ignored.
    dry_run
        Say what would be deleted and change nothing.

    Returns
    -------
    pandas.DataFrame
        As `frames.VACUUMED`.

    Raises
    ------
    StorageError
        If the log is not complete, a file cannot be deleted, or other writers kept committing first.
    """
    asked = set(cited)
    for attempt in range(_ATTEMPTS):
        base = table.snapshot()
        plan = _plan(table, base, keep, asked)
        if dry_run or not plan.files:
            return _told(plan)
        if plan.vacuumed == base.vacuumed:
            break
        note = {"mismartera": {"vacuum": {"files": len(plan.files)}}}
        try:
            table.mark_vacuumed(base, plan.vacuumed, note=note)
            break
        except Conflict:
            time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST_WAIT)))
    else:
        raise StorageError(
            f"{_ATTEMPTS} tries to commit to {table.place.uri} all met another writer who was first; "
            f"nothing was deleted, try again when fewer processes write."
        )
    _delete(table, plan)
    return _told(plan)


def _plan(table: BarTable, base: Snapshot, keep: dt.timedelta, cited: set[int]) -> _Plan:
    if base.version < 0:
        return _Plan([], base.vacuumed)
    wanted = _kept(table, base, keep) | {v for v in cited if 0 <= v <= base.version}
    kept = sorted(wanted - set(base.vacuumed))
    lives_of = lifetimes(table, base.version, otherwise="nothing was deleted")
    oldest_orphan = time.time() - ORPHAN_AGE.total_seconds()
    files: list[tuple[FileFound, str]] = []
    gone = set(base.vacuumed)
    for file in table.place.listed():
        if file.path.startswith("_") or not file.path.endswith(".parquet"):
            continue
        lives = lives_of.get(file.path)
        if lives is None:
            if file.modified < oldest_orphan:
                files.append((file, "orphan"))
        elif not any(bisect_left(kept, first) < bisect_left(kept, end) for first, end in lives):
            files.append((file, "superseded"))
            gone |= {v for first, end in lives for v in range(first, min(end, base.version + 1))}
    return _Plan(sorted(files), Versions.of(gone))


def _kept(table: BarTable, base: Snapshot, keep: dt.timedelta) -> set[int]:
    """Return the newest version and those that were the newest at some time of late."""
    since = clock.utc_now() - min(keep, _LONGEST_KEEP)
    history = table.history()[: base.version + 1]
    ends = [commit["committed_at"] for commit in history[1:]]
    young = {v["version"] for v, end in zip(history, ends, strict=False) if end > since}
    return young | {base.version}


def _delete(table: BarTable, plan: _Plan) -> None:
    try:
        with ThreadPoolExecutor(table.place.threads) as pool:
            list(pool.map(table.place.delete, (file.path for file, _ in plan.files)))
    except OSError as error:
        raise StorageError(
            f"some files of {table.place.uri} cannot be deleted: {table.place.said(error)}; the "
            f"versions that are kept are whole, and another vacuum goes on."
        ) from None


def _told(plan: _Plan) -> pd.DataFrame:
    rows = [
        (file.path, file.size, dt.datetime.fromtimestamp(file.modified, clock.UTC), reason)
        for file, reason in plan.files
    ]
    return frames.VACUUMED.conform(pd.DataFrame(rows, columns=frames.VACUUMED.names))
