"""The import contracts hold, and a planted violation breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(
        ROOT / "mismartera_analytics",
        folder / "mismartera_analytics",
        ignore=shutil.ignore_patterns("__pycache__", "*.gz"),
    )
    return folder


def test_contracts_are_kept(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        ("config.py", "from mismartera_analytics import clock", "Imports run downward"),
        ("models/user.py", "from mismartera_analytics import auth", "Imports run downward"),
        ("ledger/planted.py", "import mismartera_analytics.performance", "Imports run downward"),
        ("kernels/planted.py", "def f():\n    import pandas", "Kernels know neither pandas"),
        ("queries/planted.py", "import deltalake", "Delta Lake is known to market_data only"),
        ("figures/planted.py", "import sqlalchemy", "SQLAlchemy stays out"),
        ("calendars/planted.py", "import exchange_calendars", "exchange_calendars is a source"),
        ("planted.py", "", "planted"),
    ],
)
def test_planted_violation_breaks_them(
    copy: Path, module: str, planted: str, contract: str
) -> None:
    path = copy / "mismartera_analytics" / module
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + "\n" + planted + "\n")
    try:
        done = lint(copy)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
    assert done.returncode != 0
    assert contract in done.stdout
