"""The doctor as a whole: who may ask, what is checked, and checks and mends that break off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.cli.application import run
from mismartera_analytics.errors import NotAllowedError
from mismartera_analytics.models import Position, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.operations import report_checks
from mismartera_analytics.operations.doctor import doctor
from tests.operations.examining import SQLITE, an_order, change, examined, held_by, is_about, said


def test_what_is_in_order_is_well(traded):
    ma.refresh_positions()
    found = examined()
    assert found.is_well, found
    assert found.frame.empty
    assert not found.skipped
    assert "nothing is wrong" in repr(found)
    assert {"identities", "positions", "store", "reports", "calendars"} <= set(found.checks)


def test_it_is_for_administrators(traded):
    with ma.as_user("ada"), pytest.raises(NotAllowedError, match="'ada' may not examine"):
        doctor()
    with ma.as_user("root"):
        assert not len(examined().errors)


@SQLITE
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


def test_why_nothing_was_checked_is_true(home):
    config.configure(database_url="postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    assert set(examined().skipped.values()) == {"the database could not be opened"}
    config.configure(database_url=f"sqlite:///{home}/none.db")
    assert set(examined().skipped.values()) == {"there is no database"}
    broken = home / "broken.db"
    broken.write_bytes(b"no database at all, whatever its name may say" * 200)
    config.configure(database_url=f"sqlite:///{broken}")
    assert set(examined().skipped.values()) == {"the database could not be opened"}


@SQLITE
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
