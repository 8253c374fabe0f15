"""The audit finds every planted fault, and nothing else."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics import clock, frames
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.errors import (
    BarsNotFoundError,
    CalendarRangeError,
    InvalidInputError,
    NaiveDatetimeError,
)
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.audit import AuditLimits, BarAudit
from mismartera_analytics.market_data.instruments import record_instruments

pytestmark = pytest.mark.usefixtures("records")
NEW_YORK = "America/New_York"
FAULTS = [
    "missing", "duplicate", "off_session", "zero_volume", "suspected_split", "suspected_bad_print",
    "stale_run",
]  # fmt: skip


def clean_minutes(
    symbol: str = "AAPL",
    start: str = "2025-11-24",
    end: str = "2025-12-02",
    *,
    exchange: str = "NYSE",
    interval: str = "1m",
    phase: str = "regular",
    seed: int = 0,
) -> pd.DataFrame:
    """A bar for each expected start, on a quiet walk: no fault of any kind."""
    times = ma.trading_calendar(exchange).minutes(start, end, interval=interval, phase=phase)
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(times))))
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = np.exp(np.abs(rng.normal(0, 2e-4, (2, len(times)))))
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": times,
            "open": open_,
            "high": np.maximum(open_, close) * wick[0],
            "low": np.minimum(open_, close) / wick[1],
            "close": close,
            "volume": rng.integers(1, 1000, len(times)).astype(float),
        }
    )


def faults(audit: BarAudit) -> dict[tuple[str, str], dict[str, int]]:
    """The counts that are not zero, by symbol and session."""
    rows = audit[audit[FAULTS].any(axis=1)]
    return {
        (row["symbol"], f"{row['session']:%Y-%m-%d}"): {n: row[n] for n in FAULTS if row[n]}
        for row in rows.to_dict("records")
    }


def test_clean_bars_have_no_fault():
    audit = ma.audit_bars(frame=clean_minutes())
    assert faults(audit) == {}
    assert audit["expected"].tolist() == [390, 390, 390, 210, 390, 390]  # the 28th closes at 13:00
    assert audit.gaps.empty
    assert audit.findings.empty
    pd.testing.assert_frame_equal(frames.AUDIT.conform(audit), audit.frame)
    assert "none is missing" in audit.summary


@given(data=st.data())
def test_random_deletions_are_what_is_missing(data):
    bars = clean_minutes(start="2025-11-26", end="2025-12-01", interval="15m")
    count = len(bars)  # 26 + 14 + 26
    kept = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    kept[0] = kept[-1] = True
    audit = ma.audit_bars(frame=bars[kept], interval="15m")
    gone = bars.loc[~np.array(kept), "timestamp"]
    found = [
        moment
        for gap in audit.gaps.itertuples()
        for moment in pd.date_range(gap.start, gap.end, freq="15min", inclusive="left")
    ]
    assert found == gone.tolist()
    assert audit.gaps["bars"].sum() == audit["missing"].sum() == len(gone)
    assert audit["expected"].tolist() == [26, 14, 26]
    by_session = gone.dt.tz_convert(NEW_YORK).dt.date.value_counts()
    for row in audit.itertuples():
        assert row.missing == by_session.get(row.session.date(), 0)
    # No two gaps of a session touch: each is as long as it can be.
    touching = audit.gaps["end"].iloc[:-1].to_numpy() == audit.gaps["start"].iloc[1:].to_numpy()
    assert not touching.any()


@given(data=st.data())
def test_every_bar_is_counted_once(data):
    """Gone, doubled, moved off the grid or into the night, in any order."""
    bars = clean_minutes(start="2025-11-26", end="2025-11-28", interval="15m")
    fate = st.sampled_from(["kept", "kept", "gone", "doubled", "moved", "at night"])
    fates = pd.Series(data.draw(st.lists(fate, min_size=len(bars), max_size=len(bars))))
    fates.iloc[[0, -1]] = "kept"
    shift = fates.map({"moved": 7, "at night": 60 * 13}).fillna(0)
    moved = bars.assign(timestamp=bars["timestamp"] + pd.to_timedelta(shift, unit="min"))
    planted = pd.concat([moved[fates != "gone"], bars[fates == "doubled"]])
    order = data.draw(st.randoms(use_true_random=False)).sample(range(len(planted)), len(planted))
    audit = ma.audit_bars(frame=planted.iloc[order], interval="15m")
    counts = fates.value_counts()
    night = audit["extended"].sum() + audit["off_session"].sum() - counts.get("moved", 0)
    assert night + audit["duplicate"].sum() - counts.get("doubled", 0) == counts.get("at night", 0)
    assert audit["missing"].sum() == len(bars) - audit["present"].sum()
    held = audit[["present", "duplicate", "off_session", "extended"]].to_numpy().sum()
    assert held == len(planted)


def test_each_planted_fault_is_found_where_it_is():
    bars = clean_minutes()
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)

    def at(text: str) -> int:
        return int(np.flatnonzero(local == pd.Timestamp(text, tz=NEW_YORK))[0])

    spike, zero, stale = at("2025-11-25 11:05"), at("2025-11-26 10:00"), at("2025-12-01 14:00")
    bars.loc[spike, "high"] *= 1.05
    bars.loc[[zero, zero + 1], "volume"] = 0
    same = ["open", "high", "low", "close"]
    bars.loc[stale : stale + 11, same] = bars.loc[stale, same].to_numpy()
    after = local >= pd.Timestamp("2025-12-02", tz=NEW_YORK)
    bars.loc[after, same] /= 3
    bars.loc[after, "volume"] *= 3
    sunday = bars.iloc[[5]].assign(timestamp=pd.Timestamp("2025-11-30 12:00", tz=NEW_YORK))
    off_grid = bars.iloc[[5]].assign(timestamp=pd.Timestamp("2025-11-24 10:00:30", tz=NEW_YORK))
    late = bars.iloc[[5]].assign(timestamp=pd.Timestamp("2025-11-28 13:30", tz=NEW_YORK))
    gone = [at("2025-11-28 12:58"), at("2025-11-28 12:59")]
    planted = pd.concat(
        [bars.drop(index=gone), bars.iloc[[100]], sunday, off_grid, late], ignore_index=True
    ).sample(frac=1, random_state=1)
    audit = ma.audit_bars(frame=planted, tz=NEW_YORK)
    assert faults(audit) == {
        ("AAPL", "2025-11-24"): {"duplicate": 1, "off_session": 1},
        ("AAPL", "2025-11-25"): {"suspected_bad_print": 1},
        ("AAPL", "2025-11-26"): {"zero_volume": 2},
        ("AAPL", "2025-11-28"): {"missing": 2, "off_session": 1},
        ("AAPL", "2025-12-01"): {"stale_run": 12},
        ("AAPL", "2025-12-02"): {"suspected_split": 1},
    }
    assert audit["extended"].sum() == 1  # 13:30 lies in the post-market of an early close
    counted = audit[["present", "duplicate", "off_session", "extended"]].sum(axis=1)
    assert counted.sum() == len(planted)
    gap = audit.gaps.iloc[0]
    assert (str(gap["start"]), str(gap["end"]), gap["bars"], gap["phase"]) == (
        "2025-11-28 12:58:00-05:00", "2025-11-28 13:00:00-05:00", 2, "regular",
    )  # fmt: skip
    found = audit.findings.set_index("kind")
    assert found.loc["suspected_split", "value"] == 3.0
    assert found.loc["suspected_bad_print", "value"] == bars.loc[spike, "high"]
    assert found.loc["stale_run", ["start", "last"]].tolist() == [local[stale], local[stale + 11]]
    assert found.loc["zero_volume", "bars"] == 2
    assert len(found) == 7


def test_real_minutes_are_complete_and_the_split_is_told(shared_data):
    files = sorted((shared_data / "us_equity").glob("minute_*.csv.gz"))
    bars = pd.concat([pd.read_csv(file) for file in files])
    audit = ma.audit_bars(frame=bars, tz=NEW_YORK)
    assert audit.groupby("symbol")["session"].size().tolist() == [3, 6]
    assert (audit["expected"] == 390).all()
    assert faults(audit) == {("AAPL", "2014-06-09"): {"suspected_split": 1}}
    assert audit["split_ratio"].max() == 7.0
    assert len(bars) == audit[["present", "extended"]].to_numpy().sum()
    extended = ma.audit_bars(frame=bars, tz=NEW_YORK, hours="extended")
    assert (extended["expected"] == 960).all()  # 04:00 to 20:00
    assert extended["present"].sum() == len(bars)
    record_actions(
        pd.DataFrame(
            {"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": "2014-06-09", "ratio": 7.0}
        )
    )
    assert faults(ma.audit_bars(frame=bars, tz=NEW_YORK)) == {}


def test_real_days_show_their_splits_and_no_crash(shared_data):
    """AAPL halved on 2000-09-29 without a split; its vendor's lows of 2009 to 2011 are misprints."""
    aapl = pd.read_csv(shared_data / "us_equity" / "daily_AAPL.csv.gz")
    audit = ma.audit_bars(frame=aapl, interval="1d")
    splits = audit.findings[audit.findings["kind"] == "suspected_split"]
    assert dict(zip(splits["session"].dt.strftime("%Y-%m-%d"), splits["value"], strict=True)) == {
        "2000-06-21": 2.0, "2005-02-28": 2.0, "2014-06-09": 7.0, "2020-08-31": 4.0,
    }  # fmt: skip
    prints = audit.findings[audit.findings["kind"] == "suspected_bad_print"]
    assert prints["value"].tolist() == [10.59, 25.30, 32.65]
    assert (audit["missing"] == 0).all()
    assert len(audit) == 5849


