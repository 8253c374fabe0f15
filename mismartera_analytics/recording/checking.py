"""Frames of records checked at the edge: every fault is named with its rows, nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidOrderError, NaiveDatetimeError
from mismartera_analytics.frames.given import check_table, is_missing, text_cells, written
from mismartera_analytics.frames.number_cells import numbers_in

__all__ = [
    "DATE_ONLY",
    "MAX_SYMBOL",
    "bad_rows",
    "checked_times",
    "content",
    "numbers",
    "refuse",
    "refuse_precision",
    "require",
    "texts",
]

_EARLIEST = pd.Timestamp(clock.FIRST_RECORD, tz="UTC")
_AHEAD = pd.Timedelta(days=1)
"""How far a writer's clock may be ahead of ours."""
MAX_SYMBOL = 10
"""Characters of a symbol in the tables."""

DATE_ONLY = "DATE"
"""``time_precision`` of a row whose day is known and whose time is its session's close."""

Bools = NDArray[np.bool_]


def require(frame: pd.DataFrame, names: Sequence[str], *, argument: str) -> None:
    """Refuse a frame that lacks columns.

    Raises
    ------
    InvalidOrderError
        Naming those missing.
    """
    check_table(frame, argument=argument, error=InvalidOrderError)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidOrderError(
            f"{argument} lacks the columns {', '.join(missing)}; it needs {', '.join(names)}."
        )


def bad_rows(bad: Any, index: pd.Index) -> str:
    """Return ``"rows 3, 7"`` for the rows marked in `bad`, the first five by name."""
    rows = np.flatnonzero(np.asarray(bad))
    shown = ", ".join(written(index[row]) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


def refuse(bad: Any, index: pd.Index, fault: str) -> None:
    """Refuse the rows marked in `bad`.

    Raises
    ------
    InvalidOrderError
        ``"<fault> (rows …)."``
    """
    if np.any(bad):
        raise InvalidOrderError(f"{fault} ({bad_rows(bad, index)}).")


def refuse_precision(values: pd.Series, index: pd.Index, rows: str) -> None:
    """Refuse a ``time_precision`` that is neither missing nor `DATE_ONLY`.

    Raises
    ------
    InvalidOrderError
        Naming the rows.
    """
    odd = values.notna() & (values != DATE_ONLY)
    refuse(odd, index, f"{rows} whose time_precision is neither missing nor {DATE_ONLY!r}")


def numbers(frame: pd.DataFrame, name: str, *, argument: str) -> NDArray[np.float64]:
    """Return a column of numbers, NaN where missing or where there is no such column.

    Raises
    ------
    InvalidOrderError
        If a value is text or infinite.
    """
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    values = numbers_in(frame[name])
    unreadable = np.isnan(values) & frame[name].notna().to_numpy()
    refuse(unreadable | np.isinf(values), frame.index, f"{argument}: {name} is not a finite number")
    return values


def texts(frame: pd.DataFrame, name: str, *, argument: str, length: int) -> pd.Series:
    """Return a column of text, missing where blank or where there is no such column.

    Raises
    ------
    InvalidOrderError
        If a text has over `length` characters or blanks at its ends, or a cell is no text.
    """
    if name not in frame.columns:
        return pd.Series(pd.NA, index=frame.index, dtype="str")
    values = text_cells(frame[name], argument=f"{argument}: {name}", error=InvalidOrderError)
    values = values.mask(values == "")
    refuse((values.str.len() > length).to_numpy(np.bool_, na_value=False), frame.index,
           f"{argument}: {name} has over {length} characters")  # fmt: skip
    refuse((values.str.strip() != values).to_numpy(np.bool_, na_value=False) & values.notna(),
           frame.index, f"{argument}: {name} has blanks at its ends")  # fmt: skip
    return values


def checked_times(frame: pd.DataFrame, name: str, *, argument: str) -> pd.Series:
    """Return a column of instants in UTC, NaT where missing or where there is no such column.

    ISO text with an offset, as a CSV file has it, is read as well.

    Raises
    ------
    NaiveDatetimeError
        If a time has no zone.
    InvalidOrderError
        If a value is not a time, or lies more than a day ahead: no calendar could tell its session.
    """
    if name not in frame.columns:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    values = frame[name]
    is_gone = all(map(is_missing, values)) if values.dtype == object else values.isna().all()
    if is_gone:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        read = [None if is_missing(one) else _read_text(one) for one in values]
        values = pd.Series(read, frame.index, dtype=object)
        is_time = np.array([value is None or isinstance(value, dt.datetime) for value in read])
        refuse(~is_time, frame.index, f"{argument}: {name} is not a datetime with a time zone")
        naive = np.array([value is not None and value.tzinfo is None for value in read])
        if naive.any():
            raise NaiveDatetimeError(
                f"{argument}: {name} has no time zone ({bad_rows(naive, frame.index)}); localise it, "
                f"for instance with .dt.tz_localize('America/New_York')."
            )
    times = pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
    refuse(times < _EARLIEST, frame.index, f"{argument}: {name} lies before 1900")
    latest = pd.Timestamp(clock.utc_now()) + _AHEAD
    refuse(times > latest, frame.index, f"{argument}: {name} lies in the future")
    return times


def _read_text(value: Any) -> Any:
    """Return ISO text as a datetime; what is none stays, for the check that names its row."""
    if not isinstance(value, str):
        return value
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        return value


def content(frame: pd.DataFrame, names: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return the rows as tuples of plain Python values, None where missing."""
    columns = []
    for name in names:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            plain: Any = values.dt.tz_convert("UTC").dt.to_pydatetime()
        else:
            plain = values.tolist()
        missing = values.isna().to_numpy()
        columns.append([None if gone else one for one, gone in zip(plain, missing, strict=True)])
    return list(zip(*columns, strict=True)) if columns else []
