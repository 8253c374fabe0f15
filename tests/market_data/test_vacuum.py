"""Vacuum: what is kept reads as before, what went is refused, and a kill in between harms nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mismartera_analytics import clock, frames
from mismartera_analytics.errors import DatabaseNotReadyError, InvalidInputError, StorageError
from mismartera_analytics.market_data import bar_files, vacuum
from mismartera_analytics.market_data.bar_table import BarTable, Conflict
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database
from mismartera_analytics.models.runs import BacktestRun, Report, Trial
from tests.market_data.conftest import files_of, make_minutes


@pytest.fixture
def records(ready_database: str) -> None:
    """What is recorded is the subject here: both databases in turn."""


ROOT = Path(__file__).resolve().parent.parent.parent
NOW = dt.timedelta(0)


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def rewritten(store: BarStore, versions: int = 5) -> list[pd.DataFrame]:
    """Write versions each of which replaces every bar of the one before; return their contents."""
    contents = []
    for seed in range(versions):
        store.write(pd.concat([make_minutes(s, seed=seed) for s in ("AAPL", "MSFT")]), "1m")
        contents.append(store.read(["AAPL", "MSFT"], "1m"))
    return contents


def check(store: BarStore, contents: list[pd.DataFrame], kept: set[int]) -> None:
    """Kept versions read, with every decoded file forgotten; the others are refused."""
    bar_files.clear_cache()
    readable = store.versions("1m")["is_readable"]
    for version, expected in enumerate(contents):
        assert readable[version] == (version in kept)
        if version in kept:
            read = store.read(["AAPL", "MSFT"], "1m", as_of=version)
            pd.testing.assert_frame_equal(read, expected)
            continue
        for way in (store.read, store.dask):
            with pytest.raises(InvalidInputError, match=rf"version {version} .* was vacuumed"):
                way("AAPL", "1m", as_of=version)
        with pytest.raises(InvalidInputError, match="was vacuumed"):
            store.dataset("1m", as_of=version)
    pd.testing.assert_frame_equal(store.read(["AAPL", "MSFT"], "1m"), contents[-1])


def test_cited_versions_and_the_newest_stay(store: BarStore) -> None:
    contents = rewritten(store)
    told = store.vacuum("1m", keep=NOW, cited=[1], dry_run=True)
    assert len(files_of(store)) == 10
    assert store.version("1m") == 4
    gone = store.vacuum("1m", keep=NOW, cited=[1])
    pd.testing.assert_frame_equal(gone, told)
    pd.testing.assert_frame_equal(frames.VACUUMED.conform(gone), gone)
    assert gone["reason"].tolist() == ["superseded"] * 6
    assert len(files_of(store)) == 4
    check(store, contents, {1, 4})
    assert store.versions("1m")["operation"].tolist()[-1] == "vacuum"
    again = store.vacuum("1m", keep=NOW, cited=[1])
    assert again.empty
    assert store.version("1m") == 5, "a vacuum without work made a version"
    moment = store.versions("1m")["committed_at"].iloc[2]
    with pytest.raises(InvalidInputError, match=r"version 2 .* was vacuumed"):
        store.read("AAPL", "1m", as_of=moment)
    assert store.write(make_minutes(seed=9), "1m") == 6


def test_what_was_current_of_late_stays(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = rewritten(store, 4)
    committed = store.versions("1m")["committed_at"]
    monkeypatch.setattr(clock, "utc_now", lambda: committed[3] + pd.Timedelta(days=10))
    # Ten days ago, just before the last commit, version 2 was what everybody read.
    keep = dt.timedelta(days=10, milliseconds=1)
    assert not store.vacuum("1m", keep=keep, cited=[]).empty
    check(store, contents, {2, 3})
    assert not store.vacuum("1m", keep=dt.timedelta(days=9), cited=[]).empty
    check(store, contents, {3})


def test_versions_that_lose_no_file_stay_readable(store: BarStore) -> None:
    for i in range(4):
        store.write(make_minutes(start=f"2025-07-02T1{i}:30Z", seed=i), "1m")
    before = [store.read("AAPL", "1m", as_of=i) for i in range(4)]
    assert store.vacuum("1m", keep=NOW, cited=[]).empty
    store.compact("1m")
    assert len(store.vacuum("1m", keep=NOW, cited=[2])) == 1  # the file that came after version 2
    assert store.versions("1m")["is_readable"].tolist() == [True, True, True, False, True, True]
    bar_files.clear_cache()
    for i in range(3):
        pd.testing.assert_frame_equal(store.read("AAPL", "1m", as_of=i), before[i])


def test_files_that_killed_writers_left(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = rewritten(store, 2)
    left = "symbol=AAPL/year=2025/part-left.parquet"

    def save(where: object) -> None:
        pq.write_table(pa.table({"timestamp": [1]}), where)

    place_of(store.uri).below("1m").write(left, save)
    assert store.vacuum("1m", cited=[]).empty, "its writer may be about to commit"
    assert f"1m/{left}" in files_of(store)
    monkeypatch.setattr(vacuum, "ORPHAN_AGE", dt.timedelta(seconds=-2))
    gone = store.vacuum("1m", cited=[])
    assert gone["path"].tolist() == [left]
    assert gone["reason"].tolist() == ["orphan"]
    assert store.version("1m") == 1
    check(store, contents, {0, 1})


def record(rows: list[object]) -> None:
    with database.session_scope() as db_session:
        db_session.add_all(rows)


def run(version: int, interval: str | None = "1m", store: str | None = None) -> BacktestRun:
    data = {"digest": "x", "store": store, "version": version}
    return BacktestRun(
        name=f"run {version}",
        created_at=clock.utc_now(),
        config_json=json.dumps({"interval": interval, "data": data}),
        data_version_json=json.dumps(data),
    )


def test_what_the_records_cite_stays(store: BarStore, records: None, tmp_path: Path) -> None:
    contents = rewritten(store, 9)
    other = BarStore(tmp_path / "other")
    other.write(make_minutes(), "1m")
    trial = Trial(
        family="f",
        recorded_at=clock.utc_now(),
        parameters_json="{}",
        data_version_json=json.dumps({"version": 3}),
    )
    report = Report(
        title="r",
        path="r.html",
        created_at=clock.utc_now(),
        cites_json=json.dumps({"bars": [{"interval": "1m", "version": 5, "store": store.uri}]}),
    )
    record(
        [
            run(1, store=store.uri),
            run(2, store="/was/moved/since"),
            run(4, interval="1d", store=store.uri),
            run(6, store=other.uri),
            run(7, store=None, interval=None),
            trial,
            report,
        ]
    )
    store.vacuum("1m", keep=NOW)
    check(store, contents, {1, 2, 5, 7, 8})  # a trial keeps nothing


def test_what_a_record_cites_must_be_readable_before_anything_is_deleted(
    store: BarStore, records: None
) -> None:
    contents = rewritten(store, 4)
    record([Report(title="q", path="q.html", created_at=clock.utc_now(), cites_json="no JSON")])
    before = files_of(store)
    with pytest.raises(StorageError, match=r"report 1 .* nothing was deleted"):
        store.vacuum("1m", keep=NOW)
    assert files_of(store) == before
    store.vacuum("1m", keep=NOW, cited=[1])
    check(store, contents, {1, 3})


@pytest.mark.parametrize(
    "cited", [5, True, "12", b"12", [1.5], ["1"], [True], [-1], [None], {"a": 1}]
)
def test_citations_that_are_no_numbers_are_refused(store: BarStore, cited: Any) -> None:
    rewritten(store, 3)
    before = files_of(store)
    with pytest.raises(InvalidInputError, match="cited="):
        store.vacuum("1m", keep=NOW, cited=cited)
    assert files_of(store) == before


def test_without_a_database_nobody_knows_what_is_cited(store: BarStore) -> None:
    rewritten(store, 3)
    with pytest.raises(DatabaseNotReadyError):
        store.vacuum("1m", keep=NOW)
    assert len(files_of(store)) == 6


def test_of_nothing_and_bad_arguments(store: BarStore) -> None:
    pd.testing.assert_frame_equal(store.vacuum("1m", cited=[]), frames.VACUUMED.empty())
    rewritten(store, 2)
    assert store.vacuum("1m", keep=dt.timedelta.max, cited=[]).empty
    for keep in (-dt.timedelta(days=1), 30, "30d"):
        with pytest.raises(InvalidInputError, match="keep="):
            store.vacuum("1m", keep=keep, cited=[])  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="not an interval"):
        store.vacuum("1D", cited=[])


def test_a_writer_in_between_is_kept(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = rewritten(store, 3)
    real, met = BarTable.mark_vacuumed, []

    def after_a_rival(self: BarTable, *arguments: object, **options: object) -> int:
        if not met:
            met.append(True)
            contents.extend([pd.DataFrame()])
            BarStore(store.uri).write(make_minutes("AAPL", seed=77), "1m")
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BarTable, "mark_vacuumed", after_a_rival)
    store.vacuum("1m", keep=NOW, cited=[])
    bar_files.clear_cache()
    close = store.read("AAPL", "1m")["close"].tolist()
    assert close == make_minutes("AAPL", seed=77)["close"].tolist()
    assert len(files_of(store)) == 2


def test_conflicts_that_never_end_are_reported(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_late(*arguments: object, **options: object) -> int:
        raise Conflict

    rewritten(store, 2)
    monkeypatch.setattr(BarTable, "mark_vacuumed", always_late)
    monkeypatch.setattr(vacuum, "_ATTEMPTS", 2)
    with pytest.raises(StorageError, match="nothing was deleted"):
        store.vacuum("1m", keep=NOW, cited=[])
    assert len(files_of(store)) == 4


@pytest.mark.parametrize("deleted", [0, 3])
def test_broken_off_after_some_files_it_goes_on(
    store: BarStore, monkeypatch: pytest.MonkeyPatch, deleted: int
) -> None:
    contents = rewritten(store, 4)
    real, count = type(place_of(store.uri)).delete, []

    def delete_some(self: Place, path: str) -> None:
        if len(count) >= deleted:
            raise OSError("the cable was pulled")
        count.append(path)
        real(self, path)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(type(place_of(store.uri)), "threads", 1)
        broken.setattr(type(place_of(store.uri)), "delete", delete_some)
        with pytest.raises(StorageError, match="the versions that are kept are whole"):
            store.vacuum("1m", keep=NOW, cited=[2])
    check(store, contents, {2, 3})
    store.vacuum("1m", keep=NOW, cited=[2])
    assert len(files_of(store)) == 4
    check(store, contents, {2, 3})


KILLED = """
import datetime as dt, os, signal, sys
from mismartera_analytics.market_data.buckets import BucketPlace
from mismartera_analytics.market_data.places import FolderPlace
from mismartera_analytics.market_data.store import BarStore

