"""Backups, restored places and copies are on the disk before they get their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.restoring import restore
from tests.disk import Disk, disk

__all__ = ["disk"]


@pytest.mark.usefixtures("demo_data")
def test_backups_restored_places_and_copies_are_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    back_up(tmp_path / "b.zip", reports=True)
    disk.check(tmp_path / "b.zip")
    there = tmp_path / "there"
    restore(
        tmp_path / "b.zip", database_url=f"sqlite:///{there}/x.db", bar_store=str(there / "bars"),
        reports=there / "reports",
    )  # fmt: skip
    copy_database(there / "x.db", tmp_path / "y.db")
    for place in (there / "x.db", there / "bars", there / "reports", tmp_path / "y.db"):
        disk.check(place)
