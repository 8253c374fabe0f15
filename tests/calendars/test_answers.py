"""Answers about instants against a plain reading of the rows, and the identities between them."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics.calendars import package_data
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError
from mismartera_analytics.models.trading_calendar import (
    MarketHours,
    MarketHoursPeriod,
    TradingHoliday,
)

NAMES = [
    "NYSE",
    "TSE",
    "HKEX",
    "CME",
    "24/7",
    "24/5",
    "us_futures",
    "ICE",
    "TASE",
    "XKRX",
    "XSGO",
    "LSE",
]
DAY = dt.timedelta(days=1)
MIDNIGHT = dt.time()
EVERY = sorted(package_data.packaged_groups())


class Made(dict[str, Any]):
    """Things by name, made when they are first asked for."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.make = make

    def __missing__(self, name: str) -> Any:
        self[name] = self.make(name)
        return self[name]


@pytest.fixture(scope="module")
def calendars(rules_db: Session) -> dict[str, TradingCalendar]:
    return Made(lambda name: trading_calendar(name, db_session=rules_db))


class PlainReading:
    """One calendar's rows, read day by day with `datetime` and `zoneinfo`."""

    def __init__(self, calendar: TradingCalendar, db_session: Session) -> None:
        group = {"exchange_group": calendar.exchange_group, "asset_class": calendar.asset_class}
        self.hours = db_session.scalars(select(MarketHours).filter_by(**group)).one()
        periods = db_session.scalars(select(MarketHoursPeriod).filter_by(**group)).all()
        self.periods = sorted(periods, key=lambda period: period.valid_to)
        days = db_session.scalars(
            select(TradingHoliday).filter_by(exchange=calendar.exchange_group)
        )
        self.days = {day.date: day for day in days}
        self.zone = ZoneInfo(self.hours.timezone)

    def edges(self, label: dt.date) -> list[tuple[dt.datetime, str]]:
        row = next((p for p in self.periods if label <= p.valid_to), self.hours)
        day = self.days.get(label)
        is_session = str(label.weekday()) in row.trading_days.split(",")
        if day is not None:
            is_session = not day.is_closed
        if not is_session:
            return []
        opens, closes = row.regular_open, row.regular_close
        first = label
        if (closes != MIDNIGHT and opens > closes) or (opens == closes != MIDNIGHT):
            first = label - DAY
        real_open = day.late_open_time if day and day.late_open_time else opens
        real_close = day.early_close_time if day and day.early_close_time else closes
        start = dt.datetime.combine(first, real_open)
        end = dt.datetime.combine(label + DAY if real_close == MIDNIGHT else label, real_close)
        found = [(start, "regular")]
        if row.break_start:
            pause = dt.datetime.combine(label, row.break_start)
            resume = dt.datetime.combine(label, row.break_end)
            if start < pause and resume < end:
                found += [(pause, "break"), (resume, "regular")]
        if row.pre_market_open:
            found.insert(0, (dt.datetime.combine(label, row.pre_market_open), "pre_market"))
        found.append((end, "closed"))
        if row.post_market_close:
            usual = dt.datetime.combine(label, closes)
            length = dt.datetime.combine(label, row.post_market_close) - usual
            found[-1] = end, "post_market"
            found.append((end + length, "closed"))
        return [
            (moment.replace(tzinfo=self.zone).astimezone(dt.UTC), name) for moment, name in found
        ]

    def phase(self, when: dt.datetime) -> str:
        about = when.astimezone(self.zone).date()
        phase = "closed"
        for label in (about - DAY, about, about + DAY):
            for moment, name in self.edges(label):
                if moment <= when:
                    phase = name
        return phase


@pytest.fixture(scope="module")
def readings(calendars: dict[str, TradingCalendar], rules_db: Session) -> dict[str, PlainReading]:
    return Made(lambda name: PlainReading(calendars[name], rules_db))


@settings(max_examples=500, deadline=None)
@given(name=st.sampled_from(EVERY), part=st.floats(0, 1), second=st.integers(0, 86_399))
def test_phase_agrees_with_a_plain_reading_of_the_rows(
    calendars: dict[str, TradingCalendar],
    readings: dict[str, PlainReading],
    name: str,
    part: float,
    second: int,
) -> None:
    calendar = calendars[name]
    days = (calendar.covers_to - calendar.covers_from).days - 4
    day = calendar.covers_from + dt.timedelta(days=2 + int(part * days))
    when = dt.datetime.combine(day, MIDNIGHT, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
    assert calendar.phase(when) == readings[name].phase(when)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(EVERY), place=st.integers(0, 10**6), step=st.sampled_from([-1, 0, 1]))
