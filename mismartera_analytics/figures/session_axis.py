"""A time axis of sessions: nights and weekends take no room, breaks a little, labels are local."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.columns import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from mismartera_analytics.figures.style import Theme

    Floats = NDArray[np.float64]

__all__ = ["SessionAxis", "Stretch", "session_ticks"]

_STEPS = (5, 10, 15, 30, 60, 120, 180, 360)  # [minutes]
_BREAK = 0.012
"""Room of a break, as a share of the axis."""
_PHASES = (
    ("pre-market", "pre_market_open", "regular_open"),
    ("regular", "regular_open", "break_start"),
    ("regular", "break_end", "regular_close"),
    ("post-market", "regular_close", "post_market_close"),
)


@dataclass(frozen=True)
class Stretch:
    """A phase of a session, or its part before or after a break, on the axis.

    Attributes
    ----------
    place
        Which session it is of, counted from 0.
    phase
        ``pre-market``, ``regular`` or ``post-market``.
    start, end
        Instants.
    left
        Where it begins on the axis [minutes].
    """

    place: int
    phase: str
    start: pd.Timestamp
    end: pd.Timestamp
    left: float

    @property
    def right(self) -> float:
        """Where it ends on the axis [minutes]."""
        return self.left + (self.end - self.start) / pd.Timedelta(minutes=1)


class SessionAxis:
    """Instants of sessions to places on an axis.

    Parameters
    ----------
    sessions
        `frames.SESSIONS` indexed by label, instants in the zone that labels are written in.
    times
        Instants that are to be shown; sessions without one are left out, and so are the extended
        hours if none lies in them.

    Raises
    ------
    InvalidInputError
        If columns are missing.
    """

    def __init__(self, sessions: pd.DataFrame, times: pd.Series) -> None:
        names = {name for _, *edges in _PHASES for name in edges}
        require(sessions, *sorted(names), "is_early_close", argument="sessions")
        self.zone: Any = sessions["regular_open"].dt.tz
        moments = np.sort(_plain_all(times))
        found = []
        for _, session in sessions.sort_index().iterrows():
            spans = [span for span in _spans(session) if _holds(moments, *span[1:])]
            regular = [span for span in _spans(session) if span[0] == "regular"]
            if spans:
                extended = [span for span in spans if span[0] != "regular"]
                found.append((session, sorted(extended + regular, key=lambda span: span[1])))
        self.sessions: list[Any] = [session for session, _ in found]
        total = sum((end - start).total_seconds() / 60 for _, s in found for _, start, end in s)
        self.gap = _BREAK * total
        self.stretches: list[Stretch] = []
        left = 0.0
        for place, (_, spans) in enumerate(found):
            for number, (phase, start, end) in enumerate(spans):
                if number and start > spans[number - 1][2]:
                    left += self.gap
                self.stretches.append(Stretch(place, phase, start, end, left))
                left = self.stretches[-1].right
        self.length = left

    def places(self, times: pd.Series) -> Floats:
        """Return where instants lie; NaN outside of the stretches."""
        moments = _plain_all(times)
        found = np.full(len(moments), np.nan)
        for stretch in self.stretches:
            begin, end = _plain(stretch.start), _plain(stretch.end)
            inside = (moments >= begin) & (moments < end)
            found[inside] = stretch.left + (moments[inside] - begin) / np.timedelta64(1, "m")
        return found

    def ends(self, places: Floats) -> Floats:
        """Return the end of the stretch in which each place lies."""
        lefts = np.array([stretch.left for stretch in self.stretches])
        rights = np.array([stretch.right for stretch in self.stretches])
        at = np.maximum(np.searchsorted(lefts, places, side="right") - 1, 0)
        return np.asarray(rights[at])

    def breaks(self) -> list[tuple[Stretch, Stretch]]:
        """Return the stretches of one session between which there is a break."""
        pairs = zip(self.stretches, self.stretches[1:], strict=False)
        return [(a, b) for a, b in pairs if a.place == b.place and b.left > a.right]

    def label(self, axes: Axes, *, most: int) -> None:
        """Label the axis: the date below each session's first time, clock times between."""
        ticks = self._clock_ticks(most) or self._day_ticks(most)
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.set_xlim(0.0, self.length)
        if ticks and ticks[0][0] == 0.0:  # a date would reach far out of the axes
            axes.get_xticklabels()[0].set_horizontalalignment("left")

    def _clock_ticks(self, most: int) -> list[tuple[float, str]]:
        for step in _STEPS:
            ticks: list[tuple[float, str]] = []
            for stretch in self.stretches:
                is_first = stretch.left == 0 or self._begins(stretch)
                for moment in _clock(stretch, step, self.zone, with_start=is_first):
                    place = stretch.left + (moment - stretch.start) / pd.Timedelta(minutes=1)
                    text = f"{moment.tz_convert(self.zone):%H:%M}"
                    if moment == stretch.start and is_first:
                        text += "\n" + self._date(stretch.place)
                    ticks.append((place, text))
            if len(ticks) <= most:
                return ticks
        return []

    def _date(self, place: int) -> str:
        """Return the date of a session, with its year where that is new."""
        label, before = self.sessions[place].name, self.sessions[max(place - 1, 0)].name
        is_new = place == 0 or before.year != label.year
        return f"{label:%a} {label.day} {label:%b}{f' {label.year}' if is_new else ''}"

    def _begins(self, stretch: Stretch) -> bool:
        return stretch is next(s for s in self.stretches if s.place == stretch.place)

    def _day_ticks(self, most: int) -> list[tuple[float, str]]:
        firsts = [stretch for stretch in self.stretches if self._begins(stretch)]
        labels = pd.DatetimeIndex([self.sessions[stretch.place].name for stretch in firsts])
        places, names = session_ticks(labels, most=most)
        return [(firsts[k].left, name) for k, name in zip(places, names, strict=True)]

    def shade(self, axes: Axes, theme: Theme) -> None:
        """Mark what is no regular trading: extended hours and breaks; divide the sessions."""
        for stretch in self.stretches:
            if stretch.phase != "regular":
                axes.axvspan(stretch.left, stretch.right, color=theme.grid, alpha=0.45, zorder=0)
            if stretch.left > 0 and self._begins(stretch):
                axes.axvline(stretch.left, color=theme.muted, linewidth=0.8, alpha=0.6, zorder=1)
        for before, after in self.breaks():
            axes.axvspan(
                before.right, after.left, facecolor=theme.paper, edgecolor=theme.muted,
                hatch="////", linewidth=0.0, alpha=0.8, zorder=1,
            )  # fmt: skip


