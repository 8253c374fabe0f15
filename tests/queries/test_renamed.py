"""Symbols that changed, and tickers that another company took: what the helpers make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import UnknownNameError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import record_cash, record_trades, when

BY_SYMBOL = ["account", "symbol"]


def changed(old: str, ex_date: str, new: str) -> dict[str, object]:
    return {"symbol": old, "action_type": "SYMBOL_CHANGE", "ex_date": ex_date, "new_symbol": new}


def check_identity(frame: pd.DataFrame) -> None:
    gap = frame["begin_value"] + frame["flows"] + frame["total"] - frame["end_value"]
    assert gap.abs().max() <= 1e-9 * frame["end_value"].abs().max()


@pytest.fixture
def facebook(books, prices):
    """FB became META on July 3 after a split on July 2; bought as FB, sold as META."""
    prices("FB", "2025-07-01", [200, 102])
    prices("META", "2025-07-03", [105, 104, 106])
    record_actions(
        pd.DataFrame(
            [
                changed("FB", "2025-07-03", "META"),
                {"symbol": "FB", "action_type": "SPLIT", "ex_date": "2025-07-02", "ratio": 2.0},
                {"symbol": "META", "action_type": "CASH_DIVIDEND", "ex_date": "2025-07-07",
                 "amount": 0.5},
            ]
        )
    )  # fmt: skip
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "FB", 10, 201),
        ("2025-07-02 10:00", "FB", -4, 101),
        ("2025-07-08 10:00", "META", -6, 107),
    )
    return books


def test_records_are_found_by_either_name_and_show_the_one_of_their_day(facebook):
    for asked in ("FB", "META", ["META", "FB"]):
        assert ma.orders(symbols=asked)["symbol"].tolist() == ["FB", "FB", "META"]
        assert ma.fills(symbols=asked)["symbol"].tolist() == ["FB", "FB", "META"]
    assert len(ma.fills(symbols="META", end="2025-07-02")) == 2


def test_lots_survive_the_change(facebook):
    trips = ma.round_trips(symbols="META")
    assert trips["symbol"].tolist() == ["META", "META"]
    assert trips["quantity"].tolist() == [4, 6]
    np.testing.assert_allclose(trips["realized_pnl"], [4 * (101 - 100.5), 6 * (107 - 100.5)])
    pd.testing.assert_frame_equal(trips, ma.round_trips())
    pd.testing.assert_frame_equal(trips, ma.round_trips(symbols="FB"))


def test_profit_is_marked_with_the_bars_of_both_names(facebook):
    frame = ma.pnl(by=BY_SYMBOL, symbols="META")
    assert frame["symbol"].unique().tolist() == ["META"]
    assert frame["end_value"].tolist() == [2000, 16 * 102, 16 * 105, 16 * 104, 10 * 106]
    assert frame["dividends"].tolist() == [0, 0, 0, 8, 0]
    assert frame["price_age"].tolist() == [0] * 5
    check_identity(frame)
    whole = ma.pnl(by=BY_SYMBOL)
    pd.testing.assert_frame_equal(frame, whole[whole["symbol"].notna()].reset_index(drop=True))


def test_positions_bear_the_name_of_the_day(facebook):
    columns = ["symbol", "quantity", "current_price", "day_change"]
    before = ma.positions(at="2025-07-02", symbols="META")
    assert before[columns].to_numpy().tolist() == [["FB", 16, 102, 16 * 2]]
    after = ma.positions(at="2025-07-03", symbols="FB")
    assert after[columns].to_numpy().tolist() == [["META", 16, 105, 16 * 3]]
    refresh_positions()
    assert ma.positions(symbols="FB")["symbol"].tolist() == ["META"]


def test_every_cell_can_be_explained(facebook):
    for column in ("end_value", "total", "dividends", "realized"):
        cell = ma.explain("pnl", account=facebook.ada, session="2025-07-07", symbol="META",
                          column=column)  # fmt: skip
        assert cell.adds_up, str(cell)
    assert ma.explain("positions", account=facebook.ada, symbol="FB", at="2025-07-03",
                      column="market_value").adds_up  # fmt: skip


@pytest.fixture
def reused(books, prices):
    """META was a fund until July 2; Facebook took the ticker on July 7. A fund's share is left."""
    prices("META", "2025-07-01", [15, 16, None, 300, 303])
    prices("FB", "2025-07-01", [290, 295, 297])
    record_actions(
        pd.DataFrame(
            [
                changed("FB", "2025-07-07", "META"),
                {"symbol": "META", "action_type": "SPLIT", "ex_date": "2025-07-08", "ratio": 3.0},
            ]
        )
    )
    periods = {"valid_from": [None, "2025-07-07"], "valid_to": ["2025-07-02", None]}
    record_instruments(pd.DataFrame({"symbol": ["META", "META"], **periods}))
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "META", 10, 15),
        ("2025-07-01 10:00", "FB", 2, 291),
        ("2025-07-02 10:00", "META", -9, 16),
        ("2025-07-07 10:00", "META", 1, 301),
    )
    return books


