from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from mismartera_analytics.ledger.pnl_parts import FORMULAS
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.queries.explaining_columns import ORDERS, POSITIONS, ROUND_TRIPS
from mismartera_analytics.recording.flows import record_flows
from mismartera_analytics.recording.refresh import refresh_positions
from tests.world import record_cash, record_trades, when

DAYS = pd.bdate_range("2025-07-07", periods=30)


@pytest.fixture
def busy(books, prices):
    """Thirty sessions of two symbols: crosses, fees, a split, dividends, flows, transfers, a gap."""
    draw = np.random.default_rng(20250707)
    for symbol, first in (("AAPL", 200.0), ("MSFT", 400.0)):
        closes = first + np.cumsum(draw.normal(0, 3, len(DAYS)))
        if symbol == "AAPL":
            closes[15:] /= 2.0
        else:
            closes[20:23] = np.nan
        prices(symbol, "2025-07-07", [round(close, 2) for close in closes])
    day = f"{DAYS[15]:%Y-%m-%d}"
    record_actions(pd.DataFrame({"symbol": ["AAPL"], "action_type": "SPLIT", "ex_date": [day],
                                 "ratio": 2.0}))  # fmt: skip
    paid = {"symbol": ["AAPL", "MSFT"], "action_type": "CASH_DIVIDEND", "amount": [0.25, 0.8]}
    record_actions(pd.DataFrame({**paid, "ex_date": ["2025-07-16", "2025-07-23"]}))
    record_cash(
        books.ada, ("2025-07-07 08:00", "DEPOSIT", 50_000), ("2025-07-18 12:00", "WITHDRAWAL", -700),
        ("2025-07-25 12:00", "DIVIDEND", 3.1, "MSFT"), ("2025-07-28 12:00", "INTEREST", 1.5),
        ("2025-07-29 12:00", "FEE", -4.0), ("2025-07-30 12:00", "FEE", -1.0, "AAPL"),
    )  # fmt: skip
    moved = {"flow_type": "TRANSFER", "symbol": "AAPL", "amount": 1500.0, "quantity": 10.0}
    record_flows(pd.DataFrame({**moved, "occurred_at": [when("2025-07-10 10:00")]}), account=1)
    trades = []
    for k in range(60):
        symbol = "AAPL" if draw.random() < 0.5 else "MSFT"
        quantity = float(draw.integers(1, 12)) * (1 if draw.random() < 0.5 else -1)
        time = f"{DAYS[k // 2]:%Y-%m-%d} {10 + 3 * (k % 2)}:{int(draw.integers(10, 59))}"
        base = (200 if k < 30 else 100) if symbol == "AAPL" else 400
        trades.append((time, symbol, quantity, round(base + draw.normal(0, 4), 2), 1.0))
    record_trades(books.ada, *trades)
    refresh_positions()
    return books


def cells(draw: np.random.Generator, frame: pd.DataFrame, columns: list[str], count: int):
    for _ in range(count):
        row = frame.iloc[int(draw.integers(len(frame)))]
        yield row, columns[int(draw.integers(len(columns)))]


def test_a_hundred_random_cells_add_up(busy):
    draw = np.random.default_rng(1)
    checked = 0
    for method in ("fifo", "average", "hifo"):
        for freq in ("session", "week", "total"):
            asked = {"freq": freq, "method": method, "start": "2025-07-09"}
            whole = ma.pnl(account=1, **asked)
            parts = ma.pnl(account=1, by=["account", "symbol"], **asked)
            for frame in (whole, parts):
                for row, column in cells(draw, frame, list(FORMULAS), 4):
                    which = {}
                    if frame is parts:
                        is_cash = pd.isna(row["symbol"])
                        which = {"cash": True} if is_cash else {"symbol": row["symbol"]}
                    told = ma.explain("pnl", column=column, session=row["session"].date(),
                                      account=1, **which, **asked)  # fmt: skip
                    assert told.adds_up, str(told)
                    assert told.value == row[column] or (
                        pd.isna(row[column]) and math.isnan(told.value)
                    )
                    checked += 1
    for at in ("2025-07-15", "2025-07-28", "2025-08-06", None):
        held = ma.positions(account=1, at=at)
        for row, column in cells(draw, held, list(POSITIONS), 5):
            told = ma.explain("positions", column=column, account=1, symbol=row["symbol"], at=at)
            assert told.value == row[column]
            assert told.adds_up, str(told)
            checked += 1
    for method in ("fifo", "average"):
        trips = ma.round_trips(account=1, method=method)
        for row, column in cells(draw, trips, list(ROUND_TRIPS), 8):
            told = ma.explain(
                "round_trips", column=column, account=1, row=int(row.name), method=method
            )
            assert told.value == row[column]
            assert told.adds_up, str(told)
            checked += 1
    assert checked >= 100


def test_every_column_of_a_year_adds_up(busy):
    for column in FORMULAS:
        told = ma.explain("pnl", column=column, session="2025-08-15", freq="year", account=1)
        assert told.adds_up, str(told)


