"""Corporate actions of a run: which come into force at which row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.clocks import Clock
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError, as_given

__all__ = [
    "Actions", "actions_within", "check_ends", "check_splits", "keys_of_ends",
    "known_actions", "relevant_actions",
]  # fmt: skip

Floats = NDArray[np.float64]
_UNTOLD: dict[str, Any] = {
    "ratio": np.nan,
    "amount": np.nan,
    "new_symbol": None,
    "known_at": pd.NaT,
}
"""What a frame of actions need not have."""


@dataclass(frozen=True)
class Actions:
    """Splits, cash dividends and delistings within the run, in the order in which they come into force.

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
        (n,) dividend [currency/share]; 0 of a split. Of a delisting what a share brings, NaN: its
        last close.
    ends
        (n,) whether it is a delisting.
    """

    row: NDArray[np.int64]
    at: NDArray[np.int64]
    symbol: NDArray[np.int64]
    ratio: Floats
    amount: Floats
    ends: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


def known_actions(actions: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of actions as `frames.CORPORATE_ACTIONS`, with what it need not have.

    Raises
    ------
    InvalidInputError
        If a column that has to be there is not, or does not hold what it should.
    """
    told = {name: actions.get(name, blank) for name, blank in _UNTOLD.items()}
    if len(actions) and "ex_date" in actions and actions["ex_date"].dtype.kind in "iuf":
        raise InvalidInputError("actions: ex_date holds numbers, not days.")
    try:
        known = frames.CORPORATE_ACTIONS.conform(actions.assign(**told))
    except InvalidInputError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInputError(
            f"actions: a column does not hold what it should ({as_given(str(error))}): symbol and "
            f"action_type are text, ex_date is a day, ratio and amount are numbers, known_at is an "
            f"aware instant."
        ) from None
    is_day = known["ex_date"].dt.year.between(dt.MINYEAR, dt.MAXYEAR)
    if not is_day.all():
        first = known[~is_day].iloc[0]
        raise InvalidInputError(
            f"actions: the {first['action_type']} of {first['symbol']!r} has no ex_date from the years "
            f"{dt.MINYEAR} to {dt.MAXYEAR} ({int((~is_day).sum())} such rows)."
        )
    return known


def relevant_actions(
    actions: pd.DataFrame, symbols: Sequence[str], former: Collection[str] = ()
) -> pd.DataFrame:
    """Return the actions of the symbols as `frames.CORPORATE_ACTIONS`; refuse what is incomplete.

    Of changes of symbol only those of `former` names are kept: the run follows no others.
    """
    if not len(actions) and list(actions.columns) == list(frames.CORPORATE_ACTIONS.names):
        return actions
    known = known_actions(actions)
    is_change = known["action_type"] == "SYMBOL_CHANGE"
    is_ours = known["symbol"].isin(symbols) & ~is_change
    is_ours |= known["symbol"].isin(former) & is_change
    known = known[is_ours].reset_index(drop=True)
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
    is_end = known["action_type"] == "DELISTING"
    worse = known[is_end & ((known["amount"] < 0) | np.isinf(known["amount"]))]
    if len(worse):
        raise InvalidInputError(
            f"actions: the delisting of {worse.iloc[0]['symbol']!r} on "
            f"{worse.iloc[0]['ex_date']:%Y-%m-%d} brings {worse.iloc[0]['amount']:g} per share; the "
            f"amount must be at least 0, or missing for the last close."
        )
    return known


def actions_within(
    frame: pd.DataFrame,
    symbols: Sequence[str],
    number_of: Sequence[int],
    clocks: Sequence[Clock],
    places: Sequence[NDArray[np.int64] | None],
) -> Actions:
    """Put splits, dividends and delistings on the rows at which they come into force.

    Parameters
    ----------
    frame
        From `relevant_actions`.
    symbols, number_of
        The run's, and the number of each one's calendar.
    clocks, places
        Of each calendar its own rows, and which of the run's rows they are; None: all.

    Returns
    -------
    Actions
        Of those of one row in the order of their dates, splits first.
    """
    if frame.empty:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        ends = np.zeros(0, np.bool_)
        return Actions(row=none, at=none, symbol=none, ratio=nothing, amount=nothing, ends=ends)
    parts = []
    for number, (times, place) in enumerate(zip(clocks, places, strict=True)):
        own = {s for s, k in zip(symbols, number_of, strict=True) if k == number}
        part = _place_actions(frame[frame["symbol"].isin(own)], symbols, times)
        row = part["row"] if place is None else place[part["row"]]
        parts.append({**part, "row": row})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    in_force = np.argsort(joined["row"], kind="stable")
    return Actions(**{name: values[in_force] for name, values in joined.items()})


