"""A sweep gives what single backtests give, to the bit, wherever it is run."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting.costs import BasisPoints, PerShare, Proportional
from mismartera_analytics.backtesting.indicators import ema, sma
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.sweeps import sweep
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidInputError, StrategyError
from tests.backtesting.worlds import Scene, scenes

METRICS = (
    "total_return",
    "cagr",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
)
GRID = {"fast": [5, 20], "slow": [50, 100, 200]}


def crossing(bars: Any, fast: int, slow: int) -> tuple[Any, Any]:
    quick, steady = bars.indicator(sma, window=fast), bars.indicator(sma, "close", window=slow)
    return quick > steady, quick < steady


def check(row: pd.Series, result: Any) -> None:
    """Compare a row of a sweep with a result, to the last bit."""
    shown = row[list(METRICS)].to_numpy(dtype=float)
    try:
        np.testing.assert_array_equal(shown, result.metrics["value"].reindex(METRICS).to_numpy())
    except InvalidInputError:  # returns above 100% in most sessions are taken for prices
        assert np.isnan(shown).all()
    assert row["equity"] == result.equity["equity"].iloc[-1]
    assert row["fills"] == len(result.fills)
    assert row["trades"] == len(result.trades)


@pytest.mark.parametrize(
    ("symbols", "rules"),
    [
        ("MSFT", {}),
        ("IBM", {}),  # without a split in the range: the shortest way
        ("IBM", {"commission": Proportional(0.001), "fractional": True}),
        ("IBM", {"commission": PerShare(0.01, minimum=1.0), "slippage": BasisPoints(5)}),
        ("IBM", {"fill": "next_close"}),
        ("IBM", {"fill": "same_close", "size_at": "decision"}),
        ("IBM", {"size": 0.5}),
        ("IBM", {"delay": 2}),
        (["AAPL", "IBM", "MSFT"], {"size": 0.3}),
        (["AAPL", "IBM"], {"size": 0.8, "account_type": "margin"}),
    ],
)
def test_each_row_is_a_single_backtest(
    sample: pd.DataFrame, splits: pd.DataFrame, nyse: TradingCalendar, symbols: Any, rules: Any
) -> None:
    shared = {"bars": sample, "actions": splits, "calendar": nyse, "count": False}
    found = sweep(crossing, GRID, symbols, "2001-01-01", "2006-12-31", **shared, **rules)
    assert found.frame[["fast", "slow"]].to_numpy().tolist() == [
        list(pair) for pair in itertools.product(*GRID.values())
    ]
    assert (found.frame["trades"] > 3).all()
    for number in (0, 3):
        row = found.frame.iloc[number]
        parameters = {"fast": int(row["fast"]), "slow": int(row["slow"])}
        check(row, found.result(parameters))
    # Signals made without the sweep, by hand, on prices of one symbol without splits.
    if symbols == "IBM":
        bars = sample[sample["symbol"] == "IBM"]
        bars = bars[bars["session"].between("2001-01-01", "2006-12-31")]
        quick, steady = (sma(bars["close"], window) for window in (20, 50))
        index = pd.DatetimeIndex(bars["session"])
        entries, exits = pd.Series(quick > steady, index), pd.Series(quick < steady, index)
        single = backtest(
            None, "IBM", entries=entries, exits=exits, bars=bars, actions=splits, calendar=nyse,
            count=False, **rules,
        )  # fmt: skip
        check(found.frame.iloc[3], single)


def test_a_class_and_an_object_of_it(
    sample: pd.DataFrame, splits: pd.DataFrame, nyse: TradingCalendar
) -> None:
    shared = {"bars": sample, "actions": splits, "calendar": nyse, "count": False}
    found = sweep(MovingAverageCross, GRID, ["AAPL", "MSFT"], "2003-01-01", "2006-12-31", **shared)
    for number in (1, 4):
        row = found.frame.iloc[number]
        strategy = MovingAverageCross(fast=int(row["fast"]), slow=int(row["slow"]))
        single = backtest(strategy, ["AAPL", "MSFT"], "2003-01-01", "2006-12-31", **shared)
        check(row, single)
    again = sweep(
        MovingAverageCross(slow=100), {"fast": [5, 20]}, ["AAPL", "MSFT"], "2003-01-01",
        "2006-12-31", **shared,
    )  # fmt: skip
    expected = found.frame[found.frame["slow"] == 100].drop(columns="slow")
    pd.testing.assert_frame_equal(again.frame, expected.reset_index(drop=True), check_exact=True)


def level(bars: Any, window: int, over: float) -> tuple[Any, Any]:
    """Depend on the level of prices and volumes, so that a split tells."""
    mean = bars.indicator(ema, window=window)
    smooth = bars.indicator(sma, mean, window=2)
    return (bars.close > smooth) & (bars.close > over), (bars.low < over) | (bars.volume < 900)


def signals_by_hand(scene: Scene, window: int, over: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Work out `level` row by row, each time from nothing but the bars up to then."""
    names = sorted(scene.world.bars)
    entries = pd.DataFrame(False, scene.index, names)
    exits = entries.copy()
    for name in names:
        for number in range(len(scene.world.rows)):
            if number not in scene.world.bars[name]:
                continue
            rows = [k for k in sorted(scene.world.bars[name]) if k <= number]
            close, low, volume = (
                np.array([getattr(scene.world.bars[name][k], field, 1000.0) for k in rows])
                for field in ("close", "low", "volume")
            )
            volume = np.full(len(rows), 1000.0)
            for action in scene.world.actions:
                if action.symbol == name and 0 < action.row <= number and action.ratio != 1.0:
                    before = np.array(rows) < action.row
                    close[before] /= action.ratio
                    low[before] /= action.ratio
                    volume[before] *= action.ratio
            smooth = sma(ema(close, window), 2)[-1]
            entries.loc[scene.index[number], name] = close[-1] > smooth and close[-1] > over
            exits.loc[scene.index[number], name] = low[-1] < over or volume[-1] < 900
    return entries, exits


