"""The demo: the main job end to end on real bars, from an empty folder to a tear sheet.

Running it again leaves the same state: bars and actions are upserted, the user and the account are
found again, and the run replaces the one of the same name.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mismartera_analytics import auth, config, frames
from mismartera_analytics.errors import DatabaseNotReadyError, UnknownNameError

if TYPE_CHECKING:
    from rich.table import Table

    from mismartera_analytics.backtesting.result import BacktestResult

__all__ = ["STEPS", "DemoOutcome", "is_there", "run_demo", "tables"]

USER = "demo"
RUN = "demo"
SYMBOLS = ("AAPL", "MSFT", "IBM", "GOOG")
START, END = "2000-03-01", "2013-03-01"
CASH = 100_000.0
EXCHANGE = "NYSE"
TIME_ZONE = "America/New_York"
STEPS = (
    "Compiling the kernels, the first time only",
    "Preparing the database",
    "Storing the daily bars of " + ", ".join(SYMBOLS),
    "Running a moving-average crossover",
    "Recording orders, fills and positions",
    "Working out profit and loss",
    "Writing the report",
)


MOST_ROWS = 16
SHOWN = (
    (
        "sessions",
        f"Trading sessions around Thanksgiving 2012, times in {TIME_ZONE}",
        "session pre_market_open regular_open regular_close post_market_close is_early_close "
        "holiday_name",
    ),
    (
        "positions",
        "ma.positions()",
        "symbol quantity average_price current_price market_value cost_basis unrealized_pnl "
        "day_change",
    ),
    (
        "orders",
        f"ma.orders(), times in {TIME_ZONE}",
        "order_id symbol side quantity average_fill_price commission status placed_at filled_at",
    ),
    (
        "pnl",
        "ma.pnl(freq='year')",
        "session begin_value flows realized unrealized dividends fees total cumulative end_value",
    ),
)
"""What the demo prints: a frame of its outcome, a title, and the columns."""


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo made.

    Attributes
    ----------
    account_id
        The simulated account.
    sessions, positions, orders, pnl
        Frames as `frames` declares them.
    report
        The tear sheet.
    """

    account_id: int
    sessions: pd.DataFrame
    positions: pd.DataFrame
    orders: pd.DataFrame
    pnl: pd.DataFrame
    report: Path


def is_there() -> bool:
    """Return whether the demo's account and bars are in the configured places.

    Examples
    --------
    >>> is_there()
    False
    """
    from mismartera_analytics.market_data.store import BarStore
    from mismartera_analytics.queries.records import accounts

    try:
        held = accounts(user=USER)
    except (DatabaseNotReadyError, UnknownNameError):
        return False
    return not held.empty and set(SYMBOLS) <= set(BarStore().symbols("1d"))


def run_demo(*, on_step: Callable[[str], None] = lambda title: None) -> DemoOutcome:
    """Fill the configured database and bar store with the demo's data and report on it.

    Parameters
    ----------
    on_step
        Called with the title of each of `STEPS` when it begins.

    Returns
    -------
    DemoOutcome

    Raises
    ------
    MissingDependencyError
        If bokeh-sampledata, which brings the bars, is not installed.
    StorageError, DatabaseUnreachableError
        If the folder or the database cannot be written.
    """
    from mismartera_analytics.calendars.lookup import trading_sessions
    from mismartera_analytics.kernels.compiling import compile_kernels
    from mismartera_analytics.models.init_db_if_missing import init_db_if_missing
    from mismartera_analytics.queries.profit import pnl
    from mismartera_analytics.queries.records import orders, positions
    from mismartera_analytics.reports.tearsheet import tear_sheet

    steps = iter(STEPS)
    on_step(next(steps))
    compile_kernels()
    on_step(next(steps))
    init_db_if_missing()
    _ensure_user()
    with auth.as_user(USER):
        on_step(next(steps))
        _store_bars()
        on_step(next(steps))
        result = _backtest()
        on_step(next(steps))
        account_id = result.save(RUN, replace=True)
        on_step(next(steps))
        by_year = pnl(account=account_id, freq="year")
        on_step(next(steps))
        title = "Moving-average crossover on four US stocks"
        report = tear_sheet(result, config.settings().reports / "demo.html", title=title)
        return DemoOutcome(
            account_id=account_id,
            sessions=trading_sessions("2012-11-19", "2012-11-26", exchange=EXCHANGE),
            positions=positions(account=account_id),
            orders=orders(account=account_id),
            pnl=by_year,
            report=report,
        )


def tables(outcome: DemoOutcome, *, width: int | None = None) -> list[Table]:
    """Return the demo's frames as tables for the terminal.

    Parameters
    ----------
    outcome
        What `run_demo` returned.
    width
        Of the terminal [characters]; columns that do not fit are left out and named.

    Returns
    -------
    list of rich.table.Table
    """
    from mismartera_analytics.reports.tables import frame_table

    return [
        frame_table(
            getattr(outcome, name).reset_index(),
            getattr(frames, name.upper()),
            title=title,
            columns=columns.split(),
            tz=TIME_ZONE,
            most=MOST_ROWS,
            width=width,
        )
        for name, title, columns in SHOWN
    ]


def _ensure_user() -> None:
    """Make the demo's user; nobody knows the password, so nobody signs in until one is set."""
    try:
        with auth.as_user(USER):
            return
    except UnknownNameError:
        auth.create_user(USER, "demo@example.com", secrets.token_urlsafe(24))


def _store_bars() -> None:
    from mismartera_analytics.market_data import samples
    from mismartera_analytics.market_data.actions import record_actions
    from mismartera_analytics.market_data.ingest import ingest_bars

    ingest_bars(samples.sample_bars(), "1d")
    record_actions(samples.sample_actions())


def _backtest() -> BacktestResult:
    from mismartera_analytics.backtesting.costs import BasisPoints, PerShare
    from mismartera_analytics.backtesting.run import backtest
    from mismartera_analytics.backtesting.samples import MovingAverageCross

    return backtest(
        MovingAverageCross(fast=50, slow=200),
        list(SYMBOLS),
        START,
        END,
        cash=CASH,
        commission=PerShare(0.005, minimum=1.0),
        slippage=BasisPoints(2),
        calendar=EXCHANGE,
    )
