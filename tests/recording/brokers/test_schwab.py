"""Charles Schwab's transactions: a whole file by hand, its oddities, and what is refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidOrderError
from mismartera_analytics.market_data.actions import corporate_actions
from mismartera_analytics.models import AccountInfo, CashFlow
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.accounts import create_account
from tests.recording.brokers.folder import SCHWAB, SCHWAB_HEADER, counts, schwab_file


@pytest.fixture
def account(books) -> int:
    return create_account("ada", "schwab", account_number="4411-5789", account_type="cash")


def test_a_whole_file_leaves_what_the_broker_shows(account):
    done = ma.import_orders(SCHWAB, account=account)
    assert (done.orders, done.flows, done.actions, done.known) == (9, 6, 2, 0)
    held = ma.refresh_positions(account).set_index("symbol")["quantity"]
    # 60 - 20; (100 + 30 + 30 + 0.5) * 2; 1,234 / 20 = 61.7, of which 0.7 was paid in cash
    assert held.to_dict() == pytest.approx({"FJRD": 40.0, "OAKS": 321.0, "TNYB": 61.0})
    # the file's own total, less the option's premium, which is not kept
    cash = ma.accounts(account=account)["cash_balance"].item()
    assert cash == pytest.approx(2536.41 - 119.34, abs=1e-9)
    assert done.skipped["amount"].sum() == pytest.approx(119.34)


def test_imported_twice_it_gives_one_set_of_rows(account):
    ma.import_orders(SCHWAB, account=account)
    before = counts()
    again = ma.import_orders(SCHWAB, account=account)
    assert (again.orders, again.flows, again.actions, again.updated) == (0, 0, 0, 0)
    assert again.known == 9 + 6 + 2
    assert counts() == before


def newer_form(text: str) -> tuple[str, str]:
    """Return the file's rows without title, total and trailing commas; and as JSON."""
    rows = list(csv.reader(io.StringIO(text)))[1:]
    names = [name for name in rows[0] if name]
    kept = [row[:8] for row in rows[1:] if not row[0].startswith("Transactions Total")]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([names, *kept])
    entries = [dict(zip(names, row, strict=True)) for row in kept]
    whole = {"FromDate": "07/01/2025", "ToDate": "09/05/2025",
             "TotalTransactionsAmount": "$2,536.41", "BrokerageTransactions": entries}  # fmt: skip
    return written.getvalue(), json.dumps(whole)


def test_other_forms_of_the_same_rows_add_nothing(account, tmp_path):
    plain, as_json = newer_form(SCHWAB.read_text("utf-8-sig"))
    (tmp_path / "newer.csv").write_text(plain.replace("OAK STREET SUPPLY CO", "OAK STR SUPPLY"))
    (tmp_path / "newer.json").write_text(as_json)
    first = ma.import_orders(tmp_path / "newer.json", account=account)
    before = counts()
    everything = [SCHWAB, tmp_path / "newer.csv", tmp_path / "newer.json"]
    again = ma.import_orders(everything, account=account)
    assert (first.orders, again.orders, again.flows, again.actions) == (9, 0, 0, 0)
    assert counts() == before


def test_overlapping_exports_add_the_rest(account, tmp_path):
    lines = SCHWAB.read_text("utf-8-sig").splitlines()
    older = [lines[1], *lines[13:-1]]  # from 08/12 back
    newer = [lines[1], *lines[2:20]]  # back to 08/05, one of that day's two equal trades
    for name, kept in (("older.csv", older), ("newer.csv", newer)):
        (tmp_path / name).write_text("\n".join(kept) + "\n")
    ma.import_orders(tmp_path / "older.csv", account=account)
    ma.import_orders(tmp_path / "newer.csv", account=account)
    parts = ma.orders(account=account).drop(columns=["order_id", "broker_order_id", "account_id"])
    held = ma.refresh_positions(account).set_index("symbol")["quantity"]
    assert held.to_dict() == pytest.approx({"FJRD": 40.0, "OAKS": 321.0, "TNYB": 61.0})
    other = create_account("ada", "schwab", account_number="9-789", account_type="cash")
    ma.import_orders(SCHWAB, account=other)
    whole = ma.orders(account=other).drop(columns=["order_id", "broker_order_id", "account_id"])
    columns = ["placed_at", "symbol", "quantity"]
    pd.testing.assert_frame_equal(
        parts.sort_values(columns, ignore_index=True), whole.sort_values(columns, ignore_index=True)
    )


