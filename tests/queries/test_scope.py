"""Whose rows the helpers show: every one of them, for two users and a superuser."""

from __future__ import annotations

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, NotAllowedError, UnknownNameError
from mismartera_analytics.models import Order, Position, User
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import Books, record_cash, record_trades

HELPERS = {
    "accounts": (ma.accounts, {}),
    "orders": (ma.orders, {}),
    "fills": (ma.fills, {}),
    "positions": (ma.positions, {}),
    "positions at": (ma.positions, {"at": "2025-07-03"}),
    "round_trips": (ma.round_trips, {}),
    "pnl": (ma.pnl, {}),
    "pnl by symbol": (ma.pnl, {"by": ["account", "symbol"], "freq": "total"}),
    "pnl of symbols": (ma.pnl, {"symbols": "AAPL", "freq": "year"}),
}


@pytest.fixture
def recorded(books: Books, prices) -> Books:
    prices("AAPL", "2025-07-01", [200.0, 205.0, 210.0])
    for account in (books.ada, books.bob):
        record_cash(account, ("2025-07-01 09:00", "DEPOSIT", 10_000))
        record_trades(
            account,
            ("2025-07-01 10:00", "AAPL", 10, 201),
            ("2025-07-02 10:00", "AAPL", -4, 204, 1),
        )
    refresh_positions()
    return books


@pytest.fixture
def with_orphans(recorded: Books) -> Books:
    """Add rows without an account: one of ada, one of nobody."""
    with session_scope() as db_session:
        ada = db_session.query(User).filter_by(username="ada").one()
        for owner, symbol in ((ada.id, "ADAS"), (None, "NOONES")):
            db_session.add(Position(user_id=owner, symbol=symbol, quantity=1, average_price=1))
            db_session.add(
                Order(user_id=owner, symbol=symbol, side="BUY", quantity=1, price=3.0,
                      filled_quantity=1.0, status="FILLED",
                      placed_at=pd.Timestamp("2025-07-01 14:00", tz="UTC"))
            )  # fmt: skip
    return recorded


def test_a_user_sees_only_their_own_rows(recorded):
    for helper, options in HELPERS.values():
        check_scope(recorded, helper, options)


def check_scope(recorded: Books, helper, options: dict) -> None:
    seen = {}
    for user in ("ada", "bob"):
        with ma.as_user(user):
            seen[user] = helper(**options)
    assert set(seen["ada"]["account_id"]) == {recorded.ada}
    assert set(seen["bob"]["account_id"]) == {recorded.bob}
    with ma.as_user("root"):
        everything = helper(**options)
    assert set(everything["account_id"]) == {recorded.ada, recorded.bob}
    assert len(everything) == len(seen["ada"]) + len(seen["bob"])
    pd.testing.assert_frame_equal(helper(**options), everything)
    pd.testing.assert_frame_equal(helper(user="ada", **options), seen["ada"])
    pd.testing.assert_frame_equal(helper(account=recorded.bob, **options), seen["bob"])
    pd.testing.assert_frame_equal(helper(account="B-1", **options), seen["bob"])
    pd.testing.assert_frame_equal(helper(broker="schwab", **options), seen["ada"])


def test_foreign_names_are_not_even_known(recorded):
    for helper, options in HELPERS.values():
        check_foreign_names_are_not_even_known(recorded, helper, options)


def check_foreign_names_are_not_even_known(recorded: Books, helper, options: dict) -> None:
    with ma.as_user("ada"):
        with pytest.raises(NotAllowedError, match="only their own"):
            helper(user="bob", **options)
        with pytest.raises(NotAllowedError, match="only their own"):
            helper(user="nobody at all", **options)
        with pytest.raises(UnknownNameError, match=f"account={recorded.bob} is not known"):
            helper(account=recorded.bob, **options)
        with pytest.raises(UnknownNameError, match=r"account='B-1' is not known\.|mean 'A-1'"):
            helper(account="B-1", **options)
        with pytest.raises(UnknownNameError, match="broker='alpaca' is not known"):
            helper(broker="alpaca", **options)
        assert len(helper(user="ada", **options)) == len(helper(**options))


def test_an_id_may_come_out_of_a_frame(recorded):
    account = ma.accounts()["account_id"][0]
    assert not isinstance(account, int)
    assert set(ma.orders(account=account)["account_id"]) == {account}
    with session_scope() as db_session:
        ids = pd.Series(db_session.query(User.id).order_by(User.id).all()[0])
    assert not ma.accounts(user=ids[0]).empty
    with ma.as_user(ids[0]) as ada:
        assert type(ada.user_id) is int


def test_unknown_names_suggest_the_nearest(recorded):
    for helper, options in HELPERS.values():
        check_unknown_names_suggest_the_nearest(recorded, helper, options)


def check_unknown_names_suggest_the_nearest(recorded: Books, helper, options: dict) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ada'"):
        helper(user="adda", **options)
    with pytest.raises(UnknownNameError, match="did you mean 'schwab'"):
        helper(broker="schwap", **options)
    with pytest.raises(UnknownNameError, match="there are: 1, 2"):
        helper(account=99, **options)
    with pytest.raises(InvalidInputError, match="account=True"):
        helper(account=True, **options)


def test_rows_without_an_account_belong_to_their_user_or_to_nobody(with_orphans):
    def symbols(frame):
        return set(frame["symbol"])

    for helper in (ma.orders, ma.fills, ma.positions):
        with ma.as_user("ada"):
            assert symbols(helper()) == {"AAPL", "ADAS"}
        with ma.as_user("bob"):
            assert symbols(helper()) == {"AAPL"}
        with ma.as_user("root"):
            assert symbols(helper()) == {"AAPL", "ADAS", "NOONES"}
        assert symbols(helper()) == {"AAPL", "ADAS", "NOONES"}
        assert symbols(helper(account=with_orphans.ada)) == {"AAPL"}
        orphan = helper(symbols="NOONES")
        assert orphan["user"].isna().all()
        assert orphan["account_id"].isna().all()
    frame = ma.pnl(freq="total", by=["account", "symbol"])
    assert symbols(frame) >= {"ADAS", "NOONES"}


def test_a_symbol_of_another_user_is_not_suggested(with_orphans):
    with ma.as_user("bob"), pytest.raises(UnknownNameError) as refused:
        ma.orders(symbols="ADAZ")
    assert "ADAS" not in str(refused.value)
    with pytest.raises(UnknownNameError, match="did you mean 'ADAS'"):
        ma.orders(symbols="ADAZ")


def test_a_database_without_records_gives_empty_frames(books):
    specs = {"orders": frames.ORDERS, "fills": frames.FILLS, "positions": frames.POSITIONS,
             "round_trips": frames.TRADES, "pnl": frames.PNL}  # fmt: skip
    for name, (helper, options) in HELPERS.items():
        if name == "accounts" or "symbols" in options:
            continue
        pd.testing.assert_frame_equal(helper(**options), specs[name.split()[0]].empty())


def test_writing_keeps_to_the_user_as_well(recorded):
    with ma.as_user("ada"):
        assert set(refresh_positions()["account_id"]) == {recorded.ada}
        with pytest.raises(UnknownNameError):
            refresh_positions(recorded.bob)
        with pytest.raises(UnknownNameError):
            record_cash(recorded.bob, ("2025-07-01 09:00", "DEPOSIT", 1))
