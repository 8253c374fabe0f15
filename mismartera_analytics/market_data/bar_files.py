"""Data files of the bar store read, a row group at a time, with a bounded cache of what was decoded.

A data file never changes once it is written, so its path and the number of a row group are the whole
key of the cache and nothing in it can become stale.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from mismartera_analytics import config
from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.blocks import Block, from_codes
from mismartera_analytics.market_data.layout import VALUES, Layout
from mismartera_analytics.market_data.places import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Request", "cached_bytes", "clear_cache", "read_files", "read_times"]


@dataclass(frozen=True)
class Request:
    """What is wanted of a data file.

    Attributes
    ----------
    path
        Below the table's place.
    symbol
        The partition's symbol, None where the file has a column of symbols.
    time_from, time_to
        No row group is wanted whose bars all start outside ``[time_from, time_to)`` [microseconds
        since 1970, UTC].
    """

    path: str
    symbol: str | None
    time_from: int = np.iinfo(np.int64).min
    time_to: int = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class _Footer:
    """What a file says of itself: Parquet's metadata, and first and last time of each row group."""

    metadata: Any
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return 4 * int(self.metadata.serialized_size)

    def groups(self, layout: Layout, asked: Request) -> range:
        """Return the row groups that may hold what is wanted; all where files hold several symbols."""
        if not layout.by_symbol:
            return range(len(self.first))
        begin = np.searchsorted(self.last, asked.time_from, side="left")
        end = np.searchsorted(self.first, asked.time_to, side="left")
        return range(int(begin), max(int(begin), int(end)))


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


_Kept = TypeVar("_Kept", bound=_Sized)