def test_a_day_takes_its_sessions_close_and_is_marked(account, tmp_path):
    file = schwab_file(
        tmp_path,
        "11/28/2025|Buy|IBM|10|$5.00||-$50.00",  # closes at 13:00
        "07/07/2025 as of 07/03/2025|Sell|IBM|1|$5.00||$5.00",  # so does that one
        "07/05/2025|Bank Interest||||||$0.10".replace("||||||", "|||||"),  # a Saturday
    )
    done = ma.import_orders(file, account=account)
    orders = ma.orders(account=account, tz="America/New_York").set_index("side")
    assert orders["placed_at"]["BUY"] == pd.Timestamp("2025-11-28 13:00", tz="America/New_York")
    assert orders["filled_at"]["SELL"] == pd.Timestamp("2025-07-03 13:00", tz="America/New_York")
    assert set(orders["time_precision"]) == {"DATE"}
    assert done.days_only == 3
    with session_scope() as db_session:
        flow = db_session.query(CashFlow).one()
    assert flow.occurred_at == dt.datetime(2025, 7, 7, 20, tzinfo=dt.UTC)
    assert flow.time_precision == "DATE"


@pytest.mark.parametrize(
    ("action", "amount", "symbol", "expected"),
    [
        ("Qualified Dividend", "$5.00", "IBM", ("DIVIDEND", 5.0, "IBM")),
        ("Long Term Cap Gain Reinvest", "$5.00", "IBM", ("DIVIDEND", 5.0, "IBM")),
        ("NRA Tax Adj", "-$1.50", "IBM", ("DIVIDEND", -1.5, "IBM")),
        ("Foreign Tax Paid", "($1.50)", "IBM", ("DIVIDEND", -1.5, "IBM")),
        ("NRA Withholding", "-$0.30", "", ("INTEREST", -0.3, None)),
        ("Credit Interest", "$1,234.50", "", ("INTEREST", 1234.5, None)),
        ("Margin Interest", "-$7", "", ("INTEREST", -7.0, None)),
        ("ADR Mgmt Fee", "-$0.02", "IBM", ("FEE", -0.02, "IBM")),
        ("Service Fee", "$-25.00", "", ("FEE", -25.0, None)),
        ("Wire Funds", "-$900.00", "", ("WITHDRAWAL", -900.0, None)),
        ("MoneyLink Transfer", "$900.00", "", ("DEPOSIT", 900.0, None)),
        ("Journal", "-$900.00", "", ("TRANSFER", -900.0, None)),
        ("Cash In Lieu", "$3.10", "IBM", ("DIVIDEND", 3.1, "IBM")),
    ],
)
def test_what_actions_become(account, tmp_path, action, amount, symbol, expected):
    ma.import_orders(schwab_file(tmp_path, f"07/01/2025|{action}|{symbol}||||{amount}"),
                     account=account)  # fmt: skip
    with session_scope() as db_session:
        flow = db_session.query(CashFlow).one()
    assert (flow.flow_type, flow.amount, flow.symbol) == expected
    assert action in flow.note


