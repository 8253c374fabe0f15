"""The sheet that figures are drawn on: a matplotlib Figure that a notebook shows by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mismartera_analytics.figures.style import Theme, amount, settings_of

__all__ = [
    "Sheet",
    "date_axis",
    "legend",
    "message",
    "money_axis",
    "panel",
    "percent_axis",
    "sheet",
    "spaced",
    "thinned",
]

Floats = npt.NDArray[np.floating[Any]]
_DPI = 90
_Locator: Any = AutoDateLocator
_Formatter: Any = ConciseDateFormatter
BUCKETS_AN_INCH = 48
"""Into which a long series is thinned: with four points each, more than a line can show apart."""


class Sheet(Figure):
    """A matplotlib Figure that shows itself in a notebook, whatever backend is set there."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=2 * _DPI)
        width, height = self.get_size_inches() * _DPI
        return buffer.getvalue(), {"width": int(width), "height": int(height)}


_PANEL: ContextVar[tuple[SubFigure, float] | None] = ContextVar("panel", default=None)
_SCALED = (
    "font.size", "axes.labelsize", "axes.titlesize", "xtick.labelsize", "ytick.labelsize",
    "legend.fontsize", "lines.linewidth",
)  # fmt: skip


@contextmanager
def panel(place: SubFigure, *, letters: float = 1.0) -> Iterator[None]:
    """Draw what is drawn inside the block into a part of a page, instead of on a sheet of its own.

    Parameters
    ----------
    place
        An empty part of a figure that lays itself out.
    letters
        How large letters and lines are, of those on a sheet.
    """
    before = _PANEL.set((place, letters))
    try:
        yield
    finally:
        _PANEL.reset(before)


@contextmanager
def sheet(theme: Theme, size: tuple[float, float]) -> Iterator[Sheet]:
    """Give an empty figure of a theme; what is drawn inside the block takes its settings.

    Parameters
    ----------
    theme
        Colours.
    size
        Width and height [inch].
    """
    place = _PANEL.get()
    settings = settings_of(theme)
    if place is not None:
        settings |= {name: settings[name] * place[1] for name in _SCALED}
    with mpl.rc_context(settings):
        if place is not None:
            yield cast(Sheet, place[0])
            return
        figure = Sheet(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        engine: Any = figure.get_layout_engine()
        engine.set(w_pad=0.06, h_pad=0.06)
        yield figure


def thinned(times: Any, values: Floats, *, width: float) -> tuple[Any, Floats]:
    """Return at most four points a bucket of a long series: first, lowest, highest and last.

    The drawn line covers the same pixels.

    Parameters
    ----------
    times, values
        Shape (n,), times ascending. NaN is never lowest or highest; a gap of whole buckets stays.
    width
        Of the figure [inch].
    """
    buckets = int(width * BUCKETS_AN_INCH)
    if len(values) <= 4 * buckets:
        return times, values
    each = -(-len(values) // buckets)
    first = np.arange(0, len(values), each)
    padded = np.full(len(first) * each, np.nan)
    padded[: len(values)] = values
    matrix = padded.reshape(-1, each)
    low = first + np.where(np.isnan(matrix), np.inf, matrix).argmin(axis=1)
    high = first + np.where(np.isnan(matrix), -np.inf, matrix).argmax(axis=1)
    last = np.minimum(first + each, len(values)) - 1
    kept = np.unique(np.concatenate([first, low, high, last]))
    return times[kept], values[kept]


def date_axis(axes: Axes) -> None:
    """Label the time axis with as few words as it needs."""
    width = axes.figure.bbox.width / axes.figure.dpi
    locator = _Locator(minticks=3, maxticks=max(7, int(width * 1.1)))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_Formatter(locator))
    axes.margins(x=0.01)


def percent_axis(axes: Axes, *, steps: int = 6) -> None:
    """Label the value axis in per cent of fractions."""
    axes.yaxis.set_major_locator(MaxNLocator(steps, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(spaced(100.0, "%"))


def money_axis(axes: Axes, *, steps: int = 6) -> None:
    """Label the value axis in amounts with thousands separators, in millions above ten of them."""
    axes.yaxis.set_major_locator(MaxNLocator(steps, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(spaced(1.0, ""))


def spaced(factor: float, unit: str) -> FuncFormatter:
    """Return a formatter with as many decimals as neighbouring ticks need to differ."""

    def label(value: float, _: int | None = None) -> str:
        axis: Any = formatter.axis
        ticks = np.array([]) if axis is None else np.asarray(axis.get_majorticklocs()) * factor
        step = float(np.diff(ticks).min()) if len(ticks) > 1 else 1.0
        scale, suffix = (
            (1e6, " M") if not unit and np.abs(ticks).max(initial=0) >= 1e7 else (1.0, "")
        )
        if value == 0.0 and suffix:
            return amount(0.0, decimals=0) + unit
        step = max(step / scale, 1e-12)
        decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
        if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
            decimals += 1
        return amount(value * factor / scale, decimals=decimals) + suffix + unit

    formatter = FuncFormatter(label)
    return formatter


def legend(figure: Figure) -> None:
    """Name what is drawn, above the axes, where nothing lies below it."""
    for axes in figure.axes[:1]:
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def message(figure: Figure, text: str, theme: Theme) -> None:
    """Say in the middle of an empty figure why there is nothing to draw."""
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=theme.muted, fontsize=11)
