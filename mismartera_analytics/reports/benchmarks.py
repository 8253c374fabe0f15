"""Benchmarks: from a symbol, a series or another run to returns on a record's sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import labelled

__all__ = ["aligned", "benchmark_of"]


def benchmark_of(benchmark: Any) -> pd.Series[float] | None:
    """Return the simple returns of a benchmark, labelled by its own sessions.

    Parameters
    ----------
    benchmark
        A symbol with daily bars in the store, simple returns [1] labelled by session, or what has such
        `returns`: a backtest's result. None stays None.

    Returns
    -------
    pandas.Series or None
        Named. Of a symbol from close to close, dividends reinvested.

    Raises
    ------
    InvalidInputError
        If it is something else.
    UnknownNameError
        If the store has no daily bars of the symbol.

    Examples
    --------
    >>> benchmark_of(ma.bars("IBM").set_index("session")["close"].pct_change().rename("IBM")).name
    'IBM'
    """
    if benchmark is None:
        return None
    if isinstance(benchmark, str):
        return _of_symbol(benchmark)
    config = getattr(benchmark, "config", None)
    given = benchmark
    if not isinstance(benchmark, pd.Series) and isinstance(
        getattr(benchmark, "returns", None), pd.Series
    ):
        given = benchmark.returns
        title = getattr(benchmark, "title", None) or (config or {}).get("strategy")
        given = given.rename(str(title or "benchmark"))
    if not isinstance(given, pd.Series):
        raise InvalidInputError(
            f"benchmark is a {type(benchmark).__name__}; pass a symbol with daily bars, a Series of "
            f"simple returns labelled by session, or another run."
        )
    series = labelled(given, argument="benchmark")
    return series.rename("benchmark" if series.name is None else str(series.name))


def _of_symbol(symbol: str) -> pd.Series[float]:
    from mismartera_analytics.queries.market import bars

    if not symbol.strip():
        raise InvalidInputError(f"benchmark={as_given(symbol)} must be a symbol with daily bars.")
    closes = bars(symbol, "1d", columns=["session", "close"], adjust="all")
    series = closes.set_index("session")["close"].pct_change()
    return labelled(series.iloc[1:].rename(symbol), argument="benchmark")


def aligned(
    benchmark: pd.Series[float] | None, returns: pd.Series[float]
) -> pd.Series[float] | None:
    """Return a benchmark's returns on a record's sessions.

    What it made between two sessions of the record counts on the later one; where it had no session
    between them there is none.

    Parameters
    ----------
    benchmark, returns
        Simple returns [1] labelled by session.

    Returns
    -------
    pandas.Series
        Labelled as `returns`.

    Raises
    ------
    InvalidInputError
        If the benchmark has no session of the record's time.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02", "2025-07-03"])
    >>> aligned(pd.Series(1.0, index=days), pd.Series(0.0, index=days[::2])).tolist()
    [1.0, 3.0]
    """
    if benchmark is None:
        return None
    known = benchmark.dropna()
    if not len(returns):
        return benchmark.iloc[:0]
    places = returns.index.searchsorted(known.index)
    inside = places < len(returns)
    if len(returns) > 1:  # what came before the first session is no part of the record
        inside &= (places > 0) | (known.index == returns.index[0])
    else:
        inside &= known.index == returns.index[0]
    if not inside.any():
        raise InvalidInputError(
            f"benchmark covers {_span(known)}; none of them is a session of the record's time "
            f"({_span(returns)})."
        )
    values = np.full(len(returns), np.nan)
    rows, first, counts = np.unique(places[inside], return_index=True, return_counts=True)
    chosen = known.to_numpy()[inside]
    values[rows] = chosen[first]
    for row, at, count in zip(rows, first, counts, strict=True):
        if count > 1:
            values[row] = np.prod(1.0 + chosen[at : at + count]) - 1.0
    return pd.Series(values, index=returns.index, name=benchmark.name)


def _span(record: pd.Series[float]) -> str:
    if not len(record):
        return "no session"
    return f"{record.index[0]:%Y-%m-%d} to {record.index[-1]:%Y-%m-%d}, {len(record):,} sessions"
