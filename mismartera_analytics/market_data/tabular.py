"""Small tables that a caller gives as a frame or as a CSV file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mismartera_analytics.errors import InvalidInputError, StorageError

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
        return source
    if not isinstance(source, (str, Path)):
        raise InvalidInputError(
            f"{what} are given as {type(source).__name__}; pass a DataFrame or a CSV file's path."
        )
    try:
        table = pd.read_csv(
            source, dtype="str", keep_default_na=False, na_values=[""], skipinitialspace=True,
            encoding="utf-8-sig",
        )  # fmt: skip
    except (OSError, EOFError) as error:
        raise StorageError(
            f"{source} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{source} is no CSV file of {what}: {error}.") from None
    return table.rename(columns=lambda name: str(name).strip().lower())
