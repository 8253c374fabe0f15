"""Real returns, and the edges that every metric must survive."""

from pathlib import Path

import pandas as pd
import pytest


def read_returns(folder: Path, symbol: str) -> pd.Series:
    bars = pd.read_csv(folder / "us_equity" / f"daily_{symbol}.csv.gz", parse_dates=["timestamp"])
    returns = bars.set_index("timestamp")["close"].pct_change().iloc[1:]
    return returns[returns.abs() < 0.45].rename(symbol)  # AAPL's splits are in its raw prices


@pytest.fixture(params=["SPY", "AAPL"])
def real(request: pytest.FixtureRequest, shared_data: Path) -> pd.Series:
    """Daily returns of 1998 to 2021, 5,848 sessions of SPY."""
    return read_returns(shared_data, request.param)
