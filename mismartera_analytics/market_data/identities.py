"""Which company a symbol meant on which day: changes of symbol join names, validity parts them."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FIRST", "FOREVER", "Change", "Identities", "Tenure", "check_changes", "day_numbers",
    "identities_of",
]  # fmt: skip

FIRST, FOREVER = -(1 << 40), 1 << 40
"""Days before and after all others."""
_EPOCH = dt.date(1970, 1, 1)
_DATED = re.compile(r"-\d{8}\Z")

Kind = Literal["own", "before", "outside", "vacant"]
Change = tuple[int, str, str]
"""Day [days since 1970], old symbol, new symbol."""


@dataclass(frozen=True)
class Tenure:
    """A company's time under one symbol, ``[first, end)`` in days since 1970.

    Attributes
    ----------
    kind
        ``own``: the symbol meant this company. ``before``: days before the company came to the symbol
        by a change, of which nothing says that they were another's: records kept under the later name
        throughout. ``outside``: days that no instrument's validity covers, given to the nearest.
        ``vacant``: days after the company before it left the symbol, of which nothing more is known.
    """

    symbol: str
    first: int
    end: int
    company: int
    kind: Kind


@dataclass(frozen=True)
class Identities:
    """The tenures of all symbols that ever changed or have a limited validity.

    Attributes
    ----------
    changes
        Changes of symbol (day, old, new), by day.
    tenures
        Of each symbol, in order of time; together they cover every day.
    labels
        Of each company: its last symbol. Where several end under one, the former ones bear the last day
        of theirs as well: ``META-20220128``.
    """

    changes: tuple[Change, ...]
    tenures: Mapping[str, tuple[Tenure, ...]]
    labels: tuple[str, ...]

    @functools.cached_property
    def symbols(self) -> dict[str, str]:
        """The last symbol of each company, by label."""
        found: dict[str, str] = {}
        for label in self.labels:
            cut = _DATED.sub("", label)
            found[label] = label if label in self.tenures else cut
        return found

    def at(self, symbol: str, day: int) -> Tenure | None:
        """Return the tenure of a symbol on a day, None for a symbol that never changed."""
        return next(
            (one for one in self.tenures.get(symbol, ()) if one.first <= day < one.end), None
        )

    def of_company(self, company: int) -> list[Tenure]:
        """Return a company's tenures, by first day."""
        found = [t for own in self.tenures.values() for t in own if t.company == company]
        return sorted(found, key=lambda one: (one.first, one.end))

    def names_with(self, symbols: Iterable[str]) -> list[str]:
        """Return the symbols and all other names of every company that ever bore one of them."""
        wanted = set(symbols)
        companies = {t.company for name in wanted for t in self.tenures.get(name, ())}
        wanted |= {t.symbol for own in self.tenures.values() for t in own if t.company in companies}
        return sorted(wanted)

    def labels_with(self, symbols: Iterable[str]) -> set[str]:
        """Return the labels of every company that ever bore one of the symbols."""
        wanted = set(symbols)
        found = {self.labels[t.company] for name in wanted for t in self.tenures.get(name, ())}
        return found | {name for name in wanted if name not in self.tenures}

    def label(self, symbols: pd.Series, days: NDArray[np.int64]) -> pd.Series:
        """Return the label of the company that each symbol meant on its day.

        Parameters
        ----------
        symbols
            ``str``, may hold missing values, which stay.
        days
            (n,) days since 1970-01-01.

        Returns
        -------
        pandas.Series
            Aligned with `symbols`; symbols that never changed are their own labels.
        """
        return self._labelled(symbols, days, of_actions=False)[0]

    def label_actions(self, actions: pd.DataFrame) -> pd.DataFrame:
        """Return splits and dividends under the labels of their companies, each once.

        Parameters
        ----------
        actions
            Columns ``symbol, action_type, ex_date`` and more, with changes of symbol or without.

        Returns
        -------
        pandas.DataFrame
            Without the changes of symbol. On the day of a change an action may be recorded under
            either name; of one recorded under both names that of the name then in use is kept.
        """
        kept = actions.loc[actions["action_type"] != "SYMBOL_CHANGE"]
        if not self.tenures or kept.empty:
            return kept.reset_index(drop=True)
        labels, is_own = self._labelled(
            kept["symbol"], day_numbers(kept["ex_date"]), of_actions=True
        )
        ranked = kept.assign(symbol=labels, own=is_own, place=np.arange(len(kept)))
        ranked = ranked.sort_values("own", ascending=False, kind="stable")
        ranked = ranked.drop_duplicates(["symbol", "action_type", "ex_date"]).sort_values("place")
        return ranked.drop(columns=["own", "place"]).reset_index(drop=True)

    def label_bars(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Return bars (``symbol, session`` and more) under the labels of their companies.

        Where a session has bars of two names of one company, that of the name then in use is kept.
        """
        if not self.tenures or bars.empty:
            return bars
        labels, is_own = self._labelled(
            bars["symbol"], day_numbers(bars["session"]), of_actions=False
        )
        if (labels == bars["symbol"]).all():
            return bars
        ranked = bars.assign(symbol=labels, own=is_own)
        ranked = ranked.sort_values(["symbol", "session", "own"], kind="stable")
        ranked = ranked.drop_duplicates(["symbol", "session"], keep="last").drop(columns="own")
        return ranked.reset_index(drop=True)

    def _labelled(
        self, symbols: pd.Series, days: NDArray[np.int64], *, of_actions: bool
    ) -> tuple[pd.Series, NDArray[np.bool_]]:
        given = symbols.to_numpy(dtype=object)
        text = given.copy()
        is_own = np.ones(len(text), np.bool_)
        for name in set(symbols.dropna().unique()) & set(self.tenures):
            own = self.tenures[name]
            rows = np.flatnonzero(given == name)
            firsts = np.array([one.first for one in own])
            place = np.searchsorted(firsts, days[rows], side="right") - 1
            if of_actions:
                is_left = np.array([one.kind in ("vacant", "outside") for one in own])
                place -= is_left[place] & (firsts[place] == days[rows]) & (place > 0)
            text[rows] = np.array([self.labels[one.company] for one in own], object)[place]
            is_own[rows] = np.array([one.kind == "own" for one in own])[place]
        return pd.Series(text, index=symbols.index, dtype="str"), is_own


def identities_of(
    changes: Iterable[Change], validity: Mapping[str, list[tuple[int, int]]]
) -> Identities:
    """Work out the tenures of symbols.

    Parameters
    ----------
    changes
        (day, old symbol, new symbol). All changes of one day happen at once, so that two companies may
        swap their symbols.
    validity
        Of each symbol that instruments limit: their periods ``[first, end)`` in days since 1970, in
        order of time, without overlaps.

    Returns
    -------
    Identities

    Raises
    ------
    InvalidInputError
        If a symbol changes to itself, or two change to one on the same day.

    Examples
    --------
    >>> found = identities_of([(19152, "FB", "META")], {})
    >>> found.label(pd.Series(["FB", "META", "FB"]), np.array([19151, 19152, 19152])).tolist()
    ['META', 'META', 'FB']
    """
    ordered = sorted(set(changes))
    check_changes(ordered)
    leaving, coming = defaultdict(set), defaultdict(set)
    for day, old, new in ordered:
        leaving[old].add(day)
        coming[new].add(day)
    joined = _Joined()
    pieces: dict[str, list[tuple[int, int, int, Kind]]] = {}
    for symbol in sorted({*leaving, *coming, *validity}):
        pieces[symbol] = _pieces(leaving[symbol], coming[symbol], validity.get(symbol, []), joined)
    for day, old, new in ordered:
        before = next(number for first, end, number, _ in pieces[old] if end == day)
        after = next(number for first, end, number, _ in pieces[new] if first == day)
        joined.join(before, after)
    companies = joined.companies()
    tenures = {
        symbol: tuple(Tenure(symbol, a, b, companies[number], kind) for a, b, number, kind in own)
        for symbol, own in pieces.items()
    }
    return Identities(tuple(ordered), tenures, _labels(tenures, max(companies, default=-1) + 1))


def day_numbers(labels: Any) -> NDArray[np.int64]:
    """Return labels as days since 1970-01-01."""
    days: NDArray[np.int64] = (
        np.asarray(labels, "datetime64[us]").astype("datetime64[D]").astype(np.int64)
    )
    return days


class _Joined:
    """Pieces of time that belong to one company: numbers that are joined two by two."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def new(self) -> int:
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def join(self, left: int, right: int) -> None:
        self._parent[self._root(left)] = self._root(right)

    def companies(self) -> list[int]:
        """Return the number of each piece's company, from 0 on."""
        roots = [self._root(number) for number in range(len(self._parent))]
        numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
        return [numbers[root] for root in roots]

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            number = self._parent[number]
        return number


def check_changes(ordered: Iterable[Change]) -> None:
    """Refuse changes (day, old, new) that cannot all be.

    Raises
    ------
    InvalidInputError
        If a symbol changes to itself, or two change to one on the same day.
    """
    seen: dict[tuple[int, str], str] = {}
    for day, old, new in ordered:
        date = _EPOCH + dt.timedelta(days=day)
        if old == new:
            raise InvalidInputError(f"the change of symbol of {old} on {date} is to {new} itself.")
        if (day, new) in seen:
            raise InvalidInputError(
                f"changes of symbol on {date}: {seen[day, new]} and {old} both become {new}; one "
                f"symbol can stand for one company only."
            )
        seen[day, new] = old


def _pieces(
    leaving: set[int], coming: set[int], periods: list[tuple[int, int]], joined: _Joined
) -> list[tuple[int, int, int, Kind]]:
    """Cut a symbol's time where its meaning may change, and join what is one company's."""
    bounds = {day for period in periods for day in period} - {FIRST, FOREVER}
    cuts = [FIRST, *sorted(leaving | coming | bounds), FOREVER]
    found: list[tuple[int, int, int, Kind]] = []
    for first, end in itertools.pairwise(cuts):
        kind: Kind = "own"
        if periods and _period_of(periods, first) is None:
            kind = "outside"
        elif first in leaving and first not in coming and not _begins(periods, first):
            kind = "vacant"
        found.append((first, end, joined.new(), kind))
    for i, ((a, cut, left, before), (_, _, right, after)) in enumerate(itertools.pairwise(found)):
        if cut in leaving:
            continue
        is_last = not any(start >= cut for start, _ in periods)
        if periods and cut in coming:
            is_joined = _period_of(periods, a) == _period_of(periods, cut) is not None
        elif periods and before == after == "own":
            is_joined = _period_of(periods, a) == _period_of(periods, cut)
        elif periods:
            is_joined = after == "own" or is_last
        else:
            is_joined = a == FIRST
        if is_joined:
            joined.join(left, right)
            if cut in coming and before == "own":
                found[i] = (a, cut, left, "before")
    return found


def _begins(periods: list[tuple[int, int]], day: int) -> bool:
    return any(first == day for first, _ in periods)


def _period_of(periods: list[tuple[int, int]], day: int) -> tuple[int, int] | None:
    return next((period for period in periods if period[0] <= day < period[1]), None)


def _labels(tenures: Mapping[str, tuple[Tenure, ...]], count: int) -> tuple[str, ...]:
    """Name each company by its last symbol, former bearers of one by their last day as well."""
    last: dict[int, Tenure] = {}
    for own in tenures.values():
        for one in own:
            known = last.get(one.company)
            if known is None or _rank(one) > _rank(known):
                last[one.company] = one
    bearers = defaultdict(list)
    for one in last.values():
        bearers[one.symbol].append(one)
    labels = [""] * count
    for symbol, several in bearers.items():
        *former, latest = sorted(several, key=lambda one: (one.kind not in ("outside",), one.first))
        labels[latest.company] = symbol
        for one in former:
            day = _EPOCH + dt.timedelta(days=min(one.end, (dt.date.max - _EPOCH).days) - 1)
            labels[one.company] = f"{symbol}-{day:%Y%m%d}"
    return tuple(labels)


def _rank(one: Tenure) -> tuple[bool, int]:
    return one.kind != "outside", one.end
