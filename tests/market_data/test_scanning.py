"""What a store holds and how it is scanned, on disk and on S3."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.scanning import bar_dataset, bar_inventory, stored_intervals
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

pytestmark = pytest.mark.usefixtures("records")


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def test_an_inventory_counts_what_there_is(store: BarStore) -> None:
    assert stored_intervals(store) == []
    pd.testing.assert_frame_equal(bar_inventory(store), frames.INVENTORY.empty())
    store.write(pd.concat([make_minutes("AAPL"), make_minutes("MSFT")]), "1m")
    store.write(make_minutes("AAPL", "2025-07-03T13:30Z"), "1m")
    for interval in ("30s", "5m", "1h"):
        store.write(make_minutes(count=1), interval)
    day = make_minutes("AAPL", count=1).assign(session=pd.Timestamp("2025-07-02"))
    for interval in ("1mo", "1w", "1d"):
        store.write(day, interval)
    assert stored_intervals(store) == ["30s", "1m", "5m", "1h", "1d", "1w", "1mo"]
    found = bar_inventory(store).set_index("interval")
    minutes = found.loc["1m"]
    assert (minutes["symbols"], minutes["bars"], minutes["files"]) == (2, 15, 3)
    assert minutes["first"] == pd.Timestamp("2025-07-02T13:30Z")
    assert minutes["last"] == pd.Timestamp("2025-07-03T13:34Z")
    sizes = [f.size for f in bar_table(place_of(store.uri), "1m").snapshot().files]
    assert minutes["bytes"] == sum(sizes) > 0
    assert (found["bars"].drop("1m") == 1).all()


def test_what_is_no_table_of_ours_is_passed_over(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    place = place_of(store.uri)
    for name in ("5m/notes.txt", "60m/_delta_log/x.json", "quarantine/1m.csv", "other/x"):
        folder, _, file = name.rpartition("/")
        place.below(folder).write(
            file, lambda to: to.write_bytes(b"x") if isinstance(to, Path) else to.write(b"x")
        )
    assert stored_intervals(store) == ["1m"]


def test_datasets_have_the_columns_of_bars(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    store.write(make_minutes(count=1).assign(session=pd.Timestamp("2025-07-02")), "1d")
    names = [name for name in frames.BARS.names if name != "session"]
    assert bar_dataset(store, "1m").schema.names == names
    assert sorted(bar_dataset(store, "1d").schema.names) == sorted(frames.BARS.names)
    assert bar_dataset(store, "1m").to_table().num_rows == 5


def test_sql_and_the_quarantine_live_where_the_store_does(store: BarStore, tmp_path: Path) -> None:
    bars = make_minutes("AAPL", count=4).assign(high=[99.0, 99.0, 0.5, 99.0])
    summary = ma.ingest_bars(bars, "1m", on_bad="quarantine")
    found = ma.sql("select symbol, count(*) as n, max(high) as h from bars_1m group by all")
    assert found.to_numpy().tolist() == [["AAPL", 3, 99.0]]
    assert str(summary.quarantine).startswith(f"{store.uri}/quarantine/1m-")
    listed = [f.path for f in place_of(store.uri).below("quarantine").listed()]
    assert [str(summary.quarantine).rpartition("/")[2]] == listed
    assert not (Path.cwd() / "s3:").exists(), "an address is no folder"
