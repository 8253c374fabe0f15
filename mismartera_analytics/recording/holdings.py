"""What accounts hold at an instant, rebuilt from fills and valued at bars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.ledger.events import days, transfers_of
from mismartera_analytics.ledger.lots import Method, open_positions
from mismartera_analytics.recording import books, marks
from mismartera_analytics.recording.companies import Companies, companies_of
from mismartera_analytics.recording.markets import Markets, markets_of

__all__ = ["HeldBooks", "books_at", "holdings_at", "last_prices"]


@dataclass(frozen=True)
class HeldBooks:
    """The records that had happened by an instant, each with the label of its session.

    Attributes
    ----------
    fills, transfers
        In the form that `ledger.lots.match_lots` takes.
    actions
        Splits and dividends in force.
    companies
        Whose names of then all of them bear.
    markets
        Of their symbols.
    closed
        Of each market the last session that had closed, by its calendar's number as an object.
    """

    fills: pd.DataFrame
    transfers: pd.DataFrame
    actions: pd.DataFrame
    companies: Companies
    markets: Markets
    closed: dict[int, dt.date]

    def calendar(self, label: str) -> TradingCalendar:
        """Return the calendar of a company."""
        return self.markets.of(self.companies.symbol_of(label))


def books_at(
    db_session: Session,
    fills: pd.DataFrame,
    flows: pd.DataFrame,
    moment: dt.datetime,
    *,
    symbols: Sequence[str] | None = None,
) -> HeldBooks:
    """Return what had happened by an instant; arguments and errors as in `holdings_at`."""
    fills = fills.loc[fills["filled_at"] <= pd.Timestamp(moment)]
    flows = flows.loc[flows["occurred_at"] <= pd.Timestamp(moment)]
    markets = markets_of(db_session, {*fills["symbol"], *flows["symbol"].dropna()})
    fills, flows = markets.of_fills(fills), markets.of_flows(flows, fills)
    chosen = companies_of(db_session, symbols)
    held, transfers = chosen.asked(fills), transfers_of(chosen.asked(flows))
    begun, closed = {}, {}
    for calendar in (markets.default, *markets.others.values()):
        if id(calendar) not in closed:
            begun[id(calendar)], closed[id(calendar)] = marks.labels_at(moment, calendar)
    traded = {*held["symbol"], *transfers["symbol"]}
    last = max(begun.values())
    companies = companies_of(db_session, None, traded=traded, until=last)
    held, transfers = companies.labelled(held), companies.labelled(transfers)
    names = {*held["symbol"], *transfers["symbol"]}
    actions = companies.actions(db_session, names, until=last)
    if markets.others:
        calendars = actions["symbol"].map(companies.symbol_of).map(markets.of)
        limits = pd.to_datetime([begun[id(calendar)] for calendar in calendars])
        actions = actions.loc[(actions["ex_date"] <= limits).to_numpy()].reset_index(drop=True)
    return HeldBooks(held, transfers, actions, companies, markets, closed)


def holdings_at(
    db_session: Session,
    fills: pd.DataFrame,
    flows: pd.DataFrame,
    moment: dt.datetime,
    *,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    symbols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the positions that fills, transfers and corporate actions leave at an instant.

    Parameters
    ----------
    db_session
        Where accounts, actions and the calendar are read.
    fills
        From `books.usable_fills`; those after the instant are left out.
    flows
        From `books.read_flows`, of which the transfers of lots by then count.
    moment
        Aware. Fills at the instant itself are in.
    method
        Which lots are still open, and so what they cost.
    lots
        With ``specific``, as in `match_lots`; those of orders filled after the instant do not count.
    symbols
        Only the companies that bore one of these; all by default.

    Returns
    -------
    pandas.DataFrame
        Columns of `frames.POSITIONS`, unsorted. The price is the last daily close by then, in the
        shares of then; NaN where the store has none. ``last_updated`` is the instant of that close,
        or `moment` where there is no price.

    Raises
    ------
    CalendarRangeError
        If the calendar does not cover the fills or the instant.
    """
    held = books_at(db_session, fills, flows, moment, symbols=symbols)
    if lots is not None and "order_id" in lots.columns:
        later = set(fills["order_id"]) - set(held.fills["order_id"])
        lots = lots.loc[~lots["order_id"].isin(later)]
    table = open_positions(
        held.fills, held.actions, transfers=held.transfers, method=method, lots=lots
    )
    prices = last_prices(table["symbol"], held)
    table = table.merge(prices, on="symbol", how="left")
    units = table["quantity"] * table["multiplier"]
    table["market_value"] = units * table["current_price"]
    table["unrealized_pnl"] = table["market_value"] - table["cost_basis"]
    table["day_change"] = units * (table["current_price"] - table["former_price"])
    currencies = books.read_currencies(db_session)
    currency = table["account_id"].map(currencies).astype("str")
    updated = table["last_updated"].fillna(pd.Timestamp(moment))
    return table.assign(currency=currency.fillna(books.DEFAULT_CURRENCY), last_updated=updated)


def last_prices(symbols: pd.Series, held: HeldBooks) -> pd.DataFrame:
    """Return each symbol's last close and the one before it, in shares of the session of then.

    Parameters
    ----------
    symbols
        By their names of then.
    held
        From `books_at`.

    Returns
    -------
    pandas.DataFrame
        Columns ``symbol, current_price, former_price`` [currency/share] and ``last_updated``, the
        instant of the last close; symbols without bars do not appear.
    """
    actions = held.actions
    closes = held.companies.closes(symbols, None, max(held.closed.values()))
    calendars = {label: held.calendar(label) for label in closes["symbol"].unique()}
    if held.markets.others:
        limits = [held.closed[id(calendars[label])] for label in closes["symbol"]]
        is_over = (closes["session"] <= pd.to_datetime(limits)).to_numpy()
        closes = closes.loc[is_over].reset_index(drop=True)
    session = days(closes["session"])
    splits = actions.loc[actions["action_type"] == "SPLIT"]
    close = closes["close"].to_numpy(np.float64).copy()
    for symbol, ex_date, ratio in zip(
        splits["symbol"], days(splits["ex_date"]), splits["ratio"], strict=True
    ):
        close[(closes["symbol"] == symbol).to_numpy() & (session < ex_date)] /= ratio
    by_symbol = closes.assign(close=close).sort_values(["symbol", "session"]).groupby("symbol")
    last: Any = by_symbol.nth(-1)
    former = by_symbol.nth(-2).set_index("symbol")
    return pd.DataFrame(
        {
            "symbol": last["symbol"],
            "current_price": last["close"],
            "former_price": last["symbol"].map(former["close"]).astype("float64"),
            "last_updated": _close_instants(last, calendars),
        }
    )


def _close_instants(last: pd.DataFrame, calendars: Mapping[str, TradingCalendar]) -> pd.Series:
    """Return when the session of each row closed, on its own calendar."""
    found = pd.Series(pd.NaT, index=last.index, dtype="datetime64[us, UTC]")
    by_calendar: dict[int, list[str]] = {}
    for label, calendar in calendars.items():
        by_calendar.setdefault(id(calendar), []).append(label)
    for labels in by_calendar.values():
        rows = last["symbol"].isin(labels)
        closes = calendars[labels[0]].closes(last.loc[rows, "session"])
        found.loc[rows] = pd.Series(closes, index=found.index[rows])
    return found
