"""Rows of the database as columns: no object a row, times read in bulk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Float,
    Integer,
    Select,
    String,
    Time,
    case,
    cast,
    func,
    literal_column,
    or_,
    type_coerce,
)
from sqlalchemy.orm import Session

from mismartera_analytics.errors import StorageError
from mismartera_analytics.models import failures
from mismartera_analytics.models.bulk_reading import read_in_bulk
from mismartera_analytics.models.database import is_own_reader
from mismartera_analytics.models.types import UTCDateTime

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["read_frame", "read_table"]

CHUNK = 5_000  # rows fetched at a time
_UNREADABLE = -(2**63)
"""Stands for PostgreSQL's times outside the years 1 to 9999, infinite ones among them."""
_FIRST: ColumnElement[Any] = literal_column("TIMESTAMPTZ '0001-01-01 00:00+00'")
_END: ColumnElement[Any] = literal_column("TIMESTAMPTZ '10000-01-01 00:00+00'")


def read_frame(
    db_session: Session, columns: Mapping[str, Any], statement: Select[Any], *, key: Any = None
) -> pd.DataFrame:
    """Return the rows of a statement as a frame.

    Parameters
    ----------
    db_session
        Where to read.
    columns
        Name in the frame and column expression of each column.
    statement
        A select that says where the rows come from, which and in what order; the columns that it
        names itself are replaced.
    key
        Their primary key, if the order of the rows does not matter; large tables are then read in
        bulk, on connections of their own.

    Returns
    -------
    pandas.DataFrame
        Integers as ``Int64``, numbers ``float64`` (null is NaN), text ``str``, instants
        ``datetime64[us, UTC]``, dates ``datetime64[us]``.

    Raises
    ------
    DatabaseNotReadyError
        If a table or column is missing.
    StorageError
        If the database is damaged, or a value is of another kind than its column.
    """
    import pandas as pd

    kinds = [column.type for column in columns.values()]
    tables = None
    if key is not None and is_own_reader(db_session):
        dialect = db_session.get_bind().dialect.name
        plain = [_plain(column, dialect).label(name) for name, column in columns.items()]
        tables = read_in_bulk(db_session, statement.with_only_columns(*plain), key)
    if tables is not None:
        parts = [
            [part for table in tables for part in _retyped(table.column(at), column)]
            for at, column in enumerate(columns.values())
        ]
    else:
        parts = _read(db_session, columns, statement, _typed)
    joined = {
        name: _joined(part, kind) for name, part, kind in zip(columns, parts, kinds, strict=True)
    }
    return pd.DataFrame(joined, copy=False)  # the arrays are nobody else's


def read_table(db_session: Session, columns: Mapping[str, Any], statement: Select[Any]) -> pa.Table:
    """Return the rows of a statement as an Arrow table.

    Parameters
    ----------
    db_session, columns, statement
        As in `read_frame`; truths and times of day are read as well.

    Returns
    -------
    pyarrow.Table
        int64, float64, string, bool, timestamp[us, UTC], date32, time64[us]; missing is null.

    Raises
    ------
    DatabaseNotReadyError
        If a table or column is missing.
    StorageError
        As in `read_frame`.
    """
    import pyarrow as pa

    kinds = [_arrow_type(column.type) for column in columns.values()]
    parts = _read(db_session, columns, statement, _arrow)
    return pa.table(
        {
            name: pa.chunked_array(part, type=kind)
            for name, part, kind in zip(columns, parts, kinds, strict=True)
        }
    )


def _read(
    db_session: Session,
    columns: Mapping[str, Any],
    statement: Select[Any],
    convert: Callable[[tuple[Any, ...], Any, str], Any],  # values, column, dialect
) -> list[list[Any]]:
    """Return the parts of each column, converted chunk by chunk."""
    dialect = db_session.get_bind().dialect.name
    selected = [
        _plain(column, dialect).label(name) for name, column in columns.items()
    ]  # labels keep names apart
    result = db_session.connection().execute(statement.with_only_columns(*selected))
    parts: list[list[Any]] = [[] for _ in columns]
    cursor: Any = (
        result.cursor
    )  # the driver's own: its tuples come six times as fast as Row objects
    while rows := _fetched(cursor, db_session):
        for part, values, (name, column) in zip(
            parts, zip(*rows, strict=True), columns.items(), strict=True
        ):
            try:
                part.append(convert(values, column, dialect))
            except (TypeError, ValueError):  # of numpy and pyarrow, for what SQLite keeps anywhere
                raise StorageError(_misplaced(name, values, column.type)) from None
    return parts


def _fetched(cursor: Any, db_session: Session) -> list[tuple[Any, ...]]:
    """Return the next rows; what SQLAlchemy would have translated is translated here."""
    engine = db_session.get_bind().engine
    driver: Any = engine.dialect.loaded_dbapi
    try:
        rows: list[tuple[Any, ...]] = cursor.fetchmany(CHUNK)
    except driver.Error as failure:
        translated = failures.bulk_failure(failure, engine)
        if translated is None:
            raise
        raise translated from failure
    return rows


def _misplaced(name: str, values: tuple[Any, ...], kind: Any) -> str:
    """Return the sentence on a value that is of another kind than its column."""
    right = (int, float) if isinstance(kind, Integer | Float) else str
    odd = next((one for one in values if one is not None and not isinstance(one, right)), None)
    what = "a value" if odd is None else repr(odd)
    return (
        f"the database holds {what} as {name}, which is none; 'mismartera doctor' names the rows."
    )


