"""What a function reads that it was not given: data held in closures, globals and attributes."""

from __future__ import annotations

import dis
import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.backtesting.strategy import Strategy

__all__ = ["outside_data"]

_SMALL = 16  # values: a few weights or coefficients are no history
_READERS = {
    "open", "load", "loadtxt", "genfromtxt", "memmap", "urlopen",
    "bars", "BarStore", "sql", "pnl", "positions", "orders", "fills", "round_trips", "returns",
}  # fmt: skip
_READING_MODULES = ("mismartera_analytics", "pandas", "numpy", "builtins", "io", "_io", "urllib")


def outside_data(thing: Any) -> list[str]:
    """Return what a function or a strategy reads beside its arguments, a phrase each.

    Parameters
    ----------
    thing
        A function, a callable object, or a `Strategy`.

    Returns
    -------
    list of str
        Frames, series, arrays and long lists that it holds or names, and calls that read data. A
        function written in another language is not looked into.

    Examples
    --------
    >>> prices = pd.Series(range(100))
    >>> outside_data(lambda bars: prices.shift(-1))
    ['prices, a Series of 100 values']
    """
    found = dict.fromkeys(_seen(thing, set(), ""))
    return list(found)


def _seen(thing: Any, known: set[int], owner: str) -> Iterator[str]:
    if id(thing) in known:
        return
    known.add(id(thing))
    inner = inspect.unwrap(thing) if callable(thing) else thing
    function = getattr(inner, "py_func", inner)  # what Numba compiled
    if isinstance(function, functools.partial):
        for number, value in enumerate(function.args):
            yield from _value(f"argument {number} of a partial", value, known, owner)
        for name, value in function.keywords.items():
            yield from _value(name, value, known, owner)
        yield from _seen(function.func, known, owner)
    elif isinstance(function, types.MethodType):
        yield from _seen(function.__func__, known, owner)
        yield from _held(function.__self__, known)
    elif isinstance(function, types.FunctionType):
        yield from _function(function, known)
    elif not isinstance(function, (type, types.BuiltinFunctionType)):
        yield from _held(function, known)


def _held(thing: Any, known: set[int]) -> Iterator[str]:
    """Look at an object's attributes, those of its classes, and its methods."""
    for name, value in getattr(thing, "__dict__", {}).items():
        yield from _value(name, value, known, type(thing).__name__)
    for base in type(thing).__mro__:
        if base in (Strategy, object) or base.__module__.partition(".")[0] in _LIBRARIES:
            continue
        for name, value in vars(base).items():
            if isinstance(value, types.FunctionType):
                yield from _function(value, known)
            elif not name.startswith("__"):
                yield from _value(name, value, known, base.__name__)


_LIBRARIES = {"mismartera_analytics", "numpy", "pandas", "numba", "builtins", "typing", "abc"}


def _function(function: types.FunctionType, known: set[int]) -> Iterator[str]:
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield from _value(name, value, known, "")
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for value in defaults:
        yield from _value("a default", value, known, function.__name__)
    yield from _globals(function.__code__, function.__globals__, known)


def _globals(code: types.CodeType, names: dict[str, Any], known: set[int]) -> Iterator[str]:
    """Follow names and the attributes asked of modules, in nested functions too."""
    value: Any = None
    path = ""
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL" and step.argval in names:
            path, value = step.argval, names[step.argval]
        elif step.opname == "LOAD_GLOBAL" and step.argval == "open":
            path, value = "open", open
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, types.ModuleType):
            path, value = f"{path}.{step.argval}", getattr(value, step.argval, None)
        else:
            value = None
            continue
        yield from _value(path, value, known, "")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals(constant, names, known)


def _value(name: str, value: Any, known: set[int], owner: str) -> Iterator[str]:
    shown = f"{owner}.{name}" if owner else name
    size = _size(value)
    if size > _SMALL:
        yield f"{shown}, a {type(value).__name__} of {size:,} values"
    elif _reads(value):
        yield f"{shown}(), which reads data by itself"
    elif _is_own_function(value):
        yield from _seen(value, known, "")


def _is_own_function(value: Any) -> bool:
    """Tell whether something is a function of the user's, not a library's."""
    kinds = (types.FunctionType, types.MethodType, functools.partial)
    module = getattr(value, "__module__", None) or ""
    is_function = isinstance(value, kinds) or hasattr(value, "py_func")
    return is_function and module.partition(".")[0] not in _LIBRARIES


def _size(value: Any) -> int:
    """Return how many values of a history something may hold; 0 of what is no data."""
    if isinstance(value, (pd.DataFrame, pd.Series, pd.Index, np.ndarray)):
        return int(value.size)
    if isinstance(value, dict):
        inner = sum(_size(one) for one in value.values())
        return max(len(value), inner)
    if isinstance(value, (list, tuple, set, frozenset)):
        return max(len(value), sum(_size(one) for one in value))
    return 0


def _reads(value: Any) -> bool:
    name = getattr(value, "__name__", "")
    module = getattr(value, "__module__", None) or ""
    is_reader = name in _READERS or (name.startswith("read_") and module.startswith("pandas"))
    return is_reader and callable(value) and module.partition(".")[0] in _READING_MODULES
