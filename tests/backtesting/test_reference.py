"""The engine against the rule book as a plain loop, over random markets, in all three forms."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting.costs import CommissionTerms, SlippageTerms
from mismartera_analytics.backtesting.financing import BorrowRate, InterestRates, Maintenance
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from tests.backtesting.worlds import Scene, instants, margins, rules, scenes, tick
from tests.reference_engine import Engine, Order, Outcome, Rules

EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Terms:
    """A commission given as numbers."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def terms(self) -> CommissionTerms:
        r = self.rules
        return CommissionTerms(
            r.fee_rate, r.fee_per_share, r.fee_per_order, r.fee_minimum, r.fee_maximum,
            r.sell_rate, r.sell_per_share, r.sell_maximum,
        )  # fmt: skip


class Slip:
    """A slippage given as numbers."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def terms(self) -> SlippageTerms:
        return SlippageTerms(rate=self.rules.slip, impact=self.rules.impact)


def run(scene: Scene, rule: Rules, calendar: Any, **instructions: Any) -> Any:
    if rule.margin:
        instructions |= {
            "account_type": "margin",
            "leverage": rule.leverage,
            "borrow": BorrowRate(rule.borrow_rate),
            "interest": InterestRates(rule.credit_rate, rule.debit_rate),
            "maintenance": rule.keep_long and Maintenance(rule.keep_long, rule.keep_short),
        }
    return backtest(
        bars=scene.bars,
        actions=scene.actions,
        interval=scene.interval,
        calendar=calendar,
        cash=rule.cash,
        commission=Terms(rule),
        slippage=Slip(rule),
        fill=rule.fill,
        size_at=rule.size_at,
        limit_fill=rule.limit_fill,
        fractional=rule.fractional,
        partial_on_cash=rule.partial_on_cash,
        delay=rule.delay,
        volume_limit=rule.volume_limit,
        bracket_from=rule.bracket_from,
        bar_path=rule.bar_path,
        **instructions,
    )


def reference(scene: Scene, rule: Rules, plan: Any) -> Outcome:
    return Engine(scene.world, rule, plan).run()


def assert_same(result: Any, expected: Outcome) -> None:
    placed = [*expected.orders, *expected.forced]
    kept = [order for order in placed if order.status != "NOTHING"]
    ids = {order.number: at for at, order in enumerate(kept, start=1)}
    statuses = result.orders.set_index("order_id")["status"].sort_index()
    assert statuses.tolist() == [order.status for order in kept]
    fills = result.fills.sort_values("fill_id")
    assert fills["order_id"].tolist() == [ids[fill.number] for fill in expected.fills]
    assert fills["symbol"].tolist() == [fill.symbol for fill in expected.fills]
    signed = fills["quantity"].to_numpy() * np.where(fills["side"] == "BUY", 1.0, -1.0)
    close(signed, [fill.quantity for fill in expected.fills])
    close(fills["price"], [fill.price for fill in expected.fills])
    close(fills["commission"], [fill.fee for fill in expected.fills])
    close(result.equity["equity"], expected.equity)
    close(result.equity["cash"], expected.cash)


def close(found: Any, expected: Any) -> None:
    assert np.asarray(found, float) == pytest.approx(
        np.asarray(expected, float), rel=1e-9, abs=1e-9
    )


# Orders ------------------------------------------------------------------------------------------


@st.composite
def order_plans(draw: Any, scene: Scene) -> dict[int, list[dict[str, Any]]]:
    plan: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = scene.world.rows
    for row in range(-1, len(rows)):
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
            kind = draw(st.sampled_from(["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]))
            tifs = ["DAY", "DAY", "GTC", "GTC"] + ["OPG", "CLS"] * ("STOP" not in kind)
            plan[row].append(
                {
                    "symbol": draw(st.sampled_from(sorted(scene.world.bars))),
                    "side": draw(st.sampled_from([1, 1, -1])),
                    "quantity": float(draw(st.integers(1, 60))),
                    "type": kind,
                    "tif": draw(st.sampled_from(tifs)),
                    "limit": draw(tick) if "LIMIT" in kind else math.nan,
                    "stop": draw(tick) if "STOP" in kind else math.nan,
                    "placed": rows[row].end if row >= 0 else rows[0].start,
                }
            )
    return plan


class Follow(Strategy):
    """Place what a plan says."""

    plan: Any = None

    def on_start(self, ctx):
        self.on_bar(ctx)

    def on_bar(self, ctx):
        for terms in self.plan.get(ctx.row, []):
            ctx.order(
                terms["symbol"],
                terms["side"] * terms["quantity"],
                order_type=terms["type"],
                price=terms["limit"],
                stop_price=terms["stop"],
                time_in_force=terms["tif"],
            )


@EXAMPLES
@given(data=st.data())
def test_orders_fill_alike_as_a_frame_from_a_strategy_and_in_the_rule_book(nyse, data):
    scene = data.draw(scenes(nyse))
    rule = data.draw(rules | margins)
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
    assert_same(run(scene, rule, nyse, orders=frame), expected)
    assert_same(run(scene, rule, nyse, strategy=Follow(plan=plan)), expected)


# Weights -----------------------------------------------------------------------------------------


class Weigh(Strategy):
    weights: Any = None

    def on_bar(self, ctx):
        for symbol, weight in self.weights.get(ctx.row, {}).items():
            ctx.target_percent(symbol, weight)


@st.composite
def weight_plans(draw: Any, scene: Scene, rule: Rules) -> dict[int, dict[str, float]]:
    plan = {}
    names = sorted(scene.world.bars)
    for row in range(len(scene.world.rows)):
        if draw(st.booleans()):
            shares = [draw(st.integers(-4 if rule.margin else 0, 4)) for _ in names]
            total = max(sum(map(abs, shares)), draw(st.integers(1, 6))) / rule.leverage
            plan[row] = {name: share / total for name, share in zip(names, shares, strict=True)}
    return plan


@EXAMPLES
@given(data=st.data())
def test_weights_fill_alike_as_a_frame_from_a_strategy_and_in_the_rule_book(nyse, data):
    scene = data.draw(scenes(nyse))
    rule = data.draw(rules | margins)
    plan = data.draw(weight_plans(scene, rule))

    def orders(row: int) -> list[Order]:
        placed = scene.world.rows[row].end
        return [Order(s, target=w, placed=placed) for s, w in plan.get(row, {}).items()]

    expected = reference(scene, rule, orders)
    names = sorted(scene.world.bars)
    frame = pd.DataFrame(
        [list(plan[row].values()) for row in sorted(plan)],
        index=scene.index[sorted(plan)],
        columns=names,
        dtype=float,
    )
    assert_same(run(scene, rule, nyse, weights=frame), expected)
    assert_same(run(scene, rule, nyse, strategy=Weigh(weights=plan)), expected)


# Signals -----------------------------------------------------------------------------------------


class Signals(Strategy):
    enter: Any = None
    leave: Any = None
    size: Any = "all"

    def on_bar(self, ctx):
        for column, symbol in enumerate(ctx.symbols):
            if self.leave[ctx.row, column]:
                if ctx.position(symbol) > 0:
                    ctx.close(symbol)
                continue
            is_free = ctx.position(symbol) == 0 and not ctx.working(symbol)
            if self.enter[ctx.row, column] and is_free:
                ctx.buy(symbol, **({} if self.size == "all" else {"percent": self.size}))


@EXAMPLES
@given(data=st.data())
def test_signals_fill_alike_as_frames_from_a_strategy_and_in_the_rule_book(nyse, data):
    scene = data.draw(scenes(nyse))
    rule = data.draw(rules | margins)
    names = sorted(scene.world.bars)
    shape = (len(scene.world.rows), len(names))
    flags = st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    enter = np.array(data.draw(flags)).reshape(shape)
    leave = np.array(data.draw(flags)).reshape(shape)
    size: Any = "all" if len(names) == 1 else 0.4

    def orders(row: int) -> list[Order]:
        if row < 0:
            return []
        found, placed = [], scene.world.rows[row].end
        for column, name in enumerate(names):
            if leave[row, column]:
                found.append(Order(name, target=0.0, only_if="long", placed=placed))
            elif enter[row, column]:
                sized = {"all_cash": True} if size == "all" else {"percent": size}
                found.append(Order(name, side=1, only_if="flat", placed=placed, **sized))
        return found

    expected = reference(scene, rule, orders)
    frames = [pd.DataFrame(a, index=scene.index, columns=names) for a in (enter, leave)]
    assert_same(run(scene, rule, nyse, entries=frames[0], exits=frames[1], size=size), expected)
    if rule.delay:
        return  # a strategy looks at positions when it decides, signals when they arrive
    strategy = Signals(enter=enter, leave=leave, size=size)
    assert_same(run(scene, rule, nyse, strategy=strategy), expected)


class BothSides(Strategy):
    """Signals for both sides, by the same rules."""

    flags: Any = None
    size: Any = None

    def on_start(self, ctx):
        self.entries = set()

    def on_bar(self, ctx):
        for column, symbol in enumerate(ctx.symbols):
            enter, leave, short, cover = (flag[ctx.row, column] for flag in self.flags)
            held, working = ctx.position(symbol), set(ctx.working(symbol))
            if (leave and held > 0) or (cover and held < 0):
                ctx.close(symbol)
            enter, short = enter and not leave, short and not cover
            if enter == short:
                continue
            side = 1 if enter else -1
            is_free = held == 0 and not working
            if cover if enter else leave:  # what closes is not in the way, a margin call neither
                is_free = held * side <= 0 and not working & self.entries
            if is_free:
                self.entries.add((ctx.buy if enter else ctx.sell)(symbol, percent=self.size))


@EXAMPLES
@given(data=st.data())
def test_signals_of_both_sides_fill_alike(nyse, data):
    scene = data.draw(scenes(nyse))
    rule = data.draw(margins)
    names = sorted(scene.world.bars)
    shape = (len(scene.world.rows), len(names))
    lists = st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    flags = [np.array(data.draw(lists)).reshape(shape) for _ in range(4)]
    size: Any = data.draw(st.sampled_from(["all", 0.4, 1.0]))

    def orders(row: int) -> list[Order]:
        if row < 0:
            return []
        found, placed = [], scene.world.rows[row].end
        sized = {"all_cash": True} if size == "all" else {"percent": size}
        for column, name in enumerate(names):
            enter, leave, short, cover = (flag[row, column] for flag in flags)
            if leave:
                found.append(Order(name, target=0.0, only_if="long", placed=placed))
            if cover:
                found.append(Order(name, target=0.0, only_if="short", placed=placed))
            enter, short = enter and not leave, short and not cover
            if enter == short:
                continue
            is_turning = cover if enter else leave
            side, only_if = (1 if enter else -1), ("leaving" if is_turning else "flat")
            found.append(Order(name, side=side, only_if=only_if, placed=placed, **sized))
        return found

    expected = reference(scene, rule, orders)
    frames = [pd.DataFrame(a, index=scene.index, columns=names) for a in flags]
    arguments = dict(zip(["entries", "exits", "short_entries", "short_exits"], frames, strict=True))
    assert_same(run(scene, rule, nyse, size=size, **arguments), expected)
    if size != "all":
        strategy = BothSides(flags=flags, size=size)
        assert_same(run(scene, rule, nyse, strategy=strategy), expected)