@given(data=st.data())
@settings(deadline=None, max_examples=25)
def test_random_markets_with_splits_gaps_and_early_closes(
    nyse: TradingCalendar, data: st.DataObject
) -> None:
    scene = data.draw(scenes(nyse))
    rules = {
        "cash": 1_000.0,
        "fractional": data.draw(st.booleans()),
        "fill": data.draw(st.sampled_from(["next_open", "next_open", "next_close", "same_close"])),
        "commission": data.draw(st.sampled_from([Proportional(0.0), Proportional(0.02)])),
        "size": "all" if len(scene.world.bars) == 1 else 0.4,
    }
    shared: dict[str, Any] = {
        "bars": scene.bars, "actions": scene.actions, "calendar": nyse, "interval": scene.interval,
        "count": False,
    }  # fmt: skip
    grid = {"window": [1, 3], "over": [4.0, 9.0]}
    found = sweep(level, grid, **shared, **rules)
    for number, (window, over) in enumerate(itertools.product(*grid.values())):
        entries, exits = signals_by_hand(scene, window, over)
        single = backtest(None, entries=entries, exits=exits, **shared, **rules)
        check(found.frame.iloc[number], single)


def both_sides(bars: Any, fast: int, slow: int) -> tuple[Any, Any, Any, Any]:
    quick, steady = bars.indicator(sma, window=fast), bars.indicator(sma, window=slow)
    return quick > steady, quick < steady, quick < steady, quick > steady


def test_short_positions(sample: pd.DataFrame, splits: pd.DataFrame, nyse: TradingCalendar) -> None:
    shared: dict[str, Any] = {"bars": sample, "actions": splits, "calendar": nyse, "count": False}
    found = sweep(
        both_sides, GRID, ["IBM", "MSFT"], "2001-01-01", "2006-12-31", size=0.5,
        account_type="margin", **shared,
    )  # fmt: skip
    single = found.result(fast=5, slow=100)
    check(found.frame.iloc[1], single)
    assert set(single.trades["side"]) == {"BUY", "SELL"}
    with pytest.raises(StrategyError, match="knows no short sale"):
        sweep(both_sides, GRID, "IBM", "2012-01-01", **shared)


# Grids


