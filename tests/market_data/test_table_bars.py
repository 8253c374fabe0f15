"""The table ``market_data`` and the store: into one and back, by row."""

from __future__ import annotations

import pandas as pd
import pytest
from sqlalchemy import select

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.table_bars import bars_from_table, bars_to_table
from mismartera_analytics.models.schemas import MarketData
from tests.market_data.conftest import make_minutes


@pytest.fixture
def records(ready_database: str) -> None:
    """What is recorded is the subject here: both databases in turn."""


pytestmark = pytest.mark.usefixtures("records")


def stored_rows() -> list[tuple[object, ...]]:
    with ma.session_scope() as db_session:
        rows = db_session.scalars(
            select(MarketData).order_by(MarketData.symbol, MarketData.timestamp)
        )
        return [(r.symbol, r.timestamp, r.interval, r.open, r.close, r.volume) for r in rows]


def add(**values: object) -> None:
    row = {"symbol": "AAPL", "timestamp": pd.Timestamp("2025-07-02T13:30Z").to_pydatetime()}
    prices = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}
    with ma.session_scope() as db_session:
        db_session.add(MarketData(**{**row, **prices, **values}))


def test_to_the_table_and_back_is_the_same(store: BarStore) -> None:
    bars = pd.concat([make_minutes("AAPL", seed=1), make_minutes("MSFT", seed=2)])
    store.write(bars, "1m")
    before = store.read(["AAPL", "MSFT"], "1m")
    assert bars_to_table(["AAPL", "MSFT"], "1m") == 10
    assert bars_to_table(["AAPL", "MSFT"], "1m") == 0
    fresh = BarStore(str(store.uri) + "-again")
    assert bars_from_table("1m", store=fresh).rows == 10
    pd.testing.assert_frame_equal(fresh.read(["AAPL", "MSFT"], "1m"), before)


def test_a_changed_bar_replaces_its_row_and_no_other(store: BarStore) -> None:
    store.write(make_minutes(seed=1), "1m")
    bars_to_table("AAPL", "1m")
    kept = stored_rows()
    store.write(make_minutes(count=2, seed=3), "1m")
    assert bars_to_table("AAPL", "1m") == 2
    assert stored_rows()[2:] == kept[2:]
    assert [row[4] for row in stored_rows()[:2]] == make_minutes(count=2, seed=3)["close"].tolist()
    assert bars_to_table("AAPL", "1m", "2030-01-02T00:00Z") == 0


def test_rows_of_other_intervals_and_spellings(store: BarStore) -> None:
    add(interval="60m", volume=None)
    add(interval="1m", volume=7, symbol="MSFT")
    assert bars_from_table("1h").symbols == ("AAPL",)
    assert store.read("AAPL", "1h")["volume"].tolist() == [0.0]
    assert bars_from_table("1m", symbols="MSFT").rows == 1


@pytest.mark.parametrize("hour", [0, 4, 13])
def test_daily_rows_of_several_habits_find_their_session(store: BarStore, hour: int) -> None:
    """Midnight UTC, midnight in New York, and an instant in the session."""
    add(interval="1d", timestamp=pd.Timestamp(f"2025-07-02T{hour:02}:00Z").to_pydatetime())
    bars_from_table("1d")
    read = store.read("AAPL", "1d")
    assert read["session"].tolist() == [pd.Timestamp("2025-07-02")]
    assert read["timestamp"].tolist() == [pd.Timestamp("2025-07-02T13:30Z")]


def test_a_bad_row_is_said(store: BarStore) -> None:
    add(interval="1m", low=10.2)
    with pytest.raises(InvalidBarsError, match="open below low"):
        bars_from_table("1m")
    assert store.version("1m") == -1


def test_a_volume_that_the_table_cannot_hold_is_refused(store: BarStore) -> None:
    store.write(make_minutes().assign(volume=0.5), "1m")
    with pytest.raises(InvalidInputError, match=r"volume=0.5 of AAPL"):
        bars_to_table("AAPL", "1m")
    assert stored_rows() == []


def test_an_empty_table_brings_nothing(store: BarStore) -> None:
    assert bars_from_table("1m").rows == 0
    assert store.version("1m") == -1
