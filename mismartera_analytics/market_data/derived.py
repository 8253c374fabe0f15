"""Bars of an interval that is not stored, made on reading from shorter ones that are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data import asking, reading, validation
from mismartera_analytics.market_data.cuts import Hours, divides
from mismartera_analytics.market_data.resampling import resample_bars
from mismartera_analytics.market_data.scanning import stored_intervals

if TYPE_CHECKING:
    from collections.abc import Callable

    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.bar_table import BarTable
    from mismartera_analytics.market_data.reading import Window
    from mismartera_analytics.market_data.snapshots import Snapshot
    from mismartera_analytics.market_data.store import BarStore

__all__ = ["DerivedReading", "snapshot_then"]

AsOf = int | clock.InstantLike | None
_LONGEST_DAYS = {"d": 366, "w": 7, "mo": 31}
"""Calendar days that bars of one session (several end with their year), week or month span at most."""


def snapshot_then(table: BarTable, as_of: AsOf) -> Snapshot | None:
    """Return the version of a table that is asked for, None if it had none yet.

    Raises
    ------
    InvalidInputError
        If `as_of` is a number that is not among the versions that the table has.
    """
    history = table.history() if as_of is not None else []
    is_number = is_whole(as_of)
    if as_of is None or (history and is_number):
        snapshot = asking.snapshot_asked(table, as_of)
        return snapshot if snapshot.version >= 0 else None
    moment = None if is_number else clock.parse_instant(as_of, argument="as_of")  # type: ignore[arg-type]
    if not history or moment is None or history[0]["committed_at"] > moment:
        return None
    return asking.snapshot_asked(table, as_of)


@dataclass(frozen=True)
class DerivedReading:
    """Makes bars of the shorter ones that a store has.

    Attributes
    ----------
    store
        Where the shorter bars are read.
    table_of
        From an interval to the store's table.
    calendar
        Cuts the bars; None means that of each symbol.
    """

    store: BarStore
    table_of: Callable[[str], BarTable]
    calendar: TradingCalendar | None

    def read(
        self,
        names: Sequence[str],
        table: BarTable,
        bounds: tuple[clock.Bound | None, clock.Bound | None],
        asked: Window,
        *,
        adjust: Literal["split", "all"] | None,
        as_of: AsOf,
    ) -> pd.DataFrame:
        """Return bars made from the longest stored interval that divides theirs.

        Each symbol's are made from one interval, the longest of which it has any. Only whole bars are
        returned: those that start in the range, each from all its shorter ones.

        Parameters
        ----------
        names
            Symbols without bars of the interval.
        table
            Of the interval to make. Below a session the pre-market and post-market have bars too; a
            session and longer is made of regular hours.
        bounds, asked
            The range, as given and as the window of the interval.
        adjust, as_of
            As in `BarStore.read`; a number is a version of the shorter bars, unless there are bars of
            the interval, whose version it then is.

        Returns
        -------
        pandas.DataFrame
            As `frames.BARS`; ``attrs["derived_from"]`` names the intervals.

        Raises
        ------
        BarsNotFoundError
            If there are no shorter bars of a symbol either.
        InvalidInputError
            If there were none at `as_of`, or it is a number and symbols would be made from several
            intervals.
        """
        interval = table.layout.interval
        is_number = is_whole(as_of)
        fitting = [] if is_number and table.history() else self._fitting(interval, as_of)
        sources: dict[str, list[str]] = {}
        for source, known in fitting:
            taken = {name for own in sources.values() for name in own}
            own = [name for name in names if name in known and name not in taken]
            if own:
                sources[source] = own
        without = sorted({*names}.difference(*sources.values()))
        if without:
            self._refuse(without, table, as_of, [known for _, known in fitting])
        if is_number and len(sources) > 1:
            raise InvalidInputError(
                f"as_of={as_of} is a version of one interval's bars, but these {interval} bars are "
                f"made from {' and '.join(sources)} bars; give an instant."
            )
        parts = []
        for source, own in sources.items():
            end = _end_of_source(bounds[1], interval)
            shorter = self.store.read(own, source, bounds[0], end, adjust=adjust, as_of=as_of)
            hours: Hours = "extended" if interval.is_intraday else "regular"
            made = resample_bars(shorter, interval, self.calendar, hours=hours, source=source)
            parts.append(made[_in_window(made, asked)])
        frame = joined(parts)
        frame.attrs = {"derived_from": ", ".join(sources)}
        return frame

    def _fitting(self, interval: clock.Interval, as_of: AsOf) -> list[tuple[str, set[str]]]:
        """Return the stored intervals that divide another, the longest first, with their symbols."""
        stored = [clock.parse_interval(name) for name in stored_intervals(self.store)]
        shorter = [one for one in stored if one != interval and divides(one, interval)]
        found = []
        for source in sorted(shorter, key=_length, reverse=True):
            table = self.table_of(str(source))
            snapshot = snapshot_then(table, as_of)
            if snapshot is not None:
                found.append((str(source), set(reading.known_symbols(table, snapshot))))
        return found

    def _refuse(
        self, names: list[str], table: BarTable, as_of: AsOf, known: list[set[str]]
    ) -> NoReturn:
        """Raise the error that says why there are no bars."""
        snapshot = (
            table.snapshot() if as_of is None or known else asking.snapshot_asked(table, as_of)
        )
        every = set(reading.known_symbols(table, snapshot)).union(*known)
        raise asking.not_found(table.layout.interval, names, every, where=self.store.uri)


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames of bars of different symbols as one, sorted by symbol, with the last attrs."""
    filled = [part for part in parts if len(part)] or [reading.frame_of([])]
    together = (
        filled[0] if len(filled) == 1 else pd.concat(filled).sort_values("symbol", kind="stable")
    )
    frame = together.reset_index(drop=True)
    frame.attrs = parts[-1].attrs if parts else {}
    return frame


def _length(interval: clock.Interval) -> tuple[int, dt.timedelta, int]:
    """Return what intervals are sorted by."""
    if interval.is_intraday:
        return 0, interval.length, 0
    return ("d", "w", "mo").index(interval.unit) + 1, dt.timedelta(0), interval.count


def _end_of_source(end: clock.Bound | None, interval: clock.Interval) -> clock.Bound | None:
    """Return an end at which every bar that starts before the given one is complete."""
    is_instant = isinstance(end, dt.datetime)
    if end is not None and end.year == dt.MAXYEAR:
        return None
    if end is None or (interval.is_intraday and not is_instant):
        return end
    if interval.is_intraday:
        return end + interval.length
    if interval == clock.Interval(1, "d") and not is_instant:
        return end
    return end + dt.timedelta(days=_LONGEST_DAYS[interval.unit] * interval.count + 2)


def _in_window(bars: pd.DataFrame, asked: Window) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    time = validation.instants(bars["timestamp"])
    inside = (time >= asked.time_from) & (time < asked.time_to)
    if bars["session"].notna().any():
        label = validation.labels(bars["session"])
        inside &= (label >= asked.session_from) & (label < asked.session_to)
    return np.asarray(inside)