def test_a_short_sale_and_its_cover(account, tmp_path):
    file = schwab_file(
        tmp_path, "07/02/2025|Buy to Cover|BRK/B|4|$480.00|$1.00|-$1921.00",
        "07/01/2025|Sell Short|BRK/B|4|$500.00|$1.00|$1999.00",
    )  # fmt: skip
    ma.import_orders(file, account=account)
    orders = ma.orders(account=account)
    assert orders["symbol"].tolist() == ["BRK.B", "BRK.B"]
    assert orders["side"].tolist() == ["SELL", "BUY"]
    assert ma.round_trips(account=account)["realized_pnl"].sum() == pytest.approx(78.0)


def test_prices_are_rounded_but_amounts_are_not(account, tmp_path):
    file = schwab_file(tmp_path, "07/01/2025|Reinvest Shares|IBM|0.4437|$110.10||-$48.85")
    ma.import_orders(file, account=account)
    order = ma.orders(account=account).iloc[0]
    assert order["quantity"] * order["average_fill_price"] == pytest.approx(48.85, abs=1e-12)
    assert order["average_fill_price"] == pytest.approx(110.10, abs=0.005)


def test_a_trade_cancelled_after_it_was_imported_is_taken_back(account, tmp_path):
    trade = "07/01/2025|Buy|IBM|10|$5.00||-$50.00"
    cancel = "07/03/2025 as of 07/01/2025|Cancel Buy|IBM|10|$5.00||$50.00"
    ma.import_orders(schwab_file(tmp_path, trade, name="before.csv"), account=account)
    after = ma.import_orders(
        schwab_file(tmp_path, cancel, trade, name="after.csv"), account=account
    )
    assert (after.orders, after.updated) == (0, 1)
    assert ma.orders(account=account)["status"].tolist() == ["CANCELLED"]
    assert ma.refresh_positions(account).empty
    older = ma.import_orders(tmp_path / "before.csv", account=account)
    assert (older.orders, older.known) == (0, 1)
    assert ma.orders(account=account)["status"].tolist() == ["CANCELLED"]


def test_a_split_that_is_recorded_is_left_as_it_is(account, split, tmp_path):
    split("IBM", "2025-07-14", 10.0)
    file = schwab_file(
        tmp_path, "07/14/2025 as of 07/11/2025|Stock Split|IBM|18|$30||",
        "07/01/2025|Buy|IBM|2|$300.00||-$600.00",
    )  # fmt: skip
    done = ma.import_orders(file, account=account)
    assert (done.actions, len(done.skipped)) == (0, 0)
    wrong = schwab_file(tmp_path, "07/14/2025 as of 07/11/2025|Stock Split|IBM|4|$100||",
                        "07/01/2025|Buy|IBM|2|$300.00||-$600.00")  # fmt: skip
    told = ma.import_orders(wrong, account=account).skipped["reason"].tolist()
    assert told == ["recorded is a ratio of 10 on 2025-07-14, the row says 3"]
    assert corporate_actions("IBM")["ratio"].tolist() == [10.0]


def test_a_split_whose_ratio_cannot_be_told_is_listed(account, tmp_path):
    done = ma.import_orders(
        schwab_file(tmp_path, "07/14/2025|Stock Split|IBM|18|$30||"), account=account
    )
    assert "hold 0 IBM before 2025-07-14" in done.skipped["reason"].item()
    assert counts() == (0, 0, 0, 0)


def test_a_change_of_symbol_is_paired(account, tmp_path):
    file = schwab_file(
        tmp_path, "07/10/2025|Name Change|NEWO|10|||", "07/10/2025|Name Change|OLDO|-10|||",
        "07/01/2025|Buy|OLDO|10|$5.00||-$50.00",
    )  # fmt: skip
    assert ma.import_orders(file, account=account).actions == 1
    assert ma.refresh_positions(account)["symbol"].tolist() == ["NEWO"]


