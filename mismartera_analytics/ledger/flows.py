"""Cash flows as the ledger reads them: which move lots, and which belong to a symbol."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.ledger.events import Ints, days, transfers_of

__all__ = [
    "belongs_to_symbol",
    "ledger_flows",
    "owners_of",
]


def ledger_flows(flows: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the flows of money, and the transfers of lots in the form of fills.

    Raises
    ------
    InvalidInputError
        If an amount is not a finite number.
    """
    names = ["account_id", "user", "symbol", "session", "flow_type", "amount"]
    if flows is None or not len(flows):
        return pd.DataFrame({name: [] for name in names}).astype({"session": "int64"}), None
    table = pd.DataFrame({name: flows.get(name) for name in names})
    table = table.astype({"account_id": "Int64", "user": "str", "symbol": "str"})
    table["session"] = days(flows["session"])
    if not np.isfinite(table["amount"].to_numpy(np.float64)).all():
        raise InvalidInputError("flows hold an amount that is not a finite number.")
    table = table.reset_index(drop=True)
    moved = transfers_of(flows.reset_index(drop=True))
    return table.drop(index=moved.index).reset_index(drop=True), moved if len(moved) else None


def belongs_to_symbol(flows: pd.DataFrame) -> pd.Series:
    """Tell of each flow whether it is the income or a fee of a symbol, not of the account's cash."""
    return flows["symbol"].notna() & flows["flow_type"].isin(["DIVIDEND", "INTEREST", "FEE"])


def owners_of(groups: pd.DataFrame, flows: pd.DataFrame) -> tuple[pd.DataFrame, Ints, Ints]:
    """Return all positions, and of the flows that belong to a symbol the position and the row."""
    names = ["account_id", "user", "symbol"]
    is_ours = belongs_to_symbol(flows)
    rows = np.flatnonzero(is_ours.to_numpy())
    if not len(rows):
        return groups, np.zeros(0, np.int64), rows
    stacked = pd.concat([groups, flows.loc[is_ours, names]], ignore_index=True)
    number = stacked.groupby(names, dropna=False, sort=False).ngroup().to_numpy()
    owners = stacked.drop_duplicates(names, ignore_index=True).fillna({"multiplier": 1.0})
    return owners, number[len(groups) :].astype(np.int64), rows
