"""Notebooks run as reports: parameters, pages that need no network, and cells that fail."""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import (
    InvalidInputError,
    MissingDependencyError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.operations.notebooks import run_notebook
from mismartera_analytics.recording.accounts import create_account

ROOT = Path(__file__).resolve().parents[2]
EVIL = "<script>window.hit = 1</script>"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of cells; the first has the parameters."""

    def write(
        *cells: str, parameters: str = "account = 1\ntitle = 'none'", name="daily {x}"
    ) -> Path:
        made = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "P"}}
        )
        first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        made.cells = [first, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(made, path)
        return path

    return write


def test_runs_with_parameters_in_the_settings_in_force(notebook, home, capsys):
    ma.configure(cache_mb=77)
    path = notebook(
        "import mismartera_analytics as ma, os\nos.getcwd(), ma.settings().cache_mb, account + 1, title"
    )
    before = path.read_bytes()
    words = ["-p", "account=41", "-p", f"title={EVIL}", "--to", "ipynb"]
    assert command(["notebook", "run", str(path), *words]) == 0
    said = capsys.readouterr()
    written = Path(said.out.strip())
    assert written.parent == home / "reports"
    assert "WARNING" not in said.err
    ran = nbformat.read(written, as_version=4)
    told = ran.cells[-1].outputs[0].data["text/plain"]
    assert ast.literal_eval(told) == (str(path.parent), 77, 42, EVIL)
    assert path.read_bytes() == before
    assert [file.name for file in written.parent.iterdir()] == [written.name]


def test_writes_a_page_that_needs_no_network(notebook, home):
    path = notebook("print(title)", "account * 2")
    page = run_notebook(path, {"title": EVIL}, out=home / "out" / "page.html", code="hidden")
    text = page.read_text("utf-8")
    assert page == home / "out" / "page.html"
    assert EVIL not in text.split("</head>")[1]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "cdnjs" not in text
    assert "account * 2" not in text
    shown = run_notebook(path, to="html", out=home / "out").read_text("utf-8")
    assert "account" in shown


def test_a_failing_cell_is_named_and_kept(notebook, home, capsys):
    path = notebook("print('before')", "1 / 0\n", "print('after')")
    assert command(["notebook", "run", str(path)]) == 1
    said = capsys.readouterr().err
    assert "cell 3 failed with ZeroDivisionError: division by zero" in said
    assert "Traceback" not in said
    kept = Path(re.search(r"is in (.+\.ipynb)", said)[1])
    assert "before" in kept.read_text("utf-8")
    assert [file.name for file in kept.parent.iterdir()] == [kept.name]
    mended = notebook("print('before')")
    run_notebook(mended)
    assert not kept.exists()


def test_refuses_what_it_does_not_know(notebook, home, tmp_path, capsys):
    path = notebook("1")
    with pytest.raises(UnknownNameError, match="did you mean 'account'"):
        run_notebook(path, {"acount": 1})
    with pytest.raises(InvalidInputError, match="Allowed: html, ipynb"):
        run_notebook(path, to="hmtl")
    with pytest.raises(StorageError, match="cannot be read"):
        run_notebook(tmp_path / "none.ipynb")
    (tmp_path / "text.ipynb").write_text("hello")
    with pytest.raises(InvalidInputError, match="is no notebook"):
        run_notebook(tmp_path / "text.ipynb")
    with pytest.raises(InvalidInputError, match="the notebook itself"):
        run_notebook(path, to="ipynb", out=path)
    with pytest.raises(InvalidInputError, match="ends otherwise"):
        run_notebook(path, to="html", out=tmp_path / "x.ipynb")
    for words in (["-p", "account"], ["-p", "a b=1"], ["-p", "account=1", "-p", "account=2"]):
        assert command(["notebook", "run", str(path), *words]) == 2
    assert "name=value" in capsys.readouterr().err
    assert not (home / "reports").exists()


def test_says_what_to_install(notebook, monkeypatch):
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(MissingDependencyError, match=r"mismartera-analytics\[lab\]"):
        run_notebook(notebook("1"))


def test_an_unwritable_folder_is_one_sentence(notebook, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        run_notebook(notebook("1"), out=tmp_path / "file" / "page.html")


def test_the_daily_report_of_an_account_without_orders_is_one_sentence(demo_data, capsys):
    account = create_account("demo", "a broker", account_number="<none>")
    path = ROOT / "notebooks" / "05_daily_report.ipynb"
    assert command(["notebook", "run", str(path), "-p", f"account={account}"]) == 1
    assert f"account {account} has no order, fill or flow yet" in capsys.readouterr().err
