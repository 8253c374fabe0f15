"""Real returns, and the edges that every metric must survive."""

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import mismartera_analytics.models  # noqa: F401 - every mapping must be known
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.models.database import Base


def read_returns(folder: Path, symbol: str) -> pd.Series:
    """Daily returns of closes, adjusted for splits: a factor holds up to and including its date."""
    equities = folder / "us_equity"
    bars = pd.read_csv(equities / f"daily_{symbol}.csv.gz", parse_dates=["timestamp"])
    columns = ["date", "dividends", "splits", "reference"]
    factors = pd.read_csv(equities / f"factors_{symbol}.csv", names=columns, parse_dates=["date"])
    splits = factors.set_index("date")["splits"]
    close = bars.set_index("timestamp")["close"]
    close *= splits.iloc[
        splits.index.searchsorted(close.index).clip(max=len(splits) - 1)
    ].to_numpy()
    return close.pct_change().iloc[1:].rename(symbol)


@pytest.fixture(params=["SPY", "AAPL"])
def real(request: pytest.FixtureRequest, shared_data: Path) -> pd.Series:
    """Daily returns of 1998 to 2021, 5,848 sessions."""
    return read_returns(shared_data, request.param)


@pytest.fixture(scope="session")
def markets() -> dict[str, TradingCalendar]:
    """Calendars of the packaged rules."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as db_session:
        sync_calendars(["US_EQUITY", "TSE", "24/7"], db_session=db_session)
        names = ("NYSE", "TSE", "24/7")
        found = {name: trading_calendar(name, db_session=db_session) for name in names}
    engine.dispose()
    return found
