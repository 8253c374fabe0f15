"""The Delta table of one interval: snapshots of its log, and commits that lose nobody's rows."""

from __future__ import annotations

import bisect
import contextlib
import datetime as dt
import functools
import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.market_data.bar_writing import WrittenFile
from mismartera_analytics.market_data.layout import Layout, layout_of
from mismartera_analytics.market_data.places import Place
from mismartera_analytics.market_data.snapshots import (
    VACUUMED,
    DataFile,
    Snapshot,
    Versions,
    read_commits,
    read_snapshot,
)

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["BarTable", "Conflict", "bar_table", "entry_of"]

_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "20",
}
"""Log entries are not deleted, neither at a checkpoint nor when another tool tidies up: old versions
would go with them."""


class Conflict(Exception):  # noqa: N818 - a signal between two modules, never seen outside
    """Another writer committed first; read the table again and retry."""


_NOTHING = Snapshot(-1, {})
_runtime_of: int | None = None
"""The process whose delta-rs runtime was started; a forked child inherits it broken."""


def _require_own_runtime() -> None:
    global _runtime_of
    if _runtime_of is None:
        _runtime_of = os.getpid()
    elif _runtime_of != os.getpid():
        raise StorageError(
            "this process was forked from one that had used the bar store, whose runtime does not "
            "survive that; start worker processes with 'spawn' or 'forkserver', for instance "
            "multiprocessing.get_context('spawn')."
        )


