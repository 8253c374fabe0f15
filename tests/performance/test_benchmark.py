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
        assert mine(aapl, spy, periods_per_year=252) == pytest.approx(expected, rel=1e-9)


def test_the_summary_gives_empyricals_numbers_under_its_conventions(pair):
    empyrical = pytest.importorskip("empyrical")
    aapl, spy = pair
    table = performance_summary(aapl, benchmark=spy, risk_free=1e-4, conventions="empyrical")
    expected = {
        "alpha": empyrical.alpha(aapl, spy, risk_free=1e-4),
        "beta": empyrical.beta(aapl, spy, risk_free=1e-4),
        "information_ratio": empyrical.excess_sharpe(aapl, spy),
        "up_capture": empyrical.up_capture(aapl, spy),
        "down_capture": empyrical.down_capture(aapl, spy),
    }
    for name, value in expected.items():
        assert table.loc[name, "value"] == pytest.approx(value, rel=1e-9), name


def test_capture_by_a_loop(pair):
    """Geometric: compounded to a year; arithmetic: plain means of the same sessions."""
    aapl, spy = pair
    for capture, rose in ((against.up_capture, True), (against.down_capture, False)):
        ours = [a for a, s in zip(aapl, spy, strict=True) if (s > 0 if rose else s < 0)]
        theirs = [s for s in spy if (s > 0 if rose else s < 0)]
        means = (math.fsum(ours) / len(ours)) / (math.fsum(theirs) / len(theirs))
        assert capture(aapl, spy, average="arithmetic") == pytest.approx(means, rel=1e-9)
        rates = [
            math.exp(math.fsum(map(math.log1p, some)) * 250 / len(some)) - 1
            for some in (ours, theirs)
        ]
        found = capture(aapl, spy, periods_per_year=250)
        assert found == pytest.approx(rates[0] / rates[1], rel=1e-8)
    with pytest.raises(InvalidInputError, match="'geometric' or 'arithmetic'"):
        against.up_capture(aapl, spy, average="mean")


def test_tracking_error_and_information_ratio_by_a_loop(pair):
    aapl, spy = pair
    gaps = [a - s for a, s in zip(aapl, spy, strict=True)]
    mean = math.fsum(gaps) / len(gaps)
    deviation = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1))
    error = against.tracking_error(aapl, spy, periods_per_year=250)
    assert error == pytest.approx(deviation * math.sqrt(250), rel=1e-9)
    ratio = against.information_ratio(aapl, spy, periods_per_year=250)
    assert ratio == pytest.approx(mean / deviation * math.sqrt(250), rel=1e-9)


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
        ([0.01, 0.02], np.zeros((2, 3)), "benchmark holds 3 series"),
    ],
)
def test_refuses_what_cannot_be_compared(returns, other, words):
    with pytest.raises(InvalidInputError, match=words):
        against.beta(returns, other)