def _spans(session: Any) -> list[tuple[str, Any, Any]]:
    spans = []
    for phase, begin, finish in _PHASES:
        start, end = session[begin], session[finish]
        if begin == "regular_open" and pd.isna(end):
            end = session["regular_close"]
        if not pd.isna(start) and not pd.isna(end) and start < end:
            spans.append((phase, start, end))
    return spans


def _plain(moment: pd.Timestamp) -> np.datetime64:
    return moment.tz_convert("UTC").tz_localize(None).to_datetime64()


def _plain_all(times: Any) -> Any:
    return times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()


def _holds(moments: Any, start: pd.Timestamp, end: pd.Timestamp) -> bool:
    first = np.searchsorted(moments, _plain(start))
    return bool(first < len(moments) and moments[first] < _plain(end))


def _clock(stretch: Stretch, step: int, zone: Any, *, with_start: bool) -> list[pd.Timestamp]:
    """Return the round clock times of a stretch, and its start before those that are too near."""
    rule = f"{step}min"
    local = stretch.start.tz_convert(zone)
    midnight = local.normalize()
    first = midnight + -((midnight - local) // pd.Timedelta(rule)) * pd.Timedelta(rule)
    times = list(pd.date_range(first, stretch.end, freq=rule, inclusive="left"))
    if not with_start:
        return times
    room = dt.timedelta(minutes=0.7 * step)
    return [stretch.start, *(moment for moment in times if moment - stretch.start >= room)]


def session_ticks(sessions: Any, *, most: int) -> tuple[NDArray[np.int64], list[str]]:
    r"""Return which sessions begin days, weeks, months, quarters or years, whichever fit, and names.

    Parameters
    ----------
    sessions
        Labels, in order.
    most
        How many there may be.

    Returns
    -------
    places : numpy.ndarray of int64
    names : list of str
        With the year below wherever a new one begins.

    Examples
    --------
    >>> labels = pd.bdate_range("2025-11-24", "2026-01-30")
    >>> session_ticks(labels, most=8)[1]
    ['Nov\n2025', 'Dec', 'Jan\n2026']
    """
    index = pd.DatetimeIndex(sessions)
    if len(index) <= most:
        begins, period = np.arange(len(index)), "D"
    else:
        for period in ("W", "M", "Q", "Y"):
            begins = np.flatnonzero(~index.to_period(period).duplicated())
            if len(begins) <= most:
                break
        begins = begins[:: -(-len(begins) // max(most, 1))]
        if len(begins) > 1 and begins[1] < 0.6 * len(index) / most:  # the labels would touch
            begins = np.delete(begins, 1)
    days = index[begins]
    if period == "Y":
        return begins, [f"{day:%Y}" for day in days]
    names = [f"{day.day} {day:%b}" if period in ("D", "W") else f"{day:%b}" for day in days]
    is_new = np.diff(days.year, prepend=0) != 0
    return begins, [
        f"{name}\n{day:%Y}" if new else name
        for name, day, new in zip(names, days, is_new, strict=True)
    ]
