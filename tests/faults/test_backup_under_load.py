"""Backups taken while others write, restored elsewhere; and processes killed while they do either.

``FAULT_TESTS=full`` takes more of them.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, inspect, text

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database as db
from mismartera_analytics.operations import table_rows
from mismartera_analytics.operations.backup import BackupOutcome, back_up
from mismartera_analytics.operations.backup_checks import verify_backup
from mismartera_analytics.operations.restoring import restore
from mismartera_analytics.recording.accounts import create_account
from tests.faults import backup_writers as writers
from tests.faults.scale import scaled

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def desk(ready_database: str, demo_home: Path, home: Path) -> list[int]:
    """Make a user with two accounts, the demo's bars, and a saved run."""
    shutil.copytree(demo_home / "data" / "bars", home / "data" / "bars", dirs_exist_ok=True)
    ma.create_user("ada", "ada@example.com", "pw")
    accounts = [create_account("ada", "b", account_number=f"A{n}") for n in (1, 2)]
    ma.backtest(MovingAverageCross(fast=5, slow=30), *writers.RUN).save("first", user="ada")
    BarStore().write(writers.minutes.bars_of(0, 1), "1m")
    return accounts


def environment() -> dict[str, str]:
    found = config.settings()
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "MISMARTERA_DATABASE_URL": found.database_url,
        "MISMARTERA_BAR_STORE": found.bar_store,
    }


