"""Bars between the database's table ``market_data`` and the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Select, delete, insert, select

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data.ingest import IngestSummary, ingest_bars
from mismartera_analytics.market_data.layout import VALUES, check_symbols
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.schemas import MarketData
from mismartera_analytics.models.turns import take_turn

__all__ = ["bars_from_table", "bars_to_table"]

_COLUMNS = ("symbol", "timestamp", *VALUES)
_AT_ONCE = 10_000
"""Rows of one statement: SQLite takes 32,766 parameters."""


def bars_from_table(
    interval: str,
    *,
    symbols: str | Iterable[str] | None = None,
    exchange: str = "US_EQUITY",
    on_bad: Literal["raise", "quarantine"] = "raise",
    store: BarStore | None = None,
) -> IngestSummary:
    """Bring the bars of the table ``market_data`` into the store.

    Parameters
    ----------
    interval
        Which bars; rows of ``60m`` are bars of ``1h``.
    symbols
        Which symbols; all by default.
    exchange, on_bad, store
        As in `ingest_bars`. The index of bad rows counts the rows read.

    Returns
    -------
    IngestSummary

    Raises
    ------
    InvalidBarsError, StorageError
        As in `ingest_bars`.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> bars_to_table("AAPL", "1d", "2012-01-03", "2012-12-31", store=ma.BarStore())
    250
    >>> bars_from_table("1d", symbols="AAPL").rows
    250
    """
    columns = {name: getattr(MarketData, name) for name in _COLUMNS}
    query = select(MarketData.id).where(MarketData.interval.in_(_spellings(interval)))
    if symbols is not None:
        query = query.where(MarketData.symbol.in_(check_symbols(symbols)))
    frame = _read(columns, query.order_by(MarketData.id))
    frame["volume"] = frame["volume"].fillna(0)  # the table's own default
    return ingest_bars(frame, interval, exchange=exchange, on_bad=on_bad, store=store)


@repeated
def _read(columns: dict[str, Any], query: Select[Any]) -> pd.DataFrame:
    with database.read_session() as db_session:
        return read_frame(db_session, columns, query)


@repeated
def bars_to_table(
    symbols: str | Iterable[str],
    interval: str,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    store: BarStore | None = None,
) -> int:
    """Copy bars of the store into the table ``market_data``; bars that are there are replaced.

    Parameters
    ----------
    symbols, interval, start, end
        As in `BarStore.read`.
    store
        The configured store by default.

    Returns
    -------
    int
        How many rows are new or differ from what was there; the others are left alone.

    Raises
    ------
    InvalidInputError
        If a volume is no whole number, which the table cannot hold; nothing is written.
    BarsNotFoundError
        If a symbol has no bars.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> bars_to_table("AAPL", "1d", "2012-01-03", "2012-12-31", store=ma.BarStore())
    250
    """
    bars = (BarStore() if store is None else store).read(symbols, interval, start, end)
    if bars.empty:
        return 0
    broken = bars[bars["volume"] % 1 != 0]
    if len(broken):
        raise InvalidInputError(
            f"volume={broken['volume'].iloc[0]} of {broken['symbol'].iloc[0]} at "
            f"{broken['timestamp'].iloc[0]} is no whole number; the table market_data holds integers."
        )
    name = str(clock.parse_interval(interval))
    with database.session_scope() as db_session:
        take_turn(db_session)
        changed, replaced = [], []
        for symbol, own in bars.groupby("symbol"):
            held = {
                row.timestamp: row for row in db_session.execute(_held(str(symbol), interval, own))
            }
            for row in _rows(own, name):
                old = held.get(row["timestamp"])
                if old is None or any(getattr(old, key) != row[key] for key in VALUES):
                    changed.append(row)
                    replaced += [] if old is None else [old.id]
        for i in range(0, len(replaced), _AT_ONCE):
            some = replaced[i : i + _AT_ONCE]
            db_session.execute(delete(MarketData).where(MarketData.id.in_(some)))
        if changed:
            db_session.execute(insert(MarketData), changed)
    return len(changed)


def _held(symbol: str, interval: str, bars: pd.DataFrame) -> Select[Any]:
    first, last = bars["timestamp"].iloc[0], bars["timestamp"].iloc[-1]
    columns = (MarketData.id, *(getattr(MarketData, name) for name in _COLUMNS))
    return select(*columns).where(
        MarketData.symbol == symbol,
        MarketData.interval.in_(_spellings(interval)),
        MarketData.timestamp.between(first.to_pydatetime(), last.to_pydatetime()),
    )


def _rows(bars: pd.DataFrame, interval: str) -> list[dict[str, Any]]:
    table = bars[list(_COLUMNS)].astype({"volume": "int64"})
    table["timestamp"] = pd.Series(table["timestamp"].dt.to_pydatetime(), table.index, "object")
    rows: Any = table.assign(interval=interval).to_dict("records")
    return list(rows)


def _spellings(interval: str) -> list[str]:
    """Return the ways in which a row may name the interval: ``1h`` is ``60m`` is ``3600s``."""
    parsed = clock.parse_interval(interval)
    names = [str(parsed)]
    if parsed.is_intraday:
        seconds = int(parsed.length.total_seconds())
        names += [
            f"{seconds // size}{unit}"
            for size, unit in ((60, "m"), (1, "s"))
            if seconds % size == 0
        ]
    return sorted(set(names))
