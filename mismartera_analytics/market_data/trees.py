"""The trading system's Parquet trees, imported as they are.

``<root>/<EXCHANGE_GROUP>/bars/<interval>/<SYMBOL>/<YYYY>/<MM>/<DD>.parquet`` holds seconds and minutes
(an hour is ``60m``), ``…/<SYMBOL>/<YYYY>.parquet`` a session and longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.alignment import Alignment
from mismartera_analytics.market_data.ingest import IngestSummary, ingest_bars
from mismartera_analytics.market_data.store import BarStore

__all__ = ["TreeFolder", "import_tree", "tree_folders"]


@dataclass(frozen=True)
class TreeFolder:
    """The bars of one exchange group and interval in a tree.

    Attributes
    ----------
    exchange_group
        Whose calendar gives bars of a session and longer their opens.
    interval
        Length of the bars.
    path
        Folder that holds one folder a symbol.
    """

    exchange_group: str
    interval: clock.Interval
    path: Path


def tree_folders(root: str | Path) -> list[TreeFolder]:
    """Return what a tree holds, sorted by exchange group and interval.

    Parameters
    ----------
    root
        Folder of the tree.

    Returns
    -------
    list of TreeFolder

    Raises
    ------
    InvalidInputError
        If there is no such folder, it has no ``<EXCHANGE_GROUP>/bars``, or a folder there is named
        by no interval.
    """
    top = expanded(root, argument="root")
    found = []
    for path in sorted(top.glob("*/bars/*")):
        if path.is_dir():
            interval = clock.parse_interval(path.name, argument=f"folder {path}: interval")
            found.append(TreeFolder(path.parent.parent.name, interval, path))
    if not found:
        raise InvalidInputError(
            f"root={as_given(str(top))} has no folder <EXCHANGE_GROUP>/bars/<interval>; name the "
            f"tree's top."
        )
    return found


def import_tree(
    root: str | Path,
    *,
    intervals: Iterable[str] | None = None,
    aligned: Alignment = "session",
    on_bad: Literal["raise", "quarantine"] = "raise",
    store: BarStore | None = None,
    progress: bool | None = None,
) -> list[IngestSummary]:
    """Bring a trading system's tree into the store, one commit an exchange group and interval.

    Parameters
    ----------
    root
        Folder of the tree.
    intervals
        Which to import; all by default.
    aligned, on_bad, store, progress
        As in `ingest_bars`.

    Returns
    -------
    list of IngestSummary
        One an exchange group and interval.

    Raises
    ------
    InvalidInputError
        If the folder is no tree.
    UnknownNameError
        If the tree has no bars of an interval that is asked for.
    InvalidBarsError, StorageError
        As in `ingest_bars`; what was committed before stays.

    Examples
    --------
    >>> root = ma.settings().home / "tree"
    >>> folder = root / "US_EQUITY" / "bars" / "1d" / "IBM"
    >>> folder.mkdir(parents=True)
    >>> bars = ma.bars("IBM", "1d", "2012-01-03", "2012-12-31", tz="America/New_York")
    >>> bars.drop(columns="session").to_parquet(folder / "2012.parquet")
    >>> [(summary.symbols, summary.rows) for summary in import_tree(root, intervals=["1d"])]
    [(('IBM',), 250)]
    """
    folders = tree_folders(root)
    if intervals is not None:
        wanted = [clock.parse_interval(name, argument="intervals") for name in intervals]
        held = sorted({str(folder.interval) for folder in folders})
        for interval in wanted:
            if str(interval) not in held:
                raise UnknownNameError(
                    f"intervals={as_given(str(interval))} is not in the tree {root}"
                    f"{suggestion(interval, held)} It holds {', '.join(held)}."
                )
        folders = [folder for folder in folders if folder.interval in wanted]
    return [
        ingest_bars(
            folder.path,
            str(folder.interval),
            exchange=folder.exchange_group,
            aligned=aligned,
            on_bad=on_bad,
            store=store,
            progress=progress,
        )
        for folder in folders
    ]
