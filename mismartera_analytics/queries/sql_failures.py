"""DuckDB's errors as ours: one sentence, with the nearest name where a name is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection

from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    NotAllowedError,
    StorageError,
    UnknownNameError,
    suggestion,
)

__all__ = ["failure_of", "sentence_of"]

_KIND = re.compile(r"^[A-Z][\w\- ]* (?:Error|exception): ")
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_COLUMN = (
    re.compile(r'Referenced column "(.+?)" not found'),
    re.compile(r'does not have a column named "(.+?)"'),
    re.compile(r'column "(.+?)" does not exist'),
)
_TABLE = (
    re.compile(r'Referenced table "(.+?)" not found'),
    re.compile(r"Table with name (.+?) does not exist"),
)
_BARS = re.compile(r"stream registered as '(bars_\w+)' failed: (?:\w+: )?(.+)")
_FUNCTION = re.compile(r"Function with name (\S+) does not exist!(?:\s+Did you mean \"(.+?)\")?")


def sentence_of(message: str) -> str:
    r"""Return DuckDB's message as one sentence: no prefix, no picture of the line.

    Examples
    --------
    >>> sentence_of('Parser Error: syntax error at or near "x"\n\nLINE 1: select * frm x')
    'syntax error at or near "x".'
    """
    said = _KIND.sub("", message.strip()).split("\n")[0].strip().rstrip(".!")
    line = _LINE.search(message)
    where = f" (line {line[1]})" if line and line[1] != "1" else ""
    return f"{said[:300]}{where}."


def failure_of(
    error: Exception, *, tables: Collection[str], columns: Collection[str]
) -> MismarteraError:
    """Return our error for one of DuckDB's.

    Parameters
    ----------
    error
        What DuckDB raised.
    tables, columns
        Names to suggest.

    Returns
    -------
    MismarteraError
        UnknownNameError for names, NotAllowedError for what is locked, StorageError when memory or disk
        run out, InvalidInputError for the rest.
    """
    import duckdb

    message = str(error)
    if isinstance(error, duckdb.PermissionException):
        return NotAllowedError(
            "query reaches for a file or the network; sql() reads tables and frames only."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StorageError(
            f"the query needs more memory than DuckDB may take: {sentence_of(message)}"
        )
    if isinstance(error, duckdb.IOException):
        return StorageError(f"the query stopped: {sentence_of(message)}")
    if broken := _BARS.search(message):
        return StorageError(f"the files of {broken[1]} cannot be read: {broken[2].rstrip('.')}.")
    return _unknown(message, tables, columns) or InvalidInputError(f"query: {sentence_of(message)}")


def _unknown(
    message: str, tables: Collection[str], columns: Collection[str]
) -> UnknownNameError | None:
    for patterns, kind, known in ((_COLUMN, "column", columns), (_TABLE, "table", tables)):
        for pattern in patterns:
            if found := pattern.search(message):
                hint = suggestion(found[1], known) or "."
                return UnknownNameError(f"query: the {kind} {found[1]!r} is not known{hint}")
    if found := _FUNCTION.search(message):
        hint = f", did you mean {found[2]!r}?" if found[2] else "."
        return UnknownNameError(f"query: the function {found[1]!r} is not known{hint}")
    return None
