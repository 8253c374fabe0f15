"""Trials: counted once each, seen by their owners, told apart by all that makes a run."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import mismartera_analytics as ma
from mismartera_analytics.backtesting.trial_log import (
    TrialRecord,
    headline,
    headlines,
    log_trials,
    logged_results,
)
from mismartera_analytics.errors import InvalidInputError, NotAllowedError, UnknownNameError
from mismartera_analytics.models.database import session_scope


def record(**changes: Any) -> TrialRecord:
    plain = TrialRecord(
        parameters={"fast": 5, "slow": 20},
        data_version={"digest": "d" * 64, "store": "/bars", "version": 3},
        settings={"symbols": ["AAPL"], "cash": 1e5},
        code_hash="c" * 64,
        result={"sessions": 250, "sharpe": 0.05, "total_return": 0.1, "extra": 1.5},
    )
    return dataclasses.replace(plain, **changes)


DIFFERENT = {
    "parameters": {"fast": 6, "slow": 20},
    "data_version": {"digest": "e" * 64, "store": "/bars", "version": 3},
    "settings": {"symbols": ["IBM"], "cash": 1e5},
    "code_hash": None,
}


def test_a_trial_is_read_as_it_was_logged(ready_database: str) -> None:
    log_trials("Cross", [record()])
    row = ma.trials("Cross").iloc[0]
    assert json.loads(row["parameters"]) == {"fast": 5, "slow": 20}
    assert json.loads(row["settings"]) == {"symbols": ["AAPL"], "cash": 1e5}
    assert json.loads(row["result"])["extra"] == 1.5
    assert (row["data_digest"], row["code_hash"]) == ("d" * 64, "c" * 64)
    assert (row["sessions"], row["sharpe"], row["total_return"]) == (250, 0.05, 0.1)
    assert np.isnan(row["skew"])
    assert pd.isna(row["user"])
    assert pd.isna(row["run"])
    assert ma.trials("Other").empty


def test_the_same_again_counts_once(ready_database: str) -> None:
    log_trials("Cross", [record(), record()])
    log_trials("Cross", [record(result={"sharpe": 9.0})])
    same_bars_later = {"digest": "d" * 64, "store": "/bars", "version": 4}
    log_trials("Cross", [record(data_version=same_bars_later)])
    assert list(ma.trials("Cross")["sharpe"]) == [0.05]


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_counts_again(ready_database: str, name: str) -> None:
    log_trials("Cross", [record(), record(**{name: DIFFERENT[name]})])
    log_trials("Band", [record()])
    assert ma.trials()["family"].tolist() == ["Band", "Cross", "Cross"]


def test_a_search_goes_on_from_what_is_logged(ready_database: str) -> None:
    records = [record(parameters={"fast": fast}) for fast in range(1_200)]
    log_trials("Cross", records[::2])
    found = logged_results("Cross", records)
    assert [result is not None for result in found] == [n % 2 == 0 for n in range(1_200)]
    assert found[0] == record().result
    assert logged_results("Band", records[:3]) == [None] * 3


def test_everybody_has_trials_of_their_own(ready_database: str) -> None:
    for name in ("ada", "bob"):
        ma.create_user(name, f"{name}@example.com", "secret")
    ma.create_user("root", "root@example.com", "secret", superuser=True)
    log_trials("Cross", [record()])
    for name in ("ada", "bob", "root"):
        with ma.as_user(name):
            log_trials("Cross", [record()])
    log_trials("Cross", [record()], user="bob")
    with ma.as_user("ada"):
        assert ma.trials()["user"].tolist() == ["ada"]
        assert logged_results("Cross", [record(code_hash=None)]) == [None]
        with pytest.raises(NotAllowedError):
            ma.trials(user="bob")
        with pytest.raises(NotAllowedError):
            log_trials("Cross", [record()], user="bob")
    with ma.as_user("root"):
        assert sorted(ma.trials()["user"].fillna("")) == ["", "ada", "bob", "root"]
        assert ma.trials(user="bob")["user"].tolist() == ["bob"]


def test_an_open_transaction_decides(ready_database: str) -> None:
    with pytest.raises(RuntimeError), session_scope() as db_session:
        log_trials("Cross", [record()], db_session=db_session)
        assert len(ma.trials(db_session=db_session)) == 1
        raise RuntimeError
    assert ma.trials().empty


@pytest.mark.parametrize("family", ["", " ", "x" * 201, None, 3])
def test_a_family_has_a_name(family: Any) -> None:
    with pytest.raises(InvalidInputError, match="family="):
        log_trials(family, [record()])


def test_an_unknown_user_is_named(ready_database: str) -> None:
    ma.create_user("ada", "ada@example.com", "secret")
    with pytest.raises(UnknownNameError, match="did you mean 'ada'"):
        log_trials("Cross", [record()], user="adda")


def test_the_headline_is_that_of_scipy() -> None:
    returns = np.random.default_rng(3).standard_t(5, (300, 4)) / 100
    for column, row in enumerate(headlines(returns)):
        values = returns[:, column]
        assert row["sessions"] == 300
        assert row["sharpe"] == pytest.approx(values.mean() / values.std(ddof=1))
        assert row["skew"] == pytest.approx(scipy.stats.skew(values, bias=False))
        assert row["kurtosis"] == pytest.approx(scipy.stats.kurtosis(values, bias=False))
        assert row["total_return"] == pytest.approx(np.expm1(np.log1p(values).sum()))
        worth = np.append(1.0, np.cumprod(1 + values))
        assert row["max_drawdown"] == pytest.approx(
            (worth / np.maximum.accumulate(worth)).min() - 1
        )
        assert headline(values) == row


@pytest.mark.parametrize("returns", [[], [0.0], [0.01, 0.01]])
def test_what_is_not_defined_is_none(returns: list[float]) -> None:
    row = headline(returns)
    assert row["sharpe"] is None
    assert row["sessions"] == len(returns)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_a_family_that_is_nearly_one_is_hinted_at(
    ready_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    log_trials("Cross", [record()])
    assert ma.trials("Corss").empty
    assert "no trial of family='Corss', did you mean 'Cross'?" in caplog.text
    caplog.clear()
    assert ma.trials("Unlike").empty
    assert len(ma.trials("Cross")) == 1
    assert not caplog.records
    ma.create_user("ada", "ada@example.com", "secret")
    with ma.as_user("ada"):
        assert ma.trials("Corss").empty  # what others have tried is not hinted at
    assert not caplog.records
