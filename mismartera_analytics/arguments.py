"""Checks of single arguments that many functions share: names, counts, numbers, truths, choices."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from mismartera_analytics.errors import (
    InvalidInputError,
    MissingDependencyError,
    UnknownArgumentError,
    as_given,
    suggestion,
)

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    "check_choice",
    "dask_client",
    "is_number",
    "is_one_of",
    "is_whole",
    "float_or_nan",
    "only_known_names",
    "truth",
    "whole",
]

P = ParamSpec("P")
R = TypeVar("R")


def is_number(value: Any) -> bool:
    """Tell whether a value is one finite real number; truths are none.

    Examples
    --------
    >>> is_number(1.5), is_number(np.int64(3)), is_number(True), is_number("1"), is_number(math.nan)
    (True, True, False, False, False)
    """
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def float_or_nan(value: Any) -> float:
    """Return what is written as a number, as a float; NaN where it is none or no float holds it.

    Examples
    --------
    >>> float_or_nan("1.5"), float_or_nan(10**400), float_or_nan("seven"), float_or_nan([1.0])
    (1.5, nan, nan, nan)
    """
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def is_whole(value: Any) -> TypeIs[int]:
    """Tell whether a value is one whole number; truths are none, and neither is 2.0."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.timedelta64)


def whole(value: Any, argument: str, *, least: int = 0, most: int | None = None) -> int:
    """Return a whole number within bounds, as Python's own.

    Raises
    ------
    InvalidInputError
        If it is none, or out of bounds.

    Examples
    --------
    >>> whole(np.int64(3), "cuts", least=1)
    3
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most:,}"
        raise InvalidInputError(f"{argument}={as_given(value)} must be a whole number {bounds}.")
    return int(value)


def truth(value: Any, argument: str) -> bool:
    """Return True or False.

    Raises
    ------
    InvalidInputError
        If it is anything else.

    Examples
    --------
    >>> truth(np.True_, "count")
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{argument}={as_given(value)} must be True or False.")
    return bool(value)


def is_one_of(value: Any, allowed: Collection[Any]) -> bool:
    """Tell whether a value is one of several names, or None where that is among them.

    Arrays and lists are none: they can be neither compared nor looked up.

    Examples
    --------
    >>> is_one_of("fifo", ("fifo", "lifo")), is_one_of(np.array(["fifo"]), ("fifo",))
    (True, False)
    """
    return (value is None or isinstance(value, str)) and value in allowed


def check_choice(value: Any, argument: str, allowed: Collection[str]) -> None:
    """Refuse what is not one of several names; the nearest is suggested.

    Raises
    ------
    InvalidInputError
        If it is none of them.
    """
    if not (isinstance(value, str) and value in allowed):
        raise InvalidInputError(
            f"{argument}={as_given(value)} is unknown{suggestion(value, allowed) or '.'} "
            f"Allowed: {', '.join(allowed)}."
        )


def only_known_names(*more: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that refuses arguments by names which a function does not take.

    Python's own error suggests no name, and a function that passes ``**rules`` on would hear of a
    slip too late.

    Parameters
    ----------
    *more
        Names that the function takes by ``**rules``, beside those of its signature.

    Examples
    --------
    >>> @only_known_names("cash")
    ... def run(symbols, *, interval="1d", **rules):
    ...     return interval
    >>> run("AAPL", cash=5.0)
    '1d'
    >>> run("AAPL", intervall="1h")
    Traceback (most recent call last):
    mismartera_analytics.errors.UnknownArgumentError: run has no argument 'intervall', did you mean \
'interval'?
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters.values()
        named = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        allowed = dict.fromkeys((*named, *more))

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in allowed:
                    hint = suggestion(name, allowed)
                    listed = hint or f". Its arguments: {', '.join(allowed)}."
                    raise UnknownArgumentError(
                        f"{function.__name__} has no argument {name!r}{listed}"
                    )
            return function(*args, **kwargs)

        return checked

    return decorate


def dask_client(value: Any) -> Any:
    """Return a `distributed.Client` that was given as ``client=``.

    Raises
    ------
    MissingDependencyError
        If Dask is not installed.
    InvalidInputError
        If it is something else.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingDependencyError(
            "client= needs Dask; install it with pip install 'mismartera-analytics[distributed]'."
        ) from None
    if not isinstance(value, Client):
        raise InvalidInputError(f"client={as_given(value)} must be a distributed.Client.")
    return value
