"""Fixtures for tests that touch a database: a real PostgreSQL server, and both databases in turn."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text

from mismartera_analytics import config
from mismartera_analytics.models import database as db
from mismartera_analytics.models import load_mappings, migrate
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.models.database import Base
from tests.postgres_servers import new_server, url_of_server
from tests.roles import administer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server for this process; the value is the URL of its maintenance database."""
    with new_server() as server:
        url = url_of_server(server)
        _make_it_quick(url)
        yield url


def _make_it_quick(url: str) -> None:
    """Turn off what protects against a crash of the machine: the databases live for one test."""
    administer(
        url,
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "SELECT pg_reload_conf()",
    )


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[Callable[[str | None], str]]:
    """Make databases: called with the name of a template or None, it returns a new database's URL."""
    made: list[str] = []

    def make(template: str | None = None) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
        made.append(name)
        return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)

    yield make
    administer(postgres_server, *(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in made))


@pytest.fixture
def postgres_url(
    postgres_server: str, postgres_database: Callable[[str | None], str]
) -> Iterator[str]:
    """Give an empty PostgreSQL database; it is dropped after the test."""
    url = postgres_database(None)
    yield url
    db.close_db()
    _drop(postgres_server, url)


def _drop(server: str, url: str) -> None:
    administer(server, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """Configure an empty database, SQLite and PostgreSQL in turn; the value is its URL."""
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'data' / 'test.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    config.configure(database_url=url)
    yield url
    db.close_db()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SQLite file with every table, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ready.db"
    _initialise(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_database: Callable[[str | None], str]) -> str:
    """Make a PostgreSQL database with every table, to be copied; the value is its name."""
    url = postgres_database(None)
    _initialise(url)
    return str(make_url(url).database)


@pytest.fixture(scope="session")
def demo_template(
    demo_home: Path, postgres_template: str, postgres_database: Callable[[str | None], str]
) -> str:
    """Make a PostgreSQL database with the demo's records, to be copied; the value is its name."""
    url = postgres_database(postgres_template)
    load_mappings()
    path = demo_home / "data" / "mismartera.db"
    source, target = make_engine(f"sqlite:///{path}"), make_engine(url)
    with source.connect() as giver, target.begin() as taker:
        tables = Base.metadata.sorted_tables
        for table in reversed(tables):
            taker.execute(table.delete())
        for table in tables:
            rows = [dict(row) for row in giver.execute(select(table)).mappings()]
            if rows:
                taker.execute(table.insert(), rows)
            if "id" in table.columns:
                numbers = f"pg_get_serial_sequence('{table.name}', 'id')"
                last = f"(SELECT max(id) FROM {table.name})"
                taker.execute(text(f"SELECT setval({numbers}, {last}) WHERE {last} IS NOT NULL"))
    source.dispose()
    target.dispose()
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def demo_on_both(request: pytest.FixtureRequest, demo_data: Path) -> Iterator[Path]:
    """Give the test a home with the demo's bars, and its records on SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        yield demo_data
        return
    with _copy_of("demo_template", request):
        yield demo_data


@contextlib.contextmanager
def _copy_of(template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Configure a copy of a PostgreSQL template, and drop it at the end; the value is its URL."""
    make = request.getfixturevalue("postgres_database")
    url = make(request.getfixturevalue(template))
    config.configure(database_url=url)
    yield url
    db.close_db()
    _drop(request.getfixturevalue("postgres_server"), url)


def _initialise(url: str) -> None:
    engine = make_engine(url)
    load_mappings()
    migrate.initialise(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ready_database(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """Configure a database as `init_db` leaves it, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        path = home / "data" / "test.db"
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
        config.configure(database_url=url)
        yield url
        db.close_db()
        return
    with _copy_of("postgres_template", request) as url:
        yield url
