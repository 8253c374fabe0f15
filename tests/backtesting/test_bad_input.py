"""What is refused, and that the sentence names what and what to do."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.backtesting import indicators
from mismartera_analytics.backtesting.costs import PerShare, Proportional
from mismartera_analytics.backtesting.indicators import ema, sma
from mismartera_analytics.backtesting.lookahead import check_lookahead
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.shortfall import compare
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidBarsError,
    InvalidInputError,
    InvalidOrderError,
    MismarteraError,
    NaiveDatetimeError,
    StrategyError,
    UnknownArgumentError,
)

FLAT = (10.0, 11.0, 9.0, 10.0)


class Idle(Strategy):
    pass


@pytest.fixture
def bars(days):
    return days(*[FLAT] * 4)


@pytest.fixture
def go(nyse, bars):
    def run(**arguments):
        return backtest(**{"bars": bars, "calendar": nyse, **arguments})

    return run


def labelled(bars, values):
    return pd.DataFrame({"AAA": values}, index=pd.DatetimeIndex(bars["session"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "exactly one of strategy, weights"),
        ({"strategy": Idle(), "orders": pd.DataFrame()}, "given: strategy, orders"),
        ({"strategy": Idle(), "exits": pd.DataFrame()}, "exits belongs to entries"),
        ({"strategy": 3}, "no Strategy"),
        ({"strategy": Idle(), "parameters": {"a": 1}}, "given as a class"),
        ({"strategy": Idle(), "cash": 0}, "cash=0 must be a positive"),
        ({"strategy": Idle(), "cash": float("nan")}, "cash=nan"),
        ({"strategy": Idle(), "fill": "next_opn"}, "did you mean 'next_open'"),
        ({"strategy": Idle(), "size_at": "never"}, "Allowed: fill, decision"),
        ({"strategy": Idle(), "volume_limit": 0}, "volume_limit=0 must be a share"),
        ({"strategy": Idle(), "volume_limit": 1.5}, "volume_limit=1.5 must be a share"),
        ({"strategy": Idle(), "bracket_from": "now"}, "Allowed: entry_bar, next_bar"),
        ({"strategy": Idle(), "bar_path": "bset"}, "did you mean 'best'"),
        ({"strategy": Idle(), "size": 0.5}, "size=0.5 belongs to entries"),
        ({"strategy": Idle(), "cash": True}, "cash=True must be a positive"),
        ({"strategy": Idle(), "cash": 10**400}, "cash=1000"),
        ({"strategy": Idle(), "delay": True}, "delay=True must be a whole number of bars"),
        ({"strategy": Idle(), "count": "x"}, "count='x' must be True or False"),
        ({"strategy": Idle(), "symbols": b"AAA"}, "symbols=b'AAA' must be a symbol or a list"),
        ({"strategy": Idle(), "stop_loss": 0.1}, "stop_loss belongs to entries"),
        ({"strategy": Idle(), "commission": 0.001}, "commission=0.001 is no policy"),
        ({"strategy": Idle(), "interval": "1D"}, "is not an interval"),
        ({"strategy": Idle(), "symbols": []}, "symbols is empty"),
        ({"strategy": Idle(), "symbols": "AAB"}, "did you mean 'AAA'"),
        ({"strategy": Idle(), "start": "2030-01-01"}, "no 1d bars"),
        ({"strategy": Idle(), "symbols": 5}, "symbols=5 must be a symbol or a list"),
        ({"strategy": Idle(), "bars": 5}, "bars is a int; give a pandas DataFrame"),
        ({"strategy": Idle(), "actions": []}, "actions is a list; give a pandas DataFrame"),
        ({"strategy": Idle(), "calendar": 5}, "calendar=5 must be the name of an exchange"),
        ({"strategy": Idle(), "seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"strategy": Idle(), "seed": "x"}, "seed='x' must be a whole number"),
        ({"strategy": Idle(), "seed": None}, "seed=None must be a whole number"),
        ({"strategy": Idle(), "compile": "yes"}, "compile='yes' must be True or False"),
        ({"strategy": Idle(), "fractional": 1}, "fractional=1 must be True or False"),
        ({"strategy": Idle(), "commission": PerShare}, "commission=<class .* is no policy"),
        ({"strategy": Idle, "parameters": ["a"]}, r"parameters=\['a'\] must be a dict"),
        ({"weights": {"AAA": 0.5}}, "weights is a dict; give a pandas DataFrame"),
        ({"weights": pd.Series([0.5])}, "weights is a Series; give a pandas DataFrame"),
        ({"orders": [{"symbol": "AAA"}]}, "orders is a list; give a pandas DataFrame"),
    ],
)
def test_arguments(go, arguments, words):
    with pytest.raises(MismarteraError, match=words):
        go(**arguments)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.5, np.nan, 0.5, 0.5], "is NaN on"),
        ([0.5, -0.5, 0.5, 0.5], "no short sale"),
        ([0.5, 1.5, 0.5, 0.5], "add up to 1.5"),
    ],
)
def test_weights(go, bars, values, words):
    with pytest.raises(InvalidInputError, match=words):
        go(weights=labelled(bars, values))


def test_weights_of_text(go, bars):
    with pytest.raises(InvalidInputError, match="weights must hold numbers"):
        go(weights=labelled(bars, "half"))


def test_frames_with_another_index(go, bars):
    with pytest.raises(InvalidInputError, match="no bar of this run"):
        go(weights=labelled(bars, 0.5).shift(freq="3D"))
    with pytest.raises(InvalidInputError, match="unsorted"):
        go(weights=labelled(bars, 0.5).iloc[::-1])
    with pytest.raises(InvalidInputError, match="DatetimeIndex"):
        go(weights=labelled(bars, 0.5).reset_index(drop=True))
    with pytest.raises(InvalidInputError, match="one row a bar"):
        go(entries=labelled(bars, True).iloc[1:])
    with pytest.raises(InvalidInputError, match="True and False"):
        go(entries=labelled(bars, 1))


def test_size_is_asked_for_with_several_symbols(nyse, days):
    two = pd.concat([days(FLAT), days(FLAT, symbol="BBB")], ignore_index=True)
    entries = labelled(two.iloc[:1], True).assign(BBB=True)
    with pytest.raises(InvalidInputError, match="size is missing"):
        backtest(bars=two, entries=entries, calendar=nyse)
    with pytest.raises(InvalidInputError, match="size=2"):
        backtest(bars=two, entries=entries, size=2, calendar=nyse)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"quantity": 0}, "quantity=0.0 must be positive"),
        ({"quantity": -5}, "must be positive"),
        ({"quantity": 1.5}, "fractional=True"),
        ({"quantity": float("inf")}, "finite"),
        ({"side": "LONG"}, "'BUY' or 'SELL'"),
        ({"symbol": "AAB"}, "did you mean 'AAA'"),
        ({"order_type": "LIMIT", "price": 0.0}, "price=0.0 must be a positive price"),
        ({"order_type": "LIMIT"}, "price is missing"),
        ({"order_type": "STOP", "price": 3.0}, "price=3.0 means nothing to a STOP"),
        ({"order_type": "LIMT"}, "did you mean 'LIMIT'"),
        ({"time_in_force": "GTD"}, "time_in_force='GTD'"),
        ({"order_type": "STOP", "stop_price": 9.0, "time_in_force": "OPG"}, "takes MARKET and"),
        ({"trail": 1.0}, "trail=1.0 means nothing to a MARKET order"),
        ({"order_type": "TRAILING_STOP"}, "needs trail"),
        ({"order_type": "TRAILING_STOP", "trail": 1.0, "trail_percent": 0.1}, "one of them"),
        ({"order_type": "TRAILING_STOP", "trail": 0.0}, "trail=0.0 must be a distance above 0"),
        ({"order_type": "TRAILING_STOP", "trail_percent": 1.0}, "below 1"),
        (
            {"order_type": "TRAILING_STOP", "trail": 1.0, "stop_price": 9.0},
            "means nothing to a TRAI",
        ),
        ({"stop_loss": 0.0}, "stop_loss=0.0 must be a positive price"),
        ({"stop_loss": 9.0, "take_profit": 8.0}, "take_profit=8.0 must lie above stop_loss=9.0"),
        (
            {"order_type": "LIMIT", "price": 9.0, "stop_loss": 9.5},
            "below price=9.0 of an order that",
        ),
        (
            {"side": "SELL", "order_type": "STOP", "stop_price": 9.0, "stop_loss": 8.5},
            "must lie above stop_price=9.0 of an order that sells",
        ),
        ({"time_in_force": "GTD", "symbol": "AAA"}, "time_in_force='GTD'"),
    ],
)
def test_orders(go, bars, terms, words):
    row = {"placed_at": bars["timestamp"].iloc[0], "symbol": "AAA", "side": "BUY", "quantity": 5}
    with pytest.raises(InvalidOrderError, match=words) as caught:
        go(orders=pd.DataFrame([row | terms]))
    assert "row 0" in str(caught.value)


def test_orders_at_naive_or_unsorted_times(go, bars):
    orders = pd.DataFrame(
        {"placed_at": bars["timestamp"].iloc[[1, 0]], "symbol": "AAA", "side": "BUY", "quantity": 1}
    )
    with pytest.raises(InvalidInputError, match="unsorted"):
        go(orders=orders)
    with pytest.raises(NaiveDatetimeError, match="aware"):
        go(orders=orders.assign(placed_at=pd.Timestamp("2024-01-02")))
    with pytest.raises(InvalidInputError, match="lacks the columns"):
        go(orders=orders.drop(columns="side"))
    ordered = orders.iloc[::-1]
    go(orders=ordered.assign(stop_loss=float("nan")))
    with pytest.raises(InvalidInputError, match="stop_loss must hold numbers"):
        go(orders=ordered.assign(stop_loss="low"))
    with pytest.raises(InvalidOrderError, match="row 1: placed_at is missing"):
        go(orders=ordered.assign(placed_at=ordered["placed_at"].where([True, False])))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"stop_loss": 0.0}, "stop_loss=0.0 must be a fraction"),
        ({"trail": 1.0}, "trail=1.0 must be a fraction .* below 1"),
        ({"take_profit": float("nan")}, "take_profit=nan"),
        ({"stop_loss": 0.1, "trail": 0.1}, "exclude another"),
    ],
)
def test_brackets_of_signals(go, bars, terms, words):
    with pytest.raises(InvalidInputError, match=words):
        go(entries=labelled(bars, True), **terms)


def test_bars(nyse, bars):
    def run(frame):
        return backtest(Idle(), bars=frame, calendar=nyse)

    with pytest.raises(InvalidBarsError, match="unsorted or doubled"):
        run(bars.iloc[::-1])
    with pytest.raises(InvalidBarsError, match="low <= open"):
        run(bars.assign(low=10.5))
    with pytest.raises(InvalidBarsError, match="positive"):
        run(bars.assign(low=0.0))
    with pytest.raises(InvalidBarsError, match="lacks the columns"):
        run(bars.drop(columns="high"))
    with pytest.raises(InvalidBarsError, match="aware"):
        run(bars.assign(timestamp=bars["session"]))
    with pytest.raises(InvalidBarsError, match="no session of the calendar"):
        run(bars.assign(session=bars["session"] + pd.Timedelta(days=4)))
    with pytest.raises(BarsNotFoundError, match="no 1d bars"):
        run(bars.iloc[:0])


def test_a_parameter_that_the_strategy_lacks():
    with pytest.raises(InvalidInputError, match=r"no parameter 'fsat', did you mean 'fast'"):
        MovingAverageCross(fsat=3)


def test_a_strategy_that_raises_is_kept_for_inspection(go):
    class Breaks(Strategy):
        def on_start(self, ctx):
            self.count = 0

        def on_bar(self, ctx):
            self.count += 1
            if self.count == 3:
                raise ZeroDivisionError("by hand")

    words = r"Breaks raised ZeroDivisionError .*2024-01-04.*\(bar 2 of AAA\)"
    with pytest.raises(StrategyError, match=words) as caught:
        go(strategy=Breaks())
    assert caught.value.strategy.count == 3
    assert caught.value.context.row == 2
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_strategy_that_raises_before_the_first_bar(go):
    class Early(Strategy):
        def on_start(self, ctx):
            raise ValueError("by hand")

    with pytest.raises(StrategyError, match=r"\(before the first bar\): by hand"):
        go(strategy=Early())


def test_a_strategy_that_raises_names_the_symbols_with_a_bar(nyse, days):
    class Breaks(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 1:
                raise ValueError("by hand")

    three = [days(*[FLAT] * 3), days(FLAT, symbol="BBB"), days(*[FLAT] * 3, symbol="CCC")]
    with pytest.raises(StrategyError, match=r"\(bar 1 of AAA, CCC\): by hand"):
        backtest(Breaks(), bars=pd.concat(three, ignore_index=True), calendar=nyse)


def test_what_a_strategy_asks_for(go):
    def refused(act, words):
        class Asks(Strategy):
            def on_bar(self, ctx):
                act(ctx)

        with pytest.raises(MismarteraError, match=words):
            go(strategy=Asks())

    refused(lambda ctx: ctx.buy("AAB", 1), "did you mean 'AAA'")
    refused(lambda ctx: ctx.bars["AAB"], "did you mean 'AAA'")
    refused(lambda ctx: ctx.target_percent("AAA", 1.5), "between 0 and 1")
    refused(lambda ctx: ctx.buy("AAA", 1, price=0.0), "positive price")
    refused(lambda ctx: ctx.cancel(7), "no order of this run")
    refused(lambda ctx: ctx.order("AAA", 0), "quantity=0.0 must be positive")
    refused(
        lambda ctx: ctx.buy("AAA", 1, stop_loss=9.0, take_profit=9.0), "take_profit=9.0 must lie"
    )
    refused(lambda ctx: ctx.sell("AAA", 1, trail=-1.0), "trail=-1.0 must be a distance")
    refused(lambda ctx: ctx.target_percent("AAA", 0.5, stop_loss=9.0), "nothing to a target weight")
    refused(lambda ctx: ctx.one_cancels_other(0, 1), "no working order of this run")
    refused(lambda ctx: ctx.indicator(sma, "clsoe", window=2), "did you mean 'close'")
    refused(lambda ctx: ctx.indicator(lambda x: x[1:]), "one value a bar")
    refused(lambda ctx: ctx.bars.close.__setitem__(0, 1.0), "read-only")


def test_costs_and_indicators():
    with pytest.raises(InvalidInputError, match="rate=-1"):
        Proportional(-1)
    with pytest.raises(InvalidInputError, match="at least minimum"):
        PerShare(0.01, minimum=2, maximum=1)
    for average in (sma, ema):
        with pytest.raises(InvalidInputError, match="window=0"):
            average([1.0], window=0)
        with pytest.raises(InvalidInputError, match="2 dimensions"):
            average([[1.0]], window=1)


def test_a_dividend_without_an_amount_is_refused(go, bars):
    actions = pd.DataFrame(
        {"symbol": ["AAA"], "action_type": "CASH_DIVIDEND", "ex_date": bars["session"].iloc[1:2]}
    ).assign(ratio=np.nan, amount=np.nan, known_at=pd.NaT)
    with pytest.raises(InvalidInputError, match=r"dividend of 'AAA' on .* needs an amount"):
        go(strategy=Idle(), actions=actions)


class Misspelt(Strategy):
    def on_bars(self, ctx):
        ctx.buy()


class NumberFirst(Strategy):
    def on_bar(self, ctx):
        ctx.buy(5)


def test_a_method_that_would_never_be_called_is_refused(go):
    with pytest.raises(InvalidInputError, match=r"Misspelt\.on_bars .* did you mean 'on_bar'"):
        go(strategy=Misspelt)


def test_a_quantity_in_the_place_of_the_symbol_is_told(go):
    with pytest.raises(StrategyError, match=r"symbol=5 is a number; .* quantity="):
        go(strategy=NumberFirst())


def test_a_column_of_orders_that_is_nearly_one_is_refused(go, bars):
    orders = pd.DataFrame(
        {"placed_at": bars["timestamp"].iloc[:1], "symbol": "AAA", "side": "BUY", "quantity": 1.0}
    )
    with pytest.raises(InvalidInputError, match="'order_typ', did you mean 'order_type'"):
        go(orders=orders.assign(order_typ="LIMIT"))
    assert len(go(orders=orders.assign(my_note="opening")).fills) == 1


def test_prices_that_are_no_numbers_are_named(go, bars):
    with pytest.raises(InvalidBarsError, match="close must hold numbers"):
        go(strategy=Idle(), bars=bars.assign(close="x"))


def test_flags_that_are_none_are_named_with_their_row(go, bars):
    with pytest.raises(InvalidInputError, match=r"'AAA' is 'yes' on 2024-01-03.*\(1 such rows\)"):
        go(entries=labelled(bars, [True, "yes", False, True]))
    holes = labelled(bars, pd.array([True, None, None, True], "boolean"))
    with pytest.raises(InvalidInputError, match=r"'AAA' is <NA> on 2024-01-03.*fillna\(False\)"):
        go(entries=holes)
    assert go(entries=labelled(bars, pd.array([True] * 4, "boolean"))).ambiguous_fills == 0


def test_naive_times_of_day_are_told_from_labels(go, bars):
    opens = pd.DatetimeIndex(bars["session"]) + pd.Timedelta("9h30min")
    with pytest.raises(NaiveDatetimeError, match=r"2024-01-02 09:30:00 is a naive .*tz_localize"):
        go(weights=pd.DataFrame({"AAA": 0.5}, opens))
    aware = opens.tz_localize("America/New_York")
    assert len(go(weights=pd.DataFrame({"AAA": 0.5}, aware[:1])).fills) == 1


@pytest.mark.parametrize("volume", [-5.0, np.inf])
def test_volumes_below_zero_or_without_end_are_refused(go, bars, volume):
    with pytest.raises(InvalidBarsError, match=f"'AAA' on 2024-01-02 has volume {volume:g}"):
        go(strategy=Idle(), bars=bars.assign(volume=[volume, 1.0, 0.0, np.nan]))


def test_no_argument_is_taken_by_a_name_that_is_nearly_right(go, nyse, bars):
    with pytest.raises(
        UnknownArgumentError, match=r"backtest .*'commision', did you mean 'commiss"
    ):
        go(strategy=Idle(), commision=PerShare(0.01))
    with pytest.raises(
        TypeError, match="check_lookahead has no argument 'cut', did you mean 'cuts'"
    ):
        check_lookahead(Idle(), bars=bars, calendar=nyse, cut=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"symbols": 5}, "symbols=5 must be a symbol or a list"),
        ({"symbols": ["AAA", 5]}, "must be a symbol or a list"),
        ({"cuts": 0}, "cuts=0 must be a whole number of at least 1"),
        ({"strategy": None, "weights": "half"}, "weights='half' is neither a function of bars nor"),
        ({"strategy": None, "universe": 5}, "universe=5 is neither a function of bars nor a list"),
        ({"strategy": None, "universe": lambda date: 5}, "returned 5; it must return symbols"),
        ({"strategy": None, "universe": lambda d: 5}, "returned 5; it must return symbols"),
    ],
)
def test_arguments_of_a_check(nyse, bars, arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        check_lookahead(**{"strategy": Idle(), "bars": bars, "calendar": nyse, **arguments})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": "x"}, "seed='x' must be a whole number"),
        ({"seed": -1}, "seed=-1"),
        ({"draws": 1.5}, "draws=1.5 must be a whole number"),
        ({"block": "x"}, "block='x' must be a mean length"),
        ({"block": True}, "block=True"),
    ],
)
def test_arguments_of_stress(go, options, words):
    with pytest.raises(InvalidInputError, match=words):
        go(strategy=Idle(), count=False).stress(**{"draws": 2, **options})


@pytest.mark.parametrize(
    ("live", "simulated", "options", "words"),
    [
        (None, 1, {}, "live=None must be an account"),
        (1, [], {}, r"simulated=\[\] must be an account"),
        (1, 1, {"within": "1d"}, "within='1d' must be a timedelta"),
        (1, 1, {"within": pd.Timedelta("-1D")}, "must be a timedelta of at least 0"),
    ],
)
def test_arguments_of_compare(live, simulated, options, words):
    with pytest.raises(InvalidInputError, match=words):
        compare(live, simulated, **options)


def test_no_indicator_takes_a_window_that_is_none():
    values = np.arange(1.0, 30.0)
    for name in indicators.__all__:
        function = getattr(indicators, name)
        given = [
            values for p in inspect.signature(function).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD
        ]  # fmt: skip
        options = [
            p.name for p in inspect.signature(function).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        ]  # fmt: skip
        for option in options:
            for wrong in ("x", -1, 1.5, np.nan, True, None):
                if option == "deviations" and wrong == 1.5:
                    continue
                others = {other: 5 for other in options if other != option}
                with pytest.raises(MismarteraError, match=option):
                    function(*given, **others, **{option: wrong})
