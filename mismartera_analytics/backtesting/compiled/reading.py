"""What a compiled `on_bar` can read: the names of `Context`, `SymbolBars` and `Indicator`.

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

from mismartera_analytics.backtesting.compiled.handles import ROW
from mismartera_analytics.backtesting.compiled.numba_types import (
    BarsType,
    ContextType,
    IndicatorType,
    OneSymbolBarsType,
    RefusalError,
    SymbolType,
)
from mismartera_analytics.backtesting.market import FIELDS
from mismartera_analytics.errors import as_given, suggestion
from mismartera_analytics.kernels import fills

__all__ = ["bare", "inner", "is_missing", "number_of"]

F = TypeVar("F", bound=Callable[..., Any])

_ADVANCE, _THROUGH = fills.advance, fills.THROUGH_ROW

inner: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles what only compiled code calls."""


def bare(function: F) -> F:
    """Drop the annotations, in which Numba wants typing and implementation to agree."""
    function.__annotations__ = {}
    return function


# Indicators and bars


@overload(operator.getitem)
@bare
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

    return bare(value)


@overload(len)
@bare
def _length(several: Any) -> Any:
    if isinstance(several, IndicatorType):
        return lambda several: several._counts[several._number]
    if isinstance(several, OneSymbolBarsType):
        return lambda several: several._context._counts[several._number]
    return None


@overload(float)
@bare
def _latest(indicator: Any) -> Any:
    return (lambda indicator: indicator[-1]) if isinstance(indicator, IndicatorType) else None


@overload_attribute(IndicatorType, "values")
@bare
def _values(indicator: Any) -> Any:
    return lambda indicator: indicator._values[: indicator._counts[indicator._number]]


@inner
def _column(bars: Any, place: int) -> Any:
    number = bars._number
    return bars._context._columns[place, number, : bars._context._counts[number]]


def _add_column(name: str, place: int) -> None:
    @overload_attribute(OneSymbolBarsType, name)
    @bare
    def column(bars: Any) -> Any:
        return lambda bars: _column(bars, place)


for _at, _name in enumerate(FIELDS):
    _add_column(_name, _at)


@overload_attribute(OneSymbolBarsType, "is_here")
@bare
def _is_here(bars: Any) -> Any:
    def is_here(bars: Any) -> bool:
        price = bars._context._prices[3, bars._number, bars._context._cursor[ROW]]
        return bool(price == price)

    return bare(is_here)


@overload_attribute(ContextType, "bars")
@bare
def _bars(ctx: Any) -> Any:
    if ctx.is_single:
        return lambda ctx: _one_symbol(ctx, 0)
    return lambda ctx: _every_symbol(ctx)


@overload(operator.getitem)
@bare
def _bars_of(bars: Any, symbol: Any) -> Any:
    if not isinstance(bars, BarsType):
        return None
    number = number_of(bars.context, symbol)
    if not isinstance(bars, OneSymbolBarsType):
        return lambda bars, symbol: _one_symbol(bars._context, number(bars._context, symbol))
    if bars.context.is_single:
        return lambda bars, symbol: bars
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


def is_missing(argument: Any) -> bool:
    """Whether an argument was left out or is None or NaN, as an overload is told of it."""
    value = argument.value if isinstance(argument, types.Omitted) else argument
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or isinstance(value, types.NoneType)


def number_of(ctx: ContextType, symbol: Any) -> Any:
    """Return a compiled function of context and symbol that gives the symbol's number."""
    if isinstance(symbol, SymbolType):
        return inner(lambda ctx, symbol: symbol._number)
    if is_missing(symbol):
        if ctx.is_single:
            return inner(lambda ctx, symbol: 0)
        raise RefusalError("symbol is missing; with several symbols each call names one.")
    if not isinstance(symbol, types.StringLiteral):
        raise RefusalError(f"a symbol is a {symbol}; write it out, or take it from ctx.symbols.")
    names = dict(ctx.names or ())
    if symbol.literal_value not in names:
        hint = suggestion(symbol.literal_value, names) or "."
        raise RefusalError(f"symbol={as_given(symbol.literal_value)} is not in this run{hint}")
    place = names[symbol.literal_value]
    return inner(lambda ctx, symbol: place)


@overload(operator.eq)
@bare
def _same(one: Any, other: Any) -> Any:
    if isinstance(one, SymbolType) and isinstance(other, SymbolType):
        return lambda one, other: one._number == other._number
    return None


@overload(operator.ne)
@bare
def _other(one: Any, other: Any) -> Any:
    if isinstance(one, SymbolType) and isinstance(other, SymbolType):
        return lambda one, other: one._number != other._number
    return None


@overload_attribute(ContextType, "symbols")
@bare
def _symbols(ctx: Any) -> Any:
    return lambda ctx: ctx._every


# The account


@overload_attribute(ContextType, "row")
@bare
def _row(ctx: Any) -> Any:
    return lambda ctx: ctx._cursor[ROW]


@overload_attribute(ContextType, "cash")
@bare
def _cash(ctx: Any) -> Any:
    return lambda ctx: ctx._state[0].cash


@overload_attribute(ContextType, "equity")
@bare
def _equity(ctx: Any) -> Any:
    def equity(ctx: Any) -> float:
        row = ctx._cursor[ROW]
        if ctx._state[0].row <= row:
            _ADVANCE(_THROUGH, row, *ctx._book)
        return float(ctx._ledger[0, row] + ctx._ledger[1, row])

    return bare(equity)


@overload_method(ContextType, "position", prefer_literal=True)
@bare
def _position(ctx: Any, symbol: Any = None) -> Any:
    number = number_of(ctx, symbol)
    return lambda ctx, symbol=None: ctx._holdings[0, number(ctx, symbol)]
