"""Closed trades and open lots from fills: the one home of realised gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.ledger.events import Events, Floats, Ints, check_method, prepare_events

if TYPE_CHECKING:
    from mismartera_analytics.kernels.lots import Choices

__all__ = ["Matched", "Method", "match_events", "match_lots", "match_named", "open_positions"]

Method = Literal["fifo", "lifo", "hifo", "average", "specific"]


@dataclass(frozen=True)
class Matched:
    """What `kernels.lots.match` made of a stream of events; its docstring gives the shapes."""

    states: Floats
    pairs: Ints
    pieces: Floats
    lots: Ints
    open_lots: Floats
    missing: Floats


def match_events(
    events: Events, *, method: str = "fifo", choices: Choices | None = None
) -> Matched:
    """Run the lot kernel over prepared events.

    Parameters
    ----------
    events
        From `prepare_events`.
    method
        ``fifo``, ``lifo``, ``hifo``, ``average`` or ``specific``.
    choices
        With ``specific``: the named lots, from `choices_of`. Without, it is ``fifo``.

    Returns
    -------
    Matched

    Raises
    ------
    InvalidInputError
        If the method is unknown.
    """
    from mismartera_analytics.kernels import lots

    number = check_method(method)
    if choices is None:
        number, choices = (lots.FIFO if number == lots.SPECIFIC else number), lots.NO_CHOICES
    return Matched(
        *lots.match(events.group, events.kind, events.quantity, events.price, events.fee,
                    events.moment, number, choices)
    )  # fmt: skip


def match_named(
    events: Events, fills: pd.DataFrame, *, method: str = "fifo", lots: pd.DataFrame | None = None
) -> Matched:
    """Run the lot kernel over prepared events, closing the lots that were named.

    Parameters
    ----------
    events
        From `prepare_events` of the same fills.
    fills
        As in `match_lots`.
    method, lots
        As in `match_lots`.

    Returns
    -------
    Matched

    Raises
    ------
    InvalidInputError
        If the method is unknown, or a lot that was named is not open or too small.
    """
    from mismartera_analytics.ledger.choices import check_lots, choices_of, refuse_missing

    check_method(method)
    check_lots(lots, method)
    if lots is None or not len(lots):
        return match_events(events, method=method)
    choices = choices_of(lots, events, fills)
    matched = match_events(events, method=method, choices=choices)
    refuse_missing(lots, choices, matched.missing)
    return matched


def match_lots(
    fills: pd.DataFrame,
    actions: pd.DataFrame | None = None,
    *,
    transfers: pd.DataFrame | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    timezone: str = "America/New_York",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match fills into closed trades and the lots still open.

    Parameters
    ----------
    fills
        Columns ``symbol, side, quantity, price, filled_at`` and, where known, ``account_id``,
        ``commission`` [currency], ``multiplier`` (1) and ``session``. Positions of different
        accounts stay apart.
    actions
        Splits and changes of symbol (columns of `frames.CORPORATE_ACTIONS`), in force from the first
        event of their ex-date. Dividends change no lot.
    transfers
        Lots that came in or went out, as `ledger.events.transfers_of` gives them; they keep their cost
        and realise nothing.
    method
        Which lot a closing fill takes: ``fifo`` the oldest, ``lifo`` the newest, ``hifo`` the one
        whose close gains least (fees included), ``average`` the oldest at the mean cost of all,
        ``specific`` those that `lots` names for it, and beyond them the oldest.
    lots
        With ``specific``, one row a lot to close: ``order_id`` of the closing order (and ``fill_id``),
        ``quantity``, and the lot's ``opened_on`` or ``opening_order_id``; as in `choices_of`.
    timezone
        Zone whose midnight parts the days where fills have no ``session``.

    Returns
    -------
    trades
        `frames.TRADES`: one row for each piece of a lot that was closed. The fee of a fill is shared
        out by quantity.
    lots
        `frames.LOTS`: what is still open.

    Raises
    ------
    InvalidOrderError
        If a fill has no positive quantity, no price, no aware time, or an unknown side.
    InvalidInputError
        If a column is missing, the method is unknown, or a lot that was named is not open or too
        small.

    Examples
    --------
    >>> fills = pd.DataFrame({
    ...     "symbol": "IBM", "side": ["BUY", "BUY", "SELL"], "quantity": [100.0, 100.0, 150.0],
    ...     "price": [10.0, 12.0, 15.0], "commission": [0.0, 0.0, 3.0],
    ...     "filled_at": pd.to_datetime(["2025-07-01 15:00", "2025-07-02 15:00", "2025-07-03 15:00"],
    ...                                 utc=True)})
    >>> trades, lots = match_lots(fills)
    >>> trades[["quantity", "entry_price", "fees", "realized_pnl"]].to_numpy().tolist()
    [[100.0, 10.0, 2.0, 498.0], [50.0, 12.0, 1.0, 149.0]]
    >>> lots[["quantity", "cost_basis"]].to_numpy().tolist()
    [[50.0, 600.0]]
    """
    check_method(method)
    events = prepare_events(fills, actions, transfers, timezone=timezone)
    matched = match_named(events, fills, method=method, lots=lots)
    return trades_frame(events, matched), lots_frame(events, matched)


