"""What a run works on: the symbols, their bars and their corporate actions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.exchanges import CalendarLike, Calendars, calendars_asked
from mismartera_analytics.backtesting.forms import Instructions
from mismartera_analytics.backtesting.market import Market, build_market, rows_by_symbol
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError

if TYPE_CHECKING:
    from mismartera_analytics.market_data.store import BarStore

__all__ = ["asked_symbols", "load_market", "named_symbols"]


def named_symbols(
    symbols: Any, instructions: Instructions, bars: pd.DataFrame | None
) -> list[str] | None:
    """Return the symbols asked for, or those that the instructions name; None for all of the bars."""
    if symbols is not None:
        return asked_symbols(symbols)
    by_column = (instructions.weights, instructions.entries, instructions.short_entries)
    for frame in by_column:
        if isinstance(frame, pd.DataFrame):
            return sorted({str(name) for name in frame.columns})
    if bars is not None:
        return None
    orders = instructions.orders
    if orders is not None and "symbol" in orders.columns:
        return sorted({str(name) for name in orders["symbol"]})
    raise InvalidInputError("symbols is missing; name at least one symbol.")


def asked_symbols(symbols: Any) -> list[str]:
    """Return the symbols asked for, sorted, each once.

    Raises
    ------
    InvalidInputError
        If there is none, or something else than text.
    """
    given = (
        [symbols]
        if isinstance(symbols, str) or not isinstance(symbols, Iterable)
        else list(symbols)
    )
    if not all(isinstance(symbol, str) for symbol in given):
        raise InvalidInputError(f"symbols={symbols!r} must be a symbol or a list of symbols.")
    if not given:
        raise InvalidInputError("symbols is empty; name at least one symbol.")
    return sorted(set(given))


def load_market(
    symbols: list[str] | None,
    start: Any,
    end: Any,
    interval: clock.Interval,
    calendar: CalendarLike,
    bars: pd.DataFrame | None,
    actions: pd.DataFrame | None,
    *,
    pinned: dict[str, Any] | None = None,
) -> tuple[Market, dict[str, Any]]:
    """Return the market and, of bars from the store, where they came from.

    `pinned` is that of an earlier run: the bars are read from there as they were then.
    """
    from mismartera_analytics.market_data.actions import corporate_actions
    from mismartera_analytics.market_data.store import BarStore

    for argument, table in (("bars", bars), ("actions", actions)):
        if table is not None and not isinstance(table, pd.DataFrame):
            raise InvalidInputError(
                f"{argument} is a {type(table).__name__}; give a pandas DataFrame."
            )
    rows_of = {} if bars is None or "symbol" not in bars else rows_by_symbol(bars["symbol"])
    sessions = calendars_asked(list(rows_of) if symbols is None else symbols, calendar)
    source: dict[str, Any] = {}
    if bars is None:
        assert symbols is not None
        store = BarStore(None if pinned is None else pinned["store"])
        source = _cited(store, interval) if pinned is None else dict(pinned)
        as_of = None if pinned is None else pinned["as_of"]
        frame = store.read(symbols, str(interval), start, end, as_of=as_of)
        made_of = frame.attrs.get("derived_from", "")
        if made_of and pinned is None:
            source["made_of"] = [
                {"interval": name, "version": store.version(name)} for name in made_of.split(", ")
            ]
        rows_of = rows_by_symbol(frame["symbol"])
        _refuse_renamed(frame, symbols)
        known = corporate_actions(symbols) if actions is None else actions
    else:
        frame = _within(bars, start, end, interval, sessions)
        if frame is not bars:
            rows_of = rows_by_symbol(frame["symbol"])
        known = frames.CORPORATE_ACTIONS.empty() if actions is None else actions
    market = build_market(
        frame, rows_of, known, symbols=symbols, interval=interval, calendar=sessions
    )
    return market, source


def _cited(store: BarStore, interval: clock.Interval) -> dict[str, Any]:
    """Return what a run notes of its bars: the store, its version, and when they were read."""
    return {
        "store": store.uri,
        "version": store.version(str(interval)),
        "as_of": clock.utc_now().isoformat(),
    }


def _refuse_renamed(frame: pd.DataFrame, symbols: list[str]) -> None:
    """Refuse a symbol that its company left within the run, and whose bars end there."""
    from mismartera_analytics.market_data.renames import read_identities

    changes = read_identities(symbols).changes
    if not changes or frame.empty:
        return
    days = microseconds(frame["timestamp"]) // 86_400_000_000
    for day, old, new in changes:
        own = days[(frame["symbol"] == old).to_numpy()]
        if old in symbols and len(own) and own[-1] < day <= days.max():
            date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
            raise InvalidInputError(
                f"symbols: {old!r} became {new!r} on {date}, within the run, and its bars end there; "
                f"end the run before that day, or name {new!r} from that day on."
            )


def _within(
    bars: pd.DataFrame, start: Any, end: Any, interval: clock.Interval, calendars: Calendars
) -> pd.DataFrame:
    """Return the bars of a range, read as `BarStore.read` reads it."""
    from mismartera_analytics.market_data.session_times import instants_of_labels

    first = None if start is None else clock.parse_bound(start, argument="start")
    last = None if end is None else clock.parse_bound(end, argument="end")
    if interval.is_intraday:
        spans = [instants_of_labels(own, first, last) for own in set(calendars.values())]
        first = min((one for one, _ in spans if one is not None), default=None)
        last = max((one for _, one in spans if one is not None), default=None)
    kept = np.ones(len(bars), np.bool_)
    for bound, is_start in ((first, True), (last, False)):
        if bound is None:
            continue
        if isinstance(bound, dt.datetime):
            times = bars["timestamp"]
            kept &= (times >= bound) if is_start else (times < bound)
        else:
            labels, label = bars["session"], pd.Timestamp(bound)
            kept &= (labels >= label) if is_start else (labels <= label)
    if not kept.any():
        raise BarsNotFoundError(f"bars holds no {interval} bars from {start} to {end}.")
    return bars if kept.all() else bars[kept]