def check_splits(
    frame: pd.DataFrame,
    symbols: Sequence[str],
    times: Clock,
    closes: Floats,
    interval: clock.Interval,
) -> None:
    """Refuse bars longer than a session that hold a split: their prices mix old and new shares.

    Raises
    ------
    InvalidBarsError
        Naming the bar.
    """
    splits = frame[frame["action_type"] == "SPLIT"]
    dates = splits["ex_date"].to_numpy().astype("datetime64[D]")
    for symbol, date in zip(splits["symbol"], dates, strict=True):
        begun = int(np.searchsorted(times.label, date)) - 1  # a bar that begins with it is whole
        if begun < 0 or np.isnan(closes[symbols.index(symbol), begun]):
            continue
        if date.astype("datetime64[us]").astype(np.int64) < times.end[begun]:
            raise InvalidBarsError(
                f"bars: the {interval} bar of {symbol!r} on {times.label[begun]} holds the "
                f"split of {date}, so its prices mix old and new shares; use bars of 1d or shorter."
            )


def keys_of_ends(
    frame: pd.DataFrame,
    symbols: Sequence[str],
    times: Clock,
    interval: clock.Interval,
    until: dt.date | None,
) -> list[int]:
    """Return the keys of rows without bars, for delistings that come after the last row.

    Parameters
    ----------
    frame
        From `relevant_actions`.
    symbols
        Those of one calendar.
    times
        Their rows so far.
    interval
        Length of the bars; a delisting after the last bar of a week or longer has no row.
    until
        Last label of the run, or the instant before which it ends; None is open.

    Returns
    -------
    list of int
        Starts [us since 1970] or labels [days since 1970], ascending.
    """
    is_long = not interval.is_intraday and interval != clock.Interval(1, "d")
    if frame.empty or is_long:
        return []
    is_ours = (frame["action_type"] == "DELISTING") & frame["symbol"].isin(symbols)
    days = frame.loc[is_ours, "ex_date"].to_numpy().astype("datetime64[D]")
    ordinals = np.unique(np.searchsorted(times.labels, days))
    ordinals = ordinals[ordinals < len(times.labels)]
    ordinals = ordinals[times.begins[ordinals] > times.start[-1]]
    if isinstance(until, dt.datetime):
        end = int(until.timestamp() * 1_000_000)
        ordinals = ordinals[times.opens[ordinals] < end]
    elif until is not None:
        ordinals = ordinals[times.labels[ordinals] <= np.datetime64(until, "D")]
    keys = times.opens if interval.is_intraday else times.labels.astype(np.int64)
    return [int(key) for key in keys[ordinals]]


def check_ends(actions: Actions, symbols: Sequence[str], times: Clock, closes: Floats) -> None:
    """Refuse bars of a symbol that was delisted.

    Raises
    ------
    InvalidBarsError
        Naming the symbol and the first such bar.
    """
    for place in np.flatnonzero(actions.ends):
        symbol, row = int(actions.symbol[place]), int(actions.row[place])
        later = np.flatnonzero(~np.isnan(closes[symbol, row:]))
        if len(later):
            raise InvalidBarsError(
                f"bars: {symbols[symbol]!r} has a bar on {times.label[row + later[0]]}, after its "
                f"delisting; the ex_date of a delisting is the first session without trading. Correct "
                f"it, or end the run before that day."
            )


def _place_actions(frame: pd.DataFrame, symbols: Sequence[str], times: Clock) -> dict[str, Any]:
    """Put splits, dividends, then ends, of each ex-date on the first row of that session or the next.

    A bar after hours counts in the session that follows, but still trades in the shares of before.
    """
    kinds = frame["action_type"].to_numpy()
    is_split, is_dividend = kinds == "SPLIT", kinds == "CASH_DIVIDEND"
    is_end = kinds == "DELISTING"
    dates = frame["ex_date"].to_numpy().astype("datetime64[D]")
    ordinal = np.searchsorted(times.labels, dates)
    is_known = ordinal < len(times.labels)
    ordinal = np.minimum(ordinal, len(times.labels) - 1)
    row = np.searchsorted(times.start, times.begins[ordinal]).astype(np.int64)
    inside = (is_split | is_dividend | is_end) & is_known & (row > 0) & (row < len(times))
    kept = np.flatnonzero(inside)
    rank = is_dividend[kept] + 2 * is_end[kept]
    kept = kept[np.lexsort((rank, dates[kept], row[kept]))]
    ratio = frame["ratio"].to_numpy(dtype=np.float64)[kept]
    amount = frame["amount"].to_numpy(dtype=np.float64)[kept]
    return {
        "row": row[kept],
        "at": np.minimum(times.opens[ordinal[kept]], times.start[row[kept]]),
        "symbol": np.array([symbols.index(s) for s in frame["symbol"].to_numpy()[kept]], np.int64),
        "ratio": np.where(is_split[kept], ratio, 1.0),
        "amount": np.where(is_split[kept], 0.0, amount),
        "ends": is_end[kept],
    }
