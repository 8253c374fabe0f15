"""Rows of the tables of hours and holidays, and which of them cannot be read."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Date, Select, String, Time, type_coerce
from sqlalchemy.orm import Session

from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["rows_of"]


def rows_of(db_session: Session, query: Select[Any]) -> list[Any]:
    """Return the rows of a query for columns of one table.

    Raises
    ------
    InvalidInputError
        If a time or date is text that none can be read from, as SQLite keeps it: the row is named.
    """
    try:
        return list(db_session.execute(query).all())
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        told = _unreadable(db_session, query)
        if told is None:
            raise
        raise InvalidInputError(told) from None


def _unreadable(db_session: Session, query: Select[Any]) -> str | None:
    columns: list[Any] = list(query.selected_columns)
    plain = query.with_only_columns(
        *(
            type_coerce(c, String).label(c.name) if isinstance(c.type, (Date, Time)) else c
            for c in columns
        )
    )
    for row in db_session.execute(plain):
        for column, value in zip(columns, row, strict=True):
            if isinstance(column.type, (Date, Time)) and not _is_readable(value, column.type):
                where = ", ".join(str(known) for known in row[:2])
                like = "'2025-07-02'" if isinstance(column.type, Date) else "'09:30:00'"
                return (
                    f"{column.table.name} of {where}: {column.name}={as_given(value)} cannot be "
                    f"read; write it "
                    f"as {like}."
                )
    return None


def _is_readable(value: Any, kind: Any) -> bool:
    if value is None:
        return True
    reader: Any = dt.date.fromisoformat if isinstance(kind, Date) else dt.time.fromisoformat
    try:
        reader(value)
    except (TypeError, ValueError):
        return False
    return True
