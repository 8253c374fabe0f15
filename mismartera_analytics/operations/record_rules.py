"""The rules that recorded rows keep: conditions that find the rows that break them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    Float,
    Integer,
    String,
    Time,
    and_,
    case,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from mismartera_analytics.clock import FIRST_RECORD, UTC
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    CorporateAction,
    Fill,
    Instrument,
    MarketData,
    Order,
    Position,
    load_mappings,
)
from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import UTCDateTime
from mismartera_analytics.operations.findings import SHOWN, Finding, Severity, named
from mismartera_analytics.recording.orders import TOLERANCE, UNKNOWN_TYPE

__all__ = ["UNREADABLE", "Rule", "broken", "is_in_doubt", "rules_of"]

UNREADABLE = "columns"
"""Check of the rows that cannot be read at all."""
_EARLIEST = dt.datetime.combine(FIRST_RECORD, dt.time(), UTC)
_AFTER_LATEST = dt.datetime(2201, 1, 1, tzinfo=UTC)
"""Times outside are mistaken: nobody's records, and beyond what calendars can be reckoned for."""
_FIRST, _LAST = dt.datetime(1, 1, 2, tzinfo=UTC), dt.datetime(9999, 12, 30, tzinfo=UTC)
"""Times that Python holds in every zone."""
_LARGEST = 1.7976931348623157e308
_LONGEST_SYMBOL = 10
_OURS = "mismartera_analytics."


@dataclass(frozen=True)
class Rule:
    """A rule, and what is said of the rows that break it: ``{rows}`` stands for their names."""

    table: Any
    noun: str
    condition: Any
    what: str
    advice: str
    severity: Severity = "error"
    check: str = "records"


