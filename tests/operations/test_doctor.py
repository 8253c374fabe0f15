"""The doctor: a fault of each kind put in by hand is named by its rows, and what is safe is mended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.cli.application import run
from mismartera_analytics.errors import NotAllowedError, StorageError
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Order,
    Position,
    Report,
    SessionConfig,
    Trial,
    User,
    migrate,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.operations import report_checks
from mismartera_analytics.operations.database_roles import grant_role
from mismartera_analytics.operations.doctor import Diagnosis, doctor
from tests.finite_checks import drop_finite_checks
from tests.roles import make_role, url_of
from tests.world import Books, books, prices, record_cash, record_trades, when

__all__ = ["books", "make_role", "prices"]


def examined(*, fix: bool = False) -> Diagnosis:
    return doctor(fix=fix, progress=False)


def said(found: Diagnosis, check: str) -> list[tuple[str, str]]:
    rows = found.frame[found.frame["check"] == check]
    return list(zip(rows["severity"], rows["what"], strict=True))


def put(table: object, **values: object) -> int:
    """Write a row past every check, as another program would; return its id."""
    with db.session_scope() as db_session:
        done = db_session.execute(insert(table).values(**values))
        return int(done.inserted_primary_key[0])


def change(table: object, **values: object) -> None:
    with db.session_scope() as db_session:
        db_session.execute(update(table).values(**values))


def an_order(books: Books, **values: object) -> int:
    usual = {"user_id": 1, "account_id": books.ada, "symbol": "AAPL", "side": "BUY", "quantity": 10.0,
             "order_type": "MARKET", "status": "FILLED", "filled_quantity": 10.0,
             "average_fill_price": 5.0, "placed_at": when("2024-01-03 10:00"),
             "filled_at": when("2024-01-03 10:01")}  # fmt: skip
    return put(Order, **(usual | values))


@pytest.fixture
def traded(books: Books, prices: object) -> Books:
    """Give both users orders, cash and prices that are in order."""
    prices("AAPL", "2024-01-02", [100.0, 101.0, 102.0])
    for account in (books.ada, books.bob):
        record_cash(account, ("2024-01-02 09:00", "DEPOSIT", 10_000))
        record_trades(
            account, ("2024-01-02 10:00", "AAPL", 10, 100), ("2024-01-03 10:00", "AAPL", -4, 101)
        )
    return books


def test_what_is_in_order_is_well(traded):
    ma.refresh_positions()
    found = examined()
    assert found.is_well, found
    assert found.frame.empty
    assert not found.skipped
    assert "nothing is wrong" in repr(found)
    assert {"identities", "positions", "store", "reports", "calendars"} <= set(found.checks)


@pytest.mark.parametrize(
    ("values", "severity", "words"),
    [
        ({"average_fill_price": None}, "error", "without a price"),
        ({"filled_at": None, "placed_at": None}, "error", "without a time"),
        ({"filled_at": None}, "note", "not recorded"),
        ({"filled_quantity": 11.0}, "error", "beyond their quantity"),
        ({"quantity": -10.0, "filled_quantity": -10.0}, "error", "not positive"),
        ({"filled_quantity": 4.0}, "warning", "FILLED with less"),
        ({"filled_at": when("2024-01-03 09:59")}, "warning", "before they were placed"),
        ({"side": "LONG"}, "error", "other than BUY and SELL"),
        ({"user_id": 2}, "warning", "not their account's"),
        ({"user_id": None, "account_id": None}, "note", "no account and no user"),
    ],
)
def test_an_order_that_breaks_a_rule_is_named(traded, values, severity, words):
    number = an_order(traded, **values)
    told = said(examined(), "records")
    assert any(
        one == severity and words in what and f"order {number}" in what for one, what in told
    ), told


def test_rows_are_named_up_to_five(traded):
    numbers = [an_order(traded, filled_quantity=11.0) for _ in range(12)]
    (told,) = [what for _, what in said(examined(), "records")]
    assert told.startswith(f"orders {', '.join(map(str, numbers[:5]))} and 7 more: ")


def test_fills_beyond_their_order_flows_and_currencies(traded):
    number = an_order(traded)
    for _ in range(2):
        put(Fill, order_id=number, filled_at=when("2024-01-03 10:01"), quantity=10.0, price=5.0)
    flow = put(CashFlow, account_id=traded.ada, flow_type="DEPOSIT", amount=-5.0, currency="EUR",
               occurred_at=when("2024-01-03 10:00"))  # fmt: skip
    told = {what: one for one, what in said(examined(), "records")}
    assert told[f"order {number}: their fills add up to more than filled_quantity"] == "error"
    assert told[f"cash flow {flow}: in another currency than their account"] == "error"
    assert any(f"cash flow {flow}: a deposit" in what for what in told)


def test_a_price_below_zero_is_a_warning(traded):
    number = an_order(traded)
    put(Fill, order_id=number, quantity=10.0, price=-100.0, filled_at=when("2024-01-03 10:00"))
    assert ("warning", "fill 1: a price below zero") in said(examined(), "records")


def test_an_instrument_in_another_currency_is_named(traded):
    from mismartera_analytics.models import Instrument

    put(Instrument, symbol="AAPL", currency="EUR", exchange_group="US_EQUITY", asset_class="EQUITY",
        multiplier=1.0)  # fmt: skip
    told = said(examined(), "records")
    assert ("error", f"symbols AAPL in account {traded.ada}, AAPL in account {traded.bob}: quoted in "
            "another currency than the account") in told  # fmt: skip


def test_old_values_are_notes(traded):
    number = an_order(traded, status="DONE", order_type="ICEBERG", time_in_force="WHENEVER")
    change(AccountInfo, account_type="ira")
    found = examined()
    told = said(found, "values")
    assert {one for one, _ in told} == {"note"}
    assert any(what.startswith(f"status='DONE' of order {number} ") for _, what in told)
    assert len(told) == 4
    assert len(found.errors) == 0


def test_numbers_that_are_none_stop_what_rests_on_them(traded):
    number = an_order(traded)
    drop_finite_checks()
    with db.session_scope() as db_session:
        db_session.execute(update(Order).where(Order.id == number).values(price=float("inf")))
    found = examined()
    assert said(found, "columns") == [
        ("error", f"order {number}: a number that is not finite, or no number at all")
    ]
    assert {"identities", "positions", "records"} <= set(found.skipped)


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_a_time_that_cannot_be_read_and_a_reference_to_nothing(traded):
    number = an_order(traded)
    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")  # which counts outside of a transaction only
        connection.exec_driver_sql(f"UPDATE orders SET placed_at = 'noon' WHERE id = {number}")
        connection.exec_driver_sql(f"UPDATE orders SET account_id = 99 WHERE id = {number}")
        connection.commit()
    db.close_db()
    found = examined()
    assert said(found, "columns") == [("error", f"order {number}: a time that cannot be read")]
    assert said(found, "references") == [
        ("error", f"row {number} of orders: account_id leads to no row of account_info")
    ]


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_a_damaged_file_is_an_error_and_no_crash(traded, ready_database):
    db.close_db()
    file = Path(ready_database.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    for page in range(20, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    file.write_bytes(content)
    found = examined()
    assert len(found.errors)
    assert not found.is_well


@pytest.mark.parametrize("ready_database", ["postgres"], indirect=True)
def test_a_sequence_that_is_behind_is_moved(traded):
    with db.session_scope() as db_session:
        db_session.execute(text("SELECT setval('orders_id_seq', 1)"))
    found = examined()
    assert [one for one, _ in said(found, "database")] == ["error"]
    mended = examined(fix=True)
    assert not len(mended.errors), mended
    assert len(mended.mended) == 1
    assert an_order(traded) == 5


def test_orders_outside_of_the_calendar_have_no_ledger(traded):
    number = an_order(
        traded, placed_at=when("1950-01-03 10:00"), filled_at=when("1950-01-03 10:00")
    )
    found = examined()
    assert number
    assert any("AAPL" in what and "outside" in what for _, what in said(found, "calendars"))
    told = said(found, "identities")
    assert len(told) == 1
    assert told[0][0] == "error"
    assert told[0][1].startswith(f"account {traded.ada}: no ledger can be made")


def test_an_identity_that_is_open_is_an_error(traded, monkeypatch):
    from mismartera_analytics.operations import account_checks

    def off_by_a_cent(**options: object) -> pd.DataFrame:
        profit = ma.pnl(**options)
        return profit.assign(realized=profit["realized"] + 0.01, total=profit["total"] + 0.01)

    monkeypatch.setattr(account_checks, "pnl", off_by_a_cent)
    told = said(examined(), "identities")
    assert [one for one, _ in told] == ["error", "error"]
    assert told[0][1].startswith(f"account {traded.ada}: begin + flows + profit and loss differ")


def test_positions_of_ours_are_refreshed_and_a_brokers_are_left(traded):
    ma.refresh_positions([traded.ada])
    change(Position, quantity=7.0)
    put(Position, user_id=2, account_id=traded.bob, symbol="AAPL", quantity=99.0, average_price=1.0,
        last_updated=when("2024-01-05 12:34:56"))  # fmt: skip
    with db.session_scope() as db_session:
        db_session.execute(update(AccountInfo).where(AccountInfo.id == traded.bob)
                           .values(last_synced=when("2024-01-05 12:34:56")))  # fmt: skip
    before = examined()
    rows = before.frame[before.frame["check"] == "positions"]
    assert rows["is_mendable"].tolist() == [True, False]
    assert "reconcile" in rows["advice"].iloc[1]
    after = examined(fix=True)
    assert after.mended == (f"account {traded.ada}: 1 positions were worked out anew",)
    assert ma.positions(account=traded.ada)["quantity"].tolist() == [6.0]
    assert ma.positions(account=traded.bob)["quantity"].tolist() == [99.0], (
        "a broker's report is no fault"
    )


def test_positions_are_not_worked_out_from_orders_that_are_in_doubt(traded):
    """The recorded position is right and the order is not: mending would lose what is right."""
    ma.refresh_positions([traded.ada])
    with db.session_scope() as db_session:
        sale = db_session.query(Order).filter_by(account_id=traded.ada, side="SELL").one()
        db_session.query(Fill).filter_by(order_id=sale.id).delete()
        sale.filled_quantity = -4.0
    after = examined(fix=True)
    rows = after.frame[after.frame["check"] == "positions"]
    assert rows["is_mendable"].tolist() == [False]
    assert "named above" in rows["advice"].iloc[0]
    assert after.mended == ()
    assert ma.positions(account=traded.ada)["quantity"].tolist() == [6.0]
    with db.session_scope() as db_session:
        db_session.get_one(Order, sale.id).filled_quantity = 4.0
    assert examined().is_well


@pytest.mark.parametrize("quantity", [6.0, 3.0], ids=["a copy", "halves that add up"])
def test_a_position_that_is_there_twice(traded, quantity):
    ma.refresh_positions([traded.ada])
    change(Position, quantity=quantity)
    with db.session_scope() as db_session:
        row = db_session.query(Position).one()
        names = "user_id", "account_id", "symbol", "quantity", "average_price", "last_updated"
        copy = {name: getattr(row, name) for name in names}
    put(Position, **copy)
    assert [one for one, _ in said(examined(), "positions")] == ["warning"]
    assert examined(fix=True).is_well
    assert ma.positions(account=traded.ada)["quantity"].tolist() == [6.0]


def test_files_of_reports(traded, home):
    done = ma.report([traded.ada], stress=False, progress=False)
    page = done.folder / done.frame["files"][0]
    assert examined().is_well
    leftover = page.with_name(f".{page.name}.0123abcd.part")
    leftover.write_bytes(b"<html>")
    assert examined().frame.empty, "it may be about to be moved"
    os.utime(leftover, (time.time() - 7200,) * 2)
    assert [one for one, _ in said(examined(), "leftovers")] == ["note"]
    page.write_bytes(page.read_bytes() + b" ")
    assert [one for one, _ in said(examined(), "reports")] == ["warning"]
    page.unlink()
    found = examined(fix=True)
    assert [one for one, _ in said(found, "reports")] == ["note"]
    assert not leftover.exists()
    assert found.is_well


def test_folders_that_a_killed_backup_or_restore_left(traded, home):
    day, places = 86_400, (home, Path(config.settings().bar_store).parent)
    folders = [place / f".{name}.0123abcd.part" for place, name in zip(places, "xy", strict=True)]
    for folder in folders:
        (folder / "1d").mkdir(parents=True)
        (folder / "1d" / "half").write_bytes(b"half")
    mine = home / ".mine"
    mine.mkdir()
    for path in (*home.rglob("*"), mine):
        os.utime(path, (time.time() - 2 * day,) * 2)
    os.utime(folders[0] / "1d" / "half", (time.time() - day / 2,) * 2)
    (told,) = said(examined(), "leftovers")
    assert str(folders[1]) in told[1]
    assert str(folders[0]) not in told[1], "somebody has written there today"
    examined(fix=True)
    assert folders[0].is_dir()
    assert mine.is_dir()
    assert not folders[1].exists()


def test_a_former_page_that_is_whole_is_a_note(traded):
    done = ma.report([traded.ada], stress=False, progress=False)
    page = done.folder / done.frame["files"][0]
    put(Report, title="x", path=str(page), created_at=when("2024-02-01 10:00"), file_hash="0" * 64)
    (told,) = said(examined(), "reports")
    assert told[0] == "note"
    assert "the newest was noted" in told[1]


def test_bars_that_are_gone_cut_off_or_left_over(traded, home):
    folder = Path(config.settings().bar_store) / "1d"
    file = next(path for path in folder.rglob("*.parquet") if "_delta_log" not in str(path))
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    assert [one for one, _ in said(examined(), "store")] == ["error"]
    file.write_bytes(content)
    for name in ("part-left.parquet", "_delta_log/00000000000000000009.json#1"):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - 2 * 86_400,) * 2)
    (told,) = said(examined(), "store")
    assert told[0] == "note"
    assert examined(fix=True).frame.empty
    file.unlink()
    (told,) = said(examined(), "store")
    assert told[0] == "error"
    assert file.name in told[1]


def test_cited_versions_that_do_not_exist_are_named(traded):
    cites = json.dumps(
        {"data": {"version": 77, "interval": "1d", "store": config.settings().bar_store}}
    )
    number = put(Report, title="x", path="/nowhere.html", created_at=when("2024-02-01 10:00"),
                 cites_json=cites)  # fmt: skip
    (told,) = said(examined(), "store")
    assert told[0] == "warning"
    assert "version 77" in told[1]
    assert f"report {number}" in told[1]


def test_an_outdated_database_and_none_at_all(traded, home):
    migrate.downgrade(db.engine, "0007")
    db.close_db()
    found = examined()
    assert [one for one, _ in said(found, "revision")] == ["error"]
    assert found.errors["advice"].tolist() == ["mismartera db upgrade"]
    assert {"records", "identities", "reports"} <= set(found.skipped)
    config.configure(database_url=f"sqlite:///{home}/none.db")
    assert examined().errors["advice"].tolist() == ["mismartera db init"]
    assert not (home / "none.db").exists()
    config.configure(database_url="postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    lost = examined()
    assert "hidden" not in repr(lost)
    assert [one for one, _ in said(lost, "revision")] == ["error"]


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_folders_secrets_and_rights(traded, home, monkeypatch):
    made = home / "data" / "made.db"
    config.configure(database_url=f"sqlite:///{made}")
    ma.init_db()
    assert made.stat().st_mode & 0o007 == 0, "a new database is not for others"
    made.chmod(0o644)
    strategies = home / "strategies"
    strategies.mkdir()
    strategies.chmod(0o777)
    for folder in (home, *home.parents):
        if folder != Path("/"):
            monkeypatch.setitem(_MODES, folder, folder.stat().st_mode)
            folder.chmod(folder.stat().st_mode | 0o001)
    try:
        told = said(examined(), "settings")
    finally:
        for folder, mode in _MODES.items():
            folder.chmod(mode)
    assert told == [
        ("warning", f"{made} can be read by everybody on this machine"),
        ("warning", f"{strategies} can be written by everybody on this machine, and code of strategies "
         f"runs from there"),
    ]  # fmt: skip


_MODES: dict[Path, int] = {}


def test_it_is_for_administrators(traded):
    with ma.as_user("ada"), pytest.raises(NotAllowedError, match="'ada' may not examine"):
        doctor()
    with ma.as_user("root"):
        assert not len(examined().errors)


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_the_command_ends_with_what_it_found(traded, capfd):
    assert run(["doctor"]) == 0
    assert "nothing is wrong" in capfd.readouterr().out
    number = an_order(traded, average_fill_price=None)
    assert run(["doctor"]) == 1
    assert f"order {number}: filled, without a price" in capfd.readouterr().out
    assert run(["doctor", "--json", "--fix"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["is_well"] is False
    assert found["findings"][0]["severity"] == "error"
    assert found["mended"] == []


def sent(statement: str, *values: object) -> None:
    """Run SQL on the configured SQLite file past the library."""
    with contextlib.closing(sqlite3.connect(str(db.engine.url.database))) as raw, raw:
        raw.execute(statement, values)


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("UPDATE orders SET status = ? WHERE id = 1", "row 1 of orders"),
        ("UPDATE orders SET account_id = ? WHERE id = 1", "row 1 of orders"),
        ("UPDATE users SET username = ? WHERE id = 1", "row 1 of users"),
        ("UPDATE account_info SET currency = ? WHERE id = 1", "row 1 of account_info"),
        ("UPDATE cash_flows SET acquired_on = ? WHERE id = 1", "row 1 of cash_flows"),
        ("UPDATE market_hours SET trading_days = ? WHERE id = 1", "row 1 of market_hours"),
        ("UPDATE trading_holidays SET source = ? WHERE id = 1", "row 1 of trading_holidays"),
    ],
)
@pytest.mark.parametrize("value", [b"\xff\x00", b"text"])
def test_a_value_of_another_kind_is_named(traded, statement, rows, value):
    sent(statement, value)
    found = examined()
    told = said(found, "columns")
    assert ("error", f"{rows}: a value of another kind than its column") in told
    assert {"identities", "positions", "records", "runs", "reports"} <= set(found.skipped)


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", [1.5, "soon"])
def test_a_day_or_a_time_that_is_none_is_named(traded, value):
    sent("UPDATE cash_flows SET acquired_on = ? WHERE id = 1", value)
    sent("UPDATE users SET created_at = ? WHERE id = 1", value)
    assert [what.partition(":")[0] for _, what in said(examined(), "columns")] == [
        "row 1 of cash_flows",
        "row 1 of users",
    ]


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_text_that_is_no_text_is_an_error_and_no_crash(traded):
    sent("UPDATE orders SET symbol = CAST(x'ff41' AS TEXT) WHERE id = 1")
    assert any("Could not decode to UTF-8" in what for what in examined().errors["what"])
    with pytest.raises(StorageError, match="holds text that is none"):
        ma.orders()


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_a_garbled_schema_is_an_error_and_no_crash(traded):
    sent("CREATE TABLE mine (x)")
    with contextlib.closing(sqlite3.connect(str(db.engine.url.database))) as raw, raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE (' WHERE name = 'mine'")
    db.close_db()
    assert any("malformed database schema" in what for what in examined().errors["what"])


def test_an_order_without_any_time_is_named_by_its_rule_alone(traded):
    """Nobody knows its day, so that no calendar can be asked."""
    number = an_order(traded, symbol="IBM", placed_at=None, filled_at=None)
    found = examined()
    assert any(f"order {number}: filled, without a time" in w for _, w in said(found, "records"))
    assert not any("orders outside" in what for _, what in said(found, "calendars"))


def test_an_order_of_which_only_its_end_is_known_is_looked_up_in_the_calendar(traded):
    an_order(traded, symbol="IBM", placed_at=None, filled_at=when("1950-01-03 10:00"))
    assert any("IBM: orders outside" in what for _, what in said(examined(), "calendars"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it takes a folder nobody can empty")
def test_what_cannot_be_deleted_is_told_in_a_sentence(home: Path, monkeypatch):
    left = home / ".page.html.0a1b2c3d.part"
    left.write_text("half")
    os.utime(left, (0, 0))
    (found,) = report_checks.check_leftovers(None)
    assert found.mend is not None
    monkeypatch.setattr(report_checks, "_leftovers", lambda _: [Path("/proc/self/fd")])
    (stuck,) = report_checks.check_leftovers(None)
    assert stuck.mend is not None
    with pytest.raises(StorageError, match="cannot be deleted"):
        stuck.mend()
    left.unlink()
    assert "deleted" in found.mend()


def test_a_device_is_no_report(traded):
    """Some have no end: what a row names is read only where it is a file."""
    put(Report, path="/dev/null", title="x", cites_json="{}",
        file_hash=hashlib.sha256(b"").hexdigest(), created_at=when("2024-01-03 10:00"))  # fmt: skip
    assert ("note", "report /dev/null: no file is there") in said(examined(), "reports")


def held_by(account: int) -> list[float]:
    return ma.positions(account=account)["quantity"].tolist()


def is_about(found: Diagnosis, check: str, words: str) -> bool:
    return any(words in what for _, what in said(found, check))


def without_foreign_keys(statement: str) -> None:
    """Run SQL past the references of the configured database."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            driver.execute(
                "PRAGMA foreign_keys = OFF"
            )  # which counts outside of a transaction only
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(statement)
        connection.commit()
    db.close_db()


