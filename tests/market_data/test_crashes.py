"""Killed writers, two writers at once and a full disk: what was acknowledged is there, whole and once.

``CRASH_TESTS=full`` makes it fifty rounds of ``kill -9`` and thirty seconds of two writers.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mismartera_analytics.market_data.places import FolderPlace
from mismartera_analytics.market_data.store import BarStore
from tests.market_data import writing_process as rule
from tests.small_disks import can_mount, on_small_disk

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent.parent
IS_FULL = os.environ.get("CRASH_TESTS") == "full"
ROUNDS, SECONDS = (50, 30.0) if IS_FULL else (5, 4.0)


class Writer:
    """A writing process and its notes."""

    def __init__(self, what: str, folder: Path, notes: Path, writer: int, *more: float) -> None:
        self.number, self.notes = writer, notes
        self.notes.touch()
        self._skipped = len(self.notes.read_text().splitlines())
        order = json.dumps([what, str(folder), str(notes), writer, *more])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.market_data.writing_process", order],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def lines(self) -> list[str]:
        """Return what this process has noted."""
        return self.notes.read_text().splitlines()[self._skipped :]

    def wait_for(self, count: int) -> None:
        """Wait until it has noted so many lines."""
        end = time.monotonic() + 120
        while len(self.lines()) < count:
            assert self.process.poll() in (None, 0), "the writer failed"
            assert time.monotonic() < end, "the writer does not write"
            time.sleep(0.005)

    def acknowledged(self) -> list[tuple[int, int, int]]:
        """Return version, writer and number of each write that the store acknowledged."""
        noted = [json.loads(line) for line in self.lines() if line.endswith("]")]
        return [(version, self.number, number) for version, number in noted]


def replayed(writes: Iterable[tuple[int, int, int]]) -> dict[int, float]:
    """Return the price of each minute after writes in the order of their versions."""
    state: dict[int, float] = {}
    for _, writer, number in sorted(writes):
        if not rule.is_compaction(number):
            begin, price = rule.minute_of(number, writer), rule.price_of(number, writer)
            state |= dict.fromkeys(range(begin, begin + rule.ROWS), price)
    return state


def contents(store: BarStore, as_of: int | None = None) -> dict[int, float]:
    """Return the price of each minute, after one read of all symbols; they must agree."""
    frame = store.read(rule.SYMBOLS, "1m", as_of=as_of)
    minutes = ((frame["timestamp"] - rule.FIRST).dt.total_seconds() // 60).astype(int)
    rows = [
        dict(zip(minutes[mine], frame.loc[mine, "close"], strict=True))
        for mine in (frame["symbol"] == symbol for symbol in rule.SYMBOLS)
    ]
    assert len(frame) == sum(map(len, rows)), "a bar is there twice"
    assert rows[0] == rows[1] == rows[2], "a write is there for some symbols only"
    return rows[0]


def version_of(folder: Path) -> int:
    return BarStore(folder).version("1m")


def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    moments = random.Random(11)
    folder, told, number, unacknowledged = tmp_path / "bars", [], 0, 0
    for _ in range(ROUNDS):
        writer = Writer("until stopped", folder, tmp_path / "notes", 1, number, 60.0)
        writer.wait_for(1 + moments.randrange(3))  # it is ready, or has written once or twice
        time.sleep(moments.uniform(0.0, 0.3))
        os.kill(writer.process.pid, signal.SIGKILL)
        writer.process.wait()
        told += writer.acknowledged()
        number = told[-1][2] + 1 if told else 0
        version, newest = version_of(folder), max((v for v, *_ in told), default=-1)
        assert version - newest in (0, 1), "more than the last write was not acknowledged"
        if version > newest:  # it was committed, and the process killed before it could say so
            told.append((version, 1, number))
            number, unacknowledged = number + 1, unacknowledged + 1
        if version >= 0:
            assert contents(BarStore(folder)) == replayed(told)
    assert len(told) >= ROUNDS // 2
    middle = sorted(told)[len(told) // 2][0]
    assert contents(BarStore(folder), middle) == replayed(t for t in told if t[0] <= middle)
    next_version = BarStore(folder).write(rule.bars_of(number - number % 5, 2), "1m")
    assert next_version == version + 1
    log.info("%d rounds, %d commits, %d not acknowledged", ROUNDS, len(told), unacknowledged)


def test_two_processes_on_the_same_symbols_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    writers = [
        Writer("until stopped", folder, tmp_path / f"notes-{n}", n, 0, SECONDS) for n in (1, 2)
    ]
    seen: list[tuple[int, dict[int, float]]] = []
    while any(writer.process.poll() is None for writer in writers):
        time.sleep(0.02)
        reader = BarStore(folder)
        before = reader.version("1m")
        if before >= 0:
            now = contents(reader)
            if reader.version("1m") == before:
                seen.append((before, now))
    assert [writer.process.returncode for writer in writers] == [0, 0]
    told = [write for writer in writers for write in writer.acknowledged()]
    made = [v for v, _, number in told if not rule.is_compaction(number)]
    assert len(made) == len(set(made)) > 10, "two writes were told the same version"
    assert contents(BarStore(folder)) == replayed(told)
    for version, content in [seen[0], *random.Random(3).sample(seen, min(20, len(seen)))]:
        assert content == replayed(write for write in told if write[0] <= version)
    log.info(
        "%.0f s, %d operations acknowledged, %d reads in between", SECONDS, len(told), len(seen)
    )


def test_two_processes_that_make_the_table_at_once_both_write(tmp_path: Path) -> None:
    rounds = 20 if IS_FULL else 5
    writers = [Writer("when told", tmp_path, tmp_path / f"notes-{n}", n, rounds) for n in (1, 2)]
    for number in range(rounds):
        for writer in writers:
            writer.wait_for(2 * number + 1)
        (tmp_path / f"go-{number}").touch()
        for writer in writers:
            writer.wait_for(2 * number + 2)
        told = [write for writer in writers for write in writer.acknowledged()]
        mine = [write for write in told if write[2] == number * rule.COMPACT_EVERY]
        assert sorted(version for version, *_ in mine) == [0, 1]
        assert contents(BarStore(tmp_path / str(number))) == replayed(mine)
    for writer in writers:
        assert writer.process.wait() == 0


def test_what_a_killed_writer_leaves_behind_disturbs_nobody(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    store.write(rule.bars_of(0, 1), "1m")
    table = tmp_path / "1m"
    whole = next(table.glob("symbol=AAPL/*/*.parquet"))
    (whole.parent / "part-half.parquet").write_bytes(whole.read_bytes()[:-700])
    (whole.parent / "part-none.parquet").touch()
    entry = (table / "_delta_log" / f"{0:020}.json").read_bytes()
    (table / "_delta_log" / f"{1:020}.json#1").write_bytes(entry[:300])
    (table / "_delta_log" / f"{0:020}.checkpoint.parquet#1").write_bytes(b"PAR1")
    assert contents(BarStore(tmp_path)) == replayed([(0, 1, 0)])
    assert BarStore(tmp_path).symbols("1m") == rule.SYMBOLS
    assert BarStore(tmp_path).dataset("1m").count_rows() == 3 * rule.ROWS
    assert store.write(rule.bars_of(1, 1), "1m") == 1
    assert store.compact("1m") == 2
    assert contents(store) == replayed([(0, 1, 0), (1, 1, 1)])


# A file system of 3 MB of its own, filled up to some kilobytes before each write.
FULL_DISK = """
import json, os, sys
from pathlib import Path
from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.places import FolderPlace
from tests.market_data import writing_process as rule
from tests.market_data.test_crashes import contents, replayed

