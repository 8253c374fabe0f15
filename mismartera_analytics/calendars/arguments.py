"""Arrays of instants and of labels as callers pass them, checked once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.calendars.build import MISSING
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError, as_given

__all__ = [
    "are_whole",
    "bound_number",
    "instant_index",
    "instant_number",
    "is_scalar",
    "label_index",
    "label_numbers",
    "number_of",
    "numbers_of",
]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_MICROSECOND = dt.timedelta(microseconds=1)
_DAY_IN_NANOSECONDS = 86_400_000_000_000


def is_scalar(value: Any) -> bool:
    """Whether one time or label was given, not many."""
    return value is None or isinstance(value, (dt.date, str))


def are_whole(values: Any) -> bool:
    """Whether one whole number was given, or an array of them; empty ones pass."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of several lengths
        return False
    return not array.size or array.dtype.kind in "iu"


def _check_many(values: Any, *, argument: str) -> None:
    is_many = hasattr(values, "__iter__") and getattr(values, "ndim", 1) == 1
    if is_scalar(values) or not is_many:
        raise InvalidInputError(
            f"{argument}={as_given(values)} must be one-dimensional: a list, an array, a Series or "
            f"an index."
        )


def number_of(moment: dt.datetime) -> int:
    """Return an aware datetime as microseconds since 1970 UTC.

    Examples
    --------
    >>> number_of(dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC))
    1000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def instant_number(value: Any, *, argument: str) -> int:
    """Return one instant as microseconds since 1970 UTC; quick for what callers mostly pass.

    Parameters
    ----------
    value
        An aware datetime, a pandas Timestamp, or ISO text with an offset.
    argument
        Name of the caller's argument, for the error message.

    Raises
    ------
    NaiveDatetimeError, InvalidInputError
        As in `clock.parse_instant`.

    Examples
    --------
    >>> instant_number(pd.Timestamp("1970-01-01T00:00:01Z"), argument="when")
    1000000
    """
    if type(value) is pd.Timestamp and value.tzinfo is not None:
        try:
            return value.value // 1000
        except OverflowError:  # beyond 1677 to 2262
            pass
    return number_of(clock.parse_instant(value, argument=argument))


def bound_number(value: Any, *, argument: str) -> tuple[bool, int]:
    """Return whether a bound is a label, and its days or microseconds since 1970.

    Parameters
    ----------
    value
        Whatever `clock.parse_bound` takes.
    argument
        Name of the caller's argument, for the error message.

    Examples
    --------
    >>> bound_number("1970-01-02", argument="start")
    (True, 1)
    """
    if type(value) is pd.Timestamp and value.tzinfo is None:
        try:
            days, rest = divmod(value.value, _DAY_IN_NANOSECONDS)
        except OverflowError:  # beyond 1677 to 2262
            rest = 1
        if rest == 0:
            return True, days
    bound = clock.parse_bound(value, argument=argument)
    if isinstance(bound, dt.datetime):
        return False, number_of(bound)
    return True, bound.toordinal() - _EPOCH_DAY


def moment_of(number: int) -> dt.datetime:
    """Return microseconds since 1970 UTC as an aware datetime in UTC."""
    return _EPOCH + number * _MICROSECOND


def instant_index(numbers: NDArray[np.int64], *, tz: str | None = None) -> pd.DatetimeIndex:
    """Return microseconds since 1970 UTC as instants; `MISSING` becomes NaT."""
    values: Any = numbers
    index = pd.DatetimeIndex(values, dtype="datetime64[us, UTC]", copy=False)
    return index if tz is None else index.tz_convert(clock.zone(tz).key)


def numbers_of(values: Any, *, argument: str) -> NDArray[np.int64]:
    """Return instants as microseconds since 1970 UTC.

    Parameters
    ----------
    values
        One-dimensional: an index, a Series, an array or a list of aware datetimes.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    ndarray of int64
        Read-only where it shares memory with `values`.

    Raises
    ------
    NaiveDatetimeError
        If they have no time zone.
    InvalidInputError
        If one is missing or they are no times at all.

    Examples
    --------
    >>> numbers_of(["1970-01-01T00:00:01+00:00"], argument="when")
    array([1000000])
    """
    dtype = getattr(values, "dtype", None)
    _check_many(values, argument=argument)
    if isinstance(dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(values, copy=False)
        numbers = np.asarray((index if index.unit == "us" else index.as_unit("us")).asi8)
        if numbers.size and numbers.min() == MISSING:
            raise InvalidInputError(f"{argument} holds a missing time (NaT).")
        return numbers
    if dtype is None or dtype == np.dtype(object) or str(dtype) == "str":
        moments = (clock.parse_instant(value, argument=argument) for value in values)
        return np.array([number_of(moment) for moment in moments], np.int64)
    if getattr(dtype, "kind", "") == "M":
        raise NaiveDatetimeError(
            f"{argument} holds times without a time zone; localise them first, for instance with "
            f"tz_localize('America/New_York')."
        )
    raise InvalidInputError(f"{argument} holds {dtype}; pass aware datetimes.")


def label_index(values: Any, *, argument: str) -> pd.DatetimeIndex:
    """Return session labels as an index of naive midnights.

    Parameters
    ----------
    values
        One-dimensional: dates, naive midnights, or text such as ``"2025-07-02"``.
    argument
        Name of the caller's argument, for the error message.

    Raises
    ------
    InvalidInputError
        If a value is not a day.

    Examples
    --------
    >>> label_index(["2025-07-02"], argument="labels")
    DatetimeIndex(['2025-07-02'], dtype='datetime64[us]', freq=None)
    """
    dtype = getattr(values, "dtype", None)
    _check_many(values, argument=argument)
    if dtype is None or getattr(dtype, "kind", "") != "M":
        values = [clock.parse_label(value, argument=argument) for value in values]
        return pd.DatetimeIndex(np.array(values, "datetime64[us]"))
    index = pd.DatetimeIndex(values).as_unit("us")
    if index.hasnans:
        raise InvalidInputError(f"{argument} holds a missing date (NaT).")
    if index.tz is not None or bool((index.asi8 % 86_400_000_000 != 0).any()):
        raise InvalidInputError(f"{argument} holds instants; sessions are named by their dates.")
    return index


def label_numbers(values: Any, *, argument: str) -> NDArray[np.int64]:
    """Return session labels as days since 1970; errors as in `label_index`."""
    return np.asarray(label_index(values, argument=argument).asi8 // 86_400_000_000)
