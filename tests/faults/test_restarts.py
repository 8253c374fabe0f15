"""PostgreSQL is restarted under load: nothing acknowledged is lost and nothing is doubled."""

from __future__ import annotations

import logging
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

import mismartera_analytics as ma
from mismartera_analytics.errors import ConnectionLostError, OutcomeUnknownError
from mismartera_analytics.models import User
from mismartera_analytics.models import database as db
from tests.faults import load
from tests.faults.scale import scaled
from tests.faults.servers import durable_server

logger = logging.getLogger(__name__)
RESTARTS = scaled(2, 12)
EVERY = 5.0
"""How long the server is up between two of them [s]."""
WRITERS, READERS = 4, 2
KILLED_AT = 2
"""Which of the restarts is a ``kill -9``; the others are ``pg_ctl stop -m immediate``."""


@pytest.mark.postgres
@pytest.mark.slow
def test_restarted_every_five_seconds_under_load(home: Path) -> None:
    with durable_server() as server:
        ma.configure(database_url=server.url)
        ma.init_db()
        with db.engine.connect() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.scalar(text(f"SHOW {setting}")) == "on"
        at_work = load.started(home, writers=WRITERS, readers=READERS, seconds=600)
        while not at_work.notes("writer") and at_work.process.poll() is None:
            time.sleep(0.05)
        silent = []
        for restart in range(1, RESTARTS + 1):
            time.sleep(EVERY)
            began = time.monotonic()
            server.crash(signal.SIGKILL if restart == KILLED_AT else signal.SIGQUIT)
            server.start()
            silent.append(time.monotonic() - began)
        time.sleep(EVERY)
        at_work.stop()
        told = at_work.finished(patience=180)
        assert "Traceback" not in told
        found = load.check_what_is_there(at_work)
        db.close_db()
    written = [note for notes in at_work.notes("writer").values() for note in notes]
    read = [note for notes in at_work.notes("reader").values() for note in notes]
    errors = Counter(note["error"].partition(":")[0] for note in written + read if "error" in note)
    assert all("\n" not in note.get("error", "") for note in written + read)
    assert set(errors) <= {"ConnectionLostError", "OutcomeUnknownError"}
    assert sum("error" not in note for note in written) > RESTARTS
    assert any("orders" in note for note in read)
    logger.info(
        "%d restarts, %.0f s apart, %.1f to %.1f s without a server: %d writes acknowledged, "
        "%d checked reads, longest write %.1f s and read %.1f s, errors %s, %d orders at the end",
        RESTARTS, EVERY, min(silent), max(silent),
        sum("error" not in note for note in written), sum("error" not in note for note in read),
        max(note["took"] for note in written), max(note["took"] for note in read),
        dict(errors), found["orders"],
    )  # fmt: skip


@pytest.mark.postgres
def test_a_server_that_is_away_is_waited_for_and_an_open_transaction_is_not_repeated(
    home: Path,
) -> None:
    with durable_server() as server:
        ma.configure(database_url=server.url)
        ma.init_db()
        ma.create_user("ada", "ada@example.com", "pw")
        with (
            pytest.raises(ConnectionLostError, match=r"undone") as caught,
            ma.session_scope() as db_session,
        ):
            db_session.add(User(username="b", email="b@example.com", hashed_password="x"))
            db_session.flush()
            server.crash(signal.SIGQUIT)
            server.start()
            ma.accounts(db_session=db_session)
        assert "\n" not in str(caught.value)
        assert not isinstance(caught.value, OutcomeUnknownError)
        server.crash(signal.SIGQUIT)
        server.start()
        assert len(ma.accounts()) == 0
        assert ma.authenticate_user("ada", "pw") is not None
        assert ma.authenticate_user("b", "x") is None
        db.close_db()
