"""Running a recorded backtest again, to the last bit or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import select

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.counting import frame_digests
from mismartera_analytics.backtesting.forms import Instructions
from mismartera_analytics.backtesting.inputs import load_market
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.rebuilding import (
    from_json,
    strategy_from_json,
    strategy_to_json,
    to_json,
)
from mismartera_analytics.backtesting.result import BacktestResult
from mismartera_analytics.backtesting.run import run_on
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import (
    InvalidInputError,
    NotReproducibleError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.json_texts import stored_object
from mismartera_analytics.models import BacktestRun
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.sql_tables import OWNED
from mismartera_analytics.recording.ownership import UserLike, reading, scope_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from mismartera_analytics.backtesting.exchanges import CalendarLike

__all__ = ["recipe", "recorded_market", "rerun", "run_row"]


def recipe(result: BacktestResult) -> dict[str, Any]:
    """Return what `rerun` needs beside the run's configuration, as JSON values.

    Parameters
    ----------
    result
        A finished run. Of frames that were given only digests are kept.

    Returns
    -------
    dict
    """
    instructions = result.instructions
    digests = frame_digests(instructions)
    plain = {
        name: to_json(value)
        for name, value in vars(instructions).items()
        if name != "strategy" and name not in digests and value is not None
    }
    strategy = instructions.strategy
    actions = result.corporate_actions
    return {
        "strategy": None if strategy is None else strategy_to_json(strategy),
        "instructions": plain,
        "frames": digests,
        "settings": {name: to_json(value) for name, value in vars(result.settings).items()},
        "actions": {name: _kept(actions[name]) for name in frames.CORPORATE_ACTIONS.names},
        "result": result.digest(),
    }


def _kept(values: pd.Series[Any]) -> list[Any]:
    known = values.notna().to_numpy()
    texts = values.map(lambda value: value.isoformat()) if values.dtype.kind == "M" else values
    return [value if is_known else None for value, is_known in zip(texts, known, strict=True)]


def rerun(
    run: int | str,
    *,
    strategy: Strategy | type[Strategy] | None = None,
    weights: pd.DataFrame | None = None,
    entries: pd.DataFrame | pd.Series[Any] | None = None,
    exits: pd.DataFrame | pd.Series[Any] | None = None,
    short_entries: pd.DataFrame | pd.Series[Any] | None = None,
    short_exits: pd.DataFrame | pd.Series[Any] | None = None,
    orders: pd.DataFrame | None = None,
    bars: pd.DataFrame | None = None,
    calendar: CalendarLike = None,
    user: UserLike | None = None,
    db_session: Session | None = None,
) -> BacktestResult:
    """Run a saved backtest again: the same bars, actions, rules, code and seed give the same bits.

    The bars are read in the version of the store that the run saw, the corporate actions are those
    that it knew, and the result is compared with the recorded one before it is returned. It is not
    counted as a trial again.

    Parameters
    ----------
    run
        Its id, or the name it was saved under.
    strategy
        The strategy's class, where it came from a notebook's cell; its code must be the same.
    weights, entries, exits, short_entries, short_exits, orders, bars, calendar
        Again, where they were given to `backtest`: of frames only digests are kept, of calendars names.
    user
        Whose run: a name, an id or a `User`.
    db_session
        Where the run is read; by default a connection of its own that cannot write.

    Returns
    -------
    BacktestResult
        The run as it was, to the last bit.

    Raises
    ------
    NotReproducibleError
        If something is missing or is not what it was; the message says what.
    UnknownNameError
        If there is no such run for whoever asks; the nearest name is suggested.
    InvalidInputError
        If several users have a run of the name.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> first = ma.backtest(MovingAverageCross(fast=20), "AAPL", "2004-01-02")
    >>> _ = first.save("cross", user="demo")
    >>> ma.rerun("cross").equity.equals(first.equity)
    True
    """
    given = {
        "weights": weights,
        "entries": entries,
        "exits": exits,
        "short_entries": short_entries,
        "short_exits": short_exits,
        "orders": orders,
    }
    row = _row(run, user=user, db_session=db_session)
    code_version, title = row.code_version, f"run {row.id} ({row.name!r})"
    _, kept = _recorded(row)
    instructions = _instructions(kept, strategy, given)
    rules = {name: from_json(value, argument=name) for name, value in kept["settings"].items()}
    settings = Settings(**rules)
    market, source = _market(row, bars, calendar)
    result = run_on(market, instructions, settings, source=source)
    if result.digest() != kept["result"]:
        changed = (
            f" The library was {code_version} then and is {result.code_version} now."
            if code_version != result.code_version
            else " The strategy may depend on something outside, such as a file or the time."
        )
        raise NotReproducibleError(f"{title} ran again with another result.{changed}")
    return result


@repeated
def _row(run: int | str, *, user: UserLike | None, db_session: Session | None) -> BacktestRun:
    with reading(db_session) as own:
        return run_row(own, run, user=user)


def run_row(db_session: Session, run: int | str, *, user: UserLike | None = None) -> BacktestRun:
    """Return the row of a saved run.

    Parameters
    ----------
    db_session
        Where to read.
    run
        An id or a name.
    user
        Whose.

    Raises
    ------
    UnknownNameError, InvalidInputError, NotAllowedError
        As in `rerun`.
    """
    scope = scope_of(db_session, user=user)
    statement = select(BacktestRun).order_by(BacktestRun.id)
    if scope.user_id is not None:
        statement = statement.where(*OWNED["backtest_runs"](scope))
    if isinstance(run, bool) or not isinstance(run, int | str):
        raise InvalidInputError(f"run={as_given(run)} is neither the id nor the name of a run.")
    column = BacktestRun.name if isinstance(run, str) else BacktestRun.id
    found = list(db_session.scalars(statement.where(column == run)))
    if not found:
        names = [row.name for row in db_session.scalars(statement)]
        hint = suggestion(run, names) if isinstance(run, str) else ""
        raise UnknownNameError(f"run={as_given(run)} is not known{hint or '.'}")
    if len(found) > 1:
        ids = ", ".join(str(row.id) for row in found)
        raise InvalidInputError(
            f"run={as_given(run)} is the name of several runs; pass an id: {ids}."
        )
    return found[0]


def _instructions(kept: dict[str, Any], strategy: Any, given: Mapping[str, Any]) -> Instructions:
    """Return what was traded, from what was kept and the frames given again."""
    held: dict[str, Any] = {
        name: from_json(value, argument=name) for name, value in kept["instructions"].items()
    }
    if kept["strategy"] is not None:
        held["strategy"] = strategy_from_json(kept["strategy"], strategy)
    asked = {name: value for name, value in given.items() if value is not None}
    missing = sorted(set(kept["frames"]) - set(asked))
    if missing:
        again = ", ".join(f"{name}=…" for name in missing)
        raise NotReproducibleError(
            f"frames are not kept, only their digests: pass {again} again, as in the run."
        )
    instructions = Instructions(**held, **asked)
    for name, digest in frame_digests(instructions).items():
        if kept["frames"].get(name) != digest:
            raise NotReproducibleError(f"{name} is not the frame that the run was given.")
    return instructions


def recorded_market(row: BacktestRun) -> Market:
    """Return the market of a saved run, as the run saw it.

    Parameters
    ----------
    row
        Of the run.

    Raises
    ------
    NotReproducibleError
        If its bars were given as a frame, or are not what they were.
    """
    return _market(row, None, None)[0]


def _recorded(row: BacktestRun) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration of a run, and what was kept to run it again."""
    config = stored_object(row.config_json, what=f"config_json of run {row.id}")
    kept = config.get("recipe")
    if kept is None:
        raise NotReproducibleError(
            f"run {row.id} ({row.name!r}) was saved by an older version, which kept too little to "
            f"run it again."
        )
    return config, kept


