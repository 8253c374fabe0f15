"""What a query is and names, read from DuckDB's own parser before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mismartera_analytics.errors import InvalidInputError, NotAllowedError
from mismartera_analytics.queries.sql_failures import sentence_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAX_QUERY", "Statement", "inspect"]

MAX_QUERY = 1_000_000
"""Characters of a query."""
CATALOG = (
    "duckdb_columns", "duckdb_tables", "duckdb_views", "pg_attribute", "pg_class", "pg_tables",
    "pg_views", "sqlite_master", "sqlite_schema",
)  # fmt: skip
"""Tables and functions that list what there is."""
TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_functions", "duckdb_keywords", "duckdb_types", "generate_series", "json_each",
        "json_tree", "pg_timezone_names", "range", "repeat", "unnest", *CATALOG[:3],
    }
)  # fmt: skip
"""Table functions that compute or list; all others, which read files or memory, are refused."""
_READING = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "STATEMENT_NODE"}
)
_EXPLAIN = re.compile(r"\A\s*explain\s+(?:analyze\s+)?", re.IGNORECASE)
_ALLOWED = "sql() reads only: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"


@dataclass(frozen=True)
class Statement:
    """What a query names.

    Attributes
    ----------
    tables
        Paths of the tables: ``("orders",)`` or ``("main", "orders")``.
    defined
        Names that the query defines itself, in WITH.
    lists_tables
        Whether it asks which tables or columns there are.
    """

    tables: tuple[tuple[str, ...], ...]
    defined: frozenset[str]
    lists_tables: bool


def inspect(connection: DuckDBPyConnection, query: str) -> Statement:
    """Return what a query names, or refuse it.

    Parameters
    ----------
    connection
        Parses; nothing runs.
    query
        As the caller wrote it.

    Returns
    -------
    Statement

    Raises
    ------
    NotAllowedError
        If it does anything but read, or reads by a function that reaches files or memory.
    InvalidInputError
        If it is no text, empty, too long, several statements, or cannot be parsed.
    """
    _check_text(query)
    parsed = _parsed(connection, _EXPLAIN.sub("", query, count=1))  # EXPLAIN itself has no tree
    tables, defined = [], set()
    lists_tables = False
    for node in _nodes(parsed):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING:
            raise NotAllowedError(f"query holds {_article(kind.split('_')[0])}; {_ALLOWED}.")
        if kind == "BASE_TABLE":
            tables.append(tuple(node["qualified_name"]["path"]))
        elif kind == "SHOW_REF":
            lists_tables |= "query" not in node
        elif kind == "TABLE_FUNCTION":
            name = _function_of(node)
            lists_tables |= name in CATALOG
        elif "cte_map" in node:
            defined |= {entry["key"].casefold() for entry in node["cte_map"].get("map", ())}
    return Statement(tuple(tables), frozenset(defined), lists_tables)


def _check_text(query: object) -> None:
    if not isinstance(query, str):
        raise InvalidInputError(f"query is a {type(query).__name__}, not text.")
    if len(query) > MAX_QUERY:
        raise InvalidInputError(
            f"query has {len(query):,} characters; at most {MAX_QUERY:,} are read. Pass values with "
            f"params=, tables as frames."
        )
    if "\0" in query or any("\ud800" <= char <= "\udfff" for char in query):
        raise InvalidInputError("query holds a NUL or half of a character, which no SQL has.")


def _parsed(connection: DuckDBPyConnection, query: str) -> Any:
    row = connection.execute("select json_serialize_sql(?::varchar, skip_null := true)", [query])
    try:
        parsed = json.loads(row.fetchall()[0][0])
    except RecursionError:
        raise InvalidInputError(
            "query nests expressions too deeply; write it with WITH, or pass values with params=."
        ) from None
    if parsed.get("error"):
        if parsed["error_type"] == "not implemented":
            raise _refusal(connection, query)
        raise InvalidInputError(f"query: {sentence_of(parsed['error_message'])}")
    statements = parsed["statements"]
    if len(statements) != 1:
        several = f"{len(statements)} statements" if statements else "no statement"
        raise InvalidInputError(f"query holds {several}; write one.")
    return statements[0]


def _refusal(connection: DuckDBPyConnection, query: str) -> NotAllowedError | InvalidInputError:
    kinds = [statement.type.name for statement in connection.extract_statements(query)]
    if kinds == ["MULTI"]:
        return InvalidInputError(
            "query: PIVOT needs its values written out, as in PIVOT t ON x IN ('a', 'b') USING sum(y)."
        )
    told = ", ".join(_article(kind) for kind in dict.fromkeys(kinds) if kind != "SELECT")
    return NotAllowedError(f"query holds {told or 'what cannot be looked through'}; {_ALLOWED}.")


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind} statement"


def _nodes(parsed: Any) -> Iterator[dict[str, Any]]:
    waiting = [parsed]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def _function_of(node: dict[str, Any]) -> str:
    path = node["function"]["qualified_name"]["path"]
    name = str(path[-1]).casefold()
    if name not in TABLE_FUNCTIONS:
        raise NotAllowedError(
            f"query reads from the function {name}(), which is not allowed; sql() reads tables, frames "
            f"and {', '.join(sorted(TABLE_FUNCTIONS - set(CATALOG)))}."
        )
    return name
