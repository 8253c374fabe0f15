"""The store as its user sees it: upserts, ranges, versions, and frames that are the caller's own."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics import config, frames
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidBarsError,
    InvalidInputError,
    NaiveDatetimeError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.market_data import bar_files, bar_table
from mismartera_analytics.market_data.bar_table import BarTable
from mismartera_analytics.market_data.layout import layout_of
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import files_of, make_minutes

FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MINUTE = pd.Timedelta(minutes=1)
START = pd.Timestamp("2025-12-31T20:00Z")


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def daily(symbol: str, sessions: list[str], close: float = 10.0) -> pd.DataFrame:
    labels = pd.to_datetime(sessions).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session": labels,
            "timestamp": labels.tz_localize("America/New_York") + pd.Timedelta(hours=9.5),
            "open": 10.0, "high": 12.0, "low": 9.0, "close": close, "volume": 100.0,
        }
    )  # fmt: skip


def test_nothing_is_made_before_the_first_write(store: BarStore) -> None:
    assert store.symbols("1m") == []
    assert store.version("1m") == -1
    assert store.versions("1m").empty
    assert store.coverage("1m").empty
    assert store.write(make_minutes(count=0), "1m") == -1
    with pytest.raises(BarsNotFoundError, match=r"no 1m bars in .*ingest_bars"):
        store.read("AAPL", "1m")
    assert place_of(store.uri).listed() == []
    assert not Path(config.settings().home / "data").exists()


@pytest.mark.parametrize("interval", ["1s", "1m"])
@pytest.mark.parametrize("count", [1, 5, 400])
def test_what_is_written_is_read(store: BarStore, interval: str, count: int) -> None:
    given_bars = pd.concat(
        [make_minutes(s, "2025-12-31T23:57Z", count, i) for i, s in enumerate(["MSFT", "AAPL"])]
    )
    shuffled = given_bars.sample(frac=1, random_state=1)
    assert store.write(shuffled, interval) == 0
    read = store.read(["MSFT", "AAPL"], interval)
    expected = frames.BARS.conform(given_bars.assign(session=pd.NaT))
    pd.testing.assert_frame_equal(read, expected)
    assert frames.BARS.conform(read).dtypes.equals(read.dtypes)


def test_daily_bars_are_keyed_by_their_session(store: BarStore) -> None:
    store.write(daily("AAPL", ["2024-12-31", "2025-01-02"]), "1d")
    moved = daily("AAPL", ["2025-01-02"], close=11.0)
    moved["timestamp"] += pd.Timedelta(hours=1)  # a late open that became known afterwards
    assert store.write(moved, "1d") == 1
    read = store.read("AAPL", "1d")
    assert read["close"].tolist() == [10.0, 11.0]
    assert read["timestamp"].iloc[1] == pd.Timestamp("2025-01-02 10:30", tz="America/New_York")
    pd.testing.assert_frame_equal(frames.BARS.conform(read), read)


def test_empty_range_of_a_known_symbol_is_an_empty_frame(store: BarStore) -> None:
    store.write(daily("AAPL", ["2025-01-02"]), "1d")
    read = store.read("AAPL", "1d", "2020-01-01", "2020-12-31")
    pd.testing.assert_frame_equal(read, frames.BARS.empty())


def test_unknown_symbol_names_the_nearest(store: BarStore) -> None:
    store.write(daily("AAPL", ["2025-01-02"]), "1d")
    with pytest.raises(BarsNotFoundError, match="APPL, did you mean 'AAPL'"):
        store.read(["APPL", "AAPL"], "1d")
    with pytest.raises(LookupError, match="bars of 1 symbols"):
        store.read("XXXX", "1d")


@pytest.mark.parametrize(
    "symbol", ["../../etc", "A/B", "", "A" * 11, "..", "a b", "A..B", "\u00c4", None, 3]
)
def test_what_is_no_symbol_is_refused(store: BarStore, symbol: object) -> None:
    with pytest.raises(InvalidInputError, match="1 to 10 characters out of A-Z"):
        store.read([symbol], "1m")  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match="1 to 10 characters out of A-Z"):
        store.write(make_minutes().assign(symbol=symbol), "1m")
    assert place_of(store.uri).listed() == []


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK-B", "^GSPC", "EURUSD=X", "0700.HK", "es_F", "A"])
def test_symbols_of_many_markets_survive_the_disk(store: BarStore, symbol: str) -> None:
    store.write(make_minutes(symbol), "1m")
    store.write(make_minutes(symbol, seed=2), "1m")
    assert store.symbols("1m") == [symbol]
    expected = make_minutes(symbol, seed=2)["close"].to_numpy()
    np.testing.assert_array_equal(store.read(symbol, "1m")["close"], expected)


def test_labels_include_both_ends_and_instants_do_not(
    store: BarStore, nyse: TradingCalendar
) -> None:
    store.write(daily("AAPL", ["2025-01-02", "2025-01-03", "2025-01-06"]), "1d")
    assert len(store.read("AAPL", "1d", "2025-01-02", "2025-01-03")) == 2
    opened = pd.Timestamp("2025-01-03 09:30", tz="America/New_York")
    assert len(store.read("AAPL", "1d", end=opened)) == 1
    assert len(store.read("AAPL", "1d", start=opened)) == 2
    assert len(store.read("AAPL", "1d", "2025-01-02", opened)) == 1
    minutes = pd.concat(
        [
            make_minutes(start=f"{day}T{hour}Z", count=1)
            for day, hour in [
                ("2025-07-02", "07:59"), ("2025-07-02", "08:00"), ("2025-07-02", "23:59"),
                ("2025-07-03", "00:00"), ("2025-07-03", "16:00"), ("2025-07-03", "21:00"),
            ]
        ]
    )  # fmt: skip
    store.write(minutes, "1m")
    # Extended hours last from 04:00 to 20:00 in New York, on the third to 17:00.
    read = BarStore(calendar=nyse).read("AAPL", "1m", "2025-07-02", "2025-07-02")
    assert read["timestamp"].dt.strftime("%H:%M").tolist() == ["08:00", "23:59"]
    assert len(store.read("AAPL", "1m", "2025-07-03", "2025-07-06")) == 1
    assert store.read("AAPL", "1m", "2025-07-05", "2025-07-06").empty
    assert len(store.read("AAPL", "1m", start="2025-07-03")) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start": "2025-07-03", "end": "2025-07-02"}, InvalidInputError, "before start"),
        ({"start": dt.datetime(2025, 7, 2, 9, 30)}, NaiveDatetimeError, "start="),
        ({"columns": ["closee"]}, UnknownNameError, "did you mean 'close'"),
        ({"tz": "Mars/Olympus"}, InvalidInputError, "tz='Mars/Olympus'"),
        ({"adjust": "dividends"}, InvalidInputError, "None, 'split' or 'all'"),
        ({"as_of": 7}, InvalidInputError, "the versions 0 to 0"),
        ({"as_of": "2020-01-01T00:00Z"}, InvalidInputError, "no 1d bars then; their first"),
        ({"as_of": dt.datetime(2025, 7, 2)}, NaiveDatetimeError, "as_of="),
        ({"interval": "1D"}, InvalidInputError, "not an interval"),
    ],
)
def test_bad_arguments_are_named(
    store: BarStore, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    store.write(daily("AAPL", ["2025-01-02"]), "1d")
    with pytest.raises(error, match=message):
        store.read(**{"symbols": "AAPL", "interval": "1d", **arguments})  # type: ignore[arg-type]


def test_columns_and_time_zone(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    read = store.read("AAPL", "1m", columns=["close"], tz="America/New_York")
    assert list(read.columns) == ["symbol", "timestamp", "close"]
    assert read["timestamp"].iloc[0].isoformat() == "2025-07-02T09:30:00-04:00"
    assert list(ma.bars("AAPL", "1m", columns="volume").columns)[-1] == "volume"


def test_a_frame_is_the_caller_s_own(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    first = store.read("AAPL", "1m")
    untouched = first.copy(deep=True)
    first.loc[:, "close"] = -1.0
    first["open"] *= 2
    first.iloc[0, first.columns.get_loc("high")] = 0.0
    first["close"].to_numpy()  # may be read-only, must not be the store's
    pd.testing.assert_frame_equal(store.read("AAPL", "1m"), untouched)


@pytest.mark.parametrize("cache_mb", [0, 1, 512])
def test_the_cache_keeps_its_bound(store: BarStore, cache_mb: int) -> None:
    config.configure(cache_mb=cache_mb)
    for i, symbol in enumerate(["A", "B", "C"]):
        store.write(make_minutes(symbol, count=15_000, seed=i), "1m")  # 0.7 MB each, decoded
    for _ in range(2):
        assert len(store.read(["A", "B", "C"], "1m")) == 45_000
    assert bar_files.cached_bytes() <= cache_mb * 2**20
    assert (bar_files.cached_bytes() > 0) == (cache_mb > 0)


def test_versions_stay_readable_by_number_and_by_instant(store: BarStore, records: None) -> None:
    contents = []
    for seed in range(3):
        store.write(make_minutes(seed=seed), "1m")
        contents.append(store.read("AAPL", "1m"))
        time.sleep(0.01)
    versions = store.versions("1m")
    assert versions["version"].tolist() == [0, 1, 2]
    assert versions["operation"].tolist() == ["upsert"] * 3
    assert versions["bars"].tolist() == [5] * 3
    assert versions["committed_at"].is_monotonic_increasing
    for version, expected in enumerate(contents):
        pd.testing.assert_frame_equal(store.read("AAPL", "1m", as_of=version), expected)
        by_number = store.read(
            "AAPL", "1m", adjust="split", as_of=versions["version"].iloc[version]
        )
        pd.testing.assert_frame_equal(by_number, expected)
        moment = versions["committed_at"].iloc[version]
        pd.testing.assert_frame_equal(store.read("AAPL", "1m", as_of=moment), expected)
    between = versions["committed_at"].iloc[1] - pd.Timedelta(microseconds=1)
    pd.testing.assert_frame_equal(store.read("AAPL", "1m", as_of=between), contents[0])
    with pytest.raises(BarsNotFoundError):
        store.write(make_minutes("MSFT"), "1m")
        store.read("MSFT", "1m", as_of=2)


def aged(store: BarStore, days: int) -> None:
    """Make a log's entries older: the files and the times inside them."""
    log = Path(store.uri, "1m", "_delta_log")
    for file in log.glob("0*.json"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] -= days * 86_400_000
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for file in log.iterdir():
        os.utime(file, (time.time() - days * 86_400,) * 2)


