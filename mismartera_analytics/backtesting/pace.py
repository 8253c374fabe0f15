"""Long runs in parts, with a progress bar once they take more than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["in_parts", "shown"]

T = TypeVar("T")

_MOMENT = 1.0
"""Runs up to so long show nothing [s]; tqdm is imported after that."""


def in_parts(rows: int, *, what: str, size: int = 4096) -> Iterator[range]:
    """Return ranges that make up ``range(rows)``; a bar shows on terminals and in notebooks only.

    Parameters
    ----------
    rows
        How many rows there are.
    what
        The word before the bar.
    size
        Rows of a part.

    Returns
    -------
    iterator of range

    Examples
    --------
    >>> list(in_parts(5, what="run", size=2))
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    parts = (range(first, min(first + size, rows)) for first in range(0, rows, size))
    return shown(parts, count=len, total=rows, what=what, unit="bar", scaled=True)


def shown(
    items: Iterable[T],
    *,
    count: Callable[[T], int],
    total: int,
    what: str,
    unit: str,
    scaled: bool = False,
) -> Iterator[T]:
    """Yield items, with a progress bar once they have taken more than a moment.

    Parameters
    ----------
    items
        What is worked on, one after the other.
    count
        How many units an item stands for.
    total
        How many units there are.
    what, unit, scaled
        As in `progress_bar`.

    Yields
    ------
    object

    Examples
    --------
    >>> list(shown(["a", "bc"], count=len, total=3, what="run", unit="letter"))
    ['a', 'bc']
    """
    began, done, bar = time.monotonic(), 0, None
    try:
        for item in items:
            yield item
            done += count(item)
            if bar is not None:
                bar.update(count(item))
            elif time.monotonic() - began > _MOMENT and done < total:
                bar = _bar(total=total, what=what, unit=unit, scaled=scaled)
                bar.update(done)
    finally:
        if bar is not None:
            bar.close()


def _bar(*, total: int, what: str, unit: str, scaled: bool) -> Any:
    from mismartera_analytics.market_data.progress import progress_bar

    return progress_bar(total=total, what=what, unit=unit, progress=None, scaled=scaled)
