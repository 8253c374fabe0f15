"""Passwords, hashes and keys stay out of messages, logs, representations, tracebacks and reports."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import mismartera_analytics as ma
from mismartera_analytics import auth, config
from mismartera_analytics.errors import ConfigurationError, DuplicateError, MismarteraError
from mismartera_analytics.market_data.buckets import bucket_place
from mismartera_analytics.models import User
from mismartera_analytics.models import database as db
from mismartera_analytics.models.connections import libpq_url, make_engine

SECRET = "sentinel-Xy7"
HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
ADDRESSES = [
    f"postgresql://ada:{SECRET}@127.0.0.1:1/desk",
    f"postgresql+psycopg://ada:{SECRET}@127.0.0.1:1/desk?connect_timeout=1",
    f"postgresql://ada@127.0.0.1:1/desk?password={SECRET}",
    f"postgresql://ada@127.0.0.1:1/desk?sslpassword={SECRET}",
    f"postgres://ada:{SECRET}@127.0.0.1:1/desk",
]


def everything_about(error: BaseException) -> str:
    """Return all that an error says: itself, what led to it, and every frame's variables of ours."""
    said = []
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    queue: list[Any] = [whole]
    while queue:
        one = queue.pop()
        said += [str(line) for line in one.format_exception_only()]
        for frame in one.stack:
            if Path(frame.filename) == Path(__file__):
                continue  # the caller's own variables are the caller's
            said.append(f"{frame.filename}:{frame.lineno} {frame.locals}")
        queue += [each for each in (one.__cause__, one.__context__) if each is not None]
    return "\n".join(said)


def check_silent(text: str) -> None:
    found = re.search(SECRET, text) or HASH.search(text)
    assert found is None, text[max(found.start() - 300, 0) : found.end() + 100]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Collect all that is logged at all, statements with their parameters among it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, level = logging.getLogger(), logging.getLogger().level
    names = ("sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm")
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("ready_database")
def test_creating_and_signing_in_log_nothing(log: io.StringIO) -> None:
    db.close_db()
    ma.create_user("ada", "ada@example.com", SECRET)
    ma.configure(bcrypt_rounds=5)
    user = ma.authenticate_user("ada", SECRET)
    assert user is not None
    auth.set_password("ada", SECRET + "2")
    assert ma.authenticate_user("ada", SECRET) is None
    assert "INSERT INTO users" in log.getvalue()
    check_silent(log.getvalue() + repr(user) + repr(vars(user)) + repr(user.hashed_password))
    check_silent(ma.sql("from users").to_csv())


@pytest.mark.usefixtures("ready_database")
def test_what_goes_wrong_with_people_tells_neither_password_nor_hash() -> None:
    ma.create_user("ada", "ada@example.com", SECRET)
    with ma.SessionLocal() as db_session:
        hashed = str(db_session.scalar(select(User.hashed_password)))
    assert HASH.match(hashed)
    calls: list[tuple[type[Exception], Callable[[], Any]]] = [
        (DuplicateError, lambda: ma.create_user("ada", "new@example.com", SECRET)),
        (MismarteraError, lambda: ma.create_user("new", "no address", SECRET)),
        (MismarteraError, lambda: ma.create_user("new", "n@example.com", SECRET + "\0")),
        (MismarteraError, lambda: ma.create_user("new", "n@example.com", SECRET * 10)),
        (MismarteraError, lambda: auth.set_password("nobody", SECRET)),
        (IntegrityError, lambda: _add(username="ada", email="e", hashed_password=hashed)),
        (IntegrityError, lambda: _add(username="eve", email=None, hashed_password=hashed)),
    ]
    for kind, call in calls:
        with pytest.raises(kind) as caught:
            call()
        check_silent(everything_about(caught.value))


def _add(**values: Any) -> None:
    with ma.session_scope() as db_session:
        db_session.add(User(**values))


