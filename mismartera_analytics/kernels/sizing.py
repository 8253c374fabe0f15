"""Fees, slippage and how many shares an amount of cash pays for."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.kernels.compiling import kernel
from mismartera_analytics.kernels.layouts import LIMIT, STOP_LIMIT

__all__ = [
    "affordable",
    "change_to",
    "charge",
    "common_factor",
    "fee",
    "fitting",
    "most",
    "room",
    "slipped",
    "whole",
]

TOLERANCE = 1e-9
"""Relative slack of comparisons of amounts, so that rounding neither rejects nor loses a share."""


@kernel
def fee(rules: Any, side: float, quantity: float, price: float) -> float:
    """Return the commission of a fill of `quantity` shares (positive) at `price` [currency].

    What sales alone are charged comes on top, outside the bounds of the commission.
    """
    amount = (
        rules.fee_rate * quantity * price + rules.fee_per_share * quantity + rules.fee_per_order
    )
    bounded: float = min(max(amount, rules.fee_minimum), rules.fee_maximum)
    if side < 0:
        by_share = min(rules.sell_per_share * quantity, rules.sell_maximum)
        bounded += rules.sell_rate * quantity * price + by_share
    return bounded


@kernel
def charge(rules: Any, order: Any, quantity: float, price: float) -> float:
    """Return what a further fill adds to the commission of `order`, which is one for all its fills."""
    if order.filled == 0.0:
        alone: float = fee(rules, order.side, quantity, price)
        return alone
    total = order.filled + quantity
    mean = (order.filled * order.fill_price + quantity * price) / total
    added: float = max(fee(rules, order.side, total, mean) - order.fee, 0.0)
    return added


@kernel
def slipped(
    rules: Any, order: Any, side: float, quantity: float, traded: float, volume: float
) -> float:
    """Return the bar's price moved against the order by the slippage, never beyond its limit.

    The impact grows with the square of the share that `quantity` and what was `traded` in the bar
    before take of its `volume` (the model of zipline's VolumeShareSlippage); a bar without volume
    counts as taken whole.
    """
    price = order.price
    rate = rules.slip_rate
    if rules.slip_impact > 0.0:
        share = min((traded + quantity) / volume, 1.0) if volume > 0.0 else 1.0
        rate += rules.slip_impact * share * share
    moved: float = max(price + side * (price * rate + rules.slip_amount), 0.0)
    if order.type in (LIMIT, STOP_LIMIT):
        moved = min(moved, order.limit) if side > 0 else max(moved, order.limit)
    return moved


@kernel
def room(rules: Any, traded: float, volume: float) -> float:
    """Return how many shares a bar of `volume` still takes after what was `traded` in it."""
    if rules.volume_limit == 0.0:
        return np.inf
    if not volume > 0.0:
        return 0.0
    left: float = max(whole(rules, rules.volume_limit * volume - traded), 0.0)
    return left


@kernel
def fitting(rules: Any, order: Any, cash: float, traded: float, volume: float) -> float:
    """Return how many shares of a buy `cash` pays for, the fee and the price's impact included."""
    upper: float = affordable(rules, cash, slipped(rules, order, 1.0, 0.0, 0.0, 1.0))
    if rules.slip_impact == 0.0 or upper == 0.0:
        return upper
    low, high = 0.0, upper
    for _ in range(100):
        middle = 0.5 * (low + high)
        price = slipped(rules, order, 1.0, middle, traded, volume)
        if middle * price + fee(rules, 1.0, middle, price) <= cash:
            low = middle
        else:
            high = middle
    return max(whole(rules, low), 0.0)


@kernel
def whole(rules: Any, quantity: float) -> float:
    """Return `quantity` cut to whole shares towards zero, unless fractions are allowed."""
    if rules.whole == 0:
        return quantity
    slack = TOLERANCE * max(1.0, abs(quantity))
    cut: float = np.floor(quantity + slack) if quantity >= 0.0 else np.ceil(quantity - slack)
    return cut


@kernel
def change_to(aim: float, units: float) -> float:
    """Return what takes a position from `units` to `aim` [shares]; 0 where only rounding does."""
    change = aim - units
    return 0.0 if abs(change) <= TOLERANCE * max(abs(aim), abs(units)) else change


@kernel
def affordable(rules: Any, cash: float, price: float) -> float:
    """Return how many shares `cash` buys at `price`, the fee included; 0 if none."""
    if cash <= TOLERANCE or price <= 0.0:
        return 0.0
    quantity = (cash - rules.fee_per_order) / (price * (1.0 + rules.fee_rate) + rules.fee_per_share)
    linear = (
        rules.fee_rate * quantity * price + rules.fee_per_share * quantity + rules.fee_per_order
    )
    if linear < rules.fee_minimum:
        quantity = (cash - rules.fee_minimum) / price
    elif linear > rules.fee_maximum:
        quantity = (cash - rules.fee_maximum) / price
    return max(whole(rules, max(quantity, 0.0)), 0.0)


@kernel
def most(rules: Any, side: float, money: float, price: float, weight: float) -> float:
    """Return the most shares whose value and `weight` times their fee come to `money`; 0 if none."""
    if money <= TOLERANCE or price <= 0.0:
        return 0.0
    low, high = 0.0, money / price
    for _ in range(100):
        middle = 0.5 * (low + high)
        if middle * price + weight * fee(rules, side, middle, price) <= money:
            low = middle
        else:
            high = middle
    return max(whole(rules, low), 0.0)


@kernel
def common_factor(rules: Any, quantities: Any, prices: Any, cash: float) -> float:
    """Return the largest factor, at most 1, by which all buys together fit into `cash`; 0 of dust.

    Found by bisection, since fees with a minimum make the cost no straight line, and for parts of
    shares: cutting to whole ones afterwards only lowers the cost, while cutting here would let
    rounding choose between buys whose shares drop at the same factor.
    """
    if cash <= TOLERANCE:
        return 0.0
    if _cost(rules, quantities, prices, 1.0) <= cash:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _cost(rules, quantities, prices, middle) <= cash:
            low = middle
        else:
            high = middle
    return low


@kernel
def _cost(rules: Any, quantities: Any, prices: Any, factor: float) -> float:
    total = 0.0
    for index in range(len(quantities)):
        quantity = quantities[index] * factor
        if quantity > 0.0:
            total += quantity * prices[index] + fee(rules, 1.0, quantity, prices[index])
    return total
