"""What a compiled `on_bar` can read and do: the names of `Context`, `SymbolBars` and `Indicator`.

Importing this module imports Numba and registers the methods with it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload, overload_attribute, overload_method

from mismartera_analytics.backtesting.compiled.handles import BUSY, ROW, UNCHECKED
from mismartera_analytics.backtesting.compiled.numba_types import (
    BarsType,
    ContextType,
    IndicatorType,
    OneSymbolBarsType,
    RefusalError,
    SymbolType,
)
from mismartera_analytics.backtesting.market import FIELDS
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, TIMES_IN_FORCE
from mismartera_analytics.errors import InvalidOrderError, suggestion
from mismartera_analytics.kernels import fills, layouts

__all__ = ["FULL"]

F = TypeVar("F", bound=Callable[..., Any])

FULL = "more orders at one bar than a compiled strategy has room for"

_ADVANCE, _THROUGH = fills.advance, fills.THROUGH_ROW
_TARGET, _UNITS, _PERCENT = layouts.TARGET, layouts.UNITS, layouts.PERCENT
_ALL_CASH, _WORKING, _CANCELLED = layouts.ALL_CASH, layouts.WORKING, layouts.CANCELLED
_BY_STRATEGY, _MARKET = layouts.BY_STRATEGY, layouts.MARKET
_OPG, _STOP = layouts.OPG, layouts.STOP


_inner: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles what only compiled code calls."""


def _bare(function: F) -> F:
    """Drop the annotations, in which Numba wants typing and implementation to agree."""
    function.__annotations__ = {}
    return function


# Indicators and bars


@overload(operator.getitem)
@_bare
def _indicator_value(indicator: Any, index: Any) -> Any:
    if not isinstance(indicator, IndicatorType) or not isinstance(index, types.Integer):
        return None

    def value(indicator: Any, index: Any) -> Any:
        count = indicator._counts[indicator._number]
        position = index + count if index < 0 else index
        if 0 <= position < count:
            return indicator._values[position]
        if index < 0:
            return np.nan
        raise IndexError("there are not that many values of the indicator so far.")

    return _bare(value)


@overload(len)
@_bare
def _length(several: Any) -> Any:
    if isinstance(several, IndicatorType):
        return lambda several: several._counts[several._number]
    if isinstance(several, OneSymbolBarsType):
        return lambda several: several._context._counts[several._number]
    return None


@overload(float)
@_bare
def _latest(indicator: Any) -> Any:
    return (lambda indicator: indicator[-1]) if isinstance(indicator, IndicatorType) else None


@overload_attribute(IndicatorType, "values")
@_bare
def _values(indicator: Any) -> Any:
    return lambda indicator: indicator._values[: indicator._counts[indicator._number]]


@_inner
def _column(bars: Any, place: int) -> Any:
    number = bars._number
    return bars._context._columns[place, number, : bars._context._counts[number]]


def _add_column(name: str, place: int) -> None:
    @overload_attribute(OneSymbolBarsType, name)
    @_bare
    def column(bars: Any) -> Any:
        return lambda bars: _column(bars, place)


for _at, _name in enumerate(FIELDS):
    _add_column(_name, _at)


@overload_attribute(OneSymbolBarsType, "is_here")
@_bare
def _is_here(bars: Any) -> Any:
    def is_here(bars: Any) -> bool:
        price = bars._context._prices[3, bars._number, bars._context._cursor[ROW]]
        return bool(price == price)

    return _bare(is_here)


@overload_attribute(ContextType, "bars")
@_bare
def _bars(ctx: Any) -> Any:
    if ctx.is_single:
        return lambda ctx: _one_symbol(ctx, 0)
    return lambda ctx: _every_symbol(ctx)


@overload(operator.getitem)
@_bare
def _bars_of(bars: Any, symbol: Any) -> Any:
    if isinstance(bars, BarsType):
        number = _number(bars.context, symbol)
        return lambda bars, symbol: _one_symbol(bars._context, number(bars._context, symbol))
    return None


@intrinsic
def _one_symbol(typing: Any, ctx: Any, number: Any) -> Any:
    """Return the bars of the symbol of a number."""
    kind = OneSymbolBarsType([("context", ctx), ("number", types.int64)])

    def build(context: Any, builder: Any, asked: Any, values: Any) -> Any:
        struct = cgutils.create_struct_proxy(kind)(context, builder)
        struct.context = values[0]
        struct.number = context.cast(builder, values[1], number, types.int64)
        return struct._getvalue()

    return kind(ctx, number), build


@intrinsic
def _every_symbol(typing: Any, ctx: Any) -> Any:
    """Return the bars of all symbols."""
    kind = BarsType([("context", ctx)])

    def build(context: Any, builder: Any, asked: Any, values: Any) -> Any:
        struct = cgutils.create_struct_proxy(kind)(context, builder)
        struct.context = values[0]
        return struct._getvalue()

    return kind(ctx), build


# Symbols


def _is_missing(argument: Any) -> bool:
    """Whether an argument was left out or is None or NaN, as an overload is told of it."""
    value = argument.value if isinstance(argument, types.Omitted) else argument
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or isinstance(value, types.NoneType)


