"""Implementation shortfall: by hand for a few orders, and against the two accounts' own values."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.backtesting.costs import BasisPoints, PerShare
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from mismartera_analytics.market_data import samples
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.recording.accounts import create_account

PARTS = ["delay", "execution", "opportunity", "fees"]


@pytest.fixture
def plan(nyse, days):
    """Decide to buy 100 after the first close (10), fill at 11, and sell them at 14; end at 15."""
    bars = days(
        (10, 10, 10, 10), (11, 12, 11, 12), (12, 13, 12, 13), (14, 15, 14, 15), (15, 15, 15, 15)
    )
    ends = nyse.sessions("2024-01-02", "2024-01-08")["regular_close"].to_list()
    orders = pd.DataFrame({"placed_at": [ends[0], ends[2]], "symbol": "AAA",
                           "side": ["BUY", "SELL"], "quantity": [100.0, 100.0]})  # fmt: skip
    result = ma.backtest(orders=orders, bars=bars, calendar=nyse, cash=5_000.0)
    assert result.fills["price"].tolist() == [11.0, 14.0]
    return result, bars


@pytest.fixture
def live(ready_database):
    """Record live orders of AAA: (side, quantity, filled, price, fee, time); return the account."""
    ma.create_user("ada", "ada@example.com", "secret")
    account = create_account("ada", "schwab", account_number="live")

    def record(*rows):
        table = pd.DataFrame(
            rows, columns=["side", "quantity", "filled_quantity", "average_fill_price", "commission",
                           "placed_at"],
        )  # fmt: skip
        at = pd.to_datetime(table["placed_at"]).dt.tz_localize("America/New_York")
        is_full = table["quantity"] == table["filled_quantity"]
        ma.record_orders(
            table.assign(
                placed_at=at, symbol="AAA", status=is_full.map({True: "FILLED", False: "CANCELLED"}),
                filled_at=at.where(table["filled_quantity"] > 0),
            ),
            account=account,
        )  # fmt: skip
        return account

    return record


def test_by_hand(plan, live):
    result, _ = plan
    account = live(
        ("BUY", 60.0, 60.0, 11.5, 1.0, "2024-01-03 10:00"),
        ("BUY", 40.0, 20.0, 12.0, 0.5, "2024-01-03 11:00"),
        ("SELL", 80.0, 80.0, 13.5, 2.0, "2024-01-05 09:31"),
    )
    table = ma.compare(account, result)
    buy, sell = table.iloc[0], table.iloc[1]
    assert (buy["live_orders"], buy["simulated_quantity"], buy["live_quantity"]) == (2, 100, 80)
    assert (buy["decision_price"], buy["arrival_price"], buy["end_price"]) == (10, 11, 15)
    assert buy["live_price"] == pytest.approx((60 * 11.5 + 20 * 12.0) / 80)
    assert buy["delay"] == pytest.approx(80 * (11 - 10))
    assert buy["execution"] == pytest.approx(60 * 0.5 + 20 * 1.0)
    assert buy["opportunity"] == pytest.approx(20 * (15 - 10))
    assert buy["fees"] == 1.5
    assert buy["shortfall"] == pytest.approx(80 + 50 + 100 + 1.5)
    assert buy["shortfall_bps"] == pytest.approx(231.5 / 1_000 * 10_000)
    assert buy["assumed"] == pytest.approx(100 * (11 - 10))
    assert (sell["decision_price"], sell["arrival_price"]) == (13, 14)
    assert sell["delay"] == pytest.approx(-80 * (14 - 13))
    assert sell["execution"] == pytest.approx(80 * (14 - 13.5))
    assert sell["opportunity"] == pytest.approx(-20 * (15 - 13))
    paper = 100 * (15 - 10) - 100 * (15 - 13)
    real = 60 * (15 - 11.5) + 20 * (15 - 12.0) - 80 * (15 - 13.5) - 3.5
    assert table["shortfall"].sum() == pytest.approx(paper - real)
    assert table[PARTS].sum(axis=1).tolist() == pytest.approx(table["shortfall"].tolist())
    bps = table[[f"{part}_bps" for part in PARTS]].sum(axis=1)
    assert bps.tolist() == pytest.approx(table["shortfall_bps"].tolist())


def test_what_was_missed_and_what_was_not_planned(plan, live):
    result, _ = plan
    account = live(
        ("BUY", 10.0, 10.0, 9.9, 0.0, "2024-01-02 12:00"),
        ("SELL", 5.0, 0.0, None, 0.0, "2024-01-05 10:00"),
    )
    table = ma.compare(account, result)
    assert table["simulated_order_id"].isna().tolist() == [True, False, False]
    assert table["live_orders"].tolist() == [1, 0, 0]
    beside, buy, sell = (table.iloc[at] for at in range(3))
    assert beside["decision_price"] == beside["arrival_price"] == 10.0
    assert beside["shortfall"] == pytest.approx(10 * (9.9 - 10) - 10 * (15 - 10))
    assert buy["shortfall"] == buy["opportunity"] == pytest.approx(100 * (15 - 10))
    assert sell["shortfall"] == sell["opportunity"] == pytest.approx(-100 * (15 - 13))


def test_a_live_order_belongs_to_a_recent_decision(plan, live):
    result, _ = plan
    account = live(("BUY", 100.0, 100.0, 13.0, 0.0, "2024-01-04 10:00"))
    assert len(ma.compare(account, result)) == 2
    apart = ma.compare(account, result, within=dt.timedelta(hours=12))
    assert apart["simulated_order_id"].isna().sum() == 1
    total = ma.compare(account, result)["shortfall"].sum()
    assert apart["shortfall"].sum() == pytest.approx(total)


@pytest.fixture
def sampled(ready_database):
    ma.create_user("ada", "ada@example.com", "secret")
    ma.ingest_bars(samples.sample_bars(), "1d")
    record_actions(samples.sample_actions())


def test_the_excess_is_what_the_accounts_differ_by(sampled):
    asked = {"symbols": ["AAPL", "IBM"], "start": "2004-01-02", "parameters": {"fast": 20}}
    free = ma.backtest(MovingAverageCross, **asked)
    dear = ma.backtest(
        MovingAverageCross,
        slippage=BasisPoints(20),
        commission=PerShare(0.01, minimum=1.0),
        **asked,
    )
    lost = free.equity["equity"].iloc[-1] - dear.equity["equity"].iloc[-1]
    table = ma.compare(dear, free)
    assert len(table) > 50
    assert lost > 0
    assert table["excess"].sum() == pytest.approx(lost)
    assert ma.compare(free, free)["excess"].abs().max() < 1e-6
    paper, real = free.save("paper", user="ada"), dear.save("real", user="ada")
    with ma.as_user("ada"):
        saved = ma.compare(real, "paper")
    assert saved["excess"].sum() == pytest.approx(lost)
    assert saved["live_quantity"].tolist() == pytest.approx(table["live_quantity"].tolist())
    assert paper != real


def test_only_runs_are_simulated_and_accounts_are_ones_own(plan, live):
    result, _ = plan
    account = live(("BUY", 100.0, 100.0, 13.0, 0.0, "2024-01-04 10:00"))
    with pytest.raises(InvalidInputError, match="not the account of a saved run"):
        ma.compare(account, account)
    ma.create_user("bob", "bob@example.com", "secret")
    with ma.as_user("bob"):
        for question in ((account, result), (result, account)):
            with pytest.raises(UnknownNameError):
                ma.compare(*question)
