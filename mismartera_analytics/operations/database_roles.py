"""Roles of a PostgreSQL database that stand for users: what they are granted, and who may have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, select, text, update

from mismartera_analytics.auth import find_user
from mismartera_analytics.errors import (
    ConfigurationError,
    DuplicateError,
    InvalidInputError,
    NotAllowedError,
    UnknownNameError,
    as_given,
)
from mismartera_analytics.models import User, database, load_mappings
from mismartera_analytics.models.migration_lock import migrating
from mismartera_analytics.models.types import SecretText
from mismartera_analytics.queries.sql_tables import OWNED, PUBLIC
from mismartera_analytics.recording.ownership import UserLike, refuse_others_than_superusers

__all__ = ["grant_role", "renew_grants", "revoke_role"]

READABLE = frozenset({*OWNED, *PUBLIC, "report_rows", "alembic_version"})
"""Tables that every role may read; their policies say which rows."""
WRITES: dict[str, tuple[str, ...]] = {
    "account_info": ("INSERT", "UPDATE"),
    "backtest_runs": ("INSERT", "UPDATE"),
    "cash_flows": ("INSERT", "DELETE"),
    "fills": ("INSERT", "DELETE"),
    "orders": ("INSERT", "UPDATE", "DELETE"),
    "positions": ("INSERT", "UPDATE", "DELETE"),
    "report_rows": ("INSERT",),
    "reports": ("INSERT",),
    "trials": ("INSERT", "UPDATE"),
    "users": ("UPDATE",),
}
"""What every role may do besides reading, within the rows that policies leave it."""
CHANGEABLE = {"trials": ("run_id",), "users": ("hashed_password",)}
"""Columns that may be changed, where it is not all but the key."""
OF_SUPERUSERS = frozenset({*PUBLIC, "session_configs"})
"""Tables that the roles of superusers alone may write."""
FUNCTIONS = ("mismartera_user(name)", "mismartera_is_superuser(name)",
             "mismartera_cites(name, text)")  # fmt: skip
REACHES = (
    "pg_read_all_data", "pg_write_all_data", "pg_read_server_files", "pg_write_server_files",
    "pg_execute_server_program", "pg_monitor", "pg_read_all_stats", "pg_read_all_settings",
    "pg_maintain", "pg_create_subscription",
)  # fmt: skip
"""Roles of the server whose members see or change what is others'."""
NOT_GRANTED = ("TRUNCATE", "REFERENCES", "TRIGGER")


def grant_role(role: str, *, user: UserLike) -> list[str]:
    """Let a role of the database stand for a user, and grant it what an analyst needs.

    Once it is connected as that role, a program sees the user's rows alone, whatever SQL it sends. The
    role is made by the database's administrator (``CREATE ROLE ada LOGIN PASSWORD …``). Granting again
    brings a role's rights up to date, after an upgrade or when the user became a superuser.

    Parameters
    ----------
    role
        Its name.
    user
        A user name, an id or a `User`.

    Returns
    -------
    list of str
        The GRANT statements that were run, in one transaction.

    Raises
    ------
    ConfigurationError
        If the database is no PostgreSQL database.
    UnknownNameError
        If there is no such user, or no such role.
    DuplicateError
        If the role stands for another user, or the user has another role.
    NotAllowedError
        If the policies would not bind the role (a superuser, the tables' owner, a member of either …),
        or whoever asks does not own the tables; nothing is changed.

    Examples
    --------
    >>> grant_role("ada", user="demo")
    Traceback (most recent call last):
        ...
    mismartera_analytics.errors.ConfigurationError: a SQLite file has no roles: whoever can open it
    sees all of it; one role for each analyst needs PostgreSQL.
    """
    engine = _postgresql("grant roles")
    with migrating(engine) as connection:
        _require_owner(connection)
        _check_role(connection, role)
        with database.SessionLocal(bind=connection) as db_session:
            found = find_user(db_session, user)
            _check_unmapped(connection, role, found)
            connection.execute(update(User).where(User.id == found.id).values(database_role=role))
            return _grant(connection, role, is_superuser=bool(found.is_superuser))


