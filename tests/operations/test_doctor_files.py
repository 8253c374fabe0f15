"""The doctor on files: reports, bars and leftovers, against what the records say of them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.errors import StorageError
from mismartera_analytics.models import Report
from mismartera_analytics.operations import report_checks
from tests.operations.examining import change, examined, put, said
from tests.world import when


def test_files_of_reports(traded, home):
    done = ma.report([traded.ada], stress=False, progress=False)
    page = done.folder / done.frame["files"][0]
    assert examined().is_well
    leftover = page.with_name(f".{page.name}.0123abcd.part")
    leftover.write_bytes(b"<html>")
    assert examined().frame.empty, "it may be about to be moved"
    os.utime(leftover, (time.time() - 7200,) * 2)
    assert [one for one, _ in said(examined(), "leftovers")] == ["note"]
    page.write_bytes(page.read_bytes() + b" ")
    assert [one for one, _ in said(examined(), "reports")] == ["warning"]
    page.unlink()
    found = examined(fix=True)
    assert [one for one, _ in said(found, "reports")] == ["note"]
    assert not leftover.exists()
    assert found.is_well


def test_a_former_page_that_is_whole_is_a_note(traded):
    done = ma.report([traded.ada], stress=False, progress=False)
    page = done.folder / done.frame["files"][0]
    put(Report, title="x", path=str(page), created_at=when("2024-02-01 10:00"), file_hash="0" * 64)
    (told,) = said(examined(), "reports")
    assert told[0] == "note"
    assert "the newest was noted" in told[1]


def test_a_device_is_no_report(traded):
    """Some have no end: what a row names is read only where it is a file."""
    put(Report, path="/dev/null", title="x", cites_json="{}",
        file_hash=hashlib.sha256(b"").hexdigest(), created_at=when("2024-01-03 10:00"))  # fmt: skip
    assert ("note", "report /dev/null: no file is there") in said(examined(), "reports")


def test_folders_that_a_killed_backup_or_restore_left(traded, home):
    day, places = 86_400, (home, Path(config.settings().bar_store).parent)
    folders = [place / f".{name}.0123abcd.part" for place, name in zip(places, "xy", strict=True)]
    for folder in folders:
        (folder / "1d").mkdir(parents=True)
        (folder / "1d" / "half").write_bytes(b"half")
    mine = home / ".mine"
    mine.mkdir()
    for path in (*home.rglob("*"), mine):
        os.utime(path, (time.time() - 2 * day,) * 2)
    os.utime(folders[0] / "1d" / "half", (time.time() - day / 2,) * 2)
    (told,) = said(examined(), "leftovers")
    assert str(folders[1]) in told[1]
    assert str(folders[0]) not in told[1], "somebody has written there today"
    examined(fix=True)
    assert folders[0].is_dir()
    assert mine.is_dir()
    assert not folders[1].exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it takes a folder nobody can empty")
def test_what_cannot_be_deleted_is_told_in_a_sentence(home: Path, monkeypatch):
    left = home / ".page.html.0a1b2c3d.part"
    left.write_text("half")
    os.utime(left, (0, 0))
    (found,) = report_checks.check_leftovers(None)
    assert found.mend is not None
    monkeypatch.setattr(report_checks, "_leftovers", lambda _: [Path("/proc/self/fd")])
    (stuck,) = report_checks.check_leftovers(None)
    assert stuck.mend is not None
    with pytest.raises(StorageError, match="cannot be deleted"):
        stuck.mend()
    left.unlink()
    assert "deleted" in found.mend()


def test_bars_that_are_gone_cut_off_or_left_over(traded, home):
    folder = Path(config.settings().bar_store) / "1d"
    file = next(path for path in folder.rglob("*.parquet") if "_delta_log" not in str(path))
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    assert [one for one, _ in said(examined(), "store")] == ["error"]
    file.write_bytes(content)
    for name in ("part-left.parquet", "_delta_log/00000000000000000009.json#1"):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - 2 * 86_400,) * 2)
    (told,) = said(examined(), "store")
    assert told[0] == "note"
    assert examined(fix=True).frame.empty
    file.unlink()
    (told,) = said(examined(), "store")
    assert told[0] == "error"
    assert file.name in told[1]


def test_cited_versions_that_do_not_exist_are_named(traded):
    cites = json.dumps(
        {"data": {"version": 77, "interval": "1d", "store": config.settings().bar_store}}
    )
    number = put(Report, title="x", path="/nowhere.html", created_at=when("2024-02-01 10:00"),
                 cites_json=cites)  # fmt: skip
    (told,) = said(examined(), "store")
    assert told[0] == "warning"
    assert "version 77" in told[1]
    assert f"report {number}" in told[1]


def test_a_store_that_is_gone_and_cited_is_an_error(traded, home):
    store = Path(config.settings().bar_store)
    cites = {"data": {"version": 0, "interval": "1d", "store": str(store)}}
    number = put(Report, title="x", path="/nowhere.html", created_at=when("2024-02-01 10:00"),
                 cites_json=json.dumps(cites))  # fmt: skip
    assert not said(examined(), "store")
    store.rename(home / "elsewhere")
    (told,) = said(examined(), "store")
    assert told == (
        "error",
        f"{store} has no 1d bars at all, and they are cited by report {number}",
    )
    cites["data"]["store"] = str(home / "elsewhere")
    change(Report, cites_json=json.dumps(cites))
    assert not said(examined(), "store"), "that one is there"
    cites["data"]["store"] = str(store)
    change(Report, cites_json=json.dumps(cites))
    (home / "elsewhere").rename(store)
    assert not said(examined(), "store")
