"""Writers that meet or die: what was acknowledged is there, once, and the store stays readable."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data import upsert, validation
from mismartera_analytics.market_data.bar_table import BarTable, Conflict
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import files_of, make_minutes

ROOT = Path(__file__).resolve().parent.parent.parent
# Each writer has prices of its own and tells a line for each write that the store acknowledged.
WRITER = """
import json, sys
import pandas as pd
from mismartera_analytics.market_data.store import BarStore

folder, number, seed, writes, symbols, span = json.loads(sys.argv[1])
store = BarStore(folder)
for i in range(writes):
    at = (i * 7 + seed) % span
    times = pd.date_range("2025-07-02T13:30Z", periods=20, freq="1min", unit="us")
    price = 100.0 + number + i / 1000
    bars = pd.concat([
        pd.DataFrame({"symbol": s, "timestamp": times + pd.Timedelta(minutes=at), "open": price,
                      "high": price, "low": price, "close": price, "volume": float(i)})
        for s in symbols])
    version = store.write(bars, "1m")
    print(json.dumps([version, at, price]), flush=True)
print("done", flush=True)
"""


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


def writer(
    store: BarStore, number: int, *, writes: int, symbols: list[str], seed: int = 0, span: int = 50
) -> subprocess.Popen[str]:
    arguments = json.dumps([store.uri, number, seed, writes, symbols, span])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def acknowledged(process: subprocess.Popen[str]) -> tuple[list[tuple[int, int, float]], bool]:
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait()
    writes = [
        tuple(json.loads(line)) for line in lines if line.startswith("[") and line.endswith("]")
    ]
    return writes, "done" in lines


def replayed(writes: list[tuple[int, int, float]]) -> dict[int, float]:
    """The price of each minute after writes in the order of the versions they were given."""
    state: dict[int, float] = {}
    for _, at, price in sorted(writes):
        state |= dict.fromkeys(range(at, at + 20), price)
    return state


def prices(frame: pd.DataFrame) -> dict[int, float]:
    minute = (frame["timestamp"] - pd.Timestamp("2025-07-02T13:30Z")) // pd.Timedelta(minutes=1)
    assert minute.is_unique
    return dict(zip(minute, frame["close"], strict=True))


def test_two_processes_on_the_same_partitions_lose_nothing(store: BarStore) -> None:
    symbols = ["AAPL", "MSFT"]
    count = 15 if "://" not in store.uri else 6  # the server takes its time
    processes = [writer(store, n, writes=count, symbols=symbols, seed=n * 3) for n in (1, 2)]
    results = [acknowledged(process) for process in processes]
    assert all(is_done for _, is_done in results)
    writes = [write for found, _ in results for write in found]
    assert len(writes) == 2 * count
    versions = [version for version, _, _ in writes]
    assert len(set(versions)) == len(writes), "two writes were told the same version"
    for symbol in symbols:
        assert prices(store.read(symbol, "1m")) == replayed(writes)
    middle = sorted(versions)[count - 2]
    before = [write for write in writes if write[0] <= middle]
    assert prices(store.read("AAPL", "1m", as_of=middle)) == replayed(before)


def test_processes_on_partitions_of_their_own_all_commit(store: BarStore) -> None:
    processes = [writer(store, n, writes=5, symbols=[f"S{n}"]) for n in (1, 2)]
    results = [acknowledged(process) for process in processes]
    for n, (writes, is_done) in enumerate(results, start=1):
        assert is_done
        assert prices(store.read(f"S{n}", "1m")) == replayed(writes)


def test_a_killed_writer_leaves_before_or_after_never_between(store: BarStore) -> None:
    symbols = ["AAPL", "MSFT", "IBM"]
    random_moments = random.Random(7)
    told: list[tuple[int, int, float]] = []
    for number in range(4 if "://" not in store.uri else 2):
        process = writer(store, number, writes=10_000, symbols=symbols, seed=number)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(random_moments.uniform(0.0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        writes, _ = acknowledged(process)
        told += [tuple(json.loads(first)), *writes]
        found = prices(store.read(symbols[0], "1m"))
        for symbol in symbols[1:]:  # one commit for all symbols, or none
            assert prices(store.read(symbol, "1m")) == found
        for minute, price in replayed(told).items():
            # A write may have been committed without having been told; then it is a later one's.
            assert minute in found
            assert found[minute] == price or found[minute] >= price
        version = store.version("1m")
        assert version - max(v for v, _, _ in told) <= 1
    assert store.write(make_minutes("AAPL", count=50), "1m") == version + 1


def test_a_conflict_that_never_ends_is_reported(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_late(*arguments: object, **options: object) -> int:
        raise Conflict

    store.write(make_minutes(seed=1), "1m")
    before = store.read("AAPL", "1m")
    monkeypatch.setattr(BarTable, "commit", always_late)
    monkeypatch.setattr(upsert, "ATTEMPTS", 3)
    with pytest.raises(StorageError, match=r"3 tries to commit .* another writer who was first"):
        store.write(make_minutes(seed=2), "1m")
    pd.testing.assert_frame_equal(store.read("AAPL", "1m"), before)
    assert len(files_of(store)) == 1, "files of a failed write stay behind"


def test_another_writer_in_between_makes_the_write_start_from_a_fresh_read(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(make_minutes(seed=1), "1m")
    real, met = BarTable.commit, []

    def commit_after_a_rival(self: BarTable, base: object, **options: object) -> int:
        if not met:
            met.append(True)
            BarStore(store.uri).write(make_minutes("AAPL", "2025-07-02T13:33Z", 4, seed=2), "1m")
        return real(self, base, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BarTable, "commit", commit_after_a_rival)
    assert store.write(make_minutes(count=2, seed=3), "1m") == 2
    close = store.read("AAPL", "1m")["close"].to_numpy()
    expected = np.concatenate(
        [
            make_minutes(count=2, seed=3)["close"],
            make_minutes(seed=1)["close"].iloc[2:3],
            make_minutes(count=4, seed=2)["close"],
        ]
    )
    np.testing.assert_array_equal(close, expected)


def test_threads_of_one_process_lose_nothing(store: BarStore) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(number: int) -> int:
        start = pd.Timestamp("2025-07-02T13:30Z") + pd.Timedelta(minutes=number * 5)
        return store.write(make_minutes("AAPL", str(start), seed=number), "1m")

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(write, range(16)))
    assert sorted(versions) == list(range(16))
    assert len(store.read("AAPL", "1m")) == 80


def test_two_processes_may_make_the_table_at_once(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mismartera_analytics.market_data.layout import layout_of

    place = place_of(store.uri).below("1m")
    rival = BarTable(place, layout_of("1m"))
    real, met = type(place).stamp, []

    def stamp_after_the_rival_came(self: Place, path: str) -> str | None:
        found = real(self, path)
        if path.endswith("00000000000000000000.json") and not met:
            met.append(True)
            checked = validation.check_bars(make_minutes("MSFT"), "1m").good
            assert upsert.upsert(rival, [checked]) == 0
        return found

    monkeypatch.setattr(type(place), "stamp", stamp_after_the_rival_came)
    assert store.write(make_minutes("AAPL"), "1m") == 1
    assert store.symbols("1m") == ["AAPL", "MSFT"]


FORKING = """
import multiprocessing, sys, warnings
from mismartera_analytics.market_data.store import BarStore

