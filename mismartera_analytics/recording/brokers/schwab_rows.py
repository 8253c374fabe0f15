"""The rows of Charles Schwab's transactions, their cells read and their total checked."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from mismartera_analytics.errors import InvalidOrderError
from mismartera_analytics.recording.brokers.cells import (
    content_key,
    read_day,
    read_number,
    symbol_of,
)
from mismartera_analytics.recording.brokers.files import Source, csv_rows
from mismartera_analytics.recording.brokers.statement import Place, Skipped, refuse_row

__all__ = ["Row", "account_digits", "read_rows"]

COLUMNS = ("Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount")
_AS_OF = re.compile(r"\s+as\s+of\s+", re.IGNORECASE)
_TITLE_DIGITS = re.compile(r"account\s.*?(?:\.{3}|X{2,}-?|-)(\d{3,4})\b", re.IGNORECASE)
_NAME_DIGITS = re.compile(r"_X{2,}(\d{3,4})_", re.IGNORECASE)
HALF_A_CENT = Decimal("0.005")


@dataclass(frozen=True)
class Row:
    """One transaction, its cells read."""

    place: Place
    key: str
    posted: dt.date
    effective: dt.date
    action: str
    symbol: str
    description: str
    quantity: Decimal | None
    price: Decimal | None
    fees: Decimal
    amount: Decimal | None

    def skipped(self, reason: str) -> Skipped:
        """Return the row as one that is not recorded."""
        amount = None if self.amount is None else float(self.amount)
        return Skipped(self.place, self.action, reason, self.symbol or None, amount)


def read_rows(source: Source) -> list[Row]:
    """Return the rows of a file as they stand in it.

    Raises
    ------
    InvalidOrderError
        If a row is cut off, a cell cannot be read, or the amounts miss the file's own total.
    """
    return _rows_of_json(source) if source.json is not None else _rows_of_csv(source)


def account_digits(source: Source) -> str | None:
    """Return the last digits of the account's number, from the title or the name of a file."""
    title = "" if source.json is not None else source.text.lstrip().splitlines()[0]
    found = _TITLE_DIGITS.search(title) if "account" in title.casefold() else None
    found = found or _NAME_DIGITS.search(source.name)
    return found[1] if found else None


def _rows_of_csv(source: Source) -> list[Row]:
    header: list[str] | None = None
    found: list[tuple[Place, dict[str, str]]] = []
    total: tuple[Place, str] | None = None
    for number, cells in csv_rows(source):
        place = Place(source.name, f"line {number}")
        texts = [cell.strip() for cell in cells]
        if header is None:
            if {"date", "action"} <= {text.casefold() for text in texts}:
                header = [text.casefold() for text in texts]
            continue
        if texts[0].casefold().startswith("transactions total"):
            last = [text for text in texts[1:] if text]
            total = (place, last[-1]) if last else None
            continue
        width = len([name for name in header if name])
        if any(header[len(texts) :]):
            raise refuse_row(
                place, f"the row has {len(texts)} of {width} cells; the file may be cut off"
            )
        if any(texts[len(header) :]):
            raise refuse_row(place, f"the row has more cells than the {width} columns")
        found.append((place, dict(zip(header, texts, strict=False))))
    _require_columns(source.name, header or [])
    rows = _read(found)
    if total is not None:
        _check_total(rows, total[1], total[0])
    return rows


def _rows_of_json(source: Source) -> list[Row]:
    entries = source.json["BrokerageTransactions"]
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise InvalidOrderError(f"{source.name}: BrokerageTransactions is not a list of objects.")
    found = []
    for number, entry in enumerate(entries, start=1):
        cells = {name.casefold(): str(value or "").strip() for name, value in entry.items()}
        found.append((Place(source.name, f"entry {number}"), cells))
    if entries:
        _require_columns(source.name, list(found[0][1]))
    rows = _read(found)
    total = source.json.get("TotalTransactionsAmount")
    if total:
        _check_total(rows, str(total), Place(source.name, "TotalTransactionsAmount"))
    return rows


def _require_columns(name: str, columns: list[str]) -> None:
    missing = [column for column in COLUMNS if column.casefold() not in columns]
    if missing:
        raise InvalidOrderError(f"{name} lacks the columns {', '.join(missing)}.")


def _read(found: list[tuple[Place, dict[str, str]]]) -> list[Row]:
    rows = []
    seen: Counter[str] = Counter()
    for place, cells in found:
        row = _row(place, cells)
        seen[row.key] += 1
        rows.append(replace(row, key=f"{row.key}:{seen[row.key]}"))
    return rows


def _row(place: Place, cells: dict[str, str]) -> Row:
    days = _AS_OF.split(cells["date"])
    posted = read_day(days[0], "Date", place)
    effective = read_day(days[-1], "Date", place)
    action = cells["action"]
    if not action:
        raise refuse_row(place, "Action is empty")
    symbol = symbol_of(cells["symbol"])
    quantity = read_number(cells["quantity"], "Quantity", place)
    price = read_number(cells["price"], "Price", place)
    fees = read_number(cells["fees & comm"], "Fees & Comm", place) or Decimal(0)
    amount = read_number(cells["amount"], "Amount", place)
    key = content_key([posted, effective, action.casefold(), symbol, quantity, price, fees, amount])
    return Row(
        place=place, key=key, posted=posted, effective=effective, action=action, symbol=symbol,
        description=cells["description"], quantity=quantity, price=price, fees=fees, amount=amount,
    )  # fmt: skip


def _check_total(rows: list[Row], text: str, place: Place) -> None:
    total = read_number(text, "the total", place)
    amounts = sum((row.amount for row in rows if row.amount is not None), Decimal(0))
    if total is not None and abs(total - amounts) > HALF_A_CENT:
        raise refuse_row(
            place,
            f"the total says {total:,.2f}, but the rows add up to {amounts:,.2f}; the file is cut off "
            f"or was edited",
        )
