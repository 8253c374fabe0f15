"""The machine code of kernels: kept, renewed when any kernel's source changes, never required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[2] / "mismartera_analytics" / "kernels"
CALLEE = "from .compiling import kernel\n@kernel\ndef callee(x):\n    return x + {step}\n"
CALLER = (
    "from .callees import callee\nfrom .compiling import kernel\n"
    "@kernel\ndef caller(x):\n    return callee(x) * 10.0\n"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Make a package with the real decorator and two kernels, one calling the other."""
    folder = tmp_path / "code" / "kernels"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(KERNELS / "compiling.py", folder)
    (folder / "callees.py").write_text(CALLEE.format(step="1.0"))
    (folder / "callers.py").write_text(CALLER)
    return folder


def run(package: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=package.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


SHOW = (
    "from kernels.callers import caller; print(caller(1.0), "
    "sum(caller.stats.cache_hits.values()), sum(caller.stats.cache_misses.values()))"
)


def test_machine_code_is_kept_and_an_edited_callee_is_noticed(
    package: Path, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")
    assert run(package, SHOW, NUMBA_CACHE_DIR=cache).stdout.split() == ["20.0", "0", "1"]
    assert run(package, SHOW, NUMBA_CACHE_DIR=cache).stdout.split() == ["20.0", "1", "0"]
    (package / "callees.py").write_text(CALLEE.format(step="2.0"))
    assert run(package, SHOW, NUMBA_CACHE_DIR=cache).stdout.split() == ["30.0", "0", "1"]


def test_a_folder_that_cannot_be_written_means_compiling_uncached_and_saying_so_once(
    package: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file, where a folder is needed")
    done = run(package, SHOW, NUMBA_CACHE_DIR=str(blocked))
    assert done.stdout.split()[:2] == ["20.0", "0"]
    assert done.stderr.count("compiled kernels cannot be kept") == 1


def test_importing_kernels_makes_no_folder_and_leaves_numba_as_it_was(
    package: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    code = (
        "import numba; before = numba.config.CACHE_DIR; import kernels.callers; "
        "assert numba.config.CACHE_DIR == before"
    )
    run(package, code, NUMBA_CACHE_DIR=str(cache))
    assert not cache.exists()
