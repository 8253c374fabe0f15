"""What was decided, row by row, and where two runs decided otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Change", "Decisions", "Track", "changes", "compared"]

TOLERANCE = 1e-9
"""Numbers count as the same within this part of the value, or of the column's typical size [1]."""


@dataclass(frozen=True)
class Track:
    """One thing that is decided again and again.

    Attributes
    ----------
    kind
        ``indicator``, ``order``, ``weight``, ``entry``, ``exit``, ``short entry``, ``short exit`` or
        ``universe``.
    name
        Of the function, with its parameters; of orders empty.
    symbol
        Empty where it is of no symbol.
    rows
        (n,) rows of the clock at whose end each value was decided, ascending.
    values
        (n,) numbers, or text as objects.
    since
        Row of the clock at which they were worked out, -1 before the first.
    """

    kind: str
    name: str
    symbol: str
    rows: NDArray[np.int64]
    values: NDArray[Any]
    since: int = -1

    @property
    def label(self) -> tuple[str, str, str]:
        """What a reader knows it by."""
        return self.kind, self.name, self.symbol


@dataclass(frozen=True)
class Decisions:
    """Everything that one run decided.

    Attributes
    ----------
    tracks
        By a key that tells apart what bears the same label.
    acted
        (n,) rows at whose end orders were placed, or rows of weights and signals given.
    is_part
        Whether only these tracks were asked for, and others may be missing.
    """

    tracks: Mapping[Any, Track] = field(default_factory=dict)
    acted: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    is_part: bool = False


@dataclass(frozen=True)
class Change:
    """A decision that another future changed.

    Attributes
    ----------
    track
        What it belongs to.
    row
        The first row at whose end it was decided otherwise.
    last
        The last such row up to the cut.
    old, new
        Values in the run and in the rerun, as text.
    """

    track: Track
    row: int
    last: int
    old: str
    new: str


def changes(run: Decisions, rerun: Decisions, cut: int) -> Iterator[Change]:
    """Yield what was decided otherwise at the end of `cut` or before, a change a track."""
    for key in _keys(run, rerun):
        old, new = run.tracks.get(key), rerun.tracks.get(key)
        known = old or new
        assert known is not None
        if (old is None or new is None) and known.since >= cut:
            continue  # a split of the next bar has the run's indicators worked out anew
        rows, before, after = _aligned(old, new, cut)
        differ = np.flatnonzero(~_same(before, after))
        if len(differ) == 0:
            continue
        at = differ[0]
        yield Change(
            track=known,
            row=int(rows[at]),
            last=int(rows[differ[-1]]),
            old=_text(before[at], known.kind),
            new=_text(after[at], known.kind),
        )


def compared(run: Decisions, rerun: Decisions, cut: int) -> dict[tuple[str, str, str], int]:
    """Return how many values of each label were compared at the end of `cut` or before."""
    counts: dict[tuple[str, str, str], int] = {}
    for track in (run.tracks[key] for key in _keys(run, rerun) if key in run.tracks):
        count = int(np.searchsorted(track.rows, cut, side="right"))
        counts[track.label] = counts.get(track.label, 0) + count
    return counts


def _keys(run: Decisions, rerun: Decisions) -> Iterable[Any]:
    if rerun.is_part:
        return list(rerun.tracks)
    return [*run.tracks, *(key for key in rerun.tracks if key not in run.tracks)]


def _aligned(
    old: Track | None, new: Track | None, cut: int
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Return both tracks up to a row, on the rows of either; None where one has no value."""
    first, second = _until(old, cut), _until(new, cut)
    if np.array_equal(first[0], second[0]):
        return first[0], first[1], second[1]
    rows = np.union1d(first[0], second[0])
    both = []
    for own, values in (first, second):
        spread = np.full(len(rows), None, object)
        spread[np.searchsorted(rows, own)] = values
        both.append(spread)
    return rows, both[0], both[1]


def _until(track: Track | None, cut: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    if track is None:
        return np.zeros(0, np.int64), np.zeros(0, object)
    count = int(np.searchsorted(track.rows, cut, side="right"))
    return track.rows[:count], track.values[:count]


def _same(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    if before.dtype == object or after.dtype == object:
        pairs = zip(before.tolist(), after.tolist(), strict=True)
        return np.array([_is_same(old, new) for old, new in pairs], np.bool_)
    finite = np.abs(before[np.isfinite(before)])
    size = float(np.median(finite)) if len(finite) else 0.0
    close = np.isclose(before, after, rtol=TOLERANCE, atol=TOLERANCE * size, equal_nan=True)
    return np.asarray(close, np.bool_)


def _is_same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return bool(np.isclose(old, new, rtol=TOLERANCE, atol=0.0, equal_nan=True))
    return bool(old == new)


def _text(value: Any, kind: str) -> str:
    if value is None or isinstance(value, str):
        return value or "nothing"
    if math.isnan(value):
        return "NaN"
    return str(bool(value)) if kind.endswith(("entry", "exit")) else f"{float(value):.10g}"
