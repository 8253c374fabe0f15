"""Digests of code, frames and values: what changes them, and what does not."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.backtesting.costs import PerShare
from mismartera_analytics.backtesting.fingerprints import code_hash, frame_digest, json_value

CELL = """
from mismartera_analytics import Strategy
LIMIT = 5

def far(value):
    return value > LIMIT

class Base(Strategy):
    window = 20
    _hidden = 1

    def on_start(self, ctx):
        self.band = {"a", "b"}

class Cell(Base):
    share = 0.5

    def on_bar(self, ctx):
        # a comment
        if far(ctx.cash) and [far(x) for x in (1, 2)]:
            ctx.target_percent(self.share)
"""


def of_cell(old: str = "", new: str = "") -> str:
    """Return the digest of the strategy of a notebook's cell, some of it replaced."""
    assert old in CELL
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL.replace(old, new), "<cell>", "exec"), space)
    return code_hash(space["Cell"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.share", "self.window"),
        ("LIMIT = 5", "LIMIT = 6"),
        ("value > LIMIT", "value >= LIMIT"),
        ('"a", "b"', '"a", "c"'),
        ("_hidden = 1", "_hidden = 2"),
        ("(1, 2)", "(1, 3)"),
        ("def on_start", "def on_fill"),
    ],
)
def test_what_the_code_does_counts(old: str, new: str) -> None:
    assert of_cell(old, new) != of_cell()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("# a comment", "# another"),
        ("\nclass Cell", "\n\n\nclass Cell"),
        ("(value):\n    return value", "(price):\n    return price"),
        ("window = 20", "window = 30"),
        ("share = 0.5", "share = 0.6"),
    ],
)
def test_layout_comments_and_parameters_do_not(old: str, new: str) -> None:
    assert of_cell(old, new) == of_cell()


def test_what_is_closed_over_counts() -> None:
    def adds(amount: Any) -> Any:
        def add(value: float, scale: int = 1) -> Any:
            return value + amount * scale

        return add

    assert code_hash(adds(1)) == code_hash(adds(1))
    assert code_hash(adds(1)) != code_hash(adds(2))
    assert code_hash(adds(adds(1))) != code_hash(adds(adds(2)))


def test_a_function_may_name_itself() -> None:
    def fall(value: int) -> int:
        return fall(value - 1) if value else 0

    assert code_hash(fall) == code_hash(fall)


def test_another_process_gives_the_same() -> None:
    """With other hash seeds, so that sets come in other orders."""
    program = (
        "from mismartera_analytics.backtesting.fingerprints import code_hash\n"
        f"space = {{'__name__': '__main__'}}\nexec(compile({CELL!r}, '<c>', 'exec'), space)\n"
        "print(code_hash(space['Cell']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == of_cell()


def test_a_frame_is_its_values_columns_and_index() -> None:
    days = pd.date_range("2024-01-02", periods=3)
    frame = pd.DataFrame({"A": [0.5, np.nan, 0.1], "B": [1, 2, 3]}, index=days)
    digest = frame_digest(frame)
    assert frame_digest(frame.copy()) == digest
    assert frame_digest(frame.set_axis(days.astype("datetime64[ns]"))) == digest
    for other in (
        frame.rename(columns={"A": "C"}),
        frame[["B", "A"]],
        frame.iloc[:2],
        frame.set_axis(days + pd.Timedelta(days=1)),
        frame.fillna(0.0),
    ):
        assert frame_digest(other) != digest


def test_a_frame_of_orders_has_texts_and_zones() -> None:
    when = pd.to_datetime(["2024-01-02 10:00", None]).tz_localize("America/New_York")
    frame = pd.DataFrame({"placed_at": when, "side": pd.Categorical(["BUY", "SELL"])})
    assert frame_digest(frame) == frame_digest(
        frame.assign(placed_at=frame["placed_at"].dt.tz_convert("UTC"), side=["BUY", "SELL"])
    )
    assert frame_digest(frame) != frame_digest(frame.assign(side=["SELL", "BUY"]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (float("inf"), "inf"),
        (pd.Timestamp("2024-01-02", tz="UTC"), "2024-01-02T00:00:00+00:00"),
        (dt.timedelta(minutes=5), "0:05:00"),
        ({3, 1, 2}, [1, 2, 3]),
        (
            PerShare(0.01, 1.0),
            {"type": "PerShare", "amount": 0.01, "minimum": 1.0, "maximum": "inf"},
        ),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    assert json_value(value) == expected


def test_objects_are_told_apart() -> None:
    class Odd:
        pass

    assert json_value(np.zeros(3)) == json_value(np.zeros(3))
    assert json_value(np.zeros(3)) != json_value(np.ones(3))
    assert json_value(len) == "builtins.len"
    assert "0x" not in str(json_value(Odd()))
