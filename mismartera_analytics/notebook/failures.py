"""Errors of the library in a notebook: one sentence and the line of the cell, without the traceback."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import TracebackType
from typing import Any

from mismartera_analytics.errors import MismarteraError, StrategyError

__all__ = ["hide", "said", "show"]


def hide(shell: Any) -> None:
    """Have a shell show errors of the library as one sentence; ``%tb`` still shows everything."""
    shell.set_custom_exc((MismarteraError,), _handler)


def show(shell: Any) -> None:
    """Have a shell show every error with its traceback again."""
    shell.set_custom_exc((), None)


def said(error: BaseException) -> list[str]:
    """Return an error as lines: its sentence, and the line of the cell that called.

    Parameters
    ----------
    error
        As it was caught.

    Examples
    --------
    >>> said(MismarteraError("No such account."))
    ['MismarteraError: No such account.']
    """
    lines = [f"{type(error).__name__}: {error}"]
    if place := _own_line(_innermost(error)):
        lines.append(place)
    return lines


def _innermost(error: BaseException) -> TracebackType | None:
    """Return the traceback that leads into the reader's own code: of a strategy, its own error's."""
    cause = error.__cause__ if isinstance(error, StrategyError) else None
    return (cause or error).__traceback__


def _own_line(trace: TracebackType | None) -> str:
    """Return the last line of a cell in a traceback; a cell of one line needs none."""
    found = ""
    for frame, number in traceback.walk_tb(trace):
        file = frame.f_code.co_filename
        if _is_cell(file, frame.f_globals):
            lines = linecache.getlines(file)
            text = lines[number - 1].strip() if 0 < number <= len(lines) else ""
            if text and len(lines) > 1 and not text.startswith("get_ipython()"):
                found = f"  line {number} of the cell: {text}"
    return found


def _is_cell(file: str, variables: dict[str, Any]) -> bool:
    return variables.get("__name__") == "__main__" and "get_ipython" in variables and bool(file)


def _handler(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> list[str]:
    """Show an error; its traceback is kept where ``%tb`` and ``%debug`` look for it."""
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    lines = said(error)
    told = [*lines, "  (%tb shows the traceback)"]
    shell._showtraceback(kind, error, told)
    return told
