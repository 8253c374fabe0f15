"""An account that trades on several markets: marked on the sessions of all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import record_cash, record_trades

BY_SYMBOL = ["account", "symbol"]
AMOUNTS = [
    "begin_value",
    "flows",
    "realized",
    "unrealized",
    "dividends",
    "fees",
    "total",
    "end_value",
]


def check_identity(frame: pd.DataFrame) -> None:
    scale = frame[AMOUNTS].abs().max(axis=1) + 1
    gap = frame["begin_value"] + frame["flows"] + frame["total"] - frame["end_value"]
    assert (gap.abs() <= 1e-9 * scale).all()
    parts = frame["realized"] + frame["unrealized"] + frame["dividends"] - frame["fees"]
    assert ((frame["total"] - parts).abs() <= 1e-9 * scale).all()
    for _, own in frame.groupby(["account_id", frame["symbol"].fillna("")]):
        np.testing.assert_allclose(
            own["begin_value"].iloc[1:], own["end_value"].iloc[:-1], rtol=1e-12
        )


def write(symbol: str, market: str, start: str, closes: list[float]) -> None:
    calendar = ma.trading_calendar(market)
    labels = calendar.labels(start, None)[: len(closes)]
    close = np.array(closes, float)
    bars = pd.DataFrame(
        {"symbol": symbol, "timestamp": calendar.opens(labels), "session": labels, "open": close,
         "high": close, "low": close, "close": close, "volume": 1.0}
    )  # fmt: skip
    BarStore().write(bars[~np.isnan(close)], "1d")


@pytest.fixture
def world(books):
    """From Thursday July 3 to Tuesday July 8, 2025; New York rests on the 4th and on the weekend."""
    record_instruments(
        pd.DataFrame(
            {"symbol": ["7203.T", "BTC-USD"], "exchange_group": ["XTKS", "24/7"],
             "asset_class": [None, "CRYPTO"]}
        )
    )  # fmt: skip
    write("AAPL", "NYSE", "2025-07-03", [210, 208, 209])  # July 3, 7, 8
    write("7203.T", "XTKS", "2025-07-03", [25, 26, 27, 28])  # July 3, 4, 7, 8
    write("BTC-USD", "24/7", "2025-07-03", [100, 101, 102, 103, 104, 105])  # every day
    return books


def trade_everywhere(account: int) -> None:
    record_cash(account, ("2025-07-02 12:00", "DEPOSIT", 10_000))
    record_trades(
        account,
        ("2025-07-03 10:00", "AAPL", 10, 209, 1),
        ("2025-07-02 21:00", "7203.T", 100, 25, 2),  # 10:00 of July 3 in Tokyo
        ("2025-07-05 12:00", "BTC-USD", 2, 102, 0),  # a Saturday
        ("2025-07-06 23:30", "7203.T", -50, 27, 1),  # 12:30 of July 7 in Tokyo
    )


def test_every_session_of_every_market_is_marked(world):
    trade_everywhere(world.ada)
    frame = ma.pnl(by=BY_SYMBOL)
    check_identity(frame)
    values = {
        symbol: dict(zip(own["session"].dt.day, own["end_value"], strict=True))
        for symbol, own in frame.groupby(frame["symbol"].fillna("cash"))
    }
    assert values["AAPL"] == {3: 2100, 4: 2100, 5: 2100, 6: 2100, 7: 2080, 8: 2090}
    assert values["7203.T"] == {3: 2500, 4: 2600, 5: 2600, 6: 2600, 7: 1350, 8: 1400}
    assert values["BTC-USD"] == {5: 204, 6: 206, 7: 208, 8: 210}
    cash = 10_000 - 2091 - 2502
    assert values["cash"] == {2: 10_000, 3: cash, 4: cash, 5: cash - 204, 6: cash - 204,
                              7: cash - 204 + 1349, 8: cash - 204 + 1349}  # fmt: skip
    whole = ma.pnl()
    check_identity(whole)
    assert whole["session"].dt.day.tolist() == [2, 3, 4, 5, 6, 7, 8]
    sums = frame.groupby("session")["end_value"].sum()
    np.testing.assert_allclose(whole["end_value"], sums, rtol=1e-12)
    # A price is as old as the sessions of its own market.
    ages = frame.pivot(index="session", columns="symbol", values="price_age")
    assert ages["AAPL"].dropna().eq(0).all()
    assert whole["price_age"].eq(0).all()


def test_each_account_has_the_sessions_of_its_own_markets(world):
    trade_everywhere(world.ada)
    record_cash(world.bob, ("2025-07-03 09:00", "DEPOSIT", 5_000))
    record_trades(world.bob, ("2025-07-03 10:00", "AAPL", 3, 209))
    both = ma.pnl()
    for account in (world.ada, world.bob):
        own = both[both["account_id"] == account].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, ma.pnl(account=account))
    assert both.loc[both["account_id"] == world.bob, "session"].dt.day.tolist() == [3, 7, 8]
    weeks = ma.pnl(freq="week")
    assert weeks["session"].dt.day.tolist() == [6, 8, 3, 8]
    check_identity(weeks)
    total = ma.returns(by="total", freq="total")
    assert len(total) == 1
    by_account = ma.returns(freq="total")
    assert by_account["account_id"].tolist() == [world.ada, world.bob]
    for account in (world.ada, world.bob):
        own = by_account[by_account["account_id"] == account].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, ma.returns(freq="total", account=account))


def test_a_missing_bar_ages_by_the_sessions_of_its_market(world):
    write("OLD", "NYSE", "2025-07-03", [50])
    record_trades(world.ada, ("2025-07-03 10:00", "OLD", 1, 50),
                  ("2025-07-03 10:00", "BTC-USD", 1, 100))  # fmt: skip
    frame = ma.pnl(by=BY_SYMBOL, symbols=["OLD", "BTC-USD"], max_price_age=1)
    old = frame[frame["symbol"] == "OLD"]
    assert old["session"].dt.day.tolist() == [3, 4, 5, 6, 7, 8]
    assert old["price_age"].fillna(-1).tolist() == [0, 0, 0, 0, 1, -1]
    assert old["end_value"].fillna(-1).tolist() == [50, 50, 50, 50, 50, -1]


def test_a_split_on_a_day_off_waits_for_the_market(world):
    record_actions(
        pd.DataFrame(
            {"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": "2025-07-05", "ratio": 2.0}
        )
    )
    record_trades(world.ada, ("2025-07-03 10:00", "AAPL", 10, 210),
                  ("2025-07-03 10:00", "BTC-USD", 1, 100))  # fmt: skip
    frame = ma.pnl(by=BY_SYMBOL, symbols=["AAPL", "BTC-USD"])
    values = frame.loc[frame["symbol"] == "AAPL", "end_value"].tolist()
    assert values == [2100, 2100, 2100, 2100, 4160, 4180]
    check_identity(frame)


def test_positions_are_valued_at_the_last_close_of_their_own_market(world):
    trade_everywhere(world.ada)
    at = pd.Timestamp("2025-07-07 16:00", tz="UTC")  # New York trades, Tokyo has closed
    held = ma.positions(at=at).set_index("symbol")
    assert held["quantity"].to_dict() == {"7203.T": 50, "AAPL": 10, "BTC-USD": 2}
    assert held["current_price"].to_dict() == {"7203.T": 27, "AAPL": 210, "BTC-USD": 103}
    assert held.loc["7203.T", "last_updated"] == pd.Timestamp("2025-07-07 06:30", tz="UTC")
    assert held.loc["AAPL", "last_updated"] == pd.Timestamp("2025-07-03 17:00", tz="UTC")
    assert held.loc["BTC-USD", "last_updated"] == pd.Timestamp("2025-07-07 00:00", tz="UTC")
    refresh_positions()
    account = ma.accounts(user="ada").iloc[0]
    assert account["equity"] == pytest.approx(ma.pnl()["end_value"].iloc[-1])


def test_every_cell_of_such_an_account_can_be_explained(world):
    trade_everywhere(world.ada)
    for session in ("2025-07-04", "2025-07-06", "2025-07-07"):
        for column in ("end_value", "total", "unrealized", "flows"):
            cell = ma.explain("pnl", account=world.ada, session=session, column=column)
            assert cell.adds_up, str(cell)


def test_an_account_on_one_other_market_has_its_sessions_alone(world):
    record_cash(world.ada, ("2025-07-02 20:00", "DEPOSIT", 9_000))
    record_trades(world.ada, ("2025-07-02 21:00", "7203.T", 100, 25))
    record_cash(world.bob, ("2025-07-03 12:00", "DEPOSIT", 1))
    frame = ma.pnl()
    assert frame.loc[frame["account_id"] == world.ada, "session"].dt.day.tolist() == [3, 4, 7, 8]
    assert frame.loc[frame["account_id"] == world.bob, "session"].dt.day.tolist() == [3, 7, 8]
    check_identity(frame)


def test_the_multiplier_is_that_of_the_contract_traded_then(books):
    """A ticker of a contract over 50 until June, of one over 5 from July on."""
    record_instruments(
        pd.DataFrame(
            {"symbol": ["ESX", "ESX"], "valid_from": [None, "2025-07-01"],
             "valid_to": ["2025-06-30", None], "multiplier": [50.0, 5.0]}
        )
    )  # fmt: skip
    record_trades(
        books.ada,
        ("2025-06-02 10:00", "ESX", 1, 100), ("2025-06-03 10:00", "ESX", -1, 103),
        ("2025-07-02 10:00", "ESX", 2, 200), ("2025-07-03 10:00", "ESX", -2, 204),
    )  # fmt: skip
    trips = ma.round_trips()
    assert trips["realized_pnl"].tolist() == [150, 40]
    assert trips["entry_price"].tolist() == [100, 200]
