"""Bootstrap intervals of metrics: what is in them, where there are none, how often they are right."""

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import bootstrap, metrics
from mismartera_analytics.performance.intervals import MEASURES, confidence_intervals
from tests.performance.test_tables import on_days


def test_they_are_the_percentiles_of_the_draws(real):
    returns = real.iloc[-750:]
    table = confidence_intervals(returns, confidence=0.9, draws=400, seed=3, periods_per_year=250)
    drawn = np.concatenate(list(bootstrap.stationary_bootstrap(returns, draws=400, seed=3)), axis=1)
    ratios = drawn.mean(axis=0) / drawn.std(axis=0, ddof=1) * np.sqrt(250)
    found = table.loc["sharpe_ratio", ["lower", "upper"]].tolist()
    assert found == pytest.approx(np.quantile(ratios, [0.05, 0.95]).tolist(), rel=1e-9)
    totals = np.prod(1 + drawn, axis=0) - 1
    found = table.loc["total_return", ["lower", "upper"]].tolist()
    assert found == pytest.approx(np.quantile(totals, [0.05, 0.95]).tolist(), rel=1e-9)
    assert table.columns.tolist() == frames.INTERVALS.names[1:]


def test_values_are_those_of_the_summary(real):
    table = confidence_intervals(real, MEASURES, risk_free=0.02, draws=5)
    summary = ma.performance_summary(real, risk_free=0.02)
    expected = summary.loc[list(MEASURES), "value"]
    np.testing.assert_allclose(table["value"], expected, rtol=1e-12)
    assert table["unit"].tolist() == summary.loc[list(MEASURES), "unit"].tolist()


def test_the_same_seed_gives_the_same_bounds(real):
    once, again, other = (
        confidence_intervals(real.iloc[:300], ["cagr"], draws=100, seed=seed) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(other)


def test_an_interval_of_nine_tenths_holds_the_truth_nine_times_in_ten():
    """Of 120 records of independent returns whose Sharpe ratio is known to be 1 a year."""
    random = np.random.default_rng(11)
    truth, hits = 1.0, 0
    for seed in range(120):
        returns = on_days(random.normal(truth * 0.01 / np.sqrt(252), 0.01, 400))
        table = confidence_intervals(
            returns, ["sharpe_ratio"], confidence=0.9, draws=150, block=1.0, seed=seed,
            periods_per_year=252,
        )  # fmt: skip
        hits += bool(table["lower"].iloc[0] <= truth <= table["upper"].iloc[0])
    assert 0.8 <= hits / 120 <= 0.96


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([], "fewer than 20 sessions"),
        ([0.01] * 19, "fewer than 20 sessions"),
        ([0.0] * 200, "in no draw is it defined"),
    ],
)
def test_without_bounds_the_note_says_why(values, note):
    table = confidence_intervals(on_days(values), ["sharpe_ratio"], periods_per_year=252, draws=10)
    assert table["lower"].isna().all()
    assert table.loc["sharpe_ratio", "note"].startswith(note)


def test_labels_that_leave_the_year_open_leave_annual_ones_out(real):
    table = confidence_intervals(real.iloc[:40], ["cagr", "total_return"], draws=50)
    assert table.loc["cagr", "note"].startswith("not annualised")
    assert np.isnan(table.loc["cagr", "lower"])
    assert table.loc["total_return", "lower"] < metrics.total_return(real.iloc[:40])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": ["sharp_ratio"]}, "did you mean 'sharpe_ratio'"),
        ({"confidence": 95}, "confidence=95"),
        ({"confidence": 0.0}, "confidence=0.0"),
        ({"draws": 0}, "draws=0"),
        ({"block": 0.2}, "block=0.2"),
        ({"risk_free": -2}, "risk_free=-2"),
    ],
)
def test_refusals(options, words, real):
    with pytest.raises(InvalidInputError, match=words):
        confidence_intervals(real, **options)