def test_draws_conditions_and_lists(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    def grid_of(*arguments: Any, **options: Any) -> pd.DataFrame:
        found = sweep(
            crossing,
            *arguments,
            "IBM",
            "2012-01-01",
            bars=sample,
            calendar=nyse,
            count=False,
            **options,
        )
        return found.frame[["fast", "slow"]]

    ordered = grid_of(
        {"fast": [10, 30, 50], "slow": [20, 40]}, where=lambda p: p["fast"] < p["slow"]
    )
    assert ordered.to_numpy().tolist() == [[10, 20], [10, 40], [30, 40]]
    listed = grid_of([{"fast": 3, "slow": 9}, {"slow": 7, "fast": 2}])
    assert listed.to_numpy().tolist() == [[3, 9], [2, 7]]
    options: dict[str, Any] = {
        "draws": 12,
        "seed": 5,
        "where": lambda p: p["fast"] < p["slow"],
    }
    grid = {"fast": range(2, 60), "slow": lambda random: random.integers(20, 90)}
    drawn = grid_of(grid, **options)
    assert len(drawn.drop_duplicates()) == 12
    assert (drawn["fast"] < drawn["slow"]).all()
    pd.testing.assert_frame_equal(grid_of(grid, **options), drawn)
    assert not grid_of(grid, **(options | {"seed": 6})).equals(drawn)


class Frozen:
    """A distribution as SciPy has them."""

    def rvs(self, random_state: np.random.Generator) -> np.int64:
        return random_state.integers(5, 9)


def test_a_distribution_is_drawn_from(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    found = sweep(
        crossing, {"fast": Frozen(), "slow": 30}, "IBM", "2012-01-01", bars=sample, calendar=nyse,
        draws=4, count=False,
    )  # fmt: skip
    assert sorted(found.frame["fast"]) == [5, 6, 7, 8]
    assert set(found.frame["slow"]) == {30}


def test_a_condition_that_raises_is_told_with_its_combination(
    sample: pd.DataFrame, nyse: TradingCalendar
) -> None:
    with pytest.raises(StrategyError, match=r"where raised ZeroDivisionError of {'fast': 5}: "):
        sweep(crossing, {"fast": [5]}, "IBM", bars=sample, calendar=nyse, where=lambda p: 1 // 0)


def test_what_is_given_twice_is_tried_once(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    def tried(grid: Any) -> pd.DataFrame:
        return sweep(
            crossing, grid, "IBM", "2012-01-01", bars=sample, calendar=nyse, count=False
        ).frame

    found = tried({"fast": np.array([9, 5, 9, 5]), "slow": [20]})
    assert found["fast"].tolist() == [9, 5]
    again = tried([{"fast": 9, "slow": 20}, {"fast": 5, "slow": 20}, {"slow": 20, "fast": 9}])
    pd.testing.assert_frame_equal(again, found)


@pytest.mark.parametrize(
    ("grid", "options", "sentence"),
    [
        ({"fast": range(1000), "slow": range(1000)}, {}, "grid has 1,000,000 combinations, more"),
        ({"fast": range(5000), "slow": range(5000)}, {"where": lambda p: True}, "25,000,000"),
        ({"fast": range(200), "slow": range(200)}, {"where": lambda p: True}, "where keeps more"),
        ({"fast": [5], "slow": [9]}, {"where": lambda p: False}, "where keeps none of the 1 "),
        (
            {"fast": [5], "slow": [9]},
            {"where": "fast < slow"},
            "where='fast < slow' must be a func",
        ),
        (
            {"fast": [5], "slow": [9]},
            {"where": lambda p: p["fsat"]},
            "'fsat', which is no parameter",
        ),
        ([{"fast": 5, "slow": 9}], {"where": lambda p: p["fsat"]}, "did you mean 'fast'"),
        ({"fast": [5], "slow": [9]}, {"resume": 1}, "resume=1 must be True or False"),
        ({"fast": [5], "slow": [9]}, {"workers": 10**18}, "must be a whole number from 1 to 1,024"),
        ({"fast": [5], "slow": [9]}, {"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"fast": [5], "slow": [9]}, {"seed": "x", "draws": 1}, "seed='x' must be a whole number"),
        ({"fast": [5], "slow": []}, {}, "'slow' has no values"),
        ({"fast": [5], "slwo": [9]}, {}, "no parameter 'slwo', did you mean 'slow'?"),
        ({"fast": [5]}, {}, "needs a value of 'slow'"),
        ({}, {}, "grid is empty"),
        ([], {}, "grid holds no combination"),
        ([{"fast": 1, "slow": 2}, {"fast": 1}], {}, "name different parameters"),
        ({"fast": [5], "slow": Frozen()}, {}, "'slow' is a distribution"),
        ({"fast": [5, 6], "slow": [9]}, {"draws": 3}, "draws=3 different combinations were not"),
        (
            {"fast": [5], "slow": [9]},
            {"comission": 3},
            "'comission', did you mean 'commission'",
        ),
        ({"fast": [5], "slow": [9]}, {"workers": 0}, "workers=0 must be"),
        ({"fast": [5], "slow": [9]}, {"run_in": "thread"}, "did you mean 'threads'?"),
        ({"fast": [5], "slow": [9]}, {"client": 3}, "must be a distributed.Client"),
    ],
)
def test_bad_input(
    sample: pd.DataFrame, nyse: TradingCalendar, grid: Any, options: Any, sentence: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        sweep(
            crossing, grid, "IBM", "2012-01-01", bars=sample, calendar=nyse, count=False, **options
        )
    assert sentence in str(refused.value)


def test_what_is_no_strategy(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    shared: dict[str, Any] = {"bars": sample, "calendar": nyse, "count": False}
    with pytest.raises(InvalidInputError, match="neither a Strategy nor a function"):
        sweep("crossing", {"fast": [1]}, "IBM", **shared)
    with pytest.raises(InvalidInputError, match="did you mean 'fast'"):
        sweep(MovingAverageCross, {"fasd": [1]}, "IBM", **shared)
    with pytest.raises(InvalidInputError, match="size belongs to a function"):
        sweep(MovingAverageCross, {"fast": [1]}, "IBM", size=0.5, **shared)
    with pytest.raises(InvalidInputError, match="size is missing"):
        sweep(crossing, GRID, ["AAPL", "IBM"], **shared)


def test_a_combination_that_raises_is_named(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    shared: dict[str, Any] = {
        "bars": sample, "calendar": nyse, "start": "2012-01-01", "count": False,
    }  # fmt: skip
    with pytest.raises(StrategyError, match=r"\{'fast': 5, 'slow': 3\}.*must be less than slow"):
        sweep(MovingAverageCross, {"fast": [5], "slow": [9, 3]}, "IBM", **shared)
    with pytest.raises(StrategyError, match=r"\{'fast': 0, 'slow': 3\}.*window=0"):
        sweep(crossing, {"fast": [0], "slow": [3]}, "IBM", **shared)

    def wrong(bars: Any, n: int) -> Any:
        return {
            "pair": bars.close > 1,
            "dtype": (bars.close, None),
            "shape": (bars.close[1:] > 1, None),
        }[n]

    for name, sentence in (
        ("pair", "must return two arrays"),
        ("dtype", "float64"),
        ("shape", "one a bar"),
    ):
        with pytest.raises(StrategyError, match=sentence):
            sweep(wrong, {"n": [name]}, "IBM", **shared)


# The result


def test_best_heatmap_and_again(sample: pd.DataFrame, nyse: TradingCalendar) -> None:
    found = sweep(crossing, GRID, "IBM", "2005-01-01", bars=sample, calendar=nyse, count=False)
    ordered = found.frame.sort_values("sharpe_ratio", ascending=False)
    assert found.best() == {
        "fast": int(ordered["fast"].iloc[0]),
        "slow": int(ordered["slow"].iloc[0]),
    }
    assert (
        found.best("volatility")["slow"]
        == found.frame.loc[found.frame["volatility"].idxmin(), "slow"]
    )
    figure = found.heatmap("fast", "slow", "total_return")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["Total return by fast and slow"]
    for wrong, sentence in (
        ({"x": "fast", "y": "fast"}, "both 'fast'"),
        ({"x": "fast", "y": "slwo"}, "did you mean 'slow'"),
        ({"x": "fast", "y": "slow", "value": "sharp"}, "did you mean 'sharpe_ratio'"),
    ):
        with pytest.raises(InvalidInputError, match=sentence):
            found.heatmap(**wrong)
    with pytest.raises(InvalidInputError, match="lacks slow"):
        found.result(fast=3)
    with pytest.raises(InvalidInputError, match="no combination has a value"):
        short = sweep(crossing, GRID, "IBM", "2013-02-01", bars=sample, calendar=nyse, count=False)
        short.best()


class Crossing(Strategy):
    """A strategy that Numba compiles."""

    fast, slow = 5, 50

    def on_start(self, ctx: Any) -> None:
        self._quick = ctx.indicator(sma, "close", window=self.fast)
        self._steady = ctx.indicator(sma, "close", window=self.slow)

    def on_bar(self, ctx: Any) -> None:
        if self._quick[-1] > self._steady[-1]:
            if ctx.position() == 0:
                ctx.target_percent(0.9)
        elif ctx.position() > 0:
            ctx.close()


def test_compiled_strategies_run_in_threads(
    sample: pd.DataFrame, splits: pd.DataFrame, nyse: TradingCalendar
) -> None:
    shared = {"bars": sample, "actions": splits, "calendar": nyse, "count": False}
    span = ("MSFT", "2001-01-01", "2006-12-31")  # with a split
    compiled: dict[str, Any] = {"compile": True, "run_in": "threads", "workers": 2}
    found = sweep(Crossing, GRID, *span, **shared, **compiled)
    for number, pair in enumerate(itertools.product(*GRID.values())):
        plain = backtest(Crossing, *span, parameters=dict(zip(GRID, pair, strict=True)), **shared)
        check(found.frame.iloc[number], plain)
