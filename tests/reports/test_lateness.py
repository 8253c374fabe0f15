"""How far an account's prices lie behind its markets, each by its own calendar."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.reports.lateness import late_bars

NOON = dt.datetime(2025, 7, 8, 12, tzinfo=dt.UTC)


@pytest.mark.usefixtures("ready_database")
def test_each_market_counts_its_own_sessions() -> None:
    record_instruments(pd.DataFrame({"symbol": ["7203"], "exchange_group": ["XTKS"]}))
    told = late_bars(["IBM", "7203", "AAPL"], "2025-07-03", now=NOON)
    # New York was closed on Friday the 4th and has not opened on the 8th; Tokyo has closed on it.
    assert sorted(told) == [
        "no bars since 2025-07-03, and 1 session has ended since: AAPL, IBM",
        "no bars since 2025-07-03, and 3 sessions have ended since: 7203",
    ]


@pytest.mark.usefixtures("ready_database")
def test_many_symbols_are_shortened_and_nothing_held_says_nothing() -> None:
    names = [f"S{n}" for n in range(8)]
    assert late_bars(names, "2025-07-03", now=NOON)[0].endswith("S0, S1, S2, S3, S4 and 3 more")
    assert late_bars([], "2025-07-03", now=NOON) == ()
    assert late_bars(["IBM"], None, now=NOON) == ()
    assert late_bars(["IBM"], "2999-01-01", now=NOON) == ()
