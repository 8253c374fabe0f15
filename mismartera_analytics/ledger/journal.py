"""One account's events as plain items: what stands behind each of its numbers.

The daily ledger computes the same amounts in bulk, for every account and session at once. Here each
is made on its own, from the fill, flow, action or close behind it, so that one can check the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

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
from mismartera_analytics.ledger.explanation import PART_COLUMNS
from mismartera_analytics.ledger.flows import (
    belongs_to_symbol,
    ledger_flows,
)
from mismartera_analytics.ledger.lots import Matched, Method, match_events, match_named
from mismartera_analytics.ledger.marks import price_marks

if TYPE_CHECKING:
    from mismartera_analytics.kernels.lots import Choices

__all__ = ["CASH", "Journal", "fill_name", "journal_of"]

CASH = ""
"""The symbol that stands for an account's cash among the items."""

ITEM_COLUMNS = ("column", "row", "is_external", *PART_COLUMNS)
Item = dict[str, Any]
_INCOME = ("DIVIDEND", "INTEREST")


@dataclass(frozen=True)
class Journal:
    """The items of one account, and its lots and prices on any session.

    Attributes
    ----------
    items
        One row an item: ``column`` (flows, realized, dividends, fees, or brought: the open gain that
        came with transferred lots), ``row`` (of `grid`), ``is_external`` (a flow from outside of the
        account), and `explanation.PART_COLUMNS`; `CASH` as symbol where it is the account's cash.
    grid
        (s,) labels of the sessions [days since 1970-01-01].
    events
        Of every position; ``events.source`` counts the rows of the frames that follow.
    fills, transfers, actions, flows
        What the events and items were made from.
    marks
        Symbols, closes and their ages, as `marks.price_marks` returns them.
    method, choices
        How lots are matched, and which were named.
    """

    items: pd.DataFrame
    grid: Ints
    events: Events
    fills: pd.DataFrame
    transfers: pd.DataFrame
    actions: pd.DataFrame
    flows: pd.DataFrame
    marks: tuple[pd.Index, Floats, Ints]
    method: Method
    choices: Choices | None

    def mark(self, symbol: str, row: int) -> tuple[float, int]:
        """Return a symbol's price on a session [currency/share], NaN if none, and its age."""
        names, closes, ages = self.marks
        column = int(names.get_indexer(pd.Index([symbol]))[0])
        return float(closes[row, column]), int(ages[row, column])

    def row_of(self, session: int) -> int:
        """Return the row of the session on which something of that label counts."""
        return int(np.searchsorted(self.grid, session))

    def lots(self, symbol: str | None, row: int) -> pd.DataFrame:
        """Return the lots that are open at a session's end, matched anew from the events until then.

        Parameters
        ----------
        symbol
            One; every symbol by default.
        row
            Of `grid`; -1 means before everything.

        Returns
        -------
        pandas.DataFrame
            Columns ``symbol, quantity`` [shares, signed], ``entry_price`` [currency/share],
            ``multiplier``, ``entry_at`` (UTC) and ``source``.
        """
        from mismartera_analytics.kernels.lots import SPLIT

        is_past = self.events.session <= (self.grid[row] if row >= 0 else np.iinfo(np.int64).min)
        until = replace(  # a split of one for one changes nothing
            self.events,
            kind=np.where(is_past, self.events.kind, SPLIT),
            quantity=np.where(is_past, self.events.quantity, 1.0),
        )
        matched = match_events(until, method=self.method, choices=self.choices)
        quantity, price, _ = matched.open_lots.T
        keys = until.groups.iloc[until.group[matched.lots]]
        multiplier = keys["multiplier"].to_numpy(np.float64)
        moments = until.moment[matched.lots].astype("datetime64[us]")
        table = pd.DataFrame(
            {
                "symbol": keys["symbol"].to_numpy(),
                "quantity": quantity,
                "entry_price": price / multiplier,
                "multiplier": multiplier,
                "entry_at": pd.DatetimeIndex(moments).tz_localize("UTC"),
                "source": [self.source_of(int(e)) for e in matched.lots],
            }
        )
        return table if symbol is None else table.loc[table["symbol"] == symbol]

    def source_of(self, e: int) -> str:
        """Name the record that an event came from."""
        from mismartera_analytics.kernels.lots import FILL, LIEU, TRANSFER

        kind, row = int(self.events.kind[e]), int(self.events.source[e])
        if kind == FILL:
            return fill_name(self.fills.iloc[row])
        if kind in (TRANSFER, LIEU):
            word = "transfer" if kind == TRANSFER else "cash in lieu"
            return f"{word} of {self.transfers['session'].iloc[row]:%Y-%m-%d}"
        action = self.actions.iloc[row]
        return f"{action['action_type'].lower().replace('_', ' ')} of {action['ex_date']:%Y-%m-%d}"


