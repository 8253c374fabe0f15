"""Books of a small world: two users, an account each, and a store with prices over a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.auth import create_user
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import record_orders

ZONE = "America/New_York"


@dataclass(frozen=True)
class Books:
    """Ids of the accounts of ada and bob."""

    ada: int
    bob: int


def when(text: str) -> pd.Timestamp:
    """Return a New York wall-clock time."""
    return pd.Timestamp(text, tz=ZONE)


@pytest.fixture
def books(ready_database: str) -> Books:
    """Record two users with an account each, and a superuser."""
    create_user("ada", "ada@example.com", "pw")
    create_user("bob", "bob@example.com", "pw")
    create_user("root", "root@example.com", "pw", superuser=True)
    return Books(
        create_account("ada", "schwab", account_number="A-1", account_type="cash"),
        create_account("bob", "alpaca", account_number="B-1", account_type="margin"),
    )


@pytest.fixture
def prices(books: Books) -> Callable[..., None]:
    """Write daily bars of a symbol: one close a session from a date on."""

    def write(symbol: str, start: str, closes: list[float]) -> None:
        calendar = trading_calendar("US_EQUITY")
        labels = calendar.labels(start, None)[: len(closes)]
        close = np.array(closes, float)
        bars = pd.DataFrame(
            {
                "symbol": symbol, "timestamp": calendar.opens(labels), "session": labels,
                "open": close, "high": close, "low": close, "close": close, "volume": 100,
            }
        )  # fmt: skip
        keep = ~np.isnan(close)
        BarStore().write(bars.loc[keep], "1d")

    return write


@pytest.fixture
def split(books: Books) -> Callable[[str, str, float], None]:
    """Record a split of a symbol."""

    def write(symbol: str, ex_date: str, ratio: float) -> None:
        record_actions(
            pd.DataFrame(
                {"symbol": [symbol], "action_type": ["SPLIT"], "ex_date": [ex_date],
                 "ratio": [ratio]}
            )
        )  # fmt: skip

    return write


def record_trades(account: int, *rows: tuple) -> None:
    """Record filled orders from (time, symbol, signed quantity, price[, fee])."""
    record_orders(
        pd.DataFrame(
            {
                "symbol": [row[1] for row in rows],
                "side": ["BUY" if row[2] > 0 else "SELL" for row in rows],
                "quantity": [abs(float(row[2])) for row in rows],
                "filled_quantity": [abs(float(row[2])) for row in rows],
                "average_fill_price": [float(row[3]) for row in rows],
                "commission": [float(row[4]) if len(row) > 4 else 0.0 for row in rows],
                "placed_at": pd.DatetimeIndex([when(row[0]) for row in rows]),
                "filled_at": pd.DatetimeIndex([when(row[0]) for row in rows]),
            }
        ),
        account=account,
    )


def record_cash(account: int, *rows: tuple) -> int:
    """Record flows from (time, type, amount[, symbol])."""
    return record_flows(
        pd.DataFrame(
            {
                "occurred_at": pd.DatetimeIndex([when(row[0]) for row in rows]),
                "flow_type": [row[1] for row in rows],
                "amount": [float(row[2]) for row in rows],
                "symbol": [row[3] if len(row) > 3 else None for row in rows],
            }
        ),
        account=account,
    )
