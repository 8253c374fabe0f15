"""A write that breaks off at a statement or at its COMMIT changes nothing, and is one transaction.

The tests of killed processes break off at random moments; here the moments are chosen, so that a
transaction that was cut in two cannot be missed. ``FAULT_TESTS=full`` breaks off at every statement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect, text

import mismartera_analytics as ma
from mismartera_analytics.backtesting.trial_log import TrialRecord, log_trials
from mismartera_analytics.calendars.files import delete_holidays, import_holidays
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.market_data.table_bars import bars_to_table
from mismartera_analytics.models import database as db
from mismartera_analytics.recording.accounts import open_account
from tests.faults import killed_work as rule
from tests.faults.generated.samples import actions_frame, bars_frame, instruments_frame
from tests.faults.scale import scaled
from tests.recording.brokers.folder import ORDERS, SCHWAB
from tests.world import Books, books, prices, record_cash, record_trades

__all__ = ["books", "prices"]

EVERY_STATEMENT = scaled(0, 1) == 1
"""Whether a write is broken off at each of its statements, or at the last alone."""
HOLIDAYS = "date,holiday_name,is_closed,early_close_time\n2031-01-09,A,1,\n2031-11-27,B,0,13:00\n"


class BrokenOffError(Exception):
    """What the test itself raises."""


class Breaking:
    """Counts the statements that change rows, and breaks off at one of them or at their COMMIT."""

    def __init__(self, at: int | None) -> None:
        self.at, self.seen, self.is_at_commit = at, 0, at is None

    def on_statement(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            self.seen += 1
            if self.at == self.seen:
                raise BrokenOffError

    def on_commit(self, _: Any) -> None:
        if self.is_at_commit and self.seen:
            raise BrokenOffError


@contextlib.contextmanager
def breaking(at: int | None) -> Iterator[Breaking]:
    """Break off at a statement, counted from 1; at the COMMIT where that is None; 0: nowhere."""
    watch = Breaking(at)
    event.listen(Engine, "before_cursor_execute", watch.on_statement)
    event.listen(Engine, "commit", watch.on_commit)
    try:
        yield watch
    finally:
        event.remove(Engine, "before_cursor_execute", watch.on_statement)
        event.remove(Engine, "commit", watch.on_commit)


def state() -> dict[str, list[str]]:
    """Return all rows of all tables as the database shows them; of holidays those of one market."""
    found = {}
    with db.engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            own = "WHERE exchange IN ('US_EQUITY', 'NYSE')" if name == "trading_holidays" else ""
            rows = connection.execute(text(f'SELECT * FROM "{name}" {own}'))
            found[name] = sorted(map(repr, rows))
    return found


def recorded(books: Books, _: Path) -> None:
    ma.record_orders(rule.orders_of(1), rule.fills_of(1), account=books.ada)


def recorded_by_name(books: Books, _: Path) -> None:
    ma.record_orders(rule.orders_of(2), rule.fills_of(2), account=books.ada)


def saved(books: Books, home: Path) -> None:
    rule.saving(3, home, lambda *_: None)


def logged(books: Books, _: Path) -> None:
    tried = [TrialRecord({"n": n}, {"digest": "d"}, {}, None, {"sharpe": 0.1}) for n in (1, 2)]
    log_trials("a family", tried, user="ada")


def holidays(_: Books, home: Path) -> None:
    (home / "days.csv").write_text(HOLIDAYS)
    import_holidays(home / "days.csv", "NYSE")


def two_days_less(books: Books, home: Path) -> None:
    delete_holidays("US_EQUITY", 2024)


def flows(books: Books, _: Path) -> None:
    record_cash(books.ada, *((f"2025-07-0{day} 09:00", "DEPOSIT", 5.0) for day in (1, 2)))


def to_table(_: Books, __: Path) -> None:
    bars_to_table("AAPL", "1d")


def an_account(_: Books, __: Path) -> None:
    open_account("ada", "schwab", account_number="A-9", account_type="cash")


Write = Callable[[Books, Path], object]
WRITES: dict[str, tuple[Write, int]] = {
    "orders and fills": (recorded, 2),
    "orders and fills with names": (recorded_by_name, 2),
    "flows": (flows, 1),
    "import of Schwab's": (lambda books, _: ma.import_orders(SCHWAB, account=books.ada), 3),
    "import of Alpaca's": (lambda books, _: ma.import_orders(ORDERS, account=books.bob), 1),
    "refresh": (lambda _, __: ma.refresh_positions(), 3),
    "saved run": (saved, 4),
    "trials": (logged, 1),
    "report": (lambda books, home: ma.tear_sheet(books.ada, home / "page.html"), 1),
    "actions": (lambda _, __: record_actions(actions_frame()), 1),
    "instruments": (lambda _, __: record_instruments(instruments_frame()), 1),
    "holidays": (holidays, 1),
    "fewer holidays": (two_days_less, 1),
    "bars": (to_table, 1),
    "user": (lambda _, __: ma.create_user("eve", "eve@example.com", "pw"), 1),
    "account": (an_account, 1),
}
"""Each write, and how many statements it takes at least."""


@pytest.fixture
def world(books: Books, prices: Callable[..., None], home: Path) -> Books:
    """Give both users something to report and to refresh."""
    prices("IBM", "2025-07-01", [5.0, 6.0, 7.0])
    ma.ingest_bars(bars_frame(), "1d", progress=False)
    for account in (books.ada, books.bob):
        record_cash(account, ("2025-07-01 09:00", "DEPOSIT", 1_000))
        record_trades(
            account, ("2025-07-01 10:00", "IBM", 10, 5), ("2025-07-02 10:00", "IBM", -4, 6)
        )
    ma.refresh_positions()
    record_trades(books.ada, ("2025-07-02 11:00", "IBM", 2, 6))
    return books


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_write_that_breaks_off_changes_nothing(world: Books, home: Path) -> None:
    for kind, (write, least) in WRITES.items():
        before = state()

        def broken_off(at: int | None, *, kind: str = kind, before: Any = before) -> int:
            with breaking(at) as watch, pytest.raises(BrokenOffError):
                WRITES[kind][0](world, home)
            now = state()
            changed = {name for name in before if before[name] != now[name]}
            assert not changed, f"{kind}, broken off at statement {at}, left something in {changed}"
            assert not list(home.rglob("*.html"))
            return watch.seen

        count = broken_off(None)
        assert count >= least, kind
        for at in range(1, count + 1) if EVERY_STATEMENT else [count]:
            broken_off(at)
        with breaking(0) as watch:
            write(world, home)
        assert watch.seen == count, f"{kind} is not one transaction"
        assert state() != before, kind
        for page in home.rglob("*.html"):
            page.unlink()
