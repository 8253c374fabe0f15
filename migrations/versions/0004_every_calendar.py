"""Hours and holidays of every exchange, from the packaged rules.

Rows that are there already stay as they are; those that an earlier revision wrote get
the mark by which an edit is noticed. The downgrade deletes what came from the package and
leaves the US stock exchanges as the earlier revision did.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import zlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "US_EQUITY"
MARK = "packaged"

_metadata = sa.MetaData()
# What is marked as the primary key here is each table's natural key.
_hours = sa.Table(
    "market_hours",
    _metadata,
    sa.Column("exchange_group", sa.String(50), primary_key=True),
    sa.Column("asset_class", sa.String(50), primary_key=True),
    sa.Column("exchanges", sa.String(200)),
    sa.Column("timezone", sa.String(100)),
    sa.Column("regular_open", sa.Time()),
    sa.Column("regular_close", sa.Time()),
    sa.Column("pre_market_open", sa.Time()),
    sa.Column("post_market_close", sa.Time()),
    sa.Column("break_start", sa.Time()),
    sa.Column("break_end", sa.Time()),
    sa.Column("trading_days", sa.String(50)),
    sa.Column("covers_from", sa.Date()),
    sa.Column("covers_to", sa.Date()),
    sa.Column("is_active", sa.Boolean()),
    sa.Column("source", sa.String(100)),
)
_periods = sa.Table(
    "market_hours_periods",
    _metadata,
    sa.Column("exchange_group", sa.String(50), primary_key=True),
    sa.Column("asset_class", sa.String(50), primary_key=True),
    sa.Column("valid_from", sa.Date()),
    sa.Column("valid_to", sa.Date(), primary_key=True),
    sa.Column("regular_open", sa.Time()),
    sa.Column("regular_close", sa.Time()),
    sa.Column("pre_market_open", sa.Time()),
    sa.Column("post_market_close", sa.Time()),
    sa.Column("break_start", sa.Time()),
    sa.Column("break_end", sa.Time()),
    sa.Column("trading_days", sa.String(50)),
    sa.Column("source", sa.String(100)),
)
_days = sa.Table(
    "trading_holidays",
    _metadata,
    sa.Column("exchange", sa.String(50), primary_key=True),
    sa.Column("date", sa.Date(), primary_key=True),
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
    return text == "1" if isinstance(kind, sa.Boolean) else text


def _content(name: str) -> str:
    content = files("mismartera_analytics").joinpath("calendars", "data", name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8")


def _rows(table: sa.Table, name: str, version: str | None) -> Iterator[dict[str, Any]]:
    """Return the rows of a packaged file that belong into a table, each with its mark."""
    header, *records = csv.reader(_content(name).splitlines())
    columns = [(column.name, column.type) for column in table.columns if column.name != "source"]
    places = [header.index(name) if name in header else None for name, _ in columns]
    is_time = [isinstance(kind, sa.Time) for _, kind in columns]
    for record in records:
        if table is not _days and bool(record[header.index("valid_to")]) != (table is _periods):
            continue
        texts = ["1" if place is None else record[place] for place in places]  # is_active
        row = {
            name: _value(text, kind) if text else None
            for (name, kind), text in zip(columns, texts, strict=True)
        }
        long = [
            f"{t}:00" if time and len(t) == 5 else t for t, time in zip(texts, is_time, strict=True)
        ]
        row["source"] = _source(long, version)
        yield row


def _source(texts: list[str], version: str | None) -> str:
    """Return the mark of a packaged row: a checksum of its values, times with their seconds."""
    return f"{MARK}{f' {version}' if version else ''} #{zlib.crc32('|'.join(texts).encode()):08x}"


def _insert(table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose key is not taken."""
    context = op.get_context()
    dialect = postgresql if context.dialect.name == "postgresql" else sqlite
    if context.as_sql:
        for start in range(0, len(rows), 50):
            statement = dialect.insert(table).values(rows[start : start + 50])
            op.execute(statement.on_conflict_do_nothing())
    elif rows:
        op.get_bind().execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _mark(table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Mark the rows that an earlier revision wrote; on one that was edited since, it will not fit."""
    ours = table.update().where(table.c.source == MARK)
    key = list(table.primary_key)
    if op.get_context().as_sql:
        for row in rows:
            same = (column == row[column.name] for column in key)
            op.execute(ours.where(*same).values(source=row["source"]))
    elif rows:
        same = (column == sa.bindparam(f"key_{column.name}") for column in key)
        op.get_bind().execute(
            ours.where(*same).values(source=sa.bindparam("mark")),
            [
                {f"key_{column.name}": row[column.name] for column in key} | {"mark": row["source"]}
                for row in rows
            ],
        )


def upgrade() -> None:
    version = json.loads(_content("rules.json"))["version"]
    for table, name, mark in (
        (_hours, "hours.csv", version),
        (_periods, "hours.csv", None),
        (_days, "holidays.csv.gz", None),
    ):
        rows = list(_rows(table, name, mark))
        _mark(table, [row for row in rows if next(iter(row.values())) == BEFORE])
        _insert(table, rows)


def downgrade() -> None:
    for table in (_days, _periods, _hours):
        is_marked = table.c.source.like(f"{MARK} %")
        group = next(iter(table.columns))
        op.execute(table.delete().where(is_marked, group != BEFORE))
        op.execute(table.update().where(is_marked).values(source=MARK))


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
