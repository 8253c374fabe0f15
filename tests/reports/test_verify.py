"""A report verified: equal while only news came, else which row or bar, and by how much."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import delete, select

import mismartera_analytics as ma
from mismartera_analytics import clock
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import StorageError, UnknownNameError
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.citations import cited_versions
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import CashFlow, Fill, Order, Report, ReportRows
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.reports import outcomes, tearsheet
from tests.world import Books, books, prices, record_cash, record_trades, when

__all__ = ["books", "prices"]

CLOSES = [100.0, 102.0, 101.0, 105.0, 104.0]


@pytest.fixture(autouse=True)
def plain_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: what is verified are figures, rows and bars."""
    monkeypatch.setitem(outcomes._WRITERS, "html", lambda outline: outline.title.encode())


@pytest.fixture
def world(books: Books, prices: Callable[..., None]) -> Books:
    prices("ADAS", "2025-07-01", CLOSES)
    record_cash(books.ada, ("2025-07-01 09:00", "DEPOSIT", 10_000.0))
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "ADAS", 10, 100.0, 1.0),
        ("2025-07-03 10:00", "ADAS", -4, 101.5, 1.0),
    )
    return books


@pytest.fixture
def written(world: Books, tmp_path: Path) -> Path:
    done = ma.report(world.ada, tmp_path / "out")
    return done.folder / done.frame["files"][0]


def told(path: Path) -> list[str]:
    """Return the sentences about everything but the figures."""
    found = ma.verify_report(path).differences
    return found.loc[found["what"] != "figure", "text"].tolist()


def test_news_is_no_difference(
    world: Books, written: Path, prices: Callable[..., None], ready_database: str
) -> None:
    before = ma.verify_report(written)
    assert before.agrees
    assert "equal" in repr(before)
    prices("ADAS", "2025-07-09", [108.0, 109.0])
    prices("NEWS", "2025-07-01", [1.0, 2.0])
    later = str(pd.Timestamp.now(tz="America/New_York").date() + pd.Timedelta(days=1))
    record_trades(world.ada, (f"{later} 10:00", "ADAS", 5, 110.0))
    record_cash(world.ada, (f"{later} 09:00", "DEPOSIT", 500.0))
    record_trades(world.bob, ("2025-07-02 10:00", "ADAS", 5, 102.0))
    record_actions(
        pd.DataFrame({"symbol": ["NEWS"], "action_type": ["SPLIT"], "ex_date": ["2025-07-02"],
                      "ratio": [2.0]})
    )  # fmt: skip
    after = ma.verify_report(written)
    assert after.agrees, repr(after)
    assert after.last_session == "2025-07-08"
    assert command(["report", "verify", str(written)]) == 0


def test_a_corrected_bar_is_named_with_its_amount(
    world: Books, written: Path, prices: Callable[..., None], ready_database: str
) -> None:
    prices("ADAS", "2025-07-03", [101.25])
    found = ma.verify_report(written)
    bars = found.differences[found.differences["what"] == "bar"]
    assert bars["name"].tolist() == ["bar ADAS 2025-07-03"]
    row: Any = bars.iloc[0]
    assert (row["recorded"], row["now"]) == ("101", "101.25")
    assert row["difference"] == pytest.approx(0.25)
    assert "bar ADAS 2025-07-03: close was 101, is 101.25 (+0.25)" in repr(found)
    assert command(["report", "verify", str(written)]) == 1


def test_a_late_bar_and_the_last_value_that_changes_with_it(
    world: Books, written: Path, prices: Callable[..., None]
) -> None:
    prices("ADAS", "2025-07-08", [114.0])
    found = ma.verify_report(written).differences.set_index("name")
    assert found.loc["bar ADAS 2025-07-08", "difference"] == pytest.approx(10.0)
    assert found.loc["value", "difference"] == pytest.approx(6 * 10.0)
    assert found.loc["pnl", "difference"] == pytest.approx(6 * 10.0)


def test_a_corrected_order_is_named_with_its_amount(world: Books, written: Path) -> None:
    with session_scope() as db_session:
        order = db_session.scalars(select(Order).where(Order.side == "SELL")).one()
        order.average_fill_price = 103.0
        number = order.id
    found = ma.verify_report(written).differences
    row: Any = found.loc[found["what"] == "order"].iloc[0]
    assert row["name"] == f"order {number} (SELL 4 ADAS on 2025-07-03)"
    assert (row["column"], row["difference"]) == ("average_fill_price", pytest.approx(1.5))
    assert found.set_index("name").loc["pnl", "difference"] == pytest.approx(4 * 1.5)


