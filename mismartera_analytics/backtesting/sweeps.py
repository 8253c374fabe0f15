"""Sweeps: one strategy on one market with many combinations of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import only_known_names, truth
from mismartera_analytics.backtesting.counting import check_family
from mismartera_analytics.backtesting.exchanges import CalendarLike
from mismartera_analytics.backtesting.grids import Condition
from mismartera_analytics.backtesting.pace import shown
from mismartera_analytics.backtesting.scores import EQUITY
from mismartera_analytics.backtesting.search_log import SearchLog
from mismartera_analytics.backtesting.searches import (
    Place,
    RunIn,
    batches_of,
    prepared_search,
    table_of,
)
from mismartera_analytics.backtesting.settings import RULES
from mismartera_analytics.backtesting.signal_functions import SignalFunction
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.sweep_result import SweepResult, frame_of

__all__ = ["sweep"]

_READ = 1_000
"""Combinations that are looked for in the log at a time."""


@only_known_names(*RULES)
def sweep(
    strategy: Strategy | type[Strategy] | SignalFunction,
    grid: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    where: Condition | None = None,
    draws: int | None = None,
    seed: int = 0,
    max_combinations: int = 10_000,
    size: float | Literal["all"] | None = None,
    interval: str = "1d",
    calendar: CalendarLike = None,
    bars: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
    run_in: RunIn | None = None,
    workers: int | None = None,
    client: Any = None,
    family: str | None = None,
    count: bool = True,
    resume: bool = False,
    **rules: Any,
) -> SweepResult:
    """Run a strategy with many combinations of parameters on the same bars.

    A sweep gives what `backtest` gives for each combination, to the last bit, wherever it is run. What
    it keeps of each is one row of numbers; `SweepResult.result` runs one again in full.

    Parameters
    ----------
    strategy
        A class of `Strategy` (or an object: what the grid leaves out stays as it is there). Or a
        function ``(bars, **parameters) -> (entries, exits)`` of one symbol's bars: see `SignalBars`.
        Such functions share their indicators, ``bars.indicator(sma, window=fast)``, and all their
        combinations run in compiled code: they are by far the faster way.
    grid
        Parameters and the values to try, of which the product is taken; or a list of dicts. What is
        given twice is tried once.
    symbols, start, end, interval, calendar, bars, actions
        As in `backtest`.
    where
        Which combinations are tried: ``lambda p: p["fast"] < p["slow"]``.
    draws
        How many different combinations to draw at random instead of the whole product. A parameter may
        then be a distribution: an object with ``rvs`` as in scipy.stats, or a function of a
        `numpy.random.Generator`.
    seed
        Of the draws and of ``ctx.random``.
    max_combinations
        More than this many are refused before anything is run.
    size
        Of the signals of a function, as in `backtest`.
    run_in
        ``"threads"`` or ``"processes"`` of this machine. By default threads for functions of signals,
        and for a `Strategy` this process, then others too once the work takes some seconds; one with
        ``compile=True`` is served by threads as well.
    workers
        How many; by default as many as there are processors.
    client
        A `distributed.Client`: its workers do the work.
    family
        Strategy family in which the combinations are counted as trials, see `trials`: by default the
        name of the class or the function. They are written in batches as they come.
    count
        False leaves them out of the trials.
    resume
        Whether combinations that are among the family's trials already are taken from there: the same
        parameters, rules, bars and code. So a sweep that was interrupted goes on where it was.
    **rules
        Every other rule of `backtest`: ``cash``, ``commission``, ``slippage``, ``fill`` and so on.

    Returns
    -------
    SweepResult
        A row for each combination in its ``frame``; `SweepResult.result` runs one of them in full.

    Raises
    ------
    BarsNotFoundError
        If a symbol has no bars of the interval in the range.
    InvalidInputError
        If an argument breaks a rule; the message names it.
    StrategyError
        If a combination raises; its parameters are named.
    WorkerError
        If a worker dies, and again when its combinations are tried once more.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.indicators import sma
    >>> def crossing(bars, fast, slow):
    ...     quick = bars.indicator(sma, window=fast)
    ...     steady = bars.indicator(sma, window=slow)
    ...     return quick > steady, quick < steady
    >>> found = ma.sweep(crossing, {"fast": [10, 20], "slow": [50, 100]}, "AAPL", "2000-03-01")
    >>> found.frame.shape
    (4, 11)
    """
    count, resume = truth(count, "count"), truth(resume, "resume")
    place = Place(run_in, workers, client)
    search = prepared_search(
        strategy, grid, symbols, start, end, where=where, draws=draws, seed=seed,
        most=max_combinations, interval=interval, calendar=calendar, bars=bars, actions=actions,
        size=size, rules=rules,
    )  # fmt: skip
    named = search.job.name if family is None else family
    check_family(named)
    executor = place.executor(search.job)
    log = SearchLog(search.job, named, search.source) if count or resume else None
    table = table_of(len(search.grid))
    if log is not None and resume:
        for batch in batches_of(search.grid, np.arange(len(search.grid)), _READ):
            table[batch.places] = log.found(batch.combinations)
    places = np.flatnonzero(np.isnan(table[:, EQUITY]))
    try:
        size_of_batch = place.batch_size(len(places))
        done = executor.run(search.job, batches_of(search.grid, places, size_of_batch))
        for batch, rows in shown(
            done, count=lambda one: len(one[1]), total=len(places), what=search.job.name, unit="run"
        ):
            table[batch.places] = rows
            if log is not None and count:
                log.add(batch, rows)
    finally:
        if log is not None:
            log.flush()
    source = {**search.source, "family": named if count else None}
    return SweepResult(
        frame_of(search.grid, table), named, len(places), search.grid, search.job, source
    )
