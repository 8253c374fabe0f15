"""SQLAlchemy mappings of the records, and the database that holds them.

The mappings are imported when one of them is first asked for, or when SQLAlchemy first configures
mappers; importing `models.database` alone imports none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera_analytics.models.account import AccountInfo as AccountInfo
    from mismartera_analytics.models.account import CashFlow as CashFlow
    from mismartera_analytics.models.account import Position as Position
    from mismartera_analytics.models.instruments import CorporateAction as CorporateAction
    from mismartera_analytics.models.instruments import Instrument as Instrument
    from mismartera_analytics.models.orders import Fill as Fill
    from mismartera_analytics.models.orders import Order as Order
    from mismartera_analytics.models.runs import BacktestRun as BacktestRun
    from mismartera_analytics.models.runs import Report as Report
    from mismartera_analytics.models.runs import ReportRows as ReportRows
    from mismartera_analytics.models.runs import Trial as Trial
    from mismartera_analytics.models.schemas import MarketData as MarketData
    from mismartera_analytics.models.session_config import SessionConfig as SessionConfig
    from mismartera_analytics.models.trading_calendar import MarketHours as MarketHours
    from mismartera_analytics.models.trading_calendar import MarketHoursPeriod as MarketHoursPeriod
    from mismartera_analytics.models.trading_calendar import TradingHoliday as TradingHoliday
    from mismartera_analytics.models.user import User as User

_HOMES = {
    "AccountInfo": "account",
    "BacktestRun": "runs",
    "CashFlow": "account",
    "CorporateAction": "instruments",
    "Fill": "orders",
    "Instrument": "instruments",
    "MarketData": "schemas",
    "MarketHours": "trading_calendar",
    "MarketHoursPeriod": "trading_calendar",
    "Order": "orders",
    "Position": "account",
    "Report": "runs",
    "ReportRows": "runs",
    "SessionConfig": "session_config",
    "TradingHoliday": "trading_calendar",
    "Trial": "runs",
    "User": "user",
}

__all__ = [*_HOMES, "load_mappings"]


def load_mappings() -> None:
    """Import every mapping, so that `Base.metadata` is whole and relationships find their ends."""
    for module in dict.fromkeys(_HOMES.values()):
        import_module(f"{__name__}.{module}")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load_mappings()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
