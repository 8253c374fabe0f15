"""The summary: nothing missing without its reason, and other tools' numbers under their names."""

import math

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import frames, performance_summary
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance.summary import compare_conventions
from mismartera_analytics.performance.trades import trade_statistics

EDGES = {
    "empty": [],
    "missing": [math.nan, math.nan],
    "one": [0.01],
    "flat": [0.0] * 200,
    "constant": [0.001] * 200,
    "only gains": [0.001, 0.002] * 100,
    "only losses": [-0.001, -0.002] * 100,
    "all lost": [0.01, -1.0, 0.5] + [0.0] * 100,
    "more than all": [0.01, -1.5, 0.5] + [0.0] * 100,
    "short": [0.01, -0.01, 0.02],
}


def on_days(values) -> pd.Series:
    return pd.Series(values, index=pd.bdate_range("2024-01-01", periods=len(values)), dtype=float)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("conventions", ["actual", "quantstats", "empyrical"])
def test_what_is_missing_says_why(edge, conventions):
    table = performance_summary(on_days(EDGES[edge]), conventions=conventions)
    missing = table["value"].isna()
    assert (table.loc[missing, "note"] != "").all()
    assert np.isfinite(table.loc[~missing, "value"]).all()
    assert (table["convention"] != "").all()


def test_total_loss_is_named_with_its_day():
    table = performance_summary(on_days(EDGES["more than all"]))
    assert table.loc["total_return", "value"] == pytest.approx(1.01 * -0.5 - 1)
    assert table.loc["total_return", "note"].startswith("everything was lost by 2024-01-02")


def test_labels_that_leave_the_year_open_leave_annual_figures_out():
    table = performance_summary(on_days(EDGES["short"]))
    assert table.loc["sharpe_ratio", "note"].startswith("not annualised: 3 sessions over 2 days")
    assert table.loc["total_return", "value"] == pytest.approx(1.01 * 0.99 * 1.02 - 1)
    given = performance_summary(on_days(EDGES["short"]), periods_per_year=252)
    assert given.loc["sharpe_ratio", "value"] > 0


def test_conventions_of_empyrical(real):
    empyrical = pytest.importorskip("empyrical")
    stats = pytest.importorskip("scipy.stats")
    values = performance_summary(real, risk_free=0.0001, conventions="empyrical")["value"]
    expected = {
        "cagr": empyrical.cagr(real),
        "volatility": empyrical.annual_volatility(real),
        "sharpe_ratio": empyrical.sharpe_ratio(real, risk_free=0.0001),
        "sortino_ratio": empyrical.sortino_ratio(real, required_return=0.0001),
        "calmar_ratio": empyrical.calmar_ratio(real),
        "max_drawdown": empyrical.max_drawdown(real),
        "value_at_risk": empyrical.value_at_risk(real),
        "cvar": empyrical.conditional_value_at_risk(real),
        "skew": stats.skew(real),
        "kurtosis": stats.kurtosis(real),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9), name


def test_conventions_of_quantstats(real):
    """By the formulas of its source: 252 a year, normal tails, a rate per year."""
    norm = pytest.importorskip("scipy.stats").norm
    values = performance_summary(real, risk_free=0.02, conventions="quantstats")["value"]
    per_session = 1.02 ** (1 / 252) - 1
    excess = real - per_session
    assert values["sharpe_ratio"] == pytest.approx(excess.mean() / excess.std() * math.sqrt(252))
    downside = math.sqrt((excess[excess < 0] ** 2).sum() / len(excess))
    assert values["sortino_ratio"] == pytest.approx(excess.mean() / downside * math.sqrt(252))
    assert values["cagr"] == pytest.approx((1 + real).prod() ** (252 / len(real)) - 1)
    assert values["value_at_risk"] == pytest.approx(norm.ppf(0.05, real.mean(), real.std()))
    tail = real.mean() - real.std() * norm.pdf(norm.ppf(0.05)) / 0.05
    assert values["cvar"] == pytest.approx(tail)
    assert values["skew"] == pytest.approx(real.skew())
    assert values["kurtosis"] == pytest.approx(real.kurtosis())


def test_comparison_explains_every_difference(real):
    table = compare_conventions(real, risk_free=0.02)
    names = ["actual", "quantstats", "empyrical"]
    spread = table[names].max(axis=1) - table[names].min(axis=1)
    differs = spread > 1e-9 * table[names].abs().max(axis=1)
    assert ((table["why"] != "") >= differs).all()
    assert "251." in table.loc["sharpe_ratio", "why"]
    assert table.loc["total_return", "why"] == ""


def test_refuses_unknown_conventions():
    with pytest.raises(InvalidInputError, match="did you mean 'quantstats'"):
        performance_summary(on_days([0.01]), conventions="quantstat")


def test_refuses_prices(real):
    with pytest.raises(InvalidInputError, match="look like prices"):
        performance_summary(100 * (1 + real).cumprod())


def made_trades(pnl: list[float]) -> pd.DataFrame:
    days = pd.date_range("2024-01-02 14:30", periods=len(pnl), freq="D", tz="UTC")
    return frames.TRADES.conform(
        pd.DataFrame(
            {
                "account_id": 1,
                "symbol": "AAPL",
                "side": "BUY",
                "quantity": 10.0,
                "entry_at": days,
                "entry_price": 100.0,
                "exit_at": days + pd.Timedelta(days=3),
                "exit_price": 101.0,
                "fees": 1.0,
                "realized_pnl": pnl,
                "return": np.array(pnl) / 1000.0,
            }
        )
    )


def test_trades_by_hand():
    values = trade_statistics(made_trades([30.0, -10.0, 50.0, 0.0, -20.0]))["value"]
    assert values["trades"] == 5
    assert values["hit_rate"] == 0.5
    assert values["payoff_ratio"] == pytest.approx(40 / 15)
    assert values["profit_factor"] == pytest.approx(80 / 30)
    assert values["expectancy"] == 10.0
    assert values["largest_loss"] == -20.0
    assert values["median_holding"] == 3.0
    assert values["fees"] == 5.0


@pytest.mark.parametrize("pnl", [[], [0.0], [5.0], [-5.0], [5.0, 7.0], [-5.0, 0.0]])
def test_trades_say_what_is_missing(pnl):
    table = trade_statistics(made_trades(pnl))
    missing = table["value"].isna()
    assert (table.loc[missing, "note"] != "").all()
    assert np.isfinite(table.loc[~missing, "value"]).all()


def test_trades_without_their_columns_are_refused():
    with pytest.raises(InvalidInputError, match="lacks the columns"):
        trade_statistics(pd.DataFrame({"symbol": []}))
