from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError
from mismartera_analytics.ledger.events import METHODS, transfers_of
from mismartera_analytics.ledger.lots import match_lots, open_positions
from tests.ledger.reference_lots import Book

START = pd.Timestamp("2025-01-06 15:00", tz="UTC")


def fills_of(*rows: tuple, symbol: str = "ABC") -> pd.DataFrame:
    """Build fills, one a day, from (signed quantity, price[, fee])."""
    return pd.DataFrame(
        {
            "symbol": [symbol] * len(rows),
            "side": ["BUY" if row[0] > 0 else "SELL" for row in rows],
            "quantity": [abs(float(row[0])) for row in rows],
            "price": [float(row[1]) for row in rows],
            "commission": [float(row[2]) if len(row) > 2 else 0.0 for row in rows],
            "filled_at": pd.DatetimeIndex(
                [START + pd.Timedelta(days=number) for number in range(len(rows))], tz="UTC"
            ),
        }
    )


def splits_of(*rows: tuple, symbol: str = "ABC") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": symbol,
            "action_type": "SPLIT",
            "ex_date": pd.to_datetime([row[0] for row in rows]),
            "ratio": [float(row[1]) for row in rows],
            "amount": np.nan,
        }
    )


def test_no_fills_give_empty_frames_with_columns():
    trades, lots = match_lots(fills_of())
    pd.testing.assert_frame_equal(trades, frames.TRADES.empty())
    pd.testing.assert_frame_equal(lots, frames.LOTS.empty())


# IRS Publication 550, "Identifying stock or bonds sold": without identification the first bought are
# the first sold. Bought 100 at $10 and 100 at $20, sold 150 at $30.
@pytest.mark.parametrize(
    ("method", "realized", "left"),
    [
        ("fifo", 100 * 20 + 50 * 10, 50 * 20),
        ("lifo", 100 * 10 + 50 * 20, 50 * 10),
        ("hifo", 100 * 10 + 50 * 20, 50 * 10),
        ("average", 150 * 15, 50 * 15),
    ],
)
def test_methods_choose_their_lots(method, realized, left):
    trades, lots = match_lots(fills_of((100, 10), (100, 20), (-150, 30)), method=method)
    assert trades["realized_pnl"].sum() == pytest.approx(realized)
    assert lots["cost_basis"].sum() == pytest.approx(left)


def test_hifo_of_shorts_closes_the_cheapest_first():
    trades, _ = match_lots(fills_of((-10, 50), (-10, 40), (-10, 45), (10, 30)), method="hifo")
    assert trades["entry_price"].tolist() == [40]


def test_short_through_zero_opens_a_long_lot():
    trades, lots = match_lots(fills_of((-100, 50, 1), (160, 40, 8)))
    assert trades["side"].tolist() == ["SELL"]
    assert trades["realized_pnl"].tolist() == [100 * 10 - 1 - 5]
    assert lots["quantity"].tolist() == [60]
    assert lots["cost_basis"].tolist() == [60 * 40 + 3]


def test_split_keeps_the_cost_and_counts_in_new_shares():
    trades, lots = match_lots(fills_of((100, 90), (-50, 50)), splits_of(("2025-01-07", 2)))
    assert lots[["quantity", "entry_price", "cost_basis"]].to_numpy().tolist() == [[150, 45, 6750]]
    assert trades[["quantity", "entry_price", "realized_pnl"]].to_numpy().tolist() == [
        [50, 45, 250]
    ]


def test_fill_before_the_split_on_the_ex_date_in_utc_is_told_apart_by_local_date():
    fills = fills_of((100, 90), (-100, 91))
    # 19:30 in New York on the eve of the ex-date is 00:30 UTC of the ex-date.
    fills.loc[1, "filled_at"] = pd.Timestamp("2025-01-07 00:30", tz="UTC")
    trades, _ = match_lots(fills, splits_of(("2025-01-07", 2)))
    assert trades["quantity"].tolist() == [100]


def test_symbol_change_carries_lots_over():
    old, new = fills_of((10, 100), symbol="FB"), fills_of((-10, 150), symbol="META")
    new["filled_at"] += pd.Timedelta(days=3)
    change = pd.DataFrame(
        {
            "symbol": ["FB"], "action_type": ["SYMBOL_CHANGE"], "ratio": [np.nan],
            "ex_date": pd.to_datetime(["2025-01-08"]), "amount": [np.nan], "new_symbol": ["META"],
        }
    )  # fmt: skip
    trades, lots = match_lots(pd.concat([old, new], ignore_index=True), change)
    assert trades[["symbol", "realized_pnl"]].to_numpy().tolist() == [["META", 500.0]]
    assert lots.empty


def test_accounts_stay_apart():
    fills = fills_of((10, 100), (-10, 110))
    fills["account_id"] = [1, 2]
    trades, lots = match_lots(fills)
    assert trades.empty
    assert lots["quantity"].tolist() == [10, -10]


def test_sums_of_decimals_close_exactly():
    _, lots = match_lots(fills_of((0.1, 10), (0.2, 10), (-0.3, 10)))
    assert lots.empty