def test_a_day_that_is_not_there_and_one_that_cannot_be():
    calendar = ma.trading_calendar("NYSE")
    days = calendar.labels("2025-06-02", "2025-07-31")
    gone = pd.to_datetime(["2025-06-10", "2025-06-11", "2025-07-03"])
    days = days.drop(gone).append(pd.DatetimeIndex(["2025-07-04"])).sort_values()
    close = 100 + np.arange(len(days)) * 0.1
    bars = pd.DataFrame(
        {"date": days, "open": close, "high": close + 1, "low": close - 1, "close": close + 0.5,
         "volume": 1e6}
    )  # fmt: skip
    audit = ma.audit_bars("AAPL", "1d", frame=bars)
    assert faults(audit) == {
        ("AAPL", "2025-06-10"): {"missing": 1},
        ("AAPL", "2025-06-11"): {"missing": 1},
        ("AAPL", "2025-07-03"): {"missing": 1, "off_session": 1},  # the 4th follows it
    }
    assert audit.gaps["bars"].tolist() == [2, 1]
    assert str(audit.gaps["end"][1]) == "2025-07-03 17:00:00+00:00"
    part = ma.audit_bars("AAPL", "1d", frame=bars, start="2025-07-02", end="2025-07-03")
    assert part["session"].dt.day.tolist() == [2, 3]
    assert part["present"].tolist() == [1, 0]