def _number(ctx: ContextType, symbol: Any) -> Any:
    """Return a compiled function of context and symbol that gives the symbol's number."""
    if isinstance(symbol, SymbolType):
        return _inner(lambda ctx, symbol: symbol._number)
    if _is_missing(symbol):
        if ctx.is_single:
            return _inner(lambda ctx, symbol: 0)
        raise RefusalError("symbol is missing; with several symbols each call names one.")
    if not isinstance(symbol, types.StringLiteral):
        raise RefusalError(f"a symbol is a {symbol}; write it out, or take it from ctx.symbols.")
    names = ctx.names or ()
    if symbol.literal_value not in names:
        hint = suggestion(symbol.literal_value, names) or "."
        raise RefusalError(f"symbol={symbol.literal_value!r} is not in this run{hint}")
    place = names.index(symbol.literal_value)
    return _inner(lambda ctx, symbol: place)


@overload(operator.eq)
@_bare
def _same(one: Any, other: Any) -> Any:
    if isinstance(one, SymbolType) and isinstance(other, SymbolType):
        return lambda one, other: one._number == other._number
    return None


@overload(operator.ne)
@_bare
def _other(one: Any, other: Any) -> Any:
    if isinstance(one, SymbolType) and isinstance(other, SymbolType):
        return lambda one, other: one._number != other._number
    return None


@overload_attribute(ContextType, "symbols")
@_bare
def _symbols(ctx: Any) -> Any:
    return lambda ctx: ctx._every


# The account


@overload_attribute(ContextType, "row")
@_bare
def _row(ctx: Any) -> Any:
    return lambda ctx: ctx._cursor[ROW]


@overload_attribute(ContextType, "cash")
@_bare
def _cash(ctx: Any) -> Any:
    return lambda ctx: ctx._state[0].cash


@overload_attribute(ContextType, "equity")
@_bare
def _equity(ctx: Any) -> Any:
    def equity(ctx: Any) -> float:
        row = ctx._cursor[ROW]
        if ctx._state[0].row <= row:
            _ADVANCE(_THROUGH, row, *ctx._book)
        return float(ctx._ledger[0, row] + ctx._ledger[1, row])

    return _bare(equity)


@overload_method(ContextType, "position", prefer_literal=True)
@_bare
def _position(ctx: Any, symbol: Any = None) -> Any:
    number = _number(ctx, symbol)
    return lambda ctx, symbol=None: ctx._holdings[0, number(ctx, symbol)]


# Orders


@_inner
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
    if _is_missing(name):
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
    number = _number(ctx, symbol)
    kind = _code(order_type, "order_type", ORDER_TYPES, -1)
    in_force = _code(tif, "time_in_force", TIMES_IN_FORCE, layouts.DAY)
    if not _is_missing(quantity) and not _is_missing(percent):
        raise RefusalError("quantity and percent exclude another.")
    sizing = _UNITS if not _is_missing(quantity) else _PERCENT
    if _is_missing(quantity) and _is_missing(percent):
        if side < 0 or not ctx.is_single:
            raise RefusalError("quantity is missing; give quantity= in shares or percent=.")
        sizing = _ALL_CASH

    def size_of(quantity: Any, percent: Any) -> float:
        if sizing == _UNITS:
            return float(quantity)
        return float(percent) if sizing == _PERCENT else 1.0

    compiled_size = _inner(size_of)

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

    return _inner(place)


@overload_method(ContextType, "buy", prefer_literal=True)
@_bare
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

    return _bare(buy)


@overload_method(ContextType, "sell", prefer_literal=True)
@_bare
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
    if all(_is_missing(argument) for argument in (quantity, percent, price, stop_price)):
        number = _number(ctx, symbol)
        kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET)
        in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)
        place = _inner(
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

    return _bare(sell)


@overload_method(ContextType, "close", prefer_literal=True)
@_bare
def _close(ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY") -> Any:
    number = _number(ctx, symbol)
    kind = _code(order_type, "order_type", ORDER_TYPES, _MARKET)
    in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)

    def close(
        ctx: Any, symbol: Any = None, order_type: Any = None, time_in_force: Any = "DAY"
    ) -> int:
        return _place(ctx, number(ctx, symbol), _TARGET, 0.0, 0, kind, in_force, np.nan, np.nan)

    return _bare(close)


@overload_method(ContextType, "target_percent", prefer_literal=True)
@_bare
def _target_percent(
    ctx: Any, symbol: Any = None, weight: Any = None, time_in_force: Any = "DAY"
) -> Any:
    is_first = _is_missing(weight) and isinstance(symbol, types.Number)
    if _is_missing(weight) and not is_first:
        raise RefusalError("weight is missing: target_percent needs a weight.")
    number = _number(ctx, None if is_first else symbol)
    in_force = _code(time_in_force, "time_in_force", TIMES_IN_FORCE, layouts.DAY)

    def target(ctx: Any, symbol: Any = None, weight: Any = None, time_in_force: Any = "DAY") -> int:
        size = float(symbol) if is_first else float(weight)
        place = 0 if is_first else number(ctx, symbol)
        return _place(ctx, place, _TARGET, size, 0, _MARKET, in_force, np.nan, np.nan)

    return _bare(target)


@overload_method(ContextType, "cancel")
@_bare
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

    return _bare(cancel)
