"""The locks fit pyproject.toml, name no place and hold hashes; a planted fault is told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tools import check_locks

ROOT = Path(__file__).resolve().parents[2]
FILES = [*(ROOT / "locks").glob("*.txt"), *(ROOT / "tools").glob("*-requirements.txt")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the project's metadata and locks."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    return tmp_path


def edit(path: Path, pattern: str, new: str) -> None:
    """Replace what a pattern finds, of which there has to be one."""
    text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def test_locks_fit() -> None:
    assert check_locks.check() == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_lock_names_a_place(file: Path) -> None:
    assert not re.search(r"https?:|file:|@ |index|find-links|(^|\s)/", file.read_text())


@pytest.mark.parametrize(
    ("pattern", "new", "told"),
    [
        (r"^duckdb==\S+ \\\n(    --hash\S+( \\)?\n)+", "", "dev.txt lacks duckdb, which pyproject"),
        (r"^duckdb==\S+", "duckdb==0.1.0", "dev.txt holds duckdb 0.1.0, pyproject.toml asks for"),
        (r"^mako==\S+ \\\n(    --hash\S+( \\)?\n)+", "", "dev.txt lacks mako, which alembic"),
        (r"^hatchling==\S+", "hatchling==1.0", "dev.txt holds hatchling 1.0, pyproject.toml asks"),
        (r"^colorama==0.4.6 ;.*\\$", r"colorama==0.4.6 ; os_name == 'mars' \\", "lacks colorama"),
    ],
    ids=["missing", "below its range", "missing in the second line", "build", "other platform"],
)
def test_planted_fault_is_told(copy: Path, pattern: str, new: str, told: str) -> None:
    edit(copy / "locks" / "dev.txt", pattern, new)
    assert any(told in fault for fault in check_locks.check(copy))


def test_new_dependency_is_missed(copy: Path) -> None:
    edit(copy / "pyproject.toml", r'^    "duckdb>=', '    "polars>=1",\n    "duckdb>=')
    faults = check_locks.check(copy)
    assert [fault.split(", ")[0] for fault in faults] == [
        f"locks/{name}.txt lacks polars" for name in check_locks.LOCKS
    ]


def test_locks_hold_the_same_versions(copy: Path) -> None:
    edit(copy / "locks" / "lab.txt", r"^duckdb==\S+", "duckdb==99.0")
    assert "locks/lab.txt holds duckdb 99.0, locks/dev.txt does not." in check_locks.check(copy)


def test_missing_lock_is_told(copy: Path) -> None:
    (copy / "locks" / "docs.txt").unlink()
    assert check_locks.check(copy) == ["locks/docs.txt is not there."]


@pytest.mark.parametrize(
    "line",
    [
        "duckdb>=1 --hash=sha256:" + "0" * 64,
        "duckdb==1.* --hash=sha256:" + "0" * 64,
        "duckdb==1.4.0",
        "duckdb==1.4.0 --hash=md5:" + "0" * 32,
        "duckdb @ https://example.org/duckdb.whl --hash=sha256:" + "0" * 64,
        "--index-url https://example.org/simple",
        "--find-links /wheels",
        "-e .",
        "./duckdb.whl --hash=sha256:" + "0" * 64,
    ],
)
def test_what_is_no_pin_is_refused(line: str) -> None:
    with pytest.raises(check_locks.LockError):
        check_locks.read_lock(line)


def test_one_package_twice_is_refused() -> None:
    text = "".join(f"a=={number} --hash=sha256:{'0' * 64}\n" for number in (1, 2))
    with pytest.raises(check_locks.LockError, match="a is pinned twice"):
        check_locks.locked_in(check_locks.read_lock(text), dict(check_locks.environments())[LABEL])


LABEL = "Python 3.11 on linux-x86_64"


def test_make_installs_each_lock_by_its_hashes() -> None:
    rules = (ROOT / "Makefile").read_text()
    assert re.search(r"^\$\(STAMPS\)/%: locks/%\.txt", rules, re.MULTILINE)
    for name in set(re.findall(r"\$\(STAMPS\)/(\w+)", rules)):
        assert name in check_locks.LOCKS