def test_weeks_and_months_have_the_sessions_that_begin_them():
    weeks = ma.trading_calendar("NYSE").labels("2025-06-30", "2025-07-18")[[0, 4, 9]]
    bars = pd.DataFrame(
        {"symbol": "AAPL", "date": weeks, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0,
         "volume": 1.0}
    )  # fmt: skip
    audit = ma.audit_bars(frame=bars, interval="1w")
    assert audit["session"].dt.day.tolist() == [30, 7, 14]
    assert faults(audit) == {}
    assert faults(ma.audit_bars(frame=bars.drop(index=1), interval="1w")) == {
        ("AAPL", "2025-07-07"): {"missing": 1}
    }


def test_tokyo_breaks_at_noon():
    sync_calendars(["TSE"])
    bars = clean_minutes("7203", "2025-07-01", "2025-07-02", exchange="TSE", interval="30m")
    lunch = bars.iloc[[3]].assign(timestamp=pd.Timestamp("2025-07-01 12:00", tz="Asia/Tokyo"))
    local = bars["timestamp"].dt.tz_convert("Asia/Tokyo").dt.strftime("%d %H:%M")
    kept = ~local.isin(["01 11:00", "01 12:30"])
    audit = ma.audit_bars(None, "30m", "TSE", frame=pd.concat([bars[kept], lunch]), tz="Asia/Tokyo")
    assert audit["expected"].tolist() == [11, 11]  # 09:00 to 11:30 and 12:30 to 15:30
    assert faults(audit) == {("7203", "2025-07-01"): {"missing": 2, "off_session": 1}}
    # One gap on each side of the break, none across it.
    assert audit.gaps["end"].dt.strftime("%H:%M").tolist() == ["11:30", "13:00"]


def test_sessions_before_the_first_bar_and_after_the_last():
    long = clean_minutes("OLD", "2025-11-24", "2025-12-02")
    short = clean_minutes("NEW", "2025-11-26", "2025-11-28")
    both = pd.concat([long, short])
    audit = ma.audit_bars(frame=both)
    assert faults(audit) == {}
    assert "1 symbol ends before 2025-12-02: NEW on 2025-11-28." in audit.summary
    assert faults(ma.audit_bars(frame=both, end="2025-12-02")) == {
        ("NEW", "2025-12-01"): {"missing": 390}, ("NEW", "2025-12-02"): {"missing": 390}
    }  # fmt: skip
    strict = ma.audit_bars(frame=both, start="2025-11-24", end="2025-11-28", expect_from="start")
    assert faults(strict) == {
        ("NEW", "2025-11-24"): {"missing": 390}, ("NEW", "2025-11-25"): {"missing": 390}
    }  # fmt: skip


