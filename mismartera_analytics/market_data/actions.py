"""Corporate actions: splits, cash dividends, changes of symbol and delistings, in the database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from sqlalchemy import or_, select

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import float_or_nan, is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import check_table, is_missing
from mismartera_analytics.market_data.identities import check_changes
from mismartera_analytics.market_data.layout import SYMBOL_RULE, check_symbols, is_symbol
from mismartera_analytics.market_data.renames import read_changes
from mismartera_analytics.models import database
from mismartera_analytics.models.instruments import CorporateAction
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.turns import take_turn

__all__ = ["ACTION_TYPES", "corporate_actions", "record_actions", "record_rows"]

SHOWN_FAULTS = 5
ACTION_TYPES = ("SPLIT", "CASH_DIVIDEND", "SYMBOL_CHANGE", "DELISTING")
_NEEDED = ("symbol", "action_type", "ex_date")
_USED_BY = {
    "SPLIT": "ratio",
    "CASH_DIVIDEND": "amount",
    "SYMBOL_CHANGE": "new_symbol",
    "DELISTING": "amount",
}
_LENGTHS = {"currency": 3, "source": 100}
_CONTENT = ("ratio", "amount", "currency", "new_symbol", "known_at", "source")


def record_actions(frame: pd.DataFrame) -> int:
    """Record corporate actions; recording them again changes nothing.

    Parameters
    ----------
    frame
        Columns `symbol`, `action_type` (SPLIT, CASH_DIVIDEND, SYMBOL_CHANGE or DELISTING), `ex_date`
        (a label; of a delisting the first session without trading); `ratio` [new/old] of splits,
        `amount` [currency/share] of dividends, `new_symbol` of changes; perhaps the `amount` that a
        share brought at its delisting, `currency`, `known_at` (aware) and `source`.

    Returns
    -------
    int
        How many actions are new or differ from what was recorded for the same symbol, type and
        ex-date; those are replaced.

    Raises
    ------
    InvalidInputError
        If a column or value is missing or not allowed, or changes of symbol contradict each other,
        recorded ones included; nothing is recorded.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> record_actions(pd.DataFrame({"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date":
    ...     ["2014-06-09"], "ratio": 7.0}))
    1
    >>> ma.bars("AAPL", "1d", "2013-03-01", adjust="split")["close"].round(2).tolist()
    [61.5]
    """
    check_table(frame, argument="corporate actions")
    missing = [name for name in _NEEDED if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"corporate actions lack the columns {missing}.")
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return record_rows({f"corporate action {i}": row for i, row in enumerate(rows, start=1)})


@repeated
def record_rows(rows: Mapping[str, Mapping[Any, Any]]) -> int:
    """Record actions by what names each in errors: a position, or a line of a file.

    Parameters
    ----------
    rows
        Columns as in `record_actions`, by the row's name.

    Returns
    -------
    int
        As `record_actions`.

    Raises
    ------
    InvalidInputError
        Naming every bad row, up to five; nothing is recorded.
    """
    given = _all_checked(rows)
    if not given:
        return 0
    changed = 0
    with database.session_scope() as db_session:
        take_turn(db_session)
        names = sorted({action["symbol"] for action in given})
        stored = db_session.scalars(
            select(CorporateAction).where(CorporateAction.symbol.in_(names))
        )
        known = {(a.symbol, a.action_type, a.ex_date): a for a in stored}
        for action in given:
            key = (action["symbol"], action["action_type"], action["ex_date"])
            row = known.get(key)
            if row is None:
                known[key] = row = CorporateAction(**action)
                db_session.add(row)
                changed += 1
            elif any(getattr(row, name) != action[name] for name in _CONTENT):
                for name in _CONTENT:
                    setattr(row, name, action[name])
                changed += 1
        if any(action["action_type"] == "SYMBOL_CHANGE" for action in given):
            db_session.flush()
            check_changes(sorted(read_changes(db_session)))
    return changed


@repeated
def corporate_actions(
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    *,
    as_of: clock.InstantLike | None = None,
) -> pd.DataFrame:
    """Return recorded corporate actions.

    Parameters
    ----------
    symbols
        One or several; every symbol by default.
    start, end
        Ex-dates, both included; None means open.
    as_of
        Only what was known at this instant. An action without `known_at` counts as known from its
        ex-date's 00:00 UTC on, which lies between the session before and its own open nearly
        everywhere.

    Returns
    -------
    pandas.DataFrame
        As `frames.CORPORATE_ACTIONS`.

    Raises
    ------
    InvalidInputError
        If an argument is malformed.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> ma.bars("AAPL", "1d", "2005-02-25", "2005-02-28")["close"].tolist()
    [88.99, 44.86]
    >>> corporate_actions("AAPL")[["symbol", "action_type", "ex_date", "ratio"]]
      symbol action_type    ex_date  ratio
    0   AAPL       SPLIT 2000-06-21    2.0
    1   AAPL       SPLIT 2005-02-28    2.0
    >>> len(corporate_actions("AAPL", as_of="2005-01-01T00:00:00Z"))
    1
    """
    table = CorporateAction.__table__.c
    query = select(*(table[name] for name in frames.CORPORATE_ACTIONS.names))
    if symbols is not None:
        query = query.where(table.symbol.in_(check_symbols(symbols)))
    if start is not None:
        query = query.where(table.ex_date >= clock.parse_label(start, argument="start"))
    if end is not None:
        query = query.where(table.ex_date <= clock.parse_label(end, argument="end"))
    if as_of is not None:
        moment = clock.parse_instant(as_of, argument="as_of")
        on_ex_date = table.known_at.is_(None) & (table.ex_date <= moment.date())
        query = query.where(or_(table.known_at <= moment, on_ex_date))
    with database.read_session() as db_session:
        rows = db_session.execute(query).all()
    found = pd.DataFrame(rows, columns=frames.CORPORATE_ACTIONS.names)
    return frames.CORPORATE_ACTIONS.conform(found)


def _all_checked(rows: Mapping[str, Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return the columns of all actions, or one error for all that are bad or contradict another."""
    checked: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    faults = []
    for where, row in rows.items():
        try:
            action = _checked(where, row)
        except InvalidInputError as error:
            faults.append(error)
            continue
        key = (action["symbol"], action["action_type"], action["ex_date"])
        earlier, known = checked.setdefault(key, (where, action))
        if known != action:
            faults.append(
                InvalidInputError(f"{where} contradicts {earlier}: {' '.join(map(str, key))}.")
            )
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = " ".join(str(fault) for fault in faults[:SHOWN_FAULTS])
        more = " …" if len(faults) > SHOWN_FAULTS else ""
        raise InvalidInputError(f"{len(faults)} corporate actions are bad: {told}{more}")
    return [action for _, action in checked.values()]


