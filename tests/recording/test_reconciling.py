"""Reconciling: each kind of break is planted and found with its cause."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from sqlalchemy import delete, select

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, UnknownNameError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.models import AccountInfo, Order, Position
from mismartera_analytics.models.database import session_scope
from tests.world import record_cash, record_trades

AT = "2025-07-31"
HELD = {"AAPL": 30.0, "IBM": 60.0, "MSFT": -5.0}
CASH = 50_000 - 40 * 200 - 60 * 100 - 1 + 10 * 210 + 5 * 500 + 36 - 12.5 + 4.2
TRADES = (
    ("2025-05-05 10:00", "AAPL", 40, 200),
    ("2025-05-06 10:00", "IBM", 60, 100, 1),
    ("2025-05-07 10:00", "AAPL", -10, 210),
    ("2025-05-08 10:00", "MSFT", -5, 500),
)
FLOWS = (
    ("2025-05-01 09:00", "DEPOSIT", 50_000),
    ("2025-06-10 16:00", "DIVIDEND", 36, "IBM"),
    ("2025-06-16 16:00", "FEE", -12.5),
    ("2025-06-30 16:00", "INTEREST", 4.2),
)


@pytest.fixture
def account(books) -> int:
    record_trades(books.ada, *TRADES)
    record_cash(books.ada, *FLOWS)
    return books.ada


def report(held: dict[str, float] | None = None, **columns) -> pd.DataFrame:
    held = HELD if held is None else held
    return pd.DataFrame({"symbol": list(held), "quantity": list(held.values())} | columns)


def found(account: int, held: dict[str, float], cash: float = CASH, **columns) -> dict:
    """Return the causes by symbol, of cash under None."""
    done = ma.reconcile(account, reported=report(held, **columns), cash=cash, at=AT)
    breaks = done.breaks
    assert breaks.columns.tolist() == frames.BREAKS.names
    assert (breaks["detail"] != "").all()
    return {
        None if pd.isna(row["symbol"]) else row["symbol"]: row["cause"]
        for row in breaks.to_dict("records")
    }


def test_what_agrees_has_no_break(account):
    done = ma.reconcile(account, reported=report(), cash=CASH, at=AT)
    assert done.agrees
    assert done.compared == 4
    pd.testing.assert_frame_equal(done.breaks, frames.BREAKS.empty())
    assert "all 4 agree" in repr(done)
    assert "all 4 agree" in done._repr_html_()
    assert found(account, HELD | {"AAPL": 30.0 + 1e-9}, CASH + 0.004) == {}


def test_a_missing_fill(account):
    held = HELD | {"AAPL": 37.0}
    done = ma.reconcile(account, reported=report(held), cash=CASH - 7 * 205.5, at=AT)
    assert done.breaks["cause"].tolist() == ["missing fill", "missing fill"]
    assert done.breaks["detail"][0] == "a purchase of 7 at about 205.50 is not recorded"
    assert found(account, {"AAPL": 30.0, "IBM": 60.0}, CASH - 5 * 480) == {
        "MSFT": "missing fill", None: "missing fill",
    }  # fmt: skip
    new = HELD | {"TSLA": 3.0}
    assert found(account, new, CASH - 3 * 300) == {"TSLA": "missing fill", None: "missing fill"}


def test_two_missing_fills(account):
    held = {"AAPL": 25.0, "IBM": 70.0, "MSFT": -5.0}
    causes = found(account, held, CASH + 5 * 209 - 10 * 101)
    assert causes == {"AAPL": "missing fill", "IBM": "missing fill", None: "missing fill"}


@pytest.mark.parametrize(("quantity", "ratio"), [(120.0, "2"), (90.0, "3/2"), (6.0, "1/10")])
def test_an_unrecorded_split(account, quantity, ratio):
    held = HELD | {"IBM": quantity}
    done = ma.reconcile(account, reported=report(held), cash=CASH, at=AT)
    assert done.breaks["cause"].tolist() == ["unrecorded split"]
    assert done.breaks["detail"][0].startswith(f"{ratio} new for one old share")
    assert found(account, HELD | {"MSFT": -50.0}) == {"MSFT": "unrecorded split"}


def test_shares_twice_as_many_that_were_paid_for_are_no_split(account):
    held = HELD | {"IBM": 120.0}
    assert found(account, held, CASH - 60 * 104)["IBM"] == "missing fill"
    costs = [30 * 200.0, 12_300.0, float("nan")]
    assert found(account, held, CASH - 60 * 104, cost_basis=costs)["IBM"] == "missing fill"
    kept = [30 * 200.0, 6_001.0, float("nan")]
    assert found(account, held, CASH - 12.5, cost_basis=kept) == {
        "IBM": "unrecorded split",
        None: "fee",
    }


def test_a_symbol_change(account):
    held = {"AAPL": 30.0, "IBMX": 60.0, "MSFT": -5.0}
    assert found(account, held) == {"IBM": "symbol change", "IBMX": "symbol change"}


def test_a_duplicated_order(account):
    record_trades(account, TRADES[1])
    with session_scope() as db_session:
        for number, order in enumerate(
            db_session.scalars(select(Order).where(Order.symbol == "IBM"))
        ):
            order.broker_order_id = f"x-{number}"
    record_trades(account, TRADES[1])
    causes = found(account, HELD)
    assert causes == {"IBM": "duplicated order", None: "duplicated order"}


def test_a_transfer_of_shares(account):
    assert found(account, HELD | {"AAPL": 37.0}) == {"AAPL": "transfer"}


def test_trades_that_are_not_in_the_report_yet(account):
    record_trades(account, ("2025-07-31 11:00", "AAPL", 3, 207))
    assert found(account, HELD) == {"AAPL": "unsettled", None: "unsettled"}
    assert found(account, HELD | {"AAPL": 33.0}) == {None: "unsettled"}  # shares first, cash later


def test_a_fraction_paid_in_cash(account):
    record_actions(pd.DataFrame({"symbol": ["IBM"], "action_type": "SPLIT", "ex_date": ["2025-07-14"],
                                 "ratio": 1 / 7}))  # fmt: skip
    assert found(account, HELD | {"IBM": 8.0})["IBM"] == "cash in lieu"


@pytest.mark.parametrize(
    ("difference", "cause"),
    [
        (36.0, "dividend"),
        (4.2, "interest"),
        (-12.5, "fee"),
        (36.0 - 12.5, "dividend, fee"),
        (7.77, "interest"),
        (-7.77, "fee"),
        (20_000.0, "transfer"),
        (-9_000.0, "transfer"),
    ],
)
def test_cash_that_is_missing(account, difference, cause):
    assert found(account, HELD, CASH + difference) == {None: cause}


def test_a_dividend_that_is_not_paid_yet_or_was_taxed(account):
    record_actions(pd.DataFrame({"symbol": ["AAPL"], "action_type": "CASH_DIVIDEND",
                                 "ex_date": ["2025-07-15"], "amount": 0.5}))  # fmt: skip
    assert found(account, HELD, CASH) == {None: "unsettled"}
    assert found(account, HELD, CASH + 15 * 0.7) == {None: "tax withheld"}
    assert found(account, HELD, CASH + 15) == {}


def test_a_flow_that_stands_twice(account):
    twice = pd.DataFrame({"flow_type": ["FEE", "FEE"], "amount": -33.0, "broker_flow_id": ["a", "b"],
                          "occurred_at": "2025-07-01T12:00:00-04:00"})  # fmt: skip
    ma.record_flows(twice, account=account)
    assert found(account, HELD, CASH - 33.0) == {None: "duplicated flow"}


def test_several_breaks_at_once(account):
    held = {"AAPL": 30.0, "IBMX": 60.0, "MSFT": -10.0}
    causes = found(account, held, CASH + 4.2)
    assert causes == {"IBM": "symbol change", "IBMX": "symbol change", "MSFT": "unrecorded split",
                      None: "interest"}  # fmt: skip


def test_what_is_recorded_is_the_report_by_default(account):
    with session_scope() as db_session:
        db_session.execute(delete(Position))
        for symbol, quantity in HELD.items():
            db_session.add(
                Position(account_id=account, symbol=symbol, quantity=quantity, average_price=1)
            )
        db_session.get(AccountInfo, account).cash_balance = CASH + 36
    done = ma.reconcile(account, at=AT)
    assert done.breaks["cause"].tolist() == ["dividend"]
    ma.refresh_positions(account)
    assert ma.reconcile(account).agrees


def test_nothing_is_written(account):
    before = ma.sql("select count(*) n from positions")["n"].item()
    ma.reconcile(account, reported=report({}), cash=0.0, at=AT)
    assert ma.sql("select count(*) n from positions")["n"].item() == before


SCHWAB = """"Positions for account Individual ...789 as of 06:12 PM ET, 2025/07/31"

