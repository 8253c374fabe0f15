r"""Internal rates of return: every rate at which money in and money out are worth the same.

With flows :math:`c_i` at times :math:`t_i` and :math:`u = -\ln(1 + r)`, a rate is a zero of
:math:`\sum c_i e^{t_i u}`, hence of :math:`D(u) = \ln P(u) - \ln N(u)`, where P sums what is positive
and N what is negative. Both logarithms are convex with slopes between the first and the last time, so
that slopes at the ends of an interval bound D inside: intervals without a zero are left out, those on
which D is monotone hold at most one, the rest are halved. No rate is missed and no guess is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.errors import InvalidInputError

__all__ = ["DAYS_PER_YEAR", "InternalRates", "internal_rates"]

DAYS_PER_YEAR = 365.0
"""Days of the year of an internal rate (Act/365 fixed, as spreadsheets count)."""

WIDTH = 1e-11
"""Intervals this narrow are taken for one zero: two that lie closer are a double one."""

HALVINGS = 200
Floats = NDArray[np.float64]
Status = Literal["one", "several", "none", "empty"]


@dataclass(frozen=True)
class InternalRates:
    """Every internal rate of a stream of flows.

    Attributes
    ----------
    rates
        Ascending [1/year].
    status
        ``one``, ``several``, ``none``, or ``empty`` (no flows, or all on one day).
    logs
        ln(1 + rate) of each rate [1/year]: exact where the rate itself is infinite, or rounds to -1,
        as a great gain or loss within days does when it is told by the year.
    """

    rates: tuple[float, ...]
    status: Status
    logs: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The rate where there is exactly one, else NaN."""
        return self.rates[0] if len(self.rates) == 1 else math.nan

    def over(self, years: float) -> float:
        """Return what the rate, where there is exactly one, comes to over so many years [1]."""
        return _expm1(self.logs[0] * years) if len(self.logs) == 1 else math.nan

    @property
    def note(self) -> str:
        """What must be said about it; empty where there is one rate."""
        if self.status == "several":
            shown = ", ".join(f"{rate:.4%}" for rate in self.rates)
            return f"{len(self.rates)} internal rates: {shown}"
        return "no internal rate" if self.status == "none" else ""


def internal_rates(days: Any, amounts: Any) -> InternalRates:
    """Return every annual rate at which flows are worth nothing together (XIRR, all roots).

    Parameters
    ----------
    days
        (n,) dates, or days as numbers, in any order; several flows of one day are added up.
    amounts
        (n,) money [currency], from one point of view: what was paid in negative and what came back
        positive, the last value included; or the other way round.

    Returns
    -------
    InternalRates
        Rates above -1 [1/year], compounding, in years of 365 days; infinite where a rate is too large
        for a number.

    Raises
    ------
    InvalidInputError
        If lengths differ or an amount is not finite.

    Examples
    --------
    >>> internal_rates(["2023-01-01", "2024-01-01"], [-100.0, 110.0]).rate.__round__(12)
    0.1
    >>> two = internal_rates([0, 365, 730], [-100.0, 230.0, -132.0])
    >>> two.status, [round(rate, 12) for rate in two.rates]
    ('several', [0.1, 0.2])
    >>> internal_rates([0, 365, 730], [-100.0, 150.0, -100.0]).status
    'none'
    """
    times, values = _by_day(days, amounts)
    if len(times) < 2:
        return InternalRates((), "empty", ())
    if (values > 0).all() or (values < 0).all():
        return InternalRates((), "none", ())
    growth = _Balance(times, values)
    logs = tuple(sorted(-u for u in _zeros(growth)))
    rates = tuple(_expm1(log) for log in logs)
    return InternalRates(rates, ("none", "one", "several")[min(len(rates), 2)], logs)


def _expm1(log: float) -> float:
    """Return e^log - 1, infinite where it is too large for a number."""
    try:
        return math.expm1(log)
    except OverflowError:
        return math.inf


