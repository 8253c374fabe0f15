"""What trading costs: commissions and slippage, each a small frozen policy."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol

from mismartera_analytics.arguments import is_number
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = [
    "BasisPoints",
    "Commission",
    "CommissionTerms",
    "HalfSpread",
    "NoCommission",
    "NoSlippage",
    "PerOrder",
    "PerShare",
    "Proportional",
    "Slippage",
    "SlippageTerms",
    "Times",
    "VolumeShare",
]


@dataclass(frozen=True)
class CommissionTerms:
    """A commission as numbers: ``rate * value + per_share * shares + per_order``, within bounds.

    Sales are charged ``sell_rate * value`` and ``sell_per_share * shares``, the latter up to
    `sell_maximum`, on top.

    Attributes
    ----------
    rate
        Of the value traded [1].
    per_share
        [currency/share]
    per_order, minimum, maximum
        [currency]
    sell_rate
        Of the value sold [1].
    sell_per_share
        [currency/share]
    sell_maximum
        [currency]
    """

    rate: float = 0.0
    per_share: float = 0.0
    per_order: float = 0.0
    minimum: float = 0.0
    maximum: float = math.inf
    sell_rate: float = 0.0
    sell_per_share: float = 0.0
    sell_maximum: float = math.inf

    def fee(self, quantity: float, price: float, *, side: Literal["BUY", "SELL"] = "BUY") -> float:
        """Return the fee of a fill [currency]."""
        amount = self.rate * quantity * price + self.per_share * quantity + self.per_order
        bounded = min(max(amount, self.minimum), self.maximum)
        if side == "BUY":
            return bounded
        by_share = min(self.sell_per_share * quantity, self.sell_maximum)
        return bounded + self.sell_rate * quantity * price + by_share


class Commission(Protocol):
    """A commission policy: one method, which gives its numbers."""

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        ...


@dataclass(frozen=True)
class NoCommission:
    """Trading is free of commission."""

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return CommissionTerms()


@dataclass(frozen=True)
class Proportional:
    """A share of the value traded.

    Attributes
    ----------
    rate
        [1]; 0.001 is ten basis points.

    Examples
    --------
    >>> Proportional(0.001).terms().fee(100, 50.0)
    5.0
    """

    rate: float

    def __post_init__(self) -> None:
        _check(self.rate, "rate")

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return CommissionTerms(rate=self.rate)


@dataclass(frozen=True)
class PerShare:
    """An amount for each share, with a minimum and a maximum for each order.

    Attributes
    ----------
    amount
        [currency/share]
    minimum, maximum
        [currency]

    Examples
    --------
    >>> PerShare(0.005, minimum=1.0).terms().fee(100, 50.0)
    1.0
    """

    amount: float
    minimum: float = 0.0
    maximum: float = math.inf

    def __post_init__(self) -> None:
        _check(self.amount, "amount")
        _check(self.minimum, "minimum")
        if math.isnan(self.maximum) or self.maximum < self.minimum:
            raise InvalidInputError(
                f"maximum={as_given(self.maximum)} must be at least minimum={as_given(self.minimum)}."
            )

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return CommissionTerms(per_share=self.amount, minimum=self.minimum, maximum=self.maximum)


@dataclass(frozen=True)
class PerOrder:
    """The same amount for each order that fills.

    Attributes
    ----------
    amount
        [currency]

    Examples
    --------
    >>> PerOrder(4.95).terms().fee(100, 50.0)
    4.95
    """

    amount: float

    def __post_init__(self) -> None:
        _check(self.amount, "amount")

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return CommissionTerms(per_order=self.amount)


@dataclass(frozen=True)
class SlippageTerms:
    """A slippage as numbers: a price worsens by ``(rate + impact * share**2) * price + amount``.

    The share is that of the bar's volume which the fill and those before it in the bar take.

    Attributes
    ----------
    rate
        Of the price [1].
    amount
        [currency/share]
    impact
        Of the price, when all of a bar's volume is taken [1].
    """

    rate: float = 0.0
    amount: float = 0.0
    impact: float = 0.0


class Slippage(Protocol):
    """A slippage policy: one method, which gives its numbers.

    Slippage moves the price against the order, never beyond its limit.
    """

    def terms(self) -> SlippageTerms:
        """Return the policy as numbers."""
        ...


@dataclass(frozen=True)
class NoSlippage:
    """Orders fill at the bar's prices."""

    def terms(self) -> SlippageTerms:
        """Return the policy as numbers."""
        return SlippageTerms()


@dataclass(frozen=True)
class BasisPoints:
    """A share of the price.

    Attributes
    ----------
    points
        [0.0001]

    Examples
    --------
    >>> BasisPoints(5).terms().rate
    0.0005
    """

    points: float

    def __post_init__(self) -> None:
        _check(self.points, "points")

    def terms(self) -> SlippageTerms:
        """Return the policy as numbers."""
        return SlippageTerms(rate=self.points / 10_000)


@dataclass(frozen=True)
class HalfSpread:
    """Half of a constant spread.

    Attributes
    ----------
    spread
        Between bid and ask [currency/share].

    Examples
    --------
    >>> HalfSpread(0.02).terms().amount
    0.01
    """

    spread: float

    def __post_init__(self) -> None:
        _check(self.spread, "spread")

    def terms(self) -> SlippageTerms:
        """Return the policy as numbers."""
        return SlippageTerms(amount=self.spread / 2)


@dataclass(frozen=True)
class Times:
    """A multiple of another policy of commission, slippage, borrowing or interest.

    Attributes
    ----------
    factor
        [1]; 2 doubles every number of the policy, minimum and maximum included.
    policy
        What is multiplied.

    Examples
    --------
    >>> Times(2.0, PerShare(0.005, minimum=1.0)).terms().fee(100, 50.0)
    2.0
    """

    factor: float
    policy: Any

    def __post_init__(self) -> None:
        _check(self.factor, "factor")
        if not hasattr(self.policy, "terms"):
            raise InvalidInputError(f"policy={as_given(self.policy)} is no policy of costs.")

    def terms(self) -> Any:
        """Return the policy as numbers."""
        terms = self.policy.terms()
        numbers = {each.name: getattr(terms, each.name) for each in fields(terms)}
        return replace(
            terms,
            **{
                name: value if value == math.inf else self.factor * value
                for name, value in numbers.items()
            },
        )


@dataclass(frozen=True)
class VolumeShare:
    """An impact on the price that grows with the square of the share of the bar's volume taken.

    The model is that of zipline's ``VolumeShareSlippage``, whose default coefficient is 0.1 as well.
    What was traded earlier in the same bar counts too; a bar without volume counts as taken whole. How
    much of a bar can be taken at all is said by ``volume_limit``.

    Attributes
    ----------
    coefficient
        Part of the price that it costs to take all of a bar's volume [1].

    Examples
    --------
    >>> VolumeShare(0.1).terms().impact
    0.1
    """

    coefficient: float = 0.1

    def __post_init__(self) -> None:
        _check(self.coefficient, "coefficient")

    def terms(self) -> SlippageTerms:
        """Return the policy as numbers."""
        return SlippageTerms(impact=self.coefficient)


def _check(value: float, argument: str) -> None:
    if not (is_number(value) and value >= 0):
        raise InvalidInputError(
            f"{argument}={as_given(value)} must be a finite number of at least 0."
        )
