"""Trials: every run of a strategy family, kept so that the number of tries is known."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mismartera_analytics import auth, clock, frames
from mismartera_analytics.backtesting.counting import check_family
from mismartera_analytics.backtesting.fingerprints import code_hash, json_value
from mismartera_analytics.errors import suggestion
from mismartera_analytics.json_texts import stored_json, stored_object
from mismartera_analytics.models import BacktestRun, Trial
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.sql_tables import OWNED
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import Scope, UserLike, reading, scope_of
from mismartera_analytics.recording.transactions import writing

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

__all__ = [
    "TrialRecord",
    "code_hash",
    "families",
    "headline",
    "headlines",
    "log_trials",
    "logged_results",
    "recorded_trials",
    "trials",
]

logger = logging.getLogger(__name__)
_CHUNK = 500  # keys asked for at a time: SQLite takes 999 values in older builds
_FIGURES = ("sessions", "sharpe", "skew", "kurtosis", "total_return", "max_drawdown")


@dataclass(frozen=True)
class TrialRecord:
    """One try: what went in and what came out.

    Attributes
    ----------
    parameters
        Of the strategy.
    data_version
        Digest of the bars and actions (``digest``), and of the bar store also its version.
    settings
        Symbols, range, interval and rules; records of one sweep may share the object.
    code_hash
        `code_hash` of the strategy, None for frames.
    result
        What `headline` gives, and whatever else is to be kept.
    """

    parameters: Mapping[str, Any]
    data_version: Mapping[str, Any]
    settings: Mapping[str, Any]
    code_hash: str | None
    result: Mapping[str, Any] = field(default_factory=dict)


def headline(returns: Any) -> dict[str, float | None]:
    """Return what is recorded of a trial's returns.

    Parameters
    ----------
    returns
        Simple return of each session [1], shape (n,); NaN is left out.

    Returns
    -------
    dict
        ``sessions`` (how many returns), ``sharpe`` (mean over sample deviation of one session's
        return, NOT annualised), ``skew``, ``kurtosis`` (excess, both corrected for the sample's size),
        ``total_return``, ``max_drawdown``. What is not defined is None.

    Raises
    ------
    InvalidInputError
        If the input breaks a rule of `performance.observations`.

    Examples
    --------
    >>> headline([0.02, 0.0, -0.01])["sessions"]
    3
    """
    return headlines(np.asarray(returns, np.float64).reshape(-1, 1))[0]


def headlines(returns: Any) -> list[dict[str, float | None]]:
    """Return `headline` of each column of a matrix of returns (n, k), in one go.

    Parameters
    ----------
    returns
        Simple returns [1], one trial a column.

    Returns
    -------
    list of dict
        One for each column.

    Raises
    ------
    InvalidInputError
        As in `headline`.

    Examples
    --------
    >>> [row["sessions"] for row in headlines(np.zeros((4, 2)))]
    [4, 4]
    """
    from mismartera_analytics.performance import distribution, metrics

    matrix = np.asfortranarray(returns, np.float64)  # so that a column alone gives the same bits
    columns = {
        "sessions": (~np.isnan(matrix)).sum(axis=0),
        "sharpe": metrics.sharpe_ratio(matrix, periods_per_year=1.0),
        "skew": distribution.skew(matrix),
        "kurtosis": distribution.kurtosis(matrix),
        "total_return": metrics.total_return(matrix),
        "max_drawdown": metrics.max_drawdown(matrix),
    }
    rows = zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, map(_known, row), strict=True)) for row in rows]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


@repeated
def log_trials(
    family: str,
    records: Iterable[TrialRecord],
    *,
    user: UserLike | None = None,
    run_id: int | None = None,
    db_session: Session | None = None,
) -> None:
    """Record trials of a family, in one transaction. One that is recorded already counts once.

    Two trials are the same if owner, family, parameters, settings, code and data are: of the data the
    digest counts, where there is one.

    Parameters
    ----------
    family
        At most 200 characters.
    records
        The trials; a sweep hands them over in batches.
    user
        Whose; by default whoever is signed in, else nobody's.
    run_id
        The saved run that they belong to; it is noted on trials recorded already, too. Such trials
        that were recorded while nobody was signed in become the user's.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Raises
    ------
    InvalidInputError
        If the family is blank or too long; nothing is written.
    UnknownNameError, NotAllowedError
        If the user is not known, or is somebody else.
    DatabaseNotReadyError
        If the database has no tables yet.
    """
    check_family(family)
    kept = list(records)
    if not kept:
        return
    now = clock.utc_now()
    with writing(db_session) as own:
        owner = _owner(own, user)
        known = {"family": family, "run_id": run_id, "user_id": owner, "recorded_at": now}
        rows = [{**known, **row} for row in _rows(family, owner, kept)]
        insert = sqlite.insert if own.get_bind().dialect.name == "sqlite" else postgresql.insert
        statement: Any = insert(Trial)
        if run_id is None:
            statement = statement.on_conflict_do_nothing(index_elements=["trial_key"])
        else:
            if owner is not None and auth.current_user() is None:
                nobodys = [row["trial_key"] for row in _rows(family, None, kept)]
                own.execute(delete(Trial).where(Trial.trial_key.in_(nobodys)))
            statement = statement.on_conflict_do_update(
                index_elements=["trial_key"], set_={"run_id": run_id}
            )
        own.connection().execute(statement, rows)


@repeated
def logged_results(
    family: str,
    records: Sequence[TrialRecord],
    *,
    user: UserLike | None = None,
    db_session: Session | None = None,
) -> list[dict[str, Any] | None]:
    """Return what is recorded of trials: the way for a search to go on where it was interrupted.

    Parameters
    ----------
    family, records, user
        As in `log_trials`; the records' own results are not looked at.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    list
        The recorded result of each record, None of those that are not recorded.

    Raises
    ------
    InvalidInputError, UnknownNameError, NotAllowedError, DatabaseNotReadyError
        As in `log_trials`.
    """
    check_family(family)
    with reading(db_session) as own:
        owner = _owner(own, user)
        keys = [row["trial_key"] for row in _rows(family, owner, records)]
        found: dict[str | None, str | None] = {}
        for first in range(0, len(keys), _CHUNK):
            chunk = keys[first : first + _CHUNK]
            statement = select(Trial.trial_key, Trial.result_json).where(Trial.trial_key.in_(chunk))
            found |= {row[0]: row[1] for row in own.execute(statement)}
    texts = [found.get(key) for key in keys]
    what = "result_json of a trial"
    return [None if text is None else stored_json(text, what=what) for text in texts]


@repeated
def trials(
    family: str | None = None,
    *,
    user: UserLike | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return the trials recorded: one row for each different run of a strategy family.

    Parameters
    ----------
    family
        Only this one; all by default.
    user
        Only this user's: a name, an id or a `User`.
    tz
        IANA zone of the instants; UTC by default.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    pandas.DataFrame
        `frames.TRIALS`, empty where nothing was recorded. Inside ``as_user`` only that user's, a
        superuser's all. ``json_normalize(frame["parameters"].map(json.loads))`` spreads parameters
        over columns. Where a family has no trial but another's name is near, a warning names that.

    Raises
    ------
    InvalidInputError
        If the family is blank or too long.
    UnknownNameError, NotAllowedError
        If the user is not known, or somebody who is not a superuser asks for another's.
    DatabaseNotReadyError
        If the database has no tables yet.

    Examples
    --------
    >>> ma.trials("NeverTried").empty
    True
    """
    if tz is not None:
        clock.zone(tz)
    if family is not None:
        check_family(family)
    with reading(db_session) as own:
        found = recorded_trials(own, family, user=user, tz=tz)
        if family is not None and found.empty:
            hint = suggestion(family, families(own, user=user))
            if hint:
                logger.warning("no trial of family=%r%s", family, hint)
    return found


def families(db_session: Session, *, user: UserLike | None = None) -> list[str]:
    """Return the families of which there are trials, sorted."""
    names = _seen(select(Trial.family), scope_of(db_session, user=user))
    return sorted(db_session.scalars(names.distinct()))


def _seen(statement: Select[Any], scope: Scope) -> Select[Any]:
    """Return a statement on trials narrowed to those of a scope."""
    joined = statement.outerjoin(BacktestRun, BacktestRun.id == Trial.run_id)
    return joined if scope.user_id is None else joined.where(*OWNED["trials"](scope))


def recorded_trials(
    db_session: Session,
    family: str | None = None,
    *,
    user: UserLike | None = None,
    tz: str | None = None,
) -> pd.DataFrame:
    """Return what `trials` returns, without a word about names that are near."""
    statement = _seen(select(Trial.id), scope_of(db_session, user=user))
    if family is not None:
        statement = statement.where(Trial.family == family)
    table = read_frame(db_session, _columns(), statement)
    table["user"] = books.owner_names(db_session, table["account_id"], table["user_id"])
    results = [stored_object(text, what="result_json of a trial") for text in table["result"]]
    versions = [stored_object(text, what="data_version_json of a trial") for text in table["data"]]
    for name in _FIGURES:
        values = pd.Series([result.get(name) for result in results], dtype="float64")
        table[name] = values.astype("Int64") if name == "sessions" else values
    table["data_digest"] = pd.Series([v.get("digest") for v in versions], dtype="str")
    return frames.TRIALS.conform(table, tz=tz)


def _columns() -> dict[str, Any]:
    return {
        "trial_id": Trial.id,
        "user_id": Trial.user_id,
        "account_id": BacktestRun.account_id,
        "family": Trial.family,
        "recorded_at": Trial.recorded_at,
        "parameters": Trial.parameters_json,
        "settings": Trial.settings_json,
        "data": Trial.data_version_json,
        "code_hash": Trial.code_hash,
        "result": Trial.result_json,
        "run": BacktestRun.name,
    }


def _owner(db_session: Session, user: UserLike | None) -> int | None:
    if user is not None:
        return scope_of(db_session, user=user).user_id
    identity = auth.current_user()
    return identity.user_id if identity else None


def _rows(
    family: str, owner: int | None, records: Iterable[TrialRecord]
) -> Iterator[dict[str, Any]]:
    """Yield the columns of each record, its key among them; what records share is written once."""
    texts: dict[int, str] = {}
    shared: list[Any] = []  # keeps objects alive, so that their ids stay theirs

    def once(value: Mapping[str, Any]) -> str:
        if id(value) not in texts:
            shared.append(value)
            texts[id(value)] = _text(value)
        return texts[id(value)]

    for record in records:
        parameters, settings = _text(record.parameters), once(record.settings)
        version = once(record.data_version)
        data = record.data_version.get("digest") or version
        made_of = (str(owner), family, parameters, settings, data, record.code_hash or "")
        yield {
            "parameters_json": parameters,
            "data_version_json": version,
            "settings_json": settings,
            "code_hash": record.code_hash,
            "result_json": _text(record.result),
            "trial_key": hashlib.sha256("\0".join(made_of).encode()).hexdigest(),
        }


_encode = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, default=json_value
).encode


def _text(value: Mapping[str, Any]) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError):  # odd keys, or numbers that JSON does not have
        return _encode(json_value(value))
