"""Returns of accounts by period, and what each symbol contributed to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.ledger.contributions import (
    Linking,
    check_linking,
    contributions_frame,
)
from mismartera_analytics.ledger.daily import (
    MAX_PRICE_AGE,
    Ledger,
    daily_ledger,
    price_age,
    without_cash,
)
from mismartera_analytics.ledger.events import Ints, days
from mismartera_analytics.ledger.periods import Frequency, check_frequency
from mismartera_analytics.ledger.returns import (
    FlowTiming,
    check_timing,
    combined,
    returns_frame,
)
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.ledger_inputs import read_inputs
from mismartera_analytics.recording import books
from mismartera_analytics.recording.ownership import AccountLike, UserLike, reading, scope_of

__all__ = ["contributions", "returns"]

By = Literal["account", "total"]


@repeated
def returns(
    *,
    freq: Frequency = "session",
    by: By = "account",
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    benchmark: str | None = None,
    flow_timing: FlowTiming = "split",
    max_price_age: int = MAX_PRICE_AGE,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return time-weighted and money-weighted returns by period.

    Parameters
    ----------
    freq
        ``session, week, month, quarter, year`` or ``total``.
    by
        ``"account"``: rows of every account. ``"total"``: rows of all of them together, in which money
        moved between them is no flow.
    user, account, broker, db_session
        As in `orders`.
    symbols
        Only these tickers, as if what they were bought for came from outside and what they were sold
        for left.
    start, end
        Labels of the first and last session, both included; as in `pnl`.
    benchmark
        Ticker with daily bars in the store; its return over each period, dividends reinvested.
    flow_timing
        When a session's flows take place: ``"split"`` deposits at its start and withdrawals at its end,
        ``"start"`` or ``"end"`` all of them.
    max_price_age
        As in `pnl`. The return of a stretch without prices counts on the session that has one again.

    Returns
    -------
    pandas.DataFrame
        `frames.RETURNS`. ``net_return`` is after commissions and fees, ``gross_return`` before.
        Sessions are linked inside a period. A money-weighted return that has no rate or several is
        NaN, and ``note`` says which; it also names the last session with a value where a period goes on
        without one. An account that never had a value has no rows.

    Raises
    ------
    UnknownNameError, NotAllowedError
        As in `orders`.
    BarsNotFoundError
        If the benchmark has no daily bars.
    InvalidInputError
        If an argument is unknown, a bound is not a date, or accounts of several currencies are to be
        put together.
    CalendarRangeError
        If the calendar does not cover the records.

    Examples
    --------
    >>> frame = ma.returns(freq="year", account=1, start="2011-01-01", benchmark="IBM")
    >>> frame[["net_return", "money_weighted", "benchmark_return"]].round(4)
       net_return  money_weighted  benchmark_return
    0      0.0782          0.0782            0.2529
    1      0.0945          0.0945            0.0417
    2      0.0409          0.0409            0.0593
    """
    check_frequency(freq)
    check_timing(flow_timing)
    _check_by(by)
    first, last = _labels(start, end)
    max_price_age = price_age(max_price_age)
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        inputs = read_inputs(own, scope, symbols, end=last, max_price_age=max_price_age)
        known = books.read_currencies(own)
    if inputs is None:
        return frames.RETURNS.empty()
    found = []
    for part in [inputs] if by == "total" else inputs.by_market():
        accounts, of_symbols, _ = daily_ledger(**vars(part), max_price_age=max_price_age)
        whole = accounts if symbols is None else without_cash(of_symbols)
        currencies = _currencies_of(whole, known)
        if by == "total":
            whole = _together(whole, currencies)
        found.append(
            returns_frame(
                whole, freq=freq, start=first, end=last, timing=flow_timing, currencies=currencies,
                benchmark=_benchmark(benchmark, whole.grid, max_price_age),
            )
        )  # fmt: skip
    return found[0] if len(found) == 1 else frames.RETURNS.conform(pd.concat(found))


