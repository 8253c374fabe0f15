"""What of a bar store goes into a backup: each interval's newest version and those that are cited."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.bar_table import bar_table, entry_of
from mismartera_analytics.market_data.citations import cited_versions
from mismartera_analytics.market_data.log_entries import (
    FOREVER,
    Lifetimes,
    actions_in,
    lifetimes,
    lifetimes_of,
)
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.market_data.scanning import stored_intervals
from mismartera_analytics.market_data.snapshots import Versions
from mismartera_analytics.market_data.store import BarStore

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = [
    "IntervalCopy",
    "VersionGoneError",
    "check_log",
    "is_below",
    "planned",
    "vacuumed_by_interval",
]


class VersionGoneError(StorageError):
    """A version that the records cite was vacuumed since the records were read; read them again."""


@dataclass(frozen=True)
class IntervalCopy:
    """The part of one interval.

    Attributes
    ----------
    interval
        Length of its bars.
    version
        The newest that is copied.
    readable
        Every version whose files are all copied.
    cited
        Those of them that runs and reports refer to.
    missing
        Cited versions that had been vacuumed before.
    files
        Paths below the interval's folder: the entries of the log, then the files of bars.
    """

    interval: str
    version: int
    readable: Versions
    cited: tuple[int, ...]
    missing: tuple[int, ...]
    files: tuple[str, ...]


def vacuumed_by_interval(uri: str) -> dict[str, Versions]:
    """Return, for each interval of a store, the versions that can no longer be read.

    Raises
    ------
    StorageError
        If the store cannot be read.
    """
    store = BarStore(uri)
    place = place_of(uri)
    return {
        interval: bar_table(place, interval).snapshot().vacuumed
        for interval in stored_intervals(store)
    }


def planned(
    uri: str, *, vacuumed_before: Mapping[str, Versions], db_session: Session | None
) -> list[IntervalCopy]:
    """Return what to copy of a store so that every version that records cite reads as before.

    Parameters
    ----------
    uri
        The store.
    vacuumed_before
        From `vacuumed_by_interval`, asked for before the records were read.
    db_session
        The records; their citations are older than what is read of the store here. None where there
        are no tables of runs yet.

    Returns
    -------
    list of IntervalCopy

    Raises
    ------
    VersionGoneError
        If a cited version was vacuumed in between.
    StorageError
        If a log cannot be read.
    """
    place = place_of(uri)
    return [
        _planned(place, interval, vacuumed_before.get(interval, Versions()), db_session)
        for interval in stored_intervals(BarStore(uri))
    ]


def _planned(
    place: Place, interval: str, before: Versions, db_session: Session | None
) -> IntervalCopy:
    table = bar_table(place, interval)
    newest = table.snapshot()
    named = set() if db_session is None else cited_versions(place, interval, db_session=db_session)
    cited = {version for version in named if 0 <= version <= newest.version}
    gone = {version for version in cited if version in newest.vacuumed}
    if any(version not in before for version in gone):
        raise VersionGoneError(
            f"version {min(gone - set(before))} of the {interval} bars, which the records cite, was "
            f"vacuumed meanwhile."
        )
    lives = lifetimes(table, newest.version, otherwise="nothing was copied")
    kept = {newest.version, *cited} - gone
    readable, files = _readable(lives, kept, newest.version, newest.vacuumed)
    entries = [entry_of(version) for version in range(newest.version + 1)]
    return IntervalCopy(
        interval,
        newest.version,
        readable,
        tuple(sorted(cited - gone)),
        tuple(sorted(gone)),
        (*entries, *files),
    )


def _readable(
    lives: Lifetimes, kept: set[int], newest: int, vacuumed: Versions
) -> tuple[Versions, list[str]]:
    """Return the files that kept versions need, and every version that needs no others."""
    files, gone = [], set(vacuumed)
    for path, ranges in lives.items():
        if any(first <= version < end for first, end in ranges for version in kept):
            files.append(path)
        else:
            gone |= {v for first, end in ranges for v in range(first, min(end, newest + 1))}
    return Versions.of(set(range(newest + 1)) - gone), sorted(files)


def check_log(
    interval: str,
    version: int,
    readable: Iterable[int],
    files: Iterable[str],
    read: Callable[[str], bytes],
) -> None:
    """Check that a copy of an interval is whole, and that its log names no file outside of it.

    Parameters
    ----------
    interval, version, readable, files
        As in `IntervalCopy`.
    read
        Returns the content of an entry of the log, by its path.

    Raises
    ------
    StorageError
        If an entry cannot be read, a version that is to be readable lacks a file, or there is a file
        that the entries do not name.
    """
    copied = set(files)
    entries = []
    for number in range(version + 1):
        if entry_of(number) not in copied:
            raise StorageError(f"the log of the {interval} bars lacks version {number}")
        entries.append(_checked(interval, number, read(entry_of(number))))
    try:
        lives = lifetimes_of(entries)
    except (KeyError, TypeError, AttributeError):
        raise StorageError(f"the log of the {interval} bars names no files") from None
    _check_no_more(interval, copied - {entry_of(number) for number in range(version + 1)}, lives)
    wanted = sorted(set(readable))
    for path, ranges in lives.items():
        if path in copied:
            continue
        for first, end in ranges:
            lacking = [v for v in wanted if first <= v < min(end, FOREVER)]
            if lacking:
                raise StorageError(
                    f"version {lacking[0]} of the {interval} bars needs {path!r}, which is not there"
                )


def _check_no_more(interval: str, others: set[str], lives: Lifetimes) -> None:
    """Refuse what a reader would take for a part of the log: later entries, checkpoints, sidecars."""
    unknown = min(others - lives.keys(), default=None)
    if unknown is not None:
        raise StorageError(f"the log of the {interval} bars does not name {unknown!r}")
    hidden = min((path for path in lives if path.startswith(("_", "."))), default=None)
    if hidden is not None:
        raise StorageError(
            f"the log of the {interval} bars names {hidden!r}, which is no file of bars"
        )


def _checked(interval: str, number: int, content: bytes) -> list[dict[str, Any]]:
    try:
        actions = actions_in(content.decode())
    except (UnicodeDecodeError, StorageError):
        raise StorageError(
            f"version {number} in the log of the {interval} bars is no log entry"
        ) from None
    for action in actions:
        added = action.get("add", {})
        path = added.get("path") if isinstance(added, dict) else None
        named = str(path or "x") if "add" not in action else str(path or "")
        if not (is_below(named) and is_below(urllib.parse.unquote(named))):
            raise StorageError(
                f"version {number} of the {interval} bars names {named!r}, which lies outside of it"
            )
    return actions


def is_below(path: str) -> bool:
    """Return whether a path stays below the folder that it starts from, on every system.

    Examples
    --------
    >>> is_below("symbol=A/part.parquet"), is_below("../x"), is_below("/etc/passwd"), is_below("a:b")
    (True, False, False, False)
    """
    parts = path.split("/")
    return all(part not in ("", ".", "..") for part in parts) and not any(
        character in ':\\"<>|?*' or not character.isprintable() for character in path
    )
