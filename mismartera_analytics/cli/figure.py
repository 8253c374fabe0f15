"""Figures written to files by commands."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.files import write_file

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
        If it cannot be written; a former file stays as it was.
    """
    if target.suffix.casefold() not in _KINDS:
        raise InvalidInputError(
            f"{argument}={as_given(str(target))} must end in '.png', '.svg' or '.pdf'."
        )
    drawn = io.BytesIO()
    draw().savefig(drawn, format=target.suffix.casefold()[1:], dpi=150)
    write_file(target, drawn.getvalue(), argument=argument)
    return str(target)
