"""A run in the records: the ledger's own profit and loss agrees with the simulated account."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from sqlalchemy import func, select

from mismartera_analytics import auth
from mismartera_analytics.backtesting.costs import PerShare
from mismartera_analytics.backtesting.financing import BorrowRate, InterestRates
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.saving import check_unused
from mismartera_analytics.backtesting.trial_log import trials
from mismartera_analytics.errors import DuplicateError, InvalidInputError, UnknownNameError
from mismartera_analytics.market_data import samples
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.ingest import ingest_bars
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Order,
    Position,
)
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.queries.profit import pnl
from mismartera_analytics.queries.records import accounts, fills, orders, positions


@pytest.fixture
def result(ready_database):
    auth.create_user("ada", "ada@example.com", "secret")
    ingest_bars(samples.sample_bars(), "1d")
    dividend = {"symbol": "AAPL", "action_type": "CASH_DIVIDEND", "ex_date": "2012-08-09",
                "amount": 2.65}  # fmt: skip
    actions = pd.concat([samples.sample_actions(), pd.DataFrame([dividend])], ignore_index=True)
    actions["ex_date"] = pd.to_datetime(actions["ex_date"])
    record_actions(actions)
    return backtest(
        MovingAverageCross(fast=50, slow=200), ["AAPL", "IBM"], "2004-01-02",
        commission=PerShare(0.005, minimum=1.0),
    )  # fmt: skip


def counts():
    with session_scope() as db_session:
        tables = (AccountInfo, Order, Fill, CashFlow, Position, BacktestRun)
        return [db_session.scalar(select(func.count()).select_from(table)) for table in tables]


def test_a_saved_run_reads_like_any_account(result):
    account = result.save("cross", user="ada")
    assert result.dividends > 0
    with auth.as_user("ada"):
        assert len(orders(account=account)) == len(result.orders)
        assert len(fills(account=account)) == len(result.fills)
        held = positions(account=account).set_index("symbol")
        own = result.positions.set_index("symbol")
        assert held["market_value"].to_dict() == own["market_value"].to_dict()
        by_session = pnl(account=account).set_index("session")
    equity = result.equity.set_index("session")["equity"]
    both = by_session.join(equity, how="inner")
    assert len(both) == len(equity)
    assert both["end_value"].to_numpy() == pytest.approx(both["equity"].to_numpy(), rel=1e-9)
    assert by_session["dividends"].sum() == pytest.approx(result.dividends)


def test_each_part_of_an_order_is_saved(result):
    asked = pd.DataFrame(
        {
            "placed_at": pd.to_datetime(["2004-01-05 21:00", "2004-01-12 21:00"], utc=True),
            "symbol": "AAPL",
            "side": "BUY",
            "quantity": [30_000, 900_000],
            "time_in_force": ["GTC", "DAY"],
        }
    )
    parts = backtest(
        None, ["AAPL"], "2004-01-02", "2004-02-27", orders=asked, cash=1e9, volume_limit=0.001,
    )  # fmt: skip
    account = parts.save("parts", user="ada")
    with auth.as_user("ada"):
        saved, pieces = orders(account=account), fills(account=account)
        worth = pnl(account=account).set_index("session")["end_value"]
    assert len(pieces) > 3
    assert pieces["quantity"].sum() == pytest.approx(parts.positions["quantity"].sum())
    by_order = pieces.groupby("order_id")["quantity"].sum()
    filled = saved.set_index("order_id")["filled_quantity"]
    assert filled.to_dict() == pytest.approx(by_order.to_dict())
    assert sorted(saved["status"]) == sorted(parts.orders["status"])
    assert filled.max() == 30_000.0
    equity = parts.equity.set_index("session")["equity"]
    assert worth.reindex(equity.index).to_numpy() == pytest.approx(equity.to_numpy(), rel=1e-9)


def test_a_used_name_is_refused_unless_the_run_is_to_be_replaced(result):
    first = result.save("cross", user="ada")
    once = counts()
    with auth.as_user("ada"):
        with pytest.raises(DuplicateError, match=r"name='cross' .* replace=True"):
            result.save("cross")
        with pytest.raises(DuplicateError, match="name='cross'"):
            check_unused("cross")
        with pytest.raises(InvalidInputError, match="replace='yes' must be True or False"):
            result.save("cross", replace="yes")
        check_unused("other")
        assert counts() == once
        assert result.save("cross", replace=True) == first
    assert counts() == once
    assert result.save("other", user="ada") != first
    assert counts() == [2 * count for count in once]


def test_the_run_says_what_went_in(result):
    result.save("cross", user="ada")
    with session_scope() as db_session:
        run = db_session.scalars(select(BacktestRun)).one()
        config, version = json.loads(run.config_json), json.loads(run.data_version_json)
    assert config["parameters"] == {"fast": 50, "slow": 200}
    assert config["commission"]["per_share"] == 0.005
    assert version["version"] >= 0
    assert len(version["digest"]) == 64
    assert run.seed == 0


def test_a_run_needs_an_owner(result):
    with pytest.raises(InvalidInputError, match="user is missing"):
        result.save("cross")
    with pytest.raises(UnknownNameError, match="did you mean 'ada'"):
        result.save("cross", user="adda")
    assert counts() == [0] * 6


def test_a_margin_account_with_shorts_interest_and_fees_agrees_to_the_cent(result):
    labels = pd.bdate_range("2004-02-02", "2006-12-29", freq="BMS")
    days = result.equity["session"]
    days = days[days.searchsorted(labels)].drop_duplicates()
    weights = pd.DataFrame({"AAPL": 0.9, "IBM": -0.6, "MSFT": 0.3}, index=pd.DatetimeIndex(days))
    weights.iloc[1::3] *= -1.0
    short = backtest(
        weights=weights, start="2004-01-02", end="2006-12-29", account_type="margin", leverage=2.0,
        commission=PerShare(0.005, minimum=1.0), borrow=BorrowRate(0.03),
        interest=InterestRates(0.01, 0.06),
    )  # fmt: skip
    assert (short.positions["quantity"] < 0).any()
    assert set(short.financing["flow_type"]) == {"INTEREST", "FEE"}
    account = short.save("short", user="ada")
    with auth.as_user("ada"):
        by_session = pnl(account=account).set_index("session")
        held = positions(account=account).set_index("symbol")
        row = accounts(account=account).iloc[0]
    both = by_session.join(short.equity.set_index("session")["equity"], how="inner")
    assert len(both) == len(short.equity)
    assert (both["end_value"] - both["equity"]).abs().max() < 0.005
    own = short.positions.set_index("symbol")
    for column in ("quantity", "market_value", "cost_basis", "unrealized_pnl"):
        assert held[column].to_dict() == pytest.approx(own[column].to_dict())
    last = short.equity.iloc[-1]
    assert row["account_type"] == "margin"
    assert row["equity"] == pytest.approx(last["equity"])
    exposure = own["market_value"].abs().sum()
    assert row["buying_power"] == pytest.approx(max(2.0 * last["equity"] - exposure, 0.0))
    flows = short.financing["amount"].sum() + short.dividends
    assert both["total"].sum() == pytest.approx(last["equity"] - 100_000.0)
    assert flows != 0.0


def test_a_saved_run_replaced_takes_its_trial_along(result):
    result.save("cross", user="ada")
    other = backtest(MovingAverageCross(fast=20), ["AAPL", "IBM"], "2004-01-02")
    other.save("cross", user="ada", replace=True)
    runs = trials(user="ada").set_index("parameters")["run"]
    assert runs['{"fast": 20, "slow": 200}'] == "cross"
    assert runs.notna().sum() == 1


def test_what_is_held_at_the_end_is_worth_what_it_was_then(result):
    first = result.equity["session"].iloc[0]
    held = backtest(
        weights=pd.DataFrame({"AAPL": [1.0]}, pd.DatetimeIndex([first])), start="2004-01-02",
        end="2005-06-30",
    )  # fmt: skip
    account = held.save("held", user="ada")
    with auth.as_user("ada"):
        by_session = pnl(account=account)
        assert by_session["session"].max() == pd.Timestamp("2005-06-30")
        assert by_session["end_value"].iloc[-1] == pytest.approx(held.equity["equity"].iloc[-1])
        sold = backtest(MovingAverageCross(fast=20), ["AAPL", "IBM"], "2004-01-02", "2007-06-29")
        both = pnl(account=[account, sold.save("sold", user="ada")])
        assert both["session"].max() == pd.Timestamp("2007-06-29")


def test_the_plot_is_returned(result):
    assert len(result.plot().axes) >= 2