def fill_name(fill: pd.Series) -> str:
    """Return a fill's number and its order's, as far as they are recorded."""
    number, order = fill.get("fill_id"), fill.get("order_id")
    if order is None or pd.isna(order):
        return "fill"
    return (
        f"order {order}" if number is None or pd.isna(number) else f"fill {number}, order {order}"
    )


def journal_of(
    fills: pd.DataFrame,
    prices: pd.DataFrame,
    sessions: Any,
    *,
    actions: pd.DataFrame,
    flows: pd.DataFrame,
    method: Method,
    max_price_age: int,
    lots: pd.DataFrame | None = None,
    own_sessions: Mapping[str, pd.DatetimeIndex] | None = None,
) -> Journal:
    """Make the journal of one account.

    Parameters
    ----------
    fills, prices, sessions, actions, flows, method, max_price_age, lots, own_sessions
        As in `daily.daily_ledger`, of one account.

    Raises
    ------
    InvalidOrderError, InvalidInputError
        As in `daily.daily_ledger`.
    """
    grid = days(sessions)
    fills, flows = fills.reset_index(drop=True), flows.reset_index(drop=True)
    money, moved = ledger_flows(flows)
    labels = money["session"].to_numpy(np.int64)
    money["symbol"] = in_later_names(money["symbol"], labels, later_names(actions))
    origin = flows if moved is None else flows.drop(index=moved.index)
    events = prepare_events(fills, actions, moved)
    matched = match_named(events, fills, method=method, lots=lots)
    from mismartera_analytics.ledger.choices import choices_of

    choices = None if lots is None or not len(lots) else choices_of(lots, events, fills)
    draft = Journal(
        pd.DataFrame(), grid, events, fills, fills.iloc[:0] if moved is None else moved, actions,
        flows, price_marks(prices, grid, actions, max_price_age, own_sessions), method,
        choices,
    )  # fmt: skip
    is_recorded = recorded_dividends(events, matched.states[:, 3], money)
    items = [
        *_event_items(draft, matched, is_recorded),
        *_trade_items(draft, matched),
        *_flow_items(draft, money, origin),
    ]
    table = pd.DataFrame(items, columns=list(ITEM_COLUMNS))
    table["at"] = pd.to_datetime(table["at"], utc=True).astype("datetime64[us, UTC]")
    return replace(draft, items=table)