def trades_frame(events: Events, matched: Matched) -> pd.DataFrame:
    """Return the closed pieces as `frames.TRADES`."""
    return frames.TRADES.conform(trades_table(events, matched))


def trades_table(events: Events, matched: Matched) -> pd.DataFrame:
    """Return the closed pieces with the columns of `frames.TRADES`, in the order of `matched.pairs`."""
    opened, closed = matched.pairs.T
    signed, entry, out, entry_fee, exit_fee = matched.pieces.T
    fees = entry_fee + exit_fee
    realized = signed * (out - entry) - fees
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.abs(signed * entry)
        share = np.where(cost > 0, realized / cost, np.nan)
    keys = events.groups.iloc[events.group[closed]].reset_index(drop=True)
    table = {
        "account_id": keys["account_id"],
        "symbol": keys["symbol"],
        "side": np.where(signed > 0, "BUY", "SELL"),
        "quantity": np.abs(signed),
        "entry_at": _instants(events.moment[opened]),
        "entry_price": entry / keys["multiplier"],
        "exit_at": _instants(events.moment[closed]),
        "exit_price": out / keys["multiplier"],
        "fees": fees,
        "realized_pnl": realized,
        "return": share,
    }
    return pd.DataFrame(table)


def lots_frame(events: Events, matched: Matched) -> pd.DataFrame:
    """Return the open lots as `frames.LOTS`."""
    quantity, price, fee = matched.open_lots.T
    keys = events.groups.iloc[events.group[matched.lots]].reset_index(drop=True)
    table = {
        "account_id": keys["account_id"],
        "symbol": keys["symbol"],
        "quantity": quantity,
        "entry_at": _instants(events.moment[matched.lots]),
        "entry_price": price / keys["multiplier"],
        "fees": fee,
        "cost_basis": quantity * price + fee,
    }
    return frames.LOTS.conform(pd.DataFrame(table))


def open_positions(
    fills: pd.DataFrame,
    actions: pd.DataFrame | None = None,
    *,
    transfers: pd.DataFrame | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    timezone: str = "America/New_York",
) -> pd.DataFrame:
    """Sum the open lots of each account and symbol.

    Parameters
    ----------
    fills, actions, transfers, method, lots, timezone
        As in `match_lots`.

    Returns
    -------
    pandas.DataFrame
        Columns ``account_id, user, symbol, quantity, average_price, cost_basis, multiplier``, one row
        for each position that is not flat. The cost includes the entry fees of what is open, so its
        difference to the market value is what a sale at that price would realise. A short
        position's cost basis is negative: what was received for it, less the fees.

    Raises
    ------
    InvalidOrderError, InvalidInputError
        As in `match_lots`.
    """
    check_method(method)
    events = prepare_events(fills, actions, transfers, timezone=timezone)
    return positions_of(events, match_named(events, fills, method=method, lots=lots))


def positions_of(events: Events, matched: Matched) -> pd.DataFrame:
    """Return the sums of `open_positions` from matched events."""
    group = events.group[matched.lots]
    quantity, price, fee = matched.open_lots.T
    count = len(events.groups)
    held = np.bincount(group, quantity, count)
    cost = np.bincount(group, quantity * price + fee, count)
    frame = events.groups.assign(quantity=held, cost_basis=cost)
    frame = frame.loc[np.bincount(group, minlength=count) > 0].reset_index(drop=True)
    frame["average_price"] = frame["cost_basis"] / frame["quantity"] / frame["multiplier"]
    names = ["account_id", "user", "symbol", "quantity", "average_price", "cost_basis"]
    return frame[[*names, "multiplier"]]


def _instants(moments: Ints) -> Any:
    return pd.DatetimeIndex(moments.astype("datetime64[us]")).tz_localize("UTC")
