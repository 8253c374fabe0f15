"""Values of a column in one form, whichever database keeps them: Arrow arrays of a few kinds.

SQLite stores an instant as text and a truth as a number, and lets any value stand in any column;
PostgreSQL has types. What is read from either becomes the same array here, or is told to be odd.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Float,
    Integer,
    String,
    Time,
    cast,
    func,
    type_coerce,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy.types import TypeDecorator

from mismartera_analytics.models.types import SecretText, UTCDateTime

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Converted", "Kind", "converted", "expression_of", "kind_of", "values_for"]

Kind = Literal["integer", "float", "text", "truth", "instant", "date", "time", "other"]

_KINDS: tuple[tuple[type, Kind], ...] = (
    (UTCDateTime, "instant"),
    (SecretText, "text"),
    (TypeDecorator, "other"),
    (EnumType, "other"),
    (Boolean, "truth"),
    (Integer, "integer"),
    (Float, "float"),
    (Date, "date"),
    (Time, "time"),
    (String, "text"),
)
_STORED_BY_SQLITE: dict[Kind, frozenset[type]] = {
    "integer": frozenset({int, type(None)}),
    "truth": frozenset({int, type(None)}),
    "float": frozenset({float, int, type(None)}),
    **dict.fromkeys(("text", "instant", "date", "time"), frozenset({str, type(None)})),
}


@dataclass(frozen=True)
class Converted:
    """A piece of a column.

    Attributes
    ----------
    array
        Its values; null where one is missing or odd.
    odd
        Positions of values that are none of the column's kind, which only SQLite can hold.
    given
        The values as they were read.
    """

    array: pa.Array
    odd: tuple[int, ...]
    given: Sequence[Any]


def kind_of(column_type: Any) -> Kind:
    """Return in which form the values of a column's type are compared and copied.

    Examples
    --------
    >>> kind_of(Integer()), kind_of(UTCDateTime())
    ('integer', 'instant')
    """
    if isinstance(column_type, Float) and column_type.asdecimal:
        return "other"
    return next((kind for one, kind in _KINDS if isinstance(column_type, one)), "other")


def expression_of(column: Any, dialect: str) -> Any:
    """Return what to select so that the driver hands over a column's values as they are stored."""
    kind = kind_of(column.type)
    if kind == "instant" and dialect != "sqlite":
        return cast(func.extract("epoch", column) * 1_000_000, BigInteger)
    if dialect == "sqlite" and kind in ("instant", "date", "time", "text"):
        return type_coerce(column, String)
    if dialect == "sqlite" and kind in ("truth", "integer"):
        return type_coerce(column, Integer)
    return column


def converted(values: Sequence[Any], kind: Kind, dialect: str) -> Converted:
    """Return values of a column, as `expression_of` selects them, in their one form.

    Parameters
    ----------
    values
        As the driver gave them.
    kind
        Of the column.
    dialect
        ``"sqlite"`` or ``"postgresql"``.

    Returns
    -------
    Converted

    Examples
    --------
    >>> found = converted([1.5, "many", None], "float", "sqlite")
    >>> found.array.to_pylist(), found.odd
    ([1.5, None, None], (1,))
    """
    import pyarrow as pa

    if dialect != "sqlite" or kind == "other":
        return Converted(_array(values, kind, dialect), (), values)
    if set(map(type, values)) <= _STORED_BY_SQLITE[kind]:
        try:
            return Converted(_array(values, kind, dialect), (), values)
        except (pa.ArrowException, ValueError, OverflowError):
            pass  # one of them: look at each
    odd = tuple(at for at, value in enumerate(values) if not _is_usual(value, kind))
    usual = list(values)
    for at in odd:
        usual[at] = None
    return Converted(_array(usual, kind, dialect), odd, values)


def _is_usual(value: Any, kind: Kind) -> bool:
    import pyarrow as pa

    if type(value) not in _STORED_BY_SQLITE[kind]:
        return False
    try:
        _array([value], kind, "sqlite")
    except (pa.ArrowException, ValueError, OverflowError):
        return False
    return True


def _array(values: Sequence[Any], kind: Kind, dialect: str) -> pa.Array:
    import pyarrow as pa

    is_text = dialect == "sqlite"
    if kind == "integer":
        return pa.array(values, pa.int64())
    if kind == "float":
        return pa.array(values, pa.float64())
    if kind == "text":
        return pa.array(values, pa.string())
    if kind == "truth":
        if not {None, 0, 1}.issuperset(values):
            raise ValueError("a truth is 0 or 1")
        return pa.array([None if one is None else bool(one) for one in values], pa.bool_())
    if kind == "instant":
        if is_text:
            return pa.array(values, pa.string()).cast(pa.timestamp("us"))
        return pa.array(values, pa.int64()).cast(pa.timestamp("us"))
    if kind == "date":
        return pa.array(values, pa.string() if is_text else pa.date32()).cast(pa.date32())
    if kind == "time":
        given = [dt.time.fromisoformat(one) if isinstance(one, str) else one for one in values]
        return pa.array(given, pa.time64("us"))
    return pa.array([None if one is None else _written(one) for one in values], pa.string())


def _written(value: Any) -> str:
    """Return a value of a type that we do not know as text, the same for both databases."""
    if isinstance(value, decimal.Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=str)
    return str(value)


def values_for(piece: Converted, kind: Kind, dialect: str) -> list[Any]:
    """Return a piece of a column as the driver of `dialect` takes it where nothing converts it.

    Examples
    --------
    >>> piece = converted(["2025-07-02 13:30:00"], "instant", "sqlite")
    >>> values_for(piece, "instant", "postgresql")
    ['2025-07-02 13:30:00.000000']
    """
    import pyarrow as pa

    if kind in ("instant", "date", "time"):
        texts: list[Any] = piece.array.cast(pa.string()).to_pylist()
        return texts
    if kind == "truth" and dialect == "sqlite":
        numbers: list[Any] = piece.array.cast(pa.int8()).to_pylist()
        return numbers
    values: list[Any] = piece.array.to_pylist()
    return values
