"""``kill -9`` of writing processes at random moments, on SQLite and PostgreSQL.

After each kill the doctor finds no error, what was acknowledged is there once and whole, of what was
under way there is all or nothing, the identity holds, and doing it again completes it.
``FAULT_TESTS=full`` makes it 204 kills a database.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.pool import NullPool

import mismartera_analytics as ma
from mismartera_analytics.auth import create_user
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import CashFlow, Fill, Order, Report, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.orders import record_orders
from tests.faults import killed_work as rule
from tests.faults.scale import scaled

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
ROUNDS = scaled(2, 34)
WORKER = "killed_worker"  # PostgreSQL's name of the workers' connections


@dataclass
class Forker:
    """The process that forks workers."""

    process: subprocess.Popen[str]

    def say(self, order: Any) -> int:
        """Hand an order over and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forking"], cwd=ROOT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield Forker(process)
    process.communicate()


@dataclass
class Rounds:
    """The rounds of one kind of work: what was noted, and how the kills fell."""

    kind: str
    url: str
    home: Path
    forker: Forker
    moments: random.Random
    noted: list[tuple[str, int, float]] = field(default_factory=list)
    kills: int = 0
    whole: int = 0
    undone: int = 0
    spent: list[float] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)

    @property
    def done(self) -> set[int]:
        return {number for part, number, _ in self.noted if part == "done"}

    @property
    def next(self) -> int:
        return max(self.done, default=-1) + 1

    def kill_one(self) -> None:
        """Start a worker, kill it at some moment, and read what it noted."""
        notes = self.home / f"notes-{self.kills}"
        notes.touch()
        address = make_url(self.url)
        if address.get_backend_name() == "postgresql":
            address = address.update_query_dict({"application_name": WORKER})
        order = {"kind": self.kind, "url": address.render_as_string(hide_password=False),
                 "home": str(self.home), "notes": str(notes), "first": self.next}  # fmt: skip
        pid = self.forker.say(order)
        self._wait_for(notes, '"begin"', 1 + self.moments.choice([0, 0, 1, 2]))
        time.sleep(self.moments.uniform(0.0, self._typical()))
        os.kill(pid, signal.SIGKILL)
        assert self.forker.say(pid) == signal.SIGKILL, self._failure(notes)
        lines = [json.loads(line) for line in notes.read_text().splitlines() if line.endswith("]")]
        self.noted += [tuple(line) for line in lines]
        self.begun |= {number for part, number, _ in lines if part == "begin"}
        starts = {number: at for part, number, at in lines if part == "begin"}
        self.spent += [at - starts[number] for part, number, at in lines if part == "done"]
        self.kills += 1

    def _typical(self) -> float:
        """Return about how long an operation takes."""
        return float(np.median(self.spent)) if self.spent else 0.4

    def saw(self, *, is_there: bool) -> None:
        """Count a kill in the midst of an operation, of which all or nothing was found."""
        if self.doubtful() is not None:
            self.whole += is_there
            self.undone += not is_there

    def _wait_for(self, notes: Path, what: str, count: int) -> None:
        end = time.monotonic() + 300
        while notes.read_text().count(what) < count:
            assert time.monotonic() < end, f"the worker does not work: {self._failure(notes)}"
            assert not Path(f"{notes}.failed").exists(), self._failure(notes)
            time.sleep(0.002)

    def _failure(self, notes: Path) -> str:
        failed = Path(f"{notes}.failed")
        return failed.read_text() if failed.exists() else notes.read_text()

    def settle(self) -> None:
        """Wait until the server has ended the work of the workers that are gone."""
        if make_url(self.url).get_backend_name() != "postgresql":
            return
        engine = create_engine(self.url, poolclass=NullPool)
        query = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name "
                     "AND datname = current_database()")  # fmt: skip
        end = time.monotonic() + 60
        with engine.connect() as connection:
            while connection.scalar(query, {"name": WORKER}):
                connection.rollback()
                assert time.monotonic() < end, (
                    "the server keeps a connection of a process that is gone"
                )
                time.sleep(0.01)
        engine.dispose()

    def do_again(self) -> None:
        """Do what was under way here, as whoever sees that it was not acknowledged does."""
        number = self.next
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rule.WORK[self.kind](number, self.home, lambda *_: None)
        self.noted.append(("done", number, 0.0))

    def doubtful(self) -> int | None:
        """Return the operation that was begun and not acknowledged."""
        return self.next if self.next in self.begun else None


