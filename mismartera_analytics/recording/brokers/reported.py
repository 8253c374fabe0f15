"""What a broker reports that an account holds: files of positions and balances, and frames."""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mismartera_analytics.errors import InvalidInputError, InvalidOrderError
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.recording.brokers.cells import read_day, read_number, symbol_of
from mismartera_analytics.recording.brokers.files import (
    Source,
    csv_rows,
    json_entries,
    kind_of,
    read_sources,
)
from mismartera_analytics.recording.brokers.statement import Place, refuse_row

__all__ = ["Report", "report_of_files", "report_of_frame"]

PathLike = str | os.PathLike[str]
COLUMNS = ("symbol", "quantity", "cost_basis", "price")
_AS_OF = re.compile(r"as of\s+(.*)", re.IGNORECASE)
_DAY = re.compile(r"\d{4}/\d{2}/\d{2}|\d{1,2}/\d{1,2}/\d{4}")
_DIGITS = re.compile(r"(?:\.{3}|X{2,}-?|-)(\d{3,4})\b")
_TOTALS = ("account total", "positions total", "total")
_CASH = ("cash & cash investments", "cash & money market", "cash and money market")


@dataclass(frozen=True)
class Report:
    """What a broker says.

    Attributes
    ----------
    positions
        ``symbol, quantity, cost_basis, price``; the last two NaN where they are not told. None if the
        report holds no positions.
    cash
        [currency]; None if it is not told.
    day
        The day that it is of, where it is told.
    source
        Where it comes from, for people.
    account_hint
        Last digits of the account's number, where they are told.
    """

    positions: pd.DataFrame | None
    cash: float | None
    day: dt.date | None
    source: str
    account_hint: str | None = None


def report_of_frame(frame: pd.DataFrame, cash: float | None) -> Report:
    """Return a report from a frame with ``symbol, quantity`` and perhaps ``cost_basis, price``.

    Raises
    ------
    InvalidInputError
        If a column is missing, a quantity is no number, or a symbol stands twice.
    """
    missing = [name for name in ("symbol", "quantity") if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"reported lacks the columns {', '.join(missing)}.")
    table = pd.DataFrame({name: frame.get(name) for name in COLUMNS}, index=frame.index)
    for name in COLUMNS[1:]:
        table[name] = numbers_in(table[name])
    bad = table["quantity"].isna() | table["quantity"].abs().eq(math.inf) | table["symbol"].isna()
    if bad.any():
        rows = ", ".join(str(row) for row in table.index[bad][:5])
        raise InvalidInputError(f"reported has no symbol or no finite quantity in rows {rows}.")
    return Report(_by_symbol(table.astype({"symbol": "str"})), cash, None, "the frame given")


def report_of_files(paths: PathLike | Iterable[PathLike], account_number: str | None) -> Report:
    """Return what files say: Schwab's positions (CSV), Alpaca's positions and account (JSON).

    Raises
    ------
    InvalidOrderError
        If a file is none of these, cut off, or of other accounts only.
    StorageError
        If a file cannot be read.
    """
    parts = []
    for source in read_sources(paths):
        kind, looks = kind_of(source)
        if source.json == [] or kind == "alpaca positions":
            parts.append(_alpaca_positions(source))
        elif kind == "alpaca account":
            parts.append(_alpaca_account(source))
        elif kind == "schwab positions":
            parts.append(_schwab_positions(source, account_number))
        else:
            advice = "import_orders() reads it" if kind else (
                "Schwab's positions and Alpaca's positions and account are read"
            )  # fmt: skip
            raise InvalidOrderError(f"{source.name} looks like {looks}; {advice}.")
    positions = [part.positions for part in parts if part.positions is not None]
    cash = [part.cash for part in parts if part.cash is not None]
    if len(positions) > 1 or len(cash) > 1:
        raise InvalidOrderError("the files tell positions or cash twice; pass one report.")
    return Report(
        positions[0] if positions else None, cash[0] if cash else None,
        next((part.day for part in parts if part.day), None),
        ", ".join(part.source for part in parts),
        next((part.account_hint for part in parts if part.account_hint), None),
    )  # fmt: skip


def _by_symbol(table: pd.DataFrame) -> pd.DataFrame:
    twice = table.loc[table.duplicated("symbol"), "symbol"]
    if len(twice):
        raise InvalidInputError(f"reported holds the symbol {twice.iloc[0]!r} twice.")
    return table.loc[table["quantity"] != 0, list(COLUMNS)].reset_index(drop=True)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return _by_symbol(table.astype({"symbol": "str"} | dict.fromkeys(COLUMNS[1:], "float64")))


