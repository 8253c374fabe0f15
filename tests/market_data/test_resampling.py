"""Longer bars: against a plain aggregation of real minutes, and on calendars of every shape."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    CalendarRangeError,
    InvalidBarsError,
    InvalidInputError,
    NaiveDatetimeError,
    UnknownNameError,
)
from mismartera_analytics.models.database import Base
from tests.market_data.conftest import make_minutes

FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NEW_YORK = ZoneInfo("America/New_York")
MINUTES = {"SPY": "minute_SPY_2013-10.csv.gz", "AAPL": "minute_AAPL_2014-06.csv.gz"}
OPEN, CLOSE = dt.time(9, 30), dt.time(16)


def real_minutes(folder: Path, symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(folder / "us_equity" / MINUTES[symbol])
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"]).dt.tz_localize(NEW_YORK))


def plain(
    frame: pd.DataFrame, name_of: Callable[[dt.datetime], dt.datetime | None]
) -> pd.DataFrame:
    """Aggregate row by row; `name_of` gives the start of the longer bar that a local time is in."""
    bars: dict[tuple[str, dt.datetime], list[float]] = {}
    for row in frame.sort_values("timestamp").itertuples():
        start = name_of(row.timestamp.to_pydatetime())
        if start is None:
            continue
        bar = bars.get((row.symbol, start))
        if bar is None:
            bars[row.symbol, start] = [row.open, row.high, row.low, row.close, float(row.volume)]
        else:
            bar[1], bar[2] = max(bar[1], row.high), min(bar[2], row.low)
            bar[3], bar[4] = row.close, bar[4] + row.volume
    rows = [(*key, *values) for key, values in sorted(bars.items())]
    return pd.DataFrame(rows, columns=["symbol", "timestamp", *COLUMNS])


COLUMNS = ["open", "high", "low", "close", "volume"]


def regular(moment: dt.datetime, minutes: int | None) -> dt.datetime | None:
    if not OPEN <= moment.time() < CLOSE:
        return None
    opened = dt.datetime.combine(moment.date(), OPEN, moment.tzinfo)
    if minutes is None:
        return opened
    return moment - (moment - opened) % dt.timedelta(minutes=minutes)


def extended(moment: dt.datetime, minutes: int | None) -> dt.datetime | None:
    opened = dt.datetime.combine(moment.date(), OPEN, moment.tzinfo)
    if minutes is None:
        return opened
    begins = [dt.time(4), OPEN, CLOSE]
    start = max(time for time in begins if time <= moment.time())
    begun = dt.datetime.combine(moment.date(), start, moment.tzinfo)
    return moment - (moment - begun) % dt.timedelta(minutes=minutes)


@pytest.mark.parametrize("symbol", ["SPY", "AAPL"])
@pytest.mark.parametrize(
    ("interval", "minutes"), [("5m", 5), ("7m", 7), ("30m", 30), ("1h", 60), ("1d", None)]
)
@pytest.mark.parametrize("hours", ["regular", "extended"])
def test_real_minutes_equal_a_plain_aggregation(
    nyse: TradingCalendar,
    shared_data: Path,
    symbol: str,
    interval: str,
    minutes: int | None,
    hours: str,
) -> None:
    bars = real_minutes(shared_data, symbol)
    place = regular if hours == "regular" else extended
    expected = plain(bars, lambda moment: place(moment, minutes))
    made = ma.resample_bars(bars, interval, nyse, hours=hours)
    assert made["symbol"].tolist() == expected["symbol"].tolist()
    assert [t.to_pydatetime() for t in made["timestamp"]] == expected["timestamp"].tolist()
    np.testing.assert_array_equal(made[COLUMNS].to_numpy(), expected[COLUMNS].to_numpy())
    assert made["timestamp"].dt.tz.key == "America/New_York"
    if interval == "1d":
        assert [s.date() for s in made["session"]] == [t.date() for t in expected["timestamp"]]
    else:
        assert made["session"].isna().all()


def test_half_hours_and_hours_start_with_the_session(
    nyse: TradingCalendar, shared_data: Path
) -> None:
    both = pd.concat([real_minutes(shared_data, symbol) for symbol in MINUTES])
    for interval, first in (("30m", "10:00"), ("1h", "10:30")):
        made = ma.resample_bars(both, interval, nyse)
        assert made["symbol"].unique().tolist() == ["AAPL", "SPY"]
        times = made["timestamp"].dt.strftime("%H:%M")
        assert times.iloc[:2].tolist() == ["09:30", first]
        assert times.min() == "09:30"


def by_clock(moment: dt.datetime) -> dt.datetime | None:
    return moment.replace(minute=0) if OPEN <= moment.time() < CLOSE else None


def test_regrouped_by_the_clock_they_equal_the_hourly_file(shared_data: Path) -> None:
    """To the share in volume; in prices within 2 in 10,000: single prints differ, the source's hours
    and minutes being made apart from each other."""
    hourly = pd.read_csv(shared_data / "us_equity" / "hour_AAPL.csv.gz")
    stamps = pd.to_datetime(hourly["timestamp"]).dt.tz_localize(NEW_YORK)
    minutes = real_minutes(shared_data, "AAPL")
    made = plain(minutes, by_clock)
    both = made.merge(
        hourly.assign(timestamp=stamps), on=["symbol", "timestamp"], suffixes=("", "_file")
    )
    assert len(both) == len(made) == 21
    assert both["volume"].tolist() == both["volume_file"].tolist()
    for name in COLUMNS[:4]:
        np.testing.assert_allclose(both[name], both[name + "_file"], rtol=2e-4)


@pytest.mark.parametrize("symbol", ["SPY", "AAPL"])
def test_sessions_equal_the_daily_file(
    nyse: TradingCalendar, shared_data: Path, symbol: str
) -> None:
    """Open, close and volume of regular hours exactly: of these days the minutes hold the auctions'
    prints. High and low within 1 in 10,000. With extended hours they differ by percents."""
    daily = pd.read_csv(shared_data / "us_equity" / f"daily_{symbol}.csv.gz")
    daily["session"] = pd.to_datetime(daily["timestamp"]).astype("datetime64[us]")
    minutes = real_minutes(shared_data, symbol)
    made = ma.resample_bars(minutes, "1d", nyse)
    both = made.merge(daily, on=["symbol", "session"], suffixes=("", "_file"))
    assert len(both) == len(made) == minutes["timestamp"].dt.date.nunique()
    for name in ("open", "close", "volume"):
        assert both[name].tolist() == both[name + "_file"].tolist()
    for name in ("high", "low"):
        np.testing.assert_allclose(both[name], both[name + "_file"], rtol=1e-4)
    whole = ma.resample_bars(minutes, "1d", nyse, hours="extended")
    assert (whole["volume"] > made["volume"]).all()


@pytest.fixture(scope="module")
def markets() -> Iterator[Callable[[str], TradingCalendar]]:
    """Give calendars of the packaged rules by name."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        sync_calendars(["NYSE", "TSE", "HKEX", "CME", "24/7"], db_session=db_session)
        yield functools.cache(lambda name: trading_calendar(name, db_session=db_session))
    engine.dispose()


