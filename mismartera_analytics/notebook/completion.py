"""Completion inside ``%%ma_sql``: tables after FROM, columns of the tables named, parameters."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mismartera_analytics import config
from mismartera_analytics.errors import MismarteraError

__all__ = ["Catalog", "Suggestion", "suggestions"]

_FRESH = 20.0
"""How long the names of tables and columns are taken for known [s]."""
_WORD = re.compile(r"[\w.:$]*\Z")
_AFTER_TABLE_WORD = re.compile(r"\b(?:from|join|describe|summarize)\s+(?:[\w\"]+\s*,\s*)*\Z", re.I)
_CLAUSE_ENDS = (
    r"\b(?:where|group|order|having|limit|on|using|join|left|right|inner|full|cross|asof|union|qualify|"
    r"window|select)\b|[();]|\Z"
)
_TABLE = re.compile(rf"\b(?:from|join)\s+(.+?)(?={_CLAUSE_ENDS})", re.I | re.S)
_ALIASED = re.compile(r"\s*(\w+)(?:\s+(?:as\s+)?(\w+))?\s*\Z", re.I)
_KEYWORDS = (
    "select", "from", "where", "group by", "order by", "having", "limit", "join", "left join",
    "asof join", "using", "on", "and", "or", "not", "in", "between", "like", "is null", "case", "when",
    "then", "else", "end", "distinct", "count(*)", "sum", "avg", "min", "max", "median", "stddev",
    "with", "union all", "over", "partition by", "qualify", "describe", "summarize", "show tables",
    "asc", "desc", "as", "date_trunc", "coalesce", "round",
)  # fmt: skip


@dataclass(frozen=True)
class Suggestion:
    """One completion: its text, and what it is."""

    text: str
    kind: str


@dataclass
class Catalog:
    """The tables that a query may name and their columns, as the current user sees them."""

    _key: Any = None
    _until: float = 0.0
    _tables: dict[str, list[str]] = field(default_factory=dict)

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of each table; what cannot be read is left out."""
        from mismartera_analytics.auth import current_user

        settings = config.settings()
        key = (settings.database_url, settings.bar_store, current_user())
        if key != self._key or time.monotonic() > self._until:
            self._tables = _read()
            self._key, self._until = key, time.monotonic() + _FRESH
        return self._tables


def _read() -> dict[str, list[str]]:
    from mismartera_analytics.queries.sql import sql

    try:
        found = sql(
            "select table_name, column_name from duckdb_columns() where not internal "
            "order by table_name, column_index"
        )
    except MismarteraError:  # a completion never raises: there is nothing to suggest
        return {}
    columns: dict[str, list[str]] = {}
    for name, column in found.itertuples(index=False, name=None):
        columns.setdefault(name, []).append(column)
    return columns


def suggestions(
    query: str, before: str, *, tables: Mapping[str, list[str]], variables: Mapping[str, Any]
) -> tuple[str, list[Suggestion]]:
    """Return the fragment before the cursor and what it may become, the likeliest first.

    Parameters
    ----------
    query
        All of it.
    before
        The part of it before the cursor.
    tables
        Columns by table.
    variables
        Of the notebook: their names complete ``:name``, and frames among them are tables.

    Examples
    --------
    >>> suggestions("from ord", "from ord", tables={"orders": ["id"]}, variables={})
    ('ord', [Suggestion(text='orders', kind='table')])
    """
    import pandas as pd

    word = _WORD.search(before)
    fragment = word[0] if word else ""
    frames = {
        name: [str(column) for column in value.columns]
        for name, value in variables.items()
        if isinstance(value, pd.DataFrame) and not name.startswith("_")
    }
    known = {**frames, **tables}
    if fragment[:1] in (":", "$"):
        names = _values(variables)
        return fragment[1:], _starting(names, fragment[1:], "parameter")
    if "." in fragment:
        owner, _, part = fragment.rpartition(".")
        columns = known.get(_aliases(query).get(owner.casefold(), owner.casefold()), [])
        return part, _starting(columns, part, "column")
    if _AFTER_TABLE_WORD.search(before[: len(before) - len(fragment)]):
        found = _starting(tables, fragment, "table") + _starting(frames, fragment, "frame")
        return fragment, list({item.text: item for item in reversed(found)}.values())[::-1]
    named = list(dict.fromkeys(_aliases(query).values())) or list(known)
    columns = [column for name in named for column in known.get(name, ())]
    return fragment, [
        *_starting(dict.fromkeys(columns), fragment, "column"),
        *_starting(_KEYWORDS, fragment, "keyword"),
        *_starting(tables, fragment, "table"),
    ]


def _values(variables: Mapping[str, Any]) -> list[str]:
    import types

    import pandas as pd

    other = (types.ModuleType, type, pd.DataFrame)
    return [
        name
        for name, value in variables.items()
        if not name.startswith("_") and not isinstance(value, other) and not callable(value)
    ]


def _starting(names: Iterable[str], part: str, kind: str) -> list[Suggestion]:
    folded = part.casefold()
    return [Suggestion(name, kind) for name in names if name.casefold().startswith(folded)]


def _aliases(query: str) -> dict[str, str]:
    """Return the tables that a query names, by their aliases and their own names."""
    found: dict[str, str] = {}
    for clause in _TABLE.finditer(query):
        for item in clause[1].split(","):
            if named := _ALIASED.match(item):
                table = named[1].casefold()
                found[table] = table
                if named[2]:
                    found[named[2].casefold()] = table
    return found
