"""The role with which a program is connected to PostgreSQL, and the user that it stands for."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from sqlalchemy import Engine, text

from mismartera_analytics.errors import NotAllowedError
from mismartera_analytics.models import connections, database
from mismartera_analytics.models.retrying import repeated

__all__ = ["RoleUser", "user_of_role"]

_IS_LIMITED = text("SELECT coalesce(row_security_active(to_regclass('users')::oid), false)")
_USER = text(
    "SELECT id, username, coalesce(is_superuser, false) FROM users WHERE database_role = current_user"
)

_ROLE = text("SELECT current_user")


@dataclass(frozen=True)
class RoleUser:
    """The user that a role stands for."""

    user_id: int
    username: str
    is_superuser: bool


_known: weakref.WeakKeyDictionary[Engine, RoleUser | None] = weakref.WeakKeyDictionary()


@repeated
def user_of_role() -> RoleUser | None:
    """Return the user whose rows alone the connected role sees; None where the role sees all.

    That is so on SQLite, and for the tables' owner.

    Raises
    ------
    NotAllowedError
        If the role is bound by the policies and stands for no user: it would see no row.
    DatabaseUnreachableError
        If the server does not answer.
    """
    engine = database.engine
    if engine.dialect.name != "postgresql":
        return None
    if engine not in _known:
        with connections.read_only(engine) as connection:
            if not connection.scalar(_IS_LIMITED):
                _known[engine] = None
                return None
            row = connection.execute(_USER).one_or_none()
            role = connection.scalar(_ROLE)
        if row is None:  # not yet: it may be mapped at any time
            raise NotAllowedError(
                f"the database's role {role!r} stands for no user of {engine.url!r}, so that it would "
                f"see no row; the tables' owner lets it stand for one with 'mismartera db grant-role'."
            )
        _known[engine] = RoleUser(*row)
    return _known[engine]
