"""Work that outlives a lost connection: done again where twice is the same as once, reported elsewhere.

A function that opened its own session is run anew, as a whole, after the server restarted or the
network broke. Inside a session that the caller passed nothing is repeated: what else was done in
its transaction is not known here.
"""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from mismartera_analytics.errors import ConnectionLostError, OutcomeUnknownError

__all__ = ["StateMovedError", "attempt", "repeated", "repeated_until_commit"]

PATIENCE = 60.0
"""How long after the first loss work is begun anew [s]."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # [s]
TOLD_AFTER = 3.0  # [s]

Given = ParamSpec("Given")
Found = TypeVar("Found")
_attempt: ContextVar[int] = ContextVar("attempt", default=0)
logger = logging.getLogger(__name__)


class StateMovedError(ConnectionLostError):
    """What was read on two connections may be of two states: never seen outside repeated functions."""


def attempt() -> int:
    """Return which attempt of a repeated function this is, counted from 1; 0 outside of one."""
    return _attempt.get()


def repeated(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Have a function run again when its connection is lost, during its COMMIT too.

    For functions that read, and for those whose repetition adds nothing to what they have written.

    Parameters
    ----------
    function
        Opens its own session unless it is called with ``db_session``.

    Returns
    -------
    callable
        Of repeated functions that call one another the outermost repeats.

    Examples
    --------
    >>> losses = iter([ConnectionLostError("gone")])
    >>> @repeated
    ... def read():
    ...     for loss in losses:
    ...         raise loss
    ...     return "rows"
    >>> read()
    'rows'
    """
    return _repeating(function, (ConnectionLostError, OutcomeUnknownError))


def repeated_until_commit(
    find_out: str,
) -> Callable[[Callable[Given, Found]], Callable[Given, Found]]:
    """Have a function run again when its connection is lost, but not once its COMMIT was sent.

    Parameters
    ----------
    find_out
        How the caller learns whether it was written: ends the error's message.

    Returns
    -------
    callable
        A decorator for functions of one transaction that must not be written twice.

    Examples
    --------
    >>> @repeated_until_commit("look with ma.accounts().")
    ... def write():
    ...     raise OutcomeUnknownError("the connection was lost during COMMIT.")
    >>> write()
    Traceback (most recent call last):
        ...
    mismartera_analytics.errors.OutcomeUnknownError: the connection was lost during COMMIT. To find
    out, look with ma.accounts().
    """

    def decorate(function: Callable[Given, Found]) -> Callable[Given, Found]:
        @functools.wraps(function)
        def once(*args: Given.args, **options: Given.kwargs) -> Found:
            try:
                return function(*args, **options)
            except OutcomeUnknownError as error:
                if options.get("db_session") is not None:
                    raise
                raise OutcomeUnknownError(f"{error} To find out, {find_out}") from error

        return _repeating(once, (ConnectionLostError,))

    return decorate


def _repeating(
    function: Callable[Given, Found], passing: tuple[type[Exception], ...]
) -> Callable[Given, Found]:
    @functools.wraps(function)
    def run(*args: Given.args, **options: Given.kwargs) -> Found:
        if options.get("db_session") is not None or attempt():
            return function(*args, **options)
        # An iterator can be gone through once: a second try would find it empty.
        held: Any = [list(one) if isinstance(one, Iterator) else one for one in args]
        named: Any = {
            name: list(one) if isinstance(one, Iterator) else one for name, one in options.items()
        }
        token = _attempt.set(1)
        try:
            return _run_until_it_holds(lambda: function(*held, **named), passing)
        finally:
            _attempt.reset(token)

    return run


def _run_until_it_holds(work: Callable[[], Found], passing: tuple[type[Exception], ...]) -> Found:
    lost_at: float | None = None
    pause, was_told = FIRST_PAUSE, False
    while True:
        try:
            return work()
        except StateMovedError:  # nothing is lost, and `bulk_reading.ATTEMPTS` is the bound
            pass
        except passing as error:
            now = time.monotonic()
            lost_at = now if lost_at is None else lost_at
            if now + pause - lost_at > PATIENCE:
                raise
            if now - lost_at > TOLD_AFTER and not was_told:
                logger.warning("%s (it is tried for %.0f s.)", error, PATIENCE)
                was_told = True
        time.sleep(pause * random.uniform(0.5, 1.0))  # so that many do not come back at one moment
        pause = min(2 * pause, LONGEST_PAUSE)
        _attempt.set(attempt() + 1)
