"""Intervals that are not stored, read from shorter ones that are."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STORES: list[BarStore] = []


def minutes_of(
    calendar: TradingCalendar,
    start: str,
    end: str,
    *,
    symbol: str = "AAPL",
    interval: str = "1m",
    phase: str = "all",
) -> pd.DataFrame:
    times = calendar.minutes(start, end, interval=interval, phase=phase)
    return make_minutes(symbol, count=len(times)).assign(timestamp=times)


def test_what_is_not_stored_is_made(store: BarStore, nyse: TradingCalendar) -> None:
    bars = minutes_of(nyse, "2025-07-02", "2025-07-07")
    store.write(bars, "1m")
    for interval, hours in (("15m", "extended"), ("1h", "extended"), ("1d", "regular")):
        expected = ma.resample_bars(bars, interval, nyse, hours=hours)
        for read in (store.read("AAPL", interval), ma.bars("AAPL", interval)):
            pd.testing.assert_frame_equal(read, expected)
            assert read.attrs == {"derived_from": "1m"}
    weekly = store.read("AAPL", "1w", tz="Asia/Tokyo", columns=["volume"])
    assert list(weekly.columns) == ["symbol", "timestamp", "volume"]
    assert weekly["timestamp"].iloc[0].isoformat() == "2025-06-30T22:30:00+09:00"
    assert store.symbols("15m") == []  # reading stores nothing


def test_the_longest_stored_interval_is_taken(store: BarStore, nyse: TradingCalendar) -> None:
    """Told apart by their volumes: what is stored is not made of each other here."""
    for interval, volume in (("1m", 1.0), ("7m", 7.0), ("10m", 10.0), ("1h", 60.0), ("1d", 390.0)):
        bars = minutes_of(
            nyse, "2025-07-02", "2025-07-02", interval=interval if interval != "1d" else "1m"
        )
        bars = bars.assign(volume=volume)
        if interval == "1d":
            bars = ma.resample_bars(bars, "1d", nyse).assign(volume=volume)
        store.write(bars, interval)
    first = "2025-07-02T13:30Z"
    for interval, source in (
        ("5m", "1m"), ("14m", "7m"), ("30m", "10m"), ("90m", "10m"), ("2h", "1h"), ("1w", "1d"),
        ("1mo", "1d"),
    ):  # fmt: skip
        read = store.read("AAPL", interval, first if interval != "1mo" else None)
        assert read.attrs["derived_from"] == source, interval
    assert "derived_from" not in store.read("AAPL", "1h").attrs
    with pytest.raises(BarsNotFoundError, match="no 30s bars"):
        store.read("AAPL", "30s")


def test_stored_bars_of_a_symbol_win(store: BarStore, nyse: TradingCalendar) -> None:
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-03"), "1m")
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-03", symbol="MSFT", interval="5m"), "5m")
    stored = minutes_of(nyse, "2025-07-02", "2025-07-02", interval="15m", phase="regular")
    store.write(stored.assign(symbol="IBM"), "15m")
    both = store.read(["MSFT", "IBM", "AAPL"], "15m", "2025-07-02", "2025-07-02")
    counts = both.groupby("symbol").size()
    assert counts.to_dict() == {"AAPL": 64, "IBM": 26, "MSFT": 64}
    assert both["symbol"].is_monotonic_increasing
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-03", symbol="IBM"), "1m")
    assert store.read("IBM", "15m", "2025-07-03", "2025-07-03").empty
    assert frames.BARS.conform(both).dtypes.equals(both.dtypes)


@FEW
@given(
    data=st.data(),
    interval=st.sampled_from(["7m", "30m", "1h", "1d", "1w", "1mo"]),
    as_label=st.booleans(),
)
def test_ranges_cut_on_whole_bars(
    nyse: TradingCalendar, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject,
    interval: str, as_label: bool,
) -> None:  # fmt: skip
    store = made_store(tmp_path_factory, nyse)
    whole = store.read("AAPL", interval)
    if as_label:
        days = st.dates(dt.date(2025, 6, 25), dt.date(2025, 7, 12))
        cuts: list[object] = sorted(data.draw(st.lists(days, min_size=2, max_size=2)))
        start, end = cuts
        label = whole["session"]
        if interval in ("7m", "30m", "1h"):
            label = pd.Series(nyse.session_of(whole["timestamp"]))
        inside = label.between(pd.Timestamp(start), pd.Timestamp(end))
    else:
        moments = st.datetimes(
            dt.datetime(2025, 6, 25), dt.datetime(2025, 7, 12), timezones=st.just(dt.UTC)
        )
        start, end = sorted(data.draw(st.lists(moments, min_size=2, max_size=2)))
        inside = (whole["timestamp"] >= start) & (whole["timestamp"] < end)
    read = store.read("AAPL", interval, start, end)
    pd.testing.assert_frame_equal(read, whole[inside].reset_index(drop=True))


def made_store(factory: pytest.TempPathFactory, nyse: TradingCalendar) -> BarStore:
    """Give one store to all examples of the tests that only read."""
    if not STORES:
        store = BarStore(factory.mktemp("bars"), calendar=nyse)
        store.write(minutes_of(nyse, "2025-06-27", "2025-07-09"), "1m")
        STORES.append(store)
    return STORES[0]


@FEW
@given(
    cuts=st.lists(st.integers(0, 960), min_size=1, max_size=5),
    interval=st.sampled_from(["1m", "15m", "1h"]),
)
def test_a_union_of_ranges_is_the_union_of_reads(
    nyse: TradingCalendar, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], interval: str
) -> None:
    store = made_store(tmp_path_factory, nyse)
    begin = pd.Timestamp("2025-07-02T08:00Z")
    bounds = [begin + pd.Timedelta(minutes=cut) for cut in sorted({0, 960, *cuts})]
    parts = [store.read("AAPL", interval, *pair) for pair in itertools.pairwise(bounds)]
    together = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(together, store.read("AAPL", interval, bounds[0], bounds[-1]))


def test_versions_are_those_of_the_shorter_bars(store: BarStore, nyse: TradingCalendar) -> None:
    bars = minutes_of(nyse, "2025-07-02", "2025-07-02")
    store.write(bars, "1m")
    then = dt.datetime.now(dt.UTC)
    store.write(bars.assign(volume=1.0), "1m")
    old = ma.resample_bars(bars, "1h", nyse, hours="extended")
    pd.testing.assert_frame_equal(store.read("AAPL", "1h", as_of=0), old)
    pd.testing.assert_frame_equal(store.read("AAPL", "1h", as_of=then), old)
    assert store.read("AAPL", "1h", as_of=1)["volume"].sum() == 960.0
    with pytest.raises(InvalidInputError, match="as_of=2 is not a version of the 1m bars"):
        store.read("AAPL", "1h", as_of=2)
    with pytest.raises(InvalidInputError, match="there were no 1h bars then"):
        store.read("AAPL", "1h", as_of=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    # Once the interval is stored, a number is its version; an instant before that still finds minutes.
    store.write(old.assign(symbol="MSFT"), "1h")
    with pytest.raises(BarsNotFoundError, match=r"no 1h bars in .* of AAPL"):
        store.read(["AAPL", "MSFT"], "1h", as_of=0)
    pd.testing.assert_frame_equal(store.read("AAPL", "1h", as_of=then), old)
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-02", symbol="IBM", interval="5m"), "5m")
    with pytest.raises(InvalidInputError, match="made from 5m and 1m bars; give an instant"):
        store.read(["AAPL", "IBM"], "30m", as_of=0)


def test_unknown_symbols_are_still_told(store: BarStore, nyse: TradingCalendar) -> None:
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-02"), "1m")
    with pytest.raises(BarsNotFoundError, match=r"no 1h bars in .* of APPL, did you mean 'AAPL'"):
        store.read(["AAPL", "APPL"], "1h")
    assert store.read("AAPL", "1h", "2024-01-01", "2024-12-31").empty
    with pytest.raises(InvalidInputError, match="interval='1hour'"):
        store.read("AAPL", "1hour")


def test_adjusted_before_they_are_put_together(store: BarStore, nyse: TradingCalendar) -> None:
    """A week with a split in it has one scale."""
    bars = minutes_of(nyse, "2025-06-30", "2025-07-03", phase="regular")
    bars = bars.assign(open=40.0, high=40.0, low=40.0, close=40.0, volume=1.0)
    split = bars["timestamp"] >= pd.Timestamp("2025-07-02", tz="America/New_York")
    prices = ["open", "high", "low", "close"]
    bars.loc[split, prices] = 10.0
    store.write(bars, "1m")
    record_actions(
        pd.DataFrame(
            {"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": ["2025-07-02"], "ratio": 4.0}
        )
    )
    week = store.read("AAPL", "1w", adjust="split")
    assert week[prices].iloc[0].tolist() == [10.0] * 4
    assert week["volume"].tolist() == [2 * 390 * 4.0 + 390 + 210]
    assert store.read("AAPL", "1w")["high"].tolist() == [40.0]
    assert store.read("AAPL", "1w")["close"].tolist() == [10.0]


def test_each_symbol_has_its_own_sessions(store: BarStore, nyse: TradingCalendar) -> None:
    sync_calendars(["TSE"])
    tokyo = trading_calendar("TSE")
    record_instruments(pd.DataFrame({"symbol": ["7203"], "exchange_group": ["TSE"]}))
    store.write(minutes_of(tokyo, "2025-07-02", "2025-07-02", symbol="7203"), "1m")
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-02", phase="regular"), "1m")
    read = store.read(["7203", "AAPL"], "1h", "2025-07-01", "2025-07-03", tz="Asia/Tokyo")
    hours = read[read["symbol"] == "7203"]["timestamp"].dt.strftime("%H:%M").tolist()
    assert hours == ["09:00", "10:00", "11:00", "12:30", "13:30", "14:30"]
    assert np.isclose(read.groupby("symbol").size()["AAPL"], 7)


def test_labels_mean_the_sessions_of_each_symbols_market(
    store: BarStore, nyse: TradingCalendar
) -> None:
    """A label of Chicago begins the evening before New York's, one of Tokyo earlier still."""
    sync_calendars(["TSE", "CME"])
    futures = {"symbol": ["7203", "ES"], "exchange_group": ["TSE", "CME"]}
    record_instruments(pd.DataFrame({**futures, "asset_class": ["EQUITY", "FUTURES"]}))
    markets = {"7203": trading_calendar("TSE"), "AAPL": nyse, "ES": trading_calendar("CME")}
    for symbol, calendar in markets.items():
        store.write(minutes_of(calendar, "2025-07-01", "2025-07-03", symbol=symbol), "1m")
    expected = {
        name: c.minutes("2025-07-02", "2025-07-02", phase="all") for name, c in markets.items()
    }
    asked = list(markets), "1m", "2025-07-02", "2025-07-02"
    frames_read = [store.read(*asked, adjust=adjust) for adjust in (None, "split")]
    frames_read.append(store.dask(*asked).compute().reset_index())
    for read in frames_read:
        assert read["symbol"].is_monotonic_increasing
        for symbol, times in expected.items():
            own = read.loc[read["symbol"] == symbol, "timestamp"]
            assert own.tolist() == times.tolist(), symbol


