"""Figures in the page's colours, and written reports inside the notebook."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mismartera_analytics.figures.style import LIGHT
from mismartera_analytics.notebook.look import Scheme, page

if TYPE_CHECKING:
    from mismartera_analytics.figures.canvas import Sheet

__all__ = ["figure", "report"]

MOST_SVG = 600_000
"""Letters of a figure's SVG; a longer one is shown as a picture of pixels."""
MOST_PAGE = 3_000_000
"""Bytes of a report that is shown inside the notebook, which keeps a copy of it."""
_RASTER_DPI = 90
_MARK = b"--fig-paper:"
"""The first of the colours that every report sets, near its top."""
_HEAD = 4_000
_numbers = itertools.count(1)


def figure(drawn: Sheet, *, scheme: Scheme) -> str | None:
    """Return a figure as SVG whose colours follow the page; None leaves it to its picture of pixels.

    A page that strips SVG, as JupyterLab does in a notebook that is not trusted, shows the small
    picture inside.

    Parameters
    ----------
    drawn
        A figure of the library; one in the dark theme stays as it was asked for.
    scheme
        Of the notebook.
    """
    from matplotlib.colors import to_hex

    from mismartera_analytics.figures.svg import inline_svg

    if to_hex(drawn.get_facecolor()) != LIGHT.paper:
        return None
    told = _title(drawn)
    with _unchanged(drawn):
        text = inline_svg(drawn, name=f"n{next(_numbers)}", description=told)
    if len(text) > MOST_SVG:
        return None
    pixels = io.BytesIO()
    drawn.savefig(pixels, format="png", dpi=_RASTER_DPI)
    raster = base64.b64encode(pixels.getvalue()).decode()
    wide = int(drawn.get_size_inches()[0] * _RASTER_DPI)
    return page(
        "",
        f'<div class="ma-figure" style="max-width:{wide}px">{text}<img class="ma-raster" '
        f'alt="{escape(told)}" src="data:image/png;base64,{raster}"></div>',
        scheme=scheme,
    )


def _title(drawn: Any) -> str:
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in drawn.axes]
    return next((title for title in titles if title), "Figure")


@contextlib.contextmanager
def _unchanged(drawn: Any) -> Iterator[None]:
    """Put ticks and layout back as they were: drawing as SVG fixes them."""
    engine = drawn.get_layout_engine()
    axes = [axis for each in drawn.axes for axis in (each.xaxis, each.yaxis)]
    kept = [(axis.get_major_locator(), axis.get_major_formatter()) for axis in axes]
    try:
        yield
    finally:
        drawn.set_layout_engine(engine)
        for axis, (locator, formatter) in zip(axes, kept, strict=True):
            axis.set_major_locator(locator)
            axis.set_major_formatter(formatter)


def report(path: Path, *, scheme: Scheme) -> str | None:
    """Return a report that was written as a page inside the notebook; None for any other path.

    The page runs in a frame of its own that reaches nothing of the notebook.

    Parameters
    ----------
    path
        Of a file.
    scheme
        Of the notebook.
    """
    text = _page_of(path)
    if text is None:
        return None
    link = f'<p class="ma-muted">Written to <code>{escape(str(path))}</code></p>'
    if len(text) > MOST_PAGE:
        return page(path.name, link, kicker="Report", scheme=scheme)
    return page(
        "",
        link,
        f'<iframe sandbox="allow-scripts allow-popups" title="{escape(path.name)}" '
        f'srcdoc="{escape(text)}"></iframe>',
        scheme=scheme,
    )


def _page_of(path: Path) -> str | None:
    """Return the text of a page that reports are made of, None for anything else."""
    if path.suffix.casefold() != ".html":
        return None
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    return raw.decode("utf-8", "replace") if _MARK in raw[:_HEAD] else None
