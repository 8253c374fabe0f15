"""Checksums of tables by their content, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mismartera_analytics.operations.column_forms import Converted, Kind

__all__ = ["TableContent", "TableDigest"]


@dataclass(frozen=True)
class TableContent:
    """What a table holds, in short.

    Attributes
    ----------
    name
        Of the table.
    rows
        How many it has.
    checksum
        SHA-256 of its content, in hexadecimal.
    """

    name: str
    rows: int
    checksum: str


class TableDigest:
    """The checksum of a table whose rows are added piece by piece, in the order of their key.

    Each column has two running digests. The first takes what is there: for text its length in bytes
    (four bytes, little endian, -1 for null), for all else one byte, 0 for null. The second takes the
    values: text as UTF-8, floats as their eight bytes (null as 0.0, minus zero as zero, which SQLite
    does not tell apart), truths as one byte, all else as eight bytes: an integer, an instant in
    microseconds since 1970 UTC, a date in days, a time of day in microseconds. A value that is not of
    its column's kind counts as null there and is written out in a digest of its own. The table's
    checksum is that of the JSON list of its columns by name. How the rows are cut into pieces does
    not matter.

    Parameters
    ----------
    name
        Of the table.
    kinds
        Of its columns, by name.
    """

    def __init__(self, name: str, kinds: Mapping[str, Kind]) -> None:
        self.name = name
        self.rows = 0
        self._kinds = kinds
        self._running = {
            column: (hashlib.sha256(), hashlib.sha256(), hashlib.sha256()) for column in kinds
        }

    def add(self, pieces: Mapping[str, Converted], rows: int) -> None:
        """Add the next rows: a piece of every column."""
        for column, (presence, content, oddities) in self._running.items():
            piece = pieces[column]
            for part, digest in zip(
                _bytes_of(piece.array, self._kinds[column]), (presence, content), strict=True
            ):
                digest.update(part)
            for at in piece.odd:
                oddities.update(
                    f"{self.rows + at}:{type(piece.given[at]).__name__}:{piece.given[at]!r};".encode()
                )
        self.rows += rows

    def content(self) -> TableContent:
        """Return the rows and the checksum so far."""
        listed = [
            [column, self._kinds[column], *(one.hexdigest() for one in self._running[column])]
            for column in sorted(self._running)
        ]
        whole = hashlib.sha256(json.dumps([self.rows, listed]).encode())
        return TableContent(self.name, self.rows, whole.hexdigest())


def _bytes_of(array: Any, kind: Kind) -> tuple[Any, Any]:
    """Return the bytes of what is there, and those of the values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind in ("text", "other"):
        lengths = pc.fill_null(pc.binary_length(array), -1).cast(pa.int32()).to_numpy()
        size = int(lengths[lengths > 0].sum())
        buffer = array.buffers()[2]
        return lengths.astype("<i4").tobytes(), b"" if not size else memoryview(buffer)[:size]
    presence = array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes()
    if kind == "truth":
        filled = pc.fill_null(array.cast(pa.uint8()), 0)
        return presence, filled.to_numpy(zero_copy_only=False).tobytes()
    if kind == "float":
        numbers = pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return presence, numbers.astype("<f8").tobytes()
    whole = array if kind == "integer" else array.cast(pa.int32() if kind == "date" else pa.int64())
    filled = pc.fill_null(whole.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return presence, filled.astype("<i8").tobytes()
