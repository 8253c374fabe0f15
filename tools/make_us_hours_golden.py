"""Write the US stock exchanges' hours as pandas_market_calendars tells them, for the tests.

Run by ``make calendars-goldens`` under ``tools/calendar-peers-requirements.txt``: local times of New
York, one row a session since 1990, extended hours included.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import warnings
from pathlib import Path

import pandas_market_calendars as mcal

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "calendars" / "goldens"


def main() -> None:
    """Write the file; the same hours give the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--last-year", type=int, default=dt.datetime.now(dt.UTC).year + 1)
    last = f"{parser.parse_args().last_year}-12-31"
    warnings.simplefilter("ignore")
    schedule = mcal.get_calendar("NYSE").schedule("1990-01-01", last, start="pre", end="post")
    lines = ["date,pre_market_open,regular_open,regular_close,post_market_close"]
    for row in schedule.apply(lambda column: column.dt.tz_convert("America/New_York")).itertuples():
        times = (row.pre, row.market_open, row.market_close, row.post)
        lines.append(",".join([str(row.Index.date()), *(f"{time:%H:%M}" for time in times)]))
    path = GOLDEN / "us_hours.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", 9, mtime=0))
    print(f"{path.name}: {len(lines) - 1} sessions, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
