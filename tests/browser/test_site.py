"""The documentation site in a real browser, from its folder: quiet, off line, as wide as a phone."""

import re
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
PAGES = (
    "index",
    "tour",
    "conventions",
    "howto/peeking",
    "notebooks/01_first_look",
    "api/generated/mismartera_analytics.backtest",
)
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(https?:)?//|<link\b[^>]*https?://"
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Path:
    if not (SITE / "index.html").exists():
        pytest.skip("the site is not built: `make docs`")
    return SITE


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 390, "height": 844}, offline=True)
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append((message.type, message.text)))
    opened.on("pageerror", lambda error: opened.said.append(("error", str(error))))
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    opened.close()


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 100
    assert [str(each) for each in pages if LOADED.search(each.read_text("utf-8"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_is_quiet_off_line_and_fits_a_phone(site, page, name):
    page.goto((site / f"{name}.html").as_uri())
    assert [said for said in page.said if said[0] in ("error", "warning")] == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_formulas_are_drawn(site, page):
    page.goto((site / "conventions.html").as_uri())
    sizes = page.eval_on_selector_all(
        "div.math math", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert len(sizes) >= 10
    assert min(sizes) > 10
    assert page.locator("mfrac").count() > 10


def test_search_finds_a_page(site, page):
    page.goto((site / "search.html").as_uri() + "?q=Tokyo")
    page.locator("#search-results a", has_text="Which minutes was Tokyo open?").first.wait_for()


def test_a_name_leads_to_its_page(site, page):
    page.goto((site / "howto" / "where-from.html").as_uri())
    page.locator("main a", has_text="ma.pnl").first.click()
    assert page.locator("h1").inner_text().strip("#") == "pnl"
