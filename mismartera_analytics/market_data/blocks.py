"""Bars as plain arrays sorted by symbol and key: what a data file decodes to."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = tuple[NDArray[np.float64], ...]

__all__ = [
    "Block",
    "StoredBlock",
    "concatenate",
    "empty_block",
    "match",
    "merge",
    "stored",
    "without_repeats",
]


@dataclass(frozen=True, eq=False)
class Block:
    """Bars of one or more symbols, sorted by symbol and time; the arrays are read-only.

    Attributes
    ----------
    names
        The symbols, sorted.
    starts
        Shape (symbols + 1,): the rows of ``names[i]`` are ``starts[i]:starts[i + 1]``.
    time
        Shape (rows,): start of the bar [microseconds since 1970, UTC].
    session
        Shape (rows,): the label [days since 1970], or None for bars shorter than a session.
    values
        Five of shape (rows,): open, high, low, close, volume.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    time: NDArray[np.int64]
    session: NDArray[np.int32] | None
    values: Values

    def __post_init__(self) -> None:
        for array in (self.starts, self.time, self.session, *self.values):
            if array is not None:
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.time)

    @property
    def key(self) -> NDArray[np.int64]:
        """What names a bar of a symbol: its session if it has one, else its time."""
        return self.time if self.session is None else self.session.astype(np.int64)

    @property
    def codes(self) -> NDArray[np.int64]:
        """For each row the position of its symbol in `names`."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.starts))

    @property
    def nbytes(self) -> int:
        """Memory of the arrays [bytes]."""
        session = 0 if self.session is None else self.session.nbytes
        return (
            self.starts.nbytes
            + self.time.nbytes
            + session
            + sum(column.nbytes for column in self.values)
        )

    def rows_of(self, symbol: str) -> slice:
        """Return the rows of a symbol, an empty slice if it has none."""
        position = bisect.bisect_left(self.names, symbol)
        if position == len(self.names) or self.names[position] != symbol:
            return slice(0, 0)
        return slice(int(self.starts[position]), int(self.starts[position + 1]))

    def open(self) -> Block:
        """Return itself, as a block in a file returns what it holds."""
        return self

    def of_one(self, name: str, rows: slice) -> Block:
        """Return some neighbouring rows that are all of one symbol."""
        session = None if self.session is None else self.session[rows]
        time = self.time[rows]
        starts = np.array([0, len(time)], dtype=np.int64)
        return Block((name,), starts, time, session, _rows(self.values, rows))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Block:
        """Return the block of some rows, given by mask or by ascending positions."""
        return from_codes(
            self.names,
            self.codes[rows],
            self.time[rows],
            None if self.session is None else self.session[rows],
            _rows(self.values, rows),
        )


def _rows(values: Values, rows: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Values:
    return tuple(column[rows] for column in values)


@dataclass(frozen=True)
class StoredBlock:
    """A block whose arrays lie in a folder; opened ones are mapped, and unmapped when let go of."""

    names: tuple[str, ...]
    rows: int
    folder: Path

    def __len__(self) -> int:
        return self.rows

    def open(self) -> Block:
        """Return the block; only what is used of it is read from the disk."""
        starts = np.load(self.folder / "starts.npy")
        session = self.folder / "session.npy"
        return Block(
            self.names,
            starts,
            np.load(self.folder / "time.npy", mmap_mode="r"),
            np.load(session, mmap_mode="r") if session.exists() else None,
            tuple(np.load(self.folder / "values.npy", mmap_mode="r")),
        )


def stored(block: Block, folder: Path) -> StoredBlock:
    """Put a block into a new folder.

    Raises
    ------
    OSError
        If the folder exists or the disk is full.
    """
    folder.mkdir()
    for name in ("starts", "time", "session", "values"):
        array = getattr(block, name)
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    return StoredBlock(block.names, len(block), folder)


def from_codes(
    names: tuple[str, ...],
    codes: NDArray[np.int64],
    time: NDArray[np.int64],
    session: NDArray[np.int32] | None,
    values: Values,
) -> Block:
    """Return a block of rows that are sorted already; names without a row are dropped.

    Parameters
    ----------
    names
        Sorted symbols.
    codes
        Shape (rows,), ascending: position of each row's symbol in `names`.
    time, session, values
        As in `Block`.

    Returns
    -------
    Block
    """
    counts = np.bincount(codes, minlength=len(names))
    kept = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
    return Block(tuple(names[i] for i in kept), starts, time, session, values)


def empty_block(*, has_session: bool) -> Block:
    """Return a block without rows."""
    none = np.empty(0, dtype=np.int64)
    session = none.astype(np.int32) if has_session else None
    return Block((), np.zeros(1, dtype=np.int64), none, session, (np.empty(0),) * 5)


def without_repeats(block: Block) -> tuple[Block, Block]:
    """Return the first row of each key, and the rows that repeat one."""
    codes, key = block.codes, block.key
    repeats = np.zeros(len(block), dtype=bool)
    repeats[1:] = (codes[:-1] == codes[1:]) & (key[:-1] == key[1:])
    if not repeats.any():
        return block, empty_block(has_session=block.session is not None)
    return block.take(~repeats), block.take(repeats)


def concatenate(blocks: list[Block]) -> Block:
    """Return the rows of several blocks as one block, sorted; rows of one key keep their order.

    Parameters
    ----------
    blocks
        At least one; all with sessions or all without.

    Returns
    -------
    Block
    """
    if len(blocks) == 1:
        return blocks[0]
    names = tuple(sorted({name for block in blocks for name in block.names}))
    position = {name: i for i, name in enumerate(names)}
    codes = np.concatenate(
        [np.array([position[n] for n in b.names], dtype=np.int64)[b.codes] for b in blocks]
    )
    time = np.concatenate([block.time for block in blocks])
    values = tuple(map(np.concatenate, zip(*(block.values for block in blocks), strict=True)))
    sessions = [block.session for block in blocks if block.session is not None]
    session = np.concatenate(sessions) if sessions else None
    key = time if session is None else session
    is_next = (codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (key[1:] >= key[:-1]))
    if is_next.all():
        return from_codes(names, codes, time, session, values)
    order = np.lexsort((key, codes))
    return from_codes(
        names,
        codes[order],
        time[order],
        None if session is None else session[order],
        _rows(values, order),
    )


def merge(old: Block, new: Block) -> Block:
    """Return the rows of both blocks; where both have a key the new row stays.

    Returns
    -------
    Block
        Sorted, each key once provided that each block has it at most once.
    """
    both = concatenate([old, new])
    codes, key = both.codes, both.key
    is_last = np.ones(len(both), dtype=bool)
    is_last[:-1] = (codes[:-1] != codes[1:]) | (key[:-1] != key[1:])
    return both.take(is_last)


def match(block: Block, other: Block) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which rows of a block another one has, and which of them it has with the same content.

    Parameters
    ----------
    block, other
        Each has a key at most once.

    Returns
    -------
    present, equal : numpy.ndarray of bool
        Shape (rows of `block`,). `equal` implies `present`.
    """
    present = np.zeros(len(block), dtype=bool)
    equal = np.zeros(len(block), dtype=bool)
    for i, name in enumerate(block.names):
        mine = slice(int(block.starts[i]), int(block.starts[i + 1]))
        theirs = other.rows_of(name)
        their_key = other.key[theirs]
        if len(their_key) == 0:
            continue
        key = block.key[mine]
        position = np.minimum(np.searchsorted(their_key, key), len(their_key) - 1)
        found = their_key[position] == key
        row = theirs.start + position
        same = found & (other.time[row] == block.time[mine])
        for theirs_, ours in zip(other.values, block.values, strict=True):
            same &= theirs_[row] == ours[mine]
        present[mine], equal[mine] = found, same
    return present, equal
