"""US sessions against exchange_calendars' XNYS, which is right under pandas 3, and by hand."""

from __future__ import annotations

import datetime as dt
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError, NaiveDatetimeError

NEW_YORK = ZoneInfo("America/New_York")

UNSCHEDULED_OPENS = {
    "1990-12-27", "1991-01-17", "1991-02-25", "1995-12-18", "1996-01-08", "2001-09-17",
    "2001-10-08", "2002-09-11", "2003-03-20", "2004-06-07", "2006-12-27",
}  # fmt: skip
UNSCHEDULED_CLOSES = {"1994-02-11", "1996-01-08", "1997-10-27", "2005-06-01"}


@pytest.fixture(scope="module")
def oracle() -> pd.DataFrame:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar("XNYS", start="1990-01-01", end="2027-12-31")
    return calendar.schedule


def test_sessions_equal_exchange_calendars(nyse: TradingCalendar, oracle: pd.DataFrame) -> None:
    assert (nyse.labels() == oracle.index).all()


@pytest.mark.parametrize(
    ("ours", "theirs", "corrected"),
    [
        ("regular_open", "open", UNSCHEDULED_OPENS),
        ("regular_close", "close", UNSCHEDULED_CLOSES),
    ],
)
def test_hours_equal_exchange_calendars_but_for_the_unscheduled(
    nyse: TradingCalendar, oracle: pd.DataFrame, ours: str, theirs: str, corrected: set[str]
) -> None:
    differs = nyse.sessions()[ours].to_numpy() != oracle[theirs].to_numpy()
    assert {str(day.date()) for day in nyse.labels()[differs]} == corrected


@pytest.mark.parametrize(
    ("date", "opens", "closes"),
    [
        ("2002-09-11", "12:00", "16:00"),
        ("1997-10-27", "09:30", "15:30"),
        ("1999-12-31", "09:30", "13:00"),
        ("1996-01-08", "11:00", "14:00"),
        ("2025-11-28", "09:30", "13:00"),
        ("2025-07-03", "09:30", "13:00"),
        ("2025-03-10", "09:30", "16:00"),
        ("2025-11-03", "09:30", "16:00"),
    ],
)
def test_hours_of_single_days(nyse: TradingCalendar, date: str, opens: str, closes: str) -> None:
    session = nyse.session(date)
    assert f"{session.regular_open:%H:%M}" == opens
    assert f"{session.regular_close:%H:%M}" == closes
    assert session.regular_open.tzinfo == NEW_YORK


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        ("2025-03-07", "14:30"),
        ("2025-03-10", "13:30"),
        ("2025-10-31", "13:30"),
        ("2025-11-03", "14:30"),
    ],
)
def test_opens_follow_daylight_saving(nyse: TradingCalendar, date: str, utc: str) -> None:
    assert f"{nyse.opens([date])[0]:%H:%M}" == utc


def test_post_market_of_an_early_close_runs_from_one_to_five(nyse: TradingCalendar) -> None:
    session = nyse.session("2025-11-28")
    assert session.is_early_close
    assert session.holiday_name == "Day after Thanksgiving"
    assert session.pre_market_open == dt.datetime(2025, 11, 28, 4, tzinfo=NEW_YORK)
    assert session.post_market_close == dt.datetime(2025, 11, 28, 17, tzinfo=NEW_YORK)
    assert nyse.phase(dt.datetime(2025, 11, 28, 13, tzinfo=NEW_YORK)) == "post_market"
    assert nyse.phase(dt.datetime(2025, 11, 28, 17, tzinfo=NEW_YORK)) == "closed"


def test_extended_hours_of_a_usual_day(nyse: TradingCalendar) -> None:
    frame = nyse.sessions("2025-07-02", "2025-07-02", tz="America/New_York")
    times = [f"{frame.iloc[0][name]:%H:%M}" for name in ("pre_market_open", "post_market_close")]
    assert times == ["04:00", "20:00"]


@pytest.mark.parametrize(
    ("time", "phase"),
    [
        ("03:59:59", "closed"),
        ("04:00", "pre_market"),
        ("09:29:59.999999", "pre_market"),
        ("09:30", "regular"),
        ("15:59:59", "regular"),
        ("16:00", "post_market"),
        ("20:00", "closed"),
    ],
)
def test_phase_changes_at_the_edges(nyse: TradingCalendar, time: str, phase: str) -> None:
    when = dt.datetime.fromisoformat(f"2025-07-02T{time}").replace(tzinfo=NEW_YORK)
    assert nyse.phase(when) == phase
    assert nyse.phase([when])[0] == phase
    assert nyse.is_open(when) is (phase == "regular")
    assert nyse.session("2025-07-02").phase(when) == phase


