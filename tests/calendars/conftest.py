"""A database with the packaged rules, made once, and calendars read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

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


@pytest.fixture(scope="session")
def empty_postgres(postgres_database: Callable[[str | None], str]) -> Iterator[Engine]:
    """A PostgreSQL database with tables and no rows; what tests do in it is rolled back."""
    engine = create_engine(postgres_database(None), poolclass=NullPool)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def own_db(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A database without rows for rules of the test's own, SQLite and PostgreSQL in turn."""
    if request.param == "postgres":
        engine = request.getfixturevalue("empty_postgres")
        with engine.connect() as connection, connection.begin() as transaction:
            with Session(connection, join_transaction_mode="create_savepoint") as db_session:
                yield db_session
            transaction.rollback()
        return
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        yield db_session
    engine.dispose()
