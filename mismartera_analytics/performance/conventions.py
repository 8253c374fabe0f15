"""How other tools work out the same metrics: what they differ in, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.performance.distribution import Estimator

__all__ = ["CONVENTIONS", "ConventionName", "Conventions", "conventions_of", "reasons"]

ConventionName = Literal["actual", "quantstats", "empyrical"]


@dataclass(frozen=True)
class Conventions:
    """Where tools differ: periods a year, tails, shape, rates, and figures against a benchmark.

    Attributes
    ----------
    periods_per_year
        A fixed number, or None to count the record's own sessions.
    tail
        Estimator of value at risk and expected shortfall.
    shape
        Whether skew and kurtosis are corrected for the sample's size.
    rate
        Whether ``risk_free`` is a rate per year or per observation.
    alpha
        Whether alpha is summed over a year or compounded.
    alpha_rate
        Whether alpha takes the risk-free rate off.
    information
        What the information ratio is a ratio of.
    """

    periods_per_year: float | None
    tail: Estimator
    shape: Literal["corrected", "plain"]
    rate: Literal["per year", "per observation"]
    alpha: Literal["summed", "compounded"]
    alpha_rate: Literal["taken off", "left in"]
    information: Literal["year", "observation"]


CONVENTIONS: dict[str, Conventions] = {
    "actual": Conventions(
        None, "historical", "corrected", "per year", "summed", "taken off", "year"
    ),
    "quantstats": Conventions(
        252.0, "normal", "corrected", "per year", "summed", "left in", "observation"
    ),
    "empyrical": Conventions(
        252.0, "historical", "plain", "per observation", "compounded", "taken off", "observation"
    ),
}
"""Those of quantstats 0.0.86 and empyrical-reloaded 0.7.1, and the project's own."""


def conventions_of(name: str) -> Conventions:
    """Return the conventions of a name.

    Raises
    ------
    InvalidInputError
        If there are none of that name; the nearest one is suggested.

    Examples
    --------
    >>> conventions_of("quantstats").periods_per_year
    252.0
    """
    if not is_one_of(name, CONVENTIONS):
        raise InvalidInputError(
            f"conventions={as_given(name)} is unknown{suggestion(name, CONVENTIONS) or '.'} "
            f"Allowed: {', '.join(CONVENTIONS)}."
        )
    return CONVENTIONS[name]


def reasons(basis: str) -> dict[str, str]:
    """Return why a metric differs between the conventions, where it is not the periods a year alone.

    Parameters
    ----------
    basis
        Where the periods a year of the actual conventions come from.
    """
    shape = "actual and quantstats correct for the sample's size, empyrical does not"
    tail = "quantstats takes a normal distribution, the others the observations"
    year = f"{basis}; the others take 252"
    return {
        "value_at_risk": tail,
        "cvar": tail,
        "skew": shape,
        "kurtosis": shape,
        "alpha": f"empyrical compounds it over the year, the others sum it; quantstats leaves the "
        f"risk-free rate in; {year}",
        "information_ratio": f"the others give it per observation, not per year; {basis}",
    }
