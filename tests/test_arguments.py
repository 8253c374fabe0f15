"""Checks of single arguments: what passes comes back as Python's own, what does not is named."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mismartera_analytics.arguments import (
    check_choice,
    is_number,
    is_whole,
    only_known_names,
    truth,
    whole,
)
from mismartera_analytics.errors import InvalidInputError, UnknownArgumentError


@pytest.mark.parametrize(
    "value", [0, -3, 1.5, np.int8(3), np.float32(0.5), Fraction(1, 3), 10**300]
)
def test_numbers(value: Any) -> None:
    assert is_number(value)


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "1", b"1", None, [], [1], math.nan, -math.inf, 10**400, 1j, np.arange(1),
     Decimal(1), object],
)  # fmt: skip
def test_what_is_no_number(value: Any) -> None:
    assert not is_number(value)


def test_whole_numbers_come_back_as_pythons_own() -> None:
    assert type(whole(np.uint8(7), "cuts", least=7, most=7)) is int
    assert is_whole(np.int64(-2))
    for wrong in (True, 2.0, "2", None, math.nan):
        with pytest.raises(
            InvalidInputError, match=r"cuts=.* must be a whole number of at least 0"
        ):
            whole(wrong, "cuts")
    with pytest.raises(InvalidInputError, match="cuts=9 must be a whole number from 1 to 8"):
        whole(9, "cuts", least=1, most=8)


def test_truths_are_two() -> None:
    assert truth(np.bool_(False), "count") is False
    for wrong in (1, 0, "x", None, math.nan):
        with pytest.raises(InvalidInputError, match=r"count=.* must be True or False"):
            truth(wrong, "count")


def test_a_choice_may_be_no_text_at_all() -> None:
    check_choice("open", "fill", ("open", "close"))
    for wrong in ("opne", [], {}, None, 3):
        with pytest.raises(InvalidInputError, match=r"Allowed: open, close\."):
            check_choice(wrong, "fill", ("open", "close"))


@only_known_names("cash", "seed")
def run(symbols: str, *, interval: str = "1d", **rules: Any) -> tuple[str, str, dict[str, Any]]:
    """Answer what it was given."""
    return symbols, interval, rules


def test_names_that_a_function_takes_pass() -> None:
    assert run("A", cash=3) == ("A", "1d", {"cash": 3})
    assert run(symbols="A", interval="1h") == ("A", "1h", {})
    assert run.__doc__ == "Answer what it was given."


@pytest.mark.parametrize(
    ("name", "near"), [("intervall", "interval"), ("symbol", "symbols"), ("csah", "cash")]
)
def test_other_names_are_refused_as_python_does_and_the_nearest_is_told(
    name: str, near: str
) -> None:
    with pytest.raises(UnknownArgumentError, match=f"'{name}', did you mean '{near}'") as caught:
        run("A", **{name: 1})
    assert isinstance(caught.value, TypeError)
    with pytest.raises(TypeError, match="Its arguments: symbols, interval, cash, seed"):
        run("A", zzzzz=1)