@pytest.mark.parametrize(
    ("statement", "check", "words"),
    [
        ("UPDATE fills SET quantity = quantity * 2 WHERE id = 1", "records", "add up to more"),
        ("UPDATE orders SET account_id = 77 WHERE id = 2", "references", "account_id leads to no row"),
        ("UPDATE orders SET quantity = -4 WHERE account_id = 2 AND side = 'SELL'", "records",
         "not positive"),
        ("UPDATE fills SET filled_at = '2999-01-04 15:00:00+00' WHERE id = 1", "identities",
         "no ledger can be made"),
        ("UPDATE fills SET filled_at = '2999-01-04 15:00:00+00' WHERE id = 1", "records",
         "fill 1: a time outside of the years 1900 to 2200"),
    ],
    ids=["a record", "a reference", "a record of another account", "no ledger", "a late time"],
)  # fmt: skip
def test_no_position_is_mended_from_records_that_were_called_wrong(traded, statement, check, words):
    """The recorded positions are right: what is worked out from such records is not."""
    for order in (1, 2, 3, 4):
        put(Fill, order_id=order, filled_at=when("2024-01-03 10:01"), price=100.0,
            quantity=10.0 if order % 2 else 4.0)  # fmt: skip
    ma.refresh_positions()
    ours = db.engine.dialect.name == "sqlite"
    without_foreign_keys(statement.replace("+00'", ".000000'" if ours else "+00'"))
    with db.session_scope() as db_session:
        db_session.execute(update(Position).where(Position.account_id == traded.ada)
                           .values(quantity=7.0))  # fmt: skip
    for found in (examined(), examined(fix=True)):
        assert is_about(found, check, words), found
        told = found.frame[found.frame["check"] == "positions"]
        assert not told["is_mendable"].any()
        assert not told["advice"].str.contains("refresh_positions").any()
        assert found.mended == ()
    with db.SessionLocal() as db_session:
        kept = dict(db_session.query(Position.account_id, Position.quantity).all())
    assert kept == {traded.ada: 7.0, traded.bob: 6.0}


