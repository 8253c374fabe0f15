"""Bring the tables to the rules that come with the package, and keep what users wrote."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from mismartera_analytics.calendars import package_data, stamps
from mismartera_analytics.calendars.stamps import Origin
from mismartera_analytics.models.database import read_session, session_scope
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.trading_calendar import (
    MarketHours,
    MarketHoursPeriod,
    TradingHoliday,
)
from mismartera_analytics.models.turns import take_turn

__all__ = ["KeptRow", "SyncReport", "list_calendars", "sync_calendars"]

Row = tuple[Any, ...]


@dataclass(frozen=True)
class KeptRow:
    """A row that a sync left as it is, because a user edited or added it."""

    table: str
    key: tuple[Any, ...]
    origin: Origin

    def __str__(self) -> str:
        return f"{self.table} {' '.join(str(part) for part in self.key)}: {self.origin}"


@dataclass
class SyncReport:
    """What a sync did.

    Attributes
    ----------
    version
        Of the packaged rules.
    inserted, updated, deleted
        Numbers of rows.
    kept
        Rows that users edited or added.
    """

    version: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    kept: list[KeptRow] = field(default_factory=list)


@repeated
def sync_calendars(
    names: Iterable[str] | None = None, *, db_session: Session | None = None
) -> SyncReport:
    """Bring the tables to the installed package's rules.

    Rows that the package wrote and nobody changed are updated, or deleted when the package has
    withdrawn them; missing ones are inserted; whatever a user edited or added stays and is listed.

    Parameters
    ----------
    names
        Groups, exchanges, codes or aliases; all packaged calendars by default.
    db_session
        Where to write; by default a transaction of its own in the configured database.

    Returns
    -------
    SyncReport

    Raises
    ------
    UnknownNameError
        If a name has no packaged rules.
    DatabaseNotReadyError
        If the database has no tables yet.

    Examples
    --------
    >>> ma.init_db()
    >>> report = sync_calendars(["NYSE"])
    >>> report.inserted, report.updated, report.deleted
    (0, 0, 0)
    """
    if db_session is None:
        with session_scope() as own_session:
            return sync_calendars(names, db_session=own_session)
    take_turn(db_session)
    groups = None if names is None else package_data.groups_named(names)
    rules = package_data.packaged_rules(groups)
    version = package_data.packaged_version()
    report = SyncReport(version)
    for model, columns, rows, stamp in (
        (MarketHours, stamps.HOURS, rules.hours, version),
        (MarketHoursPeriod, stamps.PERIODS, rules.periods, None),
        (TradingHoliday, stamps.DAYS, rules.days, None),
    ):
        table: Any = model.__table__

        def stamped(row: Row, stamp: str | None = stamp) -> str:
            return stamps.stamped(row, version=stamp)

        _Sync(table, columns, stamped, groups, report, db_session).run(rows)
    return report


@dataclass
class _Sync:
    """One table's share of a sync."""

    table: Table
    columns: tuple[str, ...]
    stamped: Callable[[Row], str]
    groups: set[str] | None
    report: SyncReport
    db_session: Session

    def run(self, wanted: Mapping[Any, Row]) -> None:
        present = self._present()
        new, changed, gone = [], [], []
        for key, row in wanted.items():
            found = present.pop(key, None)
            if found is None:
                new.append(dict(zip(self.columns, row, strict=True), source=self.stamped(row)))
                continue
            number, values, source = found
            if values == row and stamps.is_packaged(source):
                if source != (mark := self.stamped(row)):
                    changed.append({"row_id": number, "source": mark})
            elif self._is_untouched(source, values):
                values_by_name = dict(zip(self.columns, row, strict=True))
                changed.append({"row_id": number, "source": self.stamped(row), **values_by_name})
            else:
                self._keep(key, source)
        for key, (number, values, source) in present.items():
            if self._is_untouched(source, values):
                gone.append({"row_id": number})
            else:
                self._keep(key, source)
        self._write(new, changed, gone)

    def _is_untouched(self, source: str | None, values: Row) -> bool:
        """Whether the package wrote the row and its stamp still fits; an unstamped one might not."""
        return "#" in (source or "") and stamps.origin_of(source, values) == "packaged"

    def _keep(self, key: tuple[Any, ...], source: str | None) -> None:
        origin: Origin = "edited" if stamps.is_packaged(source) else "own"
        self.report.kept.append(KeptRow(self.table.name, key, origin))

    def _present(self) -> dict[Any, tuple[int, Row, str | None]]:
        """Return the rows of the table by key: id, values, source."""
        chosen = [self.table.c[name] for name in self.columns]
        query = select(self.table.c.id, *chosen, self.table.c.source)
        if self.groups is not None:
            query = query.where(chosen[0].in_(sorted(package_data.names_of(self.groups))))
        keys = [self.columns.index(name) for name in _KEYS[self.table.name]]
        found = {}
        for number, *values, source in self.db_session.execute(query):
            found[tuple(values[i] for i in keys)] = number, tuple(values), source
        return found

    def _write(
        self, new: list[dict[str, Any]], changed: list[dict[str, Any]], gone: list[dict[str, Any]]
    ) -> None:
        connection = self.db_session.connection()
        by_id = self.table.c.id == bindparam("row_id")
        if gone:
            connection.execute(delete(self.table).where(by_id), gone)
        for names in {tuple(row) for row in changed}:
            rows = [row for row in changed if tuple(row) == names]
            values: Any = {name: bindparam(name) for name in names if name != "row_id"}
            connection.execute(update(self.table).where(by_id).values(values), rows)
        if new:
            connection.execute(insert(self.table), new)
        self.report.inserted += len(new)
        self.report.updated += len(changed)
        self.report.deleted += len(gone)


