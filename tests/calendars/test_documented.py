"""The calendars that the documentation makes, made as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics.calendars import package_data

PAGE = Path(__file__).resolve().parents[2] / "docs" / "calendars.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def documented(ready_database: str) -> None:
    names: dict[str, object] = {"ma": ma}
    for block in BLOCKS[1:]:
        exec(block, names)


def test_a_desk_that_never_closes(documented: None) -> None:
    desk = ma.trading_calendar("DESK")
    assert desk.count("2025-01-01", "2025-12-31") == 364
    assert not desk.is_session("2025-06-01")
    assert desk.is_open("2025-05-31T23:59:59+00:00")


def test_a_market_on_saturdays(documented: None) -> None:
    market = ma.trading_calendar("SATURDAY")
    assert set(market.labels().day_name()) == {"Saturday"}
    assert market.session("2025-12-20").regular_close.isoformat() == "2025-12-21T00:00:00+01:00"
    assert f"{market.session('2025-12-13').regular_close:%H:%M}" == "12:00"


def test_the_page_counts_right() -> None:
    assert f"{len(package_data.packaged_groups())} calendars" in PAGE.read_text(encoding="utf-8")


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"\]\((pictures/[^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(pictures) == 2
    assert all((PAGE.parent / name).stat().st_size > 50_000 for name in pictures)
