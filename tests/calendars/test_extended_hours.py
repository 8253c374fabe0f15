"""US pre- and post-market against pandas_market_calendars, from a golden made where it runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mismartera_analytics.calendars.sessions import TradingCalendar

GOLDEN = Path(__file__).parent / "goldens" / "us_hours.csv.gz"

DIFFERENCES = {
    # The peer lets the pre-market begin with a late open; ours begins at 04:00 as on every day.
    "1995-12-18": {"pre_market_open": ("04:00", "10:30")},
    "2001-09-17": {"pre_market_open": ("04:00", "09:33")},
    "2001-10-08": {"pre_market_open": ("04:00", "09:31")},
    "2002-09-11": {"pre_market_open": ("04:00", "12:00")},
    "2003-03-20": {"pre_market_open": ("04:00", "09:32")},
    "2004-06-07": {"pre_market_open": ("04:00", "09:32")},
    "2006-12-27": {"pre_market_open": ("04:00", "09:32")},
    # The peer has no post-market after a close that was not scheduled; ours keeps its four hours.
    "1994-02-11": {"post_market_close": ("18:30", "14:30")},
    "1996-01-08": {
        "pre_market_open": ("04:00", "11:00"),
        "post_market_close": ("18:00", "14:00"),
    },
    "1997-10-27": {"post_market_close": ("19:30", "15:30")},
    "2005-06-01": {"post_market_close": ("19:56", "15:56")},
    # exchange_calendars, which rules here, has an early close; the peer calls it disputed.
    "1999-12-31": {"regular_close": ("13:00", "16:00"), "post_market_close": ("17:00", "20:00")},
}
"""Every difference since 1993: ours, theirs; as listed in ``docs/calendars.md``."""


def test_hours_equal_pandas_market_calendars_but_for_the_list(nyse: TradingCalendar) -> None:
    theirs = pd.read_csv(GOLDEN, dtype="str", index_col="date").loc["1993-01-01":]
    ours = nyse.sessions("1993-01-01", "2027-12-31", tz="America/New_York")[list(theirs.columns)]
    ours = ours.apply(lambda column: column.dt.strftime("%H:%M"))
    ours.index = ours.index.strftime("%Y-%m-%d")
    assert ours.index.equals(theirs.index)
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for column in theirs.columns:
        differs = ours[column] != theirs[column]
        for date in ours.index[differs]:
            pair = ours.loc[date, column], theirs.loc[date, column]
            found.setdefault(date, {})[column] = pair
    assert found == DIFFERENCES
    assert len(theirs) > 8700
