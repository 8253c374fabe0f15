"""`sql`: one read-only query over bars, the database's tables and frames."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.market_data.scanning import bar_dataset, stored_intervals
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.sql_failures import failure_of
from mismartera_analytics.queries.sql_frames import checked_frames, typed_frame
from mismartera_analytics.queries.sql_statement import CATALOG, Statement, inspect
from mismartera_analytics.queries.sql_tables import database_tables, read_database_table
from mismartera_analytics.recording.ownership import Scope, UserLike, reading, scope_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from sqlalchemy.orm import Session

__all__ = ["sql"]

_LOCKED = {
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "memory_limit": "60%",
    "python_enable_replacements": "false",
}
_OWN_SCHEMAS = ("main", "temp")
_CATALOG_SCHEMAS = ("information_schema", "pg_catalog")


def sql(
    query: str,
    /,
    *,
    user: UserLike | None = None,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
    tz: str | None = None,
    **frames: Any,
) -> pd.DataFrame:
    """Return the answer to a query in SQL, as DuckDB reads it.

    Parameters
    ----------
    query
        One statement that reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES or
        EXPLAIN. It may name the configured store's bars as ``bars_1m``, ``bars_1d`` … (one table an
        interval; a filter on `symbol`, `timestamp` or `session` reads only the files that may match),
        the database's tables by their names (``orders``, ``fills``, ``account_info`` …) and the frames
        passed.
    user
        Only this user's rows: a name, an id or a `User`.
    params
        Values for ``?`` (a sequence) or ``$name`` (a mapping).
    tz
        IANA zone of the instants returned; UTC by default. Inside the query it is UTC always.
    **frames
        Tables of the caller's own: DataFrames, Series or Arrow tables. Named levels of an index become
        columns. A name that is a table's is refused.

    Returns
    -------
    pandas.DataFrame
        Instants ``datetime64[us, UTC]``, dates ``datetime64[us]``, text and times of day ``str``, whole
        numbers int64 (Int64 where some are missing), decimals float64, lengths of time
        ``timedelta64[us]``; lists and structs as Arrow types. Nothing is ``object``. The order of rows
        is the query's; without ORDER BY there is none.

    Raises
    ------
    NotAllowedError
        If the query does anything but read tables and frames, or somebody who is not a superuser asks
        for another user's rows or a table that is for superusers.
    UnknownNameError
        If a table, column, function or user is not known; the nearest name is suggested.
    InvalidInputError
        If the query cannot be parsed or run, or a frame or value cannot be used.
    NaiveDatetimeError
        If a value in `params` has a time of day without a zone.
    StorageError
        If bars cannot be read, or memory or disk run out.

    Notes
    -----
    Inside ``as_user`` the tables hold that user's rows and nothing else, whatever the query says.
    ``users`` has no password hashes. ``fills`` has what was recorded; `fills` the helper also counts an
    order without recorded fills as one fill.

    Examples
    --------
    >>> ma.sql('''
    ...     select symbol, side, quantity, close
    ...     from orders join bars_1d using (symbol)
    ...     where session = filled_at::date and filled_at >= '2012-12-01' order by filled_at limit 2
    ... ''').columns.tolist()
    ['symbol', 'side', 'quantity', 'close']
    >>> ma.sql("select count(*) as n from held where quantity > $least",
    ...        held=ma.positions(), params={"least": 0})["n"].item() == len(ma.positions())
    True
    """
    import duckdb

    if tz is not None:
        clock.zone(tz)
    values = _checked_params(params)
    store = BarStore()
    reserved = {*database_tables(), *CATALOG, *_OWN_SCHEMAS, *_CATALOG_SCHEMAS}
    own = checked_frames(frames, reserved)
    with _connection() as connection:
        statement = inspect(connection, query)
        relations = {**own, **_relations(statement, store, set(own), user)}
        for name, relation in relations.items():
            try:
                connection.register(name, relation)
            except duckdb.NotImplementedException as error:
                raise InvalidInputError(
                    f"frame {name!r} has a column of a type that DuckDB does not know: "
                    f"{as_given(str(error))}."
                ) from None
        connection.execute("SET lock_configuration=true")
        try:
            table, types = _answered(connection, query, values)
        except duckdb.Error as error:
            columns = {c for relation in relations.values() for c in relation.schema.names}
            raise failure_of(error, tables=relations, columns=columns) from None
        return typed_frame(table, types, tz=tz)


def _answered(
    connection: DuckDBPyConnection, query: str, values: Any
) -> tuple[pa.Table, list[str]]:
    """Return the answer and DuckDB's names of its types.

    The query runs in a thread of its own: DuckDB asks for Ctrl-C, or a notebook's stop, only now and
    then, but always heeds `interrupt`.
    """

    def run() -> tuple[pa.Table, list[str]]:
        found = connection.sql(query, params=values)
        return found.to_arrow_table(), [str(kind) for kind in found.types]

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(run)
        try:
            return running.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


@contextlib.contextmanager
def _connection() -> Iterator[DuckDBPyConnection]:
    """Give a database in memory that reaches no file, no network and no variable of the caller's."""
    import duckdb

    with contextlib.ExitStack() as stack:
        try:
            spill = stack.enter_context(tempfile.TemporaryDirectory(prefix="mismartera-sql-"))
            connection = duckdb.connect(":memory:", config={**_LOCKED, "temp_directory": spill})
        except (OSError, duckdb.IOException) as error:  # also where the current folder is gone
            raise StorageError(
                f"the query has no folder to work in ({error}); go to one that is there. TMPDIR says "
                f"where large ones are put aside."
            ) from None
        try:
            connection.execute("SET TimeZone='UTC'")
            # A notebook without ipywidgets has no progress bar, and refuses that it is turned off.
            shows_progress = connection.sql("SELECT current_setting('enable_progress_bar')")
            if shows_progress.fetchall() == [(True,)]:
                connection.execute("SET enable_progress_bar=false")
            yield connection
        finally:
            connection.close()


