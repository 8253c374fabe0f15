"""Cited rows and bars compared with what is there now, difference by difference."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.reports.citing import digests_of

__all__ = ["Difference", "bar_differences", "close_differences", "row_differences"]

MOST_BARS = 1000
"""Of one report that are named one by one."""
_KEYS = ("id", "order_id")
_FILLED = {"status", "filled_quantity", "average_fill_price", "commission", "filled_at", "price"}
"""Columns of an order that its execution changes."""
_NAMES = {"order": "order", "fill": "fill", "flow": "flow", "action": "corporate action"}


@dataclass(frozen=True)
class Difference:
    """One thing that is not what it was; fields as `frames.DIFFERENCES`, and the day of a bar."""

    what: str
    name: str
    column: str | None
    recorded: str | None
    now: str | None
    difference: float | None
    text: str
    day: str | None = None


def changed(
    what: str, name: str, column: str, recorded: Any, now: Any, *, day: str | None = None
) -> Difference:
    """Return the difference of one value."""
    step = None
    if _is_number(recorded) and _is_number(now):
        step = float(now) - float(recorded)
    by = "" if step is None else f" ({step:+,.10g})"
    was, is_now = _said(recorded), _said(now)
    of = name if column == "value" else f"{name}: {column.replace('_', ' ')}"
    text = f"{of} was {was or 'missing'}, is {is_now or 'missing'}{by}"
    return Difference(what, name, column, was, is_now, step, text, day)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:,.10g}" if _is_number(value) else str(value)


def row_differences(
    recorded: Mapping[str, list[dict[str, Any]]],
    now: Mapping[str, list[dict[str, Any]]],
    *,
    until: dt.datetime,
) -> list[Difference]:
    """Return what has changed in rows of the records since a report was made.

    What came after it is no difference: rows that are dated later, and executions of orders that were
    open then.

    Parameters
    ----------
    recorded, now
        Rows by kind, as `cited_rows` gives them.
    until
        The instant up to which the report's records go.
    """
    orders = {row["id"]: row for table in (now, recorded) for row in table.get("order", [])}
    there = {row["id"] for row in now.get("order", [])}
    found: list[Difference] = []
    for kind in ("order", "fill", "flow", "action"):
        was = {_key(row, kind): row for row in recorded.get(kind, [])}
        is_now = {_key(row, kind): row for row in now.get(kind, [])}
        for key in sorted(was.keys() & is_now.keys()):
            found += _changed(kind, was[key], is_now[key], orders, until)
            if kind == "fill":
                found += _moved(was[key], is_now[key], orders, there)
        gone = [was[key] for key in sorted(was.keys() - is_now.keys())]
        new = [is_now[key] for key in sorted(is_now.keys() - was.keys())]
        gone, new = _unmatched(gone, new, orders)
        found += [_lost(kind, row, orders) for row in gone]
        found += [_added(kind, row, orders) for row in new if not _is_later(row, kind, until)]
    return found


def _key(row: Mapping[str, Any], kind: str) -> Any:
    if kind == "action":
        return row["symbol"], row["action_type"], row["ex_date"]
    return row["id"]


def _changed(
    kind: str, was: Mapping[str, Any], now: Mapping[str, Any], orders: Any, until: dt.datetime
) -> Iterator[Difference]:
    columns = [name for name in was if name not in _KEYS and was[name] != now.get(name)]
    if kind == "order" and columns and _is_carried_on(was, now, columns, until):
        return
    name = _named(kind, now, orders)
    for column in columns:
        yield changed(kind, name, column, was[column], now.get(column))


def _moved(
    was: Mapping[str, Any], now: Mapping[str, Any], orders: Any, there: set[Any]
) -> Iterator[Difference]:
    """Say that a fill is another order's now; one whose order was written anew moved with it."""
    if was["order_id"] != now["order_id"] and was["order_id"] in there:
        name = _named("fill", was, orders)
        text = f"{name}: it belongs to order {now['order_id']} now"
        was_of, is_of = f"{was['order_id']}", f"{now['order_id']}"
        yield Difference("fill", name, "order_id", was_of, is_of, None, text)


