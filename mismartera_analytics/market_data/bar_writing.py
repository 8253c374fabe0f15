"""Bars to new Parquet files, with what the log has to know of each."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.blocks import Block
from mismartera_analytics.market_data.layout import PRICES, VALUES, Layout
from mismartera_analytics.market_data.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ROW_GROUP_ROWS", "WrittenFile", "write_file"]

ROW_GROUP_ROWS = 16_384
"""Two months of session minutes: what is decoded for a day or a month of a symbol."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class WrittenFile:
    """A data file that is on disk but not yet part of the table.

    Attributes
    ----------
    path
        Relative to the table, with forward slashes.
    symbol, period
        Its partition; the symbol is None where a file holds several.
    size
        Length [bytes].
    modified
        When it was written [milliseconds since 1970].
    stats
        Row count and bounds as Delta's JSON.
    """

    path: str
    symbol: str | None
    period: int
    size: int
    modified: int
    stats: str


def write_file(place: Place, layout: Layout, period: int, block: Block) -> WrittenFile:
    """Write bars to a new data file of a partition.

    Parameters
    ----------
    place
        Where the table's files lie.
    layout
        Of the table.
    period
        The partition's year or month.
    block
        Sorted; of one symbol where the layout has one symbol a file.

    Returns
    -------
    WrittenFile
        To be committed; until then no reader sees it.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    import pyarrow.parquet as pq

    symbol = block.names[0] if layout.by_symbol else None
    path = f"{layout.folder(symbol, period)}/part-{uuid.uuid4().hex}.parquet"

    def save(where: Any) -> None:
        pq.write_table(
            _encode(block, layout),
            where,
            compression="lz4",  # what Parquet calls LZ4_RAW
            row_group_size=ROW_GROUP_ROWS,
            store_schema=False,
            **_encodings(layout),
        )

    try:
        size = place.write(path, save)
    except OSError as error:
        raise StorageError(
            f"bars cannot be written to {place.uri}/{path}: {place.said(error)}; nothing was changed."
        ) from None
    stats = json.dumps(_stats(block))
    return WrittenFile(path, symbol, period, size, int(time.time() * 1000), stats)


def _encodings(layout: Layout) -> dict[str, Any]:
    """Return how the columns of a file are encoded; every encoding is one that other readers know.

    Minutes follow one another: their differences take no space. Prices repeat, volumes hardly do.
    """
    if layout.has_session:
        return {"use_dictionary": True}
    return {
        "use_dictionary": list(PRICES),
        "column_encoding": {"timestamp": "DELTA_BINARY_PACKED"},
    }


def _encode(block: Block, layout: Layout) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, object] = {"timestamp": pa.array(block.time, pa.timestamp("us", "UTC"))}
    if layout.has_session:
        codes = pa.array(block.codes.astype(np.int32))
        names = pa.array(list(block.names), pa.string())
        columns["symbol"] = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
        columns["session"] = pa.array(block.session, pa.date32())
    for i, name in enumerate(VALUES):
        columns[name] = pa.array(block.values[i])
    schema = layout.file_schema()
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _stats(block: Block) -> dict[str, object]:
    first, last = int(block.time.min()), int(block.time.max())
    low: dict[str, object] = {"timestamp": _iso(first)}
    high: dict[str, object] = {"timestamp": _iso(last)}
    if block.session is not None:
        low |= {"symbol": block.names[0], "session": str(_day(int(block.session.min())))}
        high |= {"symbol": block.names[-1], "session": str(_day(int(block.session.max())))}
    for i, name in enumerate(VALUES):
        low[name], high[name] = float(block.values[i].min()), float(block.values[i].max())
    return {
        "numRecords": len(block),
        "minValues": low,
        "maxValues": high,
        "nullCount": dict.fromkeys(low, 0),
    }


def _iso(microseconds: int) -> str:
    moment = _EPOCH + dt.timedelta(microseconds=microseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _day(days: int) -> dt.date:
    return _EPOCH.date() + dt.timedelta(days=days)
