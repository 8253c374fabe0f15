"""A network between us and PostgreSQL that breaks when told: bytes pass through a socket of our own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import make_url


class Proxy:
    """Forwards connections to a server's socket; each is cut as `cut` says.

    Attributes
    ----------
    cut
        Called with what a client sends: ``"pass"``, ``"before"`` (the server never sees it) or
        ``"after"`` (the server has answered, the client never hears of it).
    """

    def __init__(self, target: Path) -> None:
        self.cut: Callable[[bytes], str] = lambda _sent: "pass"
        self.is_open = True
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def once(self, word: bytes, how: str) -> list[bytes]:
        """Break the next connection that sends a word; the list tells whether that has happened."""
        done: list[bytes] = []

        def cut(sent: bytes) -> str:
            if word not in sent or done:
                return "pass"
            done.append(sent)
            return how

        self.cut = cut
        return done

    def nth(self, number: int) -> list[int]:
        """Break whichever connection sends the message of that number; the list counts messages."""
        seen: list[int] = []

        def cut(_sent: bytes) -> str:
            seen.append(len(seen))
            return "before" if len(seen) - 1 == number else "pass"

        self.cut = cut
        return seen

    def close(self) -> None:
        self.is_open = False
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            if not self.is_open:
                return
            server.connect(str(self._target))
            mute = threading.Event()
            answers = threading.Thread(
                target=self._answer, args=(server, client, mute), daemon=True
            )
            answers.start()
            while sent := client.recv(65536):
                how = self.cut(sent)
                if how == "before":
                    break
                if how == "after":
                    mute.set()
                    server.sendall(sent)
                    answers.join(30)  # it ends with the first answer
                    break
                server.sendall(sent)
            for end in (server, client):
                end.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, mute: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while answer := server.recv(65536):
                if mute.is_set():
                    return
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy_to(url: str) -> Iterator[tuple[Proxy, str]]:
    """Put a proxy before a server that listens on a socket.

    Yields
    ------
    Proxy, str
        And the URL of the database through it.
    """
    parsed = make_url(url)
    proxy = Proxy(Path(str(parsed.query["host"]), f".s.PGSQL.{parsed.port or 5432}"))
    through = parsed.set(host="127.0.0.1", port=proxy.port, query={})
    try:
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.close()