def write_bars() -> None:
    calendar = trading_calendar("US_EQUITY")
    labels = calendar.labels("2024-01-02", "2024-01-31")
    frames = [
        pd.DataFrame({"symbol": symbol,
                "timestamp": calendar.opens(labels),
                "session": labels, "open": 100.0, "high": 105.0, "low": 99.0,
                      "close": 100.0 + place, "volume": 1e6})
        for place, symbol in enumerate(rule.SYMBOLS)
    ]  # fmt: skip
    BarStore().write(pd.concat(frames, ignore_index=True), "1d")


@pytest.fixture
def world(ready_database: str, home: Path) -> str:
    """Two accounts of ada with something in them, and bars."""
    (home / "reports").mkdir()
    rule.configure(ready_database, str(home))
    create_user("ada", "ada@example.com", "pw")
    for number in ("A-1", "A-2"):
        create_account("ada", "alpaca", account_number=number, account_type="margin")
    write_bars()
    begin = pd.Timestamp("2024-01-02T15:00Z")
    flows = {
        "flow_type": "DEPOSIT",
        "amount": [1e6],
        "occurred_at": begin,
        "broker_flow_id": "begin",
    }
    record_flows(pd.DataFrame(flows), account=rule.OTHER)
    orders = rule.orders_of(0, 3).assign(broker_order_id=None, placed_at=begin)
    record_orders(orders, account=rule.OTHER)
    return ready_database


def assert_whole(found: dict[int, int], size: int, done: set[int], doubtful: int | None) -> None:
    """Each acknowledged operation is there once, the one under way whole or not at all."""
    assert dict.fromkeys(done, size) == {
        number: count for number, count in found.items() if number != doubtful
    }
    assert found.get(-1 if doubtful is None else doubtful, 0) in (0, size)


def own(table: Any) -> Any:
    return select().where(table.account_id == rule.ACCOUNT)


def check_recorded(rounds: Rounds) -> None:
    done, doubtful = rounds.done, rounds.doubtful()
    orders = rule.counts_by(Order.placed_at, own(Order))
    fills = rule.counts_by(Order.placed_at, select().join_from(Fill, Order).where(
        Order.account_id == rule.ACCOUNT))  # fmt: skip
    flows = rule.counts_by(CashFlow.occurred_at, own(CashFlow))
    with_orders = done | {number for part, number, _ in rounds.noted if part == "orders"}
    half = None if doubtful in with_orders else doubtful
    assert_whole(orders, rule.ROWS, with_orders, half)
    assert_whole(fills, 2 * rule.ROWS, with_orders, half)
    assert (half in orders) == (half in fills)
    rounds.saw(is_there=doubtful in orders)
    assert_whole(flows, rule.FLOWS, done, doubtful)


def check_imported(rounds: Rounds) -> None:
    orders = rule.counts_by(Order.placed_at, own(Order))
    assert_whole(orders, rule.ROWS, rounds.done, rounds.doubtful())
    rounds.saw(is_there=rounds.doubtful() in orders)


def check_refreshed(rounds: Rounds) -> None:
    positions, rows, cash = rule.held()
    orders = rule.counts_by(Order.placed_at, own(Order))
    assert_whole(orders, 1, rounds.done, rounds.doubtful())
    states = {len(rounds.done), len(rounds.done) + (rounds.doubtful() is not None)}
    bought = int(sum(positions.values())) // 10
    assert bought in states or not rounds.done
    assert rows == len(positions) <= 1, "a position is there twice"
    assert cash == pytest.approx(-1000.0 * bought)
    rounds.saw(is_there=rounds.doubtful() in orders and bought == max(states))


