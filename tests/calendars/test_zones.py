"""Local times to instants against `zoneinfo`, one value at a time."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mismartera_analytics.calendars import zones
from mismartera_analytics.errors import InvalidInputError

ZONES = [
    "America/New_York", "Europe/London", "Asia/Tokyo", "Australia/Lord_Howe", "America/Sao_Paulo",
    "America/Santiago", "Asia/Tel_Aviv", "Europe/Moscow", "Africa/Casablanca", "Africa/Cairo",
    "Asia/Kolkata", "Asia/Karachi", "UTC", "Pacific/Auckland", "Pacific/Apia",
]  # fmt: skip


@pytest.mark.parametrize("name", ZONES)
def test_every_hour_of_fifty_years_agrees_with_zoneinfo(name: str) -> None:
    tz = ZoneInfo(name)
    start = dt.datetime(1988, 1, 1, 0, 30)
    naive = [start + i * dt.timedelta(hours=7) for i in range(50 * 365 * 24 // 7)]
    local = np.array(naive, "datetime64[us]").astype(np.int64)
    utc, is_doubtful = zones.to_utc(local, name)
    for moment, got, doubtful in zip(naive, utc.tolist(), is_doubtful.tolist(), strict=True):
        first, second = (moment.replace(tzinfo=tz, fold=fold) for fold in (0, 1))
        assert doubtful == (first.utcoffset() != second.utcoffset()), moment
        if not doubtful:
            assert got == round(first.timestamp() * 1_000_000), moment


@pytest.mark.parametrize(
    ("moment", "is_doubtful"),
    [
        ("2025-03-09T01:59:59", False),
        ("2025-03-09T02:00:00", True),
        ("2025-03-09T02:59:59", True),
        ("2025-03-09T03:00:00", False),
        ("2025-11-02T00:59:59", False),
        ("2025-11-02T01:00:00", True),
        ("2025-11-02T01:59:59", True),
        ("2025-11-02T02:00:00", False),
    ],
)
def test_edges_of_gap_and_fold(moment: str, is_doubtful: bool) -> None:
    local = np.array([moment], "datetime64[us]").astype(np.int64)
    assert zones.to_utc(local, "America/New_York")[1].tolist() == [is_doubtful]


def test_no_times_at_all() -> None:
    utc, is_doubtful = zones.to_utc(np.array([], np.int64), "Asia/Tokyo")
    assert utc.size == is_doubtful.size == 0


def test_unknown_zone() -> None:
    with pytest.raises(InvalidInputError, match=r"timezone='America/New_Yrok'.*America/New_York"):
        zones.to_utc(np.array([0]), "America/New_Yrok")
