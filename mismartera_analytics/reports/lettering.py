"""Text on paper: how wide it is, and where its lines break."""

from __future__ import annotations

import functools
import re
import warnings
from typing import Any

__all__ = ["shrunk", "width_of", "wrapped"]

ROUNDING = 1e-9
"""A column as wide as its text, less the room between columns again, loses a bit [inch]."""

_BREAKS = re.compile(r"(\s+|(?<=[/_(])(?=\S)|(?<=[^\W\d]-)(?=\S))")


@functools.lru_cache(maxsize=4)
def _font(weight: str) -> Any:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    from mismartera_analytics.figures.style import LIGHT, settings_of

    family = settings_of(LIGHT)["font.family"]
    return get_font(findfont(FontProperties(family=family, weight=weight)))


@functools.lru_cache(maxsize=20_000)
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Return how wide a text is [inch].

    Parameters
    ----------
    text
        One line.
    size
        Of the letters [point].
    weight
        ``"normal"`` or ``"bold"``.

    Examples
    --------
    >>> width_of("wide", 10.0) > width_of("wid", 10.0) > 0.0
    True
    """
    from matplotlib.ft2font import LoadFlags

    font = _font(weight)
    font.set_size(size, 72)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0]) / 64.0 / 72.0


def wrapped(
    text: str, width: float, size: float, *, weight: str = "normal", most: int = 0
) -> list[str]:
    """Return a text in lines that fit.

    Parameters
    ----------
    text
        Of any length; a word that is wider than a line is broken.
    width
        Of a line [inch].
    size, weight
        As in `width_of`.
    most
        Lines at most, the last one ends in an ellipsis; any number where 0.

    Examples
    --------
    >>> wrapped("one two", 0.3, 10.0)
    ['one', 'two']
    """
    lines, line = [], ""
    for part in _BREAKS.split(" ".join(text.split())):
        if width_of((line + part).rstrip(), size, weight) <= width + ROUNDING:
            line = line + part if line else part.lstrip()
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = part.lstrip()
        while width_of(line, size, weight) > width + ROUNDING and len(line) > 1:
            fit = _fitting(line, width, size, weight)
            lines.append(line[:fit])
            line = line[fit:]
    if line.strip() or not lines:
        lines.append(line.rstrip())
    if most and len(lines) > most:
        lines = lines[:most]
        lines[-1] = shrunk(lines[-1] + "\N{HORIZONTAL ELLIPSIS}", width, size, weight)
    return lines


def shrunk(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return a text cut so that it fits on one line, with an ellipsis where it was cut.

    Examples
    --------
    >>> shrunk("short", 5.0, 10.0)
    'short'
    """
    if width_of(text, size, weight) <= width + ROUNDING:
        return text
    end = "\N{HORIZONTAL ELLIPSIS}"
    kept = text.rstrip(end)
    while kept and width_of(kept + end, size, weight) > width:
        kept = kept[:-1]
    return kept.rstrip() + end


def _fitting(text: str, width: float, size: float, weight: str) -> int:
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle], size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return low
