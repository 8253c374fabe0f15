"""Alpaca's orders and activities: together, apart, in either order, and what is refused."""

from __future__ import annotations

import itertools
import json

import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import DuplicateError, InvalidOrderError
from mismartera_analytics.models import CashFlow
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.accounts import create_account
from tests.recording.brokers.folder import ACTIVITIES, ORDERS, counts, json_file

CASH = 8000 + 500 + 0.42 - 0.14 + 5 - 0.75 - 5006 - 1245 - 12.376237623 * 20.2 + 5502


@pytest.fixture
def account(books) -> int:
    return create_account("bob", "alpaca", account_number="PA3", account_type="margin")


def orders() -> list[dict]:
    return json.loads(ORDERS.read_text())


def activities() -> list[dict]:
    return [entry for page in json.loads(ACTIVITIES.read_text()) for entry in page]


def fill(**changes) -> dict:
    entry = {
        "id": "f-1", "activity_type": "FILL", "transaction_time": "2025-08-04T13:31:01Z",
        "type": "fill", "price": "50", "qty": "10", "side": "buy", "symbol": "IBM",
        "leaves_qty": "0", "order_id": "o-1", "cum_qty": "10",
    }  # fmt: skip
    return entry | changes


def order(**changes) -> dict:
    entry = {
        "id": "o-1", "symbol": "IBM", "asset_class": "us_equity", "qty": "10", "filled_qty": "10",
        "filled_avg_price": "50", "type": "limit", "limit_price": "51", "side": "buy",
        "time_in_force": "day", "status": "filled", "submitted_at": "2025-08-04T13:30:00Z",
        "filled_at": "2025-08-04T13:31:01Z",
    }  # fmt: skip
    return entry | changes


def interest(amount: str | None, day: str = "2025-08-04") -> dict:
    return {"id": "a-1", "activity_type": "INT", "net_amount": amount, "date": day}


def check_books(account: int) -> None:
    assert counts() == (8, 5, 6, 2)
    held = ma.refresh_positions(account).set_index("symbol")["quantity"]
    assert held.to_dict() == pytest.approx({"OAKS": 50.0, "HYLL": 12.376237623})
    cash = ma.accounts(account=account)["cash_balance"].item()
    assert cash == pytest.approx(CASH, abs=1e-9)


@pytest.mark.parametrize("files", [[ORDERS, ACTIVITIES], [ACTIVITIES, ORDERS]])
@pytest.mark.parametrize("together", [True, False])
def test_both_files_give_one_set_of_rows(account, files, together):
    for part in [files] if together else files:
        ma.import_orders(part, account=account)
    check_books(account)
    again = ma.import_orders(files, account=account)
    assert (again.orders, again.fills, again.flows, again.actions, again.updated) == (0, 0, 0, 0, 0)
    assert again.known == 8 + 5 + 6 + 2
    check_books(account)


def test_an_order_is_what_the_file_says(account):
    ma.import_orders([ORDERS, ACTIVITIES], account=account)
    table = ma.orders(account=account).set_index("broker_order_id")
    table.index = table.index.str.slice(4, 8).astype(int)
    assert table["status"].to_dict() == {
        1: "FILLED", 2: "FILLED", 3: "CANCELLED", 4: "REPLACED", 5: "CANCELLED", 6: "EXPIRED",
        7: "FILLED", 9: "PENDING",
    }  # fmt: skip
    assert table.loc[3, ["order_type", "stop_price", "time_in_force"]].tolist() == [
        "STOP",
        47.0,
        "GTC",
    ]
    assert table.loc[5, ["quantity", "filled_quantity", "price"]].tolist() == [60.0, 25.0, 49.8]
    assert table.loc[6, "side"] == "SELL"
    assert table["time_precision"].isna().all()
    fills = ma.fills(account=account)
    assert fills["broker_fill_id"].notna().all()


def test_activities_alone_tell_the_executions(account):
    done = ma.import_orders(ACTIVITIES, account=account)
    assert (done.orders, done.fills) == (4, 5)
    table = ma.orders(account=account)
    assert set(table["order_type"]) == {"UNKNOWN"}
    assert sorted(table["status"]) == ["FILLED", "FILLED", "FILLED", "PARTIALLY_FILLED"]
    held = ma.refresh_positions(account).set_index("symbol")["quantity"]
    assert held.to_dict() == pytest.approx({"OAKS": 50.0, "HYLL": 12.376237623})


