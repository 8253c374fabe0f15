"""Backups: what they hold, what they refuse, and what comes back from them."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import shutil
import socket
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable
from sqlalchemy import text

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.errors import (
    DatabaseBusyError,
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    InvalidInputError,
    NotAllowedError,
    StorageError,
)
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.store_restoring import StoreRestore
from mismartera_analytics.models import connections, migrate
from mismartera_analytics.models import database as db
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations import backup as module
from mismartera_analytics.operations import restoring
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.backup_checks import verify_backup
from mismartera_analytics.operations.copying import copy_database
from mismartera_analytics.operations.database_files import place_file, take_file
from mismartera_analytics.operations.restoring import restore
from tests.market_data.conftest import s3, s3_endpoint  # noqa: F401 - fixtures


@pytest.fixture
def cited(demo_data: Path) -> tuple[Any, list[pd.DataFrame]]:
    """Make more versions of the demo's bars: 0 is cited by its run, 2 by another, 4 is the newest."""
    store, read = BarStore(), []
    run = MovingAverageCross(fast=20, slow=100), ["IBM"], "2011-01-03", "2012-12-31"
    for number in range(1, 5):
        read.append(store.read(["IBM"], "1d"))
        changed = store.read(["IBM"], "1d").tail(5).copy()
        changed["volume"] += number
        assert store.write(changed, "1d") == number
        if number == 2:
            result = ma.backtest(*run)
            result.save("second", user="demo")
    read.append(store.read(["IBM"], "1d"))
    return result, read


def restored_at(folder: Path, file: Path, **options: Any) -> Any:
    done = restore(
        file, database_url=f"sqlite:///{folder}/x.db", bar_store=str(folder / "bars"), **options
    )
    ma.configure(database_url=f"sqlite:///{folder}/x.db", bar_store=str(folder / "bars"))
    return done


def test_versions_and_runs_answer_as_before(
    cited: tuple[Any, list[pd.DataFrame]], tmp_path: Path
) -> None:
    result, read = cited
    done = back_up(tmp_path / "b.zip")
    assert [(one.version, one.cited, str(one.readable)) for one in done.bars] == [
        (4, (0, 2), "0-0,2-2,4-4")
    ]
    orders, before = ma.orders(), BarStore().versions("1d")
    restored_at(tmp_path / "else", tmp_path / "b.zip")
    pd.testing.assert_frame_equal(ma.orders(), orders)
    for version in (0, 2, 4):
        pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d", as_of=version), read[version])
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), read[4])
    for version in (1, 3):
        with pytest.raises(InvalidInputError, match=f"version {version} .*was vacuumed"):
            BarStore().read(["IBM"], "1d", as_of=version)
    moment = before["committed_at"][2] + pd.Timedelta(milliseconds=1)
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d", as_of=moment), read[2])
    assert ma.rerun("second").digest() == result.digest()
    assert ma.rerun("demo") is not None
    again = BarStore().versions("1d")
    assert again["operation"].tolist() == [*before["operation"], "restore"]
    assert again["committed_at"].tolist()[:-1] == before["committed_at"].tolist()
    BarStore().vacuum("1d", keep=dt.timedelta(0))
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d", as_of=2), read[2])
    assert BarStore().write(read[0].tail(3), "1d") == 6


def test_the_file_is_readable_by_its_owner_only_and_by_other_tools(
    demo_data: Path, tmp_path: Path
) -> None:
    done = back_up(tmp_path / "b.zip", reports=True)
    path = tmp_path / "b.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        for name, known in manifest["members"].items():
            content = archive.read(name)
            assert known == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (tmp_path / "plain.db").write_bytes(archive.read("database.sqlite"))
    with sqlite3.connect(tmp_path / "plain.db") as raw:
        for name, known in manifest["database"]["tables"].items():
            assert raw.execute(f"SELECT count(*) FROM {name}").fetchone() == (known["rows"],)
    assert hashlib.sha256(_manifest(path)).hexdigest() == done.digest
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".b.zip")] == []


