"""Figures of returns: months, a rolling Sharpe ratio, the distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.style import LIGHT, Theme, ThemeName, amount, percent, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["monthly_heatmap", "return_distribution", "rolling_sharpe"]

Size = tuple[float, float]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def monthly_heatmap(
    months: pd.DataFrame,
    *,
    years: pd.Series[float] | None = None,
    theme: ThemeName = "light",
    size: Size | None = None,
) -> Figure:
    """Draw the return of each month as a coloured table of years by months.

    Parameters
    ----------
    months
        Returns [1], index ``year``, columns 1 to 12; NaN leaves a cell empty.
    years
        Returns [1] by year for a last column, without colour.
    theme, size
        Colours, and width and height [inch]; the height follows the number of years by default.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Every cell carries its number in per cent. Without years it says so.

    Raises
    ------
    InvalidInputError
        If the columns are not the months 1 to 12.

    Examples
    --------
    >>> months = pd.DataFrame(0.01, index=[2024, 2025], columns=range(1, 13))
    >>> len(monthly_heatmap(months).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    if not months.columns.equals(pd.RangeIndex(1, 13)):
        raise InvalidInputError(
            f"months has the columns {list(months.columns)}; they must be the months 1 to 12."
        )
    colours = theme_of(theme)
    with canvas.sheet(colours, size or (9.0, 0.9 + 0.30 * max(len(months), 3))) as figure:
        if not len(months):
            canvas.message(figure, "No session has a return.", colours)
            return figure
        axes = figure.subplots()
        _paint_months(axes, months, colours)
        columns = _MONTHS
        if years is not None:
            columns = [*_MONTHS, "Year"]
            for row, year in enumerate(months.index):
                text = percent(float(years.get(year, np.nan)))
                axes.text(12.65, row, text, ha="center", va="center", fontsize=8.5, weight="bold")
            axes.set_xlim(-0.5, 13.25)
        positions = [*range(12), *([12.65] if years is not None else [])]
        axes.set_xticks(positions, columns)
        axes.set_yticks(range(len(months)), [str(year) for year in months.index])
        axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
    return figure


def _paint_months(axes: Axes, months: pd.DataFrame, colours: Theme) -> None:
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb

    values = months.to_numpy(dtype=float)
    largest = float(np.nanquantile(np.abs(values), 0.95)) if np.isfinite(values).any() else 0.0
    largest = largest or 0.01
    ramp = LinearSegmentedColormap.from_list("months", [colours.loss, colours.paper, colours.gain])
    scale = Normalize(-largest, largest, clip=True)
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        fill = ramp(scale(value))
        brightness = float(np.dot(to_rgb(fill), (0.299, 0.587, 0.114)))
        axes.add_patch(_cell(column, row, fill))
        axes.text(
            column, row, percent(float(value)), ha="center", va="center", fontsize=8.5,
            color=LIGHT.ink if brightness > 0.52 else LIGHT.paper,
        )  # fmt: skip
    axes.set_xlim(-0.5, 11.5)
    axes.set_ylim(len(months) - 0.5, -0.5)


def _cell(column: int, row: int, fill: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=fill, linewidth=0)


def rolling_sharpe(
    sharpe: pd.Series[float],
    *,
    window: int,
    theme: ThemeName = "light",
    size: Size = (9.0, 2.8),
) -> Figure:
    """Draw a rolling Sharpe ratio, with its median.

    Parameters
    ----------
    sharpe
        Annualised Sharpe ratio at each session, labelled by session; NaN is a gap.
    window
        Sessions that each value looks back, for the axis.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Without values it says so.

    Examples
    --------
    >>> days = pd.bdate_range("2025-01-01", periods=3)
    >>> len(rolling_sharpe(pd.Series([1.0, 1.2, 0.9], index=days), window=126).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not sharpe.notna().any():
            canvas.message(figure, f"Fewer than {window} sessions have a return.", colours)
            return figure
        axes = figure.subplots()
        times, values = canvas.thinned(sharpe.index.to_numpy(), sharpe.to_numpy(), width=size[0])
        middle = float(sharpe.median())
        axes.axhline(0.0, color=colours.muted, linewidth=0.8)
        axes.axhline(middle, color=colours.second, linewidth=1.1, linestyle=(0, (4, 2)),
                     label=f"median {amount(middle)}")  # fmt: skip
        axes.plot(times, values, color=colours.line, linewidth=1.2)
        for side, paint in (("gain", colours.gain), ("loss", colours.loss)):
            inside = values > 0 if side == "gain" else values < 0
            axes.fill_between(times, values, 0.0, where=inside.tolist(), interpolate=True,
                              color=paint, alpha=0.16, linewidth=0)  # fmt: skip
        axes.set_ylabel(f"Sharpe, {window} sessions")
        canvas.legend(figure)
        canvas.money_axis(axes)
        canvas.date_axis(axes)
    return figure


def return_distribution(
    returns: pd.Series[float],
    *,
    value_at_risk: float | None = None,
    theme: ThemeName = "light",
    size: Size = (9.0, 3.0),
) -> Figure:
    """Draw how often returns of each size occurred, with a normal curve of the same spread.

    Parameters
    ----------
    returns
        Simple returns [1]; NaN is left out.
    value_at_risk
        Marked when given [1].
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Sessions at exactly zero are left out of bars and curve, and counted in the label.
        Returns beyond the outermost bins are counted in them. Without returns it says so.

    Examples
    --------
    >>> len(return_distribution(pd.Series([0.01, -0.01, 0.0])).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    colours = theme_of(theme)
    observed = returns.dropna().to_numpy()
    known = observed[observed != 0.0]
    with canvas.sheet(colours, size) as figure:
        if not len(known):
            text = "Every session was flat." if len(observed) else "No session has a return."
            canvas.message(figure, text, colours)
            return figure
        axes = figure.subplots()
        edges = _edges(known)
        width = float(edges[1] - edges[0])
        counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
        middles = (edges[:-1] + edges[1:]) / 2
        paint = np.where(middles < 0, colours.loss, colours.gain).tolist()
        axes.bar(middles, counts, width=width * 0.9, color=paint, alpha=0.75)
        _normal_curve(axes, known, edges, colours)
        if value_at_risk is not None and value_at_risk == value_at_risk:
            axes.axvline(value_at_risk, color=colours.ink, linewidth=1.1, linestyle=(0, (2, 2)),
                         label=f"5% VaR {percent(value_at_risk, decimals=2)}")  # fmt: skip
        axes.set_ylabel("sessions")
        flat = len(observed) - len(known)
        axes.set_xlabel("return of a session" + (f" ({flat:,} flat ones left out)" if flat else ""))
        canvas.legend(figure)
        axes.xaxis.set_major_formatter(canvas.spaced(100.0, "%"))
        canvas.money_axis(axes, steps=5)
    return figure


def _edges(known: Any) -> Any:
    """Return bin edges with one at zero; the outermost bins take what lies beyond four deviations."""
    deviation = float(known.std()) or max(abs(float(known[0])), 0.001)
    quartiles = np.quantile(known, [0.25, 0.75])
    width = 2.0 * float(quartiles[1] - quartiles[0]) / len(known) ** (1 / 3)
    width = max(width, deviation / 10.0)
    low = max(float(known.min()), -4.5 * deviation)
    high = min(float(known.max()), 4.5 * deviation)
    first, last = int(np.floor(low / width)), int(np.ceil(high / width))
    return np.arange(min(first, -1), max(last, 1) + 1) * width


def _normal_curve(axes: Axes, known: Any, edges: Any, colours: Theme) -> None:
    deviation = float(known.std(ddof=1)) if len(known) > 2 else 0.0
    if not deviation:
        return
    grid = np.linspace(edges[0], edges[-1], 200)
    density = np.exp(-0.5 * ((grid - known.mean()) / deviation) ** 2)
    density *= len(known) * (edges[1] - edges[0]) / (deviation * np.sqrt(2 * np.pi))
    axes.plot(grid, density, color=colours.second, linewidth=1.3, label="normal curve")