def test_a_check_that_breaks_off_is_a_finding_and_the_others_go_on(traded, monkeypatch):
    """As by damage that nobody thought of: here the ledger of one account raises."""
    from mismartera_analytics.operations import account_checks

    whole = account_checks.pnl

    def breaking(**options):
        if options["account"] == traded.bob:
            raise OverflowError("date value out of range")
        return whole(**options)

    monkeypatch.setattr(account_checks, "pnl", breaking)
    an_order(traded, filled_quantity=11.0)
    found = examined(fix=True)
    assert is_about(
        found, "identities", f"account {traded.bob}: no ledger can be made: OverflowError"
    )
    assert is_about(found, "records", "beyond their quantity")
    assert {"positions", "reports", "store"} <= set(found.checks)
    assert not is_about(found, "identities", f"account {traded.ada}")


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_a_fill_of_the_year_one_is_told_by_the_calendar(traded):
    sent("INSERT INTO fills (order_id, filled_at, quantity, price) "
         "VALUES (3, '0001-01-01 00:00:00.000000', 10, 100)")  # fmt: skip
    found = examined(fix=True)
    assert is_about(found, "identities", f"account {traded.bob}: no ledger can be made: fills")
    assert {"positions", "reports", "store"} <= set(found.checks)
    assert found.mended == ()