def revoke_role(role: str) -> list[str]:
    """Take from a role of the database what `grant_role` gave it; it stands for nobody afterwards.

    Parameters
    ----------
    role
        Its name.

    Returns
    -------
    list of str
        The REVOKE statements that were run, in one transaction.

    Raises
    ------
    ConfigurationError
        If the database is no PostgreSQL database.
    UnknownNameError
        If the role stands for nobody and does not exist.
    NotAllowedError
        If the role owns the database, its schema or a table, or no policy binds it and it stands for
        nobody (others gave it what it may do); or if whoever asks does not own the tables.

    Examples
    --------
    >>> revoke_role("ada")
    Traceback (most recent call last):
        ...
    mismartera_analytics.errors.ConfigurationError: a SQLite file has no roles: whoever can open it
    sees all of it; one role for each analyst needs PostgreSQL.
    """
    engine = _postgresql("revoke roles")
    with migrating(engine) as connection:
        _require_owner(connection)
        is_mapped = connection.scalar(select(User.id).where(User.database_role == role)) is not None
        is_there = _attributes(connection, role) is not None
        if not is_mapped and not is_there:
            raise UnknownNameError(
                f"role={as_given(role)} stands for nobody, and there is no such role."
            )
        if is_there:
            _check_revocable(connection, role, is_mapped=is_mapped)
        unmapped = update(User).where(User.database_role == role).values(database_role=None)
        connection.execute(unmapped)
        return _run(connection, _revocations(connection, role)) if is_there else []


def renew_grants() -> list[str]:
    """Grant every role that stands for a user what it needs now: after an upgrade, by ``db upgrade``.

    Returns
    -------
    list of str
        The names of the roles; none on SQLite. Roles that are gone are left out.

    Raises
    ------
    NotAllowedError
        If a role is no longer bound by the policies, or whoever asks does not own the tables.

    Examples
    --------
    >>> renew_grants()
    []
    """
    engine = database.engine
    if engine.dialect.name != "postgresql":
        return []
    mapped = select(User.database_role, User.is_superuser).where(User.database_role.is_not(None))
    with migrating(engine) as connection:
        rows = [
            (str(role), bool(is_superuser))
            for role, is_superuser in connection.execute(mapped)
            if _attributes(connection, str(role)) is not None
        ]
        if rows:
            _require_owner(connection)
        for role, is_superuser in rows:
            _check_role(connection, role)
            _grant(connection, role, is_superuser=is_superuser)
    return sorted(role for role, _ in rows)


def _postgresql(what: str) -> Engine:
    refuse_others_than_superusers(what)
    engine = database.engine
    if engine.dialect.name != "postgresql":
        raise ConfigurationError(
            "a SQLite file has no roles: whoever can open it sees all of it; one role for each "
            "analyst needs PostgreSQL."
        )
    database.require_current()
    return engine


def _attributes(connection: Connection, role: str) -> Any:
    found = text(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolreplication FROM pg_roles "
        "WHERE rolname = :role"
    )
    return connection.execute(found, {"role": role}).one_or_none()


def _require_owner(connection: Connection) -> None:
    is_owner = text(
        "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class "
        "WHERE oid = to_regclass('users')"
    )
    if not connection.scalar(is_owner):
        raise NotAllowedError(
            "roles are granted and revoked by the owner of the tables; connect as that role."
        )


