"""Writers that look before they write take turns, on both databases.

On SQLite a transaction that writes holds the file. On PostgreSQL two of them run side by side, and both
may see that an order is not there yet.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from mismartera_analytics.models import connections

__all__ = ["take_turn"]

LOCK = 0x6D617475  # "matu", the key of PostgreSQL's advisory lock
_TURN = text(
    "SELECT CASE current_setting('lock_timeout') WHEN '0' "
    "THEN set_config('lock_timeout', :limit, true) END, pg_advisory_xact_lock(:lock)"
)
"""A bound that the caller, the role or the server set is kept."""


def take_turn(db_session: Session) -> None:
    """Wait until no other transaction that took its turn is open; hold it until this one ends.

    Parameters
    ----------
    db_session
        Before it has read what decides about the writing. On SQLite nothing is done: the write lock
        is the turn.

    Raises
    ------
    DatabaseBusyError
        If another holds it for longer than the busy timeout.
    """
    if db_session.get_bind().dialect.name != "postgresql":
        return
    limit = f"{int(connections.BUSY_TIMEOUT * 1000)}ms"
    db_session.execute(_TURN, {"limit": limit, "lock": LOCK})
