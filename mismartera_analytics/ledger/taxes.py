"""Realised gains as a tax return asks for them: by year, long and short term, and wash sales.

The rules are those of the United States (Internal Revenue Service, Publication 550): what was held for
more than one year is long term, the gain on a short sale is short term, and a loss is disallowed as far
as the same shares were bought within 30 days before or after the sale. It helps to see what a method or
a sale would mean; it is not tax advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.ledger.events import Events, Floats, Ints, split_growth
from mismartera_analytics.ledger.lots import Matched

__all__ = ["WASH_WINDOW", "Realized", "method_sums", "realized_of", "wash_frame"]

WASH_WINDOW = 30
"""Days before and after a sale at a loss in which a purchase makes it a wash sale."""

DAY = 86_400_000_000  # [µs]


@dataclass(frozen=True)
class Realized:
    """Closed pieces of lots, in the order in which they were closed, and their wash sales.

    Attributes
    ----------
    opened, closed
        (p,) labels of the days [days since 1970-01-01]; of transferred lots when they were acquired.
    quantity
        (p,) shares at the exit, negative when short.
    gain
        (p,) after fees [currency].
    adjusted
        (p,) less the disallowed losses that became part of the lot's cost [currency].
    is_long_term
        (p,)
    group
        (p,) row of the events' groups.
    washes
        One row a matched loss: ``piece``, ``bought_on`` [days], ``bought_group``, ``quantity`` [shares
        at the exit] and ``disallowed`` [currency].
    """

    opened: Ints
    closed: Ints
    quantity: Floats
    gain: Floats
    adjusted: Floats
    is_long_term: NDArray[np.bool_]
    group: Ints
    washes: pd.DataFrame


def realized_of(events: Events, matched: Matched) -> Realized:
    """Return what was realised, piece by piece, with the wash sales among it.

    Parameters
    ----------
    events
        From `prepare_events`; the accounts of one user count as one.
    matched
        From `match_events`.

    Returns
    -------
    Realized
    """
    from mismartera_analytics.kernels.lots import TRANSFER

    first, last = matched.pairs.T
    signed, entry, out, entry_fee, exit_fee = matched.pieces.T
    is_moved = events.kind == TRANSFER
    opened_day = np.where(is_moved, events.moment // DAY, events.session)
    holder = _holders(events.groups)
    order = np.lexsort(
        (first, last, events.moment[last], events.session[last], holder[events.group[last]])
    )
    first, last = first[order], last[order]
    gain = (signed * (out - entry) - entry_fee - exit_fee)[order]
    signed = signed[order]
    opened, closed = opened_day[first], events.session[last]
    washes, adjusted = _washes(events, matched, holder, first, last, signed, gain)
    is_long = (signed > 0) & (closed > _anniversary(opened))
    return Realized(opened, closed, signed, gain, adjusted, is_long, events.group[last], washes)


def _holders(groups: pd.DataFrame) -> Ints:
    """Give every position the number of what it belongs to: a symbol in all accounts of a user."""
    owner = groups["user"].where(groups["user"].notna(), groups["account_id"].astype("str"))
    pairs = pd.DataFrame({"owner": owner, "symbol": groups["symbol"]})
    numbers: Any = pairs.groupby(["owner", "symbol"], dropna=False).ngroup().to_numpy(np.int64)
    return numbers  # type: ignore[no-any-return]


def _anniversary(opened: Ints) -> Ints:
    """Return the same date a year later, of a leap day the 28th; a sale after it is long term."""
    dates = opened.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    later = (month + 12).astype("datetime64[D]").astype(np.int64)
    longest = (month + 13).astype("datetime64[D]").astype(np.int64) - later - 1
    day = (dates - month).astype(np.int64)
    anniversary: Ints = later + np.minimum(day, longest)
    return anniversary


def _washes(
    events: Events,
    matched: Matched,
    holder: Ints,
    first: Ints,
    last: Ints,
    signed: Floats,
    gain: Floats,
) -> tuple[pd.DataFrame, Floats]:
    """Match losses with purchases, in shares of today so that splits in between do not matter."""
    from mismartera_analytics.kernels.lots import FILL
    from mismartera_analytics.kernels.washes import match_washes

    growth = split_growth(events)
    size = np.zeros(len(events))  # what each event opened [shares of today]
    opened, closed = matched.pairs.T
    np.add.at(size, opened, np.abs(matched.pieces[:, 0]) * growth[closed])
    np.add.at(size, matched.lots, np.abs(matched.open_lots[:, 0]))
    buys = np.flatnonzero((events.kind == FILL) & (events.quantity > 0) & (size > 0))
    buys = buys[np.lexsort((buys, events.moment[buys], events.session[buys],
                            holder[events.group[buys]]))]  # fmt: skip
    place = np.full(len(events), -1)
    place[buys] = np.arange(len(buys))
    pairs, amounts, adjusted = match_washes(
        holder[events.group[buys]], events.session[buys], size[buys],
        holder[events.group[last]], events.session[last], last,
        np.where(signed > 0, place[first], -1), np.abs(signed) * growth[last], gain, WASH_WINDOW,
    )  # fmt: skip
    piece, bought = pairs.T
    washes = pd.DataFrame(
        {
            "piece": piece,
            "bought_on": events.session[buys][bought],
            "bought_group": events.group[buys][bought],
            "quantity": amounts[:, 0] / growth[last[piece]],
            "disallowed": amounts[:, 1],
        }
    )
    return washes, adjusted


def wash_frame(
    realized: Realized, groups: pd.DataFrame, *, year: int | None = None
) -> pd.DataFrame:
    """Return wash sales with the columns of `frames.WASH_SALES` but for the currency.

    Parameters
    ----------
    realized
        From `realized_of`.
    groups
        Of the events.
    year
        In which they were sold; all by default.
    """
    washes = realized.washes
    if year is not None:
        washes = washes.loc[_years(realized.closed)[washes["piece"].to_numpy()] == year]
    piece = washes["piece"].to_numpy(np.int64)
    keys = groups.iloc[realized.group[piece]].reset_index(drop=True)
    into = groups["account_id"].iloc[washes["bought_group"].to_numpy(np.int64)].array
    table = {
        "account_id": keys["account_id"],
        "user": keys["user"],
        "symbol": keys["symbol"],
        "sold_on": _labels(realized.closed[piece]),
        "acquired_on": _labels(realized.opened[piece]),
        "quantity": washes["quantity"].to_numpy(),
        "bought_on": _labels(washes["bought_on"].to_numpy(np.int64)),
        "bought_in": into,
        "disallowed": washes["disallowed"].to_numpy(),
    }
    return pd.DataFrame(table)


def method_sums(realized: Realized, groups: pd.DataFrame, *, year: int) -> pd.DataFrame:
    """Return what each account realised in a year, as the columns of `frames.LOT_METHODS`.

    Parameters
    ----------
    realized
        From `realized_of`.
    groups
        Of the events.
    year
        In which the pieces were closed.

    Returns
    -------
    pandas.DataFrame
        One row an account: ``account_id, user, short_term, long_term, realized, disallowed, taxable``
        [currency]. Losses that were added to a lot's cost count when that lot is sold.
    """
    disallowed = np.bincount(
        realized.washes["piece"], realized.washes["disallowed"], len(realized.gain)
    )  # fmt: skip
    inside = _years(realized.closed) == year
    group = realized.group[inside]
    gain, adjusted = realized.gain[inside], realized.adjusted[inside]
    table = pd.DataFrame(
        {
            "account_id": groups["account_id"].iloc[group].array,
            "user": groups["user"].iloc[group].array,
            "short_term": np.where(realized.is_long_term[inside], 0.0, gain),
            "long_term": np.where(realized.is_long_term[inside], gain, 0.0),
            "realized": gain,
            "disallowed": disallowed[inside],
            "taxable": adjusted + disallowed[inside],
        }
    )
    return table.groupby(["account_id", "user"], dropna=False).sum().reset_index()


def _years(day: Ints) -> Any:
    return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _labels(day: Ints) -> Any:
    return day.astype("datetime64[D]").astype("datetime64[us]")
