"""What was found in the bars of one symbol, put into words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.calendars import grid
from mismartera_analytics.market_data.audit_grid import SessionGrid
from mismartera_analytics.market_data.layout import VALUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Int64s = NDArray[np.int64]

__all__ = ["findings_of_bars"]

KINDS = ("duplicate", "off_session", "zero_volume", "suspected_bad_print", "stale_run")


def findings_of_bars(
    masks: dict[str, Bools],
    time: Int64s,
    values: Floats,
    expected: SessionGrid,
    spikes: Floats,
) -> Iterator[pd.DataFrame]:
    """Give the findings of each kind; neighbouring bars of a session are one, a bad print is alone.

    Parameters
    ----------
    masks
        By kind, shape (n,): the bars concerned.
    time, values
        Shapes (n,) [microseconds since 1970 UTC] and (5, n), in order of time.
    expected
        Of the symbol's calendar.
    spikes
        Shape (n,): by how much a bar's high or low is out of line, 0 where it is not.

    Yields
    ------
    pandas.DataFrame
        As `frames.FINDINGS` without `symbol`, labels and times as numbers.
    """
    places = expected.place_of(time)
    for kind in KINDS:
        rows = np.flatnonzero(masks[kind])
        if not rows.size:
            continue
        breaks = np.diff(rows, prepend=-2) != 1
        breaks |= np.diff(places[rows], prepend=-1) != 0
        if kind == "suspected_bad_print":
            breaks[:] = True
        if kind == "stale_run":
            prices = values[:4, rows]
            breaks[1:] |= (prices[:, 1:] != prices[:, :-1]).any(axis=0)
        begins = np.flatnonzero(breaks)
        ends = np.append(begins[1:], rows.size) - 1
        numbers, notes = _described(kind, rows[begins], time, values, expected, spikes)
        yield pd.DataFrame(
            {
                "session": expected.labels[places[rows[begins]]],
                "kind": kind,
                "start": time[rows[begins]],
                "last": time[rows[ends]],
                "bars": ends - begins + 1,
                "value": numbers,
                "note": notes,
            }
        )


def _described(
    kind: str,
    rows: Int64s,
    time: Int64s,
    values: Floats,
    expected: SessionGrid,
    spikes: Floats,
) -> tuple[Any, list[str]]:
    """Return the value and the note of findings that begin with given rows."""
    if kind == "duplicate":
        is_same = (values[:, rows] == values[:, rows - 1]).all(axis=0)
        notes = np.where(is_same, "repeats the bar before it", "repeats its start, other values")
        return np.nan, notes.tolist()
    if kind == "off_session":
        if not expected.is_listed:
            return np.nan, ["the symbol named nothing then"] * len(rows)
        inside = grid.place_in(expected.starts, expected.ends, time[rows]) >= 0
        notes = np.where(inside, "off the interval's grid", "the market is closed then")
        notes = np.where(time[rows] > expected.until, "later than now", notes)
        return np.nan, notes.tolist()
    if kind == "zero_volume":
        return np.nan, ["no volume"] * len(rows)
    if kind == "stale_run":
        return values[3, rows], ["the same four prices in every bar"] * len(rows)
    prices = np.where(spikes[rows] > 0, values[1, rows], values[2, rows])
    prices[spikes[rows] == 0] = np.nan
    return prices, [_told(spikes[row], values[:, row]) for row in rows]


def _told(spike: float, values: Floats) -> str:
    if spike == 0.0:
        told = ", ".join(f"{name} {value:g}" for name, value in zip(VALUES, values, strict=True))
        return f"breaks a rule of bars: {told}"
    side, word = ("high", "above") if spike > 0 else ("low", "below")
    return f"{side} {abs(np.expm1(spike)):.1%} {word} the bars before and after"
