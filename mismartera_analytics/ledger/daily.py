"""The daily ledger: every account and symbol marked to market on every session.

An account is worth its cash and its positions at the session's last price. A symbol's row treats the
money that its purchases took from the account's cash as a flow into the symbol, so that the same
identity holds for accounts, symbols and cash: ``begin_value + flows + total == end_value``, with
``total == realized + unrealized + dividends - fees``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.arguments import whole
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.ledger.dividends import recorded_dividends
from mismartera_analytics.ledger.events import (
    Events,
    Floats,
    Ints,
    days,
    in_later_names,
    later_names,
    prepare_events,
)
from mismartera_analytics.ledger.flows import (
    belongs_to_symbol,
    ledger_flows,
    owners_of,
)
from mismartera_analytics.ledger.lots import Method, match_named
from mismartera_analytics.ledger.marks import price_marks

__all__ = ["MAX_PRICE_AGE", "Ledger", "daily_ledger", "price_age"]

MAX_PRICE_AGE = 5
"""For how many sessions a symbol's last price stands in where a bar is missing."""
LONGEST_PRICE_AGE = 36_500  # a century and more: never too old

AMOUNTS = ("flows", "spent", "realized", "brought", "dividends", "fees")
"""Columns of a session's amounts. `spent` is the part of a symbol's flows that the account's cash paid;
the rest came as transferred lots, at market value, and `brought` is the open gain that came with
them. Money is known even where a transferred lot has no price."""


@dataclass(frozen=True)
class Ledger:
    """Rows of one kind, sorted by owner and session; idle rows of flat positions are left out.

    Attributes
    ----------
    owners
        One row an account or position: ``account_id, user, symbol``; its index is `owner`.
    owner
        (n,) row of `owners`.
    session
        (n,) row of `grid`.
    amounts
        (n, 6): of the session, in the order of `AMOUNTS` [currency].
    value
        (n,): at the session's end [currency]; NaN where a price lacks.
    gain
        (n,): gain of the open lots at the session's end [currency]; NaN where a price lacks.
    price_age
        (n,): sessions since the oldest price used; -1 where a price lacks.
    grid
        (s,) labels of all sessions [days since 1970-01-01].
    """

    owners: pd.DataFrame
    owner: Ints
    session: Ints
    amounts: Floats
    value: Floats
    gain: Floats
    price_age: Ints
    grid: Ints


def price_age(sessions: int) -> int:
    """Return for how many sessions a last price stands in, checked.

    Raises
    ------
    InvalidInputError
        If it is no whole number from 0 to 36,500.
    """
    return whole(sessions, "max_price_age", most=LONGEST_PRICE_AGE)


def daily_ledger(
    fills: pd.DataFrame,
    prices: pd.DataFrame,
    sessions: Any,
    *,
    actions: pd.DataFrame | None = None,
    flows: pd.DataFrame | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    max_price_age: int = MAX_PRICE_AGE,
    own_sessions: Mapping[str, pd.DatetimeIndex] | None = None,
) -> tuple[Ledger, Ledger, Ledger]:
    """Value accounts, symbols and cash on every session.

    Parameters
    ----------
    fills
        As in `match_lots`; every fill from the first one on.
    prices
        Columns ``symbol, session, close``: unadjusted closes [currency/share], before a change of
        symbol under the old one.
    sessions
        Labels of the calendar's sessions in ascending order; they reach to the last fill and flow.
        What falls on another day counts in the next session.
    actions
        Columns of `frames.CORPORATE_ACTIONS`. A dividend is received, or paid by who is short, on
        its ex-date by who held at the open; not where one of the account's `flows` stands for it, as
        `dividends.recorded_dividends` tells.
    flows
        Columns ``account_id, flow_type, session, amount`` and perhaps ``user, symbol, quantity``.
        DIVIDEND and INTEREST are income and FEE is a fee; a TRANSFER with a symbol and a quantity
        moves lots, at cost `amount`; everything else is a flow.
    method, lots
        As in `match_lots`.
    max_price_age
        For how many sessions a last price stands in for a missing bar; after that the value is NaN.
    own_sessions
        Where symbols trade on several markets: those among `sessions` on which each one trades, and on
        which the age of its price is counted; on the others its last price stands.

    Returns
    -------
    accounts, symbols, cash
        Three ledgers; those of symbols and cash add up to that of accounts.

    Raises
    ------
    InvalidOrderError, InvalidInputError
        As in `match_lots`, and if a fill or flow comes after the last session.
    """
    grid = days(sessions)
    if len(grid) > 1 and not (np.diff(grid) > 0).all():
        raise InvalidInputError("sessions must be distinct and in ascending order.")
    checked, transfers = ledger_flows(flows)
    checked["symbol"] = in_later_names(
        checked["symbol"], checked["session"].to_numpy(np.int64), later_names(actions)
    )
    events = prepare_events(fills, actions, transfers)
    states = match_named(events, fills, method=method, lots=lots).states
    marks = price_marks(prices, grid, actions, max_price_age, own_sessions)
    symbols = _symbol_ledger(events, states, grid, marks, checked)
    cash = _cash_ledger(symbols, checked, grid)
    return _account_ledger(symbols, cash), symbols, cash


