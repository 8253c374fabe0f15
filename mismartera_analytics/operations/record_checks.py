"""Recorded rows examined: what cannot be read, odd values, broken rules, mixed currencies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Float, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from mismartera_analytics.errors import as_given
from mismartera_analytics.frames import SIDES
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    CorporateAction,
    Fill,
    Instrument,
    Order,
)
from mismartera_analytics.operations.findings import SHOWN, Finding, named
from mismartera_analytics.operations.record_rules import UNREADABLE, broken, rules_of
from mismartera_analytics.recording.books import DEFAULT_CURRENCY
from mismartera_analytics.recording.flows import FLOW_TYPES
from mismartera_analytics.recording.orders import FINAL, TOLERANCE, UNKNOWN_TYPE

__all__ = ["KNOWN", "check_records", "check_unreadable", "check_values"]

KNOWN: dict[Any, tuple[str, ...]] = {
    Order.status: ("PENDING", "PARTIALLY_FILLED", *FINAL),
    Order.side: SIDES,
    Order.order_type: ("MARKET", "LIMIT", "STOP", "STOP_LIMIT", "TRAILING_STOP", UNKNOWN_TYPE),
    Order.time_in_force: ("DAY", "GTC", "OPG", "CLS", "IOC", "FOK"),
    Order.time_precision: ("DATE",),
    CashFlow.flow_type: FLOW_TYPES,
    CashFlow.time_precision: ("DATE",),
    AccountInfo.account_type: ("cash", "margin"),
    CorporateAction.action_type: ("SPLIT", "CASH_DIVIDEND", "SYMBOL_CHANGE", "DELISTING"),
}
"""The values that are written today. The sets are open: others load, and are told of."""
_NOUNS = {"orders": "order", "cash_flows": "cash flow", "account_info": "account",
          "corporate_actions": "corporate action"}  # fmt: skip


def check_unreadable(db_session: Session) -> Iterator[Finding]:
    """Yield what cannot be read, so that nothing that rests on it is looked at."""
    rules = rules_of(db_session.get_bind().dialect.name)
    yield from broken(db_session, [rule for rule in rules if rule.check == UNREADABLE])


def check_records(db_session: Session) -> Iterator[Finding]:
    """Yield the rows that break a rule of accounting."""
    rules = rules_of(db_session.get_bind().dialect.name)
    yield from broken(db_session, [rule for rule in rules if rule.check == "records"])
    yield from _beyond_their_order(db_session)
    yield from _other_currencies(db_session)


def check_values(db_session: Session) -> Iterator[Finding]:
    """Yield values outside of the known sets, each with the rows that have it."""
    for table in dict.fromkeys(column.class_ for column in KNOWN):
        columns = [column for column in KNOWN if column.class_ is table]
        rows = db_session.execute(select(*columns, func.count()).group_by(*columns)).all()
        for at, column in enumerate(columns):
            counts: dict[str, int] = {}
            for row in rows:
                if row[at] is not None:
                    counts[row[at]] = counts.get(row[at], 0) + row[-1]
            for value in sorted(set(counts) - set(KNOWN[column])):
                yield _odd(db_session, column, value, counts[value])


def _odd(db_session: Session, column: Any, value: str, count: int) -> Finding:
    table = column.class_
    chosen = select(table.id).where(column == value).order_by(table.id).limit(SHOWN)
    rows = named(_NOUNS[table.__tablename__], db_session.scalars(chosen), count)
    return Finding(
        "values", "note", f"{column.key}={as_given(value)} of {rows} is none of "
                          f"{', '.join(KNOWN[column])}",
        "nothing, if it is a former name; else correct it", count,
    )  # fmt: skip


def _beyond_their_order(db_session: Session) -> Iterator[Finding]:
    """Yield orders whose fills add up to more than the order says."""
    sums = (
        select(Fill.order_id, func.sum(Fill.quantity).label("filled")).group_by(Fill.order_id)
    ).subquery()
    told = func.coalesce(Order.filled_quantity, cast(0.0, Float))
    statement = (
        select(Order.id)
        .join(sums, sums.c.order_id == Order.id)
        .where(sums.c.filled > told + TOLERANCE * Order.quantity)
        .order_by(Order.id)
    )
    ids = list(db_session.scalars(statement))
    if ids:
        yield Finding(
            "records", "error", f"{named('order', ids)}: their fills add up to more than "
            f"filled_quantity", "correct filled_quantity, or delete a fill that stands twice",
            len(ids),
        )  # fmt: skip


def _other_currencies(db_session: Session) -> Iterator[Finding]:
    """Yield what is in another currency than the account that it belongs to."""
    own = func.coalesce(AccountInfo.currency, DEFAULT_CURRENCY)
    flows = (
        select(CashFlow.id)
        .join(AccountInfo, AccountInfo.id == CashFlow.account_id)
        .where(CashFlow.currency.is_not(None), CashFlow.currency != own)
        .order_by(CashFlow.id)
    )
    traded = select(Order.account_id, Order.symbol).where(Order.filled_quantity > 0).distinct()
    pairs = traded.subquery()
    quoted = (
        select(pairs.c.account_id, pairs.c.symbol)
        .join(AccountInfo, AccountInfo.id == pairs.c.account_id)
        .join(Instrument, Instrument.symbol == pairs.c.symbol)
        .where(or_(and_(Instrument.currency.is_not(None), Instrument.currency != own),
                   and_(Instrument.currency.is_(None), own != DEFAULT_CURRENCY)))
        .distinct()
        .order_by(pairs.c.account_id, pairs.c.symbol)
    )  # fmt: skip
    advice = "an account has one currency: move them to an account of theirs"
    ids = list(db_session.scalars(flows))
    if ids:
        what = f"{named('cash flow', ids)}: in another currency than their account"
        yield Finding("records", "error", what, advice, len(ids))
    found = [f"{symbol} in account {number}" for number, symbol in db_session.execute(quoted)]
    if found:
        what = f"{named('symbol', found)}: quoted in another currency than the account"
        yield Finding("records", "error", what, advice, len(found))
