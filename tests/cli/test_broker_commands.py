"""``import-orders``, ``reconcile``, and the records' commands into pipes."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run
from mismartera_analytics.frames.outgoing import without_formulas
from mismartera_analytics.recording.accounts import create_account
from tests.recording.brokers.folder import ACTIVITIES, ORDERS, SCHWAB
from tests.world import books

__all__ = ["books"]


@pytest.fixture
def says(capfdbinary: pytest.CaptureFixture[bytes]):
    def call(*words: object, code: int = 0) -> str:
        capfdbinary.readouterr()
        assert run([str(word) for word in words]) == code
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return (out + err).decode()

    return call


@pytest.fixture
def account(books) -> int:
    return create_account("ada", "schwab", account_number="4411-5789", account_type="cash")


def test_files_come_in_by_id_or_number(says, account, books):
    told = says("import-orders", SCHWAB, "--account", account)
    assert "new      9 orders, 6 cash flows, 2 corporate actions" in told
    assert "known    17 rows" in says("import-orders", SCHWAB, "--account", "4411-5789")
    both = says("import-orders", ORDERS, ACTIVITIES, "--account", "B-1", "--broker", "alpaca")
    assert "8 orders, 5 fills" in both


def test_records_are_asked_for_by_id_or_number(says, account):
    says("import-orders", SCHWAB, "--account", account)
    for command in ("orders", "fills", "positions", "pnl"):
        by_id = says(command, "--account", account, "--csv")
        assert by_id == says(command, "--account", "4411-5789", "--csv")
    assert "account='none' is not known" in says("orders", "--account", "none", code=2)


def test_an_account_is_opened_filled_and_brought_up_to_date(says, books):
    told = says("open-account", "ada", "schwab", "--number", "77-5789", "--type", "cash")
    number = told.split()[1]
    assert says("open-account", "ada", "schwab", "--number", "77-5789") == told
    assert "account_type='credit' is not one of" in says(
        "open-account", "ada", "schwab", "--type", "credit", code=2
    )
    assert "did you mean 'ada'" in says("open-account", "adda", "schwab", code=2)
    says("import-orders", SCHWAB, "--account", number)
    assert ma.positions(account=int(number)).empty
    shown = pd.read_csv(io.StringIO(says("refresh-positions", "--account", number, "--csv")))
    held = ma.positions(account=int(number))
    assert shown["symbol"].tolist() == held["symbol"].tolist() != []
    assert shown["quantity"].tolist() == held["quantity"].tolist()
    says("refresh-positions")


def test_mistakes_are_one_sentence(says, account, tmp_path):
    wrong = says("import-orders", ORDERS, "--account", account, code=2)
    assert wrong.startswith("mismartera: alpaca_orders.json looks like Alpaca's orders, but")
    assert "'x' must be written as field=Column" in says(
        "import-orders", SCHWAB, "--account", account, "--column", "x", code=2
    )
    assert "account=99 is not known" in says("import-orders", SCHWAB, "--account", 99, code=2)
    assert "such rows" in says("import-orders", SCHWAB, "--account", account, "--whole", code=2)
    assert "cannot read" in says("import-orders", tmp_path / "no", "--account", account, code=1)


def test_any_csv_by_its_columns(says, account, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("when,ticker,n,paid\n2025-07-01 10:00,IBM,-4,5.5\n")
    columns = ["symbol=ticker", "quantity=n", "price=paid", "filled_at=when"]
    words = [word for column in columns for word in ("--column", column)]
    assert "has no time zone; pass tz=" in says(
        "import-orders", path, "--account", account, *words, code=2
    )
    says("import-orders", path, "--account", account, *words, "--tz", "America/New_York")
    order = ma.orders(account=account, tz="America/New_York").iloc[0]
    assert (order["side"], order["quantity"]) == ("SELL", 4.0)
    assert order["filled_at"] == pd.Timestamp("2025-07-01 10:00", tz="America/New_York")


def test_reconcile_exits_with_1_where_they_differ(says, account):
    says("import-orders", SCHWAB, "--account", account)
    ma.refresh_positions(account)
    assert "all 4 agree" in says("reconcile", "--account", account)
    told = says("reconcile", "--account", account, "--cash", "2418.44", code=1)
    assert "interest; as much as the INTEREST on 2025-08-29" in told
    rows = json.loads(says("reconcile", "--account", account, "--cash", "1", "--json", code=1))
    assert [row["what"] for row in rows] == ["cash"]


@pytest.mark.parametrize("command", ["accounts", "positions", "orders", "fills", "pnl"])
def test_every_command_writes_for_pipes(says, account, command, capfdbinary):
    says("import-orders", SCHWAB, "--account", account)
    ma.refresh_positions(account)
    csv = pd.read_csv(io.StringIO(says(command, "--csv")))
    rows = json.loads(says(command, "--json"))
    capfdbinary.readouterr()
    assert run([command, "--parquet"]) == 0
    read = pd.read_parquet(io.BytesIO(capfdbinary.readouterr().out))
    assert list(csv.columns) == list(rows[0]) == list(read.columns)
    assert len(csv) == len(rows) == len(read) > 0
    expected = getattr(ma, command)(**({"freq": "year"} if command == "pnl" else {}))
    pd.testing.assert_frame_equal(read, expected)
    assert "exclude each other" in says(command, "--csv", "--json", code=2)


def test_no_text_of_a_csv_is_a_formula(says, books):
    create_account("ada", "schwab", account_number="=HYPERLINK(1)")
    create_account("ada", "schwab", account_number="@SUM(A1)")
    assert "'=HYPERLINK(1)" in says("accounts", "--csv")
    assert '"account_number":"=HYPERLINK(1)"' in says("accounts", "--json")
    frame = pd.DataFrame({"a": ["=1", "+1", "-1x", "@x", "\tx", "x=1", None], "b": -1.5})
    marked = without_formulas(frame)
    assert marked["a"].tolist()[:6] == ["'=1", "+1", "'-1x", "'@x", "'\tx", "x=1"]
    assert pd.isna(marked["a"][6])
    assert marked["b"].tolist() == [-1.5] * 7
