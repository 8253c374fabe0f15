"""Roles that stand for users: what is granted, to whom it is refused, and no table forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run
from mismartera_analytics.errors import (
    ConfigurationError,
    DuplicateError,
    InvalidInputError,
    NotAllowedError,
    UnknownNameError,
)
from mismartera_analytics.models import User, load_mappings, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.database_roles import grant_role, renew_grants, revoke_role
from tests.roles import administer, make_role, url_of
from tests.world import Books, books, prices

__all__ = ["books", "make_role", "prices"]

POSTGRES = pytest.mark.parametrize(
    "ready_database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
PRIVILEGES = """SELECT c.relname, a.privilege_type, NULL FROM pg_class c, aclexplode(c.relacl) a
WHERE a.grantee = CAST(:role AS regrole)
UNION ALL SELECT c.relname, x.privilege_type, t.attname FROM pg_class c JOIN pg_attribute t ON
t.attrelid = c.oid, aclexplode(t.attacl) x WHERE x.grantee = CAST(:role AS regrole)
UNION ALL SELECT p.proname, a.privilege_type, NULL FROM pg_proc p, aclexplode(p.proacl) a
WHERE a.grantee = CAST(:role AS regrole) ORDER BY 1, 2, 3"""


def held(url: str, role: str) -> list[tuple[str, str, str | None]]:
    """Return the privileges of a role as the catalog has them."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(PRIVILEGES), {"role": role})]


def role_of(user: str) -> str | None:
    with db.SessionLocal() as db_session:
        return db_session.query(User.database_role).filter_by(username=user).scalar()


@POSTGRES
def test_every_table_has_policies_and_they_are_in_force(ready_database: str) -> None:
    load_mappings()
    statement = text(
        "SELECT c.relname, c.relrowsecurity, count(p.oid) FROM pg_class c LEFT JOIN pg_policy p "
        "ON p.polrelid = c.oid WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
        "GROUP BY c.oid, c.relname"
    )
    with db.engine.connect() as connection:
        found = {row[0]: (row[1], row[2]) for row in connection.execute(statement)}
    assert set(db.Base.metadata.tables) <= set(found)
    for name in set(found) - {"alembic_version"}:
        is_on, policies = found[name]
        assert is_on, f"{name}: a revision that makes a table gives it a policy and turns it on"
        assert policies, f"{name}: no policy"


@POSTGRES
def test_functions_of_the_policies_are_for_those_who_were_granted(
    ready_database: str, make_role: Callable[..., str]
) -> None:
    role = make_role()
    with db.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT proname, prosecdef, proconfig, has_function_privilege(:role, oid, 'EXECUTE') "
                "FROM pg_proc WHERE proname LIKE 'mismartera%'"
            ),
            {"role": role},
        ).all()
    assert len(rows) == 3
    for name, is_definer, options, is_open in rows:
        assert is_definer, name
        assert options == ["search_path=pg_catalog, pg_temp"], name
        assert not is_open, name


