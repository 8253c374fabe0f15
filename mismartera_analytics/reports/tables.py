"""Frames as tables for the terminal: units in the heads, numbers aligned, losses in red."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mismartera_analytics.frames import SESSIONS, FrameSpec

__all__ = ["findings_table", "format_cell", "frame_table"]

MISSING = "–"
MAX_WIDTH = 1_000
_MONEY = ("currency", "currency/share")
_SIGNED = frozenset(
    {
        "unrealized_pnl", "day_change", "realized", "unrealized", "total", "cumulative",
        "realized_pnl", "return", "drawdown", "flows",
    }
)  # fmt: skip


def frame_table(
    frame: pd.DataFrame,
    spec: FrameSpec,
    *,
    title: str,
    columns: Sequence[str] | None = None,
    tz: str | None = None,
    most: int | None = None,
    width: int | None = None,
) -> Table:
    """Return `frame` as a table that rich prints.

    Parameters
    ----------
    frame
        A frame with the columns of `spec`.
    spec
        Says each column's dtype and unit.
    title
        What the table shows.
    columns
        The columns to show, in order; all that `frame` and `spec` share by default.
    tz
        IANA zone in which instants are shown; that of the frame by default.
    most
        Show at most so many rows, the first half and the last, and say how many lie between.
    width
        Leave out the last columns until the table fits into so many characters, and name them: a
        number is never cut. Everything is shown by default.

    Returns
    -------
    rich.table.Table
        Missing values are shown as a dash, negative amounts in red.

    Examples
    --------
    >>> from mismartera_analytics.frames import ACCOUNTS
    >>> frame_table(ACCOUNTS.empty(), ACCOUNTS, title="Accounts").row_count
    0
    """
    names = [n for n in (columns or spec.names) if n in frame.columns and n in spec.names]
    hidden: list[str] = []
    table = _table(frame, spec, names, title=title, tz=tz, most=most)
    while width is not None and len(names) > 1 and _width_of(table) > width:
        hidden.insert(0, names.pop())
        table = _table(frame, spec, names, title=title, tz=tz, most=most)
    if hidden:
        table.caption = Text(_plain(f"too narrow for: {', '.join(hidden)}"))
        table.caption_justify = "left"
    return table


def _width_of(table: Table) -> int:
    console = Console(width=MAX_WIDTH)
    return Measurement.get(console, console.options, table).maximum


def _table(
    frame: pd.DataFrame,
    spec: FrameSpec,
    names: list[str],
    *,
    title: str,
    tz: str | None,
    most: int | None,
) -> Table:
    known = {column.name: column for column in spec.columns}
    table = Table(
        title=Text(_plain(title)),
        title_justify="left",
        title_style="bold",
        header_style="bold dim",
    )
    for name in names:
        is_number = known[name].dtype in ("float64", "int64", "Int64")
        justify: Literal["left", "right"] = "right" if is_number else "left"
        head = Text(_plain(name).replace("_", "\n"))
        table.add_column(head, justify=justify, no_wrap=is_number)
    shown, hidden_at = _head_and_tail(frame, most)
    days = list(shown["session"]) if spec is SESSIONS else [None] * len(shown)
    for row_number, row in enumerate(shown[names].itertuples(index=False, name=None)):
        if row_number == hidden_at:
            table.add_section()
            table.add_row(*_ellipsis(len(names), len(frame) - len(shown)))
            table.add_section()
        table.add_row(
            *(
                format_cell(
                    value,
                    name=name,
                    dtype=known[name].dtype,
                    unit=known[name].unit,
                    tz=tz,
                    day=days[row_number],
                )
                for name, value in zip(names, row, strict=True)
            )
        )
    if frame.empty:
        table.caption = "no rows"
    return table


def _head_and_tail(frame: pd.DataFrame, most: int | None) -> tuple[pd.DataFrame, int | None]:
    if most is None or len(frame) <= most:
        return frame, None
    head = most - most // 2
    return pd.concat([frame.iloc[:head], frame.iloc[len(frame) - most // 2 :]]), head


def _ellipsis(width: int, hidden: int) -> list[Text]:
    return [Text(f"… {hidden:,} more", style="dim"), *(Text("…", style="dim"),) * (width - 1)]


def format_cell(
    value: Any,
    *,
    name: str,
    dtype: str,
    unit: str,
    tz: str | None = None,
    day: pd.Timestamp | None = None,
) -> Text:
    """Return one value as text: money with two decimals, shares without trailing zeros.

    Parameters
    ----------
    value
        The cell.
    name, dtype, unit
        Of its column, as `frames` declares them.
    tz
        IANA zone in which an instant is shown.
    day
        Of an instant on this date only the time is shown.

    Returns
    -------
    rich.text.Text

    Examples
    --------
    >>> format_cell(-1234.5, name="total", dtype="float64", unit="currency").plain
    '-1,234.50'
    >>> format_cell(float("nan"), name="total", dtype="float64", unit="currency").plain
    '–'
    """
    if value is None or value is pd.NA or value != value:
        return Text(MISSING, style="dim")
    if dtype == "instant":
        return _instant(value.tz_convert(tz) if tz else value, day=day)
    if dtype == "label":
        return Text(f"{value:%Y-%m-%d}")
    if dtype == "bool":
        return Text("yes" if value else "")
    if dtype == "float64":
        return _number(float(value), name=name, unit=unit)
    return Text(_plain(value))


def _plain(value: Any) -> str:
    """Return a text without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def _instant(moment: pd.Timestamp, *, day: pd.Timestamp | None) -> Text:
    date = "" if day is not None and moment.date() == day.date() else f"{moment:%Y-%m-%d} "
    return Text(f"{date}{moment:%H:%M}" + (f":{moment:%S}" if moment.second else ""))


def _number(value: float, *, name: str, unit: str) -> Text:
    if unit in _MONEY:
        decimals = 4 if unit == "currency/share" and abs(value) < 1 else 2
        text = f"{value:,.{decimals}f}"
    elif name in ("return", "drawdown"):
        text = f"{value:.2%}"
    else:
        text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return Text(text, style="red" if value < 0 and name in _SIGNED else "")


_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def findings_table(frame: pd.DataFrame) -> Table:
    """Return an examination's findings as a table whose texts are folded, not cut.

    Parameters
    ----------
    frame
        `frames.DIAGNOSIS`.

    Returns
    -------
    rich.table.Table
        What is wrong, and below it what to do.

    Examples
    --------
    >>> from mismartera_analytics.frames import DIAGNOSIS
    >>> findings_table(DIAGNOSIS.empty()).row_count
    0
    """
    table = Table(title="Findings", title_justify="left", title_style="bold",
                  header_style="bold dim", show_lines=True)  # fmt: skip
    table.add_column("severity", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("what is wrong, and what to do", overflow="fold")
    for row in frame.to_dict("records"):
        text = {name: _plain(row[name]) for name in ("severity", "check", "what", "advice")}
        told = Text(text["what"])
        told.append(f"\n{text['advice']}", style="dim")
        if row["is_mendable"]:
            told.append("  [--fix mends it]", style="green")
        table.add_row(Text(text["severity"], style=_COLOURS[text["severity"]]), text["check"], told)
    return table