def test_phase_at_and_around_every_kind_of_edge(
    calendars: dict[str, TradingCalendar],
    readings: dict[str, PlainReading],
    name: str,
    place: int,
    step: int,
) -> None:
    calendar = calendars[name]
    labels = calendar.labels()[3:-3]
    edges = readings[name].edges(labels[place % len(labels)].date())
    when = edges[place % len(edges)][0] + step * dt.timedelta(seconds=1)
    assert calendar.phase(when) == readings[name].phase(when)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_and_single_instants_agree(calendars: dict[str, TradingCalendar], name: str) -> None:
    calendar = calendars[name]
    numbers = np.random.default_rng(7).integers(860_000_000, 1_780_000_000, 500) * 1_000_000
    for order in (numbers, np.sort(numbers), np.sort(np.repeat(numbers, 200))):
        index = pd.DatetimeIndex(order.view("datetime64[us]")).tz_localize("UTC")
        phases, labels, is_open = (
            calendar.phase(index),
            calendar.session_of(index),
            calendar.is_open(index),
        )
        for i in range(0, len(index), len(index) // 60):
            moment = index[i].to_pydatetime()
            label = calendar.session_of(moment)
            assert phases[i] == calendar.phase(moment) == calendar.phase(index[i])
            assert (None if pd.isna(labels[i]) else labels[i].date()) == label
            assert is_open[i] == calendar.is_open(moment)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), place=st.integers(0, 10**6), n=st.integers(-3000, 3000))
def test_offset_there_and_back(
    calendars: dict[str, TradingCalendar], name: str, place: int, n: int
) -> None:
    calendar = calendars[name]
    at = place % len(calendar)
    label = calendar.labels()[at].date()
    if not 0 <= at + n < len(calendar):
        with pytest.raises(CalendarRangeError):
            calendar.offset(label, n)
        return
    there = calendar.offset(label, n)
    assert calendar.offset(there, -n) == label
    assert calendar.count(min(label, there), max(label, there)) == abs(n) + 1
    assert calendar.offset([label, label], [n, 0])[0].date() == there


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    day=st.dates(dt.date(1997, 2, 3), dt.date(2026, 11, 1)),
    length=st.integers(0, 9),
    interval=st.sampled_from(["1m", "7m", "30m", "1h", "90s"]),
    phase=st.sampled_from(["regular", "all", "pre_market", ("break", "post_market")]),
)
def test_minutes_of_a_range_are_those_of_its_sessions(
    calendars: dict[str, TradingCalendar],
    name: str,
    day: dt.date,
    length: int,
    interval: str,
    phase: str,
) -> None:
    calendar = calendars[name]
    end = day + length * DAY
    bars = calendar.minutes(day, end, interval=interval, phase=phase)
    parts = [
        calendar.minutes(label.date(), label.date(), interval=interval, phase=phase)
        for label in calendar.labels(day, end)
    ]
    assert len(bars) == sum(len(part) for part in parts)
    assert bars.is_monotonic_increasing
    assert bars.is_unique
    if len(bars):
        assert list(bars) == [moment for part in parts for moment in part]
        assert calendar.is_open(bars, phase=phase).all()
        assert calendar.align(bars, interval=interval, phase=phase).equals(bars)


def test_minutes_of_a_half_day_and_of_a_break(calendars: dict[str, TradingCalendar]) -> None:
    nyse, tokyo = calendars["NYSE"], calendars["TSE"]
    assert len(nyse.minutes("2025-11-28", "2025-11-28")) == 210
    assert len(nyse.minutes("2025-11-28", "2025-11-28", phase="all")) == 13 * 60
    assert len(nyse.minutes("2025-11-26", "2025-11-26", interval="1h")) == 7
    hours = tokyo.minutes("2025-07-02", "2025-07-02", interval="1h", tz="Asia/Tokyo")
    assert [f"{hour:%H:%M}" for hour in hours] == [
        "09:00",
        "10:00",
        "11:00",
        "12:30",
        "13:30",
        "14:30",
    ]
    assert len(tokyo.minutes("2025-07-02", "2025-07-02", phase="break")) == 60


def test_minutes_of_a_range_of_instants_are_half_open(
    calendars: dict[str, TradingCalendar],
) -> None:
    nyse = calendars["NYSE"]
    bars = nyse.minutes("2025-07-02T19:58:00+00:00", "2025-07-03T13:32:00+00:00")
    assert [f"{bar:%d %H:%M}" for bar in bars] == ["02 19:58", "02 19:59", "03 13:30", "03 13:31"]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("15m", "2025-07-02 10:45"),
        ("1h", "2025-07-02 10:30"),
        ("1d", "2025-07-02 09:30"),
        ("1w", "2025-06-30 09:30"),
        ("1mo", "2025-07-01 09:30"),
    ],
)
def test_align(calendars: dict[str, TradingCalendar], interval: str, expected: str) -> None:
    times = pd.DatetimeIndex(["2025-07-02 10:59:59", "2025-07-02 21:00"], tz="America/New_York")
    aligned = calendars["NYSE"].align(times, interval=interval)
    assert f"{aligned[0].tz_convert('America/New_York'):%Y-%m-%d %H:%M}" == expected
    assert pd.isna(aligned[1])


