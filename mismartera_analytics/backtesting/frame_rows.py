"""From the index and the columns of a user's frame to rows of the clock and positions of symbols."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError, suggestion
from mismartera_analytics.kernels import layouts

__all__ = ["blank", "decided", "rows_of", "symbols_of"]


def blank(market: Market, count: int) -> layouts.Records:
    """Return `count` market orders by target, to be filled in."""
    template = Ticket(0, layouts.TARGET, 0.0, 0).record(row=0, placed=0, session=0)
    return np.full(count, np.array(template, layouts.ORDER))


def decided(market: Market, records: layouts.Records, rows: NDArray[np.int64]) -> layouts.Records:
    """Set when orders were decided: at the end of the bars of `rows`, ascending."""
    records["row"] = rows
    records["placed"] = market.clock.end[rows]
    records["session"] = market.sessions_at(records["symbol"], records["placed"])
    return records


def symbols_of(market: Market, columns: pd.Index, argument: str) -> NDArray[np.int64]:
    """Return the positions of symbols in the run; refuse unknown and doubled ones."""
    for symbol in columns:
        if symbol not in market.numbers:
            raise InvalidInputError(
                f"{argument}: {symbol!r} is no symbol of this run"
                f"{suggestion(symbol, market.symbols) or '.'}"
            )
    if not columns.is_unique:
        raise InvalidInputError(f"{argument}: a symbol has two columns.")
    positions = np.array([market.numbers[symbol] for symbol in columns], np.int64)
    if len(set(positions.tolist())) < len(positions):
        same = [name for name in columns if market.numbers[name] in _doubled(positions)]
        raise InvalidInputError(
            f"{argument}: {', '.join(map(repr, same))} are one company in this run; give it one column."
        )
    return positions


def _doubled(positions: NDArray[np.int64]) -> set[int]:
    values, counts = np.unique(positions, return_counts=True)
    return set(values[counts > 1].tolist())


def rows_of(market: Market, index: pd.Index, argument: str) -> NDArray[np.int64]:
    """Return the clock's rows of an index of labels or of bars' starts."""
    if not isinstance(index, pd.DatetimeIndex):
        raise InvalidInputError(f"{argument}: the index must be a DatetimeIndex.")
    known: NDArray[Any]
    if index.tz is None:
        if market.interval.is_intraday:
            raise NaiveDatetimeError(
                f"{argument}: the index is naive, and that of {market.interval} bars needs a zone; "
                f"give it one with .tz_localize('America/New_York')."
            )
        _check_labels(index, argument)
        keys: NDArray[Any] = index.to_numpy().astype("datetime64[us]")
        known = market.clock.label.astype("datetime64[us]")
    else:
        keys, known = microseconds(index.to_series()), market.clock.start
    rows = _last_of(known, keys)
    strange = np.flatnonzero(known[rows] != keys)
    if len(strange):
        raise InvalidInputError(
            f"{argument}: {index[strange[0]]} is no bar of this run ({len(strange)} such rows)."
        )
    if (np.diff(rows) <= 0).any():
        raise InvalidInputError(f"{argument}: the index is unsorted or doubled.")
    return rows.astype(np.int64)


def _check_labels(index: pd.DatetimeIndex, argument: str) -> None:
    """Refuse naive times of day: a naive midnight is a session's label, anything else is no instant."""
    off = np.flatnonzero(index != index.normalize())
    if len(off):
        raise NaiveDatetimeError(
            f"{argument}: {index[off[0]]} is a naive datetime ({len(off)} such rows); give the index "
            f"a zone with .tz_localize('America/New_York'), or labels of sessions with .normalize()."
        )


def _last_of(known: NDArray[Any], keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return the last place of each key: when the rows of one label are several, all have ended."""
    if (known[1:] > known[:-1]).all():
        return np.minimum(np.searchsorted(known, keys), len(known) - 1)
    order = np.argsort(known, kind="stable")
    place = np.maximum(np.searchsorted(known[order], keys, side="right") - 1, 0)
    return order[place]