def _check_role(connection: Connection, role: str) -> None:
    """Refuse a role that is not there, or that the policies would not bind."""
    if not isinstance(role, str) or not role or len(role.encode()) > 63 or "\0" in role:
        raise InvalidInputError(f"role={as_given(role)} must be the name of a role: 1 to 63 bytes.")
    found = _attributes(connection, role)
    if found is None:
        raise UnknownNameError(
            f"role={as_given(role)} does not exist; the database's administrator makes it, with "
            f"CREATE ROLE {_quoted(connection, role)} LOGIN PASSWORD '…'."
        )
    held = [word for word, has in zip(("SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION"), found,
                                      strict=True) if has]  # fmt: skip
    if held:
        raise NotAllowedError(
            f"role={as_given(role)} has {held[0]}, so that no policy would bind it; choose another."
        )
    reached = connection.scalars(_OVER, {"role": role, "reaches": list(REACHES)}).first()
    if reached == role:  # no attribute of its own, so it owns
        raise NotAllowedError(
            f"role={as_given(role)} owns the database, its schema or a table, so that no policy "
            f"would bind it."
        )
    if reached is not None:
        raise NotAllowedError(
            f"role={as_given(role)} is a member of {reached!r}, which sees or changes what is others'; "
            f"REVOKE that membership first."
        )
    may_create = text("SELECT has_schema_privilege(:role, current_schema(), 'CREATE')")
    if connection.scalar(may_create, {"role": role}):
        raise NotAllowedError(
            f"role={as_given(role)} may create objects in the tables' schema; run first: REVOKE "
            f"CREATE ON SCHEMA {_schema(connection)} FROM PUBLIC (and from the role)."
        )


def _check_revocable(connection: Connection, role: str, *, is_mapped: bool) -> None:
    """Refuse a role whose rights are not of our giving: an owner would be locked out of its tables."""
    if connection.scalar(_OWNS, {"role": role}):
        raise NotAllowedError(
            f"role={as_given(role)} owns the database, its schema or a table; nothing was revoked."
        )
    is_superuser, is_bypassing, *_ = _attributes(connection, role)
    if not is_mapped and (is_superuser or is_bypassing):
        raise NotAllowedError(
            f"role={as_given(role)} has {'SUPERUSER' if is_superuser else 'BYPASSRLS'} and stands for "
            f"nobody, so that 'grant-role' gave it nothing; what others gave it is taken with REVOKE."
        )


_OWNED = (  # pg_database_owner's one member owns the database
    "r.oid IN (SELECT relowner FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())"
    " AND relkind IN ('r', 'v')) OR r.rolname <> 'pg_database_owner' "
    "AND r.oid = (SELECT nspowner FROM pg_namespace WHERE nspname = current_schema()) "
    "OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())"
)
_OWNS = text(f"SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = :role AND ({_OWNED}))")
_OVER = text(
    "SELECT r.rolname FROM pg_roles r WHERE pg_has_role(:role, r.oid, 'MEMBER') "
    "AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication "
    "OR r.rolname = ANY(:reaches) "
    "OR r.rolname <> :role AND r.rolname IN (SELECT database_role FROM users) "
    f"OR {_OWNED}) ORDER BY 1"
)


def _check_unmapped(connection: Connection, role: str, user: User) -> None:
    other = connection.scalar(
        select(User.username).where(User.database_role == role, User.id != user.id)
    )
    if other is not None:
        raise DuplicateError(f"role={as_given(role)} stands for user {other!r}; revoke it first.")
    if user.database_role not in (None, role):
        raise DuplicateError(
            f"user {user.username!r} has the role {user.database_role!r}; revoke it first."
        )


def _grant(connection: Connection, role: str, *, is_superuser: bool) -> list[str]:
    _run(connection, _revocations(connection, role))
    done = _run(connection, _grants(connection, role, is_superuser=is_superuser))
    _check_nothing_more(connection, role)
    return done


