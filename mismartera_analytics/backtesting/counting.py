"""Counting runs: each run of a strategy family leaves a trial."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics import config
from mismartera_analytics.backtesting.fingerprints import code_hash, frame_digest
from mismartera_analytics.errors import (
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    InvalidInputError,
    StorageError,
    as_given,
)
from mismartera_analytics.models.database import require_current

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.forms import Instructions
    from mismartera_analytics.backtesting.market import Market
    from mismartera_analytics.backtesting.result import BacktestResult
    from mismartera_analytics.backtesting.settings import Settings
    from mismartera_analytics.backtesting.trial_log import TrialRecord

__all__ = [
    "MAX_FAMILY",
    "check_family",
    "count_run",
    "count_trials",
    "described_settings",
    "family_of",
    "frame_digests",
    "trial_record",
]

MAX_FAMILY = 200

logger = logging.getLogger(__name__)
_NOT_SETTINGS = {"strategy", "parameters", "data", "family", "range", "made_by"}
_UNCOUNTED = (DatabaseBusyError, DatabaseNotReadyError, DatabaseUnreachableError, StorageError)
_told: set[tuple[str, type[Exception]]] = set()


def check_family(family: object) -> None:
    """Refuse what cannot be the name of a family.

    Raises
    ------
    InvalidInputError
        If it is blank, too long or no text.
    """
    if not isinstance(family, str) or not family.strip() or len(family) > MAX_FAMILY:
        raise InvalidInputError(
            f"family={as_given(family)} must be text of 1 to {MAX_FAMILY} characters."
        )


def family_of(instructions: Instructions, family: str | None) -> str | None:
    """Return the family in which a run counts: the one named, else that of its strategy's class.

    Parameters
    ----------
    instructions
        What is traded.
    family
        As the caller named it.

    Returns
    -------
    str or None
        None for frames without a family named.

    Raises
    ------
    InvalidInputError
        If the name cannot be one.
    """
    if family is not None:
        check_family(family)
        return family
    strategy = instructions.strategy
    return None if strategy is None else type(strategy).__name__


def count_run(result: BacktestResult, family: str) -> None:
    """Record a run as a trial of a family, once however often it is run.

    Without a database that can be written the run is not counted; that is said by logging, once for
    each database and cause. No database is created.

    Parameters
    ----------
    result
        A finished run.
    family
        As `family_of` gives it.
    """
    count_trials(family, [trial_record(result)])


def count_trials(family: str, records: Sequence[TrialRecord]) -> None:
    """Record trials of a family; what keeps them from being recorded is said once, as in `count_run`.

    Parameters
    ----------
    family
        As `family_of` gives it.
    records
        The trials.
    """
    from mismartera_analytics.backtesting.trial_log import log_trials

    try:
        require_current()
        log_trials(family, records)
    except _UNCOUNTED as error:
        cause = (config.settings().database_url, type(error))
        if cause not in _told:
            _told.add(cause)
            what = "this run was" if len(records) == 1 else f"{len(records):,} runs were"
            logger.warning("%s not counted as a trial of %r: %s", what, family, error)


def trial_record(result: BacktestResult) -> TrialRecord:
    """Return what is recorded of a run.

    Parameters
    ----------
    result
        A finished run.

    Returns
    -------
    TrialRecord
        Its settings are the run's configuration, with digests of the frames given; of frames that a
        search's function made, the function and its parameters stand for them. Its result is the
        headline of its returns. Where no metric takes them, as of an account that lost more than it
        had, it is only how many there are.
    """
    from mismartera_analytics.backtesting.trial_log import TrialRecord, headline

    try:
        found = headline(result.returns)
    except InvalidInputError:
        found = {**dict.fromkeys(headline([])), "sessions": len(result.returns)}
    settings = _kept(result.config)
    made_by = result.config.get("made_by")
    if made_by is not None:
        return TrialRecord(
            parameters=made_by["parameters"],
            data_version=result.data_version,
            settings=settings | {"size": made_by["size"]},
            code_hash=made_by["code_hash"],
            result=found,
        )
    strategy = result.instructions.strategy
    return TrialRecord(
        parameters=result.config["parameters"],
        data_version=result.data_version,
        settings=settings | frame_digests(result.instructions),
        code_hash=None if strategy is None else code_hash(strategy),
        result=found,
    )


def described_settings(
    market: Market, settings: Settings, source: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings that `trial_record` notes of a strategy's run, before it is run.

    Parameters
    ----------
    market, settings, source
        As in `run.run_on`.

    Returns
    -------
    dict
        JSON values.
    """
    from mismartera_analytics.backtesting.run import described_run

    return _kept(described_run(market, settings, source))


def _kept(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in _NOT_SETTINGS}


def frame_digests(instructions: Instructions) -> dict[str, Any]:
    """Return the digests of the frames that say what to trade, by argument; empty for a strategy."""
    return {
        name: frame_digest(value)
        for name, value in vars(instructions).items()
        if isinstance(value, pd.DataFrame | pd.Series)
    }