def test_history_survives_checkpoints_and_old_log_files(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable

    monkeypatch.setitem(bar_table._CONFIGURATION, "delta.checkpointInterval", "5")
    for seed in range(8):
        store.write(make_minutes(seed=seed), "1m")
    place = place_of(store.uri).below("1m")
    assert any(file.path.endswith(".checkpoint.parquet") for file in place.listed())
    if not place.is_remote:
        aged(store, days=60)
    for seed in range(8, 12):
        store.write(make_minutes(seed=seed), "1m")
    for tidy in (DeltaTable.create_checkpoint, DeltaTable.cleanup_metadata):
        tidy(DeltaTable(place.uri, storage_options=place.options))
    store.write(make_minutes(seed=12), "1m")
    fresh = BarTable(place, layout_of("1m"))
    for seed in range(13):
        close = store.read("AAPL", "1m", as_of=seed)["close"].to_numpy()
        np.testing.assert_array_equal(close, make_minutes(seed=seed)["close"])
        assert len(fresh.at_version(seed).files) == 1
    versions = store.versions("1m")
    assert versions["version"].tolist() == list(range(13))
    if not place.is_remote:
        before = versions["committed_at"].iloc[7] + pd.Timedelta(days=1)
        assert before < pd.Timestamp.now("UTC") - pd.Timedelta(days=58)
        close = store.read("AAPL", "1m", as_of=before)["close"]
        np.testing.assert_array_equal(close, make_minutes(seed=7)["close"])


def test_compact_changes_no_bar_and_no_old_version(store: BarStore) -> None:
    for i in range(4):
        store.write(make_minutes(start=str(START + i * 5 * MINUTE), seed=i), "1m")
        store.write(daily("AAPL", [f"2025-01-0{i + 6}"]), "1d")
    for interval in ("1m", "1d"):
        before = store.read("AAPL", interval)
        assert store.compact(interval) == 4
        assert store.compact(interval) == 4
        pd.testing.assert_frame_equal(store.read("AAPL", interval), before)
        assert store.versions(interval)["operation"].iloc[-1] == "compact"
        assert len(store.read("AAPL", interval, as_of=1)) < len(before)


def test_a_store_replaced_under_our_feet_is_read_anew(store: BarStore) -> None:
    store.write(make_minutes(seed=1), "1m")
    store.read("AAPL", "1m")
    place = place_of(store.uri)
    for file in place.listed():
        place.delete(file.path)
    assert store.symbols("1m") == []
    store.write(make_minutes("MSFT", seed=2), "1m")
    assert store.symbols("1m") == ["MSFT"]


def test_a_missing_data_file_is_said(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    for path in files_of(store):
        place_of(store.uri).delete(path)
    bar_files.clear_cache()
    with pytest.raises(StorageError, match="is gone"):
        store.read("AAPL", "1m")


def test_coverage(store: BarStore, nyse: TradingCalendar) -> None:
    store.write(make_minutes("MSFT", "2025-07-02T19:58Z", 4), "1m")
    store.write(make_minutes("AAPL", "2025-07-02T19:58Z", 1), "1m")
    store.write(make_minutes("AAPL", "2025-07-03T13:30Z", 2), "1m")
    covered = store.coverage("1m")
    assert covered["symbol"].tolist() == ["AAPL", "MSFT"]
    assert covered["bars"].tolist() == [3, 4]
    assert covered["sessions"].tolist() == [2, 1]
    assert covered["first"].iloc[0] == pd.Timestamp("2025-07-02T19:58Z")
    assert covered["last"].iloc[0] == pd.Timestamp("2025-07-03T13:31Z")
    pd.testing.assert_frame_equal(frames.COVERAGE.conform(covered), covered)


def test_a_full_disk_leaves_what_was_there(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    import pyarrow.parquet as pq

    store.write(make_minutes(seed=1), "1m")
    real = pq.write_table

    def write_some(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", write_some)
    both = pd.concat([make_minutes(seed=2), make_minutes("MSFT")])
    with pytest.raises(StorageError, match="No space left on device; nothing was changed"):
        store.write(both, "1m")
    assert store.version("1m") == 0
    assert len(files_of(store)) == 1


# Identities -----------------------------------------------------------------------------------------

positions = st.lists(st.integers(0, 600), min_size=1, max_size=40, unique=True)


def bars_at(minutes: list[int], seed: int) -> pd.DataFrame:
    bars = make_minutes(count=len(minutes), seed=seed)
    return bars.assign(timestamp=[START + minute * MINUTE for minute in minutes])


@FEW
@given(st.lists(st.tuples(positions, st.integers(0, 50)), min_size=1, max_size=4))
def test_upserts_are_a_dictionary_and_repeating_one_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[list[int], int]]
) -> None:
    store = BarStore(tmp_path_factory.mktemp("bars"))
    oracle: dict[pd.Timestamp, tuple[float, ...]] = {}
    for minutes, seed in writes:
        bars = bars_at(minutes, seed)
        version = store.write(bars, "1m")
        assert store.write(bars, "1m") == version
        oracle |= {row[2]: row[3:] for row in bars.itertuples()}
    read = store.read("AAPL", "1m").drop(columns="session")
    assert {row[2]: row[3:] for row in read.itertuples()} == oracle
    assert read["timestamp"].is_monotonic_increasing
    assert read["timestamp"].is_unique


@FEW
@given(positions, positions, st.lists(st.integers(-5, 605), min_size=1, max_size=4))
def test_the_read_of_a_range_is_the_union_of_the_reads_of_its_parts(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int], cuts: list[int]
) -> None:
    store = BarStore(tmp_path_factory.mktemp("bars"))
    store.write(bars_at(first, 1), "1m")
    store.write(bars_at(second, 2), "1m")
    edges = [None, *(START + cut * MINUTE for cut in sorted(cuts)), None]
    parts = [store.read("AAPL", "1m", begin, end) for begin, end in itertools.pairwise(edges)]
    whole = store.read("AAPL", "1m")
    joined = pd.concat([part for part in parts if len(part)], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole)


@pytest.mark.parametrize(
    "volume",
    [True, 1 + 2j, pd.Timedelta(minutes=1), pd.Period("2025-07-02"), 10**400, pd.Timestamp(0)],
    ids=["truth", "complex", "length", "period", "huge", "time"],
)
def test_what_is_no_number_is_no_volume(store: BarStore, volume: Any) -> None:
    """NumPy would make 1, 1, 60,000,000,000 and so on of them."""
    bars = make_minutes(count=2).drop(columns="volume")
    with pytest.raises(InvalidBarsError, match="2 with volume no finite number"):
        store.write(bars.assign(volume=pd.Series([volume] * 2)), "1m")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_columns_of_arrow_are_columns(store: BarStore, unit: str, zone: str) -> None:
    bars = make_minutes(count=3)
    arrow = bars.convert_dtypes(dtype_backend="pyarrow")
    times = bars["timestamp"].dt.tz_convert(zone)
    arrow["timestamp"] = times.astype(f"timestamp[{unit}, tz={zone}][pyarrow]")
    store.write(arrow, "1m")
    assert store.write(bars, "1m") == 0  # nothing new
    daily = bars.head(1).assign(session=pd.Timestamp("2025-07-02"))
    store.write(daily.astype({"session": "date32[pyarrow]"}), "1d")
    assert store.write(daily, "1d") == 0


@pytest.mark.parametrize("frame", [[1], None, make_minutes()["open"]])
def test_what_is_no_frame_of_bars_is_named(store: BarStore, frame: Any) -> None:
    with pytest.raises(InvalidInputError, match="must be a DataFrame of bars"):
        store.write(frame, "1m")
    twice = pd.concat([make_minutes(), make_minutes()[["open"]]], axis=1)
    with pytest.raises(InvalidBarsError, match="column 'open' twice"):
        store.write(twice, "1m")