def test_session_of_looks_at_new_york_not_utc(nyse: TradingCalendar) -> None:
    late = dt.datetime(2025, 7, 3, 16, 30, tzinfo=NEW_YORK)  # 20:30 UTC
    evening = dt.datetime(2025, 7, 2, 19, 59, tzinfo=NEW_YORK)  # 23:59 UTC
    in_winter = dt.datetime(2025, 12, 1, 19, 30, tzinfo=NEW_YORK)  # 00:30 UTC on the 2nd
    found = nyse.session_of(pd.DatetimeIndex([evening, late, in_winter]))
    assert [str(label.date()) for label in found] == ["2025-07-02", "2025-07-03", "2025-12-01"]
    assert nyse.session_of(in_winter) == dt.date(2025, 12, 1)
    assert nyse.session_of(dt.datetime(2025, 7, 4, 12, tzinfo=NEW_YORK)) is None


def test_session_of_nat_where_closed(nyse: TradingCalendar) -> None:
    times = pd.DatetimeIndex(["2025-07-04 15:00", "2025-07-07 15:00"], tz="UTC")
    assert nyse.session_of(times).isna().tolist() == [True, False]


def test_steps(nyse: TradingCalendar) -> None:
    assert nyse.next_session("2025-07-03") == dt.date(2025, 7, 7)
    assert nyse.previous_session("2025-07-07") == dt.date(2025, 7, 3)
    assert nyse.next_session("2025-07-04") == dt.date(2025, 7, 7)
    assert nyse.next_session(dt.datetime(2025, 7, 3, 9, tzinfo=NEW_YORK)) == dt.date(2025, 7, 3)
    assert nyse.next_session(dt.datetime(2025, 7, 3, 9, 30, tzinfo=NEW_YORK)) == dt.date(2025, 7, 7)
    assert nyse.previous_session(dt.datetime(2025, 7, 3, 13, tzinfo=NEW_YORK)) == dt.date(
        2025, 7, 3
    )
    assert nyse.offset("2025-07-03", 2) == dt.date(2025, 7, 8)
    assert nyse.count("2025-01-01", "2025-12-31") == 250


def test_closed_days_say_why(nyse: TradingCalendar) -> None:
    with pytest.raises(InvalidInputError, match=r"Christmas Day.*2025-12-24 and 2025-12-26"):
        nyse.session("2025-12-25")
    with pytest.raises(InvalidInputError, match="is no session"):
        nyse.closes(["2025-07-03", "2025-07-05"])


@pytest.mark.parametrize("outside", ["1989-12-29", "2028-01-03"])
def test_outside_the_range_is_an_error(nyse: TradingCalendar, outside: str) -> None:
    moment = dt.datetime.fromisoformat(outside + "T15:00:00+00:00")
    for ask in (
        lambda: nyse.session(outside),
        lambda: nyse.sessions(outside, outside),
        lambda: nyse.next_session(outside),
        lambda: nyse.is_open(moment),
        lambda: nyse.session_of([moment]),
        lambda: nyse.opens([outside]),
        lambda: nyse.holidays(outside, outside),
    ):
        with pytest.raises(CalendarRangeError, match=r"1990-01-01 to 2027-12-31.*extend"):
            ask()


def test_naive_instants_are_refused(nyse: TradingCalendar) -> None:
    naive = dt.datetime(2025, 7, 2, 9, 30)
    for ask in (nyse.is_open, nyse.phase, nyse.session_of):
        with pytest.raises(NaiveDatetimeError):
            ask(naive)
        with pytest.raises(NaiveDatetimeError):
            ask(np.array([naive], "datetime64[us]"))


def test_ranges_of_instants_are_half_open(nyse: TradingCalendar) -> None:
    opens, closes = nyse.opens(["2025-07-03"])[0], nyse.closes(["2025-07-02"])[0]
    assert nyse.labels(closes, opens).empty
    assert len(nyse.labels(closes, opens + pd.Timedelta("1us"))) == 1


def test_empty_ranges_have_every_column(nyse: TradingCalendar) -> None:
    empty = nyse.sessions("2025-07-05", "2025-07-06")
    assert empty.empty
    assert empty.dtypes.equals(nyse.sessions("2025-07-01", "2025-07-03").dtypes)


def test_a_calendar_is_immutable(nyse: TradingCalendar) -> None:
    frame = nyse.sessions("2025-07-01", "2025-07-03")
    frame.loc[:, "holiday_name"] = "changed"
    assert not (nyse.sessions("2025-07-01", "2025-07-03")["holiday_name"] == "changed").any()
    with pytest.raises(AttributeError, match="cannot be changed"):
        nyse.timezone = "UTC"


def test_holidays_of_a_year(nyse: TradingCalendar) -> None:
    days = nyse.holidays("2025-01-01", "2025-12-31").set_index("date")
    assert days["is_closed"].sum() == 11
    assert days.loc["2025-11-28", "early_close_time"] == "13:00:00"
    assert days.loc["2025-01-09", "holiday_name"] == "Mourning for President Carter"