def test_a_check_that_fails_in_the_database_leaves_the_others_their_answers(traded, monkeypatch):
    """PostgreSQL answers nothing more in a transaction that has failed."""
    from mismartera_analytics.operations import doctor as examining

    def fail(db_session: Session) -> None:
        db_session.execute(text("SELECT no_such_function(1)"))

    monkeypatch.setitem(examining._OF_RECORDS, "runs", fail)
    found = examined()
    assert is_about(found, "runs", "no_such_function") or is_about(
        found, "runs", "no such function"
    )
    assert found.frame["check"].tolist() == ["runs"]


def test_a_mend_that_fails_is_a_finding_and_the_others_are_made(traded, home, monkeypatch):
    ma.refresh_positions([traded.ada])
    change(Position, quantity=7.0)
    left = home / ".page.html.0a1b2c3d.part"
    left.write_text("half")
    os.utime(left, (0, 0))
    monkeypatch.setattr(report_checks, "_delete", lambda one: one.rmdir())  # which takes no file
    found = examined(fix=True)
    assert is_about(found, "leftovers", "mending broke off: NotADirectoryError")
    assert found.mended == (f"account {traded.ada}: 1 positions were worked out anew",)
    assert held_by(traded.ada) == [6.0]


@pytest.mark.parametrize("ready_database", ["postgres"], indirect=True)
def test_a_time_without_end_stops_what_rests_on_it_and_is_named(traded):
    number = an_order(traded)
    drop_finite_checks()
    with db.session_scope() as db_session:
        db_session.execute(text(f"UPDATE orders SET filled_at = 'infinity' WHERE id = {number}"))
    found = examined(fix=True)
    assert said(found, "columns") == [("error", f"order {number}: a time that cannot be read")]
    assert len(found.errors) == 1
    assert "positions" in found.skipped


