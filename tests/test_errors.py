"""The tree of errors, and how a caller's value is told in a sentence."""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.clock import zone
from mismartera_analytics.errors import InvalidInputError, as_given

SIGNALLING = decimal.Decimal("sNaN")


class Unwritable:
    """Cannot say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [
        "AAPL",
        "",
        "it's",
        3,
        -2.5,
        True,
        None,
        (1,),
        ["a", 2],
        {"b": 1, "a": 2},
        np.float64(1.5),
        range(3),
    ],
)
def test_short_values_are_told_as_python_writes_them(value: Any):
    assert as_given(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000, list(range(10_000)), {n: n for n in range(10_000)}, 10**6_000,
        [[["x" * 500] * 50] * 50],
        pd.DataFrame({"a": [SIGNALLING] * 500}), pd.Series([SIGNALLING] * 500), np.zeros((100, 3)),
        pd.date_range("2020-01-01", periods=500), [pd.DataFrame({"a": [SIGNALLING]})], Unwritable(),
        {"a": Unwritable()},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_any_value_fits_into_a_sentence(value: Any):
    told = as_given(value)
    assert 0 < len(told) <= 403
    assert "\n" not in told


def test_a_frame_in_the_place_of_a_zone_is_told_by_its_size():
    with pytest.raises(
        InvalidInputError, match=r"^tz=a DataFrame of shape \(1, 1\) must be an IANA name"
    ):
        zone(pd.DataFrame({"a": [SIGNALLING]}))  # type: ignore[arg-type]
