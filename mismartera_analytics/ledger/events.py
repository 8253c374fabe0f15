"""Fills, corporate actions and transfers as one stream of events, sorted for the lot kernel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidInputError,
    InvalidOrderError,
    as_given,
    suggestion,
)

__all__ = ["METHODS", "Events", "check_method", "prepare_events", "split_growth", "transfers_of"]

METHODS = ("fifo", "lifo", "hifo", "average", "specific")
"""How lots are chosen when a position is reduced; the number in the kernel is the place here."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIEU_TYPE = "CASH_IN_LIEU"
"""Type of the flow that pays out a fraction of a share: a sale at ``amount / quantity``."""

_NEEDED = ("symbol", "side", "quantity", "price", "filled_at")
_ACTION_TYPES = ("SPLIT", "CASH_DIVIDEND", "SYMBOL_CHANGE", "DELISTING")


@dataclass(frozen=True)
class Events:
    """Events of many positions, sorted by position, session and time.

    Attributes
    ----------
    groups
        One row a position: ``account_id, user, symbol`` and ``multiplier`` (units of the currency a
        price point of one share, or contract, is worth); its index is the number in `group`.
    group, kind, quantity, price, fee
        (n,) as `kernels.lots.match` reads them; prices times the multiplier.
    session
        (n,) label of the event's session [days since 1970-01-01].
    moment
        (n,) instant of the event [µs since 1970, UTC]; of actions, midnight of the label; of lots that
        came in, the day on which they were acquired, where that is known.
    source
        (n,) row of the table that the event came from: of the fills, the actions or the transfers
        (TRANSFER and LIEU), as `kind` tells.
    """

    groups: pd.DataFrame
    group: Ints
    kind: Ints
    quantity: Floats
    price: Floats
    fee: Floats
    session: Ints
    moment: Ints
    source: Ints

    def __len__(self) -> int:
        return len(self.group)

    def rows(self, chosen: Ints) -> Events:
        """Return some of the events, in order, with all groups."""
        names = [name for name in self.__dataclass_fields__ if name != "groups"]
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def check_method(method: str) -> int:
    """Return the kernel's number of a lot method.

    Raises
    ------
    InvalidInputError
        If the method is unknown; the nearest is suggested.

    Examples
    --------
    >>> check_method("lifo")
    1
    """
    if not is_one_of(method, METHODS):
        hint = suggestion(method, METHODS) or "."
        raise InvalidInputError(
            f"method={as_given(method)} is not one of {', '.join(METHODS)}{hint}"
        )
    return METHODS.index(method)


def prepare_events(
    fills: pd.DataFrame,
    actions: pd.DataFrame | None = None,
    transfers: pd.DataFrame | None = None,
    *,
    timezone: str = "America/New_York",
) -> Events:
    """Sort fills, corporate actions and transfers of lots into one stream.

    Parameters
    ----------
    fills
        Columns ``symbol, side, quantity, price, filled_at`` and, where known, ``account_id``,
        ``user``, ``commission`` (missing counts as none), ``multiplier`` (1 by default, one for each
        symbol) and ``session`` (the label in which a fill counts; without it the local date in
        `timezone`).
    actions
        Columns ``symbol, action_type, ex_date, ratio, amount`` and perhaps ``new_symbol``.
    transfers
        Columns of fills, `side` BUY for lots that come in, `price` their cost per share. Rows whose
        ``flow_type`` is `LIEU_TYPE` are sales.
    timezone
        Zone whose midnight parts the days where fills have no ``session``.

    Returns
    -------
    Events

    Raises
    ------
    InvalidOrderError
        If a fill has no positive finite quantity, no price, no time, or an unknown side.
    InvalidInputError
        If a column is missing.
    """
    from mismartera_analytics.kernels.lots import FILL, LIEU, TRANSFER

    renamed = later_names(actions)
    table = _checked(fills, timezone, renamed, kind=FILL)
    if transfers is not None and len(transfers):
        moved = _checked(transfers, timezone, renamed, kind=TRANSFER)
        if "flow_type" in transfers.columns:
            moved.loc[(transfers["flow_type"] == LIEU_TYPE).to_numpy(), "kind"] = LIEU
        table = pd.concat([table, moved], ignore_index=True) if len(table) else moved
    keys = table[["account_id", "user", "symbol"]]
    group, first = _numbered(keys)
    groups = table.iloc[first][[*keys.columns, "multiplier"]].reset_index(drop=True)
    table = {name: table[name].to_numpy() for name in table.columns if name not in groups}
    table["group"] = group
    more = _expand(actions, groups, table, renamed)
    if len(more["group"]):
        table = {name: np.concatenate([more[name], table[name]]) for name in more}
    order = _in_order(table)
    return Events(groups=groups, **{name: table.pop(name)[order] for name in more})


def _in_order(table: dict[str, Any]) -> Any:
    """Return the order by group, session, kind and time, quickly where the times are sorted already."""
    by_time = np.lexsort((table["moment"], table["kind"], table["session"]))
    group = table["group"][by_time]
    few = not len(group) or group.max() < np.iinfo(np.int16).max
    return by_time[np.argsort(group.astype(np.int16) if few else group, kind="stable")]


