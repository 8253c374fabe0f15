"""A shell of IPython, as a notebook's kernel has one, with the extension loaded for each test."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import mismartera_analytics as ma

EXTENSION = "mismartera_analytics.notebook"


@pytest.fixture(scope="session")
def bare_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        config = Config({"HistoryManager": {"enabled": False}})
        main = sys.modules["__main__"]
        shell = InteractiveShell.instance(config=config)
        sys.modules["__main__"] = (
            main  # the shell puts its own there, without what new processes need
        )
        yield shell
        InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: Any) -> Iterator[Any]:
    bare_shell.reset()
    bare_shell.run_line_magic("load_ext", EXTENSION)
    bare_shell.push({"ma": ma})
    yield bare_shell
    bare_shell.run_line_magic("unload_ext", EXTENSION)
