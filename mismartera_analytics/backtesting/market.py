"""The market of a run: bars of all symbols on one clock, and what happens to them meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.clocks import (
    Clock,
    SessionSource,
    day_clock,
    intraday_clock,
    microseconds,
)
from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidBarsError,
    InvalidInputError,
    suggestion,
)

__all__ = ["FIELDS", "Actions", "Market", "build_market"]

FIELDS = ("open", "high", "low", "close", "volume")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Actions:
    """Splits and cash dividends within the run, in the order in which they come into force.

    Attributes
    ----------
    row
        (n,) first row at which each is in force.
    at
        (n,) orders placed before this instant were placed in old shares [us].
    symbol
        (n,) position in `Market.symbols`.
    ratio
        (n,) new shares for one old; 1 of a dividend.
    amount
        (n,) dividend [currency/share]; 0 of a split.
    """

    row: NDArray[np.int64]
    at: NDArray[np.int64]
    symbol: NDArray[np.int64]
    ratio: Floats
    amount: Floats

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Market:
    """Bars of all symbols as arrays.

    Attributes
    ----------
    symbols
        Sorted.
    interval
        Length of the bars.
    clock
        Its rows.
    fields
        (5, symbols, rows) open, high, low, close [currency/share] and volume [shares] as traded; NaN
        where a symbol has no bar.
    actions
        What comes into force after the first row's session.
    action_frame
        The same and earlier ones as `frames.CORPORATE_ACTIONS`.
    """

    symbols: tuple[str, ...]
    interval: clock.Interval
    clock: Clock
    fields: Floats
    actions: Actions
    action_frame: pd.DataFrame

    def session_at(self, symbol: int, instant: int) -> int:
        """Return the ordinal of the session to which an order placed at `instant` belongs."""
        return int(self.clock.sessions_at(np.array([instant]))[0])

    def sessions_at(
        self, symbols: NDArray[np.int64], instants: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the same as `session_at` for arrays of one length."""
        return self.clock.sessions_at(instants)

    def rows_before(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row after which orders placed at `instants` can fill; -1 before the first."""
        return self.clock.rows_before(instants)

    def position_of(self, symbol: str) -> int:
        """Return the position of a symbol.

        Raises
        ------
        InvalidInputError
            If the run does not know it; the nearest name is suggested.
        """
        try:
            return self.symbols.index(symbol)
        except ValueError:
            hint = suggestion(str(symbol), self.symbols)
            raise InvalidInputError(
                f"symbol={symbol!r} is not in this run{hint or '.'} "
                f"Its symbols: {', '.join(self.symbols)}."
            ) from None

    def digest(self) -> str:
        """Return a digest of bars, clock and actions: the data version of bars given as a frame."""
        sha = hashlib.sha256(" ".join(self.symbols).encode())
        for array in (self.clock.start, self.clock.end, self.fields):
            sha.update(np.ascontiguousarray(array).data)
        for name in ("row", "symbol", "ratio", "amount"):
            sha.update(getattr(self.actions, name).data)
        return sha.hexdigest()


def build_market(
    bars: pd.DataFrame,
    actions: pd.DataFrame,
    *,
    symbols: Sequence[str] | None,
    interval: clock.Interval,
    calendar: SessionSource,
) -> Market:
    """Return the market that frames of bars and corporate actions describe.

    Parameters
    ----------
    bars
        As `frames.BARS`: each symbol's rows in time order. `session` is read for ``1d`` and longer.
    actions
        As `frames.CORPORATE_ACTIONS`.
    symbols
        Which symbols of the frame; all by default.
    interval
        Length of the bars.
    calendar
        Gives sessions their hours.

    Returns
    -------
    Market

    Raises
    ------
    BarsNotFoundError
        If there are no bars, or none of a symbol.
    InvalidBarsError
        If columns are missing, times are naive, unsorted or doubled, or a price is not positive.
    """
    wanted = [*FIELDS, "symbol", "timestamp"]
    missing = [name for name in wanted if name not in bars.columns]
    if missing:
        raise InvalidBarsError(f"bars lacks the columns {missing}; see frames.BARS.")
    codes, names = pd.factorize(bars["symbol"], sort=True)
    held = tuple(str(name) for name in names)
    chosen = held if symbols is None else tuple(symbols)
    for symbol in chosen:
        if symbol not in held:
            raise BarsNotFoundError(
                f"symbol {symbol!r} has no {interval} bars in the range"
                f"{suggestion(symbol, held) or '.'}"
            )
    if not chosen:
        raise BarsNotFoundError(f"there are no {interval} bars in the range.")
    keys = _keys(bars, interval)
    positions = [np.flatnonzero(codes == held.index(symbol)) for symbol in chosen]
    for symbol, rows in zip(chosen, positions, strict=True):
        if (np.diff(keys[rows]) <= 0).any():
            raise InvalidBarsError(
                f"bars of {symbol!r} are unsorted or doubled; sort them by symbol and timestamp."
            )
    rows_used = _union([keys[rows] for rows in positions])
    if interval.is_intraday:
        times = intraday_clock(rows_used, interval, calendar)
    else:
        times = day_clock(rows_used.astype("datetime64[D]"), interval, calendar)
    fields = np.full((5, len(chosen), len(rows_used)), np.nan)
    values = [bars[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in FIELDS]
    for number, rows in enumerate(positions):
        is_whole = len(rows) == len(rows_used)
        at: Any = slice(None) if is_whole else np.searchsorted(rows_used, keys[rows])
        for field, column in enumerate(values):
            fields[field, number, at] = column[rows]
    _check_prices(fields, chosen, times)
    frame = _relevant(actions, chosen)
    return Market(
        symbols=chosen,
        interval=interval,
        clock=times,
        fields=fields,
        actions=_place_actions(frame, chosen, times),
        action_frame=frame,
    )


def _union(keys: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the sorted union of ascending arrays; usually one of them holds all the others."""
    longest = max(keys, key=len)
    if all(len(other) == len(longest) and (other == longest).all() for other in keys):
        return longest
    everything = np.sort(np.concatenate(keys), kind="stable")
    union: NDArray[np.int64] = everything[np.append(True, np.diff(everything) > 0)]
    return union


def _keys(bars: pd.DataFrame, interval: clock.Interval) -> NDArray[np.int64]:
    """Return what orders a symbol's bars: the start [us], or the label [days] of longer bars."""
    stamps = bars["timestamp"]
    if not isinstance(stamps.dtype, pd.DatetimeTZDtype):
        raise InvalidBarsError("bars: timestamp must hold aware instants (datetime64[us, UTC]).")
    if stamps.isna().any():
        raise InvalidBarsError("bars: timestamp is missing in some rows.")
    if interval.is_intraday:
        return microseconds(stamps)
    if "session" not in bars.columns or bars["session"].isna().any():
        raise InvalidBarsError(f"bars of {interval} need the label of their session in `session`.")
    labels: Any = bars["session"].to_numpy()
    return np.asarray(labels.astype("datetime64[D]").astype(np.int64))


def _check_prices(fields: Floats, symbols: Sequence[str], times: Clock) -> None:
    opened, high, low, close = fields[:4]
    has_bar = ~np.isnan(fields[:4]).all(axis=0)
    is_good = (low > 0) & (high < np.inf) & (low <= opened) & (low <= close)
    is_good &= (high >= opened) & (high >= close)
    bad = np.argwhere(has_bar & ~is_good)
    if len(bad):
        symbol, row = bad[0]
        prices = ", ".join(f"{value:g}" for value in fields[:4, symbol, row])
        raise InvalidBarsError(
            f"bars: {symbols[symbol]!r} on {times.label[row]} has open, high, low, close {prices}; "
            f"prices must be positive with low <= open, close <= high ({len(bad)} such bars)."
        )


def _relevant(actions: pd.DataFrame, symbols: Sequence[str]) -> pd.DataFrame:
    known = frames.CORPORATE_ACTIONS.conform(actions.assign(new_symbol=actions.get("new_symbol")))
    known = known[known["symbol"].isin(symbols)].reset_index(drop=True)
    is_split = known["action_type"] == "SPLIT"
    bad = known[is_split & ~(known["ratio"] > 0)]
    if len(bad):
        raise InvalidInputError(
            f"actions: the split of {bad.iloc[0]['symbol']!r} on {bad.iloc[0]['ex_date']:%Y-%m-%d} "
            f"needs a positive ratio of new to old shares."
        )
    is_dividend = known["action_type"] == "CASH_DIVIDEND"
    unknown = known[is_dividend & ~np.isfinite(known["amount"])]
    if len(unknown):
        raise InvalidInputError(
            f"actions: the dividend of {unknown.iloc[0]['symbol']!r} on "
            f"{unknown.iloc[0]['ex_date']:%Y-%m-%d} needs an amount per share."
        )
    return known


def _place_actions(frame: pd.DataFrame, symbols: Sequence[str], times: Clock) -> Actions:
    """Put splits, then dividends, of each ex-date on the first row of that session or the next.

    A bar after hours counts in the session that follows, but still trades in the shares of before.
    """
    kinds = frame["action_type"].to_numpy()
    is_split, is_dividend = kinds == "SPLIT", kinds == "CASH_DIVIDEND"
    dates = frame["ex_date"].to_numpy().astype("datetime64[D]")
    ordinal = np.searchsorted(times.labels, dates)
    is_known = ordinal < len(times.labels)
    ordinal = np.minimum(ordinal, len(times.labels) - 1)
    row = np.searchsorted(times.start, times.begins[ordinal]).astype(np.int64)
    inside = (is_split | is_dividend) & is_known & (row > 0) & (row < len(times))
    kept = np.flatnonzero(inside)
    kept = kept[np.lexsort((is_dividend[kept], dates[kept], row[kept]))]
    ratio = frame["ratio"].to_numpy(dtype=np.float64)[kept]
    amount = frame["amount"].to_numpy(dtype=np.float64)[kept]
    return Actions(
        row=row[kept],
        at=np.minimum(times.opens[ordinal[kept]], times.start[row[kept]]),
        symbol=np.array([symbols.index(s) for s in frame["symbol"].to_numpy()[kept]], np.int64),
        ratio=np.where(is_split[kept], ratio, 1.0),
        amount=np.where(is_dividend[kept], amount, 0.0),
    )
