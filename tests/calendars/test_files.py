"""Holidays in and out of files, and comparisons with another source."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mismartera_analytics.calendars.comparison import compare_sessions, read_sessions
from mismartera_analytics.calendars.files import (
    ImportReport,
    delete_holidays,
    export_holidays,
    import_holidays,
)
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.cli.calendar import plot
from mismartera_analytics.errors import (
    CalendarRangeError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.models.trading_calendar import TradingHoliday

NYSE_TABLE = """\
Holiday\t2025\t2026\t2027
New Years Day\tWednesday, January 1\tThursday, January 1\tFriday, January 1
Good Friday\tFriday, April 18\tFriday, April 3\tFriday, March 26
Independence Day\tFriday, July 4**\tFriday, July 3 (observed)\tMonday, July 5 (observed)
Christmas Day***\tThursday, December 25\tFriday, December 25\t\N{EM DASH}
"""


@pytest.fixture
def us_db(own_db: Session) -> Iterator[Session]:
    sync_calendars(["NYSE"], db_session=own_db)
    own_db.flush()
    return own_db


def holidays(db_session: Session, exchange: str) -> dict[str, TradingHoliday]:
    rows = db_session.scalars(select(TradingHoliday).filter_by(exchange=exchange))
    return {row.date.isoformat(): row for row in rows}


@pytest.mark.parametrize("comma", [False, True])
def test_the_table_that_nyse_publishes(us_db: Session, tmp_path: Path, comma: bool) -> None:
    file = tmp_path / "nyse.txt"
    text = NYSE_TABLE
    if comma:
        lines = (line.split("\t") for line in NYSE_TABLE.splitlines())
        text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines)
    file.write_text(text, encoding="utf-8")
    assert import_holidays(file, "XNYS", db_session=us_db) == ImportReport(11, 0, 0)
    found = holidays(us_db, "NYSE")
    assert found["2026-07-03"].holiday_name == "Independence Day"
    assert found["2025-12-25"].holiday_name == "Christmas Day"
    assert all(row.is_closed for row in found.values())
    assert import_holidays(file, "NYSE", db_session=us_db) == ImportReport(0, 0, 11)


def test_csv_replaces_rows_of_the_same_dates(us_db: Session, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "date,holiday_name,is_closed,early_close_time\n"
        "2025-07-03,Short day,0,12:30\n"
        "2025-07-04,,1,\n"
        '2025-12-24,"Eve, short",,13:00:00\n'
        "2025-08-01,New holiday,,\n"
    )
    assert import_holidays(file, "US_EQUITY", db_session=us_db) == ImportReport(1, 3, 0)
    found = holidays(us_db, "US_EQUITY")
    assert found["2025-07-03"].early_close_time == dt.time(12, 30)
    assert found["2025-07-04"].holiday_name is None
    assert (found["2025-12-24"].is_closed, found["2025-12-24"].holiday_name) == (
        False,
        "Eve, short",
    )
    assert found["2025-08-01"].source == "file own.csv"
    calendar = trading_calendar("NYSE", db_session=us_db)
    assert calendar.session("2025-07-03").regular_close.time() == dt.time(12, 30)
    assert not calendar.is_session("2025-08-01")


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_export_and_import_there_and_back(us_db: Session, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"all.{suffix}"
    number = export_holidays(file, "US_EQUITY", db_session=us_db)
    assert number == len(holidays(us_db, "US_EQUITY"))
    assert import_holidays(file, "US_EQUITY", db_session=us_db) == ImportReport(0, 0, number)
    assert export_holidays(file, "US_EQUITY", year=2025, db_session=us_db) == 14
    assert delete_holidays("US_EQUITY", 2025, db_session=us_db) == 14
    assert delete_holidays("US_EQUITY", 2025, db_session=us_db) == 0
    assert import_holidays(file, "US_EQUITY", db_session=us_db) == ImportReport(14, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("date,is_closed\n2025-13-01,1\n", r"line 2: date '2025-13-01' is not a day"),
        (
            "date,is_closed\n2025-07-04,1\n04.07.2025,1\n",
            r"line 3: date '04.07.2025' is not written",
        ),
        ("date,is_closed\n2025-07-04,maybe\n", r"line 2: is_closed 'maybe'"),
        ("date,early_close_time\n2025-07-04,1pm\n", r"line 2: early_close_time '1pm'"),
        ("date,early_close_time\n2025-07-04,13:00+02:00\n", r"line 2: .*has a time zone"),
        (
            "date,is_closed,early_close_time\n2025-07-04,1,13:00\n",
            r"line 2: .*closed and has a time",
        ),
        (
            "date,is_closed\n2025-07-04,1\n2025-07-04,0\n",
            r"line 3: 2025-07-04 stands already in line 2",
        ),
        ("date,is_closed\n2025-07-04,1,2\n", r"line 2: .*3 cells instead of 2"),
        ("day,closed\n2025-07-04,1\n", r"line 1: the columns are \['day', 'closed'\]"),
        ("date,is_closed\n", r"holds no holidays"),
        (
            'Holiday,2025\nGood Friday,"Monday, April 18"\n',
            r"line 2, 2025: .*is a Friday, not a Monday",
        ),
        ("Holiday,2025\nLeap Day,February 29\n", r"line 2, 2025: date '2025-02-29'"),
    ],
)
def test_bad_files_name_their_lines_and_change_nothing(
    us_db: Session, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    count = select(func.count()).select_from(TradingHoliday)
    before = us_db.scalar(count)
    with pytest.raises(InvalidInputError, match=message):
        import_holidays(file, "NYSE", db_session=us_db)
    assert us_db.scalar(count) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"line 1: this is not whole JSON"),
        ("{}", r"list of objects"),
        (json.dumps([{"date": "2025-07-04"}, {"date": None}]), r"item 2: date ''"),
        (json.dumps([{"date": "2025-07-04", "clsed": 1}]), r"item 1: unknown fields \['clsed'\]"),
    ],
)
def test_bad_json(us_db: Session, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    with pytest.raises(InvalidInputError, match=message):
        import_holidays(file, "NYSE", db_session=us_db)


def test_files_and_names_that_are_not_there(us_db: Session, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        import_holidays(tmp_path / "none.csv", "NYSE", db_session=us_db)
    with pytest.raises(StorageError, match="cannot write"):
        export_holidays(tmp_path / "none" / "a.csv", "NYSE", db_session=us_db)
    with pytest.raises(InvalidInputError, match=r"'\.csv' or '\.json'"):
        export_holidays(tmp_path / "a.xlsx", "NYSE", db_session=us_db)
    with pytest.raises(UnknownNameError):
        delete_holidays("NYSSE", 2025, db_session=us_db)


def test_no_difference_to_its_own_sessions(nyse: TradingCalendar, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    nyse.sessions("2024-01-01", "2025-12-31").to_csv(file)
    theirs = read_sessions(file)
    assert len(theirs.columns) == 7
    assert compare_sessions(nyse, theirs).empty


def test_every_difference_is_listed(nyse: TradingCalendar, tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text(
        "date,open,close,pre\n"
        "2025-07-02,09:30,16:00,04:00\n"
        "2025-07-03,09:30,2025-07-03T20:00:00+00:00,\n"
        "2025-07-04,09:30,16:00,04:00\n"
        "2025-07-08,09:30,16:00,04:00\n"
    )
    found = compare_sessions(nyse, read_sessions(file))
    assert [tuple(row) for row in found.assign(session=found["session"].dt.day).to_numpy()] == [
        (3, "pre_market_open", "2025-07-03 04:00:00", "none"),
        (3, "regular_close", "2025-07-03 13:00:00", "2025-07-03 16:00:00"),
        (4, "session", "closed", "session"),
        (7, "session", "session", "closed"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("day,open\n2025-07-02,09:30\n", "one must be 'session' or 'date'"),
        ("date,open\n2025-07-02,half\n", "regular_open='half' in line 2"),
        ("date,open\n02/07/2025,09:30\n", "session in line 2"),
        ("date,open\n2025-07-02,2025-07-02 09:30:00\n", "line 2=.*no time zone"),
        ("date,open\n", "at least one row"),
    ],
)
def test_comparisons_that_cannot_be_made(
    nyse: TradingCalendar, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text(content)
    with pytest.raises(InvalidInputError, match=message):
        compare_sessions(nyse, read_sessions(file))


def test_comparison_outside_the_range(nyse: TradingCalendar) -> None:
    with pytest.raises(CalendarRangeError):
        compare_sessions(nyse, pd.DataFrame({"session": ["2030-01-02"]}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Holiday,2025\nChristmas Day,Thursday, December 25\n",
            "line 2: date '3 cells instead of 2",
        ),
        (
            'Holiday,2025\nChristmas Day,"Thursday, Decembr 25"\n',
            "line 2, 2025: date 'Thursday, De",
        ),
    ],
)
def test_a_table_drops_no_cell_in_silence(
    us_db: Session, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(InvalidInputError, match=message):
        import_holidays(path, "US_EQUITY", db_session=us_db)


@pytest.mark.parametrize("year", [0, 99999])
def test_years_that_are_none(us_db: Session, year: int) -> None:
    with pytest.raises(
        InvalidInputError, match=f"year={year} must be a whole number from 1 to 9,999"
    ):
        delete_holidays("US_EQUITY", year, db_session=us_db)


def test_a_picture_of_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="must end in"):
        plot("NYSE", 2025, tmp_path / "year.xyz")


def test_two_columns_of_one_meaning(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("session,open,market_open\n2025-07-02,09:30,16:00\n")
    with pytest.raises(InvalidInputError, match="several columns of one meaning"):
        read_sessions(path)


def test_a_column_that_stands_twice(us_db: Session, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("date,date\n2025-01-01,2025-01-02\n")
    with pytest.raises(InvalidInputError, match="line 1: the columns are"):
        import_holidays(path, "US_EQUITY", db_session=us_db)
