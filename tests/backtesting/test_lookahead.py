"""What looks ahead is found, what does not is never accused, and what cannot be told is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.backtesting.indicators import (
    atr,
    donchian,
    ema,
    rsi,
    sma,
    vwap,
)
from mismartera_analytics.backtesting.lookahead import check_lookahead
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.market_data.resampling import resample_bars
from mismartera_analytics.market_data.simulated import simulate_minutes

RANGE = ("2004-06-01", "2006-06-01")  # GOOG starts and AAPL splits in it
EVERY = ("AAPL", "GOOG", "IBM", "MSFT")


@pytest.fixture(scope="module")
def daily(sample, splits, nyse):
    """Check on two years of real daily bars."""

    def check(thing=None, symbols=EVERY, *, cuts=6, **options):
        return check_lookahead(
            thing, symbols, *RANGE, bars=sample, actions=splits, calendar=nyse, cuts=cuts, **options
        )

    return check


@pytest.fixture(scope="module")
def minutes(sample, nyse):
    is_there = sample["session"].between("2012-11-19", "2012-11-23") & (sample["symbol"] == "IBM")
    return simulate_minutes(sample[is_there], calendar=nyse)


def closes(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.pivot(index="session", columns="symbol", values="close")


def equal(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return equal weights of what was chosen."""
    return chosen.div(chosen.sum(axis=1).clip(lower=1), axis=0).astype(float)


# What looks ahead


def centred(values: Any, window: int = 21) -> Any:
    return pd.Series(values).rolling(window, center=True).mean().to_numpy()


def share_of_highest(values: Any) -> Any:
    return values / values.max() if len(values) else values


def of_the_last(values: Any) -> Any:
    return values / values[-1] if len(values) else values


class Above(Strategy):
    """Hold while the close lies above an indicator."""

    function = staticmethod(sma)
    scale = 1.0

    def on_start(self, ctx):
        self.line = ctx.indicator(self.function, "close")

    def on_bar(self, ctx):
        is_above = ctx.bars.close[-1] * self.scale > self.line[-1]
        if is_above and ctx.position() == 0:
            ctx.buy()
        elif not is_above and ctx.position() > 0:
            ctx.close()


class Centred(Above):
    function = staticmethod(centred)


class ShareOfHighest(Above):
    function = staticmethod(share_of_highest)


class OfTheLast(Above):
    function = staticmethod(of_the_last)


class Tomorrow(Strategy):
    """Reach behind the view of the closes, where the whole array lies."""

    def on_bar(self, ctx):
        seen = ctx.bars.close
        whole = seen
        while whole.base is not None:
            whole = whole.base
        later = whole[3].reshape(-1)[len(seen)] if len(seen) < whole.shape[-1] else np.nan
        if later > seen[-1] and ctx.position() == 0:
            ctx.buy()
        elif later < seen[-1] and ctx.position() > 0:
            ctx.close()


def shifted(bars):
    return equal(closes(bars).shift(-1) > closes(bars))


def z_score_of_everything(bars):
    close = closes(bars)
    return (close - close.mean()) / close.std() < 0, close > close.mean()


def week_from_its_end(bars):
    close = closes(bars)
    weeks = close.resample("W-FRI", label="left", closed="right").last()
    return close > weeks.reindex(close.index, method="ffill")


def chosen_by_what_they_did(bars):
    by_symbol = bars.groupby("symbol")["close"]
    return (by_symbol.last() / by_symbol.first()).nlargest(2).index


def weights_of_the_chosen(bars):
    close = closes(bars)
    return equal(close.notna() & close.columns.isin(chosen_by_what_they_did(bars)))


def listed_in_the_end(bars, date):
    return bars["symbol"].unique()


def filled_backwards(bars):
    return closes(bars).bfill() > 30.0


def smoothed_both_ways(bars):
    forth = closes(bars).ewm(span=10).mean()
    return forth[::-1].ewm(span=10).mean()[::-1] > closes(bars)


