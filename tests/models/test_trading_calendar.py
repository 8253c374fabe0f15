"""Hours of a market as instants: evenings before, whole days, skipped and doubled hours."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.models import MarketHours

UTC = dt.UTC
DAY = dt.date(2025, 7, 2)


def hours(opens: str, closes: str, *, zone: str = "America/Chicago", **others: str) -> MarketHours:
    times: dict[str, Any] = {name: dt.time.fromisoformat(text) for name, text in others.items()}
    return MarketHours(
        timezone=zone,
        regular_open=dt.time.fromisoformat(opens),
        regular_close=dt.time.fromisoformat(closes),
        **times,
    )


@pytest.mark.parametrize(
    ("opens", "closes", "opened", "closed"),
    [
        ("08:30", "15:00", "2025-07-02T08:30", "2025-07-02T15:00"),
        ("17:00", "16:00", "2025-07-01T17:00", "2025-07-02T16:00"),
        ("17:00", "17:00", "2025-07-01T17:00", "2025-07-02T17:00"),
        ("00:00", "00:00", "2025-07-02T00:00", "2025-07-03T00:00"),
        ("09:00", "00:00", "2025-07-02T09:00", "2025-07-03T00:00"),
        ("00:00", "16:00", "2025-07-02T00:00", "2025-07-02T16:00"),
    ],
)
def test_open_and_close(opens: str, closes: str, opened: str, closed: str) -> None:
    market = hours(opens, closes)
    assert f"{market.get_regular_open_datetime(DAY):%Y-%m-%dT%H:%M}" == opened
    assert f"{market.get_regular_close_datetime(DAY):%Y-%m-%dT%H:%M}" == closed


@pytest.mark.parametrize(
    ("opens", "closes", "pre", "post", "begins", "ends"),
    [
        ("08:30", "15:00", "04:00", "20:00", "2025-07-02T04:00", "2025-07-02T20:00"),
        ("08:30", "15:00", "18:00", "01:00", "2025-07-01T18:00", "2025-07-03T01:00"),
        ("08:30", "15:00", "08:30", "00:00", "2025-07-02T08:30", "2025-07-03T00:00"),
        ("17:00", "16:00", "16:45", "16:00", "2025-07-01T16:45", "2025-07-02T16:00"),
        ("09:00", "00:00", "07:00", "02:00", "2025-07-02T07:00", "2025-07-03T02:00"),
    ],
)
def test_before_and_after(
    opens: str, closes: str, pre: str, post: str, begins: str, ends: str
) -> None:
    market = hours(opens, closes, pre_market_open=pre, post_market_close=post)
    begun, ended = (
        market.get_pre_market_open_datetime(DAY),
        market.get_post_market_close_datetime(DAY),
    )
    assert f"{begun:%Y-%m-%dT%H:%M}" == begins
    assert f"{ended:%Y-%m-%dT%H:%M}" == ends


def test_a_market_without_extended_hours_has_none() -> None:
    market = hours("08:30", "15:00")
    assert market.get_pre_market_open_datetime(DAY) is None
    assert market.get_post_market_close_datetime(DAY) is None


def test_another_zone_is_the_same_instant() -> None:
    market = hours("17:00", "16:00")
    opened = market.get_regular_open_datetime(DAY, target_timezone="Asia/Tokyo")
    assert opened.isoformat() == "2025-07-02T07:00:00+09:00"
    assert opened == market.get_regular_open_datetime(DAY)
    with pytest.raises(InvalidInputError, match=r"target_timezone='Asia/Tokio'.*Asia/Tokyo"):
        market.get_regular_open_datetime(DAY, target_timezone="Asia/Tokio")


def test_the_clock_change_moves_the_instant_and_not_the_local_time() -> None:
    market = hours("08:30", "15:00")
    winter, summer = (
        market.get_regular_open_datetime(dt.date(2025, 3, day), "UTC") for day in (7, 10)
    )
    assert (winter.hour, summer.hour) == (14, 13)


def test_a_skipped_hour_is_refused_and_of_a_doubled_one_the_first_taken() -> None:
    market = hours("02:30", "01:30")
    with pytest.raises(InvalidInputError, match="02:30:00 does not exist on 2025-03-09"):
        market.get_regular_open_datetime(dt.date(2025, 3, 10))
    closed = market.get_regular_close_datetime(dt.date(2025, 11, 2), "UTC")
    assert closed == dt.datetime(2025, 11, 2, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize("day", [DAY, "2025-07-02", dt.datetime(2025, 7, 2)])
def test_a_session_is_named_by_its_date(day: Any) -> None:
    assert hours("08:30", "15:00").get_regular_open_datetime(day).date() == DAY


@pytest.mark.parametrize("day", [dt.datetime(2025, 7, 2, tzinfo=UTC), "2025-07", 20250702])
@pytest.mark.parametrize("what", ["regular_open", "regular_close", "pre_market_open"])
def test_what_is_no_date_is_refused(day: Any, what: str) -> None:
    market = hours("08:30", "15:00", pre_market_open="07:00")
    with pytest.raises(InvalidInputError, match="date="):
        getattr(market, f"get_{what}_datetime")(day)
