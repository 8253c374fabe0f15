"""Holds that what is tested on SQLite is tested on PostgreSQL too, but for what is named here."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

MAY_BE_SQLITE = {
    # What is tested is SQLite itself.
    "tests/models/test_database.py": "locks, forks, retired engines; PostgreSQL has its own",
    "tests/models/test_failures.py": "read-only and damaged files; TestServer is PostgreSQL's",
    "tests/models/test_folders.py": "the folder of a file",
    "tests/models/test_adoption.py": "databases of the documented models are SQLite files",
    "tests/models/test_bulk_reading.py": "the reader of SQLite in its own process",
    "tests/models/test_migrations.py": "rebuilt tables, triggers and leftovers; the rest is on both",
    "tests/models/test_installed.py": "where revisions are found in an installed package",
    "tests/models/test_instants.py": "how SQLite stores times; reading and writing them is on both",
    # Programs that are run as a beginner runs them: with the database that needs no server.
    "tests/browser": "notebooks and pages",
    "tests/cli/test_command_line.py": "the first steps of the command line",
    "tests/cli/test_bars_commands.py": "commands of the bar store",
    "tests/integration": "the printed examples, run as printed; test_isolation.py is on both",
    "tests/notebook": "magics and displays of the demo",
    "tests/notebooks": "the notebooks, on the demo",
    "tests/operations": "the demo",
    "tests/test_config.py": "where settings come from",
    "tests/test_facade.py": "names that are loaded late",
    # Bars and runs that need a calendar, which is all they read of a database; what is recorded
    # (actions, instruments, identities, citations, table bars) is on both.
    "tests/market_data/test_alignment.py": "calendar only",
    "tests/market_data/test_audit.py": "calendar only",
    "tests/market_data/test_coverage.py": "calendar only",
    "tests/market_data/test_crashes.py": "calendar only",
    "tests/market_data/test_dask.py": "calendar only",
    "tests/market_data/test_dataset.py": "calendar only",
    "tests/market_data/test_derived.py": "calendar only",
    "tests/market_data/test_ingest.py": "calendar only",
    "tests/market_data/test_places.py": "calendar only",
    "tests/market_data/test_resampling.py": "calendar only",
    "tests/market_data/test_samples.py": "calendar only",
    "tests/market_data/test_scanning.py": "calendar only",
    "tests/market_data/test_simulated.py": "calendar only",
    "tests/market_data/test_sources.py": "calendar only",
    "tests/market_data/test_store.py": "calendar only",
    "tests/market_data/test_trees.py": "calendar only",
    "tests/market_data/test_writers.py": "calendar only",
    "tests/figures": "drawings of the demo's records",
    # What is tested is no database: what is printed and hashed, and the name of a file.
    "tests/faults/test_hostile_names.py::test_nothing_steers_a_terminal": "names are kept on both",
    "tests/faults/test_hostile_names.py::test_holidays_come_back": "the file that is written",
    "tests/faults/test_login_timing.py": "hashing; test_auth.py counts refusals on both",
    "tests/test_secrets.py::test_what_is_recorded": "the path of a SQLite file is the secret",
    "tests/backtesting/test_counting.py::test_without_a_database_the_run_works": "none is there",
}
"""Modules, folders or beginnings of test ids that may open a SQLite file alone, and why."""

_opened: set[str] | None = None
_twins = pytest.StashKey[bool]()


@event.listens_for(Engine, "engine_connect")
def _note(connection: Connection) -> None:
    if _opened is not None and connection.engine.url.database not in (None, "", ":memory:"):
        _opened.add(connection.engine.dialect.name)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """What a fixture of the whole session opens is not the test's doing."""
    global _opened
    if fixturedef.scope == "function":
        return (yield)
    before, _opened = _opened, None
    try:
        return (yield)
    finally:
        _opened = before


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that is collected for PostgreSQL as well."""
    ids = {item.nodeid for item in items}
    for item in items:
        name, _, variant = item.nodeid.partition("[")
        parts = variant.rstrip("]").split("-")
        item.stash[_twins] = any(
            f"{name}[{'-'.join([*parts[:k], 'postgres', *parts[k + 1 :]])}]" in ids
            for k, part in enumerate(parts)
            if part == "sqlite"
        )


def _is_excused(nodeid: str) -> bool:
    return any(nodeid.startswith(beginning) for beginning in MAY_BE_SQLITE)


@pytest.fixture(autouse=True)
def on_both_databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that opened a SQLite file and is not run on PostgreSQL, unless that is excused."""
    global _opened
    _opened = opened = set()
    yield
    _opened = None
    item = request.node
    asked_for_one = any("::" in given for given in request.config.args)
    if isinstance(item, pytest.DoctestItem) or asked_for_one or _is_excused(item.nodeid):
        return
    if "sqlite" in opened and "postgresql" not in opened and not item.stash[_twins]:
        pytest.fail(
            "this test opened a SQLite file and has no twin on PostgreSQL: use ready_database, "
            "database_url or demo_on_both, or say in tests/both_databases.py why not."
        )
