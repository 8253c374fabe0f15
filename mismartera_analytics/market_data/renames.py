"""Changes of symbol as they are recorded, and the identities that follow from them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from mismartera_analytics import clock
from mismartera_analytics.errors import DatabaseNotReadyError, DatabaseUnreachableError
from mismartera_analytics.market_data.identities import (
    FIRST,
    FOREVER,
    Change,
    Identities,
    identities_of,
)
from mismartera_analytics.models import database
from mismartera_analytics.models.instruments import CorporateAction, Instrument
from mismartera_analytics.models.retrying import repeated

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["read_changes", "read_identities", "renames_told"]

_EPOCH = dt.date(1970, 1, 1)
_MOST_NAMED = 10_000  # more symbols than this are picked from the whole table


@repeated
def read_identities(
    symbols: Iterable[str],
    *,
    until: dt.date | None = None,
    db_session: Session | None = None,
) -> Identities:
    """Read what concerns some symbols, and all names that their companies had.

    Parameters
    ----------
    symbols
        Tickers.
    until
        Only what was known and in force at this instant (aware), or in force on this date;
        everything by default.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    Identities

    Raises
    ------
    InvalidInputError
        If recorded changes contradict each other.
    DatabaseNotReadyError
        If the database has not been initialised.
    """
    if db_session is None:
        with database.read_session() as own:
            return read_identities(symbols, until=until, db_session=own)
    changes = read_changes(db_session, until)
    names = set(symbols)
    while True:
        ours = [change for change in changes if change[1] in names or change[2] in names]
        more = {name for _, old, new in ours for name in (old, new)} - names
        if not more:
            break
        names |= more
    day = until.date() if isinstance(until, dt.datetime) else until
    last = FOREVER if day is None else (day - _EPOCH).days
    return identities_of(ours, _read_validity(db_session, names, last))


def read_changes(db_session: Session, until: dt.date | None = None) -> list[Change]:
    """Return the recorded changes of symbol (day, old, new), limited as `read_identities` is."""
    table = CorporateAction.__table__.c
    query = select(table.ex_date, table.symbol, table.new_symbol).where(
        table.action_type == "SYMBOL_CHANGE", table.new_symbol.is_not(None)
    )
    if isinstance(until, dt.datetime):
        is_known = or_(table.known_at.is_(None), table.known_at <= until)
        query = query.where(table.ex_date <= until.date(), is_known)
    elif until is not None:
        query = query.where(table.ex_date <= until)
    return [((row[0] - _EPOCH).days, row[1], row[2]) for row in db_session.execute(query)]


def renames_told(symbols: Iterable[str]) -> dict[str, str]:
    """Return, of symbols that changed, a clause that says so: ``FB became META on 2022-06-09``.

    Symbols that did not are left out; nothing is told where no database can be read.
    """
    try:
        with database.read_session() as db_session:
            changes = sorted(read_changes(db_session, clock.utc_now()))
    except (DatabaseNotReadyError, DatabaseUnreachableError):
        return {}
    told: dict[str, str] = {}
    for day, old, new in changes:
        date = _EPOCH + dt.timedelta(days=day)
        told |= {
            old: f"{old} became {new} on {date}",
            new: f"{new} was {old} until {date}; adjust='split' reads its bars as well",
        }
    return {name: told[name] for name in symbols if name in told}


def _read_validity(
    db_session: Session, names: set[str], last: int
) -> dict[str, list[tuple[int, int]]]:
    """Return the periods of the symbols that instruments limit, as far as they began by a day."""
    table = Instrument.__table__.c
    query = select(table.symbol, table.valid_from, table.valid_to).where(
        or_(table.valid_from.is_not(None), table.valid_to.is_not(None))
    )
    if len(names) <= _MOST_NAMED:
        query = query.where(table.symbol.in_(sorted(names)))
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for symbol, since, to in db_session.execute(query):
        first = FIRST if since is None else (since - _EPOCH).days
        end = FOREVER if to is None else (to - _EPOCH).days + 1
        if symbol in names and first <= last:
            found[symbol].append((first, end))
    return {symbol: sorted(periods) for symbol, periods in found.items()}
