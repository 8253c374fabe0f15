"""What every metric does first: read returns, and learn how many of them make a year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.arguments import is_number
from mismartera_analytics.errors import InvalidInputError, as_given

if TYPE_CHECKING:
    from mismartera_analytics.performance.returns import Returns

    Record: TypeAlias = pd.Series[float] | Returns

__all__ = [
    "Annualisation",
    "Observations",
    "annualisation",
    "check_order",
    "labelled",
    "observations",
    "periods_of_sessions",
    "rate_of_observation",
    "unclear_year",
]

Floats = npt.NDArray[np.floating[Any]]
ROUNDING = 1e-14
"""Deviations below this share of the largest return are rounding, not variance."""
DAYS_PER_YEAR = 365.25
SHORTEST_SPAN = 90
"""Days that sessions must span before they are counted to a year."""
LONGEST_CLOSURE = 16
"""Days without a session after which a gap is no longer a closure of the market."""


@dataclass(frozen=True)
class Annualisation:
    """How many observations make a year [1/year], and where the number comes from."""

    periods_per_year: float
    basis: str


@dataclass(frozen=True)
class Observations:
    """Returns as a matrix, and the way back to what the caller passed.

    Attributes
    ----------
    values
        Shape (n, k), float64; NaN is a session without a return.
    labels
        Session labels, or starts of bars within sessions; None for plain arrays.
    year
        What a `Returns` knows of its year.
    """

    values: Floats
    labels: pd.DatetimeIndex | None
    is_single: bool
    names: pd.Index[Any] | None
    year: Annualisation | None = None

    def annualised(self, periods_per_year: float | None) -> Annualisation:
        """Return the year as given, else as its calendar has it, else as counted from the labels."""
        if periods_per_year is None and self.year is not None:
            return self.year
        return annualisation(self.labels, periods_per_year=periods_per_year)

    def periods(self, periods_per_year: float | None) -> float:
        """Return how many observations make a year, likewise [1/year]."""
        return self.annualised(periods_per_year).periods_per_year

    def shaped(self, per_column: Floats) -> Any:
        """Return one number per column as a float (1-D input), Series (frame) or array (2-D)."""
        if self.is_single:
            return float(per_column[0])
        return per_column if self.names is None else pd.Series(per_column, index=self.names)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Observations per column that are not missing."""
        known: npt.NDArray[np.int64] = (~np.isnan(self.values)).sum(axis=0, dtype=np.int64)
        return known


def observations(returns: Any, *, argument: str = "returns") -> Observations:
    """Return simple returns as a checked matrix.

    Parameters
    ----------
    returns
        Simple returns [1]: an array or Series of shape (n,), an array or DataFrame of shape (n, k), or
        a `Returns`. NaN is a session without a return and is left out by every metric.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    Observations

    Raises
    ------
    InvalidInputError
        If the values are not numbers, infinite, of more than two dimensions, or so large (none
        negative, median above 100% in a period) that they must be prices; or labels are instants,
        missing, doubled or unsorted.

    Examples
    --------
    >>> observations([0.01, -0.02]).values.shape
    (2, 1)
    """
    from mismartera_analytics.performance.returns import Returns

    if isinstance(returns, Returns):
        numbers, starts = returns.values.to_numpy(), pd.DatetimeIndex(returns.values.index)
        return Observations(
            numbers[:, np.newaxis], starts, is_single=True, names=None, year=returns.known_year
        )
    is_frame = isinstance(returns, pd.DataFrame)
    try:
        values = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError(
            f"{argument} holds {type(returns).__name__} values that are not numbers; "
            f"pass simple returns such as prices.pct_change()."
        ) from None
    if values.ndim not in (1, 2):
        raise InvalidInputError(
            f"{argument} has {values.ndim} dimensions; pass one series (n,) or several (n, k)."
        )
    if np.isinf(values).any():
        raise InvalidInputError(f"{argument} holds infinite values; a price of zero may be why.")
    matrix = values[:, np.newaxis] if values.ndim == 1 else values
    _refuse_prices(matrix, argument)
    labels = returns.index if isinstance(returns, (pd.Series, pd.DataFrame)) else None
    if isinstance(labels, pd.DatetimeIndex):
        _check_labels(labels, argument)
    else:
        labels = None
    return Observations(
        matrix, labels, is_single=values.ndim == 1, names=returns.columns if is_frame else None
    )


