from __future__ import annotations

import datetime as dt
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.ledger.daily import daily_ledger, without_cash
from mismartera_analytics.ledger.events import METHODS
from mismartera_analytics.ledger.lots import match_lots
from mismartera_analytics.ledger.periods import FREQUENCIES, pnl_frame
from tests.ledger.reference_lots import Book

SESSIONS = pd.bdate_range("2025-01-06", periods=15)
FLOWS = ["account_id", "flow_type", "session", "amount", "symbol"]
AMOUNTS = [
    "begin_value",
    "flows",
    "realized",
    "unrealized",
    "dividends",
    "fees",
    "total",
    "end_value",
]


def fills_frame(*rows: tuple) -> pd.DataFrame:
    """Build fills from (session number, account, symbol, signed quantity, price, fee)."""
    return pd.DataFrame(
        {
            "account_id": pd.array([row[1] for row in rows], dtype="Int64"),
            "symbol": pd.Series([row[2] for row in rows], dtype="str"),
            "side": ["BUY" if row[3] > 0 else "SELL" for row in rows],
            "quantity": np.array([abs(row[3]) for row in rows], float),
            "price": np.array([row[4] for row in rows], float),
            "commission": np.array([row[5] for row in rows], float),
            "session": pd.DatetimeIndex([SESSIONS[row[0]] for row in rows]),
            "filled_at": pd.DatetimeIndex(
                [SESSIONS[row[0]] + pd.Timedelta(hours=15) for row in rows]
            ).tz_localize("UTC"),
        }
    )


def prices_frame(closes: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        (symbol, session, close)
        for symbol, values in closes.items()
        for session, close in zip(SESSIONS, values, strict=False)
        if close is not None
    ]
    return pd.DataFrame(rows, columns=["symbol", "session", "close"])


def actions_frame(*rows: tuple) -> pd.DataFrame:
    """Build actions from (session number, symbol, "SPLIT" or "CASH_DIVIDEND", number)."""
    return pd.DataFrame(
        {
            "symbol": [row[1] for row in rows],
            "action_type": [row[2] for row in rows],
            "ex_date": pd.DatetimeIndex([SESSIONS[row[0]] for row in rows]),
            "ratio": [row[3] if row[2] == "SPLIT" else np.nan for row in rows],
            "amount": [row[3] if row[2] != "SPLIT" else np.nan for row in rows],
        }
    )


def flows_frame(*rows: tuple) -> pd.DataFrame:
    """Build flows from (session number, account, type, amount[, symbol])."""
    table = [(row[1], row[2], SESSIONS[row[0]], row[3], *row[4:5]) for row in rows]
    table = [row if len(row) == 5 else (*row, None) for row in table]
    return pd.DataFrame(table, columns=FLOWS)


def check_identities(frame: pd.DataFrame) -> None:
    parts = frame["realized"] + frame["unrealized"] + frame["dividends"] - frame["fees"]
    scale = frame[AMOUNTS].abs().max(axis=1).fillna(0) + 1
    assert ((frame["total"] - parts).abs() <= 1e-9 * scale).all()
    gap = frame["begin_value"] + frame["flows"] + frame["total"] - frame["end_value"]
    known = frame["total"].notna()
    assert (gap[known].abs() <= 1e-9 * scale[known]).all()


def test_hand_worked_week():
    """Buy 100 at 50, fee 1; 2:1 split; dividend of 0.5; sell 100 at 27, fee 2."""
    accounts, symbols, cash = daily_ledger(
        fills_frame((0, 1, "ABC", 100, 50, 1), (3, 1, "ABC", -100, 27, 2)),
        prices_frame({"ABC": [52, 26.5, 26, 27.5]}),
        SESSIONS[:4],
        actions=actions_frame((1, "ABC", "SPLIT", 2.0), (2, "ABC", "CASH_DIVIDEND", 0.5)),
        flows=flows_frame((0, 1, "DEPOSIT", 10_000.0)),
    )
    frame = pnl_frame(accounts)
    columns = ["begin_value", "flows", "realized", "unrealized", "dividends", "fees", "end_value"]
    expected = [
        [0, 10_000, 0, 200, 0, 1, 10_199],
        [10_199, 0, 0, 100, 0, 0, 10_299],
        [10_299, 0, 0, -100, 100, 0, 10_299],
        # sold 100 of 200 that cost 25: realised 200; open gain from 200 * 1 to 100 * 2.5
        [10_299, 0, 200, 50, 0, 2, 10_547],
    ]
    np.testing.assert_allclose(frame[columns].to_numpy(), expected)
    assert frame["cumulative"].tolist() == [199, 299, 299, 547]
    by_symbol = pnl_frame(symbols, cash, freq="total")
    assert by_symbol["symbol"].fillna("").tolist() == ["ABC", ""]
    assert by_symbol["end_value"].tolist() == [2_750, 7_797]
    assert by_symbol["total"].sum() == 547


