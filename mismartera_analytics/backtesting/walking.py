"""Walk-forward tests: choose on one stretch, trade the next, and again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.arguments import only_known_names, truth
from mismartera_analytics.backtesting.counting import check_family
from mismartera_analytics.backtesting.exchanges import CalendarLike
from mismartera_analytics.backtesting.grids import Condition
from mismartera_analytics.backtesting.jobs import Job
from mismartera_analytics.backtesting.market_parts import part_of
from mismartera_analytics.backtesting.pace import shown
from mismartera_analytics.backtesting.result_frames import equity_of
from mismartera_analytics.backtesting.scores import (
    SCORES,
    SHOWN,
    best_place,
    closed_trades,
    column_of,
    scores,
    session_ends,
    sessions_a_year,
)
from mismartera_analytics.backtesting.search_log import WalkLog
from mismartera_analytics.backtesting.searches import (
    Place,
    RunIn,
    Search,
    batches_of,
    prepared_search,
    table_of,
)
from mismartera_analytics.backtesting.settings import RULES
from mismartera_analytics.backtesting.signal_functions import SignalFunction
from mismartera_analytics.backtesting.splits import Mode, Split, walk_forward_splits
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.walk_forward_result import SHOWN_OF_BOTH, WalkForwardResult
from mismartera_analytics.backtesting.warming import run_from

__all__ = ["walk_forward"]

Floats = NDArray[np.float64]


@only_known_names(*RULES)
def walk_forward(
    strategy: Strategy | type[Strategy] | SignalFunction,
    grid: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    train: int,
    test: int,
    mode: Mode = "rolling",
    by: str = "sharpe",
    purge: int = 0,
    embargo: int = 0,
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
    **rules: Any,
) -> WalkForwardResult:
    """Choose the best combination on each stretch of sessions and trade the stretch that follows.

    Each window sweeps the grid over its training sessions alone, and trades the best combination over
    its test sessions. A test begins flat, with the account's value at the end of the one before;
    what it holds at its end is valued at the last close, and closing it costs nothing. Its indicators
    know the bars of its training (and of what was left out), so that they are warm; its first decision
    comes at the end of its first bar, or at its first session's open.

    Parameters
    ----------
    strategy, grid, symbols, start, end
        As in `sweep`.
    train, test
        Lengths [sessions]. A last test that the data do not fill is shorter.
    mode
        ``"rolling"``: training has the same length each time; ``"anchored"``: it grows.
    by
        What is best: a column of a sweep, or ``"sharpe"`` or ``"sortino"``.
    purge, embargo
        Sessions left out between training and test; their sum counts. See `splits`.
    where, draws, seed, max_combinations, size, interval, calendar, bars, actions
        As in `sweep`. The same draws are tried in each window.
    run_in, workers, client
        As in `sweep`.
    family, count
        As in `sweep`. Each combination counts as one trial, however many windows trained it, and the
        walk itself as one more.
    **rules
        As in `sweep`.

    Returns
    -------
    WalkForwardResult
        Where no combination has a value of `by` in training, since none traded, nothing is traded in
        the test: its parameters are missing.

    Raises
    ------
    BarsNotFoundError, InvalidInputError, StrategyError, WorkerError
        As in `sweep`; also if the data are too short for one window, or for a whole test.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> walked = ma.walk_forward(MovingAverageCross, {"fast": [10, 20], "slow": [50, 100]}, "AAPL",
    ...                          "2000-03-01", train=750, test=250)
    >>> walked.windows[["test_start", "fast", "slow"]].shape
    (11, 3)
    """
    count = truth(count, "count")
    column = column_of(by, SHOWN, "by")
    place = Place(run_in, workers, client)
    search = prepared_search(
        strategy, grid, symbols, start, end, where=where, draws=draws, seed=seed,
        most=max_combinations, interval=interval, calendar=calendar, bars=bars, actions=actions,
        size=size, rules=rules,
    )  # fmt: skip
    named = search.job.name if family is None else family
    check_family(named)
    market = search.job.market
    labels = market.clock.label[session_ends(market.clock)].astype("datetime64[us]")
    splits = walk_forward_splits(
        pd.DatetimeIndex(labels), train=train, test=test, mode=mode, purge=purge, embargo=embargo
    )
    walk = _Walk(search, place, column)
    terms = {"train": train, "test": test, "mode": mode, "by": column, "gap": purge + embargo}
    log = WalkLog(search.job, named, search.source, terms) if count else None
    trained: list[Floats] = []
    result = None
    try:
        windows, equity = walk.run(splits, trained)
        result = WalkForwardResult(windows, equity, search.job.settings.cash, search.job.name)
    finally:
        if log is not None and trained:
            log.write(search.grid, trained, None if result is None else result.returns)
    return result


@dataclasses.dataclass(frozen=True)
class _Walk:
    """One walk."""

    search: Search
    place: Place
    column: str

    def run(self, splits: list[Split], trained: list[Floats]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the windows and the stitched account; scores of training are added to `trained`."""
        job = self.search.job
        job = dataclasses.replace(job, periods=sessions_a_year(job.market.clock))
        cash = job.settings.cash
        windows, accounts = [], []
        name = f"{job.name}, walking"
        for split in shown(splits, count=lambda _: 1, total=len(splits), what=name, unit="window"):
            first, last = _rows(job, split.train)
            table = self._sweep(dataclasses.replace(job, market=part_of(job.market, first, last)))
            trained.append(table)
            begin, end = _rows(job, split.test)
            settings = dataclasses.replace(job.settings, cash=cash)
            tested = dataclasses.replace(
                job, market=part_of(job.market, first, end), settings=settings
            )
            place = best_place(table[:, SCORES.index(self.column)], self.column)
            equity, row = _tried(tested, self._chosen(place), begin - first)
            cash = float(equity["equity"].iloc[-1])
            accounts.append(equity)
            windows.append({**self._window(split, place, table), **row})
        return pd.DataFrame(windows), pd.concat(accounts, ignore_index=True)

    def _chosen(self, place: int | None) -> dict[str, Any] | None:
        return None if place is None else self.search.grid[place]

    def _sweep(self, job: Job) -> Floats:
        """Return the scores of the whole grid on the market of a job."""
        grid = self.search.grid
        table = table_of(len(grid))
        executor = self.place.executor(job)
        size = self.place.batch_size(len(grid))
        batches = batches_of(grid, np.arange(len(grid)), size)
        for batch, rows in executor.run(job, batches):
            table[batch.places] = rows
        return table

    def _window(self, split: Split, place: int | None, table: Floats) -> dict[str, Any]:
        """Return the left part of a window's row: its ranges, what was chosen, how it trained."""
        chosen = self._chosen(place) or dict.fromkeys(self.search.grid.names)
        trained = table[0] * np.nan if place is None else table[place]
        return {
            "train_start": split.train[0],
            "train_end": split.train[-1],
            "test_start": split.test[0],
            "test_end": split.test[-1],
            **chosen,
            **{f"train_{name}": trained[SCORES.index(name)] for name in SHOWN_OF_BOTH},
        }


def _rows(job: Job, labels: pd.DatetimeIndex) -> tuple[int, int]:
    """Return the first row of a stretch of sessions and the first one after it."""
    days = labels[[0, -1]].to_numpy().astype("datetime64[D]")
    first = int(np.searchsorted(job.market.clock.label, days[0], side="left"))
    return first, int(np.searchsorted(job.market.clock.label, days[1], side="right"))


def _tried(
    job: Job, parameters: Mapping[str, Any] | None, first: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the account from row `first` on, and the right part of a window's row."""
    from mismartera_analytics.backtesting.simulation import Simulation

    if parameters is None:
        simulation = Simulation(job.market, job.settings)
        simulation.finish()
    else:
        simulation = run_from(job, parameters, first)
    cash = job.settings.cash
    equity = equity_of(job.market, simulation, cash)[first:].reset_index(drop=True)
    ends = session_ends(job.market.clock)
    values = simulation.ledger.sum(axis=0)[ends[ends >= first]]
    counts = np.array([[len(simulation.filled), closed_trades(simulation)]])
    row = scores(values[None], counts, cash=cash, periods=job.periods)[0]
    return equity, {f"test_{name}": row[SCORES.index(name)] for name in SHOWN_OF_BOTH}
