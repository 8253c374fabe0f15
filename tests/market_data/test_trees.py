"""A trading system's tree of Parquet files, written here in its layout, comes in unchanged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.trees import import_tree
from tests.market_data.conftest import make_minutes

NEW_YORK = "America/New_York"


def write_tree(root: Path, calendar: TradingCalendar) -> dict[str, pd.DataFrame]:
    """Minutes by day, 60m by day and days by year, in the exchange's time; returns what is in it."""
    labels = calendar.labels("2024-12-30", "2025-01-03")
    opens = calendar.opens(labels)
    parts: dict[str, list[pd.DataFrame]] = {"1m": [], "60m": [], "1d": []}
    for number, symbol in enumerate(["AAPL", "BRK.B"]):
        bars = root / "US_EQUITY" / "bars"
        for day, (label, opened) in enumerate(zip(labels, opens, strict=True)):
            for interval, step in [("1m", "1min"), ("60m", "60min")]:
                frame = make_minutes(symbol, count=6, seed=day * 10 + number)
                times = pd.date_range(opened, periods=6, freq=step, unit="us").tz_convert(NEW_YORK)
                frame["timestamp"] = times
                parts[interval].append(frame)
                folder = bars / interval / symbol / f"{label:%Y}" / f"{label:%m}"
                folder.mkdir(parents=True, exist_ok=True)
                frame.assign(interval=interval).to_parquet(folder / f"{label:%d}.parquet")
        daily = make_minutes(symbol, count=len(labels), seed=number + 100)
        daily["timestamp"] = labels.tz_localize(NEW_YORK)
        (bars / "1d" / symbol).mkdir(parents=True)
        for year, rows in daily.groupby(daily["timestamp"].dt.year):
            rows.to_parquet(bars / "1d" / symbol / f"{year}.parquet")
        parts["1d"].append(daily.assign(session=labels, timestamp=opens.tz_convert(NEW_YORK)))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def test_a_tree_is_read_back_identical(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    written = write_tree(tmp_path / "tree", nyse)
    summaries = import_tree(tmp_path / "tree")
    assert [s.interval for s in summaries] == ["1d", "1m", "1h"]
    assert [s.rows for s in summaries] == [len(written[n]) for n in ("1d", "1m", "60m")]
    for source, interval in [("1m", "1m"), ("60m", "1h"), ("1d", "1d")]:
        read = store.read(["AAPL", "BRK.B"], interval, tz=NEW_YORK)
        given = written[source].sort_values(["symbol", "timestamp"], ignore_index=True)
        pd.testing.assert_frame_equal(read[list(given.columns)], given)
    assert [s.version for s in import_tree(tmp_path / "tree")] == [0, 0, 0]


def test_only_what_is_asked_for(tmp_path: Path, store: BarStore, nyse: TradingCalendar) -> None:
    write_tree(tmp_path / "tree", nyse)
    assert [s.interval for s in import_tree(tmp_path / "tree", intervals=["60m"])] == ["1h"]
    assert store.symbols("1m") == []
    with pytest.raises(UnknownNameError, match="'5m' is not in the tree"):
        import_tree(tmp_path / "tree", intervals=["5m"])


def test_what_is_no_tree_is_said(tmp_path: Path, records: None) -> None:
    with pytest.raises(InvalidInputError, match="name the tree's top"):
        import_tree(tmp_path)
    (tmp_path / "US_EQUITY" / "bars" / "minutes").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match=r"minutes: interval='minutes' is not an interval"):
        import_tree(tmp_path)


