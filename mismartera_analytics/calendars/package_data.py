"""The rules that come with the package, as rows for the tables."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from mismartera_analytics.calendars import stamps
from mismartera_analytics.calendars.names import packaged_names
from mismartera_analytics.errors import UnknownNameError, suggestion

__all__ = [
    "PackagedRules",
    "groups_named",
    "names_of",
    "packaged_groups",
    "packaged_rules",
    "packaged_version",
]

Row = tuple[Any, ...]


@dataclass(frozen=True)
class PackagedRules:
    """Rows of the three tables, each by its key, in the order of `stamps.HOURS` and its sisters."""

    hours: dict[tuple[str, str], Row]
    periods: dict[tuple[str, str, dt.date], Row]
    days: dict[tuple[str, dt.date], Row]


def _data(name: str) -> bytes:
    return resources.files("mismartera_analytics.calendars").joinpath(f"data/{name}").read_bytes()


def _rows(name: str) -> Iterator[list[str]]:
    content = _data(name)
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8")
    yield from csv.reader(text.splitlines())


@functools.cache
def packaged_version() -> str:
    """Return the version of the packaged rules: the day on which they were made.

    Examples
    --------
    >>> len(packaged_version().split("."))
    3
    """
    return str(json.loads(_data("rules.json"))["version"])


@functools.cache
def packaged_groups() -> dict[str, str]:
    """Return the groups that have packaged rules, and the exchanges of each.

    Examples
    --------
    >>> packaged_groups()["US_EQUITY"]
    'NYSE,NASDAQ,AMEX,ARCA'
    """
    header, *rows = _rows("hours.csv")
    group, exchanges = header.index("exchange_group"), header.index("exchanges")
    return {row[group]: row[exchanges] for row in rows}


def groups_named(names: Iterable[str]) -> set[str]:
    """Return the packaged groups that names mean; exchanges, codes and aliases are taken too.

    Raises
    ------
    UnknownNameError
        If a name means none.

    Examples
    --------
    >>> sorted(groups_named(["nyse", "XTKS"]))
    ['US_EQUITY', 'XTKS']
    """
    known = {alias.casefold(): group for alias, (group, _) in packaged_names().items()}
    for group, exchanges in packaged_groups().items():
        known |= {exchange.casefold(): group for exchange in exchanges.split(",") if exchange}
    known |= {group.casefold(): group for group in packaged_groups()}
    found = set()
    for name in names:
        if name.casefold() not in known:
            hint = suggestion(name, known) or "."
            raise UnknownNameError(f"{name!r} has no packaged rules{hint}")
        found.add(known[name.casefold()])
    return found


def names_of(groups: Iterable[str]) -> set[str]:
    """Return groups with the names of their exchanges, under which holidays may be written too.

    Examples
    --------
    >>> "NYSE" in names_of({"US_EQUITY"})
    True
    """
    wanted = set(groups)
    exchanges = {name for group in wanted for name in packaged_groups()[group].split(",") if name}
    aliases = {alias for alias, (group, _) in packaged_names().items() if group in wanted}
    return wanted | exchanges | aliases


def packaged_rules(groups: set[str] | None = None) -> PackagedRules:
    """Read the packaged files.

    Parameters
    ----------
    groups
        Which; all by default.

    Returns
    -------
    PackagedRules
    """
    rules = PackagedRules({}, {}, {})
    header, *rows = _rows("hours.csv")
    for fields in rows:
        row = {name: _value(name, text) for name, text in zip(header, fields, strict=True)}
        if groups is not None and row["exchange_group"] not in groups:
            continue
        row["is_active"] = True
        key = row["exchange_group"], row["asset_class"]
        if row["valid_to"] is None:
            rules.hours[key] = tuple(row[name] for name in stamps.HOURS)
        else:
            rules.periods[*key, row["valid_to"]] = tuple(row[name] for name in stamps.PERIODS)
    header, *rows = _rows("holidays.csv.gz")
    assert tuple(header) == stamps.DAYS
    for exchange, date, name, is_closed, early, late in rows:
        if groups is None or exchange in groups:
            day = dt.date.fromisoformat(date)
            rules.days[exchange, day] = (
                exchange,
                day,
                name or None,
                is_closed == "1",
                dt.time.fromisoformat(early) if early else None,
                dt.time.fromisoformat(late) if late else None,
            )
    return rules


_DATES = {"valid_from", "valid_to", "covers_from", "covers_to"}
_TEXTS = {"exchange_group", "asset_class", "exchanges", "timezone", "trading_days"}


def _value(name: str, text: str) -> Any:
    if not text:
        return None
    if name in _TEXTS:
        return text
    return dt.date.fromisoformat(text) if name in _DATES else dt.time.fromisoformat(text)
