"""Progress bars, shown on terminals and in notebooks and never in logs."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

from mismartera_analytics.arguments import truth

__all__ = ["progress_bar"]


def progress_bar(
    *, total: int, what: str, unit: str, progress: bool | None, scaled: bool = False
) -> Any:
    """Return a progress bar of tqdm, to be used in a ``with`` statement.

    Parameters
    ----------
    total
        How many units there are to do.
    what
        The word before the bar.
    unit
        What is counted.
    progress
        Whether it is shown; None: on a terminal and in a notebook.
    scaled
        Whether thousands and millions of units are written with k and M.

    Returns
    -------
    tqdm.tqdm

    Examples
    --------
    >>> with progress_bar(total=2, what="bars", unit="B", progress=False) as bar:
    ...     bar.update(1)
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # a plain bar will do
        from tqdm.auto import tqdm

    options: dict[str, Any] = {
        "total": total,
        "desc": what,
        "unit": unit,
        "unit_scale": scaled,
        "disable": _is_hidden(progress),
        "leave": False,
    }
    widgets = getattr(sys.modules.get("tqdm.notebook"), "tqdm_notebook", None)
    if widgets is not None and issubclass(tqdm, widgets) and not options["disable"]:
        return _vanishing(tqdm, options)
    return tqdm(**options)


def _vanishing(kind: Any, options: dict[str, Any]) -> Any:
    """Return a bar of widgets that leaves nothing in the notebook; its file would keep a dead one."""
    display = import_module("IPython.display").display
    bar = kind(**options, display=False)
    shown = display(bar.container, display_id=True)
    close = bar.close

    def vanish() -> None:
        if bar.disable:
            return
        close()
        bar.disable = True
        shown.update({"text/plain": ""}, raw=True)

    bar.close = vanish
    return bar


def _is_hidden(progress: bool | None) -> bool | None:  # noqa: FBT001
    """Return tqdm's `disable`: None asks whether this is a terminal, which no notebook is."""
    if progress is not None:
        return not truth(progress, "progress")
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return False if type(shell).__name__ == "ZMQInteractiveShell" else None
