"""Cash and margin accounts, short sales and what holding costs, on bars worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import auth
from mismartera_analytics.backtesting.fees import Alpaca, Schwab
from mismartera_analytics.backtesting.financing import BorrowRate, InterestRates
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError, StrategyError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.ingest import ingest_bars
from mismartera_analytics.queries.profit import pnl

FLAT = (10.0, 11.0, 9.0, 10.0)
MARGIN = {"account_type": "margin", "cash": 1000.0}


class Steps(Strategy):
    """Do on each row what a dict says."""

    steps: object = None

    def on_bar(self, ctx):
        self.steps.get(ctx.row, lambda ctx: None)(ctx)


@pytest.fixture
def go(nyse):
    def run(bars, steps, **arguments):
        return backtest(Steps(steps=steps), bars=bars, calendar=nyse, **arguments)

    return run


def test_what_is_bought_on_margin_is_owed(go, days):
    result = go(days(FLAT, FLAT, (12, 12, 12, 12)), {0: lambda ctx: ctx.buy("AAA", 200)}, **MARGIN)
    assert result.equity[["cash", "equity"]].to_numpy().tolist() == [
        [1000, 1000], [-1000, 1000], [-1000, 1400]
    ]  # fmt: skip


def test_an_order_beyond_the_leverage_is_rejected_whole_or_shrunk_when_asked(go, days):
    steps = {0: lambda ctx: ctx.buy("AAA", 201)}
    result = go(days(FLAT, FLAT), steps, **MARGIN)
    assert result.orders["status"].tolist() == ["REJECTED"]
    assert "equity does not carry it" in result.reasons[1]
    shrunk = go(days(FLAT, FLAT), steps, partial_on_cash=True, **MARGIN)
    assert shrunk.fills["quantity"].tolist() == [200.0]
    more = go(days(FLAT, FLAT), steps, leverage=4, **MARGIN)
    assert more.fills["quantity"].tolist() == [201.0]


def test_one_order_takes_a_position_across_zero(go, days):
    steps = {0: lambda ctx: ctx.buy("AAA", 50), 1: lambda ctx: ctx.sell("AAA", 120)}
    result = go(days(FLAT, FLAT, (20, 20, 20, 20), (25, 25, 25, 25)), steps, **MARGIN)
    assert result.positions[["quantity", "average_price"]].to_numpy().tolist() == [[-70, 20]]
    assert result.equity["equity"].tolist() == [1000, 1000, 1500, 1500 - 70 * 5]
    assert result.trades["realized_pnl"].tolist() == [500.0]
    assert result.positions["unrealized_pnl"].tolist() == [-350.0]


def test_what_reduces_a_position_is_never_refused(go, days):
    """The short has eaten the account; covering half of it still works, doubling it does not."""
    bars = days(FLAT, FLAT, (30, 30, 30, 30), (30, 30, 30, 30))
    steps = {
        0: lambda ctx: ctx.sell("AAA", 100),
        1: lambda ctx: ctx.buy("AAA", 50),
        2: lambda ctx: ctx.sell("AAA", 1),
    }
    result = go(bars, steps, **MARGIN)
    assert result.orders["status"].tolist() == ["FILLED", "FILLED", "REJECTED"]
    assert result.equity["equity"].tolist() == [1000, 1000, -1000, -1000]
    assert result.ruined_at == result.equity["timestamp"].iloc[2]
    assert "nothing left on" in repr(result)
    assert go(bars, {}, **MARGIN).ruined_at is None


def test_a_run_whose_returns_no_metric_takes_still_ends(go, days):
    bars = days(FLAT, FLAT, (40, 40, 40, 40), (200, 200, 200, 200))
    result = go(bars, {0: lambda ctx: ctx.buy("AAA", 200)}, **MARGIN)
    assert result.returns.tolist() == [0.0, 0.0, 6.0, pytest.approx(32 / 7)]


def test_targets_below_zero_and_close(go, days):
    bars = days(FLAT, FLAT, (20, 20, 20, 20), (20, 20, 20, 20))
    steps = {0: lambda ctx: ctx.target_percent(-0.5), 1: lambda ctx: ctx.close()}
    result = go(bars, steps, **MARGIN)
    assert result.fills[["side", "quantity", "price"]].to_numpy().tolist() == [
        ["SELL", 50.0, 10.0], ["BUY", 50.0, 20.0]
    ]  # fmt: skip
    assert result.equity["equity"].tolist()[-1] == 500.0


def test_a_turned_rebalance_fits_the_leverage_whatever_its_sequence(nyse, days):
    bars = pd.concat(
        [days(*[FLAT] * 4, symbol=symbol) for symbol in ("AAA", "BBB")], ignore_index=True
    )
    index = pd.DatetimeIndex(bars["session"].iloc[[0, 1]])
    weights = pd.DataFrame({"AAA": [1.0, -2.0], "BBB": [1.0, 0.0]}, index=index)
    result = backtest(bars=bars, weights=weights, calendar=nyse, fractional=True, **MARGIN)
    held = result.positions.set_index("symbol")["quantity"]
    assert held.to_dict() == {"AAA": pytest.approx(-200.0)}


def test_a_short_position_pays_the_dividend_and_keeps_its_value_across_a_split(go, days):
    bars = days(FLAT, FLAT, FLAT, (5, 5, 5, 5))
    dates = bars["session"].iloc[[2, 3]].to_numpy()
    actions = pd.DataFrame(
        {"symbol": "AAA", "action_type": ["CASH_DIVIDEND", "SPLIT"], "ex_date": dates,
         "ratio": [math.nan, 2.0], "amount": [0.5, math.nan], "known_at": pd.NaT}
    )  # fmt: skip
    result = go(bars, {0: lambda ctx: ctx.sell("AAA", 40)}, actions=actions, **MARGIN)
    assert result.dividends == -20.0
    assert result.positions["quantity"].tolist() == [-80.0]
    assert result.equity["equity"].tolist() == [1000, 1000, 980, 980]


class SellAll(Strategy):
    """Buy five shares, and sell what a split has made of them."""

    def on_bar(self, ctx):
        if ctx.row == 0:
            ctx.buy(quantity=5)
        if ctx.row == 2:
            ctx.sell(quantity=ctx.position())


@pytest.mark.parametrize("compiled", [False, True])
def test_what_a_split_left_can_always_be_sold(nyse, days, compiled):
    bars = days(FLAT, FLAT, *[(20, 20, 20, 20)] * 2)
    split = pd.DataFrame({"symbol": ["AAA"], "action_type": "SPLIT", "ratio": 0.5,
                          "ex_date": pd.to_datetime(["2024-01-04"])})  # fmt: skip
    result = backtest(SellAll, bars=bars, actions=split, calendar=nyse, compile=compiled)
    assert result.fills["quantity"].tolist() == [5.0, 2.5]
    assert result.positions.empty


def test_borrow_and_interest_are_charged_for_the_nights_at_the_next_sessions_first_row(go, days):
    bars = days(*[FLAT] * 5)  # Tuesday to Friday, and the Monday after
    rates = {"borrow": BorrowRate(0.36), "interest": InterestRates(credit=0.036, debit=0.09)}
    short = go(bars, {0: lambda ctx: ctx.sell("AAA", 50)}, **MARGIN, **rates)
    # Short 500, so 1000 of 1500 in cash is one's own: a night costs 0.50 and earns 0.10.
    first = 1000 + 0.1
    assert short.equity["equity"].tolist()[1] == pytest.approx(first)
    expected = [first]
    for nights in (1, 1, 3):
        own = expected[-1] - 0.5 * nights
        expected.append(own + own * 0.036 * nights / 360)
    assert short.equity["equity"].tolist()[1:] == pytest.approx(expected)
    assert short.financing["flow_type"].value_counts().to_dict() == {"INTEREST": 4, "FEE": 3}
    long = go(bars, {0: lambda ctx: ctx.buy("AAA", 150)}, **MARGIN, **rates)
    assert long.financing["amount"].iloc[1] == pytest.approx(-(500 - 0.1) * 0.09 / 360)


def test_a_saved_margin_run_adds_up_in_the_records(ready_database, days):
    auth.create_user("ada", "ada@example.com", "secret")
    rows = [(10, 11, 9, 10), (10, 12, 9, 11), (11, 13, 10, 12), (12, 14, 11, 13), (9, 10, 8, 9)]
    ingest_bars(days(*rows).drop(columns="timestamp"), "1d")
    record_actions(pd.DataFrame({"symbol": ["AAA"], "action_type": "CASH_DIVIDEND",
                                 "ex_date": ["2024-01-04"], "amount": 0.25}))  # fmt: skip
    steps = {0: lambda ctx: ctx.sell("AAA", 50), 3: lambda ctx: ctx.buy("AAA", 120)}
    result = backtest(
        Steps(steps=steps), "AAA", commission=Alpaca(), borrow=BorrowRate(0.1),
        interest=InterestRates(0.02, 0.08), count=False, **MARGIN,
    )  # fmt: skip
    assert result.dividends == -12.5
    account = result.save("short", user="ada")
    with auth.as_user("ada"):
        recorded = pnl(account=account).set_index("session")
    both = recorded.join(result.equity.set_index("session")["equity"], how="inner")
    assert len(both) == len(result.equity)
    assert both["end_value"].to_numpy() == pytest.approx(both["equity"].to_numpy(), rel=1e-9)


def test_short_signals_and_turning_round(nyse, days):
    bars = days(*[FLAT] * 6)
    index = pd.DatetimeIndex(bars["session"])
    flags = dict.fromkeys(("entries", "exits", "short_entries", "short_exits"))
    flags["entries"] = pd.Series([True, True, False, True, True, False], index)
    flags["exits"] = pd.Series([False, False, True, False, False, False], index)
    flags["short_entries"] = pd.Series([True, False, True, False, False, False], index)
    flags["short_exits"] = pd.Series([False, False, False, False, True, False], index)
    result = backtest(bars=bars, calendar=nyse, **flags, **MARGIN)
    # Row 0: both entries, so none. Row 2: out and short. Row 3: still short. Row 4: out and long.
    fills = result.fills.sort_values("fill_id")
    assert fills[["side", "quantity"]].to_numpy().tolist() == [
        ["BUY", 100], ["SELL", 100], ["SELL", 100], ["BUY", 100], ["BUY", 100]
    ]  # fmt: skip
    assert result.positions["quantity"].tolist() == [100.0]


@pytest.mark.parametrize("policy", [Alpaca(), Schwab()])
def test_brokers_charge_sales_alone_with_a_cap_by_share(go, days, policy):
    steps = {0: lambda ctx: ctx.buy("AAA", 100_000), 1: lambda ctx: ctx.sell("AAA", 100_000)}
    result = go(days(*[FLAT] * 4), steps, commission=policy, cash=1e6)
    assert result.fills["commission"].tolist() == [0.0, pytest.approx(1e6 * 20.6e-6 + 9.79)]


def test_a_symbol_whose_bars_end_stays_at_its_last_close_and_its_orders_expire(nyse, days):
    bars = pd.concat(
        [days(FLAT, FLAT, (8, 8, 8, 8)), days(*[FLAT] * 6, symbol="BBB")], ignore_index=True
    )
    steps = {
        0: lambda ctx: ctx.buy("AAA", 10),
        3: lambda ctx: ctx.sell("AAA", 10, time_in_force="GTC"),
    }
    result = backtest(Steps(steps=steps), bars=bars, calendar=nyse)
    assert result.orders["status"].tolist() == ["FILLED", "EXPIRED"]
    assert result.reasons[2] == "the symbol has no more bars"
    assert result.stale == ("AAA",)
    assert result.positions["current_price"].tolist() == [8.0]
    assert result.positions["last_updated"].iloc[0] == nyse.session("2024-01-04").regular_close
    assert result.equity["equity"].tolist()[-1] == 100_000 - 20


def test_a_weekly_bar_that_holds_a_split_is_refused(nyse, sample, splits):
    def weekly(start):
        daily = sample[(sample["symbol"] == "AAPL") & (sample["session"] >= start)].iloc[:30]
        weeks = daily.groupby(daily["session"].dt.to_period("W"))
        return weeks.agg(
            {"symbol": "first", "timestamp": "first", "session": "first", "open": "first",
             "high": "max", "low": "min", "close": "last", "volume": "sum"}
        ).reset_index(drop=True)  # fmt: skip

    on_monday = {"bars": weekly("2005-02-14"), "actions": splits}  # the split of 2005-02-28
    backtest(Strategy(), interval="1w", calendar=nyse, **on_monday)
    midweek = {"bars": weekly("2000-06-05"), "actions": splits}  # the split of 2000-06-21
    with pytest.raises(InvalidBarsError, match="1w bar of 'AAPL' on 2000-06-19 holds the split"):
        backtest(Strategy(), interval="1w", calendar=nyse, **midweek)


def test_a_session_opens_with_its_own_first_bar_not_the_evening_before(nyse):
    opens = pd.to_datetime(["2024-12-02 15:00", "2024-12-02 16:00", "2024-12-02 17:00",
                            "2024-12-03 08:00", "2024-12-03 09:30"])  # fmt: skip
    bars = pd.DataFrame({"symbol": "AAA", "open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0,
                         "timestamp": opens.tz_localize("America/New_York").tz_convert("UTC"),
                         "volume": 1.0})  # fmt: skip
    heard = []

    class Listen(Strategy):
        def on_session_open(self, ctx):
            heard.append((str(ctx.session), ctx.now.hour, len(ctx.bars)))

    backtest(Listen(), bars=bars, interval="1h", calendar=nyse)
    assert heard == [("2024-12-02", 14, 0), ("2024-12-03", 13, 3)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"account_type": "margn"}, "did you mean 'margin'"),
        ({"leverage": 2}, "leverage=2 belongs to account_type='margin'"),
        ({"account_type": "margin", "leverage": 0.5}, "leverage=0.5 must be"),
        ({"account_type": "margin", "leverage": math.nan}, "leverage=nan must be"),
        ({"borrow": 0.03}, "borrow=0.03 is no policy"),
        ({"interest": 0.03}, "backtesting.financing"),
    ],
)
def test_bad_arguments(go, days, arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        go(days(FLAT), {}, **arguments)


def test_bad_rates_weights_and_signals(nyse, days):
    with pytest.raises(InvalidInputError, match=r"rate=-0.01 must be a finite annual rate"):
        BorrowRate(-0.01)
    with pytest.raises(InvalidInputError, match="debit=nan"):
        InterestRates(debit=math.nan)
    bars = days(FLAT, FLAT)
    index = pd.DatetimeIndex(bars["session"])

    def weighed(weight, **rules):
        return backtest(
            bars=bars, calendar=nyse, weights=pd.DataFrame({"AAA": weight}, index), **rules
        )

    with pytest.raises(InvalidInputError, match=r"their sizes add up to 2.5 .* leverage=2"):
        weighed(-2.5, **MARGIN)
    with pytest.raises(InvalidInputError, match="'AAA' is inf on"):
        weighed(np.inf, **MARGIN)
    weighed(-2.5, leverage=2.5, **MARGIN)
    short = {"short_entries": pd.Series([True, False], index)}
    with pytest.raises(InvalidInputError, match="short_entries belongs to account_type='margin'"):
        backtest(bars=bars, calendar=nyse, **short)
    with pytest.raises(InvalidInputError, match="short_exits belongs to short_entries"):
        backtest(bars=bars, calendar=nyse, entries=short["short_entries"], short_exits=short)
    with pytest.raises(InvalidInputError, match=r"size=3 must be 'all' or a fraction .* up to 2"):
        backtest(bars=bars, calendar=nyse, size=3, **short, **MARGIN)


def test_a_target_beyond_the_account_is_refused(go, days):
    words = {"cash": "between 0 and 1: a cash account", "margin": "between -2 and 2: leverage=2"}
    for kind, sentence in words.items():
        with pytest.raises(StrategyError, match=sentence):
            go(days(FLAT), {0: lambda ctx: ctx.target_percent(-2.5)}, account_type=kind)
