"""Lot methods and wash sales from records."""

from __future__ import annotations

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from tests.world import record_trades


@pytest.fixture
def sold(books):
    record_trades(
        books.ada,
        ("2024-01-10 10:00", "ABC", 100, 30.0), ("2024-04-10 10:00", "ABC", 100, 40.0),
        ("2024-07-10 10:00", "ABC", 100, 50.0), ("2024-11-11 10:00", "ABC", -100, 45.0, 1.0),
        ("2024-11-20 10:00", "ABC", 100, 46.0),
    )  # fmt: skip
    record_trades(books.bob, ("2024-01-10 10:00", "XYZ", 10, 30.0))
    return books


def test_every_method_has_a_row(sold):
    frame = ma.lot_methods(year=2024)
    assert frame["method"].tolist() == ["fifo", "lifo", "hifo", "average"]
    assert frame["realized"].tolist() == [1499, -501, -501, 499]
    assert frame["disallowed"].tolist() == [0, 501, 501, 0]
    assert frame["taxable"].tolist() == [1499, 0, 0, 499]
    order = ma.orders(symbols="ABC", side="SELL")["order_id"].iloc[0]
    lots = pd.DataFrame({"order_id": [order], "opened_on": ["2024-04-10"], "quantity": [100]})
    named = ma.lot_methods(year=2024, lots=lots).set_index("method")["realized"]
    assert named["specific"] == 499
    assert ma.round_trips(method="specific", lots=lots)["realized_pnl"].tolist() == [499]
    assert ma.pnl(freq="total", by=["account", "symbol"], method="specific", lots=lots,
                  symbols="ABC")["realized"].tolist() == [500]  # fmt: skip
    before = ma.positions(at="2024-11-08", method="specific", lots=lots, account=sold.ada)
    assert before["quantity"].tolist() == [300]
    after = ma.positions(at="2024-11-11", method="specific", lots=lots, account=sold.ada)
    assert after["cost_basis"].tolist() == [8000]


def test_wash_sales_name_both_sides(sold):
    assert ma.wash_sales(year=2024).empty
    found = ma.wash_sales(year=2024, method="lifo").iloc[0]
    assert (found["acquired_on"], found["sold_on"], found["bought_on"]) == tuple(
        pd.to_datetime(["2024-07-10", "2024-11-11", "2024-11-20"])
    )
    assert (found["quantity"], found["disallowed"]) == (100, 501)


def test_other_users_and_years_are_not_seen(sold):
    with ma.as_user("bob"):
        pd.testing.assert_frame_equal(ma.lot_methods(year=2024), frames.LOT_METHODS.empty())
        pd.testing.assert_frame_equal(ma.wash_sales(year=2024), frames.WASH_SALES.empty())
        with pytest.raises(UnknownNameError):
            ma.wash_sales(account=sold.ada)
    pd.testing.assert_frame_equal(ma.lot_methods(year=2023), frames.LOT_METHODS.empty())


def test_bad_arguments_are_refused(books):
    assert ma.lot_methods().empty
    with pytest.raises(InvalidInputError, match="whole number"):
        ma.lot_methods(year="2024")
    with pytest.raises(InvalidInputError, match="did you mean 'lifo'"):
        ma.wash_sales(method="lifi")
    with pytest.raises(InvalidInputError, match="needs the columns"):
        ma.lot_methods(lots=pd.DataFrame({"order_id": [1]}))
