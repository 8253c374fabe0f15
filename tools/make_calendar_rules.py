"""Write the packaged calendar rules from exchange_calendars, in an environment of its own.

Run by ``make calendars`` under the pinned versions of ``tools/calendars-requirements.txt``:
exchange_calendars is silently wrong for several markets under pandas 3, so it never runs beside this
package. The rules are hours with the period in which they held, and days that differ from them;
``corrections.csv`` overrides single facts. Before anything is written the rules are read back in plain
Python and compared with exchange_calendars' own sessions to the second.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import io
import json
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path

import exchange_calendars as ec
import holidays
import pandas as pd
from calendar_markets import MARKETS, Market, clean

PINNED = {"exchange_calendars": "4.13.2", "pandas": "2.3.3", "holidays": "0.109"}
DATA = Path(__file__).resolve().parent.parent / "mismartera_analytics" / "calendars" / "data"
FIRST = dt.date(1990, 1, 1)
SHORTEST_PERIOD = 40  # [days]; a special week mask that held for less becomes single days
PERIOD_COLUMNS = {
    "break_start": dt.time.fromisoformat,
    "break_end": dt.time.fromisoformat,
    "regular_open": dt.time.fromisoformat,
    "regular_close": dt.time.fromisoformat,
    "trading_days": str,
}
MIDNIGHT = dt.time()
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """Hours and trading days that held from `valid_from` to `valid_to`, None for open ends."""

    exchange_group: str
    asset_class: str
    exchanges: str
    timezone: str
    valid_from: dt.date | None
    valid_to: dt.date | None
    regular_open: dt.time
    regular_close: dt.time
    pre_market_open: dt.time | None
    post_market_close: dt.time | None
    break_start: dt.time | None
    break_end: dt.time | None
    trading_days: str
    covers_from: dt.date
    covers_to: dt.date


@dataclass(frozen=True)
class Day:
    """A day that differs from the hours."""

    exchange: str
    date: dt.date
    holiday_name: str | None = None
    is_closed: bool = False
    early_close_time: dt.time | None = None
    late_open_time: dt.time | None = None


@dataclass
class Rules:
    """All rules of one calendar."""

    market: Market
    timezone: str
    covers: tuple[dt.date, dt.date]
    hours: list[Hours] = field(default_factory=list)
    days: dict[dt.date, Day] = field(default_factory=dict)


def build(name: str, last: dt.date) -> tuple[ec.ExchangeCalendar, tuple[dt.date, dt.date]]:
    """Return exchange_calendars' calendar over the range that it and we cover."""
    factory = ec.calendar_utils.global_calendar_dispatcher._calendar_factories[name]
    low, high = factory.bound_min(), factory.bound_max()
    start = max(FIRST, low.date()) if low is not None else FIRST
    end = min(last, high.date()) if high is not None else last
    return ec.get_calendar(name, start=pd.Timestamp(start), end=pd.Timestamp(end)), (start, end)


def in_force(changes: Iterable[tuple], day: dt.date) -> dt.time | None:
    """Return the time that a list of (since, time) gives for `day`."""
    value = None
    for since, time in changes or ():
        if since is None or pd.Timestamp(since).date() <= day:
            value = time
    return value


def special_weeks(calendar: ec.ExchangeCalendar) -> list[tuple[dt.date, dt.date, str]]:
    """Return the week masks that held for longer than a few days."""
    found = []
    for low, high, mask in getattr(calendar, "special_weekmasks", None) or []:
        since = pd.Timestamp(low).date() if low is not None else dt.date.min
        until = pd.Timestamp(high).date() if high is not None else dt.date.max
        if until.toordinal() - since.toordinal() >= SHORTEST_PERIOD:
            found.append((since, until, mask))
    return found


