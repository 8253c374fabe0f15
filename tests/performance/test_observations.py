"""How many observations make a year: counted where the labels tell, refused where they do not."""

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import metrics
from mismartera_analytics.performance.observations import annualisation, labelled


def test_counts_the_sessions_of_a_real_record(real):
    """23 full calendar years of New York, 1998 to 2020, had 5,787 sessions: 251.6 a year."""
    full = real.loc["1998":"2020"]
    assert annualisation(full.index).periods_per_year == pytest.approx(
        (len(full) + 1) / 23, rel=2e-3
    )


@pytest.mark.parametrize("start", pd.date_range("2024-01-01", periods=7))
@pytest.mark.parametrize("days", [95, 101, 364, 2000])
def test_weekdays_do_not_depend_on_where_the_record_begins(start, days):
    labels = pd.bdate_range(start, start + pd.Timedelta(days=days))
    assert annualisation(labels).periods_per_year == pytest.approx(365.25 * 5 / 7, rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pd.date_range("2024-01-01", periods=400, freq="D"), 365.25),
        (pd.date_range("2020-01-03", periods=60, freq="W-FRI"), 365.25 / 7),
        (pd.date_range("2015-01-31", periods=60, freq="ME"), 12.0),
        (pd.date_range("2015-01-31", periods=60, freq="BME"), 12.0),
        (pd.date_range("2015-03-31", periods=20, freq="QE"), 4.0),
        (pd.date_range("2015-12-31", periods=4, freq="YE"), 1.0),
    ],
)
def test_knows_other_lengths_of_bars(labels, expected):
    assert annualisation(labels).periods_per_year == pytest.approx(expected)


def gapped():
    return pd.bdate_range("2024-01-01", periods=100).append(
        pd.bdate_range("2024-09-02", periods=100)
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "carry no dates"),
        (pd.RangeIndex(300), "carry no dates"),
        (pd.DatetimeIndex([]), "0 observations"),
        (pd.DatetimeIndex(["2024-01-02"]), "1 observation show"),
        (pd.bdate_range("2024-01-01", periods=30), "too few"),
        (gapped(), "no return between 2024-05-17 and 2024-09-02"),
        (pd.date_range("2024-01-01", periods=100, freq="3D"), "more than a day apart"),
        (pd.date_range("2024-01-01", periods=30, freq="15D"), "15 to 15 days apart"),
    ],
)
def test_refuses_to_guess(labels, words):
    with pytest.raises(InvalidInputError, match=words) as caught:
        annualisation(labels)
    assert "pass periods_per_year" in str(caught.value)


def test_four_yearly_returns_are_not_taken_for_days():
    yearly = pd.Series([0.1] * 4, index=pd.date_range("2020-12-31", periods=4, freq="YE"))
    assert metrics.cagr(yearly) == pytest.approx(0.1)


@pytest.mark.parametrize("periods", [0, -1, np.nan, np.inf])
def test_refuses_impossible_periods(periods):
    with pytest.raises(InvalidInputError, match="above zero"):
        annualisation(None, periods_per_year=periods)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.date_range("2024-01-01", periods=2, tz="UTC"), "instants in UTC"),
        (pd.DatetimeIndex(["2024-01-02", "2024-01-01"]), "order of time"),
        (pd.DatetimeIndex(["2024-01-02", "2024-01-02"]), "order of time"),
        (pd.RangeIndex(2), "label it by session"),
    ],
)
def test_refuses_other_labels(index, words):
    with pytest.raises(InvalidInputError, match=words):
        labelled(pd.Series([0.01, 0.02], index=index))


def test_refuses_what_is_no_series():
    with pytest.raises(InvalidInputError, match="pass a Series"):
        labelled([0.01])


def test_sessions_that_begin_on_an_odd_day_are_counted():
    weekdays = pd.bdate_range("2024-01-22", "2024-12-31")
    labels = weekdays.insert(0, pd.Timestamp("2024-01-20"))  # a special session on a Saturday
    plain = annualisation(weekdays).periods_per_year
    assert annualisation(labels).periods_per_year == pytest.approx(plain, rel=0.01)


def test_losses_beyond_everything_are_no_prices():
    assert metrics.total_return([-1.5, 3.0]) == pytest.approx(-1.5)
    assert metrics.max_drawdown([-1.5]) == pytest.approx(-1.5)
