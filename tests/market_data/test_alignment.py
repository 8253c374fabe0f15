"""Where bars of several minutes may start: after the open and the break, or by the declared clock."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.errors import InvalidBarsError
from mismartera_analytics.market_data.resampling import resample_bars
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

NEW_YORK = "America/New_York"
pytestmark = pytest.mark.usefixtures("records")


def bars_at(*times: str, zone: str = NEW_YORK) -> pd.DataFrame:
    """Return a bar at each wall-clock time."""
    stamps = pd.DatetimeIndex([pd.Timestamp(time, tz=zone) for time in times])
    return make_minutes(count=len(times)).assign(timestamp=stamps)


@pytest.mark.parametrize(
    ("interval", "good", "bad"),
    [
        ("5m", ["09:30", "09:35", "15:55"], ["09:31"]),
        ("10m", ["09:30", "09:40", "09:50", "15:50"], ["09:35"]),
        ("15m", ["09:30", "09:45", "10:00"], ["09:40"]),
        ("30m", ["09:30", "10:00", "15:30"], ["09:45"]),
        ("45m", ["09:30", "10:15", "11:00"], ["10:30"]),
        ("1h", ["09:30", "10:30", "15:30"], ["11:00", "10:45"]),
        ("2h", ["09:30", "11:30", "13:30", "15:30"], ["12:30"]),
        ("15m", ["08:00", "08:15", "09:30", "16:00", "16:30"], ["08:02", "17:01"]),
    ],
)
def test_bars_start_whole_intervals_after_the_open(
    store: BarStore, interval: str, good: list[str], bad: list[str]
) -> None:
    day = [f"2025-07-02 {time}" for time in [*good, *bad]]
    reason = f"a time off the {interval} grid"
    with pytest.raises(InvalidBarsError, match=f"{len(bad)} with {reason}"):
        ma.ingest_bars(bars_at(*day), interval)
    summary = ma.ingest_bars(bars_at(*day), interval, on_bad="quarantine")
    assert summary.bad["reason"].tolist() == [reason] * len(bad)
    assert summary.bad["timestamp"].str.slice(11, 16).tolist() == bad
    assert store.read("AAPL", interval, tz=NEW_YORK)["timestamp"].dt.strftime(
        "%H:%M"
    ).tolist() == sorted(good)


def test_a_source_of_another_grid_is_told_what_to_say() -> None:
    clock = bars_at(*(f"2025-07-02 {hour}:00" for hour in range(10, 16)))
    with pytest.raises(InvalidBarsError, match=r"6 of 6 1h bars.*aligned='clock'.*tz and exchange"):
        ma.ingest_bars(clock, "1h")
    assert ma.ingest_bars(clock, "1h", aligned="clock").rows == 6


def test_by_the_clock_the_open_cuts_a_bar_and_nothing_else_may_be_off(store: BarStore) -> None:
    day = bars_at("2025-07-02 09:00", "2025-07-02 10:00", "2025-07-02 11:30", "2025-07-02 12:00")
    with pytest.raises(InvalidBarsError, match="1 with a time off the 1h grid"):
        ma.ingest_bars(day, "1h", aligned="clock")
    ma.ingest_bars(day.drop(index=2), "1h", aligned="clock")
    read = store.read("AAPL", "1h", tz=NEW_YORK)
    assert read["timestamp"].dt.strftime("%H:%M").tolist() == ["09:30", "10:00", "12:00"]


def test_breaks_begin_a_grid_of_their_own(store: BarStore) -> None:
    sync_calendars(["TSE"])
    zone = "Asia/Tokyo"
    day = [f"2025-07-02 {time}" for time in ("09:00", "10:00", "11:00", "12:30", "13:30", "14:30")]
    assert ma.ingest_bars(bars_at(*day, zone=zone), "1h", exchange="TSE").rows == 6
    with pytest.raises(InvalidBarsError, match="off the 1h grid"):
        ma.ingest_bars(bars_at(*day, "2025-07-02 13:00", zone=zone), "1h", exchange="TSE")
    clock = [f"2025-07-03 {time}:00" for time in ("09", "10", "11", "12", "13", "14")]
    ma.ingest_bars(bars_at(*clock, zone=zone), "1h", exchange="TSE", aligned="clock")
    read = store.read("AAPL", "1h", pd.Timestamp("2025-07-03", tz=zone), tz=zone)
    assert read["timestamp"].dt.strftime("%H:%M").tolist() == [
        "09:00", "10:00", "11:00", "12:30", "13:00", "14:00",
    ]  # fmt: skip


def test_a_late_open_is_held_to_minutes_only() -> None:
    silence = ["2001-09-17 09:33", "2001-09-17 09:45", "2001-09-17 10:00"]
    assert ma.ingest_bars(bars_at(*silence), "15m").rows == 3


@pytest.mark.parametrize("interval", ["5m", "10m", "15m", "30m", "45m", "1h", "2h"])
def test_what_resampling_makes_comes_in_again(interval: str, store: BarStore) -> None:
    calendar = trading_calendar("NYSE")
    times = pd.DatetimeIndex(calendar.minutes("2025-11-26", "2025-12-01"))
    rng = np.random.default_rng(1)
    minutes = make_minutes(count=len(times)).assign(timestamp=times)
    minutes = minutes[rng.random(len(minutes)) < 0.5]
    made = resample_bars(minutes, interval, calendar)
    assert ma.ingest_bars(made.drop(columns="session", errors="ignore"), interval).rows == len(made)


def test_the_store_itself_asks_for_whole_minutes(store: BarStore) -> None:
    store.write(bars_at("2001-09-17 09:33"), "15m")
    with pytest.raises(InvalidBarsError, match="off the 15m grid"):
        store.write(bars_at("2001-09-17 09:33:30"), "15m")