def test_a_half_written_day_is_said_and_nothing_comes_in(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    write_tree(tmp_path / "tree", nyse)
    day = tmp_path / "tree/US_EQUITY/bars/1m/AAPL/2024/12/31.parquet"
    day.write_bytes(day.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"31\.parquet cannot be read"):
        import_tree(tmp_path / "tree", intervals=["1m"])
    assert store.version("1m") == -1


LAYOUTS = {"1s": "1s", "5s": "5s", "30s": "30s", "1m": "1min", "5m": "5min", "15m": "15min",
           "30m": "30min", "60m": "60min"}  # fmt: skip


@pytest.mark.parametrize("interval", LAYOUTS)
def test_every_interval_shorter_than_a_session_lies_by_day(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar, interval: str
) -> None:
    """Files over a change of year and of daylight saving, with and without a column `interval`."""
    labels = nyse.labels("2024-12-31", "2025-01-02").union(nyse.labels("2025-03-07", "2025-03-10"))
    parts = []
    for number, (label, opened) in enumerate(zip(labels, nyse.opens(labels), strict=True)):
        frame = make_minutes("SPY", count=5, seed=number)
        times = pd.date_range(opened, periods=5, freq=LAYOUTS[interval], unit="us")
        frame["timestamp"] = times.tz_convert(NEW_YORK)
        folder = tmp_path / f"US_EQUITY/bars/{interval}/SPY/{label:%Y}/{label:%m}"
        folder.mkdir(parents=True, exist_ok=True)
        named = frame if number % 2 else frame.assign(interval=interval)
        named.to_parquet(folder / f"{label:%d}.parquet")
        parts.append(frame)
    (summary,) = import_tree(tmp_path)
    ours = "1h" if interval == "60m" else interval
    assert (summary.interval, summary.rows, summary.symbols) == (ours, 20, ("SPY",))
    read = store.read("SPY", ours, tz=NEW_YORK).drop(columns="session")
    pd.testing.assert_frame_equal(read, pd.concat(parts, ignore_index=True)[list(read.columns)])


def test_weeks_lie_by_year_and_start_with_their_first_session(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    mondays = pd.date_range("2024-12-16", "2025-01-20", freq="W-MON", tz=NEW_YORK, unit="us")
    weekly = make_minutes("SPY", count=len(mondays)).assign(timestamp=mondays)
    folder = tmp_path / "US_EQUITY" / "bars" / "1w" / "SPY"
    folder.mkdir(parents=True)
    for year, rows in weekly.groupby(mondays.year):
        rows.to_parquet(folder / f"{year}.parquet")
    assert [s.rows for s in import_tree(tmp_path)] == [6]
    read = store.read("SPY", "1w")
    assert read["session"].astype("str").tolist() == [
        "2024-12-16", "2024-12-23", "2024-12-30", "2025-01-06", "2025-01-13", "2025-01-21",
    ]  # fmt: skip
    assert read["timestamp"].tolist() == nyse.opens(read["session"]).tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert read[name].tolist() == weekly[name].tolist()


def test_groups_of_other_zones_come_in_together(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    sync_calendars(["TSE"])
    for group, symbol, zone, day in (
        ("US_EQUITY", "SPY", NEW_YORK, "2025-07-02"),
        ("XTKS", "7203", "Asia/Tokyo", "2025-07-02"),
    ):
        folder = tmp_path / group / "bars" / "1d" / symbol
        folder.mkdir(parents=True)
        stamp = pd.Timestamp(day, tz=zone)
        make_minutes(symbol, count=1).assign(timestamp=[stamp]).to_parquet(folder / "2025.parquet")
    assert [s.symbols for s in import_tree(tmp_path)] == [("SPY",), ("7203",)]
    read = store.read(["7203", "SPY"], "1d")
    assert read["timestamp"].dt.strftime("%H:%M").tolist() == ["00:00", "13:30"]
    assert read["session"].astype("str").tolist() == ["2025-07-02"] * 2


def test_a_tree_may_be_declared_to_follow_the_clock(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    hours = pd.date_range("2025-07-02 09:00", periods=7, freq="1h", tz=NEW_YORK, unit="us")
    folder = tmp_path / "US_EQUITY/bars/60m/SPY/2025/07"
    folder.mkdir(parents=True)
    make_minutes("SPY", count=7).assign(timestamp=hours).to_parquet(folder / "02.parquet")
    with pytest.raises(InvalidBarsError, match="aligned='clock'"):
        import_tree(tmp_path)
    assert [s.rows for s in import_tree(tmp_path, aligned="clock")] == [7]
    assert store.read("SPY", "1h", tz=NEW_YORK)["timestamp"].dt.hour.tolist() == list(range(9, 16))


def test_the_folder_names_the_symbol(
    tmp_path: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    """A day's file without a column of symbols is of its folder's, not of a symbol named 31."""
    write_tree(tmp_path, nyse)
    day = tmp_path / "US_EQUITY/bars/1m/AAPL/2024/12/31.parquet"
    whole = pd.read_parquet(day)
    whole.drop(columns="symbol").to_parquet(day)
    import_tree(tmp_path, intervals=["1m"])
    assert store.symbols("1m") == ["AAPL", "BRK.B"]
    assert set(whole["close"]) <= set(store.read("AAPL", "1m")["close"])
    whole.assign(symbol="MSFT").to_parquet(day)
    with pytest.raises(InvalidBarsError, match=r"31\.parquet: .*'MSFT' in the folder of 'AAPL'"):
        import_tree(tmp_path, intervals=["1m"])
    assert store.version("1m") == 0