def test_deleted_inserted_and_backdated_rows_are_named(world: Books, written: Path) -> None:
    record_trades(world.ada, ("2025-07-02 11:00", "ADAS", 1, 102.0))
    record_cash(world.ada, ("2025-07-02 09:00", "FEE", -7.0))
    with session_scope() as db_session:
        first, second = db_session.scalars(select(Order).where(Order.quantity > 1)).all()
        db_session.execute(delete(Order).where(Order.id == second.id))
        db_session.add(Fill(order_id=first.id, quantity=10.0, price=100.0,
                            filled_at=when("2025-07-01 10:00")))  # fmt: skip
        names = first.id, second.id
    said = "\n".join(told(written))
    assert f"order {names[1]} (SELL 4 ADAS on 2025-07-03): it was deleted since" in said
    assert re.search(r"order \d+ \(BUY 1 ADAS on 2025-07-02\): it was recorded since", said)
    assert re.search(rf"fill \d+ of order {names[0]} \(BUY 10 ADAS.*it was recorded since", said)
    assert re.search(r"flow \d+ \(FEE on 2025-07-02\): it was recorded since", said)


def test_a_changed_flow_and_a_late_split(world: Books, written: Path) -> None:
    with session_scope() as db_session:
        db_session.scalars(select(CashFlow)).one().amount = 9_000.0
    record_actions(
        pd.DataFrame({"symbol": ["ADAS"], "action_type": ["SPLIT"], "ex_date": ["2025-07-02"],
                      "ratio": [2.0]})
    )  # fmt: skip
    said = told(written)
    assert "amount was 10,000, is 9,000 (-1,000)" in said[0]
    assert "corporate action SPLIT of ADAS on 2025-07-02: it was recorded since" in said[1]


def test_an_open_order_that_is_filled_later_is_news(world: Books, tmp_path: Path) -> None:
    with session_scope() as db_session:
        db_session.add(
            Order(symbol="ADAS", side="BUY", quantity=3.0, status="NEW", order_type="LIMIT", price=90.0,
                  placed_at=when("2025-07-03 11:00"), account_id=world.ada)
        )  # fmt: skip
    done = ma.report(world.ada, tmp_path)
    path = done.folder / done.frame["files"][0]
    with session_scope() as db_session:
        order = db_session.scalars(select(Order).where(Order.status == "NEW")).one()
        order.status, order.filled_quantity, order.average_fill_price = "FILLED", 3.0, 89.0
        order.filled_at = pd.Timestamp.now(tz="UTC") + pd.Timedelta(hours=1)
    assert ma.verify_report(path).agrees
    with session_scope() as db_session:
        order = db_session.scalars(select(Order).where(Order.price == 90.0)).one()
        order.filled_at = when("2025-07-03 12:00")
    assert not ma.verify_report(path).agrees


def test_rows_written_anew_with_other_ids_are_the_same(world: Books, written: Path) -> None:
    with session_scope() as db_session:
        for order in db_session.scalars(select(Order)).all():
            values = {
                c.name: getattr(order, c.name) for c in Order.__table__.columns if c.name != "id"
            }
            db_session.delete(order)
            db_session.add(Order(id=order.id + 100, **values))
    assert ma.verify_report(written).agrees


def test_a_fill_that_another_order_owns_now_is_named(
    world: Books, prices: Callable[..., None], tmp_path: Path
) -> None:
    prices("OTHR", "2025-07-01", CLOSES)
    record_trades(world.ada, ("2025-07-02 10:00", "OTHR", 10, 100.0))
    with session_scope() as db_session:
        orders = db_session.scalars(select(Order).order_by(Order.id)).all()
        first, other = orders[0].id, orders[-1].id
        db_session.add(Fill(order_id=first, quantity=10.0, price=100.0,
                            filled_at=when("2025-07-01 10:00")))  # fmt: skip
    done = ma.report(world.ada, tmp_path)
    path = done.folder / done.frame["files"][0]
    assert ma.verify_report(path).agrees
    with session_scope() as db_session:
        db_session.scalars(select(Fill)).one().order_id = other
    assert any(text.endswith(f"it belongs to order {other} now") for text in told(path))
    with session_scope() as db_session:
        fill = db_session.scalars(select(Fill)).one()
        db_session.delete(fill)
        db_session.add(Fill(id=fill.id + 1, order_id=other, quantity=10.0, price=100.0,
                            filled_at=when("2025-07-01 10:00")))  # fmt: skip
    assert any("it was deleted since" in text for text in told(path))


