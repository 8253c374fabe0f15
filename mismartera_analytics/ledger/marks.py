"""What symbols are marked at: closes on every session, carried forward a while where a bar lacks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mismartera_analytics.ledger.events import Floats, Ints, days, in_later_names, later_names

__all__ = ["price_marks"]


def price_marks(
    prices: pd.DataFrame,
    grid: Ints,
    actions: pd.DataFrame | None,
    limit: int,
    own_sessions: Mapping[str, pd.DatetimeIndex] | None = None,
) -> tuple[pd.Index, Floats, Ints]:
    """Return the symbols with prices, and for each session and symbol the price and its age.

    Parameters
    ----------
    prices, actions, own_sessions
        As in `daily_ledger`; where symbols have sessions of their own, all are listed.
    grid
        (s,) labels [days since 1970-01-01].
    limit
        For how many sessions a price stands in.

    Returns
    -------
    names
        (m,) symbols, by the names that they have now.
    closes
        (s, m + 1) [currency/share], carried forward over at most `limit` sessions, in the shares of
        the session; NaN where none is known, and in the last column.
    ages
        (s, m + 1) sessions since the bar that gave the price; -1 where none is known.
    """
    if own_sessions is None:
        return _market_marks(prices, grid, actions, limit)
    symbols: dict[int, list[str]] = {}
    for symbol, index in own_sessions.items():
        symbols.setdefault(id(index), []).append(symbol)
    names: list[str] = []
    closes, ages = [], []
    for own in symbols.values():
        sessions = np.intersect1d(days(own_sessions[own[0]]), grid)
        of_market = prices.loc[prices["symbol"].isin(own)]
        found, price, age = _market_marks(of_market, sessions, actions, limit)
        row = np.searchsorted(sessions, grid, side="right") - 1
        is_before = (row < 0)[:, None]
        names += list(found)
        if len(sessions):
            closes.append(np.where(is_before, np.nan, price[row, :-1]))
            ages.append(np.where(is_before, -1, age[row, :-1]))
    closes.append(np.full((len(grid), 1), np.nan))
    ages.append(np.full((len(grid), 1), -1))
    return pd.Index(names), np.hstack(closes), np.hstack(ages)


def _market_marks(
    prices: pd.DataFrame, grid: Ints, actions: pd.DataFrame | None, limit: int
) -> tuple[pd.Index, Floats, Ints]:
    """Return the marks of symbols that trade on all sessions of a grid, as `price_marks`."""
    from mismartera_analytics.kernels.marks import carry_forward

    renamed = later_names(actions)
    traded, day = prices["symbol"].astype("str"), days(prices["session"])
    symbol = in_later_names(traded, day, renamed)
    if renamed:  # the old name's price rules before the change, should both have one
        order = np.argsort((symbol != traded).to_numpy(), kind="stable")
        prices, symbol, day = prices.iloc[order], symbol.iloc[order], day[order]
    code, names = pd.factorize(symbol)
    row = np.searchsorted(grid, day)
    fits = (row < len(grid)) & (grid[np.minimum(row, len(grid) - 1)] == day)
    closes = np.full((len(grid), len(names) + 1), np.nan)
    closes[row[fits], code[fits]] = prices["close"].to_numpy(np.float64)[fits]
    ratios = np.ones_like(closes)
    if actions is not None and len(actions):
        splits = actions.loc[actions["action_type"] == "SPLIT"]
        ex_date = days(splits["ex_date"])
        column = names.get_indexer(pd.Index(in_later_names(splits["symbol"], ex_date, renamed)))
        at = np.searchsorted(grid, ex_date)
        ours = (column >= 0) & (at < len(grid)) & (ex_date >= grid[:1].sum())
        np.multiply.at(ratios, (at[ours], column[ours]), splits["ratio"].to_numpy()[ours])
    carried, ages = carry_forward(closes, ratios, limit)
    return names, carried, ages
