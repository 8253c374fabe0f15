"""A notebook in a real JupyterLab: it runs, shows its figures, completes SQL, and moves its bar."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mismartera_analytics.kernels.compiling import cache_folder

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "04_a_backtest_from_idea_to_result.ipynb"
LONGEST = 300_000.0
"""The longest that any one thing may take [ms]; nothing waits for longer than it must."""

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False,
                                        "doNotDisturbMode": True},
    "completer-extension/manager": {"providerTimeout": 60_000},
    "notebook-extension/tracker": {"windowingMode": "none"},
}  # fmt: skip

LONG = """%%time
from mismartera_analytics.backtesting.samples import MovingAverageCross
import sys
report = ma.check_lookahead(MovingAverageCross, "IBM", "2000-03-01", cuts=40)
print(report.status, sys.executable)
"""

pytestmark = [pytest.mark.browser, pytest.mark.jupyterlab]


@pytest.fixture(scope="module")
def address(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab on a copy of the notebooks, with folders of its own; the value is its URL."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(demo_home, folder / "home")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    own = {"HOME": folder, "MISMARTERA_HOME": folder / "home", "PYTHONPATH": ROOT,
           "NUMBA_CACHE_DIR": cache_folder().parents[2],  # with another HOME all would be compiled
           "IPYTHONDIR": folder / "ipython", "JUPYTER_CONFIG_DIR": folder / "config",
           "JUPYTER_DATA_DIR": folder / "data", "JUPYTER_RUNTIME_DIR": folder / "runtime",
           "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
           "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces"}  # fmt: skip
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MISMARTERA_", "JUPYTER"))
    }
    environment |= {name: str(value) for name, value in own.items()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0",
               "--expose-app-in-browser", f"--ServerApp.root_dir={folder / 'notebooks'}"]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            yield _address(folder, server)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _address(folder: Path, server: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + LONGEST / 1000
    while time.monotonic() < end and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            told = json.loads(file.read_text() or "{}")
            if told:
                return f"{told['url']}lab/tree/{NOTEBOOK}?token={told['token']}&reset"
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text()[-2000:])


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(LONGEST)
        opened.goto(address)
        opened.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 10 &&"
            " window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'"
        )
        yield opened
        browser.close()


def command(page: Any, name: str, **options: Any) -> None:
    page.evaluate("([name, options]) => {window.jupyterapp.commands.execute(name, options)}",
                  [name, options])  # fmt: skip


def add_cell(page: Any, text: str) -> None:
    """Add a cell at the end that holds a text, and make it the active one."""
    page.evaluate(
        """text => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = notebook.widgets.length - 1;
        }"""
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    cell = "window.jupyterapp.shell.currentWidget.content.activeCell"
    page.evaluate(f"text => {cell}.model.sharedModel.setSource(text)", text)


def outputs(page: Any) -> list[Any]:
    """Return the outputs of the active cell once it has run."""
    page.wait_for_function(
        "() => {const cell = window.jupyterapp.shell.currentWidget.content.activeCell;"
        " return cell.model.executionCount && cell.model.executionState !== 'running'"
        " && window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'}"
    )
    found: list[Any] = page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.activeCell.model.outputs.toJSON()"
    )
    return found


def test_all_cells_run_and_figures_are_seen(page):
    command(page, "notebook:run-all-cells")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets"
        ".filter(cell => cell.model.type === 'code')"
        ".every(cell => cell.model.executionCount ||"
        " cell.model.outputs.toJSON().some(output => output.output_type === 'error'))"
    )
    told = page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.widgets"
        ".filter(cell => cell.model.type === 'code').flatMap(cell => cell.model.outputs.toJSON())"
    )
    wrong = [o for o in told if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert wrong == []
    figure = page.locator(".jp-OutputArea-output .ma-figure svg").first
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    assert box["width"] > 500
    assert box["height"] > 200


def test_figures_follow_the_theme(page):
    text = page.locator(".ma-figure svg text").first
    colour = "node => getComputedStyle(node).fill"
    light = text.evaluate(colour)
    command(page, "apputils:change-theme", theme="JupyterLab Dark")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    assert text.evaluate(colour) != light
    command(page, "apputils:change-theme", theme="JupyterLab Light")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    assert text.evaluate(colour) == light


def test_sql_is_completed_and_answers(page):
    add_cell(page, "%%ma_sql\nselect count(*) as orders_there from ord")
    command(page, "notebook:enter-edit-mode")
    page.locator(".jp-Notebook .jp-mod-active .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Tab")
    # A single completion is put in at once, several are offered.
    page.wait_for_function(
        "() => document.querySelector('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item') ||"
        " window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source"
        ".endsWith('from orders')"
    )
    source = "window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source"
    if not page.evaluate(source).endswith("from orders"):
        page.keyboard.press("Enter")
        page.wait_for_function(f"() => {source}.endsWith('from orders')")
    command(page, "notebook:run-cell")
    (answer,) = outputs(page)
    assert "orders_there" in answer["data"]["text/html"]
    assert page.locator(
        ".jp-mod-active .jp-OutputArea-output th", has_text="orders_there"
    ).is_visible()


def test_the_progress_bar_moves_and_goes(page):
    add_cell(page, LONG)
    page.evaluate(
        """() => {
            window.widths = [];
            new MutationObserver(() => {
                const bar = document.querySelector('.jp-OutputArea-output .progress-bar');
                const width = bar && bar.style.width;
                if (width && width !== window.widths.at(-1)) window.widths.push(width);
            }).observe(document.body, {subtree: true, childList: true, attributes: true});
        }"""
    )
    command(page, "notebook:run-cell")
    said = outputs(page)
    printed = "".join(output["text"] for output in said if output["output_type"] == "stream")
    assert f"clean {sys.executable}" in printed
    moved = [float(width.removesuffix("%")) for width in page.evaluate("window.widths")]
    assert len(moved) >= 3
    assert moved == sorted(moved)
    page.wait_for_function("document.querySelector('.jp-OutputArea-output .progress-bar') === null")
    assert "widget-view" not in json.dumps(said)
