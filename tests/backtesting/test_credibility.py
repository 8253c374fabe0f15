"""What the number of tries leaves of a Sharpe ratio: counted in the trials table, worked out again."""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mismartera_analytics as ma
from mismartera_analytics.backtesting.counting import trial_record
from mismartera_analytics.backtesting.credibility import tries_of
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.trial_log import TrialRecord, log_trials
from mismartera_analytics.errors import InvalidInputError, UnknownNameError


@pytest.fixture
def run(nyse, sample):
    def start(fast=50, **options):
        options = {"symbols": "AAPL", "bars": sample, "calendar": nyse} | options
        given = None if "weights" in options else MovingAverageCross(fast=fast)
        return ma.backtest(given, **options)

    return start


def session_sharpe(result):
    return result.returns.mean() / result.returns.std()


def test_every_trial_of_the_family_deflates(ready_database, run):
    results = [run(fast) for fast in (20, 50, 100, 150)]
    run(50)  # the same again is no other try
    best = max(results, key=session_sharpe)
    table = best.credibility()
    assert table.loc["trials", "value"] == 4
    assert table.loc["trials", "note"] == "4 trials of family MovingAverageCross"
    assert (
        "of 4 trials of family MovingAverageCross"
        in table.loc["deflated_sharpe_ratio", "convention"]
    )
    sharpes = [session_sharpe(result) for result in results]
    euler = 0.5772156649
    luck = np.std(sharpes, ddof=1) * (
        (1 - euler) * stats.norm.ppf(1 - 1 / 4) + euler * stats.norm.ppf(1 - 1 / (4 * math.e))
    )
    returns, n = best.returns, len(best.returns)
    s = session_sharpe(best)
    error = np.sqrt(
        (1 - stats.skew(returns) * s + (stats.kurtosis(returns) + 2) / 4 * s**2) / (n - 1)
    )
    year = np.sqrt(best.metrics.attrs["periods_per_year"])
    assert table.loc["expected_maximum_sharpe", "value"] == pytest.approx(luck * year, rel=1e-8)
    assert table.loc["sharpe_ratio", "value"] == pytest.approx(
        best.metrics.loc["sharpe_ratio", "value"]
    )
    assert table.loc["probabilistic_sharpe_ratio", "value"] == pytest.approx(
        stats.norm.cdf(s / error)
    )
    assert table.loc["deflated_sharpe_ratio", "value"] == pytest.approx(
        stats.norm.cdf((s - luck) / error), rel=1e-8
    )
    needed = 1 + (n - 1) * (error / s * stats.norm.ppf(0.95)) ** 2
    assert table.loc["minimum_track_record_length", "value"] == pytest.approx(needed)


def test_one_trial_says_so(ready_database, run):
    table = run().credibility()
    assert table.loc["trials", "value"] == 1
    assert table.loc["expected_maximum_sharpe", "value"] == 0.0
    row = table.loc["deflated_sharpe_ratio"]
    assert row["note"] == "one trial: nothing was picked, nothing is deflated"
    assert row["value"] == table.loc["probabilistic_sharpe_ratio", "value"]


def test_a_run_that_was_left_out_counts_all_the_same(ready_database, run):
    run(20)
    left_out = run(50, count=False)
    assert left_out.credibility().loc["trials", "value"] == 2
    assert len(ma.trials()) == 1


def test_another_family_can_be_asked_for(ready_database, run):
    result = run(20, family="Trend")
    assert result.credibility().attrs == {"family": "Trend", "trials": 1}
    run(50)
    assert result.credibility(family="MovingAverageCross").loc["trials", "value"] == 2
    with pytest.raises(InvalidInputError, match="family="):
        result.credibility(family=" ")
    with pytest.raises(UnknownNameError, match="family='Trnd' has no trials, did you mean 'Trend'"):
        result.credibility(family="Trnd")


def test_frames_without_a_family_have_no_known_number_of_tries(ready_database, run, sample):
    index = pd.DatetimeIndex(sample["session"].unique())[:1]
    table = run(weights=pd.DataFrame({"AAPL": [1.0]}, index)).credibility()
    for name in ("trials", "expected_maximum_sharpe", "deflated_sharpe_ratio"):
        assert math.isnan(table.loc[name, "value"])
        assert "only where one is named" in table.loc[name, "note"]
    assert table.loc["probabilistic_sharpe_ratio", "value"] > 0.5


