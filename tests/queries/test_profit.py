from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import record_cash, record_trades, when


@pytest.fixture
def traded(books, prices):
    """Seven sessions around July 4: bought, half sold, a short of another symbol through zero."""
    prices("AAPL", "2025-07-01", [200, 205, 210, 208, 209, 211, 212])
    prices("MSFT", "2025-07-01", [400, 401, 399, 402, 398, 397, 396])
    record_cash(books.ada, ("2025-07-01 08:00", "DEPOSIT", 10_000))
    record_trades(
        books.ada,
        ("2025-07-01 09:30", "AAPL", 10, 201, 1),
        ("2025-07-02 10:00", "MSFT", -5, 402, 2),
        ("2025-07-07 10:00", "AAPL", -5, 209, 1),
        ("2025-07-08 10:00", "MSFT", 8, 400, 1),
    )
    return books


def test_sessions_follow_the_calendar(traded):
    frame = ma.pnl()
    expected = pd.DatetimeIndex(
        ["2025-07-01", "2025-07-02", "2025-07-03", "2025-07-07", "2025-07-08", "2025-07-09",
         "2025-07-10"]
    )  # fmt: skip
    assert frame["session"].tolist() == expected.tolist()
    pd.testing.assert_frame_equal(frame, frames.PNL.conform(frame))
    np.testing.assert_allclose(
        frame["total"],
        [10 * (200 - 201) - 1, 50 + 5 * (402 - 401) - 2, 50 + 10, 5 * (209 - 210) + 5 * (208 - 210)
         - 1 - 15, 5 + 5 * (402 - 400) + 3 * (398 - 400) - 1, 10 - 3, 5 - 3],
    )  # fmt: skip
    assert frame["end_value"].iloc[-1] == pytest.approx(10_000 + frame["total"].sum())


def test_positions_balances_and_profit_agree(traded):
    refresh_positions()
    account = ma.accounts(user="ada").iloc[0]
    total = ma.pnl(freq="total").iloc[0]
    assert account["equity"] == pytest.approx(total["end_value"])
    held = ma.positions()
    assert account["cash_balance"] + held["market_value"].sum() == pytest.approx(account["equity"])
    trips = ma.round_trips()
    gains = trips["realized_pnl"].sum() + held["unrealized_pnl"].sum()
    assert gains == pytest.approx(total["total"])
    assert trips["side"].tolist() == ["BUY", "SELL"]
    assert ma.round_trips(side="SELL")["realized_pnl"].tolist() == [
        pytest.approx(10 - 2 - 1 * 5 / 8)
    ]
    assert len(ma.round_trips(end="2025-07-07")) == 1


def test_symbols_and_cash_add_up_to_the_account(traded):
    whole = ma.pnl(freq="month")
    parts = ma.pnl(freq="month", by=["account", "symbol"])
    assert parts["symbol"].fillna("").tolist() == ["AAPL", "MSFT", ""]
    for name in ("realized", "unrealized", "fees", "total", "end_value"):
        assert parts[name].sum() == pytest.approx(whole[name].sum())
    chosen = ma.pnl(freq="month", symbols="MSFT", by=["account", "symbol"])
    pd.testing.assert_frame_equal(chosen, parts.loc[[1]].reset_index(drop=True))
    of_account = ma.pnl(freq="month", symbols=["AAPL", "MSFT"])
    assert of_account["total"].sum() == pytest.approx(whole["total"].sum())


def test_ranges_take_labels_of_sessions(traded):
    frame = ma.pnl(start="2025-07-03", end="2025-07-08")
    assert frame["session"].dt.day.tolist() == [3, 7, 8]
    assert frame["cumulative"].iloc[-1] == pytest.approx(frame["total"].sum())
    weeks = ma.pnl(freq="week", end="2025-07-08")
    assert weeks["session"].dt.day.tolist() == [3, 8]
    with pytest.raises(InvalidInputError, match="is an instant"):
        ma.pnl(start=when("2025-07-03 10:00"))


def test_a_range_before_the_records_is_empty(traded):
    pd.testing.assert_frame_equal(ma.pnl(end="2025-06-01"), frames.PNL.empty())
    pd.testing.assert_frame_equal(ma.pnl(start="2024-01-01", end="2024-12-31"), frames.PNL.empty())


def test_bad_arguments_are_named(traded):
    with pytest.raises(InvalidInputError, match="did you mean 'week'"):
        ma.pnl(freq="weekly")
    for by in (["symbol"], None, 5):
        with pytest.raises(InvalidInputError, match="by="):
            ma.pnl(by=by)
    with pytest.raises(InvalidInputError, match="by="):
        ma.pnl(by=["symbol"])
    with pytest.raises(InvalidInputError, match="max_price_age=-1"):
        ma.pnl(max_price_age=-1)
    with pytest.raises(InvalidInputError, match="comes after"):
        ma.pnl(start="2025-08-01", end="2025-07-01")


