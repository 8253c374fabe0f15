"""A script that reads ranges of one state of an SQLite file and writes them as Arrow streams.

It runs in a process of its own. The driver brings its own SQLite, and two SQLites in one process are
not safe on one file: POSIX drops a process's locks on a file when any of its descriptors is closed
(sqlite.org/howtocorrupt.html, 2.2). So nothing of the package is imported here.

Standard input is a JSON object: ``uri``, ``batch_rows``, ``queries`` (text and values). Standard output
is one stream a query, or nothing and exit code 3 while others keep writing.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

__all__ = ["BUSY", "main"]

BUSY = 3
ATTEMPTS = 5


def main() -> int:
    """Read what standard input asks for; return the exit code."""
    import pyarrow as pa
    from adbc_driver_sqlite import dbapi

    asked = json.load(sys.stdin)
    queries, rows = asked["queries"], str(asked["batch_rows"])
    with ExitStack() as stack:
        watch, *connections = [
            stack.enter_context(dbapi.connect(asked["uri"])) for _ in range(len(queries) + 1)
        ]
        if not _at_one_state(watch, connections):
            return BUSY

        def read(connection: Any, query: tuple[str, list[Any]]) -> Any:
            with connection.cursor() as cursor:
                # The driver takes a column's type from its first batch, so a range is one batch.
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": rows})
                cursor.execute(*query)
                return cursor.fetch_arrow_table()

        with ThreadPoolExecutor(len(queries)) as pool:
            tables = list(pool.map(read, connections, queries))
    for table in tables:
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    return 0


def _at_one_state(watch: Any, connections: list[Any]) -> bool:
    """Begin a transaction on each connection, all on the same state of the file."""
    for _ in range(ATTEMPTS):
        before = _data_version(watch)
        for connection in connections:
            connection.rollback()
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM sqlite_master")
                cursor.fetchone()
        if _data_version(watch) == before:
            return True
    return False


def _data_version(connection: Any) -> int:
    connection.rollback()  # of its own old state the version would never change
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        version: int = cursor.fetchone()[0]
    return version


if __name__ == "__main__":
    sys.exit(main())
