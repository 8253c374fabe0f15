"""Cash flows, written in one transaction."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.errors import DuplicateError, as_given
from mismartera_analytics.models import CashFlow
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording.checking import (
    MAX_SYMBOL,
    checked_times,
    content,
    numbers,
    refuse,
    refuse_precision,
    require,
    texts,
)
from mismartera_analytics.recording.ownership import AccountLike, account_of
from mismartera_analytics.recording.transactions import writing

__all__ = ["FLOW_TYPES", "record_flows"]

FLOW_TYPES = (
    "DEPOSIT", "WITHDRAWAL", "DIVIDEND", "INTEREST", "FEE", "TRANSFER", "CASH_IN_LIEU",
)  # fmt: skip
CHUNK = 5_000
COLUMNS = (
    "broker_flow_id", "flow_type", "occurred_at", "amount", "currency", "symbol", "quantity",
    "acquired_on", "note", "time_precision",
)  # fmt: skip


@repeated
def record_flows(
    frame: pd.DataFrame, *, account: AccountLike, db_session: Session | None = None
) -> int:
    """Write cash flows to an account.

    All of it is checked before anything is written. Recording the same again changes nothing: a flow
    is known by its ``broker_flow_id``, else by its whole content and how often it occurs.

    Parameters
    ----------
    frame
        Needs ``flow_type, occurred_at`` (aware), ``amount`` [currency], positive when the account
        receives. Where known ``symbol`` (of a dividend, fee or transfer), ``quantity`` (of a
        transfer of lots, positive when they come in; ``amount`` is then their cost),
        ``acquired_on, broker_flow_id, currency, note, time_precision`` (``"DATE"``
        where only the day is known). Other columns are ignored.
    account
        An account's id, its number, or an `AccountInfo`.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    InvalidOrderError
        If a type is unknown, an amount is missing, not finite or has the wrong sign (a deposit is
        positive, a withdrawal negative), a symbol has over 10 characters, or a currency is not the
        account's. The rows are named.
    NaiveDatetimeError
        If a time has no zone.
    DuplicateError
        If a broker's id is recorded with other content.
    UnknownNameError
        If the account is not known to whoever is signed in.

    Examples
    --------
    >>> import pandas as pd
    >>> ma.record_flows(pd.DataFrame({"flow_type": ["DEPOSIT"], "amount": [10_000.0],
    ...     "occurred_at": [pd.Timestamp("2013-02-28 09:00", tz="America/New_York")]}), account=1)
    1
    """
    checked = _checked(frame)
    with writing(db_session) as own:
        owner = account_of(own, account)
        currency = owner.currency or "USD"
        other = checked["currency"].notna() & (checked["currency"] != currency)
        refuse(other, frame.index, f"flows in another currency than the account's {currency}")
        rows = _new_rows(own, owner.id, content(checked, COLUMNS))
        if rows:
            own.execute(insert(CashFlow), rows)
        return len(rows)


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    argument = "flows"
    require(frame, ("flow_type", "occurred_at", "amount"), argument=argument)
    index = frame.index
    table = pd.DataFrame(index=index)
    table["flow_type"] = texts(frame, "flow_type", argument=argument, length=20)
    table["occurred_at"] = checked_times(frame, "occurred_at", argument=argument)
    for name in ("amount", "quantity"):
        table[name] = numbers(frame, name, argument=argument)
    for name, length in (("symbol", MAX_SYMBOL), ("currency", 3), ("broker_flow_id", 100),
                         ("note", 10_000), ("time_precision", 10)):  # fmt: skip
        table[name] = texts(frame, name, argument=argument, length=length)
    table["acquired_on"] = _dates(frame)
    kind, amount = table["flow_type"], table["amount"]
    refuse(~kind.isin(FLOW_TYPES), index,
           f"flows whose flow_type is not one of {', '.join(FLOW_TYPES)}")  # fmt: skip
    refuse(table["occurred_at"].isna(), index, "flows without occurred_at")
    refuse(amount.isna(), index, "flows without an amount")
    refuse_precision(table["time_precision"], index, "flows")
    refuse((kind == "DEPOSIT") & ~(amount > 0), index, "deposits whose amount is not positive")
    refuse(
        (kind == "WITHDRAWAL") & ~(amount < 0), index, "withdrawals whose amount is not negative"
    )
    moves = table["quantity"].notna() & (table["quantity"] != 0)
    moves_lots = kind.isin(["TRANSFER", "CASH_IN_LIEU"])
    refuse(moves & ~moves_lots, index, "flows with a quantity that move no lots")
    is_lieu = kind == "CASH_IN_LIEU"
    short = ~(table["quantity"] < 0) | ~(amount > 0) | table["symbol"].isna()
    refuse(is_lieu & short, index,
           "cash in lieu needs a symbol, a negative quantity and a positive amount")  # fmt: skip
    refuse(moves & table["symbol"].isna(), index, "transfers of lots without a symbol")
    return table


def _dates(frame: pd.DataFrame) -> Any:
    if "acquired_on" not in frame.columns:
        return pd.Series(None, index=frame.index, dtype=object)
    return pd.Series(
        [None if pd.isna(value) else clock.parse_label(value, argument="acquired_on")
         for value in frame["acquired_on"]], index=frame.index, dtype=object,
    )  # fmt: skip


def _new_rows(
    db_session: Session, account_id: int, rows: list[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    columns = {"account_id": CashFlow.account_id}
    columns |= {name: getattr(CashFlow, name) for name in COLUMNS}
    named = {row[0]: row for row in rows if row[0] is not None}
    if any(row[0] is not None and named[row[0]] != row for row in rows):
        twice = next(row[0] for row in rows if row[0] is not None and named[row[0]] != row)
        raise DuplicateError(
            f"flows hold broker_flow_id={as_given(twice)} twice with other content."
        )
    ids = list(named)
    known: dict[Any, tuple[Any, ...]] = {}
    for first in range(0, len(ids), CHUNK):
        chosen = select(CashFlow.id).where(CashFlow.broker_flow_id.in_(ids[first : first + CHUNK]))
        known |= {row[1]: row for row in _read(db_session, columns, chosen)}
    for name, row in known.items():
        if row != (account_id, *named[name]):
            raise DuplicateError(f"broker_flow_id={as_given(name)} is recorded with other content.")
    nameless = [row for row in rows if row[0] is None]
    counts: dict[tuple[Any, ...], int] = {}
    if nameless:
        own = CashFlow.account_id == account_id
        chosen = select(CashFlow.id).where(own, CashFlow.broker_flow_id.is_(None))
        for row in _read(db_session, columns, chosen):
            counts[row[1:]] = counts.get(row[1:], 0) + 1
    new = [row for name, row in named.items() if name not in known]
    for row in nameless:
        if counts.get(row, 0):
            counts[row] -= 1
        else:
            new.append(row)
    return [{"account_id": account_id} | dict(zip(COLUMNS, row, strict=True)) for row in new]


def _read(db_session: Session, columns: dict[str, Any], chosen: Any) -> list[tuple[Any, ...]]:
    table = read_frame(db_session, columns, chosen)
    table["acquired_on"] = [
        None if pd.isna(value) else dt.date(value.year, value.month, value.day)
        for value in table["acquired_on"].astype(object)
    ]
    table["acquired_on"] = table["acquired_on"].astype(object)
    return content(table.astype({"acquired_on": object}), columns)
