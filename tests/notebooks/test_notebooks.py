"""The notebooks: stored without outputs, calling the library alone, and running from a clean kernel."""

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_LINES = 12
STATED = {"06_sweeps_walk_forward_and_not_fooling_yourself": {'len(ma.trials("Mov': "37"}}
"""What the text says of a cell's output, by the beginning of the cell."""


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stored_clean(path):
    stored = json.loads(path.read_text("utf-8"))
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    nbformat.validate(stored)
    ids = [cell["id"] for cell in stored["cells"]]
    assert len(ids) == len(set(ids))
    for cell in stored["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert stored["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_hold_no_logic(path):
    for cell in code_cells(path):
        lines = cell.source.splitlines()
        assert len(lines) <= MOST_LINES, cell.id
        if lines[0].startswith("class ") and lines[0].endswith("(ma.Strategy):"):
            continue  # what a reader writes to run a backtest
        assert not any(line.lstrip().startswith(("def ", "class ", "for ")) for line in lines)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_a_clean_kernel(path, demo_data, monkeypatch):
    """In the interpreter that runs the tests, whatever kernels are registered on the machine."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    roots = filter(None, [str(FOLDER.parent), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    manager = AsyncKernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, km=manager, timeout=180, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    said = [
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream"
        and output.name == "stderr"
        and not output.text.startswith("\r")  # a progress bar, on a slow machine
    ]
    assert said == []
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.source.startswith(("import ", "%load_ext")):
            assert cell.outputs or "parameters" in cell.metadata.get("tags", ()), cell.id
    for start, text in STATED.get(path.stem, {}).items():
        (shown,) = [cell for cell in notebook.cells if cell.source.startswith(start)]
        assert shown.outputs[0]["data"]["text/plain"] == text
