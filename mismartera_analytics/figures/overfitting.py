"""Figures of what picking among many trials does: logits of ranks, and Sharpe ratios beside luck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mismartera_analytics.figures.style import ThemeName, amount, percent, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["logits", "trial_sharpes"]

Size = tuple[float, float]
Floats = npt.NDArray[np.floating[Any]]
_MOST_BARS = 40


def logits(
    values: Floats,
    *,
    probability: float,
    trials: int,
    theme: ThemeName = "light",
    size: Size = (9.0, 3.2),
) -> Figure:
    """Draw where the trial that was best on one half of a record ranked on the other half.

    Parameters
    ----------
    values
        Logits of its relative rank, one a split; at most 0 in the lower half.
    probability
        Share of the lower half: the probability of backtest overfitting [1].
    trials
        Among how many it was picked.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown.

    Examples
    --------
    >>> len(logits(np.array([-0.5, 0.5, 1.0]), probability=1 / 3, trials=9).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        axes = figure.subplots()
        edges = _edges(values, through=0.0)
        counts, _ = np.histogram(values, edges)
        lower = np.histogram(values[values <= 0.0], edges)[0]
        middles, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
        said = f"lower half on the other {percent(probability, decimals=0)}"
        axes.bar(middles, lower, width * 0.9, color=colours.loss, alpha=0.8, label=said)
        rest = f"upper half {percent(1.0 - probability, decimals=0)}"
        axes.bar(
            middles, counts - lower, width * 0.9, bottom=lower, color=colours.gain, alpha=0.8,
            label=rest,
        )  # fmt: skip
        axes.axvline(0.0, color=colours.ink, linewidth=1.0, linestyle=(0, (2, 2)))
        axes.set_xlabel(f"logit of the best trial's rank among {trials:,} on the other half")
        axes.set_ylabel("splits")
        canvas.legend(figure)
        canvas.money_axis(axes, steps=5)
    return figure


def trial_sharpes(
    sharpes: Floats,
    *,
    picked: float,
    luck: float,
    theme: ThemeName = "light",
    size: Size = (9.0, 3.2),
) -> Figure:
    """Draw the Sharpe ratios of all trials, the picked one, and what luck alone gives the best.

    Parameters
    ----------
    sharpes
        Annualised ratios of every trial [1/sqrt(year)]; NaN is left out.
    picked
        That of the trial at hand.
    luck
        Expected maximum of as many trials without skill, annualised; NaN where it is not known.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Without a ratio it says so.

    Examples
    --------
    >>> len(trial_sharpes(np.array([0.1, 0.5, 0.3]), picked=0.5, luck=0.4).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    known = sharpes[~np.isnan(sharpes)]
    with canvas.sheet(colours, size) as figure:
        if not len(known):
            canvas.message(figure, "No trial has a Sharpe ratio.", colours)
            return figure
        axes = figure.subplots()
        edges = _edges(known, through=float(known.min()))
        counts, _ = np.histogram(known, edges)
        width = float(edges[1] - edges[0])
        axes.bar(
            (edges[:-1] + edges[1:]) / 2, counts, width * 0.9, color=colours.line, alpha=0.45,
            label=f"{len(known):,} trials" if len(known) > 1 else "1 trial",
        )  # fmt: skip
        if luck == luck:
            axes.axvline(luck, color=colours.second, linewidth=1.4, linestyle=(0, (4, 2)),
                         label=f"best by luck alone {amount(luck)}")  # fmt: skip
        if picked == picked:
            axes.axvline(
                picked, color=colours.ink, linewidth=1.4, label=f"this one {amount(picked)}"
            )
        axes.set_xlabel("Sharpe ratio, annualised")
        axes.set_ylabel("trials")
        canvas.legend(figure)
        canvas.money_axis(axes, steps=5)
    return figure


def _edges(values: Floats, *, through: float) -> Floats:
    """Return bin edges over all values, one of them at `through`."""
    spread = float(values.max() - values.min())
    quartiles = np.quantile(values, [0.25, 0.75])
    width = 2.0 * float(quartiles[1] - quartiles[0]) / len(values) ** (1 / 3)
    width = max(width, spread / _MOST_BARS) or 0.1
    first = int(np.floor((values.min() - through) / width - 1e-9))
    last = int(np.ceil((values.max() - through) / width + 1e-9))
    edges: Floats = through + np.arange(first, max(last, first + 1) + 1) * width
    return edges