def every_minute(
    calendar: TradingCalendar, start: str, end: str | None = None, phase: str = "regular"
) -> pd.DataFrame:
    """Return a bar for each minute of a phase, its volume 1 and its prices the minute's number."""
    times = calendar.minutes(start, end or start, phase=phase)
    price = np.arange(len(times)) + 1.0
    values = {"open": price, "high": price + 0.5, "low": price - 0.5, "close": price + 0.25}
    return pd.DataFrame({"symbol": "X", "timestamp": times, **values, "volume": 1.0})


@pytest.mark.parametrize(
    ("name", "day", "hourly"),
    [
        ("NYSE", "2025-11-28", {"09:30": 60, "10:30": 60, "11:30": 60, "12:30": 30}),
        (
            "TSE",
            "2025-07-02",
            {"09:00": 60, "10:00": 60, "11:00": 30, "12:30": 60, "13:30": 60, "14:30": 60},
        ),
        (
            "TSE",
            "2024-11-01",
            {"09:00": 60, "10:00": 60, "11:00": 30, "12:30": 60, "13:30": 60, "14:30": 30},
        ),
        (
            "HKEX",
            "2025-07-02",
            {"09:30": 60, "10:30": 60, "11:30": 30, "13:00": 60, "14:00": 60, "15:00": 60},
        ),
        ("CME", "2025-03-10", {f"{hour % 24:02}:00": 60 for hour in range(17, 41)}),
        ("24/7", "2025-03-09", {f"{hour:02}:00": 60 for hour in range(24)}),
    ],
)
def test_hours_of_every_kind_of_session(
    markets: Callable[[str], TradingCalendar], name: str, day: str, hourly: dict[str, int]
) -> None:
    calendar = markets(name)
    minutes = every_minute(calendar, day)
    made = ma.resample_bars(minutes, "1h", calendar)
    local = made["timestamp"].dt.tz_convert(calendar.timezone).dt.strftime("%H:%M")
    assert dict(zip(local, made["volume"], strict=True)) == hourly
    firsts = np.concatenate([[0], np.cumsum(made["volume"])[:-1]]) + 1
    assert made["open"].tolist() == firsts.tolist()
    assert made["close"].tolist() == (np.cumsum(made["volume"]) + 0.25).tolist()
    session = ma.resample_bars(minutes, "1d", calendar)
    assert session["session"].tolist() == [pd.Timestamp(day)]
    assert session["timestamp"].iloc[0] == calendar.session(day).regular_open
    assert session[COLUMNS].iloc[0].tolist() == [
        1.0, len(minutes) + 0.5, 0.5, len(minutes) + 0.25, len(minutes)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["NYSE", "TSE", "HKEX", "CME", "24/7"])
