"""The work of a search: combinations of parameters run on one market, here or on another machine."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.costs import BasisPoints, HalfSpread, NoSlippage
from mismartera_analytics.backtesting.forms import SIGNALS, Instructions
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.scores import (
    closed_trades,
    scores,
    session_ends,
    sessions_a_year,
)
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.signal_functions import (
    SignalBoard,
    SignalFunction,
    check_names,
)
from mismartera_analytics.backtesting.signals import (
    Size,
    check_sides,
    orders_of_one,
    orders_of_signals,
    size_of,
)
from mismartera_analytics.backtesting.simulation import Simulation
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    StrategyError,
    as_given,
)
from mismartera_analytics.kernels import layouts

__all__ = ["Job", "Runner", "subject_of"]

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Subject = type[Strategy] | SignalFunction


@dataclass(frozen=True)
class Job:
    """What every combination of a search has in common; it travels to other processes whole.

    Attributes
    ----------
    subject
        A class of `Strategy`, or a function of signals.
    base
        Parameters that stay as they are.
    market, settings, size
        As in `backtest`.
    periods
        Sessions a year; counted from the market's when not given.
    """

    subject: Subject
    base: Mapping[str, Any]
    market: Market
    settings: Settings
    size: Any = None
    periods: float | None = None

    @property
    def is_strategy(self) -> bool:
        """Whether the subject is a class of strategies."""
        return isinstance(self.subject, type)

    @property
    def name(self) -> str:
        """The subject's name."""
        return str(getattr(self.subject, "__name__", type(self.subject).__name__))

    def all_parameters(self, combination: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a run of one combination; of a strategy all that it has."""
        subject: Any = self.subject
        defaults = subject.defaults() if self.is_strategy else {}
        return {**defaults, **self.base, **combination}

    def instructions(self, parameters: Mapping[str, Any]) -> Instructions:
        """Return one combination in the form that `backtest` takes."""
        chosen = {**self.base, **parameters}
        if isinstance(self.subject, type):
            return Instructions(strategy=self.subject(**chosen))
        signals = SignalBoard(self.market).signals(self.subject, chosen)
        index, columns = index_of(self.market), list(self.market.symbols)
        given: dict[str, Any] = {
            name: pd.DataFrame(flags.T, index, columns)
            for name, flags in zip(SIGNALS, signals, strict=False)
        }
        return Instructions(**given, size=self.size)


def index_of(market: Market) -> pd.DatetimeIndex:
    """Return the rows as frames of signals are indexed: labels, or starts of intraday bars."""
    if market.interval.is_intraday:
        return pd.DatetimeIndex(market.clock.start.astype("datetime64[us]")).tz_localize("UTC")
    return pd.DatetimeIndex(market.clock.label.astype("datetime64[us]"))


def subject_of(strategy: Any, first: Mapping[str, Any]) -> tuple[Subject, dict[str, Any]]:
    """Return what is to be run and the parameters that stay; the others are those of `first`.

    Raises
    ------
    InvalidInputError
        If it is neither a strategy nor a function, or lacks a parameter.
    """
    if isinstance(strategy, Strategy):
        type(strategy)(**first)
        kept = {name: value for name, value in strategy.parameters.items() if name not in first}
        return type(strategy), kept
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        strategy(**first)
        return strategy, {}
    if not callable(strategy) or isinstance(strategy, type):
        raise InvalidInputError(
            f"strategy={as_given(strategy)} is neither a Strategy nor a function; derive a class from "
            f"ma.Strategy, or give a function of bars and parameters that returns entries and exits."
        )
    check_names(strategy, tuple(first))
    return strategy, {}


class Runner:
    """Runs combinations of a job; what they share is computed once. Threads may use one together.

    Parameters
    ----------
    job
        The work.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._board = SignalBoard(job.market)
        self._ends = session_ends(job.market.clock)
        self._periods = job.periods or sessions_a_year(job.market.clock)

    def rows(self, batch: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the scores of a batch of combinations: (batch, scores).

        Raises
        ------
        StrategyError
            If a combination raises; its parameters are named. The error is light enough to travel.
        """
        values, counts = self.values(batch)
        return scores(values, counts, cash=self.job.settings.cash, periods=self._periods)

    def values(self, batch: Sequence[Mapping[str, Any]]) -> tuple[Floats, Floats]:
        """Return the account at each session's end (batch, sessions), and fills and trades (batch, 2).

        Raises
        ------
        StrategyError
            As in `rows`.
        """
        values = np.empty((len(batch), len(self._ends)))
        counts = np.zeros((len(batch), 2))
        for number, parameters in enumerate(batch):
            try:
                counts[number] = self._run({**self.job.base, **parameters}, values[number])
            except MismarteraError as error:
                raise StrategyError(f"the combination {dict(parameters)}: {error}") from None
            except Exception as error:
                raise StrategyError(
                    f"the combination {dict(parameters)}: {self.job.name} raised "
                    f"{type(error).__name__}: {error}"
                ) from error
        return values, counts

    def _run(self, parameters: Mapping[str, Any], values: Floats) -> tuple[int, int]:
        from mismartera_analytics.backtesting.loop import run_strategy

        job = self.job
        if isinstance(job.subject, type):
            simulation = Simulation(job.market, job.settings)
            run_strategy(job.subject(**parameters), job.market, simulation, job.settings)
        else:
            signals = self._board.signals(job.subject, parameters)
            if len(signals) == 2 and self._is_plain:
                return self._follow_alone(signals[0][0], signals[1][0], values)
            simulation = Simulation(job.market, job.settings)
            if len(signals) == 2 and job.settings.delay == 0:
                self._follow(simulation, *signals)
            else:  # what counts when a late order arrives, no signal can tell when it is decided
                if len(signals) == 4:
                    check_sides(job.settings)
                none = np.zeros_like(signals[0])
                four = (*signals, none, none)[:4]
                orders = orders_of_signals(job.market, *(s.T for s in four), size=self._size)
                simulation.load(orders)
        simulation.finish()
        money, held = simulation.ledger
        values[:] = (money + held)[self._ends]
        return len(simulation.filled), closed_trades(simulation)

    @functools.cached_property
    def _templates(self) -> layouts.Records:
        return orders_of_one(self.job.market, self._size)

    @functools.cached_property
    def _size(self) -> Size:
        return size_of(self.job.market, self.job.size, self.job.settings)

    @functools.cached_property
    def _due(self) -> NDArray[np.int64]:
        """The session to which an order placed at each bar's end belongs: (symbols, rows)."""
        market, ends = self.job.market, self.job.market.clock.end
        of_each = [
            market.sessions_at(np.full(len(ends), number), ends)
            for number in range(len(market.symbols))
        ]
        return np.ascontiguousarray(np.stack(of_each))

    @functools.cached_property
    def _fresh(self) -> Simulation:
        return Simulation(self.job.market, self.job.settings)

    @functools.cached_property
    def _is_plain(self) -> bool:
        """Whether `following.follow_alone` can follow the signals; `follow` always can."""
        market, settings = self.job.market, self.job.settings
        plain = dataclasses.replace(
            Settings(),
            cash=settings.cash,
            commission=settings.commission,
            slippage=settings.slippage,
            fractional=settings.fractional,
            partial_on_cash=settings.partial_on_cash,
            seed=settings.seed,
        )
        return (
            settings == plain
            and isinstance(settings.slippage, (NoSlippage, BasisPoints, HalfSpread))
            and len(market.symbols) == 1
            and len(market.actions) == 0
            and bool((self._fresh.times.flags & layouts.REGULAR).all())
            and int(self._templates["sizing"][0]) == layouts.ALL_CASH
        )

    def _follow(self, simulation: Simulation, entries: Booleans, exits: Booleans) -> None:
        from mismartera_analytics.kernels import following

        row, rows = 0, entries.shape[1]
        while True:
            row = following.follow(
                row, entries, exits, self._templates, simulation.times.end, self._due,
                simulation.actions, simulation.orders, simulation.holdings, simulation.state,
                simulation.book,
            )  # fmt: skip
            if row == rows:
                return
            simulation.grow()

    def _follow_alone(self, entries: Booleans, exits: Booleans, values: Floats) -> tuple[int, int]:
        from mismartera_analytics.kernels import following

        state = self._fresh.state.copy()
        fills, closed = following.follow_alone(
            entries, exits, self._templates, self._due[0], self._fresh.times.session[0], self._ends,
            self._fresh.prices, np.zeros(1, layouts.ORDER), np.zeros(1, layouts.FILL),
            np.zeros(1, np.int64), self._fresh.holdings.copy(), values, state, self._fresh.rules,
        )  # fmt: skip
        return fills, closed