@pytest.fixture
def load(desk: list[int], tmp_path: Path) -> Iterator[Callable[[], list[int]]]:
    """Start the writers; the value stops them and returns what each has done."""
    stop = tmp_path / "stop"
    jobs = [["records", account] for account in desk] + [["bars"], ["runs"]]
    started = [
        subprocess.Popen(
            [
                sys.executable, "-m", "tests.faults.backup_writers",
                json.dumps([job[0], str(stop), *job[1:]]),
            ],
            cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for job in jobs
    ]  # fmt: skip

    def finish() -> list[int]:
        stop.touch()
        done = [process.communicate(timeout=120) for process in started]
        assert [process.returncode for process in started] == [0] * len(jobs), done
        return [int(out) for out, _ in done]

    try:
        yield finish
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for_writers(accounts: list[int]) -> None:
    """Wait until every writer is at work."""
    first, end = BarStore().version("1d"), time.monotonic() + 120
    while time.monotonic() < end:
        with db.read_session() as s:
            orders, runs = (
                s.execute(text(sql)).scalar_one()
                for sql in (
                    "SELECT count(DISTINCT account_id) FROM cash_flows WHERE amount < 1000",
                    "SELECT count(*) FROM backtest_runs",
                )
            )
        if orders >= len(accounts) and runs >= 2 and BarStore().version("1d") > first:
            return
        time.sleep(0.1)
    raise AssertionError("the writers do not write")


def check_restored(done: BackupOutcome, accounts: list[int]) -> int:
    """Check the configured database and store against a backup; return how many transactions it has."""
    engine = table_rows.engine_of(config.settings().database_url)
    with table_rows.snapshot(engine) as connection:
        tables = table_rows.contents_of(connection).tables
        assert tuple(table_rows.content_of(connection, one) for one in tables) == done.tables
    engine.dispose()
    with db.read_session() as s:
        orders = dict(
            s.execute(
                text(
                    "SELECT broker_order_id, account_id FROM orders WHERE broker_order_id LIKE '%-%'"
                )
            ).all()
        )
        fills = s.execute(
            text("SELECT o.broker_order_id, count(*), sum(f.quantity), sum(f.quantity * f.price) "
                 "FROM fills f JOIN orders o ON o.id = f.order_id "
                 "WHERE o.broker_order_id LIKE '%-%' GROUP BY 1")
        ).all()  # fmt: skip
        flows = dict(
            s.execute(
                text(
                    "SELECT broker_flow_id, amount FROM cash_flows WHERE broker_flow_id LIKE '%-%'"
                )
            ).all()
        )
    ours = {name for name, account in orders.items() if account in accounts}
    assert ours == flows.keys(), "half a transaction"
    paid = {name: (count, quantity, cost) for name, count, quantity, cost in fills if name in ours}
    assert paid == {name: (2, 3.0, flows[name]) for name in ours}
    for account in accounts:  # no transaction is there without the ones before it
        numbers = sorted(int(n.split("-")[1]) for n, one in orders.items() if one == account)
        assert numbers == list(range(len(numbers)))
    profit = ma.pnl(freq="session", by=["account"])
    assert set(accounts) <= set(profit["account_id"])
    made = profit["begin_value"] + profit["flows"] + profit["total"] - profit["end_value"]
    scale = np.maximum(1.0, profit["end_value"].abs())
    assert float((made.abs() / scale).max()) < 1e-9
    return len(ours)


def check_bars(done: BackupOutcome) -> int:
    """Read every version that the backup holds, and run every saved run again; return how many runs."""
    store, missing = BarStore(), set()
    for one in done.bars or ():
        assert set(one.cited) | {one.version} <= set(one.readable)
        for version in one.readable:
            assert len(store.read(store.symbols(one.interval), one.interval, as_of=version))
        if one.interval == "1d":
            missing = set(one.missing)
    with db.read_session() as s:
        runs = s.execute(text("SELECT id, data_version_json FROM backtest_runs")).all()
    again = [number for number, cites in runs if json.loads(cites)["version"] not in missing]
    for number in again:
        ma.rerun(number)  # to the last bit, or an error
    assert again
    return len(again)


def test_backups_under_load_are_whole_wherever_they_are_restored(
    desk: list[int],
    load: Callable[[], list[int]],
    postgres_database: Callable[[str | None], str],
    tmp_path: Path,
) -> None:
    wait_for_writers(desk)
    taken, seconds = [], []
    for number in range(scaled(3, 20)):
        begin = time.monotonic()
        taken.append(back_up(tmp_path / f"{number}.zip"))
        seconds.append(time.monotonic() - begin)
    transactions, runs = [], 0
    written = load()
    shutil.move(tmp_path / "data" / "bars", tmp_path / "gone")  # as on another machine
    for number, done in enumerate(taken):
        url = f"sqlite:///{tmp_path}/{number}.db" if number % 2 else postgres_database(None)
        place = tmp_path / f"bars-{number}"
        restore(tmp_path / f"{number}.zip", database_url=url, bar_store=str(place))
        ma.configure(database_url=url, bar_store=str(place))
        transactions.append(check_restored(done, desk))
        runs += check_bars(done)
        db.close_db()
    assert transactions == sorted(transactions)
    assert 0 < transactions[-1] <= sum(written[:2])
    log.info(
        "%d backups in %.1f to %.1f s each, of %s transactions; %d runs again; writers did %s",
        len(taken), min(seconds), max(seconds), transactions, runs, written,
    )  # fmt: skip


# ---- killed

TAKE = """
import sys
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.restoring import restore
sys.stdout.write("ready\\n"); sys.stdout.flush()
what, file, url, bars = sys.argv[1:]
back_up(file) if what == "backup" else restore(file, database_url=url, bar_store=bars)
sys.stdout.write("done\\n")
"""


def run_and_kill(seconds: float | None, *words: str) -> float:
    """Run a backup or restore, kill it after some seconds; return how long it took."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE, *words], cwd=ROOT, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    begin = time.monotonic()
    if seconds is None:
        assert process.wait(120) == 0, process.stderr and process.stderr.read()
    else:
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    process.communicate()
    return time.monotonic() - begin


def test_a_killed_backup_leaves_no_half_file(desk: list[int], tmp_path: Path) -> None:
    longest = run_and_kill(None, "backup", str(tmp_path / "x.zip"), "", "")
    moments, whole = random.Random(7), 0
    for number in range(scaled(4, 50)):
        file = tmp_path / "backups" / f"{number}.zip"
        run_and_kill(moments.uniform(0, longest * 1.1), "backup", str(file), "", "")
        if file.exists():
            whole += 1
            assert verify_backup(file).bars is not None
    assert back_up(tmp_path / "backups" / "last.zip").tables
    log.info("%d of %d were there before they were killed", whole, number + 1)


def test_a_killed_restore_leaves_nothing_or_all(
    desk: list[int],
    postgres_database: Callable[[str | None], str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    done, file = back_up(tmp_path / "b.zip"), str(tmp_path / "b.zip")
    is_sqlite = request.node.callspec.params["ready_database"] == "sqlite"

    def fresh(name: object) -> str:
        return f"sqlite:///{tmp_path}/{name}.db" if is_sqlite else postgres_database(None)

    longest = run_and_kill(None, "restore", file, fresh("x"), str(tmp_path / "x-bars"))
    moments, outcomes = random.Random(8), []
    for number in range(scaled(4, 50)):
        url, bars = fresh(number), tmp_path / f"{number}-bars"
        run_and_kill(moments.uniform(0, longest * 1.1), "restore", file, url, str(bars))
        engine = create_engine(url)
        path = engine.url.database
        names = [] if is_sqlite and not Path(str(path)).exists() else tables_of(engine)
        engine.dispose()
        assert bars.exists() or not names, "records cite bars that are not there"
        outcomes.append((bool(names), bars.exists()))
        if not names:  # the same command again
            restore(file, database_url=url, bar_store=str(bars))
        ma.configure(database_url=url, bar_store=str(bars))
        engine = table_rows.engine_of(url)
        with table_rows.snapshot(engine) as connection:
            tables = table_rows.contents_of(connection).tables
            assert tuple(table_rows.content_of(connection, one) for one in tables) == done.tables
        engine.dispose()
        check_bars(done)
        db.close_db()
    log.info("(records, bars) there after the kill: %s", outcomes)


def tables_of(engine: object) -> list[str]:
    return inspect(engine).get_table_names()  # type: ignore[attr-defined]
