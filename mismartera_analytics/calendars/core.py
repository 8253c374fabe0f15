"""What every answer of a calendar stands on: its sessions as arrays, and the range that is known."""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.calendars import arguments, build
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError

if TYPE_CHECKING:
    from mismartera_analytics.calendars.rules import CalendarRules, DayRule

__all__ = ["CalendarCore"]

Int64s = NDArray[np.int64]
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


class CalendarCore:
    """The sessions of one market, immutable, and the checks that all questions share."""

    def __init__(self, rules: CalendarRules) -> None:
        sessions = build.build_sessions(rules)
        self.name = rules.name
        self.exchange_group = rules.exchange_group
        self.asset_class = rules.asset_class
        self.timezone = rules.timezone
        self.covers_from = rules.covers_from
        self.covers_to = rules.covers_to
        self.version = rules.version
        self._rules = rules
        self._sessions = sessions
        self._known = build.known_range(rules, sessions)
        self._first_day = build.day_number(rules.covers_from)
        self._last_day = build.day_number(rules.covers_to)
        for array in vars(sessions).values():
            array.flags.writeable = False
        self._is_sealed = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_is_sealed" in self.__dict__:
            raise AttributeError(f"a TradingCalendar cannot be changed: {name!r}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a TradingCalendar cannot be changed: {name!r}")

    def __reduce__(self) -> tuple[type[Self], tuple[CalendarRules]]:
        """Pickle and copy the rules; their sessions are made again, read-only."""
        return type(self), (self._rules,)

    def __repr__(self) -> str:
        return (
            f"TradingCalendar({self.name!r}, {self.asset_class!r}, {self.timezone!r}, "
            f"{self.covers_from} to {self.covers_to}, rules {self.version})"
        )

    def __len__(self) -> int:
        return int(self._sessions.labels.size)

    @functools.cached_property
    def _days(self) -> dict[dt.date, DayRule]:
        return {day.date: day for day in self._rules.days}

    @functools.cached_property
    def _label_list(self) -> list[int]:
        return list(self._sessions.labels.tolist())

    @functools.cached_property
    def _open_list(self) -> list[int]:
        return list(self._sessions.regular_open.tolist())

    @functools.cached_property
    def _close_list(self) -> list[int]:
        return list(self._sessions.regular_close.tolist())

    def _date(self, at: int) -> dt.date:
        if not 0 <= at < len(self):
            raise CalendarRangeError(
                f"{self.name} has no session from {self.covers_from} to {self.covers_to}."
            )
        return dt.date.fromordinal(self._label_list[at] + _EPOCH_DAY)

    def _out_of_range(self, argument: str, value: object) -> CalendarRangeError:
        return CalendarRangeError(
            f"{argument}={value!s} lies outside {self.covers_from} to {self.covers_to}, which the "
            f"rules of {self.name} cover; 'mismartera calendar sync' brings the installed rules, and "
            f"rows in market_hours (covers_from, covers_to) and trading_holidays extend them."
        )

    def _day(self, date: dt.date, *, argument: str) -> int:
        """Return a covered date as days since 1970."""
        return self._checked_day(date.toordinal() - _EPOCH_DAY, argument=argument)

    def _checked_day(self, number: int, *, argument: str) -> int:
        if not self._first_day <= number <= self._last_day:
            raise self._out_of_range(argument, dt.date.fromordinal(number + _EPOCH_DAY))
        return number

    def _instant(self, value: Any, *, argument: str) -> int:
        """Return a known instant as microseconds since 1970."""
        return self._checked_instant(
            arguments.instant_number(value, argument=argument), argument=argument
        )

    def _checked_instant(self, number: int, *, argument: str) -> int:
        if not self._known[0] <= number < self._known[1]:
            raise self._out_of_range(argument, arguments.moment_of(number))
        return number

    def _instants(self, values: Any, *, argument: str) -> Int64s:
        """Return known instants as microseconds since 1970."""
        numbers = arguments.numbers_of(values, argument=argument)
        if numbers.size:
            for number in (int(numbers.min()), int(numbers.max())):
                if not self._known[0] <= number < self._known[1]:
                    raise self._out_of_range(argument, arguments.moment_of(number))
        return numbers

    def _label_numbers(self, values: Any, *, argument: str) -> Int64s:
        """Return covered dates as days since 1970."""
        numbers = arguments.label_numbers(values, argument=argument)
        outside = (numbers < self._first_day) | (numbers > self._last_day)
        if outside.any():
            raise self._out_of_range(argument, numbers[outside][0].astype("datetime64[D]"))
        return numbers

    def _slice(self, start: Any, end: Any) -> tuple[int, int]:
        """Return the places of the sessions of a range: labels inclusive, instants half open."""
        begin, stop = 0, len(self)
        first = last = None
        if start is not None:
            first = is_label, number = arguments.bound_number(start, argument="start")
            if is_label:
                begin = bisect_left(self._label_list, self._checked_day(number, argument="start"))
            else:
                number = self._checked_instant(number, argument="start")
                begin = bisect_right(self._close_list, number)
        if end is not None:
            last = is_label, number = arguments.bound_number(end, argument="end")
            if is_label:
                stop = bisect_right(self._label_list, self._checked_day(number, argument="end"))
            else:
                stop = bisect_left(self._open_list, self._checked_end(number))
        if begin > stop or (first and last and first[0] == last[0] and first > last):
            raise InvalidInputError(f"start={start} lies after end={end}; exchange them.")
        return begin, stop

    def _checked_end(self, number: int) -> int:
        """Return the end of a range of instants, which may be the end of what is known."""
        if not self._known[0] <= number <= self._known[1]:
            raise self._out_of_range("end", arguments.moment_of(number))
        return number

    def _position(self, label: dt.date, *, argument: str) -> int:
        """Return the place of a session."""
        number = self._day(label, argument=argument)
        at = bisect_left(self._label_list, number)
        if at < len(self) and self._label_list[at] == number:
            return at
        raise InvalidInputError(self._no_session(label, at, argument=argument))

    def _positions(self, labels: Any, *, argument: str) -> NDArray[np.intp]:
        """Return the places of sessions."""
        numbers = self._label_numbers(labels, argument=argument)
        at = np.searchsorted(self._sessions.labels, numbers)
        is_found = np.zeros(numbers.shape, bool)
        inside = at < len(self)
        is_found[inside] = self._sessions.labels[at[inside]] == numbers[inside]
        if not is_found.all():
            first = int(np.flatnonzero(~is_found)[0])
            label = dt.date.fromordinal(int(numbers[first]) + _EPOCH_DAY)
            raise InvalidInputError(self._no_session(label, int(at[first]), argument=argument))
        return at

    def _no_session(self, label: dt.date, at: int, *, argument: str) -> str:
        day = self._days.get(label)
        why = f" ({day.holiday_name})" if day and day.holiday_name else ""
        around = [str(self._date(i)) for i in (at - 1, at) if 0 <= i < len(self)]
        return (
            f"{argument}={label} is no session of {self.name}{why}; the nearest are "
            f"{' and '.join(around) or 'none'}."
        )