def test_a_bar_aligned_to_its_phase(calendars: dict[str, TradingCalendar]) -> None:
    times = pd.DatetimeIndex(["2025-07-02 09:29:59"], tz="America/New_York")
    assert pd.isna(calendars["NYSE"].align(times, interval="1h")[0])
    aligned = calendars["NYSE"].align(times, interval="1h", phase="all")
    assert f"{aligned[0].tz_convert('America/New_York'):%H:%M}" == "09:00"


def test_overnight_sessions_of_cme(calendars: dict[str, TradingCalendar]) -> None:
    cme = calendars["CME"]
    session = cme.session("2025-07-07")
    assert session.regular_open.isoformat() == "2025-07-06T17:00:00-05:00"
    assert session.regular_close.isoformat() == "2025-07-07T17:00:00-05:00"
    sunday = dt.datetime(2025, 7, 6, 18, tzinfo=ZoneInfo("America/Chicago"))
    assert cme.session_of(sunday) == dt.date(2025, 7, 7)
    assert cme.session_of(session.regular_close) == dt.date(2025, 7, 8)
    assert cme.phase(dt.datetime(2025, 7, 4, 13, tzinfo=ZoneInfo("America/Chicago"))) == "closed"


def test_a_market_that_never_closes(calendars: dict[str, TradingCalendar]) -> None:
    always = calendars["24/7"]
    assert always.count("2025-01-01", "2025-12-31") == 365
    bars = always.minutes("2025-03-29", "2025-03-30")
    assert len(bars) == 2 * 24 * 60
    assert always.is_open(
        pd.DatetimeIndex(["2025-03-30 00:00", "2025-03-30 23:59:59"], tz="UTC")
    ).all()


def test_overlap_of_three_markets(calendars: dict[str, TradingCalendar]) -> None:
    nyse, london, tokyo = (calendars[name] for name in ("NYSE", "LSE", "TSE"))
    both = nyse.overlap(london, start="2025-07-02", end="2025-07-04", tz="Europe/London")
    assert [f"{s:%d %H:%M}-{e:%H:%M}" for s, e in zip(both["start"], both["end"], strict=True)] == [
        "02 14:30-16:30",
        "03 14:30-16:30",
    ]
    assert [str(label.date()) for label in both.index] == ["2025-07-02", "2025-07-03"]
    assert nyse.overlap(london, tokyo, start="2025-01-01", end="2025-12-31").empty
    when_clocks_differ = nyse.overlap(london, start="2025-03-10", end="2025-03-10", tz="UTC")
    assert f"{when_clocks_differ['start'].iloc[0]:%H:%M}" == "13:30"


def test_vectorised_counts(calendars: dict[str, TradingCalendar]) -> None:
    nyse = calendars["NYSE"]
    starts = pd.DatetimeIndex(["2025-01-01", "2025-07-04", "2025-07-05"])
    ends = ["2025-12-31", "2025-07-06", "2025-07-01"]
    assert nyse.count(starts, ends).tolist() == [250, 0, 0]
    assert nyse.count("2025-01-01", ["2025-01-01", "2025-01-02"]).tolist() == [0, 1]


@pytest.mark.parametrize(
    "values", [[], pd.DatetimeIndex([], tz="UTC"), pd.Series([], dtype="object")]
)
def test_no_instants_at_all(calendars: dict[str, TradingCalendar], values: object) -> None:
    nyse = calendars["NYSE"]
    assert len(nyse.session_of(values)) == len(nyse.phase(values)) == len(nyse.is_open(values)) == 0
    assert len(nyse.align(values, interval="1m")) == len(nyse.opens([])) == 0