def test_only_a_superuser_records_what_counts_for_all(account, tmp_path):
    with ma.as_user("ada"):
        done = ma.import_orders(SCHWAB, account=account)
    assert done.actions == 0
    assert done.skipped["reason"].str.contains("a superuser has to record it").sum() == 2
    with ma.as_user("root"):
        assert ma.import_orders(SCHWAB, account=account).actions == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["07/01/2025|Buy|IBM|ten|$5.00||-$50.00"], "line 2: Quantity='ten' is not a number"),
        (["07/01/2025|Buy|IBM|NaN|$5.00||-$50.00"], "line 2: Quantity='NaN' is not a number"),
        (["07/01/2025|Buy|IBM|inf|$5.00||-$50.00"], "Quantity='inf' is not a number"),
        (["07/01/2025|Buy|IBM|10|$1,23.00||-$50.00"], "Price='\\$1,23.00' is not a number"),
        (["07/01/2025|Buy|IBM|10|$5.00||-$50.00", "07/02/2025|Buy|IBM||$5.00||-$50.00"],
         "line 3: Buy has no quantity"),
        (["07/01/2025|Buy|IBM|10|||"], "neither a price nor an amount"),
        (["07/01/2025|Buy||10|$5.00||-$50.00"], "line 2: Buy has no symbol"),
        (["07/01/2025|Buy|IBM|10|$5.00||-$70.00"], "do not make the amount -70"),
        (["07/01/2025|Buy|IBM|10|$5.00||$50.00"], "do not make the amount 50"),
        (["13/01/2025|Buy|IBM|10|$5.00||-$50.00"], "line 2: Date='13/01/2025' is not a day"),
        (["02/30/2025|Buy|IBM|10|$5.00||-$50.00"], "Date='02/30/2025' is not a day"),
        (["07/01/2025||IBM|10|$5.00||-$50.00"], "Action is empty"),
        (["07/01/2025|Cash Dividend|IBM||||"], "Cash Dividend has no amount"),
    ],
)  # fmt: skip
def test_bad_rows_are_named_by_line_and_nothing_is_written(account, tmp_path, rows, message):
    good = "06/30/2025|Buy|MSFT|1|$5.00||-$5.00"
    with pytest.raises(InvalidOrderError, match=f"schwab.csv .*{message}|{message}"):
        ma.import_orders(schwab_file(tmp_path, *rows, good), account=account)
    assert counts() == (0, 0, 0, 0)


def test_a_file_that_is_cut_off_is_refused(account, tmp_path):
    text = SCHWAB.read_text("utf-8-sig")
    cut = tmp_path / "cut.csv"
    cut.write_text(text[: text.index("49.1234")])
    with pytest.raises(InvalidOrderError, match=r"cut.csv line 20: .*cut off"):
        ma.import_orders(cut, account=account)
    cut.write_text(text[: text.index("$49.1234") - 2] + "\n")
    with pytest.raises(InvalidOrderError, match=r"cut.csv line 20: the row has 5 of 8 cells"):
        ma.import_orders(cut, account=account)
    lines = text.splitlines()
    cut.write_text("\n".join([*lines[:9], *lines[12:]]))
    with pytest.raises(InvalidOrderError, match=r"the total says 2,536.41, but the rows add up to"):
        ma.import_orders(cut, account=account)
    cut.write_text(newer_form(text)[1][:900])
    with pytest.raises(InvalidOrderError, match=r"cut.csv line 1: this is not whole JSON"):
        ma.import_orders(cut, account=account)
    assert counts() == (0, 0, 0, 0)


def test_a_row_cut_short_under_a_blank_header_is_refused(account, tmp_path):
    """As many cells as named columns, and the last column without one: it is the blank that counts."""
    file = tmp_path / "blank.csv"
    header = "Date,Action,Symbol,,Description,Quantity,Price,Fees & Comm,Amount"
    row = "07/01/2025,Buy,IBM,,SOME NAME INC,10,$5.00,,"
    file.write_text(f"{header}\n{row}-$50.00\n{row.removesuffix(',')}\n")
    with pytest.raises(InvalidOrderError, match=r"blank.csv line 3: the row has 8 of .*cut off"):
        ma.import_orders(file, account=account)
    assert counts() == (0, 0, 0, 0)
    file.write_text(f"{header}\n{row}-$50.00\n")
    assert ma.import_orders(file, account=account).orders == 1


