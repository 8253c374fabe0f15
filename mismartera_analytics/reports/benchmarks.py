"""What a report is compared with: a symbol of the bar store, or returns."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.tearsheet import aligned

__all__ = ["benchmark_returns", "with_benchmark"]


def with_benchmark(
    content: TearSheetContent, benchmark: str | pd.Series[float] | None
) -> TearSheetContent:
    """Return a content with its benchmark on the sessions of the record.

    Parameters
    ----------
    content
        Of a report.
    benchmark
        A symbol with daily bars, simple returns [1] labelled by session, or None.

    Raises
    ------
    BarsNotFoundError
        If the symbol has no daily bars.
    InvalidInputError
        If the benchmark covers none of the record's sessions.
    """
    if benchmark is None or not len(content.returns):
        return content
    if isinstance(benchmark, str):
        labels = content.returns.index
        benchmark = benchmark_returns(benchmark, labels[0], labels[-1])
    return replace(content, benchmark=aligned(benchmark, content.returns))


def benchmark_returns(symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series[float]:
    """Return a symbol's simple returns by session, dividends and splits included.

    Parameters
    ----------
    symbol
        With daily bars in the configured store.
    start, end
        Labels of the first and last session.

    Returns
    -------
    pandas.Series
        Returns [1] labelled by session, named after the symbol.

    Raises
    ------
    BarsNotFoundError
        If it has no daily bars.
    InvalidInputError
        If it has none in the range.

    Examples
    --------
    >>> first, last = pd.Timestamp("2005-02-25"), pd.Timestamp("2005-03-01")
    >>> returns = benchmark_returns("AAPL", first, last)
    >>> returns.name, len(returns)
    ('AAPL', 3)
    """
    from mismartera_analytics.market_data.store import BarStore

    before = start - pd.Timedelta(days=14)  # the return of the first session needs a close
    bars = BarStore().read(
        symbol, "1d", before.date(), end.date(), columns=["session", "close"], adjust="all"
    )
    closes = bars.set_index("session")["close"]
    returns: pd.Series[float] = closes.pct_change().loc[start:end].rename(symbol)
    if not len(returns):
        raise InvalidInputError(
            f"benchmark={symbol!r} has no daily bars from {start:%Y-%m-%d} to {end:%Y-%m-%d}."
        )
    return returns
