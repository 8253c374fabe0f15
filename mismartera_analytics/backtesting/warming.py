"""Runs that look back before they trade: indicators know earlier bars, orders come later."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mismartera_analytics.backtesting.context import Context
from mismartera_analytics.backtesting.jobs import Job
from mismartera_analytics.backtesting.loop import run_strategy
from mismartera_analytics.backtesting.signal_functions import SignalBoard
from mismartera_analytics.backtesting.signals import check_sides, orders_of_signals, size_of
from mismartera_analytics.backtesting.simulation import Simulation
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidOrderError

__all__ = ["run_from"]


def run_from(job: Job, parameters: Mapping[str, Any], first: int) -> Simulation:
    """Run one combination whose first decision comes at the end of row `first`.

    Parameters
    ----------
    job
        Its market begins with the rows to look back on.
    parameters
        The combination.
    first
        Rows before it are seen by indicators, and nothing else happens on them.

    Returns
    -------
    Simulation
        Finished.

    Raises
    ------
    StrategyError
        If the strategy raises, or places an order before `first` opens, as in ``on_start``.
    """
    chosen = {**job.base, **parameters}
    simulation = Simulation(job.market, job.settings)
    if isinstance(job.subject, type):
        strategy = _waiting(job.subject, first)(**chosen)
        in_python = dataclasses.replace(job.settings, compile=False)  # the same to the last bit
        run_strategy(strategy, job.market, simulation, in_python, context_type=_warming(first))
    else:
        signals = [flags.T.copy() for flags in SignalBoard(job.market).signals(job.subject, chosen)]
        if len(signals) == 2:
            signals += [signals[0] & False, signals[1] & False]
        else:
            check_sides(job.settings)
        for flags in signals:
            flags[:first] = False
        size = size_of(job.market, job.size, job.settings)
        simulation.load(orders_of_signals(job.market, *signals, size=size))
    simulation.finish()
    return simulation


def _waiting(strategy: type[Strategy], first: int) -> type[Strategy]:
    """Return the class with methods that are not called before row `first` opens."""

    def at_end(name: str) -> Any:
        method = getattr(strategy, name)

        def call(self: Strategy, ctx: Context) -> None:
            if ctx.row >= first:
                method(self, ctx)

        return call

    def on_session_open(self: Strategy, ctx: Context) -> None:
        if ctx.row + 1 >= first:
            strategy.on_session_open(self, ctx)

    methods: dict[str, Any] = {"on_bar": at_end("on_bar")}
    if strategy.on_session_close is not Strategy.on_session_close:
        methods["on_session_close"] = at_end("on_session_close")
    if strategy.on_session_open is not Strategy.on_session_open:
        methods["on_session_open"] = on_session_open
    return type(strategy.__name__, (strategy,), methods)


def _warming(first: int) -> type[Context]:
    class Warming(Context):
        """A context that takes no order before row `first` opens."""

        def _place(self, *arguments: Any, **named: Any) -> Any:
            if self.row + 1 < first:
                raise InvalidOrderError(
                    "an order was placed in on_start, before the test begins; place it in on_bar or "
                    "on_session_open."
                )
            return super()._place(*arguments, **named)

    return Warming
