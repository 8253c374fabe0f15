"""The rules of a run, checked once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from mismartera_analytics.arguments import check_choice, is_number, is_whole, truth, whole
from mismartera_analytics.backtesting.costs import (
    Commission,
    NoCommission,
    NoSlippage,
    Slippage,
)
from mismartera_analytics.backtesting.financing import (
    Borrow,
    BorrowRate,
    Interest,
    InterestRates,
    Maintenance,
)
from mismartera_analytics.backtesting.limits import Limits
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["BAR_PATHS", "REG_T", "RULES", "Settings"]

BarPath = Literal["pessimistic", "ohlc", "best"]
BAR_PATHS: tuple[BarPath, ...] = ("pessimistic", "ohlc", "best")

MOST_DELAY = 10_000

REG_T = 2.0
"""Gross exposure over equity when half of a position must be one's own: Regulation T's initial margin
for long and short positions in equities (12 CFR 220.12), and what ``leverage`` is by default."""

_POLICIES = {"commission": "costs", "slippage": "costs", "borrow": "financing",
             "interest": "financing"}  # fmt: skip


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
    volume_limit: float | None = None
    bracket_from: Literal["entry_bar", "next_bar"] = "entry_bar"
    bar_path: BarPath = "pessimistic"
    account_type: Literal["cash", "margin"] = "cash"
    leverage: float | None = None
    borrow: Borrow = field(default_factory=BorrowRate)
    interest: Interest = field(default_factory=InterestRates)
    maintenance: Maintenance | None = None
    delay: int = 0
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        if not (is_number(self.cash) and self.cash > 0):
            raise InvalidInputError(f"cash={as_given(self.cash)} must be a positive amount.")
        check_choice(self.fill, "fill", ("next_open", "next_close", "same_close"))
        check_choice(self.size_at, "size_at", ("fill", "decision"))
        check_choice(self.limit_fill, "limit_fill", ("touch", "through"))
        if not (is_whole(self.delay) and 0 <= self.delay <= MOST_DELAY):
            raise InvalidInputError(
                f"delay={as_given(self.delay)} must be a whole number of bars from 0 to {MOST_DELAY:,}."
            )
        for name, module in _POLICIES.items():
            policy = getattr(self, name)
            if isinstance(policy, type) or not hasattr(policy, "terms"):
                raise InvalidInputError(
                    f"{name}={as_given(policy)} is no policy; use one of "
                    f"mismartera_analytics.backtesting.{module}."
                )
        if not isinstance(self.maintenance, Maintenance | None):
            raise InvalidInputError(
                f"maintenance={as_given(self.maintenance)} is no Maintenance of "
                f"backtesting.financing; None "
                f"knows no margin calls."
            )
        if not isinstance(self.limits, Limits):
            raise InvalidInputError(
                f"limits={as_given(self.limits)} is no Limits of backtesting.limits."
            )
        self._check_bars()
        self._check_account()
        self._check_kinds()

    def _check_kinds(self) -> None:
        object.__setattr__(self, "seed", whole(self.seed, "seed"))
        for name in ("fractional", "partial_on_cash", "compile"):
            object.__setattr__(self, name, truth(getattr(self, name), name))

    def _check_bars(self) -> None:
        check_choice(self.bracket_from, "bracket_from", ("entry_bar", "next_bar"))
        check_choice(self.bar_path, "bar_path", BAR_PATHS)
        limit = self.volume_limit
        if limit is not None and not (is_number(limit) and 0 < limit <= 1):
            raise InvalidInputError(
                f"volume_limit={as_given(limit)} must be a share of a bar's volume above 0 and up "
                f"to 1, "
                f"or None."
            )

    def _check_account(self) -> None:
        check_choice(self.account_type, "account_type", ("cash", "margin"))
        if self.leverage is None:
            return
        if self.account_type == "cash":
            raise InvalidInputError(
                f"leverage={as_given(self.leverage)} belongs to account_type='margin': a cash account "
                f"borrows nothing."
            )
        if not (is_number(self.leverage) and self.leverage >= 1):
            raise InvalidInputError(
                f"leverage={as_given(self.leverage)} must be a finite number of at least 1: gross "
                f"exposure "
                f"over equity."
            )

    @property
    def is_margin(self) -> bool:
        """Whether the account may borrow and sell short."""
        return self.account_type == "margin"

    @property
    def limit(self) -> float:
        """The most that gross exposure may be, in multiples of the account's value [1]."""
        if not self.is_margin:
            return 1.0
        return REG_T if self.leverage is None else float(self.leverage)

    @property
    def only_whole(self) -> str:
        """Why shares must be whole; empty when they need not be."""
        return "" if self.fractional else "set fractional=True to trade parts of shares"

    def described(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            **{name: _described(getattr(self, name)) for name in _POLICIES},
            "limits": dataclasses.asdict(self.limits),
            "maintenance": self.maintenance and dataclasses.asdict(self.maintenance),
        }


RULES = tuple(field.name for field in dataclasses.fields(Settings))
"""The names of all rules, which sweeps and checks pass on."""


def _described(policy: Commission | Slippage | Borrow | Interest) -> dict[str, Any]:
    terms: dict[str, Any] = dataclasses.asdict(policy.terms())
    finite = {name: value for name, value in terms.items() if value != math.inf}
    return {"policy": type(policy).__name__, **finite}
