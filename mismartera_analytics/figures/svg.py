"""Figures as SVG for a page: small, without ids that clash, in the page's own colours."""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from mismartera_analytics.figures.style import roles, settings_of, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FONT = re.compile(r"font: (?:(\d+|bold) )?([\d.]+)px [^;\"]*")


def inline_svg(figure: Figure, *, name: str, description: str) -> str:
    """Return a figure drawn in the light theme as an SVG element for an HTML page.

    Colours of the style sheet become custom properties, ``var(--fig-ink, #17212e)`` and so on, so that
    the page decides on light or dark; text stays text, in the page's font.

    Parameters
    ----------
    figure
        A figure in the light theme; its ticks and layout are fixed from here on.
    name
        Letters that make the ids of this element its own on the page.
    description
        What the figure shows, for those who cannot see it.

    Returns
    -------
    str
        One ``<svg>`` element, without XML head, comments, metadata, scripts or links.

    Examples
    --------
    >>> import pandas as pd
    >>> from mismartera_analytics.figures import returns
    >>> drawn = returns.return_distribution(pd.Series([0.01, -0.02]))
    >>> inline_svg(drawn, name="d", description="Returns")[:24]
    '<svg role="img" aria-lab'
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(settings_of(theme_of("light"))), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's fonts count
        _settle(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), text)
    text = _own_ids(text, name)
    known = roles()
    text = _COLOUR.sub(
        lambda match: f"var(--fig-{known[match[0]]},{match[0]})" if match[0] in known else match[0],
        text,
    )
    text = _FONT.sub(lambda match: f"font-size:{match[2]}px;font-weight:{match[1] or 400}", text)
    box = re.search(r'viewBox="([^"]+)"', text)
    # Spaces that set words apart stay, as they do in a picture.
    head = (
        f'<svg role="img" aria-label="{escape(description)}" viewBox="{box[1] if box else ""}" '
        'style="white-space:pre">'
    )
    text = head + text[text.index(">") + 1 :]
    return re.sub(r">\s+<", "><", text).strip()


def _settle(figure: Figure) -> None:
    """Fix ticks and layout where they are: else they are worked out again at every step of drawing."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            places: Any = axis.get_majorticklocs()
            labels = FixedFormatter(axis.get_major_formatter().format_ticks(places))
            labels.set_offset_string(axis.get_major_formatter().get_offset())
            axis.set_major_locator(FixedLocator(places))
            axis.set_major_formatter(labels)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _own_ids(text: str, name: str) -> str:
    """Drop ids that nothing refers to and prefix the others."""
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    return re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", text)