def hours_of(calendar: ec.ExchangeCalendar, rules: Rules) -> list[Hours]:
    """Return one row for each stretch in which hours and trading days stayed the same."""
    first, last = rules.covers
    weeks = special_weeks(calendar)
    changes = [calendar.open_times, calendar.close_times]
    changes += [calendar.break_start_times or (), calendar.break_end_times or ()]
    starts = {
        pd.Timestamp(since).date() for one in changes for since, _ in one if since is not None
    }
    starts |= {low for low, _, _ in weeks} | {high + DAY for _, high, _ in weeks if high < last}
    starts = {first, *(day for day in starts if first < day <= last)}
    rows: list[Hours] = []
    for since in sorted(starts):
        mask = next((m for low, high, m in weeks if low <= since <= high), calendar.weekmask)
        row = Hours(
            rules.market.group, rules.market.asset_class, rules.market.exchanges, rules.timezone,
            since, None,
            in_force(calendar.open_times, since), in_force(calendar.close_times, since),
            rules.market.pre_market_open, rules.market.post_market_close,
            in_force(calendar.break_start_times, since), in_force(calendar.break_end_times, since),
            ",".join(str(i) for i, flag in enumerate(mask) if flag == "1"),
            first, last,
        )  # fmt: skip
        if rows and replace(rows[-1], valid_from=since) == row:
            continue
        if rows:
            rows[-1] = replace(rows[-1], valid_to=since - DAY)
        rows.append(row)
    rows[0] = replace(rows[0], valid_from=None)
    for day, pause in odd_breaks(calendar, rules.timezone, rows).items():
        rows = split(rows, day, day, {"break_start": pause[0], "break_end": pause[1]})
    return rows


def odd_breaks(
    calendar: ec.ExchangeCalendar, tz: str, rows: list[Hours]
) -> dict[dt.date, tuple[dt.time, dt.time]]:
    """Return the days whose break is at another time than usual."""
    found = {}
    for day, (_, start, end, _) in local_schedule(calendar, tz).items():
        row = row_of(rows, day)
        if start is not None and (start.time(), end.time()) != (row.break_start, row.break_end):
            found[day] = start.time(), end.time()
    return found


def row_of(rows: list[Hours], day: dt.date) -> Hours:
    """Return the hours in force on a day."""
    return next(row for row in rows if row.valid_to is None or day <= row.valid_to)


def split(rows: list[Hours], since: dt.date, until: dt.date | None, changes: dict) -> list[Hours]:
    """Return hours that are changed between two days, both included."""
    found: list[Hours] = []
    for row in rows:
        low, high = row.valid_from or dt.date.min, row.valid_to or dt.date.max
        inside = max(low, since), min(high, until or dt.date.max)
        if inside[0] > inside[1]:
            found.append(row)
            continue
        if low < inside[0]:
            found.append(replace(row, valid_to=inside[0] - DAY))
        start = None if inside[0] == dt.date.min else inside[0]
        end = None if inside[1] == dt.date.max else inside[1]
        found.append(replace(row, valid_from=start, valid_to=end, **changes))
        if high > inside[1]:
            found.append(replace(row, valid_from=inside[1] + DAY))
    return found


def names_of(calendar: ec.ExchangeCalendar, covers: tuple[dt.date, dt.date]) -> dict[dt.date, str]:
    """Return the names that exchange_calendars knows, of closures and of special hours."""
    first, last = (pd.Timestamp(day) for day in covers)
    named: dict[dt.date, str] = {}
    groups = [calendar.regular_holidays]
    groups += [one for _, one in calendar.special_closes]
    groups += [one for _, one in calendar.special_opens]
    for one in reversed(groups):
        if hasattr(one, "holidays") and getattr(one, "rules", None):
            for day, name in one.holidays(first, last, return_name=True).items():
                named[day.date()] = clean(name)
    return named


def public_names(market: Market, covers: tuple[dt.date, dt.date]) -> dict[dt.date, str]:
    """Return the names of the country's public holidays, for days that the source leaves unnamed."""
    if not market.country:
        return {}
    years = range(covers[0].year, covers[1].year + 1)
    for language in ("en_US", None):
        try:
            found = holidays.country_holidays(market.country, years=years, language=language)
        except NotImplementedError:
            continue
        return {day: clean(name.split("; ")[0]) for day, name in found.items()}
    return {}


