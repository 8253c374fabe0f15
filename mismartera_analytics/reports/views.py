"""Values as a page shows them: cards, tables and cells of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from mismartera_analytics.figures.style import DASH, amount, percent, text_of

__all__ = [
    "DASH",
    "Card",
    "Cell",
    "Head",
    "TableView",
    "day",
    "moment",
    "signed_cell",
    "text_of",
    "value_cell",
]

Tone = Literal["", "gain", "loss", "muted"]


@dataclass(frozen=True)
class Card:
    """One headline figure: what, how much, and what a reader must know about it."""

    label: str
    value: str
    tone: Tone = ""
    note: str = ""


@dataclass(frozen=True)
class Head:
    """A column's head: its name, its unit and whether it holds numbers."""

    name: str
    unit: str = ""
    kind: Literal["text", "number"] = "text"


@dataclass(frozen=True)
class Cell:
    """A cell's text, the key it sorts by (its text where None), and its tone."""

    text: str
    key: float | str | None = None
    tone: Tone = ""
    heat: float = 0.0


@dataclass(frozen=True)
class TableView:
    """A table: heads, rows of as many cells, and a note below.

    `kind` says how it is laid out: ``sortable``, ``plain``, ``how`` (its last column explains), ``how
    versus`` (with two columns of values before that), ``stress``, ``months``, ``compare``, ``matrix``,
    ``conventions``; `description` is for those who cannot see it.
    """

    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    kind: str = "sortable"
    description: str = ""


def tone_of(value: float) -> Tone:
    """Return the tone of an amount: a gain, a loss, or none for zero and missing."""
    return "gain" if value > 0 else "loss" if value < 0 else ""


def value_cell(value: Any, *, decimals: int = 2) -> Cell:
    """Return a plain number's cell, a dash where it is missing."""
    if pd.isna(value):
        return Cell(DASH, tone="muted")
    return Cell(amount(float(value), decimals=decimals), float(value))


def signed_cell(
    value: Any, *, unit: Literal["amount", "fraction"] = "amount", heat: float = 0.0
) -> Cell:
    """Return the cell of a gain or loss."""
    if pd.isna(value):
        return Cell(DASH, tone="muted")
    number = float(value)
    text = amount(number) if unit == "amount" else percent(number, decimals=2)
    return Cell(text, number, tone_of(number), heat)


def day(value: Any, *, missing: str = DASH) -> Cell:
    """Return a session label's cell."""
    return Cell(missing, "", "muted") if pd.isna(value) else Cell(f"{value:%Y-%m-%d}")


def moment(value: Any, *, missing: str = DASH) -> Cell:
    """Return an instant's cell, to the minute, in the instant's own zone; sorted by the instant."""
    if pd.isna(value):
        return Cell(missing, 0.0, "muted")
    return Cell(f"{value:%Y-%m-%d %H:%M}", value.timestamp())


def rows_of(
    frame: pd.DataFrame, makers: Iterable[tuple[str, Callable[[Any], Cell]]]
) -> list[list[Cell]]:
    """Return one list of cells for each row, by a maker for each column."""
    columns = [[make(value) for value in frame[name]] for name, make in makers]
    return [list(row) for row in zip(*columns, strict=True)]