def _plain(column: Any, dialect: str) -> Any:
    """Return an expression whose values need no work one by one."""
    if isinstance(column.type, UTCDateTime):
        if dialect == "sqlite":
            return type_coerce(column, String)
        is_unreadable = or_(column < _FIRST, column >= _END)
        read = cast(func.extract("epoch", column) * 1_000_000, BigInteger)
        return case((is_unreadable, literal_column(f"CAST({_UNREADABLE} AS BIGINT)")), else_=read)
    if isinstance(column.type, Date | Time) and dialect == "sqlite":
        return type_coerce(column, String)
    return column


def _typed(values: tuple[Any, ...], column: Any, dialect: str) -> Any:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, UTCDateTime):
        if dialect == "sqlite":
            return _instants(values)
        return _moments(pa.array(values, pa.int64()), column)
    if isinstance(kind, Date):
        dates = pa.array(values).cast(pa.date32()) if any(values) else pa.nulls(len(values))
        return dates.cast(pa.timestamp("us"))
    if isinstance(kind, Integer):
        return pa.array(values, pa.int64())
    if isinstance(kind, Float):
        return np.array(values, np.float64)
    return pa.array(values, pa.string())


def _moments(epochs: Any, column: Any) -> Any:
    """Return microseconds since 1970 as instants."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.any(pc.equal(epochs, _UNREADABLE)).as_py():
        table, name = getattr(column, "table", None), getattr(column, "name", None)
        where = ".".join(filter(None, (getattr(table, "name", None), name or "a column")))
        raise StorageError(
            f"the database holds a time outside the years 1 to 9999 as {where}; correct or delete the "
            f"row, which 'mismartera backup' and 'mismartera db copy' name."
        )
    return epochs.cast(pa.timestamp("us", "UTC"))


def _retyped(read: pa.ChunkedArray, column: Any) -> list[Any]:
    """Return what `bulk_reading` gave in the types that `_typed` gives."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, Float):
        return [np.asarray(read.cast(pa.float64()).to_numpy(), np.float64)]
    if isinstance(kind, UTCDateTime) and pa.types.is_string(read.type):
        return [_instants(chunk) for chunk in read.chunks]
    if isinstance(kind, UTCDateTime):
        typed = _moments(read.cast(pa.int64()), column)
    elif isinstance(kind, Date):
        dates = read if pa.types.is_date(read.type) else read.cast(pa.string())
        typed = dates.cast(pa.date32()).cast(pa.timestamp("us"))
    else:
        typed = read.cast(pa.int64() if isinstance(kind, Integer) else pa.string())
    return list(typed.chunks)


def _arrow_type(kind: Any) -> Any:
    import pyarrow as pa

    types: list[tuple[type, Any]] = [
        (UTCDateTime, pa.timestamp("us", "UTC")),
        (Date, pa.date32()),
        (Time, pa.time64("us")),
        (Boolean, pa.bool_()),
        (Integer, pa.int64()),
        (Float, pa.float64()),
    ]
    return next((arrow for one, arrow in types if isinstance(kind, one)), pa.string())


def _arrow(values: tuple[Any, ...], column: Any, dialect: str) -> Any:
    """Return values as an Arrow array in which missing ones are null, never NaN."""
    import pyarrow as pa

    kind = column.type
    arrow = _arrow_type(kind)
    given: Any = values
    if isinstance(kind, UTCDateTime | Date):
        return _typed(values, column, dialect).cast(arrow)
    if isinstance(kind, Boolean):
        given = [None if value is None else bool(value) for value in values]
    elif isinstance(kind, Time):
        given = [dt.time.fromisoformat(v) if isinstance(v, str) else v for v in values]
    elif arrow == pa.string():
        given = [None if value is None else str(value) for value in values]
    return pa.array(given, arrow)


def _instants(texts: tuple[Any, ...] | pa.Array) -> Any:
    """Read SQLite's texts, which are UTC, in bulk; pyarrow reads what SQLAlchemy and SQLite write."""
    import pyarrow as pa

    try:
        return pa.array(texts, pa.string()).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        import pandas as pd

        given = pd.Series(texts, dtype="str")
        read = pd.to_datetime(given, format="ISO8601", utc=True, errors="coerce")
        wrong = given[read.isna() & given.notna()]
        if len(wrong):
            raise StorageError(
                f"the database holds {wrong.iloc[0]!r} where a time belongs, such as "
                f"'2025-07-02 13:30:00.000000'; 'mismartera doctor' names the rows."
            ) from None
        return pa.array(read.astype("datetime64[us, UTC]"))


def _joined(parts: list[Any], kind: Any) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if isinstance(kind, Float):
        return np.concatenate(parts) if parts else np.zeros(0)
    dtypes: list[tuple[type, str, Any]] = [
        (UTCDateTime, "datetime64[us, UTC]", pa.timestamp("us", "UTC")),
        (Date, "datetime64[us]", pa.timestamp("us")),
        (Integer, "Int64", pa.int64()),
        (String, "str", pa.string()),
    ]
    dtype, arrow = next((d, a) for k, d, a in dtypes if isinstance(kind, k))
    chunked = pa.chunked_array(parts, type=arrow)
    if dtype == "Int64":
        mask = chunked.is_null().to_numpy()
        values = chunked.fill_null(0).to_numpy()
        return pd.arrays.IntegerArray(np.array(values, np.int64), np.array(mask, np.bool_))
    if dtype == "str":
        return pd.array(chunked, dtype="str")
    naive = chunked.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")
    index = pd.DatetimeIndex(naive)
    return index.tz_localize("UTC") if dtype.endswith("UTC]") else index