"Symbol","Description","Qty (Quantity)","Price","Mkt Val (Market Value)","Cost Basis","Security Type"
"AAPL","APPLE INC","30","$207.57","$6,227.10 ","$6,000.00","Equity"
"IBM","INTL BUSINESS MACHINES","1,060","$253.15","$268,339.00","$6,001.00","Equity"
"MSFT","MICROSOFT CORP","-5","$533.50","($2,667.50)","Incomplete","Equity"
"Cash & Cash Investments","--","--","--","$40,626.70","--","Cash and Money Market"
"Account Total","--","--","--","$1.00","--","--"
"""


def test_schwabs_positions(account, tmp_path):
    path = tmp_path / "positions.csv"
    path.write_text(SCHWAB.replace("1,060", "60"))
    assert pytest.approx(40_626.70) == CASH
    done = ma.reconcile(account, reported=path)
    assert done.agrees
    assert done.compared == 4
    assert done.at == pd.Timestamp("2025-07-31 16:00", tz="America/New_York")
    path.write_text(SCHWAB)
    assert ma.reconcile(account, reported=path).breaks["difference"].tolist() == [1000.0]
    path.write_text(SCHWAB[: SCHWAB.index("1,060") - 1])
    with pytest.raises(InvalidOrderError, match=r"positions.csv line 5: .*cut off"):
        ma.reconcile(account, reported=path)


def test_schwabs_file_of_all_accounts(account, tmp_path):
    with session_scope() as db_session:
        db_session.get(AccountInfo, account).account_number = "4411-5789"
    _, table = SCHWAB.split("\n\n")
    other = table.replace("30", "99")
    path = tmp_path / "all.csv"
    path.write_text(
        f'"Positions for All-Accounts as of 06:12 PM ET, 07/31/2025"\n\n"Roth ...111"\n{other}\n'
        f'"Individual ...789"\n{table.replace("1,060", "60")}'
    )
    assert ma.reconcile(account, reported=path).agrees
    with session_scope() as db_session:
        db_session.get(AccountInfo, account).account_number = "4411-0000"
    with pytest.raises(InvalidOrderError, match="holds 2 accounts, and none of them"):
        ma.reconcile(account, reported=path)
    path.write_text(SCHWAB)
    with pytest.raises(InvalidOrderError, match="ends in 789, but the account"):
        ma.reconcile(account, reported=path)


def test_alpacas_positions_and_account(account, tmp_path):
    entries = [{"symbol": symbol, "qty": str(abs(quantity)),
                "side": ("short" if quantity < 0 else "long"),
                "avg_entry_price": "1", "cost_basis": "1", "current_price": "1"}
               for symbol, quantity in HELD.items()]  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(entries))
    (tmp_path / "a.json").write_text(
        json.dumps({"id": "x", "cash": str(CASH), "buying_power": "1"})
    )
    both = [tmp_path / "p.json", tmp_path / "a.json"]
    assert ma.reconcile(account, reported=both, at=AT).agrees
    assert ma.reconcile(account, reported=both[0], at=AT).compared == 3
    alone = ma.reconcile(account, reported=both[1], at=AT)
    assert (alone.agrees, alone.compared) == (True, 1)
    (tmp_path / "none.json").write_text("[]")
    assert len(ma.reconcile(account, reported=tmp_path / "none.json", at=AT).breaks) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cash": float("nan")}, "cash=nan must be a finite number"),
        ({"cash": True}, "cash=True"),
        ({"reported": pd.DataFrame({"symbol": ["IBM"]})}, "reported lacks the columns quantity"),
        ({"reported": report({"IBM": float("nan")})}, "no finite quantity in rows 0"),
        ({"reported": pd.concat([report(), report()])}, "holds the symbol 'AAPL' twice"),
        ({"at": "2025-07-31T12:00:00"}, "no time zone"),
    ],
)
def test_bad_arguments(account, changes, message):
    with pytest.raises(InvalidInputError, match=message):
        ma.reconcile(account, **({"reported": report()} | changes))


def test_files_that_are_no_report(account, tmp_path):
    (tmp_path / "orders.json").write_text('[{"id": "x", "filled_qty": "1"}]')
    with pytest.raises(InvalidOrderError, match=r"looks like Alpaca's orders; import_orders"):
        ma.reconcile(account, reported=tmp_path / "orders.json")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidOrderError, match=r"x.csv looks like no file"):
        ma.reconcile(account, reported=tmp_path / "x.csv")


def test_another_users_account(account, books):
    with ma.as_user("bob"), pytest.raises(UnknownNameError, match="is not known"):
        ma.reconcile(account, reported=report())
    with ma.as_user("root"):
        assert ma.reconcile(account, reported=report(), cash=CASH, at=AT).agrees


def test_an_account_without_records(books):
    assert ma.reconcile(books.bob, reported=report({}), cash=0.0).agrees
    assert ma.reconcile(books.bob, reported=report({"IBM": 1.0})).breaks["cause"].tolist() == [
        "transfer"
    ]
