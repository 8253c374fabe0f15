"""Numba's types for what compiled code is given, and how it reads and changes a strategy's attributes.

Importing this module imports Numba and registers the types with it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed, lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr, signature
from numba.extending import (
    NativeValue,
    models,
    register_model,
    typeof_impl,
    unbox,
)

from mismartera_analytics.backtesting.compiled.handles import (
    ContextHandle,
    IndicatorHandle,
    StrategyHandle,
    SymbolHandle,
)
from mismartera_analytics.backtesting.market import FIELDS

__all__ = [
    "BarsType",
    "ContextType",
    "IndicatorType",
    "OneSymbolBarsType",
    "RefusalError",
    "StrategyType",
    "SymbolType",
]

_SCALARS = {"floats": types.float64, "integers": types.int64, "switches": types.boolean}
_AWAY = {
    "now": "ctx.row is the number of the bar",
    "session": "ctx.row is the number of the bar",
    "random": "draw the numbers in on_start and keep them in an array",
    "indicator": "make indicators in on_start",
    "working": "keep the numbers of orders in attributes of the strategy",
    "order": "use ctx.buy and ctx.sell",
}
CONTEXT_NAMES = (
    *("bars", "buy", "cancel", "cash", "close", "equity", "position", "row", "sell"),
    *("symbols", "target_percent"),
)


class RefusalError(TypingError):
    """Why a strategy cannot be compiled: a sentence that is found again in what Numba makes of it."""

    def __init__(self, sentence: str, loc: Any = None) -> None:
        super().__init__(f"<<{sentence}>>", loc=loc)


class HandleType(types.Type):
    """A pointer to the members of a handle, which live as long as the call; nothing is counted.

    Passing it on costs nothing, and `_name` reads a member in compiled code.
    """

    def __init__(self, members: list[tuple[str, Any]], extra: str = "") -> None:
        self.members = members
        listed = ", ".join(f"{name}: {kind}" for name, kind in members)
        super().__init__(name=f"{type(self).__name__}({extra}; {listed})")

    def place(self, member: str) -> int:
        """Return the place of a member."""
        return [name for name, _ in self.members].index(member)


class ViewType(HandleType):
    """A small structure that is passed by its value."""


class SymbolType(ViewType):
    """A symbol of the run, by its number."""


class BarsType(ViewType):
    """The bars of all symbols so far: a context, seen as them."""

    @property
    def context(self) -> Any:
        """The context's type."""
        return self.members[0][1]


class OneSymbolBarsType(BarsType):
    """The bars of one symbol so far: a context and a number."""


class IndicatorType(HandleType):
    """An indicator's values so far."""


class ContextType(HandleType):
    """A context; `names` are the symbols' names and numbers, if the code names one, and None else."""

    def __init__(
        self,
        members: list[tuple[str, Any]],
        names: tuple[tuple[str, int], ...] | None,
        *,
        is_single: bool,
    ) -> None:
        self.names = names
        self.is_single = is_single
        super().__init__(members, f"{names}, {is_single}")


class StrategyType(HandleType):
    """A strategy: numbers in three arrays, and members for the rest."""

    def __init__(self, handle: StrategyHandle, members: list[tuple[str, Any]]) -> None:
        self.scalars = handle.scalars
        self.strange = handle.strange
        super().__init__(members, f"{handle.label}, {handle.scalars}, {handle.strange}")

    def scalar(self, attribute: str) -> Any:
        """Return the type of a number that compiled code may change, or None."""
        kind, _ = self.scalars.get(attribute, (None, 0))
        return None if kind is None else _SCALARS[kind]


class _Model(models.StructModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, fe_type.members)


for _view in (SymbolType, BarsType, OneSymbolBarsType):
    register_model(_view)(_Model)
for _pointer in (IndicatorType, ContextType, StrategyType):
    register_model(_pointer)(models.OpaqueModel)


def _type_of(value: Any) -> Any:
    """Return what `numba.typeof` returns; it takes its time with arrays of records."""
    if isinstance(value, np.ndarray):
        is_sorted = value.flags.c_contiguous
        return (
            _array_type(value.dtype, value.ndim, value.flags.writeable)
            if is_sorted
            else typeof(value)
        )
    if isinstance(value, tuple) and type(value) is not tuple:
        return types.NamedTuple([_type_of(item) for item in value], type(value))
    if isinstance(value, tuple):
        return types.Tuple([_type_of(item) for item in value])
    return typeof(value)


@functools.lru_cache(maxsize=64)
def _array_type(dtype: Any, dimensions: int, is_writeable: bool) -> Any:  # noqa: FBT001
    array = np.zeros((1,) * dimensions, dtype)
    array.flags.writeable = is_writeable
    return typeof(array)


@typeof_impl.register(SymbolHandle)
def _symbol(handle: SymbolHandle, _: Any) -> SymbolType:
    return SymbolType([("number", types.int64)])


@typeof_impl.register(IndicatorHandle)
def _indicator(handle: IndicatorHandle, _: Any) -> IndicatorType:
    members = [(name, _type_of(getattr(handle, name))) for name in ("values", "counts", "number")]
    return IndicatorType(members)


@typeof_impl.register(ContextHandle)
def _context(handle: ContextHandle, _: Any) -> ContextType:
    if handle.kind is None:
        members = [(name, _type_of(getattr(handle, name))) for name in handle.MEMBERS]
        is_single = len(handle.symbols) == 1
        handle.kind = ContextType(members, handle.names, is_single=is_single)
    kind: ContextType = handle.kind
    return kind


