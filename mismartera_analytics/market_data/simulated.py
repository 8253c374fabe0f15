"""Minute bars made up within real daily ones, under symbols that say so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError, as_given
from mismartera_analytics.market_data import validation
from mismartera_analytics.market_data.instruments import calendar_of
from mismartera_analytics.market_data.layout import MAX_SYMBOL_LENGTH, VALUES, check_symbols
from mismartera_analytics.market_data.samples import SAMPLE_SYMBOLS, sample_bars

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["SUFFIX", "sample_minutes", "simulate_minutes"]

SUFFIX = ".SIM"
"""What a simulated symbol ends with, wherever its bars go."""
_SOURCE = "simulated between the open, high, low and close of real daily bars"


def simulate_minutes(
    daily: pd.DataFrame, calendar: TradingCalendar | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Return a made-up bar for each minute of the regular hours of given sessions.

    Put together again they are exactly the daily bars: the first open, the last close, the extremes
    and the sum of the volumes. In between prices walk at random in whole cents; volumes are whole
    shares, more at both ends of the session. Nothing else about them is true to any market.

    Parameters
    ----------
    daily
        `symbol`, `session` (the label), `open`, `high`, `low`, `close` [currency/share], `volume`
        [shares].
    calendar
        Gives the minutes of each session, early closes and breaks included; by default that of each
        symbol.
    seed
        Another one makes other minutes. Those of a session depend on nothing but its daily bar, its
        length, the symbol and the seed: they are the same on every machine.

    Returns
    -------
    pandas.DataFrame
        As `frames.BARS`. Symbols end with ``.SIM``, so that nobody takes them for real ones, and
        ``attrs["source"]`` says so too.

    Raises
    ------
    InvalidBarsError
        If a daily bar breaks a rule or its session is none.
    InvalidInputError
        If a symbol is too long for its suffix, or the seed is no whole number.

    Examples
    --------
    >>> daily = ma.bars("AAPL", "1d", "2012-11-23", "2012-11-23")
    >>> minutes = simulate_minutes(daily)
    >>> len(minutes), minutes["symbol"].iloc[0]  # until 13:00
    (210, 'AAPL.SIM')
    >>> again = ma.resample_bars(minutes, "1d")
    >>> bool((again[["open", "high", "low", "close", "volume"]]
    ...       == daily[["open", "high", "low", "close", "volume"]]).all(axis=None))
    True
    """
    if not is_whole(seed):
        raise InvalidInputError(f"seed={as_given(seed)} must be a whole number, such as 0.")
    bars = _checked(daily)
    names = bars["symbol"].unique().tolist()
    found = calendar_of(names) if names and calendar is None else {}
    calendars = {name: found[name] if calendar is None else calendar for name in names}
    parts = [
        _minutes(name, bars[bars["symbol"] == name], calendars[name], int(seed)) for name in names
    ]
    made = pd.concat(parts, ignore_index=True) if parts else frames.BARS.empty()
    made = frames.BARS.conform(made)
    made.attrs = {"source": _SOURCE, "seed": int(seed)}
    return made


def sample_minutes(
    symbols: str | Iterable[str] = SAMPLE_SYMBOLS,
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Return simulated minutes of the symbols and sessions of `samples.sample_bars`.

    Parameters
    ----------
    symbols
        Out of AAPL, GOOG, IBM and MSFT; all by default.
    start, end
        Labels, both included; all by default, which are 390 minutes in each of 3270 sessions a symbol.
    seed
        As in `simulate_minutes`.

    Returns
    -------
    pandas.DataFrame
        As in `simulate_minutes`: `BarStore.write` takes it as it is, under ``AAPL.SIM`` and so on.

    Raises
    ------
    InvalidInputError
        If a symbol or a label is none of the sample's.
    MissingDependencyError
        If bokeh-sampledata is not installed.

    Examples
    --------
    >>> minutes = sample_minutes("AAPL", "2012-11-21", "2012-11-23")
    >>> ma.BarStore().write(minutes, "1m")
    0
    >>> ma.bars("AAPL.SIM", "1m", "2012-11-23")["close"].tolist()[-1]  # that session's real close
    571.5
    """
    names = check_symbols(symbols)
    unknown = [name for name in names if name not in SAMPLE_SYMBOLS]
    if unknown:
        raise InvalidInputError(
            f"symbols={as_given(unknown[0])} is not among the sample's: {', '.join(SAMPLE_SYMBOLS)}."
        )
    daily = sample_bars().rename(columns={"date": "session"})
    daily = daily[daily["symbol"].isin(names)]
    if start is not None:
        daily = daily[daily["session"] >= pd.Timestamp(clock.parse_label(start, argument="start"))]
    if end is not None:
        daily = daily[daily["session"] <= pd.Timestamp(clock.parse_label(end, argument="end"))]
    return simulate_minutes(daily, seed=seed)


def _checked(daily: pd.DataFrame) -> pd.DataFrame:
    """Return the daily bars, each of which keeps the rules and has a symbol with room for a suffix."""
    lacking = [name for name in ("symbol", "session", *VALUES) if name not in daily.columns]
    if lacking:
        raise InvalidBarsError(f"daily bars lack the columns {lacking}.")
    # The time of a daily bar is its session's open, which the calendar is asked for below.
    timed = daily.assign(timestamp=pd.to_datetime(daily["session"]).dt.tz_localize("UTC"))
    checked = validation.check_bars(timed, "1d")
    if len(checked.bad):
        told = validation.told(
            checked.bad.assign(row=checked.bad.index), checked.counts, total=len(daily)
        )
        raise InvalidBarsError(told, bad=checked.bad)
    for name in timed["symbol"].unique():
        if len(name) > MAX_SYMBOL_LENGTH - len(SUFFIX):
            raise InvalidInputError(
                f"symbol {name!r} is too long for {SUFFIX!r} after it: {MAX_SYMBOL_LENGTH} characters "
                f"are a symbol's most."
            )
    return timed.sort_values(["symbol", "session"], ignore_index=True)


def _minutes(
    symbol: str, daily: pd.DataFrame, calendar: TradingCalendar, seed: int
) -> pd.DataFrame:
    from mismartera_analytics.kernels.simulated import simulate_days

    labels = pd.DatetimeIndex(daily["session"])
    calendar.opens(labels)  # refuses a date that is no session
    times = calendar.minutes(labels[0].date(), labels[-1].date())
    of_session = calendar.session_of(times)
    times = times[of_session.isin(labels)]
    starts = np.searchsorted(of_session[of_session.isin(labels)], labels.to_numpy())
    seeds = [_seed(symbol, label, seed) for label in labels.strftime("%Y-%m-%d")]
    values = np.ascontiguousarray(daily[list(VALUES)].to_numpy(dtype=np.float64).T)
    edges = np.append(starts, len(times))
    random = np.array(seeds, dtype=np.uint64)
    for array in (values, edges, random):
        array.flags.writeable = False
    out = np.empty((len(VALUES), len(times)))
    simulate_days(values, edges, random, out)
    keys = {"symbol": symbol + SUFFIX, "timestamp": times, "session": pd.NaT}
    return pd.DataFrame({**keys, **dict(zip(VALUES, out, strict=True))})


def _seed(symbol: str, label: str, seed: int) -> int:
    digest = hashlib.sha256(f"{symbol} {label} {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "little")
