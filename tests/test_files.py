"""Files written beside their place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mismartera_analytics.files import settle, write_file

fcntl = pytest.importorskip("fcntl", reason="it asks how a file was opened")


def test_where_only_writers_may_settle_a_file_it_is_opened_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows there is no way to open a folder, and only what was opened for writing is flushed."""
    settled: list[int] = []

    def flush(opened: int) -> None:
        if fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        settled.append(opened)

    monkeypatch.delattr(os, "O_DIRECTORY")
    monkeypatch.setattr(os, "fsync", flush)
    write_file(tmp_path / "page.html", b"page")
    settle(tmp_path / "page.html")
    assert len(settled) == 2
    assert (tmp_path / "page.html").read_bytes() == b"page"


def test_a_file_that_is_written_anew_is_read_by_nobody_else_than_before(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_file(page, b"old")
    page.chmod(0o600)
    write_file(page, b"new")
    assert page.read_bytes() == b"new"
    assert page.stat().st_mode & 0o777 == 0o600
