from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, text

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError, UnknownNameError
from mismartera_analytics.models import Fill, Order
from mismartera_analytics.models.database import SessionLocal, session_scope
from tests.world import record_cash, record_trades, when


def add_order(account: int, **columns) -> int:
    row = {"account_id": account, "symbol": "AAPL", "side": "BUY", "quantity": 10.0} | columns
    with session_scope() as db_session:
        order = Order(**row)
        db_session.add(order)
        db_session.flush()
        return order.id


def test_frames_have_their_contract_and_zone(books):
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201))
    for frame, spec in ((ma.orders(), frames.ORDERS), (ma.fills(), frames.FILLS),
                        (ma.accounts(), frames.ACCOUNTS)):  # fmt: skip
        pd.testing.assert_frame_equal(frame, spec.conform(frame))
    local = ma.orders(tz="America/New_York")
    assert local["placed_at"].dt.hour.tolist() == [10]
    assert (local["placed_at"] == ma.orders()["placed_at"]).all()
    with pytest.raises(InvalidInputError, match="tz='Amerika/New_York'"):
        ma.orders(tz="Amerika/New_York")


def test_an_order_without_fills_counts_as_one_fill(books):
    at = when("2025-07-01 10:00")
    first = add_order(books.ada, filled_quantity=4.0, price=201.0, average_fill_price=200.5,
                      placed_at=at, filled_at=at, commission=1.5)  # fmt: skip
    second = add_order(books.ada, filled_quantity=10.0, price=201.0, placed_at=at, side="SELL")
    add_order(books.ada, filled_quantity=0.0, price=201.0, placed_at=at)
    add_order(books.ada, filled_quantity=None, placed_at=at)
    frame = ma.fills()
    assert frame["order_id"].tolist() == [first, second]
    assert frame["fill_id"].isna().all()
    assert frame["quantity"].tolist() == [4, 10]
    assert frame["price"].tolist() == [200.5, 201]
    assert frame["commission"].fillna(-1).tolist() == [1.5, -1]
    assert (frame["filled_at"] == at).all()
    assert frame["side"].tolist() == ["BUY", "SELL"]


def test_the_fee_of_an_order_is_shared_by_fills_that_have_none(books):
    order = add_order(books.ada, filled_quantity=10.0, commission=5.0)
    with session_scope() as db_session:
        rows = [{"order_id": order, "quantity": q, "price": 1.0, "filled_at": when("2025-07-01")}
                for q in (4.0, 6.0)]  # fmt: skip
        db_session.execute(insert(Fill), rows)
    assert ma.fills()["commission"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([1.0, None], [1.0, 4 * 2.4 / 8.4, 4 * 6.0 / 8.4]),  # 6.0 are filled that no row tells
        ([None, None], [0.8, 1.2, 3.0]),
        ([4.0, 2.0], [4.0, 2.0, np.nan]),
    ],
)
def test_the_fee_beyond_that_of_the_fills_is_shared_by_those_without(books, known, told):
    order = add_order(books.ada, filled_quantity=10.0, commission=5.0, average_fill_price=1.0,
                      filled_at=when("2025-07-01"))  # fmt: skip
    with session_scope() as db_session:
        rows = [{"order_id": order, "quantity": quantity, "price": 1.0, "commission": fee,
                 "filled_at": when("2025-07-01")}
                for quantity, fee in zip((1.6, 2.4), known, strict=True)]  # fmt: skip
        db_session.execute(insert(Fill), rows)
    found = ma.fills()
    assert found["commission"].tolist() == pytest.approx(told, nan_ok=True)
    for number, fee in zip(found["fill_id"].dropna(), told, strict=False):
        cell = ma.explain("fills", column="commission", fill_id=int(number))
        assert cell.value == pytest.approx(fee)
        assert cell.computed == pytest.approx(fee)


def test_filters(books):
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "AAPL", 10, 201),
        ("2025-07-02 19:30", "AAPL", -5, 205),
        ("2025-07-03 10:00", "MSFT", 3, 400),
    )
    add_order(books.bob, symbol="IBM", status="CANCELLED", placed_at=when("2025-07-03 11:00"))
    assert len(ma.orders(symbols="AAPL")) == 2
    assert len(ma.orders(symbols=["AAPL", "IBM"])) == 3
    assert len(ma.orders(side="SELL")) == 1
    assert ma.orders(status="CANCELLED")["symbol"].tolist() == ["IBM"]
    assert len(ma.orders(status=["FILLED", "CANCELLED"])) == 4
    assert len(ma.orders(account=[books.ada, books.bob])) == 4
    # Labels include both ends, by the clock of New York: 19:30 of July 2 is 23:30 UTC.
    assert len(ma.orders(start="2025-07-02", end="2025-07-02")) == 1
    assert len(ma.fills(start="2025-07-02")) == 2
    moment = when("2025-07-02 19:30")
    assert len(ma.fills(start=moment)) == 2
    assert len(ma.fills(end=moment)) == 1
    assert ma.fills(symbols="IBM").empty
    assert ma.orders(symbols=[]).empty


