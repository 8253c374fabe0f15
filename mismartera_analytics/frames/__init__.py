"""The contract of every DataFrame that leaves the library: columns, dtypes, units and sort order."""

from __future__ import annotations

from mismartera_analytics.frames.contract import SIDES, Column, FrameSpec
from mismartera_analytics.frames.lookahead import LOOKAHEAD, LOOKAHEAD_CHECKED
from mismartera_analytics.frames.market import (
    AUDIT,
    BARS,
    CORPORATE_ACTIONS,
    COVERAGE,
    FINDINGS,
    GAPS,
    HOLIDAYS,
    INSTRUMENTS,
    INVENTORY,
    SESSIONS,
    VACUUMED,
    VERSIONS,
)
from mismartera_analytics.frames.records import (
    ACCOUNTS,
    BREAKS,
    CASH_FLOWS,
    FILLS,
    LOT_METHODS,
    LOTS,
    ORDERS,
    PNL,
    POSITIONS,
    TRADES,
    WASH_SALES,
)
from mismartera_analytics.frames.reporting import (
    COPIED_TABLES,
    DIAGNOSIS,
    DIFFERENCES,
    REPORTS,
)
from mismartera_analytics.frames.results import (
    CONTRIBUTIONS,
    DRAWDOWNS,
    EQUITY,
    INTERVALS,
    METRICS,
    RETURNS,
    RUNS,
    SHORTFALL,
    STRESS,
    TRIALS,
)

__all__ = [
    "ACCOUNTS", "AUDIT", "BARS", "BREAKS", "CASH_FLOWS", "CONTRIBUTIONS", "COPIED_TABLES",
    "CORPORATE_ACTIONS", "COVERAGE", "DIAGNOSIS", "DIFFERENCES", "DRAWDOWNS", "EQUITY", "FILLS",
    "FINDINGS", "GAPS", "HOLIDAYS", "INSTRUMENTS", "INTERVALS", "INVENTORY", "LOOKAHEAD",
    "LOOKAHEAD_CHECKED", "LOTS", "LOT_METHODS", "METRICS", "ORDERS", "PNL", "POSITIONS", "REPORTS",
    "RETURNS", "RUNS", "SESSIONS", "SHORTFALL", "SIDES", "STRESS", "TRADES", "TRIALS", "VACUUMED",
    "VERSIONS", "WASH_SALES", "Column", "FrameSpec",
]  # fmt: skip
