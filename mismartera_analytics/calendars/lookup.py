"""The two ways in: a calendar by its market's name, and its sessions in one line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import clock, config
from mismartera_analytics.calendars import freshness
from mismartera_analytics.calendars.rules import CalendarRules, read_rules
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import listed
from mismartera_analytics.models.database import is_own_reader, read_session
from mismartera_analytics.models.retrying import repeated

__all__ = ["trading_calendar", "trading_sessions"]

_MOST_HELD = 128


@dataclass(frozen=True)
class _Held:
    """A calendar made before, the rules that it was made from, and the database's state then."""

    state: tuple[tuple[int, int, int], ...] | None
    rules: CalendarRules
    calendar: TradingCalendar


_held: dict[tuple[str, str, str | None], _Held] = {}


@repeated
def trading_calendar(
    name: str, asset_class: str | None = None, *, db_session: Session | None = None
) -> TradingCalendar:
    """Return the calendar of a market, made from the rules in the database.

    Parameters
    ----------
    name
        An exchange group (``"US_EQUITY"``), an exchange (``"NYSE"``), a market identifier code
        (``"XNYS"``) or an alias; case is ignored.
    asset_class
        The group's ``"EQUITY"`` hours by default, or its only ones.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    TradingCalendar
        Immutable. Asked again, the same one as long as its rules in the database are the same.

    Raises
    ------
    UnknownNameError
        If no market has that name; the nearest one is suggested.
    InvalidInputError
        If the rules contradict each other: the message names the row.
    DatabaseNotReadyError
        If the database has no tables yet.

    Examples
    --------
    >>> nyse = ma.trading_calendar("NYSE")
    >>> nyse.session("2025-11-28").regular_close.isoformat()
    '2025-11-28T13:00:00-05:00'
    """
    for argument, value in (("name", name), ("asset_class", asset_class)):
        if not (isinstance(value, str) or (value is None and argument == "asset_class")):
            raise InvalidInputError(f"{argument}={as_given(value)} must be text such as 'NYSE'.")
    if db_session is not None and not is_own_reader(db_session):
        return TradingCalendar(read_rules(name, asset_class=asset_class, db_session=db_session))
    url = config.settings().database_url
    key = url, name, asset_class
    state = freshness.fingerprint(url)
    held = _held.get(key)
    if held is not None and state is not None and held.state == state:
        return held.calendar
    with nullcontext(db_session) if db_session is not None else read_session() as own_session:
        rules = read_rules(name, asset_class=asset_class, db_session=own_session)
    is_same = held is not None and held.rules == rules
    calendar = held.calendar if held is not None and is_same else TradingCalendar(rules)
    is_settled = state is not None and freshness.is_settled(state)
    _held[key] = _Held(state if is_settled else None, rules, calendar)
    if len(_held) > _MOST_HELD:
        _held.pop(next(iter(_held)), None)
    return calendar


def trading_sessions(
    start: clock.LabelLike | clock.InstantLike,
    end: clock.LabelLike | clock.InstantLike,
    exchange: str | Sequence[str] = "NYSE",
    asset_class: str | None = None,
    tz: str | None = None,
    *,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return the sessions of one market or several.

    Parameters
    ----------
    start, end
        Labels, both included, or instants: then the sessions that share a moment with
        ``[start, end)``.
    exchange
        A name as `trading_calendar` takes it, or several, each of which counts once.
    asset_class
        As in `trading_calendar`.
    tz
        IANA zone of the instants; UTC by default.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    pandas.DataFrame
        `frames.SESSIONS`, indexed by label and sorted by label and exchange.

    Raises
    ------
    CalendarRangeError
        If a bound lies outside the range that a market's rules cover.
    UnknownNameError
        If a market is not known.
    InvalidInputError
        If no market is named.

    Examples
    --------
    >>> week = ma.trading_sessions("2025-11-26", "2025-12-01", exchange="NYSE")
    >>> week["is_early_close"].tolist()
    [False, True, False]
    """
    wanted = listed(exchange, argument="exchange", what="text such as 'NYSE', or several")
    if not wanted:
        raise InvalidInputError("exchange is empty; name at least one market, such as 'NYSE'.")
    calendars = [trading_calendar(name, asset_class, db_session=db_session) for name in wanted]
    by_name = {calendar.name: calendar for calendar in calendars}  # each market once
    found = [calendar.sessions(start, end, tz=tz) for calendar in by_name.values()]
    if len(found) == 1:
        return found[0]
    joined = pd.concat(found).sort_values("exchange", kind="stable")
    return joined.sort_index(kind="stable")
