"""The transaction in which records are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from mismartera_analytics.models.database import session_scope
from mismartera_analytics.models.turns import take_turn

__all__ = ["writing"]


@contextmanager
def writing(db_session: Session | None) -> Iterator[Session]:
    """Give the caller's database session, left uncommitted, or a transaction of its own.

    What fails inside is undone: in the caller's session by a savepoint. Of those who write here one
    is at work at a time, so that none misses what another is about to commit.

    Yields
    ------
    sqlalchemy.orm.Session
    """
    if db_session is None:
        with session_scope() as own:
            take_turn(own)
            yield own
        return
    take_turn(db_session)
    with db_session.begin_nested():
        yield db_session
        db_session.flush()