def _rows_of(session: Ints, grid: Ints, what: str) -> Ints:
    """Return the row of the grid on which each label counts: its own, or the next session's."""
    if not len(session):
        return session
    first, last = int(session.min()), int(session.max())
    if not len(grid) or last > grid[-1]:
        shown = grid[-1:].astype("datetime64[D]")
        raise InvalidInputError(f"{what} come after the last session given ({shown}).")
    if last - first > 8 * len(session) + 100_000:
        return np.searchsorted(grid, session)
    rows = np.searchsorted(grid, np.arange(first, last + 1))  # once for every day in between
    return rows[session - first]


def _symbol_ledger(
    events: Events,
    states: Floats,
    grid: Ints,
    marks: tuple[pd.Index, Floats, Ints],
    flows: pd.DataFrame,
) -> Ledger:
    from mismartera_analytics.kernels.lots import DIVIDEND

    names, closes, ages = marks
    beyond = (events.kind <= DIVIDEND) & (events.session > grid[-1:].sum())
    if beyond.any():
        kept = np.flatnonzero(~beyond)
        events, states = events.rows(kept), states[kept]
    row = _rows_of(events.session, grid, "fills")
    owners, ours, from_flows = owners_of(events.groups, flows)
    column = names.get_indexer(pd.Index(owners["symbol"]))  # -1, the last column: no prices at all
    scale = owners["multiplier"].to_numpy(np.float64)
    income = np.where(recorded_dividends(events, states[:, 3], flows), 0.0, states[:, 3])
    market = (closes, row, column[events.group], scale)
    amounts, owner = _event_amounts(events, states, income, market), events.group
    if len(ours):
        amounts = np.r_[amounts, _flow_amounts(flows.iloc[from_flows])]
        days_of = flows["session"].to_numpy(np.int64)[from_flows]
        owner, row = np.r_[owner, ours], np.r_[row, _rows_of(days_of, grid, "flows")]
    return _spread(owners, grid, owner, row, amounts, states[:, :2], (closes, ages, column))


def _event_amounts(
    events: Events, states: Floats, income: Floats, market: tuple[Floats, Ints, Ints, Floats]
) -> Floats:
    """Return what each event adds to `AMOUNTS`; lots that are transferred count at market value."""
    from mismartera_analytics.kernels.lots import FILL, TRANSFER

    closes, row, column, scale = market
    is_fill, is_move = events.kind >= FILL, events.kind == TRANSFER
    amounts = np.zeros((len(events), len(AMOUNTS)))
    amounts[:, 0] = np.where(is_fill, events.quantity * events.price, 0.0)
    amounts[:, 0] += events.fee - income
    amounts[:, 1] = amounts[:, 0]
    amounts[:, 2], amounts[:, 4], amounts[:, 5] = states[:, 2], income, events.fee
    if is_move.any():
        basis, group = states[:, 1], events.group
        before = np.where(np.r_[True, group[1:] != group[:-1]], 0.0, np.r_[0.0, basis[:-1]])
        price = closes[row[is_move], column[is_move]] * scale[group[is_move]]
        moved = events.quantity[is_move] * price
        amounts[is_move, 0] += moved
        amounts[is_move, 3] = moved - (basis - before)[is_move]
    return amounts


def _flow_amounts(flows: pd.DataFrame) -> Floats:
    """Return what each flow of a symbol adds to `AMOUNTS`."""
    paid = flows["amount"].to_numpy(np.float64)
    is_fee = (flows["flow_type"] == "FEE").to_numpy()
    amounts = np.zeros((len(flows), len(AMOUNTS)))
    amounts[:, 0] = amounts[:, 1] = -paid
    amounts[:, 4] = np.where(is_fee, 0.0, paid)
    amounts[:, 5] = np.where(is_fee, -paid, 0.0)
    return amounts


def _spread(
    owners: pd.DataFrame,
    grid: Ints,
    owner: Ints,
    row: Ints,
    amounts: Floats,
    states: Floats,
    marks: tuple[Floats, Ints, Ints],
) -> Ledger:
    """Sum amounts by owner and session, and value what is held on the sessions in between.

    The first ``len(states)`` amounts are the events, sorted, with their position and basis after them.
    """
    from mismartera_analytics.kernels.marks import hold

    has_state = np.arange(len(owner)) < len(states)
    if not has_state.all():
        order = np.lexsort((row, owner))
        owner, row, amounts, has_state = owner[order], row[order], amounts[order], has_state[order]
        states = np.r_[states, np.zeros((len(owner) - len(states), 2))][order]
    owners_of, session, sums, held = hold(owner, row, amounts, states, has_state, len(grid))
    return _valued(owners, grid, owners_of, session, sums, held, marks)


