"""The trials of a search, logged in batches and found again after an interruption, and of a walk."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.backtesting.counting import count_trials, described_settings
from mismartera_analytics.backtesting.executors import Batch
from mismartera_analytics.backtesting.fingerprints import code_hash
from mismartera_analytics.backtesting.grids import Grid
from mismartera_analytics.backtesting.jobs import Job
from mismartera_analytics.backtesting.scores import SCORES
from mismartera_analytics.backtesting.trial_log import TrialRecord, headline, logged_results

__all__ = ["SearchLog", "WalkLog"]

Floats = NDArray[np.float64]
_EVERY = 1.0
"""Seconds between transactions: what a sudden end can cost."""
_AT_ONCE = 2_000


class SearchLog:
    """Writes the trials of a search, and reads those of one that was interrupted.

    Parameters
    ----------
    job
        The work.
    family
        In which the trials count.
    source
        Of the bars and the calendar, as a run's configuration has it.
    """

    def __init__(self, job: Job, family: str, source: Mapping[str, Any]) -> None:
        self._family = family
        self._notes = _Notes(job, source)
        self._waiting: list[TrialRecord] = []
        self._written = time.monotonic()

    def found(self, combinations: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the scores of combinations that are in the log: (n, scores), all NaN where not.

        Raises
        ------
        DatabaseNotReadyError, DatabaseUnreachableError
            If there is no log to read.
        """
        records = [self._record(combination, {}) for combination in combinations]
        table = np.full((len(records), len(SCORES)), np.nan)
        for number, known in enumerate(logged_results(self._family, records)):
            if known is not None and set(known) >= set(SCORES):
                row = [known[name] for name in SCORES]
                table[number] = [math.nan if value is None else value for value in row]
        return table

    def add(self, batch: Batch, rows: Floats) -> None:
        """Take the scores of a batch; every second what was taken is written."""
        for combination, row in zip(batch.combinations, rows.tolist(), strict=True):
            named = zip(SCORES, row, strict=True)
            result = {name: value if math.isfinite(value) else None for name, value in named}
            self._waiting.append(self._record(combination, result))
        is_due = time.monotonic() - self._written > _EVERY
        if is_due or len(self._waiting) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        if self._waiting:
            count_trials(self._family, self._waiting)
        self._waiting = []
        self._written = time.monotonic()

    def _record(self, combination: Mapping[str, Any], result: Mapping[str, Any]) -> TrialRecord:
        return self._notes.record(combination, result)


class _Notes:
    """What all trials of a search have in common."""

    def __init__(self, job: Job, source: Mapping[str, Any], **more: Any) -> None:
        self._job = job
        self._settings = settings_noted(job, source) | more
        self._data = {"digest": job.market.digest(), **source.get("data", {})}
        self._code = code_hash(job.subject)

    def record(self, combination: Mapping[str, Any], result: Mapping[str, Any]) -> TrialRecord:
        """Return the record of a combination."""
        return self.whole(self._job.all_parameters(combination), result)

    def whole(self, parameters: Mapping[str, Any], result: Mapping[str, Any]) -> TrialRecord:
        """Return a record with these parameters and no others."""
        return TrialRecord(parameters, self._data, self._settings, self._code, result)


def settings_noted(job: Job, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are noted of every trial of a search."""
    described = described_settings(job.market, job.settings, source)
    return described if job.is_strategy else {**described, "size": job.size}


class WalkLog:
    """Writes the trials of a walk: each combination once, however often it was trained, and the walk.

    What was tried are the combinations, and the walk as a way to choose among them. A window's training
    is no further try, and its ratio, of a short stretch, would swell the variance of the trials.

    Parameters
    ----------
    job, family, source
        As in `SearchLog`.
    terms
        Lengths and rules of the walk.
    """

    def __init__(
        self, job: Job, family: str, source: Mapping[str, Any], terms: Mapping[str, Any]
    ) -> None:
        self._family = family
        self._notes = _Notes(job, source, walk=dict(terms))

    def write(self, grid: Grid, trained: Sequence[Floats], returns: Any) -> None:
        """Write the trials.

        Parameters
        ----------
        grid
            The combinations.
        trained
            Scores of all of them, a table (combinations, scores) for each window.
        returns
            Of the sessions out of sample; None where the walk did not come to its end.
        """
        sharpes = np.stack([table[:, SCORES.index("sharpe")] for table in trained])
        known = (~np.isnan(sharpes)).sum(axis=0)
        means = np.nansum(sharpes, axis=0) / np.maximum(known, 1)
        sessions = int(sum(table[0, SCORES.index("sessions")] for table in trained))
        records = [
            self._notes.record(
                combination,
                {
                    "sessions": sessions,
                    "sharpe": float(means[place]) if known[place] else None,
                    "windows": len(trained),
                },
            )
            for place, combination in enumerate(grid)
        ]
        if returns is not None:
            records.append(self._notes.whole(grid.described(), headline(returns)))
        count_trials(self._family, records)
