"""Rows of before revision 0010, which PostgreSQL refuses today."""

from __future__ import annotations

from sqlalchemy import text

from mismartera_analytics.models import database as db

__all__ = ["drop_finite_checks"]

_CHECKS = """SELECT conrelid::regclass::text, conname FROM pg_constraint
WHERE contype = 'c' AND conname LIKE '%\\_finite'"""


def drop_finite_checks() -> None:
    """Take the checks of finite numbers and times from the configured database, if it has them."""
    if db.engine.dialect.name != "postgresql":
        return
    with db.engine.begin() as connection:
        for table, name in connection.execute(text(_CHECKS)).all():
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