@repeated
def _relations(
    statement: Statement, store: BarStore, own: set[str], user: UserLike | None
) -> dict[str, Any]:
    """Return what the query names besides the caller's frames: datasets of bars and Arrow tables."""
    wanted = _named(statement)
    intervals = stored_intervals(store)
    bars = {f"bars_{interval}": interval for interval in intervals}
    tables = database_tables()
    unknown = sorted(wanted - own - bars.keys() - tables.keys() - statement.defined)
    if unknown:
        raise _unknown_table(unknown[0], own, bars, tables, store)
    if _lists_tables(statement):
        wanted |= bars.keys()
    relations = {
        name: bar_dataset(store, interval) for name, interval in bars.items() if name in wanted
    }
    asked = wanted & tables.keys()
    if user is None and not asked and not _lists_tables(statement):
        return relations
    try:
        with reading(None) as db_session:
            scope = scope_of(db_session, user=user)
            return relations | _tables_of(db_session, scope, statement, asked)
    except DatabaseNotReadyError:
        if user is not None or asked:
            raise
        return relations  # there is no database yet whose tables could be listed


def _tables_of(
    db_session: Session, scope: Scope, statement: Statement, wanted: set[str]
) -> dict[str, Any]:
    read = {name: read_database_table(db_session, name, scope) for name in sorted(wanted)}
    if _lists_tables(statement):  # those that are only listed have columns and no rows
        for name in database_tables(scope=scope).keys() - wanted:
            read[name] = read_database_table(db_session, name, scope, with_rows=False)
    return read


def _named(statement: Statement) -> set[str]:
    """Return the tables that the query names without a schema, or in one that is ours."""
    named = set()
    for path in statement.tables:
        folded = tuple(part.casefold() for part in path)
        if len(folded) == 1 and folded[0] in CATALOG:
            continue
        if len(folded) == 2 and folded[0] in _CATALOG_SCHEMAS:
            continue
        if len(folded) == 1 or (len(folded) == 2 and folded[0] in _OWN_SCHEMAS):
            named.add(folded[-1])
        else:
            named.add(".".join(folded))
    return named


def _lists_tables(statement: Statement) -> bool:
    return statement.lists_tables or any(
        path[-1].casefold() in CATALOG or path[0].casefold() in _CATALOG_SCHEMAS
        for path in statement.tables
    )


def _unknown_table(
    name: str, own: set[str], bars: Mapping[str, str], tables: Mapping[str, Any], store: BarStore
) -> UnknownNameError:
    if name.startswith("bars_"):
        held = f"it has {', '.join(bars)}" if bars else "it is empty; ingest_bars() brings bars in"
        return UnknownNameError(
            f"query: the bar store {store.uri} has no table {name!r}{suggestion(name, bars)} ({held})."
        )
    hint = suggestion(name, [*own, *bars, *tables]) or "; SHOW TABLES lists what there is."
    return UnknownNameError(f"query: the table {name!r} is not known{hint}")


def _checked_params(params: Sequence[Any] | Mapping[str, Any] | None) -> Any:
    if params is None:
        return None
    if isinstance(params, Mapping):
        return {str(name): _checked_value(value, f"${name}") for name, value in params.items()}
    if isinstance(params, str | bytes) or not isinstance(params, Sequence):
        raise InvalidInputError(
            f"params={as_given(params)} must be a list for ? or a mapping for $name."
        )
    return [_checked_value(value, f"params[{i}]") for i, value in enumerate(params)]


def _checked_value(value: Any, argument: str) -> Any:
    """Return a value that DuckDB takes; a time of day needs its zone, as everywhere."""
    if isinstance(value, dt.datetime):
        return clock.parse_bound(value, argument=argument)
    dtype = getattr(value, "dtype", None)
    if dtype in ("datetime64[ns]", "timedelta64[ns]"):  # NumPy would make integers of them
        value = value.astype(str(dtype).replace("ns", "us"))
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers, Series
        return _checked_value(value.tolist(), argument)
    if isinstance(value, list | tuple):
        return [_checked_value(item, argument) for item in value]
    return value
