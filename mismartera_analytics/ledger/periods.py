"""Sessions summed up into weeks, months, quarters, years or the whole range, as `frames.PNL`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.ledger.daily import AMOUNTS, Ledger, running_sums
from mismartera_analytics.ledger.events import Ints, days

__all__ = [
    "FREQUENCIES",
    "Frequency",
    "check_frequency",
    "last_labels",
    "period_numbers",
    "pnl_frame",
]

Frequency = Literal["session", "week", "month", "quarter", "year", "total"]
FREQUENCIES = ("session", "week", "month", "quarter", "year", "total")
DEFAULT_CURRENCY = "USD"


def check_frequency(freq: str) -> None:
    """Refuse an unknown frequency.

    Raises
    ------
    InvalidInputError
        Naming those allowed, and the nearest.
    """
    if not is_one_of(freq, FREQUENCIES):
        hint = suggestion(freq, FREQUENCIES) or "."
        raise InvalidInputError(
            f"freq={as_given(freq)} is not one of {', '.join(FREQUENCIES)}{hint}"
        )


def pnl_frame(
    *ledgers: Ledger,
    freq: Frequency = "session",
    start: dt.date | None = None,
    end: dt.date | None = None,
    currencies: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """Return profit and loss by period.

    Parameters
    ----------
    *ledgers
        From `daily_ledger`; their rows are put below one another.
    freq
        ``session, week`` (Monday to Sunday), ``month, quarter, year`` or ``total``. A period is named
        by its last session in the range.
    start, end
        Labels of the first and last session, both included; all by default.
    currencies
        Currency of each account; USD where it is not named.

    Returns
    -------
    pandas.DataFrame
        `frames.PNL`. In every row ``begin_value + flows + total == end_value``. Where a price lacks
        at either end, ``unrealized``, ``total`` and that end's value are NaN; ``price_age`` says how
        old the oldest price of the end value is.

    Raises
    ------
    InvalidInputError
        If the frequency is unknown or `start` comes after `end`.
    """
    check_frequency(freq)
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"start={start} comes after end={end}.")
    table = _stacked(ledgers, freq, start, end, currencies or {})
    return frames.PNL.empty() if table is None else frames.PNL.conform(table)


def _stacked(ledgers: tuple[Ledger, ...], *arguments: Any) -> pd.DataFrame | None:
    """Put the periods of ledgers below one another; the parts are let go before the whole is sorted."""
    tables = [_periods(ledger, *arguments) for ledger in ledgers]
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else None


def period_numbers(labels: Ints, freq: str) -> Ints:
    """Give each label the number of its period [days since 1970-01-01]."""
    months = labels.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    periods = {
        "session": labels,
        "week": (labels + 3) // 7,  # day -3 was a Monday
        "month": months,
        "quarter": months // 3,
        "year": months // 12,
        "total": np.zeros_like(labels),
    }
    return periods[freq]


def _periods(
    ledger: Ledger,
    freq: str,
    start: dt.date | None,
    end: dt.date | None,
    currencies: Mapping[int, str],
) -> pd.DataFrame:
    grid = ledger.grid
    in_range = np.ones(len(grid), np.bool_)
    if start is not None:
        in_range &= grid >= days([start])[0]
    if end is not None:
        in_range &= grid <= days([end])[0]
    owner = ledger.owner
    follows = np.zeros(len(owner), np.bool_)
    follows[1:] = owner[1:] == owner[:-1]
    begin = np.where(follows, np.roll(ledger.value, 1), 0.0)
    begin_gain = np.where(follows, np.roll(ledger.gain, 1), 0.0)
    kept = in_range[ledger.session]
    if not kept.any():
        return pd.DataFrame()
    owner, session = owner[kept], ledger.session[kept]
    period = period_numbers(grid, freq)[session]
    is_first = np.ones(len(owner), np.bool_)
    is_first[1:] = (np.diff(owner) != 0) | (np.diff(period) != 0)
    first = np.flatnonzero(is_first)
    last = np.r_[first[1:], len(owner)] - 1
    sums = dict(zip(AMOUNTS, np.add.reduceat(ledger.amounts[kept], first).T, strict=True))
    gain = ledger.gain[kept]
    income = sums["realized"] + sums["dividends"] - sums["fees"]
    unrealized = gain[last] - begin_gain[kept][first] - sums["brought"]
    columns: dict[str, Any] = {
        "session": last_labels(grid, in_range, freq)[session[last]],
        "begin_value": begin[kept][first],
        "flows": sums["flows"],
        "realized": sums["realized"],
        "unrealized": unrealized,
        "dividends": sums["dividends"],
        "fees": sums["fees"],
        "total": income + unrealized,
        "cumulative": _cumulative(owner[first], income - sums["brought"], gain[last],
                                  begin_gain[kept][first]),
        "end_value": ledger.value[kept][last],
    }  # fmt: skip
    age = ledger.price_age[kept][last]
    columns["price_age"] = pd.arrays.IntegerArray(age, age < 0)
    known = ledger.owners["account_id"].map(dict(currencies)).astype("str")
    owners = ledger.owners.assign(currency=known.fillna(DEFAULT_CURRENCY))
    chosen = owner[first]
    keys = {name: owners[name].array.take(chosen) for name in owners.columns}
    return pd.DataFrame(keys | columns, copy=False)


def _cumulative(owner: Ints, settled: Any, gain: Any, begin_gain: Any) -> Any:
    """Sum what is settled, and add the open gain since the range's start: a gap heals after it."""
    is_start = np.ones(len(owner), np.bool_)
    is_start[1:] = np.diff(owner) != 0
    number = np.cumsum(is_start) - 1
    return running_sums(owner, settled) + gain - begin_gain[is_start][number]


def last_labels(grid: Ints, in_range: Any, freq: str) -> Any:
    """Return, for each row of the grid, the label of its period's last session in the range."""
    rows = np.flatnonzero(in_range)
    period = period_numbers(grid, freq)[rows]
    is_last = np.ones(len(rows), np.bool_)
    is_last[:-1] = np.diff(period) != 0
    number: Ints = np.cumsum(is_last) - is_last
    labels = np.zeros(len(grid), np.int64)
    labels[rows] = grid[rows[is_last]][number]
    return labels.astype("datetime64[D]").astype("datetime64[us]")
