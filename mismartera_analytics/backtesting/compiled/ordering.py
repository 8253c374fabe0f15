"""What a compiled `on_bar` can do: orders, by the names of `Context`.

Importing this module imports Numba and registers the methods with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload_method

from mismartera_analytics.backtesting.compiled.handles import BUSY, ROW, UNCHECKED
from mismartera_analytics.backtesting.compiled.numba_types import ContextType, RefusalError
from mismartera_analytics.backtesting.compiled.reading import bare, inner, is_missing, number_of
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, TIMES_IN_FORCE
from mismartera_analytics.errors import InvalidOrderError, as_given, suggestion
from mismartera_analytics.kernels import layouts

__all__ = ["FULL"]

FULL = "more orders at one bar than a compiled strategy has room for"

_TARGET, _UNITS, _PERCENT = layouts.TARGET, layouts.UNITS, layouts.PERCENT
_ALL_CASH, _WORKING, _CANCELLED = layouts.ALL_CASH, layouts.WORKING, layouts.CANCELLED
_BY_STRATEGY, _MARKET, _LIMIT = layouts.BY_STRATEGY, layouts.MARKET, layouts.LIMIT
_OPG, _GTC, _STOP, _WAITING = layouts.OPG, layouts.GTC, layouts.STOP, layouts.WAITING
_TRAILING, _TOLD = layouts.TRAILING_STOP, -1
_NO_PRICES = (math.nan, math.nan, math.nan, math.nan)


@inner
def _place(
    ctx: Any,
    number: int,
    sizing: int,
    size: float,
    side: int,
    kind: int,
    tif: int,
    prices: tuple[float, float, float, float],
) -> int:
    """Append one order; what is not plainly good is left for `Ticket.check` to judge.

    Its prices are limit, stop, trail and trail as a fraction; they tell its type if `kind` is `_TOLD`.
    """
    limit, stop, trail, rate = prices
    now = ctx._state[0]
    index = now.orders
    if index >= len(ctx._orders):
        raise InvalidOrderError(FULL)
    row = ctx._cursor[ROW]
    told = (1 if limit == limit else 0) + (2 if stop == stop else 0)
    is_trailing = trail == trail or rate == rate
    if kind == _TOLD:
        kind = _TRAILING if is_trailing else told
    ctx._orders[index] = ctx._template[0]
    order = ctx._orders[index]
    order.placed = ctx._ends[row]
    order.row = row
    order.session = np.searchsorted(ctx._bounds[ctx._calendar[number]], ctx._ends[row], "right")
    order.symbol = number
    order.sizing = sizing
    order.size = size
    order.quantity = size if sizing == _UNITS else np.nan
    order.side = side
    order.type = kind
    order.tif = tif
    order.limit = limit
    order.stop = stop
    order.trail = trail
    order.rate = rate
    is_parts = ctx._rules[0].whole == 0 or sizing != _UNITS
    is_sized = size > 0.0 and size < np.inf and (is_parts or size == np.floor(size))
    if sizing == _TARGET:
        is_sized = size >= 0.0 and size <= 1.0
    is_priced = (limit != limit or 0.0 < limit < np.inf) and (stop != stop or 0.0 < stop < np.inf)
    is_typed = told == kind and not is_trailing
    if kind == _TRAILING:
        is_far = 0.0 < rate < 1.0 if trail != trail else rate != rate and 0.0 < trail < np.inf
        is_typed = told == 0 and is_far
    is_plain = is_sized and is_priced and is_typed and (tif < _OPG or kind < _STOP)
    if not is_plain and ctx._cursor[UNCHECKED] < 0:
        ctx._cursor[UNCHECKED] = index
    now.orders = index + 1
    ctx._cursor[BUSY] = 1
    return index


@inner
def _place_bracket(ctx: Any, index: int, stop_loss: float, take_profit: float) -> int:
    """Append what the order placed last brings with it, as `brackets.with_brackets` does."""
    now = ctx._state[0]
    entry = ctx._orders[index]
    side = entry.side
    is_plain = True
    for kind, level in ((_STOP, stop_loss), (_LIMIT, take_profit)):
        if level != level:
            continue
        if now.orders >= len(ctx._orders):
            raise InvalidOrderError(FULL)
        away = -side if kind == _STOP else side
        is_plain &= 0.0 < level < np.inf
        for other in (entry.limit, entry.stop, stop_loss if kind == _LIMIT else np.nan):
            is_plain &= not away * (level - other) <= 0.0
        ctx._orders[now.orders] = ctx._template[0]
        child = ctx._orders[now.orders]
        child.placed, child.row, child.session = entry.placed, entry.row, entry.session
        child.symbol, child.side, child.status = entry.symbol, 0, _WAITING
        child.quantity, child.size = 0.0, 0.0
        child.type, child.tif = kind, _GTC
        if kind == _STOP:
            child.stop = level
        else:
            child.limit = level
        entry.children += 1
        now.orders += 1
    if not is_plain and ctx._cursor[UNCHECKED] < 0:
        ctx._cursor[UNCHECKED] = index
    return index


def _code(name: Any, argument: str, allowed: dict[str, int], default: int) -> int:
    """Return the code of a name that the strategy writes out."""
    if is_missing(name):
        return default
    literal = name.value if isinstance(name, types.Omitted) else name
    if isinstance(name, types.StringLiteral):
        literal = name.literal_value
    if not isinstance(literal, str):
        raise RefusalError(f"{argument} is a {name}; write its name out.")
    if literal not in allowed:
        hint = suggestion(literal, allowed) or "."
        raise RefusalError(
            f"{argument}={as_given(literal)} is unknown{hint} Allowed: {', '.join(allowed)}."
        )
    return allowed[literal]


def _sizing(ctx: Any, side: int, quantity: Any, percent: Any) -> tuple[int, Any]:
    """Return how an order is sized, and a compiled function of quantity and percent: its size."""
    if not is_missing(quantity) and not is_missing(percent):
        raise RefusalError("quantity and percent exclude another.")
    if not is_missing(quantity):
        return _UNITS, inner(lambda quantity, percent: float(quantity))
    if not is_missing(percent):
        return _PERCENT, inner(lambda quantity, percent: float(percent))
    if side < 0 or not ctx.is_single:
        raise RefusalError("quantity is missing; give quantity= in shares or percent=.")
    return _ALL_CASH, inner(lambda quantity, percent: 1.0)


def _order_of(side: int, name: str) -> Any:
    """Return `buy` or `sell`, as Numba asks for them."""

    def typed(
        ctx: Any,
        symbol: Any = None,
        quantity: Any = None,
        percent: Any = None,
        price: Any = math.nan,
        stop_price: Any = math.nan,
        order_type: Any = None,
        time_in_force: Any = "DAY",
        trail: Any = math.nan,
        trail_percent: Any = math.nan,
        stop_loss: Any = math.nan,
        take_profit: Any = math.nan,
    ) -> Any:
        number = number_of(ctx, symbol)
        has_bracket = not (is_missing(stop_loss) and is_missing(take_profit))
        terms = (quantity, percent, price, stop_price, trail, trail_percent)
        is_close = side < 0 and all(is_missing(term) for term in terms)
        if is_close and has_bracket:
            raise RefusalError("stop_loss and take_profit mean nothing to a target weight.")
        sizing, size = _TARGET, inner(lambda quantity, percent: 0.0)
        if not is_close:
            sizing, size = _sizing(ctx, side, quantity, percent)
        kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET if is_close else _TOLD)
        in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)
        way = 0 if is_close else side
        bracket = _place_bracket if has_bracket else inner(lambda ctx, index, loss, gain: index)

        def place(
            ctx: Any,
            symbol: Any = None,
            quantity: Any = None,
            percent: Any = None,
            price: Any = math.nan,
            stop_price: Any = math.nan,
            order_type: Any = None,
            time_in_force: Any = "DAY",
            trail: Any = math.nan,
            trail_percent: Any = math.nan,
            stop_loss: Any = math.nan,
            take_profit: Any = math.nan,
        ) -> int:
            prices = (float(price), float(stop_price), float(trail), float(trail_percent))
            asked = size(quantity, percent)
            index = _place(ctx, number(ctx, symbol), sizing, asked, way, kind, in_force, prices)
            return int(bracket(ctx, index, float(stop_loss), float(take_profit)))

        return bare(place)

    typed.__name__ = typed.__qualname__ = name
    return bare(typed)


_buy = overload_method(ContextType, "buy", prefer_literal=True)(_order_of(1, "_buy"))
_sell = overload_method(ContextType, "sell", prefer_literal=True)(_order_of(-1, "_sell"))


@overload_method(ContextType, "close", prefer_literal=True)
@bare
def _close(ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY") -> Any:
    number = number_of(ctx, symbol)
    kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET)
    in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)

    def close(
        ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY"
    ) -> int:
        return _place(ctx, number(ctx, symbol), _TARGET, 0.0, 0, kind, in_force, _NO_PRICES)

    return bare(close)


@overload_method(ContextType, "target_percent", prefer_literal=True)
@bare
def _target_percent(
    ctx: Any, symbol: Any = None, weight: Any = None, time_in_force: Any = "DAY"
) -> Any:
    is_first = is_missing(weight) and isinstance(symbol, types.Number)
    if is_missing(weight) and not is_first:
        raise RefusalError("weight is missing: target_percent needs a weight.")
    number = number_of(ctx, None if is_first else symbol)
    in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)

    def target(ctx: Any, symbol: Any = None, weight: Any = None, time_in_force: Any = "DAY") -> int:
        size = float(symbol) if is_first else float(weight)
        place = 0 if is_first else number(ctx, symbol)
        return _place(ctx, place, _TARGET, size, 0, _MARKET, in_force, _NO_PRICES)

    return bare(target)


@overload_method(ContextType, "cancel")
@bare
def _cancel(ctx: Any, order_id: Any) -> Any:
    def cancel(ctx: Any, order_id: Any) -> bool:
        if not 0 <= order_id < ctx._state[0].orders:
            raise InvalidOrderError("the number is no order of this run.")
        order = ctx._orders[order_id]
        if order.status != _WORKING:
            return False
        order.status = _CANCELLED
        order.reason = _BY_STRATEGY
        return True

    return bare(cancel)
