"""Any CSV of trades, by a mapping from what the records need to the file's columns."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    as_given,
    suggestion,
)
from mismartera_analytics.market_data.layout import SYMBOL_RULE, is_symbol
from mismartera_analytics.recording.brokers.cells import (
    content_key,
    positive,
    read_day,
    read_number,
    symbol_of,
)
from mismartera_analytics.recording.brokers.files import Source, csv_rows
from mismartera_analytics.recording.brokers.statement import (
    OrderRow,
    Place,
    Statement,
    When,
    refuse_row,
)

__all__ = ["FIELDS", "check_mapping", "read_mapped"]

FIELDS = (
    "symbol",
    "side",
    "quantity",
    "price",
    "filled_at",
    "commission",
    "order_id",
    "order_type",
)
"""What a mapping may name."""

NEEDED = ("symbol", "quantity", "price", "filled_at")
BUYS = ("buy", "b", "bot", "bought", "buy to cover", "long")
SELLS = ("sell", "s", "sld", "sold", "sell short", "short")
_DAY_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}\Z|\d{1,2}/\d{1,2}/\d{4}\Z")


def check_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping from `FIELDS` to columns, checked.

    Raises
    ------
    InvalidInputError
        If a field is unknown or missing, or a column is no text; the nearest name is suggested.
    """
    if not isinstance(mapping, Mapping):
        raise InvalidInputError(
            f"mapping={as_given(mapping)} must map {', '.join(FIELDS)} to columns."
        )
    for field, column in mapping.items():
        if field not in FIELDS:
            hint = suggestion(field, FIELDS) or "."
            raise InvalidInputError(
                f"mapping names {field!r}, which is not one of {', '.join(FIELDS)}{hint}"
            )
        if not isinstance(column, str) or not column.strip():
            raise InvalidInputError(
                f"mapping[{field!r}]={as_given(column)} must be a column's name."
            )
    missing = [field for field in NEEDED if field not in mapping]
    if missing:
        raise InvalidInputError(f"mapping lacks {', '.join(missing)}.")
    return dict(mapping)


def read_mapped(
    source: Source, mapping: Mapping[str, str], *, broker: str, tz: str | None
) -> Statement:
    """Read trades, each an order that was filled whole.

    Parameters
    ----------
    source
        CSV with a header in its first row that is not blank.
    mapping
        From `check_mapping`. Without ``side`` the quantity's sign tells; without ``order_id`` a row
        is known by its content and how often it occurs.
    broker
        Whose file it is.
    tz
        IANA zone of times that have none; without it they are refused.

    Raises
    ------
    InvalidOrderError
        If a column is missing or a cell cannot be read; the line is named.
    """
    if source.json is not None:
        raise InvalidOrderError(f"{source.name} is JSON; a mapping reads CSV.")
    rows = csv_rows(source)
    header = [cell.strip() for cell in rows[0][1]]
    for field, column in mapping.items():
        if column not in header:
            hint = suggestion(column, header) or "."
            raise InvalidOrderError(
                f"{source.name} has no column {column!r}, which mapping[{field!r}] names{hint}"
            )
    statement = Statement(broker, has_ids="order_id" in mapping)
    seen: Counter[str] = Counter()
    for number, cells in rows[1:]:
        place = Place(source.name, f"line {number}")
        named = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if any(name and name not in named for name in header):
            raise refuse_row(
                place, f"the row has {len(cells)} of {len(header)} cells; the file may be cut off"
            )
        row = {field: named[column] for field, column in mapping.items()}
        key = row.get("order_id") or content_key(row.values())
        seen[key] += 1
        if not statement.has_ids:
            key = f"{key}:{seen[key]}"
        elif not row["order_id"]:
            raise refuse_row(place, f"{mapping['order_id']} is empty")
        statement.orders.append(_order(row, mapping, key, place, tz))
    return statement


def _order(
    row: dict[str, str], mapping: Mapping[str, str], key: str, place: Place, tz: str | None
) -> OrderRow:
    symbol = symbol_of(row["symbol"])
    if not is_symbol(symbol):
        raise refuse_row(
            place, f"{mapping['symbol']}={as_given(symbol)} is no symbol: {SYMBOL_RULE}"
        )
    quantity = read_number(row["quantity"], mapping["quantity"], place)
    if not quantity:
        raise refuse_row(place, f"{mapping['quantity']} is missing or nothing")
    side = ("BUY" if quantity > 0 else "SELL") if "side" not in mapping else (
        _side(row["side"], mapping["side"], place)
    )  # fmt: skip
    if side == "BUY" and quantity < 0:
        raise refuse_row(place, f"{mapping['quantity']}={quantity} is negative in a purchase")
    when = _when(row["filled_at"], mapping["filled_at"], place, tz)
    fee = read_number(row.get("commission"), mapping.get("commission", ""), place)
    return OrderRow(
        place=place, key=key, symbol=symbol, side=side, quantity=abs(float(quantity)),
        status="FILLED", placed_at=when, filled_at=when, filled_quantity=abs(float(quantity)),
        average_fill_price=positive(row["price"], mapping["price"], place),
        commission=None if fee is None else float(abs(fee)),
        order_type=(row.get("order_type") or "UNKNOWN").upper(),
    )  # fmt: skip


def _side(text: str, column: str, place: Place) -> str:
    word = text.casefold()
    if word not in (*BUYS, *SELLS):
        raise refuse_row(place, f"{column}={as_given(text)} is neither a purchase nor a sale")
    return "BUY" if word in BUYS else "SELL"


def _when(text: str, column: str, place: Place, tz: str | None) -> When:
    if _DAY_ONLY.match(text):
        return read_day(text, column, place)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise refuse_row(
            place, f"{column}={as_given(text)} is not a time such as 2025-07-02T09:30:00-04:00"
        ) from None
    if moment.tzinfo is None:
        if tz is None:
            raise refuse_row(place, f"{column}={as_given(text)} has no time zone; pass tz=")
        moment = clock.local_instant(moment.date(), moment.time(), tz)
    return clock.parse_instant(moment, argument=column)
