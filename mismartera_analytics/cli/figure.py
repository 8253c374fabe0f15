"""Figures written to files by commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mismartera_analytics.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save"]

_KINDS = (".png", ".svg", ".pdf")


def save(draw: Callable[[], Figure], target: Path, *, argument: str = "output") -> str:
    """Draw a figure into a file and return its path; a kind that cannot be written is refused first.

    Raises
    ------
    InvalidInputError
        If the file is named by no kind of picture.
    StorageError
        If it cannot be written.
    """
    if target.suffix.casefold() not in _KINDS:
        raise InvalidInputError(f"{argument}={str(target)!r} must end in '.png', '.svg' or '.pdf'.")
    figure = draw()
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise StorageError(f"cannot write {target} ({error.strerror}).") from None
    return str(target)
