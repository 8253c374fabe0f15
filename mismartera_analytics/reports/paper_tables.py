"""Tables on paper: columns as wide as they need to be, heads on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mismartera_analytics.figures.style import LIGHT
from mismartera_analytics.reports.lettering import width_of, wrapped
from mismartera_analytics.reports.paper import Pen, Piece, Sheets
from mismartera_analytics.reports.views import Cell, TableView

__all__ = ["add_table"]

MOST_ROWS = 60
PAD = 0.13
SIZES = (7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
WHOLE = ("compare", "matrix", "months", "plain", "stress")
"""Kinds that are not broken where little of the page is left."""
TONES = {"": LIGHT.ink, "gain": LIGHT.gain, "loss": LIGHT.loss, "muted": LIGHT.muted}
Lines = list[list[list[str]]]


def add_table(sheets: Sheets, view: TableView) -> None:
    """Put a table below what there is, over as many pages as it takes.

    Parameters
    ----------
    sheets
        The pages.
    view
        The table; of more than sixty rows the first sixty, and the note says so.
    """
    rows = list(view.rows[:MOST_ROWS])
    note = view.note
    if len(view.rows) > len(rows):
        note = f"{note} On paper the first {len(rows)} of {len(view.rows)} rows.".strip()
    table = _Laid(view, rows, sheets.width)
    told = _note_of(note, sheets.width) if note else None
    place = 0
    while place < len(rows) or place == 0:
        count = table.fitting(place, sheets.left)
        is_cut = count < len(rows) - place
        stays_whole = not place and view.kind in WHOLE and sheets.left < 0.35 * sheets.whole
        if is_cut and (count < 3 or stays_whole) and sheets.left < sheets.whole:
            sheets.turn()
            count = table.fitting(place, sheets.whole)
        count = max(count, 1)
        is_last = count == len(rows) - place
        piece = table.piece(place, count)
        is_alone = told is not None and is_last and sheets.left < piece.height + told.height
        if is_alone and count == 1:
            sheets.turn()
        elif is_alone:  # the note goes to the next page, and two rows with it
            count -= min(count - 1, 2)
            piece = table.piece(place, count)
        sheets.add(piece)
        place += count
        if is_alone and place < len(rows):
            sheets.turn()
    if told is not None:
        sheets.add(told)
    sheets.space(0.12)


def _note_of(note: str, width: float) -> Piece:
    lines = wrapped(note, width, 7.0)

    def draw(pen: Pen, x: float, y: float) -> None:
        for row, line in enumerate(lines):
            pen.text(x, y + 0.13 + 0.125 * row, line, size=7, colour=LIGHT.muted)

    return Piece(0.1 + 0.125 * len(lines), draw)


class _Laid:
    """A table with its columns' widths, its rows' lines and heights."""

    def __init__(self, view: TableView, rows: Sequence[Sequence[Cell]], width: float) -> None:
        self.view, self.rows, self.width = view, rows, width
        self.heads = [
            f"{head.name} [{head.unit}]" if head.unit else head.name for head in view.heads
        ]
        self.size, self.widths = self._fit()
        self.step = self.size * 0.0175
        self.head_lines = [
            wrapped(text, wide - PAD, self.size, weight="bold")
            for text, wide in zip(self.heads, self.widths, strict=True)
        ]
        self.lines: Lines = [
            [
                wrapped(cell.text, wide - PAD, self.size, weight=self._weight(column))
                for column, (cell, wide) in enumerate(zip(row, self.widths, strict=True))
            ]
            for row in rows
        ]
        self.heights = [self.step * max(map(len, row)) + 0.055 for row in self.lines]
        self.head_height = self.step * max(map(len, self.head_lines)) + 0.07

    def _weight(self, column: int) -> str:
        is_total = self.view.kind == "months" and column in (0, len(self.heads) - 1)
        return "bold" if is_total else "normal"

    def _fit(self) -> tuple[float, list[float]]:
        """Return the largest letters with which it fits, and the columns' widths [inch]."""
        long = self._wrapping()
        for size in SIZES:
            natural = [
                max(self._words(column, size) if column in long else self._whole(column, size),
                    self._head_width(column, size)) + PAD
                for column in range(len(self.heads))
            ]  # fmt: skip
            spare = self.width - sum(natural)
            if spare >= 0:
                break
        if spare < 0:
            factor = self.width / sum(natural)
            return size, [wide * factor for wide in natural]
        if long:
            return size, self._shared(natural, spare, long, size)
        if self.view.kind == "compare":
            each = (self.width - natural[0]) / (len(natural) - 1)
            if each >= max(natural[1:]):
                return size, [natural[0], *[each] * (len(natural) - 1)]
        each = (
            min(spare / len(natural), 0.35)
            if self.view.kind not in ("months",)
            else spare / len(natural)
        )
        return size, [wide + each for wide in natural]

    def _shared(
        self, natural: list[float], spare: float, long: Sequence[int], size: float
    ) -> list[float]:
        """Give what is spare to the columns that wrap, none more than its longest text takes."""
        wants = {column: self._whole(column, size) + PAD - natural[column] for column in long}
        total = sum(wants.values())
        share = min(1.0, spare / total) if total > 0 else 0.0
        return [
            wide + wants[column] * share if column in wants else wide
            for column, wide in enumerate(natural)
        ]

    def _wrapping(self) -> Sequence[int]:
        last = len(self.heads) - 1
        if self.view.kind in ("how", "how versus", "stress"):
            return (last,)
        if self.view.kind == "conventions":
            return tuple(range(1, last + 1))
        if self.view.kind == "matrix":
            return (0,)
        return ()

    def _whole(self, column: int, size: float) -> float:
        weight = self._weight(column)
        return max((width_of(row[column].text, size, weight) for row in self.rows), default=0.0)

    def _words(self, column: int, size: float) -> float:
        """Return the room that a column of long texts needs at least."""
        return min(self._whole(column, size), 1.1)

    def _head_width(self, column: int, size: float) -> float:
        words = self.heads[column].split() or [""]
        return min(max(width_of(word, size, "bold") for word in words), 1.2)

    @property
    def height(self) -> float:
        """Of all rows and the heads [inch]."""
        return self.head_height + sum(self.heights)

    def fitting(self, first: int, room: float) -> int:
        """Return how many rows from the first on have room below the heads."""
        room -= self.head_height
        count = 0
        for height in self.heights[first:]:
            room -= height
            if room < 0:
                break
            count += 1
        return count

    def piece(self, first: int, count: int) -> Piece:
        """Return the heads and some rows."""
        height = self.head_height + sum(self.heights[first : first + count])

        def draw(pen: Pen, x: float, y: float) -> None:
            self._draw(pen, x, y, range(first, min(first + count, len(self.rows))))

        return Piece(height, draw)

    def _draw(self, pen: Pen, x: float, y: float, rows: range) -> None:
        tall = max(map(len, self.head_lines))
        for column, lines in enumerate(self.head_lines):
            low = self.step * (tall - len(lines))
            self._cell(pen, x, y + low, column, lines, colour=LIGHT.muted, weight="bold")
        y += self.head_height
        pen.line(x, y, sum(self.widths), LIGHT.muted)
        for row in rows:
            self._shade(pen, x, y, row)
            for column, lines in enumerate(self.lines[row]):
                cell = self.rows[row][column]
                plain = self.view.kind in ("months", "matrix") and cell.tone != "muted"
                colour = LIGHT.ink if plain else TONES[cell.tone]
                self._cell(pen, x, y, column, lines, colour=colour, weight=self._weight(column))
            y += self.heights[row]
            pen.line(x, y, sum(self.widths), LIGHT.grid, thick=0.4)

    def _cell(
        self,
        pen: Pen,
        x: float,
        y: float,
        column: int,
        lines: list[str],
        *,
        colour: str,
        weight: str,
    ) -> None:
        at = x + sum(self.widths[:column])
        is_number = self.view.heads[column].kind == "number"
        for place, line in enumerate(lines):
            pen.text(
                at + (self.widths[column] - PAD / 2 if is_number else PAD / 2),
                y + 0.02 + self.step * (place + 0.88),
                line, size=self.size, colour=colour, weight=weight,
                align="right" if is_number else "left",
            )  # fmt: skip

    def _shade(self, pen: Pen, x: float, y: float, row: int) -> None:
        for column, cell in enumerate(self.rows[row]):
            if cell.heat and cell.tone in ("gain", "loss"):
                at = x + sum(self.widths[:column])
                colour = _mixed(TONES[cell.tone], cell.heat * 0.6)
                pen.box(at, y, self.widths[column], self.heights[row], colour)


def _mixed(colour: str, share: float) -> str:
    """Return a colour on paper, as strong as its share."""
    parts: Any = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * min(share, 1.0)):02x}" for part in parts)
