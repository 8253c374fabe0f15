"""The SQL of the page for teams does what the page says, on a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import mismartera_analytics as ma
from mismartera_analytics.errors import MismarteraError, NotAllowedError
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.database_roles import grant_role
from mismartera_analytics.recording.accounts import create_account

PAGE = Path(ma.__file__).parents[1] / "docs" / "howto" / "team.md"
ANALYST = re.compile(r'^psql trading -c "(.*?)"', re.MULTILINE)
BLOCK = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)
pytestmark = pytest.mark.postgres


def as_role(url: str, **parts: str) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def run(url: str, statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in filter(None, map(str.strip, statements.split(";"))):
            connection.execute(text(statement))


@pytest.fixture
def team(postgres_server: str) -> Iterator[Callable[[str], str]]:
    """Make the database and roles of the page; call it with a role for that role's address."""
    as_administrator, as_owner = BLOCK.findall(PAGE.read_text())[:2]
    run(postgres_server, as_administrator)
    try:
        run(as_role(postgres_server, username="trading_owner", database="trading"), as_owner)
        yield lambda role: as_role(postgres_server, username=role, database="trading")
    finally:
        db.close_db()
        run(
            postgres_server,
            "DROP DATABASE IF EXISTS trading WITH (FORCE); DROP ROLE IF EXISTS desk; "
            "DROP ROLE IF EXISTS ada; DROP ROLE IF EXISTS passer_by; DROP ROLE IF EXISTS trading_owner",
        )


def test_the_owner_makes_tables_and_the_desk_writes_rows(team: Callable[[str], str]) -> None:
    ma.configure(database_url=team("trading_owner"))
    ma.init_db()
    ma.configure(database_url=team("desk"))
    assert ma.create_user("ada", "ada@example.com", "pw").id == 1
    assert ma.accounts().empty
    with pytest.raises(NotAllowedError, match="may not"), db.engine.begin() as connection:
        connection.execute(text("TRUNCATE TABLE orders"))


def test_an_analyst_sees_own_rows_the_desk_all_and_a_passer_by_none(
    team: Callable[[str], str], postgres_server: str
) -> None:
    ma.configure(database_url=team("trading_owner"))
    ma.init_db()
    for name in ("ada", "bob"):
        ma.create_user(name, f"{name}@example.com", "pw")
        create_account(name, "schwab")
    statements = ANALYST.findall(PAGE.read_text())[0]
    run(postgres_server, statements + "; " + statements.replace("ada", "passer_by"))
    run(team("trading_owner"), "GRANT USAGE ON SCHEMA public TO passer_by; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO passer_by")  # fmt: skip
    assert grant_role("ada", user="ada")
    seen = {}
    for role in ("trading_owner", "desk", "ada"):
        ma.configure(database_url=team(role))
        seen[role] = set(ma.accounts()["user"])
    assert seen == {"trading_owner": {"ada", "bob"}, "desk": {"ada", "bob"}, "ada": {"ada"}}
    ma.configure(database_url=team("passer_by"))
    with pytest.raises(NotAllowedError, match=r"stands for no user.*grant-role"):
        ma.accounts()


def test_records_are_moved_by_the_owner_before_there_are_tables(
    team: Callable[[str], str], sqlite_template: Path
) -> None:
    with pytest.raises(MismarteraError):
        copy_database(sqlite_template, team("desk"))
    copy_database(sqlite_template, team("trading_owner"))
    ma.configure(database_url=team("desk"))
    assert ma.create_user("ada", "ada@example.com", "pw").id == 1
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT last_value FROM users_id_seq")) == 1