def _is_carried_on(
    was: Mapping[str, Any], now: Mapping[str, Any], columns: list[str], until: dt.datetime
) -> bool:
    """Whether an order that was open was executed or ended later, and nothing else happened to it."""
    if not set(columns) <= _FILLED or was["status"] in (
        "FILLED",
        "CANCELLED",
        "EXPIRED",
        "REJECTED",
    ):
        return False
    if now["filled_at"] is None:
        return columns == ["status"]
    return dt.datetime.fromisoformat(now["filled_at"]) > until


def _is_later(row: Mapping[str, Any], kind: str, until: dt.datetime) -> bool:
    if kind == "action":
        return dt.date.fromisoformat(row["ex_date"][:10]) > until.date()
    times = [row.get(name) for name in ("placed_at", "filled_at", "occurred_at")]
    known = [dt.datetime.fromisoformat(when) for when in times if when]
    return bool(known) and min(known) > until


def _unmatched(
    gone: list[dict[str, Any]], new: list[dict[str, Any]], orders: Mapping[Any, Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Leave out rows that were written anew with other ids and are the same in everything else."""

    def content(row: Mapping[str, Any]) -> str:
        of = orders.get(row.get("order_id"))
        told = {name: row[name] for name in row if name not in _KEYS}
        return json.dumps([told, None if of is None else _order(of)], sort_keys=True)

    same = Counter(map(content, gone)) & Counter(map(content, new))
    rest = []
    for rows in (gone, new):
        left = same.copy()
        kept = []
        for row in rows:
            if left[content(row)] > 0:
                left[content(row)] -= 1
            else:
                kept.append(row)
        rest.append(kept)
    return rest[0], rest[1]


def _lost(kind: str, row: Mapping[str, Any], orders: Any) -> Difference:
    name = _named(kind, row, orders)
    return Difference(kind, name, None, _told(row), None, None, f"{name}: it was deleted since")


def _added(kind: str, row: Mapping[str, Any], orders: Any) -> Difference:
    name = _named(kind, row, orders)
    text = f"{name}: it was recorded since, though dated before the report"
    return Difference(kind, name, None, None, _told(row), None, text)


def _told(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_said(row[name])}" for name in row if row[name] is not None)


def _named(kind: str, row: Mapping[str, Any], orders: Mapping[Any, Mapping[str, Any]]) -> str:
    """Return a row in words, such as ``order 12 (BUY 100 AAPL on 2025-07-01)``."""
    if kind == "order":
        return f"order {row['id']} ({_order(row)})"
    if kind == "fill":
        order = orders.get(row["order_id"])
        of = f" ({_order(order)})" if order else ""
        return f"fill {row['id']} of order {row['order_id']}{of}"
    if kind == "flow":
        symbol = f" {row['symbol']}" if row["symbol"] else ""
        return f"flow {row['id']} ({row['flow_type']}{symbol} on {row['occurred_at'][:10]})"
    return f"{_NAMES[kind]} {row['action_type']} of {row['symbol']} on {row['ex_date'][:10]}"


def _order(row: Mapping[str, Any]) -> str:
    day = f" on {row['placed_at'][:10]}" if row["placed_at"] else ""
    return f"{row['side'] or '?'} {_said(row['quantity'])} {row['symbol']}{day}"


def close_differences(
    cited: Mapping[str, Mapping[str, str]], bars: Mapping[str, Any], closes: pd.DataFrame
) -> list[Difference]:
    """Return which daily closes are not what a report read.

    Parameters
    ----------
    cited
        Digests by symbol and year.
    bars
        The citation of the store: ``store, interval, version``.
    closes
        What there is now: ``symbol, session, close``, in the same range.
    """
    now = digests_of(closes)
    stale = {
        (symbol, year)
        for symbol in cited.keys() | now.keys()
        for year in cited.get(symbol, {}).keys() | now.get(symbol, {}).keys()
        if cited.get(symbol, {}).get(year) != now.get(symbol, {}).get(year)
    }
    if not stale:
        return []
    then, known = _then(bars, closes, {symbol for symbol, _ in stale}), set()
    if then is not None:
        old = digests_of(then)
        known = {
            (symbol, year)
            for symbol, year in stale
            if old.get(symbol, {}).get(year) == cited.get(symbol, {}).get(year)
        }
    found = [_of_year(symbol, year, bars) for symbol, year in sorted(stale - known)]
    if then is not None and known:
        found += bar_differences(_of(then, known), _of(closes, known), ["close"])
    return found


def _then(
    bars: Mapping[str, Any], closes: pd.DataFrame, symbols: Iterable[str]
) -> pd.DataFrame | None:
    from mismartera_analytics.market_data.citations import store_cited
    from mismartera_analytics.market_data.store import BarStore

    first, last = closes.attrs["range"]
    try:
        store = BarStore(store_cited(bars["store"], "1d"))
        names = sorted(set(symbols) & set(store.symbols("1d")))
        frame = store.read(
            names, "1d", first, last, columns=["session", "close"], as_of=int(bars["version"])
        )
    except MismarteraError:  # vacuumed, or the store is elsewhere: the caller names the year
        return None
    return frame[["symbol", "session", "close"]]


def _of(closes: pd.DataFrame, pairs: set[tuple[str, str]]) -> pd.DataFrame:
    keys = zip(closes["symbol"], closes["session"].dt.year.astype(str), strict=True)
    return closes.loc[[key in pairs for key in keys]]


def _of_year(symbol: str, year: str, bars: Mapping[str, Any]) -> Difference:
    text = (
        f"{symbol}: daily closes of {year} are not what they were; which ones cannot be said, since "
        f"version {bars['version']} of the bars is not there any more"
    )
    return Difference("bar", f"{symbol} {year}", "close", None, None, None, text)


def bar_differences(
    then: pd.DataFrame, now: pd.DataFrame, columns: list[str], *, by: str = "session"
) -> list[Difference]:
    """Return which bars differ, and by how much.

    Parameters
    ----------
    then, now
        Columns ``symbol``, `by` and `columns`.
    columns
        What is compared.
    by
        The other key: ``session``, or ``timestamp``.
    """
    keys = ["symbol", by]
    merged = then[keys + columns].merge(
        now[keys + columns], on=keys, how="outer", suffixes=(" then", " now"), indicator=True
    )
    found = []
    is_other = merged["_merge"] != "both"
    for column in columns:
        is_other |= merged[f"{column} then"] != merged[f"{column} now"]
    for row in merged.loc[is_other].sort_values(keys).to_dict("records"):
        when = f"{row[by]:%Y-%m-%d}" if by == "session" else f"{row[by]:%Y-%m-%d %H:%M} UTC"
        name, day = f"bar {row['symbol']} {when}", when[:10]
        if row["_merge"] != "both":
            side, word = ("then", "deleted") if row["_merge"] == "left_only" else ("now", "added")
            value = _said(float(row[f"{columns[-1]} {side}"]))
            text = f"{name}: it was {word} since ({columns[-1]} {value})"
            was, is_now = (value, None) if side == "then" else (None, value)
            found.append(Difference("bar", name, None, was, is_now, None, text, day))
            continue
        for column in columns:
            old, new = float(row[f"{column} then"]), float(row[f"{column} now"])
            if old != new:
                found.append(changed("bar", name, column, old, new, day=day))
    return _most(found)


def _most(found: list[Difference]) -> list[Difference]:
    if len(found) <= MOST_BARS:
        return found
    more = f"and {len(found) - MOST_BARS:,} more bars"
    return [*found[:MOST_BARS], Difference("bar", more, None, None, None, None, more)]
