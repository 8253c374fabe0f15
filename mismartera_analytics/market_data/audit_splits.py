"""Splits that nobody recorded: jumps between sessions by the ratio of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["RATIOS", "suspected_splits"]

_WHOLE = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)
_FORWARD = np.array([1.25, 4 / 3, 1.5, 2.5, *_WHOLE])
RATIOS = np.sort(np.concatenate([_FORWARD, 1 / _FORWARD]))
"""New shares for an old one that splits are known to have."""
_FEW = 20
"""Jumps below which their spread is not measured."""
_USUAL_SPREAD = 0.015
"""Of overnight moves, where there are few [logarithm]."""
_NEAR, _FAR = 4.0, 8.0
_CLOSEST, _WIDEST = 0.01, 0.06
_MOST_TURNOVER = 5.0


def suspected_splits(first: Floats, last: Floats, turnover: Floats, recorded: Floats) -> Floats:
    """Return for each session the ratio of the split that its first price looks like.

    The move from the close before, with recorded splits taken out, must be further than eight spreads
    from nothing and nearer than four (1% to 6%) to a split's ratio; the session's last price must
    still be nearer to the split than to the close before; and the turnover must not exceed five times
    the median of the 20 sessions before, since a split moves shares and a crash moves money. The
    spread is the scaled median absolute deviation of all such moves, 1.5% where they are fewer than
    20.

    Parameters
    ----------
    first, last
        Shape (n,): first and last price of each session, in order.
    turnover
        Shape (n,): price times volume, summed over the session.
    recorded
        Shape (n,): ratio of the splits recorded since the session before, 1 where there are none.

    Returns
    -------
    numpy.ndarray of float64
        Shape (n,): new shares for an old one, beside what is recorded; NaN where nothing is suspected.

    Examples
    --------
    >>> ones = np.ones(3)
    >>> first, last = np.array([100.0, 101.0, 50.2]), np.array([101.0, 100.0, 50.0])
    >>> suspected_splits(first, last, ones, ones)
    array([nan, nan,  2.])
    """
    ratios = np.full(len(first), np.nan)
    if len(first) < 2:
        return ratios
    moves = np.log(last[:-1] / first[1:]) - np.log(recorded[1:])
    spread = _USUAL_SPREAD
    if len(moves) >= _FEW:
        spread = float(1.4826 * np.median(np.abs(moves - np.median(moves))))
    near = min(max(_NEAR * spread, _CLOSEST), _WIDEST)
    known = np.log(RATIOS)
    for i in np.flatnonzero(np.abs(moves) > max(_FAR * spread, np.log(1.2))):
        which = np.abs(known - moves[i]).argmin()
        nearest = known[which]
        kept = np.log(last[i] / last[i + 1]) - np.log(recorded[i + 1])
        before = np.median(turnover[max(0, i - 19) : i + 1])
        if (
            abs(nearest - moves[i]) <= near
            and abs(kept - nearest) < abs(kept)
            and not turnover[i + 1] > _MOST_TURNOVER * before > 0
        ):
            ratios[i + 1] = RATIOS[which]
    return ratios
