"""What happens to an account beside its orders, as the kernel reads it: actions, borrow, interest."""

from __future__ import annotations

import numpy as np

from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.kernels import layouts

__all__ = ["actions_of"]


def actions_of(market: Market, settings: Settings) -> layouts.Records:
    """Return corporate actions and, where the account pays or earns any, borrow fees and interest.

    Parameters
    ----------
    market
        The run's.
    settings
        The rules.

    Returns
    -------
    numpy.ndarray of layouts.ACTION
        In the order in which they come into force. Fees and interest for the nights since the session
        before come first on a session's first row, on what was held and owed at its last closes.
    """
    actions = np.zeros(len(market.actions), layouts.ACTION)
    for name in ("row", "at", "symbol", "ratio", "amount"):
        actions[name] = getattr(market.actions, name)
    actions["kind"] = np.where(market.actions.ends, layouts.ENDING, layouts.ON_SHARES)
    parts = []
    if settings.borrow.terms().rate > 0.0 and settings.is_margin:
        parts.append(_nights(market, layouts.BORROW))
    interest = settings.interest.terms()
    if interest.credit > 0.0 or interest.debit > 0.0:
        parts.append(_nights(market, layouts.INTEREST))
    if not parts:
        return actions
    every = np.concatenate([*parts, actions])
    return every[np.argsort(every["row"], kind="stable")]


def _nights(market: Market, kind: int) -> layouts.Records:
    """Return an event a session but the first, with the nights since the session before."""
    rows = market.clock.opening_rows()
    days = market.clock.label[rows].astype("datetime64[D]").astype(np.int64)
    events = np.zeros(max(len(rows) - 1, 0), layouts.ACTION)
    events["row"] = rows[1:]
    events["at"] = market.clock.start[rows[1:]]
    events["ratio"] = 1.0
    events["kind"] = kind
    events["nights"] = np.diff(days)
    return events
