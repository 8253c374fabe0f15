"""The one tree of errors.

Every error of the library is a `MismarteraError` and also the builtin that a caller would expect, so
``except ValueError`` keeps working for those who do not know this module. A message is one sentence
that names the argument, its value and what is allowed or what to do.
"""

from __future__ import annotations

import difflib
import os
import reprlib
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "BarsNotFoundError",
    "CalendarRangeError",
    "ConfigurationError",
    "ConnectionLostError",
    "DatabaseBusyError",
    "DatabaseNotReadyError",
    "DatabaseUnreachableError",
    "DuplicateError",
    "InvalidBarsError",
    "InvalidInputError",
    "InvalidOrderError",
    "MigrationError",
    "MismarteraError",
    "MissingDependencyError",
    "NaiveDatetimeError",
    "NotAllowedError",
    "OutcomeUnknownError",
    "RetiredEngineError",
    "RowsNotTakenError",
    "StorageError",
    "StrategyError",
    "UnknownArgumentError",
    "UnknownNameError",
    "WorkerError",
    "as_given",
    "suggestion",
    "warn",
]


_PACKAGE = str(Path(__file__).parent) + os.sep
_LONGEST = 100
"""Characters of a name that are compared."""
_TOLD = 400
"""Characters of a value that a message tells."""
_LOOKED_AT = 8
"""Near names that are compared letter by letter."""


class MismarteraError(Exception):
    """Root of every error that the library raises on purpose."""


class ConfigurationError(MismarteraError, ValueError):
    """A setting is unknown or its value cannot be used."""


class InvalidInputError(MismarteraError, ValueError):
    """An argument's value is not allowed."""


class NaiveDatetimeError(InvalidInputError):
    """A datetime without a time zone was given where an instant is asked for."""


class InvalidBarsError(InvalidInputError):
    """Bars break a rule: a price, a volume, a time or a duplicate.

    Attributes
    ----------
    bad
        DataFrame of the bad rows with a column `reason`; None if the frame as a whole is refused.
    """

    def __init__(self, message: str, *, bad: Any = None) -> None:
        super().__init__(message)
        self.bad = bad


class InvalidOrderError(InvalidInputError):
    """An order breaks a rule."""


class DuplicateError(InvalidInputError):
    """A name or key that must be unique exists already."""


class UnknownArgumentError(InvalidInputError, TypeError):
    """A function was given an argument by a name that it does not take."""


class UnknownNameError(MismarteraError, LookupError):
    """A name is not known: a symbol, exchange, account, user or column."""


class BarsNotFoundError(UnknownNameError):
    """A symbol has no bars in the store."""


class CalendarRangeError(MismarteraError, LookupError):
    """A date lies outside the range that a calendar covers."""


class NotAllowedError(MismarteraError, PermissionError):
    """The current user may not see or change this."""


class DatabaseUnreachableError(MismarteraError, ConnectionError):
    """The database cannot be opened or its server does not answer."""


class ConnectionLostError(DatabaseUnreachableError):
    """The connection broke, or the server restarts; what was not committed is undone."""


class OutcomeUnknownError(DatabaseUnreachableError):
    """The connection broke during a COMMIT: whether the transaction was written is not known."""


class DatabaseNotReadyError(MismarteraError, RuntimeError):
    """The database lacks tables, is outdated, or comes from a newer version."""


class DatabaseBusyError(MismarteraError, TimeoutError):
    """Another writer held the database for too long, or wrote in between."""


class RetiredEngineError(MismarteraError, RuntimeError):
    """An engine is used after `configure` has switched to another database."""


class MigrationError(MismarteraError, RuntimeError):
    """A migration cannot run from the state that the database is in."""


class StorageError(MismarteraError, OSError):
    """A file or folder cannot be read or written."""


class RowsNotTakenError(InvalidInputError):
    """A database does not take some of another's rows.

    Attributes
    ----------
    misfits
        By column and reason, how many rows and the keys of the first.
    """

    def __init__(
        self, message: str, *, misfits: Mapping[str, tuple[int, tuple[str, ...]]] | None = None
    ) -> None:
        super().__init__(message)
        self.misfits = dict(misfits or {})


class StrategyError(MismarteraError, RuntimeError):
    """A strategy raised an error; the state it was in is kept.

    Attributes
    ----------
    strategy, context
        As they were when it happened.
    """

    def __init__(
        self, message: str, *, strategy: object | None = None, context: object | None = None
    ) -> None:
        super().__init__(message)
        self.strategy = strategy
        self.context = context


