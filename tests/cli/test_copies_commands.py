"""``mismartera db copy``, ``backup`` and ``restore`` from the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma

ROOT = Path(ma.__file__).parents[1]


@pytest.fixture
def call(demo_data: Path):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mismartera_analytics.cli", *words],
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            cwd=demo_data, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_copy_backup_verify_and_restore(call, demo_data: Path) -> None:
    copied = call("db", "copy", "data/mismartera.db", "copy.db")
    assert copied.returncode == 0, copied.stderr
    assert "trading_holidays" in copied.stdout
    assert copied.stderr == "", "a bar in a log"
    taken = call("backup", "--without-bars", "b.zip")
    assert taken.returncode == 0, taken.stderr
    assert "no bars" in taken.stdout
    assert "is whole" in call("backup", "verify", "b.zip").stdout
    done = call("restore", "b.zip", "--database-url", f"sqlite:///{demo_data}/r.db")
    assert "all checksums agree" in done.stdout, done.stderr
    assert (demo_data / "copy.db").is_file()
    assert (demo_data / "r.db").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("db", "copy", "data/mismartera.db", "data/mismartera.db"), 2, "is not empty"),
        (("db", "copy", "none.db", "x.db"), 1, "there is no file"),
        (("db", "copy", "data/mismartera.db", "mysql://a:s3cret@h/x"), 2, "mysql"),
        (("db", "copy", "data/mismartera.db", "postgresql://a:s3cret@127.0.0.1:1/x"), 1, "***"),
        (("backup", "README"), 2, "exists; name a new file"),
        (("backup", "verify", "README"), 1, "is not a whole backup"),
        (("restore", "none.zip"), 1, "there is no file"),
    ],
)
def test_a_mistake_is_one_sentence(
    call, words: tuple[str, ...], code: int, said: str, demo_data: Path
) -> None:
    (demo_data / "README").write_text("no backup")
    done = call(*words)
    assert done.returncode == code, done.stderr
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("mismartera: ")
    assert said in sentence
    assert "s3cret" not in done.stderr + done.stdout
