"""A full disk and a read-only folder during each kind of write: the old state intact, one sentence."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.scale import IS_FULL
from tests.small_disks import can_mount, on_small_disk

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
SIZE = "24m"


def write_inputs(folder: Path) -> None:
    """Write a file of trades and one of bars."""
    when = pd.date_range("2024-01-04T15:00Z", periods=3000, freq="s").strftime("%Y-%m-%dT%H:%M:%SZ")
    trades = {"Ticker": "AAA", "What": "Buy", "Shares": 1, "Price": 100.0, "When": when}
    pd.DataFrame(trades).to_csv(folder / "trades.csv", index=False)
    days = pd.bdate_range("2015-03-02", "2015-03-31").strftime("%Y-%m-%d")  # no holiday
    frames = [
        pd.DataFrame({"symbol": f"S{number:03}", "date": days, "open": 10.0 + number / 7,
                      "high": 90.0, "low": 1.0, "close": 20.0 + number / 9, "volume": 100})
        for number in range(360)
    ]  # fmt: skip
    pd.concat(frames).to_csv(folder / "bars.csv", index=False)


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a file system of his own")
def test_a_full_and_a_read_only_disk_are_said_in_a_sentence_and_change_nothing(
    tmp_path: Path, sqlite_template: Path
) -> None:
    disk, inputs = tmp_path / "disk", tmp_path / "inputs"
    for folder in (disk, inputs):
        folder.mkdir()
    write_inputs(inputs)
    shutil.copy(sqlite_template, inputs / "test.db")
    disk_with_database = on_small_disk(
        disk, SIZE, f"mkdir {disk}/data", f"cp {inputs}/test.db {disk}/data/test.db"
    )
    done = subprocess.run(
        [*disk_with_database, sys.executable, "-m", "tests.faults.full_disk_work", str(disk),
         str(inputs), "full" if IS_FULL else "short"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "MISMARTERA_HOME": str(disk)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert len(told) == 11 + IS_FULL
    for kind, sentences in told.items():
        log.info("%s: %s", kind, " | ".join(sentences))
    assert not list(disk.iterdir()), "the disk of the test was not the one that was filled"
