"""Spikes against the same rule in plain Python, and what is none."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.kernels.prints import spikes

MOVE = st.floats(-0.05, 0.05)
BARS = st.lists(st.tuples(MOVE, st.floats(0, 0.03), st.floats(0, 0.03)), min_size=0, max_size=30)


def plain(high: list[float], low: list[float], close: list[float]) -> list[float]:
    def true_range(k: int) -> float:
        around = [*close[max(k - 1, 0) : k], high[k], low[k]]
        return math.log(max(around) / min(around))

    found = [0.0] * len(close)
    for i in range(3, len(close) - 3):
        sides = [range(max(0, i - 5), i), range(i + 1, min(len(close), i + 6))]
        middles = [statistics.median(close[k] for k in side) for side in sides]
        usual = max(statistics.median(true_range(k) for k in side) for side in sides)
        limit = max(10 * usual, math.log(1.02))
        up, down = math.log(high[i] / max(middles)), math.log(low[i] / min(middles))
        largest = up if up >= -down else down
        found[i] = largest if abs(largest) > limit else 0.0
    return found


@given(BARS, st.integers(0, 29), st.sampled_from([1.0, 1.5, 0.6]))
def test_agrees_with_the_rule_in_plain_python(bars, place, factor):
    close = 100 * np.exp(np.cumsum([move * 0.02 for move, _, _ in bars]))
    high = close * [1 + up * 0.05 for _, up, _ in bars]
    low = close / [1 + down * 0.05 for _, _, down in bars]
    if place < len(bars):
        high[place] *= max(factor, 1.0)
        low[place] *= min(factor, 1.0)
    found = spikes(high, low, close, 10.0, 0.02)
    np.testing.assert_allclose(found, plain(list(high), list(low), list(close)), rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 6])
def test_too_few_bars_are_not_judged(count):
    high = np.full(count, 100.0)
    high[: count // 2] = 1000.0
    assert not spikes(high, np.full(count, 99.0), np.full(count, 99.5), 10.0, 0.02).any()


def test_two_bad_bars_in_a_row_are_found_and_a_jump_that_stays_is_not():
    close = np.full(40, 100.0)
    high, low = close + 0.1, close - 0.1
    high[[20, 21]] = 120.0
    assert np.flatnonzero(spikes(high, low, close, 10.0, 0.02)).tolist() == [20, 21]
    jump = np.where(np.arange(40) < 20, 100.0, 130.0)
    assert not spikes(jump + 0.1, jump - 0.1, jump, 10.0, 0.02).any()
