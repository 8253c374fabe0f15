"""Texts of the records examined: hashes that no password can be tried on, and JSON that is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mismartera_analytics.errors import StorageError
from mismartera_analytics.json_texts import stored_json
from mismartera_analytics.models import User
from mismartera_analytics.models.password_hashes import MAX_COST, cost_of
from mismartera_analytics.models.runs import BacktestRun, Report, Trial
from mismartera_analytics.models.session_config import SessionConfig
from mismartera_analytics.operations.findings import Finding, named

__all__ = ["check_json", "check_users"]

_NOUNS: dict[Any, str] = {BacktestRun: "run", Trial: "trial", Report: "report",
                          SessionConfig: "session config"}  # fmt: skip
_ROWS = 1_000
"""Rows whose texts are held at a time."""


def check_users(db_session: Session) -> Iterator[Finding]:
    """Yield users who cannot sign in, whatever they type; no hash is told."""
    may_read = "SELECT has_column_privilege('users', 'hashed_password', 'SELECT')"
    is_postgresql = db_session.get_bind().dialect.name == "postgresql"
    if is_postgresql and not db_session.scalar(text(may_read)):  # the role of a superuser may not
        return
    rows = db_session.execute(select(User.id, User.hashed_password).order_by(User.id))
    odd = [number for number, hashed in rows if cost_of(hashed or "") == 0]
    if odd:
        yield Finding(
            "users", "warning", f"{named('user', odd)}: the password hash is none of bcrypt's with a "
            f"cost of 4 to {MAX_COST}, so that no password signs in",
            "mismartera user password NAME, unless nobody is to sign in as that user", len(odd),
        )  # fmt: skip


def check_json(db_session: Session) -> Iterator[Finding]:
    """Yield rows of runs, trials, reports and session configs whose JSON cannot be read."""
    for table, noun in _NOUNS.items():
        columns = [one for one in table.__table__.columns if one.name.endswith("_json")]
        odd: dict[str, list[int]] = {}
        rows = db_session.execute(select(table.id, *columns).order_by(table.id))
        for number, *texts in rows.yield_per(_ROWS):
            for column, told in zip(columns, texts, strict=True):
                if told is not None and not _is_json(told):
                    odd.setdefault(column.name, []).append(number)
        for name, numbers in odd.items():
            yield Finding(
                "runs", "error", f"{named(noun, numbers)}: {name} is no JSON that can be read",
                "restore the rows from a backup, or delete them", len(numbers),
            )  # fmt: skip


def _is_json(told: str) -> bool:
    try:
        stored_json(told, what="it")
    except StorageError:
        return False
    return True