def _checked(where: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the columns of one action, or an error that names the row."""
    if not is_symbol(row["symbol"]):
        raise InvalidInputError(
            f"{where}: symbol={as_given(row['symbol'])} is no symbol: {SYMBOL_RULE}."
        )
    kind = row["action_type"]
    if not is_one_of(kind, ACTION_TYPES):
        raise InvalidInputError(
            f"{where}: action_type={as_given(kind)} must be one of {', '.join(ACTION_TYPES)}."
        )
    action = {name: _present(row.get(name)) for name in _CONTENT}
    needed = _USED_BY[kind]
    for name in _USED_BY.values():  # a file has a column for each, whatever the action
        action[name] = action[name] if name == needed else None
    if kind == "DELISTING":
        action[needed] = _cash_price(action[needed], f"{where} ({kind}): {needed}")
    elif kind == "SYMBOL_CHANGE":
        if not is_symbol(action[needed]):
            raise InvalidInputError(
                f"{where} ({kind}): new_symbol={as_given(action[needed])} is no symbol: {SYMBOL_RULE}."
            )
    else:
        action[needed] = _positive(action[needed], f"{where} ({kind}): {needed}")
    for name, most in _LENGTHS.items():
        if action[name] is not None and not (
            isinstance(action[name], str) and len(action[name]) <= most
        ):
            raise InvalidInputError(
                f"{where}: {name}={as_given(action[name])} must be text of at most {most} characters."
            )
    if action["known_at"] is not None:
        action["known_at"] = clock.parse_instant(
            action["known_at"], argument=f"known_at of {where}"
        )
    return {
        "symbol": row["symbol"],
        "action_type": kind,
        "ex_date": clock.parse_label(row["ex_date"], argument=f"ex_date of {where}"),
        **action,
    }


def _present(value: Any) -> Any:
    return None if is_missing(value) else value


def _positive(value: Any, name: str) -> float:
    number = float_or_nan(value)
    if not (math.isfinite(number) and number > 0):
        raise InvalidInputError(f"{name}={as_given(value)} must be a positive number.")
    return number


def _cash_price(value: Any, name: str) -> float | None:
    """Return what a share brings, which may be nothing, or None where nobody said."""
    if value is None:
        return None
    number = float_or_nan(value)
    if not (math.isfinite(number) and number >= 0):
        raise InvalidInputError(
            f"{name}={as_given(value)} must be a number of at least 0, or missing for the last close."
        )
    return number
