"""Market hours and holidays: the rules from which trading calendars are made."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Boolean, Date, String, Time, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mismartera_analytics import clock
from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import PrimaryKey

__all__ = ["MarketHours", "MarketHoursPeriod", "TradingHoliday"]

_MIDNIGHT = dt.time()
_DAY = dt.timedelta(days=1)


class MarketHours(Base):
    """Hours of an exchange group and asset class; every time is local to `timezone`.

    An open later than the close belongs to the evening before the session's date; a close at 00:00 is
    the end of that date. Equal open and close mean 24 hours: from that date's midnight when both are
    00:00, else from the evening before. The same reading applies to the pre-market's open.
    """

    __tablename__ = "market_hours"
    __table_args__ = (UniqueConstraint("exchange_group", "asset_class"),)

    id: Mapped[PrimaryKey]
    exchange_group: Mapped[str] = mapped_column(String(50))
    asset_class: Mapped[str] = mapped_column(String(50))
    exchanges: Mapped[str | None] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(100))
    regular_open: Mapped[dt.time] = mapped_column(Time)
    regular_close: Mapped[dt.time] = mapped_column(Time)
    pre_market_open: Mapped[dt.time | None] = mapped_column(Time)
    post_market_close: Mapped[dt.time | None] = mapped_column(Time)
    trading_days: Mapped[str | None] = mapped_column(String(50), default="0,1,2,3,4")
    is_active: Mapped[bool | None] = mapped_column(Boolean, default=True)
    break_start: Mapped[dt.time | None] = mapped_column(Time)
    break_end: Mapped[dt.time | None] = mapped_column(Time)
    covers_from: Mapped[dt.date | None] = mapped_column(Date)
    covers_to: Mapped[dt.date | None] = mapped_column(Date)
    source: Mapped[str | None] = mapped_column(String(100))

    def get_regular_open_datetime(
        self, date: clock.LabelLike, target_timezone: str | None = None
    ) -> dt.datetime:
        """Return the instant at which the session of `date` opens.

        Parameters
        ----------
        date
            The session's date, or ISO text such as ``"2025-07-02"``.
        target_timezone
            IANA name of the zone to express it in; the market's own by default.

        Returns
        -------
        datetime.datetime
            Aware. The usual hours: holidays, early closes and earlier periods are the calendar's.

        Raises
        ------
        InvalidInputError
            If `date` is an instant or no day, a zone is unknown, or clocks skip that local time on
            that day.

        Examples
        --------
        >>> hours = MarketHours(timezone="America/New_York", regular_open=dt.time(9, 30),
        ...                     regular_close=dt.time(16))
        >>> hours.get_regular_open_datetime(dt.date(2025, 7, 2), target_timezone="UTC").isoformat()
        '2025-07-02T13:30:00+00:00'
        """
        label = clock.parse_label(date, argument="date")
        day = label - _DAY if self._opens_evening_before() else label
        return self._instant(day, self.regular_open, target_timezone)

    def get_regular_close_datetime(
        self, date: clock.LabelLike, target_timezone: str | None = None
    ) -> dt.datetime:
        """Return the instant at which the session of `date` closes.

        Parameters, returns and raises as in `get_regular_open_datetime`. A close at 00:00 is the end
        of that date.
        """
        label = clock.parse_label(date, argument="date")
        day = label + _DAY if self.regular_close == _MIDNIGHT else label
        return self._instant(day, self.regular_close, target_timezone)

    def get_pre_market_open_datetime(
        self, date: clock.LabelLike, target_timezone: str | None = None
    ) -> dt.datetime | None:
        """Return the instant at which the pre-market of `date` opens, or None where there is none.

        Parameters and raises as in `get_regular_open_datetime`. A pre-market that opens later on the
        clock than the regular session belongs to the evening before it.
        """
        if self.pre_market_open is None:
            return None
        label = clock.parse_label(date, argument="date")
        day = label - _DAY if self._opens_evening_before() else label
        if self.pre_market_open > self.regular_open:
            day -= _DAY
        return self._instant(day, self.pre_market_open, target_timezone)

    def get_post_market_close_datetime(
        self, date: clock.LabelLike, target_timezone: str | None = None
    ) -> dt.datetime | None:
        """Return the instant at which the post-market of `date` closes, or None where there is none.

        Parameters and raises as in `get_regular_open_datetime`. A post-market that closes earlier on
        the clock than the regular session ends on the next date.
        """
        if self.post_market_close is None:
            return None
        is_past = self.post_market_close < self.regular_close or self.regular_close == _MIDNIGHT
        label = clock.parse_label(date, argument="date")
        day = label + _DAY if is_past else label
        return self._instant(day, self.post_market_close, target_timezone)

    def _opens_evening_before(self) -> bool:
        if self.regular_open == self.regular_close:
            return self.regular_open != _MIDNIGHT
        return self.regular_close != _MIDNIGHT and self.regular_open > self.regular_close

    def _instant(self, day: dt.date, time: dt.time, target: str | None) -> dt.datetime:
        moment = clock.local_instant(day, time, self.timezone)
        if target is None:
            return moment
        return moment.astimezone(clock.zone(target, argument="target_timezone"))

    def __repr__(self) -> str:
        return f"MarketHours({self.exchange_group!r}, {self.asset_class!r}, {self.timezone!r})"


class MarketHoursPeriod(Base):
    """Hours and trading days that held in an earlier period, `valid_from` to `valid_to` included.

    A null `valid_from` means since ever. Times are local to the zone of the group's `MarketHours`.
    """

    __tablename__ = "market_hours_periods"
    __table_args__ = (UniqueConstraint("exchange_group", "asset_class", "valid_to"),)

    id: Mapped[PrimaryKey]
    exchange_group: Mapped[str] = mapped_column(String(50))
    asset_class: Mapped[str] = mapped_column(String(50))
    valid_from: Mapped[dt.date | None] = mapped_column(Date)
    valid_to: Mapped[dt.date] = mapped_column(Date)
    regular_open: Mapped[dt.time] = mapped_column(Time)
    regular_close: Mapped[dt.time] = mapped_column(Time)
    pre_market_open: Mapped[dt.time | None] = mapped_column(Time)
    post_market_close: Mapped[dt.time | None] = mapped_column(Time)
    break_start: Mapped[dt.time | None] = mapped_column(Time)
    break_end: Mapped[dt.time | None] = mapped_column(Time)
    trading_days: Mapped[str | None] = mapped_column(String(50), default="0,1,2,3,4")
    source: Mapped[str | None] = mapped_column(String(100))

    def __repr__(self) -> str:
        return f"MarketHoursPeriod({self.exchange_group!r}, {self.valid_from!s}..{self.valid_to!s})"


class TradingHoliday(Base):
    """A day that differs from the usual: closed, closed early, or opened late.

    `exchange` is an exchange group or one exchange; for each date the exchange's own row rules, then
    its group's. A row with a time is a day of other hours, whatever `is_closed` says (its default is
    true); one that is not closed and has no times, on a day that is no trading day, is an extra
    session.
    """

    __tablename__ = "trading_holidays"
    __table_args__ = (UniqueConstraint("exchange", "date"),)

    id: Mapped[PrimaryKey]
    exchange: Mapped[str] = mapped_column(String(50), index=True)
    date: Mapped[dt.date] = mapped_column(Date, index=True)
    holiday_name: Mapped[str | None] = mapped_column(String(100))
    is_closed: Mapped[bool | None] = mapped_column(Boolean, default=True)
    early_close_time: Mapped[dt.time | None] = mapped_column(Time)
    late_open_time: Mapped[dt.time | None] = mapped_column(Time)
    source: Mapped[str | None] = mapped_column(String(100))

    def __repr__(self) -> str:
        return f"TradingHoliday({self.exchange!r}, {self.date!s}, {self.holiday_name!r})"
