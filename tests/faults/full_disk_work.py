"""Every kind of write on a disk of some megabytes that is full, or that was mounted read-only since.

Run with a folder that is a file system of its own. For each kind: the disk is filled, the write must
say one sentence and change nothing, the doctor finds no error, and with room it goes through.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import text

import mismartera_analytics as ma
from mismartera_analytics.calendars.files import delete_holidays
from mismartera_analytics.cli.application import run
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database as db
from mismartera_analytics.models import migrate
from tests.faults import killed_work as rule
from tests.faults.test_killed import write_bars

FREE = (0, 16, 96)  # KB that the filler leaves
NOTEBOOK = {
    "cells": [{"cell_type": "code", "id": "a", "execution_count": None, "metadata": {},
               "outputs": [], "source": "print('x' * 200_000)"}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


def many(number: int) -> pd.DataFrame:
    """Return orders that need more than a page."""
    return pd.concat(
        [rule.orders_of(2 * (number + more)) for more in range(40)], ignore_index=True
    ).assign(order_id=range(40 * rule.ROWS))


def command(*words: object) -> Callable[[], tuple[int, str]]:
    def call() -> tuple[int, str]:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = run([str(word) for word in words])
        return code, said.getvalue()

    return call


def function(work: Callable[[], Any]) -> Callable[[], tuple[int, str]]:
    def call() -> tuple[int, str]:
        try:
            work()
        except MismarteraError as error:
            return 1, f"mismartera: {error}\n"
        return 0, ""

    return call


def _without_a_year() -> None:
    delete_holidays("US_EQUITY", 2024)


def _outdated() -> None:
    migrate.downgrade(db.engine, "0002")


def kinds(home: Path, inputs: Path, *, with_notebook: bool) -> dict[str, tuple[Any, Any]]:
    """Return of each kind what prepares it, and the write."""
    trades, bars = inputs / "trades.csv", inputs / "bars.csv"
    columns = [
        word for mine, theirs in rule.MAPPING.items() for word in ("--column", f"{mine}={theirs}")
    ]
    out = home / "reports"
    found: dict[str, tuple[Any, Any]] = {
        "record": (None, function(lambda: ma.record_orders(many(1000), account=1))),
        "import": (None, command("import-orders", trades, "--account", 1, *columns)),
        "refresh": (None, function(lambda: ma.refresh_positions(1))),
        "save": (None, function(lambda: rule.saving(7, home, lambda *_: None))),
        "tear sheet": (None, function(lambda: ma.tear_sheet(1, out / "one.html"))),
        "tear sheet on paper": (None, function(lambda: ma.tear_sheet(1, out / "one.pdf"))),
        "report": (None, command("report", "--account", 1, "--account", 2, "--format", "html,pdf",
                                 "--no-stress")),
        "ingest": (None, command("bars", "ingest", bars, "1d")),
        "calendar sync": (_without_a_year, command("calendar", "sync")),
        "calendar export": (None, command("calendar", "export", out / "days.csv",
                                          "--exchange", "US_EQUITY")),
        "migrate": (_outdated, command("db", "upgrade")),
    }  # fmt: skip
    if with_notebook:
        notebook = inputs / "daily.ipynb"
        notebook.write_text(json.dumps(NOTEBOOK))
        found["notebook"] = (
            None,
            command("notebook", "run", notebook, "--out", out / "daily.html"),
        )
    return found


def state(home: Path) -> dict[str, Any]:
    """Return digests of all tables, of the reports, and the version of the bars."""
    found: dict[str, Any] = {"version": BarStore(home / "bars").version("1d")}
    with db.engine.connect() as connection:
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ).scalars().all()  # fmt: skip
        for name in names:
            rows = connection.execute(text(f'SELECT * FROM "{name}" ORDER BY 1')).all()
            found[name] = hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()
    for file in sorted((home / "reports").iterdir()):
        found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    db.close_db()
    return found


@contextlib.contextmanager
def full(home: Path, kilobytes: int) -> Any:
    filler, room = home / "filler", os.statvfs(home)
    filler.write_bytes(bytes(max(room.f_bavail * room.f_frsize - kilobytes * 1024, 0)))
    try:
        yield
    finally:
        db.close_db()
        filler.unlink()


@contextlib.contextmanager
def read_only(home: Path) -> Any:
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    try:
        yield
    finally:
        db.close_db()
        subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)


def require_one_sentence(kind: str, code: int, said: str) -> None:
    assert code == 1, (kind, code, said)
    lines = said.strip().splitlines()
    assert "Traceback" not in said, said
    is_batch = kind == "report" and all("failed" in line for line in lines[1:])
    assert is_batch or (len(lines) == 1 and lines[0].startswith("mismartera: ")), (kind, said)


def main() -> None:
    warnings.simplefilter("ignore")
    home, inputs, with_notebook = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "full"
    rule.configure(f"sqlite:///{home}/data/test.db", str(home))
    write_bars()
    (home / "reports").mkdir()
    ma.create_user("ada", "ada@example.com", "pw")
    from mismartera_analytics.recording.accounts import create_account

    for number in ("A-1", "A-2"):
        create_account("ada", "alpaca", account_number=number, account_type="margin")
        ma.record_orders(rule.orders_of(1), account=number)
    rule.saving(6, home, lambda *_: None)
    ma.report([1, 2], stress=False, progress=False, formats="html,pdf")
    told: dict[str, dict[str, str]] = {}
    for kind, (prepare, write) in kinds(home, inputs, with_notebook=with_notebook).items():
        if prepare is not None:
            prepare()
        before, failed = state(home), {}
        for place in (*(lambda k=k: full(home, k) for k in FREE), lambda: read_only(home)):
            with place():
                code, said = write()
            now = state(home)
            if code == 0 and now != before:
                before = now  # there was room enough
                if prepare is not None:
                    prepare()
                    before = state(home)
                continue
            if code == 0:
                continue  # nothing had to be written
            require_one_sentence(kind, code, said)
            changed = {name for name in before | now if before.get(name) != now.get(name)}
            changed -= {"index.html"}  # it tells which reports failed
            assert not changed, (kind, changed, said)
            failed[said.strip()] = "full" if len(failed) == 0 else "more"
        assert failed, f"{kind}: no write failed"
        code, said = write()
        assert code == 0, (kind, said)
        examined = ma.doctor(progress=False)
        assert not len(examined.errors), (kind, examined)
        told[kind] = failed
    sys.stdout.write(json.dumps({kind: list(said) for kind, said in told.items()}))


if __name__ == "__main__":
    main()
