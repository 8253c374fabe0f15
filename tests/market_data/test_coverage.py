"""What a store says that it holds, against counting the bars that it gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mismartera_analytics import frames
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data import bar_files
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes
from tests.market_data.test_store import daily

# Pre-market of Thursday 3 July 2025, an early close, to the evening of Monday the 7th.
START = pd.Timestamp("2025-07-03T08:00Z")


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def counted(store: BarStore, interval: str, calendar: TradingCalendar) -> pd.DataFrame:
    """Count what a read gives."""
    bars = store.read(store.symbols(interval), interval)
    labels = bars["session"]
    if labels.isna().all():
        labels = pd.Series(calendar.session_of(bars["timestamp"]))
    grouped = bars.assign(session=labels.to_numpy()).groupby("symbol")
    columns = {
        "first": grouped["timestamp"].min(),
        "last": grouped["timestamp"].max(),
        "bars": grouped.size(),
        "sessions": grouped["session"].nunique(),
    }
    return frames.COVERAGE.conform(pd.DataFrame(columns).reset_index())


def test_files_that_overlap_are_counted_once(store: BarStore, nyse: TradingCalendar) -> None:
    bars = pd.concat([make_minutes(s, str(START), 6000, i) for i, s in enumerate("AB")])
    rng = np.random.default_rng(5)
    for part in range(4):
        store.write(bars[rng.integers(0, 4, len(bars)) == part], "1m")
        pd.testing.assert_frame_equal(store.coverage("1m"), counted(store, "1m", nyse))
    store.compact("1m")
    bar_files.clear_cache()
    pd.testing.assert_frame_equal(store.coverage("1m"), counted(store, "1m", nyse))


def test_only_the_times_are_decoded(store: BarStore, nyse: TradingCalendar) -> None:
    store.write(make_minutes(), "1m")
    bar_files.clear_cache()
    assert store.coverage("1m")["sessions"].tolist() == [1]
    assert bar_files.cached_bytes() == 0


def test_a_bar_outside_every_session_counts_as_a_bar(
    store: BarStore, nyse: TradingCalendar
) -> None:
    store.write(make_minutes("A", "2025-07-04T12:00Z", 3), "1m")  # a holiday in New York
    covered = store.coverage("1m")
    assert (covered["bars"].item(), covered["sessions"].item()) == (3, 0)


def test_each_symbol_has_a_calendar_of_its_own(store: BarStore, nyse: TradingCalendar) -> None:
    from mismartera_analytics.calendars.packaged import sync_calendars
    from mismartera_analytics.market_data.instruments import record_instruments

    sync_calendars(["XTKS"])
    record_instruments(
        pd.DataFrame(
            {
                "symbol": ["7203"],
                "exchange_group": ["XTKS"],
                "asset_class": ["EQUITY"],
                "currency": ["JPY"],
            }
        )
    )
    # From 09:00 in Tokyo on the 3rd to 12:00 on the 4th, a holiday in New York only.
    bars = [make_minutes(symbol, "2025-07-03T00:00Z", 27 * 60) for symbol in ("7203", "AAPL")]
    store.write(pd.concat(bars), "1m")
    covered = store.coverage("1m").set_index("symbol")["sessions"]
    assert covered["7203"] == 2  # the 3rd and the 4th
    assert covered["AAPL"] == 1  # the 3rd: its pre-market began at 08:00 UTC


def test_bars_of_a_session_and_longer(store: BarStore, nyse: TradingCalendar) -> None:
    store.write(daily("B", ["2023-12-29", "2024-01-02", "2025-01-02"]), "1d")
    store.write(daily("A", ["2024-01-03", "2024-01-05"]), "1d")
    store.write(daily("A", ["2024-01-04"]), "1d")
    covered = store.coverage("1d")
    assert covered["sessions"].tolist() == [3, 3]
    pd.testing.assert_frame_equal(covered, counted(store, "1d", nyse))


def test_of_nothing(store: BarStore) -> None:
    for interval in ("1m", "1d"):
        pd.testing.assert_frame_equal(store.coverage(interval), frames.COVERAGE.empty())
    with pytest.raises(InvalidInputError, match="not an interval"):
        store.coverage("1D")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 9 * 1440), min_size=1, max_size=30, unique=True), st.data())
def test_any_minutes(
    nyse: TradingCalendar,
    tmp_path_factory: pytest.TempPathFactory,
    minutes: list[int],
    data: st.DataObject,
) -> None:
    store = BarStore(tmp_path_factory.mktemp("bars"), calendar=nyse)
    bars = make_minutes(count=len(minutes))
    bars["timestamp"] = [START + pd.Timedelta(minutes=m) for m in minutes]
    cut = data.draw(st.integers(0, len(minutes)))
    for part in (bars.iloc[:cut], bars.iloc[cut:]):
        store.write(part, "1m")
    pd.testing.assert_frame_equal(store.coverage("1m"), counted(store, "1m", nyse))
