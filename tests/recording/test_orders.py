from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from mismartera_analytics.auth import as_user
from mismartera_analytics.errors import (
    DuplicateError,
    InvalidOrderError,
    NaiveDatetimeError,
    UnknownNameError,
)
from mismartera_analytics.models import AccountInfo, Fill, Instrument, Order
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import Recorded, record_orders
from tests.world import when

"""For what is refused before a database is asked."""


def orders_frame(**changes) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "order_id": [10, 11, 12],
            "broker_order_id": ["x1", "x2", "x3"],
            "symbol": ["AAPL", "AAPL", "MSFT"],
            "side": ["BUY", "SELL", "BUY"],
            "quantity": [100.0, 50.0, 10.0],
            "placed_at": [when("2025-07-01 09:30"), when("2025-07-02 09:30"),
                          when("2025-07-02 10:00")],
        }
    )  # fmt: skip
    return frame.assign(**changes)


def fills_frame(**changes) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "order_id": [10, 10, 11],
            "quantity": [60.0, 40.0, 50.0],
            "price": [200.0, 200.5, 210.0],
            "commission": [1.0, 0.5, np.nan],
            "filled_at": [when("2025-07-01 09:30"), when("2025-07-01 09:31"),
                          when("2025-07-02 09:31")],
        }
    )  # fmt: skip
    return frame.assign(**changes)


def counts() -> tuple[int, int]:
    with session_scope() as db_session:
        return (
            db_session.scalar(select(func.count(Order.id))),
            db_session.scalar(select(func.count(Fill.id))),
        )


def test_orders_take_what_they_lack_from_their_fills(books):
    assert record_orders(orders_frame(), fills_frame(), account=books.ada) == Recorded(3, 3, 0, 0)
    with session_scope() as db_session:
        first, second, third = db_session.scalars(select(Order).order_by(Order.id))
    assert (first.filled_quantity, first.average_fill_price, first.commission) == (100, 200.2, 1.5)
    assert first.filled_at == dt.datetime(2025, 7, 1, 13, 31, tzinfo=dt.UTC)
    assert [order.status for order in (first, second, third)] == ["FILLED", "FILLED", "PENDING"]
    assert second.commission is None
    assert (third.order_type, third.filled_quantity, third.user_id) == ("MARKET", 0, first.user_id)


@pytest.mark.parametrize("with_ids", [True, False])
def test_the_same_again_changes_nothing(books, with_ids):
    orders = orders_frame() if with_ids else orders_frame().drop(columns="broker_order_id")
    record_orders(orders, fills_frame(), account=books.ada)
    before = counts()
    again = record_orders(orders, fills_frame(), account=books.ada)
    assert again == Recorded(orders=0, fills=0, updated=0, unchanged=3)
    assert counts() == before == (3, 3)


def test_an_equal_order_without_an_id_counts_as_often_as_it_occurs(books):
    orders = orders_frame().drop(columns=["broker_order_id", "order_id"])
    twice = pd.concat([orders, orders], ignore_index=True)
    assert record_orders(twice, account=books.ada).orders == 6
    assert record_orders(twice, account=books.ada).orders == 0
    assert record_orders(orders, account=books.ada).orders == 0


def test_overlapping_frames_add_the_rest(books):
    record_orders(orders_frame().head(2), account=books.ada)
    assert record_orders(orders_frame(), account=books.ada) == Recorded(1, 0, 0, 2)


def test_an_open_order_goes_on(books):
    record_orders(orders_frame(), account=books.ada)
    assert record_orders(orders_frame(), fills_frame(), account=books.ada) == Recorded(0, 3, 2, 1)
    assert record_orders(orders_frame(), fills_frame(), account=books.ada) == Recorded(0, 0, 0, 3)


@pytest.mark.parametrize(
    "changes",
    [{"quantity": [100.0, 60.0, 10.0]}, {"symbol": ["AAPL", "IBM", "MSFT"]},
     {"side": ["BUY", "BUY", "BUY"]}, {"price": [np.nan, 1.0, np.nan]}],
)  # fmt: skip
def test_a_known_id_with_other_content_is_refused(books, changes):
    record_orders(orders_frame(), account=books.ada)
    with pytest.raises(DuplicateError, match="broker_order_id='x2' is recorded with other content"):
        record_orders(orders_frame(**changes), account=books.ada)
    with pytest.raises(DuplicateError, match="another account"):
        record_orders(orders_frame(), account=books.bob)


