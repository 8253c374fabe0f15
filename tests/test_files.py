"""Files written beside their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mismartera_analytics.errors import StorageError
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


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_file_system_that_settles_no_folders_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Network file systems are such; what is in its place is not to be called a failure."""
    real = os.fsync

    def flush(opened: int) -> None:
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise OSError(number, os.strerror(number))
        real(opened)

    monkeypatch.setattr(os, "fsync", flush)
    write_file(tmp_path / "page.html", b"page")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_file_that_cannot_be_settled_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush(opened: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(StorageError, match="cannot be written: Invalid argument"):
        write_file(tmp_path / "page.html", b"page")
    assert not list(tmp_path.iterdir())
