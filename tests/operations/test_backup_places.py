"""Places of a restore: nothing is written over something, and what began is undone."""

from __future__ import annotations

import contextlib
import io
import socket
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.errors import (
    DatabaseBusyError,
    DatabaseUnreachableError,
    InvalidInputError,
    StorageError,
)
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.store_restoring import StoreRestore
from mismartera_analytics.models import connections
from mismartera_analytics.operations import backup as module
from mismartera_analytics.operations import restoring
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.database_files import place_file, take_file
from mismartera_analytics.operations.restoring import restore
from tests.market_data.conftest import s3, s3_endpoint
from tests.operations.backups import place_in, restored_at

__all__ = ["s3", "s3_endpoint"]


@pytest.fixture
def saved(demo_data: Path, tmp_path: Path) -> Path:
    """Back up the demo's data, bars included."""
    back_up(tmp_path / "b.zip")
    return tmp_path / "b.zip"


def test_nothing_is_restored_over_something(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    with pytest.raises(InvalidInputError, match=r"b\.zip exists; name a new file"):
        back_up(saved)
    with pytest.raises(InvalidInputError, match="has the tables account_info"):
        restore(saved, bar_store=str(target / "bars"))
    with pytest.raises(InvalidInputError, match=r"bar store .* is not empty: it holds 1d/"):
        BarStore().write(BarStore().read(["IBM"], "1d").assign(volume=1.0), "1d")
        restore(saved, database_url=f"sqlite:///{target}/x.db")
    target.mkdir(exist_ok=True)
    (target / "bars").mkdir()
    (target / "bars" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match=r"it holds notes\.txt"):
        restored_at(target, saved)
    (target / "r").mkdir()
    (target / "r" / "mine.html").touch()
    there = place_in(target) | {"bar_store": str(target / "none")}
    with pytest.raises(InvalidInputError, match=r"folder .*r is not empty"):
        restore(saved, **there, reports=target / "r")
    assert sorted(p.name for p in target.rglob("*") if p.is_file()) == ["mine.html", "notes.txt"]
    (target / "bars" / "notes.txt").unlink()
    sqlite3.connect(target / "x.db").close()  # an empty file is an empty database
    restored_at(target, saved)
    assert len(ma.orders())


def test_a_log_of_the_lost_database_does_not_get_into_the_restored_one(
    saved: Path, tmp_path: Path
) -> None:
    """The database's file is lost and its write-ahead log is not; a copy has the same seam."""
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE lost (a)")
        raw.commit()
        path.unlink()
        with pytest.raises(InvalidInputError, match=r"x\.db-wal was left by a former database"):
            restore(saved, **place_in(tmp_path))
        with pytest.raises(InvalidInputError, match=r"x\.db-wal was left by a former database"):
            copy_database(config.settings().database_url, path)
    Path(f"{path}-wal").unlink(missing_ok=True)
    restore(saved, **place_in(tmp_path))
    copy_database(config.settings().database_url, tmp_path / "y.db")
    for file in (path, tmp_path / "y.db"):
        assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0, (
            "as private as a database that is made"
        )
        with contextlib.closing(sqlite3.connect(file)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_database_that_takes_nothing_is_one_sentence(demo_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(tmp_path / "source.db")) as raw:
        raw.execute("CREATE TABLE t (a)")
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"x\.db cannot be written: database is locked"):
            place_file(tmp_path / "source.db", path)


@pytest.mark.parametrize("is_target", [False, True])
def test_a_file_that_another_program_keeps_to_itself_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_target: bool
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
    mine, free = tmp_path / "mine.db", tmp_path / "free.db"
    with contextlib.closing(sqlite3.connect(mine, isolation_level=None)) as keeper:
        keeper.execute("PRAGMA journal_mode = WAL")
        if not is_target:
            keeper.execute("CREATE TABLE kept (x)")
        keeper.execute("BEGIN IMMEDIATE" if is_target else "PRAGMA locking_mode = EXCLUSIVE")
        if not is_target:
            keeper.execute("INSERT INTO kept VALUES (1)")
        with contextlib.closing(sqlite3.connect(free)) as other:
            other.execute("CREATE TABLE filled (x)")
        took: list[BaseException] = []

        def use() -> None:
            try:
                place_file(free, mine) if is_target else take_file(mine, tmp_path / "copy.db")
            except DatabaseBusyError as error:
                took.append(error)

        user = threading.Thread(target=use, daemon=True)
        user.start()
        user.join(10)
        assert not user.is_alive()
        assert "another program holds" in str(took[0])


@pytest.mark.parametrize("is_known", [True, False])
def test_bars_and_reports_stay_where_the_records_may_be_there(
    is_known: bool, demo_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records get their name, then the disk fails; or they do not, and another has the name."""
    back_up(tmp_path / "b.zip", reports=True)
    target = tmp_path / "t"

    def placed(beside: Path, path: Path) -> None:
        if is_known:
            raise InvalidInputError("another is there.")
        place_file(beside, path)
        raise OSError(5, "Input/output error")

    def again() -> None:
        restore(tmp_path / "b.zip", **place_in(target), reports=target / "r")

    monkeypatch.setattr(restoring, "place_file", placed)
    with pytest.raises(InvalidInputError if is_known else StorageError):
        again()
    left = [] if is_known else ["bars", "r", "x.db"]
    assert sorted(p.name for p in target.iterdir()) == left
    monkeypatch.undo()
    (target / "x.db").unlink(missing_ok=True)
    again()
    (target / "x.db").unlink()
    (target / "r" / "demo.html").write_bytes(b"mine")
    with pytest.raises(InvalidInputError, match=r"the folder .*r is not empty"):
        again()


def test_a_lost_configured_database_does_not_stop_a_restore(
    demo_data: Path, tmp_path: Path
) -> None:
    back_up(tmp_path / "b.zip", bars=False)
    ma.configure(database_url="postgresql+psycopg://u@127.0.0.1:1/x")
    restore(tmp_path / "b.zip", database_url=f"sqlite:///{tmp_path}/x.db")
    copy_database(tmp_path / "x.db", tmp_path / "y.db")
    with pytest.raises(DatabaseUnreachableError):
        restore(tmp_path / "b.zip", bars=False)


def test_a_store_on_s3_goes_and_comes_back(
    saved: Path, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = BarStore().read(["IBM"], "1d")
    written: list[str] = []
    prepare = module.place_of(s3).below("1d").write

    def broken(self: Any, path: str, save: Callable[[Any], None]) -> int:
        if len(written) == 5:
            raise OSError("the network is gone")
        written.append(path)
        return prepare.__func__(self, path, save)

    kind = type(module.place_of(s3))
    url = f"sqlite:///{tmp_path}/s3/x.db"
    with monkeypatch.context() as patched:
        patched.setattr(kind, "write", broken)
        with pytest.raises(StorageError, match="network is gone; nothing was restored"):
            restore(saved, database_url=url, bar_store=s3)
    assert module.place_of(s3).listed() == []
    assert not (tmp_path / "s3" / "x.db").exists()
    # What a killed restore leaves: some of the files. The next one goes on.
    with zipfile.ZipFile(saved) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".parquet"))
        module.place_of(s3).write(
            name.removeprefix("bars/"), lambda stream: stream.write(archive.read(name))
        )
    restore(saved, database_url=url, bar_store=s3)
    ma.configure(database_url=url, bar_store=s3)
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), bars)
    back_up(tmp_path / "2.zip")
    restored_at(tmp_path / "back", tmp_path / "2.zip")
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), bars)


def test_a_store_with_what_cannot_be_read_is_refused_in_a_sentence(
    saved: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "bars" / "1d" / "_delta_log" / f"{0:020}.json"
    entry.parent.mkdir(parents=True)
    with (
        contextlib.closing(socket.socket(socket.AF_UNIX)) as taken,
        contextlib.chdir(entry.parent),  # the name of a socket is short
    ):
        taken.bind(entry.name)
    with pytest.raises(StorageError, match="bars cannot be read"):
        restore(saved, **place_in(tmp_path))


def test_a_restore_into_a_bucket_that_is_gone_tells_why_it_began_to_undo(tmp_path: Path) -> None:
    """What cannot be deleted stays, the rest goes, and no error of deleting hides the first one."""
    store = StoreRestore(str(tmp_path), {}, lambda *_: contextlib.nullcontext(io.BytesIO()))
    (tmp_path / "stuck").mkdir()
    (tmp_path / "first").write_text("x")
    store._written += [(store.place, "first"), (store.place, "stuck")]
    store.withdraw()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stuck"]


def test_folders_without_a_file_are_an_empty_store(saved: Path, tmp_path: Path) -> None:
    place = tmp_path / "bars"
    (place / "1d" / "_delta_log").mkdir(parents=True)
    restore(saved, **place_in(tmp_path))
    assert BarStore(place).version("1d") == 0
