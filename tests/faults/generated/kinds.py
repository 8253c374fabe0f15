"""What is called with generated input: importers, recorders, the facade, queries, commands."""

from __future__ import annotations

from tests.faults.generated.calls import facade, one_wrong, sql
from tests.faults.generated.cells import one_cell
from tests.faults.generated.commands import cli
from tests.faults.generated.records import (
    Kind,
    actions,
    bars,
    configs,
    flows,
    holidays,
    importer,
    instruments,
    recorded,
)
from tests.faults.generated.samples import ACTIVITIES, MAPPED, MAPPING, ORDERS, SCHWAB

__all__ = ["KINDS", "Kind"]

KINDS: dict[str, tuple[Kind, int]] = {
    "schwab": (importer(SCHWAB, ".csv"), 7_000),
    "alpaca orders": (importer(ORDERS, ".json", broker="alpaca"), 7_000),
    "alpaca activities": (importer(ACTIVITIES, ".json", broker="alpaca"), 7_000),
    "mapped": (importer(MAPPED, ".csv", mapping=MAPPING, broker="other", tz="UTC"), 6_000),
    "orders": (recorded, 10_000),
    "flows": (flows, 7_000),
    "actions": (actions, 4_000),
    "instruments": (instruments, 3_000),
    "bars": (bars, 7_000),
    "holidays": (holidays, 5_000),
    "configs": (configs, 7_000),
    "facade": (facade, 8_000),
    "one wrong": (one_wrong, 6_000),
    "one cell": (one_cell, 8_000),
    "sql": (sql, 5_000),
    "cli": (cli, 3_000),
}
"""Makers, and how many inputs of each the full form has: 100,000."""
