"""A report as a PDF: a title page with the headlines, figures, tables, page numbers."""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from mismartera_analytics import __version__
from mismartera_analytics.figures.style import LIGHT, settings_of
from mismartera_analytics.reports.lettering import shrunk, wrapped
from mismartera_analytics.reports.making import made_at
from mismartera_analytics.reports.outline import (
    Balance,
    Block,
    Cards,
    Drawing,
    Empty,
    Facts,
    Outline,
    Section,
)
from mismartera_analytics.reports.paper import BOTTOM, PAPERS, SIDE, Pen, Piece, Sheets
from mismartera_analytics.reports.paper_tables import add_table
from mismartera_analytics.reports.views import Card, TableView

__all__ = ["pdf_of"]

PANEL = "#f5f7f9"
TONES = {"": LIGHT.ink, "gain": LIGHT.gain, "loss": LIGHT.loss, "muted": LIGHT.muted}


def pdf_of(outline: Outline, *, paper: str = "A4") -> bytes:
    """Return a report as a PDF.

    Parameters
    ----------
    outline
        What it shows.
    paper
        ``"A4"`` or ``"Letter"``.

    Returns
    -------
    bytes
        Letters are embedded as TrueType and can be searched. The dates of its metadata are the instant
        printed at its foot; with ``SOURCE_DATE_EPOCH`` set the same content gives the same bytes.

    Examples
    --------
    >>> pdf_of(Outline("Report", "Nothing yet", "", (), ()))[:5]
    b'%PDF-'
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    made = made_at().replace(microsecond=0)
    sheets = Sheets(PAPERS[paper])
    buffer = io.BytesIO()
    settings = settings_of(LIGHT) | {"pdf.fonttype": 42, "font.size": 8.0}
    metadata = {
        "Title": outline.title, "Subject": f"{outline.kicker}, {outline.period}",
        "Creator": f"mismartera_analytics {__version__}", "CreationDate": made, "ModDate": made,
    }  # fmt: skip
    foot = f"Made {made:%Y-%m-%d %H:%M} UTC with mismartera_analytics {__version__}"

    def frame(pen: Pen, number: int, count: int) -> None:
        _frame(pen, sheets, "" if number == 1 else outline.title, foot, f"{number} / {count}")

    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # shown as a box, kept as text
        _fill(sheets, outline)
        with PdfPages(buffer, metadata=metadata) as pages:
            for figure in sheets.figures(frame):
                pages.savefig(figure)
    return buffer.getvalue()


def _frame(pen: Pen, sheets: Sheets, head: str, foot: str, number: str) -> None:
    """Write what stands on every page."""
    bottom = sheets.size[1] - BOTTOM + 0.34
    pen.line(SIDE, bottom - 0.16, sheets.width, LIGHT.grid)
    pen.text(SIDE, bottom, foot, size=6.5, colour=LIGHT.muted)
    pen.text(SIDE + sheets.width, bottom, number, size=7, colour=LIGHT.muted, align="right")
    if head:
        pen.text(SIDE, 0.52, shrunk(head, sheets.width, 7.0), size=7, colour=LIGHT.muted)
        pen.line(SIDE, 0.6, sheets.width, LIGHT.grid)


def _fill(sheets: Sheets, outline: Outline) -> None:
    _title(sheets, outline)
    for notice in outline.notices:
        bar = LIGHT.loss if notice.level == "warning" else LIGHT.second
        _box(sheets, "", notice.text, bar)
    for is_narrow, group in itertools.groupby(
        _order(outline.sections), lambda each: each.is_narrow
    ):
        if not is_narrow:
            for section in group:
                _section(sheets, section)
            continue
        for pair in _pairs(list(group)):
            _side_by_side(sheets, pair)


def _order(sections: Sequence[Section]) -> list[Section]:
    """Return the sections with how the figures were made right after the first figure."""
    wide = next(
        (
            place
            for place, section in enumerate(sections[:-1])
            if any(isinstance(block, Drawing) and block.is_wide for block in section.blocks)
        ),
        0,
    )
    return [*sections[: wide + 1], *sections[-1:], *sections[wide + 1 : -1]]


def _pairs(sections: list[Section]) -> Iterable[list[Section]]:
    """Yield two sections that are one drawing each, any other alone."""
    waiting: list[Section] = []
    for section in sections:
        if not all(isinstance(block, Drawing) for block in section.blocks):
            yield [section]
            continue
        waiting.append(section)
        if len(waiting) == 2:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _title(sheets: Sheets, outline: Outline) -> None:
    lines = wrapped(outline.title, sheets.width, 19.0, weight="bold", most=3)

    def draw(pen: Pen, x: float, y: float) -> None:
        pen.text(
            x,
            y + 0.1,
            shrunk(outline.kicker.upper(), sheets.width, 7.5),
            size=7.5,
            colour=LIGHT.muted,
        )
        for line in lines:
            y += 0.32
            pen.text(x, y + 0.1, line, size=19, weight="bold")
        pen.text(x, y + 0.33, outline.period, size=8.5, colour=LIGHT.muted)

    sheets.add(Piece(0.32 * len(lines) + 0.52, draw))


def _heading(sheets: Sheets, title: str) -> None:
    sheets.space(0.16)
    if not title:
        return

    def draw(pen: Pen, x: float, y: float) -> None:
        pen.text(x, y + 0.18, title, size=11, weight="bold")

    sheets.add(Piece(0.3, draw, is_head=True))


def _section(sheets: Sheets, section: Section) -> None:
    _heading(sheets, section.title)
    for block in section.blocks:
        _block(sheets, block)


def _block(sheets: Sheets, block: Block) -> None:
    if isinstance(block, Cards):
        _cards(sheets, block.cards)
    elif isinstance(block, TableView):
        add_table(sheets, block)
    elif isinstance(block, Drawing):
        _drawn(sheets, 3.3 if block.is_wide else 2.5, [block])
    elif isinstance(block, Balance):
        bar = LIGHT.gain if block.identity.holds else LIGHT.loss
        _box(sheets, block.verdict, block.text, bar)
    elif isinstance(block, Facts):
        _facts(sheets, block)
    elif isinstance(block, Empty):
        _box(sheets, "", block.text, LIGHT.grid)


def _side_by_side(sheets: Sheets, sections: list[Section]) -> None:
    drawings = [block for each in sections for block in each.blocks if isinstance(block, Drawing)]
    if len(sections) < 2 and not (drawings and len(sections[0].blocks) == 1):
        _section(sheets, sections[0])
        return
    sheets.space(0.16)
    half = sheets.width / 2 + 0.15

    def heads(pen: Pen, x: float, y: float) -> None:
        for place, section in enumerate(sections):
            pen.text(x + place * half, y + 0.18, section.title, size=11, weight="bold")

    sheets.add(Piece(0.3, heads, is_head=True))
    _drawn(sheets, 2.2, drawings)


def _drawn(sheets: Sheets, height: float, drawings: Sequence[Drawing]) -> None:
    """Put drawings side by side, on one page with their captions."""
    caption = _caption(sheets, [drawing.caption for drawing in drawings])
    if height + caption.height > sheets.left:
        sheets.turn()
    sheets.add(Piece(height, drawings=tuple(drawings)))
    sheets.add(caption)


def _caption(sheets: Sheets, captions: Sequence[str]) -> Piece:
    each = (sheets.width - 0.3 * (len(captions) - 1)) / len(captions)
    blocks = [wrapped(caption, each, 7.0) for caption in captions]

    def draw(pen: Pen, x: float, y: float) -> None:
        for place, lines in enumerate(blocks):
            for row, line in enumerate(lines):
                at = y + 0.12 + 0.125 * row
                pen.text(x + place * (each + 0.3), at, line, size=7, colour=LIGHT.muted)

    return Piece(0.1 + 0.125 * max(map(len, blocks)), draw)


def _box(sheets: Sheets, verdict: str, text: str, bar: str) -> None:
    lines = wrapped(text, sheets.width - 0.3, 8.0)
    heads = wrapped(verdict, sheets.width - 0.3, 8.0, weight="bold") if verdict else []
    height = 0.15 * (len(lines) + len(heads)) + 0.14

    def draw(pen: Pen, x: float, y: float) -> None:
        pen.box(x, y, sheets.width, height, PANEL)
        pen.box(x, y, 0.035, height, bar)
        for row, line in enumerate((*heads, *lines)):
            weight = "bold" if row < len(heads) else "normal"
            pen.text(x + 0.16, y + 0.17 + 0.15 * row, line, size=8, weight=weight)

    sheets.add(Piece(height, draw))
    sheets.space(0.1)


def _cards(sheets: Sheets, cards: Sequence[Card]) -> None:
    gap = 0.1
    width = (sheets.width - 3 * gap) / 4
    for first in range(0, len(cards), 4):
        row = cards[first : first + 4]
        notes = [wrapped(card.note, width - 0.2, 6.5, most=4) if card.note else [] for card in row]
        labels = [shrunk(card.label, width - 0.2, 7.0) for card in row]
        height = 0.52 + 0.115 * max(map(len, notes)) + (0.04 if any(notes) else 0.0)
        sheets.add(Piece(height, _card_row(row, labels, notes, (width, height), gap)))
        sheets.space(gap)


def _card_row(
    row: Sequence[Card],
    labels: list[str],
    notes: list[list[str]],
    size: tuple[float, float],
    gap: float,
) -> Any:
    def draw(pen: Pen, x: float, y: float) -> None:
        for card, label, lines in zip(row, labels, notes, strict=True):
            pen.box(x, y, *size, PANEL, edge=LIGHT.grid)
            pen.text(x + 0.1, y + 0.17, label, size=7, colour=LIGHT.muted)
            value = shrunk(card.value, size[0] - 0.2, 13.0, "bold")
            pen.text(x + 0.1, y + 0.4, value, size=13, weight="bold", colour=TONES[card.tone])
            for place, line in enumerate(lines):
                pen.text(x + 0.1, y + 0.54 + 0.115 * place, line, size=6.5, colour=LIGHT.muted)
            x += size[0] + gap

    return draw


def _facts(sheets: Sheets, block: Facts) -> None:
    """Write names and texts in two columns, a row of two at a time."""
    each, named = (sheets.width - 0.3) / 2, 0.95
    ready = [
        (wrapped(fact.name, named - 0.08, 7.5), wrapped(fact.text, each - named, 7.5))
        for fact in block.facts
    ]
    half = -(-len(ready) // 2)
    sheets.space(0.06)
    for left, right in itertools.zip_longest(ready[:half], ready[half:]):
        pair = [cell for cell in (left, right) if cell is not None]
        height = 0.135 * max(max(len(name), len(text)) for name, text in pair) + 0.03

        def draw(pen: Pen, x: float, y: float, pair: Any = pair) -> None:
            for place, (name, text) in enumerate(pair):
                at = x + place * (each + 0.3)
                for row, line in enumerate(name):
                    pen.text(at, y + 0.12 + 0.135 * row, line, size=7.5, colour=LIGHT.muted)
                for row, line in enumerate(text):
                    pen.text(at + named, y + 0.12 + 0.135 * row, line, size=7.5)

        sheets.add(Piece(height, draw))