@typeof_impl.register(StrategyHandle)
def _strategy(handle: StrategyHandle, _: Any) -> StrategyType:
    if handle.kind is None:
        members = [(name, _type_of(getattr(handle, name))) for name in _SCALARS]
        members += [(f"o_{name}", _type_of(value)) for name, value in handle.objects.items()]
        handle.kind = StrategyType(handle, members)
    kind: StrategyType = handle.kind
    return kind


@unbox(SymbolType)
def _unboxed_symbol(typ: SymbolType, handle: Any, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(typ)(c.context, c.builder)
    item = c.pyapi.object_getattr_string(handle, "number")
    struct.number = c.unbox(types.int64, item).value
    c.pyapi.decref(item)
    return NativeValue(struct._getvalue())


@unbox(HandleType)
def _unboxed(typ: HandleType, handle: Any, c: Any) -> NativeValue:
    """Read the members into the frame of the call, without counts of their own."""
    context, builder = c.context, c.builder
    pointer = cgutils.alloca_once(builder, _layout(context, typ))
    failed = cgutils.false_bit
    kept, cleanups = [], []
    for place, (name, kind) in enumerate(typ.members):
        item = c.pyapi.object_getattr_string(handle, name)
        native = c.unbox(kind, item)
        borrowed = _uncounted(context, builder, kind, native.value)
        builder.store(borrowed, cgutils.gep_inbounds(builder, pointer, 0, place))
        failed = builder.or_(failed, native.is_error)
        c.pyapi.decref(item)
        kept.append((kind, native.value))
        if native.cleanup is not None:
            cleanups.append(native.cleanup)

    def release() -> None:
        for cleanup in cleanups:
            cleanup()
        for kind, value in kept:
            context.nrt.decref(builder, kind, value)

    address = builder.bitcast(pointer, cgutils.voidptr_t)
    return NativeValue(address, is_error=failed, cleanup=release)


def _layout(context: Any, typ: HandleType) -> Any:
    return ir.LiteralStructType([context.get_value_type(kind) for _, kind in typ.members])


def _uncounted(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the value with its arrays' counters taken away: the handle keeps them alive."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        parts = cgutils.unpack_tuple(builder, value, len(kind))
        kinds: Any = kind
        bare = [_uncounted(context, builder, kinds[k], part) for k, part in enumerate(parts)]
        return context.make_tuple(builder, kind, bare)
    return value


def _read(context: Any, builder: Any, typ: HandleType, value: Any, member: str) -> Any:
    """Load a member."""
    kind = dict(typ.members)[member]
    if isinstance(typ, ViewType):
        struct = cgutils.create_struct_proxy(typ)(context, builder, value=value)
        return impl_ret_borrowed(context, builder, kind, getattr(struct, member))
    pointer = builder.bitcast(value, _layout(context, typ).as_pointer())
    loaded = builder.load(cgutils.gep_inbounds(builder, pointer, 0, typ.place(member)))
    return impl_ret_borrowed(context, builder, kind, loaded)


@infer_getattr
class _Attributes(AttributeTemplate):
    """Members by their name with an underscore, after everything else was asked."""

    key = HandleType

    def generic_resolve(self, typ: HandleType, attr: str) -> Any:
        member = dict(typ.members).get(attr[1:]) if attr.startswith("_") else None
        if member is None and isinstance(typ, ContextType):
            hint = _AWAY.get(attr) or f"allowed are {', '.join(CONTEXT_NAMES)}"
            raise RefusalError(f"ctx.{attr} is not there in a compiled on_bar; {hint}.")
        if member is None and isinstance(typ, BarsType):
            hint = f"allowed are {', '.join(FIELDS)} and is_here; make indicators in on_start"
            raise RefusalError(f"bars.{attr} is not there in a compiled on_bar; {hint}.")
        if member is None and isinstance(typ, IndicatorType):
            hint = "allowed are its values, values[-1] and len()"
            raise RefusalError(f"{attr} of an indicator is not there in a compiled on_bar; {hint}.")
        return member


@infer_getattr
class _StrategyAttributes(AttributeTemplate):
    key = StrategyType

    def generic_resolve(self, typ: StrategyType, attr: str) -> Any:
        found = typ.scalar(attr) or dict(typ.members).get(f"o_{attr}")
        if found is not None:
            return found
        allowed = "numbers, arrays of numbers, indicators, symbols, and tuples or lists of them"
        if attr in typ.strange:
            raise RefusalError(f"self.{attr} is a {typ.strange[attr]}; allowed are {allowed}.")
        raise RefusalError(
            f"self.{attr} is no attribute that on_start left; give it a value there ({allowed}), and "
            f"call functions compiled by numba.njit instead of methods."
        )


@lower_getattr_generic(HandleType)
def _member(context: Any, builder: Any, typ: Any, value: Any, attr: str) -> Any:
    return _read(context, builder, typ, value, attr[1:])


@lower_getattr_generic(StrategyType)
def _strategy_member(context: Any, builder: Any, typ: Any, value: Any, attr: str) -> Any:
    kind, place = typ.scalars.get(attr, ("", 0))
    if not kind:
        return _read(context, builder, typ, value, f"o_{attr}")
    numbers = dict(typ.members)[kind]

    def read(array: Any) -> Any:
        return array[place]

    asked = signature(_SCALARS[kind], numbers)
    array = _read(context, builder, typ, value, kind)
    return context.compile_internal(builder, read, asked, [array])


@lower_setattr_generic(StrategyType)
def _set_number(context: Any, builder: Any, asked: Any, values: Any, attr: str) -> None:
    typ, given = asked.args
    kind, place = typ.scalars[attr]
    numbers = dict(typ.members)[kind]

    def write(array: Any, number: Any) -> None:
        array[place] = number

    array = _read(context, builder, typ, values[0], kind)
    asked = signature(types.void, numbers, given)
    context.compile_internal(builder, write, asked, [array, values[1]])
