"""Figures of searches: a score over two parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import LIGHT, Theme, ThemeName, amount, percent, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["grid_heatmap"]

_WRITTEN = 14
"""Columns or rows up to which every cell carries its number."""
_SHARES = ("total_return", "cagr", "volatility", "max_drawdown")


def grid_heatmap(
    table: pd.DataFrame,
    *,
    value: str,
    theme: ThemeName = "light",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Draw a score over two parameters as a coloured table.

    Parameters
    ----------
    table
        Scores; index and columns are the values of the two parameters, their names the parameters'.
        NaN leaves a cell empty.
    value
        Name of the score, for the title. Returns and their like are written in per cent.
    theme, size
        Colours, and width and height [inch]; by default as the table needs.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Up to 14 by 14 every cell carries its number, above that the colours' scale stands
        beside the table; the best cell has a frame. A ridge of colour is worth more than a single
        bright cell. Without values it says so.

    Examples
    --------
    >>> table = pd.DataFrame([[0.1, 0.2]], pd.Index([5], name="fast"), pd.Index([50, 60], name="slow"))
    >>> len(grid_heatmap(table, value="total_return").axes)
    1
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    rows, columns = table.shape
    fitting = (min(2.2 + 0.62 * columns, 12.0), min(1.5 + 0.36 * rows, 9.0))
    with canvas.sheet(colours, size or (max(fitting[0], 5.0), max(fitting[1], 2.6))) as figure:
        values = table.to_numpy(dtype=np.float64)
        if not np.isfinite(values).any():
            canvas.message(figure, f"No combination has a {value.replace('_', ' ')}.", colours)
            return figure
        axes = figure.subplots()
        painted = _paint(axes, values, value, colours)
        if max(values.shape) > _WRITTEN:
            _scale(figure, axes, painted, value)
        for axis, labels, name in (
            (axes.xaxis, table.columns, table.columns.name),
            (axes.yaxis, table.index, table.index.name),
        ):
            step = max(1, -(-len(labels) // 20))
            shown = range(0, len(labels), step)
            axis.set_ticks(list(shown), [_label(labels[k]) for k in shown])
            axis.set_label_text(str(name))
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_title(f"{value.replace('_', ' ').capitalize()} by {table.columns.name} and "
                       f"{table.index.name}")  # fmt: skip
    return figure


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _scale(figure: Figure, axes: Axes, painted: AxesImage, value: str) -> None:
    """Say beside the table what its colours stand for, where no number does."""
    from mismartera_analytics.figures import canvas

    bar: Any = figure.colorbar(painted, ax=axes, fraction=0.04, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    is_share = value in _SHARES
    bar.ax.yaxis.set_major_formatter(
        canvas.spaced(100.0 if is_share else 1.0, "%" if is_share else "")
    )


def _paint(axes: Axes, values: Any, value: str, colours: Theme) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
    from matplotlib.patches import Rectangle

    largest = float(np.nanmax(np.abs(values[np.isfinite(values)]))) or 1.0
    ramp = LinearSegmentedColormap.from_list("scores", [colours.loss, colours.paper, colours.gain])
    scale = Normalize(-largest, largest, clip=True)
    masked = np.ma.masked_invalid(values)
    painted = axes.imshow(masked, cmap=ramp, norm=scale, aspect="auto", interpolation="nearest")
    if max(values.shape) <= _WRITTEN:
        for (row, column), number in np.ndenumerate(values):
            if not np.isfinite(number):
                continue
            brightness = float(np.dot(to_rgb(ramp(scale(number))), (0.299, 0.587, 0.114)))
            text = percent(float(number)) if value in _SHARES else amount(float(number))
            axes.text(
                column, row, text, ha="center", va="center", fontsize=8.0,
                color=LIGHT.ink if brightness > 0.52 else LIGHT.paper,
            )  # fmt: skip
    best = np.nanargmin(values) if value == "volatility" else np.nanargmax(values)
    row, column = divmod(int(best), values.shape[1])
    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colours.ink, linewidth=1.8)
    )
    return painted