def test_named_lots_are_followed(busy):
    told = ma.orders(account=1, symbols="AAPL")
    closing = ma.round_trips(account=1, symbols="AAPL").iloc[-1]
    sale = told.loc[told["filled_at"] == closing["exit_at"]].iloc[0]
    earlier = told.loc[(told["side"] != sale["side"]) & (told["filled_at"] < sale["filled_at"])]
    for opener in earlier["order_id"].iloc[::-1]:
        lots = pd.DataFrame({"order_id": [sale["order_id"]], "opening_order_id": [opener]})
        named = {"method": "specific", "lots": lots.assign(quantity=1.0)}
        try:
            trips = ma.round_trips(account=1, symbols="AAPL", **named)
            break
        except InvalidInputError:  # that lot was closed before
            continue
    label = sale["filled_at"].tz_convert("America/New_York").date()
    for column in FORMULAS:
        which = {"account": 1, "session": label, "symbol": "AAPL", **named}
        assert ma.explain("pnl", column=column, **which).adds_up
    for row in range(len(trips)):
        which = {"account": 1, "symbol": "AAPL", "row": row, **named}
        assert ma.explain("round_trips", column="realized_pnl", **which).adds_up
    cost = ma.explain("positions", column="cost_basis", account=1, symbol="AAPL", at=label, **named)
    assert cost.adds_up


def test_the_balances_are_made_of_everything_recorded(busy):
    for column in ("cash_balance", "equity", "total_value", "buying_power"):
        told = ma.explain("accounts", column=column, account=1)
        assert told.adds_up, str(told)
    record_cash(busy.ada, ("2025-08-15 12:00", "DEPOSIT", 100))
    late = ma.explain("accounts", column="cash_balance", account=1)
    assert late.difference == pytest.approx(100)
    assert "100.00 off" in str(late)
    assert "refresh_positions" in str(late)


def test_orders_and_fills_say_where_their_numbers_come_from(books):
    orders = {"symbol": ["IBM"], "side": "BUY", "quantity": 30.0, "commission": 3.0,
              "status": "FILLED", "placed_at": [when("2025-07-01 10:00")],
              "broker_order_id": "o-1", "filled_quantity": 30.0}  # fmt: skip
    times = pd.DatetimeIndex([when("2025-07-01 10:01"), when("2025-07-01 10:02")])
    executed = {"broker_order_id": "o-1", "quantity": [10.0, 20.0], "price": [100.0, 103.0]}
    ma.record_orders(
        pd.DataFrame(orders),
        fills=pd.DataFrame({**executed, "filled_at": times}),
        account=books.ada,
    )
    order = int(ma.orders().iloc[0]["order_id"])
    for column in ORDERS:
        told = ma.explain("orders", column=column, order_id=order)
        assert told.adds_up, str(told)
    told = ma.explain("orders", column="average_fill_price", order_id=order)
    assert told.computed == pytest.approx((10 * 100 + 20 * 103) / 30)
    shared = ma.explain("fills", column="commission", fill_id=int(ma.fills()["fill_id"].iloc[1]))
    assert shared.value == pytest.approx(2.0)
    assert shared.adds_up
    assert "20 of 30 shares" in str(shared)


def test_it_is_shown_as_text_and_as_a_page_without_hostile_markup(busy):
    told = ma.explain("pnl", column="total", session="2025-07-29", account=1)
    assert str(told).startswith("total of pnl: session 2025-07-29, account 1, freq session")
    assert "add up" in str(told)
    page = told._repr_html_()
    assert "<script" not in page
    assert "<table" in page
    assert told.title in page
    assert len(told.fills) == 2
    assert set(told.lots["open_at"]) <= {"start", "end"}


def test_what_cannot_be_explained_is_refused_in_a_sentence(busy):
    with pytest.raises(InvalidInputError, match="did you mean 'pnl'"):
        ma.explain("pln", column="total")
    with pytest.raises(InvalidInputError, match="did you mean 'realized'"):
        ma.explain("pnl", column="realised", session="2025-07-29", account=1)
    with pytest.raises(InvalidInputError, match="the nearest: 2025-07-11 and 2025-07-14"):
        ma.explain("pnl", column="total", session="2025-07-12", account=1)
    with pytest.raises(InvalidInputError, match="symbls= is no key of pnl"):
        ma.explain("pnl", column="total", session="2025-07-29", account=1, symbls="AAPL")
    with pytest.raises(UnknownNameError, match="did you mean 'AAPL'"):
        ma.explain("pnl", column="total", session="2025-07-29", account=1, symbol="APPL")
    with pytest.raises(InvalidInputError, match="row=999"):
        ma.explain("round_trips", column="fees", row=999, account=1)
    with pytest.raises(UnknownNameError, match="order_id=12345"):
        ma.explain("orders", column="commission", order_id=12345)
    with ma.as_user("bob"), pytest.raises(UnknownNameError, match="account=1 is not known"):
        ma.explain("pnl", column="total", session="2025-07-29", account=1)
    with ma.as_user("bob"), pytest.raises(UnknownNameError):
        ma.explain("orders", column="commission", order_id=1)
