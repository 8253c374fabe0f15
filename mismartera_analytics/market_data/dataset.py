"""A version of the bars as a pyarrow dataset, for DuckDB, Polars and whoever else scans Arrow data."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera_analytics.market_data.bar_table import BarTable
    from mismartera_analytics.market_data.snapshots import DataFile, Snapshot

__all__ = ["dataset_of"]


def dataset_of(table: BarTable, snapshot: Snapshot) -> Any:
    """Return the files of a snapshot as one dataset; nothing is read.

    Each file carries what the log says of it, its partition and its first and last time, so a filter
    on symbol, period or timestamp leaves out whole files, and one on any column leaves out row groups
    by their statistics. The partition's columns, which the files do not hold, come from there as well.

    Parameters
    ----------
    table, snapshot
        Where from.

    Returns
    -------
    pyarrow.dataset.FileSystemDataset
        With the columns of `Layout.table_schema`, empty if there are no files.
    """
    import pyarrow.dataset as ds

    # A column that the file does not hold is taken from the guarantee; the schema keeps its place.
    parquet = ds.ParquetFileFormat(
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True)
    )
    filesystem = table.place.filesystem
    fragments = [
        parquet.make_fragment(
            table.place.full(file.path),
            filesystem,
            partition_expression=_guarantee(table, file),
            file_size=file.size,
        )
        for file in snapshot.files
    ]
    return ds.FileSystemDataset(fragments, table.layout.table_schema(), parquet, filesystem)


def _guarantee(table: BarTable, file: DataFile) -> Any:
    """Return what holds for every row of a file."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stamp = pa.timestamp("us", "UTC")
    facts = [
        pc.field("timestamp") >= pa.scalar(file.first, stamp),
        pc.field("timestamp") <= pa.scalar(file.last, stamp),
        pc.field(table.layout.partition_by[-1]) == pa.scalar(file.period, pa.int32()),
    ]
    if file.symbol is not None:
        facts.append(pc.field("symbol") == pa.scalar(file.symbol))
    if table.layout.has_session:  # the year of a partition is that of the labels
        facts.append(pc.field("session") >= pa.scalar(dt.date(file.period, 1, 1)))
        facts.append(pc.field("session") <= pa.scalar(dt.date(file.period, 12, 31)))
    return functools.reduce(operator.and_, facts)