def _refuse_prices(matrix: Floats, argument: str) -> None:
    for column in matrix.T:
        known = column[~np.isnan(column)]
        if len(known) and known.min() >= 0.0 and float(np.median(known)) > 1.0:
            raise InvalidInputError(
                f"{argument} has a median size of {np.median(known):.4g}, more than 100% "
                f"a period: these look like prices; pass simple returns, prices.pct_change()."
            )


def _check_labels(labels: pd.DatetimeIndex, argument: str) -> None:
    if labels.tz is not None:
        is_day = bool(len(labels)) and bool((labels == labels.normalize()).all())
        way = f"{argument}.tz_localize(None)" if is_day else "a Returns of their interval"
        raise InvalidInputError(
            f"{argument} is labelled by instants in {labels.tz}; label it by sessions: naive "
            f"midnights, one a session; {way} does so."
        )
    check_order(labels, argument)
    moments = labels.to_numpy()
    odd = moments != moments.astype("datetime64[D]")
    if odd.any():
        raise InvalidInputError(
            f"{argument} has the label {labels[odd][0]}, which is no midnight: an instant needs a time "
            f"zone, a session's label is a date."
        )


def check_order(labels: pd.DatetimeIndex, argument: str) -> None:
    """Refuse labels that are missing, doubled or unsorted, naming the first such one."""
    if labels.hasnans:
        raise InvalidInputError(
            f"{argument} has {int(np.count_nonzero(labels.isna()))} labels that are missing."
        )
    if labels.is_monotonic_increasing and labels.is_unique:  # asked in this order it costs one pass
        return
    if labels.has_duplicates:
        doubled = labels[labels.duplicated()][0]
        raise InvalidInputError(
            f"{argument} must have one row a session, in order of time; {doubled:%Y-%m-%d} stands "
            f"there more than once."
        )
    late = labels[1:][labels[1:] < labels[:-1]][0]
    raise InvalidInputError(
        f"{argument} must have one row a session, in order of time; {late:%Y-%m-%d} comes after "
        f"a later one: use {argument}.sort_index()."
    )


def rate_of_observation(rate: float, periods: float, *, argument: str) -> float:
    """Return the rate of one observation that compounds to a rate per year [1].

    Parameters
    ----------
    rate
        Rate per YEAR [1/year].
    periods
        Observations a year.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    float
        ``(1 + rate) ** (1 / periods) - 1``.

    Raises
    ------
    InvalidInputError
        If the rate is not a number above -1.

    Examples
    --------
    >>> round(rate_of_observation(0.21, 2.0, argument="risk_free"), 12)
    0.1
    """
    if not (is_number(rate) and rate > -1.0):
        raise InvalidInputError(
            f"{argument}={as_given(rate)} must be a rate per year above -1, such as 0.03."
        )
    return float((1.0 + rate) ** (1.0 / periods) - 1.0)


def labelled(returns: Any, *, argument: str = "returns") -> pd.Series[float]:
    """Return returns as a Series labelled by session, for what needs to know the days.

    Parameters
    ----------
    returns
        Series of simple returns [1] with a `DatetimeIndex` of naive midnights, or a `Returns`: bars
        within sessions are compounded to sessions.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    pandas.Series
        float64, index `session`; NaN stays.

    Raises
    ------
    InvalidInputError
        If it is not a Series labelled by sessions, or breaks a rule of `observations`.

    Examples
    --------
    >>> labelled(pd.Series([0.01], index=pd.DatetimeIndex(["2025-07-02"]))).index.name
    'session'
    """
    from mismartera_analytics.performance.returns import Returns

    if isinstance(returns, Returns):
        return returns.by_session().values.rename_axis("session")
    if not isinstance(returns, pd.Series):
        raise InvalidInputError(
            f"{argument} is a {type(returns).__name__}; pass a Series labelled by session."
        )
    checked = observations(returns, argument=argument)
    labels = checked.labels
    if labels is None:
        if len(returns):
            raise InvalidInputError(
                f"{argument} has an index of dtype {returns.index.dtype}; label it by session "
                f"(pandas.to_datetime of the dates)."
            )
        labels = pd.DatetimeIndex([], dtype="datetime64[us]")
    return pd.Series(checked.values[:, 0], index=labels.rename("session"), name=returns.name)


