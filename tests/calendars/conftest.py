"""A database with the packaged rules, made once, and calendars read from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import mismartera_analytics.models  # noqa: F401 - every mapping must be known
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.models.database import Base


@pytest.fixture(scope="session")
def rules_db() -> Iterator[Session]:
    """A database in memory that holds the packaged rules; not to be written to."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        sync_calendars(db_session=db_session)
        db_session.commit()
        yield db_session
    engine.dispose()


@pytest.fixture(scope="session")
def nyse(rules_db: Session) -> TradingCalendar:
    return trading_calendar("NYSE", db_session=rules_db)


@pytest.fixture
def own_db() -> Iterator[Session]:
    """An empty database in memory for rules of the test's own."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        yield db_session
    engine.dispose()