@pytest.mark.parametrize("backwards", [True, False])
def test_pages_imported_one_by_one(account, tmp_path, backwards):
    entries = activities()
    pages = [entries[first : first + 3] for first in range(0, len(entries), 3)]
    for number, page in enumerate(pages[::-1] if backwards else pages):
        ma.import_orders(json_file(tmp_path, page, f"{number}.json"), account=account)
    held = ma.refresh_positions(account).set_index("symbol")["quantity"]
    assert held.to_dict() == pytest.approx({"OAKS": 50.0, "HYLL": 12.376237623})
    assert ma.fills(account=account)["quantity"].sum() == pytest.approx(
        237.376237623 - 12.376237623 + 12.376237623
    )
    orders_found = ma.orders(account=account)
    first = orders_found.loc[orders_found["broker_order_id"].str.startswith("6f0c0001")].iloc[0]
    assert (first["status"], first["filled_quantity"]) == ("FILLED", 100.0)


def test_fills_that_lack_count_as_one_more(account, tmp_path):
    """An order filled beyond the fills at hand keeps its quantity and its average price."""
    ma.import_orders(json_file(tmp_path, [order()]), account=account)
    ma.import_orders(json_file(tmp_path, [fill(qty="4", price="47", cum_qty="4", leaves_qty="6")]),
                     account=account)  # fmt: skip
    fills = ma.fills(account=account)
    assert fills["quantity"].sum() == pytest.approx(10.0)
    assert (fills["quantity"] * fills["price"]).sum() == pytest.approx(500.0)
    rest = fill(id="f-2", qty="6", price="52", cum_qty="10")
    ma.import_orders(json_file(tmp_path, [rest]), account=account)
    fills = ma.fills(account=account)
    assert fills["broker_fill_id"].tolist() == ["f-1", "f-2"]
    assert fills["quantity"].tolist() == [4.0, 6.0]


def test_an_open_order_goes_on(account, tmp_path):
    is_open = order(status="new", filled_qty="0", filled_avg_price=None, filled_at=None)
    part = order(status="partially_filled", filled_qty="4", filled_avg_price="49")
    for number, state in enumerate((is_open, part, order())):
        ma.import_orders(json_file(tmp_path, [state], f"{number}.json"), account=account)
    assert ma.orders(account=account)["status"].tolist() == ["FILLED"]
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for several in itertools.permutations(files):
        assert ma.import_orders(several, account=account).orders == 0
    assert ma.orders(account=account)["filled_quantity"].tolist() == [10.0]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([order(filled_qty="11")], "entry 1: filled_qty=11 is more than qty=10"),
        ([order(filled_avg_price=None)], "entry 1: filled_qty=10, but filled_avg_price is missing"),
        ([order(), order(id="o-2", qty="NaN")], "entry 2: qty='NaN' is not a number"),
        ([order(qty="-10")], "entry 1: qty=-10 is not positive"),
        ([order(filled_at="2025-08-04T13:29:00Z")], r"filled before they were placed \(row .*entry 1"),
        ([order(submitted_at="2025-08-04T13:30:00")], "has no time zone"),
        ([order(status="weird")], "status='weird' is none of Alpaca's"),
        ([order(side="hold")], "side='hold' is not one of"),
        ([order(id=None)], "entry 1: id is missing"),
        ([order(legs=[order(id="o-2", qty="x")])], "entry 1 leg 1: qty='x' is not a number"),
        ([fill(price=None)], "entry 1: price is missing"),
        ([fill(price="0")], "entry 1: price=0 is not positive"),
        ([fill(qty="11", cum_qty="10")], "entry 1: qty=11 is more than the order's whole"),
        ([fill(), fill(id="f-2", qty="5", cum_qty="10")], "quantity 10: .* add up to 15"),
        ([fill(transaction_time=None)], "transaction_time is missing"),
        ([interest(None)], "net_amount is missing"),
        ([interest("1", "soon")], "date='soon' is not a day"),
    ],
)  # fmt: skip
def test_bad_entries_are_named_and_nothing_is_written(account, tmp_path, entries, message):
    with pytest.raises(InvalidOrderError, match=message):
        ma.import_orders(json_file(tmp_path, entries), account=account)
    assert counts() == (0, 0, 0, 0)


