"""Prices and volumes as if splits, and dividends if asked, had always been in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.market_data.layout import PRICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Kind", "adjust_bars", "closes_before", "price_factors"]

Kind = Literal["split", "all"]


def price_factors(
    actions: pd.DataFrame, *, kind: Kind, closes: pd.Series | None = None
) -> pd.Series:
    """Return by how much each action scales the prices before it.

    A split of `ratio` new shares for one scales by ``1 / ratio``. A cash dividend `D` scales by
    ``1 - D / C``, where `C` is the last close before the ex-date, as traded; with a split of the same
    ex-date `D` is per new share and becomes ``D * ratio`` per old one (the convention of CRSP).

    Parameters
    ----------
    actions
        As `frames.CORPORATE_ACTIONS`.
    kind
        ``"split"``: dividends count as 1; ``"all"``: both.
    closes
        Last close before each action [currency/share], aligned with `actions`; NaN where there is no
        earlier bar, so that nothing is left to scale: the factor is 1. Needed for ``"all"``.

    Returns
    -------
    pandas.Series
        float64, aligned with `actions`; 1 for changes of symbol.

    Raises
    ------
    InvalidInputError
        If a dividend is not below the close before it.

    Examples
    --------
    >>> split = pd.DataFrame({"symbol": ["AAPL"], "action_type": ["SPLIT"], "ratio": [7.0],
    ...                       "ex_date": pd.to_datetime(["2014-06-09"]), "amount": [float("nan")]})
    >>> price_factors(split, kind="split").round(6).tolist()
    [0.142857]
    """
    factors = pd.Series(1.0, index=actions.index)
    is_split = actions["action_type"] == "SPLIT"
    factors[is_split] = 1.0 / actions.loc[is_split, "ratio"]
    is_paid = actions["action_type"] == "CASH_DIVIDEND"
    if kind == "split" or not is_paid.any():
        return factors
    if closes is None:
        raise InvalidInputError("kind='all' needs closes, the last close before each action.")
    same_day = actions[is_split].groupby(["symbol", "ex_date"])["ratio"].prod()
    paid: Any = actions.assign(close=closes)[is_paid & closes.notna()]
    for row in paid.itertuples():
        amount = row.amount * same_day.get((row.symbol, row.ex_date), 1.0)
        if not amount < row.close:
            raise InvalidInputError(
                f"the dividend of {row.symbol} on {row.ex_date:%Y-%m-%d}, {amount} a share, is not "
                f"below the close before it, {row.close}; check its amount."
            )
        factors[row.Index] = 1.0 - amount / row.close
    return factors


def adjust_bars(
    frame: pd.DataFrame,
    actions: pd.DataFrame,
    *,
    kind: Kind = "split",
    begins: pd.Series | None = None,
    closes: pd.Series | None = None,
) -> pd.DataFrame:
    """Return bars adjusted for actions: prices for all of `kind`, volumes for splits.

    Parameters
    ----------
    frame
        As `frames.BARS`.
    actions
        As `frames.CORPORATE_ACTIONS`: those that count, that is, known and in force by the moment
        from which one looks back.
    kind
        ``"split"`` or ``"all"``, as in `price_factors`.
    begins
        Instant from which each action is in force, aligned with `actions`: the begin of its ex-date's
        session. Needed for bars without a label in `session`.
    closes
        As in `price_factors`.

    Returns
    -------
    pandas.DataFrame
        A new frame. Bars on and after the last action are unchanged.

    Raises
    ------
    InvalidInputError
        As in `price_factors`.

    Examples
    --------
    >>> bars = pd.DataFrame({"symbol": "AAPL", "session": pd.to_datetime(["2014-06-06", "2014-06-09"]),
    ...     "open": [700.0, 100.0], "high": [707.0, 101.0], "low": [693.0, 99.0],
    ...     "close": [700.0, 100.0], "volume": [1.0, 7.0]})
    >>> split = pd.DataFrame({"symbol": ["AAPL"], "action_type": ["SPLIT"], "ratio": [7.0],
    ...                       "ex_date": pd.to_datetime(["2014-06-09"]), "amount": [float("nan")]})
    >>> adjust_bars(bars, split)[["close", "volume"]].to_numpy().tolist()
    [[100.0, 7.0], [100.0, 7.0]]
    """
    on_price = price_factors(actions, kind=kind, closes=closes)
    on_volume = actions["ratio"].where(actions["action_type"] == "SPLIT", 1.0)
    when, bar_time = _clocks(frame, actions, begins)
    price_scale, volume_scale = np.ones(len(frame)), np.ones(len(frame))
    for symbol, rows in frame.groupby("symbol", sort=False).indices.items():
        own = actions.index[actions["symbol"] == symbol]
        if len(own) == 0:
            continue
        order = own[np.argsort(_microseconds(when[own]), kind="stable")]
        # For each bar the product over the actions that come after it.
        later = np.searchsorted(
            _microseconds(when[order]), _microseconds(bar_time.iloc[rows]), "right"
        )
        price_scale[rows] = _products_from(on_price[order])[later]
        volume_scale[rows] = _products_from(on_volume[order])[later]
    adjusted = frame.assign(**{name: frame[name] * price_scale for name in PRICES})
    return adjusted.assign(volume=frame["volume"] * volume_scale)


def closes_before(
    frame: pd.DataFrame, actions: pd.DataFrame, *, begins: pd.Series | None = None
) -> pd.Series:
    """Return the last close before each action.

    Parameters
    ----------
    frame
        As `frames.BARS`, as traded, sorted.
    actions, begins
        As in `adjust_bars`.

    Returns
    -------
    pandas.Series
        float64, aligned with `actions`; NaN where the frame has no earlier bar of the symbol.
    """
    when, bar_time = _clocks(frame, actions, begins)
    closes = pd.Series(np.nan, index=actions.index)
    for symbol, rows in frame.groupby("symbol", sort=False).indices.items():
        own = actions.index[actions["symbol"] == symbol]
        before = np.searchsorted(_microseconds(bar_time.iloc[rows]), _microseconds(when[own])) - 1
        close = frame["close"].to_numpy()[rows]
        closes[own] = np.where(before >= 0, close[np.maximum(before, 0)], np.nan)
    return closes


def _clocks(
    frame: pd.DataFrame, actions: pd.DataFrame, begins: pd.Series | None
) -> tuple[pd.Series, pd.Series]:
    """Return when the actions begin and where the bars are, on one scale: labels, else instants."""
    if begins is None or frame["session"].notna().any():
        return actions["ex_date"], frame["session"]
    return begins, frame["timestamp"]


def _products_from(factors: pd.Series) -> NDArray[np.float64]:
    """Return the products of the factors from each position to the end, and 1 after the last."""
    reverse = factors.to_numpy()[::-1]
    return np.concatenate([[1.0], np.cumprod(reverse)])[::-1]


def _microseconds(times: pd.Series) -> NDArray[np.int64]:
    naive: Any = times if times.dt.tz is None else times.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(naive.to_numpy()).astype("datetime64[us]").astype(np.int64)