def test_made_sessions_are_whole_on_every_market(store: BarStore, nyse: TradingCalendar) -> None:
    sync_calendars(["CME"])
    futures = {"symbol": ["ES"], "exchange_group": ["CME"], "asset_class": ["FUTURES"]}
    record_instruments(pd.DataFrame(futures))
    for symbol, calendar in (("ES", trading_calendar("CME")), ("AAPL", nyse)):
        store.write(minutes_of(calendar, "2025-07-01", "2025-07-03", symbol=symbol), "1m")
    for interval in ("1d", "15m"):
        every = store.read(["AAPL", "ES"], interval)
        day = store.read(["AAPL", "ES"], interval, "2025-07-02", "2025-07-02")
        assert set(day["symbol"]) == {"AAPL", "ES"}
        found = every.merge(day, how="inner")  # each bar of the day as in the whole
        assert len(found) == len(day)
    assert day.groupby("symbol").size().to_dict() == {"AAPL": 64, "ES": 96}


@pytest.mark.parametrize("interval", ["1m", "15m", "1d", "1w"])
@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59Z"])
def test_the_end_of_all_dates_is_no_bound(
    store: BarStore, nyse: TradingCalendar, interval: str, end: str
) -> None:
    store.write(minutes_of(nyse, "2025-07-02", "2025-07-03"), "1m")
    pd.testing.assert_frame_equal(
        store.read("AAPL", interval, None, end), store.read("AAPL", interval)
    )
