"""Rules to sessions: every local time of every session turned into an instant, as arrays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.calendars import zones
from mismartera_analytics.calendars.rules import CalendarRules, DayRule, HoursRule
from mismartera_analytics.errors import InvalidInputError

__all__ = ["DAY", "MISSING", "SessionArrays", "build_sessions", "day_number", "known_range"]

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

DAY = 86_400 * zones.SECOND  # [microseconds]
MISSING = np.iinfo(np.int64).min
_EPOCH = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class SessionArrays:
    """The sessions of a calendar in order, one element each.

    Instants are microseconds since 1970 UTC, `MISSING` where there is none; `labels` are days since
    1970. Without a pre-market `pre_market_open` is `MISSING`, and so on.
    """

    labels: Int64s
    pre_market_open: Int64s
    regular_open: Int64s
    break_start: Int64s
    break_end: Int64s
    regular_close: Int64s
    post_market_close: Int64s
    is_early_close: Bools
    is_late_open: Bools

    @property
    def starts(self) -> Int64s:
        """First instant of each session, its pre-market included."""
        return np.where(self.pre_market_open == MISSING, self.regular_open, self.pre_market_open)

    @property
    def ends(self) -> Int64s:
        """Instant at which each session is over, its post-market included."""
        has_none = self.post_market_close == MISSING
        return np.where(has_none, self.regular_close, self.post_market_close)


@dataclass(frozen=True)
class _Clock:
    """The times of one `HoursRule` in microseconds after the label's midnight."""

    pre_market_open: int
    regular_open: int
    break_start: int
    break_end: int
    regular_close: int
    post_market_close: int


def day_number(date: dt.date) -> int:
    """Return the days from 1970-01-01 to `date`."""
    return date.toordinal() - _EPOCH


def _since_midnight(time: dt.time) -> int:
    seconds = time.hour * 3600 + time.minute * 60 + time.second
    return seconds * zones.SECOND + time.microsecond


def _closing(time: dt.time) -> int:
    """Return a close in microseconds after the label's midnight; 00:00 is the end of that day."""
    return _since_midnight(time) or DAY


