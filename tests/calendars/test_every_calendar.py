"""Every packaged calendar against exchange_calendars' sessions, computed where it is right."""

from __future__ import annotations

import csv
import datetime as dt
import io
import lzma
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from mismartera_analytics.calendars.lookup import trading_calendar

GOLDEN = Path(__file__).parent / "goldens" / "exchange_calendars.npz.xz"
COLUMNS = {
    "open": "regular_open",
    "break_start": "break_start",
    "break_end": "break_end",
    "close": "regular_close",
}
CORRECTS = {
    "late_open_time": {"open"},
    "early_close_time": {"close"},
    "regular_open": {"open"},
    "regular_close": {"close"},
    "break_start": {"break_start"},
    "break_end": {"break_end"},
    "is_closed": {"session"},
    "holiday_name": set(),
}


@cache
def goldens() -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(io.BytesIO(lzma.decompress(GOLDEN.read_bytes()))) as arrays:
        for key in arrays.files:
            name, column = key.split("|")
            found.setdefault(name, {})[column] = np.cumsum(arrays[key])
    return found


@cache
def corrections() -> list[dict[str, str]]:
    file = resources.files("mismartera_analytics.calendars").joinpath("data/corrections.csv")
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def is_listed(group: str, day: dt.date, column: str) -> bool:
    for line in corrections():
        since, _, until = line["date"].partition("..")
        low = dt.date.fromisoformat(since) if since else dt.date.min
        high = dt.date.fromisoformat(until) if until else dt.date.max
        high = high if ".." in line["date"] else low
        is_meant = line["exchange"] == group and column in CORRECTS[line["what"]]
        if is_meant and low <= day <= high:
            return True
    return False


def differences(name: str, db_session: Session) -> Iterator[tuple[str, dt.date, str]]:
    """Every session of either side that the other lacks, and every time that differs."""
    calendar, golden = trading_calendar(name, db_session=db_session), goldens()[name]
    ours = calendar.labels().to_numpy().astype("datetime64[D]").astype(np.int64)
    for day in np.setxor1d(ours, golden["label"]):
        yield calendar.exchange_group, day.astype("datetime64[D]").item(), "session"
    _, here, there = np.intersect1d(ours, golden["label"], return_indices=True)
    frame = calendar.sessions()
    for column, our_name in COLUMNS.items():
        times = frame[our_name].dt.tz_convert(None).to_numpy()
        seconds = np.where(np.isnat(times), 0, times.astype(np.int64))
        differs = seconds[here] != golden[column][there] * 1_000_000
        for day in ours[here][differs]:
            yield calendar.exchange_group, day.astype("datetime64[D]").item(), column


@pytest.mark.parametrize("name", sorted(goldens()))
def test_only_listed_facts_differ(name: str, rules_db: Session) -> None:
    unlisted = [found for found in differences(name, rules_db) if not is_listed(*found)]
    assert unlisted == []


def test_every_correction_has_a_reason_and_a_source() -> None:
    for line in corrections():
        assert line["what"] in CORRECTS
        assert line["source"]
        assert len(line["why"]) > 5


def test_how_much_was_compared() -> None:
    sessions = sum(golden["label"].size for golden in goldens().values())
    assert len(goldens()) == 71
    assert sessions > 640_000
