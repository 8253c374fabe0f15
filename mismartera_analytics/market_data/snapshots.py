"""Versions of a bar table as plain data: their files, and what the log tells of each."""

from __future__ import annotations

import datetime as dt
import functools
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mismartera_analytics import clock
from mismartera_analytics.market_data.layout import Layout

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["VACUUMED", "DataFile", "Snapshot", "Versions", "read_commits", "read_snapshot"]

VACUUMED = "mismartera.vacuumed"
"""Property of the table that names the versions which can no longer be read."""


@dataclass(frozen=True)
class Versions:
    """A set of versions that takes little room where many follow one another.

    Attributes
    ----------
    ranges
        First and last version of each run, both included, ascending and apart.

    Examples
    --------
    >>> found = Versions.of([1, 2, 3, 7])
    >>> str(found), 2 in found, 4 in found
    ('1-3,7-7', True, False)
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, versions: Iterable[int]) -> Versions:
        """Return the set of some versions, in any order."""
        ranges: list[tuple[int, int]] = []
        for version in sorted(set(versions)):
            if ranges and ranges[-1][1] == version - 1:
                ranges[-1] = (ranges[-1][0], version)
            else:
                ranges.append((version, version))
        return cls(tuple(ranges))

    @classmethod
    def parse(cls, text: str) -> Versions:
        """Return the set that `str` wrote."""
        pairs = (part.split("-") for part in text.split(",") if part)
        return cls(tuple((int(first), int(last)) for first, last in pairs))

    def __str__(self) -> str:
        return ",".join(f"{first}-{last}" for first, last in self.ranges)

    def __contains__(self, version: int) -> bool:
        return any(first <= version <= last for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        return (v for first, last in self.ranges for v in range(first, last + 1))


@dataclass(frozen=True)
class DataFile:
    """A data file of a snapshot.

    Attributes
    ----------
    path
        Below the table's folder.
    symbol, period
        Its partition; the symbol is None where a file holds several.
    rows, size
        Bars and bytes.
    first, last
        Times of the first and the last bar [microseconds since 1970, UTC].
    """

    path: str
    symbol: str | None
    period: int
    rows: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Snapshot:
    """The files of one version of a table; version -1 is the table that does not exist yet.

    Attributes
    ----------
    version
        Its number.
    partitions
        By symbol (None where files hold several) and period, sorted by their first bar.
    vacuumed
        Older versions that can no longer be read.
    """

    version: int
    partitions: dict[tuple[str | None, int], tuple[DataFile, ...]]
    vacuumed: Versions = field(default_factory=lambda: Versions())

    @functools.cached_property
    def files(self) -> tuple[DataFile, ...]:
        """Every file."""
        return tuple(file for files in self.partitions.values() for file in files)

    @functools.cached_property
    def by_symbol(self) -> dict[str | None, tuple[DataFile, ...]]:
        """The files of each symbol; all of them under None where files hold several."""
        grouped: dict[str | None, list[DataFile]] = {}
        for file in self.files:
            grouped.setdefault(file.symbol, []).append(file)
        return {symbol: tuple(files) for symbol, files in grouped.items()}


def read_snapshot(table: DeltaTable, layout: Layout) -> Snapshot:
    """Return the version of a table that is loaded."""
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True))
    partitions: dict[tuple[str | None, int], list[DataFile]] = {}
    if actions.num_rows:
        symbols = (
            actions["partition.symbol"].to_pylist()
            if layout.by_symbol
            else [None] * actions.num_rows
        )
        columns = (
            actions["path"].to_pylist(),
            symbols,
            actions[f"partition.{layout.partition_by[-1]}"].to_pylist(),
            actions["num_records"].to_pylist(),
            actions["size_bytes"].to_pylist(),
            actions["min.timestamp"].cast(pa.int64()).to_pylist(),
            actions["max.timestamp"].cast(pa.int64()).to_pylist(),
        )
        for path, symbol, period, *numbers in zip(*columns, strict=True):
            file = DataFile(urllib.parse.unquote(path), symbol, period, *numbers)
            partitions.setdefault((symbol, period), []).append(file)
    ordered = {
        key: tuple(sorted(files, key=lambda file: (file.first, file.path)))
        for key, files in partitions.items()
    }
    vacuumed = Versions.parse(table.metadata().configuration.get(VACUUMED, ""))
    return Snapshot(table.version(), ordered, vacuumed)


def read_commits(table: DeltaTable) -> list[dict[str, Any]]:
    """Return the commits up to the version that is loaded, oldest first, as `BarTable.history`."""
    newest = dt.datetime.fromtimestamp(0, clock.UTC)
    commits = []
    for entry in sorted(table.history(), key=lambda commit: commit["version"]):
        stamp = dt.datetime.fromtimestamp(entry["timestamp"] / 1000, clock.UTC)
        newest = max(newest, stamp)
        commits.append({**entry, "committed_at": newest})
    return commits
