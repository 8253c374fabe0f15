"""Walking forward: what is chosen rests on training alone, what is traded on bars up to then."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.backtesting.costs import Proportional
from mismartera_analytics.backtesting.indicators import sma
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.splits import walk_forward_splits
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.walking import walk_forward
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidInputError, StrategyError

GRID = {"fast": [5, 15], "slow": [30, 60]}
LENGTHS: dict[str, Any] = {"train": 300, "test": 120}
START, END = "2003-01-02", "2006-12-29"


def crossing(bars: Any, fast: int, slow: int) -> tuple[Any, Any]:
    quick, steady = bars.indicator(sma, window=fast), bars.indicator(sma, window=slow)
    return quick > steady, quick < steady


class Crossing(Strategy):
    fast = 5
    slow = 30

    def on_start(self, ctx: Any) -> None:
        self.quick = ctx.indicator(sma, "close", window=self.fast)
        self.steady = ctx.indicator(sma, "close", window=self.slow)

    def on_bar(self, ctx: Any) -> None:
        if ctx.position() == 0 and self.quick[-1] > self.steady[-1]:
            ctx.buy()
        elif ctx.position() > 0 and self.quick[-1] < self.steady[-1]:
            ctx.close()


@pytest.fixture(scope="module")
def ibm(sample: pd.DataFrame) -> pd.DataFrame:
    bars = sample[sample["symbol"] == "IBM"]
    return bars[bars["session"].between(START, END)].reset_index(drop=True)


def by_hand(
    bars: pd.DataFrame, calendar: TradingCalendar, mode: Any, purge: int
) -> tuple[list[dict[str, int]], pd.Series]:
    """Walk with single backtests: choose by total return, and trade signals of warm averages."""
    cash, chosen, parts = 100_000.0, [], []
    labels = pd.DatetimeIndex(bars["session"])
    fees = Proportional(0.001)
    for split in walk_forward_splits(labels, mode=mode, purge=purge, **LENGTHS):
        gains = {}
        for fast, slow in itertools.product(*GRID.values()):
            trained = backtest(
                Crossing(fast=fast, slow=slow), "IBM", split.train[0].date(),
                split.train[-1].date(), bars=bars, calendar=calendar, count=False, commission=fees,
            )  # fmt: skip
            gains[fast, slow] = trained.equity["equity"].iloc[-1]
        fast, slow = max(gains, key=gains.__getitem__)
        chosen.append({"fast": fast, "slow": slow})
        known = bars[(labels >= split.train[0]) & (labels <= split.test[-1])]
        signal = pd.Series(
            sma(known["close"], fast) - sma(known["close"], slow),
            pd.DatetimeIndex(known["session"]),
        )[split.test[0] :]
        tested = backtest(
            None, "IBM", split.test[0].date(), split.test[-1].date(), entries=signal > 0,
            exits=signal < 0, bars=bars, calendar=calendar, cash=cash, commission=fees,
        )  # fmt: skip
        cash = tested.equity["equity"].iloc[-1]
        parts.append(tested.equity.set_index("session")["equity"])
    return chosen, pd.concat(parts)


@pytest.mark.parametrize(("mode", "purge"), [("rolling", 0), ("anchored", 7)])
def test_it_is_single_backtests_one_after_another(
    ibm: pd.DataFrame, nyse: TradingCalendar, mode: Any, purge: int
) -> None:
    chosen, equity = by_hand(ibm, nyse, mode, purge)
    shared: dict[str, Any] = {
        "bars": ibm, "calendar": nyse, "mode": mode, "by": "total_return", "purge": purge // 2,
        "embargo": purge - purge // 2, "count": False, "commission": Proportional(0.001), **LENGTHS,
    }  # fmt: skip
    for strategy in (crossing, Crossing):
        walked = walk_forward(strategy, GRID, "IBM", **shared)
        assert walked.windows[["fast", "slow"]].to_dict("records") == chosen
        found = walked.equity.set_index("session")["equity"]
        np.testing.assert_array_equal(found.to_numpy(), equity.to_numpy())
        assert found.index.equals(equity.index)
        before = np.concatenate([[100_000.0], equity.to_numpy()[:-1]])
        np.testing.assert_array_equal(walked.returns.to_numpy(), equity.to_numpy() / before - 1.0)
        total = np.prod(1.0 + walked.windows["test_total_return"]) - 1.0
        assert total == pytest.approx(walked.metrics.loc["total_return", "value"], rel=1e-12)
    highest = np.maximum(np.maximum.accumulate(equity.to_numpy()), 100_000.0)
    np.testing.assert_array_equal(walked.equity["drawdown"], equity.to_numpy() / highest - 1.0)
    assert len(walked.plot().axes) == 2


@pytest.mark.parametrize("strategy", [crossing, Crossing])
def test_it_never_sees_its_future(ibm: pd.DataFrame, nyse: TradingCalendar, strategy: Any) -> None:
    options: dict[str, Any] = {"calendar": nyse, "count": False, **LENGTHS}
    walked = walk_forward(strategy, GRID, "IBM", bars=ibm, **options)
    random = np.random.default_rng(0)
    cuts = [walked.windows[name].iloc[k] for name in ("train_end", "test_end") for k in (0, 2)]
    for cut in [*cuts, cuts[0] + pd.Timedelta(days=30)]:
        later = (ibm["session"] > cut).to_numpy()
        factor = np.where(later, random.uniform(0.5, 2.0, len(ibm)), 1.0)
        prices = {name: ibm[name] * factor for name in ("open", "high", "low", "close")}
        other = walk_forward(
            strategy, GRID, "IBM", bars=_kept_in_order(ibm.assign(**prices)), **options
        )
        trained = walked.windows["train_end"] <= cut
        assert trained.any()
        columns = [name for name in walked.windows if not name.startswith("test_")]
        pd.testing.assert_frame_equal(
            other.windows.loc[trained, columns], walked.windows.loc[trained, columns],
            check_exact=True,
        )  # fmt: skip
        past = walked.equity["session"] <= cut
        pd.testing.assert_frame_equal(other.equity[past], walked.equity[past], check_exact=True)
        assert not other.equity["equity"].equals(walked.equity["equity"])


def _kept_in_order(bars: pd.DataFrame) -> pd.DataFrame:
    """Widen highs and lows so that the other prices lie between them again."""
    prices = bars[["open", "high", "low", "close"]]
    return bars.assign(high=prices.max(axis=1), low=prices.min(axis=1))


def test_where_nothing_trades_nothing_is_chosen(ibm: pd.DataFrame, nyse: TradingCalendar) -> None:
    def late(bars: Any, above: float) -> tuple[Any, Any]:
        return bars.close > above, None

    walked = walk_forward(
        late, {"above": [1e6, 2e6]}, "IBM", bars=ibm, calendar=nyse, count=False, **LENGTHS
    )
    assert walked.windows["above"].isna().all()
    assert (walked.equity["equity"] == 100_000.0).all()
    assert (walked.windows["test_trades"] == 0).all()


def test_an_order_before_the_test_is_refused(ibm: pd.DataFrame, nyse: TradingCalendar) -> None:
    class Hasty(Strategy):
        share = 1.0

        def on_start(self, ctx: Any) -> None:
            ctx.target_percent(self.share)

    with pytest.raises(StrategyError, match="placed in on_start, before the test begins"):
        walk_forward(Hasty, {"share": [0.5, 1.0]}, "IBM", bars=ibm, calendar=nyse, count=False,
                     **LENGTHS)  # fmt: skip


def test_sessions_open_and_close_are_heard_in_the_test_only(
    ibm: pd.DataFrame, nyse: TradingCalendar
) -> None:
    heard: dict[str, list[Any]] = {"open": [], "bar": [], "close": []}

    class Listener(Strategy):
        share = 1.0

        def on_session_open(self, ctx: Any) -> None:
            heard["open"].append(ctx.session)
            if ctx.position() == 0:
                ctx.target_percent(self.share)

        def on_bar(self, ctx: Any) -> None:
            heard["bar"].append(ctx.session)

        def on_session_close(self, ctx: Any) -> None:
            heard["close"].append(ctx.session)

    walked = walk_forward(Listener, [{"share": 1.0}], "IBM", bars=ibm, calendar=nyse, count=False,
                          by="equity", **LENGTHS)  # fmt: skip
    tested = walked.windows.iloc[-1]
    sessions = [label.date() for label in ibm["session"][ibm["session"] >= tested["test_start"]]]
    for name in heard:
        assert heard[name][-len(sessions) :] == sessions
        # Before it the training of this last window was heard, which ends before the test.
        assert heard[name][-len(sessions) - 1] == tested["train_end"].date()
    # Bought at the test's first open.
    first = walked.equity.set_index("session").loc[tested["test_start"]]
    assert first["positions"] > 0


def test_a_combination_counts_once_however_many_windows_trained_it(
    ready_database: str, ibm: pd.DataFrame, nyse: TradingCalendar
) -> None:
    options: dict[str, Any] = {"bars": ibm, "calendar": nyse, **LENGTHS}
    walked = walk_forward(Crossing, GRID, "IBM", **options)
    assert len(walked.windows) > 2
    known = ma.trials("Crossing")
    combinations = list(itertools.product(*GRID.values()))
    assert len(known) == len(combinations) + 1
    whole = known[known["parameters"].str.contains("combinations")].iloc[0]
    assert json.loads(whole["parameters"]) == {**GRID, "combinations": len(combinations)}
    assert whole["sharpe"] == pytest.approx(walked.returns.mean() / walked.returns.std())
    # Of a combination: the mean of its ratios in training.
    fast, slow = combinations[0]
    parts = [
        backtest(Crossing(fast=fast, slow=slow), "IBM", first.date(), last.date(), bars=ibm,
                 calendar=nyse, count=False).returns
        for first, last in zip(walked.windows["train_start"], walked.windows["train_end"], strict=True)
    ]  # fmt: skip
    one = known[known["parameters"] == json.dumps({"fast": fast, "slow": slow})].iloc[0]
    assert one["sharpe"] == pytest.approx(np.mean([part.mean() / part.std() for part in parts]))
    assert one["sessions"] == sum(map(len, parts))
    # The same walk again is nothing new, another one and a sweep of the whole record are.
    walk_forward(Crossing, GRID, "IBM", **options)
    assert len(ma.trials("Crossing")) == len(known)
    walk_forward(Crossing, GRID, "IBM", **options, mode="anchored")
    assert len(ma.trials("Crossing")) == 2 * len(known)


def test_a_walk_that_fails_counts_what_it_had_trained(
    ready_database: str, ibm: pd.DataFrame, nyse: TradingCalendar
) -> None:
    def failing(bars: Any, window: int) -> tuple[Any, Any]:
        if len(bars) > LENGTHS["train"]:
            raise ValueError("in the first test")
        return bars.close > sma(bars.close, window=window), None

    with pytest.raises(StrategyError):
        walk_forward(failing, {"window": [5, 9]}, "IBM", bars=ibm, calendar=nyse, **LENGTHS)
    assert ma.trials("failing")["parameters"].tolist() == ['{"window": 5}', '{"window": 9}']


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"test": 5000}, "test=5000 is longer than the"),
        ({"count": "x"}, "count='x' must be True or False"),
        ({"train": 5000}, "train=5000 leave no session to test on"),
        ({"train": 300, "purge": 800}, "train=300 and 800 left out leave no session"),
        ({"by": "shrape"}, "did you mean 'sharpe_ratio'"),
        ({"mode": "anchor"}, "did you mean 'anchored'"),
        ({"interval": "1d", "comission": 1}, "no argument 'comission', did you mean 'commission'"),
    ],
)
def test_bad_input(ibm: pd.DataFrame, nyse: TradingCalendar, options: Any, sentence: str) -> None:
    given = {"count": False, **LENGTHS, **options}
    with pytest.raises(InvalidInputError) as refused:
        walk_forward(crossing, GRID, "IBM", bars=ibm, calendar=nyse, **given)
    assert sentence in str(refused.value)
