"""The fixtures that other tests rely on: fresh databases of both kinds."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, select

import mismartera_analytics as ma
from mismartera_analytics.models import MarketHours, TradingHoliday, User
from mismartera_analytics.models import database as db


@pytest.mark.parametrize("run", [1, 2])
def test_every_test_gets_an_empty_database(database_url: str, run: int) -> None:
    assert ma.settings().database_url == database_url
    assert inspect(db.engine).get_table_names() == []
    db.Base.metadata.create_all(db.engine)


def test_a_ready_database_takes_rows(ready_database: str) -> None:
    with ma.session_scope() as db_session:
        db_session.add(User(username="ada", email="ada@example.com", hashed_password="x"))
    with ma.SessionLocal() as db_session:
        user = db_session.query(User).one()
    assert user.created_at is not None
    assert user.created_at.utcoffset() is not None


def test_a_ready_database_has_the_calendars(ready_database: str) -> None:
    with ma.SessionLocal() as db_session:
        hours = db_session.scalars(select(MarketHours)).all()
        zones = {row.exchange_group: row.timezone for row in hours}
        assert zones["US_EQUITY"] == "America/New_York"
        assert zones["XTKS"] == "Asia/Tokyo"
        query = select(TradingHoliday).filter_by(exchange="US_EQUITY")
        days = db_session.scalars(query).all()
    by_date = {day.date.isoformat(): day for day in days}
    assert by_date["2025-07-04"].is_closed
    assert not by_date["2025-07-03"].is_closed
    assert str(by_date["2025-07-03"].early_close_time) == "13:00:00"
    assert all(day.source.startswith("packaged #") for day in days)
