"""Column types and shared annotations of the mappings."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from sqlalchemy import Column, DateTime, Dialect, Integer, String
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.orm import mapped_column
from sqlalchemy.sql.base import SchemaEventTarget
from sqlalchemy.types import TypeDecorator

from mismartera_analytics import clock
from mismartera_analytics.config import HiddenText
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError

__all__ = [
    "Instant",
    "NaiveColumnError",
    "PrimaryKey",
    "SecretText",
    "UTCDateTime",
    "UnreadableColumnError",
]


class NaiveColumnError(NaiveDatetimeError, DontWrapMixin):
    """A naive datetime was about to be written to, or compared with, a column of instants."""


class UnreadableColumnError(InvalidInputError, DontWrapMixin):
    """A value that is not a datetime was given for a column of instants."""


class UTCDateTime(TypeDecorator[dt.datetime]):
    """An instant: stored as UTC, returned aware in UTC, a naive value refused.

    SQLite keeps no time zone, so the value is converted to UTC before it is written there and marked
    as UTC when it is read. PostgreSQL keeps ``timestamptz``.
    """

    impl = DateTime(timezone=True)
    cache_ok = True
    _column: Column[Any] | None = None

    def _set_parent(self, parent: SchemaEventTarget, outer: bool = False, **kw: Any) -> None:  # noqa: FBT001, FBT002
        if isinstance(parent, Column):
            self._column = parent
        super()._set_parent(parent, outer=outer, **kw)

    def process_bind_param(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        """Convert to UTC on the way in."""
        if value is None:
            return None
        name = self._column_name()
        try:
            moment = clock.parse_instant(value, argument=name)
        except NaiveDatetimeError as error:
            raise NaiveColumnError(str(error)) from None
        except InvalidInputError as error:
            raise UnreadableColumnError(str(error)) from None
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self, value: dt.datetime | None, dialect: Dialect
    ) -> dt.datetime | None:
        """Return what was stored as an aware UTC datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=clock.UTC)
        return value.astimezone(clock.UTC)

    def _column_name(self) -> str:
        if self._column is None:
            return "datetime"
        table = getattr(self._column, "table", None)
        return f"{table.name}.{self._column.name}" if table is not None else str(self._column.name)


class SecretText(TypeDecorator[str]):
    """Text that neither an error message nor a log of statements shows among their parameters."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Hand the driver text whose representation is hidden."""
        return None if value is None else HiddenText(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Hide what was read as well."""
        return None if value is None else HiddenText(value)


PrimaryKey = Annotated[int, mapped_column(Integer, primary_key=True)]
Instant = Annotated[dt.datetime, mapped_column(UTCDateTime())]
