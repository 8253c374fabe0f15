from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.errors import DuplicateError, InvalidOrderError, NaiveDatetimeError
from mismartera_analytics.recording.flows import record_flows
from tests.world import record_cash, when


def flows_frame(**changes) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "flow_type": ["DEPOSIT", "DIVIDEND", "TRANSFER"],
            "occurred_at": [when("2025-07-01 09:00"), when("2025-07-02 09:00"),
                            when("2025-07-03 09:00")],
            "amount": [100.0, 5.0, 900.0],
            "symbol": [None, "AAPL", "IBM"],
            "quantity": [np.nan, np.nan, 10.0],
            "acquired_on": [None, None, "2020-01-02"],
            "broker_flow_id": ["f1", "f2", None],
        }
    )  # fmt: skip
    return frame.assign(**changes)


def test_the_same_again_changes_nothing(books):
    assert record_flows(flows_frame(), account=books.ada) == 3
    assert record_flows(flows_frame(), account=books.ada) == 0
    twice = pd.concat([flows_frame(), flows_frame()], ignore_index=True)
    assert record_flows(twice, account=books.ada) == 1  # the transfer has no id, and occurs twice


def test_a_known_id_with_other_content_is_refused(books):
    record_flows(flows_frame(), account=books.ada)
    with pytest.raises(DuplicateError, match="'f2'"):
        record_flows(flows_frame(amount=[100.0, 6.0, 900.0]), account=books.ada)
    with pytest.raises(DuplicateError, match="'f1'"):
        record_flows(flows_frame(), account=books.bob)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow_type": ["DEPOSIT", "GIFT", "TRANSFER"]}, r"flow_type is not one of .* \(row 1\)"),
        ({"amount": [-100.0, 5.0, 900.0]}, r"deposits whose amount is not positive \(row 0\)"),
        ({"amount": [100.0, np.nan, 900.0]}, r"without an amount \(row 1\)"),
        ({"quantity": [np.nan, 3.0, 10.0]}, r"move no lots \(row 1\)"),
        ({"symbol": [None, "AAPL", None]}, r"without a symbol \(row 2\)"),
        ({"symbol": [None, "ABCDEFGHIJK", "IBM"]}, r"over 10 characters \(row 1\)"),
        ({"currency": [None, "EUR", "USD"]}, r"account's USD \(row 1\)"),
        ({"occurred_at": [pd.NaT] * 3}, r"without occurred_at"),
    ],
)
def test_broken_flows_are_named(books, changes, message):
    with pytest.raises(InvalidOrderError, match=message):
        record_flows(flows_frame(**changes), account=books.ada)


def test_signs_and_zones(books):
    with pytest.raises(InvalidOrderError, match="withdrawals"):
        record_cash(books.ada, ("2025-07-01 09:00", "WITHDRAWAL", 5))
    naive = flows_frame(occurred_at=pd.to_datetime(["2025-07-01"] * 3))
    with pytest.raises(NaiveDatetimeError, match="occurred_at has no time zone"):
        record_flows(naive, account=books.ada)
