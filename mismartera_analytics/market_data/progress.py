"""Progress bars, shown on terminals and in notebooks and never in logs."""

from __future__ import annotations

import sys
import warnings
from typing import Any

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

    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=scaled,
        disable=_is_hidden(progress),
        leave=False,
    )


def _is_hidden(progress: bool | None) -> bool | None:  # noqa: FBT001
    """Return tqdm's `disable`: None asks whether this is a terminal, which no notebook is."""
    if progress is not None:
        return not progress
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return False if type(shell).__name__ == "ZMQInteractiveShell" else None
