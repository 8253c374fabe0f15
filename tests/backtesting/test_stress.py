"""Late orders, doubled costs, lost days and drawn records, each against another way to a number."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.backtesting.costs import (
    BasisPoints,
    HalfSpread,
    PerShare,
    Proportional,
    Times,
)
from mismartera_analytics.backtesting.financing import BorrowRate, InterestRates
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.stress import doubled_costs
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics


@pytest.fixture
def run(nyse, sample, splits):
    def start(strategy=None, **options):
        given = None if "weights" in options else strategy or MovingAverageCross
        options = {"symbols": ["AAPL", "IBM"], "start": "2004-01-02", "end": "2007-12-31"} | options
        return ma.backtest(
            given, bars=sample, actions=splits, calendar=nyse, count=False, **options
        )

    return start


# Orders that come late --------------------------------------------------------------------------------


def test_a_late_order_fills_one_bar_later(days, nyse):
    bars = days((10, 11, 9, 10), (20, 21, 19, 20), (30, 31, 29, 30), (40, 41, 39, 40))
    orders = pd.DataFrame(
        {
            "placed_at": bars["timestamp"].iloc[:1],
            "symbol": ["AAA"],
            "side": ["BUY"],
            "quantity": [10.0],
        }
    )
    for delay, price in ((0, 10.0), (1, 20.0), (3, 40.0)):
        result = ma.backtest(orders=orders, bars=bars, calendar=nyse, delay=delay)
        assert result.fills["price"].tolist() == [price]
    late = ma.backtest(orders=orders, bars=bars, calendar=nyse, delay=4)
    assert late.orders["status"].tolist() == ["PENDING"]


def test_late_weights_are_weights_of_the_bar_after(run, sample):
    index = pd.DatetimeIndex(sample.loc[sample["symbol"] == "IBM", "session"])
    index = index[(index >= "2004-01-02") & (index <= "2007-12-31")]
    random = np.random.default_rng(4)
    picked = np.sort(random.choice(len(index) - 2, 60, replace=False))
    values = random.dirichlet([1.0, 1.0, 1.0], 60)[:, :2]
    weights = pd.DataFrame(values, index[picked], ["AAPL", "IBM"])
    late = run(weights=weights, delay=1, fractional=True)
    moved = run(weights=weights.set_axis(index[picked + 1]), fractional=True)
    assert late.equity["equity"].to_numpy() == pytest.approx(moved.equity["equity"].to_numpy())
    assert late.fills["filled_at"].equals(moved.fills["filled_at"])


@pytest.mark.parametrize("delay", [-1, 1.0, 10_001, None])
def test_a_delay_that_is_none(run, delay):
    with pytest.raises(InvalidInputError, match="delay="):
        run(delay=delay)


# The table --------------------------------------------------------------------------------------------


def test_each_row_is_what_a_run_or_the_returns_give(run):
    costs = {"commission": PerShare(0.01, minimum=1.0), "slippage": BasisPoints(5)}
    result = run(**costs)
    table = result.stress(draws=200)
    assert list(table.columns) == frames.STRESS.names
    values = table.set_index("case")
    late = run(delay=1, **costs)
    dear = run(commission=PerShare(0.02, minimum=2.0), slippage=BasisPoints(10))
    for case, other in (
        ("as it was", result), ("orders one bar late", late), ("costs doubled", dear)
    ):  # fmt: skip
        row = values.loc[case]
        assert row["total_return"] == pytest.approx(other.metrics.loc["total_return", "value"])
        assert row["sharpe_ratio"] == pytest.approx(other.metrics.loc["sharpe_ratio", "value"])
        assert row["max_drawdown"] == pytest.approx(other.metrics.loc["max_drawdown", "value"])
        assert row["cagr"] == pytest.approx(other.metrics.loc["cagr", "value"])
        assert row["fills"] == len(other.fills)
    for count, case in ((1, "session"), (5, "5 sessions"), (10, "10 sessions")):
        kept = np.sort(result.returns.to_numpy())[:-count]
        row = values.loc[f"without its best {case}"]
        assert row["total_return"] == pytest.approx(np.prod(1 + kept) - 1)
    low, middle, high = (values.loc[f"bootstrap {q}"] for q in ("2.5%", "50.0%", "97.5%"))
    for name in ("total_return", "cagr", "sharpe_ratio", "max_drawdown"):
        assert low[name] < middle[name] < high[name]
        assert low[name] <= values.loc["as it was", name] <= high[name]


def test_the_same_seed_gives_the_same_table(run):
    result = run()
    pd.testing.assert_frame_equal(result.stress(draws=50), result.stress(draws=50))
    other = result.stress(draws=50, seed=1)
    assert not other.equals(result.stress(draws=50))


def test_without_costs_there_is_nothing_to_double(run):
    row = run().stress(draws=0).set_index("case").loc["costs doubled"]
    assert row["note"] == "no costs were set"


def test_a_run_that_never_traded_has_a_table(run):
    table = run(symbols="AAPL", end="2004-03-01").stress(draws=20)
    assert (table["total_return"] == 0.0).all()
    assert table["sharpe_ratio"].isna().all()


class Remembers(ma.Strategy):
    """Keeps a list from run to run."""

    seen = None

    def on_bar(self, ctx):
        self.seen.append(ctx.row)
        if len(self.seen) == 900:
            ctx.buy("AAPL", quantity=10)


def test_a_strategy_that_remembers_is_told_apart(run):
    with pytest.raises(InvalidInputError, match="keeps something from one run to the next"):
        run(Remembers(seen=[])).stress()


def test_no_trial_is_counted(ready_database, run):
    run().stress(draws=0)
    assert ma.trials().empty


# Costs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [PerShare(0.01, 1.0, 5.0), PerShare(0.01), Proportional(0.002)])
@pytest.mark.parametrize("quantity", [1.0, 333.0, 1e6])
def test_a_multiple_of_a_commission_is_a_multiple_of_every_fee(policy, quantity):
    found = Times(3.0, policy).terms().fee(quantity, 7.0)
    assert found == pytest.approx(3.0 * policy.terms().fee(quantity, 7.0))


def test_every_cost_is_doubled_and_no_income():
    dear, is_free = doubled_costs(
        Settings(
            commission=PerShare(0.01),
            slippage=HalfSpread(0.02),
            account_type="margin",
            borrow=BorrowRate(0.03),
            interest=InterestRates(credit=0.01, debit=0.08),
        )
    )
    assert not is_free
    assert dear.commission.terms().per_share == 0.02
    assert dear.slippage.terms().amount == 0.02
    assert dear.borrow.terms().rate == 0.06
    assert dear.interest.terms() == InterestRates(0.01, 0.16).terms()
    assert doubled_costs(Settings())[1]
    assert dataclasses.replace(dear, delay=1).delay == 1


@pytest.mark.parametrize("call", [lambda: Times(-1.0, PerShare(0.01)), lambda: Times(2.0, 0.01)])
def test_what_cannot_be_multiplied(call):
    with pytest.raises(InvalidInputError, match=r"factor=-1\.0|is no policy"):
        call()


def test_of_no_returns_nothing_is_drawn(run):
    assert metrics.total_return([]) == 0.0
    assert run(end="2004-01-02").stress(draws=5)["case"].tolist()[0] == "as it was"
