"""The stationary bootstrap against a plain loop's distribution, and what its draws must be."""

import numpy as np
import pytest
from scipy import stats

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.bootstrap import bootstrap_intervals, stationary_bootstrap


def drawn(values, **options):
    return np.concatenate(list(stationary_bootstrap(values, **options)), axis=1)


def plain(values, block, random):
    """Draw one record, step by step."""
    at, found = random.integers(len(values)), []
    for _ in values:
        found.append(values[at])
        at = random.integers(len(values)) if random.random() < 1 / block else (at + 1) % len(values)
    return np.array(found)


COUNTING = np.arange(50) / 1000


def test_draws_go_on_in_blocks_and_wrap_around():
    matrix = drawn(COUNTING, draws=4000, block=5.0)
    assert matrix.shape == (50, 4000)
    steps = np.round(np.diff(matrix, axis=0) * 1000).astype(int)
    goes_on = (steps == 1) | (steps == -49)
    # A new beginning hits the next observation by chance, once in 50.
    assert goes_on.mean() == pytest.approx(0.8 + 0.2 / 50, abs=0.005)
    assert np.bincount(np.round(matrix.ravel() * 1000).astype(int)).std() < 0.03 * 4000


def test_blocks_of_one_are_independent_draws():
    steps = np.diff(drawn(COUNTING, draws=4000, block=1.0), axis=0)
    assert (np.round(steps * 1000) == 1).mean() == pytest.approx(1 / 50 * 49 / 50, abs=0.003)


def test_spread_is_that_of_a_plain_loop():
    values = np.convolve(np.random.default_rng(1).normal(0, 0.01, 130), np.ones(10) / 3, "valid")
    means = drawn(values, draws=3000, block=8.0).mean(axis=0)
    random = np.random.default_rng(2)
    expected = [plain(values, 8.0, random).mean() for _ in range(1500)]
    assert stats.ks_2samp(means, expected).pvalue > 0.01
    independent = drawn(values, draws=3000, block=1.0).mean(axis=0)
    assert means.std() > 1.5 * independent.std()


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(5).normal(0.0, 0.01, 2000)
    table = bootstrap_intervals(values, {"mean": lambda matrix: matrix.mean(axis=0)}, block=1.0)
    error = values.std() / np.sqrt(2000)
    expected = values.mean() + error * stats.norm.ppf([0.025, 0.5, 0.975])
    assert table["mean"].to_numpy() == pytest.approx(expected, abs=0.12 * error)


def test_many_observations_come_in_parts_and_gaps_are_left_out():
    values = np.random.default_rng(6).normal(0.0, 0.01, 4001)
    values[7] = np.nan
    parts = list(stationary_bootstrap(values, draws=300))
    assert [part.shape[0] for part in parts] == [4000] * len(parts)
    assert sum(part.shape[1] for part in parts) == 300
    assert len(parts) > 1
    assert np.isin(parts[1], values).all()


def test_a_measure_without_a_value_is_missing():
    table = bootstrap_intervals(
        np.zeros(30), {"sharpe": lambda m: metrics.sharpe_ratio(m, periods_per_year=252)}
    )
    assert table["sharpe"].isna().all()


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([], {}, "one series with a return"),
        ([np.nan], {}, "one series with a return"),
        (np.zeros((5, 2)), {}, r"shape \(5, 2\)"),
        ([0.01], {"draws": 0}, "draws=0"),
        ([0.01], {"draws": 10.0}, "draws=10.0"),
        ([0.01], {"block": 0.5}, "block=0.5"),
        ([0.01], {"block": np.nan}, "block=nan"),
    ],
)
def test_refusals(values, options, words):
    with pytest.raises(InvalidInputError, match=words):
        stationary_bootstrap(values, **options)


def test_levels_are_probabilities():
    with pytest.raises(InvalidInputError, match="levels="):
        bootstrap_intervals([0.01, 0.02], {}, levels=(0.0, 1.0))
