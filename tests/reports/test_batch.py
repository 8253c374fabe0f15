"""Reports of many accounts: one that fails stops nobody, names become safe files, the index leads."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import config, frames
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.models import Order, Position
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.reports import outcomes, workers
from mismartera_analytics.reports.requests import requests_of
from tests.world import Books, books, prices, record_cash, record_trades, when

__all__ = ["books", "prices"]

CLOSES = [100.0, 102.0, 101.0, 105.0, 104.0]


@pytest.fixture
def world(books: Books, prices: Callable[..., None]) -> Books:
    """Give ada and bob a position each; bob's symbol rises on the last session, ada's falls."""
    prices("ADAS", "2025-07-01", CLOSES)
    prices("BOBS", "2025-07-01", [*CLOSES[::-1][:4], 110.0])
    for account, symbol in ((books.ada, "ADAS"), (books.bob, "BOBS")):
        record_cash(account, ("2025-07-01 09:00", "DEPOSIT", 10_000.0))
        record_trades(account, ("2025-07-01 10:00", symbol, 10, 100.0, 1.0))
    return books


@pytest.fixture
def broken(world: Books) -> int:
    """Open an account whose only order no calendar covers."""
    account = create_account("ada", "schwab", account_number="broken", account_type="cash")
    moment = when("2150-01-05 10:00")
    with session_scope() as db_session:
        db_session.add(
            Order(symbol="ADAS", side="BUY", quantity=1.0, filled_quantity=1.0, status="FILLED",
                  average_fill_price=5.0, placed_at=moment, filled_at=moment, account_id=account)
        )  # fmt: skip
    return account


class Links(HTMLParser):
    """Collects where a page leads to and what scripts it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for name, value in attrs if name == "href"]


