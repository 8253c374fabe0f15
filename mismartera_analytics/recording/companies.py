"""Records under the names of the companies that their symbols meant on their days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics.market_data.identities import Identities, day_numbers
from mismartera_analytics.market_data.renames import read_identities
from mismartera_analytics.recording import books, marks

__all__ = ["Companies", "companies_of"]

ZONE_OF_DAYS = "America/New_York"
"""Zone whose midnights part the days of records without a session."""


@dataclass(frozen=True)
class Companies:
    """Which companies are asked for, and what they were called when.

    Attributes
    ----------
    identities
        Of the symbols concerned.
    wanted
        The symbols asked for; None for all.
    """

    identities: Identities
    wanted: Sequence[str] | None = None
    labels: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        labels = self.identities.labels_with(self.wanted or ())
        object.__setattr__(self, "labels", frozenset(labels))

    @property
    def names(self) -> list[str] | None:
        """Every symbol under which a company asked for may be recorded; None for all."""
        return None if self.wanted is None else self.identities.names_with(self.wanted)

    def recorded(self, table: pd.DataFrame, at: str) -> pd.DataFrame:
        """Return the rows of the companies asked for, their symbols as recorded.

        Parameters
        ----------
        table
            Column ``symbol``; missing ones are no company's.
        at
            Column of instants. A row without one counts if its symbol was asked for.
        """
        if self.wanted is None or not self.identities.tenures or table.empty:
            return table
        instants = table[at].fillna(pd.Timestamp("2200-01-01", tz="UTC"))
        local = instants.dt.tz_convert(ZONE_OF_DAYS).dt.tz_localize(None)
        labels = self.identities.label(table["symbol"], day_numbers(local))
        is_asked = labels.isin(self.labels)
        is_asked = is_asked.where(table[at].notna(), table["symbol"].isin(self.wanted))
        return table.loc[is_asked].reset_index(drop=True)

    def labelled(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return fills or flows (``symbol, session``) of the companies asked for, under their names."""
        if self.identities.tenures and len(table):
            labels = self.identities.label(table["symbol"], day_numbers(table["session"]))
            table = table.assign(symbol=labels)
        if self.wanted is None:
            return table
        return table.loc[table["symbol"].isin(self.labels)].reset_index(drop=True)

    def asked(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the fills or flows (``symbol, session``) of the companies asked for, as recorded."""
        if self.wanted is None or not len(table):
            return table
        labels = self.identities.label(table["symbol"], day_numbers(table["session"]))
        return table.loc[labels.isin(self.labels)]

    def actions(
        self, db_session: Session, labels: Iterable[str], *, until: dt.date | None = None
    ) -> pd.DataFrame:
        """Return the splits and dividends of companies, under their names.

        Parameters
        ----------
        db_session
            Where to read.
        labels
            Of the companies.
        until
            Last ex-date; all by default.
        """
        known = set(labels)
        named = self.identities.names_with(self._symbols_of(known))
        actions = self.identities.label_actions(books.read_actions(db_session, named, until=until))
        return actions.loc[actions["symbol"].isin(known)].reset_index(drop=True)

    def closes(
        self, labels: Iterable[str], start: dt.date | None, end: dt.date | None = None
    ) -> pd.DataFrame:
        """Return the daily closes of companies, as traded, under their names; as `marks.closes_of`."""
        known = set(labels)
        bars = marks.closes_of(self.identities.names_with(self._symbols_of(known)), start, end)
        found = self.identities.label_bars(bars)
        return found.loc[found["symbol"].isin(known)].reset_index(drop=True)

    def symbol_of(self, label: str) -> str:
        """Return the last symbol of a company."""
        return self.identities.symbols.get(label, label)

    def _symbols_of(self, labels: Iterable[str]) -> set[str]:
        return {self.symbol_of(label) for label in labels}


def companies_of(
    db_session: Session,
    symbols: Iterable[str] | None,
    *,
    traded: Iterable[str] = (),
    until: dt.date | None = None,
) -> Companies:
    """Return the companies that bore some symbols.

    Parameters
    ----------
    db_session
        Where to read.
    symbols
        What is asked for; None for everything.
    traded
        Symbols of the records, where everything is asked for.
    until
        Only changes in force by this date; all by default.

    Raises
    ------
    InvalidInputError
        If recorded changes of symbol contradict each other.
    """
    wanted = None if symbols is None else sorted(set(symbols))
    names = set(traded) if wanted is None else set(wanted)
    return Companies(read_identities(names, until=until, db_session=db_session), wanted)