class _Cache:
    """What was decoded, the least recently used dropped first, within ``cache_mb``."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int | None], Any] = OrderedDict()
        self.nbytes = 0
        self._lock = threading.Lock()

    def get(self, path: str, part: int | None) -> Any:
        with self._lock:
            found = self._kept.get((path, part))
            if found is not None:
                self._kept.move_to_end((path, part))
            return found

    def put(self, path: str, part: int | None, value: _Kept) -> _Kept:
        limit = config.settings().cache_mb * 2**20
        with self._lock:
            if (path, part) not in self._kept and value.nbytes <= limit:
                self._kept[path, part] = value
                self.nbytes += value.nbytes
            while self.nbytes > limit:
                _, dropped = self._kept.popitem(last=False)
                self.nbytes -= dropped.nbytes
        return value

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.nbytes = 0


_cache = _Cache()


def cached_bytes() -> int:
    """Return the memory that decoded files take [bytes]."""
    return _cache.nbytes


def clear_cache() -> None:
    """Forget every decoded file; the next read decodes anew."""
    _cache.clear()


def read_files(place: Place, layout: Layout, asked: Sequence[Request]) -> list[list[Block]]:
    """Return the bars of data files; what is not in the cache is decoded, several files at a time.

    Parameters
    ----------
    place
        Where the table's files lie.
    layout
        Of the table.
    asked
        The files, and which rows of them are wanted.

    Returns
    -------
    list of list of Block
        For each request the blocks that hold the rows, in the file's order, and perhaps others of the
        same row groups. They are shared with other readers: their arrays are read-only.

    Raises
    ------
    StorageError
        If a file is gone or cannot be read.
    """
    found = [_cached(place, layout, request) for request in asked]
    missing = [i for i, blocks in enumerate(found) if blocks is None]
    threads = min(len(missing), place.threads)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            read = list(pool.map(lambda i: _read(place, layout, asked[i], threads=False), missing))
    else:
        read = [_read(place, layout, asked[i], threads=True) for i in missing]
    for i, blocks in zip(missing, read, strict=True):
        found[i] = blocks
    return [blocks for blocks in found if blocks is not None]


def read_times(place: Place, path: str) -> NDArray[np.int64]:
    """Return the times of the bars of a data file that holds one symbol; nothing else is decoded.

    Returns
    -------
    numpy.ndarray of int64
        Shape (rows,), ascending [microseconds since 1970, UTC].

    Raises
    ------
    StorageError
        If the file is gone or cannot be read.
    """
    with _opened(place, path, None) as file:
        times: NDArray[np.int64] = _numbers(
            file.read(["timestamp"])["timestamp"], np.dtype(np.int64)
        )
        return times


def _key(place: Place, path: str) -> str:
    return f"{place.uri}/{path}"


def _cached(place: Place, layout: Layout, request: Request) -> list[Block] | None:
    """Return what is wanted of a file if all of it is in the cache."""
    key = _key(place, request.path)
    footer: _Footer | None = _cache.get(key, None)
    if footer is None:
        return None
    blocks = []
    for group in footer.groups(layout, request):
        block = _cache.get(key, group)
        if block is None:
            return None
        blocks.append(block)
    return blocks


def _read(place: Place, layout: Layout, request: Request, *, threads: bool) -> list[Block]:
    key = _key(place, request.path)
    footer: _Footer | None = _cache.get(key, None)
    with _opened(place, request.path, footer) as file:
        if footer is None:
            footer = _cache.put(key, None, _footer(file.metadata, layout))
        groups = footer.groups(layout, request)
        blocks = {group: _cache.get(key, group) for group in groups}
        missing = [group for group in groups if blocks[group] is None]
        if not missing:
            return list(blocks.values())
        table = file.read_row_groups(missing, use_threads=threads)
    first = 0
    for group in missing:
        rows = footer.metadata.row_group(group).num_rows
        block = _decoded(table.slice(first, rows), layout, request.symbol)
        blocks[group] = _cache.put(key, group, block)
        first += rows
    return [blocks[group] for group in groups]


@contextlib.contextmanager
def _opened(place: Place, path: str, footer: _Footer | None) -> Iterator[Any]:
    """Give a data file as Parquet; what goes wrong while it is read is said in our words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with place.filesystem.open_input_file(place.full(path)) as source:
            known = None if footer is None else footer.metadata
            yield pq.ParquetFile(source, metadata=known, pre_buffer=place.is_remote)
    except FileNotFoundError:
        raise StorageError(
            f"the bar file {_key(place, path)} is gone; the version that holds it was vacuumed or its "
            f"folder damaged."
        ) from None
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageError(
            f"the bar file {_key(place, path)} cannot be read: {place.said(error)}."
        ) from None


def _footer(metadata: Any, layout: Layout) -> _Footer:
    place = layout.file_schema().get_field_index("timestamp")
    bounds = [
        metadata.row_group(group).column(place).statistics
        for group in range(metadata.num_row_groups)
    ]
    first = np.array([bound.min_raw for bound in bounds], dtype=np.int64)
    last = np.array([bound.max_raw for bound in bounds], dtype=np.int64)
    return _Footer(metadata, first, last)


def _decoded(table: Any, layout: Layout, symbol: str | None) -> Block:
    import pyarrow as pa

    time_ = _numbers(table["timestamp"], np.dtype(np.int64))
    values = tuple(_numbers(table[name], np.dtype(np.float64)) for name in VALUES)
    if not layout.has_session:
        assert symbol is not None
        return Block((symbol,), np.array([0, table.num_rows]), time_, None, values)
    encoded = table["symbol"].combine_chunks().dictionary_encode()
    names = tuple(encoded.dictionary.to_pylist())
    codes = encoded.indices.to_numpy().astype(np.int64)
    session = table["session"].cast(pa.int32()).to_numpy()
    return from_codes(names, codes, time_, session, values)


def _numbers(column: Any, dtype: np.dtype[Any]) -> Any:
    """Return a column as an array: Arrow's own memory where it lies in one piece."""
    parts = [chunk.to_numpy(zero_copy_only=False).view(dtype) for chunk in column.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
