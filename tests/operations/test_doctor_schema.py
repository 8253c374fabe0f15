"""The doctor on tables, indexes, calendars and roles: what is gone, and how it comes back."""

from __future__ import annotations

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run
from mismartera_analytics.models import User
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.database_roles import grant_role
from mismartera_analytics.operations.doctor import Diagnosis
from tests.operations.examining import POSTGRES, an_order, examined, is_about, put, run_sql, said
from tests.roles import url_of


def follow(found: Diagnosis) -> None:
    """Run the statements that the findings advise."""
    for advice in found.errors["advice"]:
        for statement in advice.split("; "):
            if not statement.startswith(("first ", "then ")):
                with db.session_scope() as db_session:
                    db_session.connection().exec_driver_sql(statement)


def test_a_lost_table_is_not_to_be_made_anew(traded):
    run_sql("DROP TABLE fills")
    found = examined()
    assert said(found, "tables") == [("error", "the table fills is gone")]
    assert found.errors["advice"].tolist() == [
        "restore it from a backup; 'mismartera db init' would make an empty one"
    ]
    assert set(found.skipped.values()) == {"tables are not whole"}


def test_a_lost_column_is_not_for_an_upgrade(traded):
    run_sql("ALTER TABLE orders DROP COLUMN commission")
    found = examined()
    assert said(found, "tables") == [("error", "orders lacks the column commission")]
    assert found.errors["advice"].str.startswith("restore the database from a backup").all()
    assert "records" in found.skipped


def test_lost_indexes_are_made_again(traded):
    for name in ("ix_orders_broker_order_id", "ix_users_username", "ix_fills_order_id"):
        run_sql(f"DROP INDEX {name}")
    run_sql("CREATE INDEX ix_users_username ON users (username)")
    run_sql("DROP INDEX ix_orders_symbol")
    run_sql("CREATE INDEX mine ON orders (symbol)")
    found = examined()
    rows = found.errors
    assert rows["what"].str.split(":").str[0].tolist() == [
        "fills lacks the index ix_fills_order_id",
        "orders lacks the unique index ix_orders_broker_order_id",
        "users lacks the unique index ix_users_username",
    ]
    assert (
        "CREATE UNIQUE INDEX ix_orders_broker_order_id ON orders (broker_order_id)"
        in (rows["advice"].iloc[1])
    )
    follow(found)
    assert examined().is_well


@POSTGRES
def test_a_lost_constraint_is_made_again_as_an_index(traded):
    run_sql("ALTER TABLE fills DROP CONSTRAINT uq_fills_broker_fill_id")
    found = examined()
    assert is_about(found, "database", "fills lacks the unique index uq_fills_broker_fill_id")
    follow(found)
    assert examined().is_well


@POSTGRES
def test_a_sequence_that_is_behind_is_moved(traded):
    run_sql("SELECT setval('orders_id_seq', 1)")
    found = examined()
    assert [one for one, _ in said(found, "database")] == ["error"]
    mended = examined(fix=True)
    assert not len(mended.errors), mended
    assert len(mended.mended) == 1
    assert an_order(traded) == 5


def test_holidays_that_are_gone_are_an_error(traded):
    run_sql("DELETE FROM trading_holidays")
    told = said(examined(), "calendars")
    assert [one for one, _ in told] == ["error"]
    assert "not one holiday" in told[0][1]
    assert run(["calendar", "sync"]) == 0
    assert examined().is_well


@POSTGRES
def test_what_keeps_roles_apart_is_missed_and_can_be_put_back(traded):
    run_sql("ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
    run_sql("DROP POLICY own_rows ON fills")
    run_sql("DROP POLICY superusers_write ON market_hours")
    run_sql("DROP FUNCTION mismartera_cites(name, text) CASCADE")
    found = examined()
    assert [what.split(":")[0] for _, what in said(found, "roles")] == [
        "the function mismartera_cites(name, text) is gone, on which the policies rest",
        "fills lacks the policy own_rows",
        "row-level security of orders is off",
        "market_hours lacks the policy superusers_write",
        "report_rows lacks the policy cited_rows",
    ]
    assert len(found.errors) == 5
    (put_back,) = found.errors.loc[2:2, "advice"]
    assert put_back == "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"
    bodies = found.errors["advice"].tolist()
    with db.session_scope() as db_session:  # a function's body has semicolons of its own
        driver = db_session.connection()
        driver.exec_driver_sql(bodies.pop(0).rpartition("; then")[0])
        for advice in bodies:
            driver.exec_driver_sql(advice)
    assert examined().is_well


@POSTGRES
def test_a_role_without_its_grants_is_named(traded, make_role):
    role, _gone = make_role(), put(User, username="x", email="x", hashed_password=a_hash(),
                                   database_role="no_such_role")  # fmt: skip
    grant_role(role, user="ada")
    grant_role(make_role(), user="root")
    assert examined().is_well, examined()
    run_sql(f"REVOKE SELECT ON orders FROM {role}")
    run_sql(f"REVOKE USAGE ON SCHEMA public FROM {role}, PUBLIC")
    found = examined()
    assert said(found, "roles") == [
        ("warning", f"the role {role} lacks the grants USAGE on the schema, SELECT on orders")
    ]
    assert found.frame["advice"].tolist() == ["mismartera db upgrade"]
    assert run(["db", "upgrade"]) == 0
    assert examined().is_well


def a_hash() -> str:
    with db.SessionLocal() as db_session:
        return str(db_session.query(User.hashed_password).limit(1).scalar())


@POSTGRES
def test_a_superusers_role_examines_without_reading_hashes(traded, make_role, ready_database):
    role = make_role()
    grant_role(role, user="root")
    ma.configure(database_url=url_of(role, ready_database))
    found = examined()
    assert not is_about(found, "users", "")