def test_a_finished_order_does_not_change(books):
    record_orders(orders_frame(), fills_frame(), account=books.ada)
    dearer = fills_frame(price=[200.0, 200.5, 211.0])
    with pytest.raises(DuplicateError, match=r"average_fill_price is 210.0 there, 211.0 here"):
        record_orders(orders_frame(), dearer, account=books.ada)


def test_an_id_twice_in_one_frame(books):
    twice = pd.concat([orders_frame(), orders_frame().head(1)], ignore_index=True)
    assert record_orders(twice, account=books.ada).orders == 3
    twice.loc[3, "quantity"] = 7
    with pytest.raises(DuplicateError, match="rows 0, 3"):
        record_orders(twice, account=books.ada)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": [100.0, np.nan, 10.0]}, r"not positive \(row 1\)"),
        ({"quantity": [100.0, 0.0, -10.0]}, r"not positive \(rows 1, 2\)"),
        ({"quantity": [np.inf, 1.0, 10.0]}, r"not a finite number \(row 0\)"),
        ({"quantity": ["many", 1.0, 10.0]}, r"not a finite number \(row 0\)"),
        ({"side": ["BUY", "HOLD", "BUY"]}, r"side other than BUY and SELL \(row 1\)"),
        ({"symbol": ["AAPL", "ABCDEFGHIJK", "MSFT"]}, r"over 10 characters \(row 1\)"),
        ({"symbol": ["AAPL", None, "MSFT"]}, r"without a symbol \(row 1\)"),
        ({"filled_quantity": [100.0, 51.0, 0.0], "price": 1.0}, r"beyond their quantity \(row 1\)"),
        ({"filled_quantity": [100.0, 0.0, 0.0]}, r"have no price \(row 0\)"),
        ({"currency": ["USD", "EUR", "USD"]}, r"than the account's USD \(row 1\)"),
        ({"placed_at": [pd.NaT] * 3}, r"without placed_at \(rows 0, 1, 2\)"),
    ],
)
def test_broken_orders_are_named_and_nothing_is_written(books, changes, message):
    with pytest.raises(InvalidOrderError, match=message):
        record_orders(orders_frame(**changes), account=books.ada)
    assert counts() == (0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": [200.0, np.nan, 210.0]}, r"without a price \(row 1\)"),
        ({"quantity": [60.0, 41.0, 50.0]}, r"beyond their quantity \(row 0\)"),
        ({"quantity": [60.0, -40.0, 50.0]}, r"not positive \(row 1\)"),
        ({"order_id": [10, 10, 99]}, r"none of the orders' \(row 2\)"),
        ({"filled_at": when("2025-07-01 12:00")}, r"before they were placed \(row 1\)"),
        ({"symbol": ["AAPL", "AAPL", "MSFT"]}, r"symbol is not that of their order \(row 2\)"),
    ],
)
def test_broken_fills_are_named_and_nothing_is_written(books, changes, message):
    with pytest.raises(InvalidOrderError, match=message):
        record_orders(orders_frame(), fills_frame(**changes), account=books.ada)
    assert counts() == (0, 0)


def test_naive_times_are_refused(books):
    naive = orders_frame()
    naive["placed_at"] = naive["placed_at"].dt.tz_localize(None)
    with pytest.raises(NaiveDatetimeError, match="placed_at has no time zone"):
        record_orders(naive, account=books.ada)
    mixed = orders_frame(placed_at=[when("2025-07-01"), pd.Timestamp("2025-07-01"), None])
    with pytest.raises(NaiveDatetimeError, match="row 1"):
        record_orders(mixed, account=books.ada)


def test_an_order_that_is_filled_is_filled_whole(books):
    prices = {"status": "FILLED", "average_fill_price": 200.0}
    record_orders(orders_frame(**prices), account=books.ada)
    with session_scope() as db_session:
        orders = db_session.scalars(select(Order).order_by(Order.id)).all()
        assert [order.filled_quantity for order in orders] == [100.0, 50.0, 10.0]
    with pytest.raises(InvalidOrderError, match="FILLED with less than their quantity"):
        record_orders(orders_frame(**prices, filled_quantity=1.0), account=books.ada)
    with pytest.raises(InvalidOrderError, match="filled but have no price"):
        record_orders(orders_frame(status="FILLED"), account=books.ada)
    with pytest.raises(InvalidOrderError, match="symbol that is none"):
        record_orders(orders_frame(symbol=["X/Y Z", "AAPL", "MSFT"]), account=books.ada)


