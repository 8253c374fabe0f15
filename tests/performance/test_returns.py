"""Returns that know their calendar: the year from it, ambiguity refused, bars put to sessions."""

import math
import pickle

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError, UnknownNameError
from mismartera_analytics.performance import benchmark as against
from mismartera_analytics.performance import metrics, rolling, tables
from tests.performance.conftest import read_returns

MARKETS = {}


@pytest.fixture(autouse=True, scope="module")
def known(markets) -> None:
    MARKETS.update(markets)
    NET["calendar"] = markets["NYSE"]


NET = {"calendar": None, "interval": "1d", "currency": "USD", "basis": "net"}


def on_sessions(start: str, end: str, market: str = "NYSE", seed: int = 0) -> pd.Series:
    labels = MARKETS[market].labels(start, end)
    return pd.Series(np.random.default_rng(seed).normal(5e-4, 0.01, len(labels)), index=labels)


def on_bars(start: str, end: str, interval: str, market: str = "NYSE") -> pd.Series:
    starts = MARKETS[market].minutes(start, end, interval=interval)
    return pd.Series(np.random.default_rng(1).normal(1e-4, 0.002, len(starts)), index=starts)


@pytest.mark.parametrize("left_out", NET)
def test_what_numbers_do_not_tell_is_asked_for_by_name(left_out):
    given = {name: value for name, value in NET.items() if name != left_out}
    with pytest.raises(InvalidInputError, match=f"do not tell {left_out}; pass {left_out}="):
        ma.Returns(on_sessions("2024-01-02", "2024-12-31"), **given)


def test_everything_is_asked_for_at_once():
    with pytest.raises(InvalidInputError, match="calendar and interval and currency and basis"):
        ma.Returns(on_sessions("2024-01-02", "2024-12-31"))


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"calendar": 5}, InvalidInputError, "calendar=5"),
        ({"interval": "D"}, InvalidInputError, "interval='D'"),
        ({"interval": "1w"}, InvalidInputError, "most labels are 1 days apart"),
        ({"interval": "5d"}, InvalidInputError, "most labels are 1 sessions apart"),
        ({"interval": "1h"}, InvalidInputError, "naive labels"),
        ({"currency": "usd"}, InvalidInputError, "three capitals"),
        ({"basis": "clean"}, InvalidInputError, "'gross' or 'net'"),
    ],
)
def test_refuses_what_does_not_fit(changed, kind, words):
    with pytest.raises(kind, match=words):
        ma.Returns(on_sessions("2024-01-02", "2024-12-31"), **NET | changed)


def test_a_calendar_can_be_named(ready_database):
    values = on_sessions("2024-01-02", "2024-12-31")
    assert ma.Returns(values, **NET | {"calendar": "XNYS"}).year == ma.Returns(values, **NET).year
    with pytest.raises(UnknownNameError, match="did you mean"):
        ma.Returns(values, **NET | {"calendar": "NISE"})
    with pytest.raises(InvalidInputError, match="2024-01-02, when TSE had no session"):
        ma.Returns(values, **NET | {"calendar": "TSE"})


def test_refuses_monthly_returns_as_daily_ones():
    months = pd.Series(0.01, index=MARKETS["NYSE"].labels("2020-01-02", "2023-12-29")[::21])
    with pytest.raises(InvalidInputError, match="21 sessions apart"):
        ma.Returns(months, **NET)
    assert ma.Returns(months, **NET | {"interval": "21d"}).year.periods_per_year == pytest.approx(
        12, 0.01
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.01, 0.02], "this is list"),
        (pd.Series([0.01]), "this is int64"),
        (pd.Series([5.0, 6.0], index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"])), "prices"),
        (pd.Series([0.1, 0.2], index=pd.DatetimeIndex(["2024-01-03", "2024-01-02"])), "-02 comes"),
        (pd.Series([0.1, 0.2], index=pd.DatetimeIndex(["2024-01-03"] * 2)), "more than once"),
        (pd.Series([0.1], index=pd.DatetimeIndex([pd.NaT])), "1 labels that are missing"),
        (pd.Series([0.1], index=pd.DatetimeIndex(["2024-01-03T09:30"])), "no midnight"),
        (pd.Series([math.inf], index=pd.DatetimeIndex(["2024-01-03"])), "infinite"),
    ],
)  # fmt: skip
def test_refuses_what_are_no_returns(values, words):
    with pytest.raises(InvalidInputError, match=words):
        ma.Returns(values, **NET)


def test_dates_beyond_the_calendar_are_named():
    values = pd.Series([0.01], index=pd.DatetimeIndex(["1830-01-04"]))
    with pytest.raises(CalendarRangeError):
        ma.Returns(values, **NET)


@pytest.mark.parametrize("market", ["NYSE", "TSE", "24/7"])
def test_a_year_is_what_the_calendar_had(market):
    """A plain count: sessions of whole years over their number."""
    values = on_sessions("2015-01-01", "2024-12-31", market)
    record = ma.Returns(values, **NET | {"calendar": MARKETS[market]})
    assert record.year.periods_per_year == pytest.approx(len(values) / 10, rel=2e-3)
    assert market in record.year.basis


def test_gaps_and_short_records_have_the_calendars_year():
    full = on_sessions("2015-01-02", "2024-12-31")
    holed = ma.Returns(full.drop(full.index[300:900]), **NET)
    assert holed.year.periods_per_year == ma.Returns(full, **NET).year.periods_per_year
    short = ma.Returns(full.iloc[-5:], **NET)
    assert short.year.periods_per_year == pytest.approx(252, abs=1.5)
    table = ma.performance_summary(short)
    assert table["value"].notna().all()
    assert "not annualised" not in " ".join(table["note"])


