"""The rules that every bar keeps, and what is said about bars that break them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    NaiveDatetimeError,
    as_given,
)
from mismartera_analytics.frames.given import is_missing, written
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.market_data.blocks import Block, from_codes
from mismartera_analytics.market_data.layout import (
    PRICES,
    SYMBOL_RULE,
    VALUES,
    Layout,
    is_symbol,
    layout_of,
)
from mismartera_analytics.market_data.symbol_runs import SymbolRuns, symbol_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "REPEATED",
    "CheckedBars",
    "check_bars",
    "instants",
    "labels",
    "plain_times",
    "require_columns",
    "require_good",
    "told",
]

REPEATED = "a repeated symbol and time"

SHOWN_ROWS = 5
_MISSING = np.iinfo(np.int64).min
_YEARS = np.array(["0001-01-01", "9999-12-31T23:59:59.999999"], "datetime64[us]").astype(np.int64)
_ROWS_AT_ONCE = 32_768
_GRID_SECONDS = 60
"""Bars of a minute and longer start on whole minutes: sessions open there, at 09:32 in Karachi."""


@dataclass(frozen=True, eq=False)
class CheckedBars:
    """Bars sorted into good and bad.

    Attributes
    ----------
    good
        The good bars, sorted by symbol and time.
    bad
        The rows that break a rule, as they were given, with their index and one more column `reason`.
    counts
        How many rows break each rule; a row may break several.
    """

    good: Block
    bad: pd.DataFrame
    counts: dict[str, int]


def check_bars(frame: pd.DataFrame, interval: str) -> CheckedBars:
    """Check every bar of a frame.

    Parameters
    ----------
    frame
        Columns `symbol`, `timestamp` (aware, the bar's start), `open`, `high`, `low`, `close`
        [currency/share], `volume` [shares], and for bars of a session and longer `session` (the
        label). `off_grid`, if there is one, says which times are off the sessions' grid; without it
        whole minutes are asked for. Other columns are ignored. Any order.
    interval
        Length of the bars, such as ``"1m"``.

    Returns
    -------
    CheckedBars
        A bar is bad if its symbol is none, its time is missing, repeated or off the interval's grid,
        a price is NaN, infinite or not positive, open or close lie outside low and high, or the
        volume is NaN or negative. Of repeated bars the first is good.

    Raises
    ------
    InvalidBarsError
        If a column is missing or there twice.
    InvalidInputError
        If `frame` is no frame.
    NaiveDatetimeError
        If `timestamp` has no time zone.

    Examples
    --------
    >>> bars = pd.DataFrame({
    ...     "symbol": "AAPL", "timestamp": [pd.Timestamp("2025-07-02 13:30", tz="UTC")],
    ...     "open": 10.0, "high": 9.0, "low": 8.0, "close": 8.5, "volume": 100})
    >>> check_bars(bars, "1m").counts
    {'open above high': 1}
    """
    layout = layout_of(interval)
    hint = "ingest_bars() finds it through the trading calendar" if layout.has_session else ""
    needed = ["symbol", "timestamp", *(["session"] if layout.has_session else []), *VALUES]
    require_columns(frame, needed, what=f"{layout.interval} bars", of_session=hint)
    time = instants(frame["timestamp"])
    session = labels(frame["session"]) if layout.has_session else None
    values = tuple(np.ascontiguousarray(numbers_in(frame[name])) for name in VALUES)
    symbols = _ranked(symbol_runs(frame["symbol"]))
    broken = _broken_rows(layout, symbols, time, session, values)
    if "off_grid" in frame.columns:
        _add(broken, f"a time off the {layout.interval} grid", frame["off_grid"].to_numpy())
    key = time if session is None else session
    days = None if session is None else session.astype(np.int32)
    if not broken and _is_sorted(symbols, key):
        block = Block(symbols.known, symbols.starts, time, days, values)
        return CheckedBars(block, frame.iloc[:0].assign(reason=pd.Series([], dtype="str")), {})
    bad = np.zeros(len(frame), dtype=bool)
    for rows in broken.values():
        bad[rows] = True
    codes = symbols.by_row
    order, repeated = _sorted_rows(bad, codes, key)
    if len(repeated):
        broken[REPEATED] = repeated
        bad[repeated] = True
    days = None if days is None else days[order]
    ordered = tuple(column[order] for column in values)
    good = from_codes(symbols.known, codes[order], time[order], days, ordered)
    counts = {reason: len(rows) for reason, rows in broken.items()}
    return CheckedBars(good, _bad_rows(frame, bad, broken), counts)


def _add(broken: dict[str, Any], reason: str, mask: NDArray[np.bool_]) -> None:
    rows = np.union1d(np.flatnonzero(mask), broken.get(reason, ())).astype(np.int64)
    if len(rows):
        broken[reason] = rows


def _ranked(runs: SymbolRuns) -> SymbolRuns:
    """Return runs whose known symbols are sorted."""
    names = [
        name if isinstance(name, str) else f"not text: {as_given(name)}" for name in runs.known
    ]
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.full(len(names) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(names))
    return SymbolRuns(tuple(names[i] for i in order), rank[runs.codes], runs.starts)


def _is_sorted(symbols: SymbolRuns, key: NDArray[np.int64]) -> bool:
    """Return whether rows ascend by symbol and key, no two alike."""
    if (np.diff(symbols.codes) <= 0).any():
        return False
    is_next = key[1:] > key[:-1]
    is_next[symbols.starts[1:-1] - 1] = True
    return bool(is_next.all())


def _sorted_rows(bad: Any, codes: Any, key: Any) -> tuple[Any, Any]:
    """Return the positions of the good rows in order of symbol and key, and the repeats."""
    rows = np.flatnonzero(~bad)
    rows = rows[np.lexsort((key[rows], codes[rows]))]
    is_same = np.zeros(len(rows), dtype=bool)
    is_same[1:] = (codes[rows[1:]] == codes[rows[:-1]]) & (key[rows[1:]] == key[rows[:-1]])
    return rows[~is_same], np.sort(rows[is_same])


def require_good(checked: CheckedBars, *, total: int) -> Block:
    """Return the good bars, or raise if there is a bad one.

    Parameters
    ----------
    checked
        What `check_bars` found.
    total
        Number of rows that were checked.

    Returns
    -------
    Block

    Raises
    ------
    InvalidBarsError
        Names the first bad rows and counts all by reason; its `bad` is the frame of bad rows.
    """
    if checked.bad.empty:
        return checked.good
    message = told(checked.bad.assign(row=checked.bad.index), checked.counts, total=total)
    raise InvalidBarsError(f"{message} Nothing was written.", bad=checked.bad)


def told(bad: pd.DataFrame, counts: Mapping[str, int], *, total: int) -> str:
    """Return a sentence on bad rows: how many, why, and the first of them.

    Parameters
    ----------
    bad
        Columns `row`, perhaps `source`, `symbol`, `timestamp`, the values and `reason`.
    counts
        Rows by reason.
    total
        Number of rows that were checked.
    """
    reasons = ", ".join(f"{count} with {reason}" for reason, count in counts.items())
    shown = "; ".join(_described(row) for row in bad.head(SHOWN_ROWS).to_dict("records"))
    more = "; …" if len(bad) > SHOWN_ROWS else "."
    return f"{len(bad)} of {total} bars are bad ({reasons}): {shown}{more}"


def _described(row: Mapping[Hashable, Any]) -> str:
    content = ", ".join(f"{name}={written(row[name])}" for name in VALUES)
    source = f"{row['source']} " if "source" in row else ""
    where = f"{source}row {written(row['row'])}"
    bar = f"{written(row['symbol'])} {written(row['timestamp'])}"
    return f"{where} ({bar}: {content}) has {row['reason']}"


def require_columns(
    frame: pd.DataFrame, needed: Sequence[str], *, what: str, of_session: str = ""
) -> None:
    """Check that bars have each column once.

    Parameters
    ----------
    frame
        The bars.
    needed
        Names of columns.
    what
        Whose they are, for the message.
    of_session
        What to do where `session` is missing.

    Raises
    ------
    InvalidBarsError
        If a column is missing or there twice.
    InvalidInputError
        If `frame` is no frame.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"frame={type(frame).__name__} must be a DataFrame of bars.")
    names = list(frame.columns)
    missing = [name for name in needed if name not in names]
    if missing:
        hint = f" {of_session}." if of_session and "session" in missing else ""
        raise InvalidBarsError(
            f"{what} lack the columns {missing}; the frame has {[str(name) for name in names]}.{hint}"
        )
    twice = next((name for name in needed if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidBarsError(f"the frame has the column {twice!r} twice; leave one of them out.")


def instants(column: pd.Series) -> NDArray[np.int64]:
    """Return aware times as microseconds since 1970, UTC; NaT is the smallest integer, as in NumPy.

    Raises
    ------
    NaiveDatetimeError
        If a time has no time zone.
    InvalidBarsError
        If it is no instant, or one of no year from 1 to 9999.
    """
    column = plain_times(column)
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        is_naive = column.dtype.kind == "M" and column.notna().any()
        known = [] if is_naive else [None if is_missing(value) else value for value in column]
        if is_naive or any(
            value is not None and getattr(value, "tzinfo", None) is None for value in known
        ):
            raise NaiveDatetimeError(
                "column 'timestamp' holds times without a time zone; localise it, or give "
                "ingest_bars(..., tz='America/New_York') the zone that they are in."
            )
        if not all(value is None or isinstance(value, dt.datetime) for value in known):
            raise InvalidBarsError("column 'timestamp' holds what is no instant.")
        column = pd.to_datetime(pd.Series(known, column.index, dtype=object), utc=True)
    utc: Any = column.array
    found = np.asarray((utc if utc.unit == "us" else utc.as_unit("us")).asi8)
    is_early = (
        len(found) and found.min() < _YEARS[0] and (found[found != _MISSING] < _YEARS[0]).any()
    )
    if is_early or (len(found) and found.max() > _YEARS[1]):
        raise InvalidBarsError(
            "column 'timestamp' holds an instant outside of the years 1 to 9999 in UTC."
        )
    return found


def plain_times(column: pd.Series) -> pd.Series:
    """Return times or dates that Arrow keeps as pandas' own, other columns as they are."""
    if not isinstance(column.dtype, pd.ArrowDtype) or column.dtype.kind != "M":
        return column
    zone = getattr(column.dtype.pyarrow_dtype, "tz", None)
    own: pd.Series = column.astype(
        "datetime64[us]" if zone is None else pd.DatetimeTZDtype("us", zone)
    )
    return own


def labels(column: pd.Series) -> NDArray[np.int64]:
    """Return session labels as days since 1970; NaT is the smallest integer, as in NumPy."""
    days: Any = pd.to_datetime(plain_times(column)).dt.tz_localize(None)
    return np.asarray(days.to_numpy()).astype("datetime64[D]").astype(np.int64)


def _broken_rows(
    layout: Layout, symbols: SymbolRuns, time: Any, session: Any, values: tuple[Any, ...]
) -> dict[str, Any]:
    """Return the rows that break each rule that is broken, ascending.

    Some rows at a time, so that what is worked out for them stays in the processor's cache.
    """
    found: dict[str, list[Any]] = {}
    is_no_name = np.array([*(not is_symbol(name) for name in symbols.known), True])[symbols.codes]
    unnamed = np.repeat(is_no_name, np.diff(symbols.starts))
    for first in range(0, len(time), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        labels = None if session is None else session[part]
        columns = [column[part] for column in values]
        for reason, mask in _broken_rules(layout, unnamed[part], time[part], labels, columns):
            rows = found.setdefault(reason, [])
            if mask.any():
                rows.append(np.flatnonzero(mask) + first)
    return {reason: np.concatenate(rows) for reason, rows in found.items() if rows}


def _broken_rules(
    layout: Layout, unnamed: Any, time: Any, session: Any, values: Any
) -> Iterator[tuple[str, Any]]:
    open_, high, low, close, volume = values
    yield f"an invalid symbol ({SYMBOL_RULE})", unnamed
    missing = np.iinfo(np.int64).min
    untimed = time == missing if session is None else (time == missing) & (session != missing)
    yield (
        "no time (not written as 2025-07-02 09:30, or skipped or doubled by daylight saving)",
        untimed,
    )
    if session is None:
        grid = _grid(layout)
        yield f"a time off the {layout.interval} grid", (time != missing) & (time % grid != 0)
    else:
        has_both = (time != missing) & (session != missing)
        day = 86_400_000_000
        apart = np.where(has_both, time - np.where(has_both, session, 0) * day, 0)
        yield "a date that is no session of the calendar, or beyond its rules", session == missing
        yield "a time that is not of its session", (apart < -day) | (apart >= day)
    for name, price in zip(PRICES, values, strict=False):
        yield f"{name} no finite number", ~np.isfinite(price)
        yield f"{name} not positive", price <= 0
    with np.errstate(invalid="ignore"):
        yield "open above high", open_ > high
        yield "open below low", open_ < low
        yield "close above high", close > high
        yield "close below low", close < low
        yield "low above high", low > high
    yield "volume no finite number", ~np.isfinite(volume)
    yield "volume negative", volume < 0


def _grid(layout: Layout) -> int:
    """Return the step of the bars' starts [microseconds]."""
    seconds = int(layout.interval.length.total_seconds())
    return math.gcd(seconds, _GRID_SECONDS) * 1_000_000


def _bad_rows(frame: pd.DataFrame, bad: Any, broken: Mapping[str, Any]) -> pd.DataFrame:
    positions = np.flatnonzero(bad)
    reasons = [""] * len(positions)
    for reason, rows in broken.items():
        for place in np.searchsorted(positions, rows):
            told = reasons[place]
            reasons[place] = f"{told}; {reason}" if told else reason
    return frame.iloc[positions].assign(reason=pd.Series(reasons, dtype="str").to_numpy())