def _manifest(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("manifest.json")


def test_reports_and_bars_are_optional(demo_data: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "all.zip", reports=True)
    back_up(tmp_path / "records.zip", bars=False)
    assert verify_backup(tmp_path / "records.zip").bars is None
    done = restored_at(tmp_path / "a", tmp_path / "records.zip")
    assert done.bar_store is None
    assert not (tmp_path / "a" / "bars").exists()
    done = restored_at(tmp_path / "b", tmp_path / "all.zip", reports=tmp_path / "b" / "reports")
    report = tmp_path / "b" / "reports" / "demo.html"
    assert report.read_bytes() == (demo_data / "reports" / "demo.html").read_bytes()
    done = restored_at(tmp_path / "c", tmp_path / "all.zip", bars=False)
    assert "1 files of reports were left in it" in done.note
    wanted = tmp_path / "d" / "reports"
    done = restored_at(tmp_path / "d", tmp_path / "records.zip", reports=wanted)
    assert done.reports is None
    assert "holds no files of reports" in repr(done)
    assert str(wanted) not in repr(done)


def test_a_backup_among_the_reports_does_not_hold_itself(demo_data: Path) -> None:
    folder = demo_data / "reports"
    (folder / ".demo.html.0123abcd.part").write_bytes(b"half")
    done = back_up(folder / "b.zip", bars=False, reports=True)
    assert done.reports == 1
    with zipfile.ZipFile(folder / "b.zip") as archive:
        assert [name for name in archive.namelist() if name.startswith("reports/")] == [
            "reports/demo.html"
        ]


def test_nothing_is_restored_over_something(demo_data: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "b.zip", tmp_path / "t"
    back_up(file)
    with pytest.raises(InvalidInputError, match=r"b\.zip exists; name a new file"):
        back_up(file)
    with pytest.raises(InvalidInputError, match="has the tables account_info"):
        restore(file, bar_store=str(target / "bars"))
    with pytest.raises(InvalidInputError, match=r"bar store .* is not empty: it holds 1d/"):
        BarStore().write(BarStore().read(["IBM"], "1d").assign(volume=1.0), "1d")
        restore(file, database_url=f"sqlite:///{target}/x.db")
    target.mkdir(exist_ok=True)
    (target / "bars").mkdir()
    (target / "bars" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match=r"it holds notes\.txt"):
        restored_at(target, file)
    (target / "r").mkdir()
    (target / "r" / "mine.html").touch()
    with pytest.raises(InvalidInputError, match=r"folder .*r is not empty"):
        restore(
            file, database_url=f"sqlite:///{target}/x.db", bar_store=str(target / "none"),
            reports=target / "r",
        )  # fmt: skip
    assert sorted(p.name for p in target.rglob("*") if p.is_file()) == ["mine.html", "notes.txt"]
    (target / "bars" / "notes.txt").unlink()
    sqlite3.connect(target / "x.db").close()  # an empty file is an empty database
    restored_at(target, file)
    assert len(ma.orders())


def test_a_log_of_the_lost_database_does_not_get_into_the_restored_one(
    demo_data: Path, tmp_path: Path
) -> None:
    """The database's file is lost and its write-ahead log is not; a copy has the same seam."""
    back_up(tmp_path / "b.zip")
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE lost (a)")
        raw.commit()
        path.unlink()
        target = {"database_url": f"sqlite:///{path}", "bar_store": str(tmp_path / "bars")}
        with pytest.raises(InvalidInputError, match=r"x\.db-wal was left by a former database"):
            restore(tmp_path / "b.zip", **target)
        with pytest.raises(InvalidInputError, match=r"x\.db-wal was left by a former database"):
            copy_database(config.settings().database_url, path)
    Path(f"{path}-wal").unlink(missing_ok=True)
    restore(tmp_path / "b.zip", **target)
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
        restore(
            tmp_path / "b.zip", database_url=f"sqlite:///{target}/x.db",
            bar_store=str(target / "bars"), reports=target / "r",
        )  # fmt: skip

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


def test_only_superusers(demo_data: Path, tmp_path: Path) -> None:
    with ma.as_user("demo"):
        with pytest.raises(NotAllowedError, match="may not take backups"):
            back_up(tmp_path / "b.zip")
        with pytest.raises(NotAllowedError, match="may not restore"):
            restore(tmp_path / "b.zip")


def test_a_lost_configured_database_does_not_stop_a_restore(
    demo_data: Path, tmp_path: Path
) -> None:
    back_up(tmp_path / "b.zip", bars=False)
    ma.configure(database_url="postgresql+psycopg://u@127.0.0.1:1/x")
    restore(tmp_path / "b.zip", database_url=f"sqlite:///{tmp_path}/x.db")
    copy_database(tmp_path / "x.db", tmp_path / "y.db")
    with pytest.raises(DatabaseUnreachableError):
        restore(tmp_path / "b.zip", bars=False)


def test_before_an_upgrade_and_after_it(tmp_path: Path) -> None:
    migrate.upgrade(db.engine, "0005")
    back_up(tmp_path / "old.zip")
    done = restored_at(tmp_path / "old", tmp_path / "old.zip")
    assert "revision 0005" in done.note
    assert "mismartera db upgrade" in done.note
    migrate.upgrade(db.engine)
    assert migrate.status(db.engine).state == "current"
    ma.configure(database_url=f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(DatabaseNotReadyError, match="there is no file"):
        back_up(tmp_path / "none.zip")
    make_engine(f"sqlite:///{tmp_path}/none.db").connect().close()
    with pytest.raises(DatabaseNotReadyError, match="mismartera db init"):
        back_up(tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


@pytest.mark.postgres
def test_to_postgresql_and_back(demo_data: Path, tmp_path: Path, postgres_url: str) -> None:
    orders, digest = ma.orders(), ma.rerun("demo").digest()
    first = back_up(tmp_path / "1.zip")
    restore(tmp_path / "1.zip", database_url=postgres_url, bar_store=str(tmp_path / "bars"))
    ma.configure(database_url=postgres_url, bar_store=str(tmp_path / "bars"))
    pd.testing.assert_frame_equal(ma.orders(), orders)
    second = back_up(tmp_path / "2.zip")
    assert second.tables == first.tables
    restored_at(tmp_path / "back", tmp_path / "2.zip")
    pd.testing.assert_frame_equal(ma.orders(), orders)
    assert ma.rerun("demo").digest() == digest


def test_a_store_on_s3_goes_and_comes_back(
    demo_data: Path,
    tmp_path: Path,
    s3: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bars = BarStore().read(["IBM"], "1d")
    back_up(tmp_path / "1.zip")
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
            restore(tmp_path / "1.zip", database_url=url, bar_store=s3)
    assert module.place_of(s3).listed() == []
    assert not (tmp_path / "s3" / "x.db").exists()
    # What a killed restore leaves: some of the files. The next one goes on.
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith(".parquet"))
        module.place_of(s3).write(
            name.removeprefix("bars/"), lambda stream: stream.write(archive.read(name))
        )
    restore(tmp_path / "1.zip", database_url=url, bar_store=s3)
    ma.configure(database_url=url, bar_store=s3)
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), bars)
    back_up(tmp_path / "2.zip")
    restored_at(tmp_path / "back", tmp_path / "2.zip")
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), bars)