def test_a_range_that_a_listed_symbol_skips_is_missing(store):
    bars = clean_minutes()
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)
    store.write(bars[(local < "2025-11-26") | (local > "2025-12-02")], "1m")
    for audit in (
        ma.audit_bars("AAPL", start="2025-11-26", end="2025-12-01"),
        ma.audit_bars("AAPL", frame=store.read("AAPL", "1m"), start="2025-11-26", end="2025-12-01"),
    ):
        assert audit["missing"].tolist() == audit["expected"].tolist() == [390, 210, 390]
        assert audit.gaps["bars"].tolist() == [390, 210, 390]


def test_a_name_that_was_used_again_is_audited_by_period(store):
    """The company of the first period is gone before the second one's lists."""
    record_instruments(
        pd.DataFrame(
            {"symbol": "FB", "valid_from": ["2025-11-24", "2025-12-01"],
             "valid_to": ["2025-11-25", None]}
        )
    )  # fmt: skip
    bars = clean_minutes("FB")
    later = bars["timestamp"].dt.tz_convert(NEW_YORK) >= pd.Timestamp("2025-12-01", tz=NEW_YORK)
    bars.loc[later, ["open", "high", "low", "close"]] /= 4  # another company, no split
    kept = later | (bars["timestamp"].dt.day < 26) | (bars.index == 1000)
    store.write(bars[kept], "1m")
    for audit in (ma.audit_bars("FB"), ma.audit_bars(frame=bars[kept].sample(frac=1))):
        assert audit["session"].dt.day.tolist() == [24, 25, 26, 1, 2]
        assert audit["expected"].tolist() == [390, 390, 0, 390, 390]
        assert faults(audit) == {("FB", "2025-11-26"): {"off_session": 1}}
        assert audit.findings["note"].tolist() == ["the symbol named nothing then"]


def test_symbols_follow_their_own_calendars(store):
    sync_calendars(["TSE"])
    record_instruments(pd.DataFrame({"symbol": ["7203"], "exchange_group": "TSE"}))
    tokyo = clean_minutes("7203", "2025-11-27", "2025-11-28", exchange="TSE")
    store.write(pd.concat([tokyo, clean_minutes(end="2025-11-28")]), "1m")
    audit = ma.audit_bars(start="2025-11-27", end="2025-11-28")
    assert faults(audit) == {}
    assert audit[["symbol", "expected"]].to_numpy().tolist() == [
        ["7203", 330], ["7203", 330], ["AAPL", 210]
    ]  # fmt: skip


def test_years_that_the_rules_do_not_cover_are_named():
    bars = clean_minutes().assign(timestamp=lambda b: b["timestamp"] - pd.Timedelta(days=20_000))
    with pytest.raises(CalendarRangeError, match="AAPL has bars from 1971"):
        ma.audit_bars(frame=bars)


def test_hours_that_follow_the_clock(shared_data):
    """The bar labelled 09:00 starts at 09:30; with it seven make a session, and four a short one."""
    hours = pd.read_csv(shared_data / "us_equity" / "hour_AAPL.csv.gz").iloc[10_000:]
    audit = ma.audit_bars(frame=hours, interval="1h", tz=NEW_YORK, aligned="clock")
    assert set(audit["expected"]) == {4, 7}
    assert audit["present"].sum() + audit["duplicate"].sum() == len(hours)
    assert audit["off_session"].sum() == 0
    calendar = ma.trading_calendar("NYSE")
    early = calendar.sessions(audit["session"].iloc[0], audit["session"].iloc[-1])["is_early_close"]
    assert audit["expected"].eq(4).to_numpy().tolist() == early.tolist()
    by_session = ma.audit_bars(frame=hours, interval="1h", tz=NEW_YORK)
    assert by_session["present"].max() <= 1  # at most the first bar lies on that grid
    assert "off the interval's grid" in by_session.findings["note"].unique()


