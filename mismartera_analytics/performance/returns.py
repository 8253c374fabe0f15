"""Returns that say whose sessions they are of, how long each is, in which currency and after what."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.performance.observations import (
    DAYS_PER_YEAR,
    Annualisation,
    annualisation,
    check_order,
    observations,
)

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["Basis", "Returns"]

Basis = Literal["gross", "net"]
_ASKED = {
    "calendar": "whose sessions these are, such as 'NYSE'",
    "interval": "how long each observation is, such as '1d'",
    "currency": "what the values were measured in, such as 'USD'",
    "basis": "'gross' of costs or 'net' of them",
}
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


@dataclass(frozen=True, eq=False, repr=False)
class Returns:
    """Simple returns of one record, with what numbers alone do not say.

    Every metric takes one in place of a Series. A year is then what the calendar had, also for records
    that are short, have gaps, or are of bars within sessions.

    Parameters
    ----------
    values
        Simple returns [1], shape (n,). Of sessions, weeks or months: labelled by session, naive
        midnights. Of bars within sessions: labelled by the bars' starts, aware instants. NaN is an
        observation without a return.
    calendar
        A `TradingCalendar`, or its name.
    interval
        Length of each observation: ``"1d"``, ``"1h"``, ``"5m"``, ``"1w"``, ``"1mo"`` …
    currency
        ISO code.
    basis
        ``"gross"`` of costs or ``"net"`` of them.

    Raises
    ------
    InvalidInputError
        If one of them is not given: none is guessed. If the values are no returns, a label is no
        session or lies in none, or the labels are not as far apart as the interval says.
    UnknownNameError
        If no market has the calendar's name.
    CalendarRangeError
        If the calendar does not cover the labels.

    Examples
    --------
    >>> days = ma.trading_calendar("NYSE").labels("2024-01-02", "2024-12-31")
    >>> record = Returns(
    ...     pd.Series(0.001, index=days), calendar="NYSE", interval="1d", currency="USD", basis="net"
    ... )
    >>> record
    Returns(252 of 1d on NYSE sessions, USD, net of costs, 2024-01-02 to 2024-12-31)
    >>> round(record.year.periods_per_year, 1)
    251.9
    """

    values: pd.Series[float]
    calendar: TradingCalendar | str | None = None
    interval: clock.Interval | str | None = None
    currency: str | None = None
    basis: Basis | None = None

    def __post_init__(self) -> None:
        missing = [name for name in _ASKED if getattr(self, name) is None]
        if missing:
            asked = "; ".join(f"{name}= ({_ASKED[name]})" for name in missing)
            raise InvalidInputError(
                f"returns alone do not tell {' and '.join(missing)}; pass {asked}."
            )
        self._set("calendar", _calendar_of(self.calendar))
        self._set("interval", clock.parse_interval(self.interval or ""))
        if not (isinstance(self.currency, str) and _CURRENCY.match(self.currency)):
            raise InvalidInputError(
                f"currency={as_given(self.currency)} must be an ISO code of three capitals, such as "
                f"'USD'."
            )
        if self.basis not in ("gross", "net"):
            raise InvalidInputError(f"basis={as_given(self.basis)} must be 'gross' or 'net'.")
        self._set("values", _checked(self.values, self.bar, self.market))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def from_prices(
        cls,
        prices: pd.Series[float],
        *,
        calendar: TradingCalendar | str | None = None,
        interval: clock.Interval | str | None = None,
        currency: str | None = None,
        basis: Basis | None = None,
    ) -> Returns:
        """Return the returns from each price to the next.

        Parameters
        ----------
        prices
            Prices above zero [currency], labelled as `values`. The first has no return: it is not part
            of the record.
        calendar, interval, currency, basis
            As in the class.

        Raises
        ------
        InvalidInputError
            If a price is missing or not above zero, or as in the class.

        Examples
        --------
        >>> prices = ma.bars("AAPL", "1d", "2012-11-01", "2012-11-30").set_index("session")["close"]
        >>> Returns.from_prices(
        ...     prices, calendar="NYSE", interval="1d", currency="USD", basis="gross"
        ... ).values.size
        20
        """
        if not isinstance(prices, pd.Series):
            raise InvalidInputError(f"prices is a {type(prices).__name__}; pass a labelled Series.")
        numbers = numbers_in(prices)
        bad = ~(np.isfinite(numbers) & (numbers > 0.0))
        if bad.any():
            at = prices.index[bad][0]
            raise InvalidInputError(
                f"prices holds {as_given(prices[bad].iloc[0])} at {at}; every price must be above zero."
            )
        changes = pd.Series(numbers[1:] / numbers[:-1] - 1.0, prices.index[1:], name=prices.name)
        return cls(changes, calendar, interval, currency, basis)

    @property
    def market(self) -> TradingCalendar:
        """The calendar, looked up."""
        return self.calendar  # type: ignore[return-value]

    @property
    def bar(self) -> clock.Interval:
        """The interval, parsed."""
        return self.interval  # type: ignore[return-value]

    @property
    def description(self) -> str:
        """What the numbers are, in words."""
        costs = "net of costs" if self.basis == "net" else "gross of costs"
        return f"{self.bar} on {self.market.name} sessions, {self.currency}, {costs}"

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        labels = self.values.index
        span = f", {labels[0]:%Y-%m-%d} to {labels[-1]:%Y-%m-%d}" if len(labels) else ""
        return f"Returns({len(labels):,} of {self.description}{span})"

    @functools.cached_property
    def year(self) -> Annualisation:
        """How many observations the calendar had a year [1/year].

        Its sessions between the first label and the last are counted as in `annualisation`; those of
        the year up to the last label where the record is shorter than a year. Of bars within sessions,
        the bars that those sessions' regular hours hold.

        Raises
        ------
        InvalidInputError
            If there is no observation.
        """
        if not len(self.values):
            raise InvalidInputError("returns without an observation have no year; pass some.")
        bar, name = self.bar, self.market.name
        if bar.unit in ("w", "mo"):
            weeks = DAYS_PER_YEAR / 7
            count = (weeks if bar.unit == "w" else 12.0) / bar.count
            return Annualisation(count, f"{count:g} of {bar} a year")
        sessions = self._counted()
        year = annualisation(sessions)
        span = f"{sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}"
        told = f"{year.periods_per_year:.1f} sessions of {name} a year, {span}"
        if bar.is_intraday:
            held = len(self.market.minutes(sessions[0], sessions[-1], interval=bar)) / len(sessions)
            return Annualisation(
                year.periods_per_year * held, f"{held:.2f} bars of {bar} a session; {told}"
            )
        if bar.count > 1:
            return Annualisation(year.periods_per_year / bar.count, f"every {bar.count}; {told}")
        return Annualisation(year.periods_per_year, told)

    @functools.cached_property
    def known_year(self) -> Annualisation | None:
        """The same, or None without observations: what makes a year is then left open."""
        return self.year if len(self.values) else None

    def _counted(self) -> pd.DatetimeIndex:
        """Return the calendar's sessions over the record, or over a year up to its end."""
        labels = self.by_session().values.index
        last = labels[-1]
        first = min(labels[0], last - pd.DateOffset(years=1) + pd.Timedelta(days=1))
        return self.market.labels(max(first, pd.Timestamp(self.market.covers_from)), last)

    def by_session(self) -> Returns:
        """Return the same record with one observation a session, if it has several.

        Bars within sessions are compounded; a session is NaN where all its bars are. A record of
        sessions, weeks or months is returned as it is.
        """
        if not self.bar.is_intraday:
            return self
        from mismartera_analytics.performance.tables import compounded

        sessions = self.market.session_of(self.values.index)
        values = compounded(self.values, [sessions]).reindex(sessions.unique())
        values = values.rename_axis("session").rename(self.values.name)  # type: ignore[call-overload]
        return Returns(values, self.market, "1d", self.currency, self.basis)


