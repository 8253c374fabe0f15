"""The style sheet of every figure: two themes, colours that the colour-blind tell apart, formats."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion

__all__ = [
    "DARK",
    "LIGHT",
    "Theme",
    "ThemeName",
    "amount",
    "percent",
    "shortened",
    "text_of",
    "theme_of",
]

ThemeName = Literal["light", "dark"]
_FONTS = ("Inter", "Source Sans 3", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Theme:
    """Colours by what they stand for, as ``#rrggbb``; no two are equal.

    Gains are blue and losses vermilion (Okabe and Ito's palette): both keep apart for every kind of
    colour vision, and the sign is always printed as well.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    line: str
    second: str
    third: str
    fourth: str
    gain: str
    loss: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#17212e",
    muted="#5b6877",
    grid="#e1e7ee",
    line="#0b5394",
    second="#8a6d1f",
    third="#00735c",
    fourth="#a3457f",
    gain="#0072b2",
    loss="#d04f00",
)
DARK = Theme(
    paper="#12181f",
    ink="#e8edf3",
    muted="#9aa8b8",
    grid="#2a343f",
    line="#6db3f2",
    second="#e0c068",
    third="#2fc49b",
    fourth="#e08fc0",
    gain="#5aaee6",
    loss="#ff8a3d",
)
_THEMES = {"light": LIGHT, "dark": DARK}


def theme_of(name: ThemeName) -> Theme:
    """Return the theme of a name.

    Raises
    ------
    InvalidInputError
        If the name is neither ``"light"`` nor ``"dark"``.

    Examples
    --------
    >>> theme_of("light").paper
    '#ffffff'
    """
    if not is_one_of(name, _THEMES):
        raise InvalidInputError(
            f"theme={as_given(name)} is unknown{suggestion(name, _THEMES) or '.'} "
            f"Allowed: light, dark."
        )
    return _THEMES[name]


def settings_of(theme: Theme) -> Any:
    """Return the matplotlib settings (rcParams) of a theme."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return {
        "font.family": [next((name for name in _FONTS if name in known), "sans-serif")],
        "font.size": 10.0,
        "figure.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "axes.labelcolor": theme.muted,
        "axes.labelsize": 9.5,
        "axes.edgecolor": theme.grid,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 12.0,
        "axes.titleweight": "bold",
        "axes.titlecolor": theme.ink,
        "axes.titlepad": 10.0,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelsize": 9.0,
        "ytick.labelsize": 9.0,
        "xtick.major.size": 3.0,
        "ytick.major.size": 0.0,
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "legend.labelcolor": theme.ink,
        "lines.linewidth": 1.5,
        "lines.solid_joinstyle": "round",
        "patch.linewidth": 0.0,
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "mismartera",
        "svg.id": None,
    }


def shortened(name: object, most: int) -> str:
    """Return a name as a label of at most `most` letters, cut with an ellipsis.

    Examples
    --------
    >>> shortened("AAPL", 12), shortened("A very long name", 8)
    ('AAPL', 'A very …')
    """
    text = " ".join(str(name).split())
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def roles() -> dict[str, str]:
    """Return the light theme's colours and the role that each stands for."""
    return {getattr(LIGHT, field.name): field.name for field in fields(Theme)}


def percent(
    value: float, *, decimals: int = 1, signed: Literal["all", "negative"] = "negative"
) -> str:
    """Return a fraction as text in per cent, with a true minus sign; a dash where it is missing.

    Examples
    --------
    >>> percent(-0.1234), percent(0.05, decimals=0, signed="all"), percent(float("nan"))
    ('−12.3%', '+5%', '–')
    """
    return amount(value * 100.0, decimals=decimals, signed=signed, unit="%")


def amount(
    value: float,
    *,
    decimals: int = 2,
    signed: Literal["all", "negative"] = "negative",
    unit: str = "",
) -> str:
    """Return a number as text with thousands separators and a true minus sign.

    A missing number is a dash; one that rounds to zero has no sign.

    Examples
    --------
    >>> amount(-1234567.891), amount(0.001, signed="all"), amount(12.0, decimals=0, unit=" USD")
    ('−1,234,567.89', '0.00', '12 USD')
    """
    if value != value:
        return DASH
    text = f"{abs(value):,.{decimals}f}"
    if not text.strip("0.,"):
        return text + unit
    sign = MINUS if value < 0 else "+" if signed == "all" else ""
    return sign + text + unit


def text_of(value: float, unit: str) -> str:
    """Return a metric's value as text in its unit; a dash where it is missing.

    Parameters
    ----------
    value
        The number.
    unit
        As in `frames.METRICS`.

    Examples
    --------
    >>> text_of(-0.1234, "fraction"), text_of(1.5, "ratio"), text_of(12.0, "sessions")
    ('−12.34%', '1.50', '12')
    """
    if value != value:
        return DASH
    if unit.startswith("fraction"):
        return percent(value, decimals=2)
    if unit in ("sessions", "trades", "trials"):
        return amount(value, decimals=0)
    return amount(value, decimals=1 if unit == "days" else 2)
