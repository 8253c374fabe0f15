"""Tasks on the workers of a Dask client: a bounded number at once, and again where a worker died."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

__all__ = ["finished_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def finished_tasks(
    client: Any,
    tasks: Iterable[Task],
    *,
    submit: Callable[[Task, int], Any],
    died: Callable[[Task], Result],
    tries: int,
    ahead: int,
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, as they come, in whatever sequence.

    Parameters
    ----------
    client
        A connected `distributed.Client`; it stays open.
    tasks
        Taken one by one, when there is room for the next.
    submit
        Called with a task and the number of its try, from 1 up; sends it to the client and returns
        the future.
    died
        Called with a task that killed its workers, or was lost with them in every try; what it returns
        stands for the result, what it raises ends the work.
    tries
        How often a task is sent that is lost together with a worker.
    ahead
        Tasks under way for each thread of a worker.

    Yields
    ------
    tuple
        The task and its result.

    Raises
    ------
    Exception
        Whatever a task or `died` raises.
    """
    from distributed.scheduler import KilledWorker

    most = ahead * max(sum(client.nthreads().values()), 1)
    source = iter(tasks)
    under_way: dict[Any, tuple[Task, int]] = {}
    while True:
        for task in itertools.islice(source, most - len(under_way)):
            under_way[submit(task, 1)] = task, 1
        if not under_way:
            return
        for future in _done(client, list(under_way)):
            task, number = under_way.pop(future)
            try:
                result: Result = future.result()
            except KilledWorker:
                result = died(task)
            except CancelledError:
                if number < tries:
                    under_way[submit(task, number + 1)] = task, number + 1
                    continue
                result = died(task)
            yield task, result


def _done(client: Any, under_way: list[Any]) -> list[Any]:
    """Wait for the next futures that are finished or lost, and return them."""
    from distributed import wait

    waited: Any = wait
    with client.as_current(), contextlib.suppress(CancelledError):  # it tells of the lost ones so
        waited(under_way, return_when="FIRST_COMPLETED")
    return [future for future in under_way if future.done()]
