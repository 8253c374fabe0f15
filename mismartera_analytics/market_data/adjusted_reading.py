"""Bars adjusted while they are read: one company's history, the actions known then, earlier closes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_whole
from mismartera_analytics.market_data import adjustments, reading, session_times
from mismartera_analytics.market_data.identities import (
    FIRST,
    FOREVER,
    Identities,
    Tenure,
)
from mismartera_analytics.market_data.renames import read_identities

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.bar_table import BarTable
    from mismartera_analytics.market_data.reading import Piece, Window
    from mismartera_analytics.market_data.snapshots import Snapshot

__all__ = ["AdjustedReading", "KnownActions", "Span", "frame_of_spans"]

Span = tuple[str, "Window"]
"""A stored symbol and the window in which a company bore it."""

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class AdjustedReading:
    """What a store's bars are adjusted with.

    Attributes
    ----------
    table_of
        From an interval to its table.
    calendars
        From symbols to their calendars; called where bars shorter than a session are adjusted: their
        sessions say when an ex-date begins.
    """

    table_of: Callable[[str], BarTable]
    calendars: Callable[[list[str]], Mapping[str, TradingCalendar]]

    def read(
        self,
        names: Sequence[str],
        interval: str,
        asked: Mapping[str, Window],
        snapshot: Snapshot,
        *,
        kind: Literal["split", "all"],
        end: clock.Bound | None,
        as_of: int | clock.InstantLike | None,
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return the bars of companies, adjusted for the actions that were known and in force.

        Parameters
        ----------
        names
            Symbols, sorted. Each stands for the company that it meant at `end`; the bars are those of
            that company under all its former symbols, and no other's.
        interval
            Length of the bars.
        asked
            Each symbol's window.
        snapshot
            The version of the interval's bars.
        kind
            ``"split"`` or ``"all"``, as in `adjustments.adjust_bars`.
        end
            End of the range asked for; now if None.
        as_of
            A version of the interval's bars or an instant; now if None.

        Returns
        -------
        frame : pandas.DataFrame
            As `frames.BARS`, under the symbols asked for.
        without : list of str
            Symbols whose company has no bars at all.
        """
        companies = self._companies(names, interval, snapshot, end, as_of)
        frame = frame_of_spans(companies.source.table, snapshot, companies.spans(asked))
        if frame.empty:
            return frame, companies.without()
        return self._actions(companies, kind).adjust(frame), companies.without(frame)

    def plan(
        self,
        names: Sequence[str],
        interval: str,
        asked: Mapping[str, Window],
        snapshot: Snapshot,
        *,
        kind: Literal["split", "all"],
        end: clock.Bound | None,
        as_of: int | clock.InstantLike | None,
    ) -> tuple[dict[str, list[Span]], KnownActions, list[str]]:
        """Return what `read` would do, for others to do it: it needs no database and no calendar.

        Parameters
        ----------
        names, interval, asked, snapshot, kind, end, as_of
            As in `read`.

        Returns
        -------
        spans : dict
            For each symbol the stored symbols and windows of its company's bars.
        actions : KnownActions
            What they are adjusted for.
        without : list of str
            As in `read`.
        """
        companies = self._companies(names, interval, snapshot, end, as_of)
        return companies.spans(asked), self._actions(companies, kind), companies.without()

    def _companies(
        self,
        names: Sequence[str],
        interval: str,
        snapshot: Snapshot,
        end: clock.Bound | None,
        as_of: int | clock.InstantLike | None,
    ) -> _Companies:
        until = self._until(interval, as_of)
        identities = read_identities(names, until=until)
        source = _Source(self.table_of(interval), snapshot, self.calendars)
        day = min(_day_of(end), (until.date() - _EPOCH).days)
        return _Companies(tuple(names), interval, until, identities, source, day)

    def _actions(self, companies: _Companies, kind: Literal["split", "all"]) -> KnownActions:
        from mismartera_analytics.market_data.actions import corporate_actions

        until, identities = companies.until, companies.identities
        every = identities.names_with(companies.names)
        actions = corporate_actions(every, end=until.date(), as_of=until)
        actions = _by_asked_name(identities.label_actions(actions), identities, companies.histories)
        begins = closes = None
        if len(actions):
            if not companies.source.table.layout.has_session:
                begins = self._begins(actions)
            if kind == "all":
                closes = self._closes_before(actions, companies)
        return KnownActions(kind, actions, begins, closes)

    def _until(self, interval: str, as_of: int | clock.InstantLike | None) -> dt.datetime:
        if as_of is None:
            return clock.utc_now()
        if is_whole(as_of):
            committed: dt.datetime = self.table_of(interval).history()[int(as_of)]["committed_at"]
            return committed
        return clock.parse_instant(as_of, argument="as_of")

    def _begins(self, actions: pd.DataFrame) -> pd.Series:
        """Return the instants at which the sessions of ex-dates begin."""
        calendars = self.calendars(sorted(set(actions["symbol"])))
        begins: Any = [
            session_times.instants_of_labels(calendars[symbol], stamp.date(), None)[0]
            for symbol, stamp in zip(actions["symbol"], actions["ex_date"], strict=True)
        ]
        return pd.Series(pd.to_datetime(begins, utc=True), index=actions.index)

    def _closes_before(self, actions: pd.DataFrame, companies: _Companies) -> pd.Series:
        """Return the last close before each action: the daily one, else that of the interval."""
        names = sorted(set(actions["symbol"]))
        closes = pd.Series(np.nan, index=actions.index)
        for origin in dict.fromkeys(("1d", companies.interval)):
            table = self.table_of(origin)
            commits = [c for c in table.history() if c["committed_at"] <= companies.until]
            if commits and closes.isna().any():
                snapshot = table.at_version(commits[-1]["version"])
                source = _Source(table, snapshot, self.calendars)
                own = dataclasses.replace(companies, names=tuple(names), source=source)
                begins = None if table.layout.has_session else self._begins(actions)
                bars = frame_of_spans(
                    table, snapshot, own.spans(dict.fromkeys(names, reading.EVERYTHING))
                )
                found = adjustments.closes_before(bars, actions, begins=begins)
                closes = closes.fillna(found)
        return closes