class BarTable:
    """One table: reads its log incrementally and commits changes against a known version."""

    def __init__(self, place: Place, layout: Layout) -> None:
        self.place = place
        self.layout = layout
        self._lock = threading.RLock()
        self._table: DeltaTable | None = None
        self._identity: str | None = None
        self._latest = _NOTHING
        self._history: list[dict[str, Any]] = []

    def snapshot(self) -> Snapshot:
        """Return the newest version.

        Raises
        ------
        StorageError
            If the log cannot be read, or this process was forked from one that had read it.
        """
        _require_own_runtime()
        with self._lock:
            if self._table is None or self.place.stamp(entry_of(0)) != self._identity:
                return self._open()
            if self.place.stamp(entry_of(self._latest.version + 1)) is not None:
                with self._read_or_say("the bar table"):
                    self._table.update_incremental()
                    self._latest = read_snapshot(self._table, self.layout)
            return self._latest

    def at_version(self, version: int) -> Snapshot:
        """Return an older version.

        Raises
        ------
        InvalidInputError
            If the table has no such version.
        """
        latest = self.snapshot()
        if version == latest.version:
            return latest
        if version in latest.vacuumed:
            raise InvalidInputError(
                f"as_of asks for version {version} of the {self.layout.interval} bars, which was "
                f"vacuumed; BarStore.versions({str(self.layout.interval)!r}) tells which can be read."
            )
        if not 0 <= version <= latest.version:
            raise InvalidInputError(
                f"as_of={version} is not a version of the {self.layout.interval} bars; "
                f"they have the versions 0 to {latest.version}."
                if latest.version >= 0
                else f"as_of={version}: there are no {self.layout.interval} bars yet."
            )
        return self._open_version(version)

    def version_at(self, moment: dt.datetime) -> int:
        """Return the version that was the newest at an instant.

        Raises
        ------
        InvalidInputError
            If the table was made later.
        """
        history = self.history()
        times = [entry["committed_at"] for entry in history]
        position = bisect.bisect_right(times, moment)
        if position == 0:
            since = f"their first version is of {times[0]:%Y-%m-%d %H:%M:%S} UTC" if times else ""
            raise InvalidInputError(
                f"as_of={moment.isoformat()}: there were no {self.layout.interval} bars then"
                f"{'; ' + since if since else ''}."
            )
        return int(history[position - 1]["version"])

    def history(self) -> list[dict[str, Any]]:
        """Return the commits, oldest first: version, committed_at and what we noted in each.

        The time is the one in the commit itself, so copying or touching the files does not move it;
        it never runs backwards, even if a writer's clock did.

        Raises
        ------
        StorageError
            If the log cannot be read.
        """
        with self._lock:
            latest = self.snapshot()
            if self._table is None:
                return []
            if len(self._history) != latest.version + 1:
                with self._read_or_say("the history of the bar table"):
                    self._history = read_commits(self._table)
            return self._history

    def commit(
        self,
        base: Snapshot,
        *,
        add: Iterable[WrittenFile],
        remove: Iterable[DataFile],
        note: dict[str, Any],
        changes_data: bool = True,  # keyword only
    ) -> int:
        """Make files part of the table, and others no longer, in one commit on top of `base`.

        Returns
        -------
        int
            The new version.

        Raises
        ------
        Conflict
            If `base` is no longer the newest version: nothing was changed.
        StorageError
            If the log cannot be written.
        """
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError, DeltaError
        from deltalake.transaction import RemoveAction

        now = int(time.time() * 1000)
        added = [self._add_action(file, changes_data=changes_data) for file in add]
        removed = [
            RemoveAction(f.path, changes_data, now, f.size, self._partition(f.symbol, f.period))
            for f in remove
        ]
        # Without retries of its own delta-rs commits on exactly the version that we have read.
        properties = CommitProperties(max_commit_retries=0, custom_metadata=note)
        with self._lock:
            try:
                if base.version < 0:
                    self._create(added, properties)
                else:
                    if self.snapshot().version != base.version:
                        raise Conflict
                    assert self._table is not None
                    self._table.create_write_transaction(
                        [*added, *removed],
                        "append",
                        self.layout.table_schema(),
                        list(self.layout.partition_by),
                        commit_properties=properties,
                    )
            except CommitFailedError:
                raise Conflict from None
            except (OSError, DeltaError) as error:
                # After a commit delta-rs may fail to write the checkpoint, which is but a short cut.
                if not self._holds(base.version + 1, added):
                    raise self._failed_commit(error) from None
            self._settle(base.version + 1)
            return base.version + 1

    def _holds(self, version: int, added: list[Any]) -> bool:
        """Return whether a version exists and was made by adding these files."""
        if self.place.stamp(entry_of(version)) is None:
            return False
        paths = {file.path for file in self.at_version(version).files}
        return paths.issuperset(action.path for action in added)

    def _settle(self, version: int) -> None:
        entry = entry_of(version)
        checkpoint = entry.replace(".json", ".checkpoint.parquet")
        try:
            self.place.settle(entry)
            if not self.place.is_remote and self.place.stamp(checkpoint) is not None:
                self.place.settle(checkpoint)
                self.place.settle("_delta_log/_last_checkpoint")
        except OSError as error:
            raise StorageError(
                f"version {version} of {self.place.uri} was committed, but the disk confirms it not: "
                f"{self.place.said(error)}."
            ) from None

    def mark_vacuumed(self, base: Snapshot, vacuumed: Versions, *, note: dict[str, Any]) -> int:
        """Say in a commit on top of `base` which versions can no longer be read.

        Returns
        -------
        int
            The new version; it has the files of `base`.

        Raises
        ------
        Conflict, StorageError
            As in `commit`.
        """
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError, DeltaError

        properties = CommitProperties(max_commit_retries=0, custom_metadata=note)
        with self._lock:
            if self.snapshot().version != base.version:
                raise Conflict
            assert self._table is not None
            try:
                self._table.alter.set_table_properties(
                    {VACUUMED: str(vacuumed)},
                    raise_if_not_exists=False,
                    commit_properties=properties,
                )
            except CommitFailedError:
                raise Conflict from None
            except (OSError, DeltaError) as error:
                raise self._failed_commit(error) from None
            self._settle(base.version + 1)
            return base.version + 1

    def _failed_commit(self, error: Exception) -> StorageError:
        return StorageError(
            f"the commit to {self.place.uri} failed: {self.place.said(error)}; "
            + (
                "whether it was made is not known, and writing the same again does no harm."
                if self.place.is_remote
                else "nothing was changed."
            )
        )

    def _create(self, added: list[Any], properties: Any) -> None:
        from deltalake import Schema
        from deltalake.exceptions import DeltaError
        from deltalake.transaction import create_table_with_add_actions

        if self.place.stamp(entry_of(0)) is not None:
            raise Conflict
        try:
            create_table_with_add_actions(
                self.place.uri,
                Schema.from_arrow(self.layout.table_schema()),
                added,
                mode="error",
                partition_by=list(self.layout.partition_by),
                name=f"bars_{self.layout.interval}",
                configuration=_CONFIGURATION,
                commit_properties=properties,
                storage_options=self.place.options,
            )
        except DeltaError:
            # Two processes may create the table at once: one of them is told, in words, that it exists.
            if self.place.stamp(entry_of(0)) is None:
                raise
            if not self._holds(0, added):
                raise Conflict from None

    def _add_action(self, file: WrittenFile, *, changes_data: bool) -> Any:
        from deltalake.transaction import AddAction

        partition = self._partition(file.symbol, file.period)
        return AddAction(file.path, file.size, partition, file.modified, changes_data, file.stats)

    def _partition(self, symbol: str | None, period: int) -> dict[str, str | None]:
        values: dict[str, str | None] = {self.layout.partition_by[-1]: str(period)}
        return {"symbol": symbol, **values} if self.layout.by_symbol else values

    def _forget(self) -> None:
        self._table, self._identity, self._latest, self._history = None, None, _NOTHING, []

    def _open(self) -> Snapshot:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        self._forget()
        if not self.place.is_remote and self.place.stamp("_delta_log") is None:
            return _NOTHING
        self.place.check_name()
        with self._read_or_say("the bar table"):
            try:
                table = DeltaTable(self.place.uri, storage_options=self.place.options)
            except TableNotFoundError:
                return _NOTHING
            identity = self.place.stamp(entry_of(0))
            self._latest = read_snapshot(table, self.layout)
            self._table, self._identity = table, identity
        return self._latest

    def _open_version(self, version: int) -> Snapshot:
        from deltalake import DeltaTable

        with self._read_or_say(f"version {version} of the bar table"):
            table = DeltaTable(self.place.uri, version=version, storage_options=self.place.options)
            return read_snapshot(table, self.layout)

    @contextlib.contextmanager
    def _read_or_say(self, what: str) -> Iterator[None]:
        """Say in our words why something cannot be read."""
        from deltalake.exceptions import DeltaError

        try:
            yield
        except StorageError:
            raise
        except (OSError, DeltaError) as error:
            raise StorageError(
                f"{what} {self.place.uri} cannot be read: {self.place.said(error)}."
            ) from None


def entry_of(version: int) -> str:
    """Return the path of a version's log entry."""
    return f"_delta_log/{version:020}.json"


@functools.lru_cache(maxsize=128)
def _shared_table(place: Place, interval: clock.Interval) -> BarTable:
    return BarTable(place, layout_of(interval))


def bar_table(store: Place, interval: str | clock.Interval) -> BarTable:
    """Return the table of an interval; one object per process, so its log is read only once.

    Parameters
    ----------
    store
        Where the store's files lie.
    interval
        Length of the bars.

    Returns
    -------
    BarTable
        Nothing is made or asked there.

    Raises
    ------
    InvalidInputError
        If `interval` is no interval.
    """
    parsed = clock.parse_interval(interval)
    return _shared_table(store.below(str(parsed)), parsed)
