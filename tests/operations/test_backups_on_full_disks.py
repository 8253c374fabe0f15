"""A full disk while a backup is written or restored: the place is named, no backup called damaged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import StorageError
from mismartera_analytics.operations.archives import DATABASE, ArchiveReader
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.backup_checks import verify_backup
from tests.small_disks import can_mount, on_small_disk

ROOT = Path(__file__).resolve().parents[2]
EACH = """import contextlib, io, json, sys
from mismartera_analytics.cli.application import run
told = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        told.append([run(arguments), said.getvalue()])
print(json.dumps(told))"""


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a file system of his own")
def test_a_full_disk_is_named_by_backups_copies_and_restores(
    demo_data: Path, tmp_path: Path
) -> None:
    pages = ma.settings().reports
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "large.html").write_bytes(os.urandom(200_000))
    file, disk, free = tmp_path / "b.zip", tmp_path / "disk", tmp_path / "free"
    back_up(file, reports=True)
    disk.mkdir()
    database = ma.settings().database_url.removeprefix("sqlite:///")
    restores = [
        ["restore", str(file), "--database-url", f"sqlite:///{disk}/x.db", "--without-bars"],
        ["restore", str(file), "--database-url", f"sqlite:///{free}/1.db",
         "--bar-store", f"{disk}/bars"],
        ["restore", str(file), "--database-url", f"sqlite:///{free}/2.db", "--without-bars",
         "--reports", f"{disk}/pages"],
        ["backup", f"{disk}/c.zip", "--without-bars"],
        ["db", "copy", database, f"{disk}/y.db"],
    ]  # fmt: skip
    done = subprocess.run(
        [*on_small_disk(disk, "64k"), sys.executable, "-c", EACH, json.dumps(restores)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "MISMARTERA_HOME": str(demo_data)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    names = ("", "bars/", "pages", "c.zip", "y.db")
    for name, (code, said) in zip(names, json.loads(done.stdout), strict=True):
        assert code == 1, said
        assert f"{disk}/{name}".rstrip("/") in said
        assert "cannot be written" in said
        assert "No space left on device" in said
        assert "damaged" not in said
        assert "not a whole backup" not in said
    assert not list(free.glob("*.db"))
    assert verify_backup(file).bars is not None


def test_a_writer_that_fails_keeps_its_own_error(demo_data: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "b.zip", bars=False)
    with ArchiveReader(tmp_path / "b.zip") as archive:
        with pytest.raises(OSError, match="No space") as caught, archive.open(DATABASE) as source:
            source.read(10)
            raise OSError(errno.ENOSPC, "No space left on device")
        assert not isinstance(caught.value, StorageError)


def test_an_archive_that_cannot_be_read_on_is_still_called_damaged(
    demo_data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "b.zip"
    back_up(file, bars=False)
    content = bytearray(file.read_bytes())
    content[200:2000] = bytes(1800)
    file.write_bytes(content)
    with pytest.raises(StorageError, match=rf"not a whole backup: '{DATABASE}' is damaged"):
        verify_backup(file)
