"""A calendar's answers about dates: sessions, steps from one to another, counts."""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_left, bisect_right
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock, frames
from mismartera_analytics.calendars import arguments
from mismartera_analytics.calendars.build import DAY, MISSING
from mismartera_analytics.calendars.core import CalendarCore
from mismartera_analytics.calendars.phases import TradingSession
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["AnswersByLabel"]

_INSTANTS = [column.name for column in frames.SESSIONS.columns if column.dtype == "instant"]
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
RangeBound = clock.LabelLike | clock.InstantLike | None


class AnswersByLabel(CalendarCore):
    """What a calendar knows about dates."""

    def sessions(
        self, start: RangeBound = None, end: RangeBound = None, *, tz: str | None = None
    ) -> pd.DataFrame:
        """Return the sessions of a range.

        Parameters
        ----------
        start, end
            Labels, both included, or instants: then the sessions whose regular hours share a moment
            with ``[start, end)``. All that the rules cover by default.
        tz
            IANA zone of the instants; UTC by default.

        Returns
        -------
        pandas.DataFrame
            `frames.SESSIONS`, indexed by label; NaT where a session lacks a phase.

        Raises
        ------
        CalendarRangeError
            If a bound lies outside the range that the rules cover.

        Examples
        --------
        >>> nyse = ma.trading_calendar("NYSE")
        >>> week = nyse.sessions("2025-07-03", "2025-07-07", tz="America/New_York")
        >>> week["regular_close"].dt.strftime("%H:%M").tolist()
        ['13:00', '16:00']
        """
        begin, stop = self._slice(start, end)
        frame = self._frame.iloc[begin:stop]
        if tz is None:
            return frame.copy()
        key = clock.zone(tz).key
        return frame.assign(**{name: frame[name].dt.tz_convert(key) for name in _INSTANTS})

    @functools.cached_property
    def _frame(self) -> pd.DataFrame:
        """All sessions; built once, never handed out itself."""
        every = self._sessions
        names = np.full(len(self), None, dtype=object)
        places = {number: at for at, number in enumerate(self._label_list)}
        for day in self._rules.days:
            at = places.get(day.date.toordinal() - _EPOCH_DAY)
            if at is not None:
                names[at] = day.holiday_name
        columns: dict[str, Any] = {
            "exchange": pd.array([self.name], dtype="str").repeat(len(self)),
            **{name: arguments.instant_index(getattr(every, name)) for name in _INSTANTS},
            "is_early_close": every.is_early_close,
            "is_late_open": every.is_late_open,
            "holiday_name": pd.array(names, dtype="str"),
        }
        ordered = {name: columns[name] for name in frames.SESSIONS.names[1:]}
        return pd.DataFrame(ordered, index=self._labels)

    @functools.cached_property
    def _labels(self) -> pd.DatetimeIndex:
        microseconds = (self._sessions.labels * DAY).view("datetime64[us]")
        return pd.DatetimeIndex(microseconds, name="session")

    def labels(self, start: RangeBound = None, end: RangeBound = None) -> pd.DatetimeIndex:
        """Return the labels of the sessions of a range, as `sessions` takes it.

        Returns
        -------
        pandas.DatetimeIndex
            ``datetime64[us]``, naive midnights, in order.

        Raises
        ------
        CalendarRangeError
            If a bound lies outside the range that the rules cover.
        """
        begin, stop = self._slice(start, end)
        return self._labels[begin:stop]

    def opens(self, labels: Any) -> pd.DatetimeIndex:
        """Return the regular opens of sessions.

        Parameters
        ----------
        labels
            Session labels, one-dimensional.

        Returns
        -------
        pandas.DatetimeIndex
            ``datetime64[us, UTC]``, one element a label.

        Raises
        ------
        InvalidInputError
            If a label is no session.
        CalendarRangeError
            If a label lies outside the range that the rules cover.
        """
        at = self._positions(labels, argument="labels")
        return arguments.instant_index(self._sessions.regular_open[at])

    def closes(self, labels: Any) -> pd.DatetimeIndex:
        """Return the regular closes of sessions; parameters and errors as in `opens`."""
        at = self._positions(labels, argument="labels")
        return arguments.instant_index(self._sessions.regular_close[at])

    def session(self, date: clock.LabelLike) -> TradingSession:
        """Return one session.

        Parameters
        ----------
        date
            Its label.

        Returns
        -------
        TradingSession

        Raises
        ------
        InvalidInputError
            If the market is closed on that date: the message names the holiday and the sessions
            before and after.
        CalendarRangeError
            If the date lies outside the range that the rules cover.
        """
        label = clock.parse_label(date, argument="date")
        at = self._position(label, argument="date")
        tz, every, day = clock.zone(self.timezone), self._sessions, self._days.get(label)
        times: dict[str, Any] = {}
        for name in _INSTANTS:
            number = int(getattr(every, name)[at])
            is_there = number != MISSING
            times[name] = arguments.moment_of(number).astimezone(tz) if is_there else None
        return TradingSession(
            date=label,
            exchange=self.name,
            asset_class=self.asset_class,
            timezone=self.timezone,
            is_early_close=bool(every.is_early_close[at]),
            is_late_open=bool(every.is_late_open[at]),
            holiday_name=day.holiday_name if day else None,
            **times,
        )

    def is_session(self, date: clock.LabelLike) -> bool:
        """Whether the market opens on a date.

        Raises
        ------
        CalendarRangeError
            If the date lies outside the range that the rules cover.
        """
        number = self._day(clock.parse_label(date, argument="date"), argument="date")
        at = bisect_left(self._label_list, number)
        return at < len(self) and self._label_list[at] == number

    @property
    def first_session(self) -> dt.date:
        """Label of the first session that the rules give."""
        return self._date(0)

    @property
    def last_session(self) -> dt.date:
        """Label of the last session that the rules give."""
        return self._date(len(self) - 1)

    def next_session(self, after: clock.LabelLike | clock.InstantLike) -> dt.date:
        """Return the label of the first session after a date, or that opens after an instant.

        Parameters
        ----------
        after
            A date, session or not, or an aware datetime.

        Returns
        -------
        datetime.date

        Raises
        ------
        CalendarRangeError
            If the rules do not reach so far.
        """
        is_label, number = arguments.bound_number(after, argument="after")
        if is_label:
            at = bisect_right(self._label_list, self._checked_day(number, argument="after"))
        else:
            at = bisect_right(self._open_list, self._checked_instant(number, argument="after"))
        if at >= len(self):
            raise self._out_of_range("after", after)
        return self._date(at)

    def previous_session(self, before: clock.LabelLike | clock.InstantLike) -> dt.date:
        """Return the label of the last session before a date, or that has closed at an instant.

        Parameters, returns and raises as in `next_session`.
        """
        is_label, number = arguments.bound_number(before, argument="before")
        if is_label:
            at = bisect_left(self._label_list, self._checked_day(number, argument="before")) - 1
        else:
            number = self._checked_instant(number, argument="before")
            at = bisect_right(self._close_list, number) - 1
        if at < 0:
            raise self._out_of_range("before", before)
        return self._date(at)

    @overload
    def offset(self, date: clock.LabelLike, n: int) -> dt.date: ...
    @overload
    def offset(self, date: Any, n: Any) -> Any: ...
    def offset(self, date: Any, n: Any) -> Any:
        """Return the session `n` sessions after (before, when negative) a session.

        Parameters
        ----------
        date
            A session's label, or many.
        n
            Number of sessions, or one for each label.

        Returns
        -------
        datetime.date or pandas.DatetimeIndex

        Raises
        ------
        InvalidInputError
            If a date is no session, or `n` is no whole number.
        CalendarRangeError
            If the rules do not reach so far.
        """
        if type(n) is not int and not arguments.are_whole(n):
            raise InvalidInputError(
                f"n={as_given(n)} must be whole numbers of sessions, such as 1 or -5."
            )
        if arguments.is_scalar(date) and np.ndim(n) == 0:
            label = clock.parse_label(date, argument="date")
            at = self._position(label, argument="date") + int(n)
            if not 0 <= at < len(self):
                raise self._out_of_range("date", f"{label} {int(n):+d} sessions")
            return self._date(at)
        labels = [date] if arguments.is_scalar(date) else date
        places: Any = self._positions(labels, argument="date") + np.asarray(n, np.int64)
        outside = (places < 0) | (places >= len(self))
        if outside.any():
            raise self._out_of_range("date", f"the label at {int(np.flatnonzero(outside)[0])}")
        return self._labels[places]

    @overload
    def count(self, start: clock.LabelLike, end: clock.LabelLike) -> int: ...
    @overload
    def count(self, start: Any, end: Any) -> int | NDArray[np.int64]: ...
    def count(self, start: Any, end: Any) -> int | NDArray[np.int64]:
        """Return the number of sessions from one date to another, both included.

        Parameters
        ----------
        start, end
            Labels, or arrays of them that broadcast; the dates need not be sessions.

        Returns
        -------
        int or ndarray of int64
            0 where `end` lies before `start`.

        Raises
        ------
        CalendarRangeError
            If a date lies outside the range that the rules cover.
        """
        if arguments.is_scalar(start) and arguments.is_scalar(end):
            first = self._day(clock.parse_label(start, argument="start"), argument="start")
            last = self._day(clock.parse_label(end, argument="end"), argument="end")
            stop = bisect_right(self._label_list, last)
            return max(stop - bisect_left(self._label_list, first), 0)
        starts = [start] if arguments.is_scalar(start) else start
        ends = [end] if arguments.is_scalar(end) else end
        begin = np.searchsorted(
            self._sessions.labels, self._label_numbers(starts, argument="start"), side="left"
        )
        after = np.searchsorted(
            self._sessions.labels, self._label_numbers(ends, argument="end"), side="right"
        )
        counts: NDArray[np.int64] = np.maximum(after - begin, 0).astype(np.int64)
        return counts