def test_nothing_yet_is_a_report_and_the_first_deposit_is_news(
    world: Books, tmp_path: Path
) -> None:
    before = ma.report(world.ada, tmp_path, end="2025-06-02").frame
    assert before["status"].tolist() == ["written"], before["error"][0]
    assert ma.verify_report(tmp_path / before["files"][0]).agrees
    account = create_account("ada", "schwab", account_number="new", account_type="cash")
    done = ma.report(account, tmp_path)
    later = str(pd.Timestamp.now(tz="America/New_York").date() + pd.Timedelta(days=1))
    record_cash(account, (f"{later} 09:00", "DEPOSIT", 500.0))
    assert ma.verify_report(done.folder / done.frame["files"][0]).agrees


def test_the_file_itself(world: Books, written: Path, tmp_path: Path) -> None:
    moved = tmp_path / "sent around.html"
    moved.write_bytes(written.read_bytes())
    assert ma.verify_report(moved).agrees
    written.write_text("altered")
    assert told(written) == [f"{written.name}: the file itself was altered since it was written"]
    (tmp_path / "foreign.html").write_text("foreign")
    with pytest.raises(UnknownNameError, match="not in the table of reports"):
        ma.verify_report(tmp_path / "foreign.html")
    with pytest.raises(StorageError, match="cannot read"):
        ma.verify_report(tmp_path / "nothing.html")
    assert command(["report", "verify", str(tmp_path / "foreign.html")]) == 2


def test_another_users_report_is_not_known(world: Books, written: Path) -> None:
    with ma.as_user("bob"), pytest.raises(UnknownNameError, match="not in the table"):
        ma.verify_report(written)
    with ma.as_user("ada"):
        assert ma.verify_report(written).agrees
    with session_scope() as db_session:
        assert db_session.scalars(select(Report.user_id)).one() is not None


def test_bars_whose_version_is_gone_are_named_by_year(
    world: Books, written: Path, prices: Callable[..., None]
) -> None:
    with session_scope() as db_session:
        row = db_session.scalars(select(Report)).one()
        cites = json.loads(row.cites_json or "")
        cites["bars"][0]["version"] = 99
        row.cites_json = json.dumps(cites)
    assert ma.verify_report(written).agrees
    prices("ADAS", "2025-07-03", [101.25])
    assert "ADAS: daily closes of 2025 are not what they were" in told(written)[0]


def test_cited_versions_are_kept(world: Books, written: Path) -> None:
    store = BarStore()
    assert store.version("1d") in cited_versions(place_of(store.uri), "1d")


def test_what_is_kept_of_rows_is_kept_once(world: Books, tmp_path: Path) -> None:
    def kept() -> dict[str, str]:
        with session_scope() as db_session:
            return {row.digest: row.rows_json for row in db_session.scalars(select(ReportRows))}

    ma.report(world.ada, tmp_path)
    first = kept()
    ma.report(world.ada, tmp_path)
    assert kept() == first
    record_trades(world.ada, ("2025-08-01 10:00", "ADAS", 1, 104.0))
    ma.report(world.ada, tmp_path)
    assert len(kept()) == len(first) + 2  # August's orders, and the list of parts
    assert first.items() <= kept().items()


def test_reports_that_would_come_out_equal_are_skipped(
    world: Books, prices: Callable[..., None], tmp_path: Path
) -> None:
    def statuses(**changes: Any) -> list[str]:
        done = ma.report(out=tmp_path, unchanged="skip", **changes)
        return done.frame.sort_values("account_id")["status"].tolist()

    assert statuses() == ["written", "written"]
    first = ma.report(out=tmp_path, unchanged="skip").frame
    assert first["status"].tolist() == ["unchanged", "unchanged"]
    assert first.loc[first["account_id"] == world.ada, "value"].notna().all()
    record_trades(world.bob, ("2025-07-02 10:00", "ADAS", 5, 102.0))
    assert statuses() == ["unchanged", "written"]
    prices("ADAS", "2025-07-09", [108.0])
    assert statuses() == ["written", "written"]
    assert statuses(end="2025-07-08") == ["written", "written"]
    (tmp_path / f"account-{world.ada}-schwab-a-1.html").write_text("altered")
    assert statuses(end="2025-07-08") == ["written", "unchanged"]