@pytest.mark.parametrize(
    ("column", "value"),
    [("quantity", np.nan), ("quantity", 0.0), ("quantity", -1.0), ("quantity", np.inf),
     ("price", np.nan), ("side", "HOLD"), ("filled_at", pd.NaT)],
)  # fmt: skip
def test_broken_fills_are_refused_by_row(column, value):
    fills = fills_of((10, 100), (10, 100))
    fills.loc[1, column] = value
    with pytest.raises(InvalidOrderError, match="rows 1"):
        match_lots(fills)


def test_naive_times_and_unknown_methods_are_refused():
    fills = fills_of((10, 100))
    with pytest.raises(InvalidInputError, match="did you mean 'fifo'"):
        match_lots(fills, method="fif")
    fills["filled_at"] = fills["filled_at"].dt.tz_localize(None)
    with pytest.raises(InvalidInputError, match="aware"):
        match_lots(fills)


FILL = st.tuples(
    st.sampled_from(["fill"] * 6 + ["split"]),
    st.integers(1, 400),  # hundredths of a share
    st.sampled_from([-1, 1]),
    st.integers(100, 20_000),  # cents
    st.integers(0, 500),  # cents
    st.sampled_from([2.0, 3.0, 0.5, 1.5, 7.0]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(FILL, max_size=40), st.sampled_from(METHODS))
def test_kernel_agrees_with_a_plain_loop(steps, method):
    book = Book(method)
    rows, splits = [], []
    for number, (kind, size, sign, cents, fee, ratio) in enumerate(steps):
        day = (START + pd.Timedelta(days=number)).date()
        if kind == "split":
            book.split(ratio)
            splits.append((day, ratio))
        else:
            book.fill(sign * size / 100, cents / 100, fee / 100, number)
            rows.append((number, sign * size / 100, cents / 100, fee / 100))
    fills = fills_of(*(row[1:] for row in rows))
    fills["filled_at"] = pd.DatetimeIndex(
        [START + pd.Timedelta(days=row[0]) for row in rows], tz="UTC"
    )
    trades, lots = match_lots(fills, splits_of(*splits), method=method)
    tolerance = {"rel": 1e-9, "abs": 1e-7}
    assert lots["quantity"].sum() == pytest.approx(book.position, **tolerance)
    cost = book.cost + sum(lot.fee for lot in book.lots)
    assert lots["cost_basis"].sum() == pytest.approx(cost, **tolerance)
    realized = sum(trade[5] for trade in book.trades)
    assert trades["realized_pnl"].sum() == pytest.approx(realized, **tolerance)
    assert len(trades) == len(book.trades)
    theirs = sorted(book.trades, key=lambda trade: (trade[1], trade[0]))  # by exit, then entry
    ours = trades[["quantity", "entry_price", "exit_price", "realized_pnl"]].to_numpy()
    np.testing.assert_allclose(
        ours, np.array([trade[2:] for trade in theirs]).reshape(-1, 4), rtol=1e-7, atol=1e-7
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(FILL, min_size=1, max_size=30))
def test_every_method_gains_the_same_once_all_is_closed(steps):
    rows = [(s * q / 100, c / 100, f / 100) for kind, q, s, c, f, _ in steps]
    position = round(sum(row[0] for row in rows), 2)
    if position:
        rows.append((-position, 55.0, 1.0))
    gains = []
    for method in METHODS:
        trades, lots = match_lots(fills_of(*rows), method=method)
        assert lots.empty
        gains.append(trades["realized_pnl"].sum())
    cash = -sum(q * p + f for q, p, f in rows)
    np.testing.assert_allclose(gains, cash, rtol=1e-9, atol=1e-7)


def test_open_positions_sum_the_lots():
    frame = open_positions(fills_of((100, 10, 5), (100, 12), (-50, 20)))
    row = frame.iloc[0]
    assert (row["quantity"], row["cost_basis"]) == (150, pytest.approx(50 * 10 + 2.5 + 1200))
    assert row["average_price"] == pytest.approx(row["cost_basis"] / 150)


def with_orders(fills: pd.DataFrame) -> pd.DataFrame:
    return fills.assign(order_id=np.arange(1, len(fills) + 1))


def named(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_named_lots_are_closed_first_then_the_oldest():
    fills = with_orders(fills_of((100, 10), (100, 20), (100, 15), (-180, 30)))
    lots = named(order_id=[4, 4], opening_order_id=[2, 3], quantity=[100, 50])
    trades, left = match_lots(fills, method="specific", lots=lots)
    assert trades.sort_values("entry_price")[["entry_price", "quantity"]].to_numpy().tolist() == [
        [10, 30], [15, 50], [20, 100]
    ]  # fmt: skip
    assert left[["entry_price", "quantity"]].to_numpy().tolist() == [[10, 70], [15, 50]]
    by_day = named(order_id=[4], opened_on=["2025-01-07"], quantity=[100])
    trades, _ = match_lots(fills, method="specific", lots=by_day)
    assert trades["entry_price"].tolist() == [10, 20]


def test_named_lots_count_in_shares_at_the_exit_and_close_shorts():
    fills = with_orders(fills_of((-10, 100), (-10, 120), (20, 40)))
    lots = named(order_id=[3], opening_order_id=[2], quantity=[20])
    trades, _ = match_lots(fills, splits_of(("2025-01-08", 2)), method="specific", lots=lots)
    assert trades[["side", "quantity", "entry_price"]].to_numpy().tolist() == [["SELL", 20, 60]]


@pytest.mark.parametrize(
    ("lots", "message"),
    [
        (named(order_id=[4], opening_order_id=[2], quantity=[120]), "more shares .* gets 100.*rows 0"),
        (named(order_id=[4, 4], opening_order_id=[1, 2], quantity=[90, 100]), "rows 1"),
        (named(order_id=[4], opening_order_id=[5], quantity=[10]), "not opened before"),
        (named(order_id=[4], opened_on=["2025-01-01"], quantity=[10]), "not opened before"),
        (named(order_id=[9], opening_order_id=[1], quantity=[10]), "no such fill"),
        (named(order_id=[4], opening_order_id=[1], quantity=[np.nan]), "not positive"),
        (named(order_id=[4], opened_on=[None], quantity=[1]), "neither opened_on"),
        (named(order_id=[4], quantity=[1]), "needs the columns"),
    ],
)  # fmt: skip
def test_named_lots_that_are_not_there_are_refused(lots, message):
    fills = with_orders(fills_of((100, 10), (100, 20), (100, 15), (-180, 30), (50, 12)))
    with pytest.raises(InvalidInputError, match=message):
        match_lots(fills, method="specific", lots=lots)


def test_named_lots_need_their_method_and_the_orders():
    lots = named(order_id=[2], opening_order_id=[1], quantity=[10])
    with pytest.raises(InvalidInputError, match="method='specific' only"):
        match_lots(fills_of((10, 10), (-10, 20)), lots=lots)
    with pytest.raises(InvalidInputError, match="no column order_id"):
        match_lots(fills_of((10, 10), (-10, 20)), method="specific", lots=lots)


def flows_of(*rows: tuple) -> pd.DataFrame:
    """Build flows from (session, type, quantity, amount, acquired on)."""
    return pd.DataFrame(
        {"symbol": "ABC", "session": pd.to_datetime([row[0] for row in rows]),
         "flow_type": [row[1] for row in rows], "quantity": [float(row[2]) for row in rows],
         "amount": [float(row[3]) for row in rows],
         "acquired_on": pd.to_datetime([row[4] for row in rows])}
    )  # fmt: skip


def test_transferred_lots_keep_cost_and_age():
    moved = transfers_of(flows_of(("2025-01-07", "TRANSFER", 10, 500, "2019-03-01")))
    trades, lots = match_lots(fills_of((10, 80), (0.0001, 80), (-10, 90)), transfers=moved)
    assert trades[["entry_price", "realized_pnl"]].to_numpy().tolist() == [[50, 400]]
    assert trades["entry_at"].dt.date.astype(str).tolist() == ["2019-03-01"]
    assert lots["entry_price"].tolist() == [80, 80]


def test_lots_that_go_out_realise_nothing():
    moved = transfers_of(flows_of(("2025-01-08", "TRANSFER", -6, 999, None)))
    trades, lots = match_lots(fills_of((10, 80), (-4, 90)).iloc[:1], transfers=moved)
    assert trades.empty
    assert lots[["quantity", "entry_price"]].to_numpy().tolist() == [[4, 80]]


def test_cash_in_lieu_sells_the_fraction():
    moved = transfers_of(flows_of(("2025-01-08", "CASH_IN_LIEU", -0.5, 30, None)))
    trades, lots = match_lots(fills_of((101, 90)), splits_of(("2025-01-08", 1.5)), transfers=moved)
    assert trades[["quantity", "entry_price", "realized_pnl"]].to_numpy().tolist() == [[0.5, 60, 0]]
    assert lots["quantity"].tolist() == [151]


def test_two_symbols_that_swap_on_one_day_keep_their_lots():
    fills = pd.DataFrame(
        {
            "symbol": ["A", "B", "A"], "side": ["BUY", "BUY", "SELL"], "quantity": [10.0, 1.0, 1.0],
            "price": [10.0, 40.0, 50.0],
            "filled_at": pd.to_datetime(["2025-07-01 15:00", "2025-07-01 15:00", "2025-07-03 15:00"],
                                        utc=True),
        }
    )  # fmt: skip
    actions = pd.DataFrame(
        {"symbol": ["A", "B"], "action_type": "SYMBOL_CHANGE", "new_symbol": ["B", "A"],
         "ex_date": pd.to_datetime(["2025-07-03"] * 2), "ratio": np.nan, "amount": np.nan}
    )  # fmt: skip
    trades, lots = match_lots(fills, actions)
    assert trades[["symbol", "realized_pnl"]].to_numpy().tolist() == [["A", 10.0]]
    assert lots[["symbol", "quantity"]].to_numpy().tolist() == [["B", 10.0]]
