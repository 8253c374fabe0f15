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
from mismartera_analytics.errors import InvalidOrderError, suggestion
from mismartera_analytics.kernels import layouts

__all__ = ["FULL"]

FULL = "more orders at one bar than a compiled strategy has room for"

_TARGET, _UNITS, _PERCENT = layouts.TARGET, layouts.UNITS, layouts.PERCENT
_ALL_CASH, _WORKING, _CANCELLED = layouts.ALL_CASH, layouts.WORKING, layouts.CANCELLED
_BY_STRATEGY, _MARKET = layouts.BY_STRATEGY, layouts.MARKET
_OPG, _STOP = layouts.OPG, layouts.STOP


@inner
def _place(
    ctx: Any,
    number: int,
    sizing: int,
    size: float,
    side: int,
    kind: int,
    tif: int,
    limit: float,
    stop: float,
) -> int:
    """Append one order; what is not plainly good is left for `Ticket.check` to judge."""
    now = ctx._state[0]
    index = now.orders
    if index >= len(ctx._orders):
        raise InvalidOrderError(FULL)
    row = ctx._cursor[ROW]
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
    is_parts = ctx._rules[0].whole == 0 or sizing != _UNITS
    is_sized = size > 0.0 and size < np.inf and (is_parts or size == np.floor(size))
    if sizing == _TARGET:
        is_sized = size >= 0.0 and size <= 1.0
    is_priced = (limit != limit or 0.0 < limit < np.inf) and (stop != stop or 0.0 < stop < np.inf)
    told = (1 if limit == limit else 0) + (2 if stop == stop else 0)
    is_plain = is_sized and is_priced and told == kind and (tif < _OPG or kind < _STOP)
    if not is_plain and ctx._cursor[UNCHECKED] < 0:
        ctx._cursor[UNCHECKED] = index
    now.orders = index + 1
    ctx._cursor[BUSY] = 1
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
            f"{argument}={literal!r} is unknown{hint} Allowed: {', '.join(allowed)}."
        )
    return allowed[literal]


def _placing(
    ctx: Any, side: int, symbol: Any, quantity: Any, percent: Any, order_type: Any, tif: Any
) -> Any:
    """Return a compiled function that places an order to buy or sell."""
    number = number_of(ctx, symbol)
    kind = _code(order_type, "order_type", ORDER_TYPES, -1)
    in_force = _code(tif, "time_in_force", TIMES_IN_FORCE, layouts.DAY)
    if not is_missing(quantity) and not is_missing(percent):
        raise RefusalError("quantity and percent exclude another.")
    sizing = _UNITS if not is_missing(quantity) else _PERCENT
    if is_missing(quantity) and is_missing(percent):
        if side < 0 or not ctx.is_single:
            raise RefusalError("quantity is missing; give quantity= in shares or percent=.")
        sizing = _ALL_CASH

    def size_of(quantity: Any, percent: Any) -> float:
        if sizing == _UNITS:
            return float(quantity)
        return float(percent) if sizing == _PERCENT else 1.0

    compiled_size = inner(size_of)

    def place(ctx: Any, symbol: Any, quantity: Any, percent: Any, limit: float, stop: float) -> int:
        told = (1 if limit == limit else 0) + (2 if stop == stop else 0)
        return _place(
            ctx,
            number(ctx, symbol),
            sizing,
            compiled_size(quantity, percent),
            side,
            told if kind < 0 else kind,
            in_force,
            limit,
            stop,
        )

    return inner(place)


@overload_method(ContextType, "buy", prefer_literal=True)
@bare
def _buy(
    ctx: Any,
    symbol: Any = None,
    quantity: Any = None,
    percent: Any = None,
    price: Any = math.nan,
    stop_price: Any = math.nan,
    order_type: Any = None,
    time_in_force: Any = "DAY",
) -> Any:
    place = _placing(ctx, 1, symbol, quantity, percent, order_type, time_in_force)

    def buy(
        ctx: Any,
        symbol: Any = None,
        quantity: Any = None,
        percent: Any = None,
        price: Any = math.nan,
        stop_price: Any = math.nan,
        order_type: Any = None,
        time_in_force: Any = "DAY",
    ) -> int:
        return place(ctx, symbol, quantity, percent, float(price), float(stop_price))

    return bare(buy)


@overload_method(ContextType, "sell", prefer_literal=True)
@bare
def _sell(
    ctx: Any,
    symbol: Any = None,
    quantity: Any = None,
    percent: Any = None,
    price: Any = math.nan,
    stop_price: Any = math.nan,
    order_type: Any = None,
    time_in_force: Any = "DAY",
) -> Any:
    if all(is_missing(argument) for argument in (quantity, percent, price, stop_price)):
        number = number_of(ctx, symbol)
        kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET)
        in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)
        place = inner(
            lambda ctx, symbol, quantity, percent, price, stop: _place(
                ctx, number(ctx, symbol), _TARGET, 0.0, 0, kind, in_force, price, stop
            )
        )
    else:
        place = _placing(ctx, -1, symbol, quantity, percent, order_type, time_in_force)

    def sell(
        ctx: Any,
        symbol: Any = None,
        quantity: Any = None,
        percent: Any = None,
        price: Any = math.nan,
        stop_price: Any = math.nan,
        order_type: Any = None,
        time_in_force: Any = "DAY",
    ) -> int:
        return place(ctx, symbol, quantity, percent, float(price), float(stop_price))

    return bare(sell)


@overload_method(ContextType, "close", prefer_literal=True)
@bare
def _close(ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY") -> Any:
    number = number_of(ctx, symbol)
    kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET)
    in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)

    def close(
        ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY"
    ) -> int:
        return _place(ctx, number(ctx, symbol), _TARGET, 0.0, 0, kind, in_force, np.nan, np.nan)

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
        return _place(ctx, place, _TARGET, size, 0, _MARKET, in_force, np.nan, np.nan)

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
