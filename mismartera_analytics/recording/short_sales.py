"""Sales of what a cash account never held: computed as they are, and named."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics.errors import warn
from mismartera_analytics.ledger.events import prepare_events, split_growth
from mismartera_analytics.models import AccountInfo

__all__ = ["ShortSaleWarning", "warn_of_short_sales"]

TOLERANCE = 1e-9  # of what was traded so far [1]


class ShortSaleWarning(UserWarning):
    """A cash account sold more than its records say that it held."""


def warn_of_short_sales(
    db_session: Session, fills: pd.DataFrame, transfers: pd.DataFrame, actions: pd.DataFrame
) -> None:
    """Warn of cash accounts whose records go short, once for each symbol.

    A margin account may sell short, and of an account without a type nothing is known.

    Parameters
    ----------
    db_session
        Where the types of accounts are read.
    fills, transfers, actions
        As `prepare_events` reads them.
    """
    from mismartera_analytics.kernels.lots import TRANSFER

    statement = select(AccountInfo.id).where(AccountInfo.account_type == "cash")
    cash = list(db_session.scalars(statement))
    mine = fills.loc[fills["account_id"].isin(cash)]
    if not len(mine):
        return
    moved = transfers.loc[transfers["account_id"].isin(cash)]
    splits = actions.loc[actions["action_type"] != "CASH_DIVIDEND"]
    events = prepare_events(mine, splits, moved)
    shares = np.where(events.kind >= TRANSFER, events.quantity * split_growth(events), 0.0)
    by_group = pd.Series(shares).groupby(events.group)
    traded = pd.Series(np.abs(shares)).groupby(events.group).cumsum()
    is_short = (by_group.cumsum() < -TOLERANCE * traded).to_numpy()
    rows = np.flatnonzero(is_short)
    if not len(rows):
        return
    first = rows[np.unique(events.group[rows], return_index=True)[1]]
    keys = events.groups.iloc[events.group[first]]
    days = events.session[first].astype("datetime64[D]")
    found = [
        f"{symbol} in account {account} on {day}"
        for symbol, account, day in zip(keys["symbol"], keys["account_id"], days, strict=True)
    ]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    warn(
        f"cash accounts sold more than they held: {', '.join(found[:5])}{more}. They are counted as "
        f"short; record what came in before as a TRANSFER flow, or make it a margin account.",
        ShortSaleWarning,
    )
