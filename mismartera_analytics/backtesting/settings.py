"""The rules of a run, checked once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from mismartera_analytics.backtesting.costs import (
    Commission,
    NoCommission,
    NoSlippage,
    Slippage,
)
from mismartera_analytics.errors import InvalidInputError, suggestion

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What a run is told beside its bars and its instructions; the names are those of `backtest`.

    Raises
    ------
    InvalidInputError
        If a value is not allowed.
    """

    cash: float = 100_000.0
    commission: Commission = field(default_factory=NoCommission)
    slippage: Slippage = field(default_factory=NoSlippage)
    fill: Literal["next_open", "next_close", "same_close"] = "next_open"
    size_at: Literal["fill", "decision"] = "fill"
    limit_fill: Literal["touch", "through"] = "touch"
    fractional: bool = False
    partial_on_cash: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not (isinstance(self.cash, (int, float)) and 0 < self.cash < math.inf):
            raise InvalidInputError(f"cash={self.cash!r} must be a positive amount.")
        _choice(self.fill, "fill", ("next_open", "next_close", "same_close"))
        _choice(self.size_at, "size_at", ("fill", "decision"))
        _choice(self.limit_fill, "limit_fill", ("touch", "through"))
        for name in ("commission", "slippage"):
            if not hasattr(getattr(self, name), "terms"):
                raise InvalidInputError(
                    f"{name}={getattr(self, name)!r} is no policy; use one of "
                    f"mismartera_analytics.backtesting.costs."
                )

    @property
    def only_whole(self) -> str:
        """Why shares must be whole; empty when they need not be."""
        return "" if self.fractional else "set fractional=True to trade parts of shares"

    def described(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "commission": _described(self.commission),
            "slippage": _described(self.slippage),
        }


def _choice(value: Any, argument: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInputError(
            f"{argument}={value!r} is unknown{suggestion(str(value), allowed) or '.'} "
            f"Allowed: {', '.join(allowed)}."
        )


def _described(policy: Commission | Slippage) -> dict[str, Any]:
    terms = dataclasses.asdict(policy.terms())
    finite = {name: value for name, value in terms.items() if value != math.inf}
    return {"policy": type(policy).__name__, **finite}
