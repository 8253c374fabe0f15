"""One symbol's bars against the hours: what is there, what is too much, what looks wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.calendars import grid
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.market_data.audit_findings import findings_of_bars
from mismartera_analytics.market_data.audit_grid import SessionGrid, microseconds
from mismartera_analytics.market_data.audit_splits import suspected_splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    RecordedSplits = tuple[Int64s, NDArray[np.float64]]
    """Labels [days since 1970] and ratios."""

__all__ = ["AuditLimits", "SymbolAudit", "SymbolBars", "audit_symbol"]

_DAY_US = 86_400_000_000
_STALE_MINUTES = 10
_STALE_BARS = 5


@dataclass(frozen=True, kw_only=True)
class AuditLimits:
    """From where on a bar is suspected.

    Attributes
    ----------
    spike_ranges
        A bad print lies this many median ranges beyond its surroundings …
    spike_floor
        … and at least this fraction.
    stale_bars
        So many bars in a row with the same four prices are stale; None means ten minutes of bars, five
        bars at least.
    """

    spike_ranges: float = 10.0
    spike_floor: float = 0.02
    stale_bars: int | None = None

    def __post_init__(self) -> None:
        for name in ("spike_ranges", "spike_floor"):
            if not 0 < getattr(self, name) < np.inf:
                raise InvalidInputError(f"{name}={as_given(getattr(self, name))} must be positive.")
        if self.stale_bars is not None and self.stale_bars < 2:
            raise InvalidInputError(f"stale_bars={as_given(self.stale_bars)} must be 2 or more.")

    def stale_bars_of(self, interval: clock.Interval) -> int:
        """Return how many equal bars of an interval are stale."""
        if self.stale_bars is not None:
            return self.stale_bars
        if not interval.is_intraday:
            return _STALE_BARS
        step = microseconds(interval.length)
        return max(_STALE_BARS, -(-_STALE_MINUTES * 60_000_000 // step))


@dataclass(frozen=True, eq=False)
class SymbolBars:
    """Bars of one symbol in order of time, repeats included.

    Attributes
    ----------
    symbol
        Its name.
    time
        Shape (n,): starts [microseconds since 1970 UTC]; of a session and longer the label's midnight.
    values
        Shape (5, n): open, high, low, close, volume.
    has_earlier
        Tells whether there are bars before the window that is audited.
    """

    symbol: str
    time: Int64s
    values: NDArray[np.float64]
    has_earlier: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class SymbolAudit:
    """What was found for one symbol.

    Attributes
    ----------
    symbol
        Its name.
    grid
        What was expected.
    numbers
        Numbers of the expected bars that are there, ascending.
    first, last
        Places of the sessions of the first and the last bar, None without bars.
    counts
        By name, shape (sessions of the calendar,).
    ratios
        Suspected splits, shape (sessions,), NaN without.
    findings
        Frames as `frames.FINDINGS`, without `symbol`, times in microseconds.
    """

    symbol: str
    grid: SessionGrid
    numbers: Int64s
    first: int | None
    last: int | None
    counts: dict[str, Int64s]
    ratios: NDArray[np.float64]
    findings: list[pd.DataFrame] = field(default_factory=list)


def audit_symbol(
    bars: SymbolBars,
    expected: SessionGrid,
    interval: clock.Interval,
    limits: AuditLimits,
    splits: RecordedSplits,
) -> SymbolAudit:
    """Return what is wrong with the bars of one symbol.

    Parameters
    ----------
    bars
        In order of time.
    expected
        Of the symbol's calendar.
    interval
        Length of the bars.
    limits
        From where on a bar is suspected.
    splits
        The symbol's recorded ones.

    Returns
    -------
    SymbolAudit
    """
    if not interval.is_intraday:
        bars = replace(bars, time=expected.times_of_labels(bars.time // _DAY_US))
    places = expected.place_of(bars.time)
    is_expected, numbers = expected.locate(bars.time)
    masks = _positions(bars.time, is_expected, expected)
    present = masks["present"]
    judged = np.flatnonzero(present & _is_sound(bars.values))
    spikes = np.zeros(len(bars.time))
    spikes[judged] = _spikes(bars.values[:, judged], limits)
    runs = np.zeros(len(bars.time), dtype=np.int64)
    runs[judged] = _equal_runs(bars.values[:4, judged])
    is_broken = present.copy()
    is_broken[judged] = False
    masks["zero_volume"] = present & (bars.values[4] == 0)
    masks["suspected_bad_print"] = is_broken | (spikes != 0)
    masks["stale_run"] = runs >= limits.stale_bars_of(interval)
    ratios = np.full(len(expected.labels), np.nan)
    regular = judged[expected.is_regular(numbers[judged])]
    jumps = _splits(ratios, bars, regular, places[regular], expected.labels, splits)
    seen = np.flatnonzero(present | masks["extended"])
    return SymbolAudit(
        symbol=bars.symbol,
        grid=expected,
        numbers=numbers[present],
        first=int(places[seen[0]]) if seen.size else None,
        last=int(places[seen[-1]]) if seen.size else None,
        counts={
            name: np.bincount(places[mask], minlength=len(ratios)) for name, mask in masks.items()
        },
        ratios=ratios,
        findings=[*findings_of_bars(masks, bars.time, bars.values, expected, spikes), *jumps],
    )


def _positions(time: Int64s, is_expected: Bools, expected: SessionGrid) -> dict[str, Bools]:
    """Return which bars are present, repeated, off session or extended: each is one of them."""
    repeats = np.diff(time, prepend=time[:1] - 1) == 0
    aside = ~is_expected & ~repeats
    extended = aside & (grid.place_in(*expected.others, time) >= 0)
    return {
        "present": is_expected & ~repeats,
        "duplicate": repeats,
        "off_session": aside & ~extended,
        "extended": extended,
    }


def _is_sound(values: NDArray[np.float64]) -> Bools:
    """Return which bars keep the rules: positive finite prices in order, volume not negative."""
    open_, high, low, close, volume = values
    with np.errstate(invalid="ignore"):
        is_ordered = (low > 0) & (high < np.inf) & (low <= np.minimum(open_, close))
        return np.asarray(is_ordered & (np.maximum(open_, close) <= high) & (volume >= 0))


def _spikes(values: NDArray[np.float64], limits: AuditLimits) -> NDArray[np.float64]:
    from mismartera_analytics.kernels.prints import spikes

    _, high, low, close, _ = values
    found: NDArray[np.float64] = spikes(
        np.ascontiguousarray(high),
        np.ascontiguousarray(low),
        np.ascontiguousarray(close),
        limits.spike_ranges,
        limits.spike_floor,
    )
    return found


def _equal_runs(prices: NDArray[np.float64]) -> Int64s:
    """Return for each bar how many neighbours in a row, itself included, have the same four prices."""
    count = prices.shape[1]
    if not count:
        return np.empty(0, dtype=np.int64)
    begins = np.concatenate(([True], (prices[:, 1:] != prices[:, :-1]).any(axis=0)))
    lengths = np.diff(np.flatnonzero(begins), append=count)
    return np.repeat(lengths, lengths)


def _splits(
    ratios: NDArray[np.float64],
    bars: SymbolBars,
    rows: Int64s,
    places: Int64s,
    labels: Int64s,
    splits: RecordedSplits,
) -> Iterator[pd.DataFrame]:
    """Write the suspected ratio of each session into `ratios`; return them as findings."""
    if not rows.size:
        return iter(())
    begins = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    ends = np.append(begins[1:], places.size) - 1
    open_, _, _, close, volume = bars.values[:, rows]
    held = labels[places[begins]]
    recorded = np.ones(len(held))
    at = np.searchsorted(held, splits[0])
    inside = at < len(held)
    np.multiply.at(recorded, at[inside], splits[1][inside])
    turnover = np.add.reduceat(close * volume, begins)
    found = suspected_splits(open_[begins], close[ends], turnover, recorded)
    ratios[places[begins]] = found
    jumps = np.flatnonzero(~np.isnan(found))
    starts = bars.time[rows[begins[jumps]]]
    notes = [
        f"opens at {open_[begins[k]]:g} after {close[ends[k - 1]]:g}"
        + (f", though a split of {recorded[k]:g} is recorded" if recorded[k] != 1 else "")
        for k in jumps
    ]
    found_rows = {
        "session": held[jumps],
        "kind": "suspected_split",
        "start": starts,
        "last": starts,
        "bars": 1,
        "value": found[jumps],
        "note": notes,
    }
    return iter([pd.DataFrame(found_rows)] if jumps.size else [])
