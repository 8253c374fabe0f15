"""Frames that a caller gives: what no rule about rows can be asked of is refused first."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError, MismarteraError, as_given
from mismartera_analytics.frames.number_cells import is_beyond_floats

__all__ = [
    "check_table",
    "is_encodable",
    "is_many",
    "is_missing",
    "listed",
    "text_cells",
    "written",
]


_PRINTED = (int, float, np.generic, dt.date, dt.timedelta)
"""What is written as it prints, beside classes that say how."""
_LONGEST_WRITTEN = 60


def check_table(
    frame: Any, *, argument: str, error: type[MismarteraError] = InvalidInputError
) -> None:
    """Refuse what is no DataFrame with one level of columns, each named once.

    Parameters
    ----------
    frame
        What was given.
    argument
        Name of the caller's argument, or what the rows are.
    error
        Class of the error.

    Raises
    ------
    MismarteraError
        Of the class `error`.

    Examples
    --------
    >>> check_table(pd.DataFrame([[1, 2]], columns=["a", "a"]), argument="orders")
    Traceback (most recent call last):
    mismartera_analytics.errors.InvalidInputError: orders has several columns named 'a'; name each once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise error(f"{argument} is a {type(frame).__name__}, not a DataFrame.")
    if frame.columns.nlevels > 1:
        raise error(f"{argument} has columns of {frame.columns.nlevels} levels; give one.")
    seen: set[str] = set()
    for name in frame.columns:
        if isinstance(name, str) and name in seen:
            raise error(f"{argument} has several columns named {name!r}; name each once.")
        seen.add(name if isinstance(name, str) else "")
    for at, dtype in enumerate(frame.dtypes):
        cells = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else frame.iloc[:, at]
        if cells.dtype == object and any(map(_signals, cells)):  # a column of text can hold none
            raise error(
                f"{argument}: {frame.columns[at]} holds a signalling NaN, which is no number."
            )


def _signals(value: Any) -> bool:
    """Whether a value is the one that raises wherever it is looked at."""
    return isinstance(value, decimal.Decimal) and value.is_snan()


def is_many(values: Any) -> bool:
    """Tell whether a value is a collection that can be gone through; a text is one value."""
    is_one = isinstance(values, str | bytes | bytearray) or getattr(values, "ndim", 1) == 0
    return isinstance(values, Iterable) and not is_one


def listed(values: Any, *, argument: str, what: str = "a list of names") -> list[Any]:
    """Return what a caller gave as a list: a text alone, or the members of a collection.

    Raises
    ------
    InvalidInputError
        If it cannot be gone through.

    Examples
    --------
    >>> listed("AAPL", argument="symbols"), listed(("a", "b"), argument="symbols")
    (['AAPL'], ['a', 'b'])
    """
    if isinstance(values, str):
        return [values]
    if not is_many(values):
        raise InvalidInputError(f"{argument}={as_given(values)} must be {what}.")
    return list(values)


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds nothing: None, NaN of any kind, NaT.

    Examples
    --------
    >>> is_missing(None), is_missing(decimal.Decimal("sNaN")), is_missing([None]), is_missing("")
    (True, True, False, False)
    """
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating | np.datetime64 | np.timedelta64) and bool(
        value != value
    )


def text_cells(
    column: pd.Series, *, argument: str, error: type[MismarteraError] = InvalidInputError
) -> pd.Series:
    """Return a column as text, missing where it holds nothing; numbers and times as they are written.

    Raises
    ------
    MismarteraError
        Of the class `error`: if a cell holds half a character or NUL, which no database takes, or a
        collection.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return column.astype("str")
    made: list[str | None] = []
    for row, value in zip(column.index, column, strict=True):
        if is_missing(value):
            made.append(None)
            continue
        if is_beyond_floats(value):
            raise error(f"{argument} is {as_given(value)} (row {written(row)}).")
        text = value if isinstance(value, str) else str(value)
        is_plain = "__str__" in vars(type(value)) or isinstance(value, _PRINTED)
        if not isinstance(value, str) and (isinstance(value, Iterable) or not is_plain):
            raise error(f"{argument} is a {type(value).__name__}, not text (row {written(row)}).")
        if "\0" in text or not is_encodable(text):
            raise error(f"{argument} holds NUL or half a character (row {written(row)}).")
        made.append(text)
    return pd.Series(made, index=column.index, dtype="str", name=column.name)


def written(value: Any) -> str:
    """Return a cell, or the label of a row, as a message names it: on one line, of no great length.

    Examples
    --------
    >>> written(3), written("a"), written(pd.Timestamp("2024-01-02")), written(10**5_000)
    ('3', 'a', '2024-01-02 00:00:00', 'a whole number of thousands of digits')
    """
    if isinstance(value, str):
        is_short = value.isprintable() and len(value) <= _LONGEST_WRITTEN
        return str(value) if is_short else as_given(value)
    return str(value) if isinstance(value, dt.date | np.number | np.datetime64) else as_given(value)


def is_encodable(text: str) -> bool:
    """Tell whether a text is of whole characters, which files and databases take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
