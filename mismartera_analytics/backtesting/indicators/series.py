"""What indicators are given: checked once, here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mismartera_analytics.arguments import whole
from mismartera_analytics.errors import InvalidInputError

__all__ = ["aligned", "length_of", "one_series"]


def one_series(values: ArrayLike, argument: str = "values") -> NDArray[np.float64]:
    """Return a series of one's own, shape (n,)."""
    try:
        series = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{argument} must be a series of numbers: {error}.") from None
    if series.ndim != 1:
        raise InvalidInputError(f"{argument} has {series.ndim} dimensions; give a single series.")
    return series


def aligned(**named: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return several series of one length."""
    series = {name: one_series(values, name) for name, values in named.items()}
    if len({len(values) for values in series.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in series.items())
        raise InvalidInputError(f"the series differ in length ({lengths}); give one value a bar.")
    return tuple(series.values())


def length_of(window: Any, argument: str = "window", *, least: int = 1) -> int:
    """Return a number of bars."""
    return whole(window, argument, least=least)
