"""Brackets, trailing stops, partial fills and paths against the rule book as a plain loop."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.backtesting.strategy import Strategy
from tests.backtesting.test_reference import EXAMPLES, assert_same, close, reference, run
from tests.backtesting.worlds import Scene, instants, margins, rules, scenes, tick
from tests.reference_engine import Bracket, Order, Outcome, Rules

VOLUMES = (0.0, 30.0, 100.0, 1_000.0)


@st.composite
def full_rules(draw: Any) -> Rules:
    return replace(
        draw(rules | margins),
        volume_limit=draw(st.sampled_from([None, None, 0.1, 0.5])),
        impact=draw(st.sampled_from([0.0, 0.0, 0.1])),
        bracket_from=draw(st.sampled_from(["entry_bar", "entry_bar", "next_bar"])),
        bar_path=draw(st.sampled_from(["pessimistic", "best", "ohlc"])),
    )


def check(result: Any, expected: Outcome) -> None:
    for order in [*expected.orders, *expected.forced]:
        if order.status == "PENDING" and order.filled:
            order.status = "PARTIALLY_FILLED"
    assert_same(result, expected)
    marks = result._simulation.filled["ambiguous"].astype(bool).tolist()
    assert marks == [fill.is_ambiguous for fill in expected.fills]
    placed = [*expected.orders, *expected.forced]
    kept = [order for order in placed if order.status != "NOTHING"]
    table = result.orders.set_index("order_id").sort_index()
    close(table["filled_quantity"], [order.filled for order in kept])
    parents = {at: 1 + kept.index(order.entry) for at, order in enumerate(kept, 1) if order.entry}
    assert result.parents.to_dict() == parents


KINDS = ["MARKET", "LIMIT", "STOP", "STOP_LIMIT", "TRAILING_STOP"]


@st.composite
def order_plans(draw: Any, scene: Scene) -> dict[int, list[dict[str, Any]]]:
    plan: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = scene.world.rows
    for row in range(-1, len(rows)):
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            plan[row].append(draw(_terms(scene, rows[row].end if row >= 0 else rows[0].start)))
    return plan


@st.composite
def _terms(draw: Any, scene: Scene, placed: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    side = draw(st.sampled_from([1, 1, 1, -1]))
    limit = draw(tick) if "LIMIT" in kind else math.nan
    stop = draw(tick) if kind in ("STOP", "STOP_LIMIT") else math.nan
    away = draw(st.sampled_from(["trail", "trail_percent"])) if kind == "TRAILING_STOP" else ""
    levels = draw(_levels(side, [p for p in (limit, stop) if p == p]))
    return {
        "symbol": draw(st.sampled_from(sorted(scene.world.bars))),
        "side": side,
        "quantity": float(draw(st.integers(1, 60))),
        "type": kind,
        "tif": draw(st.sampled_from(["DAY", "GTC", "GTC"])),
        "limit": limit,
        "stop": stop,
        "trail": draw(tick) / 4 if away == "trail" else math.nan,
        "trail_percent": draw(st.sampled_from([0.1, 0.25])) if away == "trail_percent" else math.nan,
        "stop_loss": levels[0],
        "take_profit": levels[1],
        "placed": placed,
    }  # fmt: skip


@st.composite
def _levels(draw: Any, side: int, known: list[float]) -> tuple[float, float]:
    """Draw stop and target on their sides of the prices known."""
    below, above = draw(tick), draw(tick)
    stop, target = (below, above) if side > 0 else (above, below)
    chosen = draw(st.sampled_from(["", "both", "both", "stop", "target"]))
    stop = stop if chosen in ("both", "stop") else math.nan
    target = target if chosen in ("both", "target") else math.nan
    if any(side * (price - stop) <= 0 for price in known):
        stop = math.nan
    if any(side * (target - price) <= 0 for price in [*known, stop]):
        target = math.nan
    return stop, target


def as_order(terms: dict[str, Any]) -> Order:
    own = {k: v for k, v in terms.items() if k not in ("stop_loss", "take_profit")}
    return Order(**own, bracket=Bracket(terms["stop_loss"], terms["take_profit"]))


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
                trail=terms["trail"],
                trail_percent=terms["trail_percent"],
                stop_loss=terms["stop_loss"],
                take_profit=terms["take_profit"],
                time_in_force=terms["tif"],
            )


def as_frame(plan: dict[int, list[dict[str, Any]]]) -> pd.DataFrame:
    listed = [terms for row in sorted(plan) for terms in plan[row]]
    names = {
        "symbol": "symbol", "quantity": "quantity", "type": "order_type", "tif": "time_in_force",
        "limit": "price", "stop": "stop_price", "trail": "trail", "trail_percent": "trail_percent",
        "stop_loss": "stop_loss", "take_profit": "take_profit",
    }  # fmt: skip
    frame = pd.DataFrame({new: [terms[old] for terms in listed] for old, new in names.items()})
    frame["side"] = ["BUY" if terms["side"] > 0 else "SELL" for terms in listed]
    frame["placed_at"] = instants([terms["placed"] for terms in listed])
    return frame


@EXAMPLES
@given(data=st.data())
def test_orders_fill_alike_as_a_frame_from_a_strategy_and_in_the_rule_book(nyse, data):
    scene = data.draw(scenes(nyse, volumes=VOLUMES))
    rule = data.draw(full_rules())
    plan = data.draw(order_plans(scene))
    expected = reference(scene, rule, lambda row: [as_order(t) for t in plan.get(row, [])])
    check(run(scene, rule, nyse, strategy=Follow(plan=plan)), expected)
    check(run(scene, rule, nyse, orders=as_frame(plan)), expected)