@repeated
def contributions(
    *,
    freq: Frequency = "total",
    by: By = "account",
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    flow_timing: FlowTiming = "split",
    linking: Linking = "carino",
    max_price_age: int = MAX_PRICE_AGE,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return what each symbol, and the cash, contributed to the time-weighted return.

    Parameters
    ----------
    freq, by, user, account, broker, symbols, start, end, flow_timing, max_price_age, db_session
        As in `returns`.
    linking
        How sessions are linked so that the parts add up: ``"carino"``, or ``"compounded"``.

    Returns
    -------
    pandas.DataFrame
        `frames.CONTRIBUTIONS`; in every period they add up to ``net_return``.

    Raises
    ------
    UnknownNameError, NotAllowedError, InvalidInputError, CalendarRangeError
        As in `returns`.

    Examples
    --------
    >>> parts = ma.contributions(freq="year", account=1, start="2012-01-01", end="2012-12-31")
    >>> parts[["symbol", "contribution", "net_return"]].round(4)
      symbol  contribution  net_return
    0   AAPL        0.0844      0.0945
    1   GOOG       -0.0130      0.0945
    2    IBM       -0.0106      0.0945
    3   MSFT        0.0338      0.0945
    4    NaN        0.0000      0.0945
    """
    check_frequency(freq)
    check_timing(flow_timing)
    check_linking(linking)
    _check_by(by)
    first, last = _labels(start, end)
    max_price_age = price_age(max_price_age)
    with reading(db_session) as own:
        scope = scope_of(own, user=user, account=account, broker=broker)
        inputs = read_inputs(own, scope, symbols, end=last, max_price_age=max_price_age)
        known = books.read_currencies(own)
    if inputs is None:
        return frames.CONTRIBUTIONS.empty()
    found = []
    for part in [inputs] if by == "total" else inputs.by_market():
        accounts, of_symbols, cash = daily_ledger(**vars(part), max_price_age=max_price_age)
        parts = [of_symbols, cash] if symbols is None else [of_symbols]
        whole = accounts if symbols is None else without_cash(of_symbols)
        currencies = _currencies_of(whole, known)
        if by == "total":
            whole = _together(whole, currencies)
        found.append(
            contributions_frame(
                whole, *parts, freq=freq, start=first, end=last, timing=flow_timing,
                linking=linking, currencies=currencies,
            )
        )  # fmt: skip
    return found[0] if len(found) == 1 else frames.CONTRIBUTIONS.conform(pd.concat(found))


def _check_by(by: str) -> None:
    if not is_one_of(by, ("account", "total")):
        hint = suggestion(by, ("account", "total")) or "."
        raise InvalidInputError(f"by={as_given(by)} is not one of account, total{hint}")


def _labels(start: Any, end: Any) -> tuple[dt.date | None, dt.date | None]:
    first = None if start is None else clock.parse_label(start, argument="start")
    last = None if end is None else clock.parse_label(end, argument="end")
    return first, last


def _currencies_of(accounts: Ledger, known: dict[int, str]) -> dict[int, str]:
    """Return the currency of each account of a ledger."""
    ids = [int(number) for number in accounts.owners["account_id"].dropna()]
    return {number: known.get(number, books.DEFAULT_CURRENCY) for number in ids}


def _together(accounts: Ledger, currencies: dict[int, str]) -> Ledger:
    found = sorted(set(currencies.values()))
    if len(found) > 1:
        raise InvalidInputError(
            f"by='total' puts accounts in {', '.join(found)} together; choose those of one currency "
            f"with account=."
        )
    return combined(accounts)


def _benchmark(symbol: str | None, grid: Ints, max_age: int) -> Any:
    """Return the benchmark's price on every session of a grid, dividends and splits adjusted."""
    if symbol is None:
        return None
    from mismartera_analytics.kernels.marks import carry_forward
    from mismartera_analytics.market_data.store import BarStore

    if not isinstance(symbol, str) or not symbol.strip():
        raise InvalidInputError(f"benchmark={as_given(symbol)} must be a ticker.")
    first, last = (pd.Timestamp(int(edge), unit="D").date() for edge in (grid[0], grid[-1]))
    bars = BarStore().read(symbol, "1d", first, last, columns=["session", "close"], adjust="all")
    closes = np.full((len(grid), 1), np.nan)
    row = np.searchsorted(grid, days(bars["session"]))
    fits = row < len(grid)  # a session of its own market alone counts on the next one of these
    closes[row[fits], 0] = bars["close"].to_numpy()[fits]
    prices, _ = carry_forward(closes, np.ones_like(closes), max_age)
    return prices[:, 0]
