"""Writing a run into the records: an account of its own, orders, fills, flows, positions, the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mismartera_analytics import auth, clock
from mismartera_analytics.arguments import truth
from mismartera_analytics.backtesting.counting import trial_record
from mismartera_analytics.backtesting.fingerprints import json_value
from mismartera_analytics.backtesting.rerunning import recipe
from mismartera_analytics.backtesting.trial_log import log_trials
from mismartera_analytics.errors import DuplicateError, InvalidInputError, as_given
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Order,
    Position,
    Trial,
)
from mismartera_analytics.models.retrying import repeated, repeated_until_commit
from mismartera_analytics.models.runs import BROKER
from mismartera_analytics.recording.accounts import open_account
from mismartera_analytics.recording.checking import content
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import record_orders
from mismartera_analytics.recording.ownership import UserLike, reading, scope_of
from mismartera_analytics.recording.transactions import writing

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.result import BacktestResult

__all__ = ["BROKER", "check_unused", "save_result"]

_POSITION = (
    "symbol", "quantity", "average_price", "current_price", "market_value", "cost_basis",
    "unrealized_pnl", "day_change", "last_updated",
)  # fmt: skip


@repeated_until_commit(
    "ask for the run by its name: ma.trials() and saved_runs() list what was saved."
)
def save_result(
    result: BacktestResult,
    name: str,
    *,
    user: UserLike | None = None,
    replace: bool = False,
    db_session: Session | None = None,
) -> int:
    """Write a run into the records, in one transaction.

    Parameters
    ----------
    result
        A finished run.
    name
        Of the run, and the number of its account at the broker ``"backtest"``.
    user
        Owner; by default whoever is signed in.
    replace
        Whether a run of the same name and user gives way to this one.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    int
        The account's id.

    Raises
    ------
    InvalidInputError
        If the name is no printable text, or nobody is signed in and no user is given.
    DuplicateError
        If the user has a run of that name and it is not to be replaced; nothing is written.
    UnknownNameError
        If there is no such user.
    NotAllowedError
        If the user is somebody else.
    """
    replace = truth(replace, "replace")
    owner = _owner(user)
    with writing(db_session) as own:
        account_id = open_account(owner, BROKER, account_number=name, db_session=own)
        account = own.get_one(AccountInfo, account_id)
        if not replace:
            _refuse_used(own, name, account.user_id)
        _clear(own, account_id)
        sized = result.orders[(result.orders["quantity"] > 0) & result.orders["side"].notna()]
        record_orders(sized, result.fills, account=account_id, db_session=own)
        record_flows(_flows(result), account=account_id, db_session=own)
        own.add_all(_positions(result, account))
        _balance(result, account)
        run = _log(own, result, name, account)
        _link(own, result, run)
    return account_id


@repeated
def check_unused(name: str, *, user: UserLike | None = None) -> None:
    """Refuse a name that `save_result` would refuse, before anything is run.

    Parameters
    ----------
    name, user
        As in `save_result`.

    Raises
    ------
    DuplicateError, InvalidInputError, UnknownNameError, NotAllowedError
        As in `save_result`.
    """
    with reading(None) as own:
        owner = scope_of(own, user=_owner(user)).user_id
        _refuse_used(own, name, owner)


def _owner(user: UserLike | None) -> UserLike:
    identity = auth.current_user()
    owner = user if user is not None else identity.username if identity else None
    if owner is None:
        raise InvalidInputError(
            "user is missing: name the run's owner, or sign in with ma.as_user(...)."
        )
    return owner


def _refuse_used(db_session: Session, name: str, owner: int | None) -> None:
    """Refuse a name under which the owner has saved a run."""
    run = _run_named(db_session, name, owner)
    if run is not None:
        raise DuplicateError(
            f"name={as_given(name)} is that of a run saved on {run.created_at:%Y-%m-%d %H:%M} UTC; "
            f"choose "
            f"another, or replace it with replace=True."
        )


def _run_named(db_session: Session, name: str, owner: int | None) -> BacktestRun | None:
    """Return the run that somebody has saved under a name."""
    return db_session.scalar(
        select(BacktestRun)
        .where(BacktestRun.name == name, BacktestRun.user_id == owner)
        .order_by(BacktestRun.id)
        .limit(1)
    )


def _clear(db_session: Session, account_id: int) -> None:
    """Remove what an earlier run of the name left in its account."""
    ordered = select(Order.id).where(Order.account_id == account_id)
    db_session.execute(delete(Fill).where(Fill.order_id.in_(ordered)))
    for table in (Order, CashFlow, Position):
        db_session.execute(delete(table).where(table.account_id == account_id))


def _flows(result: BacktestResult) -> pd.DataFrame:
    """Return the deposit at the start, dividends, interest and fees for borrowed shares."""
    dividends = result.dividends_received
    first = result.equity["session"].iloc[0]
    deposit = pd.DataFrame(
        {
            "flow_type": ["DEPOSIT"],
            "occurred_at": [result.began_at],
            "amount": [float(result.config["cash"])],
            "note": [f"begin of the run on {first:%Y-%m-%d}"],
        }
    )
    paid = dividends.assign(flow_type="DIVIDEND")
    parts = [part for part in (deposit, paid, result.financing) if len(part)]
    return pd.concat(parts, ignore_index=True)


def _positions(result: BacktestResult, account: AccountInfo) -> list[Position]:
    rows = content(result.positions, _POSITION)
    return [
        Position(
            user_id=account.user_id, account_id=account.id, **dict(zip(_POSITION, row, strict=True))
        )
        for row in rows
    ]


def _balance(result: BacktestResult, account: AccountInfo) -> None:
    last = result.equity.iloc[-1]
    settings, cash = result.settings, float(last["cash"])
    exposure = float(result.positions["market_value"].abs().sum())
    borrowing = max(settings.limit * float(last["equity"]) - exposure, 0.0)
    account.account_type = settings.account_type
    account.cash_balance = cash
    account.buying_power = borrowing if settings.is_margin else cash
    account.total_value = account.equity = float(last["equity"])
    account.last_synced = last["timestamp"].to_pydatetime()


def _log(
    db_session: Session, result: BacktestResult, name: str, account: AccountInfo
) -> BacktestRun:
    """Write the run's row, over that of an earlier run of the name."""
    run = _run_named(db_session, name, account.user_id)
    values: dict[str, Any] = {
        "account_id": account.id,
        "created_at": clock.utc_now(),
        "config_json": json.dumps({**json_value(result.config), "recipe": recipe(result)}),
        "data_version_json": json.dumps(result.data_version),
        "code_version": result.code_version,
        "seed": result.config["seed"],
        "metrics_json": json.dumps(
            {
                key: None if pd.isna(value) else value
                for key, value in result.metrics["value"].items()
            }
        ),
    }
    if run is None:
        run = BacktestRun(name=name, user_id=account.user_id, **values)
        db_session.add(run)
    for column, value in values.items():
        setattr(run, column, value)
    db_session.flush()
    return run


def _link(db_session: Session, result: BacktestResult, run: BacktestRun) -> None:
    """Note the run on its trial, and no longer on those of what the name held before."""
    stale = update(Trial).where(Trial.run_id == run.id).values(run_id=None)
    db_session.execute(stale)
    family = result.config.get("family")
    if family is not None:
        log_trials(
            family, [trial_record(result)], user=run.user_id, run_id=run.id, db_session=db_session
        )
