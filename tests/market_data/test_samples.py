"""The sample bars: what they are, and that they come into the store unchanged."""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import MissingDependencyError
from mismartera_analytics.market_data.actions import corporate_actions, record_actions
from mismartera_analytics.market_data.samples import SAMPLE_SYMBOLS, sample_actions, sample_bars
from mismartera_analytics.market_data.store import BarStore


def test_each_symbol_has_a_bar_for_each_session(nyse: TradingCalendar) -> None:
    bars = sample_bars()
    for symbol, first in [("AAPL", "2000-03-01"), ("GOOG", "2004-08-19")]:
        dates = bars.loc[bars["symbol"] == symbol, "date"].to_numpy()
        expected = nyse.labels(first, "2013-03-01").to_numpy()
        np.testing.assert_array_equal(dates, expected)


def test_every_split_of_the_four_is_named_and_no_other_jump_is_one() -> None:
    """A split shows as a jump of the raw close against the source's own adjusted close."""
    from bokeh_sampledata import stocks

    found = []
    for symbol in SAMPLE_SYMBOLS:
        raw = pd.DataFrame(getattr(stocks, symbol))
        jump = (raw["close"] / raw["adj_close"]).pct_change()
        found += [(symbol, raw["date"][row]) for row in jump.index[jump.abs() > 0.25]]
    actions = sample_actions()
    named = zip(actions["symbol"], actions["ex_date"].dt.strftime("%Y-%m-%d"), strict=True)
    assert sorted(found) == sorted(named)
    assert set(actions["ratio"]) == {2.0}


def test_the_demo_s_way_in_twice_leaves_the_same_state(records: None, store: BarStore) -> None:
    for _ in range(2):
        began = time.perf_counter()
        summary = ma.ingest_bars(sample_bars(), "1d")
        recorded = record_actions(sample_actions())
        took = time.perf_counter() - began
    assert (summary.version, recorded) == (0, 0)
    assert took < 2
    assert len(store.versions("1d")) == 1
    assert summary.rows == 3270 * 3 + 2148
    assert summary.first == pd.Timestamp("2000-03-01 09:30", tz="America/New_York")
    assert len(corporate_actions()) == 3
    read = ma.bars(SAMPLE_SYMBOLS)
    sample = sample_bars()
    np.testing.assert_array_equal(read["session"], sample["date"])
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(read[name], sample[name].astype(float))
    local = read["timestamp"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    assert (local == "09:30").mean() > 0.99
    assert set(local[read["session"] == "2002-09-11"]) == {"12:00"}  # the exchange opened late


def test_split_adjusted_closes_do_not_jump_at_a_split(records: None, store: BarStore) -> None:
    ma.ingest_bars(sample_bars(), "1d")
    record_actions(sample_actions())
    for symbol, ex_date in [("AAPL", "2000-06-21"), ("AAPL", "2005-02-28"), ("MSFT", "2003-02-18")]:
        close = ma.bars(symbol, adjust="split").set_index("session")["close"]
        move = close.pct_change().loc[ex_date]
        assert abs(move) < 0.12
    raw, adjusted = ma.bars("AAPL"), ma.bars("AAPL", adjust="split")
    assert adjusted["close"].iloc[0] == raw["close"].iloc[0] / 4
    assert adjusted["volume"].iloc[0] == raw["volume"].iloc[0] * 4
    pd.testing.assert_frame_equal(ma.bars("IBM", adjust="split"), ma.bars("IBM"))


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(
        MissingDependencyError, match=r"pip install 'mismartera-analytics\[samples\]'"
    ):
        sample_bars()
