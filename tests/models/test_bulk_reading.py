"""Reading in bulk gives what reading row by row gives, and one state of a table that others write."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, insert, select, update

import mismartera_analytics as ma
from mismartera_analytics.errors import StorageError
from mismartera_analytics.models import Order, bulk_reading
from mismartera_analytics.models.database import read_session, session_scope
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from tests.world import books, when

__all__ = ["books"]
COUNT = 3000
SQLITE = pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)


@pytest.fixture
def many(books, monkeypatch):
    """Orders whose rare values come late, with awkward texts, nulls and gaps among the keys."""
    monkeypatch.setattr(bulk_reading, "LEAST_ROWS", 10)
    times = pd.date_range("2025-01-02 14:30", periods=COUNT, freq="7min", tz="UTC")
    rows = [
        {
            "id": 5 + 2 * n, "account_id": books.ada if n % 2 else None,
            "user_id": 2 if n % 3 else None,
            "symbol": ["IBM", "O'NEIL", "Ä%s"][n % 3], "side": "BUY", "quantity": n / 7,
            "placed_at": times[n].to_pydatetime(), "price": None if n < COUNT - 5 else n / 3,
            "broker_order_id": None if n < 1600 else f"id-{n}",
            "filled_at": times[n].to_pydatetime() if n % 5 == 0 else None,
        }
        for n in range(COUNT)
    ]  # fmt: skip
    with session_scope() as db_session:
        db_session.execute(insert(Order), rows)
    return books


@repeated
def both(*conditions):
    columns = {name: getattr(Order, name) for name in Order.__table__.columns.keys()}  # noqa: SIM118
    with read_session() as db_session:
        statement = select(Order.id).where(*conditions)
        plain = read_frame(db_session, columns, statement.order_by(Order.id))
        return plain, read_frame(db_session, columns, statement, key=Order.id)


@pytest.mark.parametrize(
    "conditions",
    [
        lambda: (),
        lambda: (Order.symbol.in_(["O'NEIL", "Ä%s"]), Order.account_id.is_not(None)),
        lambda: (Order.placed_at >= when("2025-01-10 09:30"), Order.id < 4000),
        lambda: (Order.symbol == "NONE",),
        lambda: (Order.id == 5,),
    ],
)
def test_in_bulk_as_row_by_row(many, conditions):
    plain, bulk = both(*conditions())
    pd.testing.assert_frame_equal(bulk, plain)


def test_it_is_the_bulk_reader_that_answers(many, monkeypatch):
    calls = []
    original = bulk_reading.read_in_bulk

    def watched(*arguments):
        calls.append(original(*arguments))
        return calls[-1]

    monkeypatch.setattr("mismartera_analytics.models.reading.read_in_bulk", watched)
    frame = ma.orders()
    assert len(frame) == COUNT
    assert sum(table.num_rows for table in calls[-1]) == COUNT
    assert frame["user"].isna().sum() == sum(1 for n in range(COUNT) if n % 2 == 0 and n % 3 == 0)
    with session_scope() as db_session:  # a caller's own transaction is read where it is
        db_session.execute(update(Order).values(quantity=1.0))
        assert (ma.orders(db_session=db_session)["quantity"] == 1.0).all()
    assert len(calls) == 1


def test_what_a_user_may_see_is_the_same(many):
    with ma.as_user("bob"):
        seen = ma.orders()
    assert seen["account_id"].isna().all()
    assert len(seen) == sum(1 for n in range(COUNT) if n % 2 == 0 and n % 3)


def test_one_state_is_read_while_others_write(many):
    """A writer moves one share from the lower half of the keys to the upper, and back, for ever."""
    with session_scope() as db_session:
        db_session.execute(update(Order).values(quantity=10.0))
        low, high = db_session.execute(select(func.min(Order.id), func.max(Order.id))).one()
    stop = threading.Event()

    def write():
        sign = 1.0
        while not stop.is_set():
            with session_scope() as db_session:
                for number, change in ((low, sign), (high, -sign)):
                    db_session.execute(
                        update(Order)
                        .where(Order.id == number)
                        .values(quantity=Order.quantity + change)
                    )
            sign = -sign

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sums = [ma.orders()["quantity"].sum() for _ in range(15)]
    finally:
        stop.set()
        writer.join()
    np.testing.assert_allclose(sums, 10.0 * COUNT)


def test_orders_and_fills_are_of_one_state_while_others_write(many, monkeypatch):
    """Each commit brings an order with its fill; a reader in bulk sees both or neither."""
    stop, failures = threading.Event(), []

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            at = when("2025-07-02 10:00") + pd.Timedelta(milliseconds=number)
            order = {
                "order_id": [1],
                "symbol": "NEW",
                "side": "BUY",
                "quantity": 1.0,
                "placed_at": at,
            }
            fill = {"order_id": [1], "quantity": 1.0, "price": 2.0, "filled_at": at}
            ma.record_orders(pd.DataFrame(order), pd.DataFrame(fill), account=many.ada)
            stop.wait(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            seen = ma.fills(account=many.ada)
            is_half = seen["fill_id"].isna() & (seen["symbol"] == "NEW")
            failures += seen.loc[is_half].to_dict("records")
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert ma.orders(symbols="NEW")["status"].eq("FILLED").all()


@SQLITE
def test_what_two_states_make_fail_is_read_again(many):
    """Rows in bulk may be newer than what the session saw: an error then says nothing."""
    seen = []

    @repeated
    def read():
        with read_session() as db_session:
            number = db_session.scalar(select(func.count()).select_from(Order))
            if not seen:
                with session_scope() as another:
                    another.execute(update(Order).values(quantity=1.0).where(Order.id == 5))
            read_frame(db_session, {"symbol": Order.symbol}, select(Order.id), key=Order.id)
            seen.append(number)
            if len(seen) == 1:
                raise KeyError("an order that the session does not have")
            return number

    assert read() == COUNT
    assert seen == [COUNT, COUNT]


@SQLITE
def test_values_that_are_no_times_are_named(many):
    columns = {"placed_at": Order.placed_at}
    with session_scope() as db_session:
        db_session.connection().exec_driver_sql(
            "UPDATE orders SET placed_at = 'soon' WHERE id = 2001"
        )

    @repeated
    def read(key):
        with read_session() as db_session:
            read_frame(db_session, columns, select(Order.id), key=key)

    for key in (None, Order.id):
        with pytest.raises(StorageError, match=r"'soon' where a time belongs.*mismartera doctor"):
            read(key)


@SQLITE
@pytest.mark.parametrize(
    ("column", "value"), [("placed_at", "5"), ("quantity", "'many'"), ("filled_at", "x'00ff'")]
)
def test_values_of_another_kind_are_named(many, column, value):
    with session_scope() as db_session:
        db_session.connection().exec_driver_sql(
            f"UPDATE orders SET {column} = {value} WHERE id = 2001"
        )
    with (
        read_session() as db_session,
        pytest.raises(StorageError, match=f"as {column}, which is none"),
    ):
        read_frame(db_session, {column: getattr(Order, column)}, select(Order.id))
