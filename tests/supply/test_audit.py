"""`make audit` against a local service: what it says, and that silence is never taken for health."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".bench" / "audit" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="pip-audit is absent: `make .bench/audit/complete`"
)
PINS = {"alpha": "1.0", "beta": "2.0", "gamma": "3.0"}
WINDOWS = ' ; sys_platform == "win32"'


class Advisories(ThreadingHTTPServer):
    """A service that answers OSV's query, with what a test wants known."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.known: dict[str, str] = {}  # package to the id of its advisory
        self.status = 200
        self.body: bytes | None = None
        self.silent = False
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class Answer(BaseHTTPRequestHandler):
    server: Advisories

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.server.asked.append((name, query["version"]))
        if self.server.silent:
            time.sleep(30)
        found = (
            {"vulns": [advisory(name, self.server.known[name])]}
            if name in self.server.known
            else {}
        )
        body = json.dumps(found).encode() if self.server.body is None else self.server.body
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def advisory(name: str, number: str) -> dict[str, object]:
    events = [{"introduced": "0"}, {"fixed": "9.9"}]
    affected = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": number, "schema_version": "1.0.0", "summary": "planted", "affected": [affected]}


@pytest.fixture
def service() -> Iterator[Advisories]:
    server = Advisories()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Return a lock of four versions of three packages, one of them for another platform."""
    digest = f"--hash=sha256:{'0' * 64}"
    lines = [f"{name}=={version} {digest}" for name, version in PINS.items() if name != "beta"]
    lines += [f"beta=={PINS['beta']}{WINDOWS} {digest}", f"alpha==1.1 {digest}"]
    path = tmp_path / "lock.txt"
    path.write_text("\n".join(lines))
    return path


def audit(lock: Path, address: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, ROOT / "tools" / "audit_locks.py", "--service", address, *options, lock],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "XDG_CACHE_HOME": str(lock.parent)},
    )


def test_nothing_known(service: Advisories, lock: Path) -> None:
    done = audit(lock, service.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No advisory is known against any of 4 pinned versions.\n"
    assert sorted(service.asked) == [
        ("alpha", "1.0"),
        ("alpha", "1.1"),
        ("beta", "2.0"),
        ("gamma", "3.0"),
    ]


def test_known_advisory_fails_and_names_it(service: Advisories, lock: Path) -> None:
    service.known = {"beta": "PLANTED-2026-1"}
    done = audit(lock, service.address)
    assert done.returncode == 1
    assert done.stderr == "beta 2.0: PLANTED-2026-1, mended in 9.9.\n"


def test_refused_connection_fails(lock: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
        done = audit(lock, address)
    assert done.returncode == 2
    assert done.stderr.startswith("Nothing is known of 4 packages: the advisory service failed: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(("status", "body"), [(500, None), (200, b"<html>a proxy's page</html>")])
def test_useless_answer_fails(
    service: Advisories, lock: Path, status: int, body: bytes | None
) -> None:
    service.status, service.body = status, body
    done = audit(lock, service.address)
    assert done.returncode == 2
    assert done.stderr.startswith("Nothing is known of 4 packages")
    assert done.stderr.count("\n") == 1


def test_silent_service_ends_in_time(service: Advisories, lock: Path) -> None:
    service.silent = True
    started = time.monotonic()
    done = audit(lock, service.address, "--seconds", "3")
    assert done.returncode == 2
    assert "did not answer for all within 3 s" in done.stderr
    assert time.monotonic() - started < 20


def test_left_out_package_fails() -> None:
    """What pip-audit's default service says of a release it does not have, with exit code 0."""
    done = subprocess.run(
        [PYTHON, "-c", LEFT_OUT], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "2 ['Nothing is known of 1 packages, which the service left out: beta 2.0.']\n"
    )


LEFT_OUT = """
from audit_locks import verdict
from check_locks import read_lock
digest = " --hash=sha256:" + "0" * 64
pins = read_lock("alpha==1.0" + digest + chr(10) + "beta==2.0" + digest)
lines = [
    {"name": "alpha", "version": "1.0", "vulns": []},
    {"name": "beta", "skip_reason": "Dependency not found and could not be audited: beta (2.0)"},
]
print(*verdict(pins, lines))
"""