def test_transferred_lots_count_everywhere(books, prices):
    prices("AAPL", "2025-07-01", [200, 205, 210, 208])
    moved = {"flow_type": "TRANSFER", "symbol": "AAPL", "amount": 1500.0, "quantity": 10.0}
    record_flows(pd.DataFrame({**moved, "occurred_at": [when("2025-07-01 10:00")]}), account=1)
    record_trades(books.ada, ("2025-07-02 10:00", "AAPL", -4, 206))
    assert ma.positions(at=when("2025-07-01 09:00")).empty
    assert ma.positions(at="2025-07-01", symbols="AAPL")["quantity"].tolist() == [10]
    refresh_positions()
    for held in (ma.positions(), ma.positions(at="2025-07-07")):
        assert held[["quantity", "cost_basis"]].to_numpy().tolist() == [[6, 900]]
    assert ma.round_trips()["realized_pnl"].tolist() == [4 * (206 - 150)]
    account = ma.accounts(user="ada").iloc[0]
    assert account[["cash_balance", "equity"]].tolist() == [824, 824 + 6 * 208]
    assert ma.pnl()["end_value"].iloc[-1] == account["equity"]


def test_a_position_keeps_its_price_over_a_change_of_symbol(books, prices):
    prices("FB", "2025-07-01", [200, 205])
    prices("META", "2025-07-03", [210, 208])
    change = {"symbol": ["FB"], "action_type": "SYMBOL_CHANGE", "ex_date": "2025-07-03"}
    paid = {"symbol": ["FB"], "action_type": "CASH_DIVIDEND", "ex_date": "2025-07-02"}
    record_actions(pd.DataFrame({**change, "new_symbol": "META"}))
    record_actions(pd.DataFrame({**paid, "amount": 1.0}))
    record_trades(books.ada, ("2025-07-01 10:00", "FB", 10, 200))
    record_cash(books.ada, ("2025-07-02 12:00", "DIVIDEND", 9.5, "FB"))
    frame = ma.pnl(by=["account", "symbol"], symbols="FB")
    assert frame["end_value"].tolist() == [2000, 2050, 2100, 2080]
    assert frame["dividends"].tolist() == [0, 9.5, 0, 0]
    before = ma.positions(at=when("2025-07-03 09:45"))
    columns = ["symbol", "current_price", "day_change"]
    assert before[columns].to_numpy().tolist() == [["META", 205, 50]]
    assert ma.positions(at="2025-07-03")["day_change"].tolist() == [50]


def test_a_symbol_without_bars_is_missing_and_flagged(books):
    record_cash(books.ada, ("2025-07-01 08:00", "DEPOSIT", 1_000))
    record_trades(books.ada, ("2025-07-01 10:00", "NOBARS", 1, 100))
    record_trades(books.ada, ("2025-07-03 10:00", "NOBARS", -1, 90))
    frame = ma.pnl()
    assert frame["end_value"].fillna(-1).tolist() == [-1, -1, 990]
    assert frame["price_age"].fillna(-1).tolist() == [-1, -1, 0]
    refresh_positions()
    assert ma.accounts(user="ada")["equity"].tolist() == [990]


def test_extended_hours_weekends_and_holidays_count_in_a_session(books, prices):
    prices("AAPL", "2025-07-01", [200, 205, 210, 208])
    record_trades(
        books.ada,
        ("2025-07-02 19:59", "AAPL", 1, 205),  # post-market of July 2
        ("2025-07-02 21:00", "AAPL", 1, 205),  # after it: July 3
        ("2025-07-04 10:00", "AAPL", 1, 205),  # holiday: July 7
    )
    frame = ma.pnl(by=["account", "symbol"], symbols="AAPL")
    assert frame["session"].dt.day.tolist() == [2, 3, 7]
    assert frame["end_value"].tolist() == [205, 420, 624]


def test_fills_before_the_calendar_are_refused(books):
    record_trades(books.ada, ("1950-07-03 10:00", "IBM", 1, 100))
    with pytest.raises(CalendarRangeError, match="covers"):
        ma.pnl()


def test_real_prices_over_a_real_split(books, shared_data):
    """AAPL split 7:1 before the open of 2014-06-09; the vendor's factors say so as well."""
    bars = pd.read_csv(shared_data / "us_equity" / "daily_AAPL.csv.gz")
    bars["session"] = pd.to_datetime(bars["timestamp"]).dt.normalize()
    bars = bars.loc[bars["session"].between("2014-05-01", "2014-07-31")]
    calendar = ma.trading_calendar("US_EQUITY")
    BarStore().write(bars.assign(timestamp=calendar.opens(bars["session"])), "1d")
    split = pd.DataFrame({"symbol": ["AAPL"], "action_type": ["SPLIT"], "ex_date": ["2014-06-09"],
                          "ratio": [7.0]})  # fmt: skip
    record_actions(split)
    record_trades(books.ada, ("2014-05-01 10:00", "AAPL", 10, 590))
    value = ma.pnl(by=["account", "symbol"], symbols="AAPL").set_index("session")
    closes = bars.set_index("session")["close"]
    before = closes.index < "2014-06-09"
    expected = closes * np.where(before, 10, 70)
    np.testing.assert_allclose(value["end_value"], expected, rtol=1e-12)
    moves = value["total"].abs() / value["end_value"]
    assert moves.max() < 0.1
    assert ma.positions(at="2014-06-09")["quantity"].tolist() == [70]