def _alpaca_positions(source: Source) -> Report:
    rows = []
    for number, entry in enumerate(json_entries(source.json), start=1):
        place = Place(source.name, f"entry {number}")
        quantity = read_number(entry.get("qty"), "qty", place)
        symbol = entry.get("symbol")
        if quantity is None or not symbol:
            raise refuse_row(place, "symbol or qty is missing")
        cost = read_number(entry.get("cost_basis"), "cost_basis", place)
        price = read_number(entry.get("current_price"), "current_price", place)
        is_short = entry.get("side") == "short"
        rows.append(
            {
                "symbol": symbol_of(str(symbol)),
                "quantity": -abs(float(quantity)) if is_short else float(quantity),
                "cost_basis": math.nan if cost is None else float(cost),
                "price": math.nan if price is None else float(price),
            }
        )
    return Report(_frame(rows), None, None, source.name)


def _alpaca_account(source: Source) -> Report:
    cash = read_number(source.json.get("cash"), "cash", Place(source.name, "cash"))
    if cash is None:
        raise refuse_row(Place(source.name, "cash"), "it is missing")
    return Report(None, float(cash), None, source.name)


def _schwab_positions(source: Source, account_number: str | None) -> Report:
    """Read the section of the account; a file of all accounts has one for each."""
    sections: list[tuple[str, list[tuple[Place, dict[str, str]]]]] = []
    header: list[str] = []
    title, last_title = "", ""
    for number, cells in csv_rows(source):
        texts = [cell.strip() for cell in cells]
        filled = [text for text in texts if text]
        if texts[0].casefold() == "symbol":
            header = [_column(text) for text in texts]
            sections.append((last_title or title, []))
        elif len(filled) == 1 and not (header and texts[0].casefold() in (*_TOTALS, *_CASH)):
            title, last_title = title or filled[0], filled[0]
        elif header:
            place = Place(source.name, f"line {number}")
            if len(texts) < len([name for name in header if name]):
                raise refuse_row(
                    place,
                    f"the row has {len(texts)} of {len(header)} cells; the file may be cut off",
                )
            sections[-1][1].append((place, dict(zip(header, texts, strict=False))))
    name, rows = _own_section(source, sections, account_number)
    found = _AS_OF.search(title)
    told = _DAY.search(found[1]) if found else None
    place = Place(source.name, "line 1")
    day = read_day(told[0].replace("/", "-") if told[0][4] == "/" else told[0], "as of", place) if (
        told
    ) else None  # fmt: skip
    digits = _DIGITS.search(name)
    held, cash = _schwab_rows(rows)
    return Report(held, cash, day, source.name, digits[1] if digits else None)


def _column(text: str) -> str:
    name = text.casefold()
    for column, starts in (("quantity", ("qty", "quantity")), ("market value", ("mkt val", "market")),
                           ("cost basis", ("cost basis",))):  # fmt: skip
        if name.startswith(starts):
            return column
    return name


def _own_section(
    source: Source,
    sections: list[tuple[str, list[tuple[Place, dict[str, str]]]]],
    account_number: str | None,
) -> tuple[str, list[tuple[Place, dict[str, str]]]]:
    if len(sections) == 1:
        return sections[0]
    digits = "".join(char for char in account_number or "" if char.isdigit())
    for name, rows in sections:
        hint = _DIGITS.search(name)
        if hint and digits.endswith(hint[1]):
            return name, rows
    raise InvalidOrderError(
        f"{source.name} holds {len(sections)} accounts, and none of them ends like the account's "
        f"number {account_number!r}."
    )


def _schwab_rows(
    rows: list[tuple[Place, dict[str, str]]],
) -> tuple[pd.DataFrame, float | None]:
    found: list[dict[str, Any]] = []
    cash: float | None = None
    for place, cells in rows:
        name = cells["symbol"].casefold()
        if name in _TOTALS or not name:
            continue
        if name in _CASH:
            number = read_number(cells.get("market value"), "Market Value", place)
            cash = None if number is None else (cash or 0.0) + float(number)
            continue
        quantity = read_number(cells.get("quantity"), "Quantity", place)
        if quantity is None:
            continue
        numbers = {"cost_basis": cells.get("cost basis", ""), "price": cells.get("price", "")}
        found.append({"symbol": symbol_of(cells["symbol"]), "quantity": float(quantity)} | {
            column: _loose(text, column, place) for column, text in numbers.items()
        })  # fmt: skip
    return _frame(found), cash


def _loose(text: str, name: str, place: Place) -> float:
    """Return a number that only hints at causes; words such as "Incomplete" count as missing."""
    if not any(char.isdigit() for char in text):
        return math.nan
    number = read_number(text, name, place)
    return math.nan if number is None else float(number)
