"""The doctor on what is worked out of records: ledgers that cannot be made, positions that differ."""

from __future__ import annotations

import pandas as pd
import pytest
from sqlalchemy import update

import mismartera_analytics as ma
from mismartera_analytics.models import AccountInfo, Fill, Order, Position
from mismartera_analytics.models import database as db
from tests.operations.examining import (
    SQLITE,
    an_order,
    change,
    examined,
    held_by,
    is_about,
    put,
    said,
    sent,
    without_foreign_keys,
)
from tests.world import when


def test_orders_outside_of_the_calendar_have_no_ledger(traded):
    number = an_order(
        traded, placed_at=when("1950-01-03 10:00"), filled_at=when("1950-01-03 10:00")
    )
    found = examined()
    assert number
    assert any("AAPL" in what and "outside" in what for _, what in said(found, "calendars"))
    told = said(found, "identities")
    assert len(told) == 1
    assert told[0][0] == "error"
    assert told[0][1].startswith(f"account {traded.ada}: no ledger can be made")


@SQLITE
def test_a_fill_of_the_year_one_is_told_by_the_calendar(traded):
    sent("INSERT INTO fills (order_id, filled_at, quantity, price) "
         "VALUES (3, '0001-01-01 00:00:00.000000', 10, 100)")  # fmt: skip
    found = examined(fix=True)
    assert is_about(found, "identities", f"account {traded.bob}: no ledger can be made: fills")
    assert {"positions", "reports", "store"} <= set(found.checks)
    assert found.mended == ()


def test_an_identity_that_is_open_is_an_error(traded, monkeypatch):
    from mismartera_analytics.operations import account_checks

    def off_by_a_cent(**options: object) -> pd.DataFrame:
        profit = ma.pnl(**options)
        return profit.assign(realized=profit["realized"] + 0.01, total=profit["total"] + 0.01)

    monkeypatch.setattr(account_checks, "pnl", off_by_a_cent)
    told = said(examined(), "identities")
    assert [one for one, _ in told] == ["error", "error"]
    assert told[0][1].startswith(f"account {traded.ada}: begin + flows + profit and loss differ")


def test_positions_of_ours_are_refreshed_and_a_brokers_are_left(traded):
    ma.refresh_positions([traded.ada])
    change(Position, quantity=7.0)
    put(Position, user_id=2, account_id=traded.bob, symbol="AAPL", quantity=99.0, average_price=1.0,
        last_updated=when("2024-01-05 12:34:56"))  # fmt: skip
    with db.session_scope() as db_session:
        db_session.execute(update(AccountInfo).where(AccountInfo.id == traded.bob)
                           .values(last_synced=when("2024-01-05 12:34:56")))  # fmt: skip
    before = examined()
    rows = before.frame[before.frame["check"] == "positions"]
    assert rows["is_mendable"].tolist() == [True, False]
    assert "reconcile" in rows["advice"].iloc[1]
    after = examined(fix=True)
    assert after.mended == (f"account {traded.ada}: 1 positions were worked out anew",)
    assert held_by(traded.ada) == [6.0]
    assert held_by(traded.bob) == [99.0], "a broker's report is no fault"


def test_positions_are_not_worked_out_from_orders_that_are_in_doubt(traded):
    """The recorded position is right and the order is not: mending would lose what is right."""
    ma.refresh_positions([traded.ada])
    with db.session_scope() as db_session:
        sale = db_session.query(Order).filter_by(account_id=traded.ada, side="SELL").one()
        db_session.query(Fill).filter_by(order_id=sale.id).delete()
        sale.filled_quantity = -4.0
    after = examined(fix=True)
    rows = after.frame[after.frame["check"] == "positions"]
    assert rows["is_mendable"].tolist() == [False]
    assert "named above" in rows["advice"].iloc[0]
    assert after.mended == ()
    assert held_by(traded.ada) == [6.0]
    with db.session_scope() as db_session:
        db_session.get_one(Order, sale.id).filled_quantity = 4.0
    assert examined().is_well


@pytest.mark.parametrize("quantity", [6.0, 3.0], ids=["a copy", "halves that add up"])
def test_a_position_that_is_there_twice(traded, quantity):
    ma.refresh_positions([traded.ada])
    change(Position, quantity=quantity)
    with db.session_scope() as db_session:
        row = db_session.query(Position).one()
        names = "user_id", "account_id", "symbol", "quantity", "average_price", "last_updated"
        copy = {name: getattr(row, name) for name in names}
    put(Position, **copy)
    assert [one for one, _ in said(examined(), "positions")] == ["warning"]
    assert examined(fix=True).is_well
    assert held_by(traded.ada) == [6.0]


@pytest.mark.parametrize(
    ("statement", "check", "words"),
    [
        ("UPDATE fills SET quantity = quantity * 2 WHERE id = 1", "records", "add up to more"),
        ("UPDATE orders SET account_id = 77 WHERE id = 2", "references", "account_id leads to no row"),
        ("UPDATE orders SET quantity = -4 WHERE account_id = 2 AND side = 'SELL'", "records",
         "not positive"),
        ("UPDATE fills SET filled_at = '2999-01-04 15:00:00+00' WHERE id = 1", "identities",
         "no ledger can be made"),
        ("UPDATE fills SET filled_at = '2999-01-04 15:00:00+00' WHERE id = 1", "records",
         "fill 1: a time outside of the years 1900 to 2200"),
    ],
    ids=["a record", "a reference", "a record of another account", "no ledger", "a late time"],
)  # fmt: skip
def test_no_position_is_mended_from_records_that_were_called_wrong(traded, statement, check, words):
    """The recorded positions are right: what is worked out from such records is not."""
    for order in (1, 2, 3, 4):
        put(Fill, order_id=order, filled_at=when("2024-01-03 10:01"), price=100.0,
            quantity=10.0 if order % 2 else 4.0)  # fmt: skip
    ma.refresh_positions()
    ours = db.engine.dialect.name == "sqlite"
    without_foreign_keys(statement.replace("+00'", ".000000'" if ours else "+00'"))
    with db.session_scope() as db_session:
        db_session.execute(update(Position).where(Position.account_id == traded.ada)
                           .values(quantity=7.0))  # fmt: skip
    for found in (examined(), examined(fix=True)):
        assert is_about(found, check, words), found
        told = found.frame[found.frame["check"] == "positions"]
        assert not told["is_mendable"].any()
        assert not told["advice"].str.contains("refresh_positions").any()
        assert found.mended == ()
    with db.SessionLocal() as db_session:
        kept = dict(db_session.query(Position.account_id, Position.quantity).all())
    assert kept == {traded.ada: 7.0, traded.bob: 6.0}
