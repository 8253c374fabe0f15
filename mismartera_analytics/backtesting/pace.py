"""Long runs in parts, with a progress bar once they take more than a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator

__all__ = ["in_parts"]

_MOMENT = 1.0
"""Runs up to so long show nothing [s]; tqdm is imported after that."""


def in_parts(rows: int, *, what: str, size: int = 4096) -> Iterator[range]:
    """Yield ranges that make up ``range(rows)``; a bar shows on terminals and in notebooks only.

    Parameters
    ----------
    rows
        How many rows there are.
    what
        The word before the bar.
    size
        Rows of a part.

    Yields
    ------
    range

    Examples
    --------
    >>> list(in_parts(5, what="run", size=2))
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    from mismartera_analytics.market_data.progress import progress_bar

    began = time.monotonic()
    for first in range(0, rows, size):
        if time.monotonic() - began > _MOMENT:
            break
        yield range(first, min(first + size, rows))
    else:
        return
    with progress_bar(total=rows, what=what, unit="bar", progress=None, scaled=True) as bar:
        bar.update(first)
        for start in range(first, rows, size):
            part = range(start, min(start + size, rows))
            yield part
            bar.update(len(part))
