"""The loop over rows around a compiled `on_bar`."""

from __future__ import annotations

import functools
import inspect
import linecache
import logging
import math
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mismartera_analytics.backtesting.compiled.handles import (
    BUSY,
    ROW,
    TOLD,
    UNCHECKED,
    ContextHandle,
    StrategyHandle,
)
from mismartera_analytics.backtesting.context import Context
from mismartera_analytics.backtesting.pace import in_parts
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, TIMES_IN_FORCE, Ticket
from mismartera_analytics.errors import InvalidOrderError, StrategyError

__all__ = ["CompiledLoop"]

logger = logging.getLogger(__name__)

_ROOM = 1024
_PART = 1 << 20
_HOOKS = ("on_fill", "on_session_open", "on_session_close")
_SENTENCE = re.compile(r"<<(.+?)>>", re.DOTALL)
_FUNCTION = re.compile(r"Untyped (?:global|freevar) name '(\w+)'.*\n?.*<class 'function'>")
_CALL = re.compile(r"No implementation of function Function\(<function _(\w+) at ")


class CompiledLoop:
    """Calls a strategy's compiled `on_bar` for every row.

    Parameters
    ----------
    strategy
        Its `on_start` has not been called yet.
    context
        Of the run.
    tell_splits
        Called with a row at which splits come into force.

    Raises
    ------
    StrategyError
        If the strategy wants calls that cannot be compiled.
    """

    def __init__(
        self, strategy: Strategy, context: Context, tell_splits: Callable[[int], None]
    ) -> None:
        own = type(strategy)
        for name in _HOOKS:
            if getattr(own, name) is not getattr(Strategy, name):
                raise StrategyError(
                    f"{own.__name__}.{name} cannot be compiled: with compile=True a strategy has "
                    f"on_start and on_bar only. Leave compile=True out.",
                    strategy=strategy,
                    context=context,
                )
        self._strategy = strategy
        self._context = context
        self._tell_splits = tell_splits
        self._room = max(_ROOM, 8 * len(context.symbols))

    def run(self, last: int) -> None:
        """Call `on_start`, then `on_bar` for all rows before `last`."""
        context, strategy = self._context, self._strategy
        strategy.on_start(context)
        code = type(strategy).on_bar.__code__
        numbers = context._numbers
        named = any(name in code.co_consts for name in numbers)
        handle = ContextHandle(context, tuple(numbers.items()) if named else None)
        held = StrategyHandle(strategy, handle.counts, numbers)
        row = 0
        try:
            for part in in_parts(last, what=type(strategy).__name__, size=_PART):
                while row < part.stop:
                    context._simulation.reserve(self._room)
                    handle.renew(context)
                    arguments = (held, handle, row, part.stop, self._room)
                    row = _compiled(strategy, context, arguments)(*arguments)
                    self._look(handle)
                    if row < last and self._is_split(handle, row):
                        held.write_back(strategy)
                        self._split(handle, row)
                        held = StrategyHandle(strategy, handle.counts, numbers)
        finally:
            held.write_back(strategy)
            self._look(handle)

    def _look(self, handle: ContextHandle) -> None:
        """Bring the context to where compiled code has come, and judge orders that it doubted."""
        context, row = self._context, int(handle.cursor[ROW])
        if row >= 0:
            context.row, context._cursor.seen, context._moment = row, row + 1, None
        context._is_busy = bool(handle.cursor[BUSY])
        first = int(handle.cursor[UNCHECKED])
        handle.cursor[UNCHECKED] = -1
        if first < 0:
            return
        simulation = context._simulation
        placed, number = simulation.placed.copy(), first
        while number < len(placed):
            order = placed[number]
            after = number + 1 + int(order["children"])
            try:
                held = float(simulation.holdings[0, order["symbol"]])
                _ticket(order, placed[number + 1 : after]).check(context._settings, held=held)
            except InvalidOrderError:
                simulation.state["orders"] = number
                raise
            number = after

    def _is_split(self, handle: ContextHandle, row: int) -> bool:
        actions = handle.actions
        here = actions[actions["row"] == row]
        return bool((here["ratio"] != 1.0).any())

    def _split(self, handle: ContextHandle, row: int) -> None:
        simulation = self._context._simulation
        simulation.advance(row)
        now = simulation.state[0]
        self._context._is_busy = bool(
            now["working"] > 0 or now["active"] < now["orders"] or now["watched"] > 0
        )
        self._tell_splits(row)
        handle.cursor[BUSY] = self._context._is_busy
        handle.cursor[TOLD] = int((handle.actions["row"] <= row).sum())
        handle.adjust(self._context)


def _ticket(order: Any, children: Any) -> Ticket:
    """Return what an order and its bracket asked for."""
    types = {code: name for name, code in ORDER_TYPES.items()}
    times = {code: name for name, code in TIMES_IN_FORCE.items()}
    return Ticket(
        symbol=int(order["symbol"]),
        sizing=int(order["sizing"]),
        size=float(order["size"]),
        side=int(order["side"]),
        order_type=types[int(order["type"])],
        time_in_force=times[int(order["tif"])],
        limit=float(order["limit"]),
        stop=float(order["stop"]),
        trail=float(order["trail"]),
        trail_percent=float(order["rate"]),
        stop_loss=_level(children["stop"]),
        take_profit=_level(children["limit"]),
    )


def _level(prices: Any) -> float:
    """Return the price that one of a bracket's orders has."""
    told = prices[~np.isnan(prices)]
    return float(told[0]) if len(told) else math.nan