def test_a_session_that_opens_the_evening_before():
    sync_calendars(["CME"])
    bars = clean_minutes("ES", "2025-07-07", "2025-07-08", exchange="CME", interval="30m")
    local = bars["timestamp"].dt.tz_convert("America/Chicago").dt.strftime("%d %H:%M")
    saturday = pd.Timestamp("2025-07-12 12:00", tz="America/Chicago")
    planted = pd.concat([bars[local != "06 18:00"], bars.iloc[[5]].assign(timestamp=saturday)])
    for bounds in ((None, None), ("2025-07-07", "2025-07-08")):
        audit = ma.audit_bars(None, "30m", "CME", *bounds, frame=planted, tz="America/Chicago")
        counts = audit[["expected", "missing"]].to_numpy().tolist()
        assert counts[:2] == [[48, 1], [48, 0]]  # 17:00 to 17:00
        assert str(audit.gaps["start"][0]) == "2025-07-06 18:00:00-05:00"
    assert len(audit) == 2


def test_gaps_of_extended_hours_name_their_phase():
    bars = clean_minutes(start="2025-07-02", end="2025-07-02", interval="15m", phase="all")
    local = bars["timestamp"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
    gone = local.isin(["09:00", "09:15", "09:30", "16:00"])
    audit = ma.audit_bars(frame=bars[~gone], interval="15m", hours="extended", tz=NEW_YORK)
    assert audit.gaps[["phase", "bars"]].to_numpy().tolist() == [
        ["pre_market", 2], ["regular", 1], ["post_market", 1]
    ]  # fmt: skip
    regular = ma.audit_bars(frame=bars[~gone], interval="15m")
    assert regular["missing"].tolist() == [1]
    assert regular["extended"].tolist() == [len(bars) - 26 - 3]


def test_what_is_not_over_is_not_expected(monkeypatch):
    now = pd.Timestamp("2025-11-28 11:00:30", tz=NEW_YORK)
    monkeypatch.setattr(clock, "utc_now", lambda: now.tz_convert("UTC").to_pydatetime())
    bars = clean_minutes()
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)
    audit = ma.audit_bars(frame=bars[local < now], end="2025-12-02")
    assert audit["expected"].tolist() == [390, 390, 390, 90]
    assert audit["missing"].sum() == 0
    late = ma.audit_bars(frame=bars)
    assert late["off_session"].sum() == (local >= now.floor("min")).sum()
    assert "later than now" in late.findings["note"].tolist()


def test_bars_made_of_shorter_ones_on_reading(store):
    """A quarter of an hour lacks only where all of its minutes do."""
    bars = clean_minutes()
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)
    gone = (local >= pd.Timestamp("2025-11-26 09:31", tz=NEW_YORK)) & (
        local < pd.Timestamp("2025-11-26 10:00", tz=NEW_YORK)
    )
    store.write(bars[~gone], "1m")
    audit = ma.audit_bars("AAPL", "15m", start="2025-11-26", end="2025-11-28")
    assert audit[["expected", "missing"]].to_numpy().tolist() == [[26, 1], [14, 0]]
    cut = ma.audit_bars("AAPL", "15m", start="2025-11-26T14:45Z", end="2025-11-26T15:15Z")
    assert cut[["expected", "missing"]].to_numpy().tolist() == [[2, 1]]


def test_versions_can_be_audited(store):
    bars = clean_minutes(start="2025-11-28", end="2025-11-28")
    first = store.write(bars.drop(index=[7]), "1m")
    store.write(bars, "1m")
    assert ma.audit_bars(as_of=first)["missing"].tolist() == [1]
    assert ma.audit_bars()["missing"].tolist() == [0]


def test_a_session_twice_is_a_duplicate():
    days = ma.trading_calendar("NYSE").labels("2025-07-01", "2025-07-08")[[0, 1, 1, 2, 3, 4]]
    bars = pd.DataFrame(
        {"symbol": "AAPL", "date": days.strftime("%Y-%m-%d"), "open": 10.0, "high": 11.0,
         "low": 9.0, "close": 10.0, "volume": [1.0, 2, 3, 4, 5, 6]}
    )  # fmt: skip
    audit = ma.audit_bars(frame=bars, interval="1d", limits=AuditLimits(stale_bars=9))
    assert faults(audit) == {("AAPL", "2025-07-02"): {"duplicate": 1}}
    assert audit.findings["note"].tolist() == ["repeats its start, other values"]


def test_bounds_may_be_instants():
    bars = clean_minutes(start="2025-11-28", end="2025-11-28")
    audit = ma.audit_bars(
        frame=bars.drop(index=[40, 41]), start="2025-11-28T15:00Z", end="2025-11-28T16:00Z"
    )
    assert audit[["expected", "missing"]].to_numpy().tolist() == [[60, 2]]


