"""The bars that an audit looks at, symbol by symbol: those of the store, or those of a frame."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import BarsNotFoundError, as_given, suggestion
from mismartera_analytics.frames.given import check_table, is_encodable, is_missing, written
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.market_data import mapping
from mismartera_analytics.market_data.actions import corporate_actions
from mismartera_analytics.market_data.audit_checks import SymbolBars
from mismartera_analytics.market_data.audit_grid import microseconds
from mismartera_analytics.market_data.layout import VALUES, Layout, is_symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.audit_checks import RecordedSplits
    from mismartera_analytics.market_data.audit_grid import Aligned
    from mismartera_analytics.market_data.audit_spans import Window
    from mismartera_analytics.market_data.store import BarStore

    Int64s = NDArray[np.int64]

__all__ = ["NO_SPLITS", "FrameBars", "StoreBars", "recorded_splits"]

NO_SPLITS: RecordedSplits = (np.empty(0, dtype=np.int64), np.empty(0))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=clock.UTC)
_NAT = np.iinfo(np.int64).min


def recorded_splits(
    symbols: list[str], as_of: clock.InstantLike | None = None
) -> dict[str, RecordedSplits]:
    """Return the recorded splits of those symbols that have any."""
    if not symbols:
        return {}
    actions = corporate_actions(symbols, as_of=as_of)
    splits = actions[actions["action_type"] == "SPLIT"]
    return {
        str(symbol): (_days(rows["ex_date"]), rows["ratio"].to_numpy())
        for symbol, rows in splits.groupby("symbol")
    }


def _days(labels: Any) -> Int64s:
    return np.asarray(labels.to_numpy()).astype("datetime64[D]").astype(np.int64)


class StoreBars:
    """The bars of a store.

    Parameters
    ----------
    store
        Where they are.
    symbols
        Those that are audited, None for all.
    layout
        Of the interval.
    as_of
        As in `BarStore.read`.

    Raises
    ------
    BarsNotFoundError
        If there are none at all.
    """

    def __init__(
        self,
        store: BarStore,
        symbols: list[str] | None,
        layout: Layout,
        as_of: int | clock.InstantLike | None,
    ) -> None:
        self._store, self._layout, self._as_of = store, layout, as_of
        self._interval = str(layout.interval)
        self.symbols = symbols or store.symbols(self._interval)
        self.unreadable: list[pd.DataFrame] = []
        if not self.symbols:
            raise BarsNotFoundError(
                f"there are no {self._interval} bars in {store.uri}; ingest_bars() brings some in."
            )

    def bars(self, symbol: str, calendar: TradingCalendar, window: Window) -> SymbolBars:
        """Return the bars of a symbol that start in a window; see `SymbolBars`."""
        frame = self._store.read(symbol, self._interval, *window, as_of=self._as_of)
        return _symbol_bars(symbol, frame, self._layout, lambda: self._has(symbol, window[0]))

    def _has(self, symbol: str, before: dt.datetime | None) -> bool:
        if before is None:
            return False
        if symbol not in self._store.symbols(self._interval):  # made of shorter bars on reading
            bars = self._store.read(symbol, self._interval, None, before, as_of=self._as_of)
            return len(bars) > 0
        import pyarrow.dataset as ds

        stored = self._store.dataset(self._interval, as_of=self._as_of)
        wanted = (ds.field("symbol") == symbol) & (ds.field("timestamp") < before)
        return bool(stored.head(1, columns=["timestamp"], filter=wanted).num_rows)


class FrameBars:
    """The bars of a frame that need not keep any rule.

    Parameters
    ----------
    frame
        Columns as `ingest_bars` finds them.
    symbols
        Those that are audited, None for all; names the rows of a frame without symbols if it is one.
    layout
        Of the interval.
    tz, aligned
        As in `ingest_bars`.

    Raises
    ------
    InvalidInputError
        If a column is missing, or neither frame nor `symbols` names the symbol.
    BarsNotFoundError
        If a symbol of `symbols` is not in the frame.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        symbols: list[str] | None,
        layout: Layout,
        *,
        tz: str | None,
        aligned: Aligned,
    ) -> None:
        check_table(frame, argument="frame")
        raw = frame.reset_index() if frame.index.names != [None] else frame
        found = mapping.source_columns([str(name) for name in raw.columns], None)
        sole = symbols[0] if symbols and len(symbols) == 1 and "symbol" not in found else None
        rows = mapping.map_columns(raw, None, sole)
        self._rows = rows.assign(symbol=_texts(rows["symbol"]))
        self._layout, self._tz, self._aligned = layout, tz, aligned
        known = sorted(filter(is_symbol, self._rows["symbol"].unique().tolist()))
        for symbol in symbols or []:
            if symbol not in known and not self._rows.empty:
                hint = suggestion(symbol, known) or f"; it has {', '.join(known[:8]) or 'none'}."
                raise BarsNotFoundError(f"the frame has no bars of {symbol}{hint}")
        self.symbols = known if symbols is None else symbols
        self.unreadable: list[pd.DataFrame] = []
        self._read: dict[int, dict[str, tuple[SymbolBars, Int64s]]] = {}
        if symbols is None:
            self._put_aside(self._rows[~self._rows["symbol"].isin(known)], "no symbol")

    def bars(self, symbol: str, calendar: TradingCalendar, window: Window) -> SymbolBars:
        """Return the bars of a symbol that start in a window; see `SymbolBars`."""
        if id(calendar) not in self._read:
            self._read[id(calendar)] = self._read_by(calendar)
        if symbol not in self._read[id(calendar)]:
            return _symbol_bars(symbol, frames.BARS.empty(), self._layout, lambda: False)
        whole, starts = self._read[id(calendar)][symbol]
        begin, end = (
            None if bound is None else int(np.searchsorted(starts, microseconds(bound - _EPOCH)))
            for bound in window
        )
        return SymbolBars(
            symbol, whole.time[begin:end], whole.values[:, begin:end], lambda: bool(begin)
        )

    def _read_by(self, calendar: TradingCalendar) -> dict[str, tuple[SymbolBars, Int64s]]:
        """Return all bars by symbol and when they start, their times read as those of a calendar."""
        rows = self._rows[self._rows["symbol"].isin(self.symbols)]
        bars = mapping.to_bars(rows, self._layout, calendar, tz=self._tz, aligned=self._aligned)
        if self._layout.has_session:
            dates = _dates(rows["timestamp"])
            midnights = dates.dt.tz_localize(calendar.timezone, nonexistent="shift_forward")
            bars["session"] = bars["session"].fillna(dates)
            bars["timestamp"] = bars["timestamp"].fillna(midnights.dt.tz_convert("UTC"))
        is_timed = (_times(bars, self._layout) != _NAT) & bars["timestamp"].notna().to_numpy()
        if not self._read:
            self._put_aside(rows[~is_timed], "no time that can be read")
        ordered = bars[is_timed].sort_values("timestamp", kind="stable")
        return {
            str(symbol): (
                _symbol_bars(str(symbol), own, self._layout, lambda: False),
                _numbers_of(own["timestamp"]),
            )
            for symbol, own in ordered.groupby("symbol")
        }

    def _put_aside(self, rows: pd.DataFrame, why: str) -> None:
        if rows.empty:
            return
        never = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
        found = pd.DataFrame({"symbol": rows["symbol"].astype("str"), "kind": "unreadable"})
        self.unreadable.append(
            found.assign(
                session=never,
                start=never.dt.tz_localize("UTC"),
                last=never.dt.tz_localize("UTC"),
                bars=1,
                value=np.nan,
                note=[
                    f"row {written(row)}: {why}: {written(given)}"
                    for row, given in rows["timestamp"].items()
                ],
            )
        )


