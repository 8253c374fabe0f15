"""Tables over time against plain loops over the same days."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics, tables


def on_days(values) -> pd.Series:
    return pd.Series(values, index=pd.bdate_range("2019-12-23", periods=len(values)), dtype=float)


def test_months_and_years_chain_to_the_total(real):
    total = metrics.total_return(real)
    months = tables.monthly_returns(real)
    assert np.nanprod(1 + months.to_numpy()) - 1 == pytest.approx(total, rel=1e-9)
    assert (1 + tables.yearly_returns(real)).prod() - 1 == pytest.approx(total, rel=1e-9)
    chosen = real[(real.index.year == 2008) & (real.index.month == 10)]
    assert months.loc[2008, 10] == pytest.approx(math.prod(1 + chosen) - 1, rel=1e-9)


@given(
    hnp.arrays(
        np.float64, st.integers(0, 90), elements=st.one_of(st.floats(-1.5, 1), st.just(math.nan))
    )
)
def test_years_chain_even_after_a_total_loss(values):
    known = np.abs(values[~np.isnan(values)])
    if len(known) and np.median(known) > 1:
        return
    returns = on_days(values)
    chained = float((1 + tables.yearly_returns(returns)).prod()) - 1
    assert chained == pytest.approx(metrics.total_return(returns), rel=1e-9, abs=1e-9)


def test_drawdowns_of_spy_are_those_that_everybody_knows(shared_data):
    from tests.performance.conftest import read_returns

    table = tables.drawdown_table(read_returns(shared_data, "SPY"), top=3)
    dates = table[["peak", "trough", "recovery"]].astype("str").to_numpy().tolist()
    assert dates == [
        ["2007-10-09", "2009-03-09", "2013-03-14"],
        ["2000-03-24", "2002-10-09", "2007-05-30"],
        ["2020-02-19", "2020-03-23", "2020-08-18"],
    ]


def test_lengths_add_up(real):
    table = tables.drawdown_table(real)
    over = table[table["recovery"].notna()]
    assert (over["to_trough"] + over["to_recovery"] == over["length"] + 1).all()
    under = tables.underwater(real)
    assert table["length"].sum() == (under < 0).sum()
    assert table["depth"].is_monotonic_increasing
    assert table["depth"].iloc[0] == metrics.max_drawdown(real)
    row = table.iloc[0]
    between = real.index.get_indexer([row["peak"], row["recovery"]])
    assert between[1] - between[0] - 1 == row["length"]


def test_a_fall_on_the_first_session_starts_before_the_record():
    row = tables.drawdown_table(on_days([-0.1, 0.05, 0.0])).iloc[0]
    assert pd.isna(row["peak"])
    assert pd.isna(row["recovery"])
    assert pd.isna(row["to_recovery"])
    assert row["depth"] == pytest.approx(-0.1)
    assert row["length"] == 3


@pytest.mark.parametrize("up", [1.01, 1.1, 1.37, 3.0])
def test_a_high_that_is_met_again_is_regained_whatever_the_products_round_to(up):
    prices = [100.0]
    for _ in range(300):
        prices += [prices[0] * up, prices[0], prices[0] * up, prices[0] / up]
    returns = on_days(np.diff(prices) / prices[:-1])
    table = tables.drawdown_table(returns)
    below = np.array(prices[1:]) < np.maximum.accumulate(prices)[1:]
    assert (tables.underwater(returns) < 0).tolist() == below.tolist()
    starts = np.flatnonzero(np.diff(np.concatenate(([False], below)).astype(int)) == 1)
    assert len(table) == len(starts)
    assert table["depth"].max() < -1e-3


@pytest.mark.parametrize("values", [[], [math.nan], [0.0, 0.0], [0.01]])
def test_without_a_fall_the_table_is_empty_but_complete(values):
    table = tables.drawdown_table(on_days(values))
    assert table.empty
    assert list(table.columns) == frames.DRAWDOWNS.names
    assert str(table["peak"].dtype) == "datetime64[us]"
    assert tables.monthly_returns(on_days(values)).columns.tolist() == list(range(1, 13))


def test_refuses_top_below_one():
    with pytest.raises(InvalidInputError, match="top=0"):
        tables.drawdown_table(on_days([0.1]), top=0)
