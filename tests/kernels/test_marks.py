from __future__ import annotations

import numpy as np
import pytest

from mismartera_analytics.kernels.marks import carry_forward

NAN = np.nan


@pytest.mark.parametrize(
    ("closes", "limit", "prices", "ages"),
    [
        ([NAN, NAN], 5, [NAN, NAN], [-1, -1]),
        ([NAN, 3.0, NAN, NAN, NAN], 2, [NAN, 3, 3, 3, NAN], [-1, 0, 1, 2, -1]),
        ([1.0, NAN, 2.0], 0, [1, NAN, 2], [0, -1, 0]),
        ([], 1, [], []),
    ],
)
def test_prices_are_carried_for_as_long_as_said(closes, limit, prices, ages):
    column = np.array(closes, float).reshape(-1, 1)
    found, found_ages = carry_forward(column, np.ones_like(column), limit)
    np.testing.assert_array_equal(found[:, 0], prices)
    assert found_ages[:, 0].tolist() == ages


def test_splits_divide_what_is_carried_and_nothing_else():
    closes = np.array([[100.0], [NAN], [26.0], [NAN]])
    ratios = np.array([[1.0], [2.0], [2.0], [1.0]])
    prices, _ = carry_forward(closes, ratios, 5)
    assert prices[:, 0].tolist() == [100, 50, 26, 26]