def _clock_of(rule: HoursRule, group: str) -> _Clock:
    """Place the times of a rule on the days around the label; refuse an impossible order."""
    opening, closing = _since_midnight(rule.regular_open), _closing(rule.regular_close)
    if opening >= closing:
        opening -= DAY
    pre = post = MISSING
    if rule.pre_market_open is not None:
        pre = _since_midnight(rule.pre_market_open) + (opening // DAY) * DAY
        pre = pre if pre <= opening else pre - DAY
    if rule.post_market_close is not None:
        post = _since_midnight(rule.post_market_close)
        post = post if post >= closing else post + DAY
    start = end = MISSING
    if rule.break_start is not None and rule.break_end is not None:
        start, end = _since_midnight(rule.break_start), _since_midnight(rule.break_end)
        start = start - DAY if start >= closing else start
        end = end - DAY if end >= closing else end
        if not opening < start < end < closing:
            raise InvalidInputError(
                f"{group!r}, {rule}: the break {rule.break_start} to {rule.break_end} does not lie "
                f"inside the hours {rule.regular_open} to {rule.regular_close}."
            )
    return _Clock(pre, opening, start, end, closing, post)


def build_sessions(rules: CalendarRules) -> SessionArrays:
    """Return every session that the rules give.

    Parameters
    ----------
    rules
        Hours in force and the days that differ.

    Returns
    -------
    SessionArrays

    Raises
    ------
    InvalidInputError
        If a time of a session is skipped or doubled by daylight saving, if its times are out of
        order, or if sessions overlap: the message names the rule and the date.
    """
    clock.zone(rules.timezone, argument=f"market_hours of {rules.exchange_group!r}: timezone")
    first, last = day_number(rules.covers_from), day_number(rules.covers_to)
    every = np.arange(first, last + 1)
    special = {day_number(day.date): day for day in rules.days}
    is_session, clocks = _usual(rules, every)
    for number, day in special.items():
        is_session[number - first] = not day.is_closed
    labels = every[is_session]
    local = clocks[:, is_session]
    is_early, is_late = np.zeros(labels.size, bool), np.zeros(labels.size, bool)
    _apply_times(rules, special.values(), labels, local, is_early, is_late)
    times = _instants(rules, labels, local)
    pre, opening, start, end, closing, post = times
    sessions = SessionArrays(labels, pre, opening, start, end, closing, post, is_early, is_late)
    _check_apart(rules, sessions)
    return sessions


def _usual(rules: CalendarRules, every: Int64s) -> tuple[Bools, Int64s]:
    """Return, for every day, whether it is a trading day, and its six times after midnight."""
    if rules.hours[0].valid_from is not None and rules.hours[0].valid_from > rules.covers_from:
        raise InvalidInputError(
            f"{rules.exchange_group!r} covers {rules.covers_from} and later, but its first hours "
            f"hold from {rules.hours[0].valid_from}; empty that valid_from or move covers_from."
        )
    weekday = (every + 3) % 7
    is_session = np.zeros(every.size, bool)
    clocks = np.empty((6, every.size), np.int64)
    begin = 0
    for rule in rules.hours:
        end = every.size
        if rule.valid_to is not None:
            end = min(max(day_number(rule.valid_to) + 1 - int(every[0]), 0), every.size)
        days = slice(begin, end)
        is_session[days] = np.isin(weekday[days], list(rule.trading_days))
        placed = _clock_of(rule, rules.exchange_group)
        clocks[:, days] = np.array(
            [
                placed.pre_market_open,
                placed.regular_open,
                placed.break_start,
                placed.break_end,
                placed.regular_close,
                placed.post_market_close,
            ]
        )[:, None]
        begin = max(begin, end)
    return is_session, clocks


def _apply_times(
    rules: CalendarRules,
    special: Iterable[DayRule],
    labels: Int64s,
    local: Int64s,
    is_early: Bools,
    is_late: Bools,
) -> None:
    """Move opens and closes of special days in place; the post-market keeps its length."""
    timed = [day for day in special if not day.is_closed]
    at = np.searchsorted(labels, np.array([day_number(day.date) for day in timed], np.int64))
    for i, day in zip(at.tolist(), timed, strict=True):
        pre, opening, start, end, closing, post = local[:, i].tolist()
        opens, closes = opening, closing
        if day.late_open_time is not None:
            opens = _since_midnight(day.late_open_time) + (opening // DAY) * DAY
            if opens < opening < 0:  # the evening has passed: the morning of the date itself
                opens += DAY
        if day.early_close_time is not None:
            closes = _closing(day.early_close_time)
        if opens >= closes:
            raise InvalidInputError(
                f"trading_holidays of {day.exchange!r}, {day.date}: the session would open at "
                f"{day.late_open_time or 'the usual time'} and close at "
                f"{day.early_close_time or 'the usual time'}."
            )
        is_late[i], is_early[i] = opens > opening, closes < closing
        if start != MISSING and (closes <= end or opens >= start):
            start = end = MISSING
        if post != MISSING:
            post += closes - closing
        if pre != MISSING and pre > opens:
            pre = opens
        local[:, i] = pre, opens, start, end, closes, post


def _instants(rules: CalendarRules, labels: Int64s, local: Int64s) -> Int64s:
    """Return the six times of each session as instants."""
    is_missing = local == MISSING
    wall = np.where(is_missing, 0, local) + labels * DAY
    utc, is_doubtful = zones.to_utc(wall, rules.timezone)
    is_doubtful &= ~is_missing
    if is_doubtful.any():
        row, column = (int(i) for i in np.argwhere(is_doubtful)[0])
        moment = wall[row, column].astype("datetime64[us]").astype("datetime64[s]")
        raise InvalidInputError(
            f"{rules.exchange_group!r}: the session of {labels[column].astype('datetime64[D]')} has a "
            f"time of {moment} in {rules.timezone}, which clocks there skip or show twice; write the "
            f"hours in another zone, UTC for instance."
        )
    utc[is_missing] = MISSING
    return utc


def _check_apart(rules: CalendarRules, sessions: SessionArrays) -> None:
    """Refuse sessions that overlap, extended hours included."""
    overlap = np.flatnonzero(sessions.starts[1:] < sessions.ends[:-1])
    if overlap.size:
        dates = sessions.labels[overlap[0] : overlap[0] + 2].astype("datetime64[D]")
        raise InvalidInputError(
            f"{rules.exchange_group!r}: the session of {dates[1]} starts before that of {dates[0]} "
            f"is over; shorten the hours or the extended hours."
        )


def known_range(rules: CalendarRules, sessions: SessionArrays) -> tuple[int, int]:
    """Return the instants between which the rules tell whether the market is open.

    Parameters
    ----------
    rules
        Where the covered dates come from.
    sessions
        Built from them.

    Returns
    -------
    start, end : int
        [microseconds since 1970 UTC]: local midnight before the first and after the last covered
        date. Where sessions open the evening before, both lie that much earlier.
    """
    earliest, latest = _reach(rules, rules.covers_from)
    wall = [day_number(rules.covers_from) * DAY + max(min(earliest, 0), latest - DAY)]
    earliest, _ = _reach(rules, rules.covers_to)
    wall.append((day_number(rules.covers_to) + 1) * DAY + min(earliest, 0))
    utc, _ = zones.to_utc(np.array(wall), rules.timezone)
    start, end = (int(moment) for moment in utc)
    if sessions.labels.size:
        start = min(start, int(sessions.starts[0]))
        end = max(end, int(sessions.ends[-1]))
    return start, end


def _reach(rules: CalendarRules, date: dt.date) -> tuple[int, int]:
    """Return when a usual session of `date` starts and is over, in microseconds after midnight."""
    rule = next(r for r in rules.hours if r.valid_to is None or date <= r.valid_to)
    day = _clock_of(rule, rules.exchange_group)
    earliest = day.regular_open if day.pre_market_open == MISSING else day.pre_market_open
    latest = day.regular_close if day.post_market_close == MISSING else day.post_market_close
    return earliest, latest
