"""What a run works on: the symbols, their bars and their corporate actions."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.exchanges import CalendarLike, Calendars, calendars_asked
from mismartera_analytics.backtesting.forms import Instructions
from mismartera_analytics.backtesting.market import Market, build_market, rows_by_symbol
from mismartera_analytics.backtesting.placing import known_actions
from mismartera_analytics.backtesting.renaming import changes_among, linked_names, told_by_names
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidBarsError,
    InvalidInputError,
    as_given,
)
from mismartera_analytics.frames.given import check_table, is_encodable, listed, written

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
            return sorted({_name(name) for name in frame.columns})
    if bars is not None:
        return None
    orders = instructions.orders
    if orders is not None and "symbol" in orders.columns:
        return sorted({_name(symbol) for symbol in orders["symbol"]})
    raise InvalidInputError("symbols is missing; name at least one symbol.")


def _name(symbol: Any) -> str:
    return symbol if isinstance(symbol, str) else written(symbol)


def asked_symbols(symbols: Any) -> list[str]:
    """Return the symbols asked for, sorted, each once.

    Raises
    ------
    InvalidInputError
        If there is none, or something else than text.
    """
    given = listed(symbols, argument="symbols", what="a symbol or a list of symbols")
    if not all(isinstance(symbol, str) for symbol in given):
        raise InvalidInputError(
            f"symbols={as_given(symbols)} must be a symbol or a list of symbols."
        )
    if not given:
        raise InvalidInputError("symbols is empty; name at least one symbol.")
    return sorted(set(given))


def _check_names(column: pd.Series) -> None:
    """Refuse rows of bars that name nothing; any text is a name."""
    names: list[Any] = [None] if column.isna().any() else []
    if isinstance(column.dtype, pd.CategoricalDtype):
        names += column.cat.remove_unused_categories().cat.categories.tolist()
    elif not isinstance(column.dtype, pd.StringDtype):
        names += [*column]
    for name in names:
        if not (isinstance(name, str) and is_encodable(name)):
            raise InvalidBarsError(
                f"bars: column 'symbol' holds {as_given(name)}, which is no text."
            )


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
    for argument, table in (("bars", bars), ("actions", actions)):
        if table is not None and not isinstance(table, pd.DataFrame):
            raise InvalidInputError(
                f"{argument} is a {type(table).__name__}; give a pandas DataFrame."
            )
        if table is not None:
            check_table(table, argument=argument)
    if bars is not None and "symbol" in bars:
        _check_names(bars["symbol"])
    if actions is not None:
        actions = known_actions(actions)
    names = symbols
    if names is None:
        assert bars is not None
        names = list(rows_by_symbol(bars["symbol"]) if "symbol" in bars else ())
    sessions = calendars_asked(names, calendar)
    source: dict[str, Any] = {}
    if bars is None:
        frame, known, source = _stored(names, interval, start, end, actions, pinned)
    else:
        frame = _within(bars, start, end, interval, sessions)
        known = frames.CORPORATE_ACTIONS.empty() if actions is None else actions
    told = told_by_names(frame, known, names, interval=interval, calendars=sessions)
    market = build_market(
        told.bars,
        told.actions,
        symbols=symbols if not told.instruments else told.symbols,
        interval=interval,
        calendar=told.calendars,
        until=None if end is None else clock.parse_bound(end, argument="end"),
        instruments=told.instruments,
    )
    if told.instruments:
        market = dataclasses.replace(market, action_frame=told.recorded, asked=tuple(names))
    return market, source


def _stored(
    symbols: list[str],
    interval: clock.Interval,
    start: Any,
    end: Any,
    actions: pd.DataFrame | None,
    pinned: dict[str, Any] | None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return bars of the store under all names of the symbols' companies, actions, and the source."""
    from mismartera_analytics.market_data.actions import corporate_actions
    from mismartera_analytics.market_data.citations import store_cited
    from mismartera_analytics.market_data.renames import read_identities
    from mismartera_analytics.market_data.store import BarStore

    store = BarStore(None if pinned is None else store_cited(pinned["store"], str(interval)))
    source = _cited(store, interval) if pinned is None else dict(pinned)
    # Read exactly the version that is noted: others may write in between.
    as_of = source["version"] if source["version"] >= 0 and "made_of" not in source else None
    if as_of is None and pinned is not None:
        as_of = pinned["as_of"]
    frame = store.read(symbols, str(interval), start, end, as_of=as_of)
    made_of = frame.attrs.get("derived_from", "")
    if made_of and pinned is None:
        source["made_of"] = [
            {"interval": name, "version": store.version(name)} for name in made_of.split(", ")
        ]
    changes = read_identities(symbols).changes if actions is None else changes_among(actions)
    more = sorted(linked_names(symbols, changes) - set(symbols))
    known = corporate_actions([*symbols, *more]) if actions is None else actions
    found = [frame]
    for name in more:
        with contextlib.suppress(BarsNotFoundError):
            found.append(store.read(name, str(interval), start, end, as_of=as_of))
    return pd.concat(found) if len(found) > 1 else frame, known, source


def _cited(store: BarStore, interval: clock.Interval) -> dict[str, Any]:
    """Return what a run notes of its bars: the store, its version, and when they were read."""
    return {
        "store": store.uri,
        "version": store.version(str(interval)),
        "as_of": clock.utc_now().isoformat(),
    }


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
    for bound in (first, last):
        name = "timestamp" if isinstance(bound, dt.datetime) else "session"
        if bound is not None and name not in bars:
            raise InvalidBarsError(f"bars has no column {name!r}, which start and end ask for.")
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
