"""The facade: what it offers, what importing it costs, and that nothing hides its names."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import mismartera_analytics as ma

ROOT = Path(ma.__file__).parent
WITHOUT_BYTECODE = ("-B",)  # the interpreter's own cache of a first import is none of ours


def run(
    program: str, *, folder: Path, flags: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT.parent), "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_all_is_sorted_and_every_name_resolves() -> None:
    assert ma.__all__ == sorted(ma.__all__)
    for name in ma.__all__:
        assert getattr(ma, name) is not None
        assert name in dir(ma)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'postions'"):
        _ = ma.postions


def test_type_checkers_see_the_same_names() -> None:
    source = ast.parse((ROOT / "__init__.py").read_text())
    checked = next(node for node in source.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    declared = {alias.asname for node in imports for alias in node.names}
    assert declared == set(ma.__all__)


def test_every_name_of_the_facade_has_one_page() -> None:
    entry = re.compile(r"^   (\w+)$", re.MULTILINE)
    listed: Counter[str] = Counter()
    for page in (ROOT.parent / "docs" / "api").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```\{eval-rst\}\n(.*?)```", text, re.DOTALL):
            if ".. currentmodule:: mismartera_analytics\n" in block:
                listed.update(entry.findall(block))
        listed.update(re.findall(r"py:data:: mismartera_analytics\.(\w+)", text))
    assert sorted(listed.elements()) == list(ma.__all__)


def _modules() -> list[str]:
    walked = pkgutil.walk_packages([str(ROOT)], prefix="mismartera_analytics.")
    return [m.name for m in walked if not m.name.endswith("__main__")]


def test_no_module_hides_a_name_of_the_facade(tmp_path: Path) -> None:
    program = (
        "import importlib, types, mismartera_analytics as ma\n"
        f"for name in {_modules()!r}: importlib.import_module(name)\n"
        "for name in ma.__all__:\n"
        "    assert not isinstance(getattr(ma, name), types.ModuleType), name\n"
    )
    run(program, folder=tmp_path)


def test_no_package_exports_a_function_under_the_name_of_its_module() -> None:
    for package in [m for m in _modules() if (ROOT.parent / m.replace(".", "/")).is_dir()]:
        module = importlib.import_module(package)
        for child in pkgutil.iter_modules(module.__path__):
            assert child.name not in getattr(module, "__all__", []), f"{package}.{child.name}"


def test_import_touches_no_file_and_makes_no_folder(tmp_path: Path) -> None:
    program = """
import sys
opened = []
def watch(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
    if event in ("os.mkdir", "sqlite3.connect", "socket.connect"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(watch)
import mismartera_analytics
foreign = [p for p in opened if not p.endswith((".py", ".pyc")) and "__pycache__" not in p]
print(foreign)
"""
    assert run(program, folder=tmp_path, flags=WITHOUT_BYTECODE).stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_every_module_imports_without_touching_the_disk(tmp_path: Path) -> None:
    program = f"""
import importlib, sys
def watch(event, arguments):
    if event in ("os.mkdir", "sqlite3.connect", "socket.connect"):
        raise SystemExit(f"{{event}} {{arguments}}")
import matplotlib.figure, numba, pandas  # their own caches are none of ours
sys.addaudithook(watch)
for name in {_modules()!r}: importlib.import_module(name)
"""
    run(program, folder=tmp_path, flags=WITHOUT_BYTECODE)


def test_import_costs_at_most_a_tenth_of_pandas(tmp_path: Path) -> None:
    def cost(module: str) -> int:
        """Return the microseconds that the interpreter itself measured, the best of five."""
        program = f"import {module}"
        outputs = [
            run(program, folder=tmp_path, flags=("-X", "importtime")).stderr for _ in range(5)
        ]
        last_lines = [text.strip().splitlines()[-1] for text in outputs]
        assert all(line.split("|")[2].strip() == module for line in last_lines)
        return min(int(line.split("|")[1]) for line in last_lines)

    assert cost("mismartera_analytics") <= cost("pandas") / 10
