"""Where the batches of a search are run: in threads, in processes, on the workers of a Dask client.

Every executor yields the scores of batches as they come, in whatever sequence, with a bounded number
of batches under way, so that nothing grows with the number of combinations.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.arguments import dask_client
from mismartera_analytics.backtesting.jobs import Job, Runner
from mismartera_analytics.dask_tasks import finished_tasks
from mismartera_analytics.errors import InvalidInputError, WorkerError

__all__ = ["Batch", "Executor", "InDask", "InProcesses", "InThreads", "processors"]

Floats = NDArray[np.float64]
_TRIES = 3
_AHEAD = 2
"""Batches under way for each worker: one at work, one waiting."""


class Batch(NamedTuple):
    """Combinations that are run together, and the place of each in the grid."""

    places: NDArray[np.int64]
    combinations: list[dict[str, Any]]


class Executor(Protocol):
    """Runs batches of a job."""

    def run(self, job: Job, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Yield each batch with its scores, as they come."""
        ...


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class InThreads:
    """Threads of this process: for compiled work, which leaves the interpreter to others.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, job: Job, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Yield each batch with its scores, as they come."""
        runner = Runner(job)
        if self._workers == 1:
            for batch in batches:
                yield batch, runner.rows(batch.combinations)
            return
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="search")
        under_way: dict[Future[Floats], Batch] = {}
        try:
            for batch in batches:
                under_way[pool.submit(runner.rows, batch.combinations)] = batch
                if len(under_way) >= _AHEAD * self._workers:
                    yield from _finished(under_way)
            while under_way:
                yield from _finished(under_way)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _finished(under_way: dict[Future[Floats], Batch]) -> Iterator[tuple[Batch, Floats]]:
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        batch = under_way[future]
        rows = future.result()
        del under_way[future]
        yield batch, rows


class InProcesses:
    """Processes of this machine, started afresh; the job reaches them through a file.

    When one dies, what was under way is tried again, one combination at a time, so that the one that
    kills its worker is known by name.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, job: Job, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Yield each batch with its scores, as they come."""
        with tempfile.TemporaryDirectory(prefix="mismartera-") as folder:
            path = Path(folder) / "job"
            path.write_bytes(packed(job))
            pending = batches
            while True:
                lost: list[Batch] = []
                yield from self._run(path, pending, lost)
                if not lost:
                    return
                yield from self._carefully(path, _singles(lost))

    def _run(
        self, path: Path, batches: Iterator[Batch], lost: list[Batch]
    ) -> Iterator[tuple[Batch, Floats]]:
        from concurrent.futures.process import BrokenProcessPool

        from loky import ProcessPoolExecutor

        pool = ProcessPoolExecutor(self._workers, timeout=None)
        under_way: dict[Future[Floats], Batch] = {}
        try:
            for batch in batches:
                lost.append(batch)  # until it is under way
                future = pool.submit(_rows_from_file, str(path), batch.combinations)
                under_way[future] = lost.pop()
                if len(under_way) >= _AHEAD * self._workers:
                    yield from _finished(under_way)
            while under_way:
                yield from _finished(under_way)
        except BrokenProcessPool:
            lost.extend(under_way.values())
        finally:
            pool.shutdown(wait=True, kill_workers=True)

    def _carefully(self, path: Path, singles: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Run one combination at a time, so that whoever kills the worker is known."""
        from concurrent.futures.process import BrokenProcessPool

        from loky import ProcessPoolExecutor

        pool = None
        for single in singles:
            rows = None
            for _ in range(_TRIES - 1):
                pool = pool or ProcessPoolExecutor(1, timeout=None)
                future = pool.submit(_rows_from_file, str(path), single.combinations)
                try:
                    rows = future.result()
                    break
                except BrokenProcessPool:
                    pool.shutdown(wait=True, kill_workers=True)
                    pool = None
            if rows is None:
                _refuse(single)
            yield single, rows
        if pool is not None:
            pool.shutdown(wait=True)


class InDask:
    """The workers of a `distributed.Client`.

    Parameters
    ----------
    client
        Connected; it stays open.
    """

    def __init__(self, client: Any) -> None:
        self._client: Any = dask_client(client)

    def run(self, job: Job, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Yield each batch with its scores, as they come."""
        payload = packed(job)
        shared = self._share(payload)

        def submit(batch: Batch, number: int) -> Any:
            nonlocal shared
            if number > 1:  # what was shared may be lost, too
                shared = self._share(payload)
            return self._client.submit(_rows_from_bytes, shared, batch.combinations, pure=False)

        yield from finished_tasks(
            self._client, batches, submit=submit, died=_refuse, tries=_TRIES, ahead=_AHEAD
        )

    def _share(self, payload: bytes) -> Any:
        """Put the job on every worker: a copy outlives the worker that dies."""
        return self._client.scatter(payload, broadcast=True, hash=False)


def _singles(batches: Sequence[Batch]) -> Iterator[Batch]:
    for batch in batches:
        for place, combination in zip(batch.places, batch.combinations, strict=True):
            yield Batch(np.array([place]), [combination])


def _refuse(batch: Batch) -> NoReturn:
    """Say that a batch kills its workers."""
    named = batch.combinations[0] if len(batch.combinations) == 1 else batch.combinations
    raise WorkerError(
        f"a worker died again and again while it ran {named}; what was finished before is kept. Run "
        f"that combination alone with backtest to see why: memory is the usual reason."
    ) from None


def packed(job: Job) -> bytes:
    """Return a job as bytes that another process can load, wherever its strategy was defined.

    Raises
    ------
    InvalidInputError
        If the strategy holds something that cannot travel, such as an open file or connection.
    """
    import pickle

    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(job))
    except (TypeError, pickle.PicklingError) as error:
        raise InvalidInputError(
            f"{job.name} cannot be sent to other processes: {error}. Open files, connections and "
            f"locks inside on_start instead, or stay in this process with run_in='threads'."
        ) from None


@functools.lru_cache(maxsize=1)
def _runner_from_file(path: str) -> Runner:
    import pickle

    return Runner(pickle.loads(Path(path).read_bytes()))


def _rows_from_file(path: str, combinations: Sequence[dict[str, Any]]) -> Floats:
    return _runner_from_file(path).rows(combinations)


@functools.lru_cache(maxsize=1)
def _runner_from_bytes(payload: bytes) -> Runner:
    import pickle

    return Runner(pickle.loads(payload))


def _rows_from_bytes(payload: bytes, combinations: Sequence[dict[str, Any]]) -> Floats:
    return _runner_from_bytes(payload).rows(combinations)
