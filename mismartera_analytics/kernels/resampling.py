"""Short bars put together to longer ones, within the stretches of time in which a market is open."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel

__all__ = ["REPORT", "aggregate", "warm_up"]

REPORT = ("bars", "left_out", "off_session", "bad", "misfit", "unsorted")
"""What `aggregate` reports: three counts, then the first row with each fault, -1 for none."""


@kernel
def aggregate(
    time: Any,
    open_: Any,
    high: Any,
    low: Any,
    close: Any,
    volume: Any,
    starts: Any,
    ends: Any,
    bins: Any,
    step: int,
    length: int,
    out_time: Any,
    out_place: Any,
    out_values: Any,
    report: Any,
) -> None:
    """Write the longer bars of one symbol, in order; the first bar with a fault ends it.

    Parameters
    ----------
    time
        Shape (rows,), ascending: starts of the bars.
    open_, high, low, close, volume
        Shape (rows,).
    starts, ends
        Shape (stretches,): ``[start, end)``, in order and apart, in the unit of `time`.
    bins
        Shape (stretches,): stretches that follow each other and have the same number make one bar
        where `step` is longer than they are; -1 for a stretch whose bars are not wanted.
    step
        Length of a longer bar, counted from the start of its stretch.
    length
        Length of a given bar, 0 if it does not matter: it must not reach into the next longer bar.
    out_time, out_place, out_values
        Shape (rows,), (rows,) and (rows, 5): the start of the longer bar, the number of its stretch,
        and what it holds.
    report
        Shape (6,): see `REPORT`; filled.
    """
    report[:3] = 0
    report[3:] = -1
    count = -1
    at = np.searchsorted(ends, time[0], side="right") if len(time) else 0
    bar_end = fits_until = previous = np.int64(-(2**62))
    current = np.int64(-2)
    top = bottom = last = total = 0.0
    for i in range(len(time)):
        moment = time[i]
        if moment <= previous:
            report[5] = i
            break
        previous = moment
        is_good = (low[i] > 0.0) & (high[i] < np.inf) & (volume[i] >= 0.0) & (volume[i] < np.inf)
        is_good &= (low[i] <= open_[i]) & (open_[i] <= high[i])
        if not (is_good & (low[i] <= close[i]) & (close[i] <= high[i])):
            report[3] = i
            break
        if moment >= bar_end:
            while at < len(ends) and ends[at] <= moment:
                at += 1
            if at == len(ends) or moment < starts[at]:
                report[2] += 1
                continue
            if bins[at] < 0:
                report[1] += 1
                continue
            start = starts[at] + (moment - starts[at]) // step * step
            bar_end = min(start + step, ends[at])
            fits_until = bar_end - length if bar_end < ends[at] else bar_end
            if bins[at] != current or start != starts[at]:
                if count >= 0:
                    _finish(out_values, count, top, bottom, last, total)
                current = bins[at]
                count += 1
                out_time[count] = start
                out_place[count] = at
                out_values[count, 0] = open_[i]
                top, bottom, total = high[i], low[i], 0.0
        if moment > fits_until:
            report[4] = i
            break
        top = high[i] if high[i] > top else top
        bottom = low[i] if low[i] < bottom else bottom
        last = close[i]
        total += volume[i]
    if count >= 0:
        _finish(out_values, count, top, bottom, last, total)
    report[0] = count + 1


@kernel
def _finish(out_values: Any, at: int, high: float, low: float, close: float, volume: float) -> None:
    out_values[at, 1] = high
    out_values[at, 2] = low
    out_values[at, 3] = close
    out_values[at, 4] = volume


def warm_up() -> None:
    """Compile, or load from disk, the kernels of this module."""
    time = np.arange(3)
    price = np.ones(3)
    for array in (time, price):
        array.flags.writeable = False
    edges = np.array([0, 5])
    edges.flags.writeable = False
    values = np.empty((3, 5))
    out, report = np.empty((2, 3), np.int64), np.empty(6, np.int64)
    columns = (price, price, price, price, price)
    places = edges[:1]
    aggregate(
        time, *columns, places, edges[1:], places, 2, 1, out[0], out[1], values, report
    )  # fmt: skip