@dataclass(frozen=True, eq=False)
class KnownActions:
    """The actions that bars are adjusted for.

    Attributes
    ----------
    kind, actions, begins, closes
        As in `adjustments.adjust_bars`, under the symbols asked for.
    """

    kind: Literal["split", "all"]
    actions: pd.DataFrame
    begins: pd.Series | None
    closes: pd.Series | None

    def of(self, name: str) -> KnownActions:
        """Return those of one symbol."""
        own = self.actions["symbol"] == name
        begins, closes = (
            None if aligned is None else aligned[own] for aligned in (self.begins, self.closes)
        )
        return KnownActions(self.kind, self.actions[own], begins, closes)

    def adjust(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return bars adjusted, `frame` itself where there is nothing to do."""
        if frame.empty or self.actions.empty:
            return frame
        return adjustments.adjust_bars(
            frame, self.actions, kind=self.kind, begins=self.begins, closes=self.closes
        )


def frame_of_spans(
    table: BarTable, snapshot: Snapshot, spans: Mapping[str, Sequence[Span]]
) -> pd.DataFrame:
    """Return bars as if those of each company had always borne one symbol.

    Parameters
    ----------
    table, snapshot
        Where from.
    spans
        For each symbol, sorted, the stored symbols and windows.

    Returns
    -------
    pandas.DataFrame
        As `frames.BARS`.
    """
    pieces: list[Piece] = []
    for name, stored in spans.items():
        found = [
            dataclasses.replace(piece, symbol=name)
            for symbol, window in stored
            for piece in reading.find_pieces(table, snapshot, [symbol], window)
        ]
        pieces += sorted(found, key=lambda piece: piece.first)
    return reading.frame_of(pieces)


@dataclass(frozen=True)
class _Companies:
    """Whom some symbols stand for, as one knew at an instant."""

    names: tuple[str, ...]
    interval: str
    until: dt.datetime
    identities: Identities
    source: _Source
    day: int

    @functools.cached_property
    def histories(self) -> dict[str, list[Tenure]]:
        """For each symbol the times and symbols of its company."""
        return {name: self.source.history(name, self.identities, self.day) for name in self.names}

    def spans(self, asked: Mapping[str, Window]) -> dict[str, list[Span]]:
        """Return where the bars in each symbol's window are."""
        return {name: self.source.spans(own, asked[name]) for name, own in self.histories.items()}

    def without(self, frame: pd.DataFrame | None = None) -> list[str]:
        """Return the symbols whose company has no bars at all; none of those in a frame."""
        got = set() if frame is None else set(frame["symbol"].unique())
        return [
            name
            for name, own in self.histories.items()
            if name not in got and not self.source.has_any(own)
        ]


@dataclass(frozen=True)
class _Source:
    """One version of an interval's bars."""

    table: BarTable
    snapshot: Snapshot
    calendars: Callable[[list[str]], Mapping[str, TradingCalendar]]

    def history(self, name: str, identities: Identities, day: int) -> list[Tenure]:
        """Return the times and symbols under which the bars of a symbol's company are."""
        own = identities.tenures.get(name)
        if own is None:
            return [Tenure(name, FIRST, FOREVER, -1, "own")]
        held = self._held_on(own, day)
        company = [
            one
            for one in identities.of_company(held.company)
            if one.kind != "outside" and one.first < held.end
        ]
        return [one for one in company if one.kind != "before" or self._stands_in(one, company)]

    def spans(self, history: Sequence[Tenure], asked: Window) -> list[Span]:
        """Return where the bars of a company in a window are."""
        found = ((one.symbol, self._within(asked, one)) for one in history)
        return [(symbol, window) for symbol, window in found if window is not None]

    def has_any(self, history: Sequence[Tenure]) -> bool:
        """Return whether there are bars of a company at all."""
        return any(self._has(one) for one in history)

    def _held_on(self, own: Sequence[Tenure], day: int) -> Tenure:
        """Return whose symbol it was on a day: where nobody's the next one's, else the last one's."""
        at = next(i for i, one in enumerate(own) if one.first <= day < one.end)
        if own[at].kind == "own" or (own[at].kind == "vacant" and self._has(own[at])):
            return own[at]
        later = [one for one in own[at:] if one.kind == "own"] if own[at].kind != "vacant" else []
        former = [one for one in own[:at] if one.kind == "own"]
        return [*later[:1], *former[-1:], own[at]][0]

    def _stands_in(self, before: Tenure, company: Sequence[Tenure]) -> bool:
        """Return whether bars of before a change bear the later symbol: the former one has none."""
        return not any(
            one.symbol != before.symbol and one.first < before.end and self._has(one)
            for one in company
        )

    def _has(self, one: Tenure) -> bool:
        window = self._within(reading.EVERYTHING, one)
        if window is None:
            return False
        if self.table.layout.by_symbol:  # the log tells, but for a file on the border
            files = self.snapshot.by_symbol.get(one.symbol, ())
            low, high = window.time_from, window.time_to
            if any(low <= at < high for file in files for at in (file.first, file.last)):
                return True
        return bool(reading.find_pieces(self.table, self.snapshot, [one.symbol], window))

    def _within(self, asked: Window, one: Tenure) -> Window | None:
        """Return the part of a window in which a company bore a symbol, None if that is nothing."""
        if self.table.layout.has_session:
            window = dataclasses.replace(
                asked,
                session_from=max(asked.session_from, one.first),
                session_to=min(asked.session_to, one.end),
            )
            return window if window.session_from < window.session_to else None
        window = dataclasses.replace(
            asked,
            time_from=max(asked.time_from, self._start_of(one.first, one.symbol)),
            time_to=min(asked.time_to, self._start_of(one.end, one.symbol)),
        )
        return window if window.time_from < window.time_to else None

    def _start_of(self, day: int, symbol: str) -> int:
        if day == FIRST:
            return reading.EVERYTHING.time_from
        if day == FOREVER:
            return reading.EVERYTHING.time_to
        label = _EPOCH + dt.timedelta(days=day)
        return reading.window(
            session_times.instants_of_labels(self.calendars([symbol])[symbol], label, None)[0], None
        ).time_from


def _day_of(end: clock.Bound | None) -> int:
    """Return the last day of a range [days since 1970]."""
    if end is None:
        return FOREVER
    last = (end - dt.timedelta(microseconds=1)).date() if isinstance(end, dt.datetime) else end
    return (last - _EPOCH).days


def _by_asked_name(
    actions: pd.DataFrame, identities: Identities, histories: Mapping[str, list[Tenure]]
) -> pd.DataFrame:
    """Return the actions of each company under the symbol that was asked for."""
    labels = {
        name: name if own[0].company < 0 else identities.labels[own[0].company]
        for name, own in histories.items()
        if own
    }
    parts = [actions.loc[actions["symbol"] == labels[name]].assign(symbol=name) for name in labels]
    return pd.concat(parts, ignore_index=True) if parts else actions.iloc[:0]
