"""The calendar of one market: every answer about its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.calendars import arguments, grid
from mismartera_analytics.calendars.by_instant import AnswersByInstant
from mismartera_analytics.calendars.phases import parse_phases
from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName

__all__ = ["TradingCalendar"]


class TradingCalendar(AnswersByInstant):
    """All sessions of one market, immutable, made from the rules in the database.

    `trading_calendar` makes one. Labels are dates; a range of labels includes both ends, a range of
    instants is ``[start, end)``. Instants go in aware and come out in UTC; hours are ``[open, close)``,
    so the instant of a close is not part of them. Whatever lies outside `covers_from` and `covers_to`
    raises `CalendarRangeError`.

    Attributes
    ----------
    name
        The exchange, or the group.
    exchange_group, asset_class, timezone
        As in ``market_hours``.
    covers_from, covers_to : datetime.date
        First and last date for which the rules speak.
    version : str
        The version of the packaged rules that the hours come from, or ``"own"``; ``"+"`` and a number
        after it count the rows that a user edited or added.
    """

    def holidays(
        self, start: clock.LabelLike | None = None, end: clock.LabelLike | None = None
    ) -> pd.DataFrame:
        """Return the days of a range that differ from the usual hours, both ends included.

        Parameters
        ----------
        start, end
            Labels; all that the rules cover by default.

        Returns
        -------
        pandas.DataFrame
            `frames.HOLIDAYS`; an early close may be later than usual where a session was moved.

        Raises
        ------
        CalendarRangeError
            If a bound lies outside the range that the rules cover.
        """
        first = self.covers_from if start is None else clock.parse_label(start, argument="start")
        last = self.covers_to if end is None else clock.parse_label(end, argument="end")
        self._day(first, argument="start")
        self._day(last, argument="end")
        if first > last:
            raise InvalidInputError(f"start={first} lies after end={last}; exchange them.")
        rows = [
            (
                pd.Timestamp(day.date),
                day.exchange,
                day.holiday_name,
                day.is_closed,
                day.early_close_time and day.early_close_time.isoformat(),
                day.late_open_time and day.late_open_time.isoformat(),
            )
            for day in self._rules.days
            if first <= day.date <= last
        ]
        return frames.HOLIDAYS.conform(pd.DataFrame(rows, columns=frames.HOLIDAYS.names))

    def overlap(
        self,
        *others: AnswersByInstant,
        start: clock.LabelLike,
        end: clock.LabelLike,
        phase: str = "regular",
        tz: str | None = None,
    ) -> pd.DataFrame:
        """Return when this market and others are open at the same time.

        Parameters
        ----------
        *others
            Calendars.
        start, end
            Labels of this market, both included.
        phase
            Which phases count as open, as in `is_open`.
        tz
            IANA zone of the instants; UTC by default.

        Returns
        -------
        pandas.DataFrame
            ``start`` and ``end`` of every common stretch, indexed by this market's label.

        Raises
        ------
        CalendarRangeError
            If a bound lies outside the range that the rules of any of them cover.
        InvalidInputError
            If no other calendar is given.

        Examples
        --------
        >>> nyse, london = ma.trading_calendar("NYSE"), ma.trading_calendar("LSE")
        >>> both = nyse.overlap(london, start="2025-07-02", end="2025-07-02")
        >>> str(both["start"].iloc[0]), str(both["end"].iloc[0])
        ('2025-07-02 13:30:00+00:00', '2025-07-02 15:30:00+00:00')
        """
        if not others:
            raise InvalidInputError("overlap() compares calendars; pass at least one other.")
        for other in others:
            if not isinstance(other, AnswersByInstant):
                raise InvalidInputError(
                    f"overlap() compares calendars, not {other!r}; make one with trading_calendar()."
                )
        phases = parse_phases(phase)
        begin, stop = self._slice(start, end)
        starts, ends, places = self._stretches(phases)
        mine = (places >= begin) & (places < stop)
        every = [(starts[mine], ends[mine])]
        for other in others:
            other._slice(start, end)
            every.append(other._stretches(phases)[:2])
        common = grid.common(every)
        at = grid.place_in(*self._whole, common[0])
        columns = {
            name: arguments.instant_index(values, tz=tz)
            for name, values in zip(("start", "end"), common, strict=True)
        }
        return pd.DataFrame(columns, index=self._labels[at])

    def plot(self, year: int, *, theme: ThemeName = "light") -> Figure:
        """Draw a year on one page: usual days, short days, closed days, with their names.

        Parameters
        ----------
        year
            A year that the rules cover.
        theme
            ``"light"`` or ``"dark"``.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        CalendarRangeError
            If the rules do not cover the whole year.
        """
        from mismartera_analytics.figures.sessions import year_of_sessions

        start, end = f"{year:04d}-01-01", f"{year:04d}-12-31"
        return year_of_sessions(
            self.sessions(start, end, tz=self.timezone),
            self.holidays(start, end),
            title=f"{self.name} {year}",
            timezone=self.timezone,
            theme=theme,
        )
