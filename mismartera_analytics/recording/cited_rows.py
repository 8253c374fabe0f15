"""The rows of an account that a report rests on: read as they are, kept once, compared afterwards."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics.errors import StorageError
from mismartera_analytics.json_texts import stored_json
from mismartera_analytics.models import CashFlow, CorporateAction, Fill, Order, ReportRows
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording.ownership import AccountLike, account_of, reading

__all__ = ["Packed", "Row", "TIMES", "cited_rows", "pack", "unpack"]

Row = dict[str, Any]
"""A row as JSON values; instants and dates by ISO 8601."""
TIMES = {"order": "placed_at", "fill": "filled_at", "flow": "occurred_at", "action": "ex_date"}
"""By which time a row of each kind is dated."""
_ORDER = (
    "broker_order_id", "symbol", "order_type", "side", "quantity", "filled_quantity", "price", "status",
    "placed_at", "filled_at", "stop_price", "average_fill_price", "commission", "time_in_force",
    "time_precision",
)  # fmt: skip
_FILL = ("order_id", "filled_at", "quantity", "price", "commission", "broker_fill_id")
_FLOW = (
    "flow_type", "occurred_at", "amount", "currency", "symbol", "quantity", "acquired_on",
    "broker_flow_id", "time_precision",
)  # fmt: skip
_ACTION = ("symbol", "action_type", "ex_date", "ratio", "amount", "currency", "new_symbol")


@dataclass(frozen=True)
class Packed:
    """Rows under digests.

    Attributes
    ----------
    digest
        Of the list of all parts; equal rows have equal digests.
    texts
        JSON by its digest: the list, and each part.
    """

    digest: str
    texts: Mapping[str, str]


@repeated
def cited_rows(
    account: AccountLike, *, symbols: Iterable[str] = (), db_session: Session | None = None
) -> dict[str, list[Row]]:
    """Return every row that a report of an account can rest on.

    Parameters
    ----------
    account
        Its id, its number, or an `AccountInfo`.
    symbols
        Others whose corporate actions count, such as a benchmark.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    dict
        ``order, fill, flow, action``: rows with ``id``, by id.

    Raises
    ------
    UnknownNameError
        If the account is not known to whoever is signed in.
    """
    with reading(db_session) as own:
        number = account_of(own, account).id
        orders = _read(own, Order, _ORDER, select(Order.id).where(Order.account_id == number))
        of_account = select(Fill.id).join(Order).where(Order.account_id == number)
        fills = _read(own, Fill, _FILL, of_account)
        flows = _read(
            own, CashFlow, _FLOW, select(CashFlow.id).where(CashFlow.account_id == number)
        )
        traded = {*orders["symbol"], *flows["symbol"].dropna(), *symbols}
        actions = _read(own, CorporateAction, _ACTION, select(CorporateAction.id))
    is_ours = actions["symbol"].isin(traded) | actions["new_symbol"].isin(traded)
    tables = {"order": orders, "fill": fills, "flow": flows, "action": actions.loc[is_ours]}
    return {kind: _rows(table) for kind, table in tables.items()}


def _read(db_session: Session, mapped: Any, names: tuple[str, ...], chosen: Any) -> pd.DataFrame:
    columns = {name: getattr(mapped, name) for name in ("id", *names)}
    return read_frame(db_session, columns, chosen).sort_values("id")


def _rows(table: pd.DataFrame) -> list[Row]:
    columns = {name: _plain(table[name]) for name in table.columns}
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _plain(values: pd.Series[Any]) -> list[Any]:
    if values.dtype.kind == "M":
        return [None if pd.isna(value) else value.isoformat() for value in values]
    return [None if pd.isna(value) else value for value in values.astype(object)]


def pack(rows: Mapping[str, list[Row]]) -> Packed:
    """Return rows in parts by kind and time: those of former years by year, the last year by month.

    A report of the next day shares all parts but the last ones with this one.

    Parameters
    ----------
    rows
        As `cited_rows` gives them.

    Examples
    --------
    >>> flow = {"id": 1, "occurred_at": "2025-07-01T13:00:00+00:00", "amount": 5.0}
    >>> packed = pack({"flow": [flow]})
    >>> len(packed.texts), pack({"flow": [flow]}).digest == packed.digest
    (2, True)
    """
    texts: dict[str, str] = {}
    listed: dict[str, dict[str, str]] = {}
    dated = [str(row[TIMES[kind]]) for kind in rows for row in rows[kind] if row.get(TIMES[kind])]
    last = max(dated, default="")[:4]
    for kind, found in rows.items():
        parts: dict[str, list[Row]] = {}
        for row in found:
            when = row.get(TIMES[kind]) or ""
            parts.setdefault(when[:7] if when[:4] == last else when[:4], []).append(row)
        listed[kind] = {part: _put(texts, _columns(held)) for part, held in sorted(parts.items())}
    return Packed(_put(texts, listed), texts)


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _put(texts: dict[str, str], value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=_number)
    digest = hashlib.sha256(text.encode()).hexdigest()
    texts[digest] = text
    return digest


def _number(value: Any) -> Any:
    number = value.item()
    return None if isinstance(number, float) and not math.isfinite(number) else number


def unpack(db_session: Session, digest: str) -> dict[str, list[Row]]:
    """Return the rows that were packed under a digest.

    Raises
    ------
    StorageError
        If a part is missing or is not what it was.
    """
    listed: dict[str, dict[str, str]] = _taken(db_session, digest)
    rows: dict[str, list[Row]] = {}
    for kind, parts in listed.items():
        rows[kind] = []
        for part in parts.values():
            held: dict[str, list[Any]] = _taken(db_session, part)
            rows[kind] += [
                dict(zip(held, values, strict=True)) for values in zip(*held.values(), strict=True)
            ]
    return rows


def _taken(db_session: Session, digest: str) -> Any:
    text = db_session.scalar(select(ReportRows.rows_json).where(ReportRows.digest == digest))
    if text is None or hashlib.sha256(text.encode()).hexdigest() != digest:
        raise StorageError(
            f"the table report_rows has lost or changed what is kept under {digest[:12]}…, so that "
            f"the report's rows are not known."
        )
    return stored_json(text, what=f"rows_json of {digest[:12]}…")
