"""Lots that somebody named for a closing fill: specific identification."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.frames.given import check_table, is_missing
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.kernels.lots import FILL, TRANSFER, Choices
from mismartera_analytics.ledger.events import Events, Ints, days

__all__ = ["check_lots", "choices_of", "refuse_missing"]

DAY = 86_400_000_000  # [µs]
TOLERANCE = 1e-9  # of a quantity [1]


def check_lots(lots: pd.DataFrame | None, method: str) -> None:
    """Refuse named lots that would not be read, or that lack a column.

    Raises
    ------
    InvalidInputError
        Saying what is missing.
    """
    if lots is None:
        return
    if method != "specific":
        raise InvalidInputError(f"lots= is read with method='specific' only, not {method!r}.")
    check_table(lots, argument="lots")
    missing = [name for name in ("order_id", "quantity") if name not in lots.columns]
    if missing or not {"opened_on", "opening_order_id"} & set(lots.columns):
        raise InvalidInputError(
            "lots needs the columns order_id (the closing order), quantity, and opened_on or "
            f"opening_order_id; it has {', '.join(map(str, lots.columns)) or 'none'}."
        )


def choices_of(lots: pd.DataFrame, events: Events, fills: pd.DataFrame) -> Choices:
    """Return the named lots as the kernel reads them.

    Parameters
    ----------
    lots
        One row a lot that is to be closed: ``order_id`` of the closing order, perhaps ``fill_id``,
        ``quantity`` [shares at the exit, positive], and which lot: ``opened_on`` (the label on which it
        was bought, or acquired before a transfer), ``opening_order_id``, or both.
    events
        From `prepare_events` of the same fills.
    fills
        With ``order_id``, and ``fill_id`` where `lots` names fills.

    Returns
    -------
    kernels.lots.Choices
        Several lots that fit one row serve it from the oldest on.

    Raises
    ------
    InvalidInputError
        If a row names an order without a fill, a lot that was not opened before, or a quantity that is
        not positive.
    """
    check_lots(lots, "specific")
    wanted = _wanted(lots)
    table = _events_table(events, fills)
    is_fill = table["kind"] == FILL
    keys = ["order_id"]
    if wanted["fill_id"].notna().any():
        keys.append("fill_id")
    closers = wanted.merge(table.loc[is_fill, [*keys, "event", "group"]], on=keys)
    _refuse(~wanted["choice"].isin(closers["choice"]), lots, "orders that have no such fill")
    openers = table[["event", "group", "opened", "order_id"]]
    openers = openers.rename(columns={"event": "lot", "order_id": "opener"})
    pairs = closers.merge(openers, on="group")
    fits = pairs["lot"] < pairs["event"]
    for name, key in (("opened_on", "opened"), ("opening_order_id", "opener")):
        fits &= pairs[name].isna() | (pairs[name] == pairs[key]).fillna(value=False)
    pairs = pairs.loc[fits.astype("bool")].sort_values(["event", "choice", "lot"])
    _refuse(
        ~wanted["choice"].isin(pairs["choice"]), lots, "lots that were not opened before the sale"
    )
    first = np.searchsorted(pairs["event"], np.arange(len(events) + 1)).astype(np.int64)
    return Choices(
        first,
        pairs["lot"].to_numpy(np.int64),
        pairs["choice"].to_numpy(np.int64),
        wanted["quantity"].to_numpy(np.float64),
    )


def refuse_missing(lots: pd.DataFrame, choices: Choices, missing: Any) -> None:
    """Refuse named lots of which fewer shares were open, or could be closed, than named.

    Raises
    ------
    InvalidInputError
        Naming the rows.
    """
    short = missing > TOLERANCE * choices.quantity
    if short.any():
        row = int(np.flatnonzero(short)[0])
        got = choices.quantity[row] - missing[row]
        _refuse(short, lots, f"more shares than are open or sold (the first gets {got:.10g})")


def _ids(values: pd.Series, lots: pd.DataFrame, name: str) -> Any:
    found = numbers_in(values)
    is_id = (np.abs(found) < 2.0**53) & (found == np.floor(found))
    _refuse(~is_id & values.notna().to_numpy(), lots, f"an {name} that is no id")
    return pd.Series(np.where(is_id, found, np.nan)).astype("Int64").array


def _label(value: Any) -> dt.date | None:
    if is_missing(value):
        return None
    plain = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    return clock.parse_label(plain, argument="opened_on of lots")


def _wanted(lots: pd.DataFrame) -> pd.DataFrame:
    wanted = pd.DataFrame({"choice": np.arange(len(lots))})
    for name in ("order_id", "fill_id", "opening_order_id"):
        values = lots[name] if name in lots.columns else pd.Series(pd.NA, index=lots.index)
        wanted[name] = _ids(values, lots, name)
    dates: Any = pd.Series(pd.NaT, index=lots.index)
    if "opened_on" in lots.columns:
        dates = pd.to_datetime(lots["opened_on"].map(_label))
    wanted["opened_on"] = pd.array(days(dates.fillna(pd.Timestamp(0))), "Int64")
    wanted.loc[dates.isna().to_numpy(), "opened_on"] = pd.NA
    quantity = numbers_in(lots["quantity"])
    _refuse(~(np.isfinite(quantity) & (quantity > 0)), lots, "a quantity that is not positive")
    _refuse(wanted[["opened_on", "opening_order_id"]].isna().all(axis=1), lots,
            "neither opened_on nor opening_order_id")  # fmt: skip
    return wanted.assign(quantity=quantity)


def _events_table(events: Events, fills: pd.DataFrame) -> pd.DataFrame:
    """Return the events that may open or close a lot, with the order and the day of each."""
    rows: Ints = np.flatnonzero(events.kind >= TRANSFER)
    is_fill = events.kind[rows] == FILL
    table = pd.DataFrame({"event": rows, "group": events.group[rows], "kind": events.kind[rows]})
    if "order_id" not in fills.columns:
        raise InvalidInputError("lots names orders, but the fills have no column order_id.")
    for name in ("order_id", "fill_id"):
        column = pd.array([pd.NA] * len(rows), "Int64")
        if name in fills.columns and is_fill.any():
            column[is_fill] = fills[name].astype("Int64").array[events.source[rows][is_fill]]
        table[name] = column
    opened = np.where(is_fill, events.session[rows], events.moment[rows] // DAY)
    table["opened"] = pd.array(opened, "Int64")
    return table


def _refuse(bad: Any, lots: pd.DataFrame, what: str) -> None:
    if np.any(bad):
        rows = np.flatnonzero(np.asarray(bad, np.bool_))
        shown = ", ".join(str(lots.index[row]) for row in rows[:5])
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise InvalidInputError(f"lots names {what}: rows {shown}{more}.")
