"""What code, frames and values are: digests and JSON values that any other process gives too."""

from __future__ import annotations

import dataclasses
import datetime as dt
import dis
import enum
import functools
import hashlib
import inspect
import math
import pickle
import types
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["code_hash", "frame_digest", "json_value"]

_LIBRARY = __name__.partition(".")[0]
_KINDS = 0x3FF
"""The flags of a code object that say what it is; higher ones are ``from __future__`` imports."""


def code_hash(code: object) -> str:
    """Return a digest of what a strategy or a function does.

    It covers the methods of the class and of its bases below `Strategy`, their defaults, what they
    close over, and the functions, classes and constants of the same package that they name. Comments,
    layout and the names of local variables do not count, nor do a strategy's parameters, which are
    recorded beside it. Code from a notebook's cell counts like any other.

    Parameters
    ----------
    code
        A class, an instance of it, or a function.

    Returns
    -------
    str
        64 hexadecimal digits. It is made from byte code, so another version of Python gives another.

    Examples
    --------
    >>> def rising(bars):
    ...     return bars["close"].diff() > 0
    >>> def falling(bars):
    ...     return bars["close"].diff() < 0
    >>> code_hash(rising) == code_hash(falling)
    False
    """
    reader = _CodeReader(code)
    sha = hashlib.sha256()
    for part in reader.parts(code):
        sha.update(part.encode("utf-8", "surrogatepass"))
        sha.update(b"\0")
    return sha.hexdigest()


class _CodeReader:
    """Walks code, each function and class once."""

    def __init__(self, root: object) -> None:
        named = getattr(root, "__module__", None) or type(root).__module__
        self._module = named
        self._package = named.partition(".")[0]
        self._seen: set[int] = set()

    def parts(self, value: object) -> Iterator[str]:
        """Yield texts that stand for a value."""
        if isinstance(value, types.CodeType):
            yield from self._code(value)
        elif isinstance(value, functools.partial):
            yield "partial"
            for part in (value.func, value.args, value.keywords):
                yield from self.parts(part)
        elif isinstance(value, staticmethod | classmethod | types.MethodType):
            yield from self.parts(value.__func__)
        elif isinstance(value, property):
            for function in (value.fget, value.fset, value.fdel):
                yield from self.parts(function)
        elif isinstance(value, functools.cached_property):
            yield from self.parts(value.func)
        elif hasattr(value, "py_func"):  # compiled by Numba
            yield from self.parts(value.py_func)
        elif isinstance(value, types.FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, types.ModuleType):
            yield value.__name__
        elif _is_strategy(value):
            yield from self._class(type(value))
        elif isinstance(value, frozenset | set):
            yield from sorted(map(repr, value))
        elif isinstance(value, tuple | list):
            yield f"{type(value).__name__} {len(value)}"
            for inner in value:
                yield from self.parts(inner)
        else:
            yield repr(json_value(value))

    def _is_own(self, value: Any) -> bool:
        module = getattr(value, "__module__", None) or ""
        if self._package == _LIBRARY:
            return module == self._module
        return module.partition(".")[0] == self._package

    def _code(self, code: types.CodeType) -> Iterator[str]:
        yield f"code {code.co_argcount} {code.co_kwonlyargcount} {code.co_flags & _KINDS}"
        yield code.co_code.hex()
        yield " ".join(code.co_names)
        for constant in code.co_consts:
            yield from self.parts(constant)

    def _function(self, function: types.FunctionType) -> Iterator[str]:
        yield f"function {function.__name__}"
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        yield from self._code(function.__code__)
        yield from self.parts(function.__defaults__ or ())
        for name, value in sorted((function.__kwdefaults__ or {}).items()):
            yield name
            yield from self.parts(value)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if name != "__class__":
                yield name
                yield from self.parts(_content(cell))
        for name in sorted(_globals_of(function.__code__)):
            if name in function.__globals__:
                yield name
                yield from self._named(function.__globals__[name])

    def _named(self, value: Any) -> Iterator[str]:
        """Yield what a global name stands for: own code whole, other code by its name."""
        is_code = isinstance(value, type) or inspect.isroutine(value) or hasattr(value, "py_func")
        if is_code and not self._is_own(value):
            yield f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        else:
            yield from self.parts(value)

    def _class(self, kind: type) -> Iterator[str]:
        for base in kind.__mro__:
            if base is object or _is_root(base):
                continue
            yield f"class {base.__qualname__}"
            if id(base) in self._seen or not (self._is_own(base) or _is_strategy_class(base)):
                continue
            self._seen.add(id(base))
            left_out = _parameters_of(base)
            for name, value in sorted(vars(base).items()):
                if name not in left_out and not _is_bookkeeping(name, value):
                    yield name
                    yield from self.parts(value)


