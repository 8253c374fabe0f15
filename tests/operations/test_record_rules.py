"""Rules of recorded rows: each of them is broken by a row of its own, and by none that keeps it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from sqlalchemy import insert, text

from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    CorporateAction,
    Fill,
    Instrument,
    Order,
    Position,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.record_rules import broken, rules_of
from tests.finite_checks import drop_finite_checks
from tests.world import Books, books, record_cash, record_trades, when

__all__ = ["books"]

AT = when("2024-01-03 10:00")
GOOD: dict[Any, dict[str, Any]] = {
    Order: {"symbol": "AAPL", "side": "BUY", "quantity": 10.0, "order_type": "MARKET",
            "status": "FILLED", "filled_quantity": 10.0, "average_fill_price": 5.0, "placed_at": AT,
            "filled_at": AT, "user_id": 1, "account_id": 1},
    Fill: {"order_id": 1, "filled_at": AT, "quantity": 1.0, "price": 5.0},
    CashFlow: {"account_id": 1, "flow_type": "DEPOSIT", "amount": 5.0, "occurred_at": AT},
    Position: {"account_id": 1, "user_id": 1, "symbol": "AAPL", "quantity": 1.0, "average_price": 1.0,
               "last_updated": AT},
    AccountInfo: {"user_id": 1, "broker": "b", "last_synced": AT},
    CorporateAction: {"symbol": "AAPL", "action_type": "SPLIT", "ratio": 2.0,
                      "ex_date": AT.date(), "known_at": AT},
    Instrument: {"symbol": "AAPL", "currency": "USD", "multiplier": 1.0},
}  # fmt: skip
"""Values of a row that keeps every rule."""

UNREAD = {"sqlite": ["noon", "0000-01-01 00:00:00.000000", "-001-01-01 00:00:00.000000"],
          "postgresql": ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC"]}  # fmt: skip
"""Times that no Python program can read."""
UNFILLED = {"filled_quantity": 0.0, "status": "PENDING", "filled_at": None}
CASES: dict[tuple[Any, str], list[dict[str, Any]]] = {
    (Order, "without a price"): [{"average_fill_price": None}],
    (Order, "without a time"): [{"filled_at": None, "placed_at": None}],
    (Order, "at a time that is not recorded"): [{"filled_at": None}],
    (Order, "filled beyond their quantity"): [{"filled_quantity": 10.1}],
    (Order, "a quantity that is not positive"): [
        UNFILLED | {"quantity": 0.0}, UNFILLED | {"quantity": -1.0}, {"filled_quantity": -1.0}],
    (Order, "FILLED with less"): [{"filled_quantity": 9.9}],
    (Order, "filled before they were placed"): [{"filled_at": when("2024-01-03 09:59")}],
    (Order, "a side other than BUY and SELL"): [{"side": "LONG"}, {"side": None}],
    (Order, "a symbol of over 10"): [{"symbol": "ABCDEFGHIJK"}],
    (Order, "of no account and no user"): [{"account_id": None, "user_id": None}],
    (Order, "not their account's"): [{"user_id": 2}],
    (Fill, "a quantity that is not positive"): [{"quantity": 0.0}, {"quantity": -1.0}],
    (Fill, "a price below zero"): [{"price": -0.01}],
    (CashFlow, "a deposit that is not positive"): [
        {"amount": -1.0}, {"amount": 0.0}, {"flow_type": "WITHDRAWAL", "amount": 1.0}],
    (CashFlow, "lots move, of no symbol"): [{"quantity": 3.0}],
    (CashFlow, "a symbol of over 10"): [{"symbol": "ABCDEFGHIJK"}],
    (Position, "a symbol of over 10"): [{"symbol": "ABCDEFGHIJK"}],
    (CorporateAction, "a split without a positive ratio"): [{"ratio": None}, {"ratio": 0.0}],
    **{(table, "a number that is not finite"): [{name: math.inf}, {name: -math.inf}, {name: math.nan}]
       for table, name in ((Order, "price"), (Fill, "price"), (CashFlow, "amount"),
                           (Position, "current_price"), (AccountInfo, "cash_balance"),
                           (CorporateAction, "amount"), (Instrument, "multiplier"))},
    **{(table, "a time that cannot be read"): [{} for _ in UNREAD["sqlite"]]
       for table in GOOD if table is not Instrument},
    **{(table, "a time outside of the years"): [{name: when("1899-12-30 10:00")},
                                                {name: when("2201-01-02 10:00")}]
       for table, name in ((Order, "placed_at"), (Fill, "filled_at"), (CashFlow, "occurred_at"),
                           (Position, "last_updated"), (AccountInfo, "last_synced"))},
}  # fmt: skip
"""Rows that break a rule, by what is said of them; the other values are those of `GOOD`."""


OF_ANY_TABLE = ": a value of another kind than its column"
"""Ends the rule that is made for every table alike: `test_doctor_damage` breaks it in some of them."""
NEVER_ON_POSTGRESQL = ("a symbol of over 10",)
"""Words of rules that its columns keep by themselves."""


def test_each_rule_is_broken_by_rows_of_its_own(books: Books) -> None:
    record_trades(books.ada, ("2024-01-02 10:00", "AAPL", 10, 5))
    record_cash(books.ada, ("2024-01-02 09:00", "DEPOSIT", 5))
    drop_finite_checks()
    dialect = db.engine.dialect.name
    for (table, words), rows in CASES.items():
        if dialect == "sqlite" or words not in NEVER_ON_POSTGRESQL:
            check(table, words, rows)


def check(table: Any, words: str, rows: list[dict[str, Any]]) -> None:
    """Put rows past every check, as another program would, look for them, and take them back."""
    with db.SessionLocal() as db_session:
        dialect = db_session.get_bind().dialect.name
        symbols = itertools.count()
        (rule,) = [one for one in rules_of(dialect) if one.table is table and words in one.what]

        def put(values: dict[str, Any]) -> int:
            if table is CorporateAction:  # one a symbol and day
                values = {"symbol": f"A{next(symbols)}"} | values
            done: Any = db_session.execute(insert(table).values(**(GOOD[table] | values)))
            return int(done.inserted_primary_key[0])

        put({})
        assert list(broken(db_session, [rule])) == [], f"{words}: the rows keep it"
        if dialect == "sqlite":  # which keeps NaN as null, and refuses it where that may not be
            rows = [one for one in rows if not any(value != value for value in one.values())]
        numbers = [put(values) for values in rows]
        if words == "a time that cannot be read":
            column = next(name for name, value in GOOD[table].items() if value is AT)
            for number, moment in zip(numbers, UNREAD[dialect], strict=True):
                change = (
                    f"UPDATE {table.__tablename__} SET {column} = '{moment}' WHERE id = {number}"
                )
                db_session.execute(text(change))
        (found,) = broken(db_session, [rule])
        db_session.rollback()
    named = f"{rule.noun}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    assert found.what.startswith(f"{named}: "), found.what
    assert (found.severity, found.count) == (rule.severity, len(numbers))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_rule_has_such_rows(dialect: str) -> None:
    for rule in rules_of(dialect):
        if rule.what.endswith(OF_ANY_TABLE):
            continue
        assert [case for case in CASES if case[0] is rule.table and case[1] in rule.what], rule.what
