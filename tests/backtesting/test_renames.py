"""Changes of symbol within a run: the same company under one name fills and ends alike."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics import auth
from mismartera_analytics.backtesting.rerunning import rerun
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError, StrategyError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.ingest import ingest_bars
from mismartera_analytics.queries.profit import pnl
from mismartera_analytics.queries.records import fills, orders, positions
from tests.backtesting.test_reference import EXAMPLES, close, run
from tests.backtesting.test_reference_orders import Follow, as_frame, full_rules, order_plans
from tests.backtesting.worlds import scenes

FLAT = (10.0, 11.0, 9.0, 10.0)
DAY3 = "2024-01-04"  # the third session from 2024-01-02 on


def change(old, new, day=DAY3, **more):
    return pd.DataFrame(
        {"symbol": [old], "action_type": "SYMBOL_CHANGE", "ex_date": [pd.Timestamp(day)],
         "new_symbol": [new], **more}
    )  # fmt: skip


class Steps(Strategy):
    """Do on each row what a dict says."""

    steps: object = None

    def on_bar(self, ctx):
        self.steps.get(ctx.row, lambda ctx: None)(ctx)


@pytest.fixture
def bars(days):
    old, new = days(FLAT, FLAT, symbol="FB"), days(None, None, FLAT, FLAT, symbol="META")
    return pd.concat([old, new], ignore_index=True)


@pytest.mark.parametrize("asked", [["FB"], ["META"], ["FB", "META"], None])
def test_positions_and_orders_carry_over_to_the_new_name(nyse, bars, asked):
    seen = []
    steps = {
        0: lambda ctx: (ctx.buy("FB", 10), ctx.buy("FB", 5, price=9.0, time_in_force="GTC")),
        1: lambda ctx: ctx.sell("META", 4, price=10.5, time_in_force="GTC"),
        2: lambda ctx: seen.append((ctx.symbols, ctx.position("FB"), len(ctx.bars["META"]))),
        3: lambda ctx: ctx.close("FB"),
    }
    low = bars.assign(low=bars["low"].where(bars.index > 1, 9.5))  # the limit waits for the third
    result = backtest(
        Steps(steps=steps), asked, bars=low, actions=change("FB", "META"), calendar=nyse
    )
    assert seen == [(("META",), 11.0, 3)]
    of_it = result.orders.sort_values("order_id")
    assert of_it["symbol"].tolist() == ["FB", "META", "META", "META"]
    assert result.fills.sort_values("fill_id")["symbol"].tolist() == ["FB", "META", "META"]
    assert result.positions[["symbol", "quantity"]].to_numpy().tolist() == [["META", 11.0]]
    assert result.trades[["symbol", "quantity"]].to_numpy().tolist() == [["META", 4.0]]
    assert result.config["symbols"] == (asked or ["FB", "META"])


@EXAMPLES
@given(data=st.data())
def test_a_company_fills_alike_under_one_name_and_under_two(nyse, data):
    scene = data.draw(scenes(nyse))
    rule = data.draw(full_rules())
    plan = data.draw(order_plans(scene))
    names = sorted(scene.world.bars)
    whole = run(scene, rule, nyse, strategy=Follow(plan=plan))
    held = scene.bars[scene.bars["symbol"] == names[0]]
    labels = sorted(held["session"].unique())
    if len(labels) < 2:
        return
    day = data.draw(st.sampled_from(labels[1:]))
    opened = nyse.sessions(day, day)["pre_market_open"].iloc[0]
    new = data.draw(st.sampled_from(["A", "ZZZ"]))

    def named(table, times):
        is_later = (table["symbol"] == names[0]) & times
        return table.assign(symbol=table["symbol"].mask(is_later, new).astype("str"))

    cut = named(scene.bars, scene.bars["timestamp"] >= opened)
    if (cut["symbol"] == names[0]).sum() in (0, len(held)):
        return
    events = named(scene.actions, scene.actions["ex_date"] > day)
    events = pd.concat([events, change(names[0], new, day)], ignore_index=True)
    parted = type(scene)(scene.world, cut, events, scene.interval, scene.labels)
    for instructions in ({"strategy": Follow(plan=plan)}, {"orders": as_frame(plan)}):
        result = run(parted, rule, nyse, **instructions)
        assert new in result.market.symbols
        close(result.equity["equity"], whole.equity["equity"])
        for column in ("status", "filled_quantity", "average_fill_price", "commission"):
            found, expected = (
                one.orders.sort_values("order_id")[column].tolist() for one in (result, whole)
            )
            if column == "status":
                assert found == expected
            else:
                assert found == pytest.approx(expected, nan_ok=True)
        is_late = result.fills["filled_at"] >= opened
        of_it = result.fills["symbol"].isin([names[0], new])
        assert set(result.fills.loc[is_late & of_it, "symbol"]) <= {new}
        assert result.trades["realized_pnl"].sum() == pytest.approx(
            whole.trades["realized_pnl"].sum()
        )


def test_frames_may_use_either_name_but_not_both(nyse, bars):
    index = pd.DatetimeIndex(bars["session"])
    given = {"bars": bars, "actions": change("FB", "META"), "calendar": nyse}
    results = [
        backtest(weights=pd.DataFrame({name: 0.5}, index[:1]), symbols="FB", **given)
        for name in ("FB", "META")
    ]
    assert results[0].equity.equals(results[1].equity)
    with pytest.raises(InvalidInputError, match="'FB', 'META' are one company in this run"):
        backtest(weights=pd.DataFrame({"FB": 0.5, "META": 0.5}, index[:1]), **given)


def test_a_name_that_means_two_companies_is_refused(nyse, bars, days):
    fund = days(FLAT, symbol="META")
    both = pd.concat([bars, fund], ignore_index=True).sort_values(["symbol", "timestamp"])
    given = {"bars": both, "actions": change("FB", "META"), "calendar": nyse}
    with pytest.raises(InvalidInputError, match="'META' means two companies within the run"):
        backtest(Strategy(), ["FB", "META"], **given)
    assert len(backtest(Strategy(), "FB", **given).equity) == 4
    assert len(backtest(Strategy(), "META", **given).equity) == 3  # as they are stored


def test_a_name_that_goes_on_is_used_as_it_is(nyse, days):
    bars = days(FLAT, FLAT, FLAT, symbol="FB")
    result = backtest(Strategy(), bars=bars, actions=change("FB", "META"), calendar=nyse)
    assert result.market.symbols == ("FB",)


def test_an_unknown_name_suggests_the_names_of_the_run(nyse, bars):
    with pytest.raises(
        StrategyError, match="symbol='METAA' is not in this run, did you mean 'META'"
    ):
        backtest(
            Steps(steps={0: lambda ctx: ctx.buy("METAA", 1)}), bars=bars,
            actions=change("FB", "META"), calendar=nyse,
        )  # fmt: skip


def test_splits_of_either_name_count_once_and_records_read_like_a_live_account(
    ready_database, bars
):
    auth.create_user("ada", "ada@example.com", "secret")
    after = bars["symbol"] == "META"
    halved = bars.copy()
    halved.loc[after, ["open", "high", "low", "close"]] /= 2
    ingest_bars(halved.drop(columns="timestamp"), "1d")
    split = {"action_type": "SPLIT", "ex_date": [pd.Timestamp(DAY3)], "ratio": 2.0}
    record_actions(change("FB", "META"))
    record_actions(pd.DataFrame({"symbol": ["FB"], **split}))
    record_actions(pd.DataFrame({"symbol": ["META"], **split}))
    orders_ = pd.DataFrame(
        {"placed_at": pd.to_datetime(["2024-01-02T22:00Z", "2024-01-03T22:00Z"]), "symbol": "FB",
         "side": ["BUY", "SELL"], "quantity": [10, 8], "time_in_force": "GTC"}
    )  # fmt: skip
    result = backtest(None, "FB", orders=orders_, cash=1000.0)
    assert result.equity["equity"].tolist() == [1000.0] * 4
    assert result.positions["quantity"].tolist() == [10 * 2 - 16]
    account = result.save("renamed", user="ada")
    with auth.as_user("ada"):
        assert orders(account=account)["symbol"].tolist() == ["FB", "META"]
        assert fills(account=account)["symbol"].tolist() == ["FB", "META"]
        assert positions(account=account)[["symbol", "quantity"]].to_numpy().tolist() == [
            ["META", 4.0]
        ]
        assert pnl(account=account)["end_value"].tolist()[-4:] == [1000.0] * 4
    assert rerun("renamed", orders=orders_, user="ada").digest() == result.digest()
    assert result.trades["realized_pnl"].tolist() == [0.0]
    assert result.trades["quantity"].tolist() == [16.0]
