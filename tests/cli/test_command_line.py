"""The command `mismartera`: exit codes, one sentence for each mistake, passwords on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma

ROOT = Path(ma.__file__).parents[1]
COMMAND = [sys.executable, "-m", "mismartera_analytics.cli"]


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "TERM": "xterm"}


def call(
    *words: str, environment: dict[str, str], **options: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=environment, capture_output=True, text=True, check=False, **options
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mismartera: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in done.stdout


def test_init_status_and_upgrade(environment: dict[str, str], home: Path) -> None:
    before = call("db", "status", environment=environment)
    assert "mismartera db init" in before.stdout
    assert not (home / "data" / "mismartera.db").exists(), "asking for the status makes no database"
    assert call("db", "init", environment=environment).returncode == 0
    again = call("db", "init", environment=environment)
    assert again.returncode == 0
    assert "ready at revision" in again.stdout
    assert call("db", "upgrade", environment=environment).returncode == 0
    assert "mismartera db" not in call("db", "status", environment=environment).stdout


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"MISMARTERA_DATABASE_URL": "mysql://h/x"}, 2, ["mysql", "'sqlite' or 'postgresql'"]),
        ({"MISMARTERA_DATABASE_URL": "x.db"}, 2, ["database_url='x.db'", "sqlite:///"]),
        ({"MISMARTERA_DATABASE_URL": "postgresql://ada:s3cret@127.0.0.1:1/x"}, 1, ["cannot open"]),
        ({"MISMARTERA_DATABASE_URL": "sqlite:////proc/no/such/x.db"}, 1, ["/proc/no/such"]),
        ({"MISMARTERA_DATABSE_URL": "x"}, 2, ["did you mean 'MISMARTERA_DATABASE_URL'"]),
    ],
)
def test_a_bad_database_is_one_sentence(
    environment: dict[str, str], changes: dict[str, str], code: int, words: list[str]
) -> None:
    done = call("db", "init", environment=environment | changes)
    assert_one_sentence(done, code, *words)
    assert "s3cret" not in done.stderr


def test_debug_shows_the_traceback(environment: dict[str, str]) -> None:
    bad = environment | {"MISMARTERA_DATABASE_URL": "mysql://h/x"}
    done = call("--debug", "db", "init", environment=bad)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ConfigurationError" in done.stderr


def test_queries_before_init_name_the_command(environment: dict[str, str]) -> None:
    assert_one_sentence(call("orders", environment=environment), 1, "mismartera db init")


def test_a_wrong_call_exits_with_2(environment: dict[str, str]) -> None:
    assert call("ordres", environment=environment).returncode == 2
    assert call("db", "init", "--no-such", environment=environment).returncode == 2


def test_a_naive_instant_on_the_command_line(environment: dict[str, str]) -> None:
    call("db", "init", environment=environment)
    done = call("positions", "--at", "2025-07-02T09:30:00", environment=environment)
    assert_one_sentence(done, 2, "at=2025-07-02T09:30:00", "no time zone")


def test_what_the_system_refuses_is_one_sentence(environment: dict[str, str], home: Path) -> None:
    call("db", "init", environment=environment)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "accounts"], env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (home / ".env").write_bytes(b"MISMARTERA_REPORTS=\xff\n")
    assert_one_sentence(call("accounts", environment=environment), 2, ".env", "UTF-8")


def test_a_store_in_a_file_is_one_sentence(environment: dict[str, str], home: Path) -> None:
    (home / "file").write_text("")
    store = environment | {"MISMARTERA_BAR_STORE": str(home / "file")}
    call("db", "init", environment=environment)
    done = call("positions", "--symbol", "AAPL", environment=store)
    assert_one_sentence(done, 1, "lies in a file", "MISMARTERA_BAR_STORE")


def test_sessions_the_wrong_way_round(environment: dict[str, str]) -> None:
    call("db", "init", environment=environment)
    done = call("sessions", "2025-12-01", "2025-11-30", environment=environment)
    assert_one_sentence(done, 2, "start=2025-12-01 lies after end=2025-11-30")


def test_version(environment: dict[str, str]) -> None:
    assert call("--version", environment=environment).stdout == f"mismartera {ma.__version__}\n"


def test_ctrl_c_before_a_command_has_begun_is_quiet(environment: dict[str, str]) -> None:
    program = """
import sys
from mismartera_analytics import cli

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
cli.main(["accounts"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_password_is_typed_on_the_terminal_only(environment: dict[str, str]) -> None:
    pexpect = pytest.importorskip("pexpect")
    call("db", "init", environment=environment)
    piped = call(
        "user", "create", "ada", "ada@example.com", environment=environment, input="pw\npw\n"
    )
    assert_one_sentence(piped, 2, "asked for on a terminal")

    def type_passwords(*words: str, passwords: tuple[str, ...]) -> tuple[int, str]:
        child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], env=environment, encoding="utf-8")
        for password in passwords:
            child.expect("assword: ")
            child.sendline(password)
        child.expect(pexpect.EOF)
        shown = child.before
        child.close()
        return child.exitstatus, shown

    create = ("user", "create", "ada", "ada@example.com")
    code, shown = type_passwords(*create, passwords=("s3cret", "s3cret"))
    assert (code, "created user ada" in shown, "s3cret" in shown) == (0, True, False)
    code, shown = type_passwords(*create, passwords=("s3cret", "s3cret"))
    assert (code, "is taken" in shown) == (2, True)
    code, shown = type_passwords("user", "create", "b", "b@example.com", passwords=("one", "two"))
    assert (code, "differ" in shown) == (2, True)
    assert type_passwords("user", "check", "ada", passwords=("s3cret",))[0] == 0
    assert type_passwords("user", "check", "ada", passwords=("wrong",))[0] == 1
    assert type_passwords("user", "password", "ada", passwords=("new", "new"))[0] == 0
    assert type_passwords("user", "check", "ada", passwords=("new",))[0] == 0
