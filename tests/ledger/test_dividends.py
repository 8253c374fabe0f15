"""A dividend computed and booked counts once; one that is only computed is not lost."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.ledger.daily import daily_ledger
from mismartera_analytics.ledger.dividends import RECORDED_WITHIN, _likeness, _matched
from mismartera_analytics.ledger.periods import pnl_frame

SESSIONS = pd.bdate_range("2025-01-06", periods=120)


def income_of(
    due: list[tuple[int, float]], booked: list[tuple[int, float]], quantity: float = 100.0
) -> float:
    """Return a holder's income: dividends (day, per share) due, and flows (day, amount) booked."""
    fills = pd.DataFrame(
        {"account_id": 1, "symbol": "ABC", "side": "BUY" if quantity > 0 else "SELL",
         "quantity": [abs(quantity)], "price": 10.0, "session": SESSIONS[:1],
         "filled_at": SESSIONS[:1].tz_localize("UTC") + pd.Timedelta("15h")}
    )  # fmt: skip
    prices = pd.DataFrame({"symbol": "ABC", "session": SESSIONS, "close": 10.0})
    first = SESSIONS[0]
    actions = pd.DataFrame(
        {"symbol": "ABC", "action_type": "CASH_DIVIDEND", "ratio": np.nan,
         "ex_date": [first + pd.Timedelta(days=day) for day, _ in due],
         "amount": [amount for _, amount in due]}
    )  # fmt: skip
    flows = pd.DataFrame(
        {"account_id": 1, "flow_type": "DIVIDEND", "symbol": "ABC",
         "session": [first + pd.Timedelta(days=day) for day, _ in booked],
         "amount": [amount for _, amount in booked]}
    )  # fmt: skip
    accounts, _, _ = daily_ledger(fills, prices, SESSIONS, actions=actions, flows=flows)
    return pnl_frame(accounts, freq="total")["dividends"].iloc[0]


@pytest.mark.parametrize(
    ("due", "booked", "income"),
    [
        ([(7, 0.1)], [(20, 10.0)], 10.0),
        ([(7, 0.1)], [(20, 8.5)], 8.5),  # tax withheld
        ([(7, 0.1)], [(7 + 60, 10.0)], 10.0),
        ([(7, 0.1)], [(7 + 61, 10.0)], 20.0),  # too late to be that one
        ([(7, 0.1)], [(3, 10.0)], 20.0),  # booked before it was due
        # The special dividend of a week later has no record: it is computed.
        ([(7, 0.1), (14, 5.0)], [(20, 10.0)], 510.0),
        ([(7, 0.1), (14, 5.0)], [(20, 10.0), (28, 500.0)], 510.0),
        ([(7, 0.1), (14, 5.0)], [(28, 500.0)], 510.0),
        # A monthly payer: the import starts with the second payment.
        ([(7, 0.1), (35, 0.1)], [(50, 10.0)], 20.0),
        # The nearest alone would leave the first one without its flow.
        ([(7, 0.1), (17, 0.1)], [(19, 10.0), (75, 10.0)], 20.0),
        # A correction is no payment, and counts as it is booked.
        ([(7, 0.1)], [(20, 10.0), (21, -1.5)], 8.5),
        ([(7, 0.1)], [(21, -1.5)], 8.5),
        # Two parts of one payment.
        ([(7, 0.1)], [(20, 6.0), (20, 4.0)], 10.0),
        # A cent of interest on the same symbol stands for no dividend.
        ([(7, 0.1)], [(20, 0.01)], 10.01),
        ([], [(20, 10.0)], 10.0),
    ],
)  # fmt: skip
def test_each_flow_stands_for_one_dividend(due, booked, income):
    assert income_of(due, booked) == pytest.approx(income)


def test_the_short_seller_s_payment_is_matched_as_well():
    assert income_of([(7, 0.1)], [(20, -10.0)], quantity=-100) == pytest.approx(-10)
    assert income_of([(7, 0.1)], [(20, 10.0)], quantity=-100) == pytest.approx(0)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from([10.0, 12.0, 50.0])), max_size=4),
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from([10.0, 8.5, 50.0])), max_size=4),
)
def test_as_many_find_their_flow_as_any_way_of_matching_allows(due, booked):
    """Against trying every assignment."""
    pairs = [
        (likeness, flow_day - day, event, flow)
        for event, (day, income) in enumerate(due)
        for flow, (flow_day, amount) in enumerate(booked)
        if 0 <= flow_day - day <= RECORDED_WITHIN
        and (likeness := _likeness(amount, income)) is not None
    ]
    found = _matched(pairs)
    allowed = {(event, flow) for _, _, event, flow in pairs}
    assert set(found.items()) <= allowed
    assert len(set(found.values())) == len(found)
    slots = [*range(len(booked)), *[None] * len(due)]
    best = max(
        (sum((event, flow) in allowed for event, flow in enumerate(order[: len(due)]))
         for order in itertools.permutations(slots, len(due))),
        default=0,
    )  # fmt: skip
    assert len(found) == best