home = Path(sys.argv[1])
store, filler, told, full, number = BarStore(home / "bars"), home / "filler", [], [], 0
for left in [None] * 18 + list(range(0, 80, 4)) + [None]:
    filler.unlink(missing_ok=True)
    if left is not None:
        room = os.statvfs(home)
        filler.write_bytes(bytes(room.f_bavail * room.f_frsize - left * 1024))
    before = store.version("1m")
    try:
        told.append((store.write(rule.bars_of(number, 1), "1m"), 1, number))
    except StorageError as error:
        assert "No space left on device" in str(error) and "nothing was changed" in str(error), error
        assert BarStore(home / "bars").version("1m") == before
        full.append("commit" if "commit" in str(error) else "file")
    assert contents(BarStore(home / "bars")) == replayed(told), left
    number += 1 + rule.is_compaction(number + 1)
held = {Path(file).name for file in store.dataset("1m").files}
found = {file.name for file in (home / "bars" / "1m").rglob("*.parquet") if "log" not in str(file)}
print(json.dumps([full.count("file"), full.count("commit"), len(told), len(found - held)]))
"""


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[list[str]]:
    """Return a command before which a folder is a disk of 3 MB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    yield on_small_disk(folder, "3m")
    assert not list(folder.iterdir()), "the disk of the test was not the one that was filled"


if can_mount():

    def test_a_full_disk_is_said_and_changes_nothing(limited: list[str], tmp_path: Path) -> None:
        done = subprocess.run(
            [*limited, sys.executable, "-c", FULL_DISK, str(tmp_path / "tiny")],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        at_files, at_commits, written, _ = json.loads(done.stdout)
        assert at_files >= 1
        assert at_commits >= 1
        assert written >= 20


# No file may grow over a limit: the same error that a quota gives, at the data file or at the log.
SMALL_FILES = """
import resource, sys
from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.market_data.places import FolderPlace
from tests.market_data import writing_process as rule
from tests.market_data.test_crashes import contents, replayed

store, said = BarStore(sys.argv[1]), []
store.write(rule.bars_of(0, 1), "1m")
for limit in (100, 1000, 3000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        store.write(rule.bars_of(1, 1), "1m")
    except StorageError as error:
        assert "nothing was changed" in str(error), error
        said.append(limit)
    assert contents(BarStore(sys.argv[1])) == replayed([(0, 1, 0)])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.write(rule.bars_of(1, 1), "1m") == 1
assert said == [100, 1000, 3000], said
"""


def test_files_that_may_not_grow_change_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_FILES, str(tmp_path / "bars")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_bars_are_on_the_disk_before_the_log_names_them_and_the_log_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[tuple[str, bool]] = []
    settle = FolderPlace.settle

    def noted(self: FolderPlace, path: str) -> None:
        entry = self.root / "_delta_log" / f"{len(written):020}.json"
        settle(self, path)
        settled.append((path, entry.exists()))

    monkeypatch.setattr(FolderPlace, "settle", noted)
    written: list[int] = []
    for number in (0, 1):
        written.append(BarStore(tmp_path).write(rule.bars_of(number, 1), "1m"))
        *files, log_entry = settled
        assert {path.split("/")[0] for path, _ in files} == {f"symbol={s}" for s in rule.SYMBOLS}
        assert not any(is_committed for _, is_committed in files)
        assert log_entry == (f"_delta_log/{number:020}.json", True)
        settled.clear()
