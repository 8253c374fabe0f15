"""Hours and holidays of the US stock exchanges, from the packaged rules.

Rows that are there already stay as they are. The downgrade deletes what came from the package.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GROUP = "US_EQUITY"
SOURCE = "packaged"

_metadata = sa.MetaData()
_hours = sa.Table(
    "market_hours",
    _metadata,
    sa.Column("exchange_group", sa.String(50)),
    sa.Column("asset_class", sa.String(50)),
    sa.Column("exchanges", sa.String(200)),
    sa.Column("timezone", sa.String(100)),
    sa.Column("regular_open", sa.Time()),
    sa.Column("regular_close", sa.Time()),
    sa.Column("pre_market_open", sa.Time()),
    sa.Column("post_market_close", sa.Time()),
    sa.Column("trading_days", sa.String(50)),
    sa.Column("is_active", sa.Boolean()),
    sa.Column("break_start", sa.Time()),
    sa.Column("break_end", sa.Time()),
    sa.Column("covers_from", sa.Date()),
    sa.Column("covers_to", sa.Date()),
    sa.Column("source", sa.String(100)),
)
_periods = sa.Table(
    "market_hours_periods",
    _metadata,
    sa.Column("exchange_group", sa.String(50)),
    sa.Column("asset_class", sa.String(50)),
    sa.Column("valid_from", sa.Date()),
    sa.Column("valid_to", sa.Date()),
    sa.Column("regular_open", sa.Time()),
    sa.Column("regular_close", sa.Time()),
    sa.Column("pre_market_open", sa.Time()),
    sa.Column("post_market_close", sa.Time()),
    sa.Column("break_start", sa.Time()),
    sa.Column("break_end", sa.Time()),
    sa.Column("trading_days", sa.String(50)),
    sa.Column("source", sa.String(100)),
)
_holidays = sa.Table(
    "trading_holidays",
    _metadata,
    sa.Column("exchange", sa.String(50)),
    sa.Column("date", sa.Date()),
    sa.Column("holiday_name", sa.String(100)),
    sa.Column("is_closed", sa.Boolean()),
    sa.Column("early_close_time", sa.Time()),
    sa.Column("late_open_time", sa.Time()),
    sa.Column("source", sa.String(100)),
)


def _value(text: str, kind: sa.types.TypeEngine[Any]) -> Any:
    if not text:
        return None
    if isinstance(kind, sa.Date):
        return dt.date.fromisoformat(text)
    if isinstance(kind, sa.Time):
        return dt.time.fromisoformat(text)
    if isinstance(kind, sa.Boolean):
        return text == "1"
    return text


def _row(table: sa.Table, record: dict[str, str]) -> dict[str, Any]:
    row = {c.name: _value(record[c.name], c.type) for c in table.columns if c.name in record}
    return row | {"source": SOURCE}


def _records(name: str) -> Iterator[dict[str, str]]:
    content = files("mismartera_analytics").joinpath("calendars", "data", name).read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    yield from csv.DictReader(io.StringIO(content.decode("utf-8")))


def _insert(table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose key is not taken."""
    context = op.get_context()
    dialect = postgresql if context.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing()
    if context.as_sql:
        for row in rows:
            op.execute(statement.values(row))
    elif rows:
        op.get_bind().execute(statement, rows)


def upgrade() -> None:
    hours = [record for record in _records("hours.csv") if record["exchange_group"] == GROUP]
    current = [record for record in hours if not record["valid_to"]]
    earlier = [record for record in hours if record["valid_to"]]
    _insert(_hours, [_row(_hours, record) | {"is_active": True} for record in current])
    _insert(_periods, [_row(_periods, record) for record in earlier])
    days = (record for record in _records("holidays.csv.gz") if record["exchange"] == GROUP)
    _insert(_holidays, [_row(_holidays, record) for record in days])


def downgrade() -> None:
    for table in (_holidays, _periods, _hours):
        op.execute(table.delete().where(table.c.source == SOURCE))


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
