"""A sell of what was never held: short in a margin account, named in a cash account."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.recording.short_sales import ShortSaleWarning
from tests.world import record_trades, when


def test_cash_accounts_that_sell_what_they_lack_are_named(books, split):
    record_trades(books.ada, ("2025-07-01 10:00", "ABC", 10, 20), ("2025-07-03 10:00", "ABC", -15, 9),
                  ("2025-07-07 10:00", "ABC", -10, 9))  # fmt: skip
    split("ABC", "2025-07-02", 2.0)
    with pytest.warns(ShortSaleWarning, match=r"ABC in account \d+ on 2025-07-07\. They") as caught:
        trips = ma.round_trips()
    assert [one.filename for one in caught] == [__file__]  # the caller's line, not one of ours
    assert trips["quantity"].sum() == 20
    with pytest.warns(ShortSaleWarning, match="2025-07-07"):
        ma.pnl()


def test_margin_accounts_and_whole_sales_are_not(books):
    record_trades(books.bob, ("2025-07-01 10:00", "ABC", -10, 20))
    record_trades(books.ada, ("2025-07-01 10:00", "ABC", 0.1, 20), ("2025-07-01 11:00", "ABC", 0.2, 20),
                  ("2025-07-02 10:00", "ABC", -0.3, 20))  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShortSaleWarning)
        ma.round_trips()
        ma.lot_methods(year=2025)


def test_lots_that_came_in_before_count(books):
    record_trades(books.ada, ("2025-07-02 10:00", "ABC", -10, 20))
    came = {"flow_type": ["TRANSFER"], "symbol": "ABC", "quantity": 10.0, "amount": 100.0,
            "occurred_at": [when("2025-07-01 10:00")], "acquired_on": ["2019-03-01"]}  # fmt: skip
    ma.record_flows(pd.DataFrame(came), account=books.ada)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShortSaleWarning)
        trips = ma.round_trips()
    assert trips["realized_pnl"].tolist() == [100]
    assert trips["entry_at"].dt.strftime("%Y-%m-%d").tolist() == ["2019-03-01"]
    assert ma.lot_methods(year=2025)["long_term"].tolist() == [100] * 4


def test_cash_in_lieu_is_recorded_and_sold(books, split):
    record_trades(books.ada, ("2025-07-01 10:00", "ABC", 5, 30))
    split("ABC", "2025-07-02", 1.5)
    paid = {"flow_type": ["CASH_IN_LIEU"], "symbol": "ABC", "quantity": -0.5, "amount": 12.0,
            "occurred_at": [when("2025-07-03 10:00")]}  # fmt: skip
    ma.record_flows(pd.DataFrame(paid), account=books.ada)
    trips = ma.round_trips()
    assert trips[["quantity", "realized_pnl"]].to_numpy().tolist() == [[0.5, 2.0]]
    assert ma.positions(at="2025-07-03")["quantity"].tolist() == [7]
    total = ma.pnl(freq="total").iloc[0]
    assert (total["realized"], total["flows"]) == (2, 0)
    with pytest.raises(ValueError, match="cash in lieu needs"):
        ma.record_flows(pd.DataFrame(paid | {"quantity": 0.5}), account=books.ada)
