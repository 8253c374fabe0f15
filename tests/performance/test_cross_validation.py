"""The probability of backtest overfitting against a plain loop, and on records made to have one."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance.cross_validation import probability_of_backtest_overfitting


def noise(length, trials, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.01, (length, trials))


def plain(matrix, blocks):
    """Return logits and both Sharpe ratios of the picked trial, split by split."""
    pieces = np.array_split(matrix, blocks)
    logits, inside, outside = [], [], []
    for half in combinations(range(blocks), blocks // 2):
        chosen = np.concatenate([pieces[k] for k in half])
        rest = np.concatenate([pieces[k] for k in range(blocks) if k not in half])
        ratios = []
        for part in (chosen, rest):
            spread = part.std(axis=0, ddof=1)
            ratios.append(
                np.where(spread == 0, 0.0, part.mean(axis=0) / np.where(spread, spread, 1))
            )
        best = int(np.argmax(ratios[0]))
        rank = stats.rankdata(ratios[1])[best] / (matrix.shape[1] + 1)
        logits.append(np.log(rank / (1 - rank)))
        inside.append(ratios[0][best])
        outside.append(ratios[1][best])
    return np.array(logits), np.array(inside), np.array(outside)


@pytest.mark.parametrize(
    ("length", "trials", "blocks"), [(160, 7, 8), (101, 30, 6), (4, 3, 2), (333, 2, 10)]
)
def test_equals_a_plain_loop(length, trials, blocks):
    matrix = noise(length, trials, seed=length)
    matrix[:, 0] = 0.0  # a trial that never held anything
    matrix[: length // 2, 1] = 0.0
    if length == 4:
        matrix = noise(length, trials, seed=length)
    found = probability_of_backtest_overfitting(matrix, blocks=blocks)
    logits, inside, outside = plain(matrix, blocks)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.inside, inside, rtol=1e-9)
    np.testing.assert_allclose(found.outside, outside, rtol=1e-7, atol=1e-12)
    assert found.probability == np.mean(logits <= 0)
    assert found.probability_of_loss == np.mean(outside < 0)
    assert found.slope == pytest.approx(stats.linregress(inside, outside).slope, rel=1e-6)


def test_sixteen_blocks_give_every_split():
    found = probability_of_backtest_overfitting(noise(64, 3))
    assert (len(found.logits), found.blocks, found.trials, found.observations) == (
        12_870,
        16,
        3,
        64,
    )


def test_picking_from_noise_is_a_coin_toss():
    found = [
        probability_of_backtest_overfitting(noise(1250, 400, seed), blocks=10).probability
        for seed in range(8)
    ]
    assert 0.4 < np.mean(found) < 0.65


def test_noise_without_any_profit_over_the_record_is_always_overfitted():
    """What was won in one half was lost in the other: the paper's first test case."""
    matrix = noise(1000, 100)
    matrix -= matrix.mean(axis=0)
    found = probability_of_backtest_overfitting(matrix, blocks=8)
    assert found.probability > 0.99
    assert found.slope == pytest.approx(-1.0, abs=0.1)
    assert found.probability_of_loss > 0.99


def test_one_skilled_trial_is_not_overfitted():
    matrix = noise(1000, 100)
    matrix[:, 42] += 0.003
    found = probability_of_backtest_overfitting(matrix)
    assert found.probability < 0.01
    assert found.probability_of_loss < 0.01


def test_order_and_names_of_the_trials_do_not_matter():
    matrix = noise(200, 9)
    frame = pd.DataFrame(matrix, columns=[f"fast={k}" for k in range(9)])
    found = probability_of_backtest_overfitting(frame, blocks=6)
    turned = probability_of_backtest_overfitting(matrix[:, ::-1], blocks=6)
    np.testing.assert_allclose(found.logits, turned.logits)


def test_says_what_it_found():
    text = str(probability_of_backtest_overfitting(noise(100, 5), blocks=4))
    assert text.startswith("the best of 5 trials on one half of the record")
    assert text.endswith("of 6 splits")


def missing():
    matrix = noise(100, 4)
    matrix[3:6, 2] = np.nan
    return matrix


def constant():
    matrix = noise(100, 4)
    matrix[:, 1] = 0.001
    return matrix


@pytest.mark.parametrize(
    ("matrix", "blocks", "words"),
    [
        (noise(100, 1), 16, "matrix has 1 trial: nothing was picked"),
        (noise(100, 4)[:, 0], 16, "matrix has 1 trial"),
        (np.zeros((0, 3)), 16, "needs 32 observations"),
        (noise(31, 3), 16, "needs 32 observations or more; matrix has 31"),
        (noise(100, 3), 7, "blocks=7 must be an even number"),
        (noise(100, 3), 0, "blocks=0"),
        (noise(100, 3), 22, "from 2 to 20"),
        (noise(100, 3), 8.0, "blocks=8.0"),
        (missing(), 4, "misses a return on 3 of 100"),
        (constant(), 4, "trial 1 has the same return"),
        (1 + noise(100, 3) ** 2, 4, "look like prices"),
    ],
)
def test_refusals(matrix, blocks, words):
    with pytest.raises(InvalidInputError, match=words):
        probability_of_backtest_overfitting(matrix, blocks=blocks)
