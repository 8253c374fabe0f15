"""Fixtures of the whole suite, doctests included: a home, a database and a bar store for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.models import database as db

settings.register_profile("steady", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("steady")
pytest_plugins = ("tests.both_databases",)
MAY_SKIP = ("../shared is absent",)
SHARED_DATA = Path(__file__).resolve().parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the demo once; the folder holds its database, bars and report. Copy it, change nothing."""
    from mismartera_analytics.operations.demo import run_demo

    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MISMARTERA_HOME", str(folder))
        monkeypatch.setenv("MISMARTERA_BCRYPT_ROUNDS", "4")
        config.configure()
        run_demo()
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close_db()
    config.configure()
    return folder


@pytest.fixture
def demo_data(demo_home: Path, home: Path) -> Path:
    """Give the test a home with a copy of the demo's data."""
    shutil.copytree(demo_home, home, dirs_exist_ok=True)
    config.configure()
    return home


@pytest.fixture(autouse=True)
def doctest_world(request: pytest.FixtureRequest, doctest_namespace: dict[str, object]) -> None:
    """Let examples that say ``ma.`` run on the demo's data."""
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace["ma"] = ma
        examples = request.node.dtest.examples if request.node.dtest is not None else []
        if any("ma." in example.source for example in examples):
            request.getfixturevalue("demo_data")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test an empty home; settings of the machine do not reach it."""
    for name in list(os.environ):
        if name.startswith("MISMARTERA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MISMARTERA_HOME", str(tmp_path))
    monkeypatch.setenv("MISMARTERA_BCRYPT_ROUNDS", "4")
    config.configure()
    yield tmp_path
    db.close_db()
    monkeypatch.undo()
    config.configure()


@pytest.fixture
def shared_data() -> Path:
    """Real bars that stay outside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared is absent")
    return SHARED_DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With FAIL_ON_SKIP set, a test that lacks its component fails: there every component is there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("FAIL_ON_SKIP"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped where nothing may be skipped: {reason}"
    return report
