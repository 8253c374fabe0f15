"""The demo: its numbers reconcile, a split changes no value, and running it again changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

import mismartera_analytics as ma
from mismartera_analytics.errors import MissingDependencyError
from mismartera_analytics.models import database as db
from mismartera_analytics.models import load_mappings
from mismartera_analytics.operations import demo

pytestmark = pytest.mark.usefixtures("demo_data")


def row_counts() -> dict[str, int]:
    load_mappings()
    with db.SessionLocal() as db_session:
        return {
            name: db_session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in db.Base.metadata.tables.items()
        }


def test_running_it_again_changes_nothing() -> None:
    counts, version = row_counts(), ma.BarStore().version("1d")
    before = {name: getattr(ma, name)() for name in ("accounts", "positions", "orders", "fills")}
    outcome = demo.run_demo()
    assert row_counts() == counts
    assert ma.BarStore().version("1d") == version
    assert outcome.report.is_file()
    ids = ["order_id", "fill_id", "account_id", "last_synced"]
    for name, frame in before.items():
        again = getattr(ma, name)()
        same = [column for column in frame.columns if column not in ids]
        assert again[same].equals(frame[same]), name


def test_what_is_recorded_is_real() -> None:
    counts = row_counts()
    assert counts["users"] == 1
    assert counts["account_info"] == 1
    assert counts["corporate_actions"] == 3
    assert counts["orders"] > 100
    assert counts["fills"] == (ma.orders()["filled_quantity"] > 0).sum()
    assert set(ma.orders()["symbol"]) == set(demo.SYMBOLS)
    assert set(ma.positions()["user"]) == {demo.USER}


def test_profit_and_loss_reconciles_with_positions_cash_and_equity() -> None:
    (account,) = ma.accounts().to_dict("records")
    assert account["broker"] == "backtest"
    total = ma.pnl(freq="total").iloc[0]
    assert total["begin_value"] + total["flows"] + total["total"] == pytest.approx(
        total["end_value"]
    )
    assert total["flows"] == pytest.approx(demo.CASH)
    held = ma.positions()["market_value"].sum()
    assert account["cash_balance"] + held == pytest.approx(account["total_value"], rel=1e-9)
    assert total["end_value"] == pytest.approx(account["total_value"], rel=1e-9)
    by_symbol = ma.pnl(freq="total", by=["account", "symbol"])
    assert by_symbol["total"].sum() == pytest.approx(total["total"], rel=1e-9)
    trades = ma.round_trips()
    assert trades["realized_pnl"].sum() + ma.positions()["unrealized_pnl"].sum() == pytest.approx(
        total["total"], rel=1e-3
    ), "fees of open lots are the only difference"


def test_every_session_reconciles() -> None:
    frame = ma.pnl(freq="session", by=["account", "symbol"])
    gap = frame["begin_value"] + frame["flows"] + frame["total"] - frame["end_value"]
    scale = frame[["begin_value", "flows", "end_value"]].abs().max(axis=1).clip(lower=1.0)
    assert (gap.abs() / scale).max() < 1e-9


def test_a_position_across_a_split_keeps_its_value() -> None:
    before = ma.positions(at="2005-02-25T16:00:00-05:00", symbols=["AAPL"]).iloc[0]
    after = ma.positions(at="2005-02-28T16:00:00-05:00", symbols=["AAPL"]).iloc[0]
    bars = ma.bars("AAPL", "1d", "2005-02-25", "2005-02-28")["close"].to_numpy()
    assert bars[1] / bars[0] == pytest.approx(0.5, abs=0.02), "the raw price halves"
    assert after["quantity"] == 2 * before["quantity"]
    assert after["cost_basis"] == pytest.approx(before["cost_basis"], rel=1e-12)
    day = ma.pnl(symbols=["AAPL"], start="2005-02-28", end="2005-02-28").iloc[0]
    change = 2 * bars[1] / bars[0] - 1
    assert day["total"] == pytest.approx(before["market_value"] * change, rel=1e-9)
    assert np.isclose(day["flows"], 0)


def test_only_the_demo_user_and_superusers_see_it() -> None:
    ma.create_user("ada", "ada@example.com", "pw")
    with ma.as_user("ada"):
        assert ma.orders().empty
        assert ma.accounts().empty
    with ma.as_user("demo"):
        assert not ma.orders().empty


def test_its_absence_is_noticed(home: Path) -> None:
    assert demo.is_there()
    ma.configure(database_url="sqlite:///other.db")
    assert not demo.is_there()


def test_the_command_prints_tables_and_names_the_report(home: Path) -> None:
    root = Path(ma.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "mismartera_analytics.cli", "demo"],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ma.positions()" in done.stdout
    assert "Day after Thanksgiving" in done.stdout
    assert str(home / "reports" / "demo.html") in done.stdout
    assert done.stderr == "", "no progress bar floods a log"


def test_without_the_sample_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*samples"):
        demo.run_demo()
