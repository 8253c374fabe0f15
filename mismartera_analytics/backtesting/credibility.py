"""How far a run can be believed: its Sharpe ratio against the number of tries it was picked from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import (
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    StorageError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.json_texts import stored_object
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.performance.overfitting import (
    SharpeEstimate,
    expected_maximum_sharpe,
    sharpe_estimate,
)
from mismartera_analytics.recording.ownership import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from mismartera_analytics.backtesting.result import BacktestResult
    from mismartera_analytics.backtesting.trial_log import TrialRecord
    from mismartera_analytics.figures.style import ThemeName

__all__ = ["Tries", "credibility", "trials_figure", "tries_of"]

CONFIDENCE = 0.95
_UNREAD = (DatabaseBusyError, DatabaseNotReadyError, DatabaseUnreachableError, StorageError)


@dataclass(frozen=True, eq=False)
class Tries:
    """The trials that a run is one of.

    Attributes
    ----------
    family
        Name of the strategy family, empty for frames counted in none.
    count
        Trials of the family, this run included.
    sharpes
        Their Sharpe ratios per observation, of those that have one and the same observations.
    problem
        Why the count cannot be trusted; empty where it can.
    """

    family: str
    count: int
    sharpes: NDArray[np.float64]
    problem: str = ""

    @property
    def variance(self) -> float:
        """Of the trials' Sharpe ratios per observation; NaN with fewer than two."""
        return float(self.sharpes.var(ddof=1)) if len(self.sharpes) > 1 else math.nan

    @property
    def luck(self) -> float:
        """Sharpe ratio per observation that the best is expected to have by luck alone, or NaN."""
        if self.problem or (self.count > 1 and math.isnan(self.variance)):
            return math.nan
        return expected_maximum_sharpe(self.count, self.variance)

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        return f"{self.count:,} trial{'s' * (self.count != 1)} of family {self.family}"


def tries_of(result: BacktestResult, family: str | None = None) -> Tries:
    """Return the trials of a run's family, as the trials table has them.

    Parameters
    ----------
    result
        A finished run. It counts even where it is not recorded itself.
    family
        By default that in which the run was counted.

    Returns
    -------
    Tries
        Trials of the whole family whatever their symbols, range and rules: each was a try. Only the
        variance leaves those out whose returns last longer or shorter than this run's.

    Raises
    ------
    InvalidInputError
        If the family is blank or too long.
    UnknownNameError
        If a family is named that has no trials and is not the run's own.
    """
    from mismartera_analytics.backtesting.counting import check_family, trial_record
    from mismartera_analytics.backtesting.trial_log import logged_results

    estimate = sharpe_estimate(result.returns)
    own = [] if estimate is None else [estimate.sharpe]
    if family is not None:
        check_family(family)
    named = result.family if family is None else family
    if named is None:
        problem = "frames are counted in a family only where one is named (family=)"
        return Tries("", 1, np.array(own), problem)
    try:
        table = _trials_of(named, is_own=named == result.family)
        record = trial_record(result)
        is_recorded = logged_results(named, [record])[0] is not None or _is_among(table, record)
    except _UNREAD as error:
        return Tries(named, 1, np.array(own), f"the trials cannot be read: {error}")
    span = _span(result.config["interval"])
    what = "settings_json of a trial"
    alike = [
        _span(stored_object(text, what=what).get("interval")) == span for text in table["settings"]
    ]
    known = table["sharpe"].to_numpy(np.float64)[np.array(alike, bool)]
    sharpes = np.concatenate([known[~np.isnan(known)], [] if is_recorded else own])
    return Tries(named, len(table) + (not is_recorded), sharpes)


@repeated
def _trials_of(family: str, *, is_own: bool) -> pd.DataFrame:
    """Return the trials of a family; one that is not the run's own must have some."""
    from mismartera_analytics.backtesting.trial_log import families, recorded_trials

    with reading(None) as db_session:
        table = recorded_trials(db_session, family)
        if table.empty and not is_own:
            raise _unknown(family, families(db_session))
    return table


def _unknown(family: str, names: Sequence[str]) -> UnknownNameError:
    hint = suggestion(family, names) or (
        f"; there are {', '.join(names[:10])}." if names else "; there are none."
    )
    return UnknownNameError(f"family={as_given(family)} has no trials{hint}")


