"""Brokers' files into the records, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    as_given,
    suggestion,
)
from mismartera_analytics.models import AccountInfo
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording.brokers.combining import combine
from mismartera_analytics.recording.brokers.files import KNOWN, Source, kind_of, read_sources
from mismartera_analytics.recording.brokers.statement import Statement
from mismartera_analytics.recording.brokers.summary import Imported
from mismartera_analytics.recording.brokers.writing import write_rows
from mismartera_analytics.recording.ownership import AccountLike, account_of
from mismartera_analytics.recording.transactions import writing

__all__ = ["BROKERS", "import_orders"]

BROKERS = ("schwab", "alpaca")
"""Brokers whose files are read without a mapping."""


@repeated
def import_orders(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    account: AccountLike,
    broker: str | None = None,
    mapping: Mapping[str, str] | None = None,
    tz: str | None = None,
    unsupported: Literal["skip", "refuse"] = "skip",
    db_session: Session | None = None,
) -> Imported:
    r"""Read brokers' files into the records: orders, fills, cash flows, splits, changes of symbol.

    All files are read and checked before anything is written, and it is written in one transaction.
    Importing the same again changes nothing, and files may overlap.

    Parameters
    ----------
    paths
        One file or several: Charles Schwab's transactions (CSV or JSON), Alpaca's orders and account
        activities (JSON), or with `mapping` any CSV of trades.
    account
        An account's id, its number, or an `AccountInfo`.
    broker
        ``"schwab"`` or ``"alpaca"``: whose files they must be; by default the account's broker. With
        `mapping` any name.
    mapping
        From ``symbol, quantity, price, filled_at`` and perhaps ``side, commission, order_id,
        order_type`` to the columns of a CSV.
    tz
        With `mapping`: IANA zone of times that have none.
    unsupported
        What to do with rows that the records have no form for (options, bonds, mergers): ``"skip"``
        lists them in the summary, ``"refuse"`` refuses the import.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    Imported
        What is new, what was known, and what was skipped and why.

    Raises
    ------
    InvalidOrderError
        If a file is of another broker or account, is cut off, or a row breaks a rule: a number that
        is none, more filled than ordered, a fill without a price, a trade that does not add up. File
        and line are named.
    DuplicateError
        If a broker's id is recorded, or stands twice in the files, with other content.
    StorageError
        If a file cannot be read.
    UnknownNameError
        If the account is not known to whoever is signed in.
    InvalidInputError
        If an argument is malformed.

    Examples
    --------
    >>> file = ma.settings().home / "trades.csv"
    >>> _ = file.write_text("Day,What,Ticker,Shares,Price\n02/28/2013,Bought,IBM,10,200.25\n")
    >>> columns = {"symbol": "Ticker", "side": "What", "quantity": "Shares", "price": "Price",
    ...            "filled_at": "Day"}
    >>> ma.import_orders(file, account=1, broker="other", mapping=columns)
    Imported trades.csv into account 1:
      new      1 order
      days     1 row has no time of day; the close is taken
      next     ma.refresh_positions(1), or refresh-positions --account 1, takes it into positions
    >>> ma.import_orders(file, account=1, broker="other", mapping=columns).known
    1
    """
    _check_arguments(broker, mapping, tz, unsupported)
    sources = read_sources(paths)
    with writing(db_session) as own:
        owner = account_of(own, account)
        statements = [_read(one, owner, broker, mapping, tz) for one in sources]
        for one, statement in zip(sources, statements, strict=True):
            _check_account(one, statement, owner)
        joined, double = combine(statements)
        if unsupported == "refuse" and joined.skipped:
            first = joined.skipped[0]
            raise InvalidOrderError(
                f"{first.place}: {first.what}: {first.reason} ({len(joined.skipped)} such rows; "
                f"unsupported='skip' leaves them out)."
            )
        return write_rows(own, owner, joined, tuple(one.name for one in sources), double)


def _check_arguments(
    broker: str | None, mapping: Mapping[str, str] | None, tz: str | None, unsupported: str
) -> None:
    if not is_one_of(unsupported, ("skip", "refuse")):
        raise InvalidInputError(f"unsupported={as_given(unsupported)} is not one of skip, refuse.")
    if tz is not None:
        clock.zone(tz)
    if broker is not None and not isinstance(broker, str):
        raise InvalidInputError(f"broker={as_given(broker)} must be the name of a broker.")
    if mapping is not None:
        from mismartera_analytics.recording.brokers.mapped import check_mapping

        check_mapping(mapping)
    elif broker is not None and broker not in BROKERS:
        hint = suggestion(broker, BROKERS) or "; other files need a mapping of their columns."
        raise InvalidInputError(
            f"broker={as_given(broker)} is not one of {', '.join(BROKERS)}{hint}"
        )


def _read(
    source: Source,
    owner: AccountInfo,
    broker: str | None,
    mapping: Mapping[str, str] | None,
    tz: str | None,
) -> Statement:
    if mapping is not None:
        from mismartera_analytics.recording.brokers.mapped import read_mapped

        return read_mapped(source, mapping, broker=broker or owner.broker, tz=tz)
    kind, looks = kind_of(source)
    wanted = broker or (owner.broker if owner.broker in BROKERS else None)
    if kind is None or kind.split()[1] in ("positions", "account"):
        advice = "reconcile() compares it with the records" if kind else (
            "Schwab's transactions and Alpaca's orders and activities are read; any other CSV of "
            "trades needs mapping= (--column on the command line)"
        )  # fmt: skip
        raise InvalidOrderError(f"{source.name} looks like {looks}; {advice}.")
    if wanted is not None and kind.split()[0] != wanted and source.json != []:
        asked = (
            f"broker={as_given(broker)}"
            if broker
            else f"the account {owner.id} is at {owner.broker!r}"
        )
        raise InvalidOrderError(
            f"{source.name} looks like {KNOWN[kind]}, but {asked}; name the account and the broker "
            f"that it belongs to."
        )
    return _reader(kind)(source)


def _reader(kind: str) -> Callable[[Source], Statement]:
    if kind == "schwab transactions":
        from mismartera_analytics.recording.brokers.schwab import read_schwab

        return read_schwab
    if kind == "alpaca orders":
        from mismartera_analytics.recording.brokers.alpaca_orders import read_alpaca_orders

        return read_alpaca_orders
    from mismartera_analytics.recording.brokers.alpaca_activities import read_alpaca_activities

    return read_alpaca_activities


def _check_account(source: Source, statement: Statement, owner: AccountInfo) -> None:
    """Refuse a file whose account's last digits are not those of the account's number."""
    hint = statement.account_hint
    digits = "".join(char for char in owner.account_number or "" if char.isdigit())
    if hint is not None and len(digits) >= len(hint) and not digits.endswith(hint):
        raise InvalidOrderError(
            f"{source.name} belongs to an account that ends in {hint}, but the account {owner.id} has "
            f"the number {owner.account_number!r}."
        )