@pytest.mark.parametrize(
    ("start", "end"), [("2024-10-28", "2024-11-08"), ("2025-12-22", "2026-01-02")]
)
def test_every_bar_is_one_of_the_calendar_s(
    markets: Callable[[str], TradingCalendar], name: str, start: str, end: str
) -> None:
    """Over changes of clocks and of hours, holidays and early closes."""
    calendar = markets(name)
    minutes = every_minute(calendar, start, end, phase="all")
    for interval in ("7m", "1h", "4h"):
        made = ma.resample_bars(minutes, interval, calendar, hours="extended", off_session="raise")
        starts = calendar.minutes(start, end, interval=interval, phase="all")
        assert made["timestamp"].tolist() == starts.tolist()
        firsts = np.concatenate([[0], np.cumsum(made["volume"])[:-1]]) + 1
        assert made["open"].tolist() == firsts.tolist()
        assert made["volume"].sum() == len(minutes)
    daily = ma.resample_bars(minutes, "1d", calendar)
    assert daily["session"].tolist() == calendar.labels(start, end).tolist()
    assert daily["timestamp"].tolist() == calendar.opens(daily["session"]).tolist()
    assert daily["volume"].sum() == len(calendar.minutes(start, end))


def test_no_bar_reaches_from_one_phase_into_another(
    markets: Callable[[str], TradingCalendar],
) -> None:
    nyse = markets("NYSE")
    minutes = every_minute(nyse, "2025-11-28", phase="all")
    made = ma.resample_bars(minutes, "2h", nyse, hours="extended")
    local = made["timestamp"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M").tolist()
    # The pre-market 04:00 to 09:30, the regular hours to 13:00, the post-market to 17:00.
    assert local == ["04:00", "06:00", "08:00", "09:30", "11:30", "13:00", "15:00"]
    assert made["volume"].tolist() == [120.0, 120.0, 90.0, 120.0, 90.0, 120.0, 120.0]
    whole = ma.resample_bars(minutes, "1d", nyse, hours="extended")
    assert whole["volume"].tolist() == [780.0]
    assert whole["timestamp"].iloc[0] == nyse.session("2025-11-28").regular_open
    assert ma.resample_bars(minutes, "1d", nyse).attrs["left_out"] == 570


@pytest.mark.parametrize(
    ("interval", "firsts"),
    [
        ("1w", ["2024-12-30", "2025-01-06", "2025-01-13", "2025-01-21", "2025-01-27"]),
        ("2w", ["2024-12-30", "2025-01-13", "2025-01-27"]),
        ("5d", ["2024-12-30", "2025-01-02", "2025-01-10", "2025-01-17", "2025-01-27"]),
        ("1mo", ["2024-12-02", "2025-01-02"]),
        ("3mo", ["2024-10-01", "2025-01-02"]),
        ("12mo", ["2024-01-02", "2025-01-02"]),
    ],
)
def test_longer_bars_are_named_by_their_first_session(
    markets: Callable[[str], TradingCalendar], interval: str, firsts: list[str]
) -> None:
    nyse = markets("NYSE")
    labels = nyse.labels("2024-12-31", "2025-01-31")
    hourly = ma.resample_bars(every_minute(nyse, "2024-12-31", "2025-01-31"), "1h", nyse)
    made = ma.resample_bars(hourly, interval, nyse)
    assert made["session"].dt.strftime("%Y-%m-%d").tolist() == firsts
    assert made["timestamp"].tolist() == nyse.opens(firsts).tolist()
    assert made["volume"].sum() == 390 * len(labels)
    daily = ma.resample_bars(hourly, "1d", nyse)
    assert daily["session"].tolist() == labels.tolist()
    pd.testing.assert_frame_equal(ma.resample_bars(daily, interval, nyse), made)
    assert nyse.align(daily["timestamp"], interval=interval).unique().tolist() == (
        made["timestamp"].tolist()
    )


def test_sessions_follow_the_clocks_of_their_market(
    markets: Callable[[str], TradingCalendar],
) -> None:
    nyse, cme = markets("NYSE"), markets("CME")
    made = ma.resample_bars(every_minute(nyse, "2025-03-07", "2025-03-10"), "30m", nyse)
    firsts = made.groupby(made["timestamp"].dt.date)["timestamp"].min()
    assert firsts.dt.strftime("%H:%M").tolist() == ["14:30", "13:30"]  # in UTC
    assert len(made) == 26
    # The night in which clocks are set forward belongs to Monday's session, 23 hours long or not.
    overnight = ma.resample_bars(every_minute(cme, "2025-03-10"), "1d", cme)
    assert overnight["timestamp"].dt.tz_convert(cme.timezone).iloc[0] == pd.Timestamp(
        "2025-03-09 17:00", tz=cme.timezone
    )


@FEW
@given(
    rows=st.lists(st.integers(0, 2 * 960 - 1), min_size=1, max_size=200, unique=True),
    step=st.sampled_from(["5m", "10m", "15m", "30m"]),
    hours=st.sampled_from(["regular", "extended"]),
    seed=st.integers(0, 10),
)
def test_steps_in_between_change_nothing(
    markets: Callable[[str], TradingCalendar], rows: list[int], step: str, hours: str, seed: int
) -> None:
    nyse = markets("NYSE")
    times = nyse.minutes("2025-07-01", "2025-07-02", phase="all")[sorted(rows)]
    bars = make_minutes("A", count=len(times), seed=seed).assign(timestamp=times)
    bars = pd.concat([bars, bars.assign(symbol="B")]).sample(frac=1, random_state=seed)
    between = ma.resample_bars(bars, step, nyse, hours=hours, source="1m")
    for interval in ("1h", "1d", "1w"):
        straight = ma.resample_bars(bars, interval, nyse, hours=hours, source="1m")
        stepped = ma.resample_bars(between, interval, nyse, hours=hours, source=step)
        pd.testing.assert_frame_equal(stepped, straight)
        again = ma.resample_bars(straight, interval, nyse, hours=hours, source=interval)
        pd.testing.assert_frame_equal(again, straight)
        starts = nyse.align(
            bars["timestamp"],
            interval=interval,
            phase="regular" if hours == "regular" else "all",
        )
        if interval == "1h":
            assert straight["timestamp"].unique().tolist() == sorted(starts.dropna().unique())


def test_symbols_and_zones_stay(nyse: TradingCalendar) -> None:
    empty = ma.resample_bars(make_minutes(count=0), "1h", nyse)
    pd.testing.assert_frame_equal(empty, frames.BARS.empty())
    bars = pd.concat([make_minutes("MSFT", count=7), make_minutes("AAPL", count=7)])
    bars.attrs["source"] = "a vendor"
    before = bars.copy()
    made = ma.resample_bars(bars, "5m", "NYSE")
    pd.testing.assert_frame_equal(bars, before)
    assert made["symbol"].tolist() == ["AAPL", "AAPL", "MSFT", "MSFT"]
    assert made.attrs == {"source": "a vendor", "left_out": 0, "off_session": 0}
    as_objects = bars.assign(
        symbol=bars["symbol"].astype("object"), volume=bars["volume"].astype(int)
    )
    as_categories = bars.assign(symbol=bars["symbol"].astype("category"))
    for same in (as_objects, as_categories, bars.iloc[::-1]):
        pd.testing.assert_frame_equal(ma.resample_bars(same, "5m", nyse), made)
    one = ma.resample_bars(bars.iloc[:1], "1d", nyse)
    assert one[COLUMNS].to_numpy().tolist() == bars[COLUMNS].iloc[:1].to_numpy().tolist()


@pytest.mark.parametrize(
    ("interval", "source", "told"),
    [
        ("7m", "5m", "interval=7m cannot be made of 5m bars"),
        ("30m", "1h", "interval=30m cannot be made of 1h bars"),
        ("1h", None, "interval=1h cannot be made of 2h bars .the commonest distance"),
        ("1h", "1d", "source=1d, but the bars start at other times than midnight"),
        ("5mo", "1h", "interval=5mo has no bars made of sessions"),
        ("60", "1m", "interval='60' is not an interval"),
        ("1h", "1min", "source='1min' is not an interval"),
    ],
)
def test_intervals_that_do_not_fit(
    nyse: TradingCalendar, interval: str, source: str | None, told: str
) -> None:
    bars = make_minutes(count=3)
    bars["timestamp"] = pd.date_range("2025-07-02T13:30Z", periods=3, freq="2h")
    with pytest.raises(InvalidInputError, match=told):
        ma.resample_bars(bars, interval, nyse, source=source)


def test_bars_of_sessions_are_not_cut(nyse: TradingCalendar) -> None:
    daily = ma.resample_bars(every_minute(nyse, "2025-06-02", "2025-06-30"), "1d", nyse)
    weekly = ma.resample_bars(daily, "1w", nyse)
    for bars, interval in ((daily, "1h"), (daily.iloc[:1], "1h"), (weekly, "1mo"), (weekly, "1d")):
        with pytest.raises(InvalidInputError, match=rf"interval={interval} cannot be made of"):
            ma.resample_bars(bars, interval, nyse)
    unlabelled = weekly.drop(columns="session")
    with pytest.raises(InvalidInputError, match=r"interval=1mo cannot be made of 1w bars"):
        ma.resample_bars(unlabelled, "1mo", nyse)
    half = daily.assign(session=daily["session"].where(daily.index > 3))
    with pytest.raises(InvalidBarsError, match="4 of 20 bars have no session"):
        ma.resample_bars(half, "1w", nyse)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("after_midnight", ["0h", "9h30min"])
@pytest.mark.parametrize("source", [None, "1d"])
def test_days_without_labels_are_known_by_midnights_and_opens(
    nyse: TradingCalendar, zone: str, after_midnight: str, source: str | None
) -> None:
    """Over a change of clocks and a holiday, 2025-03-08 to 10 and 2025-01-20."""
    days = pd.date_range("2025-01-13", "2025-03-14", freq="B", unit="us")
    local = NEW_YORK if after_midnight != "0h" else zone
    times = (days + pd.Timedelta(after_midnight)).tz_localize(local).tz_convert(zone)
    bars = make_minutes(count=len(days)).assign(timestamp=times)
    labelled = bars.assign(session=days)
    made = ma.resample_bars(bars, "1w", nyse, source=source)
    pd.testing.assert_frame_equal(made, ma.resample_bars(labelled, "1w", nyse))
    assert made.attrs["off_session"] == 2
    assert len(made) == 9
    with pytest.raises(InvalidInputError, match="interval=1h cannot be made of 1d bars"):
        ma.resample_bars(bars, "1h", nyse, source=source)


def test_hours_of_the_clock_are_refused_where_they_would_mix(nyse: TradingCalendar) -> None:
    bars = make_minutes(count=7)
    hours = pd.date_range("2025-07-02 09:00", periods=7, freq="1h", tz=NEW_YORK)
    with pytest.raises(InvalidBarsError, match=r"1h bars follow the clock.*09:00.*aligned='clock'"):
        ma.resample_bars(bars.assign(timestamp=hours), "1d", nyse)
    begun = hours.where(hours.hour > 9, hours + pd.Timedelta(minutes=30))
    assert len(ma.resample_bars(bars.assign(timestamp=begun), "1d", nyse)) == 1
    with pytest.raises(InvalidBarsError, match=r"bar of AAPL at 2025-07-02 15:00.* reaches from"):
        ma.resample_bars(bars.assign(timestamp=begun), "2h", nyse)
    # An hour that begins before an early close is the last one, however long it would have been.
    early = pd.date_range("2025-11-28 09:30", periods=4, freq="1h", tz=NEW_YORK)
    last = ma.resample_bars(bars.iloc[:4].assign(timestamp=early), "2h", nyse)
    assert last["timestamp"].dt.strftime("%H:%M").tolist() == ["09:30", "11:30"]


def test_bars_off_the_sessions(nyse: TradingCalendar) -> None:
    times = pd.to_datetime(["2025-07-03T16:59Z", "2025-07-04T15:00Z", "2025-07-07T13:30Z"])
    bars = make_minutes(count=3).assign(timestamp=times)
    made = ma.resample_bars(bars, "1d", nyse)
    assert made["session"].dt.day.tolist() == [3, 7]
    assert made.attrs["off_session"] == 1
    with pytest.raises(InvalidBarsError, match=r"1 of 3 bars of AAPL .*2025-07-04 15:00"):
        ma.resample_bars(bars, "1d", nyse, off_session="raise")
    with pytest.raises(InvalidBarsError, match="1 of 1 bars of AAPL lie in no session of NYSE"):
        ma.resample_bars(bars.iloc[1:2], "1d", nyse)
    with pytest.raises(CalendarRangeError):
        ma.resample_bars(bars.assign(timestamp=times - pd.Timedelta(days=70_000)), "1d", nyse)
    holiday = ma.resample_bars(bars.iloc[:1], "1d", nyse).assign(session=pd.Timestamp("2025-07-04"))
    with pytest.raises(InvalidBarsError, match="the one of 2025-07-04 for instance"):
        ma.resample_bars(holiday, "1w", nyse)
    with pytest.raises(CalendarRangeError, match="1945-07-04"):
        ma.resample_bars(holiday.assign(session=pd.Timestamp("1945-07-04")), "1w", nyse)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"close": np.nan}, InvalidBarsError, "1 with close no finite number"),
        ({"high": 1.0}, InvalidBarsError, "1 with open above high"),
        ({"volume": -1.0}, InvalidBarsError, "1 with volume negative"),
        ({"timestamp": pd.Timestamp("2025-07-02T13:30Z")}, InvalidBarsError, "repeated"),
        ({"timestamp": pd.NaT}, InvalidBarsError, "1 with no time"),
        ({"symbol": None}, InvalidBarsError, "column 'symbol' holds"),
        ({"symbol": "../etc"}, InvalidBarsError, "column 'symbol' holds '../etc'"),
    ],
)
def test_bad_bars_are_named(
    nyse: TradingCalendar, change: dict[str, object], error: type[Exception], told: str
) -> None:
    bars = make_minutes()
    for name, value in change.items():
        bars.loc[3, name] = value
    with pytest.raises(error, match=told):
        ma.resample_bars(bars, "5m", nyse)


def test_arguments_are_checked_at_the_edge(nyse: TradingCalendar) -> None:
    bars = make_minutes()
    with pytest.raises(InvalidInputError, match="hours='all' must be one of regular, extended"):
        ma.resample_bars(bars, "5m", nyse, hours="all")
    with pytest.raises(InvalidInputError, match="off_session='keep'"):
        ma.resample_bars(bars, "5m", nyse, off_session="keep")
    with pytest.raises(UnknownNameError, match="did you mean 'NYSE'"):
        ma.resample_bars(bars, "5m", "NSYE")
    with pytest.raises(InvalidInputError, match="frame=list must be a DataFrame"):
        ma.resample_bars([bars], "5m", nyse)
    with pytest.raises(InvalidInputError, match="calendar=3 must be"):
        ma.resample_bars(bars, "5m", 3)
    with pytest.raises(InvalidBarsError, match=r"lack the columns \['volume'\]"):
        ma.resample_bars(bars.drop(columns="volume"), "5m", nyse)
    with pytest.raises(NaiveDatetimeError, match="timestamp"):
        ma.resample_bars(bars.assign(timestamp=bars["timestamp"].dt.tz_localize(None)), "5m", nyse)
