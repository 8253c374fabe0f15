"""Every metric against empyrical-reloaded or a plain loop, on real returns and at the edges."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import distribution, metrics

ANNUAL = [
    metrics.cagr,
    metrics.volatility,
    metrics.downside_deviation,
    metrics.sharpe_ratio,
    metrics.sortino_ratio,
    metrics.calmar_ratio,
]
PLAIN = [
    metrics.total_return,
    metrics.max_drawdown,
    distribution.value_at_risk,
    distribution.cvar,
    distribution.skew,
    distribution.kurtosis,
    distribution.hit_rate,
    distribution.payoff_ratio,
    distribution.omega_ratio,
]
NORMAL_LOOKING = hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(-0.3, 0.3))


def call(metric, returns):
    return metric(returns, periods_per_year=252) if metric in ANNUAL else metric(returns)


@pytest.fixture(scope="module")
def empyrical():
    return pytest.importorskip("empyrical")


@pytest.mark.parametrize(
    ("ours", "theirs", "extra"),
    [
        (metrics.total_return, "cum_returns_final", {}),
        (metrics.cagr, "cagr", {}),
        (metrics.volatility, "annual_volatility", {}),
        (metrics.downside_deviation, "downside_risk", {}),
        (metrics.sharpe_ratio, "sharpe_ratio", {}),
        (metrics.sortino_ratio, "sortino_ratio", {}),
        (metrics.calmar_ratio, "calmar_ratio", {}),
        (metrics.max_drawdown, "max_drawdown", {}),
        (distribution.value_at_risk, "value_at_risk", {}),
        (distribution.cvar, "conditional_value_at_risk", {}),
        (distribution.omega_ratio, "omega_ratio", {}),
    ],
)
def test_agrees_with_empyrical_at_252(real, empyrical, ours, theirs, extra):
    assert call(ours, real) == pytest.approx(getattr(empyrical, theirs)(real, **extra), rel=1e-9)


def test_risk_free_rate_is_per_year(real, empyrical):
    """empyrical takes a rate per session: the same rate must be turned into one."""
    per_session = 1.03 ** (1 / 252) - 1
    ours = metrics.sharpe_ratio(real, risk_free=0.03, periods_per_year=252)
    assert ours == pytest.approx(empyrical.sharpe_ratio(real, risk_free=per_session), rel=1e-9)
    ours = metrics.sortino_ratio(real, required=0.03, periods_per_year=252)
    assert ours == pytest.approx(
        empyrical.sortino_ratio(real, required_return=per_session), rel=1e-9
    )
    ours = distribution.omega_ratio(real, required=0.03, periods_per_year=252)
    assert ours == pytest.approx(empyrical.omega_ratio(real, required_return=0.03), rel=1e-9)


def test_shape_agrees_with_pandas(real):
    assert distribution.skew(real) == pytest.approx(real.skew(), rel=1e-9)
    assert distribution.kurtosis(real) == pytest.approx(real.kurt(), rel=1e-9)


def test_normal_tail_agrees_with_scipy(real):
    norm = pytest.importorskip("scipy.stats").norm
    mean, deviation = real.mean(), real.std()
    assert distribution.value_at_risk(real, level=0.01, estimator="normal") == pytest.approx(
        norm.ppf(0.01, mean, deviation), rel=1e-9
    )
    expected = mean - deviation * norm.pdf(norm.ppf(0.01)) / 0.01
    assert distribution.cvar(real, level=0.01, estimator="normal") == pytest.approx(expected)


def test_wins_against_a_loop(real):
    gains = [one for one in real if one > 0]
    losses = [one for one in real if one < 0]
    assert distribution.hit_rate(real) == len(gains) / (len(gains) + len(losses))
    payoff = (math.fsum(gains) / len(gains)) / -(math.fsum(losses) / len(losses))
    assert distribution.payoff_ratio(real) == pytest.approx(payoff, rel=1e-12)


@pytest.mark.parametrize("metric", [*ANNUAL, *PLAIN])
def test_columns_give_what_each_alone_gives(metric):
    random = np.random.default_rng(3)
    table = random.normal(0.0005, 0.01, (300, 3))
    table[:40, 1] = np.nan
    table[::7, 2] = np.nan
    alone = [call(metric, column[~np.isnan(column)]) for column in table.T]
    together = call(metric, table)
    assert isinstance(together, np.ndarray)
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    framed = call(metric, pd.DataFrame(table, columns=list("abc")))
    assert framed.index.tolist() == list("abc")
    np.testing.assert_allclose(framed, alone, rtol=1e-9)


@pytest.mark.parametrize("metric", [*ANNUAL, *PLAIN])
@pytest.mark.parametrize(
    "edge",
    [[], [math.nan], [0.01], [0.0, 0.0, 0.0], [0.001] * 9, [-1.4, 0.5], [-1.0], [0.01, 0.02]],
)
def test_edges_are_numbers_or_missing_but_never_infinite(metric, edge):
    value = call(metric, np.array(edge, dtype=float))
    assert isinstance(value, float)
    assert not math.isinf(value)


@pytest.mark.parametrize(
    ("metric", "edge", "expected"),
    [
        (metrics.total_return, [], 0.0),
        (metrics.max_drawdown, [], 0.0),
        (metrics.max_drawdown, [-0.2, 0.5], -0.2),
        (metrics.max_drawdown, [-1.4, 0.5], -1.4),
        (metrics.total_return, [-1.4, 0.5], -1.4),
        (metrics.cagr, [-1.4, 0.5], -1.0),
        (metrics.cagr, [], math.nan),
        (metrics.volatility, [0.001] * 50, 0.0),
        (metrics.volatility, [0.01], math.nan),
        (metrics.sharpe_ratio, [0.001] * 50, math.nan),
        (metrics.sharpe_ratio, [0.0] * 50, math.nan),
        (metrics.sortino_ratio, [0.01, 0.02], math.nan),
        (metrics.calmar_ratio, [0.01, 0.02], math.nan),
        (distribution.omega_ratio, [0.01, 0.02], math.nan),
        (distribution.hit_rate, [0.0, 0.0], math.nan),
        (distribution.payoff_ratio, [0.01, 0.02], math.nan),
        (distribution.skew, [0.001] * 50, math.nan),
        (distribution.kurtosis, [0.01, 0.02, 0.03], math.nan),
    ],
)
def test_edges_say_what_they_mean(metric, edge, expected):
    assert call(metric, np.array(edge, dtype=float)) == pytest.approx(expected, nan_ok=True)


def plainly(values: list[float], rate: float, periods: float) -> dict[str, float]:
    """Every metric by a loop over its definition."""
    n, mean = len(values), math.fsum(values) / len(values)
    per_period = math.exp(math.log1p(rate) / periods) - 1
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (n - 1))
    below = math.sqrt(math.fsum(min(one - per_period, 0.0) ** 2 for one in values) / n)
    wealth, high, deepest = 1.0, 1.0, 0.0
    for one in values:
        wealth *= 1 + one
        high = max(high, wealth)
        deepest = min(deepest, wealth / high - 1)
    growth = wealth ** (periods / n) - 1
    ordered = sorted(values)
    place = 0.05 * (n - 1)
    low = math.floor(place)
    risk = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
    tail = [one for one in values if one <= risk]
    gains = math.fsum(one - per_period for one in values if one > per_period)
    losses = math.fsum(per_period - one for one in values if one < per_period)
    second, third, fourth = (
        math.fsum((one - mean) ** power for one in values) / n for power in (2, 3, 4)
    )
    excess = fourth / second**2 - 3
    return {
        "total_return": wealth - 1,
        "cagr": growth,
        "volatility": deviation * math.sqrt(periods),
        "downside_deviation": below * math.sqrt(periods),
        "sharpe_ratio": (mean - per_period) / deviation * math.sqrt(periods),
        "sortino_ratio": (mean - per_period) / below * math.sqrt(periods),
        "max_drawdown": deepest,
        "calmar_ratio": growth / -deepest,
        "value_at_risk": risk,
        "cvar": math.fsum(tail) / len(tail),
        "omega_ratio": gains / losses,
        "skew": third / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2),
        "kurtosis": (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6),
    }


@pytest.mark.parametrize("periods", [252, 365.25, 12])
def test_every_metric_against_a_loop(real, periods):
    expected = plainly(real.tolist(), 0.03, periods)
    for name, value in expected.items():
        metric = getattr(metrics, name, None) or getattr(distribution, name)
        more = {}
        if metric in ANNUAL or name == "omega_ratio":
            more["periods_per_year"] = periods
        if name == "sharpe_ratio":
            more["risk_free"] = 0.03
        if name in ("sortino_ratio", "downside_deviation", "omega_ratio"):
            more["required"] = 0.03
        assert metric(real, **more) == pytest.approx(value, rel=1e-8), name


@given(NORMAL_LOOKING, st.floats(0.1, 3.0))
def test_scaling_returns_scales_risk_and_leaves_ratios(returns, factor):
    returns = returns.round(7)
    if not (0 < np.abs(returns).max(initial=0.0) * factor < 1) or returns.std() < 1e-9:
        return
    scaled = returns * factor
    assert call(metrics.volatility, scaled) == pytest.approx(
        factor * call(metrics.volatility, returns), rel=1e-6, nan_ok=True
    )
    for ratio in (metrics.sharpe_ratio, metrics.sortino_ratio):
        assert call(ratio, scaled) == pytest.approx(
            call(ratio, returns), rel=1e-6, abs=1e-9, nan_ok=True
        )


@given(NORMAL_LOOKING)
def test_the_tail_is_no_better_than_its_border(returns):
    risk, tail = distribution.value_at_risk(returns), distribution.cvar(returns)
    assert math.isnan(risk) or tail <= risk + 1e-12


@pytest.mark.parametrize(
    ("returns", "words"),
    [
        ([100.0, 101.0, 99.0], "look like prices"),
        ([0.01, math.inf], "infinite"),
        (["a", "b"], "not numbers"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
    ],
)
def test_refuses_what_are_no_returns(returns, words):
    with pytest.raises(InvalidInputError, match=words):
        metrics.total_return(returns)


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf, "0.03", None, True, [0.03]])
def test_refuses_impossible_rates(rate):
    with pytest.raises(InvalidInputError, match="rate per year"):
        metrics.sharpe_ratio([0.01, 0.02], risk_free=rate, periods_per_year=252)
    with pytest.raises(InvalidInputError, match="rate per year"):
        distribution.omega_ratio([0.01, 0.02], required=rate, periods_per_year=252)


@pytest.mark.parametrize("periods", [0, -252, math.nan, math.inf, "252"])
def test_refuses_impossible_years(periods):
    with pytest.raises(InvalidInputError, match="number above zero"):
        metrics.sharpe_ratio([0.01, 0.02], periods_per_year=periods)


def test_refuses_unknown_tails():
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        distribution.value_at_risk([0.01], level=5)
    with pytest.raises(InvalidInputError, match="'historical' or 'normal'"):
        distribution.cvar([0.01], estimator="gaussian")
