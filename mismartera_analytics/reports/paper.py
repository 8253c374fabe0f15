"""Pages of paper: pieces one below the other, broken where a page ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mismartera_analytics.figures.style import LIGHT
from mismartera_analytics.reports.outline import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PAPERS", "Pen", "Piece", "Sheets"]

PAPERS = {"A4": (8.27, 11.69), "Letter": (8.5, 11.0)}
"""Width and height [inch]."""
SIDE, TOP, BOTTOM = 0.8, 0.85, 0.8
"""Margins [inch]."""
GAP = 0.3
"""Between figures side by side [inch]."""


@dataclass
class Pen:
    """Draws on one page, in inches from its upper left corner."""

    page: Figure
    height: float

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 8.0,
        colour: str = LIGHT.ink,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """Write one line with its baseline at `y`."""
        if text:
            self.page.text(
                x, self.height - y, text, fontsize=size, color=colour, fontweight=weight, ha=align,
                va="baseline", transform=self.page.dpi_scale_trans,
            )  # fmt: skip

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, *, edge: str = ""
    ) -> None:
        """Fill a rectangle whose upper left corner is at (x, y)."""
        from matplotlib.patches import Rectangle

        self.page.add_artist(
            Rectangle(
                (x, self.height - y - height), width, height, facecolor=colour,
                edgecolor=edge or "none", linewidth=0.6 if edge else 0.0,
                transform=self.page.dpi_scale_trans, zorder=0.5,
            )
        )  # fmt: skip

    def line(self, x: float, y: float, width: float, colour: str, *, thick: float = 0.5) -> None:
        """Draw a line to the right of (x, y)."""
        from matplotlib.lines import Line2D

        self.page.add_artist(
            Line2D(
                [x, x + width], [self.height - y] * 2, color=colour, linewidth=thick,
                transform=self.page.dpi_scale_trans, zorder=0.6,
            )
        )  # fmt: skip


Draw = Callable[[Pen, float, float], None]


@dataclass(frozen=True)
class Piece:
    """What takes up some height of a page.

    `draw` is given a pen and the upper left corner; `drawings` stand side by side instead. With
    `is_head` it is never the last of a page.
    """

    height: float
    draw: Draw | None = None
    drawings: Sequence[Drawing] = ()
    is_head: bool = False


@dataclass
class _Page:
    pieces: list[tuple[float, Piece]] = field(default_factory=list)
    used: float = 0.0


class Sheets:
    """Pages that are filled from top to bottom."""

    def __init__(self, size: tuple[float, float]) -> None:
        self.size = size
        self.width = size[0] - 2 * SIDE
        self._room = size[1] - TOP - BOTTOM
        self._pages = [_Page()]
        self._held: list[Piece] = []

    @property
    def left(self) -> float:
        """Height that is left on this page, below what waits for its successor [inch]."""
        held = sum(piece.height for piece in self._held)
        return self._room - self._pages[-1].used - held

    @property
    def whole(self) -> float:
        """Height of an empty page below a heading [inch]."""
        return self._room - sum(piece.height for piece in self._held)

    def add(self, piece: Piece) -> None:
        """Put a piece below the others, on the next page where there is no room for it."""
        if piece.is_head:
            self._held.append(piece)
            return
        if piece.height > self.left and self._pages[-1].pieces:
            self.turn()
        for each in (*self._held, piece):
            page = self._pages[-1]
            page.pieces.append((page.used, each))
            page.used += each.height
        self._held = []

    def turn(self) -> None:
        """Begin a new page."""
        if self._pages[-1].pieces:
            self._pages.append(_Page())

    def space(self, height: float) -> None:
        """Leave some room, none at the top of a page."""
        if self._pages[-1].pieces and not self._held:
            self._pages[-1].used += height

    def figures(self, frame: Callable[[Pen, int, int], None]) -> Any:
        """Yield a figure a page; `frame` draws what stands on all of them."""
        for number, page in enumerate(self._pages, 1):
            figure = self._empty(page)
            pen = Pen(figure, self.size[1])
            frame(pen, number, len(self._pages))
            for top, piece in page.pieces:
                if piece.draw is not None:
                    piece.draw(pen, SIDE, TOP + top)
            self._draw(figure, page)
            engine = figure.get_layout_engine()
            if engine is not None:  # once, not at every step of drawing
                engine.execute(figure)
                figure.set_layout_engine(None)
            yield figure

    def _empty(self, page: _Page) -> Figure:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        has_drawings = any(piece.drawings for _, piece in page.pieces)
        figure = Figure(figsize=self.size, layout="constrained" if has_drawings else None)
        FigureCanvasAgg(figure)
        engine: Any = figure.get_layout_engine()
        if engine is not None:
            engine.set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
        return figure

    def _draw(self, figure: Figure, page: _Page) -> None:
        """Draw figures into parts of the page: rows of its grid are the gaps and the figures."""
        from matplotlib.gridspec import GridSpec

        from mismartera_analytics.figures.canvas import panel

        tops = [(TOP + top, piece) for top, piece in page.pieces if piece.drawings]
        heights, at, rows = [], 0.0, []
        for top, piece in tops:
            heights += [max(top - at, 0.01), piece.height]
            rows.append((len(heights) - 1, piece))
            at = top + piece.height
        heights.append(self.size[1] - at)
        for row, piece in rows:
            count = len(piece.drawings)
            each = (self.width - GAP * (count - 1)) / count
            widths = [SIDE, *([each, GAP] * count)[:-1], SIDE]
            grid = GridSpec(
                len(heights), len(widths), figure=figure, height_ratios=heights, width_ratios=widths
            )
            for place, drawing in enumerate(piece.drawings):
                part = figure.add_subfigure(grid[row, 1 + 2 * place])
                with panel(part, letters=0.82):
                    drawing.make((each, piece.height))
