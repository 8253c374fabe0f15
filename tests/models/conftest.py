"""A small set of calendar rules: what migrations do to tables does not depend on how many there are."""

from __future__ import annotations

import csv
import gzip
import importlib.resources
import io
import shutil
from pathlib import Path
from typing import Any

import pytest

import mismartera_analytics as ma

KEPT = {"US_EQUITY", "XTKS"}
PACKAGED = Path(ma.__file__).parent / "calendars" / "data"


def _filtered(text: str, since: str = "") -> str:
    head, *lines = csv.reader(io.StringIO(text))
    written = io.StringIO()
    csv.writer(written).writerows(
        [head, *(line for line in lines if line[0] in KEPT and (not since or line[1] >= since))]
    )
    return written.getvalue()


@pytest.fixture(scope="session")
def folder_of_few_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy two exchange groups' rules of late into a folder like the package's."""
    root = tmp_path_factory.mktemp("package")
    data = root / "calendars" / "data"
    shutil.copytree(PACKAGED, data)
    (data / "hours.csv").write_text(_filtered((PACKAGED / "hours.csv").read_text()))
    days = gzip.decompress((PACKAGED / "holidays.csv.gz").read_bytes()).decode()
    (data / "holidays.csv.gz").write_bytes(gzip.compress(_filtered(days, since="2024").encode()))
    return root


@pytest.fixture
def few_rules(folder_of_few_rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let revisions read the rules of two exchange groups; not together with `ready_database`."""
    real = importlib.resources.files

    def files(anchor: Any) -> Any:
        return folder_of_few_rules if anchor == "mismartera_analytics" else real(anchor)

    monkeypatch.setattr(importlib.resources, "files", files)


@pytest.fixture
def migrated_database(database_url: str, few_rules: None) -> str:
    """Configure a database at the newest revision, with few rules."""
    ma.init_db()
    return database_url