def test_the_account_moves_while_a_position_is_held():
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0)), prices_frame({"ABC": [100, 90, 120]}), SESSIONS[:3]
    )
    assert pnl_frame(accounts)["total"].tolist() == [0, -100, 300]


def test_dividend_goes_to_who_held_before_the_ex_date_and_the_short_pays():
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0), (2, 1, "ABC", 90, 100, 0),
                    (0, 2, "ABC", -10, 100, 0)),
        prices_frame({"ABC": [100] * 3}), SESSIONS[:3],
        actions=actions_frame((2, "ABC", "CASH_DIVIDEND", 1.0)),
    )  # fmt: skip
    frame = pnl_frame(accounts, freq="total")
    assert frame["dividends"].tolist() == [10, -10]


def test_a_recorded_dividend_stands_for_the_computed_one():
    accounts, symbols, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0), (0, 2, "ABC", 10, 100, 0)),
        prices_frame({"ABC": [100] * 6}), SESSIONS[:6],
        actions=actions_frame((2, "ABC", "CASH_DIVIDEND", 1.0)),
        flows=flows_frame((5, 1, "DIVIDEND", 8.5, "ABC")),
    )  # fmt: skip
    assert pnl_frame(accounts, freq="total")["dividends"].tolist() == [8.5, 10]
    assert pnl_frame(symbols, freq="total")["dividends"].tolist() == [8.5, 10]


def test_price_is_carried_then_missing_then_heals_and_never_zero():
    closes = [100.0] + [None] * 7 + [110.0, 110.0]
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0)), prices_frame({"ABC": closes}), SESSIONS[:10],
        flows=flows_frame((0, 1, "DEPOSIT", 1000.0)),
    )  # fmt: skip
    frame = pnl_frame(accounts)
    assert frame["end_value"].fillna(-1).tolist() == [1000] * 6 + [-1, -1] + [1100, 1100]
    assert frame["price_age"].fillna(-1).tolist() == [0, 1, 2, 3, 4, 5, -1, -1, 0, 0]
    assert frame["cumulative"].iloc[-1] == 100
    assert pnl_frame(accounts, freq="total")["total"].tolist() == [100]


def test_price_carried_over_a_split_is_divided():
    _, symbols, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0)), prices_frame({"ABC": [100.0, None, 51.0]}),
        SESSIONS[:3], actions=actions_frame((1, "ABC", "SPLIT", 2.0)),
    )  # fmt: skip
    assert pnl_frame(symbols)["end_value"].tolist() == [1000, 1000, 1020]


def test_a_symbol_without_any_price_is_missing_while_held_and_settles_when_sold():
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "XYZ", 10, 5, 0), (2, 1, "XYZ", -10, 6, 0)),
        prices_frame({"ABC": [1.0]}), SESSIONS[:4], flows=flows_frame((0, 1, "DEPOSIT", 100.0)),
    )  # fmt: skip
    frame = pnl_frame(accounts)
    assert frame["end_value"].fillna(-1).tolist() == [-1, -1, 110, 110]
    assert pnl_frame(accounts, freq="total")["total"].tolist() == [10]


def test_transferred_lots_are_a_flow_at_market_value_with_their_own_cost():
    flows = flows_frame((0, 1, "TRANSFER", 400.0, "ABC"))
    flows["quantity"] = 10.0
    accounts, symbols, cash = daily_ledger(
        fills_frame((2, 1, "ABC", -10, 60, 0)),
        prices_frame({"ABC": [50.0, 55.0, 58.0]}), SESSIONS[:3], flows=flows,
    )  # fmt: skip
    frame = pnl_frame(accounts)
    assert frame["flows"].tolist() == [500, 0, 0]
    assert frame["total"].tolist() == [0, 50, 50]
    assert frame["realized"].tolist() == [0, 0, 200]
    check_identities(frame)
    check_identities(pnl_frame(symbols, cash))