def test_without_a_database_the_tries_are_not_known(home, run):
    table = run().credibility()
    assert math.isnan(table.loc["deflated_sharpe_ratio", "value"])
    assert "cannot be read" in table.loc["trials", "note"]
    known = table.index[table["value"].notna()].tolist()
    assert known == [
        "sharpe_ratio", "probabilistic_sharpe_ratio", "minimum_track_record_length", "ambiguous_fills"
    ]  # fmt: skip


def test_trials_without_a_ratio_count_and_other_spans_do_not_vary(ready_database, run):
    result = run()
    settings = trial_record(result).settings
    flat = {"sharpe": None}
    log_trials(
        "MovingAverageCross",
        [
            TrialRecord({"fast": 1}, {}, settings, None, flat),
            TrialRecord({"fast": 2}, {}, settings | {"interval": "1w"}, None, {"sharpe": 0.9}),
            TrialRecord({"fast": 3}, {}, settings | {"interval": "1h"}, None, {"sharpe": 0.02}),
        ],
    )
    tries = tries_of(result)
    assert tries.count == 4
    assert sorted(tries.sharpes) == pytest.approx(sorted([0.02, session_sharpe(result)]))


def test_a_run_that_never_traded_has_no_ratio(ready_database, run):
    table = run(end="2000-03-20").credibility()
    assert table["value"].notna().sum() == 1  # the trials
    assert "of 0 fills" in table.loc["ambiguous_fills", "note"]
    for name in ("sharpe_ratio", "probabilistic_sharpe_ratio", "minimum_track_record_length"):
        assert table.loc[name, "note"]


def dice(bars, number):
    """Be in or out by the toss of a coin, again for every bar."""
    heads = np.random.default_rng(number).random(len(bars)) < 0.5
    return heads, ~heads


def noise_bars(seed, sessions):
    """Return daily bars of a share that moves by chance alone and ends where it began."""
    steps = np.random.default_rng(seed).normal(0.0, 0.01, len(sessions))
    closes = 100 * np.exp(np.cumsum(steps - steps.mean()))
    opens = np.r_[100.0, closes[:-1]]
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes),
        "low": np.minimum(opens, closes),
        "close": closes,
    }
    named = {"symbol": "DICE", "session": sessions.index, "timestamp": sessions["regular_open"]}
    return pd.DataFrame({**named, **prices, "volume": 1e6}).reset_index(drop=True)


def deflated_by_the_paper(returns, sharpes):
    """Bailey and Lopez de Prado (2014), equations 1 and 2, a sum at a time."""
    n, trials = len(returns), len(sharpes)
    mean = sum(returns) / n
    second, third, fourth = (sum((r - mean) ** k for r in returns) / n for k in (2, 3, 4))
    sharpe = mean / math.sqrt(second * n / (n - 1))
    skew, kurtosis = third / second**1.5, fourth / second**2
    middle = sum(sharpes) / trials
    spread = math.sqrt(sum((s - middle) ** 2 for s in sharpes) / (trials - 1))
    normal, euler = NormalDist(), 0.5772156649015329
    luck = spread * (
        (1 - euler) * normal.inv_cdf(1 - 1 / trials)
        + euler * normal.inv_cdf(1 - 1 / (trials * math.e))
    )
    error = math.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (n - 1))
    return normal.cdf((sharpe - luck) / error)