PEEKING = {
    "a centred window": (Centred, "AAPL", "indicator", "centred(close)"),
    "the highest of all values": (ShareOfHighest, "IBM", "indicator", "share_of_highest(close)"),
    "the last of all values": (OfTheLast, "IBM", "indicator", "of_the_last(close)"),
    "the array behind the view": (Tomorrow, "IBM", "order", ""),
    "shift(-1)": (shifted, EVERY, "weight", "shifted"),
    "a z-score of the whole sample": (z_score_of_everything, EVERY, "entry", "z_score_of_everything"),
    "a week known from its start": (week_from_its_end, EVERY, "entry", "week_from_its_end"),
    "a universe chosen by hindsight": (
        chosen_by_what_they_did, EVERY, "universe", "chosen_by_what_they_did",
    ),
    "weights of a universe chosen by hindsight": (
        weights_of_the_chosen, EVERY, "weight", "weights_of_the_chosen",
    ),
    "a universe of who is listed later": (
        listed_in_the_end, EVERY, "universe", "listed_in_the_end",
    ),
    "gaps filled backwards": (filled_backwards, EVERY, "entry", "filled_backwards"),
    "a filter that runs both ways": (smoothed_both_ways, "MSFT", "entry", "smoothed_both_ways"),
}  # fmt: skip


@pytest.mark.parametrize("case", PEEKING)
def test_what_looks_ahead_is_found_and_named(daily, case):
    thing, symbols, kind, name = PEEKING[case]
    report = daily(thing, symbols)
    assert report.status == "looks ahead", report
    assert not report.clean
    first = report.findings.iloc[0]
    assert (first["kind"], first["name"]) == (kind, name)
    assert first["bars_ahead"] >= 1
    assert first["timestamp"] < first["changed_after"]
    assert first["old"] != first["new"]
    assert name in str(report)


def test_how_far_a_centred_window_sees(daily):
    found = daily(Centred, "AAPL").findings
    assert found["kind"].tolist() == ["indicator", "order"]
    assert found["symbol"].tolist() == ["AAPL", "AAPL"]
    assert found["bars_ahead"].tolist()[0] == 10, "half of a window of 21 lies ahead"


@pytest.mark.parametrize("bars_ahead", [1, 2, 5])
def test_how_far_a_shift_sees(daily, bars_ahead):
    found = daily(lambda bars: closes(bars).shift(-bars_ahead) > closes(bars), "IBM").findings
    assert found["bars_ahead"].tolist() == [bars_ahead]


def test_a_bar_named_by_its_end_and_joined_by_its_start(minutes, nyse):
    """A day's bar bears the session's open, so minutes that look it up see the day's close."""

    def above_the_day(bars):
        days = resample_bars(bars, "1d", calendar=nyse)[["timestamp", "close"]]
        both = pd.merge_asof(bars, days, on="timestamp", suffixes=("", "_day"))
        above = both["close"] > both["close_day"]
        return above.set_axis(pd.DatetimeIndex(both["timestamp"])).rename("IBM.SIM")

    report = check_lookahead(above_the_day, bars=minutes, interval="1m", calendar=nyse, cuts=6)
    assert report.status == "looks ahead"
    assert report.findings["bars_ahead"].max() > 1


def test_filling_at_the_deciding_close_is_said(daily):
    report = daily(MovingAverageCross(fast=5, slow=20), fill="same_close")
    assert report.status == "looks ahead"
    assert report.findings["kind"].tolist() == ["fill"]
    assert "same_close" in str(report)


def test_a_level_of_prices_adjusted_later_is_found(daily):
    """Cheap after a split that was still to come."""

    def cheap(bars):
        return closes(bars) < 30.0

    assert daily(cheap, "AAPL").clean
    found = daily(cheap, "AAPL", adjust="split").findings
    assert found["session"].max() < pd.Timestamp("2005-02-28")
    assert daily(lambda bars: closes(bars).pct_change(5) > 0, "AAPL", adjust="split").clean


# What does not


class MeanReversion(Strategy):
    def on_start(self, ctx):
        self.rsi = ctx.indicator(rsi, "close", window=5)

    def on_bar(self, ctx):
        if self.rsi[-1] < 30 and ctx.position() == 0:
            ctx.buy(percent=0.5)
        elif self.rsi[-1] > 60 and ctx.position() > 0:
            ctx.close()


class Breakout(Strategy):
    def on_start(self, ctx):
        self.upper, _, self.lower = ctx.indicator(donchian, "high", "low", window=20)

    def on_bar(self, ctx):
        if ctx.bars.close[-1] > self.upper[-2] and ctx.position() == 0:
            ctx.buy()
        elif ctx.bars.close[-1] < self.lower[-2] and ctx.position() > 0:
            ctx.close()


