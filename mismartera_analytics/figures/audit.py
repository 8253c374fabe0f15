"""The heat map of an audit: which sessions of which symbols lack bars, and where else to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.columns import require
from mismartera_analytics.figures.session_axis import session_ticks
from mismartera_analytics.figures.style import Theme, ThemeName, percent, shortened, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["audit_heatmap"]

Size = tuple[float, float]
Mark = tuple[str, str, str]
_CLASSES = (
    ("complete", 0.0),
    ("up to 1%", 0.01),
    ("up to 10%", 0.1),
    ("up to 50%", 0.5),
    ("over 50%", 1.0 - 1e-12),
    ("all missing", 1.0),
)
"""Name of a class and the largest share of missing bars in it."""
_SHADES = (0.30, 0.55, 0.80, 1.0)
_MARKS = (
    ("suspected_split", "D", "suspected split"),
    ("suspected_bad_print", "^", "suspected bad print"),
    ("stale_run", "_", "stale run"),
    ("duplicate", "P", "duplicates"),
    ("off_session", "x", "off session"),
    ("zero_volume", "o", "zero volume"),
)
_COLUMNS_AN_INCH = 64
_ROW, _LEAST_ROW, _MOST_ROWS_TALL = 0.3, 0.034, 11.0  # [inch]
_LEFT, _RIGHT, _BOTTOM = 0.75, 0.72, 0.62  # [inch]


def audit_heatmap(
    audit: pd.DataFrame,
    *,
    title: str = "Audit of bars",
    theme: ThemeName = "light",
    size: Size | None = None,
) -> Figure:
    """Draw the share of missing bars, a symbol a row and a session a column, and mark the rest.

    Parameters
    ----------
    audit
        `frames.AUDIT`.
    title
        Of the figure.
    theme, size
        Colours, and width and height [inch]; by default the height follows the number of symbols.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Sessions that expect nothing of a symbol are left blank. Where there are more
        sessions than a figure can show apart, a column is the worst of several, and the axis says so.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> from mismartera_analytics import frames
    >>> len(audit_heatmap(frames.AUDIT.empty()).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    kinds = [name for name, _, _ in _MARKS]
    require(audit, "symbol", "session", "expected", "missing", *kinds, argument="audit")
    colours = theme_of(theme)
    symbols = sorted(audit["symbol"].unique())
    if size is None:
        row = min(_ROW, max(_LEAST_ROW, _MOST_ROWS_TALL / max(len(symbols), 1)))
        size = (9.5, 1.9 + row * max(len(symbols), 2))
    with canvas.sheet(colours, size) as figure:
        if audit.empty:
            canvas.message(figure, "There are no bars to audit.", colours)
            return figure
        figure.set_layout_engine("none")
        shown = [mark for mark in _MARKS if audit[mark[0]].any()]
        top = _head(figure, shown, colours, size, title=title)
        box = _LEFT, _BOTTOM, size[0] - _LEFT - _RIGHT, max(size[1] - top - _BOTTOM, 0.3)
        cells = _Cells(audit, symbols, box, most=int(box[2] * _COLUMNS_AN_INCH))
        axes = figure.add_axes(
            (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
        )
        _draw_shares(axes, cells, colours)
        _draw_marks(axes, cells, shown, colours)
        _label_axes(axes, cells, colours)
    return figure


class _Cells:
    """An audit as matrices of symbols by columns of sessions, and the size of a cell [inch]."""

    def __init__(
        self,
        audit: pd.DataFrame,
        symbols: list[str],
        box: tuple[float, float, float, float],
        *,
        most: int,
    ) -> None:
        self.symbols = symbols
        self.sessions = np.sort(audit["session"].unique())
        self.each = -(-len(self.sessions) // max(most, 1))
        self.shape = len(symbols), -(-len(self.sessions) // self.each)
        self.width, self.height = box[2] / self.shape[1], box[3] / self.shape[0]
        row = np.searchsorted(symbols, audit["symbol"].to_numpy(dtype=object))
        column = np.searchsorted(self.sessions, audit["session"].to_numpy()) // self.each
        self._at = row, column
        expected = audit["expected"].to_numpy()
        self.is_shown = expected > 0
        share = np.where(self.is_shown, audit["missing"] / np.maximum(expected, 1), np.nan)
        self.shares = self._largest(share)
        self.marks = {name: self._largest(audit[name].to_numpy()) > 0 for name, _, _ in _MARKS}
        total = np.bincount(row, weights=expected, minlength=len(symbols))
        lost = np.bincount(row, weights=audit["missing"], minlength=len(symbols))
        with np.errstate(invalid="ignore"):
            self.lost: Floats = lost / total

    def _largest(self, values: Any) -> Floats:
        found = np.full(self.shape, -np.inf)
        np.maximum.at(found, self._at, np.where(np.isnan(values), -np.inf, values))
        return np.where(np.isinf(found), np.nan, found)


def _mixed(first: str, second: str, share: float) -> str:
    """Return a colour between two, `share` of the second."""
    pairs = [(int(first[k : k + 2], 16), int(second[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _palette(theme: Theme) -> list[str]:
    return [theme.grid, *(_mixed(theme.paper, theme.loss, s) for s in _SHADES), theme.ink]


def _draw_shares(axes: Axes, cells: _Cells, theme: Theme) -> None:
    from matplotlib.colors import ListedColormap

    limits = np.array([limit for _, limit in _CLASSES])
    classes = np.searchsorted(limits, cells.shares, side="left").astype(float)
    classes[np.isnan(cells.shares)] = np.nan
    colours = ListedColormap(_palette(theme)).with_extremes(bad=theme.paper)
    axes.imshow(
        np.ma.masked_invalid(classes),
        cmap=colours,
        vmin=-0.5,
        vmax=len(_CLASSES) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    axes.grid(visible=False)


def _draw_marks(axes: Axes, cells: _Cells, shown: list[Mark], theme: Theme) -> None:
    """Mark cells by kind, one above the other where a cell has several."""
    side = float(np.clip(min(cells.height * 0.42, max(cells.width * 0.7, 0.06)), 0.025, 0.1)) * 72
    several = np.sum([cells.marks[name] for name, _, _ in _MARKS], axis=0)
    taken = np.zeros(cells.shape)
    for name, marker, _ in shown:
        at = np.nonzero(cells.marks[name])
        shift = (taken[at] + 0.5) / several[at] - 0.5
        axes.scatter(at[1], at[0] + 0.8 * shift, **_look(marker, theme, side))
        taken[at] += 1


def _label_axes(axes: Axes, cells: _Cells, theme: Theme) -> None:
    rows, columns = cells.shape
    step = max(1, int(np.ceil(0.14 / cells.height)))
    places = np.arange(0, rows, step)
    axes.set_yticks(places, [shortened(cells.symbols[k], 10) for k in places])
    axes.tick_params(axis="y", labelcolor=theme.ink, length=0)
    if cells.height > 0.1:
        axes.hlines(np.arange(rows - 1) + 0.5, -0.5, columns - 0.5, colors=theme.paper, linewidth=2)
    if cells.width > 0.07:
        axes.vlines(np.arange(columns - 1) + 0.5, -0.5, rows - 0.5, colors=theme.paper, linewidth=1)
    ticks, labels = session_ticks(cells.sessions, most=int(cells.width * columns * 1.5))
    axes.set_xticks(ticks / cells.each, labels)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.spines["bottom"].set_visible(False)
    if cells.each > 1:
        axes.set_xlabel(f"each column is the worst of {cells.each} sessions")
    for row in places:
        axes.annotate(
            _share(float(cells.lost[row])),
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=theme.muted,
        )


def _share(lost: float) -> str:
    if lost == 0:
        return "none"
    return "< 0.01%" if lost < 0.0001 else percent(lost, decimals=2)


def _head(figure: Figure, shown: list[Mark], theme: Theme, size: Size, *, title: str) -> float:
    """Write the title and, in lines that fit, what colours and marks mean; return the height used."""
    from matplotlib.patches import Rectangle

    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, size[0])
    axes.set_ylim(size[1], 0.0)
    axes.text(_LEFT, 0.3, title, fontsize=12, fontweight="bold", color=theme.ink, va="center")
    down = 0.3
    for entries in (list(zip(_palette(theme), [name for name, _ in _CLASSES], strict=True)), shown):
        across = size[0]
        for entry in entries:
            wide = 0.38 + 0.07 * len(entry[-1])
            if across + wide > size[0] - _RIGHT:
                across, down = _LEFT, down + 0.26
            if len(entry) == 2:
                patch = Rectangle((across, down - 0.055), 0.15, 0.11, facecolor=entry[0])
                axes.add_patch(patch)
            else:
                axes.scatter([across + 0.075], [down], **_look(entry[1], theme, 5.5))
            axes.text(
                across + 0.23, down, entry[-1], fontsize=9, color=theme.ink, va="center_baseline"
            )
            across += wide
    axes.text(
        size[0] - _RIGHT + 0.07, down, "missing", fontsize=8.5, color=theme.muted, va="center"
    )
    return down + 0.24


def _look(marker: str, theme: Theme, side: float) -> dict[str, Any]:
    """Return how a mark is drawn, `side` [point] wide."""
    is_line = marker in ("x", "_")
    return {
        "s": side**2,
        "marker": marker,
        "facecolors": theme.ink if is_line else theme.paper,
        "edgecolors": None if is_line else theme.ink,
        "linewidths": 1.1,
        "zorder": 3,
    }