left = int(sys.argv[2])
for kind in (BucketPlace, FolderPlace):
    kind.threads = 1
    def delete(self, path, real=kind.delete):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        real(self, path)
    kind.delete = delete
BarStore(sys.argv[1]).vacuum("1m", keep=dt.timedelta(0), cited=[0])
"""


@pytest.mark.parametrize("deleted", [0, 3])
def test_killed_half_way_every_kept_version_reads(
    store: BarStore, tmp_path: Path, deleted: int
) -> None:
    contents = rewritten(store, 4)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    ended = subprocess.run(
        [sys.executable, str(script), store.uri, str(deleted)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert len(files_of(store)) == 8 - deleted
    check(store, contents, {0, 3})
    store.vacuum("1m", keep=NOW, cited=[0])
    assert len(files_of(store)) == 4
    check(store, contents, {0, 3})


def test_a_log_with_a_hole_is_left_alone(store: BarStore) -> None:
    rewritten(store, 3)
    place_of(store.uri).below("1m").delete(f"_delta_log/{1:020}.json")
    with pytest.raises(StorageError, match="nothing was deleted"):
        BarStore(store.uri).vacuum("1m", keep=NOW, cited=[])
    assert len(files_of(store)) == 6


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_whatever_is_kept_reads_and_no_file_stays_in_vain(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store = BarStore(tmp_path_factory.mktemp("bars"))
    contents = []
    for seed in range(data.draw(st.integers(2, 7))):
        if data.draw(st.integers(0, 3)) == 3:
            store.compact("1m")
        start = pd.Timestamp("2025-12-31T23:50Z") + pd.Timedelta(
            minutes=data.draw(st.integers(0, 20))
        )
        store.write(make_minutes(start=str(start), count=4, seed=seed), "1m")
    contents = [store.read("AAPL", "1m", as_of=v) for v in range(store.version("1m") + 1)]
    cited = data.draw(st.sets(st.integers(0, len(contents))))
    store.vacuum("1m", keep=NOW, cited=cited)
    bar_files.clear_cache()
    readable = store.versions("1m")["is_readable"]
    needed = set()
    for version, expected in enumerate(contents):
        if version in cited or version == len(contents) - 1:
            assert readable[version]
        if readable[version]:
            pd.testing.assert_frame_equal(store.read("AAPL", "1m", as_of=version), expected)
        if version in cited or version == len(contents) - 1:
            needed |= {f"1m/{f.path}" for f in store._table("1m").at_version(version).files}
    assert set(files_of(store)) == needed
