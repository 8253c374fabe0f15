"""The wheel carries the rules: installed into an empty environment it knows Tokyo's sessions."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import mismartera_analytics as ma
assert {root!r} not in ma.__file__, ma.__file__
ma.init_db()
frame = ma.trading_sessions("2024-11-01", "2024-11-06", exchange="TSE", tz="Asia/Tokyo")
print(" ".join(f"{{s:%d}}:{{c:%H%M}}" for s, c in zip(frame.index, frame["regular_close"])))
"""


@pytest.mark.slow
def test_the_wheel_knows_tokyos_sessions(tmp_path: Path, home: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True, cwd=tmp_path)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    program = PROGRAM.format(root=str(ROOT))
    done = subprocess.run(
        [str(python), "-c", program], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["01:1500", "05:1530", "06:1530"]
