"""Adjusted bars against a vendor's factor file, by hand, and as they were known at the time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError
from mismartera_analytics.market_data.actions import corporate_actions, record_actions
from mismartera_analytics.market_data.adjustments import (
    adjust_bars,
    closes_before,
    price_factors,
)
from mismartera_analytics.market_data.store import BarStore


@pytest.fixture
def records(ready_database: str) -> None:
    """What is recorded is the subject here: both databases in turn."""


# What Apple announced, per share of its day: the oracle beside the vendor's file.
DIVIDENDS = {
    "2012-08-09": 2.65, "2012-11-07": 2.65, "2013-02-07": 2.65, "2013-05-09": 3.05,
    "2013-08-08": 3.05, "2013-11-06": 3.05, "2014-02-06": 3.05, "2014-05-08": 3.29,
    "2014-08-07": 0.47, "2014-11-06": 0.47, "2015-02-05": 0.47, "2015-05-07": 0.52,
    "2015-08-06": 0.52, "2015-11-05": 0.52, "2016-02-04": 0.52, "2016-05-05": 0.57,
    "2016-08-04": 0.57, "2016-11-03": 0.57, "2017-02-09": 0.57, "2017-05-11": 0.63,
    "2017-08-10": 0.63, "2017-11-10": 0.63, "2018-02-09": 0.63, "2018-05-11": 0.73,
    "2018-08-10": 0.73, "2018-11-08": 0.73, "2019-02-08": 0.73, "2019-05-10": 0.77,
    "2019-08-09": 0.77, "2019-11-07": 0.77, "2020-02-07": 0.77, "2020-05-08": 0.82,
    "2020-08-07": 0.82, "2020-11-06": 0.205, "2021-02-05": 0.205,
}  # fmt: skip
SPLITS = {"2000-06-21": 2.0, "2005-02-28": 2.0, "2014-06-09": 7.0, "2020-08-31": 4.0}


def action(
    kind: str, ex_date: str, value: float, symbol: str = "AAPL", **more: object
) -> dict[str, object]:
    name = "ratio" if kind == "SPLIT" else "amount"
    return {"symbol": symbol, "action_type": kind, "ex_date": ex_date, name: value, **more}


def apple() -> pd.DataFrame:
    rows = [action("SPLIT", day, ratio) for day, ratio in SPLITS.items()]
    return pd.DataFrame(
        rows + [action("CASH_DIVIDEND", day, paid) for day, paid in DIVIDENDS.items()]
    )


def test_adjusted_closes_equal_the_factor_file(
    shared_data: Path, records: None, store: BarStore
) -> None:
    us = shared_data / "us_equity"
    ma.ingest_bars(us / "daily_AAPL.csv.gz", "1d")
    record_actions(apple())
    raw = store.read("AAPL", "1d")
    assert len(raw) == 5849
    names = ["date", "price", "split", "reference"]
    file = pd.read_csv(us / "factors_AAPL.csv", names=names)
    until = pd.to_datetime(file["date"].astype("str"), format="%Y%m%d").to_numpy()
    # A factor holds up to and with its date. It is rounded to seven decimals, and 1/56 is so small
    # that this alone is 2.4e-6 of it: there the tolerance is what the rounding leaves open.
    row = np.searchsorted(until, raw["session"].to_numpy())
    price, split = file["price"].to_numpy()[row], file["split"].to_numpy()[row]
    rounding = 0.5e-7 / split
    adjusted = store.read("AAPL", "1d", adjust="all")
    by_split = store.read("AAPL", "1d", adjust="split")
    for found, factor in [(adjusted, price * split), (by_split, split)]:
        off = (found["close"] / (raw["close"] * factor) - 1).abs()
        assert (off <= np.maximum(1e-6, rounding)).all()
        assert (off <= 1e-6)[split != 0.01785710].all()
    # Free of the splits' rounding, every close is within 1e-6.
    off = (adjusted["close"] / by_split["close"] / price - 1).abs()
    assert (off <= 1e-6).all()
    np.testing.assert_allclose(
        by_split["close"] * by_split["volume"], raw["close"] * raw["volume"], rtol=1e-12
    )
    pd.testing.assert_series_equal(adjusted["volume"], by_split["volume"])
    late = raw["session"] >= "2021-02-05"
    pd.testing.assert_frame_equal(adjusted[late], raw[late])


def test_the_fund_s_closes_equal_its_factor_file(
    shared_data: Path, records: None, store: BarStore
) -> None:
    """SPY, which never split: 93 distributions, the amounts taken from the file's own steps.

    The file gives no amounts, so this holds the dates, the closes that factors refer to and the chain
    of them against it; that a dividend gives its factor is what the test of AAPL shows.
    """
    us = shared_data / "us_equity"
    ma.ingest_bars(us / "daily_SPY.csv.gz", "1d")
    file = pd.read_csv(us / "factors_SPY.csv", names=["date", "price", "split", "reference"])
    file["date"] = pd.to_datetime(file["date"].astype("str")).astype("datetime64[us]")
    assert (file["split"] == 1).all()
    raw = store.read("SPY", "1d")
    steps = file.iloc[1:-1]
    before = raw.set_index("session")["close"]
    np.testing.assert_allclose(before[steps["date"]], steps["reference"])
    paid = steps["reference"] * (1 - steps["price"] / file["price"].shift(-1).iloc[1:-1])
    labels = raw["session"].to_numpy()
    ex_dates = labels[np.searchsorted(labels, steps["date"].to_numpy(), side="right")]
    assert paid.between(0.2, 2.0).all()
    record_actions(
        pd.DataFrame(
            {"symbol": "SPY", "action_type": "CASH_DIVIDEND", "ex_date": ex_dates,
             "amount": paid.round(6).to_numpy()}
        )
    )  # fmt: skip
    adjusted = store.read("SPY", "1d", adjust="all")
    factor = file["price"].to_numpy()[np.searchsorted(file["date"].to_numpy(), labels)]
    off = (adjusted["close"] / (raw["close"] * factor) - 1).abs()
    assert off.max() <= 1e-6
    pd.testing.assert_frame_equal(store.read("SPY", "1d", adjust="split"), raw)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_adjusted_returns_are_those_of_a_holder(data: st.DataObject) -> None:
    """Against a loop: who holds a share over the ex-date has `ratio` shares and their dividends."""
    count = data.draw(st.integers(2, 8))
    closes = data.draw(st.lists(st.floats(5, 500), min_size=count, max_size=count))
    bars, rows, expected = daily_bars(closes), [], []
    for day in range(1, count):
        ratio = data.draw(st.sampled_from([1.0, 2.0, 7.0, 0.1]))
        paid = data.draw(st.sampled_from([0.0, 0.01, 0.3]))
        label = str(bars["session"].iloc[day].date())
        if ratio != 1.0:
            rows.append(action("SPLIT", label, ratio, "A"))
        if paid:
            rows.append(action("CASH_DIVIDEND", label, paid, "A"))
        # What the dividend took off the close before it is what the holder was paid.
        expected.append(closes[day] * ratio / (closes[day - 1] - paid * ratio))
    if not rows:
        return
    known = conformed(rows)
    before = closes_before(bars, known)
    adjusted = adjust_bars(bars, known, kind="all", closes=before)["close"].to_numpy()
    np.testing.assert_allclose(adjusted[1:] / adjusted[:-1], expected, rtol=1e-9)
    assert adjusted[-1] == closes[-1]


def test_each_instant_sees_the_adjustment_of_its_day(records: None, store: BarStore) -> None:
    """A split and a dividend announced ahead: known is not in force, and in force is not known."""
    days = pd.DataFrame(
        {"date": ["2025-06-30", "2025-07-01", "2025-07-02"], "open": [10.0, 10.0, 5.0],
         "high": [10.0, 10.0, 5.0], "low": [10.0, 10.0, 5.0], "close": [10.0, 10.0, 5.0],
         "volume": 5}
    )  # fmt: skip
    ma.ingest_bars(days, "1d", symbol="AAPL")
    stored = store.versions("1d")["committed_at"].iloc[-1]
    soon = (stored + pd.Timedelta("1h")).to_pydatetime()
    early = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    record_actions(
        pd.DataFrame(
            [action("SPLIT", "2025-07-02", 2.0, known_at=early),
             action("CASH_DIVIDEND", "2025-07-01", 1.0, known_at=soon)]
        )
    )  # fmt: skip

    def closes(kind: str, as_of: object = None) -> list[float]:
        return store.read("AAPL", "1d", adjust=kind, as_of=as_of)["close"].tolist()

    assert closes("split") == [5.0, 5.0, 5.0]
    assert closes("all") == [5.0, 5.0, 5.0]  # the dividend is not known before `soon`
    assert closes("all", as_of=soon) == [4.5, 5.0, 5.0]
    assert closes("all", as_of=soon - dt.timedelta(microseconds=1)) == [5.0, 5.0, 5.0]
    # Before the ex-date nothing is adjusted, however long the split has been known.
    assert corporate_actions(end="2025-07-01", as_of="2025-07-01T12:00Z").empty
    assert len(corporate_actions(as_of="2025-07-01T12:00Z")) == 1


def test_a_part_is_adjusted_as_the_whole_is(
    shared_data: Path, records: None, store: BarStore
) -> None:
    ma.ingest_bars(shared_data / "us_equity" / "daily_AAPL.csv.gz", "1d")
    record_actions(apple())
    whole = store.read("AAPL", "1d", adjust="all")
    part = store.read("AAPL", "1d", "2014-06-02", "2014-06-13", adjust="all")
    inside = whole["session"].between("2014-06-02", "2014-06-13")
    pd.testing.assert_frame_equal(part, whole[inside].reset_index(drop=True))


def test_minutes_change_at_the_first_moment_of_the_ex_date(
    shared_data: Path, records: None, store: BarStore
) -> None:
    us = shared_data / "us_equity"
    ma.ingest_bars(us / "minute_AAPL_2014-06.csv.gz", "1m", tz="America/New_York")
    record_actions(apple())
    adjusted = store.read("AAPL", "1m", adjust="split", tz="America/New_York")
    raw = store.read("AAPL", "1m", tz="America/New_York")
    before = adjusted["timestamp"].dt.date < dt.date(2014, 6, 9)
    assert before.any()
    assert (~before).any()
    # The four for one of 2020 scales both sides.
    np.testing.assert_allclose(adjusted["close"][before], raw["close"][before] / 28, rtol=1e-12)
    np.testing.assert_allclose(adjusted["close"][~before], raw["close"][~before] / 4, rtol=1e-12)
    # The first bar of that day opens with a stale print of the old share: a flaw of the source.
    step = adjusted["close"][~before].iloc[0] / adjusted["close"][before].iloc[-1]
    assert 0.97 < step < 1.03


def test_dividends_of_minutes_take_the_daily_close(
    shared_data: Path, records: None, store: BarStore
) -> None:
    us = shared_data / "us_equity"
    ma.ingest_bars(us / "minute_AAPL_2014-06.csv.gz", "1m", tz="America/New_York")
    record_actions(pd.DataFrame([action("CASH_DIVIDEND", "2014-06-09", 6.4557)]))
    own = store.read("AAPL", "1m", adjust="all")["close"].iloc[0]
    raw = store.read("AAPL", "1m")["close"].iloc[0]
    last = store.read("AAPL", "1m", end="2014-06-06")["close"].iloc[-1]
    assert own == pytest.approx(raw * (1 - 6.4557 / last), rel=1e-12)
    ma.ingest_bars(us / "daily_AAPL.csv.gz", "1d")
    daily = store.read("AAPL", "1d", end="2014-06-06")["close"].iloc[-1]
    assert store.read("AAPL", "1m", adjust="all")["close"].iloc[0] == pytest.approx(
        raw * (1 - 6.4557 / daily), rel=1e-12
    )


def test_what_was_not_known_does_not_adjust(records: None, store: BarStore) -> None:
    known = dt.datetime(2014, 4, 23, 20, 30, tzinfo=dt.UTC)
    far = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    record_actions(
        pd.DataFrame(
            [
                action("SPLIT", "2014-06-09", 7.0, known_at=known),
                action("SPLIT", "2005-02-28", 2.0),
                action(
                    "CASH_DIVIDEND",
                    "2004-05-01",
                    1.0,
                    known_at=far,
                ),
            ]
        )
    )

    def dates(as_of: str) -> list[str]:
        return corporate_actions(as_of=as_of)["ex_date"].dt.strftime("%Y-%m-%d").tolist()

    assert dates("2005-02-27T23:59:59Z") == []
    assert dates("2005-02-28T00:00:00Z") == ["2005-02-28"]
    assert dates("2014-04-23T20:29:00Z") == ["2005-02-28"]
    assert dates("2014-04-23T16:30:00-04:00") == ["2005-02-28", "2014-06-09"]
    assert len(corporate_actions()) == 3
    assert len(corporate_actions("AAPL", "2014-01-01", "2014-06-09")) == 1
    assert corporate_actions("MSFT").empty
    pd.testing.assert_frame_equal(corporate_actions("MSFT"), frames.CORPORATE_ACTIONS.empty())


def test_a_split_to_come_changes_nothing_yet(records: None, store: BarStore) -> None:
    day = pd.DataFrame(
        {"date": ["2025-07-02"], "open": 10, "high": 12, "low": 9, "close": 11, "volume": 5}
    )
    ma.ingest_bars(day, "1d", symbol="AAPL")
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=30)).date()
    record_actions(
        pd.DataFrame(
            [action("SPLIT", str(later), 2.0, known_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))]
        )
    )
    pd.testing.assert_frame_equal(
        store.read("AAPL", "1d", adjust="split"), store.read("AAPL", "1d")
    )


def test_as_of_adjusts_with_the_bars_and_the_actions_of_then(
    records: None, store: BarStore
) -> None:
    def ingest(close: float) -> int:
        day = {
            "date": ["2025-07-02"],
            "open": 10,
            "high": 12,
            "low": 9,
            "close": close,
            "volume": 5,
        }
        return ma.ingest_bars(pd.DataFrame(day), "1d", symbol="AAPL").version

    first = ingest(11.0)
    ingest(12.0)
    known = store.versions("1d")["committed_at"].iloc[1].to_pydatetime()
    record_actions(pd.DataFrame([action("SPLIT", "2025-07-03", 2.0, known_at=known)]))
    assert store.read("AAPL", "1d", adjust="split")["close"].item() == 6.0
    assert store.read("AAPL", "1d", adjust="split", as_of=first)["close"].item() == 11.0


def test_recording_is_idempotent_and_a_correction_replaces(records: None) -> None:
    assert record_actions(apple()) == len(SPLITS) + len(DIVIDENDS)
    assert record_actions(apple()) == 0
    assert record_actions(corporate_actions()) == 0
    assert record_actions(pd.DataFrame([action("SPLIT", "2014-06-09", 7.5)])) == 1
    again = corporate_actions("AAPL", "2014-06-09", "2014-06-09")
    assert again["ratio"].tolist() == [7.5]
    assert record_actions(apple().iloc[:0]) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (action("SPLIT", "2014-06-09", 0.0), "ratio=0.0 must be a positive number"),
        (action("SPLIT", "2014-06-09", float("nan")), "ratio=None must be a positive number"),
        (action("CASH_DIVIDEND", "2014-06-09", -1.0), "amount=-1.0"),
        (action("MERGER", "2014-06-09", 1.0), "must be one of SPLIT, CASH_DIVIDEND"),
        (action("SPLIT", "June", 2.0), "ex_date of corporate action 2='June'"),
        (action("SPLIT", "2014-06-09", 2.0, symbol="../x"), "no symbol"),
        (action("SYMBOL_CHANGE", "2022-06-09", 1.0), "new_symbol=None"),
    ],
)
def test_bad_actions_are_named_and_nothing_is_recorded(
    records: None, row: dict[str, object], message: str
) -> None:
    good = action("SPLIT", "2000-06-21", 2.0)
    with pytest.raises(InvalidInputError, match=message):
        record_actions(pd.DataFrame([good, row]))
    assert corporate_actions().empty


def test_a_naive_time_of_knowledge_is_refused(records: None) -> None:
    row = action("SPLIT", "2014-06-09", 7.0, known_at=dt.datetime(2014, 4, 23))
    with pytest.raises(NaiveDatetimeError, match="known_at"):
        record_actions(pd.DataFrame([row]))


def daily_bars(closes: list[float], symbol: str = "A") -> pd.DataFrame:
    sessions = pd.bdate_range("2025-01-06", periods=len(closes), unit="us")
    bars = pd.DataFrame({"symbol": symbol, "session": sessions, "close": closes})
    return bars.assign(
        timestamp=sessions.tz_localize("UTC"), open=closes, high=closes, low=closes, volume=100.0
    )


def conformed(rows: list[dict[str, object]]) -> pd.DataFrame:
    columns = {"ratio": np.nan, "amount": np.nan, "new_symbol": None, "known_at": None}
    table = pd.DataFrame(rows)
    table["ex_date"] = pd.to_datetime(table["ex_date"])
    return frames.CORPORATE_ACTIONS.conform(
        table.assign(**{k: v for k, v in columns.items() if k not in table})
    )


def test_dividend_and_split_on_one_day_leave_the_holder_s_wealth_in_the_returns() -> None:
    """One share at 100 becomes two at 49 and pays 0.5 on each: 99 in all, a return of -1%."""
    bars = daily_bars([100.0, 49.0])
    both = conformed(
        [action("SPLIT", "2025-01-07", 2.0, "A"), action("CASH_DIVIDEND", "2025-01-07", 0.5, "A")]
    )
    closes = pd.Series([100.0, 100.0], index=both.index)
    adjusted = adjust_bars(bars, both, kind="all", closes=closes)["close"]
    assert adjusted.iloc[0] == pytest.approx(100 / 2 * (1 - 1.0 / 100))
    assert adjusted.iloc[1] == 49.0


def test_only_the_symbol_of_the_action_is_touched() -> None:
    bars = pd.concat([daily_bars([10.0, 5.0], "A"), daily_bars([7.0, 7.0], "B")], ignore_index=True)
    split = conformed([action("SPLIT", "2025-01-07", 2.0, "A")])
    assert adjust_bars(bars, split)["close"].tolist() == [5.0, 5.0, 7.0, 7.0]
    assert bars["close"].tolist() == [10.0, 5.0, 7.0, 7.0]


def test_a_dividend_above_the_price_is_named() -> None:
    paid = conformed([action("CASH_DIVIDEND", "2025-01-07", 12.0, "A")])
    with pytest.raises(InvalidInputError, match=r"dividend of A on 2025-01-07, 12.0 a share"):
        price_factors(paid, kind="all", closes=pd.Series([10.0]))


def test_without_an_earlier_bar_there_is_nothing_to_scale() -> None:
    paid = conformed([action("CASH_DIVIDEND", "2025-01-07", 12.0, "A")])
    assert price_factors(paid, kind="all", closes=pd.Series([np.nan])).tolist() == [1.0]