def test_a_tear_sheet_of_an_account_is_verified_like_one_of_a_batch(
    world: Books, tmp_path: Path, prices: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tearsheet, "html_of", lambda outline: outline.title)
    path = ma.tear_sheet(world.ada, tmp_path / "one.html")
    assert ma.verify_report(path).agrees
    prices("ADAS", "2025-07-03", [101.25])
    assert "bar ADAS 2025-07-03: close was 101, is 101.25 (+0.25)" in told(path)


def test_batches_at_once_into_one_folder(world: Books, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        batches = list(pool.map(lambda _: ma.report(out=tmp_path), range(2)))
    assert [done.frame["status"].tolist() for done in batches] == [["written", "written"]] * 2
    files = batches[0].frame["files"].tolist()
    assert sorted(path.name for path in tmp_path.glob("*.html")) == sorted([*files, "index.html"])
    assert not list(tmp_path.glob(".*.part"))
    assert all(ma.verify_report(tmp_path / name).agrees for name in files)
    with session_scope() as db_session:
        assert len(db_session.scalars(select(Report)).all()) == 4


def test_a_session_that_was_still_running(
    world: Books, tmp_path: Path, prices: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(clock, "utc_now", lambda: when("2025-07-08 12:00").tz_convert("UTC"))
        done = ma.report(world.ada, tmp_path)
    path = done.folder / done.frame["files"][0]
    prices("ADAS", "2025-07-08", [114.0])  # now it is final
    assert ma.verify_report(path).agrees
    prices("ADAS", "2025-07-07", [106.0])  # this one had closed
    assert told(path) == ["bar ADAS 2025-07-07: close was 105, is 106 (+1)"]


def test_a_saved_run(demo_on_both: Path, tmp_path: Path) -> None:
    result = ma.backtest(MovingAverageCross(fast=20), "AAPL", "2010-01-04", "2011-12-30")
    result.save("cross <i>", user="demo")
    done = ma.report(runs="cross <i>", out=tmp_path, stress=False)
    row: Any = done.frame.iloc[0]
    assert (row["kind"], row["status"]) == ("run", "written")
    assert row["total_return"] == pytest.approx(result.metrics.loc["total_return", "value"])
    page = ma.tear_sheet(int(row["account_id"]), tmp_path / "account.html").read_text()
    assert "Saved backtest" in page
    assert "From the records of a saved run" in page
    path = done.folder / row["files"]
    assert re.fullmatch(r"run-\d+-cross-i\.html", path.name)
    assert ma.verify_report(path).agrees
    again = ma.report(runs="cross <i>", out=tmp_path, stress=False, unchanged="skip")
    assert again.frame["status"].tolist() == ["unchanged"]
    bar = ma.bars("AAPL", "1d", "2010-06-01", "2010-06-01")
    BarStore().write(bar.assign(close=bar["close"] - 0.5), "1d")
    found = ma.verify_report(path).differences
    assert found["name"].tolist() == ["bar AAPL 2010-06-01"]
    assert found["difference"][0] == pytest.approx(-0.5)


def test_a_saved_runs_report_is_made_anew_for_another_benchmark_or_more_trials(
    demo_on_both: Path, tmp_path: Path
) -> None:
    def statuses(benchmark: Any = "IBM") -> list[str]:
        done = ma.report(
            runs="cross", out=tmp_path, stress=False, benchmark=benchmark, unchanged="skip"
        )
        return done.frame["status"].tolist()

    period = "AAPL", "2010-01-04", "2010-12-31"
    ma.backtest(MovingAverageCross(fast=20), *period).save("cross", user="demo")
    assert (statuses(), statuses()) == (["written"], ["unchanged"])
    bar = ma.bars("IBM", "1d", "2010-06-01", "2010-06-01")
    BarStore().write(bar.assign(close=bar["low"]), "1d")
    assert (statuses(), statuses()) == (["written"], ["unchanged"])
    ma.backtest(MovingAverageCross(fast=9), *period)
    assert (statuses(), statuses()) == (["written"], ["unchanged"])
    given = ma.bars("IBM").set_index("session")["close"].pct_change().dropna()
    shifted = pd.Series(given.to_numpy()[:-1], given.index[1:])
    assert (statuses(given[1:]), statuses(shifted)) == (["written"], ["written"])
