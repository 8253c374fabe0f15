"""Symbols that end within a run: their orders, their position, and what the records say of them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mismartera_analytics import auth
from mismartera_analytics.backtesting.costs import PerOrder
from mismartera_analytics.backtesting.rerunning import rerun
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError
from mismartera_analytics.market_data.action_files import import_actions
from mismartera_analytics.market_data.actions import corporate_actions, record_actions
from mismartera_analytics.market_data.ingest import ingest_bars
from mismartera_analytics.queries.profit import pnl
from mismartera_analytics.queries.records import fills, positions

FLAT = (10.0, 11.0, 9.0, 10.0)
DAY3 = "2024-01-04"  # the third session from 2024-01-02 on


class Steps(Strategy):
    """Do on each row what a dict says."""

    steps: object = None
    hear: object = None

    def on_bar(self, ctx):
        self.steps.get(ctx.row, lambda ctx: None)(ctx)

    def on_fill(self, ctx, fill):
        if self.hear is not None:
            self.hear(ctx.row, *fill[1:5])


def ending(day, amount=math.nan, symbol="AAA"):
    return pd.DataFrame(
        {"symbol": [symbol], "action_type": "DELISTING", "ex_date": [pd.Timestamp(day)],
         "amount": [amount]}
    )  # fmt: skip


@pytest.fixture
def pair(days):
    """AAA has two bars, BBB four."""
    return pd.concat([days(FLAT, FLAT), days(*[FLAT] * 4, symbol="BBB")], ignore_index=True)


@pytest.mark.parametrize(("amount", "price"), [(math.nan, 10.0), (7.5, 7.5), (0.0, 0.0)])
def test_a_position_becomes_cash_and_orders_end_on_the_day(nyse, pair, amount, price):
    steps = {
        0: lambda ctx: ctx.buy("AAA", 10),
        1: lambda ctx: (ctx.buy("AAA", 1, price=5.0, time_in_force="GTC"), ctx.buy("AAA", 2)),
        2: lambda ctx: (ctx.buy("AAA", 1), ctx.close("AAA")),
    }
    heard = []
    strategy = Steps(steps=steps, hear=lambda *told: heard.append(told))
    result = backtest(
        strategy, bars=pair, actions=ending(DAY3, amount), calendar=nyse, cash=1000.0,
        commission=PerOrder(1.0),
    )  # fmt: skip
    orders = result.orders.set_index("order_id").sort_index()
    assert orders["status"].tolist() == ["FILLED", "CANCELLED", "CANCELLED", "REJECTED", "FILLED"]
    assert set(result.reasons[[2, 3, 4, 5]]) == {"the symbol was delisted"}
    assert result.fills["price"].tolist() == [10.0, price]
    assert result.fills["commission"].tolist() == [1.0, 0.0]
    assert str(result.fills["filled_at"].iloc[-1].date()) == DAY3
    assert result.equity["equity"].tolist() == [1000, 999, 899 + 10 * price, 899 + 10 * price]
    assert result.positions.empty
    assert result.stale == ()
    assert result.trades["realized_pnl"].tolist() == [10 * (price - 10) - 1]
    assert heard == [(1, "AAA", "BUY", 10.0, 10.0), (2, "AAA", "SELL", 10.0, price)]


def test_a_short_position_is_bought_in_at_the_price(nyse, pair):
    steps = {0: lambda ctx: ctx.sell("AAA", 10)}
    result = backtest(
        Steps(steps=steps), bars=pair, actions=ending(DAY3, 4.0), calendar=nyse, cash=1000.0,
        account_type="margin",
    )  # fmt: skip
    assert result.fills[["side", "price"]].to_numpy().tolist() == [["SELL", 10.0], ["BUY", 4.0]]
    assert result.equity["equity"].iloc[-1] == 1060.0


@pytest.mark.parametrize("interval", ["1d", "1h"])
def test_the_run_goes_on_to_the_delisting_of_its_last_symbol(nyse, days, interval):
    bars = days(FLAT, FLAT)
    steps = {0: lambda ctx: ctx.buy("AAA", 10, time_in_force="GTC")}
    given = {"bars": bars, "calendar": nyse, "cash": 1000.0, "interval": interval}
    result = backtest(Steps(steps=steps), actions=ending("2024-01-08", 8.0), **given)
    assert [str(day.date()) for day in result.equity["session"]][-1] == "2024-01-08"
    assert result.equity["equity"].tolist() == [1000, 1000, 980]
    assert result.positions.empty
    early = backtest(
        Steps(steps=steps), end="2024-01-05", actions=ending("2024-01-08", 8.0), **given
    )
    assert len(early.equity) == 2
    assert early.stale == ()  # its last session has a bar of it
    assert early.positions["symbol"].tolist() == ["AAA"]


def test_target_weights_of_a_delisted_symbol(nyse, pair):
    index = pd.DatetimeIndex(pair.loc[pair["symbol"] == "BBB", "session"])
    weights = pd.DataFrame({"AAA": [0.5, 0.5, 0.0, 0.5], "BBB": 0.5}, index)
    result = backtest(bars=pair, actions=ending(DAY3), calendar=nyse, cash=1000.0, weights=weights)
    of_it = result.orders[result.orders["symbol"] == "AAA"].sort_values("order_id")
    assert of_it["status"].tolist() == ["FILLED", "CANCELLED", "REJECTED", "FILLED"]
    assert result.equity["equity"].tolist() == [1000.0] * 4


def test_bars_after_the_delisting_and_odd_amounts_are_refused(nyse, pair):
    with pytest.raises(
        InvalidBarsError, match="'BBB' has a bar on 2024-01-04, after its delisting"
    ):
        backtest(Strategy(), bars=pair, actions=ending(DAY3, symbol="BBB"), calendar=nyse)
    with pytest.raises(InvalidInputError, match="2024-01-04 brings -1 per share"):
        backtest(Strategy(), bars=pair, actions=ending(DAY3, -1.0), calendar=nyse)


def test_the_saved_account_and_the_rerun_agree(ready_database, nyse, pair, tmp_path):
    auth.create_user("ada", "ada@example.com", "secret")
    ingest_bars(pair.drop(columns="timestamp"), "1d")
    file = tmp_path / "actions.csv"
    file.write_text("symbol,type,date,amount\nAAA,delisted,2024-01-04,7.5\n")
    assert import_actions(file) == 1
    assert corporate_actions("AAA")["amount"].tolist() == [7.5]
    weights = pd.DataFrame({"AAA": 0.5, "BBB": 0.4}, index=pd.to_datetime(["2024-01-02"]))
    result = backtest(weights=weights, cash=1000.0, start="2024-01-02")
    assert result.equity["equity"].tolist() == [1000.0, 1000.0, 875.0, 875.0]
    account = result.save("ended", user="ada")
    with auth.as_user("ada"):
        assert positions(account=account)["symbol"].tolist() == ["BBB"]
        assert len(fills(account=account)) == 3
        by_session = pnl(account=account)
    assert by_session["end_value"].tolist()[-4:] == [1000.0, 1000.0, 875.0, 875.0]
    assert by_session["total"].sum() == pytest.approx(-125.0)
    again = rerun("ended", weights=weights, user="ada")
    assert again.digest() == result.digest()


def test_what_a_file_can_say_of_a_delisting(ready_database):
    row = {"symbol": "AAA", "action_type": "DELISTING", "ex_date": "2024-01-04", "ratio": 2.0}
    assert record_actions(pd.DataFrame([row])) == 1
    found = corporate_actions("AAA").iloc[0]
    assert found[["amount", "ratio"]].isna().all()
    assert record_actions(pd.DataFrame([{**row, "amount": 0.0}])) == 1
    with pytest.raises(InvalidInputError, match=r"amount=-2\.0 must be a number of at least 0"):
        record_actions(pd.DataFrame([{**row, "amount": -2.0}]))