@POSTGRES
def test_a_role_gets_what_an_analyst_needs_and_nothing_else(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    role = make_role()
    done = grant_role(role, user="ada")
    assert role_of("ada") == role
    first = held(ready_database, role)
    whole = {(table, verb) for table, verb, column in first if column is None}
    columns = {(table, verb, column) for table, verb, column in first if column is not None}
    assert ("orders", "SELECT") in whole
    assert ("alembic_version", "SELECT") in whole
    assert ("users", "SELECT") not in whole
    assert {c for t, v, c in columns if (t, v) == ("users", "UPDATE")} == {"hashed_password"}
    assert ("users", "SELECT", "hashed_password") not in columns
    assert ("users", "SELECT", "username") in columns
    assert {t for t, v in whole if v == "DELETE"} == {"cash_flows", "fills", "orders", "positions"}
    assert not {v for _, v in whole} & {"TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN"}
    assert not [row for row in columns if row[2] == "id" and row[0] != "users"]
    assert "session_configs" not in {row[0] for row in first}
    assert grant_role(role, user="ada") == done
    assert held(ready_database, role) == first
    revoke_role(role)
    assert role_of("ada") is None
    assert held(ready_database, role) == []
    assert grant_role(role, user="root") != done
    assert ("session_configs", "DELETE", None) in held(ready_database, role)


@POSTGRES
def test_a_role_that_stands_for_nobody_is_told_so_and_is_shown_no_empty_tables(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    role = make_role("LOGIN")
    with db.engine.begin() as connection:
        connection.execute(text(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"'))
    refused = r"stands for no user .* grant-role"
    uses = (ma.orders, ma.accounts, ma.doctor, lambda: ma.sql("select 1 from orders"))
    ma.configure(database_url=url_of(role, ready_database))
    for use in uses:
        with pytest.raises(NotAllowedError, match=refused):
            use()
    ma.configure(database_url=ready_database)
    grant_role(role, user="ada")
    with db.engine.begin() as connection:  # as by whoever deletes the user
        connection.execute(text("UPDATE users SET database_role = NULL WHERE username = 'ada'"))
    ma.configure(database_url=url_of(role, ready_database))
    for use in uses:
        with pytest.raises(NotAllowedError, match=f"'{role}' {refused}"):
            use()
    ma.configure(database_url=ready_database)
    revoke_role(role)
    grant_role(role, user="ada")
    ma.configure(database_url=url_of(role, ready_database))
    assert list(ma.accounts()["account_id"]) == [books.ada]


@POSTGRES
def test_who_may_become_the_schemas_owner_is_refused(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    owner = make_role("NOLOGIN")
    with db.engine.begin() as connection:
        connection.execute(text(f'ALTER SCHEMA public OWNER TO "{owner}"'))
    role = make_role(f'LOGIN NOINHERIT IN ROLE "{owner}"')
    with pytest.raises(NotAllowedError, match=f"a member of '{owner}'"):
        grant_role(role, user="ada")
    with pytest.raises(
        NotAllowedError, match=f"'{owner}' owns the database, its schema or a table"
    ):
        grant_role(owner, user="ada")
    with db.engine.begin() as connection:
        connection.execute(text("ALTER SCHEMA public OWNER TO pg_database_owner"))


@POSTGRES
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("LOGIN SUPERUSER", "SUPERUSER"),
        ("LOGIN BYPASSRLS", "BYPASSRLS"),
        ("LOGIN CREATEROLE", "CREATEROLE"),
        ("LOGIN REPLICATION", "REPLICATION"),
        ("LOGIN IN ROLE pg_read_all_data", "member of 'pg_read_all_data'"),
        ("LOGIN IN ROLE pg_execute_server_program", "member of 'pg_execute"),
        ("LOGIN NOINHERIT IN ROLE postgres", "member of 'postgres'"),
    ],
)
def test_a_role_that_no_policy_binds_is_refused(
    books: Books, make_role: Callable[..., str], ready_database: str, options: str, words: str
) -> None:
    role = make_role(options)
    with pytest.raises(NotAllowedError, match=words):
        grant_role(role, user="ada")
    assert role_of("ada") is None
    assert held(ready_database, role) == []


@POSTGRES
def test_refusals_change_nothing(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    role, other = make_role(), make_role()
    with pytest.raises(UnknownNameError, match=r"does not exist.*CREATE ROLE"):
        grant_role("nobodys role", user="ada")
    with pytest.raises(UnknownNameError, match="did you mean 'ada'"):
        grant_role(role, user="adaa")
    for bad in ("", "x" * 64, "a\0b"):
        with pytest.raises(InvalidInputError, match="role="):
            grant_role(bad, user="ada")
    with pytest.raises(UnknownNameError, match="stands for nobody"):
        revoke_role("nobodys role")
    administer(
        ready_database, f"GRANT SELECT ON users TO {role}", f"GRANT TRUNCATE ON fills TO {other}"
    )
    grant_role(role, user="ada")  # what its owner gave is taken back
    assert ("users", "SELECT", None) not in held(ready_database, role)
    with pytest.raises(DuplicateError, match="stands for user 'ada'"):
        grant_role(role, user="bob")
    with pytest.raises(DuplicateError, match=f"'ada' has the role '{role}'"):
        grant_role(other, user="ada")
    administer(ready_database, f"GRANT {role} TO {other}")
    with pytest.raises(NotAllowedError, match=f"member of '{role}'"):
        grant_role(other, user="bob")
    administer(
        ready_database, f"REVOKE {role} FROM {other}", "GRANT CREATE ON SCHEMA public TO PUBLIC"
    )
    with pytest.raises(NotAllowedError, match="REVOKE CREATE ON SCHEMA"):
        grant_role(other, user="bob")
    administer(ready_database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
               "GRANT SELECT (hashed_password) ON users TO PUBLIC")  # fmt: skip
    with pytest.raises(NotAllowedError, match="password hashes by another's grant"):
        grant_role(other, user="bob")
    administer(ready_database, "REVOKE ALL (hashed_password) ON users FROM PUBLIC")
    assert role_of("bob") is None
    with ma.as_user("bob"), pytest.raises(NotAllowedError, match="a superuser may"):
        grant_role(other, user="bob")
    ma.configure(database_url=url_of(role, ready_database))
    for call in (lambda: grant_role(other, user="ada"), lambda: revoke_role(role)):
        with pytest.raises(NotAllowedError):
            call()
    ma.configure(database_url=ready_database)
    assert role_of("ada") == role


@POSTGRES
def test_an_upgrade_renews_and_a_downgrade_takes_away(
    books: Books,
    make_role: Callable[..., str],
    ready_database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role = make_role()
    assert run(["db", "grant-role", role, "--user", "ada"]) == 0
    assert f'GRANT SELECT ON orders TO "{role}";' in capsys.readouterr().out
    before = held(ready_database, role)
    administer(ready_database, f"REVOKE ALL ON orders FROM {role}")
    assert run(["db", "upgrade"]) == 0
    assert role in capsys.readouterr().out
    assert held(ready_database, role) == before
    administer(ready_database, f"ALTER ROLE {role} BYPASSRLS")
    with pytest.raises(NotAllowedError, match="BYPASSRLS"):
        renew_grants()
    administer(ready_database, f"ALTER ROLE {role} NOBYPASSRLS")
    migrate.downgrade(db.engine, "0008")
    assert held(ready_database, role) == [], "without policies a grant would show everybody's rows"
    with db.engine.connect() as connection:
        left = (
            "SELECT count(*) FROM pg_policy "
            "UNION ALL SELECT count(*) FROM pg_proc WHERE proname LIKE 'misma%'"
        )
        assert connection.scalars(text(left)).all() == [0, 0]
    migrate.upgrade(db.engine)
    assert role_of("ada") is None


@POSTGRES
def test_a_downgrade_takes_away_what_a_role_kept_that_stands_for_nobody_by_now(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    """Who empties the column by hand leaves the grants, and without policies they show all."""
    role = make_role()
    grant_role(role, user="ada")
    administer(ready_database, "UPDATE users SET database_role = NULL")
    migrate.downgrade(db.engine, "0008")
    assert held(ready_database, role) == []


@POSTGRES
def test_revoking_on_the_command_line(
    books: Books,
    make_role: Callable[..., str],
    ready_database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role = make_role()
    grant_role(role, user="ada")
    assert run(["db", "revoke-role", role]) == 0
    assert f"{role} stands for nobody." in capsys.readouterr().out
    assert held(ready_database, role) == []
    assert run(["db", "grant-role", "nobodys", "--user", "ada"]) == 2
    assert "administrator makes it" in capsys.readouterr().err


@POSTGRES
@pytest.mark.parametrize(
    ("options", "word"), [("LOGIN BYPASSRLS", "BYPASSRLS"), ("LOGIN SUPERUSER", "SUPERUSER")]
)
def test_what_was_not_granted_by_us_is_not_revoked(
    books: Books, make_role: Callable[..., str], ready_database: str, options: str, word: str
) -> None:
    role = make_role(options)
    administer(ready_database, f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}")
    before = held(ready_database, role)
    with pytest.raises(NotAllowedError, match=f"{role}' has {word} and stands for nobody"):
        revoke_role(role)
    assert held(ready_database, role) == before != []
    administer(ready_database, f"UPDATE users SET database_role = '{role}' WHERE username = 'ada'")
    revoke_role(role)  # it was granted, and got the attribute later
    assert role_of("ada") is None
    assert held(ready_database, role) == []


@POSTGRES
@pytest.mark.parametrize("owned", ["TABLE cash_flows", "SCHEMA public", "DATABASE"])
def test_an_owner_is_not_locked_out(
    books: Books, make_role: Callable[..., str], ready_database: str, owned: str
) -> None:
    role, name = make_role(), make_url(ready_database).database
    (kept,) = owners(ready_database)
    what = f"{owned} {name}" if owned == "DATABASE" else owned
    administer(
        ready_database,
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"UPDATE users SET database_role = '{role}' WHERE username = 'ada'",
        f"ALTER {what} OWNER TO {role}",
    )
    before = held(ready_database, role)
    try:
        with pytest.raises(NotAllowedError, match=r"owns the database.*nothing was revoked"):
            revoke_role(role)
        assert held(ready_database, role) == before != []
        assert role_of("ada") == role
    finally:
        owner = "pg_database_owner" if owned == "SCHEMA public" else kept
        administer(ready_database, f"ALTER {what} OWNER TO {owner}")


@POSTGRES
def test_the_tables_owner_cannot_revoke_its_own_rights(books: Books, ready_database: str) -> None:
    (owner,) = owners(ready_database)
    with pytest.raises(NotAllowedError, match="owns the database"):
        revoke_role(owner)


@POSTGRES
def test_who_may_not_revoke_is_told_so(books: Books, ready_database: str) -> None:
    with ma.as_user("bob"), pytest.raises(NotAllowedError, match="'bob' may not revoke roles"):
        revoke_role("anybody")


@POSTGRES
def test_odd_names_are_quoted(books: Books, ready_database: str) -> None:
    odd = 'Ada "the" analyst; --'
    quoted = '"' + odd.replace('"', '""') + '"'
    administer(ready_database, f"CREATE ROLE {quoted} LOGIN")
    try:
        grant_role(odd, user="ada")
        ma.configure(
            database_url=make_url(ready_database)
            .set(username=odd)
            .render_as_string(hide_password=False)
        )
        assert set(ma.accounts()["user"]) == {"ada"}
        ma.configure(database_url=ready_database)
        revoke_role(odd)
    finally:
        administer(ready_database, f"DROP OWNED BY {quoted}", f"DROP ROLE {quoted}")


@pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
def test_sqlite_has_no_roles(books: Books) -> None:
    for call in (lambda: grant_role("ada", user="ada"), lambda: revoke_role("ada")):
        with pytest.raises(ConfigurationError, match="a SQLite file has no roles"):
            call()
    assert renew_grants() == []


@POSTGRES
def test_the_tables_owner_is_refused_whatever_it_may_create(
    books: Books, make_role: Callable[..., str], ready_database: str
) -> None:
    role = make_role()
    (kept,) = owners(ready_database)
    administer(ready_database, f"ALTER TABLE cash_flows OWNER TO {role}")
    try:
        with pytest.raises(NotAllowedError, match="owns"):
            grant_role(role, user="ada")
    finally:
        administer(ready_database, f"ALTER TABLE cash_flows OWNER TO {kept}")
    assert role_of("ada") is None


def owners(url: str) -> set[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return set(
            connection.scalars(text("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'"))
        )
