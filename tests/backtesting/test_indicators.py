"""Indicators against TA-Lib, pandas and plain loops, and their causality."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting import indicators
from mismartera_analytics.backtesting.indicators import (
    atr,
    bollinger,
    donchian,
    ema,
    macd,
    rolling_rank,
    rolling_std,
    rsi,
    sma,
    true_range,
    vwap,
    wilder,
    zscore,
)
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError

value = st.floats(-1e6, 1e6) | st.just(math.nan)
series = st.lists(value, max_size=40)
tick = st.integers(1, 400).map(lambda n: n / 4)
prices = st.lists(tick, min_size=1, max_size=60).map(np.array)
window = st.integers(1, 8)
UNTIMED = settings(deadline=None)  # the first call loads the kernel
FEW = settings(deadline=None, max_examples=50)

COLUMNS = {"high", "low", "close", "volume", "session", "values"}
EVERY = [getattr(indicators, name) for name in indicators.__all__]


def close_to(expected):
    return pytest.approx(np.asarray(expected), nan_ok=True, rel=1e-9, abs=1e-8)


@UNTIMED
@given(values=series, length=window)
def test_sma_is_the_mean_of_the_window(values, length):
    expected = [
        math.fsum(values[k - length + 1 : k + 1]) / length if k + 1 >= length else math.nan
        for k in range(len(values))
    ]
    assert sma(values, length) == close_to(expected)


@UNTIMED
@given(values=series, length=window)
def test_exponential_means_begin_with_the_mean_and_anew_after_a_gap(values, length):
    for average, weight in ((ema, 2 / (length + 1)), (wilder, 1 / length)):
        expected, run = [], []
        for item in values:
            run = [] if math.isnan(item) else [*run, item]
            if len(run) < length:
                expected.append(math.nan)
            elif len(run) == length:
                expected.append(math.fsum(run) / length)
            else:
                expected.append((1 - weight) * expected[-1] + weight * item)
        assert average(values, length) == close_to(expected)


@UNTIMED
@given(values=series, length=window)
def test_spread_rank_and_extremes_are_those_of_pandas(values, length):
    rolled = pd.Series(values, dtype="float64").rolling(length)
    assert rolling_rank(values, length) == close_to(rolled.rank(pct=True))
    upper, middle, lower = donchian(values, values, length)
    assert upper == close_to(rolled.max())
    assert lower == close_to(rolled.min())
    assert middle == close_to((rolled.max() + rolled.min()) / 2)
    for k, deviation in enumerate(rolling_std(values, length)):
        part = values[k - length + 1 : k + 1] if k + 1 >= length else [math.nan]
        assert deviation == pytest.approx(np.std(part), nan_ok=True, rel=1e-7, abs=1e-8)


def compare_with_talib(high, low, close, length):
    long = length + 3
    expected = {
        "sma": talib.SMA(close, length) if length > 1 else close,
        "ema": talib.EMA(close, length) if length > 1 else close,
        "rsi": talib.RSI(close, max(length, 2)),
        "true_range": talib.TRANGE(high, low, close),
        "atr": talib.ATR(high, low, close, length),
        "std": talib.STDDEV(close, max(length, 2)),
        "bollinger": talib.BBANDS(close, max(length, 2), 1.5, 1.5),
        "macd": talib.MACD(close, max(length, 2), long, length),
        "donchian": (talib.MAX(high, max(length, 2)), talib.MIN(low, max(length, 2))),
    }
    upper, _, lower = donchian(high, low, max(length, 2))
    found = {
        "sma": sma(close, length),
        "ema": ema(close, length),
        "rsi": rsi(close, max(length, 2)),
        "true_range": true_range(high, low, close),
        "atr": atr(high, low, close, length),
        "std": rolling_std(close, max(length, 2)),
        "bollinger": bollinger(close, max(length, 2), 1.5),
        "macd": macd(close, max(length, 2), long, length),
        "donchian": (upper, lower),
    }
    for name in expected:
        # TA-Lib takes the variance as a difference of squares, which costs half of the digits
        loose = 1e-6 if name in ("std", "bollinger") else 1e-9
        assert np.array(found[name]) == pytest.approx(
            np.array(expected[name]), nan_ok=True, rel=loose, abs=loose * close.max()
        ), name


@FEW
@given(close=prices, length=window, data=st.data())
def test_definitions_are_those_of_talib(close, length, data):
    above = np.array(data.draw(st.lists(tick, min_size=len(close), max_size=len(close))))
    compare_with_talib(close + above, close / 2, close, length)


@pytest.mark.parametrize("length", [1, 2, 14, 50])
def test_definitions_are_those_of_talib_on_real_prices(sample, length):
    for _, bars in sample.groupby("symbol"):
        compare_with_talib(*(bars[name].to_numpy() for name in ("high", "low", "close")), length)


@pytest.mark.parametrize("length", [2, 14])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_constant_and_short_series(count, length):
    flat = np.full(count, 0.1)
    compare_with_talib(flat, flat, flat, length)
    assert (rolling_std(flat, length)[length - 1 :] == 0.0).all()
    assert np.isnan(zscore(flat, length)).all()


@UNTIMED
@given(
    rows=st.lists(st.tuples(tick, st.integers(0, 3) | st.just(math.nan), st.integers(0, 2))),
)
def test_vwap_begins_anew_with_each_session(rows):
    price = np.array([row[0] for row in rows])
    volume = np.array([row[1] for row in rows], float)
    session = np.cumsum([row[2] == 0 for row in rows])
    frame = pd.DataFrame({"s": session, "v": volume, "pv": price * volume})
    sums = frame.fillna({"v": 0, "pv": 0}).groupby("s")[["v", "pv"]].cumsum()
    expected = (sums["pv"] / sums["v"].replace(0, np.nan)).where(frame["v"].notna())
    assert vwap(price + 1, price - 1, price, volume, session) == close_to(expected)


@FEW
@given(values=series, cut=st.integers(0, 40), length=window)
@pytest.mark.parametrize("indicator", EVERY, ids=lambda function: function.__name__)
def test_later_values_change_nothing(indicator, values, cut, length):
    names = list(inspect.signature(indicator).parameters)
    inputs = [np.array(values) for name in names if name in COLUMNS]
    terms = {"window": length + 1} if "window" in names else {}
    if indicator is macd:
        terms = {"fast": length, "slow": length + 2, "signal": length}
    whole = np.atleast_2d(indicator(*inputs, **terms))
    part = np.atleast_2d(indicator(*(item[:cut] for item in inputs), **terms))
    assert np.array_equal(whole[:, : part.shape[1]], part, equal_nan=True)


def test_a_running_sum_does_not_drift():
    rng = np.random.default_rng(1)
    values = 1e8 * rng.random(100_000)
    values[50_000:] = rng.random(50_000)
    assert sma(values, 20)[-1] == pytest.approx(values[-20:].mean(), rel=1e-9)
    assert rolling_std(values, 20)[50_019] == pytest.approx(values[50_000:50_020].std(), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sma([1.0, 2.0], 0), "window=0 must be a whole number of at least 1"),
        (lambda: rsi([1.0, 2.0], True), "window=True"),
        (lambda: atr([1.0], [1.0], [1.0, 2.0]), "high 1, low 1, close 2"),
        (lambda: ema([[1.0, 2.0]], 2), "values has 2 dimensions"),
        (lambda: sma(["a"], 2), "values must be a series of numbers"),
        (lambda: macd([1.0], 26, 12), "fast=26 must be less than slow=12"),
        (lambda: macd([1.0], 2, 3, 0), "signal=0"),
        (lambda: rolling_std([1.0], 1, ddof=1), "window=1 must be a whole number of at least 2"),
        (lambda: zscore([1.0], 2, ddof=2), "ddof=2 must be 0 or 1"),
        (lambda: bollinger([1.0], 2, math.nan), "deviations=nan"),
    ],
)
def test_bad_input_is_a_sentence(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()


def test_a_strategy_names_the_columns_by_the_indicators_parameters(nyse, days):
    seen = []

    class Watch(Strategy):
        def on_start(self, ctx):
            self.average = ctx.indicator(vwap)
            self.range = ctx.indicator(atr, window=2)
            self.named = ctx.indicator(atr, "high", "low", "close", window=2)

        def on_bar(self, ctx):
            seen.append((self.average[-1], self.range[-1], self.named[-1]))

    backtest(Watch(), bars=days((10, 12, 9, 12), (12, 13, 11, 12), (12, 15, 12, 13)), calendar=nyse)
    averages, ranges, named = np.array(seen).T
    assert averages == pytest.approx([11.0, 12.0, 40 / 3])  # each day is a session
    assert ranges == pytest.approx([math.nan, math.nan, 2.5], nan_ok=True)
    assert np.array_equal(ranges, named, equal_nan=True)
