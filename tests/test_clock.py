"""Times at the edge: instants, labels, ranges, intervals, and the naive ones that are refused."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError, NaiveDatetimeError

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2025, 11, 2, 1, 30, fold=1, tzinfo=NEW_YORK),
        pd.Timestamp("2025-11-02 06:30", tz="UTC"),
        pd.Timestamp("2025-11-02 06:30:00.000000999", tz="UTC"),
        "2025-11-02T01:30:00-05:00",
        "2025-11-02 06:30Z",
    ],
)
def test_an_instant_is_read_as_utc(value: object) -> None:
    assert clock.parse_instant(value, argument="at") == dt.datetime(
        2025, 11, 2, 6, 30, tzinfo=dt.UTC
    )
    assert type(clock.parse_instant(value, argument="at")) is dt.datetime


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2025, 7, 2, 9, 30), pd.Timestamp("2025-07-02 09:30"), "2025-07-02T09:30:00",
        dt.datetime(2025, 7, 2),
    ],
)  # fmt: skip
def test_a_naive_instant_is_refused_by_name(value: object) -> None:
    with pytest.raises(NaiveDatetimeError, match=r"^start=.*has no time zone"):
        clock.parse_instant(value, argument="start")


@pytest.mark.parametrize(
    "value", ["soon", 20250702, None, pd.NaT, np.datetime64("2025-07-02"), 1.5, ""]
)
def test_what_is_no_time_is_refused_by_name(value: object) -> None:
    for parse in (clock.parse_instant, clock.parse_label, clock.parse_bound):
        with pytest.raises(InvalidInputError, match="start"):
            parse(value, argument="start")


@pytest.mark.parametrize(
    "value",
    ["2025-07-02", dt.date(2025, 7, 2), dt.datetime(2025, 7, 2), pd.Timestamp("2025-07-02")],
)
def test_a_label_is_a_day(value: object) -> None:
    assert clock.parse_label(value, argument="start") == dt.date(2025, 7, 2)
    assert type(clock.parse_bound(value, argument="start")) is dt.date


def test_a_label_is_no_instant_and_no_impossible_day() -> None:
    with pytest.raises(InvalidInputError, match="is an instant"):
        clock.parse_label("2025-07-02T00:00:00Z", argument="start")
    with pytest.raises(InvalidInputError, match="not a day of the calendar"):
        clock.parse_label("2025-02-30", argument="start")


@pytest.mark.parametrize(
    ("text", "shown"), [("60s", "1m"), ("60m", "1h"), ("90m", "90m"), ("1mo", "1mo")]
)
def test_intervals_have_one_name(text: str, shown: str) -> None:
    assert str(clock.parse_interval(text)) == shown


@pytest.mark.parametrize("text", ["5min", "1D", "T", "0m", "-1m", "1.5h", "", "1M", 5, None])
def test_other_intervals_are_refused(text: object) -> None:
    with pytest.raises(InvalidInputError, match="write '1s', '5m'"):
        clock.parse_interval(text)


def test_the_skipped_hour_does_not_exist_and_the_doubled_one_is_the_first() -> None:
    with pytest.raises(InvalidInputError, match="clocks are set forward"):
        clock.local_instant(dt.date(2025, 3, 9), dt.time(2, 30), "America/New_York")
    doubled = clock.local_instant(dt.date(2025, 11, 2), dt.time(1, 30), "America/New_York")
    assert doubled.utcoffset() == dt.timedelta(hours=-4)


def test_an_unknown_zone_suggests_the_nearest() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'America/New_York'"):
        clock.zone("America/NewYork")


@given(st.datetimes(min_value=dt.datetime(1990, 1, 2), max_value=dt.datetime(2037, 1, 1)))
def test_parsing_keeps_the_instant(naive: dt.datetime) -> None:
    for info in (NEW_YORK, ZoneInfo("Asia/Tokyo"), dt.UTC):
        aware = naive.replace(tzinfo=info)
        parsed = clock.parse_instant(aware, argument="at")
        assert parsed == aware.astimezone(dt.UTC)
        assert clock.parse_instant(aware.isoformat(), argument="at") == parsed
