"""Whose rows `sql` sees: every table walked, for two users and a superuser, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pandas as pd
import pytest
from sqlalchemy import select

import mismartera_analytics as ma
from mismartera_analytics.errors import MismarteraError, NotAllowedError
from mismartera_analytics.models import (
    BacktestRun,
    CashFlow,
    Fill,
    MarketData,
    Order,
    Position,
    Report,
    SessionConfig,
    Trial,
    User,
    load_mappings,
)
from mismartera_analytics.models.database import Base, session_scope
from mismartera_analytics.queries import sql_tables
from tests.world import Books

NOW = dt.datetime(2025, 7, 2, 15, tzinfo=dt.UTC)
MARKS = {"ada": "ADAS", "bob": "BOBS", None: "NOONES"}


@pytest.fixture
def filled(books: Books) -> Books:
    """Give ada, bob and nobody a marked row in every table that has owners."""
    with session_scope() as db_session:
        ids = dict(db_session.execute(select(User.username, User.id)).all())
        for owner, mark in MARKS.items():
            own = {"user_id": ids.get(owner)}
            booked = {**own, "account_id": getattr(books, owner)} if owner else own
            order = Order(symbol=mark, quantity=1, side="BUY", placed_at=NOW, **booked)
            run = BacktestRun(name=mark, created_at=NOW, config_json="{}", **booked)
            db_session.add_all([order, run])
            db_session.flush()
            db_session.add_all(
                [
                    Position(symbol=mark, quantity=1, average_price=1, **booked),
                    Fill(order_id=order.id, filled_at=NOW, quantity=1, price=2,
                         broker_fill_id=mark),
                    Trial(family=mark, run_id=run.id, recorded_at=NOW, parameters_json="{}", **own),
                    Trial(family=mark + "RUN", run_id=run.id, recorded_at=NOW,
                          parameters_json="{}"),
                    Report(title=mark, path="x", created_at=NOW, **booked),
                ]
            )  # fmt: skip
            if owner:  # a row that belongs to its account's owner, whatever its own user is
                db_session.add(CashFlow(account_id=booked["account_id"], flow_type="FEE",
                                        occurred_at=NOW, amount=-1, note=mark))  # fmt: skip
                mixed = {"user_id": ids["root"], "account_id": booked["account_id"]}
                db_session.add(Position(symbol=mark + "X", quantity=1, average_price=1, **mixed))
        db_session.add(SessionConfig(name="secret", config_json='{"ADAS": "BOBS"}'))
        db_session.add(MarketData(symbol="AAPL", timestamp=NOW, open=1, high=1, low=1, close=1))
    return books


def contents(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


def everything(names: list[str]) -> dict[str, str]:
    return {name: contents(ma.sql(f"from {name}")) for name in names}


def test_every_table_has_a_rule() -> None:
    load_mappings()
    ruled = {*sql_tables.OWNED, *sql_tables.PUBLIC}
    assert ruled | {"report_rows", "session_configs"} == set(Base.metadata.tables), (
        "a new table is for superusers only until queries/sql_tables.py says whose its rows are"
    )
    for name in sql_tables.PUBLIC:
        assert not {"user_id", "account_id"} & set(Base.metadata.tables[name].columns.keys())


def test_no_foreign_row_in_any_table(filled: Books) -> None:
    names = [*sql_tables.OWNED, "accounts"]
    with ma.as_user("root"):
        whole = everything([*names, "session_configs"])
    assert whole == everything([*names, "session_configs"])
    for owner, other in (("ada", "bob"), ("bob", "ada")):
        with ma.as_user(owner):
            seen = everything(names)
        assert seen == {name: contents(ma.sql(f"from {name}", user=owner)) for name in names}
        for name, text in seen.items():
            assert text.count("\n") > 1, f"{owner} sees nothing of {name}"
            assert text.count("\n") < whole[name].count("\n"), name
            for foreign in (
                MARKS[other],
                MARKS[None],
                f"{other}@example.com",
                f"{other[0].upper()}-1",
            ):
                assert foreign not in text, (name, text)
            assert MARKS[owner] in text or name in ("users", "account_info", "accounts")
    assert MARKS[None] in whole["orders"]


ATTEMPTS: list[str] = [
    "select * from orders where 1 = 1 or user_id <> 1",
    "select * from (select * from orders union all select * from main.orders)",
    "select * from users u left join positions p on true left join account_info a on true",
    "with orders as (select * from orders) select * from orders, users",
    'select * from "orders", "ORDERS" as x',
    "select * from temp.orders",
    "select (select string_agg(symbol, ',') from positions) as x, * from trials",
    "select * from fills full join orders on fills.order_id <> orders.id",
    "select * from orders tablesample 100%",
    "select * from backtest_runs semi join trials on true",
    "summarize orders", "summarize account_info", "summarize positions", "summarize fills",
    "select * from information_schema.tables", "select * from information_schema.columns",
    "select * from duckdb_tables()", "select * from duckdb_views()", "from duckdb_columns()",
    "from sqlite_master", "from pg_catalog.pg_class", "from pg_tables", "show all tables",
    "explain analyze select * from orders", "select current_setting('temp_directory') as x",
]  # fmt: skip


def test_no_way_around_the_scope(filled: Books) -> None:
    for query in ATTEMPTS:
        with ma.as_user("ada"):
            found = contents(ma.sql(query))
        for foreign in ("BOBS", "NOONES", "bob@", "B-1", "alpaca", "session_configs", "$2b$"):
            assert foreign not in found, (query, found)


def test_password_hashes_have_no_column(filled: Books) -> None:
    with ma.as_user("root"):
        assert "hashed_password" not in ma.sql("from users")
        for query in ("select hashed_password from users", "select u.hashed_password from users u"):
            with pytest.raises(MismarteraError, match="hashed_password"):
                ma.sql(query)
        assert "$2b$" not in contents(ma.sql("from users"))
        assert len(ma.sql("from users")) == 3


def test_what_is_nobody_s_is_for_superusers(filled: Books) -> None:
    assert len(ma.sql("from session_configs")) == 1
    with ma.as_user("ada"):
        for query in ("from session_configs", "select count(*) from Session_Configs"):
            with pytest.raises(NotAllowedError, match="only superusers"):
                ma.sql(query)
        assert "session_configs" not in ma.sql("show tables")["name"].tolist()
        with pytest.raises(NotAllowedError, match="only their own"):
            ma.sql("from orders", user="bob")
        assert len(ma.sql("from market_data")) == 1


HELPERS: dict[str, tuple[Callable[..., pd.DataFrame], str, dict[str, str]]] = {
    "orders": (ma.orders, "order by placed_at, id", {"id": "order_id"}),
    "account_info": (ma.accounts, "order by id", {"id": "account_id"}),
    "positions": (ma.positions, "order by user_id, account_id, symbol", {}),
    "fills": (ma.fills, "order by filled_at, order_id", {"id": "fill_id"}),
}


def test_rows_and_values_are_those_of_the_query_helpers(filled: Books) -> None:
    for user in ("ada", "bob", None):
        for table, (helper, order, names) in HELPERS.items():
            expected = helper(user=user)
            found = ma.sql(f"from {table} {order}", user=user).rename(columns=names)
            shared = [n for n in expected.columns if n in found.columns and n != "currency"]
            key = [n for n in ("order_id", "fill_id", "account_id", "symbol") if n in shared]
            pd.testing.assert_frame_equal(
                found[shared].sort_values(key, ignore_index=True),
                expected[shared].sort_values(key, ignore_index=True),
                check_dtype=False,
                check_categorical=False,
            )
            assert len(shared) >= 6


def test_show_tables_lists_all_and_reads_none(filled: Books, monkeypatch) -> None:
    listed = ma.sql("show tables")["name"].tolist()
    assert set(listed) >= {*sql_tables.OWNED, *sql_tables.PUBLIC, "accounts", "session_configs"}
    read: list[str] = []
    original = sql_tables.read_table

    def spy(db_session, columns, statement):
        read.append(str(statement))
        return original(db_session, columns, statement)

    monkeypatch.setattr(sql_tables, "read_table", spy)
    ma.sql("select count(*) from orders join fills on order_id = orders.id")
    assert len(read) == 2, "a table that the query does not name is read"


def test_times_and_truths_of_the_calendar_tables(books: Books) -> None:
    hours = ma.sql(
        "from market_hours where exchange_group = 'US_EQUITY' and regular_open < '10:00'"
    )
    assert hours["regular_open"].tolist() == ["09:30:00"]
    assert hours["is_active"].dtype == bool
    days = ma.sql(
        "select date, is_closed, early_close_time from trading_holidays where exchange = 'US_EQUITY' "
        "and date between '2025-11-01' and '2025-11-30' order by date"
    )
    assert days["date"].tolist() == [pd.Timestamp("2025-11-27"), pd.Timestamp("2025-11-28")]
    assert days["is_closed"].tolist() == [True, False]
    assert days["early_close_time"].isna().tolist() == [True, False]
    assert days["early_close_time"][1] == "13:00:00"