def _grants(connection: Connection, role: str, *, is_superuser: bool) -> list[str]:
    """Return the statements that give a role its rights, and nothing else."""
    to = f"TO {_quoted(connection, role)}"
    given = [f"GRANT USAGE ON SCHEMA {_schema(connection)} {to}"]
    given += [f"GRANT EXECUTE ON FUNCTION {function} {to}" for function in FUNCTIONS]
    for name in _tables(connection):
        is_extra = is_superuser and name in OF_SUPERUSERS
        if name in READABLE or is_extra:
            given.append(f"GRANT SELECT{_readable_columns(name)} ON {name} {to}")
        writes = ("INSERT", "UPDATE", "DELETE") if is_extra else WRITES.get(name, ())
        for verb in writes:
            columns = "" if verb == "DELETE" else _written_columns(name, verb)
            given.append(f"GRANT {verb}{columns} ON {name} {to}")
        if "INSERT" in writes:
            sequence = text("SELECT pg_get_serial_sequence(:name, 'id')")
            if "id" in _columns(name) and (found := connection.scalar(sequence, {"name": name})):
                given.append(f"GRANT USAGE ON SEQUENCE {found} {to}")
    return given


def _revocations(connection: Connection, role: str) -> list[str]:
    of = f"FROM {_quoted(connection, role)}"
    taken = [f"REVOKE ALL ON {name} {of}" for name in _tables(connection)]
    for name in _tables(connection):
        sequence = text("SELECT pg_get_serial_sequence(:name, 'id')")
        if "id" in _columns(name) and (found := connection.scalar(sequence, {"name": name})):
            taken.append(f"REVOKE ALL ON SEQUENCE {found} {of}")
    return taken + [f"REVOKE ALL ON FUNCTION {function} {of}" for function in FUNCTIONS]


def _check_nothing_more(connection: Connection, role: str) -> None:
    """Refuse a role that others, or everybody, have given what it must not have."""
    asked = text("SELECT has_table_privilege(:role, CAST(:name AS text), :verb)")
    for name in _tables(connection):
        wrong = [v for v in NOT_GRANTED
                 if connection.scalar(asked, {"role": role, "name": name, "verb": v})]  # fmt: skip
        if wrong:
            raise NotAllowedError(
                f"role={as_given(role)} has {wrong[0]} on {name} by another's grant; REVOKE that first."
            )
    read = text("SELECT has_column_privilege(:role, 'users', 'hashed_password', 'SELECT')")
    change = text("SELECT has_column_privilege(:role, 'users', 'is_superuser', 'UPDATE')")
    for question, what in ((read, "read password hashes"), (change, "change users' rights")):
        if connection.scalar(question, {"role": role}):
            raise NotAllowedError(
                f"role={as_given(role)} may {what} by another's grant on users; REVOKE that first."
            )


def _run(connection: Connection, statements: Sequence[str]) -> list[str]:
    for statement in statements:
        connection.exec_driver_sql(statement)
    return list(statements)


def _tables(connection: Connection) -> list[str]:
    """Return the tables of ours that are there."""
    load_mappings()
    there = set(connection.scalars(text(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) "
        "AND relkind = 'r'"
    )))  # fmt: skip
    return sorted({*database.Base.metadata.tables, "alembic_version"} & there)


def _columns(name: str) -> list[str]:
    table = database.Base.metadata.tables.get(name)
    return [] if table is None else [column.name for column in table.columns]


def _readable_columns(name: str) -> str:
    """Return the columns that are no secret; nothing where that is all of them."""
    table = database.Base.metadata.tables.get(name)
    if table is None or not any(isinstance(column.type, SecretText) for column in table.columns):
        return ""
    return _listed(c.name for c in table.columns if not isinstance(c.type, SecretText))


def _written_columns(name: str, verb: str) -> str:
    """Return the columns but the key, which the database numbers: a taken one would tell of its row."""
    if verb == "UPDATE" and name in CHANGEABLE:
        return _listed(CHANGEABLE[name])
    return _listed(column for column in _columns(name) if column != "id")


def _listed(names: Iterable[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f" ({quoted})"


def _schema(connection: Connection) -> str:
    return _quoted(connection, str(connection.scalar(text("SELECT current_schema()"))))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