def opens_evening_before(row: Hours) -> bool:
    """Whether the session of a date opens on the date before."""
    if row.regular_open == row.regular_close:
        return row.regular_open != MIDNIGHT
    return row.regular_close != MIDNIGHT and row.regular_open > row.regular_close


def read_day(row: Hours, day: dt.date, special: Day | None) -> tuple[dt.datetime | None, ...]:
    """Return open, break start, break end and close as naive local times, by the tables' reading."""
    opening = (special and special.late_open_time) or row.regular_open
    closing = (special and special.early_close_time) or row.regular_close
    opens = dt.datetime.combine(day - DAY if opens_evening_before(row) else day, opening)
    closes = dt.datetime.combine(day + DAY if closing == MIDNIGHT else day, closing)
    if row.break_start is None or row.break_end is None:
        return opens, None, None, closes
    pause = dt.datetime.combine(day, row.break_start), dt.datetime.combine(day, row.break_end)
    if closes <= pause[1] or opens >= pause[0]:
        return opens, None, None, closes
    return opens, *pause, closes


def local_schedule(calendar: ec.ExchangeCalendar, tz: str) -> dict[dt.date, tuple]:
    """Return exchange_calendars' sessions as naive local times."""
    local = calendar.schedule[["open", "break_start", "break_end", "close"]].apply(
        lambda column: column.dt.tz_convert(tz).dt.tz_localize(None)
    )
    return {
        row.Index.date(): tuple(None if pd.isna(t) else t.to_pydatetime() for t in row[1:])
        for row in local.itertuples()
    }


def days_of(calendar: ec.ExchangeCalendar, rules: Rules) -> dict[dt.date, Day]:
    """Return the days on which exchange_calendars' sessions differ from the hours."""
    schedule = local_schedule(calendar, rules.timezone)
    named = public_names(rules.market, rules.covers) | names_of(calendar, rules.covers)
    group, days = rules.market.group, {}
    day, last = rules.covers
    while day <= last:
        row = row_of(rules.hours, day)
        name = rules.market.closures.get(day) or named.get(day)
        is_usual = str(day.weekday()) in row.trading_days
        if day not in schedule:
            if is_usual:
                days[day] = Day(group, day, name, is_closed=True)
        else:
            usual, actual = read_day(row, day, None), schedule[day]
            opening = actual[0].time() if actual[0] != usual[0] else None
            closing = actual[3].time() if actual[3] != usual[3] else None
            if opening or closing or not is_usual:
                if closing and rules.market.names_weekdays:
                    name = name or f"{day:%A}"
                following = rules.market.closures.get(day + DAY) or named.get(day + DAY)
                if closing and not name and following and day + DAY not in schedule:
                    name = f"{following} (eve)"
                days[day] = Day(group, day, name, early_close_time=closing, late_open_time=opening)
        day += DAY
    return days


def check(calendar: ec.ExchangeCalendar, rules: Rules) -> None:
    """Stop unless the rules give exchange_calendars' sessions again."""
    schedule = local_schedule(calendar, rules.timezone)
    day, last = rules.covers
    while day <= last:
        row = row_of(rules.hours, day)
        special = rules.days.get(day)
        is_open = not special.is_closed if special else str(day.weekday()) in row.trading_days
        got = read_day(row, day, special) if is_open else None
        if got != schedule.get(day):
            sys.exit(f"{calendar.name} {day}: rules give {got}, source has {schedule.get(day)}")
        day += DAY