def _event_items(journal: Journal, matched: Matched, is_recorded: Any) -> Iterator[Item]:
    """Give what each fill, dividend and transfer adds to flows, dividends, fees and brought gain."""
    from mismartera_analytics.kernels.lots import DIVIDEND, FILL, SPLIT

    events, basis_before, group_before = journal.events, 0.0, -1
    for e in range(len(events)):
        position, basis = float(matched.states[e, 0]), float(matched.states[e, 1])
        before = basis_before if events.group[e] == group_before else 0.0
        basis_before, group_before = basis, events.group[e]
        row, kind = journal.row_of(int(events.session[e])), int(events.kind[e])
        if kind == SPLIT or is_recorded[e] or (kind == DIVIDEND and row >= len(journal.grid)):
            continue
        owner = events.groups.iloc[int(events.group[e])]
        quantity, scale = float(events.quantity[e]), float(owner["multiplier"])
        price = float(events.price[e]) / scale if kind != DIVIDEND else float(events.price[e])
        item = {
            "row": row, "is_external": False, "symbol": owner["symbol"], "quantity": quantity,
            "at": pd.Timestamp(int(events.moment[e]), unit="us", tz="UTC"), "price": price,
            "source": journal.source_of(e),
        }  # fmt: skip
        if kind == DIVIDEND:
            item |= {"quantity": position, "at": pd.NaT}
            word = "dividend received" if position >= 0 else "dividend paid on a short position"
            amount = position * price
            yield item | {"column": "dividends", "what": word, "amount": amount}
            yield item | {"column": "flows", "what": f"{word}, to cash", "amount": -amount}
        elif kind >= FILL:
            fee, word = float(events.fee[e]), "bought" if quantity > 0 else "sold"
            yield item | {"column": "flows", "what": word, "amount": quantity * price * scale}
            if fee != 0.0:
                item |= {"quantity": np.nan, "price": np.nan, "amount": fee}
                yield item | {"column": "flows", "what": f"fee of what was {word}"}
                yield item | {"column": "fees", "what": f"fee of what was {word}"}
        else:
            word = f"lots transferred {'in' if quantity > 0 else 'out'}"
            worth = quantity * scale * journal.mark(owner["symbol"], row)[0]
            item |= {"is_external": True}
            yield item | {"column": "flows", "what": f"{word}, at market", "amount": worth}
            brought = worth - (basis - before)
            yield item | {"column": "brought", "what": f"open gain of {word}", "amount": brought}


def _trade_items(journal: Journal, matched: Matched) -> Iterator[Item]:
    """Give what each closed piece of a lot realises."""
    events = journal.events
    for (opened, closed), piece in zip(matched.pairs, matched.pieces, strict=True):
        owner = events.groups.iloc[int(events.group[closed])]
        signed, entry, out = (float(number) for number in piece[:3])
        scale = float(owner["multiplier"])
        way = "sold, bought" if signed > 0 else "bought back, sold"
        yield {
            "column": "realized",
            "row": journal.row_of(int(events.session[closed])),
            "is_external": False,
            "what": f"{way} at {entry / scale:,.2f}",
            "symbol": owner["symbol"],
            "at": pd.Timestamp(int(events.moment[closed]), unit="us", tz="UTC"),
            "quantity": signed,
            "price": out / scale,
            "amount": signed * (out - entry),
            "source": f"{journal.source_of(int(closed))} closing {journal.source_of(int(opened))}",
        }


def _flow_items(journal: Journal, money: pd.DataFrame, origin: pd.DataFrame) -> Iterator[Item]:
    """Give what each cash flow adds to flows, dividends or fees."""
    is_symbols = belongs_to_symbol(money).tolist()
    for flow, raw, of_symbol in zip(
        money.to_dict("records"), origin.to_dict("records"), is_symbols, strict=True
    ):
        kind, amount = str(flow["flow_type"]), float(flow["amount"])
        item = {
            "row": journal.row_of(int(flow["session"])), "is_external": False,
            "symbol": flow["symbol"] if of_symbol else CASH, "at": raw.get("occurred_at"),
            "quantity": np.nan, "price": np.nan, "source": f"cash flow {kind}",
        }  # fmt: skip
        word = kind.lower()
        if of_symbol:
            yield item | {"column": "flows", "what": f"{word}, to cash", "amount": -amount}
        if kind in _INCOME:
            yield item | {"column": "dividends", "what": word, "amount": amount}
        elif kind == "FEE":
            yield item | {"column": "fees", "what": word, "amount": -amount}
        else:
            yield item | {"column": "flows", "what": word, "amount": amount, "is_external": True}
