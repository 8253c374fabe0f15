"""Local wall-clock times to instants, for whole arrays at once, daylight saving included."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics import clock

__all__ = ["SECOND", "ZoneTable", "to_utc", "zone_table"]

Int64s = NDArray[np.int64]

SECOND = 1_000_000  # [microseconds]
_WEEK = dt.timedelta(days=7)
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the wall clock of any zone


@dataclass(frozen=True)
class ZoneTable:
    """The changes of a zone's offset from UTC over some years.

    Attributes
    ----------
    doubtful_from, doubtful_to
        Local microseconds since 1970 between which wall-clock times are skipped or doubled, one pair
        a change, in increasing order.
    offsets
        Offset [microseconds] before the first change and after each one.
    """

    doubtful_from: Int64s
    doubtful_to: Int64s
    offsets: Int64s


@functools.lru_cache(maxsize=256)
def zone_table(name: str, first_year: int, last_year: int) -> ZoneTable:
    """Return the offset changes of a zone, found by asking `zoneinfo` week by week.

    No zone has changed its offset twice within a week since 1970 and returned to it.

    Parameters
    ----------
    name
        IANA name.
    first_year, last_year
        Years to cover, both included.

    Returns
    -------
    ZoneTable

    Raises
    ------
    InvalidInputError
        If there is no such zone.

    Examples
    --------
    >>> zone_table("Asia/Tokyo", 1990, 2030).offsets
    array([32400000000])
    """
    tz = clock.zone(name, argument="timezone")
    week = dt.datetime(first_year, 1, 1, tzinfo=tz) - _WEEK
    end = dt.datetime(last_year + 1, 1, 8, tzinfo=tz)
    offset = week.utcoffset()
    changes: list[int] = []
    offsets = [_seconds(offset)]
    while week < end:
        following = week + _WEEK
        after = following.utcoffset()
        if after != offset:
            low, high = _utc_seconds(week, offsets[-1]), _utc_seconds(following, _seconds(after))
            changes.append(_bisect(tz, low, high, offsets[-1]))
            offsets.append(_seconds(after))
        week, offset = following, after
    at = np.array(changes, np.int64)
    every = np.array(offsets, np.int64)
    before, after_each = at + every[:-1], at + every[1:]
    return ZoneTable(
        np.minimum(before, after_each) * SECOND,
        np.maximum(before, after_each) * SECOND,
        every * SECOND,
    )


def _seconds(offset: dt.timedelta | None) -> int:
    return 0 if offset is None else int(offset.total_seconds())


def _utc_seconds(moment: dt.datetime, offset: int) -> int:
    return int((moment.replace(tzinfo=None) - _EPOCH).total_seconds()) - offset


def _bisect(tz: dt.tzinfo, low: int, high: int, before: int) -> int:
    """Return the first second in (low, high] whose offset is not `before`."""
    while high - low > 1:
        middle = (low + high) // 2
        if _seconds(dt.datetime.fromtimestamp(middle, tz).utcoffset()) == before:
            low = middle
        else:
            high = middle
    return high


def to_utc(local: Int64s, name: str) -> tuple[Int64s, NDArray[np.bool_]]:
    """Return instants of local wall-clock times, and which of them clocks skip or show twice.

    Parameters
    ----------
    local
        Local time [microseconds since 1970-01-01 00:00 on the wall clock], any shape.
    name
        IANA name of the zone.

    Returns
    -------
    utc : ndarray of int64
        [microseconds since 1970-01-01 00:00 UTC].
    is_doubtful : ndarray of bool
        True where the local time does not exist on that day or exists twice.

    Examples
    --------
    >>> nine_thirty = np.array([1_751_448_600_000_000])  # 2025-07-02 09:30
    >>> to_utc(nine_thirty, "America/New_York")[0] - nine_thirty
    array([14400000000])
    """
    if local.size == 0:
        return local.copy(), np.zeros(local.shape, bool)
    table = zone_table(name, _year(local.min()), _year(local.max()))
    passed: Any = np.searchsorted(table.doubtful_to, local, side="right")
    begun: Any = np.searchsorted(table.doubtful_from, local, side="right")
    return local - table.offsets[passed], begun != passed


def _year(local: np.int64) -> int:
    return int(local.astype("datetime64[us]").astype("datetime64[Y]").astype(int)) + 1970
