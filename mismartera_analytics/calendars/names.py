"""Names of markets: groups, exchanges, market identifier codes and aliases."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)

__all__ = ["Place", "exchanges_of", "packaged_names", "resolve"]


@dataclass(frozen=True)
class Place:
    """What a name means.

    Attributes
    ----------
    group
        Exchange group, as in ``market_hours``.
    exchange
        One exchange of it, or None where the whole group is meant.
    exchange_names
        Names under which that exchange's own holidays may be written; the last one rules.
    """

    group: str
    exchange: str | None
    exchange_names: tuple[str, ...]


@functools.cache
def packaged_names() -> dict[str, tuple[str, str]]:
    """Return further names: of each, the group and the exchange that it means."""
    file = resources.files("mismartera_analytics.calendars").joinpath("data/names.csv")
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return {row["name"]: (row["exchange_group"], row["exchange"]) for row in rows}


def exchanges_of(markets: Iterable[Any]) -> dict[str, str | None]:
    """Return the exchanges of every group, from rows of ``market_hours``, one an asset class."""
    found: dict[str, str | None] = {}
    for row in markets:
        several = [text for text in (found.get(row.exchange_group), row.exchanges) if text]
        found[row.exchange_group] = ",".join(several) or None
    return found


def resolve(name: str, groups: Mapping[str, str | None]) -> Place:
    """Return the market that `name` means.

    Parameters
    ----------
    name
        A group, an exchange, a MIC or an alias; case is ignored. A group goes before an exchange, an
        exchange of the tables before an alias.
    groups
        Exchanges of every group in the tables, separated by commas.

    Returns
    -------
    Place

    Raises
    ------
    UnknownNameError
        If there is no such market; the nearest name is suggested.
    InvalidInputError
        If the name is not text, or an exchange that several groups list.

    Examples
    --------
    >>> resolve("xnas", {"US_EQUITY": "NYSE,NASDAQ"})
    Place(group='US_EQUITY', exchange='NASDAQ', exchange_names=('XNAS', 'NASDAQ'))
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"exchange={as_given(name)} must be text such as 'NYSE'.")
    known: dict[str, tuple[str, str | None]] = {}
    for alias, (group, exchange) in packaged_names().items():
        if group in groups:
            known[alias.casefold()] = group, exchange or None
    listing: dict[str, set[str]] = {}
    for group, text in groups.items():
        for exchange in (text or "").split(","):
            if exchange.strip():
                known[exchange.strip().casefold()] = group, exchange.strip()
                listing.setdefault(exchange.strip().casefold(), set()).add(group)
    known |= {group.casefold(): (group, None) for group in groups}
    wanted = name.strip().casefold()
    found = known.get(wanted)
    if found is not None and found[1] is not None and len(listing.get(wanted, ())) > 1:
        raise InvalidInputError(
            f"exchange={as_given(name)} is listed by several groups of market_hours: "
            f"{', '.join(sorted(listing[wanted]))}; name the group, or let one of them list it."
        )
    if found is None:
        raise UnknownNameError(_unknown(name, groups, known))
    group, meant = found
    if meant is None:
        return Place(group, None, ())
    others = sorted(alias for alias, target in packaged_names().items() if target == (group, meant))
    return Place(group, meant, (*(alias for alias in others if alias != meant), meant))


def _unknown(
    name: str, groups: Mapping[str, str | None], known: Mapping[str, tuple[str, str | None]]
) -> str:
    if not groups:
        return (
            f"exchange={as_given(name)} is not known: the database has no market hours; fill them with "
            f"'mismartera calendar sync'."
        )
    spelled = {alias for alias in packaged_names() if alias.casefold() in known}
    for group, text in groups.items():
        spelled |= {group, *(part.strip() for part in (text or "").split(",") if part.strip())}
    hint = suggestion(name, sorted(spelled))
    hint = hint or "; mismartera calendar list names them all."
    return f"exchange={as_given(name)} is not known{hint}"
