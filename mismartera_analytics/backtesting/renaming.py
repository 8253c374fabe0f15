"""Companies that change their symbol within a run: one instrument under several names."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.exchanges import Calendars
from mismartera_analytics.backtesting.placing import relevant_actions
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data.identities import (
    FIRST,
    FOREVER,
    Change,
    check_changes,
    day_numbers,
)

__all__ = ["Instrument", "Told", "changes_among", "follow_changes", "linked_names", "told_by_names"]

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Instrument:
    """What a run trades as one, under one name after the other.

    Attributes
    ----------
    names
        In order of time; the last one is its symbol in the run.
    days
        On which each of the later names began [days since 1970].
    """

    names: tuple[str, ...]
    days: tuple[int, ...] = ()

    @property
    def symbol(self) -> str:
        """Its symbol in the run."""
        return self.names[-1]

    def name_on(self, day: int) -> str:
        """Return its name on a day [days since 1970]."""
        return self.names[bisect.bisect_right(self.days, day)]

    @property
    def pieces(self) -> list[tuple[str, int, int]]:
        """Each name with its first day and the day after its last."""
        firsts, ends = (FIRST, *self.days), (*self.days, FOREVER)
        return list(zip(self.names, firsts, ends, strict=True))


@dataclass(frozen=True)
class Told:
    """A run's bars and actions under the symbols that its instruments have at its end.

    Attributes
    ----------
    bars, actions
        As `frames.BARS` and `frames.CORPORATE_ACTIONS`.
    recorded
        The same actions under the names of their days, with the changes of symbol that the run follows.
    symbols
        Sorted.
    instruments
        Those that change their names; empty where nothing was changed.
    calendars
        Of each symbol.
    """

    bars: pd.DataFrame
    actions: pd.DataFrame
    recorded: pd.DataFrame
    symbols: list[str]
    instruments: list[Instrument]
    calendars: Calendars


def told_by_names(
    bars: pd.DataFrame,
    actions: pd.DataFrame,
    symbols: Sequence[str],
    *,
    interval: clock.Interval,
    calendars: Calendars,
) -> Told:
    """Put what was asked for under the symbols of the run.

    Parameters
    ----------
    bars
        Of the symbols and of all names linked to them.
    actions
        Changes of symbol among them.
    symbols
        Asked for.
    interval, calendars
        As in `follow_changes`.

    Returns
    -------
    Told

    Raises
    ------
    InvalidInputError
        As `follow_changes` and `changes_among`.
    """
    changes = changes_among(actions)
    needed = {"symbol", "timestamp"} | (set() if interval.is_intraday else {"session"})
    if not changes or not needed <= set(bars.columns) or bars.empty:
        return Told(bars, actions, actions, list(symbols), [], calendars)
    found = follow_changes(bars, symbols, changes, interval=interval, calendars=calendars)
    renamed = [one for one in found if one.days]
    if not renamed:
        kept = bars[bars["symbol"].isin(symbols)]
        return Told(kept, actions, actions, list(symbols), [], calendars)
    used = dict(calendars)
    for one in found:
        own = next(calendars[name] for name in one.names if name in calendars)
        used |= dict.fromkeys(one.names, own)
    known = bars[bars["symbol"].isin(list(used))]
    known = relabelled(known, bar_days(known, interval, used), found)
    is_change = actions["action_type"] == "SYMBOL_CHANGE"
    ours = _actions_of(actions[~is_change].reset_index(drop=True), found)
    former = [name for one in renamed for name in one.names[:-1]]
    followed = actions[is_change & actions["symbol"].isin(former)]
    named = ours.assign(symbol=ours["name"])
    recorded = pd.concat([named, followed], ignore_index=True)
    return Told(
        bars=known.sort_values(["symbol", "timestamp"], kind="stable", ignore_index=True),
        actions=ours,
        recorded=relevant_actions(recorded, recorded["symbol"].unique().tolist(), former),
        symbols=[one.symbol for one in found],
        instruments=renamed,
        calendars=used,
    )


def changes_among(actions: pd.DataFrame) -> list[Change]:
    """Return the changes of symbol (day, old, new) of a frame of corporate actions, by day.

    Raises
    ------
    InvalidInputError
        If a symbol changes to itself, or two change to one on the same day.
    """
    if actions.empty or "new_symbol" not in actions.columns:
        return []
    rows = actions[(actions["action_type"] == "SYMBOL_CHANGE") & actions["new_symbol"].notna()]
    days = day_numbers(rows["ex_date"]).tolist()
    changes = sorted(set(zip(days, rows["symbol"], rows["new_symbol"], strict=True)))
    check_changes(changes)
    return changes


def linked_names(symbols: Iterable[str], changes: Iterable[Change]) -> set[str]:
    """Return the symbols and every name that changes lead to or came from."""
    names, links = set(symbols), [(old, new) for _, old, new in changes]
    while True:
        more = {n for link in links if names & set(link) for n in link} - names
        if not more:
            return names
        names |= more


def follow_changes(
    bars: pd.DataFrame,
    symbols: Sequence[str],
    changes: Sequence[Change],
    *,
    interval: clock.Interval,
    calendars: Calendars,
) -> list[Instrument]:
    """Return what the symbols asked for stand for in a run over these bars.

    A change is followed where the bars of the old name end before it and those of the new one go on:
    forward from the old name, and backward from a new name that has no bars before. Bars that go on
    under the old name show that nothing changed in the store; they are used as they are.

    Parameters
    ----------
    bars
        Of the symbols and of all names linked to them, as `frames.BARS`.
    symbols
        Asked for.
    changes
        (day, old, new), by day.
    interval
        Length of the bars.
    calendars
        Of the symbols; they tell when a day begins.

    Returns
    -------
    list of Instrument
        In the order of their symbols.

    Raises
    ------
    InvalidInputError
        If a name means two companies within the run.
    """
    seen = _Seen(bars, interval, calendars)
    found = {_followed(symbol, changes, seen) for symbol in symbols}
    bearers: dict[str, Instrument] = {}
    for one in sorted(found, key=lambda one: (one.names, one.days)):
        for name in one.names:
            other = bearers.setdefault(name, one)
            if other is not one:
                day = max(other.days + one.days)
                raise InvalidInputError(
                    f"symbols: {name!r} means two companies within the run: of {_told(other)} and of "
                    f"{_told(one)}; name one of them, or end the run before "
                    f"{_EPOCH + dt.timedelta(days=day)} or begin it there."
                )
    return sorted(found, key=lambda one: one.symbol)


def relabelled(
    frame: pd.DataFrame,
    days: NDArray[np.int64],
    instruments: Sequence[Instrument],
    *,
    slack: int = 0,
) -> pd.DataFrame:
    """Return the rows of the instruments under their symbols in the run.

    Parameters
    ----------
    frame
        With the column ``symbol``.
    days
        (n,) day of each row [days since 1970].
    instruments
        From `follow_changes`.
    slack
        By how many days a row may lie after its name's last one: actions of the day of a change are
        recorded under either name.
    """
    given = frame["symbol"].to_numpy(dtype=object)
    symbols = given.copy()
    kept = np.zeros(len(frame), np.bool_)
    for one in instruments:
        for name, first, end in one.pieces:
            rows = (given == name) & (days >= first) & (days < end + slack)
            symbols[rows] = one.symbol
            kept |= rows
    return frame.assign(symbol=pd.Series(symbols, index=frame.index, dtype="str"))[kept]


def _actions_of(events: pd.DataFrame, instruments: Sequence[Instrument]) -> pd.DataFrame:
    """Return splits and the like under the symbols of the run, with their names of the day, each once.

    Of what is recorded under both names on the day of a change that of the new one is kept.
    """
    ours = relabelled(events, day_numbers(events["ex_date"]), instruments, slack=1)
    by_symbol = {one.symbol: one for one in instruments}
    days = day_numbers(ours["ex_date"]).tolist()
    names = [by_symbol[s].name_on(day) for s, day in zip(ours["symbol"], days, strict=True)]
    is_old = events.loc[ours.index, "symbol"].to_numpy() != np.array(names, object)
    ours = ours.assign(name=pd.Series(names, index=ours.index, dtype="str"), is_old=is_old)
    ours = ours.sort_values("is_old", kind="stable")
    return ours.drop_duplicates(["symbol", "action_type", "ex_date"]).sort_index()


def _followed(symbol: str, changes: Sequence[Change], seen: _Seen) -> Instrument:
    names = [symbol]
    days: list[int] = []
    for day, old, new in changes:
        is_later = not days or day > days[-1]
        if old == names[-1] and is_later and _is_followed(day, old, new, changes, seen):
            names.append(new)
            days.append(day)
    for day, old, new in reversed(changes):
        is_earlier = not days or day < days[0]
        is_ours = new == names[0] and is_earlier and not seen.has(new, FIRST, day)
        if is_ours and _is_followed(day, old, new, changes, seen):
            names.insert(0, old)
            days.insert(0, day)
    return Instrument(tuple(names), tuple(days))


def _is_followed(day: int, old: str, new: str, changes: Sequence[Change], seen: _Seen) -> bool:
    taken = min((d for d, _, name in changes if name == old and d >= day), default=FOREVER)
    is_left = seen.has(old, FIRST, day) and not seen.has(old, day, taken)
    return is_left and seen.has(new, day, FOREVER)


@dataclass
class _Seen:
    """On which days symbols have bars, as far as they were asked for."""

    bars: pd.DataFrame
    interval: clock.Interval
    calendars: Calendars
    _days: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def has(self, symbol: str, first: int, end: int) -> bool:
        """Tell whether a symbol has a bar on a day from `first` on and before `end`."""
        if symbol not in self._days:
            own = self.bars[self.bars["symbol"] == symbol]
            calendar = self.calendars.get(symbol) or next(iter(self.calendars.values()))
            self._days[symbol] = bar_days(own, self.interval, {symbol: calendar})
        days = self._days[symbol]
        return bool(((days >= first) & (days < end)).any())


def bar_days(
    bars: pd.DataFrame, interval: clock.Interval, calendars: Calendars
) -> NDArray[np.int64]:
    """Return the day of the session in which each bar lies [days since 1970].

    Parameters
    ----------
    bars
        As `frames.BARS`.
    interval
        Their length.
    calendars
        Of every symbol.
    """
    if not interval.is_intraday:
        return day_numbers(bars["session"])
    days = np.zeros(len(bars), np.int64)
    starts = microseconds(bars["timestamp"])
    symbols = bars["symbol"].to_numpy(dtype=object)
    for calendar in set(calendars.values()):
        own = np.isin(symbols, [name for name, used in calendars.items() if used is calendar])
        table = calendar.sessions()
        begins = microseconds(table["pre_market_open"].fillna(table["regular_open"]))
        place = np.searchsorted(begins, starts[own], side="right") - 1
        days[own] = day_numbers(table.index)[np.maximum(place, 0)]
    return days


def _told(one: Instrument) -> str:
    if not one.days:
        return f"{one.symbol!r} throughout"
    dates = [f"{name!r} from {_EPOCH + dt.timedelta(days=d)}" for name, d in
             zip(one.names[1:], one.days, strict=True)]  # fmt: skip
    return f"{one.names[0]!r}, then {', then '.join(dates)}"
