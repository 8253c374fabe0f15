"""Which symbol contributed what to an account's return, linked over time so that the parts add up.

On one stretch a part contributes its profit over the capital of the whole. Over many the plain sums
miss the compounding; a linking method scales each stretch so that the contributions add up to the
linked return.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.ledger.daily import AMOUNTS, Ledger
from mismartera_analytics.ledger.events import Floats, Ints
from mismartera_analytics.ledger.periods import (
    Frequency,
    check_frequency,
    last_labels,
    period_numbers,
)
from mismartera_analytics.ledger.returns import (
    FlowTiming,
    check_timing,
    rows_in,
    spans_of,
    with_currency,
)

__all__ = ["Linking", "check_linking", "contributions_frame"]

Linking = Literal["carino", "compounded"]


def check_linking(linking: str) -> None:
    """Refuse an unknown way of linking.

    Raises
    ------
    InvalidInputError
        Naming those allowed, and the nearest.
    """
    if not is_one_of(linking, get_args(Linking)):
        hint = suggestion(linking, get_args(Linking)) or "."
        allowed = ", ".join(get_args(Linking))
        raise InvalidInputError(f"linking={as_given(linking)} is not one of {allowed}{hint}")


def contributions_frame(
    accounts: Ledger,
    *parts: Ledger,
    freq: Frequency = "total",
    start: dt.date | None = None,
    end: dt.date | None = None,
    timing: FlowTiming = "split",
    linking: Linking = "carino",
    currencies: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    r"""Return what each symbol, and the cash, contributed to the return of every account.

    Parameters
    ----------
    accounts
        The whole: a ledger of accounts, or from `combined`.
    *parts
        Ledgers of symbols and cash that add up to it.
    freq, start, end, currencies
        As in `pnl_frame`.
    timing
        As in `returns_frame`.
    linking
        ``carino`` scales each stretch by :math:`k_t / K` with :math:`k_t = \ln(1 + r_t) / r_t` and K
        the same of the whole period, so that no stretch is favoured. ``compounded`` lets the capital
        before each stretch grow: :math:`\prod_{s < t} (1 + r_s)`; it is defined after a total loss too.

    Returns
    -------
    pandas.DataFrame
        `frames.CONTRIBUTIONS`; in every period the contributions of an account add up to its
        ``net_return``. NaN where that is not defined and, with ``carino``, where all was lost.

    Raises
    ------
    InvalidInputError
        If an argument is unknown or `start` comes after `end`.

    References
    ----------
    D. Cariño, "Combining attribution effects over time", Journal of Performance Measurement 3(4), 1999.
    """
    check_frequency(freq)
    check_timing(timing)
    check_linking(linking)
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"start={start} comes after end={end}.")
    grid = accounts.grid
    inside = rows_in(grid, start, end)
    spans = spans_of(accounts, timing=timing)
    kept = inside[spans.session]
    if not kept.any():
        return frames.CONTRIBUTIONS.empty()
    period = period_numbers(grid, freq)[spans.session]
    number = np.where(kept, np.cumsum(kept & _begins(spans.owner, period, kept)) - 1, -1)
    net, whole = spans.net, np.full(int(number.max()) + 1, 1.0)
    np.multiply.at(whole, number[kept], 1.0 + net[kept])
    weight = _weights(net, number, whole - 1.0, linking)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight / spans.capital
    tables = [_part(accounts, part, spans.owner, spans.session, number, share) for part in parts]
    table = pd.concat(tables, ignore_index=True)
    if accounts.owners["account_id"].isna().all():
        table = _across_accounts(table, accounts.owners["user"].iloc[0])
    labels = last_labels(grid, inside, freq)[spans.session]
    at = pd.Series(labels[kept]).groupby(number[kept]).last()
    table["session"] = table["number"].map(at)
    table["net_return"] = (whole - 1.0)[table["number"].to_numpy(np.int64)]
    return frames.CONTRIBUTIONS.conform(with_currency(table, currencies or {}))


def _across_accounts(table: pd.DataFrame, user: Any) -> pd.DataFrame:
    """Add up the same symbol in several accounts."""
    names = ["symbol", "number"]
    sums = table.groupby(names, dropna=False)[["total", "contribution"]].sum(min_count=1)
    missing = pd.array([pd.NA] * len(sums), "Int64")
    return sums.reset_index().assign(account_id=missing, user=user).astype({"user": "str"})


def _begins(owner: Ints, period: Ints, kept: Any) -> Any:
    """Tell which stretches begin a period of an owner; periods are counted among those kept."""
    changes = (np.diff(owner) != 0) | (np.diff(period) != 0) | (np.diff(kept.astype(int)) != 0)
    return np.r_[True, changes]


def _weights(net: Floats, number: Ints, whole: Floats, linking: str) -> Floats:
    """Return by what the contributions of each stretch are multiplied."""
    counts = np.bincount(number[number >= 0], minlength=len(whole))
    alone = (number >= 0) & (counts[number] == 1)
    weight: Any
    if linking == "carino":
        weight = _carino(net) / _carino(whole)[number]
    else:
        growth = pd.Series(1.0 + net)
        grown = growth.groupby(number).cumprod().groupby(number).shift(fill_value=1.0)
        weight = grown.to_numpy(np.float64)
    return np.where(alone, 1.0, weight)


def _carino(rates: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(rates) < 1e-9, 1.0 - rates / 2.0, np.log1p(rates) / rates)


def _part(
    accounts: Ledger, part: Ledger, owner: Ints, session: Ints, number: Ints, share: Floats
) -> pd.DataFrame:
    """Sum the profits of a part's rows, and its contributions, by part and period of the whole."""
    size = len(accounts.grid)
    mine = _wholes(accounts, part)[part.owner]
    place = np.searchsorted(owner * size + session, mine * size + part.session)
    fits = place < len(owner)
    place = np.where(fits, place, 0)
    fits &= (owner[place] == mine) & (number[place] >= 0)
    profits = _profits(part)
    with np.errstate(invalid="ignore"):
        contribution = np.where(profits == 0.0, 0.0, profits * share[place])
    table = pd.DataFrame(
        {
            "part": part.owner[fits],
            "number": number[place[fits]],
            "total": profits[fits],
            "contribution": contribution[fits],
        }
    )
    sums = table.groupby(["part", "number"]).sum(min_count=1).reset_index()
    keys = part.owners.iloc[sums["part"].to_numpy()].reset_index(drop=True)
    return pd.concat([keys, sums], axis=1)


def _wholes(accounts: Ledger, part: Ledger) -> Ints:
    """Return the owner in `accounts` that each owner of a part belongs to."""
    if len(accounts.owners) == 1:
        return np.zeros(len(part.owners), np.int64)
    names = ["account_id", "user"]
    stacked = pd.concat([accounts.owners[names], part.owners[names]], ignore_index=True)
    number = stacked.groupby(names, dropna=False).ngroup().to_numpy()
    row = np.empty(number.max() + 1, np.int64)
    row[number[: len(accounts.owners)]] = np.arange(len(accounts.owners))
    return row[number[len(accounts.owners) :]]


def _profits(part: Ledger) -> Floats:
    """Return each row's profit; that of a stretch without a price counts on the row with one again."""
    columns = dict(zip(AMOUNTS, part.amounts.T, strict=True))
    settled = columns["realized"] + columns["dividends"] - columns["fees"] - columns["brought"]
    gain = pd.Series(part.gain).groupby(part.owner).ffill().fillna(0.0).to_numpy()
    follows = np.r_[False, part.owner[1:] == part.owner[:-1]]
    former = np.where(follows, np.r_[0.0, gain[:-1]], 0.0)
    profits: Floats = settled + gain - former
    return profits
