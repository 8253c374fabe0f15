"""Tables for the terminal: what a cell looks like, and which rows are shown."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from mismartera_analytics import frames
from mismartera_analytics.reports.tables import format_cell, frame_table


def shown(table: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return console.file.getvalue()


def cash_flows(amounts: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "account_id": 1,
            "flow_type": "DEPOSIT",
            "occurred_at": pd.date_range(
                "2025-11-03 14:30", periods=len(amounts), freq="D", tz="UTC"
            ),
            "amount": amounts,
            "symbol": None,
            "quantity": float("nan"),
            "acquired_on": pd.NaT,
        }
    )
    return frames.CASH_FLOWS.conform(frame)


@pytest.mark.parametrize(
    ("value", "name", "dtype", "unit", "text"),
    [
        (1234567.891, "amount", "float64", "currency", "1,234,567.89"),
        (0.1234, "price", "float64", "currency/share", "0.1234"),
        (10.0, "quantity", "float64", "shares", "10"),
        (0.5, "quantity", "float64", "shares", "0.5"),
        (-0.1234, "return", "float64", "1", "-12.34%"),
        (None, "user", "str", "1", "–"),
        (float("nan"), "price", "float64", "currency/share", "–"),
        (pd.NaT, "filled_at", "instant", "1", "–"),
        (pd.NA, "fill_id", "Int64", "1", "–"),
        (True, "is_closed", "bool", "1", "yes"),
        (pd.Timestamp("2025-07-02"), "session", "label", "1", "2025-07-02"),
        ("a\x1b[2Jb", "symbol", "str", "1", "a\N{REPLACEMENT CHARACTER}[2Jb"),
        ("[red]x[/red]", "symbol", "str", "1", "[red]x[/red]"),
    ],
)
def test_cell(value: object, name: str, dtype: str, unit: str, text: str) -> None:
    assert format_cell(value, name=name, dtype=dtype, unit=unit).plain == text


def test_an_instant_is_shown_in_the_zone_asked_for() -> None:
    moment = pd.Timestamp("2025-11-03 14:30", tz="UTC")
    cell = format_cell(moment, name="at", dtype="instant", unit="1", tz="America/New_York")
    assert cell.plain == "2025-11-03 09:30"


def test_a_long_frame_shows_its_ends_and_says_what_lies_between() -> None:
    table = frame_table(
        cash_flows([float(i) for i in range(100)]), frames.CASH_FLOWS, title="Flows", most=4
    )
    text = shown(table)
    assert "… 96 more" in text
    assert [amount in text for amount in ("0.00", "1.00", "98.00", "99.00")] == [True] * 4
    assert " 2.00" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_number_is_never_cut(width: int) -> None:
    flows = cash_flows([1234567.89, 2.0])
    names = [name for name in frames.CASH_FLOWS.names if name != "acquired_on"]
    table = frame_table(flows, frames.CASH_FLOWS, title="Flows", columns=names, width=width)
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    shows_amount = any("amount" in line for line in lines if "too narrow" not in line)
    assert shows_amount == any("1,234,567.89" in line for line in lines)
    assert shows_amount or width < 80
    assert any("too narrow" in line for line in lines) == (width < 80)


def test_a_frame_that_fits_is_whole_and_an_empty_one_says_so() -> None:
    assert "more" not in shown(
        frame_table(cash_flows([1.0, 2.0]), frames.CASH_FLOWS, title="T", most=2)
    )
    assert "no rows" in shown(frame_table(frames.ORDERS.empty(), frames.ORDERS, title="Orders"))
