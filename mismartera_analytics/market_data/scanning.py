"""Which bars a store holds, and their datasets with the columns that bars have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of

if TYPE_CHECKING:
    import pandas as pd

    from mismartera_analytics.market_data.snapshots import DataFile
    from mismartera_analytics.market_data.store import BarStore

__all__ = ["bar_dataset", "bar_inventory", "stored_intervals"]

_FIRST_COMMIT = f"_delta_log/{0:020}.json"
_UNITS = ("s", "m", "h", "d", "w", "mo")


def stored_intervals(store: BarStore) -> list[str]:
    """Return the intervals of which a store has bars, the shortest first; none if there is no store.

    Parameters
    ----------
    store
        Where to look.

    Returns
    -------
    list of str

    Raises
    ------
    StorageError
        If the place cannot be listed.

    Examples
    --------
    >>> stored_intervals(ma.BarStore())
    ['1d']
    """
    from pyarrow.fs import FileSelector

    place = place_of(store.uri)
    top = FileSelector(place.full(""), allow_not_found=True)
    try:
        names = [info.base_name for info in place.filesystem.get_file_info(top)]
    except OSError as error:
        raise StorageError(
            f"the bar store {store.uri} cannot be listed: {place.said(error)}."
        ) from None
    found = []
    for name in names:
        try:
            interval = clock.parse_interval(name)
        except InvalidInputError:
            continue  # the quarantine, or somebody else's folder
        if str(interval) == name and place.below(name).stamp(_FIRST_COMMIT) is not None:
            found.append(interval)
    ordered = sorted(found, key=lambda one: (_UNITS.index(one.unit), one.count))
    return [str(interval) for interval in ordered]


def bar_dataset(store: BarStore, interval: str) -> Any:
    """Return `BarStore.dataset` without the partition's year or month, which bars do not have.

    Parameters
    ----------
    store, interval
        Which bars.

    Returns
    -------
    pyarrow.dataset.Dataset
        Columns as `frames.BARS`; `session` only for bars of a session and longer.

    Raises
    ------
    InvalidInputError
        If `interval` is no interval.
    """
    found = store.dataset(interval)
    hidden = [name for name in ("year", "month") if name in found.schema.names]
    schema = found.schema
    for name in hidden:
        schema = schema.remove(schema.get_field_index(name))
    return found.replace_schema(schema)


def bar_inventory(store: BarStore) -> pd.DataFrame:
    """Return what a store holds, one row an interval, as its log says it: no bar is read.

    Parameters
    ----------
    store
        Where to look.

    Returns
    -------
    pandas.DataFrame
        As `frames.INVENTORY`.

    Raises
    ------
    StorageError
        If the place cannot be listed or a log cannot be read.

    Examples
    --------
    >>> bar_inventory(ma.BarStore())[["interval", "symbols", "bars"]]
      interval  symbols   bars
    0       1d        4  11958
    """
    import pandas as pd

    rows = []
    for interval in stored_intervals(store):
        files = bar_table(place_of(store.uri), interval).snapshot().files
        times = [pd.Timestamp(time, unit="us", tz="UTC") for time in _span(files)]
        size = sum(file.size for file in files)
        count = len(store.symbols(interval))
        rows.append((interval, count, sum(f.rows for f in files), *times, len(files), size))
    return frames.INVENTORY.conform(pd.DataFrame(rows, columns=frames.INVENTORY.names))


def _span(files: Sequence[DataFile]) -> tuple[int, int]:
    return min(file.first for file in files), max(file.last for file in files)