def read(queue):
    try:
        queue.put(len(BarStore(sys.argv[1]).read("AAPL", "1m")))
    except OSError as error:
        queue.put(str(error))

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    BarStore(sys.argv[1]).symbols("1m")
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=read, args=(queue,))
        child.start()
        print(queue.get(timeout=60))
        child.join()
"""


def test_a_forked_child_is_told_and_a_spawned_one_reads(store: BarStore, tmp_path: Path) -> None:
    store.write(make_minutes(), "1m")
    script = tmp_path / "forking.py"
    script.write_text(FORKING)
    told = subprocess.run(
        [sys.executable, str(script), store.uri],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.splitlines()
    assert "start worker processes with 'spawn'" in told[0]
    assert told[1] == "5"


def test_a_commit_whose_answer_was_lost_is_found_and_not_undone(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object store's client may ask again for what was done, and be told that another was first."""
    real, met = BarTable.commit, []

    def commit_and_say_no(self: BarTable, base: object, **options: object) -> int:
        version = real(self, base, **options)  # type: ignore[arg-type]
        if not met:
            met.append(version)
            raise Conflict
        return version

    monkeypatch.setattr(BarTable, "commit", commit_and_say_no)
    bars = pd.concat([make_minutes("AAPL"), make_minutes("MSFT")])
    assert store.write(bars, "1m") == met[0] == 0
    assert len(store.read(["AAPL", "MSFT"], "1m")) == 10
    monkeypatch.setattr(upsert, "ATTEMPTS", 1)
    met.clear()
    with pytest.raises(StorageError):
        store.write(make_minutes("AAPL", "2025-07-02T15:00Z"), "1m")
    assert len(store.read(["AAPL", "MSFT"], "1m")) == 15
