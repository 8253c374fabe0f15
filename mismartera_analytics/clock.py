"""Instants, session labels, ranges and intervals: every time that enters the library is read here."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from mismartera_analytics.errors import (
    InvalidInputError,
    NaiveDatetimeError,
    as_given,
    suggestion,
)

__all__ = [
    "FIRST_RECORD",
    "UTC",
    "Bound",
    "InstantLike",
    "Interval",
    "LabelLike",
    "local_instant",
    "parse_bound",
    "parse_instant",
    "parse_interval",
    "parse_label",
    "utc_now",
    "zone",
]

FIRST_RECORD = dt.date(1900, 1, 1)
"""No record of a trade is older: an earlier day is a slip of the pen."""
UTC = dt.UTC
InstantLike = dt.datetime | str
"""An aware `datetime` (pandas' Timestamp included) or ISO text with an offset."""
LabelLike = dt.date | str
"""A `date`, a naive midnight, or text such as ``"2025-07-02"``."""
Bound = dt.date | dt.datetime
"""One end of a range: a session label (`date`) or an instant (aware `datetime`)."""

_LABEL = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def utc_now() -> dt.datetime:
    """Return the current instant, aware, in UTC."""
    return dt.datetime.now(UTC)


def zone(name: str, *, argument: str = "tz") -> ZoneInfo:
    """Return the time zone of an IANA name.

    Parameters
    ----------
    name
        IANA name such as ``"America/New_York"``.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    zoneinfo.ZoneInfo

    Raises
    ------
    InvalidInputError
        If there is no such zone; the nearest name is suggested.

    Examples
    --------
    >>> zone("America/New_York").key
    'America/New_York'
    """
    if not isinstance(name, str):
        raise InvalidInputError(
            f"{argument}={as_given(name)} must be an IANA name such as 'Europe/London'."
        )
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        hint = suggestion(name, available_timezones())
        raise InvalidInputError(
            f"{argument}={as_given(name)} is not an IANA time "
            f"zone{hint or ' such as America/New_York.'}"
        ) from None


def local_instant(day: dt.date, time: dt.time, tz: str | dt.tzinfo) -> dt.datetime:
    """Return the instant of a local wall-clock time.

    Parameters
    ----------
    day, time
        Local date and time.
    tz
        Their time zone.

    Returns
    -------
    datetime.datetime
        Aware, in `tz`. Of a doubled hour (the end of daylight saving) the first is taken.

    Raises
    ------
    InvalidInputError
        If the time does not exist on that day (the start of daylight saving).

    Examples
    --------
    >>> local_instant(dt.date(2025, 7, 2), dt.time(9, 30), "America/New_York").isoformat()
    '2025-07-02T09:30:00-04:00'
    """
    info = zone(tz) if isinstance(tz, str) else tz
    local = dt.datetime.combine(day, time.replace(tzinfo=None), tzinfo=info)
    try:
        back = local.astimezone(UTC).astimezone(info)
    except OverflowError:
        raise InvalidInputError(
            f"{day} {time} in {info} lies outside the years 1 to 9999 in UTC."
        ) from None
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        raise InvalidInputError(
            f"{time} does not exist on {day} in {info}: clocks are set forward."
        )
    return local


def parse_instant(value: InstantLike, *, argument: str) -> dt.datetime:
    """Return an instant as an aware UTC datetime.

    Parameters
    ----------
    value
        An aware datetime, a pandas Timestamp, or ISO text with an offset.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    datetime.datetime
        Aware, in UTC, to the microsecond.

    Raises
    ------
    NaiveDatetimeError
        If the value has no time zone.
    InvalidInputError
        If the value is not a time.

    Examples
    --------
    >>> parse_instant("2025-11-02T01:30:00-05:00", argument="at").isoformat()
    '2025-11-02T06:30:00+00:00'
    """
    moment = value
    if isinstance(moment, str):
        try:
            moment = dt.datetime.fromisoformat(moment)
        except ValueError:
            raise InvalidInputError(
                f"{argument}={as_given(value)} is not a time; write it as '2025-07-02T09:30:00-04:00'."
            ) from None
    if not isinstance(moment, dt.datetime):
        raise InvalidInputError(
            f"{argument}={as_given(value)} is not an instant; pass a datetime with a time zone."
        )
    if moment != moment:  # NaT, which alone differs from itself
        raise InvalidInputError(f"{argument} is missing (NaT); pass a datetime with a time zone.")
    if moment.utcoffset() is None:
        like = "datetime(..., tzinfo=ZoneInfo('America/New_York'))"
        if isinstance(value, str):
            like = (
                f"'{moment.replace(tzinfo=ZoneInfo('America/New_York')).isoformat()}' for New York"
            )
        raise NaiveDatetimeError(
            f"{argument}={value!s} has no time zone; write it with one, for instance {like}."
        )
    if hasattr(moment, "to_pydatetime"):
        moment = moment.to_pydatetime(warn=False)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(
            f"{argument}={value!s} lies outside the years 1 to 9999 in UTC."
        ) from None


def parse_label(value: LabelLike, *, argument: str) -> dt.date:
    """Return a session label as a `date`.

    Parameters
    ----------
    value
        A date, a naive midnight, or text such as ``"2025-07-02"``.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    datetime.date

    Raises
    ------
    InvalidInputError
        If the value is not a day: an instant, a time of day, or other text.

    Examples
    --------
    >>> parse_label("2025-07-02", argument="start")
    datetime.date(2025, 7, 2)
    """
    bound = parse_bound(value, argument=argument)
    if isinstance(bound, dt.datetime):
        raise InvalidInputError(
            f"{argument}={value!s} is an instant; a session is named by its date, "
            f"for instance '2025-07-02'."
        )
    return bound


def parse_bound(value: LabelLike | InstantLike, *, argument: str) -> Bound:
    """Return one end of a range: a `date` for a session label, an aware datetime for an instant.

    Parameters
    ----------
    value
        Whatever `parse_label` or `parse_instant` takes.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    datetime.date or datetime.datetime

    Raises
    ------
    NaiveDatetimeError
        If the value has a time of day but no time zone.
    InvalidInputError
        If the value is neither a day nor a time.

    Examples
    --------
    >>> parse_bound("2025-07-02", argument="start")
    datetime.date(2025, 7, 2)
    """
    if isinstance(value, str) and _LABEL.match(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise InvalidInputError(
                f"{argument}={as_given(value)} is not a day of the calendar."
            ) from None
    if isinstance(value, dt.datetime):
        if value == value and not dt.MINYEAR <= value.year <= dt.MAXYEAR:  # pandas knows more years
            raise InvalidInputError(
                f"{argument}={as_given(value)} lies outside of the years {dt.MINYEAR} to {dt.MAXYEAR}."
            )
        is_midnight = (
            value.tzinfo is None and value == value and value.time() == dt.time()
        )  # not NaT
        return value.date() if is_midnight else parse_instant(value, argument=argument)
    if isinstance(value, dt.date):
        return value
    return parse_instant(value, argument=argument)


@dataclass(frozen=True)
class Interval:
    """The length of a bar.

    Attributes
    ----------
    count, unit
        Number and unit: seconds ``s``, minutes ``m``, hours ``h``, sessions ``d``, weeks ``w`` or
        months ``mo``.
    """

    count: int
    unit: Literal["s", "m", "h", "d", "w", "mo"]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def is_intraday(self) -> bool:
        """Whether the bar is shorter than a session."""
        return self.unit in ("s", "m", "h")

    @property
    def length(self) -> dt.timedelta:
        """Length of an intraday bar.

        Raises
        ------
        InvalidInputError
            If the interval is a session or longer: such bars end at their last session's close.
        """
        if not self.is_intraday:
            raise InvalidInputError(f"interval={self} has no fixed length; its sessions tell.")
        return self.count * dt.timedelta(seconds={"s": 1, "m": 60, "h": 3600}[self.unit])


_INTERVAL = re.compile(r"([1-9]\d*)(s|m|h|d|w|mo)\Z")
_UNITS: dict[str, Literal["s", "m", "h", "d", "w", "mo"]] = {
    "s": "s", "m": "m", "h": "h", "d": "d", "w": "w", "mo": "mo",
}  # fmt: skip


def parse_interval(value: str | Interval, *, argument: str = "interval") -> Interval:
    """Return the interval that a text such as ``"5m"`` names.

    Parameters
    ----------
    value
        A number and a unit out of ``s m h d w mo``. ``60s`` becomes ``1m`` and ``60m`` becomes ``1h``.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    Interval

    Raises
    ------
    InvalidInputError
        If the text is something else, a pandas alias for instance.

    Examples
    --------
    >>> str(parse_interval("60m"))
    '1h'
    """
    if isinstance(value, Interval):
        return value
    match = _INTERVAL.match(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInputError(
            f"{argument}={as_given(value)} is not an interval; write '1s', '5m', '1h', '1d', '1w' "
            f"or '1mo'."
        )
    count, unit = int(match[1]), match[2]
    for small, large in (("s", "m"), ("m", "h")):
        if unit == small and count % 60 == 0:
            count, unit = count // 60, large
    return Interval(count, _UNITS[unit])
