"""What holding costs overnight: fees for borrowed shares, and interest on cash and loans."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from mismartera_analytics.arguments import is_number
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["Borrow", "BorrowRate", "BorrowTerms", "Interest", "InterestRates", "InterestTerms",
           "Maintenance"]  # fmt: skip


@dataclass(frozen=True)
class BorrowTerms:
    """A fee for borrowed shares as a number.

    Attributes
    ----------
    rate
        Of the market value of what is sold short, a year of 360 days [1].
    """

    rate: float = 0.0


class Borrow(Protocol):
    """A policy of fees for shares sold short: one method, which gives its number."""

    def terms(self) -> BorrowTerms:
        """Return the policy as a number."""
        ...


@dataclass(frozen=True)
class BorrowRate:
    """The same annual rate for every symbol, charged for each calendar night (actual/360).

    Attributes
    ----------
    rate
        Of the market value at the last closes [1]; 0.03 is three per cent a year.

    Examples
    --------
    >>> BorrowRate(0.03).terms().rate
    0.03
    """

    rate: float = 0.0

    def __post_init__(self) -> None:
        _check(self.rate, "rate")

    def terms(self) -> BorrowTerms:
        """Return the policy as a number."""
        return BorrowTerms(self.rate)


@dataclass(frozen=True)
class InterestTerms:
    """Interest as numbers.

    Attributes
    ----------
    credit, debit
        What a positive balance earns and a negative one costs, a year of 360 days [1].
    """

    credit: float = 0.0
    debit: float = 0.0


class Interest(Protocol):
    """A policy of interest: one method, which gives its numbers."""

    def terms(self) -> InterestTerms:
        """Return the policy as numbers."""
        ...


@dataclass(frozen=True)
class InterestRates:
    """One annual rate for money that lies there and one for money that is owed (actual/360).

    The balance is the cash less the market value of what is sold short: the proceeds of short sales
    are held as their security, so they earn nothing and pay off no loan.

    Attributes
    ----------
    credit, debit
        [1]; 0.05 is five per cent a year.

    Examples
    --------
    >>> InterestRates(debit=0.08).terms()
    InterestTerms(credit=0.0, debit=0.08)
    """

    credit: float = 0.0
    debit: float = 0.0

    def __post_init__(self) -> None:
        _check(self.credit, "credit")
        _check(self.debit, "debit")

    def terms(self) -> InterestTerms:
        """Return the policy as numbers."""
        return InterestTerms(self.credit, self.debit)


@dataclass(frozen=True)
class Maintenance:
    """What part of its positions a margin account must be worth, lest its broker closes some of them.

    By default what FINRA's rule 4210(c) asks of shares, but for its floors for cheap ones: brokers may
    ask for more.

    Attributes
    ----------
    long, short
        Of the value of what is held and of what is sold short [1].

    Raises
    ------
    InvalidInputError
        If one of them is no number above 0 and up to 1; a short position can ask for more than 1.

    Examples
    --------
    >>> Maintenance(long=0.4)
    Maintenance(long=0.4, short=0.3)
    """

    long: float = 0.25
    short: float = 0.30

    def __post_init__(self) -> None:
        for name, most in (("long", 1.0), ("short", math.inf)):
            value = getattr(self, name)
            if not (is_number(value) and 0.0 < value <= most):
                allowed = "up to 1" if name == "long" else "finite"
                raise InvalidInputError(
                    f"{name}={as_given(value)} must be above 0 and {allowed}: the part "
                    f"of a position that must be one's own. maintenance=None knows no margin calls."
                )


def _check(value: float, argument: str) -> None:
    if not (is_number(value) and value >= 0):
        raise InvalidInputError(
            f"{argument}={as_given(value)} must be a finite annual rate of at least 0; 0.05 is five "
            f"per cent."
        )
