"""Cells that some function took for what they are not, or stumbled over: each told in a sentence."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import MismarteraError
from tests.faults.generated import cells as frames

HUGE = 10**5_000
NAN, SIGNALS = decimal.Decimal("NaN"), decimal.Decimal("sNaN")
MISSING_TIMES = (NAN, np.timedelta64("NaT"), np.datetime64("NaT"), None, pd.NA)
TIME = dt.time(1, tzinfo=dt.UTC)
FAR = np.datetime64("20240", "Y")
EDGE = dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5)))

TOLD = [
    ("record_orders", "symbol", HUGE, "orders: symbol is a whole number of thousands of digits"),
    ("record_orders", "filled_at", TIME, "filled_at is not a datetime with a time zone"),
    ("record_orders", "filled_at", np.array([1, 2]), "filled_at is not a datetime with a time zone"),
    ("record_flows", "occurred_at", [1], "occurred_at is not a datetime with a time zone"),
    ("record_orders", "currency", pd.Series([1]), "another currency than the account's"),
    ("record_orders", "currency", np.array(["USD", "USD"]), "another currency than the account's"),
    ("record_flows", "flow_type", HUGE, "flow_type is a whole number of thousands of digits"),
    ("record_actions", "ex_date", FAR, "outside of the years 1 to 9999"),
    ("record_instruments", "exchange_group", [], "exchange_group=.* must be text"),
    ("record_instruments", "valid_from", np.array([1, 2]), "valid_from of instrument 1"),
    ("record_instruments", "valid_from", FAR, "outside of the years 1 to 9999"),
    ("ingest_bars", "symbol", HUGE, "a whole number of thousands of digits"),
    ("ingest_bars", "timestamp", HUGE, "thousands of digits.*no session of the calendar"),
    ("ingest_bars", "open", HUGE, "a whole number of thousands of digits"),
    ("resample_bars", "symbol", HUGE, "a whole number of thousands of digits"),
    ("resample_bars", "symbol", SIGNALS, "the bars: symbol holds a signalling NaN"),
    ("resample_bars", "symbol", None, "column 'symbol' holds None"),
    ("resample_bars", "timestamp", TIME, "no instant"),
    ("resample_bars", "timestamp", EDGE, "outside of the years 1 to 9999"),
    ("backtest orders", "symbol", bytearray(b"x"), "row 0: symbol=bytearray"),
    ("backtest orders", "symbol", SIGNALS, "orders: symbol holds a signalling NaN"),
    ("backtest orders", "quantity", None, "row 0: quantity=nan must be a finite number"),
    ("backtest orders", "quantity", 10**400, "quantity must hold numbers"),
    ("backtest orders", "quantity", SIGNALS, "orders: quantity holds a signalling NaN"),
    ("backtest orders", "quantity", True, "quantity must hold numbers"),
    ("backtest orders", "quantity", np.True_, "quantity must hold numbers"),
    ("backtest orders", "quantity", np.timedelta64(5, "s"), "quantity must hold numbers"),
    ("backtest orders", "order_type", SIGNALS, "orders: order_type holds a signalling NaN"),
    ("backtest orders", "order_type", [1], r"row 0: order_type=\[1\] is unknown"),
    ("backtest orders", "price", pd.Timestamp("2024-01-02"), "price must hold numbers"),
    ("backtest bars", "symbol", SIGNALS, "bars: symbol holds a signalling NaN"),
    ("backtest bars", "symbol", bytearray(b"x"), "bars: column 'symbol' holds"),
    ("backtest bars", "symbol", HUGE, "bars: column 'symbol' holds a whole number of thousands"),
    ("backtest bars", "symbol", "\ud800", "bars: column 'symbol' holds"),
    ("backtest bars", "symbol", None, "bars: column 'symbol' holds None"),
    ("backtest bars", "session", 2**63, "bars: session must hold days"),
    ("backtest bars", "session", b"\xff\xfe", "bars: session must hold days"),
    ("backtest weights", "AAPL", 10**400, "weights must hold numbers"),
    ("backtest signals", "AAPL", HUGE, "'AAPL' is a whole number of thousands of digits"),
    ("backtest actions", "symbol", b"\xff\xfe", "actions: a column does not hold what it should"),
    ("backtest actions", "action_type", SIGNALS, "actions: action_type holds a signalling NaN"),
    ("backtest actions", "ex_date", True, "actions: a column does not hold"),
    ("backtest actions", "ex_date", 2**63, "actions: a column does not hold"),
    ("backtest actions", "ex_date", "AAPL", "actions: a column does not hold"),
    ("backtest actions", "ex_date", None, "the SPLIT of 'AAPL' has no ex_date .* \\(1 such rows"),
    ("backtest actions", "ex_date", FAR, "the SPLIT of 'AAPL' has no ex_date"),
    ("backtest actions", "ratio", "seven", "actions: a column does not hold"),
    ("sql", "symbol", "\ud800", "has a column without one type"),

]  # fmt: skip


def given(make, column, cell):
    frame = make()
    cells = frame[column].astype(object)
    cells.iloc[0] = None
    cells = cells.tolist()
    cells[0] = cell
    made = np.empty(len(cells), dtype=object)
    made[:] = None
    for row, one in enumerate(cells):
        made[row] = one
    return frame.assign(**{column: pd.Series(made, frame.index, dtype=object)})


@pytest.mark.parametrize(
    ("call", "column", "cell", "words"),
    TOLD,
    ids=[f"{call} {column} {at}" for at, (call, column, *_) in enumerate(TOLD)],
)
def test_an_odd_cell_is_told_in_a_sentence(demo_on_both, call, column, cell, words):
    make, use = frames.CALLS[call]
    with pytest.raises(MismarteraError, match=words):
        use(given(make, column, cell))


def test_decimals_that_no_query_reads(demo_on_both):
    for number, words in (
        ("Infinity", "without one type"),
        ("1e50", "a type that DuckDB does not know"),
    ):
        mine = pd.DataFrame({"a": [decimal.Decimal(number)]})
        with pytest.raises(MismarteraError, match=words):
            ma.sql("select * from mine", mine=mine)


@pytest.mark.parametrize("missing", MISSING_TIMES, ids=str)
def test_what_says_that_a_time_is_missing_is_no_time(demo_on_both, missing):
    """A NaN of any kind is read as None is: an order without a fill."""
    orders = frames.orders_frame().assign(
        status=["PENDING", "FILLED"], filled_quantity=[0.0, 5.0], average_fill_price=[np.nan, 451.0]
    )
    with ma.session_scope() as db_session:
        done = ma.record_orders(
            orders.assign(filled_at=pd.Series([missing, orders["filled_at"][1]], dtype=object)),
            account=1, db_session=db_session,
        )  # fmt: skip
        db_session.rollback()
    assert done.orders == 2


def test_a_currency_may_be_a_category(demo_on_both):
    orders = frames.orders_frame()
    for currency, words in (("USD", None), ("EUR", "another currency than the account's")):
        given = orders.assign(currency=pd.Categorical([currency] * len(orders), ordered=True))
        with ma.session_scope() as db_session:
            if words is None:
                assert ma.record_orders(given, account=1, db_session=db_session).orders == 2
            else:
                with pytest.raises(MismarteraError, match=words):
                    ma.record_orders(given, account=1, db_session=db_session)
            db_session.rollback()


@pytest.mark.parametrize("label", [HUGE, "x" * 5_000, "a\nb"], ids=["huge", "long", "of two lines"])
def test_a_row_is_named_in_short_whatever_its_label(demo_on_both, label):
    orders = frames.orders_frame().assign(quantity=[-1.0, 5.0])
    orders.index = pd.Index([label, 1], dtype=object)
    with pytest.raises(MismarteraError, match="orders whose quantity is not positive") as caught:
        ma.record_orders(orders, account=1)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_half_characters_and_huge_numbers_are_put_aside(demo_on_both):
    bars = given(frames.bars_frame, "symbol", "\ud800")
    bars["open"] = pd.Series([1.0, HUGE, 1.0], dtype=object)
    done = ma.ingest_bars(bars, "1d", on_bad="quarantine", progress=False)
    assert done.rows == 1
    text = done.quarantine.read_text()
    assert r"\ud800" in text
    assert "a whole number of thousands of digits" in text