def correct(rules: Rules, corrections: list[dict[str, str]]) -> None:
    """Override single facts by the lines of corrections.csv."""
    public = public_names(rules.market, rules.covers)
    for line in corrections:
        if line["exchange"] != rules.market.group:
            continue
        what, value = line["what"], line["value"]
        since, _, until = line["date"].partition("..")
        if what in PERIOD_COLUMNS:
            rules.hours = split(
                rules.hours,
                dt.date.fromisoformat(since) if since else dt.date.min,
                dt.date.fromisoformat(until) if until else None,
                {what: PERIOD_COLUMNS[what](value) if value else None},
            )
            continue
        day = dt.date.fromisoformat(line["date"])
        old = rules.days.get(day, Day(line["exchange"], day, public.get(day)))
        if what in ("early_close_time", "late_open_time"):
            new = replace(old, **{what: dt.time.fromisoformat(value) if value else None})
        elif what == "is_closed":
            new = replace(old, is_closed=value == "1")
        elif what == "holiday_name":
            new = replace(old, holiday_name=value or None)
        else:
            sys.exit(f"corrections.csv: {what!r} is not known")
        if not new.is_closed and not (new.early_close_time or new.late_open_time):
            row = row_of(rules.hours, day)
            if str(day.weekday()) in row.trading_days:
                rules.days.pop(day, None)
                continue
        rules.days[day] = new


def text(value: object) -> str:
    """Return a value as the files write it."""
    if value is None:
        return ""
    if isinstance(value, dt.time):
        return value.strftime("%H:%M:%S" if value.second else "%H:%M")
    return str(int(value)) if isinstance(value, bool) else str(value)


def as_csv(kind: type, rows: Iterable[object]) -> str:
    """Return dataclass rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f.name for f in fields(kind)]
    writer.writerow(names)
    writer.writerows([text(getattr(row, name)) for name in names] for row in rows)
    return out.getvalue()


def write(every: list[Rules], *, last: dt.date) -> None:
    """Write the packaged files; the same rules give the same bytes."""
    DATA.mkdir(parents=True, exist_ok=True)
    hours = [row for rules in every for row in rules.hours]
    days = [day for rules in every for _, day in sorted(rules.days.items())]
    (DATA / "hours.csv").write_text(as_csv(Hours, hours))
    packed = gzip.compress(as_csv(Day, days).encode(), compresslevel=9, mtime=0)
    (DATA / "holidays.csv.gz").write_bytes(packed)
    names = ["name,exchange_group,exchange\n"]
    for rules in every:
        for alias, exchange in sorted(rules.market.aliases.items()):
            names.append(f"{alias},{rules.market.group},{exchange}\n")
    (DATA / "names.csv").write_text("".join(names))
    facts = {
        "version": f"{dt.datetime.now(dt.UTC):%Y.%m.%d}",
        "covers_to": last.isoformat(),
        "sources": {name: version(name) for name in sorted([*PINNED, "tzdata"])},
        "calendars": len(every),
    }
    (DATA / "rules.json").write_text(json.dumps(facts, indent=2) + "\n")


def main() -> None:
    """Derive, check, correct and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--last-year", type=int, default=dt.datetime.now(dt.UTC).year + 1)
    last = dt.date(parser.parse_args().last_year, 12, 31)
    for name, wanted in PINNED.items():
        if version(name) != wanted:
            sys.exit(f"{name} is {version(name)}, not {wanted}; run 'make calendars'")
    warnings.simplefilter("ignore")
    with (DATA / "corrections.csv").open(newline="") as file:
        corrections = list(csv.DictReader(file))
    every = []
    for name, market in sorted(MARKETS.items(), key=lambda item: item[1].group):
        calendar, covers = build(name, last)
        rules = Rules(market, str(calendar.tz), covers)
        rules.hours = hours_of(calendar, rules)
        rules.days = days_of(calendar, rules)
        for name_of, target in ec.calendar_utils._default_calendar_aliases.items():
            if target == name and name_of not in market.exchanges.split(","):
                market.aliases.setdefault(name_of, "")
        check(calendar, rules)
        correct(rules, corrections)
        every.append(rules)
        print(f"{name}: {len(rules.hours)} hours, {len(rules.days)} days")
    write(every, last=last)


if __name__ == "__main__":
    main()
