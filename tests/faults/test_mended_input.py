"""What generated input found, each by hand: one sentence, and nothing is written."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import gzip
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

import mismartera_analytics as ma
from mismartera_analytics.backtesting.costs import PerShare
from mismartera_analytics.backtesting.financing import Maintenance
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.calendars.files import export_holidays, import_holidays
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import (
    CalendarRangeError,
    InvalidBarsError,
    InvalidInputError,
    InvalidOrderError,
    MismarteraError,
    StorageError,
)
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.models import Fill
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.session_configs import load_session_config
from tests.faults.generated.samples import (
    actions_frame,
    bars_frame,
    fills_frame,
    flows_frame,
    instruments_frame,
    orders_frame,
)

ARRAY = np.array(["fifo", "lifo"])


@pytest.fixture
def account(ready_database: str) -> int:
    ma.create_user("ada", "ada@example.com", "secret")
    return create_account("ada", "schwab", account_number="1")


def recorders(account: int):
    return (
        (orders_frame, lambda frame: ma.record_orders(frame, account=account)),
        (fills_frame, lambda frame: ma.record_orders(orders_frame(), frame, account=account)),
        (flows_frame, lambda frame: ma.record_flows(frame, account=account)),
        (actions_frame, record_actions),
        (instruments_frame, record_instruments),
        (bars_frame, lambda frame: ma.ingest_bars(frame, "1d", progress=False)),
    )


def spoiled(frame: pd.DataFrame):
    first = frame.columns[0]
    yield pd.concat([frame, frame[[first]]], axis=1)
    yield pd.concat([frame], axis=1, keys=["level"])
    for value in (decimal.Decimal("sNaN"), "\ud800", [1], {"a": 1}, object(), 10**400, 1j):
        yield frame.assign(**{first: pd.Series([value] * len(frame), frame.index, dtype=object)})
    yield frame.rename(columns={first: 5})


def test_tables_that_no_rule_can_be_asked_of(account):
    for make, record in recorders(account):
        for frame in spoiled(make()):
            with contextlib.suppress(MismarteraError):
                record(frame)
        for other in (5, "x", [1], make().iloc[:, 0]):
            with pytest.raises(MismarteraError):
                record(other)
        for frame in list(spoiled(make()))[:3]:
            with pytest.raises(MismarteraError):
                record(frame)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ma.pnl(method=ARRAY), lambda: ma.pnl(by=5), lambda: ma.pnl(max_price_age="x"),
        lambda: ma.positions(side=ARRAY), lambda: ma.fills(symbols=5), lambda: ma.orders(broker={}),
        lambda: ma.orders(user=10**30), lambda: ma.accounts(account=10**30), lambda: ma.orders(user=ARRAY),
        lambda: ma.orders(user=np.timedelta64(1, "D")), lambda: ma.orders(user="\ud800"),
        lambda: ma.explain(ARRAY, column="x"), lambda: ma.explain("orders", column=ARRAY, order_id=1),
        lambda: ma.trading_calendar(["NYSE"]), lambda: ma.trading_calendar("NYSE", {}),
        lambda: ma.verify_report(["x"]), lambda: ma.verify_report("a\0b"), lambda: ma.rerun(10**30),
        lambda: ma.bars("AAPL", columns=5), lambda: ma.bars(5), lambda: ma.bars("AAPL", columns=[{}]),
        lambda: ma.returns(by=ARRAY), lambda: ma.contributions(flow_timing=ARRAY),
        lambda: ma.reconcile(1, cash={}), lambda: ma.reconcile(1, reported=decimal.Decimal(1)),
        lambda: ma.import_orders(5, account=1), lambda: ma.import_orders("x" * 5_000, account=1),
        lambda: ma.import_orders("a\0b", account=1), lambda: ma.import_orders("x", account=1, broker=ARRAY),
        lambda: load_session_config(np.datetime64("2024-01-02")), lambda: load_session_config(5),
        lambda: export_holidays("x.csv", "NYSE", year=pd.Timestamp("2024")),
        lambda: ma.trading_calendar("NYSE").is_open("2024-01-02T15:00Z", phase=0.5),
        lambda: ma.configure(strategy_packages=decimal.Decimal(1)), lambda: ma.report(formats=5),
        lambda: ma.audit_bars("AAPL", "1d", limits=ARRAY),
        lambda: ma.trading_calendar("NYSE").is_open("2024-01-02T15:00Z", phase=pd.Series([1, 2])),
        lambda: ma.trading_calendar("NYSE").is_open("2024-01-02T15:00Z", phase=[pd.DataFrame({"a": [1, 2]})]),
        lambda: ma.sql("from mine", mine=pd.DataFrame([[1, 2]], columns=["close", "close"])),
        lambda: ma.doctor(fix=pd.DataFrame({"a": [1]})),
        lambda: ma.doctor(progress=ARRAY), lambda: ma.fills(side=ARRAY),
        lambda: ma.create_user("eve", "eve@example.com", "pw", superuser=(True,)),
        lambda: ma.minimum_track_record_length([10**400, 1]),
        lambda: ma.performance_summary([0.01, 0.02], risk_free=10**400, periods_per_year=252),
        lambda: ma.confidence_intervals([0.01, 0.02], risk_free=10**400, periods_per_year=252),
        lambda: ma.trading_calendar("NYSE").offset("2024-01-02", [1, [2, 3], 4]),
        lambda: ma.trading_calendar("NYSE").offset("2024-01-02", 2.0),
        lambda: ma.positions(lots=pd.Timestamp("2024-01-02"), method="specific", at="2024-01-02"),
        lambda: ma.positions(lots=5), lambda: ma.fills(tz=pd.DataFrame({"a": [decimal.Decimal("sNaN")]})),
        lambda: Maintenance(long=10**400), lambda: Maintenance(short=10**400), lambda: PerShare(10**400),
    ],
)  # fmt: skip
def test_arguments_of_another_kind(account, call):
    with pytest.raises(MismarteraError):
        call()


def test_a_row_that_ends_before_a_mapped_column_is_refused(account, tmp_path: Path):
    path = tmp_path / "own.csv"
    path.write_text("Day,,What,Ticker,,Shares,Paid\n2025-07-02,x,Buy,IBM,x\n")
    mapping = {"filled_at": "Day", "side": "What", "symbol": "Ticker", "quantity": "Shares",
               "price": "Paid"}  # fmt: skip
    with pytest.raises(InvalidOrderError, match=r"line 2.*may be cut off"):
        ma.import_orders(path, account=account, broker="elsewhere", mapping=mapping)


def test_a_number_that_fills_a_page_is_no_number(ready_database):
    bars = bars_frame()
    bars["close"] = bars["close"].astype(object)
    for cell in ("9" * 2_000_000, b"\xff"):
        bars.loc[0, "close"] = cell
        began = time.process_time()
        with pytest.raises(InvalidBarsError):
            ma.ingest_bars(bars, "1d", progress=False)
        assert time.process_time() - began < 2


def test_labels_of_rows_may_be_anything(account):
    odd = pd.Index(["\ud800"], dtype=object)
    at = pd.Timestamp("2025-07-02 10:00", tz="America/New_York")
    order = {"symbol": ["IBM"], "side": ["BUY"], "quantity": [0.0], "placed_at": [at]}
    with pytest.raises(InvalidOrderError, match="quantity is not positive"):
        ma.record_orders(pd.DataFrame(order, index=odd), account=account)
    order["quantity"] = [1.0]
    assert ma.record_orders(pd.DataFrame(order, index=odd), account=account).orders == 1


def test_a_zone_that_is_none_is_told(ready_database, capsys):
    ma.ingest_bars(bars_frame(), "1d", progress=False)
    assert command(["bars", "list", "--tz", "Moon/Base"]) == 2
    assert "'Moon/Base'" in capsys.readouterr().err


def test_a_parquet_files_notes_are_not_believed(ready_database, tmp_path: Path):
    path = tmp_path / "AAPL.parquet"
    table = pa.Table.from_pandas(bars_frame())
    for notes in ("{", json.dumps({"columns": [{}], "index_columns": ["x"]}), b"\xd8"):
        pq.write_table(table.replace_schema_metadata({"pandas": notes}), path)
        assert ma.ingest_bars(path, "1d", progress=False).rows in (0, 3)
    path.write_bytes(path.read_bytes()[:-200] + b"\xb6" * 200)
    with pytest.raises(StorageError):
        ma.ingest_bars(path, "1d", progress=False)


def test_files_are_read_up_to_a_bound(ready_database, tmp_path: Path):
    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        file.write(b"symbol\n")
        for _ in range(70):
            file.write(b"A" * 1_000_000)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(InvalidInputError, match="unpacks to more than 64 million"):
        record_instruments(bomb)
    long = tmp_path / "long.csv"
    with long.open("wb") as file:
        file.truncate(65_000_000)
    for read in (record_instruments, lambda path: import_holidays(path, "NYSE")):
        with pytest.raises(InvalidInputError, match="longer than 64 million bytes"):
            read(long)
    with pytest.raises(InvalidInputError, match="longer than 64 million bytes"):
        record_instruments("/dev/zero")
    with pytest.raises(StorageError):
        record_instruments("https://example.com/instruments.csv")


def test_a_multiplier_beyond_all_numbers(ready_database):
    frame = instruments_frame()
    frame["multiplier"] = pd.Series([10**400, 1], dtype=object)
    with pytest.raises(InvalidInputError, match=r"multiplier=1000.* must be a positive number"):
        record_instruments(frame)


def test_a_huge_decimal_beside_a_whole_number_takes_no_time(account):
    bars = bars_frame()
    cells = [0, decimal.Decimal("1e999999"), *([0.5] * (len(bars) - 2))]
    bars["low"] = pd.Series(cells, bars.index, dtype=object)
    orders = orders_frame().assign(
        quantity=pd.Series([0, decimal.Decimal("1e999999")], dtype=object)
    )
    began = time.process_time()
    with pytest.raises(InvalidBarsError):
        ma.ingest_bars(bars, "1d", progress=False)
    with pytest.raises(InvalidOrderError, match="quantity is not a finite number"):
        ma.record_orders(orders, account=account)
    assert time.process_time() - began < 2


def test_half_a_character_is_no_time(account):
    for frame, record, column in (
        (flows_frame(), ma.record_flows, "occurred_at"), (orders_frame(), ma.record_orders, "placed_at"),
    ):  # fmt: skip
        frame[column] = pd.Series(["\udfff"] * len(frame), dtype=object)
        with pytest.raises(InvalidOrderError, match=f"{column} is not a datetime"):
            record(frame, account=account)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("order_id", "x"), ("order_id", 10**400), ("opening_order_id", 1.5), ("fill_id", [1]), ("quantity", "x"),
     ("opened_on", "2012-13-45"), ("opened_on", 5), ("opened_on", "\ud800")],
)  # fmt: skip
def test_named_lots_whose_cells_are_none(account, column, cell):
    orders = orders_frame().iloc[:1].assign(status="FILLED")
    ma.record_orders(orders, fills_frame().iloc[:1], account=account)
    row = {"order_id": 1, "quantity": 5.0, "opened_on": "2013-02-28"} | {column: cell}
    lots = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})
    with pytest.raises(InvalidInputError, match=r"lots"):
        ma.round_trips(method="specific", lots=lots)


@pytest.mark.parametrize("value", [2**31, 10**30, -1, np.timedelta64(1, "D"), 1.5])
def test_ages_that_no_price_can_have(account, value):
    orders, fills = orders_frame().iloc[:1], fills_frame().iloc[:1]
    ma.record_orders(orders, fills, account=account)
    keys = {"session": "2013-02-28", "column": "total"}
    for use in (
        ma.pnl,
        ma.returns,
        ma.contributions,
        lambda **age: ma.explain("pnl", account=account, **keys, **age),
    ):
        with pytest.raises(InvalidInputError, match="max_price_age"):
            use(max_price_age=value)


@pytest.mark.parametrize("label", ["9999-12-31", "0001-01-01"])
def test_the_edges_of_the_calendar(account, label):
    ma.record_orders(orders_frame(), account=account)
    everything = len(ma.orders(account=account))
    assert len(ma.orders(account=account, end=label)) == (everything if label[0] == "9" else 0)
    assert len(ma.orders(account=account, start=label)) == (0 if label[0] == "9" else everything)
    beyond = {"9": "9999-12-31T23:59:59-05:00", "0": "0001-01-01T00:00:00+05:00"}[label[0]]
    for use in (ma.orders, ma.fills, ma.round_trips):
        with pytest.raises(InvalidInputError, match="lies outside the years 1 to 9999 in UTC"):
            use(start=beyond)


def test_an_array_of_no_dimension_is_no_list(account, tmp_path: Path):
    alone = np.array("x")
    for use in (
        lambda: ma.report(runs=alone, out=tmp_path), lambda: ma.report(out=orders_frame()),
        lambda: ma.trading_sessions("2024-01-02", "2024-01-03", exchange=alone),
        lambda: ma.backtest(MovingAverageCross, alone, "2012-01-03"),
        lambda: ma.sweep(MovingAverageCross, {"fast": [2]}, alone, "2012-01-03"),
        lambda: ma.sweep(MovingAverageCross, alone, "AAPL", "2012-01-03"),
        lambda: ma.tear_sheet(pd.Series([0.01], pd.to_datetime(["2024-01-02"])), tmp_path / "x.html", title="\udfff"),
    ):  # fmt: skip
        with pytest.raises(MismarteraError):
            use()
    assert not [*tmp_path.glob("*.html"), *tmp_path.glob("*.part")]


def test_truths_that_are_all_missing_are_no_times(ready_database):
    bars = bars_frame().assign(timestamp=pd.array([None] * len(bars_frame()), dtype="boolean"))
    with pytest.raises(InvalidInputError):
        ma.resample_bars(bars, "1h", calendar="NYSE")


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00+05:00", "0001-06-01T00:00:00Z", "1899-12-31T00:00:00Z"]
)
def test_times_before_any_record(account, when):
    cells = pd.Series([when] * 2, dtype=object)
    with pytest.raises(InvalidOrderError, match="placed_at lies before 1900"):
        ma.record_orders(orders_frame().assign(placed_at=cells, filled_at=None), account=account)


def test_bars_at_the_edges_of_the_calendar_and_at_bytes(ready_database):
    bars = bars_frame()
    beyond = dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    aware = pd.to_datetime(bars["timestamp"]).dt.tz_localize("UTC")
    for cell, others in (
        (beyond, aware), ("9999-12-31T23:59:59-05:00", aware), ("9999-12-31", bars["timestamp"]),
        ("0001-01-01", bars["timestamp"]), (b"\xff\xfe", bars["timestamp"]), ("\udfff", bars["timestamp"]),
    ):  # fmt: skip
        given = bars.assign(timestamp=pd.Series([cell, *others[1:]], bars.index, dtype=object))
        with pytest.raises(InvalidBarsError):
            ma.ingest_bars(given, "1d", progress=False)
        done = ma.ingest_bars(given, "1d", on_bad="quarantine", progress=False)
        assert done.rows == len(bars) - 1


@pytest.mark.parametrize(
    ("row", "said"),
    [("01/04/2062,Buy,IBM,10,200", "lies in the future"), ("01/04/0001,Buy,IBM,10,200", "lies before 1900"),
     ("01/04/2012,Buy,IBM,-10,200", "is negative in a purchase")],
)  # fmt: skip
def test_rows_that_no_broker_writes_are_told_by_their_line(account, tmp_path: Path, row, said):
    path = tmp_path / "own.csv"
    path.write_text(f"Day,What,Ticker,Shares,Paid\n{row}\n")
    mapping = {
        "filled_at": "Day",
        "side": "What",
        "symbol": "Ticker",
        "quantity": "Shares",
        "price": "Paid",
    }
    with pytest.raises(InvalidOrderError, match=rf"line 2.*{said}"):
        ma.import_orders(path, account=account, broker="elsewhere", mapping=mapping)


def test_a_fill_of_the_year_one_is_told_by_every_helper(account):
    ma.record_orders(orders_frame(), fills_frame(), account=account)
    with ma.session_scope() as db_session:
        db_session.execute(update(Fill).values(filled_at=dt.datetime(1, 1, 1, tzinfo=dt.UTC)))
    for use in (ma.pnl, ma.round_trips, ma.returns, lambda: ma.positions(at="2013-03-01")):
        with pytest.raises(CalendarRangeError, match="from 0001-01-01"):
            use()