def test_times_written_as_text_need_an_offset(books):
    text = ["2025-07-01T09:30:00-04:00", "2025-07-02 13:30:00Z", "2025-07-02T10:00:00-04:00"]
    record_orders(orders_frame(placed_at=text), account=books.ada)
    assert record_orders(orders_frame(), account=books.ada).unchanged == 3
    with pytest.raises(NaiveDatetimeError, match="row 1"):
        record_orders(orders_frame(placed_at=[text[0], "2025-07-02", text[2]]), account=books.ada)
    with pytest.raises(InvalidOrderError, match=r"placed_at is not a datetime .*row 2"):
        record_orders(orders_frame(placed_at=[*text[:2], "noon"]), account=books.ada)


def test_missing_columns_are_named(books):
    with pytest.raises(InvalidOrderError, match="lacks the columns side, placed_at"):
        record_orders(pd.DataFrame({"symbol": ["A"], "quantity": [1.0]}), account=books.ada)
    with pytest.raises(InvalidOrderError, match="in common"):
        record_orders(orders_frame(), fills_frame().drop(columns="order_id"), account=books.ada)


def test_a_symbol_quoted_in_another_currency_is_refused(books):
    with session_scope() as db_session:
        db_session.add(Instrument(symbol="MSFT", currency="EUR"))
    with pytest.raises(InvalidOrderError, match=r"currency than USD \(row 2\)"):
        record_orders(orders_frame(), account=books.ada)


def test_only_the_owner_and_superusers_may_write(books):
    with as_user("bob"), pytest.raises(UnknownNameError, match=f"account={books.ada} is not known"):
        record_orders(orders_frame(), account=books.ada)
    with as_user("ada"):
        assert record_orders(orders_frame().head(1), account="A-1").orders == 1
    with as_user("root"):
        assert record_orders(orders_frame(), account=books.ada).orders == 2


def test_a_failure_in_the_callers_session_undoes_only_its_own(books):
    with session_scope() as db_session:
        record_orders(orders_frame().head(1), account=books.ada, db_session=db_session)
        clash = orders_frame(quantity=[1.0, 1.0, 1.0])
        with pytest.raises(DuplicateError):
            record_orders(clash, account=books.ada, db_session=db_session)
    assert counts() == (1, 0)


def test_an_empty_frame_is_nothing(books):
    assert record_orders(orders_frame().head(0), account=books.ada) == Recorded(0, 0, 0, 0)


def test_times_that_lie_ahead_are_refused_with_their_rows(books):
    """One such order would keep every later question from its answer: no calendar reaches so far."""
    ahead = pd.Timestamp.now("UTC") + pd.Timedelta(days=400)
    orders = {
        "symbol": "IBM",
        "side": "BUY",
        "quantity": 1.0,
        "placed_at": [when("2025-07-01 10:00"), ahead],
    }
    with pytest.raises(InvalidOrderError, match=r"placed_at lies in the future \(row 1\)"):
        record_orders(pd.DataFrame(orders), account=books.ada)
    flow = {"flow_type": ["DEPOSIT"], "amount": 1.0, "occurred_at": [ahead]}
    with pytest.raises(InvalidOrderError, match="occurred_at lies in the future"):
        record_flows(pd.DataFrame(flow), account=books.ada)


def test_a_symbol_of_which_nothing_is_known_is_quoted_in_dollars(books):
    with session_scope() as db_session:
        db_session.get(AccountInfo, books.bob).currency = "JPY"
    order = {"symbol": ["7203"], "side": "BUY", "quantity": 100.0,
             "placed_at": [when("2025-07-01 10:00")]}  # fmt: skip
    with pytest.raises(InvalidOrderError, match=r"count as quoted in USD.*\(row 0\)"):
        record_orders(pd.DataFrame(order), account=books.bob)
    assert record_orders(pd.DataFrame({**order, "currency": "JPY"}), account=books.bob).orders == 1
    with session_scope() as db_session:
        db_session.add(Instrument(symbol="7203", currency="JPY"))
    order["quantity"] = 200.0
    assert record_orders(pd.DataFrame(order), account=books.bob).orders == 1
