"""Indicators against plain loops, and their causality."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting.indicators import ema, sma

value = st.floats(-1e6, 1e6) | st.just(math.nan)
series = st.lists(value, max_size=40)
window = st.integers(1, 8)
UNTIMED = settings(deadline=None)  # the first call loads the kernel


@UNTIMED
@given(values=series, length=window)
def test_sma_is_the_mean_of_the_window(values, length):
    expected = [
        math.fsum(values[k - length + 1 : k + 1]) / length if k + 1 >= length else math.nan
        for k in range(len(values))
    ]
    assert sma(values, length) == pytest.approx(np.array(expected), nan_ok=True, rel=1e-9, abs=1e-8)


@UNTIMED
@given(values=series, length=window)
def test_ema_begins_with_the_mean_and_weighs_by_two_over_n_plus_one(values, length):
    expected, run = [], []
    for item in values:
        run = [] if math.isnan(item) else [*run, item]
        if len(run) < length:
            expected.append(math.nan)
        elif len(run) == length:
            expected.append(math.fsum(run) / length)
        else:
            weight = 2 / (length + 1)
            expected.append((1 - weight) * expected[-1] + weight * item)
    assert ema(values, length) == pytest.approx(np.array(expected), nan_ok=True, rel=1e-9, abs=1e-8)


@UNTIMED
@given(values=series, length=window, cut=st.integers(0, 40))
def test_later_values_change_nothing(values, length, cut):
    for average in (sma, ema):
        whole, part = average(values, length), average(values[:cut], length)
        assert np.array_equal(whole[: len(part)], part, equal_nan=True)


def test_a_running_sum_does_not_drift():
    rng = np.random.default_rng(1)
    values = 1e8 * rng.random(100_000)
    values[50_000:] = rng.random(50_000)
    assert sma(values, 20)[-1] == pytest.approx(values[-20:].mean(), rel=1e-9)
