"""Bars of a backup back into an empty place, file by file, and checked there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.files import name_beside
from mismartera_analytics.market_data.bar_table import BarTable, entry_of
from mismartera_analytics.market_data.layout import layout_of
from mismartera_analytics.market_data.places import FolderPlace, Place, place_of
from mismartera_analytics.market_data.snapshots import Versions

__all__ = ["CHUNK", "RestoredInterval", "StoreRestore"]

CHUNK = 1 << 20
_CHECKPOINT_FROM = 20
"""With so many versions a log opens noticeably faster from a checkpoint."""


@dataclass(frozen=True)
class RestoredInterval:
    """An interval of a backup.

    Attributes
    ----------
    version, readable
        The newest version, and all whose files are there.
    files
        SHA-256 of each file, by its path below the interval's folder.
    """

    version: int
    readable: Versions
    files: Mapping[str, str]


class StoreRestore:
    """A restore of a store in two steps: `prepare` writes and checks, `publish` gives it its name.

    In a folder, everything is written beside and renamed. In a bucket nothing can be renamed: files of
    bars come first and the log's entries last, so that nothing reads half. Left alone before it
    is published, `withdraw` removes what was written. A store that holds nothing but files of this very
    backup, as a killed restore leaves it, is completed.

    Parameters
    ----------
    uri
        The store: empty.
    intervals
        What to restore.
    opened
        Opens a file of the backup by interval and path.
    """

    def __init__(
        self,
        uri: str,
        intervals: Mapping[str, RestoredInterval],
        opened: Callable[[str, str], AbstractContextManager[IO[bytes]]],
    ) -> None:
        self.place = place_of(uri)
        if intervals:
            self.place.check_name()
        self._intervals = intervals
        self._opened = opened
        self._beside: Place = self.place
        self._is_complete = False
        self._is_public = False
        self._written: list[tuple[Place, str]] = []

    def require_empty(self) -> None:
        """Refuse a store that holds anything but files of this backup.

        Raises
        ------
        InvalidInputError
            If it does.
        StorageError
            If it cannot be read.
        """
        try:
            self._compare({file.path for file in self.place.listed()})
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"{self.place.uri} cannot be read: {self.place.said(error)}."
            ) from None

    def _compare(self, found: set[str]) -> None:
        if not found:
            return
        expected = {
            f"{interval}/{path}": digest
            for interval, one in self._intervals.items()
            for path, digest in one.files.items()
        }
        ours = {f"{interval}/{path}" for interval, one in self._intervals.items()
                for path in _made_by_us(one.version)}  # fmt: skip
        foreign = next(
            (
                path
                for path in sorted(found - ours)
                if expected.get(path) is None or self._digest(self.place, path) != expected[path]
            ),
            None,
        )
        is_whole = expected.keys() <= found
        if foreign is not None or (not is_whole and not self.place.is_remote):
            raise InvalidInputError(
                f"the bar store {self.place.uri} is not empty: it holds {foreign or min(found)}; name "
                f"an empty one."
            )
        self._is_complete = is_whole

    def prepare(self, *, on_bytes: Callable[[int], object]) -> None:
        """Write every file, in a folder beside, and check what is there.

        Raises
        ------
        StorageError
            If a file cannot be written, or reads otherwise than it was written.
        """
        if not self.place.is_remote:
            if self._is_complete:
                return
            self._beside = FolderPlace(name_beside(Path(self.place.uri)))
        for interval, one in self._intervals.items():
            # The log comes last: in a bucket nothing of an interval is to be read before it is whole.
            for path in sorted(one.files, key=lambda path: (path.startswith("_delta_log"), path)):
                self._write(interval, path, one.files[path])
                on_bytes(1)
            self._finish(interval, one)

    def _write(self, interval: str, path: str, digest: str) -> None:
        place = self._beside.below(interval)
        if place.is_remote and place.stamp(path) is not None:
            return  # of this backup: `require_empty` has compared it

        def save(where: Any) -> None:
            with self._opened(interval, path) as source:
                if isinstance(where, Path):
                    with where.open("wb") as target:
                        shutil.copyfileobj(source, target, CHUNK)
                else:
                    shutil.copyfileobj(source, where, CHUNK)

        try:
            self._written.append((place, path))
            place.write(path, save)
            is_same = self._digest(place, path) == digest
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"{self.place.uri}/{interval}/{path} cannot be written: {place.said(error)}; nothing "
                f"was restored."
            ) from None
        if not is_same:
            raise StorageError(
                f"{place.uri}/{path} reads otherwise than it was written; nothing was restored."
            )

    def _digest(self, place: Place, path: str) -> str:
        digest = hashlib.sha256()
        with place.filesystem.open_input_file(place.full(path)) as file:
            while part := file.read(CHUNK):
                digest.update(part)
        return digest.hexdigest()

    def _finish(self, interval: str, one: RestoredInterval) -> None:
        """Say which versions the backup did not hold, and read every one that it did."""
        from deltalake import DeltaTable

        place = self._beside.below(interval)
        table = BarTable(place, layout_of(interval))
        base = table.snapshot()
        gone = Versions.of(set(range(one.version)) - set(one.readable))
        if base.version == one.version and str(base.vacuumed) != str(gone):
            self._written.append((place, entry_of(one.version + 1)))
            table.mark_vacuumed(base, gone, note={"mismartera": {"restore": {}}})
        for version in one.readable:
            table.at_version(version)
        if table.snapshot().version >= _CHECKPOINT_FROM and not place.is_remote:
            DeltaTable(place.uri).create_checkpoint()

    def publish(self) -> None:
        """Let the store appear under its name.

        Raises
        ------
        InvalidInputError
            If somebody has written there meanwhile.
        """
        if self._beside is not self.place and self._intervals:
            root = Path(self.place.uri)
            try:
                root.parent.mkdir(parents=True, exist_ok=True)
                for folder, _, _ in os.walk(root, topdown=False):
                    Path(folder).rmdir()  # folders without a file are no store
                Path(self._beside.uri).rename(root)
                FolderPlace(root.parent).settle(root.name)
            except OSError as error:
                raise InvalidInputError(
                    f"the bar store {root} is not empty, or cannot be made: {error.strerror}."
                ) from None
        self._is_public = True

    def withdraw(self) -> None:
        """Remove what was written, after a fault; the store is as empty as before."""
        if self._beside is not self.place:
            shutil.rmtree(self._beside.uri, ignore_errors=True)
            if self._is_public:
                shutil.rmtree(self.place.uri, ignore_errors=True)
            return
        for place, path in reversed(self._written):
            # A bucket that cannot be reached keeps it; the same restore goes on with what is there.
            with contextlib.suppress(OSError):
                place.delete(path)


def _made_by_us(version: int) -> list[str]:
    """Return what `prepare` adds to the log: a commit, a checkpoint, and the note of it."""
    after = entry_of(version + 1)
    kept = [
        entry_of(number).replace(".json", ".checkpoint.parquet")
        for number in (version, version + 1)
    ]
    return [after, *kept, "_delta_log/_last_checkpoint"]
