"""Reports of recorded accounts: real records in a database, marked by real bars."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import report, tear_sheet
from mismartera_analytics.auth import as_user, create_user
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.errors import UnknownNameError
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import record_orders
from mismartera_analytics.reports.accounts import from_account
from mismartera_analytics.reports.drawings import value_drawing
from mismartera_analytics.reports.single import outline_of
from mismartera_analytics.reports.sources import content_of

ZONE = "America/New_York"
CLOSES = {"AAPL": [200.0, 202.0, 199.0, 205.0, 204.0], "IBM": [280.0, 281.0, 285.0, 284.0, 290.0]}


def when(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz=ZONE)


@pytest.fixture
def account(ready_database) -> int:
    create_user("ada", "ada@example.com", "pw")
    calendar = trading_calendar("US_EQUITY")
    labels = calendar.labels("2025-06-30", None)[:5]
    for symbol, closes in CLOSES.items():
        prices = dict.fromkeys(("open", "high", "low", "close"), np.array(closes))
        bars = {"symbol": symbol, "timestamp": calendar.opens(labels), "session": labels}
        BarStore().write(pd.DataFrame({**bars, **prices, "volume": 100.0}), "1d")
    return create_account("ada", "schwab", account_number="A-1", account_type="cash")


def trade(account: int) -> None:
    deposit = {"flow_type": ["DEPOSIT", "DEPOSIT"], "amount": [50_000.0, 10_000.0]}
    at = {"occurred_at": [when("2025-06-30 09:00"), when("2025-07-02 09:00")]}
    record_flows(pd.DataFrame({**deposit, **at}), account=account)
    orders = pd.DataFrame(
        {
            "symbol": ["AAPL", "IBM", "AAPL"],
            "side": ["BUY", "BUY", "SELL"],
            "quantity": [100.0, 50.0, 40.0],
            "filled_quantity": [100.0, 50.0, 40.0],
            "average_fill_price": [200.0, 280.0, 203.0],
            "commission": [1.0, 1.0, 1.0],
            "status": "FILLED",
            "placed_at": [
                when(f"2025-0{day}") for day in ("6-30 10:00", "7-01 10:00", "7-03 10:00")
            ],
            "filled_at": [
                when(f"2025-0{day}") for day in ("6-30 10:01", "7-01 10:01", "7-03 10:01")
            ],
        }
    )
    record_orders(orders, account=account)


def test_an_account_is_marked_session_by_session(account):
    trade(account)
    content = from_account(account)
    cash = [50_000 - 20_001, 50_000 - 34_002, 60_000 - 34_002, 60_000 - 34_002 + 40 * 203 - 1]
    held = [100 * 200, 100 * 202 + 50 * 281, 100 * 199 + 50 * 285, 60 * 205 + 50 * 284]
    values = np.array(cash) + np.array(held)
    np.testing.assert_allclose(content.equity["equity"].iloc[:4], values, rtol=1e-12)
    np.testing.assert_allclose(content.equity["cash"].iloc[:4], cash, rtol=1e-12)
    bases = [50_000.0, values[0], values[1] + 10_000, values[2]]
    np.testing.assert_allclose(content.returns.iloc[:4], values / bases - 1, rtol=1e-9)
    assert content.identity.holds
    assert content.identity.flows == 60_000
    closes = content.equity["timestamp"].dt.tz_convert(ZONE).dt.strftime("%H:%M")
    assert closes.iloc[:4].tolist() == ["16:00", "16:00", "16:00", "13:00"]
    profit = 40 * (203 - 200) + 60 * (204 - 200) - 2
    assert content.pnl_by_symbol["AAPL"] == pytest.approx(profit, rel=1e-9)
    assert len(content.trades) == 1
    assert str(content.trades["exit_at"].dtype.tz) == ZONE


def test_a_deposit_is_no_gain(account):
    record_flows(
        pd.DataFrame(
            {
                "flow_type": ["DEPOSIT", "DEPOSIT", "WITHDRAWAL"],
                "amount": [1000.0, 9000.0, -5000.0],
                "occurred_at": [when(f"2025-07-0{day} 09:00") for day in (1, 2, 3)],
            }
        ),
        account=account,
    )
    content = from_account(account)
    assert (content.returns == 0).all()
    assert (content.equity["drawdown"] == 0).all()


def test_by_id_or_number_as_its_user(account, tmp_path):
    trade(account)
    for name in (account, "A-1"):
        with as_user("ada"):
            path = tear_sheet(name, tmp_path / "a.html")
        text = path.read_text("utf-8")
        assert "schwab A-1" in text
        assert "Account of ada" in text
        assert "The account adds up." in text


def test_another_users_account_is_not_known(account):
    create_user("bob", "bob@example.com", "pw")
    with as_user("bob"), pytest.raises(UnknownNameError):
        tear_sheet(account)


@pytest.mark.parametrize("unknown", [999, "nobody's"])
def test_an_unknown_account_is_refused(account, unknown):
    with pytest.raises(UnknownNameError):
        tear_sheet(unknown)


def test_an_account_without_orders_gives_a_page(account, tmp_path):
    text = tear_sheet(account, tmp_path / "a.html").read_text("utf-8")
    assert "No order was recorded." in text
    assert "no session has a return" in text


def test_orders_without_capital_have_amounts_but_no_returns(account, tmp_path):
    trade(account)
    from mismartera_analytics import session_scope
    from mismartera_analytics.models import CashFlow

    with session_scope() as db_session:
        db_session.query(CashFlow).delete()
    content = from_account(account)
    assert content.returns.isna().sum() >= 1
    text = tear_sheet(account, tmp_path / "a.html").read_text("utf-8")
    assert "deposit" in text


def test_a_price_that_lacks_is_said(account, tmp_path):
    trade(account)
    record_orders(
        pd.DataFrame(
            {
                "symbol": ["GONE"],
                "side": ["BUY"],
                "quantity": [1.0],
                "filled_quantity": [1.0],
                "average_fill_price": [10.0],
                "status": "FILLED",
                "placed_at": [when("2025-07-01 10:00")],
                "filled_at": [when("2025-07-01 10:00")],
            }
        ),
        account=account,
    )
    content = from_account(account)
    assert "has no price" in content.notices[0].text
    assert np.isnan(content.pnl_by_symbol["GONE"])
    assert np.isfinite(content.pnl_by_symbol["AAPL"])
    assert "has no price" in tear_sheet(account, tmp_path / "a.html").read_text("utf-8")


def test_the_benchmark_gets_the_same_money(account):
    trade(account)
    content = from_account(account)
    benchmark = content.returns.rename("itself")  # what earns the same is worth the same
    drawn = value_drawing(replace(content, benchmark=benchmark))
    assert drawn is not None
    shown = {line["name"]: line["values"] for line in json.loads(drawn.blocks[0].hover)["series"]}
    assert shown["itself"] == pytest.approx(shown["value"], abs=0.01)
    assert "same deposits and withdrawals" in drawn.blocks[0].caption


def test_returns_and_their_benchmark_start_from_the_same(account):
    days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    content = content_of(pd.Series([0.5, 0.1], index=days))
    drawn = value_drawing(replace(content, benchmark=pd.Series([0.0, 0.1], index=days, name="b")))
    assert json.loads(drawn.blocks[0].hover)["series"][1]["values"] == [100.0, 110.0]


def test_purchases_without_a_deposit_are_warned_of_in_the_report_and_in_the_index(
    account, tmp_path
):
    order = {"symbol": "AAPL", "side": "BUY", "quantity": 100.0, "filled_quantity": 100.0}
    fill = {"average_fill_price": 199.0, "commission": 1.0, "status": "FILLED"}
    at = dict.fromkeys(("placed_at", "filled_at"), when("2025-06-30 10:00"))
    record_orders(pd.DataFrame([{**order, **fill, **at}]), account=account)
    (notice,) = from_account(account).notices
    assert notice.level == "warning"
    assert "from the first session on (2025-06-30)" in notice.text
    assert "ma.record_flows" in notice.text
    done = report(accounts=[account], out=tmp_path)
    late, _, remark = done.frame.loc[0, "attention"].partition("; ")
    assert remark == notice.text
    assert late.startswith("no bars since 2025-07-07, and ")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "Nothing needs attention" not in page
    assert "Remarks" in page


def test_cash_that_falls_below_zero_later_is_a_remark_and_no_alarm(account, tmp_path):
    trade(account)
    withdrawal = {"flow_type": ["WITHDRAWAL"], "amount": [-55_000.0]}
    record_flows(
        pd.DataFrame({**withdrawal, "occurred_at": [when("2025-07-02 09:30")]}), account=account
    )
    (notice,) = from_account(account).notices
    assert notice.level == "remark"
    assert "first on 2025-07-02" in notice.text
    assert not report(accounts=[account], out=tmp_path).frame.loc[0, "attention"].count("Cash")


def test_a_record_without_sessions_claims_no_return(account):
    shown = outline_of(from_account(account)).sections[0].blocks[0].cards
    told = {card.label: (card.value, card.note) for card in shown}
    for name in ("Total return", "Max drawdown"):
        assert told[name] == ("–", "no session has a return")
