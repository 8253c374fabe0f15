"""The tear sheet as a file: complete, self-contained, small, and harmless whatever names it shows."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import config, frames, tear_sheet
from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.reports.content import Identity, Notice, TearSheetContent
from mismartera_analytics.reports.tearsheet import render
from tests.reports import made_up

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> 🚀 \"quoted\" 'too' & </title>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and text, and checks that every tag is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


@pytest.fixture(scope="module")
def page() -> str:
    return render(made_up.content())


def test_is_complete_and_small(page):
    parsed = Page(page)
    assert [tag for tag, _ in parsed.tags].count("script") == 1
    assert len(page.encode()) < 1_000_000
    for heading in ("Value and drawdown", "Monthly returns", "Drawdowns", "Metrics", "Trades"):
        assert heading in parsed.text
    for told in ("next bar's open", "bars/1d at version 3", "counted from 2021-01-04", "adds up"):
        assert told in parsed.text


def test_asks_nothing_of_the_network(page):
    without_names = page.replace("http://www.w3.org/1999/xlink", "").replace(
        "http://www.w3.org/2000/svg", ""
    )
    assert "http" not in without_names
    assert not re.search(r"@import|url\((?!#)", page)
    for tag, attributes in Page(page).tags:
        assert tag not in ("img", "iframe", "object", "embed")
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))


def test_figures_are_sound_svg_without_clashing_ids(page):
    found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(found) >= 5
    ids: list[str] = []
    for text in found:
        # In HTML the namespaces are understood; for the XML parser they are written down.
        head = 'xmlns:xlink="http://www.w3.org/1999/xlink" '
        root = ET.fromstring(text.replace("<svg ", f"<svg {head}", 1))
        assert root.get("aria-label")
        ids += [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    for name in re.findall(r"(?:url\(#|href=\"#)([^\")]+)", page):
        assert name in ids


def test_figures_take_the_pages_colours(page):
    style = page[page.index("<style>") : page.index("</style>")]
    for role in set(re.findall(r"var\(--fig-([a-z]+)", page)):
        assert style.count(f"--fig-{role}:") == 3, role  # light, dark by the reader, by the system


@pytest.mark.parametrize("count", [1, 200, 201, 1500])
def test_shows_the_latest_trades_and_says_how_many_there_are(count):
    content = replace(made_up.content(), trades=made_up.trades(count))
    text = render(content)
    assert text.count('<td class="n"') > min(count, 200)
    assert (f"The latest 200 of {count:,}" in text) == (count > 200)
    assert len(text.encode()) < 1_000_000


def test_names_are_text_and_nothing_else():
    base = made_up.content()
    trades = base.trades.assign(symbol=EVIL)
    content = replace(
        base,
        title=EVIL,
        subtitle=EVIL,
        currency="<b>",
        trades=trades,
        pnl_by_symbol=pd.Series({EVIL: 10.0, "$x$ \\frac": -2.0}),
        benchmark=base.benchmark.rename(EVIL),
        notices=(Notice("warning", EVIL),),
    )
    parsed = Page(render(content))
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert tags.count("title") == 1
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert parsed.text.count("🚀") >= 5


@pytest.mark.parametrize(
    "content",
    [
        TearSheetContent("Nothing at all"),
        TearSheetContent("Missing", returns=made_up.returns(5) * np.nan),
        TearSheetContent("One day", returns=made_up.returns(1)),
        TearSheetContent("Flat", returns=made_up.returns(200) * 0),
        TearSheetContent("Lost", returns=pd.Series([0.1, -1.2, 0.3], index=made_up.sessions(3))),
        TearSheetContent(
            "Empty benchmark", returns=made_up.returns(), benchmark=made_up.returns().iloc[:0]
        ),
    ],
    ids=lambda content: content.title,
)
def test_poor_records_give_a_page_that_says_so(content):
    if len(content.returns):
        content = replace(content, equity=made_up.equity(content.returns.fillna(0.0)))
    text = Page(render(content)).text
    cards = text[: text.index("How these figures were made")]
    assert "nan" not in cards.lower().split()
    assert "inf" not in cards.lower().split()
    assert "No order was recorded." in text


def test_a_missing_headline_gives_its_reason():
    text = Page(render(TearSheetContent("Flat", returns=made_up.returns(200) * 0))).text
    assert re.search(r"Sharpe ratio\s+–\s+the returns do not vary", text)


def test_an_account_that_does_not_add_up_is_called_out():
    broken = replace(made_up.content(), identity=Identity(100.0, 0.0, 10.0, 111.0, "the fills"))
    text = Page(render(broken)).text
    assert "does not add up" in text
    assert "residual −1.0e+00" in text


@pytest.mark.parametrize(
    ("identity", "holds"),
    [
        (Identity(100.0, 5.0, 10.0, 115.0, "x"), True),
        (Identity(1e9, 0.0, 0.1, 1e9 + 0.1, "x"), True),
        (Identity(100.0, 0.0, 10.0, 110.001, "x"), False),
        (Identity(100.0, 0.0, float("nan"), 110.0, "x"), False),
    ],
)
def test_identity(identity, holds):
    assert identity.holds is holds


def test_default_place_and_name(home):
    path = tear_sheet(made_up.content("My first: A/B?"))
    assert path.parent == config.settings().reports
    assert re.fullmatch(r"my-first-a-b-[0-9a-f]{8}\.html", path.name)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert tear_sheet(made_up.content(EVIL)).parent == path.parent


def test_relative_path_counts_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tear_sheet(made_up.content(), "made/here.html", title="Other") == (
        tmp_path / "made" / "here.html"
    )
    assert "<h1>Other</h1>" in (tmp_path / "made" / "here.html").read_text("utf-8")


def test_writing_again_replaces_and_leaves_nothing_beside(tmp_path):
    for _ in range(2):
        tear_sheet(TearSheetContent("x"), tmp_path / "x.html")
    assert [file.name for file in tmp_path.iterdir()] == ["x.html"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        tear_sheet(TearSheetContent("x"), tmp_path / "file" / "x.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        tear_sheet(TearSheetContent("x"), tmp_path / "folder.html")
    assert not list(tmp_path.glob(".*.part"))


def test_benchmark_is_put_on_the_records_sessions(tmp_path):
    wider = pd.Series(0.001, index=pd.bdate_range("2020-01-01", "2024-12-31"), name="SPY")
    content = replace(made_up.content(), benchmark=None)
    text = tear_sheet(content, tmp_path / "x.html", benchmark=wider).read_text("utf-8")
    assert ">SPY<" in text
    with pytest.raises(InvalidInputError, match="none of them is a session"):
        tear_sheet(content, tmp_path / "x.html", benchmark=wider["2020"])


@pytest.mark.parametrize("source", [None, 1.5, True, pd.DataFrame()])
def test_refuses_what_cannot_be_reported(source):
    with pytest.raises(InvalidInputError, match="pass a backtest's result"):
        tear_sheet(source)


def test_empty_frames_have_their_columns():
    content = TearSheetContent("x")
    assert list(content.equity.columns) == frames.EQUITY.names
    assert list(content.trades.columns) == frames.TRADES.names


def test_titles_that_differ_never_share_a_default_file(home):
    titles = ["Ada & Søn", "Ada & Sun", "Ada Sun", "🚀", "🐻", "a" * 90 + "x", "a" * 90 + "y"]
    names = [tear_sheet(TearSheetContent(title)).name for title in titles]
    assert len(set(names)) == len(titles)
    assert names[2] == "ada-sun.html"
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.html", name) for name in names)
    assert max(map(len, names)) <= 85


def test_a_sheet_of_returns_needs_no_database_module(tmp_path):
    program = (
        "import sys, pandas as pd, mismartera_analytics as ma\n"
        "days = pd.bdate_range('2024-01-02', periods=50)\n"
        "returns = pd.Series(0.001, index=days)\n"
        f"ma.tear_sheet(returns, {str(tmp_path / 'r.html')!r})\n"
        "print([name for name in ('sqlalchemy', 'numba', 'duckdb') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(ma.__file__).parents[1])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