def test_a_file_of_another_account_is_refused(account, books, tmp_path):
    with pytest.raises(InvalidOrderError, match=r"ends in 789, but the account \d+ has the number"):
        other = create_account("ada", "schwab", account_number="4411-1234")
        ma.import_orders(SCHWAB, account=other)
    named = schwab_file(tmp_path, "07/01/2025|Buy|IBM|10|$5.00||-$50.00",
                        name="Individual_XXX123_Transactions_20250905-180411.csv")  # fmt: skip
    with pytest.raises(InvalidOrderError, match="ends in 123"):
        ma.import_orders(named, account=account)
    assert ma.import_orders(SCHWAB, account=books.ada).orders == 9  # 'A-1' has too few digits


def test_what_the_records_have_no_form_for_is_listed_or_refused(account, tmp_path):
    file = schwab_file(
        tmp_path, "07/03/2025|Spin-off|IBM|10|||", "07/03/2025|Frobnicate||||| $4.00".strip(),
        "07/02/2025|Buy|912796ZZ1|1000|$99.10||-$991.00",
        "07/02/2025|Journaled Shares|IBM|10|||", "07/01/2025|Buy|IBM|10|$5.00||-$50.00",
    )  # fmt: skip
    with pytest.raises(InvalidOrderError, match=r"schwab.csv line \d: .*\(4 such rows"):
        ma.import_orders(file, account=account, unsupported="refuse")
    assert counts() == (0, 0, 0, 0)
    done = ma.import_orders(file, account=account)
    assert done.orders == 1
    assert done.skipped["what"].tolist() == ["Journaled Shares", "Buy", "Frobnicate", "Spin-off"]
    assert done.skipped["amount"].sum() == pytest.approx(-987.0)
    assert "4 rows, which moved -987.00" in repr(done)


def test_shares_journalled_out_and_in(account, tmp_path):
    file = schwab_file(
        tmp_path, "07/03/2025|Journaled Shares|IBM|-4|||",
        "07/02/2025|Stock Plan Activity|IBM|5|$7.00||", "07/01/2025|Buy|IBM|10|$5.00||-$50.00",
    )  # fmt: skip
    ma.import_orders(file, account=account)
    held = ma.refresh_positions(account)
    assert held["quantity"].tolist() == [11.0]
    assert held["cost_basis"].item() == pytest.approx(6 * 5 + 5 * 7)


def test_days_that_go_up_and_down_are_told(account, tmp_path):
    rows = [f"07/0{day}/2025|Buy|IBM|10|$5.00||-$50.00" for day in (3, 1, 2)]
    done = ma.import_orders(schwab_file(tmp_path, *rows), account=account)
    assert done.orders == 3
    assert "the days go up and down" in done.notes[0]
    assert "note: schwab.csv" in repr(done)


def test_a_file_without_rows(account, tmp_path):
    path = tmp_path / "none.csv"
    path.write_text(SCHWAB_HEADER + "\n")
    done = ma.import_orders(path, account=account)
    assert (done.orders, done.flows, done.known) == (0, 0, 0)
    assert "nothing" in repr(done)


def test_another_users_account_is_not_known(account, books):
    with ma.as_user("bob"), pytest.raises(LookupError, match=f"account={account} is not known"):
        ma.import_orders(SCHWAB, account=account)
    with session_scope() as db_session:
        assert db_session.get(AccountInfo, account) is not None
    assert counts() == (0, 0, 0, 0)


def test_a_history_that_begins_too_late_is_told(account, tmp_path):
    file = schwab_file(tmp_path, "07/02/2025|Sell|IBM|10|$5.00||$50.00")
    done = ma.import_orders(file, account=account)
    assert done.notes == (
        "the account is short of -10 IBM, which a cash account cannot be: purchases or transfers from "
        "before the files are not recorded",
    )
