"""Profit and loss by period, and closed round trips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import listed
from mismartera_analytics.ledger.daily import (
    MAX_PRICE_AGE,
    Ledger,
    daily_ledger,
    price_age,
    without_cash,
)
from mismartera_analytics.ledger.events import check_method
from mismartera_analytics.ledger.lots import Method, match_lots
from mismartera_analytics.ledger.periods import Frequency, check_frequency, pnl_frame
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.ledger_inputs import lot_inputs, read_inputs
from mismartera_analytics.queries.records import When, in_range
from mismartera_analytics.queries.scope import instant_bounds
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import (
    AccountLike,
    UserLike,
    reading,
    scope_of,
)

__all__ = ["pnl", "round_trips"]


@repeated
def round_trips(
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    side: str | None = None,
    start: When | None = None,
    end: When | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    tz: str | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return closed trades: each piece of a lot with its entry, exit and realised gain.

    Parameters
    ----------
    user, account, broker, symbols, tz, db_session
        As in `orders`.
    side
        ``"BUY"`` for long trades, ``"SELL"`` for short ones.
    start, end
        When they were closed; ranges as in `orders`.
    method
        Which lot a closing fill takes: ``fifo``, ``lifo``, ``hifo``, ``average``, or ``specific``:
        those that `lots` names, and beyond them the oldest.
    lots
        With ``specific``, one row a lot to close: ``order_id`` of the closing order (perhaps
        ``fill_id``), ``quantity``, and ``opened_on`` (a date) or ``opening_order_id`` of the lot.

    Returns
    -------
    pandas.DataFrame
        `frames.TRADES`, empty where nothing matches.

    Raises
    ------
    UnknownNameError, NaiveDatetimeError, NotAllowedError
        As in `orders`.
    CalendarRangeError
        If the calendar does not cover the fills.
    InvalidInputError
        If the method is unknown, or a lot that was named is not open or too small.

    Examples
    --------
    >>> trips = ma.round_trips(account=1, symbols="AAPL", start="2012-11-01")
    >>> trips[["symbol", "quantity", "realized_pnl"]].round(2)
      symbol  quantity  realized_pnl
    0   AAPL      71.0      28760.40
    1   AAPL       8.0       2110.70
    2   AAPL       6.0       1663.19
    3   AAPL       1.0        177.70
    4   AAPL       6.0        863.05
    5   AAPL       4.0       -497.46
    6   AAPL       4.0       -276.53
    """
    if tz is not None:
        clock.zone(tz)
    check_method(method)
    bounds = instant_bounds(start, end)
    if not is_one_of(side, (None, *frames.SIDES)):
        raise InvalidInputError(f"side={as_given(side)} is not one of {', '.join(frames.SIDES)}.")
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        fills, transfers, actions = lot_inputs(own, scope, symbols)
    trades, _ = match_lots(fills, actions, transfers=transfers, method=method, lots=lots)
    if side is not None:
        trades = trades.loc[trades["side"] == side]
    return frames.TRADES.conform(in_range(trades, "exit_at", bounds), tz=tz)


@repeated
def pnl(
    *,
    freq: Frequency = "session",
    by: str | Sequence[str] = ("account",),
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    max_price_age: int = MAX_PRICE_AGE,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return profit and loss, marked to market on every session of the calendar.

    Parameters
    ----------
    freq
        ``session, week, month, quarter, year`` or ``total``.
    by
        ``"account"``: one row an account and period, cash included. ``["account", "symbol"]``: one
        row a symbol that was held or traded, and one for the account's cash, without a symbol; they
        add up to the account.
    user, account, broker, db_session
        As in `orders`.
    symbols
        Only these tickers. Rows of accounts are then the part of these symbols: what they were
        bought for is a flow, and the account's cash is left out.
    start, end
        Labels of the first and last session, both included. By default from the first fill or flow
        to the last, or to the last daily bar of a symbol traded, whichever is later. Accounts of
        saved backtests, asked for by themselves, end with their runs.
    method
        Which lot a closing fill takes. It moves gains between ``realized`` and ``unrealized``.
    lots
        With ``method="specific"``, the lots named for closing orders, as in `round_trips`.
    max_price_age
        For how many sessions a symbol's last price stands in where a bar is missing. After that the
        values are NaN until there is a price again, never zero; ``price_age`` tells.

    Returns
    -------
    pandas.DataFrame
        `frames.PNL`; in every row ``begin_value + flows + total == end_value`` and
        ``total == realized + unrealized + dividends - fees``.

    Raises
    ------
    UnknownNameError, NotAllowedError
        As in `orders`.
    InvalidInputError
        If `freq`, `by` or `method` is unknown, or a bound is not a date.
    CalendarRangeError
        If the calendar does not cover the records.

    Examples
    --------
    >>> ma.pnl(freq="year", account=1, start="2011-01-01")[["session", "total", "end_value"]]
         session         total      end_value
    0 2011-12-30  15406.95...  212360.50...
    1 2012-12-31  20075.76...  232436.26...
    2 2013-03-01   9502.94...  241939.21...
    """
    check_frequency(freq)
    check_method(method)
    keys = {str(key) for key in listed(by, argument="by")}
    if keys not in ({"account"}, {"account", "symbol"}):
        raise InvalidInputError(f"by={as_given(by)} is not 'account' or ['account', 'symbol'].")
    max_price_age = price_age(max_price_age)
    first = None if start is None else clock.parse_label(start, argument="start")
    last = None if end is None else clock.parse_label(end, argument="end")
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        inputs = read_inputs(own, scope, symbols, end=last, max_price_age=max_price_age)
        currencies = books.read_currencies(own)
    if inputs is None:
        return frames.PNL.empty()
    chosen = []
    for part in inputs.by_market():
        named = lots
        if lots is not None and part is not inputs and "order_id" in lots:
            named = lots.loc[lots["order_id"].isin(part.fills["order_id"])]
        ledgers = daily_ledger(**vars(part), method=method, lots=named, max_price_age=max_price_age)
        chosen += _chosen(*ledgers, by_symbol="symbol" in keys, has_cash=symbols is None)
    return pnl_frame(*chosen, freq=freq, start=first, end=last, currencies=currencies)


def _chosen(
    accounts: Ledger, symbols: Ledger, cash: Ledger, *, by_symbol: bool, has_cash: bool
) -> list[Ledger]:
    if by_symbol:
        return [symbols, cash] if has_cash else [symbols]
    return [accounts if has_cash else without_cash(symbols)]
