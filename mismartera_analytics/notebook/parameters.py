"""What a query of a notebook takes from it: values as bound parameters, frames by their names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mismartera_analytics.errors import InvalidInputError, UnknownNameError, suggestion

__all__ = ["Asked", "asked_of", "frames_of", "values_of"]

_BEFORE = b"=<>!+-*/%(,|~&^ \t\r\n[{"
"""What may stand right before a parameter's colon; after anything else it is part of SQL."""
_NAMES = ("identifier", "keyword")


@dataclass(frozen=True)
class Asked:
    """A query as DuckDB reads it.

    Attributes
    ----------
    query
        With ``$name`` in place of ``:name``.
    names
        The parameters, each once.
    """

    query: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    raw: bytes

    @property
    def text(self) -> bytes:
        return self.raw.rstrip()


def asked_of(text: str) -> Asked:
    """Return a query with its parameters ``:name`` as DuckDB's ``$name``; nothing is pasted in.

    Texts, quoted names and comments stay as they are, and so do casts (``x::date``), slices
    (``x[1:n]``) and the colons of structs.

    Parameters
    ----------
    text
        As it was written.

    Returns
    -------
    Asked

    Examples
    --------
    >>> asked_of("select ':a', x::date from t where n > :least and m < $most")
    Asked(query="select ':a', x::date from t where n > $least and m < $most", names=('least', 'most'))
    """
    tokens = list(_tokens(text.encode()))
    pieces = [token.raw for token in tokens]
    names = []
    for place, (mark, name) in enumerate(itertools.pairwise(tokens)):
        if name.kind not in _NAMES or name.text.startswith(b'"'):
            continue
        if mark.raw == b":" and _stands_alone(tokens, place):
            pieces[place] = b"$"
            names.append(name.text.decode())
        elif mark.raw == b"$":
            names.append(name.text.decode())
    return Asked(b"".join(pieces).decode(), tuple(dict.fromkeys(names)))


def _tokens(raw: bytes) -> Iterator[_Token]:
    """Yield all of a query: DuckDB's tokens, each with the blanks after it."""
    import duckdb

    found = duckdb.tokenize(raw.decode())
    starts = [place for place, _ in found]
    yield _Token("blank", raw[: starts[0] if starts else None])
    for (at, kind), end in zip(found, [*starts, len(raw)][1:], strict=True):
        yield _Token(kind.name, raw[at:end])


def _stands_alone(tokens: list[_Token], place: int) -> bool:
    before = tokens[place - 1]  # the first token is the blanks at the start
    if not before.raw:
        return True
    if before.raw[-1:] not in _BEFORE:
        return False
    opens_slice = before.raw == b"[" and place > 1 and tokens[place - 2].raw[-1:] not in _BEFORE
    return not opens_slice


def values_of(names: tuple[str, ...], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters.

    Parameters
    ----------
    names
        As `asked_of` found them.
    variables
        Of the notebook.

    Raises
    ------
    UnknownNameError
        If there is no variable of that name; the nearest is suggested.
    InvalidInputError
        If it holds a whole table, which a query names instead.

    Examples
    --------
    >>> values_of(("least",), {"least": 3, "most": 9})
    {'least': 3}
    """
    import pandas as pd

    own = [name for name in variables if not name.startswith("_")]
    for name in names:
        if name not in variables:
            hint = suggestion(name, own) or "."
            raise UnknownNameError(f"query: :{name} is no variable of this notebook{hint}")
        if isinstance(variables[name], pd.DataFrame):
            raise InvalidInputError(
                f"query: :{name} is a frame, not a value; write its name without the colon, as a table."
            )
    return {name: variables[name] for name in names}


def frames_of(query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the frames of a notebook that a query names as tables.

    A table of the library goes before a variable of the same name.

    Parameters
    ----------
    query
        As DuckDB reads it.
    variables
        Of the notebook.

    Raises
    ------
    MismarteraError
        If the query does anything but read, or cannot be parsed.
    """
    import duckdb
    import pandas as pd

    from mismartera_analytics.market_data.scanning import stored_intervals
    from mismartera_analytics.market_data.store import BarStore
    from mismartera_analytics.queries.sql_statement import CATALOG, inspect
    from mismartera_analytics.queries.sql_tables import database_tables

    with duckdb.connect(":memory:") as connection:
        named = {path[0] for path in inspect(connection, query).tables if len(path) == 1}
    found = {
        name: variables[name] for name in named if isinstance(variables.get(name), pd.DataFrame)
    }
    if not found:
        return {}
    ours = {*database_tables(), *CATALOG}
    ours |= {f"bars_{interval}" for interval in stored_intervals(BarStore())}
    return {name: frame for name, frame in found.items() if name.casefold() not in ours}
