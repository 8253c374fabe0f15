"""Which symbols and times: the filters that the helpers share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.frames.given import listed

__all__ = ["among", "instant_bounds", "names_of", "within"]

ZONE_OF_LABELS = "America/New_York"
"""Zone whose midnights bound a range of labels where rows have instants only."""


def names_of(values: str | Iterable[str] | None, *, argument: str) -> list[str] | None:
    """Return the texts of a filter, checked; None means no filter.

    Raises
    ------
    InvalidInputError
        If a value is not text, or blank.
    """
    if values is None:
        return None
    names = listed(values, argument=argument)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError(f"{argument} holds {name!r}; each must be text.")
    return names


def among(column: Any, names: Sequence[str] | None) -> list[ColumnElement[bool]]:
    """Return the condition that a column holds one of some names; none where all are asked for."""
    return [] if names is None else [column.in_(names)]


def instant_bounds(
    start: clock.LabelLike | clock.InstantLike | None,
    end: clock.LabelLike | clock.InstantLike | None,
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return a time range as instants ``[low, high)``: of labels both ends are included.

    Raises
    ------
    NaiveDatetimeError
        If a bound has a time of day but no zone.
    InvalidInputError
        If a bound cannot be read, or `start` comes after `end`.
    """
    low = _instant(start, argument="start", days=0)
    high = _instant(end, argument="end", days=1)
    if low is not None and high is not None and end is not None:
        ends_with_a_day = not isinstance(clock.parse_bound(end, argument="end"), dt.datetime)
        if low > high or (ends_with_a_day and low == high):
            raise InvalidInputError(f"start={start} comes after end={end}.")
    return low, high


def within(
    column: Any,
    start: clock.LabelLike | clock.InstantLike | None,
    end: clock.LabelLike | clock.InstantLike | None,
) -> list[ColumnElement[bool]]:
    """Return the conditions that hold a column within `instant_bounds`; errors as there."""
    low, high = instant_bounds(start, end)
    conditions = []
    if low is not None:
        conditions.append(column >= low)
    if high is not None:
        conditions.append(column < high)
    return conditions


def _instant(value: Any, *, argument: str, days: int) -> dt.datetime | None:
    if value is None:
        return None
    bound = clock.parse_bound(value, argument=argument)
    if isinstance(bound, dt.datetime):
        return bound
    if bound > dt.date.max - dt.timedelta(days=days):  # 9999-12-31, as some write "for ever"
        return None
    midnight = clock.local_instant(bound + dt.timedelta(days=days), dt.time(), ZONE_OF_LABELS)
    return midnight.astimezone(clock.UTC)
