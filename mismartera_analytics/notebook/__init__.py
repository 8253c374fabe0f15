"""The IPython extension: ``%load_ext mismartera_analytics.notebook``."""

from __future__ import annotations

from typing import Any

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Add the magics, completion, display of results and short errors to a shell.

    Parameters
    ----------
    shell
        Of IPython, which calls this for ``%load_ext``.
    """
    from mismartera_analytics.notebook import display, failures, matching
    from mismartera_analytics.notebook.magics import NotebookMagics

    magics = NotebookMagics(shell)
    shell.register_magics(magics)
    display.register(shell, magics)
    matching.register(shell)
    failures.hide(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take away what `load_ipython_extension` added, but for the magics' names.

    Parameters
    ----------
    shell
        Of IPython, which calls this for ``%unload_ext``.
    """
    from mismartera_analytics.notebook import display, failures, matching

    display.unregister(shell)
    matching.unregister(shell)
    failures.show(shell)
