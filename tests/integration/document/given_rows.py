"""Rows that the blocks take for granted: two users, an account, two positions and an order."""

import sqlite3

from given_models import *
from given_names import *

from mismartera_analytics import settings

with session_scope() as s:
    john = User(username="john", email="john@example.com", hashed_password="x")
    taken = User(
        username="existing", email="test@example.com", hashed_password="x", is_active=False
    )
    s.add_all([john, taken])
    s.flush()
    account = AccountInfo(user=john, broker="schwab", account_number="1")
    s.add(account)
    s.flush()
    held = {"user": john, "account": account, "average_price": 100}
    s.add_all(
        [
            Position(**held, symbol="AAPL", quantity=10, market_value=1500),
            Position(**held, symbol="MSFT", quantity=1, market_value=250),
            Order(
                user=john,
                account=account,
                symbol="AAPL",
                side="BUY",
                order_type="MARKET",
                quantity=10,
                status="CANCELLED",
                placed_at=datetime.fromisoformat("2025-07-02T13:30:00+00:00"),
            ),
        ]
    )


def in_database(statement):
    """Ask the file itself, past every layer of ours."""
    with sqlite3.connect(settings().database_url.removeprefix("sqlite:///")) as connection:
        return connection.execute(statement).fetchall()
