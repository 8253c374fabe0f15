"""A report as one HTML page that needs no network."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mismartera_analytics import __version__
from mismartera_analytics.figures.style import DARK, LIGHT, percent
from mismartera_analytics.reports.making import made_at
from mismartera_analytics.reports.outline import Block, Drawing, Outline, Section

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes

__all__ = ["environment", "html_of", "themes"]

TEMPLATES = Path(__file__).parent / "templates"
WIDE, NARROW = 9.8, 4.7
"""Widths at which figures are drawn [inch]: across a screen; for half of it, or a phone."""
_THEMES = (
    (":root", LIGHT),
    ("@media screen { :root[data-theme=dark]", DARK),
    ("@media screen and (prefers-color-scheme: dark) { :root:not([data-theme=light])", DARK),
)
"""The reader's choice before the reader's system; paper is light."""


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG text: for half a page or a phone, and, unless empty, across the page.

    The frames say where the axes lie in the picture: ``left,right`` as shares of its width and
    ``first,last`` in the units of the axis.
    """

    caption: str
    wide: str
    narrow: str
    wide_frame: str
    narrow_frame: str
    hover: str


def html_of(outline: Outline) -> str:
    """Return a report as HTML text.

    Parameters
    ----------
    outline
        What it shows.

    Returns
    -------
    str
        A complete document. Every text of the outline is escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in html_of(Outline("Report", "<b>", "", (), ()))
    True
    """
    groups = [
        (is_narrow, [_ready(section) for section in group])
        for is_narrow, group in itertools.groupby(outline.sections, key=lambda each: each.is_narrow)
    ]
    return (
        environment()
        .get_template("tearsheet.html.j2")
        .render(
            outline=outline,
            groups=groups,
            themes=themes(),
            made_at=f"{made_at():%Y-%m-%d %H:%M} UTC",
            version=__version__,
        )
    )


@functools.cache
def environment() -> Environment:
    """Return the templates of the pages; every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def themes() -> list[tuple[str, dict[str, str]]]:
    """Return the colours by role of each selector of a page's style."""
    return [(name, asdict(theme)) for name, theme in _THEMES]


def _ready(section: Section) -> dict[str, Any]:
    """Return a section as the template takes it: each block with its kind, figures drawn."""
    blocks = [_block(block, section.title) for block in section.blocks]
    return {"title": section.title, "blocks": [(type(block).__name__, block) for block in blocks]}


def _block(block: Block, title: str) -> Any:
    return _drawn(block, title) if isinstance(block, Drawing) else block


def _drawn(drawing: Drawing, title: str) -> Drawn:
    """Draw for half a page, and across the page too where the drawing is wide."""
    from mismartera_analytics.figures.svg import inline_svg

    texts, frames, hover = [], [], drawing.hover
    for width, height in zip((NARROW, WIDE), reversed(drawing.heights), strict=False):
        figure = drawing.make((width, height))
        texts.append(inline_svg(figure, name=f"{drawing.name}{int(width)}", description=title))
        axes = figure.axes[0]
        box, limits = axes.get_position(), axes.get_xlim()
        frames.append(f"{box.x0:.5f},{box.x1:.5f},{limits[0]:.8g},{limits[1]:.8g}")
        if hover == "bars":
            hover = _bars(axes)
    wide = texts[1] if drawing.is_wide else ""
    wide_frame = frames[1] if drawing.is_wide else ""
    return Drawn(drawing.caption, wide, texts[0], wide_frame, frames[0], hover)


def _bars(axes: Axes) -> str:
    """Return JSON of the bars of a histogram, for a pointer over them."""
    bars: list[Any] = sorted(axes.patches, key=lambda bar: float(bar.get_x()))
    edges = [(float(bar.get_x()), float(bar.get_x() + bar.get_width())) for bar in bars]
    named = [f"{percent(low, decimals=2)} to {percent(high, decimals=2)}" for low, high in edges]
    counts = [float(bar.get_height()) for bar in bars]
    x = [round((low + high) / 2, 6) for low, high in edges]
    series = [{"name": "sessions", "kind": "count", "values": counts}]
    return json.dumps({"x": x, "labels": named, "series": series}, separators=(",", ":"))