def test_a_transfer_without_a_price_stays_in_its_own_account_and_out_of_cash():
    flows = flows_frame((0, 1, "TRANSFER", 400.0, "XYZ"), (0, 1, "DEPOSIT", 70.0, None))
    flows["quantity"] = [10.0, np.nan]
    accounts, _, cash = daily_ledger(
        fills_frame((1, 2, "ABC", -10, 60, 0)), prices_frame({"ABC": [50.0, 55.0, 58.0]}),
        SESSIONS[:3], flows=flows,
    )  # fmt: skip
    frame = pnl_frame(accounts).set_index("account_id")
    assert frame.loc[1, "end_value"].isna().all()
    assert frame.loc[2, "end_value"].tolist() == [50, 20]
    assert frame.loc[2, "cumulative"].tolist() == [50, 20]
    money = pnl_frame(cash).set_index("account_id")["end_value"]
    assert money.tolist() == [70, 70, 70, 600, 600]


def test_the_size_of_one_account_does_not_blur_another():
    flows = flows_frame((0, 1, "DEPOSIT", 1e15 / 3, None), (0, 2, "DEPOSIT", 0.1, None))
    accounts, _, _ = daily_ledger(fills_frame(), prices_frame({}), SESSIONS[:2], flows=flows)
    frame = pnl_frame(accounts)
    assert frame["end_value"].tolist() == [1e15 / 3, 1e15 / 3, 0.1, 0.1]


def test_idle_positions_have_no_rows():
    _, symbols, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 5, 0), (1, 1, "ABC", -10, 6, 0), (8, 1, "ABC", 1, 6, 0)),
        prices_frame({"ABC": [5.0] * 10}), SESSIONS[:10],
    )  # fmt: skip
    assert pnl_frame(symbols)["session"].tolist() == [SESSIONS[i] for i in (0, 1, 8, 9)]


def test_nothing_gives_an_empty_frame():
    accounts, symbols, cash = daily_ledger(fills_frame(), prices_frame({}), SESSIONS[:3])
    for frame in (pnl_frame(accounts), pnl_frame(symbols, cash)):
        pd.testing.assert_frame_equal(frame, frames.PNL.empty())


def test_what_comes_after_the_sessions_is_refused():
    with pytest.raises(InvalidInputError, match="2025-01-06"):
        daily_ledger(fills_frame((4, 1, "ABC", 1, 1, 0)), prices_frame({}), SESSIONS[:1])
    with pytest.raises(InvalidInputError, match="ascending"):
        daily_ledger(fills_frame(), prices_frame({}), SESSIONS[::-1])


def test_ranges_and_frequencies_name_what_is_allowed():
    accounts, _, _ = daily_ledger(fills_frame(), prices_frame({}), SESSIONS[:3])
    with pytest.raises(InvalidInputError, match="did you mean 'month'"):
        pnl_frame(accounts, freq="monthly")
    with pytest.raises(InvalidInputError, match="comes after"):
        pnl_frame(accounts, start=dt.date(2025, 2, 1), end=dt.date(2025, 1, 1))


def test_a_range_begins_with_the_value_before_it():
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 100, 0)), prices_frame({"ABC": [100, 90, 120, 130]}),
        SESSIONS[:4], flows=flows_frame((0, 1, "DEPOSIT", 1000.0)),
    )  # fmt: skip
    frame = pnl_frame(accounts, start=SESSIONS[2].date(), end=SESSIONS[3].date())
    assert frame["begin_value"].tolist() == [900, 1200]
    assert frame["cumulative"].tolist() == [300, 400]


