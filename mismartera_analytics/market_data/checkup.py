"""Whether the files of a bar table are what its log says, without reading a bar."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.market_data.bar_table import BarTable
from mismartera_analytics.market_data.places import FileFound
from mismartera_analytics.market_data.snapshots import Snapshot
from mismartera_analytics.market_data.vacuum import ORPHAN_AGE, vacuum

__all__ = ["Checkup", "check_table", "clear_leftovers"]

_FOREVER = dt.timedelta(days=365_000)
_STAGED = re.compile(r"_delta_log/.*(#\d+|\.tmp)$")
"""What delta-rs writes beside a log entry before it moves it there."""


@dataclass(frozen=True)
class Checkup:
    """What was found of a table.

    Attributes
    ----------
    version
        The newest, -1 where there is none.
    files
        How many data files it has.
    missing
        Files of the newest version that are not there.
    other_size
        Files of it that are not as long as the log says.
    unreadable
        Versions asked for that cannot be read, each with the reason.
    leftovers
        Files that no version refers to and that are a day old, and those of versions that were
        vacuumed.
    """

    version: int
    files: int
    missing: tuple[str, ...]
    other_size: tuple[str, ...]
    unreadable: dict[int, str]
    leftovers: tuple[str, ...]


def check_table(table: BarTable, versions: Iterable[int]) -> Checkup:
    """Compare the log of a table with the files that are there.

    Parameters
    ----------
    table
        Of an interval.
    versions
        Further versions that have to be readable.

    Returns
    -------
    Checkup

    Raises
    ------
    StorageError
        If the newest version of the log cannot be read.
    """
    newest = table.snapshot()
    listed = table.place.listed()
    sizes = {file.path: file.size for file in listed}
    unreadable = {
        version: reason
        for version in sorted(set(versions))
        if (reason := _why_unreadable(table, version, sizes)) is not None
    }
    known = vacuum(table, keep=_FOREVER, cited=(), dry_run=True)["path"]
    return Checkup(
        newest.version,
        len(newest.files),
        tuple(file.path for file in newest.files if file.path not in sizes),
        tuple(f.path for f in newest.files if sizes.get(f.path, f.size) != f.size),
        unreadable,
        (*known, *(file.path for file in _staged(listed))),
    )


def clear_leftovers(table: BarTable) -> int:
    """Delete what killed writers left, and what an interrupted vacuum had still to delete.

    Returns
    -------
    int
        How many files.

    Raises
    ------
    StorageError
        If a file cannot be deleted.
    """
    done = vacuum(table, keep=_FOREVER, cited=(), dry_run=False)
    staged = _staged(table.place.listed())
    for file in staged:
        table.place.delete(file.path)
    return len(done) + len(staged)


def _staged(listed: list[FileFound]) -> list[FileFound]:
    oldest = time.time() - ORPHAN_AGE.total_seconds()
    return [file for file in listed if _STAGED.search(file.path) and file.modified < oldest]


def _why_unreadable(table: BarTable, version: int, sizes: dict[str, int]) -> str | None:
    try:
        snapshot: Snapshot = table.at_version(version)
    except MismarteraError as error:
        return str(error)
    gone = [file.path for file in snapshot.files if file.path not in sizes]
    return f"{len(gone)} of its files are gone" if gone else None
