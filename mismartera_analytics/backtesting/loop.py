"""The loop that calls a strategy as a run goes on."""

from __future__ import annotations

import numpy as np

from mismartera_analytics.backtesting.context import Context, FillEvent
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.pace import in_parts
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.simulation import Simulation
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import StrategyError

__all__ = ["run_strategy"]

_MOST_NAMED = 3


def run_strategy(
    strategy: Strategy,
    market: Market,
    simulation: Simulation,
    settings: Settings,
    *,
    context_type: type[Context] = Context,
    rows: int | None = None,
) -> Context:
    """Call the strategy for every row of the clock.

    Parameters
    ----------
    strategy
        It is changed by what its methods do to it.
    market, simulation
        Of the run; nothing of it is simulated yet.
    settings
        The rules.
    context_type
        What the strategy is given: a class of one's own can note what it asks for.
    rows
        How many rows to work through; all by default. What a strategy decides at the open that follows
        is asked for too.

    Returns
    -------
    Context
        As the strategy left it.

    Raises
    ------
    StrategyError
        If the strategy raises; its state and the context are kept on the error.
    """
    context = context_type(market, simulation, settings)
    try:
        loop = _Loop(strategy, context)
        if settings.compile:
            from mismartera_analytics.backtesting.compiled.driver import CompiledLoop

            most = len(market.clock)
            CompiledLoop(strategy, context, loop._tell_splits).run(min(rows or most, most))
        else:
            loop.run(rows)
    except Exception as error:
        if isinstance(error, StrategyError):
            raise
        where = f"at {context.now:%Y-%m-%d %H:%M} UTC ({_bar_told(context, market)})"
        raise StrategyError(
            f"{type(strategy).__name__} raised {type(error).__name__} {where}: {error}",
            strategy=strategy,
            context=context,
        ) from error
    return context


def _bar_told(context: Context, market: Market) -> str:
    """Return which bar a strategy was at, and of which symbols."""
    if context.row < 0:
        return "before the first bar"
    has_bar = ~np.isnan(market.fields[3, :, context.row])
    named = [name for name, is_there in zip(market.symbols, has_bar, strict=True) if is_there]
    told = ", ".join(named[:_MOST_NAMED]) + (", ..." if len(named) > _MOST_NAMED else "")
    return f"bar {context.row} of {told}"


class _Loop:
    """The loop over rows; a row without working orders, actions or events costs one call."""

    def __init__(self, strategy: Strategy, context: Context) -> None:
        base, own = Strategy, type(strategy)
        self._strategy = strategy
        self._context = context
        self._market = context._market
        self._simulation = context._simulation
        self._hears_fills = own.on_fill is not base.on_fill
        self._hears_opens = own.on_session_open is not base.on_session_open
        self._hears_closes = own.on_session_close is not base.on_session_close
        self._fills_told = 0
        self._actions_told = 0
        self._action_rows = [*self._simulation.actions["row"].tolist(), -1]

    def run(self, most: int | None = None) -> None:
        context, simulation = self._context, self._simulation
        cursor, on_bar = context._cursor, self._strategy.on_bar
        n_working, n_taken, n_placed, n_watched = (
            simulation.state[name] for name in ("working", "active", "orders", "watched")
        )
        has_sessions = self._hears_opens or self._hears_closes
        sessions = self._market.clock.session.tolist() if has_sessions else []
        opening = set(self._market.clock.opening_rows().tolist()) if has_sessions else set()
        rows = len(self._market.clock)
        last = rows if most is None else min(most, rows)
        self._strategy.on_start(context)
        for part in in_parts(last, what=type(self._strategy).__name__):
            for row in part:
                if row in opening:
                    self._open_session(row)
                if context._is_busy or row == self._action_rows[self._actions_told]:
                    simulation.advance(row)
                    context._is_busy = (
                        n_working[0] > 0 or n_taken[0] < n_placed[0] or n_watched[0] > 0
                    )
                    if row == self._action_rows[self._actions_told]:
                        self._tell_splits(row)
                    if self._hears_fills:
                        cursor.seen = row + 1
                        context.row = row
                        context._moment = None
                        self._tell_fills()
                cursor.seen = row + 1
                context.row = row
                context._moment = None
                on_bar(context)
                if self._hears_closes and (row == rows - 1 or sessions[row + 1] != sessions[row]):
                    self._strategy.on_session_close(context)
        if 0 < last < rows and last in opening:
            self._open_session(last)

    def _open_session(self, row: int) -> None:
        context, times = self._context, self._market.clock
        if not self._hears_opens:
            return
        if row > 0:
            self._simulation.advance(row - 1)
        self._simulation.open_row(row)
        if row == self._action_rows[self._actions_told]:
            self._tell_splits(row)
        ordinal = min(int(times.session[row]), len(times.opens) - 1)
        context._moment = int(min(times.opens[ordinal], times.start[row]))
        self._strategy.on_session_open(context)

    def _tell_splits(self, row: int) -> None:
        actions = self._simulation.actions
        while 0 <= self._action_rows[self._actions_told] <= row:
            number = self._actions_told
            self._actions_told += 1
            ratio = float(actions["ratio"][number])
            if ratio != 1.0:
                symbol = self._market.symbols[actions["symbol"][number]]
                self._context.bars[symbol].split(row, ratio)

    def _tell_fills(self) -> None:
        fills = self._simulation.filled
        while self._fills_told < len(fills):
            fill = fills[self._fills_told]
            self._fills_told += 1
            event = FillEvent(
                order_id=int(fill["order"]),
                symbol=self._market.symbols[fill["symbol"]],
                side="BUY" if fill["quantity"] > 0 else "SELL",
                quantity=abs(float(fill["quantity"])),
                price=float(fill["price"]),
                commission=float(fill["fee"]),
            )
            self._strategy.on_fill(self._context, event)
