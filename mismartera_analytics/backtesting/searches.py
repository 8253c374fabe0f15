"""What sweeps and walk-forward tests share: arguments checked once, and the way through the batches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.arguments import check_choice, whole
from mismartera_analytics.backtesting.exchanges import calendar_told
from mismartera_analytics.backtesting.executors import (
    Batch,
    Executor,
    InDask,
    InProcesses,
    InThreads,
    processors,
)
from mismartera_analytics.backtesting.forms import Instructions
from mismartera_analytics.backtesting.grids import Condition, Grid, combinations_of
from mismartera_analytics.backtesting.inputs import load_market, named_symbols
from mismartera_analytics.backtesting.jobs import Job, Runner, subject_of
from mismartera_analytics.backtesting.run import bound_told
from mismartera_analytics.backtesting.scores import SCORES
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.signals import size_of
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError

__all__ = ["Place", "RunIn", "Search", "batches_of", "prepared_search", "table_of"]

Floats = NDArray[np.float64]
RunIn = Literal["threads", "processes"]
_BATCH = 16
_BATCHES_A_WORKER = 16
_MOST_WORKERS = 1_024
_WORTH_IT = 5.0
"""Seconds of work at hand above which processes of one's own are started: they take a while to come."""


@dataclass(frozen=True)
class Place:
    """Where the combinations are run.

    Attributes
    ----------
    run_in, workers, client
        As in `sweep`.

    Raises
    ------
    InvalidInputError
        If they do not go together.
    """

    run_in: RunIn | None = None
    workers: int | None = None
    client: Any = None

    def __post_init__(self) -> None:
        if self.run_in is not None:
            check_choice(self.run_in, "run_in", ("threads", "processes"))
        count = self.workers
        if count is not None:
            whole(count, "workers", least=1, most=_MOST_WORKERS)
        if self.client is not None and (self.run_in is not None or count is not None):
            raise InvalidInputError(
                "client= runs on its own workers; leave run_in and workers out."
            )

    def batch_size(self, count: int) -> int:
        """Return how many of `count` combinations to run together.

        There are batches enough for all workers to end at about the same time: whoever had one more
        than the others would have them wait for it.
        """
        workers = self._workers
        if self.client is not None:
            workers = max(sum(self.client.nthreads().values()), 1)
        return max(1, min(_BATCH, count // (_BATCHES_A_WORKER * workers)))

    @property
    def _workers(self) -> int:
        return processors() if self.workers is None else self.workers

    def executor(self, job: Job) -> Executor:
        """Return the executor for a job."""
        if self.client is not None:
            return InDask(self.client)
        workers = self._workers
        if self.run_in == "processes":
            return InProcesses(workers)
        if self.run_in == "threads" or not job.is_strategy:
            return InThreads(workers)
        return _WhenWorthIt(workers)


class _WhenWorthIt:
    """First this process; others too when what is left would take it long."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, job: Job, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Floats]]:
        """Yield each batch with its scores, as they come."""
        runner = Runner(job)
        began = time.monotonic()
        for batch in batches:
            yield batch, runner.rows(batch.combinations)
            if self._workers > 1 and time.monotonic() - began > _WORTH_IT:
                break
        yield from InProcesses(self._workers).run(job, batches)


@dataclass(frozen=True)
class Search:
    """A search whose arguments are checked: the combinations, the work, where the bars came from."""

    grid: Grid
    job: Job
    source: Mapping[str, Any]


def prepared_search(
    strategy: Any,
    grid: Any,
    symbols: str | Iterable[str] | None,
    start: Any,
    end: Any,
    *,
    where: Condition | None,
    draws: int | None,
    seed: int,
    most: int,
    interval: str,
    calendar: Any,
    bars: Any,
    actions: Any,
    size: Any,
    rules: Mapping[str, Any],
) -> Search:
    """Check the arguments of a search and load its market.

    Raises
    ------
    InvalidInputError
        If an argument breaks a rule; the message names it.
    BarsNotFoundError
        If a symbol has no bars of the interval in the range.
    """
    combinations = combinations_of(grid, where=where, draws=draws, seed=seed, most=most)
    subject, base = subject_of(strategy, combinations[0])
    if size is not None and isinstance(subject, type):
        raise InvalidInputError(
            "size belongs to a function of signals; a Strategy sizes its orders."
        )
    settings = Settings(**{**rules, "seed": seed})
    market, source = load_market(
        named_symbols(symbols, Instructions(strategy=Strategy()), bars),
        start,
        end,
        clock.parse_interval(interval),
        calendar,
        bars,
        actions,
    )
    if not isinstance(subject, type):
        size_of(market, size, settings)
    job = Job(subject, base, market, settings, size)
    told = {
        "data": source,
        "calendar": calendar_told(calendar),
        "range": [bound_told(start), bound_told(end)],
    }
    return Search(combinations, job, told)


def batches_of(grid: Grid, places: NDArray[np.int64], size: int) -> Iterator[Batch]:
    """Yield the combinations at `places` of a grid in batches of so many."""
    for first in range(0, len(places), size):
        chosen = places[first : first + size]
        yield Batch(chosen, [grid[int(place)] for place in chosen])


def table_of(count: int) -> Floats:
    """Return an empty table of scores for `count` combinations."""
    return np.full((count, len(SCORES)), np.nan)
