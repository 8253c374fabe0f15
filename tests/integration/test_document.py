"""Every Python block of the database document runs as printed, and does what it is there for.

The document stays outside the project. Each file of ``document/`` stands for one block: how the block
starts, what it takes for granted before it, and what must hold after it. A block runs in a process and
a database of its own, with ``app.`` read as ``mismartera_analytics.``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics.models import database as db

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "spec" / "database-architecture.md"
CASES = Path(__file__).parent / "document"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEAD = re.compile(r"^# (starts|needs|raises): (.*)$", re.MULTILINE)
HERE = "# --- the block ---\n"


@dataclass(frozen=True)
class Case:
    """One block: its first lines, what stands before and after it, and the error it must raise."""

    starts: str
    needs: tuple[str, ...]
    raises: str
    before: str
    after: str

    @classmethod
    def read(cls, path: Path) -> Case:
        text = path.read_text(encoding="utf-8")
        head = dict(HEAD.findall(text))
        before, after = HEAD.sub("", text).split(HERE)
        error = head.get("raises", "").partition(", because ")
        assert bool(error[0]) == bool(error[2]), f"{path.name}: say why it raises"
        needs = tuple(head.get("needs", "").split(", "))
        return cls(head["starts"], needs, error[0], before, after)

    def is_of(self, block: str) -> bool:
        lines = " | ".join(line.strip() for line in block.splitlines() if line.strip())
        return lines.startswith(self.starts)


def _names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.py") if not path.stem.startswith("given_"))


def _blocks() -> list[str]:
    if not DOCUMENT.is_file():
        pytest.skip("../shared is absent")
    return BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))


def _program(case: Case, block: str) -> str:
    printed = block.replace("from app.", "from mismartera_analytics.")
    if "class body" in case.needs:
        attribute, use = printed.split("# Use it\n")
        printed = "class Described:\n    " + "\n    ".join(attribute.split("\n")) + "\n" + use
    givens = ["names", *(need for need in case.needs if need in ("models", "rows", "columns"))]
    imports = [f"from given_{given} import *" for given in givens]
    return "\n".join([*imports, case.before, printed, case.after])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database with tables, copied for each block."""
    path = tmp_path_factory.mktemp("document") / "template.db"
    ma.configure(database_url=f"sqlite:///{path}")
    ma.init_db()
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ma.close_db()
    ma.configure()
    return path


def test_each_block_has_one_case() -> None:
    cases = {name: Case.read(CASES / f"{name}.py") for name in _names()}
    found = [[name for name, case in cases.items() if case.is_of(block)] for block in _blocks()]
    assert all(len(names) == 1 for names in found), found
    assert sorted(names[0] for names in found) == sorted(cases)


@pytest.mark.parametrize("name", _names())
def test_block_runs_as_printed(name: str, template: Path, tmp_path: Path) -> None:
    case = Case.read(CASES / f"{name}.py")
    (block,) = [block for block in _blocks() if case.is_of(block)]
    database = tmp_path / "block.db"
    if "fresh" not in case.needs:
        shutil.copy(template, database)
    program = tmp_path / "block.py"
    program.write_text(_program(case, block), encoding="utf-8")
    root = Path(ma.__file__).parents[1]
    environment = os.environ | {
        "MISMARTERA_DATABASE_URL": f"sqlite:///{database}",
        "PYTHONPATH": os.pathsep.join([str(root), str(CASES)]),
    }
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if case.raises:
        assert done.returncode == 1, done.stdout
        assert case.raises in done.stderr, done.stderr
    else:
        assert done.returncode == 0, done.stderr
