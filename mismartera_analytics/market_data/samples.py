"""Real daily bars and splits to try things on, from the package bokeh-sampledata."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.errors import MissingDependencyError

__all__ = ["SAMPLE_SYMBOLS", "sample_actions", "sample_bars"]

SAMPLE_SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
_SPLITS = (
    ("AAPL", dt.date(2000, 6, 21), 2.0),
    ("AAPL", dt.date(2005, 2, 28), 2.0),
    ("MSFT", dt.date(2003, 2, 18), 2.0),
)


def sample_bars() -> pd.DataFrame:
    """Return the daily bars of AAPL, GOOG, IBM and MSFT from 2000-03-01 to 2013-03-01, as traded.

    GOOG starts on 2004-08-19. The prices are not adjusted: `sample_actions` has the splits. They are
    the archived Quandl WIKI prices that bokeh-sampledata redistributes.

    Returns
    -------
    pandas.DataFrame
        Columns `symbol`, `date` (the session's label), `open`, `high`, `low`, `close`
        [USD/share], `volume` [shares], sorted by symbol and date: what `ingest_bars` takes.

    Raises
    ------
    MissingDependencyError
        If bokeh-sampledata is not installed.

    Examples
    --------
    >>> sample_bars()["symbol"].unique().tolist()
    ['AAPL', 'GOOG', 'IBM', 'MSFT']
    """
    try:
        from bokeh_sampledata import stocks
    except ImportError:
        raise MissingDependencyError(
            "the sample bars come with the package bokeh-sampledata; install it with "
            "pip install 'mismartera-analytics[samples]'."
        ) from None
    parts = [
        pd.DataFrame(getattr(stocks, symbol)).assign(symbol=symbol) for symbol in SAMPLE_SYMBOLS
    ]
    bars = pd.concat(parts, ignore_index=True)
    bars["date"] = pd.to_datetime(bars["date"], format="%Y-%m-%d").astype("datetime64[us]")
    return bars[["symbol", "date", "open", "high", "low", "close", "volume"]]


def sample_actions() -> pd.DataFrame:
    """Return the splits of the sample's symbols between 2000-03-01 and 2013-03-01.

    Returns
    -------
    pandas.DataFrame
        As `frames.CORPORATE_ACTIONS`; dividends are not among them.

    Examples
    --------
    >>> sample_actions()[["symbol", "ratio"]].to_numpy().tolist()
    [['AAPL', 2.0], ['MSFT', 2.0], ['AAPL', 2.0]]
    """
    splits = pd.DataFrame(_SPLITS, columns=["symbol", "ex_date", "ratio"])
    splits = splits.assign(action_type="SPLIT", amount=float("nan"), new_symbol=None, known_at=None)
    return frames.CORPORATE_ACTIONS.conform(splits)
