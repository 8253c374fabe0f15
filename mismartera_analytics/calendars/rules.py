"""The rules of one trading calendar, read from the tables of hours and holidays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, select
from sqlalchemy.orm import Session

from mismartera_analytics.calendars import names, stamps
from mismartera_analytics.calendars.reading import rows_of
from mismartera_analytics.calendars.stamps import Origin
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.models.trading_calendar import (
    MarketHours,
    MarketHoursPeriod,
    TradingHoliday,
)

__all__ = ["CalendarRules", "DayRule", "HoursRule", "read_rules"]

FIRST_DAY = dt.date(1970, 1, 1)
LAST_DAY = dt.date(2099, 12, 31)


@dataclass(frozen=True)
class HoursRule:
    """Hours and trading days from `valid_from` to `valid_to`, both included; None for open ends."""

    valid_from: dt.date | None
    valid_to: dt.date | None
    regular_open: dt.time
    regular_close: dt.time
    pre_market_open: dt.time | None
    post_market_close: dt.time | None
    break_start: dt.time | None
    break_end: dt.time | None
    trading_days: frozenset[int]

    def __str__(self) -> str:
        if self.valid_to is None:
            return f"the hours from {self.valid_from} on" if self.valid_from else "the hours"
        return f"the hours from {self.valid_from or 'the beginning'} to {self.valid_to}"


@dataclass(frozen=True)
class DayRule:
    """A day that differs from the hours: closed, closed early, opened late, or an extra session."""

    date: dt.date
    exchange: str
    holiday_name: str | None
    is_closed: bool
    early_close_time: dt.time | None
    late_open_time: dt.time | None
    source: str | None

    @property
    def origin(self) -> Origin:
        """Whether the row is the package's, edited, or a user's own."""
        return stamps.origin_of(
            self.source,
            (
                self.exchange,
                self.date,
                self.holiday_name,
                self.is_closed,
                self.early_close_time,
                self.late_open_time,
            ),
        )


@dataclass(frozen=True)
class CalendarRules:
    """Everything that a `TradingCalendar` is made from.

    Attributes
    ----------
    name
        The exchange, or the group where no single exchange was meant.
    exchange_group, asset_class, timezone
        As in ``market_hours``.
    covers_from, covers_to
        First and last day for which the rules speak.
    hours
        In order of time, without gaps or overlaps.
    days
        In order of date, one rule a date: the exchange's own where it has one, else its group's.
    source
        What the row of ``market_hours`` says about where it comes from.
    hours_origin
        Whether that row is the package's, edited, or a user's own.
    """

    name: str
    exchange_group: str
    asset_class: str
    timezone: str
    covers_from: dt.date
    covers_to: dt.date
    hours: tuple[HoursRule, ...]
    days: tuple[DayRule, ...]
    source: str | None
    hours_origin: Origin

    @property
    def version(self) -> str:
        """The version of the packaged rules, or ``own``; ``+n`` counts edited and added rows."""
        base = stamps.version_of(self.source) or (
            "own" if self.hours_origin == "own" else "packaged"
        )
        others = sum(day.origin != "packaged" for day in self.days)
        others += self.hours_origin == "edited"
        return f"{base}+{others}" if others and base != "own" else base


_HOURS = MarketHours.__table__.c
_PERIODS = MarketHoursPeriod.__table__.c
_DAYS = TradingHoliday.__table__.c


def read_rules(name: str, *, asset_class: str | None, db_session: Session) -> CalendarRules:
    """Read the rules of a calendar.

    Parameters
    ----------
    name
        An exchange group, an exchange, a market identifier code (MIC) or an alias; case is ignored.
    asset_class
        The group's ``EQUITY`` hours by default, or its only ones.
    db_session
        Where to read.

    Returns
    -------
    CalendarRules

    Raises
    ------
    UnknownNameError
        If no active calendar has that name, or the group lacks that asset class.
    InvalidInputError
        If rows contradict each other.
    """
    columns = (*(_HOURS[column] for column in stamps.HOURS), _HOURS.source)
    markets = rows_of(db_session, select(*columns).where(_HOURS.is_active.isnot(false())))
    place = names.resolve(name, names.exchanges_of(markets))
    row = _of_asset_class([r for r in markets if r.exchange_group == place.group], asset_class)
    days = _read_days(place, db_session)
    covers = _coverage(row, days)
    return CalendarRules(
        name=place.exchange or place.group,
        exchange_group=place.group,
        asset_class=row.asset_class,
        timezone=row.timezone,
        covers_from=covers[0],
        covers_to=covers[1],
        hours=_read_hours(row, db_session),
        days=tuple(day for day in days if covers[0] <= day.date <= covers[1]),
        source=row.source,
        hours_origin=stamps.origin_of(row.source, row[: len(stamps.HOURS)]),
    )


def _shared(columns: Any) -> tuple[Any, ...]:
    return (
        columns.regular_open,
        columns.regular_close,
        columns.pre_market_open,
        columns.post_market_close,
        columns.break_start,
        columns.break_end,
        columns.trading_days,
    )


def _of_asset_class(rows: Sequence[Any], asset_class: str | None) -> Any:
    by_class = {row.asset_class.casefold(): row for row in rows}
    wanted = "equity" if asset_class is None else asset_class.casefold()
    if wanted in by_class:
        return by_class[wanted]
    if asset_class is None and len(rows) == 1:
        return rows[0]
    has = sorted(row.asset_class for row in rows)
    hint = suggestion(wanted, has) or "."
    raise UnknownNameError(
        f"asset_class={as_given(asset_class)} is not known for {rows[0].exchange_group!r}{hint} "
        f"It has: {', '.join(has)}."
    )


def _read_hours(row: Any, db_session: Session) -> tuple[HoursRule, ...]:
    keys = _PERIODS.exchange_group, _PERIODS.asset_class
    periods = rows_of(
        db_session,
        select(*keys, _PERIODS.valid_from, _PERIODS.valid_to, *_shared(_PERIODS))
        .where(keys[0] == row.exchange_group, keys[1] == row.asset_class)
        .order_by(_PERIODS.valid_to),
    )
    found: list[HoursRule] = []
    former: dt.date | None = None
    for period in periods:
        rule = _rule(period, period.valid_from, period.valid_to, row.exchange_group)
        _check_period(rule, former, row.exchange_group)
        found.append(rule)
        former = period.valid_to
    since = former + dt.timedelta(days=1) if former else None
    found.append(_rule(row, since, None, row.exchange_group))
    return tuple(found)


def _check_period(rule: HoursRule, former: dt.date | None, group: str) -> None:
    """Refuse a period that overlaps the one before it or leaves days between them to no rule."""
    since, until = rule.valid_from, rule.valid_to
    if since is not None and until is not None and since > until:
        raise InvalidInputError(f"market_hours_periods of {group!r}: {since} is after {until}.")
    if former is None:
        return
    if since is None or since <= former:
        raise InvalidInputError(
            f"market_hours_periods of {group!r}: {rule} overlap the period that ends on {former}."
        )
    if since > former + dt.timedelta(days=1):
        raise InvalidInputError(
            f"market_hours_periods of {group!r}: no hours from {former} to {since}; "
            f"let the periods follow one another."
        )


def _rule(row: Any, since: dt.date | None, until: dt.date | None, group: str) -> HoursRule:
    rule = HoursRule(
        valid_from=since,
        valid_to=until,
        regular_open=row.regular_open,
        regular_close=row.regular_close,
        pre_market_open=row.pre_market_open,
        post_market_close=row.post_market_close,
        break_start=row.break_start,
        break_end=row.break_end,
        trading_days=_trading_days(row.trading_days, group),
    )
    if (rule.break_start is None) != (rule.break_end is None):
        raise InvalidInputError(
            f"{group!r}, {rule}: break_start={rule.break_start} and break_end={rule.break_end}; "
            f"give both or neither."
        )
    return rule


def _trading_days(text: str | None, group: str) -> frozenset[int]:
    parts = [part.strip() for part in ("0,1,2,3,4" if text is None else text).split(",")]
    if not all(part in ("0", "1", "2", "3", "4", "5", "6") for part in parts):
        raise InvalidInputError(
            f"market_hours of {group!r}: trading_days={as_given(text)}; write weekdays as numbers "
            f"from 0 "
            f"(Monday) to 6 (Sunday), such as '0,1,2,3,4'."
        )
    return frozenset(int(part) for part in parts)


def _read_days(place: names.Place, db_session: Session) -> list[DayRule]:
    keys = [place.group, *place.exchange_names]
    # As they are spelled, and in the ways in which a person may write them: an index finds them all.
    spelled = {word for key in keys for word in (key, key.lower(), key.upper(), key.title())}
    columns = (*(_DAYS[column] for column in stamps.DAYS), _DAYS.source)
    rows = rows_of(db_session, select(*columns).where(_DAYS.exchange.in_(sorted(spelled))))
    folded = [key.casefold() for key in keys]
    ruling: dict[dt.date, tuple[tuple[int, bool], Any]] = {}
    for row in rows:
        rank = folded.index(row.exchange.casefold()), row.exchange in keys
        if row.date not in ruling or rank > ruling[row.date][0]:
            ruling[row.date] = rank, row
    return [
        DayRule(
            date=date,
            exchange=row.exchange,
            holiday_name=row.holiday_name,
            is_closed=_is_closed(row),
            early_close_time=row.early_close_time,
            late_open_time=row.late_open_time,
            source=row.source,
        )
        for date, (_, row) in sorted(ruling.items())
    ]


def _is_closed(row: Any) -> bool:
    """Whether a row closes the day; a time means that the market opened, whatever `is_closed` says."""
    if row.early_close_time is not None or row.late_open_time is not None:
        return False
    return row.is_closed is None or bool(row.is_closed)


def _coverage(row: Any, days: list[DayRule]) -> tuple[dt.date, dt.date]:
    """Return what the rules speak for: as written, else the years of the holidays, else 1970-2099."""
    first = dt.date(days[0].date.year, 1, 1) if days else FIRST_DAY
    last = dt.date(days[-1].date.year, 12, 31) if days else LAST_DAY
    first, last = row.covers_from or first, row.covers_to or last
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise InvalidInputError(
            f"market_hours of {row.exchange_group!r}: covers_from={first} and covers_to={last}; "
            f"give a range within {FIRST_DAY} and {LAST_DAY}."
        )
    return first, last
