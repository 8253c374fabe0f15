"""Each value of a rolling metric is the metric of its window alone, and knows nothing of later days."""

import math

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import benchmark as against
from mismartera_analytics.performance import metrics, rolling
from tests.performance.conftest import read_returns
from tests.performance.test_tables import on_days

ALONE = {
    "rolling_sharpe": lambda part: metrics.sharpe_ratio(part, periods_per_year=252),
    "rolling_sortino": lambda part: metrics.sortino_ratio(part, periods_per_year=252),
    "rolling_volatility": lambda part: metrics.volatility(part, periods_per_year=252),
    "rolling_cagr": lambda part: metrics.cagr(part, periods_per_year=252),
    "rolling_max_drawdown": metrics.max_drawdown,
}


def rolled(name: str, returns: pd.Series, window: int) -> pd.Series:
    year = {} if name == "rolling_max_drawdown" else {"periods_per_year": 252}
    return getattr(rolling, name)(returns, window=window, **year)


@pytest.mark.parametrize("name", ALONE)
def test_each_window_alone(name, real):
    found = rolled(name, real, 63)
    assert len(found) == len(real) - 62
    assert found.index.equals(real.index[62:].rename("session"))
    for end in (62, 63, 1000, len(real) - 1):
        alone = ALONE[name](real.iloc[end - 62 : end + 1])
        assert found.loc[real.index[end]] == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("name", ALONE)
def test_rolling_looks_back_only(name, real):
    changed = real.copy()
    changed.iloc[2000:] *= -0.5
    before, after = (rolled(name, one, 21)[: real.index[1999]] for one in (real, changed))
    pd.testing.assert_series_equal(before, after)


@pytest.mark.parametrize("name", ["rolling_beta", "rolling_correlation"])
def test_pairs_of_windows_alone(name, shared_data):
    """Against NumPy, with sessions that one of the two lacks."""
    aapl, spy = read_returns(shared_data, "AAPL").iloc[:900], read_returns(shared_data, "SPY")
    aapl = aapl.drop(aapl.index[100:110])
    spy = spy.mask(spy.index == spy.index[400])
    found = getattr(rolling, name)(aapl, spy, window=60)
    both = pd.concat([aapl, spy], axis=1, sort=True).iloc[:900].dropna()
    assert found.index.tolist() == both.index[59:].tolist()
    for end in (59, 300, len(both) - 1):
        ours, theirs = both.iloc[end - 59 : end + 1].to_numpy().T
        covariance = np.cov(ours, theirs)
        expected = {
            "rolling_beta": covariance[0, 1] / covariance[1, 1],
            "rolling_correlation": np.corrcoef(ours, theirs)[0, 1],
        }[name]
        assert found.iloc[end - 59] == pytest.approx(expected, rel=1e-9)


def test_a_window_of_all_is_the_whole(real, shared_data):
    spy = read_returns(shared_data, "SPY")
    whole = rolling.rolling_beta(real, spy, window=len(real))
    assert whole.tolist() == pytest.approx([against.beta(real, spy)])


def test_windows_without_a_value_are_gaps():
    flat = on_days([0.01, -0.01, 0.0, 0.0, 0.0, 0.02])
    assert rolling.rolling_sharpe(flat, window=3, periods_per_year=252).isna().tolist() == [
        False, False, True, False,
    ]  # fmt: skip
    other = on_days([0.01, 0.02, 0.01, 0.01, 0.01, 0.03])
    assert rolling.rolling_beta(flat, other, window=3).isna().tolist() == [
        False, False, True, False,
    ]  # fmt: skip
    assert math.isnan(rolling.rolling_correlation(flat, other, window=3).iloc[2])


def test_a_record_shorter_than_the_window_gives_nothing():
    short = on_days([0.01] * 5)
    assert rolling.rolling_sharpe(short, window=6).empty
    assert rolling.rolling_beta(short, short, window=6).empty
    assert rolling.rolling_cagr(short.iloc[:0], window=2).empty


@pytest.mark.parametrize("window", [1, 0, -3, 2.0, "63", True, None])
def test_refuses_windows_that_are_none(window):
    short = on_days([0.01] * 5)
    with pytest.raises(InvalidInputError, match="2 or more"):
        rolling.rolling_sharpe(short, window=window)
    with pytest.raises(InvalidInputError, match="2 or more"):
        rolling.rolling_beta(short, short, window=window)
