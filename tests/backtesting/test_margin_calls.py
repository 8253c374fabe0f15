"""What a broker closes by itself, on bars worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mismartera_analytics.backtesting.costs import PerOrder
from mismartera_analytics.backtesting.financing import Maintenance
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError

MARGIN = {"account_type": "margin", "cash": 1000.0, "maintenance": Maintenance()}
REASON = "a margin call: the account's value did not keep its maintenance margin"


def flat(price):
    return (price, price, price, price)


class Steps(Strategy):
    """Do on each row what a dict says."""

    steps: object = None

    def on_bar(self, ctx):
        self.steps.get(ctx.row, lambda ctx: None)(ctx)


@pytest.fixture
def go(nyse):
    def run(bars, steps, **arguments):
        return backtest(Steps(steps=steps), bars=bars, calendar=nyse, **{**MARGIN, **arguments})

    return run


def of_calls(result):
    ids = result.reasons.index[result.reasons == REASON]
    return result.orders[result.orders["order_id"].isin(ids)].sort_values("order_id")


def test_so_much_is_sold_at_the_next_open_that_the_rest_is_carried(go, days):
    """200 shares at 10 for 1000: at 6.5 they are worth 1300 and the account 300, less than 325."""
    bars = days(flat(10), flat(10), flat(6.5), (6.4, 6.6, 6.4, 6.5), flat(6.5))
    result = go(bars, {0: lambda ctx: ctx.buy("AAA", 200)})
    call = of_calls(result)
    # 25 are lacking; a share of 6.5 that is sold frees 1.625 of the margin: 15.4 shares, 16 whole ones.
    assert call[["side", "quantity", "average_fill_price"]].to_numpy().tolist() == [
        ["SELL", 16.0, 6.4],
        ["SELL", 1.0, 6.5],  # what the first sale lost: 298.4 for a quarter of 1196
    ]
    assert call["filled_at"].dt.date.astype(str).tolist() == ["2024-01-05", "2024-01-08"]
    assert result.equity["equity"].tolist() == [1000, 1000, 300, 300 - 1.6, 300 - 1.6]


def test_without_calls_or_with_a_stricter_broker(go, days):
    bars = days(flat(10), flat(10), flat(6.5), flat(6.5))
    steps = {0: lambda ctx: ctx.buy("AAA", 200)}
    assert len(go(bars, steps, maintenance=None).fills) == 1
    strict = go(bars, steps, maintenance=Maintenance(long=0.6))
    # At 10 the account is worth 1000 and should be 1200: 333.3 of the position goes, 34 shares.
    assert strict.fills["quantity"].tolist()[:2] == [200.0, 34.0]
    assert strict.config["maintenance"] == {"long": 0.6, "short": 0.3}


def test_the_largest_position_goes_first_and_shorts_count_too(go, days):
    a = days(flat(10), flat(10), flat(15), flat(15))
    b = days(flat(10), flat(10), flat(10), flat(10), symbol="BBB")
    steps = {0: lambda ctx: (ctx.sell("AAA", 120), ctx.buy("BBB", 70))}
    result = go(pd.concat([a, b], ignore_index=True), steps)
    # Worth 400; asked are 30 % of 1800 and 25 % of 700, 715: 315 / (0.3 * 15) = 70 shares.
    call = of_calls(result)
    assert call[["symbol", "side", "quantity"]].to_numpy().tolist() == [["AAA", "BUY", 70.0]]


@pytest.mark.parametrize("tenth", [9.7, 8.3], ids=["rounded up", "rounded down"])
def test_of_two_equal_positions_the_first_goes_first_however_they_were_rounded(go, days, tenth):
    """One is bought at once, the other in ten parts, whose sum is a bit more, or less."""
    bars = pd.concat(
        [days(flat(10), flat(10), flat(6), flat(6), symbol=symbol) for symbol in ("AAA", "BBB")],
        ignore_index=True,
    )
    for in_parts, at_once in (("AAA", "BBB"), ("BBB", "AAA")):

        def buy(ctx, in_parts=in_parts, at_once=at_once):
            ctx.buy(at_once, tenth * 10)
            for _ in range(10):
                ctx.buy(in_parts, tenth)

        result = go(bars, {0: buy}, fractional=True, cash=10.3 * tenth * 10)
        assert of_calls(result)["symbol"].iloc[0] == "AAA"


def test_an_account_below_nothing_loses_everything(go, days):
    a = days(flat(10), flat(10), flat(4), flat(4))
    b = days(*[flat(10)] * 4, symbol="BBB")
    steps = {0: lambda ctx: (ctx.buy("AAA", 180), ctx.buy("BBB", 10))}
    result = go(pd.concat([a, b], ignore_index=True), steps)
    call = of_calls(result)
    assert call[["symbol", "status"]].to_numpy().tolist() == [["AAA", "FILLED"], ["BBB", "FILLED"]]
    assert result.ruined_at is not None
    assert result.positions.empty
    assert result.equity["equity"].iloc[-1] == -80.0


def test_a_call_comes_before_the_owners_orders_and_ends_its_bracket(go, days):
    bars = days(flat(10), flat(10), flat(4.5), flat(4.5), flat(4.5))
    steps = {
        0: lambda ctx: ctx.buy("AAA", 199, stop_loss=1.0),
        2: lambda ctx: ctx.target_percent("AAA", 1.0),
    }
    result = go(bars, steps, commission=PerOrder(1.0))
    # Worth -95.5: all is sold, and what is left of the account opens nothing.
    assert of_calls(result)["filled_quantity"].tolist() == [199.0]
    statuses = result.orders.sort_values("order_id")["status"].tolist()
    assert statuses == ["FILLED", "CANCELLED", "REJECTED", "FILLED"]
    assert result.positions.empty
    assert result.equity["equity"].iloc[-1] == -96.5


def test_what_a_call_has_not_sold_yet_is_not_asked_for_again(go, days):
    a = days(flat(10), flat(10), flat(6.5), None, None, flat(6.5))
    b = days(*[flat(10)] * 6, symbol="BBB")
    result = go(pd.concat([a, b], ignore_index=True), {0: lambda ctx: ctx.buy("AAA", 200)})
    assert of_calls(result)["quantity"].tolist() == [16.0]
    assert result.fills["filled_at"].dt.date.astype(str).tolist()[-1] == "2024-01-09"


def test_a_compiled_strategy_and_a_sweep_see_the_same(nyse, days):
    bars = days(*[flat(p) for p in (10, 10, 8, 7, 6.5, 6, 6.5, 7, 6)])
    plain, compiled = (
        backtest(Enter, bars=bars, calendar=nyse, compile=flag, **MARGIN) for flag in (False, True)
    )
    assert len(of_calls(plain)) > 1
    assert compiled.digest() == plain.digest()


class Enter(Strategy):
    """Keep twice what one has."""

    def on_bar(self, ctx):
        if ctx.position() == 0:
            ctx.buy(percent=2.0)


def test_a_cash_account_is_never_called_and_odd_rates_are_refused(go, days):
    bars = days(flat(10), flat(10), flat(1), flat(1))
    steps = {0: lambda ctx: ctx.buy("AAA", 100)}
    kept = go(bars, steps, account_type="cash", maintenance=Maintenance(long=1.0))
    assert len(kept.fills) == 1
    for rate in (0.0, -1.0, 1.5, math.nan, True, "0.3"):
        with pytest.raises(InvalidInputError, match=r"long=.* must be above 0 and up to 1"):
            Maintenance(long=rate)
    with pytest.raises(InvalidInputError, match=r"maintenance=0\.25 is no Maintenance"):
        go(bars, steps, maintenance=0.25)
