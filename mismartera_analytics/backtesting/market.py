"""The market of a run: bars of all symbols on one clock, and what happens to them meanwhile."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock
from mismartera_analytics.backtesting.bar_checks import check_prices
from mismartera_analytics.backtesting.clocks import (
    Clock,
    SessionSource,
    day_clock,
    intraday_clock,
    microseconds,
)
from mismartera_analytics.backtesting.joining import join_clocks
from mismartera_analytics.backtesting.placing import (
    Actions,
    actions_within,
    check_ends,
    check_splits,
    keys_of_ends,
    relevant_actions,
)
from mismartera_analytics.backtesting.renaming import Instrument
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidBarsError,
    InvalidInputError,
    as_given,
    suggestion,
)

__all__ = ["FIELDS", "Actions", "Market", "Renaming", "build_market", "rows_by_symbol"]

FIELDS = ("open", "high", "low", "close", "volume")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Renaming:
    """A change of symbol within a run.

    Attributes
    ----------
    symbol
        Position in `Market.symbols`.
    old
        Its name before.
    at
        Instant from which it bears the next name [us since 1970, UTC].
    """

    symbol: int
    old: str
    at: int


@dataclass(frozen=True)
class Market:
    """Bars of all symbols as arrays.

    Attributes
    ----------
    symbols
        Sorted.
    interval
        Length of the bars.
    clock
        Its rows.
    fields
        (5, symbols, rows) open, high, low, close [currency/share] and volume [shares] as traded; NaN
        where a symbol has no bar.
    actions
        What comes into force after the first row's session.
    action_frame
        The same and earlier ones as `frames.CORPORATE_ACTIONS`.
    calendars, calendar_of
        Of a run of several calendars: each one's clock on the rows, and its number for each symbol.
    renamings
        Changes of symbol within the run, by time; `symbols` holds the last names.
    asked
        The symbols asked for, where they are others.
    """

    symbols: tuple[str, ...]
    interval: clock.Interval
    clock: Clock
    fields: Floats
    actions: Actions
    action_frame: pd.DataFrame
    calendars: tuple[Clock, ...] = ()
    calendar_of: tuple[int, ...] = ()
    renamings: tuple[Renaming, ...] = ()
    asked: tuple[str, ...] = ()

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """Position of each symbol, by every name that it bears within the run."""
        former = {one.old: one.symbol for one in self.renamings}
        return former | {symbol: number for number, symbol in enumerate(self.symbols)}

    def names_at(
        self, symbols: NDArray[np.int64], instants: NDArray[np.int64]
    ) -> NDArray[np.object_]:
        """Return the names that symbols bore at instants [us since 1970, UTC]."""
        names = np.array(self.symbols, object)[symbols]
        for one in reversed(self.renamings):
            names[(symbols == one.symbol) & (instants < one.at)] = one.old
        return names

    def clock_of(self, symbol: int) -> Clock:
        """Return the rows as the calendar of a symbol sees them."""
        return self.calendars[self.calendar_of[symbol]] if self.calendars else self.clock

    def last_row_of(self, symbol: int) -> int:
        """Return the row of a symbol's last bar."""
        return int(np.flatnonzero(~np.isnan(self.fields[3, symbol]))[-1])

    def is_stale(self, symbol: int) -> bool:
        """Tell whether a symbol has no bar in the last session of its market that the run saw end."""
        times = self.clock_of(symbol)
        last = int(times.sessions_over(times.end[-1:])[0]) - 1
        return bool(times.session[self.last_row_of(symbol)] < last)

    def session_at(self, symbol: int, instant: int) -> int:
        """Return the ordinal of the session to which an order placed at `instant` belongs."""
        return int(self.clock_of(symbol).sessions_at(np.array([instant]))[0])

    def sessions_at(
        self, symbols: NDArray[np.int64], instants: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the same as `session_at` for arrays of one length."""
        return self._by_calendar(symbols, lambda times, rows: times.sessions_at(instants[rows]))

    def starts_of(self, symbols: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first instants of the bars of symbols in rows [us since 1970, UTC]."""
        return self._by_calendar(symbols, lambda times, which: times.start[rows[which]])

    def _by_calendar(
        self, symbols: NDArray[np.int64], asked: Callable[[Clock, Any], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        if not self.calendars:
            return asked(self.clock, slice(None))
        found = np.zeros(len(symbols), np.int64)
        numbers = np.array(self.calendar_of)[symbols]
        for number, times in enumerate(self.calendars):
            rows = np.flatnonzero(numbers == number)
            found[rows] = asked(times, rows)
        return found

    def rows_before(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row after which orders placed at `instants` can fill; -1 before the first."""
        if self.calendars:
            ended: NDArray[np.int64] = np.searchsorted(self.clock.end, instants, side="right") - 1
            return ended
        return self.clock.rows_before(instants)

    def position_of(self, symbol: str) -> int:
        """Return the position of a symbol.

        Raises
        ------
        InvalidInputError
            If the run does not know it; the nearest name is suggested.
        """
        try:
            return self.numbers[symbol]
        except (KeyError, TypeError):  # a list, say, can be no key
            hint = suggestion(symbol, self.symbols)
            raise InvalidInputError(
                f"symbol={as_given(symbol)} is not in this run{hint or '.'} "
                f"Its symbols: {', '.join(self.symbols)}."
            ) from None

    def digest(self) -> str:
        """Return a digest of bars, clock and actions: the data version of bars given as a frame."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256(" ".join(self.symbols).encode())
        for array in (self.clock.start, self.clock.end, self.fields):
            sha.update(np.ascontiguousarray(array).data)
        for name in ("row", "symbol", "ratio", "amount"):
            sha.update(getattr(self.actions, name).data)
        if self.actions.ends.any():
            sha.update(self.actions.ends.data)
        if self.renamings:
            sha.update(repr(self.renamings).encode())
        return sha.hexdigest()


def rows_by_symbol(symbols: pd.Series) -> dict[str, Any]:
    """Return which rows hold each symbol, sorted by symbol.

    Where a symbol's rows lie together they are a slice: a view of the columns, where row numbers would
    copy them.
    """
    values: Any = symbols.array
    if len(values) and not symbols.isna().any():
        is_other = np.asarray(values[1:] != values[:-1], np.bool_)
        bounds = [0, *(np.flatnonzero(is_other) + 1).tolist(), len(values)]
        firsts = pd.Index(values[bounds[:-1]])
        if firsts.is_unique:
            spans = zip(map(str, firsts), map(slice, bounds[:-1], bounds[1:]), strict=True)
            return dict(sorted(spans, key=lambda item: item[0]))
    codes, names = pd.factorize(symbols, sort=True)
    return {str(name): np.flatnonzero(codes == code) for code, name in enumerate(names)}


def build_market(
    bars: pd.DataFrame,
    actions: pd.DataFrame,
    *,
    symbols: Sequence[str] | None,
    interval: clock.Interval,
    calendar: SessionSource | Mapping[str, SessionSource],
    until: dt.date | None = None,
    instruments: Sequence[Instrument] = (),
) -> Market:
    """Return the market that frames of bars and corporate actions describe.

    Parameters
    ----------
    bars
        As `frames.BARS`: each symbol's rows in time order. `session` is read for ``1d`` and longer.
    actions
        As `frames.CORPORATE_ACTIONS`.
    symbols
        Which symbols of the frame; all by default.
    interval
        Length of the bars.
    calendar
        Gives sessions their hours: one for all, or one for each symbol.
    until
        Last day on which a symbol without more bars can still be delisted; open by default.
    instruments
        Those of the symbols that changed their names within the run.

    Returns
    -------
    Market

    Raises
    ------
    BarsNotFoundError
        If there are no bars, or none of a symbol.
    InvalidBarsError
        If columns are missing, times are naive, unsorted or doubled, a price is not positive, or a
        bar longer than a session holds a split, or a symbol has bars after its delisting.
    """
    wanted = [*FIELDS, "symbol", "timestamp"]
    missing = [name for name in wanted if name not in bars.columns]
    if missing:
        raise InvalidBarsError(f"bars lacks the columns {missing}; see frames.BARS.")
    for name in FIELDS:
        if not pd.api.types.is_numeric_dtype(bars[name]):
            raise InvalidBarsError(f"bars: {name} must hold numbers, not {bars[name].dtype}.")
    rows_of = rows_by_symbol(bars["symbol"])
    chosen = tuple(rows_of if symbols is None else symbols)
    for symbol in chosen:
        if symbol not in rows_of:
            raise BarsNotFoundError(
                f"symbol {symbol!r} has no {interval} bars in the range"
                f"{suggestion(symbol, rows_of) or '.'}"
            )
    if not chosen:
        raise BarsNotFoundError(f"there are no {interval} bars in the range.")
    keys = _keys(bars, interval)
    positions = [rows_of[symbol] for symbol in chosen]
    own_keys = [keys[rows] for rows in positions]
    for symbol, own_key in zip(chosen, own_keys, strict=True):
        if (own_key[1:] <= own_key[:-1]).any():
            raise InvalidBarsError(
                f"bars of {symbol!r} are unsorted or doubled; sort them by symbol and timestamp."
            )
    number_of = _calendar_numbers(chosen, calendar)
    sources = [_source_of(chosen[number_of.index(k)], calendar) for k in range(max(number_of) + 1)]
    used = [
        _union([own for own, k in zip(own_keys, number_of, strict=True) if k == number])
        for number in range(len(sources))
    ]
    former = {name for one in instruments for name in one.names[:-1]}
    frame = relevant_actions(actions, chosen, former)
    clocks = [_clock(own, interval, one) for own, one in zip(used, sources, strict=True)]
    for number, source in enumerate(sources):
        own = [name for name, k in zip(chosen, number_of, strict=True) if k == number]
        more = keys_of_ends(frame, own, clocks[number], interval, until)
        if more:
            used[number] = np.append(used[number], more)
            clocks[number] = _clock(used[number], interval, source)
    places: list[Any] = [None]
    times, calendars = clocks[0], tuple(clocks[1:])
    if calendars:
        joined = join_clocks(clocks, is_intraday=interval.is_intraday)
        times, calendars, places = joined.whole, joined.own, list(joined.places)
    fields = np.empty((5, len(chosen), len(times)))
    values = [bars[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in FIELDS]
    for number, rows in enumerate(positions):
        k = number_of[number]
        at: Any = slice(None)
        if len(own_keys[number]) < len(used[k]):
            at = np.searchsorted(used[k], own_keys[number])
        at = at if places[k] is None else places[k][at]
        if len(own_keys[number]) < len(times):
            fields[:, number] = np.nan
        for field, column in enumerate(values):
            fields[field, number, at] = column[rows]
    check_prices(fields, chosen, times)
    if not (interval.is_intraday or interval == clock.Interval(1, "d")):
        check_splits(frame, chosen, times, fields[3], interval)
    within = actions_within(frame, chosen, number_of, clocks, places)
    check_ends(within, chosen, times, fields[3])
    return Market(
        symbols=chosen,
        interval=interval,
        clock=times,
        fields=fields,
        actions=within,
        action_frame=frame,
        calendars=calendars,
        calendar_of=tuple(number_of) if calendars else (),
        renamings=renamings_of(instruments, chosen, [clocks[k] for k in number_of]),
    )


def renamings_of(
    instruments: Sequence[Instrument], symbols: Sequence[str], clocks: Sequence[Clock]
) -> tuple[Renaming, ...]:
    """Return when symbols change their names; `clocks` are those of the symbols."""
    found = []
    for one in instruments:
        number = symbols.index(one.symbol)
        times = clocks[number]
        for old, day in zip(one.names, one.days, strict=False):
            ordinal = int(np.searchsorted(times.labels, np.datetime64(day, "D")))
            row = int(np.searchsorted(times.start, times.begins[ordinal]))
            found.append(Renaming(number, old, int(min(times.opens[ordinal], times.start[row]))))
    return tuple(sorted(found, key=lambda renaming: renaming.at))


def _calendar_numbers(
    symbols: Sequence[str], calendar: SessionSource | Mapping[str, SessionSource]
) -> list[int]:
    """Return the number of each symbol's calendar; symbols of one object share one."""
    if not isinstance(calendar, Mapping):
        return [0] * len(symbols)
    known = list(dict.fromkeys(id(calendar[symbol]) for symbol in symbols))
    return [known.index(id(calendar[symbol])) for symbol in symbols]


def _source_of(symbol: str, calendar: SessionSource | Mapping[str, SessionSource]) -> SessionSource:
    return calendar[symbol] if isinstance(calendar, Mapping) else calendar


def _clock(keys: NDArray[np.int64], interval: clock.Interval, calendar: SessionSource) -> Clock:
    if interval.is_intraday:
        return intraday_clock(keys, interval, calendar)
    return day_clock(keys.astype("datetime64[D]"), interval, calendar)


def _union(keys: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the sorted union of ascending arrays; usually one of them holds all the others."""
    longest = max(keys, key=len)
    if all(len(other) == len(longest) and (other == longest).all() for other in keys):
        return longest
    everything = np.sort(np.concatenate(keys), kind="stable")
    union: NDArray[np.int64] = everything[np.append(True, np.diff(everything) > 0)]
    return union


def _keys(bars: pd.DataFrame, interval: clock.Interval) -> NDArray[np.int64]:
    """Return what orders a symbol's bars: the start [us], or the label [days] of longer bars."""
    stamps = bars["timestamp"]
    if not isinstance(stamps.dtype, pd.DatetimeTZDtype):
        raise InvalidBarsError("bars: timestamp must hold aware instants (datetime64[us, UTC]).")
    if stamps.isna().any():
        raise InvalidBarsError("bars: timestamp is missing in some rows.")
    if interval.is_intraday:
        return microseconds(stamps)
    if "session" not in bars.columns or bars["session"].isna().any():
        raise InvalidBarsError(f"bars of {interval} need the label of their session in `session`.")
    labels: Any = bars["session"].to_numpy()
    try:
        return np.asarray(labels.astype("datetime64[D]").astype(np.int64))
    except (TypeError, ValueError, OverflowError):
        raise InvalidBarsError("bars: session must hold days.") from None
