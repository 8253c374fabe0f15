"""What a report shows, in order, whatever it is written as: cards, tables, drawings, texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mismartera_analytics.figures.style import amount
from mismartera_analytics.reports.content import Fact, Identity, Notice
from mismartera_analytics.reports.views import Card, TableView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Balance", "Block", "Cards", "Drawing", "Empty", "Facts", "Outline", "Section"]

Size = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn where it is needed, at the size that is needed there.

    Attributes
    ----------
    name
        Letters that are its own in the report.
    caption
        What it shows.
    make
        Draws it, given width and height [inch].
    heights
        Of the narrow figure, or of the wide and the narrow one [inch]: two mean that it goes across.
    hover
        JSON of what a pointer shows, or nothing: ``x`` (days since 1970, or what the axis has),
        ``labels`` of them or None, and ``series`` of ``name, kind, values``.
    """

    name: str
    caption: str
    make: Callable[[Size], Figure]
    heights: tuple[float, ...] = (2.9,)
    hover: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether it goes across the page."""
        return len(self.heights) > 1


@dataclass(frozen=True)
class Cards:
    """Headline figures, side by side."""

    cards: Sequence[Card]
    description: str = "Headline figures"


@dataclass(frozen=True)
class Empty:
    """A sentence in the place of what is not there."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Lines of a name and a text."""

    facts: Sequence[Fact]


@dataclass(frozen=True)
class Balance:
    """The accounting identity of one record."""

    identity: Identity
    currency: str
    name: str = ""

    @property
    def verdict(self) -> str:
        """Whether it holds, as a sentence."""
        whose = self.name or "The account"
        return f"{whose} adds up." if self.identity.holds else f"{whose} does not add up."

    @property
    def text(self) -> str:
        """The amounts, and where the profit and loss comes from."""
        it = self.identity
        residual = amount(it.residual, decimals=0)
        if it.residual:
            residual = f"{it.residual:.1e}".replace("-", "\N{MINUS SIGN}")
        return (
            f"Begin {amount(it.begin)} + flows {amount(it.flows)} + profit and loss {amount(it.pnl)} "
            f"= end {amount(it.end)} {self.currency}; residual {residual}. Profit and loss from "
            f"{it.basis}."
        )


Block = Balance | Cards | Drawing | Empty | Facts | TableView


@dataclass(frozen=True)
class Section:
    """A heading, none where it is empty, and what stands below it.

    `is_narrow` sections that follow one another stand side by side where there is room.
    """

    title: str
    blocks: Sequence[Block]
    is_narrow: bool = False


@dataclass(frozen=True)
class Outline:
    """A whole report.

    Attributes
    ----------
    kicker, title, period
        What kind of report, about what, from when to when.
    notices
        Shown above everything else.
    sections
        The first is what a reader sees first.
    """

    kicker: str
    title: str
    period: str
    notices: Sequence[Notice]
    sections: Sequence[Section]