def test_spy_has_the_same_year_from_its_labels_and_from_the_calendar(shared_data):
    """Its record lacks no session of NYSE."""
    spy = read_returns(shared_data, "SPY")
    record = ma.Returns(spy, **NET)
    assert metrics.sharpe_ratio(record) == pytest.approx(metrics.sharpe_ratio(spy), rel=1e-12)
    assert ma.performance_summary(record)["value"].tolist() == pytest.approx(
        ma.performance_summary(spy)["value"].tolist(), rel=1e-12
    )


@pytest.mark.parametrize(("market", "a_day"), [("NYSE", 7), ("TSE", 6)])
def test_bars_of_an_hour_have_as_many_a_year_as_the_sessions_hold(market, a_day):
    """NYSE's 6.5 hours are 7 bars, the last one short; Tokyo's twice 2.5 were 3 and 3."""
    values = on_bars("2022-01-04", "2023-12-29", "1h", market)
    record = ma.Returns(values, **NET | {"calendar": MARKETS[market], "interval": "1h"})
    sessions = len(MARKETS[market].labels("2022-01-04", "2023-12-29"))
    assert record.year.periods_per_year == pytest.approx(a_day * sessions / 2, rel=0.01)
    plain = values.mean() / values.std() * math.sqrt(record.year.periods_per_year)
    assert metrics.sharpe_ratio(record) == pytest.approx(plain, rel=1e-12)


def test_bars_are_compounded_to_sessions():
    values = on_bars("2024-11-25", "2024-12-05", "15m")
    values.iloc[:26] = math.nan
    values.iloc[30] = math.nan
    record = ma.Returns(values, **NET | {"interval": "15m"})
    found = record.by_session()
    labels = [stamp.tz_convert("America/New_York").date() for stamp in values.index]
    for label in sorted(set(labels)):
        product = 1.0
        for place, one in zip(labels, values, strict=True):
            if place == label and one == one:
                product *= 1 + one
        expected = math.nan if str(label) == "2024-11-25" else product - 1
        assert found.values[pd.Timestamp(label)] == pytest.approx(expected, nan_ok=True, abs=1e-14)
    assert str(found.interval) == "1d"
    pd.testing.assert_series_equal(tables.growth(record), tables.growth(found.values))
    assert ma.performance_summary(record)["value"].tolist() == pytest.approx(
        ma.performance_summary(found)["value"].tolist(), nan_ok=True
    )
    assert len(rolling.rolling_sharpe(record, window=3)) == len(found) - 1 - 2


def test_bars_outside_of_the_hours_are_refused():
    values = on_bars("2024-11-25", "2024-11-26", "1h")
    moved = values.set_axis(values.index + pd.Timedelta(hours=14))
    with pytest.raises(InvalidInputError, match="outside of the hours of NYSE"):
        ma.Returns(moved, **NET | {"interval": "1h"})
    with pytest.raises(InvalidInputError, match="0 days 01:00:00 apart"):
        ma.Returns(values, **NET | {"interval": "5m"})


def test_prices_become_returns_without_the_first():
    prices = 100 * (1 + on_sessions("2024-01-02", "2024-12-31")).cumprod()
    record = ma.Returns.from_prices(prices, **NET)
    assert len(record) == len(prices) - 1
    pd.testing.assert_series_equal(
        record.values, prices.pct_change().iloc[1:], check_names=False, rtol=1e-12
    )
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="every price must be above zero"):
            ma.Returns.from_prices(prices.where(prices.index != prices.index[7], bad), **NET)


def test_two_records_must_be_measured_alike():
    ours = ma.Returns(on_sessions("2023-01-03", "2024-12-31"), **NET)
    theirs = ma.Returns(
        on_sessions("2023-01-04", "2024-12-30", "TSE", 5), **NET | {"calendar": MARKETS["TSE"]}
    )
    table = ma.performance_summary(ours, benchmark=theirs)
    common = len(ours.values.index.intersection(theirs.values.index))
    note = table.loc["beta", "note"]
    assert note == f"{common} of {len(ours)} sessions are common; sessions of NYSE and of TSE"
    gross = ma.Returns(ours.values, **NET | {"basis": "gross"})
    assert (
        "net of costs, the benchmark gross"
        in ma.performance_summary(ours, benchmark=gross).loc["beta", "note"]
    )
    yen = ma.Returns(ours.values, **NET | {"currency": "JPY"})
    for compare in (against.beta, lambda a, b: ma.performance_summary(a, benchmark=b)):
        with pytest.raises(InvalidInputError, match="JPY"):
            compare(ours, yen)
    weekly = ma.Returns(ours.values.iloc[::5], **NET | {"interval": "1w"})
    with pytest.raises(InvalidInputError, match="interval 1d, the benchmark 1w"):
        against.beta(ours, weekly)


@pytest.mark.parametrize("values", [[], [math.nan], [0.01], [0.0, 0.0]])
def test_little_is_no_error(values):
    labels = MARKETS["NYSE"].labels("2024-01-02", "2024-12-31")[: len(values)]
    record = ma.Returns(pd.Series(values, index=labels, dtype=float), **NET)
    table = ma.performance_summary(record)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    assert tables.drawdown_table(record).empty
    assert repr(record).startswith(
        f"Returns({len(values)} of 1d on NYSE sessions, USD, net of costs"
    )


def test_it_travels():
    record = ma.Returns(on_sessions("2024-01-02", "2024-12-31"), **NET)
    again = pickle.loads(pickle.dumps(record))
    assert repr(again) == repr(record)
    pd.testing.assert_series_equal(again.values, record.values)
