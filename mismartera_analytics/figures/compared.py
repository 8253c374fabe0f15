"""Figures of several records beside one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import Theme, ThemeName, amount, shortened, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST_LINES", "apart", "growth_with_drawdown", "line_colour"]

Size = tuple[float, float]
MOST_LINES = 8
_DASHES: tuple[Any, ...] = ("-", "-", "-", "-", "-", (0, (5, 2)), (0, (5, 2)), (0, (5, 2)))


def growth_with_drawdown(
    growth: pd.DataFrame,
    drawdowns: pd.DataFrame,
    *,
    benchmark: pd.Series[float] | None = None,
    theme: ThemeName = "light",
    size: Size = (9.0, 4.8),
) -> Figure:
    """Draw what one unit became in each of several records, above their drawdowns.

    Parameters
    ----------
    growth
        One column a record, labelled by session; NaN where a record has no value. Of more than eight
        the first eight are drawn.
    drawdowns
        Their drawdowns [1], at most 0, with the same columns and labels.
    benchmark
        Growth of the same unit in the benchmark; drawn dotted.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. The growth is drawn on a logarithmic axis where the largest is more than five times
        the smallest. Without rows it says so.

    Examples
    --------
    >>> days = pd.bdate_range("2025-01-01", periods=3)
    >>> growth = pd.DataFrame({"a": [1.0, 1.1, 1.2], "b": [1.0, 0.9, 1.0]}, index=days)
    >>> len(growth_with_drawdown(growth, growth / growth.cummax() - 1.0).axes)
    2
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not len(growth) or not growth.notna().to_numpy().any():
            canvas.message(figure, "The records have no session in common.", colours)
            return figure
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        names = apart(growth.columns[:MOST_LINES], 22 if size[0] < 6 else 40)
        for place, name in enumerate(names):
            look: dict[str, Any] = {
                "color": line_colour(colours, place),
                "linestyle": _DASHES[place],
            }
            _line(top, growth.iloc[:, place], size, label=name, **look)
            _line(bottom, drawdowns.iloc[:, place], size, linewidth=0.9, **look)
        if benchmark is not None and benchmark.notna().any():
            label = shortened(benchmark.name, 22)
            _line(top, benchmark, size, color=colours.muted, linestyle=(0, (1, 1.2)), label=label)
        _scale(top, growth)
        top.set_ylabel("growth of 1")
        bottom.set_ylim(top=0.0)
        bottom.set_ylabel("drawdown")
        canvas.percent_axis(bottom, steps=3)
        canvas.date_axis(bottom)
        figure.align_ylabels()
        _legend(figure, top, size)
    return figure


def apart(names: Iterable[object], most: int) -> list[str]:
    """Return names as labels of at most `most` letters; those cut alike are cut in the middle.

    Examples
    --------
    >>> apart(["Crossover, fast 5", "Crossover, fast 10"], 12)
    ['Cros…fast 5', 'Cros…fast 10']
    """
    texts = [" ".join(str(name).split()) for name in names]
    ends = [shortened(text, most) for text in texts]
    left = most // 3
    return [
        end
        if ends.count(end) == 1 or len(text) <= most
        else text[:left].rstrip() + "\N{HORIZONTAL ELLIPSIS}" + text[left + 1 - most :].lstrip()
        for text, end in zip(texts, ends, strict=True)
    ]


def line_colour(theme: Theme, place: int) -> str:
    """Return the colour of a record by its place among those compared.

    Examples
    --------
    >>> from mismartera_analytics.figures.style import LIGHT
    >>> line_colour(LIGHT, 0) == LIGHT.line
    True
    """
    return (theme.line, theme.loss, theme.third, theme.fourth, theme.second)[place % 5]


def _line(axes: Axes, values: pd.Series[float], size: Size, **look: Any) -> None:
    from mismartera_analytics.figures import canvas

    axes.plot(*canvas.thinned(values.index.to_numpy(), values.to_numpy(), width=size[0]), **look)


def _scale(axes: Axes, growth: pd.DataFrame) -> None:
    from mismartera_analytics.figures import canvas

    values = growth.to_numpy()
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low > 0.0 and high > 5.0 * low:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", length=0)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: amount(value, decimals=0 if value >= 10 else 1))
        )
    else:
        canvas.money_axis(axes)


def _legend(figure: Figure, axes: Axes, size: Size) -> None:
    handles, labels = axes.get_legend_handles_labels()
    longest = max(map(len, labels))
    fits = int((size[0] - 0.3) / (0.062 * longest + 0.6))
    columns = min(len(labels), max(1, fits))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)