STEP = st.one_of(
    st.tuples(st.just("fill"), st.integers(1, 2), st.sampled_from("AB"), st.sampled_from([-1, 1]),
              st.integers(1, 300), st.integers(500, 9_900), st.integers(0, 300)),
    st.tuples(st.just("flow"), st.integers(1, 2),
              st.sampled_from(["DEPOSIT", "WITHDRAWAL", "INTEREST", "FEE"]), st.integers(1, 9_999)),
)  # fmt: skip
DAY = st.tuples(
    st.lists(STEP, max_size=4),
    st.sampled_from([None, None, None, ("A", "SPLIT", 2.0), ("A", "CASH_DIVIDEND", 0.37),
                     ("B", "SPLIT", 1.5), ("B", "CASH_DIVIDEND", 1.25)]),
    st.tuples(st.integers(500, 9_900), st.integers(500, 9_900)),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    st.lists(DAY, min_size=1, max_size=len(SESSIONS)),
    st.sampled_from(METHODS),
    st.sampled_from(FREQUENCIES),
)
def test_ledger_agrees_with_a_plain_loop(script, method, freq):
    books: dict[tuple, Book] = defaultdict(lambda: Book(method))
    outside = defaultdict(float)
    own = defaultdict(float)  # interest and fees of the account itself
    fills, flows, actions, closes = [], [], [], {"A": [], "B": []}
    worth = []  # (session number, account, value)
    seen = set()
    for number, (steps, action, marks) in enumerate(script):
        if action:
            symbol, kind, value = action
            actions.append((number, symbol, kind, value))
            for (_, held), book in books.items():
                if held == symbol:
                    book.split(value) if kind == "SPLIT" else book.dividend(value)
        for step in steps:
            seen.add(step[1])
            if step[0] == "fill":
                _, account, symbol, side, size, cents, fee = step
                row = (side * size / 100, cents / 100, fee / 100)
                books[account, symbol].fill(*row, number)
                fills.append((number, account, symbol, *row))
            else:
                _, account, kind, cents = step
                amount = cents / 100 if kind in ("DEPOSIT", "INTEREST") else -cents / 100
                (outside if kind in ("DEPOSIT", "WITHDRAWAL") else own)[account] += amount
                flows.append((number, account, kind, amount))
        for symbol, mark in zip("AB", marks, strict=True):
            closes[symbol].append(mark / 100)
        for account in seen:
            value = outside[account] + own[account]
            for (owner, symbol), book in books.items():
                if owner == account:
                    value += book.cash + book.position * closes[symbol][-1]
            worth.append((number, account, value))
    grid = SESSIONS[: len(script)]
    accounts, symbols, cash = daily_ledger(
        fills_frame(*fills), prices_frame(closes), grid, method=method,
        actions=actions_frame(*actions), flows=flows_frame(*flows),
    )  # fmt: skip
    frame = pnl_frame(accounts)
    check_identities(frame)
    ours = sorted(zip(frame["session"], frame["account_id"], frame["end_value"], strict=True))
    theirs = sorted((grid[number], account, value) for number, account, value in worth)
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    np.testing.assert_allclose(
        [row[2] for row in ours], [row[2] for row in theirs], rtol=1e-9, atol=1e-8
    )
    total = pnl_frame(accounts, freq="total").set_index("account_id")
    for account in seen:
        mine = [book for (owner, _), book in books.items() if owner == account]
        assert total.loc[account, "realized"] == pytest.approx(
            sum(book.realized for book in mine), rel=1e-9, abs=1e-7
        )
        assert total.loc[account, "total"] == pytest.approx(
            total.loc[account, "end_value"] - outside[account], rel=1e-9, abs=1e-7
        )
    whole, parts = pnl_frame(accounts, freq=freq), pnl_frame(symbols, cash, freq=freq)
    check_identities(whole)
    check_identities(parts)
    keys, columns = ["account_id", "session"], ["realized", "unrealized", "total", "dividends"]
    added = parts.groupby(keys)[columns].sum().reset_index()
    np.testing.assert_allclose(added[columns].sum(), whole[columns].sum(), rtol=1e-9, atol=1e-7)
    ends = whole.groupby("account_id")["cumulative"].last()
    sums = whole.groupby("account_id")["total"].sum()
    np.testing.assert_allclose(ends, sums, rtol=1e-9, atol=1e-7)


def test_accounts_of_chosen_symbols_leave_cash_out():
    _, symbols, _ = daily_ledger(
        fills_frame((0, 1, "A", 10, 10, 1), (0, 1, "B", 5, 20, 0)),
        prices_frame({"A": [11.0, 12.0], "B": [20.0, 21.0]}), SESSIONS[:2],
    )  # fmt: skip
    frame = pnl_frame(without_cash(symbols))
    assert frame["flows"].tolist() == [201, 0]
    assert frame["end_value"].tolist() == [210, 225]
    check_identities(frame)


def test_a_multiplier_scales_values_and_gains_but_not_prices():
    fills = fills_frame((0, 1, "ES", 2, 5000, 4), (2, 1, "ES", -1, 5010, 2)).assign(multiplier=50.0)
    accounts, symbols, _ = daily_ledger(
        fills, prices_frame({"ES": [5001.0, 5002.0, 5003.0]}), SESSIONS[:3]
    )
    frame = pnl_frame(symbols)
    assert frame["end_value"].tolist() == [500_100, 500_200, 250_150]
    assert frame["realized"].tolist() == [0, 0, 500]
    assert pnl_frame(accounts, freq="total")["total"].tolist() == [500 + 150 - 6]
    check_identities(frame)
    trades, lots = match_lots(fills)
    assert trades[["entry_price", "exit_price", "realized_pnl"]].to_numpy().tolist() == [
        [5000, 5010, 500 - 2 - 2]
    ]
    assert lots[["entry_price", "cost_basis"]].to_numpy().tolist() == [[5000, 250_002]]