def test_missing_times_are_refused(calendars: dict[str, TradingCalendar]) -> None:
    nyse = calendars["NYSE"]
    with pytest.raises(InvalidInputError, match="NaT"):
        nyse.session_of(pd.DatetimeIndex(["2025-07-02", None], tz="UTC"))
    with pytest.raises(InvalidInputError, match="NaT"):
        nyse.is_open(pd.NaT)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.minutes("2025-07-02", "2025-07-02", interval="1d"), "session or longer"),
        (
            lambda c: c.minutes("2025-07-02", "2025-07-02", phase="regluar"),
            "did you mean 'regular'",
        ),
        (lambda c: c.minutes("2025-07-02", "2025-07-02", phase=[]), "phase is empty"),
        (lambda c: c.align([dt.datetime(2025, 7, 2, tzinfo=dt.UTC)], interval="5mo"), "'1w'"),
        (lambda c: c.overlap(start="2025-07-02", end="2025-07-02"), "at least one other"),
        (lambda c: c.opens(pd.DatetimeIndex(["2025-07-02 12:00"])), "named by their dates"),
        (
            lambda c: c.sessions("2025-07-02", "2025-07-02", tz="America/New_Yrok"),
            "America/New_York",
        ),
        (lambda c: c.session("2025-02-30"), "not a day"),
    ],
)
def test_bad_questions(calendars: dict[str, TradingCalendar], ask: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(calendars["NYSE"])


def test_the_last_instant_that_is_known(calendars: dict[str, TradingCalendar]) -> None:
    cme, nyse = calendars["CME"], calendars["NYSE"]
    chicago, new_york = ZoneInfo("America/Chicago"), ZoneInfo("America/New_York")
    assert cme.phase(dt.datetime(2027, 12, 31, 16, 59, tzinfo=chicago)) == "regular"
    with pytest.raises(CalendarRangeError):
        cme.phase(dt.datetime(2027, 12, 31, 17, tzinfo=chicago))
    assert nyse.phase(dt.datetime(2027, 12, 31, 23, 59, tzinfo=new_york)) == "closed"
    with pytest.raises(CalendarRangeError):
        nyse.phase(dt.datetime(2028, 1, 1, tzinfo=new_york))
    assert nyse.phase(dt.datetime(1990, 1, 1, tzinfo=new_york)) == "closed"
    assert len(nyse.minutes("2027-12-31", dt.datetime(2028, 1, 1, tzinfo=new_york))) == 390


def test_a_returned_frame_is_the_callers_own(calendars: dict[str, TradingCalendar]) -> None:
    nyse = calendars["NYSE"]
    before = nyse.sessions()
    handed_out = nyse.sessions()
    for name in handed_out.columns.drop(["is_early_close", "is_late_open"]):
        values = handed_out[name].array
        values[0] = values[1]
    pd.testing.assert_frame_equal(nyse.sessions(), before)


def test_a_calendar_stays_unchangeable_when_it_is_pickled(nyse: TradingCalendar) -> None:
    again = pickle.loads(pickle.dumps(nyse))
    assert (again.name, again.version, len(again)) == (nyse.name, nyse.version, len(nyse))
    assert not again._sessions.labels.flags.writeable
    with pytest.raises(AttributeError, match="cannot be changed"):
        del again.name
    assert again.name == "NYSE"


@pytest.mark.parametrize("n", [1.5, "1", None, True, [1.7], [1, None]])
def test_steps_are_whole_sessions(nyse: TradingCalendar, n: object) -> None:
    with pytest.raises(InvalidInputError, match="must be whole numbers of sessions"):
        nyse.offset("2025-07-02", n)


def test_ranges_that_end_before_they_start(nyse: TradingCalendar) -> None:
    open_time = pd.Timestamp("2025-07-03 09:30", tz="America/New_York")
    for ask in (
        lambda: nyse.minutes("2025-07-03", "2025-07-02"),
        lambda: nyse.minutes(open_time, open_time - pd.Timedelta("1min")),
        lambda: nyse.holidays("2025-12-31", "2025-01-01"),
    ):
        with pytest.raises(InvalidInputError, match="exchange them"):
            ask()
    assert len(nyse.minutes(open_time, open_time)) == 0


def test_one_value_or_a_gap_where_many_labels_are_asked_for(nyse: TradingCalendar) -> None:
    gap = pd.DatetimeIndex(["2025-07-02", pd.NaT])
    noon = pd.Timestamp("2025-07-02 12:00", tz="America/New_York")
    for ask, message in (
        (lambda: nyse.opens(gap), "missing date"),
        (lambda: nyse.opens("2025-07-02"), "one-dimensional"),
        (lambda: nyse.offset(np.datetime64("2025-07-02"), 1), "one-dimensional"),
        (lambda: nyse.align(noon, interval="5m"), "one-dimensional"),
        (lambda: nyse.phase(1_751_448_600), "one-dimensional"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            ask()


def test_names_for_calendars_and_zones_for_names(nyse: TradingCalendar) -> None:
    wrong: Any = "LSE"
    with pytest.raises(InvalidInputError, match="not 'LSE'"):
        nyse.overlap(wrong, start="2025-07-02", end="2025-07-02")
    wrong = ZoneInfo("Asia/Tokyo")
    with pytest.raises(InvalidInputError, match="must be an IANA name"):
        nyse.sessions("2025-07-02", "2025-07-02", tz=wrong)