def test_one_row_and_none():
    bars = clean_minutes()
    audit = ma.audit_bars(frame=bars.iloc[[0]])
    assert audit[["expected", "present", "missing"]].to_numpy().tolist() == [[390, 1, 389]]
    empty = ma.audit_bars(frame=bars.iloc[:0])
    assert len(empty) == len(empty.gaps) == len(empty.findings) == 0
    assert empty.dtypes.to_dict() == frames.AUDIT.empty().dtypes.to_dict()
    assert empty.plot().axes


def test_rows_without_time_symbol_or_price_do_not_stop_it():
    bars = clean_minutes(start="2025-11-28", end="2025-11-28")
    bars["timestamp"] = bars["timestamp"].astype("str")
    bars.loc[3, "timestamp"] = "soon"
    bars.loc[4, "symbol"] = "../../etc"
    bars.loc[5, "close"] = np.nan
    bars.loc[6, "low"] = -1.0
    audit = ma.audit_bars(frame=bars)
    assert faults(audit) == {("AAPL", "2025-11-28"): {"missing": 2, "suspected_bad_print": 2}}
    unreadable = audit.findings[audit.findings["kind"] == "unreadable"]
    assert unreadable["note"].tolist() == [
        "row 4: no symbol: 2025-11-28 14:34:00+00:00", "row 3: no time that can be read: soon"
    ]  # fmt: skip
    assert unreadable["session"].isna().all()


def test_a_split_recorded_that_the_prices_do_not_show():
    bars = clean_minutes()
    record_actions(
        pd.DataFrame(
            {"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": "2025-11-26", "ratio": 2.0}
        )
    )
    audit = ma.audit_bars(frame=bars)
    assert faults(audit) == {("AAPL", "2025-11-26"): {"suspected_split": 1}}
    assert audit["split_ratio"].min() == 0.5
    assert "a split of 2 is recorded" in audit.findings["note"][0]


def test_a_move_that_stays_is_no_bad_print():
    bars = clean_minutes()
    prices = ["open", "high", "low", "close"]
    bars.loc[700:, prices] *= 1.08
    assert faults(ma.audit_bars(frame=bars)) == {}


def test_limits_are_the_callers_to_set():
    bars = clean_minutes()
    bars.loc[700, "low"] *= 0.985
    assert faults(ma.audit_bars(frame=bars)) == {}
    strict = ma.audit_bars(frame=bars, limits=AuditLimits(spike_floor=0.01))
    assert strict["suspected_bad_print"].sum() == 1
    with pytest.raises(InvalidInputError, match="stale_bars=1"):
        AuditLimits(stale_bars=1)


def test_what_is_derived_is_a_plain_frame():
    audit = ma.audit_bars(frame=clean_minutes())
    for derived in (audit.frame, audit[audit["missing"] > 0], audit.copy(), audit.head()):
        assert type(derived) is pd.DataFrame
    again = pickle.loads(pickle.dumps(audit))
    assert isinstance(again, BarAudit)
    pd.testing.assert_frame_equal(again.gaps, audit.gaps)
    assert again.summary == audit.summary
    assert audit.summary in audit._repr_html_()


def test_bad_arguments_are_named():
    bars = clean_minutes()
    with pytest.raises(InvalidInputError, match="hours='all'"):
        ma.audit_bars(frame=bars, hours="all")
    with pytest.raises(InvalidInputError, match="expect_from='start' needs start="):
        ma.audit_bars(frame=bars, expect_from="start")
    with pytest.raises(InvalidInputError, match="lies before start"):
        ma.audit_bars(frame=bars, start="2025-11-28", end="2025-11-24")
    with pytest.raises(BarsNotFoundError, match="did you mean 'AAPL'"):
        ma.audit_bars("APPL", frame=bars)
    with pytest.raises(BarsNotFoundError, match="there are no 1m bars"):
        ma.audit_bars()
    with pytest.raises(CalendarRangeError, match="start=1900-01-01"):
        ma.audit_bars(frame=bars, start="1900-01-01")
    with pytest.raises(NaiveDatetimeError):
        ma.audit_bars(frame=bars.assign(timestamp=bars["timestamp"].dt.tz_localize(None)))
    with pytest.raises(InvalidInputError, match="leave store and as_of out"):
        ma.audit_bars(frame=bars, as_of=0)
