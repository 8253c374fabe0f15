"""The command line in the root and a kernel in ``notebooks/`` work on the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma

ROOT = Path(ma.__file__).parents[1]
RECORD = """
import mismartera_analytics as ma
from mismartera_analytics.models import AccountInfo, Order
ada = ma.create_user("ada", "ada@example.com", "pw")
with ma.session_scope() as db_session:
    account = AccountInfo(user_id=ada.id, broker="alpaca")
    db_session.add(account)
    db_session.flush()
    order = Order(account_id=account.id, symbol="AAPL", side="BUY", quantity=3, status="PENDING")
    db_session.add(order)
print(ma.orders().to_json(orient="records", date_format="iso", date_unit="us"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a checkout-like folder: this project's pyproject.toml and ``notebooks/``."""
    folder = tmp_path / "checkout"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return folder


@pytest.fixture
def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MISMARTERA_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def run_in_kernel(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.delenv("MISMARTERA_HOME")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = nbclient.NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, timeout=120
    )
    client.execute()
    return "".join(output["text"] for output in notebook.cells[0].outputs if "text" in output)


def test_the_same_rows_from_the_command_line_and_from_a_kernel(
    project: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "mismartera_analytics.cli", *words],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    command("db", "init")
    in_kernel = json.loads(run_in_kernel(RECORD, project / "notebooks", monkeypatch))
    on_the_line = json.loads(command("orders", "--json"))
    assert len(on_the_line) == 1
    assert on_the_line[0]["symbol"] == "AAPL"
    assert on_the_line == in_kernel
    assert [path.name for path in project.rglob("*.db")] == ["mismartera.db"]
