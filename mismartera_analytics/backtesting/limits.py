"""Limits of an account: what no order may exceed when it fills."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mismartera_analytics.arguments import is_number
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What orders may come to; looked at when they fill, at the fill's price, costs aside.

    An order that would exceed a limit is rejected whole, with a reason. What makes a position smaller
    is never rejected for a limit, and prices may carry a position past one.

    Attributes
    ----------
    max_per_trade
        Value of an order [currency].
    max_per_symbol
        Size of a symbol's position after the fill [currency].
    max_open_positions
        How many symbols are held, long or short.
    max_buying_power
        Sizes of all positions together after the fill [currency].

    Raises
    ------
    InvalidInputError
        If a limit is not a number of at least 0, or a limit on one order or symbol exceeds
        `max_buying_power`.

    Examples
    --------
    >>> Limits(max_per_trade=5_000.0, max_open_positions=3).max_per_trade
    5000.0
    """

    max_per_trade: float | None = None
    max_per_symbol: float | None = None
    max_open_positions: int | None = None
    max_buying_power: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not (is_number(value) and value >= 0):
                raise InvalidInputError(
                    f"{field.name}={as_given(value)} must be a number of at least 0."
                )
        if self.max_buying_power is None:
            return
        for name in ("max_per_trade", "max_per_symbol"):
            value = getattr(self, name)
            if value is not None and value > self.max_buying_power:
                raise InvalidInputError(
                    f"{name}={value:g} exceeds max_buying_power={self.max_buying_power:g}."
                )

    @property
    def any_set(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, field.name) is not None for field in dataclasses.fields(self))
