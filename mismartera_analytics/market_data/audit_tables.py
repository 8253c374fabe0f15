"""From what was found for each symbol to the frames of an audit: counts, gaps, findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.market_data.audit_checks import SymbolAudit
from mismartera_analytics.market_data.audit_grid import SessionGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

__all__ = ["Expectation", "counts_of", "findings_of", "gaps_of"]

Expectation = tuple[int, int]
"""Numbers of the bars ``[first, last)`` of a grid that one symbol should have."""


def counts_of(audits: Sequence[SymbolAudit], expectations: Sequence[Expectation]) -> pd.DataFrame:
    """Return `frames.AUDIT`: the sessions that expect or hold a bar, by symbol."""
    parts = [
        _counts(audit, expectation) for audit, expectation in zip(audits, expectations, strict=True)
    ]
    if not parts:
        return frames.AUDIT.empty()
    return frames.AUDIT.conform(pd.concat(parts, ignore_index=True))


def _counts(audit: SymbolAudit, expectation: Expectation) -> pd.DataFrame:
    expected = _expected_by_session(audit.grid, expectation)
    is_shown = expected > 0
    for count in audit.counts.values():
        is_shown |= count > 0
    shown = np.flatnonzero(is_shown)
    columns: dict[str, Any] = {name: count[shown] for name, count in audit.counts.items()}
    columns |= {
        "session": _labels(audit.grid.labels[shown]),
        "expected": expected[shown],
        "missing": expected[shown] - columns["present"],
        "split_ratio": audit.ratios[shown],
        "suspected_split": ~np.isnan(audit.ratios[shown]),
    }
    found = pd.DataFrame(columns)
    found["symbol"] = pd.Series(audit.symbol, index=found.index, dtype="str")
    return found


def _expected_by_session(grid: SessionGrid, expectation: Expectation) -> Int64s:
    inside = np.clip(grid.base, *expectation)
    weights = np.diff(inside)
    sums = np.bincount(grid.places, weights=weights, minlength=len(grid.labels))
    return sums.astype(np.int64)


def gaps_of(
    audits: Sequence[SymbolAudit], expectations: Sequence[Expectation], *, tz: str | None
) -> pd.DataFrame:
    """Return `frames.GAPS`: runs of missing bars, cut at the ends of phases and at breaks."""
    parts = [
        _gaps(audit, expectation) for audit, expectation in zip(audits, expectations, strict=True)
    ]
    if not parts:
        return frames.GAPS.conform(frames.GAPS.empty(), tz=tz)
    return frames.GAPS.conform(pd.concat(parts, ignore_index=True), tz=tz)


def _gaps(audit: SymbolAudit, expectation: Expectation) -> pd.DataFrame:
    grid = audit.grid
    first, last = expectation
    inside = audit.numbers[(audit.numbers >= first) & (audit.numbers < last)]
    edges = np.concatenate(([first - 1], inside, [last]))
    is_gap = np.diff(edges) > 1
    begins, ends = _cut(edges[:-1][is_gap] + 1, edges[1:][is_gap] - 1, grid)
    at = np.searchsorted(grid.base, begins, side="right") - 1
    found = pd.DataFrame(
        {
            "session": _labels(grid.labels[grid.places[at]]),
            "phase": pd.Series(grid.phases[at], dtype="str"),
            "start": _instants(grid.start_of(begins)),
            "end": _instants(grid.end_of(ends)),
            "bars": ends - begins + 1,
        }
    )
    found["symbol"] = pd.Series(audit.symbol, index=found.index, dtype="str")
    return found


def _cut(begins: Int64s, ends: Int64s, grid: SessionGrid) -> tuple[Int64s, Int64s]:
    """Return runs of bars ``[begin, end]`` cut where phases begin, unless each bar is a session's."""
    if (np.diff(grid.base) == 1).all():
        return begins, ends
    seams = np.append(grid.seams, grid.base[-1])
    opening = np.searchsorted(seams, begins, side="right") - 1
    closing = np.searchsorted(seams, ends, side="right") - 1
    pieces = closing - opening + 1
    offsets = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    parts = np.repeat(opening, pieces) + offsets
    return (
        np.maximum(np.repeat(begins, pieces), seams[parts]),
        np.minimum(np.repeat(ends, pieces), seams[parts + 1] - 1),
    )


def findings_of(
    audits: Sequence[SymbolAudit], unreadable: Sequence[pd.DataFrame], *, tz: str | None
) -> pd.DataFrame:
    """Return `frames.FINDINGS`.

    Parameters
    ----------
    audits
        What was found by symbol.
    unreadable
        Rows that have no symbol or time: findings of their own.
    tz
        Zone of the times.
    """
    parts = list(unreadable)
    parts += [_readable(found, audit.symbol) for audit in audits for found in audit.findings]
    if not parts:
        return frames.FINDINGS.conform(frames.FINDINGS.empty(), tz=tz)
    return frames.FINDINGS.conform(pd.concat(parts, ignore_index=True), tz=tz)


def _readable(found: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return found.assign(
        symbol=pd.Series(symbol, index=found.index, dtype="str"),
        session=_labels(found["session"].to_numpy()),
        start=_instants(found["start"].to_numpy()),
        last=_instants(found["last"].to_numpy()),
    )


def _labels(days: Int64s) -> pd.Series:
    return pd.Series(days.astype("datetime64[D]").astype("datetime64[us]"))


def _instants(numbers: Int64s) -> pd.Series:
    return pd.Series(numbers.astype("datetime64[us]")).dt.tz_localize("UTC")
