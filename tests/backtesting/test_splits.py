"""Corporate actions during a run, on the real split of AAPL on 2005-02-28 and on small markets."""

from __future__ import annotations

import pandas as pd
import pytest

from mismartera_analytics.backtesting.indicators import sma
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy


class BuyOnce(Strategy):
    quantity = 100

    def on_bar(self, ctx):
        if ctx.row == 0:
            ctx.buy("AAPL", self.quantity)


def test_a_position_keeps_its_value_across_the_split_of_aapl(nyse, sample, splits):
    result = backtest(
        BuyOnce(), "AAPL", "2005-02-23", "2005-03-04", bars=sample, actions=splits, calendar=nyse
    )
    aapl = sample[sample["symbol"] == "AAPL"].set_index("session")
    bought = aapl.loc["2005-02-24", "open"]
    cash = 100_000 - 100 * bought
    assert result.fills["price"].tolist() == [bought]
    assert result.positions["quantity"].tolist() == [200.0]
    equity = result.equity.set_index("session")["equity"]
    assert equity["2005-02-25"] == pytest.approx(cash + 100 * aapl.loc["2005-02-25", "close"])
    assert equity["2005-02-28"] == pytest.approx(cash + 200 * aapl.loc["2005-02-28", "close"])
    assert abs(equity["2005-02-28"] / equity["2005-02-25"] - 1) < 0.01
    assert result.positions["average_price"].tolist() == [pytest.approx(bought / 2)]


def test_bars_after_hours_trade_in_the_shares_of_before_the_split(nyse, shared_data):
    """AAPL split 7:1 before 2014-06-09; real minutes with pre- and post-market."""
    bars = pd.read_csv(shared_data / "us_equity" / "minute_AAPL_2014-06.csv.gz")
    local = pd.to_datetime(bars["timestamp"]).dt.tz_localize("America/New_York")
    bars["timestamp"] = local.dt.tz_convert("UTC").dt.as_unit("us")
    split = {"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": pd.to_datetime(["2014-06-09"])}
    actions = pd.DataFrame({**split, "ratio": 7.0, "amount": float("nan"), "known_at": pd.NaT})
    result = backtest(
        BuyOnce(), "AAPL", interval="1m", bars=bars, actions=actions, calendar=nyse, cash=100_000
    )
    assert result.positions["quantity"].tolist() == [700.0]
    assert result.equity["equity"].pct_change().abs().max() < 0.005


class Watch(Strategy):
    def on_start(self, ctx):
        self.average = ctx.indicator(sma, "close", window=5)
        self.seen = {}

    def on_bar(self, ctx):
        assert len(ctx.bars.close) == len(self.average) == ctx.row + 1
        self.seen[ctx.session] = (self.average[-1], ctx.bars.close[-5:].copy())


def test_indicators_see_prices_adjusted_for_the_splits_known_at_the_decision(nyse, sample, splits):
    seen = {}

    class Keep(Watch):
        def on_start(self, ctx):
            super().on_start(ctx)
            self.seen = seen

    backtest(Keep(), "AAPL", "2005-02-14", "2005-03-04", bars=sample, actions=splits, calendar=nyse)
    raw = sample[sample["symbol"] == "AAPL"].set_index("session")["close"]
    halved = raw.where(raw.index >= "2005-02-28", raw / 2)
    for day, (average, closes) in seen.items():
        known = raw if pd.Timestamp(day) < pd.Timestamp("2005-02-28") else halved
        last_five = known[: pd.Timestamp(day)].loc["2005-02-14":].iloc[-5:]
        assert closes == pytest.approx(last_five.to_numpy())
        if len(last_five) == 5:
            assert average == pytest.approx(last_five.mean())


def test_a_working_order_keeps_its_meaning_across_a_split(nyse, days):
    bars = days((100, 101, 99, 100), (100, 101, 99, 100), (50, 51, 49, 50), (50, 50, 39, 41))
    split = pd.DataFrame(
        {
            "symbol": "AAA",
            "action_type": "SPLIT",
            "ex_date": bars["session"].iloc[[2]].to_numpy(),
            "ratio": 2.0,
            "amount": float("nan"),
            "known_at": pd.NaT,
        }
    )

    class Bid(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 0:
                ctx.buy(None, 10, price=80.0, time_in_force="GTC")

    result = backtest(Bid(), bars=bars, actions=split, calendar=nyse)
    assert result.orders[["quantity", "price"]].to_numpy().tolist() == [[20.0, 40.0]]
    assert result.fills[["quantity", "price"]].to_numpy().tolist() == [[20.0, 40.0]]


def test_a_dividend_is_paid_on_what_was_held_at_the_open_of_the_ex_date(nyse, days):
    bars = days(*[(10, 11, 9, 10)] * 4)
    dividend = pd.DataFrame(
        {
            "symbol": "AAA",
            "action_type": "CASH_DIVIDEND",
            "ex_date": bars["session"].iloc[[2]].to_numpy(),
            "ratio": float("nan"),
            "amount": 0.5,
            "known_at": pd.NaT,
        }
    )

    class BuyTwice(Strategy):
        def on_bar(self, ctx):
            if ctx.row < 2:
                ctx.buy(None, 100)

    result = backtest(BuyTwice(), bars=bars, actions=dividend, calendar=nyse)
    assert len(result.fills) == 2  # the second on the ex-date itself: too late for the dividend
    assert result.equity["equity"].tolist() == [100_000, 100_000, 100_050, 100_050]
