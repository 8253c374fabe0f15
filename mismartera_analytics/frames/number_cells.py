"""Columns that should be numbers, as callers give them: what is none becomes NaN, in no time."""

from __future__ import annotations

import decimal
import numbers
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["is_beyond_floats", "numbers_in"]

LONGEST = 400  # [characters] no float64 is written longer
_MOST_BITS = 1024  # a whole number of more is beyond all floats


def numbers_in(column: pd.Series) -> NDArray[np.float64]:
    """Return a column as float64, NaN where there is no number: truths, times and lists are none.

    Parameters
    ----------
    column
        Of any type; text is read as pandas reads it.

    Returns
    -------
    ndarray of float64
        Infinite where a cell says so.

    Examples
    --------
    >>> cells = ["1.5", True, 3, 10**400, [1], None, decimal.Decimal("1e999999")]
    >>> numbers_in(pd.Series(cells, dtype=object)).tolist()
    [1.5, nan, 3.0, nan, nan, nan, nan]
    """
    if column.dtype.kind in "bcmM" or isinstance(column.dtype, pd.PeriodDtype):
        return np.full(len(column), np.nan)  # NumPy would count truths, and nanoseconds
    if not pd.api.types.is_numeric_dtype(column.dtype):
        column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
        column = column.mask(column.map(_is_no_number).astype("bool"))
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _is_no_number(value: Any) -> bool:
    """Tell what is none, and what no float holds: pandas takes seconds to see that, or raises."""
    if isinstance(value, str):
        return len(value) > LONGEST
    if isinstance(value, float) or value is None or value is pd.NA:
        return False
    if isinstance(value, decimal.Decimal):
        return not value.is_finite() or abs(value.adjusted()) > LONGEST
    if isinstance(value, bool | np.bool_ | np.timedelta64) or not isinstance(value, numbers.Real):
        return True
    return is_beyond_floats(value)


def is_beyond_floats(value: Any) -> bool:
    """Tell a whole number that no float64 holds, of which Python does not write every one.

    Examples
    --------
    >>> is_beyond_floats(10**5_000), is_beyond_floats(10**300), is_beyond_floats(float("inf"))
    (True, False, False)
    """
    return isinstance(value, int) and value.bit_length() > _MOST_BITS
