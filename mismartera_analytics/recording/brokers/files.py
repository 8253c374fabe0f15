"""Files as text, and what they look like."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, as_given
from mismartera_analytics.frames.given import listed
from mismartera_analytics.given_files import MAX_MB, check_path, read_given
from mismartera_analytics.json_texts import parse_json

__all__ = ["KNOWN", "Source", "csv_rows", "json_entries", "kind_of", "read_sources"]

PathLike = str | os.PathLike[str]

KNOWN = {
    "schwab transactions": "Charles Schwab's transactions",
    "alpaca orders": "Alpaca's orders",
    "alpaca activities": "Alpaca's account activities",
    "schwab positions": "Charles Schwab's positions",
    "alpaca positions": "Alpaca's positions",
    "alpaca account": "Alpaca's account",
}
"""Kinds of files that are read, and what to call them."""

FOREIGN = (
    ({"run date", "action", "symbol"}, "Fidelity's account history"),
    ({"activity date", "process date", "trans code"}, "Robinhood's account activity"),
    ({"transactiondate", "transactiontype", "securitytype"}, "E*TRADE's transactions"),
    ({"trade date", "settlement date", "transaction type"}, "Vanguard's transactions"),
    ({"isin", "no. of shares", "ticker"}, "Trading 212's history"),
    ({"transaction type", "asset", "quantity transacted"}, "Coinbase's transactions"),
    ({"clientaccountid"}, "a report of Interactive Brokers"),
    ({"statement", "header", "field name"}, "a statement of Interactive Brokers"),
    ({"date", "type", "withdrawal", "deposit"}, "the transactions of a bank account"),
    ({"closed date", "opened date", "proceeds"}, "Charles Schwab's realized gains"),
)
"""Columns by which files of others are recognised."""

SCHWAB_COLUMNS = {"date", "action", "symbol", "description", "quantity", "price", "amount"}


@dataclass(frozen=True)
class Source:
    """A file that was read: its name without the folder, its text, and its JSON where it is that."""

    name: str
    text: str
    json: Any = None


def read_sources(paths: PathLike | Iterable[PathLike]) -> list[Source]:
    """Read files; one that is named twice is read once.

    Raises
    ------
    StorageError
        If a file cannot be read.
    InvalidOrderError
        If a file is empty, no text, or JSON that ends too early; the line is named.
    InvalidInputError
        If there is no file, or a folder is given.
    """
    given = listed(paths, argument="paths") if not isinstance(paths, os.PathLike) else [paths]
    wanted: list[Path] = []
    for one in given:
        if not isinstance(one, (str, os.PathLike)):
            raise InvalidInputError(f"paths holds {one!r}; each must be the path of a file.")
        path = Path(one)
        check_path(path, argument="paths")
        if path.resolve() not in [other.resolve() for other in wanted]:
            wanted.append(path)
    if not wanted:
        raise InvalidInputError("paths is empty; name at least one file.")
    return [_read(path) for path in wanted]


def _read(path: Path) -> Source:
    with contextlib.suppress(OSError):  # a name that is too long is refused when it is read
        if path.is_dir():
            raise InvalidInputError(
                f"paths={as_given(str(path))} is a folder; name the files in it."
            )
    raw = read_given(path, argument="paths")
    text = _decoded(raw, path.name)
    if not text.strip():
        raise InvalidOrderError(f"{path.name} is empty.")
    is_json = text.lstrip()[:1] in ("{", "[")
    return Source(path.name, text, _json(text, path.name) if is_json else None)


def _decoded(raw: bytes, name: str) -> str:
    for start, what in ((b"PK", "an Excel workbook or a ZIP archive"), (b"%PDF", "a PDF")):
        if raw.startswith(start):
            raise InvalidOrderError(
                f"{name} looks like {what}; export the transactions as CSV or JSON."
            )
    coding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(coding)
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252")  # what spreadsheets on Windows save
    except UnicodeDecodeError:
        raise InvalidOrderError(f"{name} is not text; export it as CSV or JSON.") from None


def _json(text: str, name: str) -> Any:
    return parse_json(text, what=name, error=InvalidOrderError, most_mb=MAX_MB, numbers=str)


def kind_of(source: Source) -> tuple[str | None, str]:
    r"""Return the kind of a file, a key of `KNOWN` or None, and what it looks like.

    Examples
    --------
    >>> kind_of(Source("x.csv", "Run Date,Action,Symbol,Amount\n"))
    (None, "Fidelity's account history")
    """
    if source.json is not None:
        return _kind_of_json(source.json)
    for line in source.text.splitlines()[:12]:
        cells = {cell.strip().casefold() for cell in next(csv.reader([line]), [])}
        if cells >= SCHWAB_COLUMNS:
            return "schwab transactions", KNOWN["schwab transactions"]
        for columns, name in FOREIGN:
            if columns <= cells:
                return None, name
        if {"symbol", "description"} <= cells and any(
            cell.startswith(("qty", "quantity")) for cell in cells
        ):
            return "schwab positions", KNOWN["schwab positions"]
    return None, "no file of a broker that is known here"


def _kind_of_json(value: Any) -> tuple[str | None, str]:
    if isinstance(value, dict):
        if "BrokerageTransactions" in value:
            return "schwab transactions", KNOWN["schwab transactions"]
        if "Transactions" in value and "FromDate" in value:
            return None, "the equity awards of Charles Schwab"
        if {"buying_power", "cash"} <= value.keys():
            return "alpaca account", KNOWN["alpaca account"]
        if value.keys() == {"message", "code"} or value.keys() == {"message"}:
            return None, f"an error that Alpaca returned ({value['message']})"
    entries = json_entries(value)
    first = entries[0] if entries else {}
    for key, kind in (
        ("activity_type", "alpaca activities"), ("avg_entry_price", "alpaca positions"),
        ("filled_qty", "alpaca orders"), ("filled_avg_price", "alpaca orders"),
    ):  # fmt: skip
        if key in first:
            return kind, KNOWN[kind]
    if not entries and isinstance(value, list):
        return "alpaca orders", "an empty list"
    return None, "JSON of no broker that is known here"


def json_entries(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, of a list of pages, or of an object that wraps one."""
    if isinstance(value, dict):
        inner = [part for part in value.values() if isinstance(part, list)]
        is_wrapper = len(inner) == 1 and not {"id", "symbol"} & value.keys()
        return json_entries(inner[0]) if is_wrapper else [value]
    if isinstance(value, list) and value and all(isinstance(part, list) for part in value):
        return [entry for page in value for entry in json_entries(page)]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def csv_rows(source: Source) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV file with the line on which each begins; blank ones are left out.

    Raises
    ------
    InvalidOrderError
        If a quotation mark is never closed: the file ends inside a row.
    """
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(source.text, newline=""), strict=True)
    begins = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            raise InvalidOrderError(
                f"{source.name} line {begins}: this row is no whole row of CSV ({error}); the file may "
                f"be cut off."
            ) from None
        if any(cell.strip() for cell in row):
            rows.append((begins, row))
        begins = reader.line_num + 1