_KEYS = {
    "market_hours": ("exchange_group", "asset_class"),
    "market_hours_periods": ("exchange_group", "asset_class", "valid_to"),
    "trading_holidays": ("exchange", "date"),
}


@repeated
def list_calendars(*, db_session: Session | None = None) -> pd.DataFrame:
    """Return the calendars that the tables hold.

    Returns
    -------
    pandas.DataFrame
        One row a group and asset class: its exchanges, time zone, the range that it covers, the number
        of days that differ from its hours, and where its hours come from.

    Raises
    ------
    DatabaseNotReadyError
        If the database has no tables yet.

    Examples
    --------
    >>> ma.init_db()
    >>> list_calendars()["exchange_group"].head(2).tolist()
    ['24/5', '24/7']
    """
    if db_session is None:
        with read_session() as own_session:
            return list_calendars(db_session=own_session)
    hours: Any = MarketHours.__table__.c
    days: Any = TradingHoliday.__table__.c
    numbers: dict[str, int] = {}
    for (exchange,) in db_session.execute(select(days.exchange)):
        numbers[exchange] = numbers.get(exchange, 0) + 1
    rows = []
    chosen = [hours[name] for name in stamps.HOURS]
    query = select(*chosen, hours.source).order_by(hours.exchange_group, hours.asset_class)
    for *values, source in db_session.execute(query):
        row = dict(zip(stamps.HOURS, values, strict=True))
        origin = stamps.origin_of(source, values)
        own = [row["exchange_group"], *(row["exchanges"] or "").split(",")]
        rows.append(
            {
                "exchange_group": row["exchange_group"],
                "asset_class": row["asset_class"],
                "exchanges": row["exchanges"],
                "timezone": row["timezone"],
                "covers_from": _label(row["covers_from"]),
                "covers_to": _label(row["covers_to"]),
                "days": sum(numbers.get(name, 0) for name in set(own)),
                "rules": stamps.version_of(source) or origin,
                "origin": origin,
                "is_active": row["is_active"] is not False,
            }
        )
    dtypes: Any = _LISTED
    listed: pd.DataFrame = pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)
    return listed


_LISTED = {
    "exchange_group": "str",
    "asset_class": "str",
    "exchanges": "str",
    "timezone": "str",
    "covers_from": "datetime64[us]",
    "covers_to": "datetime64[us]",
    "days": "int64",
    "rules": "str",
    "origin": "str",
    "is_active": "bool",
}


def _label(date: dt.date | None) -> pd.Timestamp | None:
    return None if date is None else pd.Timestamp(date)
