"""Records compared with what a broker reports."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_number
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, as_given
from mismartera_analytics.models import AccountInfo, CashFlow, Order, Position
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording import books, marks
from mismartera_analytics.recording.brokers.reported import (
    Report,
    report_of_files,
    report_of_frame,
)
from mismartera_analytics.recording.causes import CENT, SHARE, Break, Evidence, find_causes
from mismartera_analytics.recording.companies import companies_of
from mismartera_analytics.recording.holdings import holdings_at
from mismartera_analytics.recording.ownership import AccountLike, account_of, reading
from mismartera_analytics.recording.refresh import cash_of

__all__ = ["Reconciliation", "reconcile"]

PathLike = str | os.PathLike[str]
UNSETTLED_SESSIONS = 2  # trades of so many last sessions may not be in a report
DIVIDENDS_WITHIN = dt.timedelta(days=60)
SPLITS_WITHIN = dt.timedelta(days=92)


@dataclass(frozen=True)
class Reconciliation:
    """How records and a report compare.

    Attributes
    ----------
    account_id
        The account.
    at
        The instant at which the records are taken.
    source
        What they are compared with.
    compared
        How many positions, and cash where it is told, were compared.
    breaks
        `frames.BREAKS`, empty where all agrees.
    """

    account_id: int
    at: dt.datetime
    source: str
    compared: int
    breaks: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether there is no break."""
        return not len(self.breaks)

    def __repr__(self) -> str:
        if self.agrees:
            return f"{self._title()}: all {self.compared} agree"
        lines = [f"{self._title()}: {len(self.breaks)} of {self.compared} differ"]
        for row in self.breaks.to_dict("records"):
            name = "cash" if row["what"] == "cash" else row["symbol"]
            lines.append(
                f"  {name:<6} recorded {row['recorded']:,.10g}, reported {row['reported']:,.10g} "
                f"({row['difference']:+,.10g}): {row['cause']}; {row['detail']}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = "" if self.agrees else self.breaks.to_html(index=False, escape=True)
        said = f"all {self.compared} agree" if self.agrees else (
            f"{len(self.breaks)} of {self.compared} differ"
        )  # fmt: skip
        return f"<div><p>{escape(self._title())}: {said}</p>{table}</div>"

    def _title(self) -> str:
        return f"Account {self.account_id} at {self.at:%Y-%m-%d %H:%M} UTC against {self.source}"


@repeated
def reconcile(
    account: AccountLike,
    *,
    reported: pd.DataFrame | PathLike | Iterable[PathLike] | None = None,
    cash: float | None = None,
    at: clock.LabelLike | clock.InstantLike | None = None,
    db_session: Session | None = None,
) -> Reconciliation:
    """Compare the positions and cash that the records come to with what the broker reports.

    Positions and cash are worked out from orders, fills, flows and corporate actions as
    `refresh_positions` does; nothing is written.

    Parameters
    ----------
    account
        An account's id, its number, or an `AccountInfo`.
    reported
        Files: Charles Schwab's positions (CSV), Alpaca's positions and account (JSON, both in a
        list). Or a frame with ``symbol, quantity`` and perhaps ``cost_basis, price``. By default the
        positions and the cash balance that are recorded for the account, which are a broker's report
        unless `refresh_positions` has rewritten them.
    cash
        Cash that the broker reports [currency], where `reported` does not tell it.
    at
        An instant (aware), or a date: its session's close. By default the day that a file names,
        else now.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    Reconciliation
        Its frame `breaks` names for each difference the likeliest cause: symbol change, duplicated
        order, unsettled, unrecorded split, cash in lieu, missing fill, transfer; of cash also
        dividend, tax withheld, interest, fee, duplicated flow.

    Raises
    ------
    InvalidOrderError
        If a file is no report of positions, is cut off, or belongs to another account.
    UnknownNameError
        If the account is not known to whoever is signed in.
    InvalidInputError, NaiveDatetimeError
        If an argument is malformed.
    StorageError
        If a file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> held = pd.DataFrame({"symbol": ["GOOG", "IBM"], "quantity": [75.0, 604.0]})
    >>> found = ma.reconcile(1, reported=held)
    >>> found.breaks[["symbol", "recorded", "reported", "cause"]]
      symbol  recorded  reported             cause
    0    IBM     302.0     604.0  unrecorded split
    """
    if cash is not None and not is_number(cash):
        raise InvalidInputError(f"cash={as_given(cash)} must be a finite number.")
    with reading(db_session) as own:
        owner = account_of(own, account)
        report = _report(own, owner, reported, cash)
        moment = _moment(own, at, report.day)
        return _compare(own, owner, report, moment)


def _report(db_session: Session, owner: AccountInfo, reported: Any, cash: float | None) -> Report:
    if reported is None:
        report = _recorded(db_session, owner)
        return report if cash is None else Report(report.positions, cash, None, report.source)
    if isinstance(reported, pd.DataFrame):
        return report_of_frame(reported, cash)
    report = report_of_files(reported, owner.account_number)
    digits = "".join(char for char in owner.account_number or "" if char.isdigit())
    hint = report.account_hint
    if hint is not None and len(digits) >= len(hint) and not digits.endswith(hint):
        raise InvalidOrderError(
            f"{report.source} belongs to an account that ends in {hint}, but the account {owner.id} "
            f"has the number {owner.account_number!r}."
        )
    if cash is not None and report.cash is not None:
        raise InvalidInputError(f"cash={cash}: {report.source} tells the cash already.")
    found = report.cash if cash is None else cash
    return Report(report.positions, found, report.day, report.source)


def _recorded(db_session: Session, owner: AccountInfo) -> Report:
    columns = {"symbol": Position.symbol, "quantity": Position.quantity,
               "cost_basis": Position.cost_basis, "price": Position.current_price}  # fmt: skip
    chosen = select(Position.id).where(Position.account_id == owner.id)
    table = read_frame(db_session, columns, chosen)
    report = report_of_frame(table, owner.cash_balance)
    return Report(report.positions, report.cash, None, "the recorded positions")


def _moment(db_session: Session, at: Any, day: dt.date | None) -> dt.datetime:
    bound = day if at is None else clock.parse_bound(at, argument="at")
    if bound is None:
        return clock.utc_now()
    if isinstance(bound, dt.datetime):
        return bound
    calendar = marks.market(db_session)
    if not calendar.is_session(bound):
        bound = calendar.previous_session(bound)
    return calendar.closes([bound])[0].to_pydatetime()


def _compare(
    db_session: Session, owner: AccountInfo, report: Report, moment: dt.datetime
) -> Reconciliation:
    by_then = pd.Timestamp(moment)
    fills = books.usable_fills(
        db_session, books.read_fills(db_session, Order.account_id == owner.id)
    )
    fills = fills.loc[fills["filled_at"] <= by_then].reset_index(drop=True)
    flows = books.read_flows(db_session, CashFlow.account_id == owner.id)
    flows = flows.loc[flows["occurred_at"] <= by_then].reset_index(drop=True)
    companies = companies_of(db_session, None, traded={*fills["symbol"], *flows["symbol"].dropna()})
    held = holdings_at(db_session, fills, flows, moment)
    held = held.assign(symbol=held["symbol"].map(companies.symbol_of)).set_index("symbol")
    breaks = [] if report.positions is None else _breaks(held, report.positions)
    compared = 0 if report.positions is None else len(
        {*held.index, *report.positions["symbol"]}
    )  # fmt: skip
    money = cash_of(db_session, fills, flows, moment, companies).get(owner.id, 0.0)
    if report.cash is not None:
        compared += 1
        if abs(report.cash - money) > CENT:
            breaks.append(Break("cash", None, money, report.cash))
    if breaks:
        evidence = _evidence(db_session, fills, flows, held, report, moment)
        value = money + float(held["market_value"].fillna(held["cost_basis"]).sum())
        find_causes(breaks, evidence, value)
    names = [name for name in frames.BREAKS.names if name != "account_id"]
    table = pd.DataFrame([{name: getattr(one, name) for name in names} for one in breaks],
                         columns=names).assign(account_id=owner.id)  # fmt: skip
    return Reconciliation(owner.id, moment, report.source, compared, frames.BREAKS.conform(table))


def _breaks(held: pd.DataFrame, reported: pd.DataFrame) -> list[Break]:
    ours, theirs = held["quantity"], reported.set_index("symbol")["quantity"]
    found = []
    for symbol in sorted({*ours.index, *theirs.index}):
        recorded, told = float(ours.get(symbol, 0.0)), float(theirs.get(symbol, 0.0))
        if abs(recorded - told) > SHARE * max(1.0, abs(told)):
            found.append(Break("position", symbol, recorded, told))
    return found


def _evidence(
    db_session: Session, fills: pd.DataFrame, flows: pd.DataFrame, held: pd.DataFrame,
    report: Report, moment: dt.datetime,
) -> Evidence:  # fmt: skip
    calendar = marks.market(db_session)
    label, _ = marks.labels_at(moment, calendar)
    actions = books.read_actions(db_session, sorted(set(fills["symbol"])), until=label)
    fills = fills.assign(session=marks.session_labels(calendar, fills["filled_at"]))
    flows = flows.assign(session=marks.session_labels(calendar, flows["occurred_at"]))
    positions = report.positions if report.positions is not None else pd.DataFrame(
        {"symbol": [], "cost_basis": [], "price": []}
    )  # fmt: skip
    theirs = positions.set_index("symbol")
    costs = {
        str(symbol): (float(held["cost_basis"].get(symbol, np.nan)), float(cost))
        for symbol, cost in theirs["cost_basis"].items()
    }
    last = fills.groupby("symbol")["price"].last()
    prices = {str(symbol): float(price) for symbol, price in last.items()}
    for known in (held["current_price"], theirs["price"]):
        prices |= {str(symbol): float(price) for symbol, price in known.dropna().items()}
    splits = actions.loc[
        (actions["action_type"] == "SPLIT")
        & (actions["ex_date"] >= pd.Timestamp(label - SPLITS_WITHIN))
    ]
    first = calendar.offset(label, -(UNSETTLED_SESSIONS - 1))
    return Evidence(
        fills=fills, flows=flows, prices=prices, costs=costs, recent=pd.Timestamp(first),
        dividends=_open_dividends(db_session, fills, flows, actions, label),
        split_symbols=frozenset(splits["symbol"]),
    )  # fmt: skip


def _open_dividends(
    db_session: Session, fills: pd.DataFrame, flows: pd.DataFrame, actions: pd.DataFrame,
    label: dt.date,
) -> pd.DataFrame:  # fmt: skip
    """Return the dividends of late that are computed from actions and not booked yet."""
    zone = marks.market(db_session).timezone
    late = actions.loc[
        (actions["action_type"] == "CASH_DIVIDEND")
        & (actions["ex_date"] >= pd.Timestamp(label - DIVIDENDS_WITHIN))
    ]
    rows = []
    for action in late.to_dict("records"):
        booked = flows.loc[
            (flows["flow_type"] == "DIVIDEND") & (flows["symbol"] == action["symbol"])
        ]
        if (booked["session"] >= action["ex_date"]).any():
            continue
        morning = clock.local_instant(action["ex_date"].date(), dt.time(), zone)
        before = holdings_at(db_session, fills, flows, morning)
        shares = before.loc[before["symbol"] == action["symbol"], "quantity"].sum()
        rows.append({"symbol": action["symbol"], "session": action["ex_date"],
                     "amount": float(shares * action["amount"])})  # fmt: skip
    return pd.DataFrame(rows, columns=["symbol", "session", "amount"])