def _valued(
    owners: pd.DataFrame,
    grid: Ints,
    owner: Ints,
    session: Ints,
    amounts: Floats,
    state: Floats,
    marks: tuple[Floats, Ints, Ints],
) -> Ledger:
    closes, ages, column = marks
    position, basis = state.T
    scale = owners["multiplier"].to_numpy(np.float64)
    is_flat = position == 0.0
    with np.errstate(invalid="ignore"):
        value = np.where(is_flat, 0.0, position * scale[owner] * closes[session, column[owner]])
    gain = np.where(is_flat, 0.0, value - basis)
    age = np.where(is_flat, 0, ages[session, column[owner]]).astype(np.int64)
    return Ledger(owners, owner, session, amounts, value, gain, age, grid)


def _dense(owner: Ints, session: Ints, accounts: int, count: int) -> tuple[Ints, Ints, Ints]:
    """Return of each account the first session, and the rows that reach from it to the last one."""
    first = np.full(accounts, count)
    np.minimum.at(first, owner, session)
    span = count - first
    base = np.cumsum(span) - span - first  # row of (account, session) = base[account] + session
    rows = np.repeat(np.arange(accounts), span)
    return base, rows, np.arange(len(rows)) - base[rows]


def _cash_ledger(symbols: Ledger, flows: pd.DataFrame, grid: Ints) -> Ledger:
    names = ["account_id", "user"]
    own = flows.loc[~belongs_to_symbol(flows)]
    stacked = pd.concat([symbols.owners[names], own[names]], ignore_index=True)
    number = stacked.groupby(names, dropna=False).ngroup().to_numpy().astype(np.int64)
    owners = stacked.assign(number=number).drop_duplicates("number").sort_values("number")
    owners = owners[names].assign(symbol=None).astype({"symbol": "str"}).reset_index(drop=True)
    account = number[: len(symbols.owners)][symbols.owner]
    flow_account = number[len(symbols.owners) :]
    flow_row = _rows_of(own["session"].to_numpy(np.int64), grid, "flows")
    base, owner, session = _dense(
        np.r_[account, flow_account], np.r_[symbols.session, flow_row], len(owners), len(grid)
    )
    paid = own["amount"].to_numpy(np.float64)
    kind = own["flow_type"].astype("str").to_numpy()
    place = base[flow_account] + flow_row
    amounts = np.zeros((len(owner), len(AMOUNTS)))
    is_income, is_fee = np.isin(kind, ["DIVIDEND", "INTEREST"]), kind == "FEE"
    for column, chosen in ((0, ~is_income & ~is_fee), (4, is_income), (5, is_fee)):
        signed = -paid if column == 5 else paid
        amounts[:, column] = np.bincount(place[chosen], signed[chosen], len(owner))
    spent = symbols.amounts[:, 1]
    amounts[:, 0] -= np.bincount(base[account] + symbols.session, spent, len(owner))
    value = running_sums(owner, amounts[:, 0] + amounts[:, 4] - amounts[:, 5])
    nothing = np.zeros(len(owner))
    return Ledger(owners, owner, session, amounts, value, nothing, nothing.astype(np.int64), grid)


def running_sums(owner: Ints, values: Floats) -> Floats:
    """Return the running sum of each owner, whose rows are adjacent.

    Each is summed by itself, so that neither the size nor a NaN of one reaches another.
    """
    sums = values.copy()
    cuts = np.flatnonzero(owner[1:] != owner[:-1]) + 1
    for first, last in zip([0, *cuts], [*cuts, len(owner)], strict=True):
        np.cumsum(values[first:last], out=sums[first:last])
    return sums


def _account_ledger(symbols: Ledger, cash: Ledger) -> Ledger:
    """Add the symbols of each account to its cash."""
    owners = cash.owners
    count = len(owners)
    ids = pd.concat([owners, symbols.owners], ignore_index=True)
    number = ids.groupby(["account_id", "user"], dropna=False).ngroup().to_numpy()
    account = number[count:][symbols.owner].astype(np.int64)
    base, owner, session = _dense(cash.owner, cash.session, count, len(cash.grid))
    place = base[account] + symbols.session
    size = len(owner)

    def add(values: Floats) -> Floats:
        return np.bincount(place, values, size).astype(np.float64)

    amounts = cash.amounts + np.column_stack([add(column) for column in symbols.amounts.T])
    amounts[:, 0] = cash.amounts[:, 0] + add(symbols.amounts[:, 1])
    amounts[:, 0] += add(symbols.amounts[:, 0] - symbols.amounts[:, 1])
    age = np.zeros(size, np.int64)
    np.maximum.at(age, place, symbols.price_age)
    lacks = add((symbols.price_age < 0).astype(np.float64)) > 0
    age[lacks] = -1
    value = cash.value + add(symbols.value)
    return Ledger(owners, owner, session, amounts, value, add(symbols.gain), age, cash.grid)


def without_cash(symbols: Ledger) -> Ledger:
    """Return, for each account, the sum of its symbols, as if the account's cash were elsewhere."""
    no_flows, _ = ledger_flows(None)
    cash = _cash_ledger(symbols, no_flows, symbols.grid)
    empty = Ledger(
        cash.owners, cash.owner, cash.session, np.zeros_like(cash.amounts),
        np.zeros_like(cash.value), cash.gain, cash.price_age, cash.grid,
    )  # fmt: skip
    return _account_ledger(symbols, empty)
