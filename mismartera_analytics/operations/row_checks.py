"""What a database does not take of another's rows, found before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    and_,
    extract,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.engine import Connection

from mismartera_analytics.errors import RowsNotTakenError
from mismartera_analytics.operations.column_forms import Converted, Kind
from mismartera_analytics.operations.database_roles import WRITES
from mismartera_analytics.operations.table_rows import Piece, TableRows

__all__ = ["Misfits", "check_piece", "check_references_and_keys", "check_times"]

SHOWN_ROWS = 5
SHOWN_FAULTS = 12
_BITS = {SmallInteger: 16, BigInteger: 64, Integer: 32}
_WORDS: dict[Kind, str] = {
    "integer": "is no whole number",
    "float": "is no number",
    "text": "is no text",
    "truth": "is neither true nor false",
    "instant": "is no time",
    "date": "is no date",
    "time": "is no time of day",
}


@dataclass
class Misfits:
    """Rows that a database does not take, by table, column and reason."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, where: str, reason: str, ids: Sequence[str], *, count: int | None = None) -> None:
        """Note rows, by their primary keys."""
        fault = (where, reason)
        self.counts[fault] += len(ids) if count is None else count
        known = self.rows.setdefault(fault, [])
        known.extend(ids[: SHOWN_ROWS - len(known)])

    def refuse(self, source: str, target: str) -> None:
        """Raise what was found, if anything was.

        Raises
        ------
        RowsNotTakenError
            Naming table, column, reason and rows.
        """
        if not self.counts:
            return
        told = [self._told(fault) for fault in list(self.counts)[:SHOWN_FAULTS]]
        more = len(self.counts) - len(told)
        said = "; ".join(told) + (f"; and {more} kinds of faults more" if more else "")
        raise RowsNotTakenError(
            f"{target} does not take all that {source} holds: {said}. Mend these rows first; "
            f"nothing was written.",
            misfits={
                f"{where} {reason}": (count, tuple(self.rows[where, reason]))
                for (where, reason), count in self.counts.items()
            },
        )

    def _told(self, fault: tuple[str, str]) -> str:
        where, reason = fault
        shown, count = self.rows[fault], self.counts[fault]
        more = f" and {count - len(shown)} more" if count > len(shown) else ""
        return f"{where} {reason} (id {', '.join(shown)}{more})"


def check_piece(table: TableRows, piece: Piece, target: str, misfits: Misfits) -> None:
    """Note the values of some rows that a kind of database does not take.

    Parameters
    ----------
    table, piece
        The rows.
    target
        ``"sqlite"`` or ``"postgresql"``.
    misfits
        Takes them.
    """
    for column in table.columns:
        found = piece.columns[column.name]
        kind = table.kinds[column.name]
        is_checked = target == "postgresql" and kind == "float" and table.name in WRITES
        unfit = [*_unfit(column, kind, found, target), *(_infinite(found) if is_checked else ())]
        for at, reason in unfit:
            misfits.add(
                f"{table.name}.{column.name}", reason, _ids(table, piece, at), count=len(at)
            )


def _unfit(
    column: Column[Any], kind: Kind, found: Converted, target: str
) -> Iterator[tuple[Sequence[int], str]]:
    if found.odd:
        yield found.odd, _WORDS[kind]
    if found.array.null_count > len(found.odd) and not column.nullable:
        missing = np.flatnonzero(found.array.is_null().to_numpy(zero_copy_only=False))
        yield np.setdiff1d(missing, found.odd).tolist(), "is missing"
    if target == "postgresql" and kind == "integer":
        yield from _too_large(column, found)
    elif target == "postgresql" and kind == "text":
        yield from _unfit_text(column, found)
    elif target == "sqlite" and kind == "float":
        numbers = found.array.to_numpy(zero_copy_only=False)
        known = found.array.is_valid().to_numpy(zero_copy_only=False)
        unknown = np.flatnonzero(np.isnan(numbers) & known).tolist()
        if unknown:
            yield unknown, "is NaN, which SQLite turns into a missing value"


def _infinite(found: Converted) -> Iterator[tuple[Sequence[int], str]]:
    """Yield what the checks of revision 0010 refuse, which are on the tables that analysts write."""
    numbers = found.array.to_numpy(zero_copy_only=False)
    known = found.array.is_valid().to_numpy(zero_copy_only=False)
    odd = np.flatnonzero(~np.isfinite(numbers) & known).tolist()
    if odd:
        yield odd, "is NaN or infinite"


