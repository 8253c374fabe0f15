"""Accounts examined: calendars that cover their records, identities, and positions against fills."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.ledger.lots import open_positions
from mismartera_analytics.market_data.layout import is_symbol
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    MarketHours,
    Order,
    Position,
    TradingHoliday,
)
from mismartera_analytics.models.reading import read_frame
from mismartera_analytics.models.runs import BROKER
from mismartera_analytics.operations.findings import Finding, named, said_by
from mismartera_analytics.operations.record_rules import is_in_doubt
from mismartera_analytics.queries.profit import pnl
from mismartera_analytics.recording import books, marks
from mismartera_analytics.recording.holdings import books_at
from mismartera_analytics.recording.markets import markets_of
from mismartera_analytics.recording.refresh import refresh_positions

__all__ = ["check_calendars", "check_identities", "check_positions"]

EXACT = 1e-9
"""Of the amounts of an account, what its identity may leave open [1]."""
SHARE = 1e-6  # of a quantity, at least of one share [1]
AHEAD = dt.timedelta(days=30)

Advance = Callable[[], None]


def check_calendars(db_session: Session) -> Iterator[Finding]:
    """Yield lost holidays, and symbols whose calendar covers neither their orders nor today."""
    hours, holidays = (db_session.scalar(select(func.count()).select_from(table))
                       for table in (MarketHours, TradingHoliday))  # fmt: skip
    if hours and not holidays:
        yield Finding(
            "calendars", "error", "there are market hours and not one holiday: every weekday counts as "
            "a session, and no day closes early", "mismartera calendar sync; your own holidays come "
            "from a backup",
        )  # fmt: skip
    when = func.coalesce(Order.filled_at, Order.placed_at, type_=Order.placed_at.type)
    since = func.coalesce(Order.placed_at, Order.filled_at, type_=Order.placed_at.type)
    columns = {"symbol": Order.symbol, "first": func.min(since, type_=Order.placed_at.type),
               "last": func.max(when, type_=Order.placed_at.type)}  # fmt: skip
    traded = read_frame(db_session, columns, select(Order.symbol).group_by(Order.symbol))
    odd = sorted(name for name in traded["symbol"] if not is_symbol(name))
    if odd:
        yield Finding(
            "calendars", "warning", f"{named('symbol', map(repr, odd))}: no symbol by the rules of "
            f"the bar store, so that no bars can be kept of it", "correct the orders' symbol", len(odd),
        )  # fmt: skip
    try:
        markets = markets_of(db_session, traded["symbol"])
    except MismarteraError as error:
        yield Finding("calendars", "error", str(error).rstrip("."), "mismartera calendar sync")
        return
    today = clock.utc_now().date()
    by_calendar: dict[int, list[Any]] = {id(markets.default): []}
    calendars = {id(markets.default): markets.default}
    for row in traded.itertuples():
        calendar = markets.of(row.symbol)
        calendars[id(calendar)] = calendar
        by_calendar.setdefault(id(calendar), []).append(row)
    for key, calendar in calendars.items():
        outside = [
            row.symbol for row in by_calendar[key]
            if pd.notna(row.first)
            and (row.first.date() < calendar.covers_from or row.last.date() > calendar.covers_to)
        ]  # fmt: skip
        reach = f"{calendar.name} covers {calendar.covers_from} to {calendar.covers_to}"
        if outside:
            yield Finding(
                "calendars", "error", f"{named('symbol', outside)}: orders outside of what the "
                f"calendar {reach}; no ledger can be made of them",
                "mismartera calendar sync, or correct the orders' dates", len(outside),
            )  # fmt: skip
        if calendar.covers_to < today + AHEAD:
            yield Finding(
                "calendars", "error" if calendar.covers_to < today else "warning",
                f"the calendar {reach}, and today is {today}",
                "upgrade the package, then mismartera calendar sync",
            )  # fmt: skip


def check_identities(db_session: Session, advance: Advance) -> Iterator[Finding]:
    """Yield accounts of which begin + flows + profit and loss is not the end.

    The end is cash and positions at their last prices; profit and loss come from lots, closed and
    open, dividends and fees. One account at a time: the ledger of all of them at once has a row for
    each symbol and session of each account.
    """
    for number in _with_records(db_session):
        try:
            yield from _unbalanced(_profit_of(db_session, number))
        except MismarteraError as error:
            yield Finding(
                "identities",
                "error",
                f"account {number}: no ledger can be made: {str(error).rstrip('.')}",
                "correct the records that it names",
            )
        except Exception as error:  # noqa: BLE001 - the other accounts are looked at all the same
            db_session.rollback()
            yield Finding(
                "identities", "error", f"account {number}: no ledger can be made: {said_by(error)}",
                "correct its records that other findings name; if there are none, report it as a fault",
            )  # fmt: skip
        advance()


def _profit_of(db_session: Session, number: int) -> pd.DataFrame:
    return _quietly(lambda: pnl(freq="total", account=number, db_session=db_session))


def _quietly(work: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Do without the warnings of records that are left out, of which the check of records tells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return work()


def _unbalanced(profit: pd.DataFrame) -> Iterator[Finding]:
    amounts = ["realized", "unrealized", "dividends", "fees", "flows", "begin_value", "end_value"]
    for row in profit.to_dict("records"):
        number = "no account" if pd.isna(row["account_id"]) else f"account {row['account_id']}"
        if math.isnan(row["end_value"]) or math.isnan(row["total"]):
            yield Finding(
                "identities", "note", f"{number}: worth nothing known on {row['session']:%Y-%m-%d}: a "
                f"position has no price", "ingest its daily bars",
            )  # fmt: skip
            continue
        left = row["begin_value"] + row["flows"] + row["total"] - row["end_value"]
        size = max(1.0, *(abs(row[name]) for name in amounts))
        if not abs(left) <= EXACT * size:
            yield Finding(
                "identities", "error", f"{number}: begin + flows + profit and loss differ from the "
                f"end by {left:,.6g} {row['currency']}", "ma.explain tells what its figures rest on; "
                "report it as a fault",
            )  # fmt: skip


def check_positions(db_session: Session, advance: Advance, *, in_doubt: bool) -> Iterator[Finding]:
    """Yield accounts whose recorded positions are not what their orders and flows come to.

    An account is compared as of when it was last synced. Accounts without records, whose positions
    can only be a broker's report, are left out, and so are those that were never synced.

    Parameters
    ----------
    db_session
        Where to read.
    advance
        Called after each account.
    in_doubt
        Whether there are errors in what positions are worked out from: then the recorded ones may be
        what is right, and none is mended.
    """
    columns = select(AccountInfo.id, AccountInfo.last_synced)
    synced = {row[0]: row[1] for row in db_session.execute(columns)}
    for number in _with_records(db_session):
        moment = synced.get(number)
        if moment is not None:
            try:
                yield from _differing(db_session, number, moment, in_doubt=in_doubt)
            except MismarteraError:  # the check of identities has said why
                pass
            except Exception as error:  # noqa: BLE001 - the other accounts are looked at all the same
                db_session.rollback()
                yield Finding(
                    "positions", "error", f"account {number}: positions cannot be worked out: "
                    f"{said_by(error)}", "correct its records that other findings name; if there are "
                    "none, report it as a fault",
                )  # fmt: skip
        advance()


def _with_records(db_session: Session) -> list[int]:
    found: set[int] = set()
    for table in (Order, CashFlow):
        statement = select(table.account_id).where(table.account_id.is_not(None)).distinct()
        found |= set(db_session.scalars(statement))
    return sorted(found)


def _differing(
    db_session: Session, number: int, moment: dt.datetime, *, in_doubt: bool
) -> Iterator[Finding]:
    columns = {"symbol": Position.symbol, "quantity": Position.quantity,
               "last_updated": Position.last_updated}  # fmt: skip
    rows = read_frame(db_session, columns, select(Position.id).where(Position.account_id == number))
    recorded = rows.groupby("symbol")["quantity"].sum()
    doubled = sorted(rows.loc[rows["symbol"].duplicated(), "symbol"].unique())
    held = _quietly(lambda: _held(db_session, number, moment)).set_index("symbol")["quantity"]
    names = sorted({*recorded.index, *held.index})
    off = [
        name for name in names
        if not abs(recorded.get(name, 0.0) - held.get(name, 0.0))
        <= SHARE * max(1.0, abs(held.get(name, 0.0)))
    ]  # fmt: skip
    if not off and not doubled:
        return
    what = f"account {number}: positions differ from what orders and flows come to in " + (
        named("symbol", off or doubled)
    )
    if in_doubt:
        yield Finding(
            "positions", "warning", what, "correct first the errors that are "
            "named above, of references, records, calendars and identities; then mismartera doctor "
            "again", len(off or doubled),
        )  # fmt: skip
        return
    is_ours = _is_ours(db_session, number, rows["last_updated"], moment)
    if is_ours and is_in_doubt(db_session, number):  # the positions may be what is right
        yield Finding(
            "positions", "warning", what, "correct its orders, fills and flows that are named above, "
            f"then ma.refresh_positions({number})", len(off or doubled),
        )  # fmt: skip
        return

    def refresh() -> str:
        done = _quietly(lambda: refresh_positions(number))
        return f"account {number}: {len(done)} positions were worked out anew"

    yield Finding(
        "positions", "warning", what,
        f"ma.refresh_positions({number})" if is_ours else
        f"mismartera reconcile --account {number} says why; if they are no broker's report, "
        f"ma.refresh_positions({number})",
        len(off or doubled), refresh if is_ours else None,
    )  # fmt: skip


def _held(db_session: Session, number: int, moment: dt.datetime) -> pd.DataFrame:
    fills = books.usable_fills(db_session, books.read_fills(db_session, Order.account_id == number))
    flows = books.read_flows(db_session, CashFlow.account_id == number)
    held = books_at(db_session, fills, flows, moment)
    table = open_positions(held.fills, held.actions, transfers=held.transfers)
    return table.assign(symbol=table["symbol"].map(held.companies.symbol_of))


def _is_ours(
    db_session: Session, number: int, updated: pd.Series, synced: dt.datetime
) -> bool:  # fmt: skip
    """Tell whether positions were surely written by us: of a saved run, or as of a session's close.

    `refresh_positions` notes of each position the close of the session whose price it took, and a
    broker's report the moment at which it was asked for.
    """
    account = db_session.get_one(AccountInfo, number)
    if account.broker == BROKER:
        return True
    if updated.empty or updated.isna().any() or (updated == pd.Timestamp(synced)).any():
        return False
    calendar = marks.market(db_session)
    labels = calendar.labels(calendar.covers_from, min(synced.date(), calendar.covers_to))
    return bool(updated.isin(calendar.closes(labels)).all())