def test_companies_under_one_ticker_stay_apart(reused):
    frame = ma.pnl(by=BY_SYMBOL, symbols="META", freq="session")
    assert sorted(set(frame["symbol"])) == ["META", "META-20250702"]
    values = {name: rows["end_value"].tolist() for name, rows in frame.groupby("symbol")}
    assert values["META"] == [580, 590, 594, 900, 9 * 303]
    assert values["META-20250702"][:2] == [150, 16]
    trips = ma.round_trips()
    assert trips["symbol"].tolist() == ["META-20250702"]
    assert trips["realized_pnl"].tolist() == [9]
    held = ma.positions(at="2025-07-08")
    assert dict(zip(held["symbol"], held["quantity"], strict=True)) == {
        "META": 9, "META-20250702": 1,
    }  # fmt: skip
    refresh_positions()
    assert ma.positions()["symbol"].tolist() == ["META", "META"]
    assert ma.orders(symbols="FB")["symbol"].tolist() == ["FB", "META"]
    assert len(ma.orders(symbols="META")) == 4


def test_two_symbols_swapped_on_one_day(books, prices):
    prices("A", "2025-07-01", [10, 10, 50, 51])
    prices("B", "2025-07-01", [40, 45, 11, 12])
    record_actions(pd.DataFrame([changed("A", "2025-07-03", "B"), changed("B", "2025-07-03", "A")]))
    record_trades(books.ada, ("2025-07-01 10:00", "A", 10, 10), ("2025-07-01 10:00", "B", 1, 40),
                  ("2025-07-07 10:00", "B", -10, 12))  # fmt: skip
    frame = ma.pnl(by=BY_SYMBOL)
    values = {name: rows["end_value"].tolist() for name, rows in frame.groupby("symbol")}
    assert values["A"] == [40, 45, 50, 51]
    assert values["B"] == [100, 100, 110, 0]
    assert ma.round_trips()["realized_pnl"].tolist() == [20]


def test_a_change_back_keeps_one_position(books, prices):
    prices("A", "2025-07-01", [10, None, None, 13])
    prices("B", "2025-07-02", [11, 12])
    record_actions(pd.DataFrame([changed("A", "2025-07-02", "B"), changed("B", "2025-07-07", "A")]))
    record_trades(books.ada, ("2025-07-01 10:00", "A", 10, 10), ("2025-07-03 10:00", "B", -4, 12),
                  ("2025-07-07 10:00", "A", -6, 13))  # fmt: skip
    frame = ma.pnl(by=BY_SYMBOL)
    assert frame.loc[frame["symbol"] == "A", "end_value"].tolist() == [100, 110, 72, 0]
    assert ma.positions(at="2025-07-07").empty
    assert ma.positions(at="2025-07-03")["symbol"].tolist() == ["B"]


def test_a_dividend_booked_under_the_old_name_is_the_company_s(facebook):
    record_cash(facebook.ada, ("2025-07-01 12:00", "DIVIDEND", 3.0, "FB"))
    frame = ma.pnl(by=BY_SYMBOL, freq="total", symbols="META")
    assert frame["dividends"].tolist() == [3.0 + 8]
    check_identity(frame)


def test_a_new_name_without_any_record_is_known(books):
    record_actions(pd.DataFrame([changed("FB", "2025-07-03", "META")]))
    assert ma.orders(symbols="META").empty
    with pytest.raises(UnknownNameError, match="did you mean 'META'"):
        ma.orders(symbols="MEAT")


def test_prices_are_looked_for_as_far_back_as_they_may_be_old(books, prices):
    prices("OLD", "2025-05-01", [77])
    record_trades(books.ada, ("2025-07-01 10:00", "OLD", 1, 70))
    assert ma.pnl(max_price_age=5)["end_value"].isna().all()
    assert ma.pnl(max_price_age=60)["price_age"].tolist() == [41]
    assert when("2025-07-01 10:00").tzinfo is not None
