"""Returns and contributions from records: scope, benchmark, totals and refusals."""

from __future__ import annotations

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError, UnknownNameError
from mismartera_analytics.models import AccountInfo
from tests.world import record_cash, record_trades


@pytest.fixture
def traded(books, prices):
    """Give ada 10 ABC from 100 to 121 on 2025-07-01 to 03, and bob money that does nothing."""
    prices("ABC", "2025-06-30", [100, 100, 110, 121])
    prices("IDX", "2025-06-30", [50, 51, 52, 53])
    record_cash(books.ada, ("2025-07-01 09:00", "DEPOSIT", 1000.0))
    record_trades(books.ada, ("2025-07-01 10:00", "ABC", 10, 100.0))
    record_cash(books.bob, ("2025-07-01 09:00", "DEPOSIT", 1000.0))
    return books


def test_returns_by_account_and_in_total(traded):
    frame = ma.returns(benchmark="IDX")
    ada = frame.loc[frame["account_id"] == traded.ada]
    assert ada["net_return"].tolist() == pytest.approx([0, 0.1, 0.1])
    assert ada["benchmark_return"].tolist() == pytest.approx([0.02, 52 / 51 - 1, 53 / 52 - 1])
    total = ma.returns(by="total", freq="total").iloc[0]
    assert pd.isna(total["account_id"])
    assert total["net_return"] == pytest.approx(210 / 2000)
    assert total["xirr"] == pytest.approx(1.105 ** (365 / 3) - 1)
    parts = ma.contributions(by="total")
    assert parts["symbol"].fillna("").tolist() == ["ABC", ""]
    assert parts["contribution"].sum() == pytest.approx(total["net_return"])


def test_money_moved_between_own_accounts_is_no_flow_of_the_whole(traded):
    record_cash(traded.bob, ("2025-07-02 10:00", "TRANSFER", -500.0))
    record_cash(traded.ada, ("2025-07-02 10:00", "TRANSFER", 500.0))
    assert ma.returns(by="total")["flows"].tolist() == [2000, 0, 0]
    assert ma.returns(account=traded.ada)["flows"].tolist() == [1000, 500, 0]


def test_returns_of_chosen_symbols_leave_cash_out(traded):
    record_cash(traded.ada, ("2025-07-01 09:00", "DEPOSIT", 5000.0))
    frame = ma.returns(account=traded.ada, symbols="ABC", freq="total")
    assert frame["net_return"].tolist() == pytest.approx([0.21])
    parts = ma.contributions(account=traded.ada, symbols="ABC")
    assert parts[["symbol", "contribution"]].to_numpy().tolist() == [["ABC", pytest.approx(0.21)]]


def test_users_see_their_own(traded):
    with ma.as_user("bob"):
        assert set(ma.returns()["account_id"]) == {traded.bob}
        assert set(ma.contributions()["account_id"]) == {traded.bob}
        with pytest.raises(UnknownNameError):
            ma.returns(account=traded.ada)


def test_nothing_recorded_and_bad_arguments(books):
    pd.testing.assert_frame_equal(ma.returns(), frames.RETURNS.empty())
    pd.testing.assert_frame_equal(ma.contributions(), frames.CONTRIBUTIONS.empty())
    with pytest.raises(InvalidInputError, match="did you mean 'total'"):
        ma.returns(by="totals")
    with pytest.raises(InvalidInputError, match="did you mean 'split'"):
        ma.contributions(flow_timing="splits")
    with pytest.raises(InvalidInputError, match="max_price_age=-1 must be a whole number from 0"):
        ma.returns(max_price_age=-1)


def test_unknown_benchmarks_and_mixed_currencies_are_refused(traded):
    with pytest.raises(BarsNotFoundError, match="IDY"):
        ma.returns(benchmark="IDY")
    with pytest.raises(InvalidInputError, match="benchmark"):
        ma.returns(benchmark="")
    with ma.session_scope() as db_session:
        db_session.get(AccountInfo, traded.bob).currency = "EUR"
    with pytest.raises(InvalidInputError, match="EUR, USD"):
        ma.returns(by="total")
    assert set(ma.returns(by="total", account=traded.bob)["currency"]) == {"EUR"}
    assert set(ma.contributions(by="total", account=traded.ada)["currency"]) == {"USD"}
