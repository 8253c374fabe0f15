"""Upsert: new bars are appended, changed ones replace theirs, known ones cost nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.bar_files import Request, read_files
from mismartera_analytics.market_data.bar_table import BarTable, Conflict
from mismartera_analytics.market_data.bar_writing import WrittenFile, write_file
from mismartera_analytics.market_data.blocks import (
    Block,
    StoredBlock,
    concatenate,
    match,
    merge,
    without_repeats,
)
from mismartera_analytics.market_data.snapshots import DataFile

__all__ = ["Partition", "compact", "upsert"]

ATTEMPTS = 40
_LONGEST_WAIT = 0.5
_THREADS = min(4, os.cpu_count() or 1)
"""Partitions that are put together at the same time: encoding leaves the interpreter free."""
Partition = tuple[str | None, int]
_Rows = slice | npt.NDArray[np.bool_]


@dataclass
class _Plan:
    """What becomes of one partition, given the files that it had."""

    base: tuple[DataFile, ...]
    add: list[WrittenFile] = field(default_factory=list)
    remove: list[DataFile] = field(default_factory=list)
    repeats: Block | None = None


def upsert(
    table: BarTable,
    blocks: Sequence[Block | StoredBlock],
    *,
    on_repeats: Callable[[Partition, Block], None] | None = None,
) -> int:
    """Bring bars into a table in one commit.

    Partitions are put together a few at a time, one a thread, so blocks whose arrays lie in files take
    no more memory than as many of the largest partitions.

    Parameters
    ----------
    table
        Where to.
    blocks
        Checked bars; within a block each key once.
    on_repeats
        Called before anything is committed, perhaps more than once a partition, with the rows of
        later blocks that repeat a key of an earlier one. They are left out; it may raise.

    Returns
    -------
    int
        The version that holds them: a new one, or the present one if it held them all already.

    Raises
    ------
    StorageError
        If the disk is full, or other writers kept getting in first; nothing was changed.
    """
    parts: dict[Partition, list[tuple[Block | StoredBlock, _Rows]]] = {}
    for block in blocks:
        for key, rows in _partitions(table, block.open()).items():
            parts.setdefault(key, []).append((block, rows))

    def plan(key: Partition, base: tuple[DataFile, ...]) -> _Plan:
        found = [_part(block.open(), key, rows) for block, rows in parts[key]]
        fresh, repeats = without_repeats(concatenate(found))
        planned = _plan_upsert(table, key, base, fresh)
        planned.repeats = repeats if len(repeats) else None
        return planned

    def told(key: Partition, planned: _Plan) -> None:
        if planned.repeats is not None and on_repeats is not None:
            on_repeats(key, planned.repeats)

    names = {name for block in blocks for name in block.names}
    note = {"bars": sum(map(len, blocks)), "symbols": len(names)}
    return _commit_plans(table, list(parts), plan, told, note={"mismartera": {"upsert": note}})


def compact(table: BarTable) -> int:
    """Make one file of each partition that has several; no bar changes.

    Returns
    -------
    int
        The version after it.

    Raises
    ------
    StorageError
        As in `upsert`.
    """
    keys = [key for key, files in table.snapshot().partitions.items() if len(files) > 1]

    def plan(key: Partition, base: tuple[DataFile, ...]) -> _Plan:
        if len(base) < 2:
            return _Plan(base)
        whole = _read(table, base[0])
        for file in base[1:]:
            whole = merge(whole, _read(table, file))
        return _Plan(base, [write_file(table.place, table.layout, key[1], whole)], list(base))

    note = {"mismartera": {"compact": {"partitions": len(keys)}}}
    return _commit_plans(
        table, keys, plan, lambda key, planned: None, note=note, changes_data=False
    )


def _commit_plans(
    table: BarTable,
    keys: list[Partition],
    plan_of: Callable[[Partition, tuple[DataFile, ...]], _Plan],
    on_plan: Callable[[Partition, _Plan], None],
    *,
    note: dict[str, Any],
    changes_data: bool = True,
) -> int:
    """Commit what becomes of some partitions; after a conflict only those that changed are redone."""
    threads = table.place.threads if table.place.is_remote else _THREADS
    plans: dict[Partition, _Plan] = {}
    for attempt in range(ATTEMPTS):
        snapshot = table.snapshot()
        try:
            stale = _dropped(table, plans, {key: snapshot.partitions.get(key, ()) for key in keys})
            with contextlib.closing(_make_plans(plans, plan_of, stale, threads)) as made:
                for key in made:
                    on_plan(key, plans[key])
        except BaseException:
            _discard(table, *plans.values())
            raise
        add = [file for plan in plans.values() for file in plan.add]
        remove = [file for plan in plans.values() for file in plan.remove]
        if not add and not remove:
            return snapshot.version
        try:
            return table.commit(
                snapshot, add=add, remove=remove, note=note, changes_data=changes_data
            )
        except StorageError:
            _give_up(table, plans)
            raise
        except Conflict:
            time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST_WAIT)))
    _give_up(table, plans)
    raise StorageError(
        f"{ATTEMPTS} tries to commit to {table.place.uri} all met another writer who was first; "
        f"nothing was changed, try again when fewer processes write."
    )


def _dropped(
    table: BarTable,
    plans: dict[Partition, _Plan],
    bases: dict[Partition, tuple[DataFile, ...]],
) -> dict[Partition, tuple[DataFile, ...]]:
    """Drop plans that were made for other files than their partition has; return what is to be planned.

    A commit that was answered by a conflict may have been made all the same, where the answer of an
    object store was lost and its client asked again: files that the table has are not deleted.
    """
    stale = {k: base for k, base in bases.items() if k not in plans or plans[k].base != base}
    for key, base in stale.items():
        plan = plans.pop(key, None)
        if plan is not None:
            there = {file.path for file in base}
            plan.add = [file for file in plan.add if file.path not in there]
            _discard(table, plan)
    return stale


def _give_up(table: BarTable, plans: dict[Partition, _Plan]) -> None:
    """Delete what was written for a commit that was not made."""
    _dropped(table, plans, table.snapshot().partitions)
    _discard(table, *plans.values())


def _make_plans(
    plans: dict[Partition, _Plan],
    plan_of: Callable[[Partition, tuple[DataFile, ...]], _Plan],
    bases: dict[Partition, tuple[DataFile, ...]],
    threads: int,
) -> Generator[Partition]:
    """Put plans into `plans`, several at a time, and yield their partitions in the order given.

    After an error every plan that was made is in `plans`, and none is still being made.
    """

    def make(key: Partition) -> None:
        plans[key] = plan_of(key, bases[key])

    if len(bases) < 2:
        for key in bases:
            make(key)
            yield key
        return
    pool = ThreadPoolExecutor(min(len(bases), threads), thread_name_prefix="bars")
    try:
        for key, made in [(key, pool.submit(make, key)) for key in bases]:
            made.result()
            yield key
    finally:
        pool.shutdown(cancel_futures=True)


def _discard(table: BarTable, *plans: _Plan) -> None:
    for plan in plans:
        for file in plan.add:
            table.place.delete(file.path)


def _partitions(table: BarTable, block: Block) -> dict[Partition, _Rows]:
    """Return which rows belong to each partition; periods ascend with the key within a symbol."""
    layout = table.layout
    if not layout.by_symbol:
        periods = layout.periods(block.key.astype("datetime64[D]"))
        return {(None, int(period)): periods == period for period in np.unique(periods)}
    parts: dict[Partition, _Rows] = {}
    for i, name in enumerate(block.names):
        begin, end = int(block.starts[i]), int(block.starts[i + 1])
        moments = block.time[begin:end].view("datetime64[us]")
        limits = [0, *layout.cuts(moments).tolist(), end - begin]
        for first, last in itertools.pairwise(limits):
            period = int(layout.periods(moments[first : first + 1])[0])
            parts[name, period] = slice(begin + first, begin + last)
    return parts


def _part(block: Block, key: Partition, rows: _Rows) -> Block:
    if isinstance(rows, slice):
        assert key[0] is not None
        return block.of_one(key[0], rows)
    return block.take(rows)


def _plan_upsert(
    table: BarTable, key: Partition, base: tuple[DataFile, ...], fresh: Block
) -> _Plan:
    plan = _Plan(base)
    try:
        _plan_files(plan, table, key, fresh)
    except BaseException:
        _discard(table, plan)
        raise
    return plan


def _plan_files(plan: _Plan, table: BarTable, key: Partition, fresh: Block) -> None:
    for file in plan.base:
        if not len(fresh):
            break
        if table.layout.by_symbol and (file.last < fresh.time[0] or file.first > fresh.time[-1]):
            continue
        present, equal = match(fresh, old := _read(table, file))
        changed = present & ~equal
        if changed.any():
            rewritten = merge(old, fresh.take(changed))
            plan.add.append(write_file(table.place, table.layout, key[1], rewritten))
            plan.remove.append(file)
        if present.any():
            fresh = fresh.take(~present)
    if len(fresh):
        plan.add.append(write_file(table.place, table.layout, key[1], fresh))


def _read(table: BarTable, file: DataFile) -> Block:
    (blocks,) = read_files(table.place, table.layout, [Request(file.path, file.symbol)])
    return concatenate(blocks)
