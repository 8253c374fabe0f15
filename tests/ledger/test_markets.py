"""Symbols that trade on different sessions, in one ledger: against a loop over the days."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.ledger.daily import daily_ledger
from mismartera_analytics.ledger.periods import pnl_frame
from tests.ledger.test_daily import check_identities

DAYS = pd.date_range("2025-01-06", periods=14)  # two weeks from a Monday
MARKETS = {
    "WEEK": DAYS[DAYS.day_of_week < 5],
    "EVER": DAYS,
    "ODD": DAYS[DAYS.day % 2 == 1],
}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Fills and closes, each on sessions of its symbol's market, some closes missing."""
    fills, closes = [], []
    for symbol, sessions in MARKETS.items():
        for place in range(len(sessions)):
            if draw(st.booleans()) or place == 0:
                price = draw(st.sampled_from([10.0, 20.0, 25.0, 40.0]))
                closes.append((symbol, sessions[place], price))
        for _ in range(draw(st.integers(0, 3))):
            session = draw(st.sampled_from(list(sessions)))
            quantity = draw(st.sampled_from([-5.0, -1.0, 2.0, 10.0]))
            fills.append((symbol, session, quantity, draw(st.sampled_from([12.0, 30.0]))))
    table = pd.DataFrame(fills, columns=["symbol", "session", "signed", "price"])
    table["side"] = np.where(table["signed"] > 0, "BUY", "SELL")
    table = table.assign(account_id=1, quantity=table["signed"].abs(), commission=1.0)
    table["filled_at"] = pd.DatetimeIndex(table["session"]).tz_localize("UTC")
    table["symbol"] = table["symbol"].astype("str")
    prices = pd.DataFrame(closes, columns=["symbol", "session", "close"])
    return table, prices, draw(st.integers(0, 3))


@settings(deadline=None, max_examples=40)
@given(worlds())
def test_values_and_ages_equal_a_loop_over_the_days(world: tuple) -> None:
    fills, prices, limit = world
    if fills.empty:
        return
    accounts, symbols, cash = daily_ledger(
        fills, prices, DAYS, max_price_age=limit, own_sessions=MARKETS
    )
    frame = pnl_frame(symbols, cash)
    for table in (frame, pnl_frame(accounts), pnl_frame(symbols, cash, freq="week")):
        check_identities(table[table["total"].notna()])  # where a price lacks there is no total
    known = prices.set_index(["symbol", "session"])["close"].to_dict()
    for row in frame[frame["symbol"].notna()].itertuples():
        own = fills[(fills["symbol"] == row.symbol) & (fills["session"] <= row.session)]
        held = own["signed"].sum()
        past = [day for day in MARKETS[row.symbol] if day <= row.session]
        ages = [age for age, day in enumerate(reversed(past)) if (row.symbol, day) in known]
        if held == 0.0:
            assert row.end_value == 0.0
        elif not ages or ages[0] > limit:
            assert np.isnan(row.end_value)
            assert pd.isna(row.price_age)
        else:
            price = known[row.symbol, past[-1 - ages[0]]]
            np.testing.assert_allclose(row.end_value, held * price, rtol=1e-12)
            assert row.price_age == ages[0]
    sums = frame.groupby("session")["end_value"].sum(min_count=1)
    whole = pnl_frame(accounts).set_index("session")["end_value"].dropna()
    np.testing.assert_allclose(whole, sums[whole.index], rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=15)
@given(worlds())
def test_one_market_said_or_unsaid_is_the_same(world: tuple) -> None:
    fills, prices, limit = world
    one = dict.fromkeys(MARKETS, DAYS)
    said = daily_ledger(fills, prices, DAYS, max_price_age=limit, own_sessions=one)
    unsaid = daily_ledger(fills, prices, DAYS, max_price_age=limit)
    for left, right in zip(said, unsaid, strict=True):
        pd.testing.assert_frame_equal(pnl_frame(left), pnl_frame(right))