def _is_among(table: pd.DataFrame, record: TrialRecord) -> bool:
    """Whether a trial has the very figures: one run by a function of signals, now by its frames."""
    alike = table["data_digest"] == record.data_version.get("digest")
    for name in ("sessions", "sharpe", "total_return"):
        value = record.result[name]
        if value is None:
            return False
        alike &= np.isclose(table[name].to_numpy(np.float64, na_value=np.nan), value, rtol=1e-9)
    return bool(alike.any())


def _span(interval: Any) -> str:
    """Return what a return of bars of this length lasts: a session, or the bar."""
    parsed = clock.parse_interval(str(interval)) if interval else None
    return "1d" if parsed is None or parsed.is_intraday else str(parsed)


def credibility(result: BacktestResult, *, family: str | None = None) -> pd.DataFrame:
    """Return what the number of tries leaves of a run's Sharpe ratio.

    Parameters
    ----------
    result
        A finished run.
    family
        As in `tries_of`.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; columns as in `frames.METRICS`. A value is missing only where its note says
        why.

    Raises
    ------
    InvalidInputError
        If the family is blank or too long.
    """
    tries = tries_of(result, family)
    rows = _rows(tries, sharpe_estimate(result.returns), result)
    table = frames.METRICS.conform(pd.DataFrame(rows, columns=frames.METRICS.names))
    table = table.set_index("metric")
    table.attrs = {"family": tries.family, "trials": tries.count}
    return table


def _rows(
    tries: Tries, estimate: SharpeEstimate | None, result: BacktestResult
) -> Sequence[tuple[str, float, str, str, str]]:
    periods = result.metrics.attrs["periods_per_year"]
    year = math.nan if periods is None else math.sqrt(periods)
    unclear = "" if periods is not None else str(result.metrics.attrs["annualisation"])
    flat = "" if estimate is not None else "the returns do not vary, or there are fewer than two"
    few = tries.problem
    if not few and tries.count == 1:
        few = "one trial: nothing was picked, nothing is deflated"
    elif not few and math.isnan(tries.luck):
        few = "fewer than two trials have a Sharpe ratio"
    sharpe = math.nan if estimate is None else estimate.sharpe
    alone = beaten = length = math.nan
    if estimate is not None:
        alone = estimate.probability_above(0.0)
        beaten = math.nan if math.isnan(tries.luck) else estimate.probability_above(tries.luck)
        length = estimate.needed(0.0, CONFIDENCE)
    short = "" if not math.isnan(length) or flat else "the ratio is not above 0: no length shows it"
    of = "of an unknown number of trials" if tries.problem else f"of {tries}"
    count = math.nan if tries.problem else float(tries.count)
    hung, fills = result.ambiguous_fills, len(result.fills)
    share = hung / fills if fills else math.nan
    return [
        ("trials", count, "trials", "different runs recorded, this one included", str(tries)),
        ("sharpe_ratio", sharpe * year, "ratio", "risk-free 0; annualised", flat or unclear),
        ("probabilistic_sharpe_ratio", alone, "fraction",
         "probability that the true ratio is above 0, had this been the only trial", flat),
        ("expected_maximum_sharpe", tries.luck * year, "ratio",
         f"what luck alone gives the best {of}; annualised", few or unclear),
        ("deflated_sharpe_ratio", beaten, "fraction",
         f"probability that the true ratio is above that: best {of}", flat or few),
        ("minimum_track_record_length", length, "sessions",
         f"to show with {CONFIDENCE:.0%} that the ratio is above 0; there are {len(result.returns):,}",
         flat or short),
        ("ambiguous_fills", share, "fraction",
         "fills that hung on the path of prices inside their bar", f"{hung:,} of {fills:,} fills"),
    ]  # fmt: skip


def trials_figure(
    result: BacktestResult, family: str | None = None, *, theme: ThemeName = "light"
) -> Figure:
    """Return a figure of the family's Sharpe ratios, this run's and the best by luck, annualised.

    Parameters
    ----------
    result, family
        As in `tries_of`.
    theme
        ``"light"`` or ``"dark"``.

    Raises
    ------
    InvalidInputError
        As in `tries_of`, or if the record is too short to count a year's sessions.
    """
    from mismartera_analytics.figures.overfitting import trial_sharpes
    from mismartera_analytics.performance.observations import annualisation

    year = math.sqrt(annualisation(result.returns.index).periods_per_year)
    tries, estimate = tries_of(result, family), sharpe_estimate(result.returns)
    picked = math.nan if estimate is None else estimate.sharpe * year
    luck = tries.luck * year
    return trial_sharpes(tries.sharpes * year, picked=picked, luck=luck, theme=theme)
