"""Where the reports of a batch are made: here, in processes of this machine, on Dask's workers.

Outcomes come as they are ready, in whatever sequence. A worker that dies fails its own report alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol

from mismartera_analytics.arguments import dask_client
from mismartera_analytics.dask_tasks import finished_tasks
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.reports.outcomes import Outcome, Request, Setup, failed, make

__all__ = ["Here", "InDask", "InProcesses", "Workers", "workers_of"]

_AHEAD = 2
_TRIES = 2
DIED = (
    "the worker that made this report died, and died again when it was tried alone: memory is the "
    "usual reason"
)


class Workers(Protocol):
    """Makes reports."""

    def run(self, setup: Setup, requests: Sequence[Request]) -> Iterator[Outcome]:
        """Yield the outcome of every request, as they are ready."""
        ...


def workers_of(jobs: int, client: Any) -> Workers:
    """Return where reports are made.

    Parameters
    ----------
    jobs
        How many processes; 1 means this one.
    client
        A connected `distributed.Client`, or None.

    Raises
    ------
    InvalidInputError
        If `jobs` is no positive number, or both are given.
    MissingDependencyError
        If Dask is not installed.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InvalidInputError(f"jobs={as_given(jobs)} must be a whole number of at least 1.")
    if client is None:
        return Here() if jobs == 1 else InProcesses(jobs)
    if jobs != 1:
        raise InvalidInputError(f"jobs={jobs} and client= exclude each other; give one.")
    return InDask(client)


class Here:
    """In the caller's process, one report after the other."""

    def run(self, setup: Setup, requests: Sequence[Request]) -> Iterator[Outcome]:
        """Yield the outcome of every request."""
        for request in requests:
            yield make(setup, request)


class InProcesses:
    """Processes of this machine, started afresh.

    When one dies, what was under way is tried again, twice and one at a time, so that only the report
    that kills its worker fails.

    Parameters
    ----------
    jobs
        How many.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, setup: Setup, requests: Sequence[Request]) -> Iterator[Outcome]:
        """Yield the outcome of every request, as they are ready."""
        waiting = deque(requests)
        while waiting:
            lost: list[Request] = []
            yield from self._together(setup, waiting, lost)
            for request in lost:
                yield self._alone(setup, request)

    def _together(
        self, setup: Setup, waiting: deque[Request], lost: list[Request]
    ) -> Iterator[Outcome]:
        from concurrent.futures.process import BrokenProcessPool

        from loky import ProcessPoolExecutor

        pool = ProcessPoolExecutor(min(self._jobs, len(waiting)), timeout=None)
        under_way: dict[Future[Outcome], Request] = {}
        try:
            while waiting or under_way:
                while waiting and len(under_way) < _AHEAD * self._jobs:
                    under_way[pool.submit(make, setup, waiting[0])] = waiting[0]
                    waiting.popleft()
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    del under_way[future]
                    yield outcome
        except BrokenProcessPool:
            lost.extend(under_way.values())
        finally:
            pool.shutdown(wait=True, kill_workers=True)

    def _alone(self, setup: Setup, request: Request) -> Outcome:
        from concurrent.futures.process import BrokenProcessPool

        from loky import ProcessPoolExecutor

        for _ in range(_TRIES):
            pool = ProcessPoolExecutor(1, timeout=None)
            try:
                outcome: Outcome = pool.submit(make, setup, request).result()
                return outcome
            except BrokenProcessPool:
                continue
            finally:
                pool.shutdown(wait=True, kill_workers=True)
        return failed(request, DIED)


class InDask:
    """The workers of a `distributed.Client`; they must reach the database and the bars.

    Parameters
    ----------
    client
        Connected; it stays open.
    """

    def __init__(self, client: Any) -> None:
        self._client: Any = dask_client(client)

    def run(self, setup: Setup, requests: Sequence[Request]) -> Iterator[Outcome]:
        """Yield the outcome of every request, as they are ready."""
        finished = finished_tasks(
            self._client,
            requests,
            submit=lambda request, _: self._client.submit(make, setup, request, pure=False),
            died=lambda request: failed(request, DIED),
            tries=_TRIES,
            ahead=_AHEAD,
        )
        for _, outcome in finished:
            yield outcome
