"""Limits of an account: what exceeds one is rejected with its reason, and nothing else is."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.backtesting.limits import Limits
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.errors import InvalidInputError
from tests.backtesting.test_reference import EXAMPLES, assert_same, order_plans, reference, run
from tests.backtesting.worlds import instants, margins, rules, scenes
from tests.reference_engine import Order

NAMES = {
    "most_per_trade": "max_per_trade",
    "most_per_symbol": "max_per_symbol",
    "most_held": "max_open_positions",
    "most_exposure": "max_buying_power",
}


@EXAMPLES
@given(data=st.data())
def test_limits_hold_as_in_the_rule_book(nyse, data):
    scene = data.draw(scenes(nyse))
    amounts = st.sampled_from([math.inf, 100.0, 400.0, 1_000.0])
    limits = {name: data.draw(amounts) for name in NAMES} | {
        "most_held": data.draw(st.sampled_from([math.inf, 0, 1, 2]))
    }
    limits["most_exposure"] = max(limits.values())
    rule = dataclasses.replace(data.draw(rules | margins), **limits)
    plan = data.draw(order_plans(scene))
    expected = reference(scene, rule, lambda row: [Order(**terms) for terms in plan.get(row, [])])
    listed = [terms for row in sorted(plan) for terms in plan[row]]
    frame = pd.DataFrame(
        {
            "placed_at": instants([terms["placed"] for terms in listed]),
            "symbol": [terms["symbol"] for terms in listed],
            "side": ["BUY" if terms["side"] > 0 else "SELL" for terms in listed],
            "quantity": [terms["quantity"] for terms in listed],
            "order_type": [terms["type"] for terms in listed],
            "time_in_force": [terms["tif"] for terms in listed],
            "price": [terms["limit"] for terms in listed],
            "stop_price": [terms["stop"] for terms in listed],
        }
    )
    given_limits = Limits(
        **{NAMES[name]: None if value == math.inf else value for name, value in limits.items()}
    )
    assert_same(run(scene, rule, nyse, orders=frame, limits=given_limits), expected)


@pytest.fixture
def fates(nyse, days):
    """Place orders of (symbol, side, quantity) on days of a price of 10; return their fates."""

    def of(limits: Limits, *placed, **options):
        bars = pd.concat(
            [
                days(*[(10.0, 10.0, 10.0, 10.0)] * 8, symbol=symbol)
                for symbol in ("AAA", "BBB", "CCC")
            ]
        )
        times = sorted(set(bars["timestamp"]))
        orders = pd.DataFrame(placed, columns=["symbol", "side", "quantity"]).assign(
            placed_at=times[: len(placed)]
        )
        result = backtest(
            orders=orders, bars=bars, calendar=nyse, cash=10_000.0, limits=limits, **options
        )
        return result.orders["status"].tolist(), result.reasons.tolist()

    return of


def test_an_order_may_be_worth_so_much(fates):
    statuses, reasons = fates(
        Limits(max_per_trade=1_000.0), ("AAA", "BUY", 101), ("AAA", "BUY", 100), ("AAA", "BUY", 100),
        ("AAA", "SELL", 150),
    )  # fmt: skip
    assert statuses == ["REJECTED", "FILLED", "FILLED", "FILLED"]
    assert reasons == ["its value exceeds max_per_trade"]


def test_a_position_may_be_so_large_on_either_side(fates):
    limits = Limits(max_per_symbol=1_000.0)
    statuses, reasons = fates(
        limits, ("AAA", "BUY", 60), ("AAA", "BUY", 50), ("AAA", "BUY", 40), ("BBB", "BUY", 100)
    )
    assert statuses == ["FILLED", "REJECTED", "FILLED", "FILLED"]
    assert reasons == ["the symbol's position would exceed max_per_symbol"]
    statuses, _ = fates(
        limits, ("AAA", "SELL", 100), ("AAA", "SELL", 1), ("AAA", "BUY", 50), account_type="margin"
    )
    assert statuses == ["FILLED", "REJECTED", "FILLED"]


def test_so_many_symbols_may_be_held(fates):
    statuses, reasons = fates(
        Limits(max_open_positions=2), ("AAA", "BUY", 1), ("BBB", "BUY", 1), ("CCC", "BUY", 1),
        ("AAA", "BUY", 1), ("AAA", "SELL", 2), ("CCC", "BUY", 1),
    )  # fmt: skip
    assert statuses == ["FILLED", "FILLED", "REJECTED", "FILLED", "FILLED", "FILLED"]
    assert reasons == ["it would open more than max_open_positions"]


def test_all_positions_together_may_be_so_large(fates):
    statuses, reasons = fates(
        Limits(max_buying_power=2_000.0),
        ("AAA", "BUY", 150),
        ("BBB", "BUY", 51),
        ("BBB", "BUY", 50),
    )
    assert statuses == ["FILLED", "REJECTED", "FILLED"]
    assert reasons == ["all positions together would exceed max_buying_power"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_per_trade": -1.0}, "max_per_trade=-1.0 must be"),
        ({"max_open_positions": math.nan}, "max_open_positions=nan"),
        ({"max_per_symbol": "many"}, "max_per_symbol='many'"),
        ({"max_per_trade": 2.0, "max_buying_power": 1.0}, "max_per_trade=2 exceeds"),
    ],
)
def test_limits_are_amounts(limits, message):
    with pytest.raises(InvalidInputError, match=message):
        Limits(**limits)
    with pytest.raises(InvalidInputError, match="is no Limits"):
        backtest(symbols="AAA", orders=pd.DataFrame(), limits={"max_per_trade": 1.0})
