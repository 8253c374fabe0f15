"""Compiled strategies answer as uncompiled ones, to the bit, and refuse what cannot be compiled."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting.context import Context
from mismartera_analytics.backtesting.indicators import atr, sma
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import StrategyError
from tests.backtesting.test_reference import run
from tests.backtesting.worlds import rules, scenes


class OneSymbol(Strategy):
    """Does something else at each bar, as a plan says, and remembers what it saw.

    Compiling takes longer than in proportion to the orders that an `on_bar` places: half of them are in
    `OtherOrders`.
    """

    plan = np.zeros(40, np.int64)
    notes = np.zeros(40)
    target = 0.5

    def on_start(self, ctx):
        self.average = ctx.indicator(sma, window=2)
        self.range = ctx.indicator(atr, window=2)
        self.latest = -1
        self.seen = 0.0
        self.is_done = False

    def on_bar(self, ctx):
        step = self.plan[ctx.row]
        close = ctx.bars.close[-1]
        if step == 1:
            self.latest = ctx.buy()
        elif step == 2:
            self.latest = ctx.buy(quantity=3)
        elif step in (3, 4):
            self.latest = ctx.sell(quantity=1, stop_price=close - 1.0, time_in_force="GTC")
        elif step in (5, 6):
            ctx.target_percent(self.target)
        elif step == 7 and self.latest >= 0:
            self.is_done = ctx.cancel(self.latest)
        if self.average[-1] > close:
            self.seen += ctx.equity - ctx.cash
        if not math.isnan(self.range[-1]):
            self.seen += self.range[-1] * ctx.position()
        older = self.average[-9 if step else -1]
        self.notes[ctx.row] = self.seen + ctx.bars.close[0] + len(ctx.bars) + older


class OtherOrders(Strategy):
    """The same with orders of the other kinds."""

    plan = np.zeros(40, np.int64)
    notes = np.zeros(40)

    def on_start(self, ctx):
        self.latest = -1

    def on_bar(self, ctx):
        step = self.plan[ctx.row]
        close = ctx.bars.close[-1]
        if step in (1, 3):
            self.latest = ctx.buy(None, 2, price=close - 0.5, time_in_force="GTC")
        elif step == 2:
            self.latest = ctx.buy(quantity=2, stop_loss=close - 1.5, take_profit=close + 1.0)
        elif step == 4 and ctx.position() > 0:
            distance = math.nan if close > 4.0 else 0.1  # two of them are refused
            ctx.sell(quantity=1, trail=1.0, trail_percent=distance, time_in_force="GTC")
        elif step == 7:
            target = math.nan if close > 12.0 else 6.0  # at times below the limit, or none
            ctx.buy(percent=0.2, price=close - 1.0, stop_loss=close / 2, take_profit=target)
        elif step in (5, 6):
            ctx.sell()
        elif step == 8:
            ctx.close(time_in_force="CLS")
        elif step == 9:
            self.latest = ctx.buy(percent=0.25, price=close + 0.5, stop_price=close)
        elif step == 10:
            ctx.buy(quantity=self.latest)
        self.notes[ctx.row] = ctx.equity - ctx.cash + ctx.position()


class SeveralSymbols(Strategy):
    """Buys and sells symbols by their averages."""

    plan = np.zeros(40, np.int64)
    notes = np.zeros(40)

    def on_start(self, ctx):
        self.averages = [(s, ctx.indicator(sma, symbol=s, window=2)) for s in ctx.symbols]
        self.seen = 0.0

    def on_bar(self, ctx):
        step = self.plan[ctx.row]
        for symbol, average in self.averages:
            bars = ctx.bars[symbol]
            if not bars.is_here or len(bars) < 2:
                continue
            if bars.close[-1] > average[-1]:
                ctx.target_percent(symbol, 1 / len(ctx.symbols))
            elif ctx.position(symbol) > 0 and step % 2 == 0:
                ctx.close(symbol)
            elif symbol == ctx.symbols[-1]:
                ctx.buy(symbol, 1, price=bars.close[-2])
            self.seen += bars.volume[0] + bars.high[-1]
        self.notes[ctx.row] = self.seen
        if step == 10:
            ctx.buy("AAA", 0)
        elif ctx.bars["AAA"].is_here and step == 9:
            ctx.sell("AAA", quantity=1)


def outcome(strategy_type, plan, is_compiled, scene, rule, nyse):
    """Run, and return all that must be the same."""
    notes = np.zeros(40)
    strategy = strategy_type(plan=np.array(plan), notes=notes)
    try:
        result = run(scene, rule, nyse, strategy=strategy, compile=is_compiled)
    except StrategyError as error:
        # compiled, the bar at which an order is refused is worked through to its end
        row = error.context.row
        return str(error), row, len(error.context._simulation.placed), notes[:row].tolist()
    frames = [result.orders, result.fills, result.equity, result.reasons.to_frame()]
    return [frame.to_csv() for frame in frames], notes.tolist()


@pytest.mark.parametrize("strategy_type", [OneSymbol, OtherOrders, SeveralSymbols])
@settings(deadline=None, max_examples=40)
@given(data=st.data(), rule=rules, plan=st.lists(st.integers(0, 10), min_size=40, max_size=40))
def test_compiled_is_the_same_to_the_bit(nyse, strategy_type, data, rule, plan):
    scene = data.draw(scenes(nyse, symbols=3 if strategy_type is SeveralSymbols else 1))
    rule = replace(rule, volume_limit=data.draw(st.sampled_from([None, None, 0.002])))
    plain, compiled = (
        outcome(strategy_type, plan, is_compiled, scene, rule, nyse)
        for is_compiled in (False, True)
    )
    assert repr(plain) == repr(compiled)


def refused(strategy_type, bars, nyse):
    with pytest.raises(StrategyError) as caught:
        backtest(strategy_type, bars=bars, calendar=nyse, compile=True)
    return str(caught.value)


def test_what_cannot_be_compiled_is_refused_with_its_line(nyse, days):
    bars = days(*[(10, 12, 9, 11)] * 3)

    class Tells(Strategy):
        def on_bar(self, ctx):
            if ctx.row > 0:
                ctx.now.isoformat()

    line = Tells.on_bar.__code__.co_firstlineno + 2
    message = refused(Tells, bars, nyse)
    assert (
        f"Tells.on_bar cannot be compiled at line {line} (ctx.now.isoformat()): ctx.now" in message
    )
    assert "ctx.row is the number of the bar" in message

    class Keeps(Strategy):
        def on_start(self, ctx):
            self.book = {"a": 1}

        def on_bar(self, ctx):
            self.book["a"] = 2

    assert "self.book is a dict; allowed are numbers" in refused(Keeps, bars, nyse)

    class Grows(Strategy):
        def on_bar(self, ctx):
            self.entry = 1.0

    assert "self.entry is no attribute that on_start left" in refused(Grows, bars, nyse)


NOT_COMPILED = (
    "children(0)",
    "indicator(ctx)",
    "now",
    "one_cancels_other(0, 1)",
    "order('AAA', 1)",
    "random.random()",
    "session",
    "working()",
)
COMPILED = {
    *("bars", "buy", "cancel", "cash", "close", "equity", "position", "row", "sell", "symbols"),
    "target_percent",
}


def deciding(code):
    """Return a strategy whose `on_bar` is one line of code."""
    found = {}
    exec(f"def on_bar(self, ctx):\n    {code}\n", {"sma": sma}, found)
    return type("Decides", (Strategy,), found)


def test_every_member_of_the_context_is_compiled_or_refused_by_its_name(nyse, days):
    context = Context(MagicMock(), MagicMock(), Settings(cash=1.0))
    public = {name for name in dir(context) if not name.startswith("_")}
    refused_ones = {re.match(r"\w+", code)[0] for code in NOT_COMPILED}
    assert public == refused_ones | COMPILED

    for code, name in zip(NOT_COMPILED, sorted(refused_ones), strict=True):
        message = refused(deciding(f"ctx.{code}"), days((10, 12, 9, 11)), nyse)
        assert f"ctx.{name} is not there in a compiled on_bar" in message
        assert "Leave compile=True out" in message


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ctx.buy(quantty=1)", "ctx.buy takes symbol, quantity, percent, price, stop_price"),
        ("ctx.sell(None, 1, trial=1.0)", "ctx.sell takes symbol, quantity, percent, price"),
        ("ctx.sell(stop_loss=9.0)", "stop_loss and take_profit mean nothing to a target weight."),
        ("ctx.close(stop_loss=9.0)", "ctx.close takes symbol, order_type, time_in_force in a"),
        ("ctx.target_percent(0.5, price=9.0)", "ctx.target_percent takes symbol, weight, time_in_"),
        ("ctx.cancel(0, 1)", "ctx.cancel takes order_id in a compiled on_bar, and nothing else."),
        ("ctx.position(quantity=1)", "ctx.position takes symbol in a compiled on_bar"),
        ("ctx.bars.session", "bars.session is not there in a compiled on_bar; allowed are open,"),
        ("ctx.bars.indicator(ctx)", "bars.indicator is not there in a compiled on_bar"),
        ("sma(ctx.bars.close, 2)", "sma is a function that Numba has not compiled; decorate it"),
        ("ctx.bars['BBB'].close", "symbol='BBB' is not in this run"),
    ],
)
def test_what_a_call_cannot_take_is_told_in_words(nyse, days, code, told):
    message = refused(deciding(code), days((10, 12, 9, 11)), nyse)
    assert told in message
    assert "Leave compile=True out" in message


@pytest.mark.parametrize("name", ["on_fill", "on_session_open", "on_session_close"])
def test_the_other_calls_are_refused_by_their_names(nyse, days, name):
    hears = type("Hears", (Strategy,), {name: lambda self, ctx, fill=None: None})
    message = refused(hears, days((10, 12, 9, 11)), nyse)
    assert message == (
        f"Hears.{name} cannot be compiled: with compile=True a strategy has on_start and on_bar "
        f"only. Leave compile=True out."
    )


def test_a_number_does_not_lose_its_fraction_in_silence(nyse, days):
    class Cuts(Strategy):
        def on_start(self, ctx):
            self.entry = 0

        def on_bar(self, ctx):
            self.entry = ctx.bars.close[-1] + 0.5

    message = refused(Cuts, days(*[(10, 12, 9, 11)] * 3), nyse)
    assert "self.entry began as a whole number" in message
    line = Cuts.on_bar.__code__.co_firstlineno + 1
    assert f"at line {line}" in message


def test_reading_before_the_first_bar_is_an_error_not_another_number(nyse, days):
    class Reads(Strategy):
        def on_bar(self, ctx):
            if ctx.bars.close[-3] > 0:
                ctx.buy()

    for is_compiled in (False, True):
        with pytest.raises(
            StrategyError, match=r"IndexError at 2024-01-02 21:00 UTC \(bar 0 of AAA\)"
        ):
            backtest(Reads, bars=days(*[(10, 12, 9, 11)] * 3), calendar=nyse, compile=is_compiled)
