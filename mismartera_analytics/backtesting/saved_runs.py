"""The saved runs as frames: all of them, and what is recorded of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import select

from mismartera_analytics import clock, frames
from mismartera_analytics.json_texts import stored_object
from mismartera_analytics.models import BacktestRun
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.sql_tables import OWNED
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import UserLike, reading, scope_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["run_details", "saved_runs"]

_METRICS = {
    "total_return": "total_return",
    "sharpe": "sharpe_ratio",
    "max_drawdown": "max_drawdown",
}


@repeated
def saved_runs(
    *,
    user: UserLike | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return the saved backtests.

    Parameters
    ----------
    user
        Only this user's: a name, an id or a `User`.
    tz
        IANA zone of the instants; UTC by default.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    pandas.DataFrame
        `frames.RUNS`. Inside ``as_user`` only that user's, a superuser's all.

    Raises
    ------
    UnknownNameError, NotAllowedError
        If the user is not known, or somebody who is not a superuser asks for another's.

    Examples
    --------
    >>> with ma.as_user("demo"):
    ...     saved_runs()["name"].tolist()
    ['demo']
    """
    if tz is not None:
        clock.zone(tz)
    with reading(db_session) as own:
        scope = scope_of(own, user=user)
        statement = select(BacktestRun.id)
        if scope.user_id is not None:
            statement = statement.where(*OWNED["backtest_runs"](scope))
        names = ("name", "account_id", "user_id", "created_at", "config_json", "data_version_json",
                 "metrics_json", "code_version", "seed")  # fmt: skip
        columns: dict[str, Any] = {name: getattr(BacktestRun, name) for name in names}
        table = read_frame(own, columns | {"run_id": BacktestRun.id}, statement)
        table["user"] = books.owner_names(own, table["account_id"], table["user_id"])
    configs, metrics, versions = (
        [stored_object(text, what=f"{name} of a saved run") for text in table[name]]
        for name in ("config_json", "metrics_json", "data_version_json")
    )
    for column in ("strategy", "interval", "start", "end"):
        table[column] = pd.Series([config.get(column) for config in configs], dtype="str")
    for column in ("start", "end"):
        table[column] = pd.to_datetime(table[column])
    texts = [", ".join(config.get("symbols", [])) for config in configs]
    table["symbols"] = pd.Series(texts, dtype="str")
    parameters = [json.dumps(config.get("parameters", {})) for config in configs]
    table["parameters"] = pd.Series(parameters, dtype="str")
    digests = [version.get("digest") for version in versions]
    table["data_digest"] = pd.Series(digests, dtype="str")
    for column, metric in _METRICS.items():
        table[column] = pd.Series([values.get(metric) for values in metrics], dtype="float64")
    return frames.RUNS.conform(table, tz=tz)


@repeated
def run_details(
    run: int | str, *, user: UserLike | None = None, db_session: Session | None = None
) -> pd.DataFrame:
    """Return what is recorded of a saved run, line by line.

    Parameters
    ----------
    run
        Its id or its name.
    user
        Whose run.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    pandas.DataFrame
        Texts: ``part`` (run, setting, parameter, data, metric), ``name`` and ``value``.

    Raises
    ------
    UnknownNameError, InvalidInputError, NotAllowedError
        As in `rerun`.
    """
    from mismartera_analytics.backtesting.rerunning import run_row

    with reading(db_session) as own:
        row = run_row(own, run, user=user)
    title = f"of run {row.id}"
    config = stored_object(row.config_json, what=f"config_json {title}")
    config.pop("recipe", None)
    parameters, data = (
        config.pop("parameters", {}),
        stored_object(row.data_version_json, what=f"data_version_json {title}"),
    )
    config.pop("data", None)
    about = {"id": row.id, "name": row.name, "saved": row.created_at.isoformat(),
             "code version": row.code_version}  # fmt: skip
    parts = {"run": about, "setting": config, "parameter": parameters, "data": data,
             "metric": stored_object(row.metrics_json, what=f"metrics_json {title}")}  # fmt: skip
    lines = [
        (part, name, value if isinstance(value, str) else json.dumps(value))
        for part, held in parts.items()
        for name, value in held.items()
    ]
    return pd.DataFrame(lines, columns=["part", "name", "value"], dtype="str")
