"""Compare the packaged sessions with pandas_market_calendars and QuantLib, in their own environment.

Run by ``make calendars-check`` under ``tools/calendar-peers-requirements.txt``. It prints, for every
calendar, on how many days since 1990 each peer disagrees about whether there was a session, lists the
disagreements of the last years, and compares the hours of the US stock exchanges, extended hours
included. What was decided about them stands in ``corrections.csv`` and in ``docs/calendars.md``.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pandas_market_calendars as mcal
import QuantLib as ql  # noqa: N813 - as its own documentation writes it

DATA = Path(__file__).resolve().parent.parent / "mismartera_analytics" / "calendars" / "data"
DAY = dt.timedelta(days=1)

QUANTLIB: dict[str, Callable[[], ql.Calendar]] = {
    "US_EQUITY": lambda: ql.UnitedStates(ql.UnitedStates.NYSE),
    "XASX": lambda: ql.Australia(ql.Australia.ASX),
    "BVMF": lambda: ql.Brazil(ql.Brazil.Exchange),
    "XTSE": lambda: ql.Canada(ql.Canada.TSX),
    "XSGO": ql.Chile,
    "XSHG": lambda: ql.China(ql.China.SSE),
    "XPRA": ql.CzechRepublic,
    "XCSE": ql.Denmark,
    "XHEL": ql.Finland,
    "XPAR": lambda: ql.France(ql.France.Exchange),
    "XFRA": lambda: ql.Germany(ql.Germany.FrankfurtStockExchange),
    "XETR": lambda: ql.Germany(ql.Germany.Xetra),
    "XEUR": lambda: ql.Germany(ql.Germany.Eurex),
    "XHKG": ql.HongKong,
    "XICE": ql.Iceland,
    "XBOM": ql.India,
    "XIDX": lambda: ql.Indonesia(ql.Indonesia.JSX),
    "XTAE": lambda: ql.Israel(ql.Israel.TASE),
    "XMIL": lambda: ql.Italy(ql.Italy.Exchange),
    "XTKS": ql.Japan,
    "XMEX": ql.Mexico,
    "XNZE": ql.NewZealand,
    "XOSL": ql.Norway,
    "XWAR": lambda: ql.Poland(ql.Poland.WSE),
    "XBSE": lambda: ql.Romania(ql.Romania.BVB),
    "XMOS": lambda: ql.Russia(ql.Russia.MOEX),
    "XSAU": ql.SaudiArabia,
    "XSES": ql.Singapore,
    "XBRA": ql.Slovakia,
    "XKRX": lambda: ql.SouthKorea(ql.SouthKorea.KRX),
    "XSTO": ql.Sweden,
    "XSWX": ql.Switzerland,
    "XTAI": ql.Taiwan,
    "XBKK": ql.Thailand,
    "XIST": ql.Turkey,
    "XLON": lambda: ql.UnitedKingdom(ql.UnitedKingdom.Exchange),
    "XWBO": lambda: ql.Austria(ql.Austria.Exchange),
}
MARKET_CALENDARS = {
    "US_EQUITY": "NYSE", "XTKS": "JPX", "XHKG": "HKEX", "XSHG": "SSE", "XLON": "LSE", "XTSE": "TSX",
    "XASX": "ASX", "XBOM": "BSE", "XEUR": "EUREX", "XSWX": "SIX", "BVMF": "B3", "XOSL": "OSE",
    "XTAE": "TASE", "CMES": "CME_Equity", "XCBF": "CBOE_Futures", "IEPA": "ICE",
}  # fmt: skip


def rows(name: str) -> Iterator[dict[str, str]]:
    """Read a packaged file."""
    content = (DATA / name).read_bytes()
    text = gzip.decompress(content) if name.endswith(".gz") else content
    yield from csv.DictReader(text.decode().splitlines())


def packaged_sessions() -> dict[str, tuple[dt.date, dt.date, set[dt.date]]]:
    """Return the covered range and the dates of all sessions of every group."""
    hours: dict[str, list[dict[str, str]]] = {}
    for row in rows("hours.csv"):
        hours.setdefault(row["exchange_group"], []).append(row)
    days: dict[str, dict[str, bool]] = {}
    for row in rows("holidays.csv.gz"):
        days.setdefault(row["exchange"], {})[row["date"]] = row["is_closed"] == "0"
    found = {}
    for group, periods in hours.items():
        first, last = (dt.date.fromisoformat(periods[0][c]) for c in ("covers_from", "covers_to"))
        sessions, day = set(), first
        while day <= last:
            text = day.isoformat()
            row = next(r for r in periods if not r["valid_to"] or text <= r["valid_to"])
            if days.get(group, {}).get(text, str(day.weekday()) in row["trading_days"]):
                sessions.add(day)
            day += DAY
        found[group] = first, last, sessions
    return found


def quantlib_days(
    calendar: ql.Calendar, first: dt.date, last: dt.date, ours: set[dt.date]
) -> set[dt.date]:
    """Return QuantLib's business days; in years that it does not know, ours."""
    found, day = set(), first
    while day <= last:
        try:
            is_open = calendar.isBusinessDay(ql.Date(day.day, day.month, day.year))
        except RuntimeError:
            is_open = day in ours
        if is_open:
            found.add(day)
        day += DAY
    return found


def compare_us_hours() -> None:
    """Print how the hours of US stock exchanges differ from pandas_market_calendars'."""
    schedule = mcal.get_calendar("NYSE").schedule(
        "1990-01-01", "2027-12-31", start="pre", end="post"
    )
    local = schedule.apply(lambda column: column.dt.tz_convert("America/New_York"))
    for day, row in local.iterrows():
        length = (row["post"] - row["market_close"]).total_seconds() / 3600
        if length != 4 or row["pre"].hour != 4:
            print(f"  {day.date()} pre {row['pre']:%H:%M} open {row['market_open']:%H:%M} "
                  f"close {row['market_close']:%H:%M} post {row['post']:%H:%M}")  # fmt: skip


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default="2015-01-01", help="list single days from here on")
    since = dt.date.fromisoformat(parser.parse_args().since)
    warnings.simplefilter("ignore")
    for group, (first, last, ours) in sorted(packaged_sessions().items()):
        peers: dict[str, set[dt.date]] = {}
        if group in MARKET_CALENDARS:
            valid = mcal.get_calendar(MARKET_CALENDARS[group]).valid_days(first, last)
            peers["pandas_market_calendars"] = {day.date() for day in pd.DatetimeIndex(valid)}
        if group in QUANTLIB:
            peers["QuantLib"] = quantlib_days(QUANTLIB[group](), first, last, ours)
        for peer, theirs in peers.items():
            differs = sorted(ours ^ theirs)
            recent = [f"{'+' if day in ours else '-'}{day}" for day in differs if day >= since]
            print(
                f"{group} {peer}: {len(differs)} days; since {since}: {' '.join(recent) or 'none'}"
            )
    print("US hours, where pandas_market_calendars has another length of the extended hours:")
    compare_us_hours()


if __name__ == "__main__":
    main()