def periods_of_sessions(returns: Record, given: float | None) -> float:
    """Return how many of what `labelled` gives make a year: as given, of a calendar, or counted."""
    from mismartera_analytics.performance.returns import Returns

    of_sessions = returns.by_session() if isinstance(returns, Returns) else returns.dropna()
    return observations(of_sessions).periods(given)


_SPACINGS: tuple[tuple[str, float, float, float], ...] = (
    ("weekly", 5, 9, DAYS_PER_YEAR / 7),
    ("monthly", 27, 32, 12.0),
    ("quarterly", 88, 93, 4.0),
    ("yearly", 363, 368, 1.0),
)


def annualisation(
    labels: pd.Index[Any] | None, *, periods_per_year: float | None = None
) -> Annualisation:
    """Return how many observations make a year, as given or counted from the labels.

    Sessions are counted over the labels' own span in whole weeks, from the first label to the last one
    on the same weekday: their number over the days between, times 365.25. Weekly, monthly, quarterly
    and yearly labels give 52.18, 12, 4 and 1.

    Parameters
    ----------
    labels
        Session labels of the observations.
    periods_per_year
        Taken as it is when given [1/year].

    Returns
    -------
    Annualisation

    Raises
    ------
    InvalidInputError
        If the labels leave it open: no dates, fewer than 90 days, a gap that no closure explains, or
        an uneven spacing. The message asks for ``periods_per_year``.

    Examples
    --------
    >>> annualisation(pd.date_range("2024-01-31", periods=24, freq="ME")).periods_per_year
    12.0
    >>> annualisation(None, periods_per_year=252).basis
    '252 periods a year, as given'
    """
    if periods_per_year is not None:
        if not (is_number(periods_per_year) and periods_per_year > 0):
            raise InvalidInputError(
                f"periods_per_year={as_given(periods_per_year)} must be a number above zero."
            )
        return Annualisation(
            float(periods_per_year), f"{periods_per_year:g} periods a year, as given"
        )
    if not isinstance(labels, pd.DatetimeIndex):
        raise _ambiguous("the returns carry no dates")
    if len(labels) < 2:
        raise _ambiguous(f"{len(labels)} observation{'s' * (len(labels) != 1)} show no spacing")
    days = labels.to_numpy().astype("datetime64[D]").astype(np.int64)
    gaps = np.diff(days)
    median, span = float(np.median(gaps)), int(days[-1] - days[0])
    years = f"{labels[0]:%Y-%m-%d} to {labels[-1]:%Y-%m-%d}"
    if median < 5:
        _check_sessions(labels, gaps, span)
        last = int(np.flatnonzero((days - days[0]) % 7 == 0)[-1])
        if span - (days[last] - days[0]) > 13:  # it began on an odd day, such as a Saturday
            last = len(days) - 1
        count = float(last / ((days[last] - days[0]) / DAYS_PER_YEAR))
        return Annualisation(count, f"{count:.1f} sessions a year, counted from {years}")
    for name, low, high, periods in _SPACINGS:
        if low <= median <= high and gaps.max() <= 2 * high and gaps.min() >= low / 2:
            return Annualisation(periods, f"{periods:g} a year: {name} returns from {years}")
    raise _ambiguous(f"the labels are {gaps.min()} to {gaps.max()} days apart")


def _check_sessions(labels: pd.DatetimeIndex, gaps: npt.NDArray[np.int64], span: int) -> None:
    widest = int(gaps.argmax())
    if gaps[widest] > LONGEST_CLOSURE:
        raise _ambiguous(
            f"no return between {labels[widest]:%Y-%m-%d} and {labels[widest + 1]:%Y-%m-%d}"
        )
    if np.count_nonzero(gaps == 1) < 0.6 * len(gaps):
        raise _ambiguous("most returns are more than a day apart")
    if span < SHORTEST_SPAN:
        raise _ambiguous(f"{len(labels)} sessions over {span} days are too few to count a year's")


def unclear_year(error: InvalidInputError) -> str:
    """Return, of an error of `annualisation`, just why the periods a year are open."""
    return "not annualised: " + str(error).partition("is not clear: ")[2].partition("; pass")[0]


def _ambiguous(reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"how many periods make a year is not clear: {reason}; pass periods_per_year, "
        f"for instance the calendar's sessions a year."
    )