def test_an_order_and_fills_beyond_it(account, tmp_path):
    files = [
        json_file(tmp_path, [order()], "orders.json"),
        json_file(tmp_path, [fill(qty="6", leaves_qty="9"), fill(id="f-2", qty="6")], "fills.json"),
    ]
    with pytest.raises(
        InvalidOrderError, match=r"fills.json entry 2: the order 'o-1' of 10 IBM .* 12"
    ):
        ma.import_orders(files, account=account)
    assert counts() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (order(), order(qty="20", filled_qty="20"), r"'o-1' is recorded with other content: quantity "
         r"is 10.0 there, 20.0 here \(row second.json entry 1\)"),
        (order(), order(filled_avg_price="49"), "average_fill_price is 50.0 there, 49.0 here"),
        (fill(), fill(price="49"), r"second.json entry 1: the fill 'f-1' .*10 at 50 .*10 at 49"),
        (order(), fill(side="sell"), "the fill is a SELL of IBM, but its order 'o-1'"),
        (interest("1"), interest("2"), "'a-1' is recorded with other content"),
    ],
)  # fmt: skip
def test_an_id_with_other_content_is_refused(account, tmp_path, first, second, message):
    files = [
        json_file(tmp_path, [first], "first.json"),
        json_file(tmp_path, [second], "second.json"),
    ]
    ma.import_orders(files[0], account=account)
    before = counts()
    with pytest.raises(DuplicateError, match=message):
        ma.import_orders(files[1], account=account)
    assert counts() == before


def test_an_id_twice_in_the_files_names_both_rows(account, tmp_path):
    files = [json_file(tmp_path, [order()], "a.json"),
             json_file(tmp_path, [order(id="o-0"), order(qty="12")], "b.json")]  # fmt: skip
    with pytest.raises(
        DuplicateError, match=r"'o-1' stands in a.json entry 1 and in b.json entry 2"
    ):
        ma.import_orders(files, account=account)
    assert counts() == (0, 0, 0, 0)


def test_the_second_file_of_two_is_bad(account, tmp_path):
    bad = json_file(tmp_path, [order(id="o-2", qty="x")], "bad.json")
    with pytest.raises(InvalidOrderError, match=r"bad.json entry 1"):
        ma.import_orders([ORDERS, bad], account=account)
    assert counts() == (0, 0, 0, 0)


def test_an_id_of_another_users_account_is_refused(account, books, tmp_path):
    ma.import_orders(json_file(tmp_path, [order()]), account=account)
    other = create_account("ada", "alpaca", account_number="PA4")
    for entry in (order(), fill()):
        with ma.as_user("ada"), pytest.raises(DuplicateError, match="in another account"):
            ma.import_orders(json_file(tmp_path, [entry]), account=other)


def test_flows_by_type(account, tmp_path):
    def money(number: int, kind: str, amount: str) -> dict:
        return {"id": f"n-{number}", "activity_type": kind, "date": "2025-08-04", "net_amount": amount,
                "symbol": "IBM" if kind.startswith("DIV") else ""}  # fmt: skip

    kinds = [("CSD", "9"), ("CSW", "-9"), ("DIV", "3"), ("DIVNRA", "-1"), ("INT", "-2"), ("FEE", "-4"),
             ("JNLC", "-7"), ("CSW", "5")]  # fmt: skip
    entries = [money(number, *one) for number, one in enumerate(kinds)]
    ma.import_orders(json_file(tmp_path, entries), account=account)
    with session_scope() as db_session:
        found = [(f.flow_type, f.amount) for f in db_session.query(CashFlow).order_by(CashFlow.id)]
    assert found == [("DEPOSIT", 9), ("WITHDRAWAL", -9), ("DIVIDEND", 3), ("DIVIDEND", -1),
                     ("INTEREST", -2), ("FEE", -4), ("TRANSFER", -7), ("DEPOSIT", 5)]  # fmt: skip


@pytest.mark.parametrize("value", [[], {"orders": [order()]}, [[order()], []], order()])
def test_lists_pages_and_wrappers(account, tmp_path, value):
    done = ma.import_orders(json_file(tmp_path, value), account=account)
    assert done.orders == (0 if value == [] else 1)