def test_a_hash_that_is_none_is_named_and_not_shown(traded):
    change(User, hashed_password="plainly-my-secret")
    found = examined()
    (told,) = said(found, "users")
    assert told[0] == "warning"
    assert told[1].startswith("users 1, 2, 3: ")
    assert "plainly" not in repr(found) + found._repr_html_()
    assert len(found.frame) == 1


@pytest.mark.parametrize(
    ("table", "column", "noun"),
    [(BacktestRun, "metrics_json", "run"), (Trial, "parameters_json", "trial"),
     (Report, "cites_json", "report"), (SessionConfig, "config_json", "session config")],
)  # fmt: skip
def test_json_that_cannot_be_read_is_named(traded, table, column, noun):
    at = when("2024-02-01 10:00")
    usual = {
        BacktestRun: {"name": "x", "created_at": at, "config_json": "{}"},
        Trial: {"family": "x", "recorded_at": at, "parameters_json": "{}"},
        Report: {"title": "x", "path": "/nowhere.html", "created_at": at},
        SessionConfig: {"name": "x", "config_json": "{}"},
    }[table]
    put(table, **(usual | {column: '{"a": NaN}'} | ({"name": "y"} if "name" in usual else {})))
    assert not said(examined(), "runs")
    number = put(table, **(usual | {column: '{"half": '}))
    told = said(examined(), "runs")
    assert told == [("error", f"{noun} {number}: {column} is no JSON that can be read")]


