"""The hook that holds tests to both databases: what it fails, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.both_databases import MAY_BE_SQLITE

pytest_plugins = ("pytester",)
ROOT = Path(__file__).resolve().parents[1]

CONFTEST = """
import pytest
from sqlalchemy import create_engine
from tests.both_databases import MAY_BE_SQLITE

MAY_BE_SQLITE["test_listed.py::test_named"] = "a reason"

@pytest.fixture
def opened(tmp_path):
    def touch(name=None):
        place = "" if name == ":memory:" else tmp_path / "a.db"
        create_engine(f"sqlite:///{place}").connect().close()
    return touch

@pytest.fixture(scope="session")
def of_the_session(tmp_path_factory):
    create_engine(f"sqlite:///{tmp_path_factory.mktemp('x') / 'a.db'}").connect().close()
"""
TESTS = {
    "test_listed": """
def test_named(opened):
    opened()

def test_not_named(opened):
    opened()
""",
    "test_pairs": """
import pytest

both = pytest.mark.parametrize("ready", ["sqlite", "postgres"])

@both
@pytest.mark.parametrize("form", ["a", "b"])
def test_twins(opened, ready, form):
    if ready == "sqlite":
        opened()

@pytest.mark.parametrize("ready", ["sqlite"])
def test_only_child(opened, ready):
    opened()

@pytest.mark.parametrize(("form", "ready"), [("a", "sqlite"), ("b", "sqlite"), ("b", "postgres")])
def test_half_twins(opened, ready, form):
    if ready == "sqlite":
        opened()
""",
    "test_others": """
def test_memory(opened):
    opened(":memory:")

def test_nothing():
    pass

def test_what_the_session_opened(of_the_session):
    pass

def test_that_fails_by_itself():
    assert False
""",
}


def outcomes(pytester: pytest.Pytester, *words: str) -> tuple[set[str], set[str], str]:
    """Return which inner tests passed, which of them the hook failed, and all that was said."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(**TESTS)
    done = pytester.runpytest_subprocess("-p", "tests.both_databases", "-rA", "--tb=short", *words)
    said = done.stdout.str()
    found: dict[str, set[str]] = {"PASSED": set(), "ERROR": set()}
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word in found and "::" in rest:
            found[word].add(rest.split(" - ")[0].partition("::")[2].strip())
    return found["PASSED"], found["ERROR"], said


@pytest.fixture(autouse=True)
def plugin_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_a_test_of_one_database_fails_unless_it_is_listed(pytester: pytest.Pytester) -> None:
    passed, failed, said = outcomes(pytester)
    assert failed == {"test_not_named", "test_only_child[sqlite]", "test_half_twins[a-sqlite]"}
    assert "has no twin on PostgreSQL" in said
    assert passed - failed == {
        "test_named", "test_memory", "test_nothing", "test_what_the_session_opened",
        "test_half_twins[b-sqlite]", "test_half_twins[b-postgres]",
        *(f"test_twins[{form}-{ready}]" for form in "ab" for ready in ("sqlite", "postgres")),
    }  # fmt: skip
    assert "1 failed" in said, "what fails by itself is told as ever"


def test_choosing_one_of_two_twins_fails_neither(pytester: pytest.Pytester) -> None:
    passed, failed, _ = outcomes(pytester, "-k", "test_twins and a-sqlite")
    assert passed == {"test_twins[a-sqlite]"}
    assert failed == set()


def test_what_is_asked_for_by_its_id_is_not_judged(pytester: pytest.Pytester) -> None:
    passed, failed, _ = outcomes(pytester, "test_listed.py::test_not_named")
    assert passed == {"test_not_named"}
    assert failed == set()


def test_every_excuse_has_a_reason_and_a_place() -> None:
    for beginning, reason in MAY_BE_SQLITE.items():
        path, _, name = beginning.partition("::")
        assert (ROOT / path).exists(), f"{path} is gone: its excuse can go too"
        assert reason.strip(), beginning
        assert not name or f"def {name}" in (ROOT / path).read_text(), beginning
