"""Syncing the tables with the packaged rules, and what a calendar makes of later changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from importlib import resources

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import mismartera_analytics as ma
from mismartera_analytics.calendars import package_data
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import list_calendars, sync_calendars
from mismartera_analytics.errors import DatabaseNotReadyError, UnknownNameError
from mismartera_analytics.models.trading_calendar import (
    MarketHours,
    MarketHoursPeriod,
    TradingHoliday,
)

CHRISTMAS = dt.date(2025, 12, 25)


@pytest.fixture
def tokyo_db(own_db: Session) -> Iterator[Session]:
    sync_calendars(["TSE"], db_session=own_db)
    own_db.flush()
    return own_db


def numbers(db_session: Session) -> list[int]:
    models = (MarketHours, MarketHoursPeriod, TradingHoliday)
    return [db_session.scalar(select(func.count()).select_from(model)) for model in models]


def test_a_second_sync_changes_nothing(tokyo_db: Session) -> None:
    before = numbers(tokyo_db)
    report = sync_calendars(["XTKS"], db_session=tokyo_db)
    assert (report.inserted, report.updated, report.deleted, report.kept) == (0, 0, 0, [])
    assert numbers(tokyo_db) == before
    assert before[:2] == [1, 2]


def test_rows_that_were_edited_or_added_stay_and_are_listed(tokyo_db: Session) -> None:
    new_year = tokyo_db.scalars(
        select(TradingHoliday).filter_by(exchange="XTKS", date=dt.date(2025, 1, 1))
    ).one()
    new_year.holiday_name = "Our name"
    tokyo_db.add(TradingHoliday(exchange="XTKS", date=CHRISTMAS, holiday_name="Ours"))
    tokyo_db.scalars(select(MarketHours)).one().pre_market_open = dt.time(8)
    tokyo_db.flush()
    report = sync_calendars(["XTKS"], db_session=tokyo_db)
    assert sorted(str(row) for row in report.kept) == [
        "market_hours XTKS EQUITY: edited",
        "trading_holidays XTKS 2025-01-01: edited",
        "trading_holidays XTKS 2025-12-25: own",
    ]
    tokyo_db.expire_all()
    assert new_year.holiday_name == "Our name"
    calendar = trading_calendar("TSE", db_session=tokyo_db)
    assert calendar.version == f"{package_data.packaged_version()}+3"
    assert not calendar.is_session(CHRISTMAS)


def test_rows_of_older_rules_are_renewed_and_withdrawn_ones_deleted(
    tokyo_db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = package_data.packaged_rules({"XTKS"})
    first, second = (("XTKS", dt.date(2025, 1, day)) for day in (1, 2))
    rules.days[first] = (*rules.days[first][:2], "Another name", *rules.days[first][3:])
    del rules.days[second]
    monkeypatch.setattr(package_data, "packaged_rules", lambda groups: rules)
    monkeypatch.setattr(package_data, "packaged_version", lambda: "2099.1.1")
    report = sync_calendars(["XTKS"], db_session=tokyo_db)
    assert (report.inserted, report.updated, report.deleted) == (0, 2, 1)
    tokyo_db.expire_all()
    names = dict(tokyo_db.execute(select(TradingHoliday.date, TradingHoliday.holiday_name)).all())
    assert names[first[1]] == "Another name"
    assert second[1] not in names
    assert trading_calendar("TSE", db_session=tokyo_db).version == "2099.1.1"


def test_deleted_rows_come_back(tokyo_db: Session) -> None:
    tokyo_db.execute(delete(TradingHoliday).where(TradingHoliday.date > CHRISTMAS))
    assert sync_calendars(["XTKS"], db_session=tokyo_db).inserted > 0


def test_rows_without_a_mark_are_ours_only_where_they_are_equal(tokyo_db: Session) -> None:
    for row in tokyo_db.scalars(select(TradingHoliday)):
        row.source = "packaged"
    tokyo_db.scalars(select(TradingHoliday).limit(1)).one().holiday_name = "changed"
    tokyo_db.flush()
    report = sync_calendars(["XTKS"], db_session=tokyo_db)
    assert report.updated == numbers(tokyo_db)[2] - 1
    assert [row.origin for row in report.kept] == ["edited"]


def test_unknown_names_have_no_rules(own_db: Session) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        sync_calendars(["NYSSE"], db_session=own_db)
    assert numbers(own_db) == [0, 0, 0]


def test_before_the_tables_are_there(database_url: str) -> None:
    with pytest.raises(DatabaseNotReadyError, match="mismartera db init"):
        sync_calendars()


def test_the_list(tokyo_db: Session) -> None:
    row = list_calendars(db_session=tokyo_db).iloc[0]
    assert (row["exchange_group"], row["origin"]) == ("XTKS", "packaged")
    assert row["rules"] == package_data.packaged_version()
    assert row["days"] == numbers(tokyo_db)[2]


def test_an_empty_list_has_its_columns(own_db: Session) -> None:
    listed = list_calendars(db_session=own_db)
    assert listed.empty
    assert "covers_to" in listed


def test_calendars_follow_the_tables(ready_database: str) -> None:
    held = ma.trading_calendar("NYSE")
    assert held.version == package_data.packaged_version()
    with ma.session_scope() as db_session:
        db_session.add(TradingHoliday(exchange="US_EQUITY", date=dt.date(2025, 7, 2)))
    assert held.is_session("2025-07-02")
    assert not ma.trading_calendar("NYSE").is_session("2025-07-02")
    with ma.session_scope() as db_session:
        db_session.execute(delete(TradingHoliday).filter_by(date=dt.date(2025, 7, 2)))
    for _ in range(3):
        assert ma.trading_calendar("NYSE").is_session("2025-07-02")


def test_a_migrated_database_needs_no_sync(ready_database: str) -> None:
    report = sync_calendars()
    assert (report.inserted, report.updated, report.deleted, report.kept) == (0, 0, 0, [])


def test_the_data_is_small() -> None:
    folder = resources.files("mismartera_analytics.calendars").joinpath("data")
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 2_000_000


def test_a_sync_by_name_lists_rows_of_its_exchanges(tokyo_db: Session) -> None:
    tokyo_db.add(TradingHoliday(exchange="TSE", date=dt.date(2025, 7, 7), holiday_name="Mine"))
    tokyo_db.flush()
    kept = sync_calendars(["XTKS"], db_session=tokyo_db).kept
    assert [str(row) for row in kept] == ["trading_holidays TSE 2025-07-07: own"]