@functools.lru_cache(maxsize=64)
def _driver(on_bar: Callable[..., None]) -> tuple[Any, Any]:
    """Return the loop around one `on_bar`, and itself, as Numba compiles them, once a process."""
    from numba import njit

    from mismartera_analytics.backtesting.compiled import ordering  # noqa: F401 - registers them
    from mismartera_analytics.kernels import fills

    advance, through = fills.advance, fills.THROUGH_ROW
    compiled = njit(
        boundscheck=True, error_model="python", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(on_bar)

    def drive(strategy: Any, ctx: Any, first: int, last: int, room: int) -> int:
        cursor = ctx._cursor
        now = ctx._state[0]
        actions = ctx._actions
        counts = ctx._counts
        prices = ctx._prices
        told = cursor[TOLD]
        for row in range(first, last):
            if len(ctx._orders) - now.orders < room:
                return row
            is_due = False
            while told < len(actions) and actions[told].row <= row:
                if actions[told].ratio != 1.0 and actions[told].row == row:
                    return row
                is_due = True
                told += 1
            cursor[TOLD] = told
            if is_due or cursor[BUSY] != 0:
                if advance(through, row, *ctx._book) != 0:
                    return row
                is_busy = now.working > 0 or now.active < now.orders or now.watched > 0
                cursor[BUSY] = 1 if is_busy else 0
            for symbol in range(len(counts)):
                if prices[3, symbol, row] == prices[3, symbol, row]:
                    counts[symbol] += 1
            cursor[ROW] = row
            compiled(strategy, ctx)
            if cursor[UNCHECKED] >= 0:
                return row + 1
        return last

    return njit(nogil=True, no_cfunc_wrapper=True)(drive), compiled


def _compiled(
    strategy: Strategy, context: Context, arguments: tuple[Any, ...]
) -> Callable[..., int]:
    """Return the compiled loop; say of a strategy that cannot be compiled which line it is and why."""
    from numba import typeof
    from numba.core.errors import NumbaError

    drive, on_bar = _driver(type(strategy).on_bar)
    kinds = tuple(typeof(argument) for argument in arguments)
    if kinds in drive.overloads:
        return drive
    began = time.perf_counter()
    try:
        drive.compile(kinds)
        _check_numbers(on_bar, kinds[:2])
    except NumbaError as error:
        message = _refusal(strategy, error)
        _driver.cache_clear()
        raise StrategyError(message, strategy=strategy, context=context) from None
    taken = time.perf_counter() - began
    logger.info("compiled %s.on_bar for this process in %.1f s.", type(strategy).__name__, taken)
    return drive


def _check_numbers(on_bar: Any, kinds: tuple[Any, ...]) -> None:
    """Refuse a number put into an attribute of another kind: Numba would cut it in silence."""
    from numba.core import ir, types

    from mismartera_analytics.backtesting.compiled.numba_types import RefusalError, StrategyType

    told = on_bar.overloads[kinds].type_annotation
    for block in told.blocks.values():
        for step in block.find_insts(ir.SetAttr):
            owner, given = told.typemap[step.target.name], told.typemap[step.value.name]
            kept = owner.scalar(step.attr) if isinstance(owner, StrategyType) else None
            is_good = kept is None or given == kept or isinstance(given, types.Boolean)
            is_good |= isinstance(given, types.Integer) and not isinstance(kept, types.Boolean)
            if not is_good:
                began = "a whole number" if isinstance(kept, types.Integer) else "True or False"
                began = "a number" if isinstance(kept, types.Float) else began
                raise RefusalError(
                    f"self.{step.attr} began as {began} and cannot become a {given}; begin it as one "
                    f"in on_start.",
                    loc=step.loc,
                )


def _refusal(strategy: Strategy, error: Exception) -> str:
    """Return in a sentence why `on_bar` cannot be compiled, and at which line."""
    code = type(strategy).on_bar.__code__
    text = str(error)
    found = re.findall(rf"{re.escape(code.co_filename)}[^\n]*?\D(\d+)", text)
    sentence = _SENTENCE.findall(text)
    name = f"{type(strategy).__name__}.on_bar"
    where = ""
    loc: Any = getattr(error, "loc", None)
    if found or loc is not None:
        line = int(found[-1]) if found else loc.line
        source = linecache.getline(code.co_filename, line).strip()
        where = f" at line {line}" + (f" ({source})" if source else "")
    call, function = _CALL.search(text), _FUNCTION.search(text)
    if sentence:
        why = sentence[0]
    elif call is not None and hasattr(Context, call[1]):
        why = _taken_by(call[1])
    elif function is not None:
        why = (
            f"{function[1]} is a function that Numba has not compiled; decorate it with numba.njit."
        )
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("Failed in", "During", "File"))]
        why = told[0] if told else type(error).__name__
    return (
        f"{name} cannot be compiled{where}: {why} Leave compile=True out, or use only what "
        f"Numba compiles: numbers, arrays, ctx and the indicators that on_start made."
    )


def _taken_by(name: str) -> str:
    """Return what a method of the context takes in compiled code."""
    from mismartera_analytics.backtesting.compiled import ordering, reading

    home = ordering if hasattr(ordering, f"_{name}") else reading
    taken = list(inspect.signature(getattr(home, f"_{name}")).parameters)[1:]
    return f"ctx.{name} takes {', '.join(taken)} in a compiled on_bar, and nothing else."
