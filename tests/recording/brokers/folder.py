"""The files of this folder, and what the tests ask about the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from mismartera_analytics.models import CashFlow, CorporateAction, Fill, Order
from mismartera_analytics.models.database import session_scope

FILES = Path(__file__).parent / "files"
SCHWAB = FILES / "schwab_2025.csv"
ORDERS = FILES / "alpaca_orders.json"
ACTIVITIES = FILES / "alpaca_activities.json"

SCHWAB_HEADER = '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"'


def counts() -> tuple[int, ...]:
    """Return how many orders, fills, flows and actions are recorded."""
    with session_scope() as db_session:
        return tuple(
            int(db_session.scalar(select(func.count(table.id))) or 0)
            for table in (Order, Fill, CashFlow, CorporateAction)
        )


def schwab_file(
    folder: Path, *rows: str, name: str = "schwab.csv", header: str = SCHWAB_HEADER
) -> Path:
    """Write rows such as ``07/01/2025|Buy|IBM|10|$5.00||-$50.00`` as Schwab does."""
    lines = [header]
    for row in rows:
        cells = row.split("|")
        cells.insert(3, "SOME NAME INC")
        lines.append(",".join(f'"{cell}"' for cell in cells))
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def json_file(folder: Path, value: Any, name: str = "file.json") -> Path:
    """Write a value as JSON."""
    path = folder / name
    path.write_text(json.dumps(value))
    return path
