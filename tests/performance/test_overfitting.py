"""Probabilistic and deflated Sharpe ratios against the papers' own numbers and SciPy's moments."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.overfitting import (
    SharpeEstimate,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_estimate,
)

DAYS = 250  # a year's sessions in the papers


def returns(count=1000, *, seed=3, mean=0.0005):
    return np.random.default_rng(seed).standard_t(5, count) * 0.01 + mean


def mirrored(values, *, sharpe):
    """Return values shifted and scaled so that their Sharpe ratio per observation is `sharpe`."""
    standard = (values - values.mean()) / values.std(ddof=1)
    return 0.01 * (standard + sharpe)


# The Sharpe Ratio Efficient Frontier (2012) --------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "kurtosis", "probability"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_two_years_of_a_hedge_fund_index(skew, kurtosis, probability):
    estimate = SharpeEstimate(0.458, 24, skew, kurtosis)
    assert estimate.probability_above(0.0) == pytest.approx(probability, abs=5e-4)


@pytest.mark.parametrize(
    ("a_year", "skew", "kurtosis", "years"),
    [
        (252, 0.0, 3.0, 2.73),
        (52, 0.0, 3.0, 2.83),
        (12, 0.0, 3.0, 3.24),
        (12, -0.72, 5.78, 4.99),
    ],
)
def test_years_that_show_a_ratio_of_two_to_be_above_one(a_year, skew, kurtosis, years):
    estimate = SharpeEstimate(2 / math.sqrt(a_year), 10, skew, kurtosis)
    length = estimate.needed(1 / math.sqrt(a_year), 0.95) / a_year
    assert length == pytest.approx(years, abs=5e-3)


# The Deflated Sharpe Ratio (2014) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_papers_example(trials, skew, kurtosis, probability):
    luck = expected_maximum_sharpe(trials, 0.5 / DAYS)
    estimate = SharpeEstimate(2.5 / math.sqrt(DAYS), 1250, skew, kurtosis)
    assert estimate.probability_above(luck) == pytest.approx(probability, abs=5e-5)


def test_the_papers_threshold_per_observation_and_per_year():
    assert expected_maximum_sharpe(100, 0.5 / DAYS) == pytest.approx(0.1132, abs=5e-5)
    assert expected_maximum_sharpe(100, 0.5) == pytest.approx(0.1132 * math.sqrt(DAYS), abs=1e-3)


@pytest.mark.parametrize("trials", [5, 50, 400])
def test_the_expected_maximum_is_that_of_many_draws(trials):
    drawn = np.random.default_rng(trials).normal(0.0, 0.3, (20_000, trials)).max(axis=1).mean()
    assert expected_maximum_sharpe(trials, 0.09) == pytest.approx(drawn, rel=0.03)


# From returns ---------------------------------------------------------------------------------------


def test_moments_are_those_of_scipy():
    values = returns()
    found = sharpe_estimate(values)
    assert found.sharpe == pytest.approx(stats.tmean(values) / stats.tstd(values))
    assert found.skew == pytest.approx(stats.skew(values))
    assert found.kurtosis == pytest.approx(stats.kurtosis(values, fisher=False))


@pytest.mark.parametrize("benchmark", [0.0, 0.02])
def test_formula_with_scipy(benchmark):
    values = returns()
    s, n = values.mean() / values.std(ddof=1), len(values)
    error = np.sqrt(
        (1 - stats.skew(values) * s + (stats.kurtosis(values) + 2) / 4 * s**2) / (n - 1)
    )
    expected = stats.norm.cdf((s - benchmark) / error)
    found = probabilistic_sharpe_ratio(values, benchmark=benchmark, per="observation")
    assert found == pytest.approx(expected, rel=1e-12)
    length = minimum_track_record_length(values, benchmark=benchmark, per="observation")
    z = stats.norm.ppf(0.95)
    assert length == pytest.approx(1 + (n - 1) * (error * z / (s - benchmark)) ** 2, rel=1e-9)


def test_a_record_of_the_minimum_length_is_just_long_enough():
    estimate = sharpe_estimate(returns())
    needed = estimate.needed(0.0, 0.95)
    assert 1000 < needed < 10_000
    same = SharpeEstimate(estimate.sharpe, round(needed), estimate.skew, estimate.kurtosis)
    assert same.probability_above(0.0) == pytest.approx(0.95, abs=1e-4)


def test_a_benchmark_per_year_is_the_same_as_one_per_observation():
    days = pd.bdate_range("2020-01-01", periods=1000)
    series = pd.Series(returns(), index=days)
    periods = metrics.sharpe_ratio(series) / sharpe_estimate(series).sharpe
    for function in (probabilistic_sharpe_ratio, minimum_track_record_length):
        yearly = function(series, benchmark=0.3, per="year")
        daily = function(series, benchmark=0.3 / periods, per="observation")
        assert yearly == pytest.approx(daily, rel=1e-12)
    yearly = deflated_sharpe_ratio(series, trials=40, variance=0.5, per="year")
    daily = deflated_sharpe_ratio(series, trials=40, variance=0.5 / periods**2, per="observation")
    assert yearly == pytest.approx(daily, rel=1e-12)


def test_luck_is_not_taken_for_skill():
    """One in 400 series of noise has a fine Sharpe ratio; deflated it convinces nobody."""
    noise = np.random.default_rng(11).normal(0.0, 0.01, (1250, 400))
    sharpes = noise.mean(axis=0) / noise.std(axis=0, ddof=1)
    best = noise[:, sharpes.argmax()]
    assert probabilistic_sharpe_ratio(best) > 0.98
    deflated = deflated_sharpe_ratio(
        best, trials=400, variance=sharpes.var(ddof=1), per="observation"
    )
    assert 0.2 < deflated < 0.8


def test_skill_survives_deflation():
    skilled = mirrored(returns(1250), sharpe=0.25)
    found = deflated_sharpe_ratio(skilled, trials=400, variance=1 / 1250, per="observation")
    assert found > 0.99


# Shapes and edges ------------------------------------------------------------------------------------

FUNCTIONS = [
    probabilistic_sharpe_ratio,
    minimum_track_record_length,
    lambda values: deflated_sharpe_ratio(values, trials=9, variance=1e-4, per="observation"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_columns_are_judged_one_by_one_and_gaps_left_out(function):
    frame = pd.DataFrame({"a": returns(), "b": returns(seed=4), "flat": 0.0})
    frame.loc[5:40, "b"] = np.nan
    found = function(frame)
    assert list(found.index) == ["a", "b", "flat"]
    assert found["a"] == function(frame["a"].to_numpy())
    assert found["b"] == function(frame["b"].dropna().to_numpy())
    assert math.isnan(found["flat"])
    assert function(frame.to_numpy()).shape == (3,)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("values", [[], [0.01], [np.nan, np.nan], [0.01] * 30])
def test_what_has_no_variance_has_no_answer(function, values):
    assert math.isnan(function(np.array(values)))


def test_one_trial_is_not_deflated():
    values = returns()
    assert expected_maximum_sharpe(1, math.nan) == 0.0
    alone = deflated_sharpe_ratio(values, trials=1, variance=math.nan, per="year")
    assert alone == probabilistic_sharpe_ratio(values)


def test_a_loser_has_no_minimum_length():
    assert math.isnan(minimum_track_record_length(-np.abs(returns())))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: probabilistic_sharpe_ratio(r, benchmark=1.0), "per=None must say"),
        (lambda r: probabilistic_sharpe_ratio(r, benchmark=1.0, per="day"), "per='day'"),
        (lambda r: probabilistic_sharpe_ratio(r, benchmark=math.nan), "benchmark=nan"),
        (lambda r: probabilistic_sharpe_ratio(r, benchmark=1.0, per="year"), "periods_per_year"),
        (lambda r: minimum_track_record_length(r, confidence=95), "confidence=95"),
        (
            lambda r: deflated_sharpe_ratio(r, trials=0, variance=0.1, per="observation"),
            "trials=0",
        ),
        (
            lambda r: deflated_sharpe_ratio(r, trials=9, variance=math.nan, per="observation"),
            "two trials or more",
        ),
        (
            lambda r: deflated_sharpe_ratio(r, trials=9, variance=-1.0, per="observation"),
            "variance=-1.0",
        ),
        (lambda _: probabilistic_sharpe_ratio(np.array([100.0, 101.0])), "look like prices"),
        (lambda _: sharpe_estimate(np.zeros((3, 2))), "2 columns"),
        (lambda r: probabilistic_sharpe_ratio(r, benchmark="x"), "benchmark='x' must be a finite"),
        (lambda r: minimum_track_record_length(r, confidence=None), "confidence=None must lie"),
        (
            lambda r: deflated_sharpe_ratio(r, trials="9", variance=0.1, per="observation"),
            "trials='9' must be a number",
        ),
        (
            lambda r: deflated_sharpe_ratio(r, trials=9, variance=[], per="observation"),
            r"variance=\[\] must be that",
        ),
    ],
)
def test_refusals_name_the_argument(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call(returns())


def test_an_excess_kurtosis_is_found_out():
    with pytest.raises(InvalidInputError, match="not the excess"):
        SharpeEstimate(0.1, 100, skew=0.0, kurtosis=0.0)


def test_the_best_of_very_many_tries_has_all_its_digits():
    for trials in (2, 400, 10**9, 10**18):
        euler = 0.5772156649015329
        wanted = (1 - euler) * stats.norm.isf(1 / trials) + euler * stats.norm.isf(
            1 / (trials * math.e)
        )
        assert expected_maximum_sharpe(trials, 1.0) == pytest.approx(wanted, rel=1e-12)