@pytest.mark.usefixtures("ready_database")
def test_a_database_that_fails_while_signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ma.create_user("ada", "ada@example.com", SECRET)
    with ma.session_scope() as db_session:
        db_session.connection().exec_driver_sql("ALTER TABLE users RENAME COLUMN email TO mail")
    with pytest.raises(MismarteraError) as caught:
        ma.authenticate_user("ada", SECRET)
    check_silent(everything_about(caught.value))
    with pytest.raises(MismarteraError) as caught:
        ma.create_user("bob", "bob@example.com", SECRET)
    check_silent(everything_about(caught.value))


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_database_s_password(url: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_DATABASE_URL", url)
    settings = ma.configure()
    console = Console(file=io.StringIO(), record=True, width=400)
    console.print(settings)
    shown = [repr(settings), str(settings), f"{settings}", console.export_text(), repr(vars(settings)),
             repr(settings.model_dump()), settings.model_dump_json(), repr(db.engine)]  # fmt: skip
    check_silent("\n".join(shown))
    assert SECRET in settings.database_url, "it is there for whoever asks for it"
    assert SECRET in libpq_url(make_engine(settings.database_url))
    for call in (ma.accounts, ma.init_db, lambda: ma.sql("from orders"), db.engine.connect):
        with pytest.raises(MismarteraError) as caught:
            call()
        check_silent(everything_about(caught.value))
    check_silent(log.getvalue())


@pytest.mark.parametrize(
    "url",
    [f"nonsense{SECRET}:x@y", f"mysql://ada:{SECRET}@h/d", f"postgresql+no://ada:{SECRET}@h/d",
     f"postgresql://ada:{SECRET}@h:port/d", f"postgresql+asyncpg://ada:{SECRET}@h/d"],
)  # fmt: skip
def test_an_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(MismarteraError) as caught:
        ma.configure(database_url=url)
        ma.accounts()
    if "://" in url:  # without it nobody knows what part is the password
        check_silent(everything_about(caught.value))
    with pytest.raises(ConfigurationError) as caught:
        ma.configure(database_url=f"postgresql://ada:{SECRET}@h/d", cache_mb=-1)
    check_silent(everything_about(caught.value))


def test_keys_of_a_bucket(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    ma.configure(bar_store="s3://market/bars")
    store = ma.BarStore()
    check_silent(repr(store) + repr(vars(store)) + repr(ma.settings()))
    place = bucket_place(
        "s3://market/bars", {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": SECRET}
    )
    check_silent(repr(place) + repr(place._access) + repr(place.options))
    with pytest.raises(MismarteraError) as caught:
        store.read("AAPL", "1d")
    check_silent(everything_about(caught.value))
    for bad in (f"s3://key:{SECRET}@market/bars", f"ftp://key:{SECRET}@market/bars"):
        ma.configure(bar_store=bad)
        check_silent(repr(ma.settings()))
        with pytest.raises(MismarteraError) as caught:
            ma.BarStore().read("AAPL", "1d")
        check_silent(str(caught.value))  # no such address is taken: frames may hold its parts
    check_silent(log.getvalue())


def test_a_program_s_traceback(home: Path) -> None:
    """The command line with ``--debug``, and IPython's most talkative tracebacks."""
    url = f"postgresql://ada:{SECRET}@127.0.0.1:1/desk"
    environment = {"MISMARTERA_DATABASE_URL": url, "MISMARTERA_HOME": str(home), "PATH": "/usr/bin"}
    program = (
        "import sys\n"
        "from IPython.core.ultratb import VerboseTB\n"
        "import mismartera_analytics as ma\n"
        "try:\n    ma.accounts()\n"
        "except Exception:\n    print(VerboseTB(theme_name='nocolor').text(*sys.exc_info()))\n"
    )
    said = ""
    for words in (["-m", "mismartera_analytics.cli", "--debug", "accounts"], ["-c", program]):
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True,
                              text=True, check=False, cwd=home)  # fmt: skip
        said += done.stdout + done.stderr
    assert said.count("DatabaseUnreachableError") >= 2, said[-2000:]
    check_silent(said)


def test_what_is_recorded_and_reported(demo_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs note their settings and reports their sources: neither holds an address of the database."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (demo_data / f"{SECRET}.db").write_bytes(Path(ma.settings().database_url[10:]).read_bytes())
    ma.configure(database_url=f"sqlite:///{demo_data / SECRET}.db")
    page = ma.tear_sheet(1, demo_data / "page.html")
    result = ma.backtest(_Hold(), ["IBM"], "2012-01-03", "2012-03-01", interval="1d")
    result.save("held", user="demo")
    with ma.SessionLocal() as db_session:
        rows = db_session.connection().exec_driver_sql("SELECT * FROM backtest_runs").all()
        reports = db_session.connection().exec_driver_sql("SELECT * FROM reports").all()
    check_silent(page.read_text("utf-8") + repr(rows) + repr(reports) + repr(result.config))


class _Hold(ma.Strategy):
    def on_bar(self, ctx: Any) -> None:
        """Do nothing."""


def test_hidden_text_is_text() -> None:
    hidden = config.HiddenText(SECRET)
    assert hidden == SECRET
    assert f"{hidden}" == SECRET
    check_silent(repr(hidden) + repr([hidden]) + repr({"password": hidden}))
