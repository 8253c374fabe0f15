"""Which computed dividends an account's own records stand for: one flow for one action."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.ledger.events import Events, Floats
from mismartera_analytics.ledger.flows import owners_of

__all__ = ["RECORDED_WITHIN", "recorded_dividends"]

RECORDED_WITHIN = 60
"""A dividend is booked on its ex-date or so many days later at most."""
ROUNDED = 0.01
"""By how much a booked amount may differ from the computed one and still be the same."""
TAXED = 0.5
"""The least part of a dividend that is left after tax."""
UNLIKE = 4.0
"""How many times more or less than computed a flow may be: another number of shares was counted."""

Pair = tuple[int, int, int, int]


def recorded_dividends(events: Events, income: Floats, flows: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell of each event whether it is a dividend that the account's own records stand for.

    Each DIVIDEND flow stands for one dividend of its account and symbol at most, of the 60 days up to
    it: for one of the same amount before one of more (tax was withheld), for that before another, and
    for the nearest among alike. As many dividends as can be find their flow.

    Parameters
    ----------
    events
        Of the ledger.
    income
        (n,) what each event pays [currency], negative where the holder is short.
    flows
        From `flows.ledger_flows`, symbols by the names that they have now.
    """
    from mismartera_analytics.kernels.lots import DIVIDEND

    recorded = np.zeros(len(events), np.bool_)
    _, owner, rows = owners_of(events.groups, flows)
    is_paid = (flows["flow_type"].iloc[rows] == "DIVIDEND").to_numpy()
    due = np.flatnonzero((events.kind == DIVIDEND) & (income != 0.0))
    if not is_paid.any() or not len(due):
        return recorded
    day = flows["session"].to_numpy(np.int64)[rows]
    amount = flows["amount"].to_numpy(np.float64)[rows]
    booked = defaultdict(list)
    for place in np.flatnonzero(is_paid).tolist():
        booked[int(owner[place])].append(place)
    pairs: dict[int, list[Pair]] = defaultdict(list)
    for event in due[np.isin(events.group[due], list(booked))]:
        group = int(events.group[event])
        for flow in booked[group]:
            gap = int(day[flow] - events.session[event])
            likeness = _likeness(float(amount[flow]), float(income[event]))
            if 0 <= gap <= RECORDED_WITHIN and likeness is not None:
                pairs[group].append((likeness, gap, int(event), flow))
    for own in pairs.values():
        recorded[list(_matched(own))] = True
    return recorded


def _likeness(amount: float, income: float) -> int | None:
    """Return 0 for the same amount, 1 for less by tax, 2 for another; None for no such payment."""
    share = amount / income
    if abs(share - 1.0) <= ROUNDED:
        return 0
    if TAXED <= share < 1.0:
        return 1
    return 2 if 1 / UNLIKE <= share <= UNLIKE else None


def _matched(pairs: list[Pair]) -> dict[int, int]:
    """Match events with flows: the best pairs first, then whatever lets one more event in."""
    flow_of: dict[int, int] = {}
    event_of: dict[int, int] = {}
    choices: dict[int, list[int]] = defaultdict(list)
    for _, _, event, flow in sorted(pairs):
        choices[event].append(flow)
        if event not in flow_of and flow not in event_of:
            flow_of[event], event_of[flow] = flow, event

    def find_room(event: int, tried: set[int]) -> bool:
        for flow in choices[event]:
            if flow in tried:
                continue
            tried.add(flow)
            if flow not in event_of or find_room(event_of[flow], tried):
                flow_of[event], event_of[flow] = flow, event
                return True
        return False

    for event in choices:
        if event not in flow_of:
            find_room(event, set())
    return flow_of
