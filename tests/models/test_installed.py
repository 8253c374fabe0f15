"""An installed package carries its migrations; a checkout uses those at its root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from sqlalchemy import text

import mismartera_analytics as ma
from mismartera_analytics.models import database as db
from mismartera_analytics.models import migrate

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into an environment that borrows the dependencies of this one."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    decoy = site / "migrations"
    decoy.mkdir()
    (decoy / "env.py").write_text("raise RuntimeError('this belongs to another project')\n")
    return python


@pytest.mark.slow
def test_the_wheel_creates_a_database_from_anywhere(installed: Path, home: Path) -> None:
    code = "import mismartera_analytics as ma; print(ma.__file__)"
    assert str(installed.parents[1]) in run(installed, "-c", code, cwd=home)
    module = "mismartera_analytics.models.init_db_if_missing"
    for _ in range(2):
        said = run(installed, "-m", module, cwd=home)
        assert f"is at revision {migrate.status(db.engine).head}." in said
    with db.engine.connect() as connection:
        groups = connection.scalars(text("SELECT exchange_group FROM market_hours")).all()
        assert len(groups) == len(set(groups)) > 1


@pytest.mark.slow
def test_the_wheel_upgrades_a_database_from_anywhere(installed: Path, home: Path) -> None:
    migrate.upgrade(db.engine, "0001")
    with db.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (symbol, quantity) VALUES ('AAPL', 1)"))
    run(installed.parent / "mismartera", "db", "upgrade", cwd=home)
    assert migrate.status(db.engine).state == "current"
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT symbol FROM orders")) == "AAPL"


@pytest.mark.slow
def test_the_wheels_scripts_run_alone(installed: Path, home: Path) -> None:
    (versions,) = installed.parents[1].glob(
        "lib/python*/site-packages/mismartera_analytics/migrations/versions"
    )
    for path in sorted(versions.glob("0*.py")):
        assert f"revision {path.name[:4]}" in run(installed, path, cwd=home)
    ma.init_db()


def test_a_stale_copy_beside_a_checkout_is_not_used(home: Path) -> None:
    """An editable install leaves a copy of the migrations in site-packages."""
    stale = home / "site-packages" / "mismartera_analytics" / "migrations"
    shutil.copytree(ROOT / "migrations", stale)
    (stale / "env.py").write_text("raise RuntimeError('stale')\n")
    said = run(
        sys.executable,
        "-m",
        "mismartera_analytics.models.init_db_if_missing",
        cwd=home,
        PYTHONPATH=f"{home / 'site-packages'}{os.pathsep}{ROOT}",
    )
    assert "is at revision" in said
