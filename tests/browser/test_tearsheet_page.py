"""The tear sheet in a real browser: quiet, off line, sortable, and as wide as a phone."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mismartera_analytics.reports.tearsheet import render, tear_sheet
from tests.faults.nasty import NAMES
from tests.reports import made_up

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
EVIL = '<script>window.hit = 1</script><img src=x onerror="window.hit = 2"> 🚀'

OVERLAPS = """() => {
  const found = [];
  const check = (boxes) => {
    for (let i = 0; i < boxes.length; i += 1) for (let j = i + 1; j < boxes.length; j += 1) {
      const [a, b] = [boxes[i].box, boxes[j].box];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1.5 && high > 2.5) found.push([boxes[i].text, boxes[j].text]);
    }
  };
  const boxes = (nodes) => [...nodes].map((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return { box: range.getBoundingClientRect(), text: node.textContent };
  }).filter(({ box, text }) => box.width && text.trim());
  for (const svg of document.querySelectorAll("figure svg")) {
    check([...svg.querySelectorAll("text")].map((node) => (
      { box: node.getBoundingClientRect(), text: node.textContent }
    )).filter(({ box, text }) => box.width && text.trim()));
  }
  for (const row of document.querySelectorAll("tr")) check(boxes(row.cells));
  for (const card of document.querySelectorAll(".card")) check(boxes(card.children));
  check(boxes(document.querySelectorAll("h1, h2, .kicker, .period, .scheme, .notice")));
  return found;
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "sheet.html"
    content = made_up.content("Long title " * 12 + EVIL)
    path.write_text(render(replace(content, subtitle=EVIL)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Path:
    base = made_up.content()
    records = [
        replace(base, title=f"Crossover of two averages, {number} and more {EVIL}",
                returns=made_up.returns(seed=number), benchmark=None)
        for number in range(5)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("pages") / "compared.html"
    return tear_sheet(records, path, benchmark=made_up.returns(seed=8).rename("World index"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_comparison_is_quiet_and_keeps_its_texts_apart(browser, compared, width, scheme):
    size = {"width": width, "height": 844}
    page = browser.new_page(viewport=size, color_scheme=scheme, offline=True)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(compared.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERLAPS) == []
    panel = page.locator("figure[data-hover] [data-frame]:visible").first
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    tip = panel.locator(".tip")
    assert len(tip.inner_text().splitlines()) >= 6
    inner = tip.bounding_box()
    assert inner["x"] >= box["x"] - 1
    assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    assert said == []
    assert page.evaluate("window.hit") is None
    page.close()


@pytest.fixture(scope="module", params=[(1280, "light"), (1280, "dark"), (390, "dark")])
def page(browser, file, request):
    width, scheme = request.param
    opened = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
    )
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(file.as_uri())
    opened.wide = width
    yield opened
    opened.close()


def test_is_quiet_and_asks_for_nothing_but_itself(page, file):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [file.as_uri()]
    assert page.evaluate("window.hit") is None


def test_fits_its_width(page):
    assert page.evaluate("document.documentElement.scrollWidth") == page.wide


def test_sorts_numbers_as_numbers(page):
    table = page.locator("table.sortable").last
    head = table.locator("th", has_text="PnL")

    def shown() -> list[float]:
        cells = table.locator("tbody tr td:nth-child(9)").all_text_contents()
        return [float(cell.replace("\N{MINUS SIGN}", "-").replace(",", "")) for cell in cells]

    before = shown()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert shown() == sorted(before)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert shown() == sorted(before, reverse=True)
    first = table.locator("th").first
    first.locator("button").click()
    names = table.locator("tbody tr td:first-child").all_text_contents()
    assert names == sorted(names)
    assert head.get_attribute("aria-sort") is None


def test_a_pointer_reads_the_value_of_its_session(page):
    figure = page.locator("figure[data-hover]").first
    panel = figure.locator("[data-frame]:visible")
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
    said = panel.locator(".tip").inner_text().split()
    value = made_up.equity(made_up.returns()).set_index("session")["equity"]
    assert said[said.index("value") + 1] == f"{value.loc[said[0]]:,.2f}"
    left, right, first, last = map(float, panel.get_attribute("data-frame").split(","))
    day = first + (0.6 - left) / (right - left) * (last - first)
    assert abs((pd.Timestamp(said[0]) - pd.Timestamp(0)).days - day) <= 3
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] - 30)
    assert panel.locator(".tip").is_hidden()


def test_takes_the_readers_colours(page, request):
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    line = page.evaluate(
        "getComputedStyle(document.querySelector('figure svg text')).getPropertyValue('fill')"
    )
    assert ground != line


def test_one_figure_of_each_pair_is_seen(page):
    shown = page.locator("figure svg:visible").count()
    assert shown == page.locator("figure").count()


def test_texts_of_figures_stay_inside(page):
    outside = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(text => {
                const inner = text.getBoundingClientRect();
                return inner.width && (inner.left < box.left - 2 || inner.right > box.right + 2);
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_texts_do_not_overlap(page):
    """Texts of one figure, cells of one row and lines of cards keep apart, by their boxes."""
    assert page.evaluate(OVERLAPS) == []


def test_cells_are_not_cut(page):
    cut = page.evaluate(
        """() => [...document.querySelectorAll('td, th, .card strong, .card small, h1, dd')]
            .filter(cell => cell.clientWidth && cell.scrollWidth > cell.clientWidth + 1)
            .map(cell => cell.textContent)"""
    )
    assert cut == []


def test_the_reader_chooses_light_or_dark(page):
    def ground() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    before, button = ground(), page.locator("button.scheme")
    asked = button.inner_text()
    button.click()
    assert ground() != before
    assert button.inner_text() != asked
    button.click()
    assert ground() == before


def test_prints_in_light_colours(browser, file):
    page = browser.new_page(color_scheme="dark", offline=True)
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert len(page.pdf()) > 20_000
    page.close()


def test_no_name_runs_anything(browser, tmp_path):
    names = [name for name in NAMES if not re.search("[\ud800-\udfff]", name)]
    path = tmp_path / "names.html"
    content = replace(made_up.content(" ".join(names)), subtitle="".join(names))
    path.write_text(render(content), encoding="utf-8")
    said = []
    tab = browser.new_page()
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: said.append(dialog.message))
    tab.goto(path.as_uri())
    assert tab.evaluate("() => window.hit") is None
    assert tab.locator("h1").count() == 1
    assert "</script><script>window.hit=1</script>" in tab.locator("h1").text_content()
    assert tab.evaluate("() => document.querySelectorAll('script, img, iframe').length") == 1
    assert not said
    tab.close()
