"""Calendars and bars for backtests: the packaged NYSE, and small markets written by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.market_data import samples
from mismartera_analytics.models import load_mappings
from mismartera_analytics.models.database import Base


@pytest.fixture(scope="session")
def packaged() -> Iterator[Session]:
    """The packaged calendars in a database in memory."""
    load_mappings()
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        sync_calendars(db_session=db_session)
        db_session.commit()
        yield db_session
    engine.dispose()


@pytest.fixture(scope="session")
def nyse(packaged: Session) -> TradingCalendar:
    return trading_calendar("NYSE", db_session=packaged)


@pytest.fixture(scope="session")
def tokyo(packaged: Session) -> TradingCalendar:
    return trading_calendar("TSE", db_session=packaged)


@pytest.fixture(scope="session")
def sample(nyse: TradingCalendar) -> pd.DataFrame:
    """The four symbols of bokeh-sampledata as `frames.BARS`."""
    bars = samples.sample_bars().rename(columns={"date": "session"})
    opens = nyse.sessions()["regular_open"]
    return bars.assign(timestamp=opens.reindex(bars["session"]).to_numpy())


@pytest.fixture(scope="session")
def splits() -> pd.DataFrame:
    return samples.sample_actions()


@pytest.fixture(scope="session")
def days(nyse: TradingCalendar):  # type: ignore[no-untyped-def]
    """Make daily bars of one symbol from rows of open, high, low, close."""

    def make(
        *rows: tuple[float, float, float, float] | None,
        symbol: str = "AAA",
        start: str = "2024-01-02",
    ) -> pd.DataFrame:
        sessions = nyse.sessions(start, dt.date(2024, 12, 31)).iloc[: len(rows)]
        kept = [k for k, row in enumerate(rows) if row is not None]
        prices = pd.DataFrame(
            [row for row in rows if row is not None], columns=["open", "high", "low", "close"]
        )
        return prices.assign(
            symbol=symbol,
            timestamp=sessions["regular_open"].iloc[kept].to_numpy(),
            session=sessions.index[kept],
            volume=1e6,
        )

    return make
