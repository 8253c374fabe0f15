"""Importing what a database names leaves Python's own ways as they were."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mismartera_analytics.backtesting.allowed_code import import_allowed


@pytest.mark.parametrize("is_known", [False, True])
def test_an_import_does_not_change_where_python_looks_first(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    """Whoever has the folder first in the path keeps it there."""
    folder = home / "strategies"
    folder.mkdir()
    name = f"rules_of_a_test_{int(is_known)}"
    (folder / f"{name}.py").write_text("here = True\n")
    path = [str(folder), *sys.path] if is_known else list(sys.path)
    monkeypatch.setattr(sys, "path", list(path))
    assert import_allowed(name).here
    monkeypatch.delitem(sys.modules, name)
    assert sys.path == path
