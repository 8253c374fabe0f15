"""`sql`: what it answers, how the answer is typed, and what it refuses to do."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    NaiveDatetimeError,
    NotAllowedError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.queries import sql as sql_module
from tests.market_data.conftest import make_minutes
from tests.world import Books, record_trades


def test_orders_join_the_bars_of_their_session(books: Books, prices) -> None:
    prices("AAPL", "2025-07-01", [200.0, 205.0, 210.0])
    record_trades(
        books.ada,
        ("2025-07-01 10:00", "AAPL", 10, 201),
        ("2025-07-03 15:59", "AAPL", -4, 211, 1),
        ("2025-07-02 10:00", "NOBARS", 1, 5),
    )
    found = ma.sql(
        """
        select o.symbol, o.side, o.filled_at, b.session, b.close,
               (o.average_fill_price - b.close) * o.filled_quantity as slip
        from orders o join bars_1d b using (symbol)
        where b.session = (o.filled_at at time zone 'America/New_York')::date order by filled_at
        """,
        tz="America/New_York",
    )
    orders, bars = ma.orders(tz="America/New_York"), ma.bars("AAPL", "1d")
    orders["session"] = orders["filled_at"].dt.tz_localize(None).dt.normalize()
    expected = orders.merge(bars, on=["symbol", "session"]).sort_values("filled_at")
    slip = (expected["average_fill_price"] - expected["close"]) * expected["filled_quantity"]
    assert found["close"].tolist() == expected["close"].tolist() == [200.0, 210.0]
    np.testing.assert_allclose(found["slip"], slip)
    assert found["filled_at"].tolist() == expected["filled_at"].tolist()
    assert found["session"].tolist() == expected["session"].tolist()
    assert found["side"].tolist() == ["BUY", "SELL"]


def test_bars_are_those_of_the_store(books: Books, prices) -> None:
    prices("AAPL", "2025-07-01", [200.0, 205.0])
    minutes = pd.concat([make_minutes("AAPL", seed=1), make_minutes("MSFT", seed=2)])
    BarStore().write(minutes, "1m")
    for interval in ("1d", "1m"):
        found = ma.sql(f"from bars_{interval} order by symbol, timestamp")
        symbols = found["symbol"].unique()
        expected = ma.bars(symbols, interval)
        if interval == "1m":
            expected = expected.drop(columns="session")
        pd.testing.assert_frame_equal(found[list(expected.columns)], expected)
        assert len(found.columns) == len(expected.columns)


def test_a_filter_reads_only_the_files_that_may_match(books: Books) -> None:
    store = BarStore()
    for symbol in ("AAPL", "MSFT"):
        for start in ("2024-07-02T13:30Z", "2025-07-02T13:30Z"):
            store.write(make_minutes(symbol, start), "1m")
    for year in ("2023", "2025"):
        day = make_minutes("AAPL", f"{year}-07-03T13:30Z", count=1)
        store.write(day.assign(session=pd.Timestamp(f"{year}-07-03")), "1d")
    kept = {"symbol=AAPL/year=2025", "1d/year=2025"}
    for file in Path(store.uri).rglob("*.parquet"):
        if not any(folder in str(file) for folder in kept):
            file.write_bytes(b"no Parquet")
    day = "timestamp >= '2025-07-02' and timestamp < '2025-07-03'"
    assert len(ma.sql(f"select close from bars_1m where symbol = 'AAPL' and {day}")) == 5
    assert len(ma.sql("from bars_1d where session = '2025-07-03'")) == 1
    joined = f"from bars_1m a join bars_1d b using (symbol) where a.symbol = 'AAPL' and a.{day}"
    assert len(ma.sql(f"select * {joined.replace(' and timestamp', ' and a.timestamp')} "
                      "and b.session = '2025-07-03'")) == 5  # fmt: skip
    plan = ma.sql(f"explain select close from bars_1m where symbol = 'AAPL' and {day}")
    assert "volume" not in plan["explain_value"].item(), "columns that nobody asked for are read"
    with pytest.raises(StorageError, match="the files of bars_1m cannot be read"):
        ma.sql("from bars_1m")


def test_every_type_has_a_dtype_and_none_is_object(books: Books) -> None:
    found = ma.sql(
        """
        select 1::tinyint as i, 5::ubigint as u, sum(1)::hugeint as h, 1.25::decimal(9, 2) as d,
               1.5::float as f, true as b, 'x' as s, 'a'::enum('a') as e, null as n,
               timestamptz '2025-07-02 09:30:00.25 America/New_York' as t, date '2025-07-02' as y,
               timestamp_ns '2025-07-02 01:02:03.123456789' as p, time '09:30' as c,
               interval 36 hour as l, [1, 2] as a, {'k': 1} as m, 'x'::blob as z, uuid() as g
        """
    )
    dtypes = {name: str(dtype) for name, dtype in found.dtypes.items()}
    assert "object" not in dtypes.values()
    assert dtypes["t"] == "datetime64[us, UTC]"
    assert {dtypes[n] for n in "yp"} == {"datetime64[us]"}
    assert {dtypes[n] for n in "iuh"} == {"int64"}
    assert {dtypes[n] for n in "dfn"} == {"float64"}
    assert {dtypes[n] for n in "secg"} == {"str"}
    assert (dtypes["b"], dtypes["l"]) == ("bool", "timedelta64[us]")
    row = found.iloc[0]
    assert row["t"] == pd.Timestamp("2025-07-02 13:30:00.25", tz="UTC")
    assert (row["d"], row["c"], row["l"]) == (1.25, "09:30:00", pd.Timedelta(hours=36))
    assert row["y"] == pd.Timestamp("2025-07-02")


def test_missing_values_and_no_rows_keep_the_dtypes(books: Books) -> None:
    columns = """
        i::int as i, b::bool as b, f::double as f, s::varchar as s, t::timestamptz as t, d::date as d,
        l::interval as l
    """
    rows = "(values (1, true, 1.5, 'x', '2025-07-02', '2025-07-02', '1 day'), " + (
        "(null, null, null, null, null, null, null)) v(i, b, f, s, t, d, l)"
    )
    found = ma.sql(f"select {columns} from {rows}")
    assert found.iloc[1].isna().all()
    assert [str(found[n].dtype) for n in "ibfs"] == ["Int64", "boolean", "float64", "str"]
    none = ma.sql(f"select {columns} from {rows} where false")
    assert none.empty
    assert [str(none[n].dtype) for n in "fstdl"] == [str(found[n].dtype) for n in "fstdl"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 'infinity'::timestamptz as x", "'x' holds 'infinity'"),
        ("select interval 1 month as x", "'x' holds intervals of months"),
        ("select union_value(k := 1) as x", "'x' is of type UNION"),
        ("select 12::bignum as x", "'x' is of type BIGNUM"),
    ],
)
def test_what_no_frame_holds_is_said(books: Books, query: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ma.sql(query)


def test_columns_of_one_name_are_told_apart(books: Books) -> None:
    assert list(ma.sql("select 1 as a, 2 as a, 3 as a_1, 4 as a")) == ["a", "a_2", "a_1", "a_3"]


def test_frames_are_tables_by_their_names() -> None:
    labels = pd.DatetimeIndex(["2025-07-02", "2025-07-03"], name="session")
    prices = pd.DataFrame({"close": [1.0, np.nan], "side": pd.Categorical(["BUY", None])}, labels)
    ticks = pa.table({"n": [1, 2, 3]})
    found = ma.sql(
        "select session, close, side, (select sum(n) from Ticks) as n from prices order by 1",
        prices=prices,
        ticks=ticks,
    )
    assert found["session"].tolist() == list(labels)
    assert found["n"].tolist() == [6, 6]
    assert found["close"].isna().tolist() == found["side"].isna().tolist() == [False, True]
    assert ma.sql("select avg(value) as m from s", s=pd.Series([1.0, 3.0]))["m"].item() == 2.0
    assert ma.sql("select count(close) as n from prices", prices=prices)["n"].item() == 1


@pytest.mark.parametrize(
    ("name", "frame", "message"),
    [
        ("orders", pd.DataFrame({"a": [1]}), "would hide the table.*my_orders"),
        ("Accounts", pd.DataFrame({"a": [1]}), "would hide the table"),
        ("bars_7m", pd.DataFrame({"a": [1]}), "would hide the table"),
        ("information_schema", pd.DataFrame({"a": [1]}), "would hide"),
        ("duckdb_tables", pd.DataFrame({"a": [1]}), "would hide"),
        ('x"; drop table orders', pd.DataFrame({"a": [1]}), "letters, digits and _"),
        ("x", pd.DataFrame({"a": [1], "A": [2]}), "the column 'a' twice"),
        ("x", pd.DataFrame(), "no column"),
        ("x", pd.DataFrame({"a": [1, "b", object()]}), "'x' has a column without one type"),
        ("x", pd.DataFrame({"a": [2**70]}), "'x' has a column without one type"),
        ("x", pd.DataFrame({"a": pd.period_range("2025", periods=2, freq="M")}), "to_timestamp"),
        ("x", [1, 2], "'x' is a list"),
        ("x", "/etc/passwd", "'x' is a str"),
    ],
)
def test_bad_frames_are_named(name: str, frame: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ma.sql("select 1", **{name: frame})


@pytest.mark.parametrize(
    ("query", "params", "answer"),
    [
        ("select ? + ? as x", [1, 2], 3),
        ("select $a || $b as x", {"a": "it's", "b": '"'}, "it's\""),
        ("select ? as x", [np.float64(1.5)], 1.5),
        ("select list_contains(?, 'b') as x", [["a", "b"]], True),
        ("select list_sum(?) as x", [np.array([1, 2])], 3),
        ("select list_sum(?) as x", [pd.Series([1.0, 2.0])], 3.0),
        ("select ? as x", [np.timedelta64(5, "ns") * 200], pd.Timedelta("1us")),
        ("select date '2025-07-02' = ? as x", [np.datetime64("2025-07-02")], True),
        ("select date '2025-07-02' = ? as x", [dt.date(2025, 7, 2)], True),
        ("select date '2025-07-02' = ? as x", [pd.Timestamp("2025-07-02")], True),
        (
            "select timestamptz '2025-07-02 13:30Z' = ? as x",
            [pd.Timestamp("2025-07-02 09:30", tz="America/New_York")],
            True,
        ),
    ],
)
def test_params_are_values_and_never_sql(query: str, params: object, answer: object) -> None:
    assert ma.sql(query, params=params)["x"].item() == answer  # type: ignore[arg-type]


def test_bad_params_are_named() -> None:
    with pytest.raises(NaiveDatetimeError, match=r"params\[0\]"):
        ma.sql("select ?", params=[dt.datetime(2025, 7, 2, 9, 30)])
    with pytest.raises(NaiveDatetimeError, match=r"\$at"):
        ma.sql("select $at", params={"at": dt.datetime(2025, 7, 2, 9, 30)})
    for unit in ("s", "ns"):
        with pytest.raises(NaiveDatetimeError, match=r"params\[0\]"):
            ma.sql("select ?", params=[np.datetime64("2025-07-02T09:30", unit)])
    for params in ("x", 7):
        with pytest.raises(InvalidInputError, match="must be a list"):
            ma.sql("select ?", params=params)  # type: ignore[arg-type]
    for query, params in (("select ?", None), ("select ?", [1, 2]), ("select $a", {"b": 1})):
        with pytest.raises(InvalidInputError, match="query: "):
            ma.sql(query, params=params)  # type: ignore[arg-type]


REFUSED = [
    "insert into orders values (1)", "update orders set quantity = 0", "delete from orders",
    "create table t as select 1", "drop table orders", "alter table orders add column x int",
    "copy orders to '/tmp/mismartera.csv'", "copy (select 1) to '/tmp/x.parquet'",
    "export database '/tmp/x'", "import database '/tmp/x'", "attach '/tmp/x.db'", "detach memory",
    "install httpfs", "load httpfs", "set threads = 1", "reset threads", "set variable x = 1",
    "pragma database_list", "call pragma_version()", "use temp", "checkpoint", "vacuum",
    "create secret s (type s3)", "begin", "prepare p as select 1", "create macro m() as 1",
    "with x as (insert into orders values (1) returning *) from x",
    "with x as (delete from orders returning *) from x",
    "with x as (copy orders to '/tmp/mismartera.csv') select 1",
    "explain insert into orders values (1)", "explain analyze create table t as select 1",
    "from read_csv('/etc/passwd')", "select * from read_text('/etc/passwd')", "from glob('/etc/*')",
    "from read_parquet('https://example.com/x.parquet')", "from sniff_csv('/etc/passwd')",
    "from parquet_scan('x')", "from query('select 1')", "from query_table('orders')",
    "select (select count(*) from read_blob('/etc/passwd'))", "from main.read_csv('/etc/passwd')",
    "from arrow_scan(0::pointer, 0::pointer, 0::pointer)", "from duckdb_settings()",
    "from duckdb_secrets()", "from enable_logging()", "from histogram(orders, side)",
]  # fmt: skip


@pytest.mark.parametrize("query", REFUSED)
def test_what_does_not_read_tables_is_refused(query: str, tmp_path: Path) -> None:
    with pytest.raises(MismarteraError) as raised:
        ma.sql(query)
    assert isinstance(raised.value, NotAllowedError | InvalidInputError)
    message = str(raised.value)
    assert message.startswith("query")
    assert message.endswith(".")
    assert "\n" not in message
    assert not Path("/tmp/mismartera.csv").exists()


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "/etc/passwd.csv", "https://example.com/x.csv", "s3://b/x.parquet", "frame",
     "a.b.orders", "alembic_version", "sqlite_temp_master", "pg_catalog.pg_class.x"],
)  # fmt: skip
def test_files_urls_and_variables_are_no_tables(name: str) -> None:
    frame = pd.DataFrame({"a": [1]})  # a variable that a replacement scan would find
    quoted = name if name.startswith(("a.", "pg_")) else f'"{name}"'
    with pytest.raises(UnknownNameError, match="is not known"):
        ma.sql(f"select * from {quoted}")
    assert len(frame) == 1


def test_a_name_of_with_does_not_open_a_file_elsewhere() -> None:
    inner = '(with "/etc/passwd.csv" as (select 1) select count(*) from "/etc/passwd.csv")'
    with pytest.raises(NotAllowedError, match="reaches for a file"):
        ma.sql(f"select {inner}, * from '/etc/passwd.csv'")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("select 1; select 2", "2 statements"),
        ("select 1; drop table orders", "DROP|2 statements"),
        ("select * frm x", 'syntax error at or near "x"'),
        ("select 'a", "unterminated"),
        ("select '\ud800'", "half of a character"),
        ("select '\0'", "NUL"),
        ("select '" + "x" * 10_000_000 + "'", "10,000,009 characters"),
        ("select " + "(" * 5000 + "1" + ")" * 5000, "depth|deeply"),
        ("select " + "+".join(["1"] * 900), "depth|deeply"),
        ("pivot x on a using sum(b)", r"ON x IN"),
        ("select 'x'::int", "Could not convert string 'x'"),
        ("select error('said')", "said"),
        (7, "is a int, not text"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(query: object, message: str) -> None:
    with pytest.raises((InvalidInputError, NotAllowedError), match=message) as raised:
        ma.sql(query)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from ordrs", "table 'ordrs' is not known, did you mean 'orders'"),
        ("from bars_2d", r"no table 'bars_2d', did you mean 'bars_1d'\? \(it has bars_1d\)"),
        ("select clse from bars_1d", "column 'clse' is not known, did you mean 'close'"),
        ("select b.clse from bars_1d b", "column 'clse' is not known, did you mean 'close'"),
        ("from orders where side = byy", "column 'byy' is not known"),
        ("select summ(close) from bars_1d", "function 'summ' is not known, did you mean 'sum'"),
    ],
)
def test_unknown_names_suggest_the_nearest(books, prices, query: str, message: str) -> None:
    prices("AAPL", "2025-07-01", [200.0])
    with pytest.raises(UnknownNameError, match=message):
        ma.sql(query)


def test_without_a_database_or_bars_frames_still_work() -> None:
    assert ma.sql("select 1 as x")["x"].item() == 1
    with pytest.raises(UnknownNameError, match=r"bars has no table 'bars_1d' \(it is empty"):
        ma.sql("from bars_1d")
    for options in ({}, {"user": "ada"}):
        with pytest.raises(MismarteraError, match="mismartera db init"):
            ma.sql("from orders", **options)
    BarStore().write(make_minutes(), "1m")
    frame = pd.DataFrame({"x": [1]})
    assert ma.sql("show tables", mine=frame)["name"].tolist() == ["bars_1m", "mine"]


def test_a_query_can_be_stopped() -> None:
    ma.sql("select 1")  # what is imported the first time is not what is stopped
    begun = time.monotonic()
    stop = threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT))
    stop.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ma.sql(
                "select count(*) from range(10000000000) a, range(99) b where a.range = b.range * 7"
            )
    finally:
        stop.cancel()
    assert time.monotonic() - begun < 30


def test_what_does_not_fit_into_memory_goes_to_the_disk_or_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sql_module._LOCKED, "memory_limit", "20MB")
    monkeypatch.setitem(sql_module._LOCKED, "max_temp_directory_size", "1MB")
    with pytest.raises(StorageError, match="more memory"):
        ma.sql("select range, hash(range) as h from range(3000000) order by h")


def test_names_of_the_query_s_own_shadow_tables(books: Books) -> None:
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201))
    assert ma.sql("with orders as (select 7 as x) select x from orders")["x"].item() == 7
    assert ma.sql("with orders as (select count(*) as x from orders) from orders")["x"].item() == 1


def test_every_helper_s_frame_goes_in_and_comes_out_unchanged(books: Books, prices) -> None:
    prices("AAPL", "2025-07-01", [200.0, 205.0, 210.0])
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201),
                  ("2025-07-02 10:00", "AAPL", -4, 204, 1))  # fmt: skip
    given = {
        "a": ma.accounts(),
        "o": ma.orders(tz="America/New_York"),
        "f": ma.fills(),
        "p": ma.positions(at="2025-07-02"),
        "t": ma.round_trips(),
        "b": ma.bars("AAPL", "1d"),
        "none": ma.orders(symbols="AAPL", side="SELL", end="2025-07-01"),
    }
    for name, frame in given.items():
        found = ma.sql(f"from {name}", tz="America/New_York" if name == "o" else None, **given)
        pd.testing.assert_frame_equal(
            found, frame, check_dtype=False, check_categorical=False, check_index_type=False
        )
        assert not any(str(dtype) == "object" for dtype in found.dtypes)


SESSIONS = "select session, is_early_close from s where is_early_close order by session"


def test_sessions_are_a_table_with_their_label(books: Books) -> None:
    sessions = ma.trading_sessions("2025-11-24", "2025-12-31", exchange="NYSE")
    found = ma.sql(SESSIONS, s=sessions)
    assert found["session"].tolist() == [pd.Timestamp("2025-11-28"), pd.Timestamp("2025-12-24")]
    assert found["is_early_close"].dtype == bool


def test_calls_side_by_side_do_not_meet(books: Books) -> None:
    """Frames of one name in several threads, and users in several threads, stay apart."""
    record_trades(books.ada, ("2025-07-01 10:00", "AAPL", 10, 201))
    record_trades(books.bob, ("2025-07-01 10:00", "MSFT", 10, 201))

    def ask(number: int) -> tuple[int, str]:
        frame = pd.DataFrame({"x": [number]})
        with ma.as_user("ada" if number % 2 else "bob"):
            found = ma.sql("select x, symbol from f, orders", f=frame)
        return found["x"].item(), found["symbol"].item()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(12)))
    assert answers == [(i, "AAPL" if i % 2 else "MSFT") for i in range(12)]
