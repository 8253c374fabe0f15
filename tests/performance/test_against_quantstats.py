"""Against quantstats' own numbers, made by ``make metric-goldens``: each metric, and over time."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import compare_conventions, performance_summary
from mismartera_analytics.performance import rolling, tables
from tests.performance.conftest import read_returns

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "quantstats.json").read_text())
RATE = GOLDEN["rate"]
REAL = ["SPY", "AAPL"]
MADE_UP = [name for name in GOLDEN["cases"] if name not in REAL]
DIFFERENT = {
    "volatility", "sharpe_ratio", "sortino_ratio", "cagr", "calmar_ratio", "value_at_risk", "cvar",
    "alpha", "information_ratio",
}  # fmt: skip
"""Where the actual conventions differ: the year is counted, tails are observed, alpha pays the rate."""


def record(name: str, folder: Path) -> pd.Series:
    if name in REAL:
        return read_returns(folder, name)
    values = GOLDEN["cases"][name]["values"]
    return pd.Series(values, index=pd.bdate_range("2020-01-01", periods=len(values)))


def benchmark_of(name: str, folder: Path) -> pd.Series | None:
    return read_returns(folder, "SPY") if name == "AAPL" else None


@pytest.mark.parametrize("name", [*REAL, *MADE_UP])
def test_every_metric_by_its_conventions(name, shared_data):
    table = performance_summary(
        record(name, shared_data), benchmark=benchmark_of(name, shared_data), risk_free=RATE,
        conventions="quantstats",
    )  # fmt: skip
    said = GOLDEN["cases"][name]["metrics"]
    assert len(said) >= 13
    for metric, value in said.items():
        assert table.loc[metric, "value"] == pytest.approx(value, rel=1e-9, abs=1e-13), metric


@pytest.mark.parametrize("name", REAL)
def test_our_own_conventions_differ_just_where_they_say(name, shared_data):
    returns, benchmark = record(name, shared_data), benchmark_of(name, shared_data)
    table = compare_conventions(returns, benchmark=benchmark, risk_free=RATE)
    for metric, value in GOLDEN["cases"][name]["metrics"].items():
        ours = table.loc[metric, "actual"]
        assert (abs(ours / value - 1) > 1e-9) == (metric in DIFFERENT), metric
        assert bool(table.loc[metric, "why"]) or metric not in DIFFERENT


@pytest.mark.parametrize("name", REAL)
def test_rolling_figures(name, shared_data):
    returns, said = record(name, shared_data), GOLDEN["cases"][name]["over time"]
    sharpe = rolling.rolling_sharpe(returns, risk_free=RATE, periods_per_year=252)
    np.testing.assert_allclose(sharpe.iloc[::500], said["rolling_sharpe"], rtol=1e-7)
    spread = rolling.rolling_volatility(returns, periods_per_year=252)
    np.testing.assert_allclose(spread.iloc[::500], said["rolling_volatility"], rtol=1e-7)


@pytest.mark.parametrize("name", REAL)
def test_months_and_years(name, shared_data):
    """It writes 0 into months of which the record has nothing; ours leaves them empty."""
    returns, said = record(name, shared_data), GOLDEN["cases"][name]["over time"]
    months, years = tables.monthly_returns(returns), tables.yearly_returns(returns)
    assert [str(year) for year in months.index] == list(said["months"])
    for year, values in said["months"].items():
        np.testing.assert_allclose(months.loc[int(year)].fillna(0.0), values, atol=1e-12)
        assert years[int(year)] == pytest.approx(said["years"][year], rel=1e-9)
    assert months.loc[2021].isna().tolist() == [False] * 3 + [True] * 9


@pytest.mark.parametrize("name", REAL)
def test_drawdowns(name, shared_data):
    """It counts a spell from its first session below the high to its last, ours from high to high."""
    returns = record(name, shared_data)
    table = tables.drawdown_table(returns, top=5)
    labels = returns.index
    for row, (start, valley, end, depth) in zip(
        table.to_dict("records"), GOLDEN["cases"][name]["over time"]["drawdowns"], strict=True
    ):
        assert row["depth"] * 100 == pytest.approx(depth, rel=1e-9)
        assert f"{row['trough']:%Y-%m-%d}" == valley
        assert labels[labels.get_loc(row["peak"]) + 1] == pd.Timestamp(start)
        if not pd.isna(row["recovery"]):
            assert labels[labels.get_loc(row["recovery"]) - 1] == pd.Timestamp(end)