def test_a_file_that_is_vacuumed_meanwhile_is_looked_for_anew(
    cited: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between plan and copy the newest version is replaced and its files are deleted, three times."""
    planned, rounds = module.planned, []

    def interrupted(*args: Any, **options: Any) -> Any:
        found = planned(*args, **options)
        if len(rounds) < 3:
            rounds.append(found[0].version)
            bars = BarStore().read(["IBM"], "1d").tail(3)
            BarStore().write(bars.assign(volume=float(len(rounds))), "1d")
            BarStore().vacuum("1d", keep=dt.timedelta(0))
        return found

    monkeypatch.setattr(module, "planned", interrupted)
    done = back_up(tmp_path / "b.zip")
    assert len(rounds) == 3
    assert done.bars[0].version > rounds[-1]
    expected = BarStore().read(["IBM"], "1d")
    restored_at(tmp_path / "else", tmp_path / "b.zip")
    pd.testing.assert_frame_equal(BarStore().read(["IBM"], "1d"), expected)
    BarStore().read(["IBM"], "1d", as_of=2)


def test_a_file_that_no_vacuum_took_is_named(cited: Any, tmp_path: Path) -> None:
    folder = Path(BarStore().uri) / "1d"
    needed = bar_table(place_of(BarStore().uri), "1d").snapshot().files  # others are not copied
    gone = folder / needed[0].path
    gone.unlink()
    with pytest.raises(StorageError, match=f"{gone.name} is gone, though no vacuum took it"):
        back_up(tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()
    back_up(tmp_path / "records.zip", bars=False)


def test_a_citation_that_goes_with_its_version_meanwhile_is_read_anew(
    cited: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the records are read, a run is deleted and what it cited is vacuumed."""
    take, rounds = module.take_file, []

    def interrupted(source: Path, target: Path) -> None:
        take(source, target)
        rounds.append(target)
        if len(rounds) == 1:
            with ma.session_scope() as db_session:
                db_session.execute(text("DELETE FROM trials"))
                db_session.execute(text("DELETE FROM backtest_runs WHERE name = 'second'"))
            BarStore().vacuum("1d", keep=dt.timedelta(0))

    monkeypatch.setattr(module, "take_file", interrupted)
    done = back_up(tmp_path / "b.zip")
    assert len(rounds) == 2
    assert done.bars[0].cited == (0,)
    assert done.bars[0].missing == ()


def test_what_was_vacuumed_although_it_is_cited_is_said(cited: Any, tmp_path: Path) -> None:
    BarStore().vacuum("1d", keep=dt.timedelta(0), cited=[0])
    done = back_up(tmp_path / "b.zip")
    assert "Cited, but vacuumed before: 1d version 2." in repr(done)


# ---- damaged and hostile files


@pytest.fixture(scope="module")
def taken(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take one backup of the demo's data."""
    folder = tmp_path_factory.mktemp("taken")
    shutil.copytree(demo_home, folder / "home")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MISMARTERA_HOME", str(folder / "home"))
        config.configure()
        back_up(folder / "whole.zip")
        db.close_db()
    config.configure()
    return folder / "whole.zip"


@pytest.fixture
def whole(taken: Path, tmp_path: Path) -> Iterator[Path]:
    """Give a whole backup; afterwards nothing may have been written."""
    yield Path(shutil.copy(taken, tmp_path))
    assert not (tmp_path / "t").exists()


Change = Callable[[dict[str, bytes], dict[str, Any]], None]


def remade(whole: Path, change: Change, *, honest: bool = True) -> Path:
    """Write the archive again after a change; `honest` makes the manifest agree with it."""
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    if honest:
        for name, content in members.items():
            digest = hashlib.sha256(content).hexdigest()
            manifest["members"].setdefault(name, {}).update(size=len(content), sha256=digest)
    made = whole.with_name("made.zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return made


def _entry(members: dict[str, bytes]) -> str:
    return next(name for name in members if "_delta_log" in name)


def _bar_file(members: dict[str, bytes]) -> str:
    return next(name for name in members if name.endswith(".parquet"))


def _outside(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = _entry(members)
    members[name] = members[name].replace(b'"path":"year=2000', b'"path":"../../../year=2000')


def _beside_the_log(name: str) -> Change:
    """Add what a reader of Delta takes for newer or quicker than the entries."""

    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        added = {"path": "../../../passwd.parquet", "size": 1, "modificationTime": 0,
                 "dataChange": True, "partitionValues": {}}  # fmt: skip
        members[f"bars/1d/_delta_log/{name}"] = json.dumps({"add": added}).encode()
        manifest["bars"]["1d"]["files"].append(f"_delta_log/{name}")

    return change


def _named_in_the_log(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    _beside_the_log(f"{0:020}.checkpoint.parquet")(members, manifest)
    path = manifest["bars"]["1d"]["files"][-1]
    members[_entry(members)] += b'\n{"add":{"path":"%s"}}' % path.encode()


def _without(name: str) -> Change:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        found = _bar_file(members) if name == "bars" else _entry(members)
        del members[found], manifest["members"][found]
        for one in manifest["bars"].values():
            one["files"] = [path for path in one["files"] if not found.endswith(path)]

    return change


def _put(name: str, content: bytes = b"x") -> Change:
    return lambda members, manifest: members.update({name: content})


def _told(*path: str, value: Any) -> Change:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        where = manifest
        for part in path[:-1]:
            where = where[part]
        where[path[-1]] = value

    return change


def _other_rows(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    at = Path(os.environ["MISMARTERA_HOME"], "edit.db")
    at.write_bytes(members["database.sqlite"])
    with sqlite3.connect(at) as raw:
        raw.execute("UPDATE account_info SET cash_balance = cash_balance + 1")
    raw.close()
    members["database.sqlite"] = at.read_bytes()


HOSTILE: dict[str, tuple[Change, bool, str]] = {
    "parent": (_put("../evil"), True, "member named '../evil'"),
    "absolute": (_put("/tmp/evil"), True, "member named '/tmp/evil'"),
    "deep parent": (_put("bars/1d/../../../evil"), True, "which no backup has"),
    "backslash": (_put("bars/..\\..\\evil"), True, "which no backup has"),
    "drive": (_put("bars/C:evil"), True, "which no backup has"),
    "unexpected": (_put("readme.txt"), True, "member named 'readme.txt'"),
    "not told": (_put("bars/x"), False, "manifest lacks 'bars/x'"),
    "lacking": (lambda m, _: m.pop(_bar_file(m)) and None, False, "archive lacks 'bars/1d"),
    "other bytes": (
        lambda m, _: m.update({_bar_file(m): m[_bar_file(m)][:-1] + b"X"}), False,
        "not what the manifest says"),
    "other size": (lambda m, _: m.update({_bar_file(m): b"PAR1"}), False, "another size"),
    "log names outside": (_outside, True, "lies outside of it"),
    "later entry": (_beside_the_log(f"{1:020}.json"), True, "does not name '_delta_log/"),
    "checkpoint": (_beside_the_log(f"{0:020}.checkpoint.parquet"), True, "does not name"),
    "compacted log": (_beside_the_log(f"{0:020}.{0:020}.compacted.json"), True, "does not name"),
    "checkpoint as bars": (_named_in_the_log, True, "which is no file of bars"),
    "log is none": (
        lambda m, _: m.update({_entry(m): b"[" * 100_000}), True, "is no log entry"),
    "bars lacking": (_without("bars"), True, "needs 'year=2000"),
    "log lacking": (_without("log"), True, "lacks version 0"),
    "no database": (
        lambda m, _: m.update({"database.sqlite": b"none" * 4000}), True, "cannot be read"),
    "other rows": (_other_rows, True, "'account_info' differs from the manifest"),
    "other format": (_told("format_version", value=2), True, "its format is 2"),
    "no manifest of ours": (_told("format", value="x"), True, "is not one of a"),
    "bars told wrong": (_told("bars", "1d", "readable", value="0-99"), True, "nothing sensible"),
    "bars told odd": (_told("bars", value=[1]), True, "nothing sensible of bars"),
    "interval": (_told("bars", value={"../x": {}}), True, "nothing sensible of bars"),
    "endless versions": (
        _told("bars", "1d", "version", value=10**12), True, "nothing sensible of bars"),
    "database told odd": (_told("database", value=None), True, "nothing of a database"),
    "tables told": (
        _told("database", "tables", "more", value={}), True, "lacks the table 'more'"),
    "reports told": (_told("reports", value=["reports/x"]), True, "names reports that it lacks"),
    "members told odd": (_told("members", value=[]), False, "names no members"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(HOSTILE))
def test_a_hostile_archive_is_one_sentence_and_writes_nothing(case: str, whole: Path) -> None:
    change, honest, words = HOSTILE[case]
    refused(remade(whole, change, honest=honest), words)


def refused(file: Path, words: str) -> None:
    target = file.parent / "t"
    with pytest.raises(StorageError) as caught:
        restore(file, database_url=f"sqlite:///{target}/x.db", bar_store=str(target / "bars"))
    said = str(caught.value)
    assert words in said
    assert "nothing was written" in said
    assert "\n" not in said
    assert not target.exists() or not any(p.is_file() for p in target.rglob("*"))
    if target.exists():
        target.rmdir()


def test_a_bomb_is_refused_before_it_is_unpacked(whole: Path) -> None:
    made = whole.with_name("made.zip")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        manifest = json.loads(old.read("manifest.json"))
        manifest["members"] = {}  # of a small archive: the bomb is a small one too
        digest, part = hashlib.sha256(), bytes(1 << 20)
        with new.open("bars/1d/year=1/x.parquet", "w") as target:
            for _ in range(200):
                target.write(part)
                digest.update(part)
        told = {"size": 200 << 20, "sha256": digest.hexdigest()}
        manifest["members"]["bars/1d/year=1/x.parquet"] = told
        new.writestr("manifest.json", json.dumps(manifest))
    refused(made, "says to hold")


def test_a_manifest_that_unpacks_to_lists_without_end_is_not_parsed(whole: Path) -> None:
    """Five million empty lists are 15 kB of an archive and 500 MB of memory."""
    for content, words in (
        (b"[" + b"[]," * 5_000_000 + b"0]", "holds more than 4,000,000 values"),
        (b"[" * 100_000, "100,000 deep"),
        (b'{"format": 1, "format": 2}', "twice in one object"),
        (b"{", "not whole JSON"),
    ):
        made = whole.with_name("made.zip")
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", content)
        refused(made, words)


def test_links_doubles_and_encrypted_members_are_refused(whole: Path) -> None:
    link = zipfile.ZipInfo("bars/1d/link.parquet")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for info, words in (
        (link, "is a link"), (zipfile.ZipInfo("database.sqlite"), "two members of one name"),
        (zipfile.ZipInfo("manifest.json"), "is there twice"),
    ):  # fmt: skip
        made = whole.with_name("made.zip")
        made.write_bytes(whole.read_bytes())
        with (
            zipfile.ZipFile(made, "a") as archive,
            pytest.warns(UserWarning, match="Duplicate name")
            if "link" not in words
            else contextlib.nullcontext(),
        ):
            archive.writestr(info, b"/etc/passwd")
        refused(made, words)


@pytest.mark.parametrize("left", [0, 10, 1000, 0.5, -1, -30])
def test_a_file_that_was_cut_short_is_refused(left: float, whole: Path) -> None:
    content = whole.read_bytes()
    size = int(len(content) * left) if isinstance(left, float) else left
    made = whole.with_name("made.zip")
    made.write_bytes(content[:size])
    refused(made, "is not a whole backup")


def test_any_flipped_byte_is_noticed_or_harmless(whole: Path) -> None:
    """A byte of the archive is changed at 40 places: it is refused, or nothing that it says changed."""
    content, made = bytearray(whole.read_bytes()), whole.with_name("made.zip")
    expected = verify_backup(whole)
    noticed = 0
    for at in range(0, len(content), len(content) // 40):
        content[at] ^= 0x55
        made.write_bytes(content)
        content[at] ^= 0x55
        try:
            found = verify_backup(made)
        except StorageError:
            noticed += 1
        else:
            assert (found.tables, found.bars) == (expected.tables, expected.bars)
    assert noticed >= 38


@pytest.mark.parametrize(
    "reports", [[["reports/a"]], [{}], ["database.sqlite"], {"reports/a": 1}, "x"]
)
def test_a_manifest_whose_reports_are_none_is_refused(
    demo_data: Path, tmp_path: Path, reports: Any
) -> None:
    back_up(tmp_path / "good.zip", bars=False)
    with (
        zipfile.ZipFile(tmp_path / "good.zip") as good,
        zipfile.ZipFile(tmp_path / "odd.zip", "w") as odd,
    ):
        odd.writestr("database.sqlite", good.read("database.sqlite"))
        manifest = json.loads(good.read("manifest.json")) | {"reports": reports}
        odd.writestr("manifest.json", json.dumps(manifest))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "page.html").write_text("mine")
    with pytest.raises(StorageError, match="names reports that it lacks"):
        restore(tmp_path / "odd.zip", database_url=str(tmp_path / "new.db"), reports=mine)
    with pytest.raises(StorageError, match="names reports that it lacks"):
        verify_backup(tmp_path / "odd.zip")
    assert not (tmp_path / "new.db").exists()


def test_a_report_that_cannot_be_read_is_named(
    demo_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = config.settings().reports / "page.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("page")
    real = Path.read_bytes

    def read(path: Path) -> bytes:  # whoever tests as root may read everything
        if path == page:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    with pytest.raises(StorageError, match=r"page\.html cannot be read: Permission denied"):
        back_up(tmp_path / "b.zip", bars=False, reports=True)
    assert not (tmp_path / "b.zip").exists()


def test_a_store_with_what_cannot_be_read_is_refused_in_a_sentence(
    demo_data: Path, tmp_path: Path
) -> None:
    back_up(tmp_path / "b.zip")
    entry = tmp_path / "bars" / "1d" / "_delta_log" / f"{0:020}.json"
    entry.parent.mkdir(parents=True)
    with (
        contextlib.closing(socket.socket(socket.AF_UNIX)) as taken,
        contextlib.chdir(entry.parent),  # the name of a socket is short
    ):
        taken.bind(entry.name)
    with pytest.raises(StorageError, match="bars cannot be read"):
        restore(
            tmp_path / "b.zip",
            database_url=str(tmp_path / "new.db"),
            bar_store=str(tmp_path / "bars"),
        )


def test_a_restore_into_a_bucket_that_is_gone_tells_why_it_began_to_undo(tmp_path: Path) -> None:
    """What cannot be deleted stays, the rest goes, and no error of deleting hides the first one."""
    store = StoreRestore(str(tmp_path), {}, lambda *_: contextlib.nullcontext(io.BytesIO()))
    (tmp_path / "stuck").mkdir()
    (tmp_path / "first").write_text("x")
    store._written += [(store.place, "first"), (store.place, "stuck")]
    store.withdraw()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stuck"]


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


def test_a_log_that_is_damaged_behind_its_checkpoint_is_told_in_a_sentence(
    cited: Any, tmp_path: Path
) -> None:
    """Readers begin at the checkpoint; who asks what older versions need reads all."""
    place = Path(BarStore().uri, "1d")
    DeltaTable(str(place)).create_checkpoint()
    for damage in (b"\xff\xfe", b'{"add": {}}', b'{"remove": 1}'):
        (place / "_delta_log" / f"{1:020}.json").write_bytes(damage)
        with pytest.raises(StorageError, match=r"is damaged.*nothing was copied"):
            back_up(tmp_path / "b.zip")
        assert len(ma.doctor(progress=False).errors)


def test_folders_without_a_file_are_an_empty_store(demo_data: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "b.zip")
    place = tmp_path / "bars"
    (place / "1d" / "_delta_log").mkdir(parents=True)
    restore(tmp_path / "b.zip", database_url=str(tmp_path / "new.db"), bar_store=str(place))
    assert BarStore(place).version("1d") == 0
