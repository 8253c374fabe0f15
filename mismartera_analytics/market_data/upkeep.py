"""What keeps a store in order: its versions, compaction and vacuum."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mismartera_analytics import config, frames
from mismartera_analytics.arguments import truth, whole
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import listed
from mismartera_analytics.market_data import upsert
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of

if TYPE_CHECKING:
    from mismartera_analytics.market_data.bar_table import BarTable

__all__ = ["KEEP", "StoreUpkeep"]

KEEP = dt.timedelta(days=30)
"""How long a version that nothing cites is kept by default."""


class StoreUpkeep:
    """The place of a store and the care for it; `BarStore` adds writing and reading."""

    def __init__(self, uri: str | Path | None = None) -> None:
        self._uri = place_of(config.settings().bar_store if uri is None else uri).uri

    @property
    def uri(self) -> str:
        """The store's folder, absolute, or its ``s3://`` address."""
        return self._uri

    def version(self, interval: str) -> int:
        """Return the newest version of an interval's bars, -1 before the first write.

        Raises
        ------
        InvalidInputError
            If `interval` is no interval.
        """
        return self._table(interval).snapshot().version

    def versions(self, interval: str) -> pd.DataFrame:
        """Return the versions of an interval's bars, oldest first.

        Returns
        -------
        pandas.DataFrame
            As `frames.VERSIONS`; `is_readable` is false of those that were vacuumed.

        Raises
        ------
        InvalidInputError
            If `interval` is no interval.
        """
        table = self._table(interval)
        vacuumed = table.snapshot().vacuumed
        rows = []
        for commit in table.history():
            note = commit.get("mismartera", {})
            operation = next(iter(note), str(commit.get("operation", "")).lower())
            counts = note.get(operation, {})
            version = commit["version"]
            content = (counts.get("bars"), counts.get("symbols"), version not in vacuumed)
            rows.append((version, commit["committed_at"], operation, *content))
        return frames.VERSIONS.conform(pd.DataFrame(rows, columns=frames.VERSIONS.names))

    def compact(self, interval: str) -> int:
        """Make one file of each partition that has several; no bar changes, old versions stay.

        Returns
        -------
        int
            The version after it, the present one if there was nothing to do.

        Raises
        ------
        StorageError
            If the disk is full, or other processes kept committing first; nothing is changed.
        """
        return upsert.compact(self._table(interval))

    def vacuum(
        self,
        interval: str,
        *,
        keep: dt.timedelta = KEEP,
        cited: Iterable[int] | None = None,
        dry_run: bool = False,
    ) -> pd.DataFrame:
        """Delete the data files that only old versions need, and what killed writers left behind.

        The newest version stays, every one that was the newest within `keep`, and every one that is
        cited. Of the others those stay that need no other files. Afterwards `versions` tells which can
        be read; ``as_of`` refuses the others. It may be killed at any moment: what is kept reads, and
        the next vacuum goes on.

        Parameters
        ----------
        interval
            Length of the bars.
        keep
            How long versions are kept after a newer one has replaced them; 30 days by default.
        cited
            Versions to keep besides; by default those which recorded runs, trials and reports of the
            configured database refer to.
        dry_run
            Say what would be deleted and change nothing.

        Returns
        -------
        pandas.DataFrame
            As `frames.VACUUMED`: the files deleted. One that no version refers to is deleted once it is
            a day old; until then its writer may still be at work.

        Raises
        ------
        InvalidInputError
            If `interval` is no interval, `keep` no time span, or `cited` no numbers.
        DatabaseNotReadyError
            If `cited` is not given and the database, which knows it, has not been initialised.
        StorageError
            If files cannot be listed or deleted, other processes kept committing first, or a run or
            report cannot be read, so that nobody knows which versions it cites.

        Examples
        --------
        >>> store = ma.BarStore()
        >>> store.vacuum("1d", dry_run=True)["path"].tolist()
        []
        """
        from mismartera_analytics.market_data.citations import cited_versions
        from mismartera_analytics.market_data.vacuum import vacuum

        if not isinstance(keep, dt.timedelta) or keep < dt.timedelta(0):
            raise InvalidInputError(
                f"keep={as_given(keep)} must be a datetime.timedelta that is not negative, such as "
                f"timedelta(days=30)."
            )
        table = self._table(interval)
        if cited is None:
            place, asked = place_of(self._uri), str(table.layout.interval)
            cited = cited_versions(place, asked, needs_all=True)
        named = {
            whole(one, "cited") for one in listed(cited, argument="cited", what="version numbers")
        }
        return vacuum(table, keep=keep, cited=named, dry_run=truth(dry_run, "dry_run"))

    def _table(self, interval: str) -> BarTable:
        return bar_table(place_of(self._uri), interval)
