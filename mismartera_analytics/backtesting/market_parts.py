"""A part of a market: some of its rows, as if there were no others."""

from __future__ import annotations

import dataclasses

import numpy as np

from mismartera_analytics.backtesting.clocks import Clock
from mismartera_analytics.backtesting.market import Actions, Market

__all__ = ["part_of"]

_BY_ROW = ("start", "end", "session", "label", "flags")


def part_of(market: Market, first: int, last: int) -> Market:
    """Return the rows from `first` up to `last`, which is left out.

    Parameters
    ----------
    market
        Only read; the part shares nothing that can be written to.
    first, last
        Rows of its clock.

    Returns
    -------
    Market
        As a market built from these bars alone: corporate actions in force on its first row already
        are not in it.

    Raises
    ------
    IndexError
        If the rows are none of the market's.
    """
    if not 0 <= first < last <= len(market.clock):
        raise IndexError(f"rows {first} to {last} of {len(market.clock)}")
    actions = market.actions
    inside = (actions.row > first) & (actions.row < last)
    return dataclasses.replace(
        market,
        clock=_rows_of(market.clock, first, last),
        calendars=tuple(_rows_of(times, first, last) for times in market.calendars),
        fields=np.ascontiguousarray(market.fields[:, :, first:last]),
        actions=Actions(
            row=actions.row[inside] - first,
            at=actions.at[inside],
            symbol=actions.symbol[inside],
            ratio=actions.ratio[inside],
            amount=actions.amount[inside],
            ends=actions.ends[inside],
        ),
    )


def _rows_of(times: Clock, first: int, last: int) -> Clock:
    rows = {name: getattr(times, name)[first:last] for name in _BY_ROW}
    return dataclasses.replace(times, **rows)
