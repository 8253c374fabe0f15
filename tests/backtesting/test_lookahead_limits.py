"""What a check for look-ahead cannot tell, refuses, and how it reads; random functions of bars."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.backtesting.lookahead import check_lookahead
from mismartera_analytics.backtesting.lookahead_futures import reruns
from mismartera_analytics.backtesting.lookahead_outside import outside_data
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError, StrategyError

HISTORY = pd.Series(np.arange(100.0))


@pytest.fixture(scope="module")
def ibm(sample):
    is_there = (sample["symbol"] == "IBM") & sample["session"].between("2008-01-01", "2008-12-31")
    return sample[is_there].reset_index(drop=True)


@pytest.fixture(scope="module")
def check(ibm, nyse):
    return functools.partial(check_lookahead, bars=ibm, calendar=nyse, cuts=6)


def closes(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.pivot(index="session", columns="symbol", values="close")


# What cannot be told


@pytest.mark.parametrize(
    "form",
    [
        {"weights": pd.DataFrame({"IBM": [1.0]}, index=pd.to_datetime(["2008-03-03"]))},
        {"entries": pd.Series([True])},
        {"orders": pd.DataFrame({"placed_at": []})},
        {"universe": ["IBM", "AAPL"]},
    ],
    ids=lambda form: next(iter(form)),
)
def test_what_is_finished_is_never_clean(check, form):
    report = check(**form)
    assert (report.status, report.clean) == ("not checkable", False)
    assert "does not tell how it was made" in str(report)
    assert report.findings.empty
    peeking = check(**form, fill="same_close")
    assert peeking.status == "looks ahead"


def test_data_from_outside_is_never_clean(check, ibm):
    held = closes(ibm)

    def closed_over(bars):
        return held.reindex(closes(bars).index) > 0

    def by_default(bars, known=held):
        return closes(bars) > known["IBM"].iloc[0]

    class Holding(MovingAverageCross):
        table = held.iloc[:, 0]

    for thing, said in (
        (closed_over, "held, a DataFrame of 253 values"),
        (functools.partial(by_default, known=held), "known, a DataFrame of 253 values"),
        (Holding(fast=5, slow=10), "Holding.table, a Series of 253 values"),
    ):
        report = check(thing)
        assert report.status == "not checkable", report
        assert said in str(report)


def test_what_is_held_or_read_is_named(tmp_path):
    def reads(bars):
        return ma.bars("AAPL")

    def reads_a_file(bars):
        return pd.read_csv(tmp_path / "x.csv")

    def through_another(bars):
        return inner(bars)

    def inner(bars):
        return HISTORY.shift(-1)

    def coefficients(bars):
        return np.convolve(bars["close"], np.ones(3) / 3)

    class Holds:
        def __init__(self):
            self.prices = HISTORY

        def __call__(self, bars):
            return self.prices

    class OfOnesOwn(Strategy):
        window = 20

        def on_start(self, ctx):
            self.table = pd.read_parquet("x.parquet")

    assert outside_data(reads) == ["ma.bars(), which reads data by itself"]
    assert outside_data(reads_a_file) == ["pd.read_csv(), which reads data by itself"]
    assert outside_data(through_another) == ["HISTORY, a Series of 100 values"]
    assert outside_data(coefficients) == []
    assert outside_data(Holds())[0] == "Holds.prices, a Series of 100 values"
    assert outside_data(OfOnesOwn()) == ["pd.read_parquet(), which reads data by itself"]
    assert outside_data(MovingAverageCross()) == []


def test_what_does_not_repeat_itself_is_said(check):
    class Dice(Strategy):
        def on_bar(self, ctx):
            if np.random.default_rng().random() < 0.5:
                ctx.order("IBM", 1)

    class Remembers(Strategy):
        def __init__(self):
            self.seen = []

        def on_bar(self, ctx):
            self.seen.append(ctx.bars.close[-1])
            if len(self.seen) == 300:
                ctx.order("IBM", 1)

    for thing in (Dice, Remembers()):
        report = check(thing)
        assert report.status == "not checkable"
        assert "does not repeat itself" in str(report)


def test_a_universe_of_dates_alone(sample, nyse):
    names = ["AAPL", "GOOG"]
    check = functools.partial(check_lookahead, bars=sample, calendar=nyse, cuts=6)
    report = check(universe=lambda date: names)
    assert report.status == "looks ahead"
    assert report.findings["symbol"].tolist() == ["GOOG"], "listed on 2004-08-19"
    assert check(universe=lambda date: names[:1]).status == "not checkable"
    assert "nothing but a date" in str(check(universe=lambda date: names[:1]))


def test_what_decides_nothing_is_not_called_clean(check):
    report = check(Strategy)
    assert report.status == "not checkable"
    assert "decided nothing" in str(report)


def test_reruns_that_raise_are_counted(check):
    def needs_history(bars):
        if len(bars) < 200:
            raise ValueError("two hundred bars, please")
        return closes(bars) > 0

    report = check(needs_history)
    assert any("raised ValueError: two hundred bars, please" in note for note in report.notes)
    assert report.clean
    with pytest.raises(StrategyError, match="nobody raised KeyError"):

        def nobody(bars):
            return bars["nobody"]

        check(nobody)


# What is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "give exactly one of strategy, weights, entries, orders, universe; given: none"),
        ({"strategy": Strategy, "weights": closes}, "given: strategy, weights"),
        ({"weights": closes, "cuts": 0}, "cuts=0 must be a whole number of at least 1"),
        ({"weights": closes, "fil": "next_open"}, "has no argument 'fil'.*did you mean 'fill'"),
        ({"weights": closes, "fill": "now"}, "fill='now' is unknown"),
        ({"weights": lambda bars: 5}, "returned int"),
        ({"strategy": lambda bars: 5}, "<lambda> returned int"),
        ({"universe": lambda frame, day: []}, "parameters day, frame; name them bars, or date"),
        ({"exits": closes}, "entries"),
    ],
)
def test_what_is_wrong_is_named(check, arguments, said):
    with pytest.raises(InvalidInputError, match=said):
        check(**arguments)


def test_weights_that_a_backtest_refuses_are_refused(check):
    with pytest.raises(InvalidInputError, match="weights"):
        check(weights=closes)


# The futures and the report


def test_futures_keep_what_was_known_and_change_the_rest(ibm, nyse):
    from mismartera_analytics.backtesting.inputs import load_market
    from mismartera_analytics.clock import parse_interval

    market, _ = load_market(None, None, None, parse_interval("1d"), nyse, ibm, None)
    found = {one.kind: one.market.fields for one in reruns(market, [100], seed=3)}
    assert list(found) == ["removed", "thinned", "changed", "mirrored"]
    for fields in found.values():
        np.testing.assert_array_equal(fields[..., :101], market.fields[..., :101])
    assert np.isnan(found["removed"][..., 101:]).all()
    assert 0 < np.isnan(found["thinned"][3, 0, 101:]).mean() < 1
    before = market.fields[..., 101:]
    for kind in ("changed", "mirrored"):
        opened, high, low, close, volume = found[kind][..., 101:]
        assert (low > 0).all()
        assert (low <= np.minimum(opened, close)).all()
        assert (high >= np.maximum(opened, close)).all()
        assert (close != before[3]).all()
        assert np.isfinite(volume).all()
    ways = [np.sign(found[kind][3, 0, 101] - before[3, 0, 0]) for kind in ("changed", "mirrored")]
    assert sorted(ways) == [-1.0, 1.0], "one future rises where the other one falls"


def test_the_same_seed_gives_the_same_report(check):
    def later(bars):
        return closes(bars).shift(-1) > closes(bars)

    first, second, third = check(later, seed=1), check(later, seed=1), check(later, seed=2)
    pd.testing.assert_frame_equal(first.findings, second.findings)
    assert first.cuts == second.cuts
    assert first.cuts != third.cuts


def test_a_report_can_be_read(check):
    report = check(lambda bars: closes(bars) > closes(bars).shift(-1))
    assert report.findings.columns.tolist() == frames.LOOKAHEAD.names
    assert report.checked.columns.tolist() == frames.LOOKAHEAD_CHECKED.names
    assert "entry <lambda> of IBM" in str(report) == repr(report)
    assert "at least 1 bar ahead" in str(report)
    assert "&lt;lambda&gt;" in report._repr_html_()
    assert "<lambda>" not in report._repr_html_()
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.status = "clean"


def test_signals_may_come_apart_or_as_a_pair(check):
    def high(bars):
        return closes(bars) > closes(bars).rolling(5).mean()

    def low_tomorrow(bars):
        return closes(bars).shift(-1) < closes(bars)

    for report in (
        check(entries=high, exits=low_tomorrow),
        check(lambda bars: (high(bars), low_tomorrow(bars))),
        check(short_entries=high, short_exits=low_tomorrow, account_type="margin"),
    ):
        assert [kind.removeprefix("short ") for kind in report.findings["kind"]] == ["exit"], report
        kinds = [kind.removeprefix("short ") for kind in report.checked["kind"]]
        assert kinds == ["entry", "exit"]


def test_orders_may_know_the_bars_that_had_ended(check):
    def after_a_fall(bars, ahead=0):
        close = bars["close"]
        falls = bars[close.shift(-ahead) < 0.97 * close.shift(1 - ahead)]
        placed = falls["timestamp"] + pd.Timedelta(hours=8)
        return pd.DataFrame({"placed_at": placed, "symbol": "IBM", "side": "BUY", "quantity": 1})

    assert check(after_a_fall).clean
    report = check(functools.partial(after_a_fall, ahead=1))
    assert report.status == "looks ahead"
    assert report.findings["kind"].tolist() == ["order"]


# Random functions

STEPS = {
    "change": lambda x, n: x.pct_change(n, fill_method=None),
    "mean": lambda x, n: x.rolling(n).mean(),
    "highest": lambda x, n: x.rolling(n).max(),
    "rank": lambda x, n: x.rolling(n + 1).rank(),
    "smooth": lambda x, n: x.ewm(span=n + 1).mean(),
    "so far": lambda x, n: x - x.expanding(n).mean(),
    "before": lambda x, n: x.shift(n),
    "sum": lambda x, n: x.fillna(0.0).cumsum(),
}
LATEST = sorted(set(STEPS) - {"before"})  # what uses the bar at hand, not only earlier ones


def steps(names: list[str]) -> Any:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(2, 10)), max_size=3)


columns = st.sampled_from(["open", "high", "low", "close", "volume"])


def worked_out(bars: pd.DataFrame, column: str, chain: Any) -> pd.Series:
    values = bars.set_index("session")[column]
    for name, window in chain:
        values = STEPS[name](values, window)
    return values


def as_weights(values: pd.Series) -> pd.DataFrame:
    """Return numbers between 0 and 1 that tell values of any size apart."""
    finite = values.where(np.isfinite(values), 0.0)
    return (0.5 + 0.4 * np.sin(np.log1p(finite.abs()))).to_frame("IBM")


@settings(max_examples=12, derandomize=True)
@given(column=columns, chain=steps(sorted(STEPS)), seed=st.integers(0, 9))
def test_what_uses_the_past_alone_is_never_accused(check, column, chain, seed):
    def weights(bars):
        return as_weights(worked_out(bars, column, chain))

    def signals(bars):
        values = worked_out(bars, column, chain)
        return values > values.shift(1)

    assert check(weights=weights, seed=seed).clean
    assert check(entries=signals, seed=seed).clean


@settings(max_examples=12, derandomize=True)
@given(column=columns, chain=steps(LATEST), ahead=st.integers(1, 20), seed=st.integers(0, 9))
def test_what_is_shifted_from_later_is_always_found(check, column, chain, ahead, seed):
    def scores(bars):
        return as_weights(worked_out(bars, column, chain).shift(-ahead))

    known = worked_out(check.keywords["bars"], column, chain)
    assume(
        known.nunique() > 2
    )  # ranks of a growing sum are always the highest: nothing to see there
    report = check(weights=scores, seed=seed)
    assert report.status == "looks ahead", report
    assert report.findings["bars_ahead"].tolist() == [ahead]


# Several calendars


def test_markets_of_several_calendars(nyse, tokyo):
    calendars = {"SPY": nyse, "7203": tokyo}
    parts = []
    for number, (symbol, calendar) in enumerate(calendars.items()):
        sessions = calendar.sessions("2025-01-02", "2025-03-31")
        close = 50.0 + 10.0 * np.sin(np.arange(len(sessions)) * (1.0 + number))
        times = sessions["regular_open"].dt.tz_convert("UTC").array
        prices = dict.fromkeys(["open", "high", "low", "close"], close)
        parts.append(
            pd.DataFrame(
                {"symbol": symbol, "timestamp": times, "session": sessions.index, "volume": 1e6}
            ).assign(**prices)
        )
    check = functools.partial(check_lookahead, bars=pd.concat(parts), calendar=calendars, cuts=8)

    class AfterAFall(Strategy):
        def on_bar(self, ctx):
            for symbol in ctx.symbols:
                close = ctx.bars[symbol].close
                if ctx.bars[symbol].is_here and len(close) > 1 and close[-1] < close[-2]:
                    ctx.order(symbol, 1)

    def rising(bars, ahead=0):
        close = closes(bars).ffill()
        return (close.shift(-ahead) > close.shift(1 - ahead)) * 0.5

    assert check(AfterAFall).clean
    assert check(weights=rising).clean
    report = check(weights=functools.partial(rising, ahead=1))
    assert report.status == "looks ahead"
    assert set(report.findings["symbol"]) == {"SPY", "7203"}
