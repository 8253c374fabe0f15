"""The frame contract: empty frames, dtypes, order, and naive times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError

SPECS = [spec for spec in vars(frames).values() if isinstance(spec, frames.FrameSpec)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_an_empty_frame_has_every_column_and_no_object_dtype(spec: frames.FrameSpec) -> None:
    empty = spec.empty()
    assert list(empty.columns) == spec.names
    assert len(empty) == 0
    assert "object" not in {str(dtype) for dtype in empty.dtypes}
    pd.testing.assert_frame_equal(spec.conform(empty), empty)
    assert set(spec.sort) <= set(spec.names)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_an_empty_frame_and_a_full_one_concatenate_without_losing_dtypes(
    spec: frames.FrameSpec,
) -> None:
    filled = {
        "str": "x", "side": "BUY", "float64": 1.5, "int64": 1, "Int64": None, "bool": True,
        "instant": pd.Timestamp("2025-07-02", tz="UTC"), "label": pd.Timestamp("2025-07-02"),
        "interval": "1d",
    }  # fmt: skip
    full = spec.conform(pd.DataFrame([{c.name: filled[c.dtype] for c in spec.columns}]))
    assert full.dtypes.to_dict() == spec.empty().dtypes.to_dict()
    assert pd.concat([spec.empty(), full]).dtypes.to_dict() == full.dtypes.to_dict()


def test_rows_are_sorted_and_times_converted() -> None:
    late, early = (
        pd.Timestamp("2025-07-03 12:00", tz="UTC"),
        pd.Timestamp("2025-07-02 12:00", tz="UTC"),
    )
    frame = pd.DataFrame(
        {"account_id": [1, 2], "flow_type": "FEE", "occurred_at": [late, early], "amount": [1, 2],
         "symbol": None, "quantity": None, "acquired_on": None, "extra": 0}
    )  # fmt: skip
    shown = frames.CASH_FLOWS.conform(frame, tz="America/New_York")
    assert list(shown["account_id"]) == [2, 1]
    assert list(shown.index) == [0, 1]
    assert str(shown["occurred_at"].dt.tz) == "America/New_York"
    assert "extra" not in shown


def test_naive_times_and_missing_columns_are_refused() -> None:
    frame = pd.DataFrame(
        {"account_id": [1], "flow_type": "FEE", "occurred_at": [pd.Timestamp("2025-07-02")],
         "amount": [1.0], "symbol": None, "quantity": None, "acquired_on": None}
    )  # fmt: skip
    with pytest.raises(InvalidInputError, match="'occurred_at' of 'cash_flows' holds naive"):
        frames.CASH_FLOWS.conform(frame)
    with pytest.raises(InvalidInputError, match="lacks the columns"):
        frames.CASH_FLOWS.conform(frame.drop(columns="amount"))


def test_an_unknown_side_of_an_old_row_still_loads() -> None:
    full = dict.fromkeys(frames.ORDERS.names) | {"order_id": 1, "side": "sell_short"}
    assert frames.ORDERS.conform(pd.DataFrame([full]))["side"].tolist() == ["sell_short"]


@pytest.mark.parametrize("gap", [None, "placed_at"])
def test_rows_that_are_in_order_are_the_same_as_rows_put_in_order(gap):
    draw = np.random.default_rng(3)
    count = 60
    rows = {name: [None] * count for name in frames.ORDERS.names}
    rows |= {"order_id": np.arange(count), "side": ["BUY"] * count, "symbol": ["IBM"] * count}
    times = pd.Timestamp("2025-07-02 14:30", tz="UTC") + pd.to_timedelta(np.arange(count) // 3, "h")
    sorted_rows = pd.DataFrame({**rows, "placed_at": times})
    if gap is not None:
        sorted_rows.loc[count - 1, gap] = pd.NaT
    expected = frames.ORDERS.conform(sorted_rows)
    shuffled = sorted_rows.iloc[draw.permutation(count)]
    pd.testing.assert_frame_equal(frames.ORDERS.conform(shuffled), expected)
    kept = sorted_rows.copy()
    expected.loc[0, "quantity"] = 5.0
    pd.testing.assert_frame_equal(
        sorted_rows, kept
    )  # the frame that came in is not the one that went out