def check_reported(rounds: Rounds) -> None:
    with db.SessionLocal() as db_session:
        known = set(db_session.scalars(select(Report.file_hash)))
    pages = sorted((rounds.home / "reports").glob("*.html"))
    for page in pages:
        content = page.read_bytes()
        assert content.rstrip().endswith(b"</html>"), f"{page} is half a page"
        is_noted = hashlib.sha256(content).hexdigest() in known
        assert is_noted or page.name == "index.html", f"{page} cannot be verified"
    if rounds.done:
        assert len(pages) == 3
    rounds.saw(is_there=rounds.doubtful() in rule.counts_by(Order.placed_at, own(Order)))


def check_saved(rounds: Rounds) -> None:
    found = rule.saved()
    names = {f"run {number}" for number in rounds.done}
    assert names <= set(found) <= names | {f"run {rounds.doubtful()}"}
    assert set(found.values()) <= {(1, 4, 1, 4)}, found
    rounds.saw(is_there=f"run {rounds.doubtful()}" in found)


CHECKS: dict[str, Callable[[Rounds], None]] = {
    "recording": check_recorded,
    "importing": check_imported,
    "refreshing": check_refreshed,
    "reporting": check_reported,
    "saving": check_saved,
}


def assert_well() -> None:
    found = ma.doctor(progress=False)
    assert not len(found.errors), found
    assert not found.skipped, found


@pytest.mark.parametrize("kind", CHECKS)
def test_kill_9_loses_and_doubles_nothing(
    kind: str, world: str, home: Path, forker: Forker
) -> None:
    rounds = Rounds(kind, world, home, forker, random.Random(f"{kind} {world[:6]}"))
    for number in range(ROUNDS):
        rounds.kill_one()
        if number % 2:  # whoever starts again at once does not wait for the server
            rounds.do_again()
        rounds.settle()
        CHECKS[kind](rounds)
        assert_well()
    rounds.do_again()
    CHECKS[kind](rounds)
    if kind == "refreshing":
        assert sum(rule.held()[0].values()) == 10 * len(rounds.done)
    if kind == "reporting":
        again = ma.report(
            [rule.ACCOUNT, rule.OTHER], stress=False, unchanged="skip", progress=False
        )
        assert set(again.frame["status"]) == {"unchanged"}
    found = ma.doctor(fix=True, progress=False)
    assert found.is_well, found
    log.info(
        "%s on %s: %d kills, of what was under way %d there whole and %d not at all, %d acknowledged",
        kind, make_url(world).get_backend_name(), rounds.kills, rounds.whole, rounds.undone,
        len(rounds.done),
    )  # fmt: skip


def test_kill_9_of_a_migration_leaves_one_revision_or_the_other(
    world: str, home: Path, forker: Forker
) -> None:
    record_orders(rule.orders_of(2), rule.fills_of(2), account=rule.ACCOUNT)
    before = rule.rows_that_stay()
    head = migrate.status(db.engine).head
    rounds = Rounds("migrating", world, home, forker, random.Random(world[:6]))
    seen: dict[str, int] = {}
    for number in range(ROUNDS):
        db.close_db()
        rounds.kill_one()
        rounds.settle()
        found = migrate.status(db.engine)
        assert found.state in ("current", "outdated"), found
        assert rule.rows_that_stay() == before
        seen[str(found.current)] = seen.get(str(found.current), 0) + 1
        examined = ma.doctor(progress=False)
        assert set(examined.errors["check"]) == (
            set() if found.state == "current" else {"revision"}
        )
        if number % 2:
            migrate.upgrade(db.engine)
            assert migrate.status(db.engine).current == head
            assert_well()
    migrate.upgrade(db.engine)
    assert rule.rows_that_stay() == before
    assert_well()
    log.info("migrating on %s: %d kills, found at revisions %s",
             make_url(world).get_backend_name(), rounds.kills, seen)  # fmt: skip
