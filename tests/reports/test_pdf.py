"""The tear sheet on paper: its pages read back, its letters embedded, its bytes the same again."""

import io
import re
from dataclasses import replace

import pypdf
import pytest

from mismartera_analytics import tear_sheet
from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.reports.content import Notice, TearSheetContent
from mismartera_analytics.reports.lettering import shrunk, width_of, wrapped
from mismartera_analytics.reports.paper import Piece, Sheets
from mismartera_analytics.reports.paper_tables import PAD, add_table
from mismartera_analytics.reports.tearsheet import render_pdf
from mismartera_analytics.reports.views import Cell, Head, TableView
from tests.reports import made_up

EVIL = "<script>alert(1)</script> 🚀 $x$ \\frac{1}{2} 日本"


@pytest.fixture(scope="module")
def read() -> pypdf.PdfReader:
    base = made_up.content()
    content = replace(base, notices=(*base.notices, Notice("warning", EVIL)))
    return pypdf.PdfReader(io.BytesIO(render_pdf(content)))


def words(read: pypdf.PdfReader) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in read.pages]


def test_the_first_page_has_headlines_and_conventions(read):
    first = words(read)[0]
    for told in (
        "Crossover of two averages", "Total return", "Max drawdown", "Sharpe ratio", "−",
        "market orders at the next bar's open", "bars/1d at version 3", "adds up",
    ):  # fmt: skip
        assert told in first


def test_every_page_has_its_number(read):
    pages = words(read)
    assert len(pages) > 2
    for number, text in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in text
    whole = " ".join(pages)
    for heading in ("Monthly returns", "Drawdowns", "Metrics", "Trades", "Rolling Sharpe ratio"):
        assert heading in whole


def test_names_are_text(read):
    assert "<script>alert(1)</script>" in words(read)[0]
    assert "\\frac{1}{2}" in words(read)[0]


def test_letters_are_embedded_as_truetype(read):
    kinds = set()
    for page in read.pages:
        for font in page["/Resources"]["/Font"].values():
            kinds.add(font.get_object()["/Subtype"])
    assert "/Type3" not in kinds


@pytest.mark.parametrize(("paper", "size"), [("A4", (595, 842)), ("Letter", (612, 792))])
def test_paper(paper, size):
    read = pypdf.PdfReader(io.BytesIO(render_pdf(TearSheetContent("Nothing yet"), paper=paper)))
    box = read.pages[0].mediabox
    assert (float(box.width), float(box.height)) == pytest.approx(size, abs=1)
    assert "nothing to measure yet" in words(read)[0]


def test_the_same_content_gives_the_same_bytes(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    content = TearSheetContent("Short", returns=made_up.returns(30))
    first, second = render_pdf(content), render_pdf(content)
    assert first == second
    told = pypdf.PdfReader(io.BytesIO(first)).metadata
    assert told.title == "Short"
    assert told.creation_date.timestamp() == told.modification_date.timestamp() == 1750000000


@pytest.mark.parametrize("above", [0.0, 1.0, 7.3])
def test_a_note_never_stands_alone_on_a_page(above):
    head = (Head("Row"),)
    for count in range(1, 61):
        sheets = Sheets((8.27, 11.69))
        if above:
            sheets.add(Piece(above))
        rows = tuple((Cell(f"row {number}"),) for number in range(count))
        add_table(sheets, TableView(head, rows, note="what it means"))
        pages = [
            [text.get_text() for text in figure.texts] for figure in sheets.figures(lambda *_: None)
        ]
        assert "what it means" in pages[-1]
        assert any(text.startswith("row ") for text in pages[-1])
        shown = [text for page in pages for text in page if text.startswith("row ")]
        assert shown == [f"row {number}" for number in range(count)]


def test_lines_fit():
    text = "A long sentence about averlylongwordthatfitsnowhere_and/more in 2025-07-01 " * 3
    lines = wrapped(text, 1.2, 8.0)
    assert max(width_of(line, 8.0) for line in lines) <= 1.2
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert width_of(shrunk(text, 1.2, 8.0), 8.0) <= 1.2
    assert len(wrapped(text, 1.2, 8.0, most=2)) == 2


def test_a_text_fits_into_the_room_that_was_made_for_it():
    for number in range(2_000):
        text = f"−{number / 37:.2f}%"
        for size in (7.5, 6.0):
            assert wrapped(text, width_of(text, size) + PAD - PAD, size) == [text]
            assert shrunk(text, width_of(text, size) + PAD - PAD, size) == text


@pytest.mark.parametrize("path", ["x.docx", "x", "x.htm", "x.pdf.gz"])
def test_other_endings_are_refused(path, tmp_path):
    with pytest.raises(InvalidInputError, match=re.escape("Allowed: .html for a page, .pdf")):
        tear_sheet(TearSheetContent("x"), tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_other_paper_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="Allowed: A4, Letter"):
        tear_sheet(TearSheetContent("x"), tmp_path / "x.pdf", paper="A5")


def test_a_former_file_stays_where_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    path = tear_sheet(TearSheetContent("x"), tmp_path / "x.pdf")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(StorageError, match="No space left"):
        tear_sheet(made_up.content(count=1), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.pdf"]