@pytest.mark.parametrize("helper", [ma.orders, ma.fills, ma.round_trips])
def test_bad_filters_are_named(books, helper):
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201))
    with pytest.raises(NaiveDatetimeError, match="start="):
        helper(start=pd.Timestamp("2025-07-01 10:00"))
    with pytest.raises(InvalidInputError, match="start=2025-07-02 comes after end=2025-07-01"):
        helper(start="2025-07-02", end="2025-07-01")
    with pytest.raises(InvalidInputError, match="side='LONG'"):
        helper(side="LONG")
    with pytest.raises(InvalidInputError, match="symbols holds 7"):
        helper(symbols=[7])
    with pytest.raises(UnknownNameError, match="did you mean 'AAPL'"):
        helper(symbols="APPL")


def test_bad_instants_of_positions_are_named(books):
    with pytest.raises(NaiveDatetimeError, match="at="):
        ma.positions(at=pd.Timestamp("2025-07-01 10:00"))
    with pytest.raises(InvalidInputError, match="side='BUY'"):
        ma.positions(side="BUY")
    with pytest.raises(InvalidInputError, match="method='best'"):
        ma.positions(at="2025-07-01", method="best")


def test_texts_of_every_writer_are_read_as_utc(books):
    order = add_order(books.ada, placed_at=when("2025-07-01 10:00"))
    for written in ("2025-07-01 14:00:00", "2025-07-01 14:00:00.000000", "2025-07-01T14:00:00",
                    "2025-07-01 14:00:00+00:00", "2025-07-01 10:00:00.000000-04:00"):  # fmt: skip
        with session_scope() as db_session:
            db_session.execute(
                text("UPDATE orders SET placed_at = :t WHERE id = :i"), {"t": written, "i": order}
            )
        assert ma.orders()["placed_at"].tolist() == [when("2025-07-01 10:00")]


def test_positions_at_an_instant(books, prices, split):
    prices("AAPL", "2025-07-01", [200.0, 210.0, 106.0, 108.0])
    split("AAPL", "2025-07-03", 2.0)
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "AAPL", 10, 201, 1),
        ("2025-07-02 10:00", "AAPL", -4, 204, 1),
        ("2025-07-07 10:00", "AAPL", -20, 107),
    )
    columns = ["quantity", "current_price", "market_value", "day_change"]

    def row(at):
        return ma.positions(at=at)[columns].to_numpy().tolist()

    assert row(when("2025-07-01 09:59")) == []
    # Held, but no session has closed since the store's bars begin.
    first = ma.positions(at=when("2025-07-01 10:00")).iloc[0]
    assert first["quantity"] == 10
    assert np.isnan(first["market_value"])
    assert row("2025-07-02") == [[6, 210, 1260, 60]]
    # The evening before the split, and after its open: the same value in twice the shares.
    assert row(when("2025-07-02 23:00")) == [[6, 210, 1260, 60]]
    assert row(when("2025-07-03 10:00")) == [[12, 105, 1260, 60]]
    # July 4 is a holiday: the date stands for the close before it.
    assert row("2025-07-04") == row("2025-07-03") == [[12, 106, 1272, 12]]
    short = ma.positions(at="2025-07-07")
    assert short["quantity"].tolist() == [-8]
    assert short["market_value"].tolist() == [-8 * 108]
    assert short["cost_basis"].tolist() == [-8 * 107]
    assert short["unrealized_pnl"].tolist() == [-8]
    assert ma.positions(at="2025-07-07", side="LONG").empty
    assert ma.positions(at="2025-07-02")["average_price"].tolist() == [pytest.approx(201.1)]


def test_the_callers_session_is_read(books):
    with SessionLocal() as db_session:
        order = Order(account_id=books.ada, symbol="XYZ", side="BUY", quantity=1.0)
        db_session.add(order)
        db_session.flush()
        assert ma.orders(db_session=db_session)["symbol"].tolist() == ["XYZ"]
        db_session.rollback()
    assert ma.orders().empty


def test_broken_old_rows_are_left_out_with_a_warning(books):
    bad = add_order(books.ada, filled_quantity=5.0, placed_at=when("2025-07-01 10:00"))
    add_order(books.ada, filled_quantity=5.0, price=3.0, side="buy", placed_at=when("2025-07-01"))
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201))
    assert len(ma.fills()) == 3
    with pytest.warns(UserWarning, match=f"2 fills are left out .* orders {bad}, {bad + 1}"):
        assert ma.positions(at="2025-07-01")["quantity"].tolist() == [10]


def test_cash_flows_do_not_show_up_as_orders(books):
    record_cash(books.ada, ("2025-07-01 09:00", "DEPOSIT", 100))
    assert ma.orders().empty
    assert ma.pnl(freq="total")["flows"].tolist() == [100]