def split_growth(events: Events) -> Floats:
    """Return by what splits after an event multiply a share of its group."""
    from mismartera_analytics.kernels.lots import SPLIT

    ratio = np.where(events.kind == SPLIT, events.quantity, 1.0)
    frame = pd.DataFrame({"group": events.group, "ratio": ratio})[::-1]
    grown = frame.groupby("group")["ratio"].cumprod()[::-1].to_numpy()
    growth: Floats = grown / ratio
    return growth


def transfers_of(flows: pd.DataFrame) -> pd.DataFrame:
    """Return what flows do to lots: transfers, and fractions of a share that were paid out in cash.

    Parameters
    ----------
    flows
        Columns ``flow_type, symbol, session, amount`` and perhaps ``account_id, user, occurred_at,
        acquired_on`` and ``quantity``, without which there are none.

    Returns
    -------
    pandas.DataFrame
        Their rows, with the index of `flows` and the columns that `prepare_events` reads. The time of
        lots that came in is noon UTC of the day on which they were acquired, where that is known: they
        are as old as that.
    """
    quantity = flows["quantity"] if "quantity" in flows else pd.Series(np.nan, index=flows.index)
    is_lot = flows["flow_type"].isin(["TRANSFER", LIEU_TYPE])
    is_lot &= flows["symbol"].notna() & quantity.notna() & (quantity != 0)
    moved = flows.loc[is_lot].assign(quantity=quantity[is_lot].astype("float64").abs())
    comes_in = quantity[is_lot] > 0
    moved["side"] = np.where(comes_in, "BUY", "SELL")
    moved["price"] = moved["amount"].abs() / moved["quantity"]
    midnights = pd.DatetimeIndex(moved["session"]).as_unit("us").tz_localize("UTC")
    times = pd.Series(moved.get("occurred_at", midnights), index=moved.index)
    if "acquired_on" in moved.columns and comes_in.any():
        noon = pd.to_datetime(moved["acquired_on"]).dt.as_unit("us") + pd.Timedelta(hours=12)
        times = times.mask(comes_in & noon.notna(), noon.dt.tz_localize("UTC"))
    moved["filled_at"] = times
    return moved