def _market(
    row: BacktestRun, bars: pd.DataFrame | None, calendar: CalendarLike
) -> tuple[Market, dict[str, Any]]:
    """Return the market as the run saw it, by its digest."""
    title = f"run {row.id} ({row.name!r})"
    version = stored_object(row.data_version_json, what=f"data_version_json of run {row.id}")
    config, kept = _recorded(row)
    if "range" not in config:
        raise NotReproducibleError(f"{title} ran on a market that was not made by backtest.")
    pinned = config["data"]
    if not pinned and bars is None:
        raise NotReproducibleError(f"{title} was given its bars as a frame: pass bars=… again.")
    if calendar is None and "TradingCalendar(" in str(config["calendar"]):
        raise NotReproducibleError(f"{title} was given its calendar: pass calendar=… again.")
    start, end = config["range"]
    try:
        market, source = load_market(
            config["symbols"],
            start,
            end,
            clock.parse_interval(config["interval"]),
            config["calendar"] if calendar is None else calendar,
            bars,
            _actions(kept["actions"]),
            pinned=pinned if bars is None else None,
        )
    except (UnknownNameError, InvalidInputError) as error:
        raise NotReproducibleError(f"{title}: its bars are not there any more: {error}") from error
    if market.digest() != version.get("digest"):
        where = "bars" if bars is not None else f"the store {pinned['store']!r}"
        raise NotReproducibleError(
            f"{title}: the bars of {where}, or the calendar's hours, are not what the run saw."
        )
    names = ("calendar", "range", "family", "made_by")
    return market, {name: config[name] for name in names if name in config} | {"data": source}


def _actions(stored: dict[str, list[Any]]) -> pd.DataFrame:
    table: dict[str, Any] = dict(stored)
    for column in frames.CORPORATE_ACTIONS.columns:
        if column.dtype in ("instant", "label"):
            texts = pd.Series(stored[column.name], dtype="str")
            is_instant = column.dtype == "instant"
            table[column.name] = pd.to_datetime(texts, format="ISO8601", utc=is_instant)
    return frames.CORPORATE_ACTIONS.conform(pd.DataFrame(table))
