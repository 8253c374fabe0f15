"""The bars as a pyarrow dataset: the same rows as a read, and filters that leave files unopened."""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes
from tests.market_data.test_store import daily

NEW_YEAR = pd.Timestamp("2026-01-01T00:00Z")


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def filled(store: BarStore) -> pd.DataFrame:
    """Write three symbols of minutes over a turn of the year."""
    parts = [make_minutes(s, "2025-12-31T23:50Z", 20, i) for i, s in enumerate(["A", "B", "C"])]
    bars = pd.concat(parts, ignore_index=True)
    store.write(bars, "1m")
    return bars


def as_read(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    if "session" not in frame:
        frame["session"] = pd.NaT
    frame = frame.drop(columns=[c for c in ("year", "month") if c in frame])
    return frames.BARS.conform(frame.sort_values(["symbol", "timestamp"], ignore_index=True))


@pytest.mark.parametrize("interval", ["1s", "1m", "1d"])
def test_it_holds_what_a_read_gives(store: BarStore, interval: str) -> None:
    if interval == "1d":
        bars = pd.concat([daily("A", ["2024-12-31", "2025-01-02"]), daily("B", ["2025-01-02"])])
    else:
        bars = filled(store)
    store.write(bars, interval)
    dataset = store.dataset(interval)
    assert dataset.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert dataset.schema.field("symbol").type == pa.string()
    symbols = store.symbols(interval)
    pd.testing.assert_frame_equal(as_read(dataset.to_table()), store.read(symbols, interval))


def test_filters_on_partition_and_time_leave_files_out(store: BarStore) -> None:
    filled(store)
    dataset = store.dataset("1m")
    later = ds.field("timestamp") >= NEW_YEAR
    of_one = ds.field("symbol") == "B"

    def files(condition: ds.Expression | None = None) -> int:
        return len(list(dataset.get_fragments(condition)))

    assert files() == 6
    assert files(of_one) == 2
    assert files(later) == 3
    assert files(of_one & later) == 1
    assert files(ds.field("year") == 2025) == 3
    assert files(ds.field("symbol").isin(["A", "C"]) & later) == 2
    expected = store.read("B", "1m", NEW_YEAR)
    pd.testing.assert_frame_equal(as_read(dataset.to_table(filter=of_one & later)), expected)


def test_duckdb_hands_its_filters_down(store: BarStore) -> None:
    bars = filled(store)
    dataset = store.dataset("1m")
    for fragment in dataset.get_fragments(ds.field("symbol") != "B"):
        dataset.filesystem.delete_file(fragment.path)  # to be opened would fail
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("bars_1m", dataset)
        found = connection.execute(
            "SELECT count(*), sum(volume) FROM bars_1m"
            " WHERE symbol = 'B' AND timestamp < '2026-01-01 00:00:00+00'"
        ).fetchone()
    kept = bars[(bars["symbol"] == "B") & (bars["timestamp"] < NEW_YEAR)]
    assert found == (len(kept), kept["volume"].sum())


def test_of_an_older_version_and_of_nothing(store: BarStore) -> None:
    empty = store.dataset("1m")
    assert empty.count_rows() == 0
    assert "symbol" in empty.to_table().column_names
    store.write(make_minutes(seed=1), "1m")
    store.write(make_minutes(seed=2), "1m")
    close = store.dataset("1m", as_of=0).to_table()["close"].to_pylist()
    assert close == make_minutes(seed=1)["close"].tolist()
    with pytest.raises(InvalidInputError, match="as_of=7"):
        store.dataset("1m", as_of=7)
