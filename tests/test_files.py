"""Files written beside their place and moved there: the old or the new one, whole, and settled."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mismartera_analytics import files
from mismartera_analytics.errors import StorageError
from mismartera_analytics.files import settle, write_file
from tests.disk import Disk, disk

__all__ = ["disk"]

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


def test_files_are_on_the_disk_before_they_get_their_names(tmp_path: Path, disk: Disk) -> None:
    places = [tmp_path / "a" / "one.html", tmp_path / "b" / "two.pdf"]
    files.write_files(dict.fromkeys(places, b"new"))
    for place in places:
        disk.check(place)
    first = next(n for n, (what, _, _) in enumerate(disk.events) if what == "named")
    assert {path.parent for what, path, _ in disk.events[:first]} == {
        one.parent for one in places
    }, "all are on the disk before the first is moved"


def test_what_is_there_is_the_old_until_all_that_is_new_is_whole(tmp_path: Path) -> None:
    places = [tmp_path / "one.html", tmp_path / "two.html"]
    for place in places:
        place.write_bytes(b"old")
    seen: list[list[bytes]] = []

    def look() -> None:
        seen.append([place.read_bytes() for place in places])
        assert sum(files.is_leftover(path.name) for path in tmp_path.iterdir()) == 2
        raise LookupError

    with pytest.raises(LookupError):
        files.write_files(dict.fromkeys(places, b"new"), before=look)
    assert seen == [[b"old", b"old"]]
    assert [place.read_bytes() for place in places] == [b"old", b"old"]
    assert sorted(tmp_path.iterdir()) == places
    files.write_files(dict.fromkeys(places, b"new"))
    assert [place.read_bytes() for place in places] == [b"new", b"new"]
    assert sorted(tmp_path.iterdir()) == places


def test_one_that_cannot_be_written_keeps_all_from_being_moved(tmp_path: Path) -> None:
    good, bad = tmp_path / "one.html", tmp_path / "file" / "two.html"
    good.write_bytes(b"old")
    bad.parent.write_bytes(b"a file where a folder is asked for")
    with pytest.raises(StorageError, match=r"^out='.*two\.html' cannot be written: "):
        files.write_files({good: b"new", bad: b"new"}, argument="out")
    assert good.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "one.html"]


def test_a_folder_beside_is_its_owners_and_goes(tmp_path: Path) -> None:
    with pytest.raises(LookupError), files.folder_beside(tmp_path / "x") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert files.is_leftover(folder.name)
        (folder / "half").write_bytes(b"half")
        raise LookupError
    assert list(tmp_path.iterdir()) == []
