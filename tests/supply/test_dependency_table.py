"""The page of dependencies has all of pyproject.toml, under the right extra, with what is installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
COLUMNS = ["package", "why", "licence", "upkeep", "size [MB]", "import [ms]", "imported"]


def rows(group: str) -> list[dict[str, str]]:
    """Return the rows of one section of the page."""
    page = (ROOT / "docs" / "dependencies.md").read_text()
    title = "Core" if group == "core" else rf"`\[{group}\]`"
    section = re.search(rf"^## {title}$(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    lines = [line for line in section[1].splitlines() if line.startswith("|")][2:]
    return [
        dict(zip(COLUMNS, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
        for line in lines
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_every_dependency_is_on_the_page(group: str) -> None:
    asked = {Requirement(line).name.lower() for line in GROUPS[group]} - {PROJECT["name"]}
    shown = [Requirement(row["package"]).name.lower() for row in rows(group)]
    assert sorted(shown) == sorted(asked)


@pytest.mark.parametrize("group", GROUPS)
def test_no_row_leaves_out_why_licence_upkeep_or_size(group: str) -> None:
    for row in rows(group):
        assert row["why"]
        assert row["licence"]
        assert row["imported"]
        assert re.fullmatch(r".+; \d{4}-\d\d-\d\d, (\d|1[0-2]) of 12", row["upkeep"])
        assert re.fullmatch(r"[\d.]+ / [\d.]+ \(\d+\)", row["size [MB]"])


def test_what_runs_has_an_import_time() -> None:
    without = {row["package"] for row in rows("core") if not row["import [ms]"]}
    assert without == {"tzdata"}  # data
