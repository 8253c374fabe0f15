"""Several calendars on one clock: a row is an instant at which bars of one or more of them end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import Clock, Int64s
from mismartera_analytics.errors import InvalidBarsError

__all__ = ["Joined", "join_clocks"]

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Joined:
    """Clocks on common rows.

    Attributes
    ----------
    whole
        The rows themselves. `start` is the first instant of the earliest bar that ends there; `label`
        is the latest session label reached, and the sessions are those labels.
    own
        Each calendar's clock on the common rows; `flags` are 0 where it has no bars.
    places
        Of each calendar the common rows of its own ones.
    """

    whole: Clock
    own: tuple[Clock, ...]
    places: tuple[Int64s, ...]


def join_clocks(clocks: Sequence[Clock], *, is_intraday: bool) -> Joined:
    """Put the clocks of several calendars on common rows.

    Parameters
    ----------
    clocks
        One a calendar.
    is_intraday
        Whether bars are shorter than a session. The order of a bar that is not belongs to the first
        session that opens at its instant or later: the session at hand has no bar left to fill it.

    Returns
    -------
    Joined

    Raises
    ------
    InvalidBarsError
        If two bars of one calendar end at the same instant.

    Examples
    --------
    A run of one symbol in Tokyo and one in New York has two rows on each date that both trade.
    """
    for times in clocks:
        if (np.diff(times.end) <= 0).any():
            row = int(np.argmax(np.diff(times.end) <= 0))
            raise InvalidBarsError(
                f"bars: two bars end at the same instant on {times.label[row]}; in a run of several "
                f"calendars the bars of each must follow one another."
            )
    ends = np.unique(np.concatenate([times.end for times in clocks]))
    places = tuple(np.searchsorted(ends, times.end).astype(np.int64) for times in clocks)
    own = tuple(
        _spread(times, rows, ends, is_intraday=is_intraday)
        for times, rows in zip(clocks, places, strict=True)
    )
    return Joined(_whole(clocks, places, own, ends), own, places)


def _spread(times: Clock, rows: Int64s, ends: Int64s, *, is_intraday: bool) -> Clock:
    """Return a calendar's clock on rows that end at `ends`, its own being `rows` of them."""
    start = np.full(len(ends), _NEVER)
    start[rows] = times.start
    session = np.searchsorted(times.closes, ends).astype(np.int64)
    session[rows] = times.session
    flags = np.zeros(len(ends), np.uint8)
    flags[rows] = times.flags
    return dataclasses.replace(
        times,
        start=start,
        end=ends,
        session=session,
        label=times.labels[np.minimum(session, len(times.labels) - 1)],
        flags=flags,
        orders_wait_for_opens=not is_intraday,
    )


def _whole(
    clocks: Sequence[Clock], places: Sequence[Int64s], own: Sequence[Clock], ends: Int64s
) -> Clock:
    label = np.full(len(ends), np.datetime64("0001-01-01", "D"))
    for times, rows in zip(clocks, places, strict=True):
        label[rows] = np.maximum(label[rows], times.label)
    label = np.maximum.accumulate(label)
    labels, session = np.unique(label, return_inverse=True)
    start = np.min([times.start for times in own], axis=0)
    first = np.searchsorted(session, np.arange(len(labels)))
    last = np.append(first[1:], len(ends)) - 1
    flags: NDArray[np.uint8] = np.bitwise_or.reduce([times.flags for times in own])
    return Clock(
        start=start,
        end=ends,
        session=session.astype(np.int64),
        label=label,
        flags=flags,
        closes=ends[last],
        labels=labels,
        opens=start[first],
        begins=start[first],
    )
