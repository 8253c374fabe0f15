"""Fills written to orders that are recorded."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from mismartera_analytics.errors import DuplicateError, as_given
from mismartera_analytics.models import Fill
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.recording.checking import content

__all__ = ["CHUNK", "write_fills"]

CHUNK = 5_000  # ids asked for in one statement


def write_fills(db_session: Session, fills: pd.DataFrame, ids: dict[int, int]) -> int:
    """Write the fills that are not there yet; those of repeated rows count once.

    Parameters
    ----------
    db_session
        Where to write, uncommitted.
    fills
        Checked: ``place, quantity, price, commission, filled_at, broker_fill_id``.
    ids
        Of the orders, by place; fills of other places are left out.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    DuplicateError
        If an order has other fills recorded, or a broker's id is recorded with other content.
    """
    names = ("filled_at", "quantity", "price", "commission", "broker_fill_id")
    table = fills.loc[fills["place"].isin(list(ids))]
    order_id = table["place"].map(ids)
    wanted = sorted(set(order_id.tolist()))
    columns = {"order_id": Fill.order_id} | {name: getattr(Fill, name) for name in names}
    recorded: dict[tuple[Any, ...], int] = {}
    for first in range(0, len(wanted), CHUNK):
        chosen = select(Fill.id).where(Fill.order_id.in_(wanted[first : first + CHUNK]))
        for row in content(read_frame(db_session, columns, chosen), columns):
            recorded[row] = recorded.get(row, 0) + 1
    values = []
    for number, row in zip(order_id, content(table, names), strict=True):
        key = (number, *row)
        if recorded.get(key, 0):
            recorded[key] -= 1
        else:
            values.append({"order_id": number} | dict(zip(names, row, strict=True)))
    if any(recorded.values()) and values:
        some = next(key[0] for key, count in recorded.items() if count)
        raise DuplicateError(f"the order {some} has other fills recorded than those given.")
    _refuse_known_fills(db_session, values)
    if values:
        fills_table: Any = Fill.__table__
        db_session.execute(insert(fills_table), values)
    return len(values)


def _refuse_known_fills(db_session: Session, values: list[dict[str, Any]]) -> None:
    ids = [row["broker_fill_id"] for row in values if row["broker_fill_id"] is not None]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise DuplicateError(
            f"fills hold broker_fill_id={as_given(twice)} twice with other content."
        )
    for first in range(0, len(ids), CHUNK):
        chosen = select(Fill.broker_fill_id).where(
            Fill.broker_fill_id.in_(ids[first : first + CHUNK])
        )
        known = db_session.scalars(chosen.limit(1)).first()
        if known is not None:
            raise DuplicateError(
                f"broker_fill_id={as_given(known)} is recorded with other content."
            )
