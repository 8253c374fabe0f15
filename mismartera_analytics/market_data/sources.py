"""Where bars come from: frames, CSV files and folders of them, read in pieces."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    StorageError,
    as_given,
)
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.layout import VALUES, is_symbol
from mismartera_analytics.market_data.mapping import source_columns

__all__ = [
    "CHUNK_ROWS",
    "csv_header",
    "files_of",
    "open_text",
    "read_pieces",
    "symbol_of",
    "tree_symbol",
]

CHUNK_ROWS = 500_000
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_HEADER = 1_000_000
_WITH_COMMAS = r"\s*-?\d+(?:[.,]\d+)*,\d+(?:\.\d+)?\s*"
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "-"]


def is_interval(text: str) -> bool:
    """Return whether a text is the length of bars, as folders of trees are named by."""
    try:
        clock.parse_interval(text)
    except InvalidInputError:
        return False
    return True


def files_of(source: str | Path) -> list[Path]:
    """Return the files that a path stands for: itself, or those of a folder, deeper ones too.

    Hidden files, and those of other kinds, are passed over.

    Parameters
    ----------
    source
        A file or a folder.

    Returns
    -------
    list of pathlib.Path
        Sorted.

    Raises
    ------
    InvalidInputError
        If there is no such path, the file is of another kind, or the folder has none of ours.
    """
    if not isinstance(source, str | Path):
        raise InvalidInputError(
            f"source={as_given(source)} must be a DataFrame or the path of a file or folder."
        )
    path = expanded(source, argument="source")
    if path.is_dir():
        found = sorted(
            p
            for p in path.rglob("*")
            if p.name.lower().endswith(_SUFFIXES) and not p.name.startswith(".") and p.is_file()
        )
        if not found:
            raise InvalidInputError(
                f"source={as_given(str(path))} has no file that ends in {' or '.join(_SUFFIXES)}."
            )
        return found
    if not path.is_file():
        raise InvalidInputError(f"source={as_given(str(path))} does not exist.")
    if not path.name.lower().endswith(_SUFFIXES):
        raise InvalidInputError(
            f"source={as_given(str(path))} must end in {' or '.join(_SUFFIXES)}."
        )
    return [path]


def read_pieces(
    path: Path,
    columns: Mapping[str, str] | None,
    *,
    decimal: Literal[".", ","] = ".",
    on_bytes: Callable[[int], object] = lambda count: None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[pd.DataFrame]:
    """Read a file piece by piece; the index is the line in a CSV file, the row in a Parquet one.

    Parameters
    ----------
    path
        Of the file.
    columns
        As in `mapping.source_columns`.
    decimal
        What parts the decimals of numbers in a CSV file.
    on_bytes
        Called after each piece with the bytes of the file that it took.
    chunk_rows
        Rows of a piece.

    Yields
    ------
    pandas.DataFrame
        Of a CSV file symbols and times as text, the rest as the file has it.

    Raises
    ------
    InvalidBarsError
        If a column is missing or a line has too many fields.
    StorageError
        If the file cannot be read, or ends in the middle of its compressed stream.
    """
    if path.name.lower().endswith(".parquet"):
        yield from _parquet_pieces(path, on_bytes=on_bytes, chunk_rows=chunk_rows)
    else:
        yield from _csv_pieces(
            path, columns, decimal=decimal, on_bytes=on_bytes, chunk_rows=chunk_rows
        )


def _parquet_pieces(
    path: Path, *, on_bytes: Callable[[int], object], chunk_rows: int
) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=chunk_rows):
                piece = batch.replace_schema_metadata(None).to_pandas()  # notes may say anything
                piece.index = pd.RangeIndex(row, row + len(piece))
                row += len(piece)
                yield piece
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read, perhaps half written: {error}.") from None
    on_bytes(path.stat().st_size)


def _csv_pieces(
    path: Path,
    columns: Mapping[str, str] | None,
    *,
    decimal: Literal[".", ","],
    on_bytes: Callable[[int], object],
    chunk_rows: int,
) -> Iterator[pd.DataFrame]:
    try:
        delimiter, names = csv_header(path)
        found = source_columns(names, columns)
        text = [found[name] for name in ("symbol", "timestamp", "time") if name in found]
        numbers: dict[Any, Any] = {found[name]: _MISSING for name in VALUES}
        missing = {**numbers, **{name: [""] for name in text}}
        with (
            path.open("rb") as file,
            pd.read_csv(
                file,
                compression=_compression(path),
                sep=delimiter,
                decimal=decimal,
                dtype=dict.fromkeys(text, "str"),
                na_values=missing,
                keep_default_na=False,
                chunksize=chunk_rows,
            ) as pieces,
        ):
            read = 0
            for piece in pieces:
                if not isinstance(piece.index, pd.RangeIndex):
                    raise InvalidBarsError(f"the lines of {path} have more fields than its header.")
                piece.index = piece.index + 2
                _require_numbers(piece, found, path)
                yield piece
                on_bytes(file.tell() - read)
                read = file.tell()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InvalidBarsError(f"{path} is not a readable CSV file: {error}.") from None
    except (EOFError, zlib.error) as error:
        raise StorageError(f"{path} ends too early, it was only half written: {error}.") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}.") from None


def _compression(path: Path) -> Literal["gzip"] | None:
    return "gzip" if path.name.lower().endswith(".gz") else None


def open_text(path: Path) -> IO[str]:
    """Open a CSV or CSV.gz file, past the mark that some programs put before the first name."""
    if _compression(path):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def csv_header(path: Path) -> tuple[str, list[str]]:
    """Return what parts the fields of a CSV file, and the names in its first line as they stand.

    Raises
    ------
    InvalidBarsError
        If the file is empty.
    OSError, UnicodeDecodeError, EOFError
        If it cannot be read.
    """
    with open_text(path) as file:
        line = file.readline(_LONGEST_HEADER)
        while line and not line.strip():
            line = file.readline(_LONGEST_HEADER)
    if not line:
        raise InvalidBarsError(f"{path} is empty; it needs a line of column names.")
    delimiter = max(_DELIMITERS, key=line.count)
    return delimiter, next(csv.reader([line], delimiter=delimiter))


def _require_numbers(piece: pd.DataFrame, found: Mapping[str, str], path: Path) -> None:
    """Refuse columns of numbers such as ``10,5``, which would all be missing ones."""
    for name in VALUES:
        column = piece[found[name]]
        if isinstance(column.dtype, pd.StringDtype) and len(present := column.dropna()):
            is_comma = present.str.fullmatch(_WITH_COMMAS)
            if is_comma.mean() > 0.5:
                raise InvalidBarsError(
                    f"column {found[name]!r} of {path} holds {present[is_comma].iloc[0]!r}: say "
                    f"decimal=',' if that is a decimal comma; thousands must not be parted."
                )


def tree_symbol(path: Path) -> str | None:
    """Return the symbol whose folder of a trading system's tree a file lies in, or None.

    Examples
    --------
    >>> tree_symbol(Path("US_EQUITY/bars/1m/AAPL/2025/07/02.parquet"))
    'AAPL'
    """
    parts = path.parts[:-1]
    for top, length, symbol in zip(parts, parts[1:], parts[2:], strict=False):
        if top == "bars" and is_interval(length) and is_symbol(symbol):
            return symbol
    return None


def symbol_of(path: Path) -> str | None:
    """Return the symbol that a file is named by, such as ``AAPL.csv``, or its folder in a tree."""
    if (folder := tree_symbol(path)) is not None:
        return folder
    stem = path.name
    for suffix in reversed(_SUFFIXES):
        stem = stem.removesuffix(suffix)
    return stem if is_symbol(stem) else None
