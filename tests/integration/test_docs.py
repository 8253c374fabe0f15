"""Every Python block of the pages runs, in order, on the demo's data; the pages name what there is."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

import mismartera_analytics as ma

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FOLDERS = ("docs", "docs/howto", "docs/decisions", "docs/api", "docs/notebooks")
WRITTEN = [
    ROOT / "README.md",
    *(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md")),
]
CHECKED = {"docs/guide.md", "docs/brokers.md", "docs/tour.md"}
"""Pages with a test of their own, which runs them too."""
PAGES = sorted(
    {
        page.relative_to(ROOT).as_posix()
        for page in WRITTEN
        if BLOCK.search(page.read_text(encoding="utf-8"))
    }
    - CHECKED
)
BARS = "symbol,date,open,high,low,close,volume\nKO,2012-01-03,70,71,69,70.5,1000\n"
MINUTES = "Date;Time;Open;High;Low;Close;Volume\n20120103;0930;127;128;126;127.5;1000\n"
ACTIONS = "symbol,type,date,ratio\nKO,split,2012-08-13,2:1\n"


def run(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture
def folder(demo_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(demo_data)
    with gzip.open("bars.csv.gz", "wt") as file:
        file.write(BARS)
    Path("minutes").mkdir()
    Path("minutes/SPY.csv").write_text(MINUTES, encoding="utf-8")
    Path("actions.csv").write_text(ACTIONS, encoding="utf-8")
    return demo_data


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page: str) -> None:
    assert run(page)


def test_the_guide_does_what_it_says(folder: Path) -> None:
    names = run("docs/guide.md")
    assert (folder / "reports" / "above_average.html").is_file()
    account = names["account"]
    assert ma.positions(account=account)["quantity"].tolist() == [15]
    months = ma.pnl(account=account, freq="month")
    assert months["realized"].sum() == pytest.approx(5 * (195.5 - 186.0))
    assert months["fees"].sum() == pytest.approx(2.0)
    assert ma.record_orders(names["orders"], account=account).unchanged == 2


@pytest.mark.usefixtures("folder")
def test_the_page_on_brokers_does_what_it_says() -> None:
    names = run("docs/brokers.md")
    assert (names["done"].orders, names["done"].flows, names["done"].known) == (1, 2, 0)
    assert names["found"].breaks["cause"].tolist() == ["dividend"]
    account = names["account"]
    agreed = ma.reconcile(account, reported=names["report"], cash=8_890.55, at="2012-02-10")
    assert agreed.agrees, agreed


def test_the_tour_does_what_it_says(folder: Path) -> None:
    names = run("docs/tour.md")
    last = names["profit"].iloc[-1]
    assert last["end_value"] - 5_000 == pytest.approx(-19.40)
    assert names["profit"]["realized"].sum() == pytest.approx(-8.00)
    assert names["profit"]["unrealized"].sum() == pytest.approx(-9.40)
    assert names["profit"]["fees"].sum() == pytest.approx(2.00)
    for name in ("above_average", "my_account"):
        assert (folder / "reports" / f"{name}.html").is_file()


def test_every_page_of_the_site_can_be_reached() -> None:
    """Sphinx tells of pages in no table of contents; here of those that it does not know."""
    top = {page.stem for page in (ROOT / "docs").glob("*.md")}
    text = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    toctrees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL))
    assert top - set(toctrees.split()) == {"index"}
