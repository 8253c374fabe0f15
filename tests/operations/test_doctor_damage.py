"""The doctor on damage: values that cannot be read, references to nothing, broken files."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import update

import mismartera_analytics as ma
from mismartera_analytics.errors import StorageError
from mismartera_analytics.models import Fill, Order
from mismartera_analytics.models import database as db
from tests.finite_checks import drop_finite_checks
from tests.operations.examining import (
    POSTGRES,
    SQLITE,
    an_order,
    examined,
    put,
    run_sql,
    said,
    sent,
    without_foreign_keys,
)
from tests.world import when


def test_numbers_that_are_none_stop_what_rests_on_them(traded):
    number = an_order(traded)
    drop_finite_checks()
    with db.session_scope() as db_session:
        db_session.execute(update(Order).where(Order.id == number).values(price=float("inf")))
    found = examined()
    assert said(found, "columns") == [
        ("error", f"order {number}: a number that is not finite, or no number at all")
    ]
    assert {"identities", "positions", "records"} <= set(found.skipped)


@SQLITE
def test_a_time_that_cannot_be_read_and_a_reference_to_nothing(traded):
    number = an_order(traded)
    without_foreign_keys(
        f"UPDATE orders SET placed_at = 'noon', account_id = 99 WHERE id = {number}"
    )
    found = examined()
    assert said(found, "columns") == [("error", f"order {number}: a time that cannot be read")]
    assert said(found, "references") == [
        ("error", f"row {number} of orders: account_id leads to no row of account_info")
    ]


@POSTGRES
def test_a_time_without_end_stops_what_rests_on_it_and_is_named(traded):
    number = an_order(traded)
    drop_finite_checks()
    run_sql(f"UPDATE orders SET filled_at = 'infinity' WHERE id = {number}")
    found = examined(fix=True)
    assert said(found, "columns") == [("error", f"order {number}: a time that cannot be read")]
    assert len(found.errors) == 1
    assert "positions" in found.skipped


def test_what_may_not_be_null_is_not_to_be_set_to_null(traded):
    for table, column in (
        ("fills", "order_id"),
        ("cash_flows", "account_id"),
        ("orders", "user_id"),
    ):
        if table == "fills":
            put(Fill, order_id=1, filled_at=when("2024-01-02 10:00"), quantity=10.0, price=100.0)
        without_foreign_keys(f"UPDATE {table} SET {column} = 99 WHERE id = 1")
    found = examined()
    rows = found.frame[found.frame["check"] == "references"]
    told = dict(zip(rows["what"].str.split().str[3].str.rstrip(":"), rows["advice"], strict=True))
    assert told == {
        "fills": "delete them, or set it to a row that is there",
        "cash_flows": "delete them, or set it to a row that is there",
        "orders": "set it to null, or to a row that is there",
    }


@SQLITE
@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("UPDATE orders SET status = ? WHERE id = 1", "row 1 of orders"),
        ("UPDATE orders SET account_id = ? WHERE id = 1", "row 1 of orders"),
        ("UPDATE users SET username = ? WHERE id = 1", "row 1 of users"),
        ("UPDATE account_info SET currency = ? WHERE id = 1", "row 1 of account_info"),
        ("UPDATE cash_flows SET acquired_on = ? WHERE id = 1", "row 1 of cash_flows"),
        ("UPDATE market_hours SET trading_days = ? WHERE id = 1", "row 1 of market_hours"),
        ("UPDATE trading_holidays SET source = ? WHERE id = 1", "row 1 of trading_holidays"),
    ],
)
@pytest.mark.parametrize("value", [b"\xff\x00", b"text"])
def test_a_value_of_another_kind_is_named(traded, statement, rows, value):
    sent(statement, value)
    found = examined()
    told = said(found, "columns")
    assert ("error", f"{rows}: a value of another kind than its column") in told
    assert {"identities", "positions", "records", "runs", "reports"} <= set(found.skipped)


@SQLITE
@pytest.mark.parametrize("value", [1.5, "soon"])
def test_a_day_or_a_time_that_is_none_is_named(traded, value):
    sent("UPDATE cash_flows SET acquired_on = ? WHERE id = 1", value)
    sent("UPDATE users SET created_at = ? WHERE id = 1", value)
    assert [what.partition(":")[0] for _, what in said(examined(), "columns")] == [
        "row 1 of cash_flows",
        "row 1 of users",
    ]


@SQLITE
def test_text_that_is_no_text_is_an_error_and_no_crash(traded):
    sent("UPDATE orders SET symbol = CAST(x'ff41' AS TEXT) WHERE id = 1")
    assert any("Could not decode to UTF-8" in what for what in examined().errors["what"])
    with pytest.raises(StorageError, match="holds text that is none"):
        ma.orders()


@SQLITE
def test_a_garbled_schema_is_an_error_and_no_crash(traded):
    sent("CREATE TABLE mine (x)")
    with contextlib.closing(sqlite3.connect(str(db.engine.url.database))) as raw, raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE (' WHERE name = 'mine'")
    db.close_db()
    assert any("malformed database schema" in what for what in examined().errors["what"])


@SQLITE
def test_a_damaged_file_is_an_error_and_no_crash(traded, ready_database):
    db.close_db()
    file = Path(ready_database.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    for page in range(20, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    file.write_bytes(content)
    found = examined()
    assert len(found.errors)
    assert not found.is_well
