"""What a file looks like, and files that are none of the account's broker."""

from __future__ import annotations

import json

import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, StorageError
from mismartera_analytics.recording.accounts import create_account
from tests.recording.brokers.folder import ACTIVITIES, ORDERS, SCHWAB, counts

FOREIGN = {
    "Run Date,Action,Symbol,Description,Type,Quantity,Price ($),Amount ($)": "Fidelity",
    "Activity Date,Process Date,Settle Date,Instrument,Description,Trans Code": "Robinhood",
    "TransactionDate,TransactionType,SecurityType,Symbol,Quantity": "E\\*TRADE",
    "Date,Type,Check #,Description,Withdrawal,Deposit,RunningBalance": "bank account",
    "Name,Colour": "no file of a broker that is known here",
}


@pytest.fixture
def schwab(books) -> int:
    return create_account("ada", "schwab", account_number="4411-5789")


@pytest.mark.parametrize("header", FOREIGN)
def test_a_file_of_another_broker_is_named(schwab, tmp_path, header):
    path = tmp_path / "file.csv"
    path.write_text(header + "\n1,2,3\n")
    with pytest.raises(InvalidOrderError, match=f"file.csv looks like .*{FOREIGN[header]}"):
        ma.import_orders(path, account=schwab)


@pytest.mark.parametrize(
    ("value", "looks"),
    [
        ([{"symbol": "IBM", "qty": "1", "avg_entry_price": "5"}], "Alpaca's positions; reconcile"),
        ({"id": "x", "cash": "1", "buying_power": "2"}, "Alpaca's account; reconcile"),
        ({"FromDate": "", "Transactions": [{"Action": "Deposit"}]}, "the equity awards of Charles"),
        ({"code": 40110000, "message": "access denied"}, r"Alpaca returned \(access denied\)"),
        ([{"a": 1}], "JSON of no broker"),
        (7, "no file of a broker"),
    ],
)
def test_json_that_is_no_import_is_named(books, tmp_path, value, looks):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InvalidOrderError, match=f"file.json looks like .*{looks}"):
        ma.import_orders(path, account=books.bob)


def test_the_wrong_brokers_account_is_refused(schwab, books):
    for file, account in ((ORDERS, schwab), (ACTIVITIES, schwab), (SCHWAB, books.bob)):
        with pytest.raises(InvalidOrderError, match=r"looks like .*, but the account \d+ is at"):
            ma.import_orders(file, account=account)
    with pytest.raises(InvalidOrderError, match="orders, but broker='schwab'"):
        ma.import_orders(ORDERS, account=books.bob, broker="schwab")
    with pytest.raises(InvalidInputError, match="did you mean 'schwab'"):
        ma.import_orders(SCHWAB, account=schwab, broker="shwab")
    assert counts() == (0, 0, 0, 0)


def test_an_account_of_another_kind_takes_what_it_is_given(books):
    own = create_account("ada", "my own book")
    with pytest.raises(InvalidInputError, match="files of several brokers"):
        ma.import_orders([SCHWAB, ORDERS], account=own)
    assert ma.import_orders(SCHWAB, account=own).orders == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b'[{"id": "x", "qty": NaN}]', "holds NaN, which is not a number"),
        (b'[{"id": "x",\n "qty": ', "line 2: this is not whole JSON"),
    ],
)
def test_what_is_no_text_or_ends_early(schwab, tmp_path, content, message):
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(InvalidOrderError, match=f"odd .*{message}"):
        ma.import_orders(path, account=schwab)


def test_paths_that_name_no_file(schwab, tmp_path):
    with pytest.raises(StorageError, match="cannot read"):
        ma.import_orders(tmp_path / "none.csv", account=schwab)
    with pytest.raises(InvalidInputError, match="is a folder"):
        ma.import_orders(tmp_path, account=schwab)
    for paths in ([], [7], 7):
        with pytest.raises((InvalidInputError, TypeError)):
            ma.import_orders(paths, account=schwab)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_codings_that_spreadsheets_write(schwab, tmp_path, coding):
    text = SCHWAB.read_text("utf-8-sig").replace("FJORD", "FJØRD")
    (tmp_path / "x.csv").write_bytes(text.encode(coding))
    assert ma.import_orders(tmp_path / "x.csv", account=schwab).orders == 9
    assert ma.import_orders(SCHWAB, account=schwab).orders == 0


def test_a_summary_reads_well(schwab, tmp_path):
    done = ma.import_orders(SCHWAB, account=schwab)
    page = done._repr_html_()
    assert "<table>" in page
    assert "9 orders, 6 cash flows, 2 corporate actions" in page
    hostile = tmp_path / "<script>.csv"
    hostile.write_text(SCHWAB.read_text("utf-8-sig"))
    assert "<script>" not in ma.import_orders(hostile, account=schwab)._repr_html_()
