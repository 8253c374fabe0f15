"""The network breaks at any message and during COMMIT: repeated where that is safe, told where not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import func, inspect, select, text

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.auth import set_password
from mismartera_analytics.backtesting.trial_log import TrialRecord, log_trials
from mismartera_analytics.calendars.files import import_holidays
from mismartera_analytics.errors import (
    ConnectionLostError,
    DatabaseBusyError,
    OutcomeUnknownError,
)
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    Fill,
    Order,
    User,
    bulk_reading,
    connections,
    retrying,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.session_configs import save_session_config
from tests.faults.generated.samples import actions_frame, instruments_frame
from tests.faults.killed_work import saved, saving
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.scale import scaled
from tests.recording.brokers.folder import SCHWAB

AT = pd.Timestamp("2025-07-02 10:00", tz="America/New_York")
COMMIT = b"COMMIT\0"
"""The whole command: ``BEGIN ISOLATION LEVEL READ COMMITTED`` is none."""
EVERY = scaled(5, 1)
"""At every how many messages a connection is broken."""


def orders_of(count: int = 1, name: str | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return orders and a fill of each; without a name they have no broker's id."""
    times = [AT + pd.Timedelta(seconds=k) for k in range(count)]
    orders = pd.DataFrame(
        {"order_id": range(count), "symbol": "AAPL", "side": "BUY", "quantity": 3.0,
         "placed_at": times, "broker_order_id": [name and f"{name}{k}" for k in range(count)]}
    )  # fmt: skip
    fills = pd.DataFrame(
        {"order_id": range(count), "quantity": 3.0, "price": 200.0, "filled_at": times}
    )
    return orders, fills


def count_of(table: Any) -> int:
    with ma.SessionLocal() as db_session:
        return int(db_session.scalar(select(func.count()).select_from(table)) or 0)


def hold_equal_at_any_break(
    network: Proxy, read: Callable[[], pd.DataFrame], expected: pd.DataFrame, name: str
) -> None:
    """Read again and again, with a break one or some messages later each time, up to the last."""
    number = 0
    while True:
        seen = network.nth(number)
        pd.testing.assert_frame_equal(read(), expected, obj=name)
        if len(seen) <= number:
            break
        number += EVERY


@pytest.fixture
def account(ready_database: str) -> int:
    ma.create_user("ada", "ada@example.com", "pw")
    return create_account("ada", "schwab", account_number="A-1")


@pytest.fixture
def network(
    postgres_database: Callable[[str | None], str], postgres_template: str, home: Any
) -> Iterator[Proxy]:
    """Configure a PostgreSQL database behind a proxy, with a user and an account."""
    with proxy_to(postgres_database(postgres_template)) as (proxy, url):
        config.configure(database_url=url)
        ma.create_user("ada", "ada@example.com", "pw")
        assert create_account("ada", "schwab", account_number="A-1") == 1
        yield proxy
        db.close_db()


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("name", ["B-", None])
def test_recording_is_repeated_and_adds_nothing(network: Proxy, how: str, name: str | None) -> None:
    broken = network.once(COMMIT, how)
    orders, fills = orders_of(3, name)
    recorded = ma.record_orders(orders, fills, account=1)
    assert broken
    assert (recorded.orders, recorded.unchanged) == ((3, 0) if how == "before" else (0, 3))
    assert (count_of(Order), count_of(Fill)) == (3, 3)
    deposit = pd.DataFrame({"flow_type": ["DEPOSIT"], "amount": [9.0], "occurred_at": [AT]})
    broken = network.once(COMMIT, how)
    ma.record_flows(deposit, account=1)
    assert broken
    assert count_of(CashFlow) == 1


def _import_holidays(home: Path) -> object:
    file = home / "days.csv"
    file.write_text("date,holiday_name,is_closed,early_close_time\n2031-01-09,A,1,\n")
    return import_holidays(file, "NYSE")


def _log_trials(_: Path) -> object:
    tried = TrialRecord({"n": 1}, {"digest": "d"}, {}, None, {"sharpe": 0.1})
    return log_trials("a family", [tried], user="ada")


REPEATED: dict[str, Callable[[Path], object]] = {
    "import": lambda _: ma.import_orders(SCHWAB, account=1),
    "refresh": lambda _: ma.refresh_positions(1),
    "actions": lambda _: record_actions(actions_frame()),
    "instruments": lambda _: record_instruments(instruments_frame()),
    "holidays": _import_holidays,
    "configuration": lambda _: save_session_config("x", {"mode": "backtest"}),
    "trials": _log_trials,
    "password": lambda _: set_password("ada", "another"),
}
"""Writers whose repetition adds nothing."""


def contents() -> dict[str, int]:
    """Return how many rows each table has."""
    with db.engine.connect() as connection:
        return {
            name: int(connection.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0)
            for name in inspect(connection).get_table_names()
        }