class TrendWithStop(Strategy):
    """An average of highs and lows, and a stop two ranges below."""

    def on_start(self, ctx):
        self.trend = ctx.indicator(ema, "close", window=20)
        self.range = ctx.indicator(atr, window=14)

    def on_bar(self, ctx):
        if ctx.position() == 0 and ctx.bars.close[-1] > self.trend[-1]:
            ctx.buy(quantity=10)
        elif ctx.position() > 0 and not ctx.working():
            stop = ctx.bars.close[-1] - 2 * self.range[-1]
            ctx.sell(quantity=10, stop_price=float(stop), time_in_force="GTC")


class Drawn(Strategy):
    """Enter when a number drawn from the run's generator says so."""

    def on_bar(self, ctx):
        drawn = ctx.random.random()
        if drawn < 0.1 and ctx.position() == 0:
            ctx.buy(quantity=1)
        elif drawn > 0.9 and ctx.position() > 0:
            ctx.close()


class Gap(Strategy):
    """At the open, buy what closed well above the close before; sell at the session's close."""

    def on_session_open(self, ctx):
        if len(ctx.bars) > 1 and ctx.bars.close[-1] > 1.01 * ctx.bars.close[-2]:
            ctx.buy(quantity=5)

    def on_session_close(self, ctx):
        if ctx.position() > 0:
            ctx.close()


class AroundTheAverage(Strategy):
    """Buy below a session's average price, minutes."""

    def on_start(self, ctx):
        self.average = ctx.indicator(vwap)

    def on_bar(self, ctx):
        if ctx.bars.close[-1] < self.average[-1] and ctx.position() == 0:
            ctx.buy(quantity=1)
        elif ctx.bars.close[-1] > self.average[-1] and ctx.position() > 0:
            ctx.close()


def momentum(bars):
    """Hold the two best of three months, from each month's first session."""
    close = closes(bars)
    best = close.pct_change(63, fill_method=None).rank(axis=1, ascending=False) <= 2
    month = close.index.to_period("M")
    is_first = month != month.to_series().shift(1).to_numpy()
    return equal(best[is_first])


def equal_weight(bars):
    """Hold whatever is listed in equal parts, from each month's last session."""
    close = closes(bars)
    return equal(close.groupby(close.index.to_period("M")).tail(1).notna())


def spread(bars):
    """The z-score of a pair's ratio over sixty sessions."""
    close = closes(bars)
    ratio = np.log(close["IBM"] / close["MSFT"])
    score = (ratio - ratio.rolling(60).mean()) / ratio.rolling(60).std()
    return pd.DataFrame({"IBM": score < -1, "MSFT": score > 1})


def so_far(bars):
    """The z-score over everything that is known by then."""
    close = closes(bars)
    known = close.expanding(20)
    return (close - known.mean()) / known.std() < -1, close > known.mean()


def last_week(bars):
    """The week before, known when it is over."""
    close = closes(bars)
    weeks = close.resample("W-FRI").last().shift(1)
    return close > weeks.reindex(close.index, method="bfill")


def listed(bars, date):
    """Whoever has traded in the month before a date."""
    known = bars[
        bars["session"].between(pd.Timestamp(date) - pd.Timedelta("30D"), pd.Timestamp(date))
    ]
    return known["symbol"].unique()


HONEST = {
    "a cross of moving averages": (MovingAverageCross(fast=10, slow=40), EVERY),
    "a mean reversion by RSI": (MeanReversion, "IBM"),
    "a Donchian breakout": (Breakout, "AAPL"),
    "an average with a stop by ATR": (TrendWithStop, "MSFT"),
    "entries drawn from ctx.random": (Drawn, "IBM"),
    "a gap at the session's open": (Gap, "AAPL"),
    "momentum, rebalanced monthly": (momentum, EVERY),
    "equal weights, rebalanced monthly": (equal_weight, EVERY),
    "the z-score of a pair": (spread, ("IBM", "MSFT")),
    "a z-score so far": (so_far, EVERY),
    "the week before": (last_week, EVERY),
    "a universe of who is listed": (listed, EVERY),
}


@pytest.mark.parametrize("case", HONEST)
def test_what_does_not_look_ahead_passes(daily, case):
    thing, symbols = HONEST[case]
    report = daily(thing, symbols)
    assert report.clean, report
    assert report.findings.empty
    assert report.checked["comparisons"].sum() > 0


def test_minutes_around_the_sessions_average_pass(minutes, nyse):
    report = check_lookahead(AroundTheAverage, bars=minutes, interval="1m", calendar=nyse, cuts=4)
    assert report.clean, report
    assert set(report.checked["kind"]) == {"indicator", "order"}
