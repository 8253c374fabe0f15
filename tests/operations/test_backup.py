"""Backups: what they hold, what comes back from them, and what is in the way of taking one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
import stat
import zipfile
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
    DatabaseNotReadyError,
    InvalidInputError,
    NotAllowedError,
    StorageError,
)
from mismartera_analytics.market_data.bar_table import bar_table
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database as db
from mismartera_analytics.models import migrate
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations import backup as module
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.backup_checks import verify_backup
from mismartera_analytics.operations.restoring import restore
from tests.operations.backups import restored_at


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


def test_only_superusers(demo_data: Path, tmp_path: Path) -> None:
    with ma.as_user("demo"):
        with pytest.raises(NotAllowedError, match="may not take backups"):
            back_up(tmp_path / "b.zip")
        with pytest.raises(NotAllowedError, match="may not restore"):
            restore(tmp_path / "b.zip")


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