def _numbered(keys: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return the position that each row belongs to, and the first row of each position."""
    codes, space = np.zeros(len(keys), np.int64), 1
    for name in keys.columns:
        values, uniques = pd.factorize(keys[name], use_na_sentinel=False)
        rank = np.empty(len(uniques), np.int64)
        rank[pd.Series(uniques).argsort() if len(uniques) else []] = np.arange(len(uniques))
        codes = codes * max(len(uniques), 1) + rank[values]
        space *= max(len(uniques), 1)
    if space > 4 * len(keys) + 1_000_000:
        _, first, group = np.unique(codes, return_index=True, return_inverse=True)
        return group.astype(np.int64), first
    rows = np.full(space, -1)
    rows[codes[::-1]] = np.arange(len(codes))[::-1]  # the first of equal ones is written last
    taken = rows >= 0
    return (np.cumsum(taken) - 1)[codes], rows[taken]


def _checked(
    fills: pd.DataFrame, timezone: str, renamed: list[tuple[str, int, str]], *, kind: int
) -> Any:
    missing = [name for name in _NEEDED if name not in fills.columns]
    if missing:
        raise InvalidInputError(f"the frame of fills lacks the columns {missing}.")
    count = len(fills)
    number, sides = pd.factorize(fills["side"], use_na_sentinel=False)
    signs = [{"BUY": 1.0, "SELL": -1.0}.get(side, np.nan) for side in sides]
    sign = np.array(signs, np.float64)[number]
    quantity = fills["quantity"].to_numpy(np.float64, na_value=np.nan)
    price = fills["price"].to_numpy(np.float64, na_value=np.nan)
    times = fills["filled_at"]
    if count and not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise InvalidInputError("the fills' filled_at holds no aware datetimes.")
    _refuse(~(np.isfinite(quantity) & (quantity > 0)), fills, "a quantity that is not positive")
    _refuse(~np.isfinite(price), fills, "no price")
    _refuse(np.isnan(sign), fills, "a side that is neither BUY nor SELL")
    _refuse(times.isna().to_numpy(), fills, "no time")
    fee = np.zeros(count)
    if "commission" in fills.columns:
        fee = fills["commission"].to_numpy(np.float64, na_value=np.nan)
        fee = np.where(np.isnan(fee), 0.0, fee)
        _refuse(np.isinf(fee), fills, "a commission that is infinite")
    multiplier = np.ones(count)
    if "multiplier" in fills.columns:
        multiplier = fills["multiplier"].to_numpy(np.float64, na_value=np.nan)
        _refuse(~(multiplier > 0), fills, "a multiplier that is not positive")
    moment = (
        times.astype("datetime64[us, UTC]").astype("int64").to_numpy() if count else np.zeros(0)
    )
    session = _labels(fills, timezone)
    symbol = in_later_names(fills["symbol"].astype("str"), session, renamed)
    return pd.DataFrame(
        {
            "account_id": _column(fills, "account_id", "Int64"),
            "user": _column(fills, "user", "str"),
            "symbol": symbol.reset_index(drop=True),
            "session": session,
            "moment": np.asarray(moment, np.int64),
            "kind": np.full(count, kind, np.int64),
            "quantity": sign * quantity,
            "price": price * multiplier,
            "fee": fee,
            "multiplier": multiplier,
            "source": np.arange(count),
        }
    )


def _refuse(bad: NDArray[np.bool_], fills: pd.DataFrame, what: str) -> None:
    if bad.any():
        rows = np.flatnonzero(bad)
        shown = ", ".join(str(fills.index[row]) for row in rows[:5])
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise InvalidOrderError(f"fills with {what}: rows {shown}{more}.")


def _column(fills: pd.DataFrame, name: str, dtype: str) -> Any:
    values: Any = fills[name] if name in fills.columns else pd.Series([None] * len(fills))
    return values.astype(dtype).reset_index(drop=True)


def _labels(fills: pd.DataFrame, timezone: str) -> Ints:
    if "session" in fills.columns:
        return days(fills["session"])
    if not len(fills):
        return np.zeros(0, np.int64)
    return days(fills["filled_at"].dt.tz_convert(timezone).dt.tz_localize(None))


def days(labels: Any) -> Ints:
    """Return dates as days since 1970-01-01."""
    return np.asarray(labels, "datetime64[us]").astype("datetime64[D]").astype(np.int64)


def in_later_names(
    symbols: pd.Series, sessions: Ints, renamed: list[tuple[str, int, str]]
) -> pd.Series:
    """Replace the symbols of before a change by those of after it.

    Parameters
    ----------
    symbols
        ``str``, may hold missing values.
    sessions
        (n,) labels [days since 1970-01-01].
    renamed
        From `later_names`.
    """
    for ex_date, changes in itertools.groupby(renamed, key=lambda change: change[1]):
        # All changes of a day happen at once: two companies may swap their symbols.
        mapped = symbols.map({old: new for old, _, new in changes})
        symbols = symbols.mask((sessions < ex_date) & mapped.notna(), mapped).astype("str")
    return symbols


def later_names(actions: pd.DataFrame | None) -> list[tuple[str, int, str]]:
    """Return (old symbol, ex-date, new symbol), by date."""
    if actions is None or "new_symbol" not in actions.columns:
        return []
    changes = actions.loc[actions["action_type"] == "SYMBOL_CHANGE"].sort_values("ex_date")
    return list(
        zip(
            changes["symbol"], days(changes["ex_date"]).tolist(), changes["new_symbol"], strict=True
        )
    )


def _expand(
    actions: pd.DataFrame | None,
    groups: pd.DataFrame,
    table: dict[str, Any],
    renamed: list[tuple[str, int, str]],
) -> dict[str, Any]:
    """Give every position the actions of its symbol from its first session on."""
    from mismartera_analytics.kernels.lots import DIVIDEND, SPLIT

    columns = ("group", "session", "moment", "kind", "quantity", "price", "fee", "source")
    if actions is None or not len(actions) or not len(groups):
        return {n: np.zeros(0, table[n].dtype) for n in columns}
    unknown = sorted(set(actions["action_type"].astype("str")) - set(_ACTION_TYPES))
    if unknown:
        raise InvalidInputError(
            f"action_type holds {unknown}; allowed are {', '.join(_ACTION_TYPES)}."
        )
    is_kept = actions["action_type"].isin(["SPLIT", "CASH_DIVIDEND"]).to_numpy()
    kept = actions.loc[is_kept]
    is_split = (kept["action_type"] == "SPLIT").to_numpy()
    ratio = kept["ratio"].to_numpy(np.float64, na_value=np.nan)
    amount = kept["amount"].to_numpy(np.float64, na_value=np.nan)
    if not np.all(np.where(is_split, np.isfinite(ratio) & (ratio > 0), np.isfinite(amount))):
        raise InvalidInputError("actions hold a split without a positive ratio or a dividend "
                                "without an amount.")  # fmt: skip
    ex_date = days(kept["ex_date"])
    symbol = kept["symbol"].astype("str").reset_index(drop=True)
    symbol = in_later_names(symbol, ex_date, renamed)
    events = pd.DataFrame(
        {
            "symbol": symbol,
            "session": ex_date,
            "moment": ex_date * 86_400_000_000,
            "kind": np.where(is_split, SPLIT, DIVIDEND),
            "quantity": np.where(is_split, ratio, 0.0),
            "price": np.where(is_split, 0.0, amount),
            "fee": 0.0,
            "source": np.flatnonzero(is_kept),
        }
    )
    first = pd.Series(table["session"]).groupby(table["group"]).min()
    held = pd.DataFrame({"symbol": groups["symbol"], "group": groups.index, "first": first})
    merged = events.merge(held, on="symbol")
    merged = merged.loc[merged["session"] > merged["first"]]
    return {name: merged[name].to_numpy(table[name].dtype) for name in columns}
