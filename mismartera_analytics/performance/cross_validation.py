"""The probability that picking the best of many trials picks noise, by symmetric cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.performance.observations import observations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName

__all__ = ["Overfitting", "probability_of_backtest_overfitting"]

Floats = npt.NDArray[np.floating[Any]]
MOST_BLOCKS = 20
_AT_ONCE = 2**21
"""Sharpe ratios that are held at a time."""


@dataclass(frozen=True)
class Overfitting:
    """What symmetric cross-validation says of picking the best of several trials.

    Attributes
    ----------
    probability
        Share of splits in which the trial that was best in one half ranked in the lower half of the
        other: the probability of backtest overfitting [1].
    logits
        ``log(w / (1 - w))`` of the picked trial's relative rank w in the other half, one a split; at
        most 0 where it ranked at the median or below.
    inside, outside
        Sharpe ratio per observation of the picked trial in the half it was picked on, and in the other.
    slope
        Of `outside` on `inside` by least squares [1]: negative where the better it looked, the worse
        it did.
    probability_of_loss
        Share of splits in which `outside` is negative [1].
    trials, observations, blocks
        What was split.
    """

    probability: float
    slope: float
    probability_of_loss: float
    trials: int
    observations: int
    blocks: int
    logits: Floats = field(repr=False)
    inside: Floats = field(repr=False)
    outside: Floats = field(repr=False)

    def __str__(self) -> str:
        return (
            f"the best of {self.trials:,} trials on one half of the record ranked in the lower half "
            f"on the other in {self.probability:.0%} of {len(self.logits):,} splits"
        )

    def plot(self, *, theme: ThemeName = "light") -> Figure:
        """Return a figure of the logits: how often the picked trial ranked where in the other half.

        Parameters
        ----------
        theme
            ``"light"`` or ``"dark"``.
        """
        from mismartera_analytics.figures.overfitting import logits

        return logits(self.logits, probability=self.probability, trials=self.trials, theme=theme)


def probability_of_backtest_overfitting(matrix: Any, *, blocks: int = 16) -> Overfitting:
    """Return how often the best trial of one half of a record is among the worse ones of the other.

    The record is cut into `blocks` pieces. Every choice of half of them is one split: the trial with
    the highest Sharpe ratio on the chosen half is picked, and ranked among all on the other half.

    Parameters
    ----------
    matrix
        Simple returns of every trial, shape (n, k), one column a trial, all on the same observations.
    blocks
        Pieces, an even number from 2 to 20: 16 give 12,870 splits. Their lengths differ by at most
        one observation.

    Returns
    -------
    Overfitting
        A trial without any variance in a half (it held nothing) has the Sharpe ratio 0 there. Equal
        ratios share the mean of their ranks.

    Raises
    ------
    InvalidInputError
        If there are fewer than two trials, a return is missing, a trial gains without variance, the
        blocks are not allowed or longer than the record allows, or the input breaks a rule of
        `observations`.

    References
    ----------
    Bailey, D. H., Borwein, J., López de Prado, M. and Zhu, Q. J. (2015), The Probability of Backtest
    Overfitting, Journal of Computational Finance.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0.0, 0.01, (500, 20))
    >>> skilled = noise + np.where(np.arange(20) == 7, 0.002, 0.0)
    >>> probability_of_backtest_overfitting(skilled, blocks=8).probability < 0.1
    True
    """
    values = observations(matrix, argument="matrix").values
    _check(values, blocks)
    parts = np.array_split(values - values.mean(axis=0), blocks)
    pieces = _Pieces(
        np.array([len(part) for part in parts], np.float64),
        np.array([part.sum(axis=0) for part in parts]),
        np.array([np.square(part).sum(axis=0) for part in parts]),
        values.mean(axis=0),
        np.abs(values).max(axis=0),
    )
    chosen = np.array(
        [np.isin(np.arange(blocks), half) for half in combinations(range(blocks), blocks // 2)],
        np.float64,
    )
    step = max(1, _AT_ONCE // values.shape[1])
    found = [_picked(pieces, chosen[at : at + step]) for at in range(0, len(chosen), step)]
    inside, outside, logits = (np.concatenate(part) for part in zip(*found, strict=True))
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        slope=_slope(inside, outside),
        probability_of_loss=float(np.mean(outside < 0.0)),
        trials=values.shape[1],
        observations=len(values),
        blocks=blocks,
        logits=logits,
        inside=inside,
        outside=outside,
    )


def _check(values: Floats, blocks: int) -> None:
    length, trials = values.shape
    if trials < 2:
        raise InvalidInputError(
            f"matrix has {trials} trial{'s' * (trials != 1)}: nothing was picked, so nothing can be "
            f"overfitted by picking. Pass one column for each trial, two or more."
        )
    if not (is_whole(blocks) and 2 <= blocks <= MOST_BLOCKS and blocks % 2 == 0):
        raise InvalidInputError(
            f"blocks={as_given(blocks)} must be an even number from 2 to {MOST_BLOCKS}."
        )
    if length < 2 * blocks:
        raise InvalidInputError(
            f"blocks={blocks} needs {2 * blocks} observations or more; matrix has {length}."
        )
    missing = int(np.isnan(values).any(axis=1).sum())
    if missing:
        raise InvalidInputError(
            f"matrix misses a return on {missing} of {length} observations; give every trial one on "
            f"all of them (0 where it held nothing)."
        )


@dataclass(frozen=True)
class _Pieces:
    """Sums of each block, of the returns less their trial's mean."""

    counts: Floats
    sums: Floats
    squares: Floats
    means: Floats
    sizes: Floats


def _picked(pieces: _Pieces, chosen: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the picked trial's ratios in both halves, and the logit of its rank, of some splits."""
    inside, outside = _ratios(pieces, chosen), _ratios(pieces, 1.0 - chosen)
    best = inside.argmax(axis=1)
    rows = np.arange(len(chosen))
    found = outside[rows, best]
    below = (outside < found[:, np.newaxis]).sum(axis=1)
    level = (outside == found[:, np.newaxis]).sum(axis=1)
    rank = (below + (level + 1) / 2) / (outside.shape[1] + 1)
    return inside[rows, best], found, np.log(rank / (1.0 - rank))


def _ratios(pieces: _Pieces, chosen: Floats) -> Floats:
    """Return each trial's Sharpe ratio per observation on the chosen blocks, shape (splits, k)."""
    counts = (chosen @ pieces.counts)[:, np.newaxis]
    offsets = chosen @ pieces.sums / counts
    variances = (chosen @ pieces.squares - counts * np.square(offsets)) / (counts - 1.0)
    deviations = np.sqrt(np.maximum(variances, 0.0))
    means = pieces.means + offsets
    is_flat = deviations <= 1e-9 * pieces.sizes
    if (is_flat & (np.abs(means) > 1e-9 * pieces.sizes)).any():
        column = int(np.argmax((is_flat & (np.abs(means) > 1e-9 * pieces.sizes)).any(axis=0)))
        raise InvalidInputError(
            f"matrix: trial {column} has the same return on half of the record, so its Sharpe ratio "
            f"has no bound there; that is no record of trading."
        )
    ratios: Floats = np.divide(means, deviations, out=np.zeros_like(means), where=~is_flat)
    return ratios


def _slope(inside: Floats, outside: Floats) -> float:
    deviations = inside - inside.mean()
    spread = float(np.square(deviations).sum())
    if spread <= 1e-24 * len(inside) * float(np.square(inside).max(initial=0.0)):
        return float("nan")
    return float((deviations * (outside - outside.mean())).sum() / spread)