def _by_day(days: Any, amounts: Any) -> tuple[Floats, Floats]:
    """Return distinct times [years] in ascending order from 0, and their amounts that are not zero."""
    values = np.asarray(amounts, np.float64)
    number = np.asarray(days)
    if number.dtype.kind not in "iuf":
        number = np.asarray(days, "datetime64[us]").astype("datetime64[D]").astype(np.int64)
    if number.shape != values.shape or values.ndim != 1:
        raise InvalidInputError(
            f"days {number.shape} and amounts {values.shape} must be two lists of one length."
        )
    if not np.isfinite(values).all():
        raise InvalidInputError("amounts hold a value that is not a finite number.")
    distinct: Any
    distinct, place = np.unique(number, return_inverse=True)
    sums: Any = np.bincount(place, values, len(distinct))
    size = np.bincount(place, np.abs(values), len(distinct))
    kept = np.abs(sums) > 1e-14 * size
    distinct, sums = distinct[kept].astype(np.float64), sums[kept]
    return (distinct - distinct[:1].sum()) / DAYS_PER_YEAR, sums


class _Balance:
    """D(u) = ln P(u) - ln N(u) of a stream that has flows of both signs."""

    def __init__(self, times: Floats, values: Floats) -> None:
        is_in = values > 0
        self.times = (times[is_in], times[~is_in])
        self.logs = (np.log(values[is_in]), np.log(-values[~is_in]))

    def at(self, u: Floats) -> tuple[Floats, Floats, Floats]:
        """Return D, and the slopes of ln P and ln N, at each u."""
        (high, slope_in), (low, slope_out) = (
            _log_sum(logs[:, np.newaxis] + times[:, np.newaxis] * u, times)
            for times, logs in zip(self.times, self.logs, strict=True)
        )
        return high - low, slope_in, slope_out

    def bounds(self) -> tuple[float, float]:
        """Return between which u every zero lies: beyond them the first or last flow outweighs all."""
        ends = []
        for pick in (np.argmin, np.argmax):
            edges = [int(pick(times)) for times in self.times]
            last = [times[edge] for times, edge in zip(self.times, edges, strict=True)]
            sign = 1.0 if pick is np.argmax else -1.0
            mine = 0 if sign * (last[0] - last[1]) > 0 else 1
            others = float(np.logaddexp.reduce(self.logs[1 - mine]))
            gap = abs(last[0] - last[1])
            reach = max(others - float(self.logs[mine][edges[mine]]), 0.0) / gap
            ends.append(sign * (reach + 1e-6))
        return ends[0], ends[1]


def _log_sum(powers: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Return the logarithm of the sum of exponentials, and its slope: their mean time."""
    top = powers.max(axis=0)
    weights = np.exp(powers - top)
    total = weights.sum(axis=0)
    return top + np.log(total), (weights * times[:, np.newaxis]).sum(axis=0) / total


def _zeros(balance: _Balance) -> list[float]:
    low, high = balance.bounds()
    edges = np.array([low, high])
    left, right = edges[:1], edges[1:]
    found: list[float] = []
    while len(left):
        middle = (left + right) / 2
        half = (right - left) / 2
        value, _, _ = balance.at(middle)
        d_left, in_left, out_left = balance.at(left)
        d_right, in_right, out_right = balance.at(right)
        least, most = in_left - out_right, in_right - out_left  # of the slope, by convexity
        steepest = np.maximum(np.abs(least), np.abs(most))
        may_hold = np.abs(value) <= steepest * half * (1 + 1e-9) + 1e-15
        is_monotone = (least > 0) | (most < 0)
        crosses = (np.sign(d_left) * np.sign(d_right)) <= 0
        single = np.flatnonzero(may_hold & is_monotone & crosses)
        found += [_bisect(balance, float(left[row]), float(right[row])) for row in single]
        open_ = may_hold & ~is_monotone
        narrow = open_ & (half < WIDTH * np.maximum(np.abs(middle), 1.0))
        found += [float(u) for u in middle[narrow]]
        left, middle, right = (edge[open_ & ~narrow] for edge in (left, middle, right))
        left, right = np.r_[left, middle], np.r_[middle, right]
    return _distinct(sorted(found))


def _bisect(balance: _Balance, left: float, right: float) -> float:
    """Return the zero between two ends of which D has different signs."""
    sign = np.sign(balance.at(np.array([left]))[0][0])
    if sign == 0:
        return left
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        if middle in (left, right):
            break
        if np.sign(balance.at(np.array([middle]))[0][0]) == sign:
            left = middle
        else:
            right = middle
    return (left + right) / 2


def _distinct(found: Sequence[float]) -> list[float]:
    """Leave out zeros found from both sides of an edge, and the neighbours of a double one."""
    kept: list[float] = []
    for u in found:
        if not kept or u - kept[-1] > 1e-7 * max(abs(u), 1.0):
            kept.append(u)
    return kept
