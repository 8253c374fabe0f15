from __future__ import annotations

import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import DuplicateError, InvalidInputError, NotAllowedError
from mismartera_analytics.models import Position
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.accounts import create_account, open_account
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import record_cash, record_trades


def test_positions_and_balances_follow_the_records(books, prices, split):
    prices("AAPL", "2025-07-01", [200, 205, 103])
    split("AAPL", "2025-07-03", 2.0)
    record_cash(
        books.ada,
        ("2025-07-01 08:00", "DEPOSIT", 10_000),
        ("2025-07-02 08:00", "INTEREST", 7),
        ("2025-07-02 08:00", "FEE", -2),
    )
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201, 1))
    for _ in range(2):
        frame = refresh_positions(books.ada)
        assert ma.positions()["symbol"].tolist() == ["AAPL"]
    row = frame.iloc[0]
    assert (row["quantity"], row["current_price"], row["market_value"]) == (20, 103, 2060)
    assert row["cost_basis"] == 2011
    assert row["day_change"] == pytest.approx(20 * (103 - 102.5))
    account = ma.accounts(account=books.ada).iloc[0]
    assert account["cash_balance"] == 10_000 + 7 - 2 - 2011
    assert account["equity"] == account["total_value"] == account["cash_balance"] + 2060
    assert account["buying_power"] == account["cash_balance"]


def test_a_closed_position_goes_and_a_brokers_report_stays(books):
    with session_scope() as db_session:
        db_session.add(Position(account_id=books.bob, symbol="IBM", quantity=5, average_price=9))
        db_session.add(Position(account_id=books.ada, symbol="IBM", quantity=5, average_price=9))
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201),
                  ("2025-07-02 10:00", "AAPL", -10, 205))  # fmt: skip
    assert refresh_positions().empty
    left = ma.positions()
    assert left["account_id"].tolist() == [books.bob]
    assert ma.accounts(account=books.ada)["equity"].tolist() == [40]


def test_accounts_are_created_once_or_opened(books):
    first = create_account("ada", "alpaca", account_number="N-1")
    with pytest.raises(DuplicateError, match="open_account"):
        create_account("ada", "alpaca", account_number="N-1")
    assert open_account("ada", "alpaca", account_number="N-1") == first
    assert open_account("bob", "alpaca", account_number="N-1") != first
    assert open_account("ada", "backtest") == open_account("ada", "backtest")
    with pytest.raises(InvalidInputError, match="kept in 'USD'"):
        open_account("ada", "alpaca", account_number="N-1", currency="EUR")
    with pytest.raises(InvalidInputError, match="currency='usd'"):
        create_account("ada", "alpaca", account_number="N-2", currency="usd")
    with ma.as_user("bob"), pytest.raises(NotAllowedError):
        create_account("ada", "alpaca", account_number="N-3")