def test_a_sweep_of_four_hundred_over_noise_convinces_nobody(ready_database, nyse):
    sessions = nyse.sessions("2015-01-01", "2019-12-31")
    alone, deflated, overfitted = [], [], []
    for seed in range(3):
        found = ma.sweep(dice, {"number": range(400)}, "DICE", bars=noise_bars(seed, sessions),
                         calendar=nyse, family=f"dice {seed}")  # fmt: skip
        assert (found.frame["fills"] > 400).all()
        best = found.result(found.best())
        table = best.credibility()["value"]
        assert table["trials"] == 400
        every = found.returns()
        by_hand = deflated_by_the_paper(list(best.returns), list(every.mean() / every.std()))
        assert table["deflated_sharpe_ratio"] == pytest.approx(by_hand, rel=1e-6)
        alone.append(table["probabilistic_sharpe_ratio"])
        deflated.append(table["deflated_sharpe_ratio"])
        overfitted.append(found.overfitting(blocks=8).probability)
    assert min(alone) > 0.9  # had it been the only try
    assert max(deflated) < 0.95
    assert 0.2 < np.mean(deflated) < 0.8
    assert 0.4 < np.mean(overfitted) < 0.65


# Where the result is shown ----------------------------------------------------------------------------


def test_a_result_says_what_it_is_worth_where_it_is_shown(ready_database, run):
    run(20)
    result = run(50)
    for shown in (str(result), result._repr_html_()):
        assert "2 trials of family MovingAverageCross" in shown
        assert "deflated sharpe ratio" in shown
        assert "0 of " in shown
        assert "looks ahead" not in shown
    peeking = run(fill="same_close")
    assert "looks ahead" in str(peeking)
    assert "looks ahead" in peeking._repr_html_()


def test_names_are_escaped_where_a_result_is_shown(ready_database, nyse, sample):
    evil = "<script>alert(1)</script>"
    result = ma.backtest(
        type(evil, (MovingAverageCross,), {})(), "AAPL", bars=sample,
        calendar=nyse, family=evil,
    )  # fmt: skip
    shown = result._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


# Sweeps -----------------------------------------------------------------------------------------------


def test_a_sweep_counts_its_combinations_and_gives_their_returns(ready_database, nyse, sample):
    def crossing(bars, fast, slow):
        quick, steady = (pd.Series(bars.close).rolling(n).mean().to_numpy() for n in (fast, slow))
        return quick > steady, quick < steady

    for subject in (MovingAverageCross, crossing):
        grid = {"fast": [10, 20], "slow": [50, 100, 150]}
        found = ma.sweep(subject, grid, "AAPL", bars=sample, calendar=nyse, run_in="threads")
        best = found.result(found.best())
        assert best.credibility().loc["trials", "value"] == 6
        table = found.returns()
        place = found.frame["sharpe_ratio"].idxmax()
        assert table[place].to_numpy() == pytest.approx(best.returns.to_numpy(), abs=1e-12)
        assert table.index.equals(best.returns.index)
        overfitting = found.overfitting(blocks=6)
        assert (overfitting.trials, len(overfitting.logits)) == (6, 20)


def test_a_result_of_a_sweep_is_a_trial_already(ready_database, nyse, sample):
    ma.create_user("ada", "ada@example.com", "secret")

    def crossing(bars, fast, slow):
        quick, steady = (pd.Series(bars.close).rolling(n).mean().to_numpy() for n in (fast, slow))
        return quick > steady, quick < steady

    options = {"bars": sample, "calendar": nyse, "run_in": "threads"}
    grid = {"fast": [10, 20], "slow": [50, 5_000]}  # the slower ones never trade
    with ma.as_user("ada"):
        for subject in (MovingAverageCross, crossing):
            found = ma.sweep(subject, grid, "AAPL", **options)
            for slow in grid["slow"]:
                result = found.result(fast=10, slow=slow)
                assert tries_of(result).count == 4
                result.save(f"{found.family} {slow}")
            known = ma.trials(found.family)
            assert len(known) == 4
            assert known["run"].notna().sum() == 2
            again = found.result(fast=30, slow=50)  # not of the grid: one try more
            assert tries_of(again).count == len(ma.trials(found.family)) == 5
        uncounted = ma.sweep(crossing, grid, "AAPL", count=False, family="other", **options)
        uncounted.result(fast=20, slow=50).save("uncounted")
        assert ma.trials("other").empty
        run = ma.rerun("crossing 50", entries=result_frames(found)[0], exits=result_frames(found)[1],
                       bars=sample, calendar=nyse)  # fmt: skip
        assert tries_of(run).count == 5


def result_frames(found):
    kept = found.result(fast=10, slow=50).instructions
    return kept.entries, kept.exits
