"""The doctor on records: rows that break a rule are named, old values are notes."""

from __future__ import annotations

import pytest

from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Report,
    SessionConfig,
    Trial,
    User,
)
from tests.operations.examining import an_order, change, examined, put, said
from tests.world import when


@pytest.mark.parametrize(
    ("values", "severity", "words"),
    [
        ({"average_fill_price": None}, "error", "without a price"),
        ({"filled_at": None, "placed_at": None}, "error", "without a time"),
        ({"filled_at": None}, "note", "not recorded"),
        ({"filled_quantity": 11.0}, "error", "beyond their quantity"),
        ({"quantity": -10.0, "filled_quantity": -10.0}, "error", "not positive"),
        ({"filled_quantity": 4.0}, "warning", "FILLED with less"),
        ({"filled_at": when("2024-01-03 09:59")}, "warning", "before they were placed"),
        ({"side": "LONG"}, "error", "other than BUY and SELL"),
        ({"user_id": 2}, "warning", "not their account's"),
        ({"user_id": None, "account_id": None}, "note", "no account and no user"),
    ],
)
def test_an_order_that_breaks_a_rule_is_named(traded, values, severity, words):
    number = an_order(traded, **values)
    told = said(examined(), "records")
    assert any(
        one == severity and words in what and f"order {number}" in what for one, what in told
    ), told


def test_rows_are_named_up_to_five(traded):
    numbers = [an_order(traded, filled_quantity=11.0) for _ in range(12)]
    (told,) = [what for _, what in said(examined(), "records")]
    assert told.startswith(f"orders {', '.join(map(str, numbers[:5]))} and 7 more: ")


def test_fills_beyond_their_order_flows_and_currencies(traded):
    number = an_order(traded)
    for _ in range(2):
        put(Fill, order_id=number, filled_at=when("2024-01-03 10:01"), quantity=10.0, price=5.0)
    flow = put(CashFlow, account_id=traded.ada, flow_type="DEPOSIT", amount=-5.0, currency="EUR",
               occurred_at=when("2024-01-03 10:00"))  # fmt: skip
    told = {what: one for one, what in said(examined(), "records")}
    assert told[f"order {number}: their fills add up to more than filled_quantity"] == "error"
    assert told[f"cash flow {flow}: in another currency than their account"] == "error"
    assert any(f"cash flow {flow}: a deposit" in what for what in told)


def test_a_price_below_zero_is_a_warning(traded):
    number = an_order(traded)
    put(Fill, order_id=number, quantity=10.0, price=-100.0, filled_at=when("2024-01-03 10:00"))
    assert ("warning", "fill 1: a price below zero") in said(examined(), "records")


def test_an_instrument_in_another_currency_is_named(traded):
    from mismartera_analytics.models import Instrument

    put(Instrument, symbol="AAPL", currency="EUR", exchange_group="US_EQUITY", asset_class="EQUITY",
        multiplier=1.0)  # fmt: skip
    told = said(examined(), "records")
    assert ("error", f"symbols AAPL in account {traded.ada}, AAPL in account {traded.bob}: quoted in "
            "another currency than the account") in told  # fmt: skip


def test_old_values_are_notes(traded):
    number = an_order(traded, status="DONE", order_type="ICEBERG", time_in_force="WHENEVER")
    change(AccountInfo, account_type="ira")
    found = examined()
    told = said(found, "values")
    assert {one for one, _ in told} == {"note"}
    assert any(what.startswith(f"status='DONE' of order {number} ") for _, what in told)
    assert len(told) == 4
    assert len(found.errors) == 0


def test_an_order_without_any_time_is_named_by_its_rule_alone(traded):
    """Nobody knows its day, so that no calendar can be asked."""
    number = an_order(traded, symbol="IBM", placed_at=None, filled_at=None)
    found = examined()
    assert any(f"order {number}: filled, without a time" in w for _, w in said(found, "records"))
    assert not any("orders outside" in what for _, what in said(found, "calendars"))


def test_an_order_of_which_only_its_end_is_known_is_looked_up_in_the_calendar(traded):
    an_order(traded, symbol="IBM", placed_at=None, filled_at=when("1950-01-03 10:00"))
    assert any("IBM: orders outside" in what for _, what in said(examined(), "calendars"))


def test_a_hash_that_is_none_is_named_and_not_shown(traded):
    change(User, hashed_password="plainly-my-secret")
    found = examined()
    (told,) = said(found, "users")
    assert told[0] == "warning"
    assert told[1].startswith("users 1, 2, 3: ")
    assert "plainly" not in repr(found) + found._repr_html_()
    assert len(found.frame) == 1


@pytest.mark.parametrize(
    ("table", "column", "noun"),
    [(BacktestRun, "metrics_json", "run"), (Trial, "parameters_json", "trial"),
     (Report, "cites_json", "report"), (SessionConfig, "config_json", "session config")],
)  # fmt: skip
def test_json_that_cannot_be_read_is_named(traded, table, column, noun):
    at = when("2024-02-01 10:00")
    usual = {
        BacktestRun: {"name": "x", "created_at": at, "config_json": "{}"},
        Trial: {"family": "x", "recorded_at": at, "parameters_json": "{}"},
        Report: {"title": "x", "path": "/nowhere.html", "created_at": at},
        SessionConfig: {"name": "x", "config_json": "{}"},
    }[table]
    put(table, **(usual | {column: '{"a": NaN}'} | ({"name": "y"} if "name" in usual else {})))
    assert not said(examined(), "runs")
    number = put(table, **(usual | {column: '{"half": '}))
    told = said(examined(), "runs")
    assert told == [("error", f"{noun} {number}: {column} is no JSON that can be read")]
