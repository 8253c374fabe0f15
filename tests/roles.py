"""Roles of a PostgreSQL server that stand for users, made for one test and dropped after it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from mismartera_analytics import config
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.database_roles import grant_role

__all__ = ["administer", "as_role", "make_role", "url_of"]

_numbers = itertools.count(1)


def administer(url: str, *statements: str) -> None:
    """Run statements as the server's administrator, each in a transaction of its own."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def url_of(role: str, url: str) -> str:
    """Return a database's address for a role; the test's server asks for no password."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


@pytest.fixture
def make_role(ready_database: str) -> Iterator[Callable[..., str]]:
    """Make roles: called with options of CREATE ROLE, it returns a new role's name."""
    made: list[str] = []

    def make(options: str = "LOGIN") -> str:
        role = f"role_{os.getpid()}_{next(_numbers)}"
        administer(ready_database, f"CREATE ROLE {role} {options}")
        made.append(role)
        return role

    yield make
    config.configure(database_url=ready_database)
    db.close_db()
    for role in made:
        administer(ready_database, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


@pytest.fixture
def as_role(make_role: Callable[..., str], ready_database: str) -> Callable[[str | None], str]:
    """Connect as a user's role, made and granted when first asked for; None: the owner's."""
    roles: dict[str, str] = {}

    def switch(user: str | None) -> str:
        if user is not None and user not in roles:
            config.configure(database_url=ready_database)
            roles[user] = make_role()
            grant_role(roles[user], user=user)
        url = ready_database if user is None else url_of(roles[user], ready_database)
        config.configure(database_url=url)
        return url

    return switch
