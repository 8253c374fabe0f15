"""Brackets: the stop and the target that an entry brings with it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.kernels import layouts

__all__ = ["with_brackets"]

Floats = NDArray[np.float64]


def with_brackets(
    records: layouts.Records,
    stop_loss: Floats,
    take_profit: Floats,
    *,
    trail: Floats | None = None,
    unit: str = "price",
) -> layouts.Records:
    """Return the orders, each followed by the children that its bracket asks for.

    A child waits until its parent fills and is no order before that. The stop comes first: orders of
    one moment go by their sequence.

    Parameters
    ----------
    records
        (n,) `layouts.ORDER`.
    stop_loss, take_profit
        (n,) as `unit` says, NaN where there is none.
    trail
        (n,) distance of a stop that trails, in place of `stop_loss`; only as a fraction.
    unit
        ``"price"`` [currency/share], or ``"fraction"`` of the price at which the parent fills.

    Returns
    -------
    numpy.ndarray of layouts.ORDER
        (n + children,)
    """
    trailing = np.full(len(records), math.nan) if trail is None else trail
    has_trail = ~np.isnan(trailing)
    has_stop = ~np.isnan(stop_loss) | has_trail
    has_target = ~np.isnan(take_profit)
    count = has_stop.astype(np.int64) + has_target
    if not count.any():
        return records
    place = np.arange(len(records)) + np.cumsum(count) - count
    family = np.zeros(len(records) + int(count.sum()), layouts.ORDER)
    family[place] = records
    family["children"][place] = count
    field = {"price": ("stop", "limit"), "fraction": ("rate", "rate")}[unit]
    stops = _children(records[has_stop])
    stops["type"] = np.where(has_trail[has_stop], layouts.TRAILING_STOP, layouts.STOP)
    stops[field[0]] = np.where(has_trail, trailing, stop_loss)[has_stop]
    family[place[has_stop] + 1] = stops
    targets = _children(records[has_target])
    targets["type"] = layouts.LIMIT
    targets[field[1]] = take_profit[has_target]
    family[place[has_target] + 1 + has_stop[has_target]] = targets
    return family


def _children(parents: layouts.Records) -> layouts.Records:
    children = parents.copy()
    children["status"] = layouts.WAITING
    children["tif"] = layouts.GTC
    children["sizing"] = layouts.UNITS
    children["condition"] = layouts.ALWAYS
    for name in ("side", "is_target", "children", "quantity", "size"):
        children[name] = 0
    for name in ("limit", "stop", "trail", "rate"):
        children[name] = math.nan
    return children
