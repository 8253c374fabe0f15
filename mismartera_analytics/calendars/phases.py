"""One trading session, and the phases of a trading day."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.frames.given import listed

__all__ = ["PHASES", "Phase", "TradingSession", "parse_phases"]

Phase = Literal["closed", "pre_market", "regular", "break", "post_market"]
PHASES: tuple[Phase, ...] = get_args(Phase)
"""Every phase; its place is its code in arrays."""


def parse_phases(value: str | Sequence[str], *, argument: str = "phase") -> frozenset[Phase]:
    """Return the phases that an argument names.

    Parameters
    ----------
    value
        One phase or several out of ``pre_market``, ``regular``, ``break`` and ``post_market``; ``all``
        means the three in which there is trading.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    frozenset of str

    Raises
    ------
    InvalidInputError
        If there is no such phase, or none is named.

    Examples
    --------
    >>> sorted(parse_phases("all"))
    ['post_market', 'pre_market', 'regular']
    """
    given = listed(value, argument=argument)
    wanted: set[Phase] = set()
    for name in given:
        if is_one_of(name, ("all",)):
            wanted |= {"pre_market", "regular", "post_market"}
            continue
        is_text = isinstance(name, str)
        found = next((phase for phase in PHASES[1:] if is_text and phase == name), None)
        if found is None:
            hint = suggestion(name, ["all", *PHASES[1:]]) or "."
            raise InvalidInputError(
                f"{argument}={as_given(name)} is not a phase{hint} Allowed: all, "
                f"{', '.join(PHASES[1:])}."
            )
        wanted.add(found)
    if not wanted:
        raise InvalidInputError(f"{argument} is empty; name at least one phase, such as 'regular'.")
    return frozenset(wanted)


@dataclass(frozen=True)
class TradingSession:
    """One day's hours on one exchange; every time is aware, in `timezone`.

    Attributes
    ----------
    date
        The session's label.
    exchange, asset_class, timezone
        Of the calendar.
    regular_open, regular_close, pre_market_open, post_market_close, break_start, break_end
        Instants; None for a phase that the session does not have.
    is_early_close, is_late_open
        Whether the regular hours are cut short.
    holiday_name
        Name of the day that changed the hours, None where the day is usual or has no name.
    """

    date: dt.date
    exchange: str
    asset_class: str
    timezone: str
    regular_open: dt.datetime
    regular_close: dt.datetime
    pre_market_open: dt.datetime | None = None
    post_market_close: dt.datetime | None = None
    break_start: dt.datetime | None = None
    break_end: dt.datetime | None = None
    is_early_close: bool = False
    is_late_open: bool = False
    holiday_name: str | None = None

    @property
    def phases(self) -> tuple[tuple[Phase, dt.datetime, dt.datetime], ...]:
        """The phases of the session in order: name, start, and end (which is not part of it)."""
        edges: list[tuple[Phase, dt.datetime | None]] = [
            ("pre_market", self.pre_market_open),
            ("regular", self.regular_open),
            ("break", self.break_start),
            ("regular", self.break_end),
            ("post_market" if self.post_market_close else "closed", self.regular_close),
            ("closed", self.post_market_close),
        ]
        there = [(name, moment) for name, moment in edges if moment is not None]
        return tuple(
            (name, start, end)
            for (name, start), (_, end) in itertools.pairwise(there)
            if start < end and name != "closed"
        )

    def phase(self, when: clock.InstantLike) -> Phase:
        """Return the phase of this session at an instant; outside it, ``"closed"``.

        Parameters
        ----------
        when
            An aware datetime.

        Returns
        -------
        str
            ``pre_market``, ``regular``, ``break``, ``post_market`` or ``closed``.

        Raises
        ------
        NaiveDatetimeError
            If `when` has no time zone.

        Examples
        --------
        >>> noon = dt.datetime(2025, 7, 2, 12, tzinfo=dt.UTC)
        >>> hours = dt.timedelta(hours=2)
        >>> session = TradingSession(
        ...     noon.date(), "LSE", "EQUITY", "UTC", noon - hours, noon + hours
        ... )
        >>> session.phase(noon), session.phase(noon + hours)
        ('regular', 'closed')
        """
        moment = clock.parse_instant(when, argument="when")
        for name, start, end in self.phases:
            if start <= moment < end:
                return name
        return "closed"

    def is_open(self, when: clock.InstantLike) -> bool:
        """Whether the regular session is on at an instant, breaks left out; errors as in `phase`."""
        return self.phase(when) == "regular"