def _too_large(column: Column[Any], found: Converted) -> Iterator[tuple[Sequence[int], str]]:
    import pyarrow.compute as pc

    bits = next((bits for one, bits in _BITS.items() if isinstance(column.type, one)), 64)
    numbers = pc.fill_null(found.array, 0).to_numpy(zero_copy_only=False)
    above = np.flatnonzero((numbers >> (bits - 1) != 0) & (numbers >> (bits - 1) != -1)).tolist()
    if above:
        yield above, f"does not fit into {bits} bits"


def _unfit_text(column: Column[Any], found: Converted) -> Iterator[tuple[Sequence[int], str]]:
    import pyarrow.compute as pc

    longest = getattr(column.type, "length", None)
    if longest is not None:
        lengths = pc.fill_null(pc.utf8_length(found.array), 0).to_numpy(zero_copy_only=False)
        above = np.flatnonzero(lengths > longest).tolist()
        if above:
            yield above, f"is longer than {longest} characters"
    content = found.array.buffers()[2]
    if content is not None and b"\0" in memoryview(content).tobytes():
        texts = found.array.to_pylist()
        holding = [at for at, one in enumerate(texts) if one is not None and "\0" in one]
        if holding:
            yield holding, "holds a NUL character"


def _ids(table: TableRows, piece: Piece, at: Sequence[int]) -> list[str]:
    keys = [piece.columns[key.name].given for key in table.table.primary_key.columns]
    return ["/".join(str(key[one]) for key in keys) for one in at[:SHOWN_ROWS]]


def check_times(connection: Connection, table: TableRows, misfits: Misfits) -> None:
    """Note PostgreSQL's times that nobody else reads: infinite, or outside the years 1 to 9999."""
    for column in table.columns:
        if table.kinds[column.name] not in ("instant", "date"):
            continue
        year = extract("year", column)
        unreadable = or_(not_(func.isfinite(column)), not_(year.between(1, 9999)))
        _note(
            connection, table, column.name, unreadable, "lies outside the years 1 to 9999", misfits
        )


def check_references_and_keys(
    connection: Connection, tables: Sequence[TableRows], misfits: Misfits
) -> None:
    """Note references that lead nowhere, and keys that are there twice."""
    present = {one.name for one in tables}
    for table in tables:
        _check_references(connection, table, present, misfits)
        for columns in _unique_keys(table):
            _check_unique(connection, table, columns, misfits)


def _check_references(
    connection: Connection, table: TableRows, present: set[str], misfits: Misfits
) -> None:
    for constraint in table.table.foreign_key_constraints:
        parent = constraint.referred_table.alias("referred")
        if constraint.referred_table.name not in present:
            continue
        pairs = [(one.parent, parent.c[one.column.name]) for one in constraint.elements]
        is_found = and_(*(theirs == ours for ours, theirs in pairs))
        dangling = and_(
            *(ours.is_not(None) for ours, _ in pairs), not_(select(1).where(is_found).exists())
        )
        names = "/".join(ours.name for ours, _ in pairs)
        reason = f"refers to a row of {constraint.referred_table.name!r} that is not there"
        _note(connection, table, names, dangling, reason, misfits)


def _unique_keys(table: TableRows) -> list[tuple[Column[Any], ...]]:
    constraints = [
        tuple(one.columns) for one in table.table.constraints if isinstance(one, UniqueConstraint)
    ]
    indexes = [
        tuple(one.columns)
        for one in table.table.indexes
        if isinstance(one, Index) and one.unique and all(isinstance(c, Column) for c in one.columns)
    ]
    return list(dict.fromkeys([*constraints, *indexes]))


def _check_unique(
    connection: Connection,
    table: TableRows,
    columns: tuple[Column[Any], ...],
    misfits: Misfits,
) -> None:
    known = and_(*(column.is_not(None) for column in columns))
    twice = select(*columns).where(known).group_by(*columns).having(func.count() > 1)
    if connection.execute(twice.limit(1)).first() is None:
        return
    same = twice.subquery()
    match = and_(*(same.c[column.name] == column for column in columns))
    names = "/".join(column.name for column in columns)
    repeated = and_(known, select(1).where(match).exists())
    _note(connection, table, names, repeated, "is there more than once", misfits)


def _note(
    connection: Connection,
    table: TableRows,
    column: str,
    condition: Any,
    reason: str,
    misfits: Misfits,
) -> None:
    """Note the rows for which a condition holds."""
    rows = select(func.count()).select_from(table.table).where(condition)
    count = connection.execute(rows).scalar_one()
    if not count:
        return
    keys = list(table.table.primary_key.columns)
    first = select(*keys).where(condition).order_by(*keys).limit(SHOWN_ROWS)
    ids = ["/".join(map(str, row)) for row in connection.execute(first)]
    misfits.add(f"{table.name}.{column}", reason, ids, count=count)
