"""Frames into DuckDB as Arrow, and Arrow out of it as frames with the library's dtypes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["checked_frames", "typed_frame"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_INFINITE = np.iinfo(np.int64).max - 1
"""How DuckDB writes an infinite time, or beyond [microseconds since 1970]."""


def checked_frames(given: Mapping[str, Any], reserved: set[str]) -> dict[str, pa.Table]:
    """Return the frames of a call as Arrow tables, by their names in small letters.

    Parameters
    ----------
    given
        Name to DataFrame, Series, Arrow table or anything else that speaks Arrow.
    reserved
        Names of tables, in small letters.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInputError
        If a name cannot be written in SQL without quotes or hides a table, or a frame has columns of
        one name or without one type.
    """
    tables: dict[str, pa.Table] = {}
    for name, frame in given.items():
        folded = name.casefold()
        if not _NAME.match(name):
            raise InvalidInputError(
                f"frame {name!r}: a frame is named by letters, digits and _, such as my_frame=…"
            )
        if folded in reserved or folded.startswith("bars_"):
            raise InvalidInputError(
                f"frame {name!r} would hide the table of that name; pass it as my_{folded}=…"
            )
        if folded in tables:
            raise InvalidInputError(
                f"frame {name!r} is given twice: SQL does not tell cases apart."
            )
        tables[folded] = _arrow_of(name, frame)
    return tables


def _arrow_of(name: str, frame: Any) -> pa.Table:
    import pyarrow as pa

    if isinstance(frame, pd.Series):
        frame = frame.to_frame("value" if frame.name is None else str(frame.name))
    try:
        if isinstance(frame, pd.DataFrame):
            named = [label for label in frame.index.names if label is not None]
            flat = _flat(frame, named)
            _refuse_twice(name, [str(column) for column in flat.columns])
            table = pa.Table.from_pandas(flat, preserve_index=False)
        elif hasattr(frame, "__arrow_c_stream__"):
            table = pa.table(frame)
        else:
            raise InvalidInputError(
                f"frame {name!r} is a {type(frame).__name__}; pass a DataFrame or an Arrow table."
            )
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        OverflowError,
        UnicodeEncodeError,
    ) as error:
        raise InvalidInputError(
            f"frame {name!r} has a column without one type: {error.args[-1]}."
        ) from None
    except TypeError as error:  # of Arrow, at numbers that it does not tell apart from text
        raise InvalidInputError(f"frame {name!r} has a column without one type: {error}.") from None
    _refuse_twice(name, table.column_names)
    return table.replace_schema_metadata(None)


def _refuse_twice(name: str, columns: Sequence[str]) -> None:
    folded = [column.casefold() for column in columns]
    twice = sorted({c for c in folded if folded.count(c) > 1})
    if twice or not folded:
        told = f"the column {twice[0]!r} twice" if twice else "no column"
        raise InvalidInputError(f"frame {name!r} has {told}; SQL does not tell cases apart.")


def _flat(frame: pd.DataFrame, named: list[Any]) -> pd.DataFrame:
    """Return a frame whose named index levels are columns and whose categories are plain."""
    import pyarrow as pa

    if named:
        frame = frame.reset_index(named, allow_duplicates=True)
    period = next((d for d in frame.dtypes if isinstance(d, pd.PeriodDtype)), None)
    if period is not None:  # Arrow would make bare numbers of them
        raise pa.ArrowTypeError(f"{period} is none; convert it with .dt.to_timestamp()")
    plain = {
        position: frame.iloc[:, position].astype(frame.dtypes.iloc[position].categories.dtype)
        for position in range(frame.shape[1])
        if isinstance(frame.dtypes.iloc[position], pd.CategoricalDtype)
    }
    columns = [plain.get(i, frame.iloc[:, i]) for i in range(frame.shape[1])]
    names = ["_".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in frame.columns]
    return pd.concat(columns, axis=1, keys=names) if columns else frame


def typed_frame(table: pa.Table, types: Sequence[str], *, tz: str | None) -> pd.DataFrame:
    """Return a result as a frame in which every column has the dtype that the library uses.

    Parameters
    ----------
    table
        The result.
    types
        DuckDB's name of each column's type.
    tz
        IANA zone of instants; UTC if None.

    Returns
    -------
    pandas.DataFrame
        Columns of one name are told apart by ``_1``, ``_2`` …

    Raises
    ------
    InvalidInputError
        If a column has a type that no frame holds.
    """
    names = _distinct(table.column_names)
    columns = {
        name: _typed(name, column, kind)
        for name, column, kind in zip(names, table.columns, types, strict=True)
    }
    frame = pd.DataFrame(columns, columns=names)
    if tz is not None:
        for name in names:
            if isinstance(frame[name].dtype, pd.DatetimeTZDtype):
                frame[name] = frame[name].dt.tz_convert(tz)
    return frame


def _distinct(names: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        number, distinct = 0, name
        while distinct in taken or (number and distinct in names):
            number += 1
            distinct = f"{name}_{number}"
        taken.append(distinct)
    return taken


def _typed(name: str, column: pa.ChunkedArray, kind: str) -> Any:
    import pyarrow as pa
    import pyarrow.types as is_

    arrow = column.type
    if is_.is_timestamp(arrow):
        return _instants(name, column)
    if is_.is_date(arrow):
        return pd.DatetimeIndex(column.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]"))
    if is_.is_dictionary(arrow) or is_.is_string(arrow) or is_.is_large_string(arrow):
        return pd.array(column.cast(pa.string()), dtype="str")
    if is_.is_time(arrow):
        return pd.array([None if t is None else t.isoformat() for t in column.to_pylist()], "str")
    if is_.is_interval(arrow):
        return _lengths(name, column)
    if is_.is_boolean(arrow):
        return column.to_pandas() if not column.null_count else pd.array(column, dtype="boolean")
    if is_.is_integer(arrow) or kind.upper() in ("HUGEINT", "UHUGEINT"):
        return _whole(column)
    if is_.is_floating(arrow) or is_.is_decimal(arrow) or is_.is_null(arrow):
        return column.cast(pa.float64()).to_numpy()
    return _nested(name, column, kind)


def _instants(name: str, column: pa.ChunkedArray) -> Any:
    """Return instants in UTC, or times without a zone, to the microsecond."""
    import pyarrow as pa

    zone = column.type.tz
    naive = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.timestamp("us"))
    stamps = naive.to_numpy().astype("datetime64[us]")
    if (np.abs(stamps[~np.isnat(stamps)].astype(np.int64)) >= _INFINITE).any():
        raise InvalidInputError(f"query: column {name!r} holds 'infinity', which is no instant.")
    index = pd.DatetimeIndex(stamps)
    return index if zone is None else index.tz_localize("UTC")


def _whole(column: pa.ChunkedArray) -> Any:
    """Return whole numbers: int64, Int64 where some are missing, float64 where they do not fit."""
    import pyarrow as pa

    try:
        fitting = column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.float64(), safe=False).to_numpy()
    if not fitting.null_count:
        return fitting.to_numpy()
    mask = fitting.is_null().to_numpy()
    return pd.arrays.IntegerArray(np.array(fitting.fill_null(0).to_numpy()), np.array(mask))


def _lengths(name: str, column: pa.ChunkedArray) -> Any:
    """Return intervals of days and less as timedelta64[us]."""
    found = column.to_pylist()
    if any(value is not None and value.months for value in found):
        raise InvalidInputError(
            f"query: column {name!r} holds intervals of months, which have no fixed length; cast it to "
            f"VARCHAR."
        )
    lengths = [
        "NaT" if value is None else value.days * 86_400_000_000 + value.nanoseconds // 1000
        for value in found
    ]
    return pd.TimedeltaIndex(np.array(lengths, dtype="timedelta64[us]"))


def _nested(name: str, column: pa.ChunkedArray, kind: str) -> Any:
    """Return lists, structs, maps and bytes as Arrow columns."""
    import pyarrow as pa

    if pa.types.is_union(column.type) or isinstance(column.type, pa.BaseExtensionType):
        raise InvalidInputError(
            f"query: column {name!r} is of type {kind}, which no frame holds; cast it to VARCHAR."
        )
    return pd.Series(pd.arrays.ArrowExtensionArray(column))
