"""The engine against what other backtesters made of the same instructions.

The goldens are theirs, written by ``tools/make_backtest_goldens.py`` on the sample bars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.calendars.sessions import TradingCalendar
from tests.backtesting.peer_cases import Case, play, sample_cases

GOLDENS = Path(__file__).parent / "goldens"
FILLS = pd.read_csv(GOLDENS / "peer_fills.csv.gz")
EQUITY = pd.read_csv(GOLDENS / "peer_equity.csv.gz")
NAMES = FILLS["case"].unique().tolist()


@pytest.fixture(scope="module")
def cases(sample: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Case]:
    return {case.name: case for case in sample_cases(sample, splits)}


def test_every_case_has_a_peer_and_every_peer_cases(cases: dict[str, Case]) -> None:
    assert set(FILLS["case"]) == set(cases)
    assert set(FILLS["peer"]) == {"backtesting", "vectorbt", "backtrader", "bt"}
    assert (FILLS.groupby("case").size() > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_fills_and_equity_are_the_peers(
    name: str, cases: dict[str, Case], nyse: TradingCalendar
) -> None:
    fills, equity = play(cases[name], nyse)
    for peer, theirs in FILLS[FILLS["case"] == name].groupby("peer"):
        assert fills["row"].tolist() == theirs["row"].tolist(), peer
        assert fills["symbol"].tolist() == theirs["symbol"].tolist(), peer
        for column in ("quantity", "price"):
            np.testing.assert_allclose(fills[column], theirs[column], rtol=1e-9, err_msg=str(peer))
        values = EQUITY[(EQUITY["case"] == name) & (EQUITY["peer"] == peer)]
        np.testing.assert_allclose(
            equity[values["row"].to_numpy()], values["equity"], rtol=1e-9, err_msg=str(peer)
        )
