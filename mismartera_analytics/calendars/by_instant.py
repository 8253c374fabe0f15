"""A calendar's answers about instants: phases, sessions and bars, for one time or for arrays."""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.calendars import arguments, grid
from mismartera_analytics.calendars.build import MISSING
from mismartera_analytics.calendars.by_label import AnswersByLabel
from mismartera_analytics.calendars.phases import PHASES, Phase, parse_phases
from mismartera_analytics.errors import InvalidInputError

__all__ = ["AnswersByInstant"]

Int64s = NDArray[np.int64]
_NAT = np.datetime64("NaT", "us")
_MICROSECOND = dt.timedelta(microseconds=1)


class AnswersByInstant(AnswersByLabel):
    """What a calendar knows about instants."""

    @overload
    def phase(self, when: clock.InstantLike) -> Phase: ...
    @overload
    def phase(self, when: Any) -> Any: ...
    def phase(self, when: Any) -> Any:
        """Return the phase of the market at instants.

        Parameters
        ----------
        when
            An aware datetime, or a one-dimensional array, Series or index of instants.

        Returns
        -------
        str or pandas.Categorical
            ``pre_market``, ``regular``, ``break``, ``post_market`` or ``closed``.

        Raises
        ------
        NaiveDatetimeError
            If an instant has no time zone.
        CalendarRangeError
            If an instant lies outside the range that the rules cover.
        """
        if arguments.is_scalar(when):
            return PHASES[self._code(when)]
        names: Any = list(PHASES)
        return pd.Categorical.from_codes(self._codes(when, argument="when"), categories=names)

    @overload
    def is_open(self, when: clock.InstantLike, *, phase: str | Sequence[str] = ...) -> bool: ...
    @overload
    def is_open(self, when: Any, *, phase: str | Sequence[str] = ...) -> Any: ...
    def is_open(self, when: Any, *, phase: str | Sequence[str] = "regular") -> Any:
        """Whether the market is open at instants; breaks are left out.

        Parameters
        ----------
        when
            As in `phase`.
        phase
            Which phases count as open: one, several, or ``"all"`` for extended hours too.

        Returns
        -------
        bool or ndarray of bool

        Raises
        ------
        NaiveDatetimeError, CalendarRangeError
            As in `phase`.
        InvalidInputError
            If `phase` names no phase.
        """
        if isinstance(phase, str) and phase == "regular":
            if isinstance(when, dt.datetime) or arguments.is_scalar(when):
                return self._code(when) == _REGULAR
            return self._codes(when, argument="when") == _REGULAR
        counts = np.array([name in parse_phases(phase) for name in PHASES])
        if arguments.is_scalar(when):
            return bool(counts[self._code(when)])
        return counts[self._codes(when, argument="when")]

    def session_of(self, timestamps: Any) -> Any:
        """Return the session to which instants belong, pre-market, break and post-market included.

        Parameters
        ----------
        timestamps
            An aware datetime, or a one-dimensional array, Series or index of instants.

        Returns
        -------
        datetime.date or None, or pandas.DatetimeIndex
            Label of the session; None or NaT where the market is closed.

        Raises
        ------
        NaiveDatetimeError
            If an instant has no time zone.
        CalendarRangeError
            If an instant lies outside the range that the rules cover.
        """
        starts, ends = self._whole
        if arguments.is_scalar(timestamps):
            number = self._instant(timestamps, argument="timestamps")
            at = bisect_right(starts, number) - 1
            return self._date(at) if at >= 0 and number < ends[at] else None
        numbers = self._instants(timestamps, argument="timestamps")
        places = grid.place_in(starts, ends, numbers)
        return pd.DatetimeIndex(self._labels_or_nat[places], name="session", copy=False)

    def minutes(
        self,
        start: clock.LabelLike | clock.InstantLike,
        end: clock.LabelLike | clock.InstantLike,
        *,
        interval: str | clock.Interval = "1m",
        phase: str | Sequence[str] = "regular",
        tz: str | None = None,
    ) -> pd.DatetimeIndex:
        """Return the start of every bar that the market's hours hold; breaks are left out.

        Parameters
        ----------
        start, end
            Labels, both included: whole sessions. Or instants: bars that start in ``[start, end)``.
        interval
            Length of a bar, shorter than a session: ``"1m"``, ``"5s"``, ``"1h"`` … Bars are counted
            from the start of their phase (after a break, from its end); the last one of a phase may
            be shorter.
        phase
            One phase, several, or ``"all"`` for pre-market, regular and post-market.
        tz
            IANA zone of the result; UTC by default.

        Returns
        -------
        pandas.DatetimeIndex
            ``datetime64[us, UTC]``, in order.

        Raises
        ------
        CalendarRangeError
            If a bound lies outside the range that the rules cover.
        InvalidInputError
            If the interval is not intraday or `phase` names no phase.

        Examples
        --------
        >>> len(ma.trading_calendar("NYSE").minutes("2025-11-28", "2025-11-28"))
        210
        """
        step = _step(interval)
        starts, ends, places = self._stretches(parse_phases(phase))
        bounds = [
            clock.parse_bound(start, argument="start"),
            clock.parse_bound(end, argument="end"),
        ]
        begin, stop = self._session_range(bounds[0], bounds[1])
        chosen = slice(int(np.searchsorted(places, begin)), int(np.searchsorted(places, stop)))
        numbers = grid.bar_starts(starts[chosen], ends[chosen], step)
        low = high = None
        if isinstance(bounds[0], dt.datetime):
            low = np.searchsorted(numbers, arguments.number_of(bounds[0]))
        if isinstance(bounds[1], dt.datetime):
            high = np.searchsorted(numbers, arguments.number_of(bounds[1]))
        return arguments.instant_index(numbers[low:high], tz=tz)

    def align(
        self,
        times: Any,
        *,
        interval: str | clock.Interval,
        phase: str | Sequence[str] = "regular",
    ) -> pd.DatetimeIndex:
        """Return the start of the bar to which instants belong.

        Parameters
        ----------
        times
            One-dimensional array, Series or index of instants.
        interval
            As in `minutes`; also ``"1d"``, ``"1w"``, ``"1mo"`` and multiples of them, as
            `grid.period_firsts` counts them, whose bars start at the regular open of their first
            session.
        phase
            Which phases have bars; instants of others belong to none. For ``"1d"`` and longer, the
            session's own.

        Returns
        -------
        pandas.DatetimeIndex
            ``datetime64[us, UTC]``; NaT where no bar holds the instant.

        Raises
        ------
        NaiveDatetimeError, CalendarRangeError
            As in `phase`.
        InvalidInputError
            If there are no such bars.
        """
        numbers = self._instants(times, argument="times")
        parsed = clock.parse_interval(interval)
        if not parsed.is_intraday:
            places = grid.place_in(*self._whole, numbers)
            first = grid.period_firsts(self._sessions.labels, parsed)
            firsts = self._sessions.regular_open[first]
            return arguments.instant_index(np.append(firsts, MISSING)[places])
        starts, ends, _ = self._stretches(parse_phases(phase))
        places = grid.place_in(starts, ends, numbers)
        step = _step(parsed)
        begun = np.append(starts, MISSING)[places]
        aligned = begun + (numbers - begun) // step * step
        return arguments.instant_index(np.where(places < 0, MISSING, aligned))

    def stretches(self, *, phase: str | Sequence[str] = "regular") -> tuple[Int64s, Int64s, Int64s]:
        """Return when phases start and end, as arrays: what bars are cut from.

        Parameters
        ----------
        phase
            One phase, several, or ``"all"``. A regular session with a break gives two stretches.

        Returns
        -------
        starts, ends : ndarray of int64
            In order and apart [microseconds since 1970, UTC]; not to be written to.
        places : ndarray of int64
            Of the session of each among `labels`.

        Raises
        ------
        InvalidInputError
            If `phase` names no phase.

        Examples
        --------
        >>> starts, ends, places = ma.trading_calendar("TSE").stretches()
        >>> bool(places[0] == places[1])  # before and after the break of one session
        True
        """
        return self._stretches(parse_phases(phase))

    def _session_range(self, start: clock.Bound, end: clock.Bound) -> tuple[int, int]:
        """Return the places of the sessions that share a moment with a range, all phases counted."""
        starts, ends = self._whole
        if isinstance(start, dt.datetime):
            begin = int(np.searchsorted(ends, self._instant(start, argument="start"), side="right"))
        else:
            begin = self._slice(start, None)[0]
        if isinstance(end, dt.datetime):
            last = self._checked_end(arguments.number_of(end))
            stop = int(np.searchsorted(starts, last, side="left"))
        else:
            stop = self._slice(None, end)[1]
        is_label = not isinstance(start, dt.datetime), not isinstance(end, dt.datetime)
        if begin > stop or (is_label[0] == is_label[1] and start > end):
            raise InvalidInputError(f"start={start} lies after end={end}; exchange them.")
        return begin, stop

    @functools.cached_property
    def _whole(self) -> tuple[Int64s, Int64s]:
        """First and last instant of each session, all phases counted."""
        return self._sessions.starts, self._sessions.ends

    @functools.cached_property
    def _labels_or_nat(self) -> NDArray[np.datetime64]:
        """The labels, and at place -1 NaT."""
        return np.append(self._labels.to_numpy(), _NAT)

    def _stretches(self, phases: frozenset[Phase]) -> tuple[Int64s, Int64s, Int64s]:
        """Return starts, ends and places of the sessions of given phases; made once."""
        if phases not in self._stretches_made:
            made = grid.stretches(self._sessions, phases)
            for array in made:
                array.flags.writeable = False
            self._stretches_made[phases] = made
        return self._stretches_made[phases]

    @functools.cached_property
    def _stretches_made(self) -> dict[frozenset[Phase], tuple[Int64s, Int64s, Int64s]]:
        return {}

    @functools.cached_property
    def _edges(self) -> tuple[Int64s, NDArray[np.int8]]:
        """Return every instant at which the phase changes, and the phase from then on."""
        every = self._sessions
        columns: list[tuple[Int64s, Phase]] = [
            (every.pre_market_open, "pre_market"),
            (every.regular_open, "regular"),
            (every.break_start, "break"),
            (every.break_end, "regular"),
            (every.regular_close, "post_market"),
            (every.post_market_close, "closed"),
        ]
        times = np.column_stack([values for values, _ in columns])
        row = np.array([PHASES.index(name) for _, name in columns], np.int8)
        codes = np.tile(row, (len(self), 1))
        codes[every.post_market_close == MISSING, 4] = 0
        is_there = times != MISSING
        return (
            np.append(np.int64(MISSING), times[is_there]),
            np.append(np.int8(0), codes[is_there]).astype(np.int8),
        )

    @functools.cached_property
    def _edge_lists(self) -> tuple[list[int], list[int]]:
        edges, codes = self._edges
        return list(edges.tolist()), list(codes.tolist())

    def _code(self, when: Any) -> int:
        number = arguments.instant_number(when, argument="when")
        if not self._known[0] <= number < self._known[1]:
            raise self._out_of_range("when", when)
        edges, codes = self._edge_lists
        return codes[bisect_right(edges, number) - 1]

    def _codes(self, when: Any, *, argument: str) -> NDArray[np.int8]:
        edges, codes = self._edges
        numbers = self._instants(when, argument=argument)
        if numbers.size > 4 * edges.size and bool((numbers[1:] >= numbers[:-1]).all()):
            lengths = np.diff(np.searchsorted(numbers, edges), append=numbers.size)
            return np.repeat(codes, lengths)
        return codes[np.searchsorted(edges, numbers, side="right") - 1]


_REGULAR = PHASES.index("regular")


def _step(interval: str | clock.Interval) -> int:
    """Return the length of an intraday bar in microseconds."""
    parsed = clock.parse_interval(interval)
    if not parsed.is_intraday:
        raise InvalidInputError(
            f"interval={parsed} is a session or longer; sessions(), opens() and closes() tell those."
        )
    return parsed.length // _MICROSECOND
