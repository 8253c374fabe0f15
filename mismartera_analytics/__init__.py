"""Analytics for trading records and market data: positions, orders, PnL, sessions, bars, backtests."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera_analytics.auth import as_user as as_user
    from mismartera_analytics.auth import authenticate_user as authenticate_user
    from mismartera_analytics.auth import create_user as create_user
    from mismartera_analytics.backtesting.lookahead import check_lookahead as check_lookahead
    from mismartera_analytics.backtesting.rerunning import rerun as rerun
    from mismartera_analytics.backtesting.run import backtest as backtest
    from mismartera_analytics.backtesting.shortfall import compare as compare
    from mismartera_analytics.backtesting.strategy import Strategy as Strategy
    from mismartera_analytics.backtesting.sweeps import sweep as sweep
    from mismartera_analytics.backtesting.trial_log import trials as trials
    from mismartera_analytics.backtesting.walking import walk_forward as walk_forward
    from mismartera_analytics.calendars.lookup import trading_calendar as trading_calendar
    from mismartera_analytics.calendars.lookup import trading_sessions as trading_sessions
    from mismartera_analytics.config import configure as configure
    from mismartera_analytics.config import settings as settings
    from mismartera_analytics.market_data.audit import audit_bars as audit_bars
    from mismartera_analytics.market_data.ingest import ingest_bars as ingest_bars
    from mismartera_analytics.market_data.resampling import resample_bars as resample_bars
    from mismartera_analytics.market_data.store import BarStore as BarStore
    from mismartera_analytics.models.database import SessionLocal as SessionLocal
    from mismartera_analytics.models.database import close_db as close_db
    from mismartera_analytics.models.database import init_db as init_db
    from mismartera_analytics.models.database import session_scope as session_scope
    from mismartera_analytics.operations.doctor import doctor as doctor
    from mismartera_analytics.performance.cross_validation import (
        probability_of_backtest_overfitting as probability_of_backtest_overfitting,
    )
    from mismartera_analytics.performance.intervals import (
        confidence_intervals as confidence_intervals,
    )
    from mismartera_analytics.performance.overfitting import (
        deflated_sharpe_ratio as deflated_sharpe_ratio,
    )
    from mismartera_analytics.performance.overfitting import (
        minimum_track_record_length as minimum_track_record_length,
    )
    from mismartera_analytics.performance.overfitting import (
        probabilistic_sharpe_ratio as probabilistic_sharpe_ratio,
    )
    from mismartera_analytics.performance.returns import Returns as Returns
    from mismartera_analytics.performance.summary import compare_conventions as compare_conventions
    from mismartera_analytics.performance.summary import performance_summary as performance_summary
    from mismartera_analytics.queries.explaining import explain as explain
    from mismartera_analytics.queries.market import bars as bars
    from mismartera_analytics.queries.profit import pnl as pnl
    from mismartera_analytics.queries.profit import round_trips as round_trips
    from mismartera_analytics.queries.records import accounts as accounts
    from mismartera_analytics.queries.records import fills as fills
    from mismartera_analytics.queries.records import orders as orders
    from mismartera_analytics.queries.records import positions as positions
    from mismartera_analytics.queries.returns import contributions as contributions
    from mismartera_analytics.queries.returns import returns as returns
    from mismartera_analytics.queries.sql import sql as sql
    from mismartera_analytics.queries.taxes import lot_methods as lot_methods
    from mismartera_analytics.queries.taxes import wash_sales as wash_sales
    from mismartera_analytics.recording.brokers.importing import import_orders as import_orders
    from mismartera_analytics.recording.flows import record_flows as record_flows
    from mismartera_analytics.recording.orders import record_orders as record_orders
    from mismartera_analytics.recording.reconciling import reconcile as reconcile
    from mismartera_analytics.recording.refresh import refresh_positions as refresh_positions
    from mismartera_analytics.reports.batch import report as report
    from mismartera_analytics.reports.plotting import plot as plot
    from mismartera_analytics.reports.tearsheet import tear_sheet as tear_sheet
    from mismartera_analytics.reports.verifying import verify_report as verify_report

_HOMES = {
    "BarStore": "market_data.store",
    "Returns": "performance.returns",
    "SessionLocal": "models.database",
    "Strategy": "backtesting.strategy",
    "accounts": "queries.records",
    "as_user": "auth",
    "audit_bars": "market_data.audit",
    "authenticate_user": "auth",
    "backtest": "backtesting.run",
    "bars": "queries.market",
    "check_lookahead": "backtesting.lookahead",
    "close_db": "models.database",
    "compare": "backtesting.shortfall",
    "compare_conventions": "performance.summary",
    "confidence_intervals": "performance.intervals",
    "configure": "config",
    "contributions": "queries.returns",
    "create_user": "auth",
    "deflated_sharpe_ratio": "performance.overfitting",
    "doctor": "operations.doctor",
    "explain": "queries.explaining",
    "fills": "queries.records",
    "import_orders": "recording.brokers.importing",
    "ingest_bars": "market_data.ingest",
    "init_db": "models.database",
    "lot_methods": "queries.taxes",
    "minimum_track_record_length": "performance.overfitting",
    "orders": "queries.records",
    "performance_summary": "performance.summary",
    "plot": "reports.plotting",
    "pnl": "queries.profit",
    "positions": "queries.records",
    "probabilistic_sharpe_ratio": "performance.overfitting",
    "probability_of_backtest_overfitting": "performance.cross_validation",
    "reconcile": "recording.reconciling",
    "record_flows": "recording.flows",
    "record_orders": "recording.orders",
    "refresh_positions": "recording.refresh",
    "report": "reports.batch",
    "rerun": "backtesting.rerunning",
    "resample_bars": "market_data.resampling",
    "returns": "queries.returns",
    "round_trips": "queries.profit",
    "session_scope": "models.database",
    "settings": "config",
    "sql": "queries.sql",
    "sweep": "backtesting.sweeps",
    "tear_sheet": "reports.tearsheet",
    "trading_calendar": "calendars.lookup",
    "trading_sessions": "calendars.lookup",
    "trials": "backtesting.trial_log",
    "verify_report": "reports.verifying",
    "walk_forward": "backtesting.walking",
    "wash_sales": "queries.taxes",
}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
