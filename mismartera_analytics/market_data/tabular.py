"""Small tables that a caller gives as a frame or as a CSV file."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import pandas as pd

from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.frames.given import check_table
from mismartera_analytics.given_files import MAX_MB, read_given

__all__ = ["table_given"]


def table_given(source: pd.DataFrame | str | Path, *, what: str) -> pd.DataFrame:
    """Return a frame, read from a CSV file where a path is given.

    Parameters
    ----------
    source
        A frame, or the path of a CSV or CSV.gz file with a line of column names.
    what
        What the rows are, for error messages.

    Returns
    -------
    pandas.DataFrame
        From a file: text as it is written there, so that a ticker such as ``NA`` or ``TRUE`` stays
        one; empty cells are missing. Names of columns without blanks around them, in small letters.

    Raises
    ------
    StorageError
        If the file cannot be read.
    InvalidInputError
        If it is no CSV file, or `source` is neither.
    """
    if isinstance(source, pd.DataFrame):
        check_table(source, argument=what)
        return source
    if not isinstance(source, (str, Path)):
        raise InvalidInputError(
            f"{what} are given as {type(source).__name__}; pass a DataFrame or a CSV file's path."
        )
    text = io.BytesIO(_unpacked(Path(source)))
    try:
        table = pd.read_csv(
            text, dtype="str", keep_default_na=False, na_values=[""], skipinitialspace=True,
            encoding="utf-8-sig",
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{source} is no CSV file of {what}: {error}.") from None
    table = table.rename(columns=lambda name: str(name).strip().lower())
    check_table(table, argument=str(source))
    return table


def _unpacked(path: Path) -> bytes:
    """Return what a file holds, of a ``.gz`` what is packed in it, up to a bound."""
    raw = read_given(path, argument="source")
    if not path.name.lower().endswith(".gz"):
        return raw
    try:
        with gzip.open(io.BytesIO(raw)) as file:
            text = file.read(MAX_MB * 1_000_000 + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{path} cannot be read: {error}.") from None
    if len(text) > MAX_MB * 1_000_000:
        raise InvalidInputError(f"{path} unpacks to more than {MAX_MB} million bytes.")
    return text
