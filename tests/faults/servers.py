"""A PostgreSQL server that keeps its promises, to be stopped and started while it is used."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psutil

from tests.postgres_servers import new_server, url_of_server


class Server:
    """One server with durable settings, as `initdb` leaves them."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = url_of_server(server)

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


@contextlib.contextmanager
def durable_server() -> Iterator[Server]:
    """Run a server whose acknowledged transactions outlive a crash.

    Yields
    ------
    Server
    """
    with new_server() as server:
        yield Server(server)