def _calendar_of(calendar: Any) -> TradingCalendar:
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.calendars.sessions import TradingCalendar

    if isinstance(calendar, TradingCalendar):
        return calendar
    if not isinstance(calendar, str):
        raise InvalidInputError(
            f"calendar={as_given(calendar)} must be a market's name, such as 'NYSE', or a "
            f"TradingCalendar."
        )
    return trading_calendar(calendar)


def _checked(values: Any, bar: clock.Interval, calendar: TradingCalendar) -> pd.Series[float]:
    """Return returns whose labels are what calendar and interval say."""
    if not (isinstance(values, pd.Series) and isinstance(values.index, pd.DatetimeIndex)):
        found = values.index.dtype if isinstance(values, pd.Series) else type(values).__name__
        raise InvalidInputError(
            f"values must be a Series labelled by session, or by the starts of bars; this is {found}."
        )
    labels = values.index
    if bar.is_intraday:
        if labels.tz is None:
            raise InvalidInputError(
                f"values has naive labels; returns of {bar} bars are labelled by instants: "
                f"values.tz_localize(the zone of the times)."
            )
        check_order(labels, "values")
        numbers = observations(values.reset_index(drop=True), argument="values").values[:, 0]
        labels = labels.tz_convert("UTC").as_unit("us")
        _check_bars(labels, bar, calendar)
    else:
        numbers = observations(values, argument="values").values[:, 0]
        labels = labels.as_unit("us")
        _check_labels(labels, bar, calendar)
    return pd.Series(numbers, labels, name=values.name, dtype="float64")


def _check_bars(labels: pd.DatetimeIndex, bar: clock.Interval, calendar: TradingCalendar) -> None:
    outside = calendar.session_of(labels).isna()
    if outside.any():
        raise InvalidInputError(
            f"values has a return at {labels[outside][0]}, outside of the hours of {calendar.name}; "
            f"is calendar= right?"
        )
    steps = np.diff(labels.asi8)
    if len(steps) and int(np.median(steps)) != bar.length.total_seconds() * 1_000_000:
        raise InvalidInputError(
            f"interval={as_given(str(bar))} does not fit: most labels are "
            f"{pd.Timedelta(int(np.median(steps)), 'us')} apart."
        )


def _check_labels(labels: pd.DatetimeIndex, bar: clock.Interval, calendar: TradingCalendar) -> None:
    if not len(labels):
        return
    sessions = calendar.labels(labels[0], labels[-1])
    at = sessions.get_indexer(labels)
    if bar.unit == "d" and (at < 0).any():
        raise InvalidInputError(
            f"values has a return on {labels[at < 0][0]:%Y-%m-%d}, when {calendar.name} had no "
            f"session; is calendar= right?"
        )
    days = {"w": 7.0, "mo": DAYS_PER_YEAR / 12}.get(bar.unit, 1.0) * bar.count
    steps = np.diff(at) if bar.unit == "d" else np.diff(labels.asi8) / 86_400_000_000
    if len(steps) and not 0.8 * days <= float(np.median(steps)) <= 1.25 * days:
        unit = "sessions" if bar.unit == "d" else "days"
        raise InvalidInputError(
            f"interval={as_given(str(bar))} does not fit: most labels are {np.median(steps):g} "
            f"{unit} apart."
        )