def pages(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_account_is_named_by_a_number_of_digits_only(world: Books, tmp_path: Path) -> None:
    account = create_account("ada", "schwab", account_number="0042", account_type="cash")
    asked = ["report", "--account", "0042", "--account", str(world.bob), "--out", str(tmp_path)]
    assert command(asked) == 0
    written = [page.partition("-schwab")[0] for page in pages(tmp_path)]
    assert written[0] == f"account-{world.bob}-alpaca-b-1.html"
    assert written[1] == f"account-{account}"
    assert command(["report", "--account", "0043", "--out", str(tmp_path)]) == 2


def test_threads_of_one_process_do_not_share_remarks(
    world: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_inside = threading.Barrier(2)
    real = outcomes._account

    def remarking(setup: outcomes.Setup, request: outcomes.Request) -> outcomes.Outcome:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_inside.wait(timeout=0.3)
        made = real(setup, request)
        warnings.warn(f"about {request.user}", stacklevel=1)
        return made

    monkeypatch.setattr(outcomes, "_account", remarking)
    monkeypatch.setitem(outcomes._WRITERS, "html", lambda outline: outline.title.encode())
    setup = outcomes.Setup(config.settings().model_dump(), None, ("html",))
    requests = requests_of(None, None, user=None)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda request: outcomes.make(setup, request), requests))
    assert [one.headline.remarks for one in made] == [("about ada",), ("about bob",)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_fails_stops_nobody(
    world: Books, broken: int, tmp_path: Path, jobs: int, ready_database: str
) -> None:
    done = ma.report(out=tmp_path / "out", jobs=jobs)
    assert done.frame.columns.tolist() == frames.REPORTS.names
    assert done.frame["status"].tolist() == ["failed", "written", "written"]
    assert done.failed["account_id"].tolist() == [broken]
    assert "2150" in done.failed["error"][0]
    by_account = done.frame.set_index("account_id")
    begin = 10_000.0 - 10 * 100 - 1
    assert by_account.loc[world.ada, "value"] == pytest.approx(begin + 10 * 104)
    assert by_account.loc[world.ada, "day_pnl"] == pytest.approx(-10)
    assert by_account.loc[world.ada, "pnl"] == pytest.approx(10 * 4 - 1)
    assert by_account.loc[world.ada, "day_return"] == pytest.approx(-10 / (begin + 10 * 105))
    assert by_account.loc[world.ada, "total_return"] == pytest.approx(39 / 10_000)
    files = [name for names in done.frame["files"] for name in names.split(", ") if name]
    assert pages(done.folder) == sorted([*files, "index.html"])
    index = Links(done.index.read_text("utf-8"))
    assert {name for name in index.targets if name.endswith(".html")} == set(files)


def test_the_index_leads_with_what_needs_attention(
    world: Books, broken: int, prices: Callable[..., None], tmp_path: Path
) -> None:
    prices("OLD", "2025-07-01", [50.0, 50.0, np.nan, np.nan, np.nan])
    record_trades(world.bob, ("2025-07-01 11:00", "OLD", 2, 50.0))
    with session_scope() as db_session:
        db_session.add(
            Position(account_id=world.ada, symbol="ADAS", quantity=12.0, average_price=100.0,
                     last_updated=when("2025-07-08 16:30"))
        )  # fmt: skip
    done = ma.report(out=tmp_path)
    text = done.index.read_text("utf-8")
    places = [text.index(title) for title in ("Failed", "Does not add up", "Bars are missing",
                                              "Lost most", "All reports")]  # fmt: skip
    # the cards say some of these words first
    assert places[2:] == sorted(places[2:])
    told = done.frame.set_index("account_id")["attention"]
    assert "ADAS: recorded 10, at the broker 12" in told[world.ada]
    assert "OLD: no bar for the last 3 sessions" in told[world.bob]
    assert told[broken] == ""
    assert "OLD: no bar for the last 3 sessions" in text


def test_an_account_that_lies_behind_its_market_is_told_and_tomorrow_anew(
    world: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_at(moment: str, **options: Any) -> str:
        monkeypatch.setattr("mismartera_analytics.clock.utc_now", lambda: when(moment))
        done = ma.report(world.ada, tmp_path, unchanged="skip", **options)
        return str(done.frame["attention"].iloc[0])

    # the last bar is of 2025-07-08, a Tuesday
    assert told_at("2025-07-08 18:00") == ""
    assert told_at("2025-07-09 15:59") == ""
    one = "no bars since 2025-07-08, and 1 session has ended since: ADAS"
    assert told_at("2025-07-09 16:00") == one
    assert told_at("2025-07-14 17:00") == one.replace("1 session has", "4 sessions have")
    assert told_at("2025-07-14 17:00", end="2025-07-08") == ""


def test_the_money_of_backtests_is_not_added_to_that_of_accounts(
    world: Books, tmp_path: Path
) -> None:
    simulated = create_account("ada", "backtest", account_number="run", account_type="cash")
    record_cash(simulated, ("2025-07-01 09:00", "DEPOSIT", 7_000_000.0))
    record_trades(simulated, ("2025-07-01 10:00", "ADAS", 10, 100.0))
    done = ma.report(out=tmp_path)
    value = done.frame.set_index("account_id")["value"]
    live = value[[world.ada, world.bob]].sum()
    text = re.sub(r"<[^>]+>", " ", done.index.read_text("utf-8"))
    shown = dict(re.findall(r"(Value of all|Simulated value)\s+([\d,]+)", text))
    assert shown == {
        "Value of all": f"{live:,.0f}", "Simulated value": f"{value[simulated]:,.0f}"
    }  # fmt: skip


def test_names_become_safe_files_that_cannot_collide(world: Books, tmp_path: Path) -> None:
    names = [
        "<script>alert(1)</script>",
        "../../up",
        "..",
        "🚀",
        "🐻",
        "a b",
        "a-b",
        "CON",
        "é" * 40,
    ]
    for name in names:
        create_account("ada", "schwab", account_number=name, account_type="cash")
    out = tmp_path / "deep" / "out"
    done = ma.report(out=out)
    files = done.frame["files"].tolist()
    assert len(set(files)) == len(names) + 2
    assert pages(out) == sorted([*files, "index.html"])
    assert all(re.fullmatch(r"account-\d+(-[a-z0-9]+)*\.html", name) for name in files)
    assert pages(tmp_path / "deep") == ["out"]
    for path in out.iterdir():
        assert Links(path.read_text("utf-8")).tags.count("script") == 1
    text = done.index.read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in text
    assert "🚀" in text


def test_an_account_without_orders_has_a_report_without_nan(world: Books, tmp_path: Path) -> None:
    account = create_account("ada", "schwab", account_number="new", account_type="cash")
    done = ma.report(account, tmp_path)
    row: Any = done.frame.iloc[0]
    assert row["status"] == "written"
    assert row[["value", "day_pnl", "total_return", "sharpe_ratio"]].isna().all()
    assert not re.search(r"\bnan\b", done.index.read_text("utf-8"), re.IGNORECASE)


def test_chosen_accounts_users_periods_and_a_benchmark(world: Books, tmp_path: Path) -> None:
    assert ma.report("A-1", tmp_path).frame["account_id"].tolist() == [world.ada]
    assert ma.report([world.bob, "A-1", world.bob], tmp_path).frame["account_id"].tolist() == [
        world.ada, world.bob,
    ]  # fmt: skip
    assert ma.report(out=tmp_path, user="bob").frame["user"].tolist() == ["bob"]
    part = ma.report(world.ada, tmp_path, start="2025-07-02", end="2025-07-03", benchmark="BOBS")
    row: Any = part.frame.iloc[0]
    begin = 10_000.0 - 1_001 + 1_000
    assert f"{row['last_session']:%Y-%m-%d}" == "2025-07-03"
    assert row["pnl"] == pytest.approx(10 * 1.0)
    assert row["total_return"] == pytest.approx(10 / begin, rel=1e-9)
    text = (part.folder / row["files"]).read_text("utf-8")
    assert "BOBS" in text
    with ma.as_user("ada"):
        assert ma.report(out=tmp_path).frame["user"].tolist() == ["ada"]
        assert ma.report(out=tmp_path, jobs=2).frame["user"].tolist() == ["ada"]


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"accounts": 99}, UnknownNameError, "99"),
        ({"accounts": "A-2"}, UnknownNameError, "A-1"),
        ({"accounts": []}, InvalidInputError, "empty"),
        ({"runs": "nothing"}, UnknownNameError, "nothing"),
        ({"user": "adda"}, UnknownNameError, "ada"),
        ({"formats": "htm"}, InvalidInputError, "html"),
        ({"formats": []}, InvalidInputError, "formats"),
        ({"start": "2025-07-03", "end": "2025-07-01"}, InvalidInputError, "comes after"),
        ({"jobs": 0}, InvalidInputError, "jobs=0"),
        ({"jobs": True}, InvalidInputError, "jobs=True"),
        ({"client": "here"}, InvalidInputError, "client='here'"),
        ({"benchmark": "ADDAS"}, BarsNotFoundError, "ADAS"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_writes_nothing(
    world: Books, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=re.escape(told)):
        ma.report(out=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    world: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("taken")
    monkeypatch.setattr(workers, "make", None)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="out="):
            ma.report(out=folder)


def test_a_file_that_cannot_be_written_fails_alone(world: Books, tmp_path: Path) -> None:
    (tmp_path / f"account-{world.ada}-schwab-a-1.html").mkdir()
    done = ma.report(out=tmp_path)
    assert done.failed["account_id"].tolist() == [world.ada]
    assert "cannot be written" in done.failed["error"][0]
    assert not list(tmp_path.glob(".*.part"))


def kill(setup: outcomes.Setup, request: outcomes.Request) -> outcomes.Outcome:
    """Make a report, but die where the account is named so, once or always."""
    flag = Path(str(setup.settings["home"]), "died")
    if request.name.endswith("once") and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if request.name.endswith("always"):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcomes.make(setup, request)


def test_a_worker_that_dies_fails_its_own_report_alone(
    world: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "make", kill)
    for name in ("always", "once"):
        create_account("ada", "schwab", account_number=name, account_type="cash")
    done = ma.report(out=tmp_path / "out", jobs=2)
    assert done.failed["report"].tolist() == ["schwab always"]
    assert "died" in done.failed["error"][0]
    assert (tmp_path / "died").exists()
    assert len(done.frame) == 4


def test_the_workers_of_dask_make_the_same_reports(
    world: Books, broken: int, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    here = ma.report(out=tmp_path / "here")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = ma.report(out=tmp_path / "there", client=client)
    columns = [name for name in frames.REPORTS.names if name != "seconds"]
    pd.testing.assert_frame_equal(here.frame[columns], there.frame[columns])
    assert pages(here.folder) == pages(there.folder)


def test_the_command_says_what_failed_by_its_exit_code(
    world: Books, broken: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert command(["report", "--all-accounts", "--out", out]) == 1
    told = capfd.readouterr()
    assert "failed: schwab broken" in told.err
    assert "%|" not in told.err  # no progress bar in a log
    assert command(["report", "--account", "A-1", "--account", str(world.bob), "--out", out]) == 0
    assert "2 of 2 reports" in capfd.readouterr().out
    for words in ([], ["--all-accounts", "--account", "1"], ["--account", "99"]):
        assert command(["report", *words, "--out", out]) == 2


def test_paper_alone(world: Books, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command(["report", "--account", "A-1", "--format", "pdf", "--out", str(out)]) == 0
    name = f"account-{world.ada}-schwab-a-1.pdf"
    assert pages(out) == [name, "index.html"]
    assert (out / name).read_bytes().startswith(b"%PDF-")
    assert name in Links((out / "index.html").read_text("utf-8")).targets
    assert ma.verify_report(out / name).agrees
