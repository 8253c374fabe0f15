"""What keeps users apart on PostgreSQL, examined: row-level security, its policies, and grants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from mismartera_analytics.models import User
from mismartera_analytics.models.revisions import scripts_of
from mismartera_analytics.operations.database_roles import (
    FUNCTIONS,
    OF_SUPERUSERS,
    READABLE,
    WRITES,
)
from mismartera_analytics.operations.findings import Finding, named

__all__ = ["check_roles"]

_REVISION = "0009"
"""The revision that makes policies and their functions."""
_HERE = "to_regnamespace(current_schema())"


def check_roles(db_session: Session) -> Iterator[Finding]:
    """Yield tables whose rows nothing keeps from others' roles, and roles that lack their grants."""
    connection = db_session.connection()
    if connection.dialect.name == "postgresql":
        yield from _functions(connection)
        yield from _row_security(connection)
        yield from _grants(connection)


def _made() -> Any:
    script = scripts_of().get_revision(_REVISION)
    assert script is not None
    return script.module


def _functions(connection: Connection) -> Iterator[Finding]:
    made = {name: statement for statement in _made().FUNCTIONS for name in _made().NAMES
            if statement.startswith(f"CREATE FUNCTION {name.partition('(')[0]}(")}  # fmt: skip
    for name in reversed(_made().NAMES):
        is_there = text("SELECT to_regprocedure(:name) IS NOT NULL")
        if not connection.scalar(is_there, {"name": name}):
            yield Finding(
                "roles", "error", f"the function {name} is gone, on which the policies rest",
                f"{made[name]}; REVOKE ALL ON FUNCTION {name} FROM PUBLIC; then mismartera db upgrade",
            )  # fmt: skip


def _row_security(connection: Connection) -> Iterator[Finding]:
    """Yield tables without row-level security, and those without one of their policies."""
    tables = text(
        f"SELECT relname, relrowsecurity FROM pg_class WHERE relnamespace = {_HERE} AND relkind = 'r'"
    )
    policies = text(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema()"
    )
    secured: dict[str, bool] = {row[0]: row[1] for row in connection.execute(tables)}
    held = {(row[0], row[1]) for row in connection.execute(policies)}
    lacking: dict[str, dict[str, str]] = {}
    for statement in _made()._policies():
        _, _, policy, _, table, *_ = statement.split()
        own = lacking.setdefault(table, {})
        if (table, policy) not in held:
            own[policy] = statement
    for table, statements in lacking.items():
        if secured.get(table) is False:
            yield Finding(
                "roles", "error", f"row-level security of {table} is off: each role reads "
                f"everybody's rows", f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            )  # fmt: skip
        if table in secured and statements:
            yield Finding(
                "roles", "error", f"{table} lacks the {named('policy', statements)}: roles do not see "
                f"or write what they should", "; ".join(statements.values()), len(statements),
            )  # fmt: skip


def _grants(connection: Connection) -> Iterator[Finding]:
    """Yield roles that stand for users and lack what `grant_role` gives, as after a copy."""
    there = set(connection.scalars(text(
        f"SELECT relname FROM pg_class WHERE relnamespace = {_HERE} AND relkind = 'r'"
    )))  # fmt: skip
    roles = connection.execute(
        select(User.database_role, User.is_superuser)
        .where(User.database_role.in_(select(text("rolname")).select_from(text("pg_roles"))))
        .order_by(User.database_role)
    )
    for role, is_superuser in roles.all():
        lacking = [f"{verb} on {table}" for table in sorted(there)
                   for verb in _verbs(table, is_superuser=bool(is_superuser))
                   if not _may(connection, str(role), verb, table)]  # fmt: skip
        lacking += [f"EXECUTE on {name}" for name in FUNCTIONS
                    if connection.scalar(_MAY_NOT_EXECUTE, {"role": role, "name": name})]  # fmt: skip
        if not connection.scalar(_MAY_USE, {"role": role}):
            lacking.insert(0, "USAGE on the schema")
        if lacking:
            yield Finding(
                "roles", "warning", f"the role {role} lacks the {named('grant', lacking)}",
                "mismartera db upgrade", len(lacking),
            )  # fmt: skip


_MAY_USE = text("SELECT has_schema_privilege(:role, current_schema(), 'USAGE')")
_MAY_NOT_EXECUTE = text(
    "SELECT NOT has_function_privilege(:role, to_regprocedure(:name)::oid, 'EXECUTE')"
)


def _verbs(table: str, *, is_superuser: bool) -> list[str]:
    read = ["SELECT"] if table in READABLE else []
    if is_superuser and table in OF_SUPERUSERS:
        return ["SELECT", "INSERT", "UPDATE", "DELETE"]
    return [*read, *WRITES.get(table, ())]


def _may(connection: Connection, role: str, verb: str, table: str) -> bool:
    """Tell whether a role may do something with a table, or with columns of it."""
    kind = "table" if verb == "DELETE" else "any_column"
    asked = text(f"SELECT has_{kind}_privilege(:role, quote_ident(:name), :verb)")
    return bool(connection.scalar(asked, {"role": role, "name": table, "verb": verb}))