class WorkerError(MismarteraError, RuntimeError):
    """A worker process died, and died again when its work was tried once more."""


class NotReproducibleError(MismarteraError, RuntimeError):
    """A recorded run cannot be run again as it was; the message says what is missing or has changed."""


class MissingDependencyError(MismarteraError, ImportError):
    """An optional package is not installed."""


def suggestion(name: object, allowed: Iterable[str]) -> str:
    """Return ``", did you mean 'X'?"`` for the nearest allowed name, or an empty string.

    Parameters
    ----------
    name
        What the caller wrote; only a text has near names.
    allowed
        The names that would have been accepted.

    Returns
    -------
    str
        Text to append to an error message. Case is ignored when names are compared; swapped letters
        count as the smallest slip, and of names equally near the one with more letters in place wins.

    Examples
    --------
    >>> suggestion("APPL", ["AAPL", "MSFT"])
    ", did you mean 'AAPL'?"
    >>> suggestion("NSYE", ["NSE", "NYSE"])
    ", did you mean 'NYSE'?"
    >>> suggestion("NYZE", ["NYSE", "XNZE"])
    ", did you mean 'NYSE'?"
    >>> suggestion("zzz", ["AAPL"])
    ''
    """
    if not isinstance(name, str):
        return ""
    folded = name[:_LONGEST].casefold()
    by_folded = {candidate.casefold(): candidate for candidate in allowed}
    swapped = [other for other in by_folded if sorted(other) == sorted(folded)]
    near = difflib.get_close_matches(folded, swapped or by_folded, n=_LOOKED_AT, cutoff=0.5)
    if not near:
        return ""

    def nearness(other: str) -> tuple[float, int]:
        ratio = difflib.SequenceMatcher(None, other, folded).ratio()
        return ratio, sum(a == b for a, b in zip(other, folded, strict=False))

    return f", did you mean {by_folded[max(near, key=nearness)]!r}?"


class _Brief(reprlib.Repr):
    """Writes what a caller gave so that it fits into a sentence; raises nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, 300, 200, 60
        self.maxtuple = self.maxlist = self.maxset = self.maxfrozenset = self.maxdict = 12

    def repr_DataFrame(self, frame: Any, _level: int) -> str:  # noqa: N802 - the name of the type
        return f"a DataFrame of shape {frame.shape}"

    def repr_Series(self, series: Any, _level: int) -> str:  # noqa: N802 - the name of the type
        return f"a Series of length {len(series)}"

    def repr_ndarray(self, array: Any, level: int) -> str:
        if array.size > self.maxlist:
            return f"an array of shape {array.shape}"
        return self.repr_instance(array, level)

    def repr_dict(self, given: Any, level: int) -> str:
        # In the caller's order: the base class sorts the keys.
        shown = [f"{self.repr1(key, level - 1)}: {self.repr1(given[key], level - 1)}"
                 for key in list(given)[: self.maxdict]]  # fmt: skip
        return "{" + ", ".join(shown + ["..."] * (len(given) > self.maxdict)) + "}"

    def repr_int(self, number: int, level: int) -> str:
        try:
            return super().repr_int(number, level)
        except ValueError:
            return "a whole number of thousands of digits"

    def repr_instance(self, value: Any, level: int) -> str:
        return " ".join(super().repr_instance(value, level).split())


_BRIEF = _Brief()


def as_given(value: object) -> str:
    """Return a value as the caller would write it, cut to what fits into a sentence.

    Parameters
    ----------
    value
        Anything, also what cannot be written, such as a frame with a signalling NaN.

    Returns
    -------
    str
        `repr` of short values; the middle of long texts is left out, and tables are told by their size.

    Examples
    --------
    >>> as_given("APPL"), as_given(2.5), len(as_given("A" * 5_000))
    ("'APPL'", '2.5', 300)
    >>> import pandas as pd
    >>> as_given(pd.DataFrame({"close": [1.0, 2.0]}))
    'a DataFrame of shape (2, 1)'
    """
    told = _BRIEF.repr(value)
    return told if len(told) <= _TOLD else f"{told[: _TOLD // 2]}...{told[-_TOLD // 2 :]}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, naming the caller's own line: the nearest one outside of the package.

    Parameters
    ----------
    message, category
        As in `warnings.warn`.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("3 fills are left out.")
    >>> str(caught[0].message)
    '3 fills are left out.'
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
