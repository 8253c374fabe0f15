"""Metrics against a benchmark: AAPL on SPY, against empyrical and least squares."""

import math

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import performance_summary
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import benchmark as against
from tests.performance.conftest import read_returns


@pytest.fixture
def pair(shared_data):
    return read_returns(shared_data, "AAPL"), read_returns(shared_data, "SPY")


def test_line_of_least_squares(pair):
    aapl, spy = (series.to_numpy() for series in pair[0].align(pair[1], join="inner"))
    slope, intercept = np.polyfit(spy, aapl, 1)
    assert against.beta(*pair) == pytest.approx(slope, rel=1e-9)
    assert against.alpha(*pair, periods_per_year=252) == pytest.approx(intercept * 252, rel=1e-9)
    assert against.correlation(*pair) == pytest.approx(np.corrcoef(aapl, spy)[0, 1], rel=1e-9)


def test_agrees_with_empyrical(pair):
    """Its alpha is compounded over the year, ours is summed: the same intercept of a session."""
    empyrical = pytest.importorskip("empyrical")
    aapl, spy = pair[0].align(pair[1], join="inner")
    assert against.beta(aapl, spy) == pytest.approx(empyrical.beta(aapl, spy), rel=1e-9)
    compounded = empyrical.alpha(aapl, spy)
    ours = against.alpha(aapl, spy, periods_per_year=252) / 252
    assert (1 + ours) ** 252 - 1 == pytest.approx(compounded, rel=1e-9)
    ours = against.information_ratio(aapl, spy, periods_per_year=252)
    assert ours == pytest.approx(empyrical.excess_sharpe(aapl, spy) * math.sqrt(252), rel=1e-9)
    for mine, theirs in (
        (against.up_capture, "up_capture"),
        (against.down_capture, "down_capture"),
    ):
        expected = getattr(empyrical, theirs)(aapl, spy)
        assert mine(aapl, spy, periods_per_year=252) == pytest.approx(expected, rel=1e-7)


def test_only_common_sessions_count(pair):
    aapl, spy = pair
    assert against.beta(aapl, spy.iloc[100:]) == against.beta(aapl.loc[spy.index[100] :], spy)
    table = performance_summary(aapl, benchmark=spy.iloc[100:])
    assert table.loc["beta", "note"].startswith("5,7")
    assert performance_summary(spy, benchmark=spy).loc["beta", "value"] == pytest.approx(1.0)


def test_a_record_is_its_own_benchmark(pair):
    _, spy = pair
    assert against.alpha(spy, spy, risk_free=0.03) == pytest.approx(0.0, abs=1e-12)
    assert against.tracking_error(spy, spy) == 0.0
    assert math.isnan(against.information_ratio(spy, spy))


@pytest.mark.parametrize("other", [[0.01, 0.01, 0.01], [math.nan, 0.01, math.nan]])
def test_a_benchmark_that_does_not_vary_gives_nothing(other):
    ours = [0.01, -0.02, 0.03]
    assert math.isnan(against.beta(ours, other))
    assert math.isnan(against.alpha(ours, other, periods_per_year=252))
    assert math.isnan(against.correlation(ours, other))


def test_the_summary_says_why_a_figure_is_missing():
    days = pd.bdate_range("2024-01-01", periods=150)
    ours = pd.Series(np.sin(np.arange(150)) / 100, index=days)
    table = performance_summary(ours, benchmark=ours * 0)
    relative = table.loc["alpha":"down_capture"]
    assert (relative.loc[relative["value"].isna(), "note"] != "").all()
    short = performance_summary(ours.iloc[:5], benchmark=ours.iloc[:5])
    assert short.loc["alpha", "note"].startswith("not annualised")
    assert short.loc["beta", "value"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("returns", "other", "words"),
    [
        ([0.01, 0.02], [0.01], "2 observations and benchmark 1"),
        ([0.01], pd.Series([0.01], index=pd.DatetimeIndex(["2024-01-02"])), "both be labelled"),
        (
            pd.Series([0.01], index=pd.DatetimeIndex(["2024-01-03"])),
            pd.Series([0.01], index=pd.DatetimeIndex(["2024-01-02"])),
            "no session in common",
        ),
    ],
)
def test_refuses_what_cannot_be_compared(returns, other, words):
    with pytest.raises(InvalidInputError, match=words):
        against.beta(returns, other)
