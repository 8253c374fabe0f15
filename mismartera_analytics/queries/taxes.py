"""What-if of lot methods: the year's realised gain under each, and the wash sales among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.ledger.choices import check_lots
from mismartera_analytics.ledger.events import (
    METHODS,
    Events,
    check_method,
    prepare_events,
)
from mismartera_analytics.ledger.lots import Method, match_named
from mismartera_analytics.ledger.taxes import method_sums, realized_of, wash_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.ledger_inputs import lot_inputs
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import (
    AccountLike,
    Scope,
    UserLike,
    reading,
    scope_of,
)

__all__ = ["lot_methods", "wash_sales"]

Symbols = str | Iterable[str] | None


@repeated
def lot_methods(
    *,
    year: int | None = None,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: Symbols = None,
    lots: pd.DataFrame | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return what each lot method would have realised in a year, long and short term apart.

    Parameters
    ----------
    year
        In which the lots were closed, by the session of the fill; the current one by default.
    user, account, broker, symbols, db_session
        As in `orders`.
    lots
        Lots named for closing orders, as in `round_trips`; adds the method ``specific``.

    Returns
    -------
    pandas.DataFrame
        `frames.LOT_METHODS`: for every account with a closed lot in the year a row for each method, in
        the order ``fifo, lifo, hifo, average, specific``. Gains are after fees. The rules are those of
        the United States: more than a year is long term, a short sale is short term, and a wash
        sale's loss moves into the cost of what was bought. ``average`` is not open to everybody.

    Raises
    ------
    UnknownNameError, NotAllowedError
        As in `orders`.
    InvalidInputError
        If `year` is not a year, or a lot that was named is not open or too small.
    CalendarRangeError
        If the calendar does not cover the fills.

    Examples
    --------
    >>> frame = ma.lot_methods(year=2012, account=1)
    >>> frame[["method", "short_term", "long_term", "realized"]].round(2)
        method  short_term  long_term  realized
    0     fifo    -5792.73   73064.77  67272.03
    1     lifo    -4645.87   74002.21  69356.34
    2     hifo    -4645.87   74002.21  69356.34
    3  average     -344.48   68185.38  67840.90
    """
    wanted = _year(year)
    if lots is not None:
        check_lots(lots, "specific")
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        fills, events = _events(own, scope, symbols)
        currencies = books.read_currencies(own)
    tables = []
    for method in METHODS:
        if method == "specific" and lots is None:
            continue
        named = lots if method == "specific" else None
        matched = match_named(events, fills, method=method, lots=named)
        sums = method_sums(realized_of(events, matched), events.groups, year=wanted)
        tables.append(sums.assign(method=method))
    table = pd.concat(tables, ignore_index=True)
    return frames.LOT_METHODS.conform(_with_currency(table, currencies))


@repeated
def wash_sales(
    *,
    year: int | None = None,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: Symbols = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return sales at a loss whose shares were bought again within 30 days before or after.

    Parameters
    ----------
    year
        In which they were sold; the current one by default.
    user, account, broker, symbols, db_session
        As in `orders`. The accounts of a user count as one: with `account`, purchases in the others
        are not seen.
    method, lots
        As in `round_trips`: which lot a sale takes decides whether it is at a loss.

    Returns
    -------
    pandas.DataFrame
        `frames.WASH_SALES`: a row for each loss and purchase that are matched, the earliest first. A
        symbol is only the same as itself: funds on one index or options are not seen.

    Raises
    ------
    UnknownNameError, NotAllowedError, InvalidInputError, CalendarRangeError
        As in `lot_methods`.

    Examples
    --------
    >>> found = ma.wash_sales(year=2012, account=1)
    >>> found[["symbol", "quantity", "sold_on", "bought_on", "disallowed"]]
      symbol  quantity    sold_on  bought_on  disallowed
    0    IBM     311.0 2012-08-28 2012-09-18  985.509...
    """
    wanted = _year(year)
    check_method(method)
    check_lots(lots, method)
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        fills, events = _events(own, scope, symbols)
        currencies = books.read_currencies(own)
    matched = match_named(events, fills, method=method, lots=lots)
    table = wash_frame(realized_of(events, matched), events.groups, year=wanted)
    return frames.WASH_SALES.conform(_with_currency(table, currencies))


def _year(year: int | None) -> int:
    if year is None:
        return clock.utc_now().year
    if isinstance(year, bool) or not isinstance(year, int) or not 1900 <= year <= 9998:
        raise InvalidInputError(f"year={as_given(year)} must be a whole number such as 2025.")
    return year


def _events(db_session: Session, scope: Scope, symbols: Symbols) -> tuple[pd.DataFrame, Events]:
    """Return the fills of a scope, and the events that they and the transfers make."""
    fills, transfers, actions = lot_inputs(db_session, scope, symbols)
    return fills, prepare_events(fills, actions, transfers)


def _with_currency(table: pd.DataFrame, currencies: dict[int, str]) -> pd.DataFrame:
    known = table["account_id"].map(currencies).astype("str")
    return table.assign(currency=known.fillna(books.DEFAULT_CURRENCY))