def broken(db_session: Session, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield a finding for each rule that is broken; a table is gone over once for all of its rules.

    Parameters
    ----------
    db_session
        Where to read.
    rules
        From `rules_of`.
    """
    for table in dict.fromkeys(rule.table for rule in rules):
        own = [rule for rule in rules if rule.table is table]
        counts = [func.sum(case((rule.condition, 1), else_=0)) for rule in own]
        found = db_session.execute(select(*counts).select_from(table)).one()
        for rule, count in zip(own, found, strict=True):
            if count:
                chosen = select(table.id).where(rule.condition).order_by(table.id).limit(SHOWN)
                rows = named(rule.noun, db_session.scalars(chosen), int(count))
                yield Finding(
                    rule.check, rule.severity, rule.what.format(rows=rows), rule.advice, int(count)
                )


def is_in_doubt(db_session: Session, account: int) -> bool:
    """Return whether orders, fills or flows of an account break a rule that is more than a note.

    Parameters
    ----------
    db_session
        Where to read.
    account
        The account's id.
    """
    own = {Order: Order.account_id == account, CashFlow: CashFlow.account_id == account,
           Fill: Fill.order.has(Order.account_id == account)}  # fmt: skip
    rules = [
        rule for rule in rules_of(db_session.get_bind().dialect.name)
        if rule.table in own and rule.severity != "note"
    ]  # fmt: skip
    return any(
        db_session.scalar(select(rule.table.id).where(own[rule.table], rule.condition).limit(1))
        is not None
        for rule in rules
    )


def rules_of(dialect: str) -> list[Rule]:
    """Return the rules in a database's own words."""
    return [*_unreadable(dialect), *_time_rules(), *_order_rules(), *_fill_rules(), *_flow_rules(),
            *_other_rules()]  # fmt: skip


def _unreadable(dialect: str) -> Iterator[Rule]:
    """Yield rules on numbers that are none and, where times are kept as text, times that are none."""
    nouns = {Order: "order", Fill: "fill", CashFlow: "cash flow", Position: "position",
             AccountInfo: "account", CorporateAction: "corporate action",
             Instrument: "instrument"}  # fmt: skip
    for table, noun in nouns.items():
        columns = table.__table__.columns
        numbers = [one for one in columns if isinstance(one.type, Float)]
        yield Rule(
            table, noun, or_(*(_is_no_number(one, dialect) for one in numbers)),
            "{rows}: a number that is not finite, or no number at all",
            f"correct or delete the rows; the columns are {', '.join(one.name for one in numbers)}",
            check=UNREADABLE,
        )  # fmt: skip
        times = [one for one in columns if isinstance(one.type, UTCDateTime)]
        if times:
            written = "2025-07-02 13:30:00" + (
                ".000000', in UTC" if dialect == "sqlite" else "+00'"
            )
            yield Rule(
                table, noun, or_(*(_is_no_time(one, dialect) for one in times)),
                "{rows}: a time that cannot be read",
                f"write it as '{written}; the columns are {', '.join(one.name for one in times)}",
                check=UNREADABLE,
            )  # fmt: skip
    if dialect == "sqlite":
        yield from _of_another_kind(nouns)


def _of_another_kind(others: Collection[Any]) -> Iterator[Rule]:
    """Yield rules on values of another kind than their column: SQLite keeps any value in any column.

    Numbers and times of `others` have rules of their own, bars are no records, and whoever adds tables
    knows what is in them.
    """
    load_mappings()
    ours = [one.class_ for one in Base.registry.mappers if one.class_.__module__.startswith(_OURS)]
    for table in sorted(ours, key=lambda one: one.__name__):
        if table is MarketData or not hasattr(table, "id"):
            continue
        conditions = [
            _is_of_another_kind(column)
            for column in table.__table__.columns
            if column.name != "id"
            and not (table in others and isinstance(column.type, Float | UTCDateTime))
        ]
        times = [one for one in table.__table__.columns if isinstance(one.type, UTCDateTime)]
        conditions += [_storage(one).not_in(["text", "null"]) for one in times]
        yield Rule(
            table, "row", or_(*conditions),
            f"{{rows}} of {table.__tablename__}: a value of another kind than its column",
            "correct or delete the rows; SELECT typeof(column) tells of which kind a value is",
            check=UNREADABLE,
        )  # fmt: skip


def _is_of_another_kind(column: Any) -> Any:
    kind, stored = column.type, _storage(column)
    if isinstance(kind, Integer | Boolean):
        return stored.not_in(["integer", "null"])
    if isinstance(kind, Float):
        return stored.not_in(["real", "integer", "null"])
    read = {Date: func.date, Time: func.time, UTCDateTime: func.julianday}.get(type(kind))
    if read is None:
        return stored.not_in(["text", "null"])
    unread = read(type_coerce(column, String)).is_(None)
    return or_(stored.not_in(["text", "null"]), and_(column.is_not(None), unread))


def _storage(column: Any) -> Any:
    return func.typeof(type_coerce(column, String))


def _is_no_number(column: Any, dialect: str) -> Any:
    if dialect == "sqlite":  # which keeps whatever it is given, and NaN as null
        return or_(
            func.typeof(column).not_in(["real", "integer", "null"]), func.abs(column) > _LARGEST
        )
    return column.in_([math.nan, math.inf, -math.inf])


def _is_no_time(column: Any, dialect: str) -> Any:
    if dialect == "sqlite":
        kept = type_coerce(column, String)
        return and_(column.is_not(None), or_(func.julianday(kept).is_(None), kept < "0001-"))
    return or_(column < _FIRST, column > _LAST)  # infinity and years that only PostgreSQL knows


def _time_rules() -> Iterator[Rule]:
    nouns = {Order: "order", Fill: "fill", CashFlow: "cash flow", Position: "position",
             AccountInfo: "account"}  # fmt: skip
    for table, noun in nouns.items():
        times = [one for one in table.__table__.columns if isinstance(one.type, UTCDateTime)]
        yield Rule(
            table, noun, or_(*(or_(one < _EARLIEST, one >= _AFTER_LATEST) for one in times)),
            f"{{rows}}: a time outside of the years {_EARLIEST.year} to {_AFTER_LATEST.year - 1}",
            f"correct it; the columns are {', '.join(one.name for one in times)}",
        )  # fmt: skip


def _order_rules() -> Iterator[Rule]:
    filled, quantity = Order.filled_quantity, Order.quantity
    is_filled = filled > 0
    has_no_price = and_(Order.average_fill_price.is_(None), Order.price.is_(None))
    yield Rule(
        Order, "order", and_(is_filled, has_no_price, ~Order.fills.any()),
        "{rows}: filled, without a price: positions and profit leave them out",
        "record average_fill_price, or the fills",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(is_filled, Order.filled_at.is_(None), Order.placed_at.is_(None),
                             ~Order.fills.any()),
        "{rows}: filled, without a time: positions and profit leave them out",
        "record filled_at, or the fills",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(is_filled, Order.filled_at.is_(None), Order.placed_at.is_not(None),
                             ~Order.fills.any()),
        "{rows}: filled at a time that is not recorded; they count from when they were placed",
        "record filled_at, or the fills", "note",
    )  # fmt: skip
    yield Rule(
        Order, "order", filled > quantity * (1 + TOLERANCE),
        "{rows}: filled beyond their quantity", "correct quantity or filled_quantity",
    )  # fmt: skip
    yield Rule(
        Order, "order", or_(quantity <= 0, filled < 0),
        "{rows}: a quantity that is not positive, or a filled quantity below zero",
        "the side tells the direction: make the quantity positive",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(Order.status == "FILLED", filled < quantity * (1 - TOLERANCE)),
        "{rows}: FILLED with less than their quantity",
        "correct filled_quantity, or the status", "warning",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(Order.filled_at < Order.placed_at, Order.order_type != UNKNOWN_TYPE),
        "{rows}: filled before they were placed", "correct placed_at or filled_at", "warning",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(is_filled, or_(Order.side.is_(None), Order.side.not_in(["BUY", "SELL"]))),
        "{rows}: filled, with a side other than BUY and SELL: positions and profit leave them out",
        "correct the side",
    )  # fmt: skip
    yield _long_symbol(Order, "order")
    yield Rule(
        Order, "order", and_(Order.account_id.is_(None), Order.user_id.is_(None)),
        "{rows}: of no account and no user; superusers alone see them",
        "set account_id", "note",
    )  # fmt: skip
    yield Rule(
        Order, "order", and_(Order.account_id.is_not(None), Order.user_id.is_not(None),
                             Order.account.has(AccountInfo.user_id != Order.user_id)),
        "{rows}: their user is not their account's; they count for the account's",
        "set user_id to the account's user", "warning",
    )  # fmt: skip


def _fill_rules() -> Iterator[Rule]:
    yield Rule(
        Fill, "fill", Fill.quantity <= 0, "{rows}: a quantity that is not positive",
        "the order's side tells the direction: make the quantity positive",
    )  # fmt: skip
    yield Rule(
        Fill, "fill", Fill.price < 0, "{rows}: a price below zero", "correct the price", "warning",
    )  # fmt: skip


def _flow_rules() -> Iterator[Rule]:
    kind, amount = CashFlow.flow_type, CashFlow.amount
    wrong = or_(and_(kind == "DEPOSIT", amount <= 0), and_(kind == "WITHDRAWAL", amount >= 0))
    yield Rule(
        CashFlow, "cash flow", wrong,
        "{rows}: a deposit that is not positive, or a withdrawal that is not negative",
        "amounts are positive when the account receives: correct the amount or the type", "warning",
    )  # fmt: skip
    moves = and_(CashFlow.quantity.is_not(None), CashFlow.quantity != 0)
    yield Rule(
        CashFlow, "cash flow", and_(moves, CashFlow.symbol.is_(None)),
        "{rows}: lots move, of no symbol", "record the symbol",
    )  # fmt: skip
    yield _long_symbol(CashFlow, "cash flow")


def _other_rules() -> Iterator[Rule]:
    yield _long_symbol(Position, "position")
    yield Rule(
        CorporateAction, "corporate action",
        and_(CorporateAction.action_type == "SPLIT",
             or_(CorporateAction.ratio.is_(None), CorporateAction.ratio <= 0)),
        "{rows}: a split without a positive ratio", "record shares after it for one before",
    )  # fmt: skip


def _long_symbol(table: Any, noun: str) -> Rule:
    return Rule(
        table, noun, func.length(table.symbol) > _LONGEST_SYMBOL,
        f"{{rows}}: a symbol of over {_LONGEST_SYMBOL} characters",
        "shorten it; PostgreSQL takes no longer one",
    )  # fmt: skip