def test_what_may_not_be_null_is_not_to_be_set_to_null(traded):
    for table, column in (
        ("fills", "order_id"),
        ("cash_flows", "account_id"),
        ("orders", "user_id"),
    ):
        if table == "fills":
            put(Fill, order_id=1, filled_at=when("2024-01-02 10:00"), quantity=10.0, price=100.0)
        without_foreign_keys(f"UPDATE {table} SET {column} = 99 WHERE id = 1")
    found = examined()
    rows = found.frame[found.frame["check"] == "references"]
    told = dict(zip(rows["what"].str.split().str[3].str.rstrip(":"), rows["advice"], strict=True))
    assert told == {
        "fills": "delete them, or set it to a row that is there",
        "cash_flows": "delete them, or set it to a row that is there",
        "orders": "set it to null, or to a row that is there",
    }


def test_why_nothing_was_checked_is_true(home):
    config.configure(database_url="postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    assert set(examined().skipped.values()) == {"the database could not be opened"}
    config.configure(database_url=f"sqlite:///{home}/none.db")
    assert set(examined().skipped.values()) == {"there is no database"}
    broken = home / "broken.db"
    broken.write_bytes(b"no database at all, whatever its name may say" * 200)
    config.configure(database_url=f"sqlite:///{broken}")
    assert set(examined().skipped.values()) == {"the database could not be opened"}


POSTGRES = pytest.mark.parametrize("ready_database", ["postgres"], indirect=True)


def run_sql(statement: str) -> None:
    with db.session_scope() as db_session:
        db_session.execute(text(statement))


def follow(found: Diagnosis) -> None:
    """Run the statements that the findings advise."""
    for advice in found.errors["advice"]:
        for statement in advice.split("; "):
            if not statement.startswith(("first ", "then ")):
                with db.session_scope() as db_session:
                    db_session.connection().exec_driver_sql(statement)


@POSTGRES
def test_what_keeps_roles_apart_is_missed_and_can_be_put_back(traded):
    run_sql("ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
    run_sql("DROP POLICY own_rows ON fills")
    run_sql("DROP POLICY superusers_write ON market_hours")
    run_sql("DROP FUNCTION mismartera_cites(name, text) CASCADE")
    found = examined()
    assert [what.split(":")[0] for _, what in said(found, "roles")] == [
        "the function mismartera_cites(name, text) is gone, on which the policies rest",
        "fills lacks the policy own_rows",
        "row-level security of orders is off",
        "market_hours lacks the policy superusers_write",
        "report_rows lacks the policy cited_rows",
    ]
    assert len(found.errors) == 5
    (put_back,) = found.errors.loc[2:2, "advice"]
    assert put_back == "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"
    bodies = found.errors["advice"].tolist()
    with db.session_scope() as db_session:  # a function's body has semicolons of its own
        driver = db_session.connection()
        driver.exec_driver_sql(bodies.pop(0).rpartition("; then")[0])
        for advice in bodies:
            driver.exec_driver_sql(advice)
    assert examined().is_well


@POSTGRES
def test_a_role_without_its_grants_is_named(traded, make_role):
    role, _gone = make_role(), put(User, username="x", email="x", hashed_password=a_hash(),
                                   database_role="no_such_role")  # fmt: skip
    grant_role(role, user="ada")
    grant_role(make_role(), user="root")
    assert examined().is_well, examined()
    run_sql(f"REVOKE SELECT ON orders FROM {role}")
    run_sql(f"REVOKE USAGE ON SCHEMA public FROM {role}, PUBLIC")
    found = examined()
    assert said(found, "roles") == [
        ("warning", f"the role {role} lacks the grants USAGE on the schema, SELECT on orders")
    ]
    assert found.frame["advice"].tolist() == ["mismartera db upgrade"]
    assert run(["db", "upgrade"]) == 0
    assert examined().is_well


def a_hash() -> str:
    with db.SessionLocal() as db_session:
        return str(db_session.query(User.hashed_password).limit(1).scalar())


@POSTGRES
def test_a_superusers_role_examines_without_reading_hashes(traded, make_role, ready_database):
    role = make_role()
    grant_role(role, user="root")
    ma.configure(database_url=url_of(role, ready_database))
    found = examined()
    assert not is_about(found, "users", "")


def test_a_lost_table_is_not_to_be_made_anew(traded):
    run_sql("DROP TABLE fills")
    found = examined()
    assert said(found, "tables") == [("error", "the table fills is gone")]
    assert found.errors["advice"].tolist() == [
        "restore it from a backup; 'mismartera db init' would make an empty one"
    ]
    assert set(found.skipped.values()) == {"tables are not whole"}


def test_a_lost_column_is_not_for_an_upgrade(traded):
    run_sql("ALTER TABLE orders DROP COLUMN commission")
    found = examined()
    assert said(found, "tables") == [("error", "orders lacks the column commission")]
    assert found.errors["advice"].str.startswith("restore the database from a backup").all()
    assert "records" in found.skipped


def test_lost_indexes_are_made_again(traded):
    for name in ("ix_orders_broker_order_id", "ix_users_username", "ix_fills_order_id"):
        run_sql(f"DROP INDEX {name}")
    run_sql("CREATE INDEX ix_users_username ON users (username)")
    run_sql("DROP INDEX ix_orders_symbol")
    run_sql("CREATE INDEX mine ON orders (symbol)")
    found = examined()
    rows = found.errors
    assert rows["what"].str.split(":").str[0].tolist() == [
        "fills lacks the index ix_fills_order_id",
        "orders lacks the unique index ix_orders_broker_order_id",
        "users lacks the unique index ix_users_username",
    ]
    assert (
        "CREATE UNIQUE INDEX ix_orders_broker_order_id ON orders (broker_order_id)"
        in (rows["advice"].iloc[1])
    )
    follow(found)
    assert examined().is_well


@POSTGRES
def test_a_lost_constraint_is_made_again_as_an_index(traded):
    run_sql("ALTER TABLE fills DROP CONSTRAINT uq_fills_broker_fill_id")
    found = examined()
    assert is_about(found, "database", "fills lacks the unique index uq_fills_broker_fill_id")
    follow(found)
    assert examined().is_well


def test_holidays_that_are_gone_are_an_error(traded):
    run_sql("DELETE FROM trading_holidays")
    told = said(examined(), "calendars")
    assert [one for one, _ in told] == ["error"]
    assert "not one holiday" in told[0][1]
    assert run(["calendar", "sync"]) == 0
    assert examined().is_well


def test_a_store_that_is_gone_and_cited_is_an_error(traded, home):
    store = Path(config.settings().bar_store)
    cites = {"data": {"version": 0, "interval": "1d", "store": str(store)}}
    number = put(Report, title="x", path="/nowhere.html", created_at=when("2024-02-01 10:00"),
                 cites_json=json.dumps(cites))  # fmt: skip
    assert not said(examined(), "store")
    store.rename(home / "elsewhere")
    (told,) = said(examined(), "store")
    assert told == (
        "error",
        f"{store} has no 1d bars at all, and they are cited by report {number}",
    )
    cites["data"]["store"] = str(home / "elsewhere")
    change(Report, cites_json=json.dumps(cites))
    assert not said(examined(), "store"), "that one is there"
    cites["data"]["store"] = str(store)
    change(Report, cites_json=json.dumps(cites))
    (home / "elsewhere").rename(store)
    assert not said(examined(), "store")
