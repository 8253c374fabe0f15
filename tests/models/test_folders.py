"""A SQLite file whose folder cannot be opened: what is said is what there is to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import DatabaseUnreachableError
from mismartera_analytics.operations.copying import copy_database
from tests.small_disks import can_mount, on_small_disk


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a file system of his own")
@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_a_folder_that_cannot_be_written_is_named(ready_database: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    source = ready_database.removeprefix("sqlite:///")
    read_only = on_small_disk(
        disk, "16m", f"cp {source} {disk}/test.db", f"mount -o remount,ro {disk}"
    )
    done = subprocess.run(
        [*read_only, sys.executable, "-m", "mismartera_analytics.cli", "db", "status"],
        env={**os.environ, "MISMARTERA_DATABASE_URL": f"sqlite:///{disk}/test.db"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"folder {disk} cannot be written" in done.stderr
    assert "MISMARTERA_DATABASE_URL" not in done.stderr


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_an_address_that_was_an_argument_is_not_called_a_setting(
    ready_database: str, tmp_path: Path
) -> None:
    target = "postgresql://127.0.0.1:1/nowhere"
    with pytest.raises(DatabaseUnreachableError, match="check the address and"):
        copy_database(ready_database, target)
    ma.configure(database_url=target)
    with pytest.raises(DatabaseUnreachableError, match="check MISMARTERA_DATABASE_URL and"):
        ma.init_db()