def _is_bookkeeping(name: str, value: object) -> bool:
    """Whether Python itself notes it on a class; some of it only once an object was copied."""
    is_dunder = name.startswith("__") and name.endswith("__")
    return name.startswith("_abc_") or (is_dunder and not inspect.isroutine(value))


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _globals_of(code: types.CodeType) -> set[str]:
    names = {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _globals_of(constant)
    return names


def _is_root(kind: type) -> bool:
    from mismartera_analytics.backtesting.strategy import Strategy

    return kind is Strategy


def _is_strategy_class(kind: type) -> bool:
    from mismartera_analytics.backtesting.strategy import Strategy

    return issubclass(kind, Strategy)


def _is_strategy(value: object) -> bool:
    return _is_strategy_class(type(value))


def _parameters_of(kind: type) -> set[str]:
    from mismartera_analytics.backtesting.strategy import Strategy

    return set(kind.defaults()) if issubclass(kind, Strategy) else set()


def frame_digest(frame: pd.DataFrame | pd.Series[Any]) -> str:
    """Return a digest of a frame's values, columns and index.

    Parameters
    ----------
    frame
        A frame or a Series; the names and order of its columns count, their dtypes only as far as
        they change a value.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> frame_digest(pd.DataFrame({"a": [1.0]})) == frame_digest(pd.DataFrame({"a": [2.0]}))
    False
    """
    table = frame.to_frame() if isinstance(frame, pd.Series) else frame
    sha = hashlib.sha256()
    for part in (table.index.to_frame(index=False), table):
        for place, name in enumerate(part.columns):
            sha.update(f"{name}\0".encode())
            sha.update(_column_bytes(part.iloc[:, place]))
    return sha.hexdigest()


def _column_bytes(values: pd.Series[Any]) -> bytes:
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype) or np.issubdtype(_numpy_of(dtype), np.datetime64):
        moments = values.dt.tz_convert("UTC").dt.tz_localize(None) if _has_zone(dtype) else values
        return moments.to_numpy().astype("datetime64[us]").astype(np.int64).tobytes()
    if pd.api.types.is_numeric_dtype(dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan).tobytes()
    return "\0".join("" if pd.isna(value) else str(value) for value in values).encode()


def _has_zone(dtype: Any) -> bool:
    return isinstance(dtype, pd.DatetimeTZDtype)


def _numpy_of(dtype: Any) -> Any:
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def json_value(value: Any) -> Any:
    """Return a parameter as a JSON value; what JSON does not know becomes a text that stands for it.

    Parameters
    ----------
    value
        Numbers, truths and texts stay; times are written by ISO 8601, collections as lists and
        objects; code, frames and other objects as their name and a digest.

    Returns
    -------
    object
        What `json.dumps` takes. Infinite numbers and NaN are texts.

    Examples
    --------
    >>> json_value({"window": np.int64(20), "since": dt.date(2024, 1, 2), "bands": (1.0, 2.0)})
    {'window': 20, 'since': '2024-01-02', 'bands': [1.0, 2.0]}
    """
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((json_value(inner) for inner in value), key=repr)
    return _described(value)


def _described(value: Any) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, PurePath | np.datetime64 | np.timedelta64 | dt.timedelta):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {f.name: json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__qualname__, **held}
    if isinstance(value, pd.DataFrame | pd.Series):
        return f"{type(value).__name__}#{frame_digest(value)}"
    if isinstance(value, type) or inspect.isroutine(value) or hasattr(value, "py_func"):
        is_python = not inspect.isbuiltin(value)
        digest = f"#{code_hash(value)}" if is_python else ""
        return f"{value.__module__}.{value.__qualname__}{digest}"
    return f"{type(value).__qualname__}{_pickled(value)}"


def _pickled(value: Any) -> str:
    try:
        held = pickle.dumps(value, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError):
        return ""
    return "#" + hashlib.sha256(held).hexdigest()
