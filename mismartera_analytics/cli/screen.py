"""Where tables are printed: the terminal, or a pipe or log that has no width of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console"]

WIDTH_WITHOUT_TERMINAL = 1_000


def console() -> Console:
    """Return a console on standard output; in a pipe tables are as wide as they need to be."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)
