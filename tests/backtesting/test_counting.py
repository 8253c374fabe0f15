"""Runs leave trials: once each, in their family's name, and without making a database."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.backtesting import counting
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.errors import InvalidInputError


@pytest.fixture
def run(nyse, sample):
    """Run the crossover on AAPL."""

    def start(strategy=None, **options):
        options = {"bars": sample, "calendar": nyse, "symbols": "AAPL"} | options
        given = None if {"weights", "orders"} & options.keys() else strategy or MovingAverageCross
        return ma.backtest(given, **options)

    return start


def test_a_run_is_counted_with_what_went_in_and_came_out(ready_database, run):
    result = run(cash=5_000.0)
    row = ma.trials("MovingAverageCross").iloc[0]
    assert json.loads(row["parameters"]) == {"fast": 50, "slow": 200}
    assert json.loads(row["settings"])["cash"] == 5_000.0
    assert row["data_digest"] == result.data_version["digest"]
    returns = result.returns
    assert row["sessions"] == len(returns)
    assert row["sharpe"] == pytest.approx(returns.mean() / returns.std())
    assert row["total_return"] == pytest.approx(result.equity["equity"].iloc[-1] / 5_000.0 - 1)


def test_every_try_counts_and_the_same_again_does_not(ready_database, run):
    for options in ({}, {}, {"cash": 5e4}, {"symbols": "IBM"}, {"start": "2005-01-03"}):
        run(**options)
    run(MovingAverageCross(fast=20))
    run(MovingAverageCross, parameters={"fast": 20})
    assert len(ma.trials("MovingAverageCross")) == 5


def test_a_run_may_be_left_out_or_put_in_another_family(ready_database, run):
    run(count=False)
    assert ma.trials().empty
    run(family="Trend")
    assert ma.trials()["family"].tolist() == ["Trend"]
    for family in ("", "x" * 201):
        with pytest.raises(InvalidInputError, match="family="):
            run(family=family)


def test_frames_count_in_a_family_that_is_named(ready_database, run, sample):
    days = sample.loc[sample["symbol"] == "AAPL", "session"]
    for weight in (1.0, 1.0, 0.5):
        weights = pd.DataFrame({"AAPL": [weight]}, index=pd.DatetimeIndex(days.iloc[:1]))
        run(weights=weights)
        assert ma.trials().empty or weight < 1.0 or len(ma.trials()) == 1
        run(weights=weights, family="Holding")
    assert ma.trials()["family"].tolist() == ["Holding", "Holding"]


def test_the_signed_in_user_is_the_one_who_tries(ready_database, run):
    ma.create_user("ada", "ada@example.com", "secret")
    with ma.as_user("ada"):
        run()
        assert ma.trials()["user"].tolist() == ["ada"]


def test_without_a_database_the_run_works_and_says_once_that_it_was_not_counted(
    run, home: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(counting, "_told", set())
    with caplog.at_level(logging.WARNING):
        assert run().equity["equity"].iloc[-1] > 0
        run(MovingAverageCross(fast=20))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "not counted as a trial of 'MovingAverageCross'" in said[0]
    assert "mismartera db init" in said[0]
    assert not list(home.rglob("*.db"))
    ma.init_db()
    run()
    assert len(ma.trials()) == 1


def test_another_process_counts_on(ready_database, run, home: Path):
    run()
    program = (
        "import mismartera_analytics as ma\n"
        "from mismartera_analytics.backtesting.samples import MovingAverageCross\n"
        "from mismartera_analytics.backtesting.trial_log import code_hash\n"
        "print(len(ma.trials('MovingAverageCross')), code_hash(MovingAverageCross))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "MISMARTERA_HOME": str(home),
             "MISMARTERA_DATABASE_URL": ready_database},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", ma.trials()["code_hash"].iloc[0]]


def test_a_run_saved_for_a_user_is_one_trial_and_that_users(ready_database, run):
    ma.create_user("ada", "ada@example.com", "secret")
    result = run()
    assert ma.trials()["user"].isna().all()
    result.save("kept", user="ada")
    assert ma.trials()["user"].tolist() == ["ada"]
    assert ma.trials()["run"].tolist() == ["kept"]