def _texts(symbols: pd.Series) -> pd.Series:
    """Return symbols, and as text whatever is none."""
    if isinstance(symbols.dtype, pd.StringDtype):
        return symbols
    return pd.Series([_text(symbol) for symbol in symbols], symbols.index, dtype="str")


def _text(symbol: Any) -> str | None:
    if isinstance(symbol, str) and is_encodable(symbol):
        return symbol
    return None if is_missing(symbol) else f"not text: {as_given(symbol)}"


def _symbol_bars(
    symbol: str, bars: pd.DataFrame, layout: Layout, has_earlier: Callable[[], bool]
) -> SymbolBars:
    time = _times(bars, layout)
    values = np.array([numbers_in(bars[name]) for name in VALUES]).reshape(len(VALUES), len(bars))
    if (np.diff(time) < 0).any():
        order = np.argsort(time, kind="stable")
        time, values = time[order], values[:, order]
    return SymbolBars(symbol, time, values, has_earlier)


def _times(bars: pd.DataFrame, layout: Layout) -> Int64s:
    """Return the starts of bars, of those of a session and longer the labels' midnights."""
    return _numbers_of(bars["session"] if layout.has_session else bars["timestamp"])


def _numbers_of(column: Any) -> Int64s:
    """Return instants, or naive midnights, as microseconds since 1970 UTC."""
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(column.to_numpy()).astype("datetime64[us]").astype(np.int64)


def _dates(given: pd.Series) -> pd.Series:
    """Return the dates of times as they were given, naive."""
    wall: Any = mapping.within_years(mapping.parsed_times(given)).dt.tz_localize(None)
    dates: pd.Series = wall.dt.normalize().astype("datetime64[us]")
    return dates
