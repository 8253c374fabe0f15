"""The look of what a notebook shows: the colours of reports, on the page's own ground."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Literal

from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.figures.style import DARK, LIGHT, Theme

__all__ = ["NAMES", "Scheme", "Tile", "notice", "page", "tiles"]

Scheme = Literal["auto", "light", "dark"]
NAMES: tuple[Scheme, ...] = ("auto", "light", "dark")
_DARK_PAGES = (
    'body[data-jp-theme-light="false"]',  # JupyterLab, Notebook 7
    "body.vscode-dark",
    'html[data-theme="dark"]',  # a site made by Sphinx
)
_SHEET = Path(__file__).with_name("notebook.css")


@dataclass(frozen=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    note: str = ""
    tone: Literal["", "gain", "loss"] = ""


def page(title: str, *parts: str, kicker: str = "", scheme: Scheme = "auto") -> str:
    """Return parts of HTML under a heading, with the style that they need.

    Parameters
    ----------
    title, kicker
        Texts; they are escaped.
    *parts
        HTML.
    scheme
        ``"auto"`` follows the page, the others don't.

    Examples
    --------
    >>> "&lt;b&gt;" in page("<b>")
    True
    """
    head = f'<p class="ma-kicker">{escape(kicker)}</p>' if kicker else ""
    head += f'<p class="ma-title">{escape(title)}</p>' if title else ""
    return f'<div class="ma-out ma-{scheme}"><style>{_style()}</style>{head}{"".join(parts)}</div>'


def tiles(items: Sequence[Tile]) -> str:
    """Return headline figures side by side.

    Examples
    --------
    >>> tiles([Tile("Return", "5%", tone="gain")])
    '<div class="ma-tiles"><div><span>Return</span><strong class="ma-gain">5%</strong></div></div>'
    """
    told = "".join(
        f"<div><span>{escape(item.label)}</span>"
        f"<strong{f' class={chr(34)}ma-{item.tone}{chr(34)}' if item.tone else ''}>"
        f"{escape(item.value)}</strong>"
        f"{f'<small>{escape(item.note)}</small>' if item.note else ''}</div>"
        for item in items
    )
    return f'<div class="ma-tiles">{told}</div>'


def notice(text: str, *, level: Literal["note", "warning", "good"] = "note") -> str:
    """Return a sentence that stands out.

    Examples
    --------
    >>> notice("Look here")
    '<p class="ma-notice ma-note">Look here</p>'
    """
    return f'<p class="ma-notice ma-{level}">{escape(text)}</p>'


def parse_scheme(name: str) -> Scheme:
    """Return a scheme of colours by its name.

    Raises
    ------
    InvalidInputError
        If there is none of that name.

    Examples
    --------
    >>> parse_scheme("dark")
    'dark'
    """
    for known in NAMES:
        if name == known:
            return known
    raise InvalidInputError(
        f"theme={as_given(name)} is unknown{suggestion(name, NAMES) or '.'} Allowed: "
        f"{', '.join(NAMES)}."
    )


@functools.cache
def _style() -> str:
    rules = [
        _colours(".ma-out", LIGHT, on_page=True),
        _colours(
            ", ".join(f"{there} .ma-out.ma-auto" for there in _DARK_PAGES), DARK, on_page=True
        ),
        _colours(".ma-out.ma-light", LIGHT, on_page=False),
        _colours(".ma-out.ma-dark", DARK, on_page=False),
    ]
    return "".join([*rules, " ".join(_SHEET.read_text("utf-8").split())])


def _colours(where: str, theme: Theme, *, on_page: bool) -> str:
    roles = asdict(theme)
    if on_page:  # JupyterLab's own ground, where there is one
        roles["paper"] = f"var(--jp-layout-color0,{theme.paper})"
    set_to = ";".join(f"--fig-{role}:{colour}" for role, colour in roles.items())
    scheme = "dark" if theme is DARK else "light"
    return f"{where}{{{set_to};color-scheme:{scheme}}}"