@pytest.mark.postgres
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("how", ["before", "after"])
def test_every_writer_that_adds_nothing_twice_is_repeated(
    network: Proxy, how: str, home: Path
) -> None:
    ma.record_orders(*orders_of(3), account=1)
    for name, write in REPEATED.items():
        before = contents()
        broken = network.once(COMMIT, how)
        write(home)
        assert broken, name
        after = contents()
        if name != "password":
            assert before != after, name
        write(home)
        assert contents() == after, f"{name} was written twice"
    assert ma.authenticate_user("ada", "another") is not None


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_run_is_saved_whole_or_not_at_all_and_said_to_be_unknown(
    network: Proxy, how: str, home: Path
) -> None:
    saving(1, home, lambda *_: None)
    before = contents()
    broken = network.once(COMMIT, how)
    with pytest.raises(OutcomeUnknownError, match=r"not known.*find out, .*by its name"):
        saving(2, home, lambda *_: None)
    assert broken
    assert contents()["backtest_runs"] == (1 if how == "before" else 2)
    assert (contents() == before) == (how == "before")
    assert set(saved().values()) == {(1, 4, 1, 4)}


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_user_is_created_once(network: Proxy, how: str) -> None:
    broken = network.once(COMMIT, how)
    assert ma.create_user("bob", "bob@example.com", "pw").username == "bob"
    assert broken
    assert ma.authenticate_user("bob", "pw") is not None
    assert count_of(User) == 2


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["before", "after"])
def test_what_must_not_be_done_twice_says_that_nobody_knows(network: Proxy, how: str) -> None:
    broken = network.once(COMMIT, how)
    with pytest.raises(OutcomeUnknownError, match=r"not known.*find out, .*open_account") as caught:
        create_account("ada", "schwab", account_number="A-2")
    assert broken
    assert "\n" not in str(caught.value)
    assert count_of(AccountInfo) == (1 if how == "before" else 2)
    broken = network.once(COMMIT, how)
    with (
        pytest.raises(
            OutcomeUnknownError, match="whether the transaction was written is not known"
        ),
        ma.session_scope() as db_session,
    ):
        db_session.add(User(username="b", email="b@example.com", hashed_password="x"))
    assert broken
    assert count_of(User) == (1 if how == "before" else 2)


@pytest.mark.postgres
def test_a_callers_transaction_is_never_repeated(network: Proxy) -> None:
    orders, fills = orders_of()
    broken = network.once(b"INSERT INTO orders", "before")
    with (
        pytest.raises(ConnectionLostError, match="undone"),
        ma.session_scope() as db_session,
    ):
        db_session.add(User(username="b", email="b@example.com", hashed_password="x"))
        db_session.flush()
        ma.record_orders(orders, fills, account=1, db_session=db_session)
    assert len(broken) == 1
    assert (count_of(User), count_of(Order)) == (1, 0)


@pytest.mark.postgres
def test_reading_survives_a_break_at_any_message(network: Proxy) -> None:
    ma.record_orders(*orders_of(3), account=1)
    deposit = pd.DataFrame({"flow_type": ["DEPOSIT"], "amount": [9.0], "occurred_at": [AT]})
    ma.record_flows(deposit, account=1)
    helpers: dict[str, Callable[[], pd.DataFrame]] = {
        "orders": ma.orders,
        "fills": ma.fills,
        "accounts": ma.accounts,
        "pnl": ma.pnl,
        "sql": lambda: ma.sql("SELECT symbol, count(*) AS n FROM orders GROUP BY symbol"),
    }
    for name, read in helpers.items():
        hold_equal_at_any_break(network, read, read(), name)


@pytest.mark.postgres
def test_reading_in_bulk_survives_a_break_at_any_message(
    network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ma.record_orders(*orders_of(30), account=1)
    expected = ma.orders()
    monkeypatch.setattr(bulk_reading, "LEAST_ROWS", 2)
    broken = network.once(b"SET TRANSACTION SNAPSHOT", "before")
    pd.testing.assert_frame_equal(ma.orders(), expected)
    assert broken
    hold_equal_at_any_break(network, ma.orders, expected, "orders")


@pytest.mark.postgres
def test_a_server_that_stays_away_is_one_sentence_after_a_bounded_time(
    network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(ma.accounts()) == 1
    monkeypatch.setattr(retrying, "PATIENCE", 1.0)
    network.is_open = False
    network.cut = lambda _sent: "before"
    began = time.monotonic()
    with pytest.raises(ConnectionLostError) as caught:
        ma.accounts()
    assert time.monotonic() - began < 30
    assert "\n" not in str(caught.value)
    network.is_open, network.cut = True, lambda _sent: "pass"
    assert len(ma.accounts()) == 1


def test_all_that_a_reader_sees_is_of_one_state(account: int) -> None:
    with db.read_session() as db_session:
        before = ma.orders(db_session=db_session)
        ma.record_orders(*orders_of(2), account=account)
        assert len(before) == len(ma.orders(db_session=db_session)) == 0
        assert len(ma.fills(db_session=db_session)) == 0
    assert len(ma.fills()) == 2


@pytest.mark.postgres
def test_reading_in_bulk_sees_the_readers_state(
    network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ma.record_orders(*orders_of(3), account=1)
    monkeypatch.setattr(bulk_reading, "LEAST_ROWS", 2)
    with db.read_session() as db_session:
        assert len(ma.orders(db_session=db_session)) == 3
        ma.record_orders(*orders_of(5), account=1)
        assert len(ma.orders(db_session=db_session)) == 3
    assert len(ma.orders()) == 5


def test_writers_of_the_same_at_one_moment_write_it_once(account: int) -> None:
    gate, failures = threading.Barrier(4), []

    def record() -> None:
        try:
            gate.wait()
            ma.record_orders(*orders_of(5), account=account)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (count_of(Order), count_of(Fill)) == (5, 5)


@pytest.mark.postgres
def test_a_turn_that_never_comes_is_one_sentence(
    network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.3)
    orders, fills = orders_of()
    with ma.SessionLocal() as db_session:
        ma.record_orders(orders, fills, account=1, db_session=db_session)
        with pytest.raises(DatabaseBusyError, match="lock timeout"):
            ma.record_orders(orders, fills, account=1)
    assert count_of(Order) == 0
