"""How fast does the bar store write and read, and how much disk and memory does it take?

50 symbols, two years of session minutes (9.7 million bars, random walks in cents). ArcticDB holds
them in LMDB, a frame a symbol, in an environment of its own; Polars, DuckDB and pyarrow read the
store's own files.
"First read" is with nothing decoded in our cache and the operating system's page cache warm, for
both sides; ArcticDB has no cache of its own, so "read again" is the same work for it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import pyarrow as pa

from mismartera_analytics.market_data import bar_files

PACKAGES = ("arcticdb==6.28.2", "pandas==2.3.3", "polars==2.1.0", "pyarrow==26.0.1")
SYMBOLS = [f"S{number:02}" for number in range(50)]
FIRST, LAST = "2023-01-01", "2024-12-31"
DAY = ("2024-03-12T13:30:00+00:00", "2024-03-12T19:59:00+00:00")
MONTH = ("2024-05-01T13:30:00+00:00", "2024-05-31T19:59:00+00:00")
VALUES = ["open", "high", "low", "close", "volume"]


def made_bars(minutes: pd.DatetimeIndex, *, seed: int = 7) -> pd.DataFrame:
    """Return the bars of every symbol, sorted: walks in cents with bars that keep every rule."""
    random = np.random.default_rng(seed)
    parts = []
    for symbol in SYMBOLS:
        steps = random.normal(0, 0.0006, len(minutes))
        close = np.round(random.uniform(15, 400) * np.exp(np.cumsum(steps)), 2)
        opened = np.concatenate([close[:1], close[:-1]])
        spread = close * 0.0004
        high = np.maximum(opened, close) + np.round(random.exponential(spread), 2)
        low = np.minimum(opened, close) - np.round(random.exponential(spread), 2)
        volume = random.lognormal(8, 1.1, len(minutes)).round()
        columns = {"open": opened, "high": high.round(2), "low": low.round(2), "close": close}
        parts.append(
            pd.DataFrame({"symbol": symbol, "timestamp": minutes, **columns, "volume": volume})
        )
    return pd.concat(parts, ignore_index=True)


class Peer:
    """A peer's process; asked a question, it says how long it took and how its answer sums up."""

    def __init__(self, name: str, bars: Path) -> None:
        self.name = next(p for p in PACKAGES if p.startswith(name)).replace("==", " ")
        server = Path(__file__).parent / "servers" / "bars.py"
        command = [str(peers.python("bars", *PACKAGES)), str(server), name, str(bars)]
        self.process: Any = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *question: object) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def seconds(self, *question: object) -> Callable[[], float]:
        return lambda: float(self.ask(*question)["seconds"])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def timed(
    call: Callable[[], object], before: Callable[[], object] | None = None
) -> Callable[[], float]:
    """Return a function that tells how long a call takes; `before` is not counted."""

    def measure() -> float:
        if before is not None:
            before()
        began = time.perf_counter()
        answer = call()
        taken = time.perf_counter() - began
        del answer
        return taken

    return measure


def checksum(frame: pd.DataFrame) -> list[float]:
    weights = np.arange(1, len(frame) + 1) % 1009
    return [len(frame), *(float((frame[name].to_numpy() * weights).sum()) for name in VALUES)]


def require_same(ours: pd.DataFrame, theirs: dict[str, Any], question: str) -> None:
    assert np.allclose(checksum(ours), theirs["checksum"], rtol=1e-12, atol=0), (
        question, checksum(ours), theirs["checksum"],
    )  # fmt: skip


def disk(folder: Path) -> float:
    """Return what the files of a folder take on the disk [MB]."""
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file()) / 1e6


def end_of(instant: str) -> str:
    """Return the end of the minute that starts then: our ranges leave their end out."""
    return (pd.Timestamp(instant) + pd.Timedelta(minutes=1)).isoformat()


def compare_writes(folder: Path, frame: pd.DataFrame, arctic: Peer) -> Any:
    """Write everything with both; the last of the written stores stays."""
    from mismartera_analytics.market_data.store import BarStore

    root, theirs = folder / "ours", folder / "arctic"
    store = BarStore(root)

    def emptied() -> None:
        shutil.rmtree(root, ignore_errors=True)
        bar_files.clear_cache()

    question = f"write {len(frame):,} bars of {len(SYMBOLS)} symbols, every row checked"
    for manner, told in (
        ("one frame", "write_batch from one frame"),
        ("one by one", "write, from a frame a symbol"),
        ("batch", "write_batch from a frame a symbol"),
    ):
        peers.compare(
            question, ours=timed(lambda: store.write(frame, "1m"), emptied),
            theirs=arctic.seconds("write", str(theirs), manner), peer=f"{arctic.name}, {told}",
            runs=3, at_least=1 / 1.3,
        )  # fmt: skip
    peers.compare(
        "disk", ours=lambda: disk(root), theirs=lambda: disk(theirs), peer=arctic.name,
        unit="MB", runs=1, at_least=1 / 0.85,
    )  # fmt: skip
    return store


def compare_reads(store: Any, arctic: Peer) -> None:
    """Read a symbol, a day of it and a month of all."""
    ranges = {
        "one symbol, two years": (None, None, 1 / 3.5),
        "one symbol, one day": (*DAY, 1 / 2),
    }
    for question, (start, end, target) in ranges.items():

        def read(start: str | None = start, end: str | None = end) -> pd.DataFrame:
            return store.read("S07", "1m", start, None if end is None else end_of(end))

        require_same(read(), arctic.ask("read", "S07", start, end), question)
        theirs = arctic.seconds("read", "S07", start, end)
        peers.compare(f"{question}, first read", ours=timed(read, bar_files.clear_cache), theirs=theirs,
                      peer=arctic.name, runs=25, at_least=target)  # fmt: skip
        peers.compare(f"{question}, read again", ours=timed(read), theirs=theirs,
                      peer=arctic.name, runs=25, at_least=1.0)  # fmt: skip
    start, end = MONTH[0], end_of(MONTH[1])
    question = "all symbols, one month"

    def month() -> pd.DataFrame:
        return store.read(SYMBOLS, "1m", start, end)

    def one_by_one() -> pd.DataFrame:
        return pd.concat([store.read(symbol, "1m", start, end) for symbol in SYMBOLS])

    require_same(month(), arctic.ask("batch", SYMBOLS, *MONTH), question)
    for state, before in (("first read", bar_files.clear_cache), ("read again", None)):
        peers.compare(f"{question}, {state}", ours=timed(month, before),
                      theirs=timed(one_by_one, before), peer="ours, one by one", runs=9,
                      at_least=2.5 if before else None)  # fmt: skip
        peers.compare(f"{question}, {state}", ours=timed(month, before),
                      theirs=arctic.seconds("batch", SYMBOLS, *MONTH),
                      peer=f"{arctic.name}, read_batch and concat", runs=9, at_least=1.0)  # fmt: skip
        peers.compare(f"{question}, {state}", ours=timed(month, before),
                      theirs=arctic.seconds("frames_only", SYMBOLS, *MONTH),
                      peer=f"{arctic.name}, read_batch, frames apart", runs=9)  # fmt: skip


def compare_witnesses(store: Any, polars: Peer) -> None:
    """Read one symbol of the store's own files with others; they know its files beforehand."""
    import duckdb
    import pyarrow.parquet as pq

    files = [file for file in store.dataset("1m").files if "symbol=S07/" in file]
    start, end = "2023-01-01T00:00:00+00:00", "2024-12-31T23:59:00+00:00"
    connection = duckdb.connect()
    question = "one symbol, two years, first read"

    def ours() -> pd.DataFrame:
        return store.read("S07", "1m")

    def by_duckdb() -> pd.DataFrame:
        names = ", ".join(["timestamp", *VALUES])
        return connection.execute(
            f"select {names} from read_parquet(?) order by timestamp", [files]
        ).df()

    def by_pyarrow() -> pd.DataFrame:
        return pa.concat_tables(
            [pq.read_table(file, partitioning=None) for file in files]
        ).to_pandas()

    require_same(ours(), polars.ask("scan", files, start, end), question)
    measured = timed(ours, bar_files.clear_cache)
    peers.compare(question, ours=measured, theirs=polars.seconds("scan", files, start, end),
                  peer=f"{polars.name}, these files", runs=15)  # fmt: skip
    for peer, theirs in (
        (f"duckdb {duckdb.__version__}, these files", by_duckdb),
        (f"pyarrow {pa.__version__}, these files", by_pyarrow),
    ):
        require_same(ours(), {"checksum": checksum(theirs())}, question)
        peers.compare(question, ours=measured, theirs=timed(theirs), peer=peer, runs=15)


def compare_resampling(frame: pd.DataFrame, polars: Peer) -> None:
    """Minutes in memory to sessions; the others group by the UTC date, which is the session here."""
    import duckdb

    import mismartera_analytics as ma

    connection = duckdb.connect()
    connection.register("bars", pa.Table.from_pandas(
        frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None)), preserve_index=False
    ))  # fmt: skip

    def ours() -> pd.DataFrame:
        return ma.resample_bars(frame, "1d", "NYSE")

    def by_pandas() -> pd.DataFrame:
        day = frame["timestamp"].dt.normalize().rename("session")
        how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        return frame.groupby(["symbol", day]).agg(how)

    def by_duckdb() -> pd.DataFrame:
        return connection.execute(
            "select symbol, timestamp::date as session, arg_min(open, timestamp) as open, "
            "max(high) as high, min(low) as low, arg_max(close, timestamp) as close, "
            "sum(volume) as volume from bars group by all order by symbol, session"
        ).df()

    question = f"{len(frame):,} minutes to sessions"
    found = ours()
    require_same(found, {"checksum": checksum(by_pandas())}, question)
    require_same(found, {"checksum": checksum(by_duckdb())}, question)
    require_same(found, polars.ask("sessions"), question)
    for peer, theirs, wanted in (
        (f"pandas {pd.__version__}", timed(by_pandas), 5.0),
        (polars.name, polars.seconds("sessions"), 1.0),
        (f"duckdb {duckdb.__version__}", timed(by_duckdb), 1.0),
    ):
        peers.compare(question, ours=timed(ours), theirs=theirs, peer=peer, runs=5, at_least=wanted)


def compare_numbers_of_symbols(folder: Path, frame: pd.DataFrame) -> None:
    """Read half a year of one symbol and of a hundred: a bar must not cost more of many."""
    from mismartera_analytics.market_data.store import BarStore

    half = frame[frame["timestamp"] >= "2024-07-01"]
    twice = pd.concat([half, half.assign(symbol="T" + half["symbol"].str.slice(1))])
    store = BarStore(folder / "hundred")
    store.write(twice, "1m")
    names = store.symbols("1m")
    assert len(names) == 100
    per_bar = 1e9 / len(store.read(names[0], "1m"))
    for state, before in (("first read", bar_files.clear_cache), ("read again", None)):
        one = timed(lambda: store.read(names[0], "1m"), before)
        ten = timed(lambda: store.read(names[:10], "1m"), before)
        all_ = timed(lambda: store.read(names, "1m"), before)
        all_()
        for count, measured in ((10, ten), (100, all_)):
            peers.compare(
                f"a bar of {count} symbols against a bar of one, {state}",
                ours=lambda n=count, m=measured: m() * per_bar / n,
                theirs=lambda one=one: statistics.median(one() for _ in range(5)) * per_bar,
                peer="ours, one symbol", unit="ns", runs=9, at_least=1 / 1.15,
            )  # fmt: skip
    shutil.rmtree(folder / "hundred")


INGEST = """
import re, sys
import mismartera_analytics as ma
ma.init_db()
summary = ma.ingest_bars(sys.argv[1], "1m", progress=False)
# What the kernel keeps of this program alone: ru_maxrss counts the process that started it as well.
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
print(summary.rows, len(summary.symbols), int(peak) * 1024 / 1e9)
"""


def measure_ingest(folder: Path, frame: pd.DataFrame) -> None:
    """Ingest a CSV file of 3 GB in a process of its own and see how much memory it took at most."""
    import pyarrow.csv as csv

    path = folder / "bars.csv"
    table = pa.Table.from_pandas(frame, preserve_index=False)
    random = np.random.default_rng(1)
    table = table.append_column("vwap", table["close"])
    table = table.append_column("trades", pa.array(random.integers(1, 2000, len(frame))))
    rows = 0
    with path.open("wb") as sink:
        for first in "ABCDEFGH":
            if sink.tell() > 3e9:
                break
            symbols = pa.array(first + frame["symbol"].str.slice(1))
            content = table.set_column(0, "symbol", symbols)
            options = csv.WriteOptions(include_header=first == "A", quoting_style="none")
            csv.write_csv(content, sink, options)
            rows += len(frame)
    size = path.stat().st_size / 1e9
    home = folder / "ingest"
    home.mkdir()
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", INGEST, str(path)], check=True, capture_output=True, text=True,
        cwd=peers.ROOT, env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home),
                             "MISMARTERA_HOME": str(home), "PYTHONPATH": str(peers.ROOT)},
    )  # fmt: skip
    taken = time.perf_counter() - began
    written, _, peak = map(float, done.stdout.split())
    assert int(written) == rows
    peers.compare(
        f"peak memory of ingesting a CSV file of {size:.2f} GB ({rows:,} bars in {taken:.0f} s)",
        ours=lambda: peak, theirs=lambda: 1.5, peer="the bound", unit="GB", runs=1, at_least=1.0,
    )  # fmt: skip
    shutil.rmtree(home)
    path.unlink()


def main(folder: Path) -> None:
    """Check the answers, then compare."""
    import mismartera_analytics as ma

    ma.init_db()
    minutes = ma.trading_calendar("NYSE").minutes(FIRST, LAST).tz_convert("UTC").as_unit("us")
    frame = made_bars(minutes)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    place = table.schema.get_field_index("symbol")
    table = table.set_column(place, "symbol", table["symbol"].cast(pa.string()).dictionary_encode())
    with pa.ipc.new_file(folder / "bars.arrow", table.schema) as sink:
        sink.write_table(table)
    del table
    arctic = Peer("arcticdb", folder / "bars.arrow")
    store = compare_writes(folder, frame, arctic)
    compare_reads(store, arctic)
    arctic.close()
    shutil.rmtree(folder / "arctic")
    polars = Peer("polars", folder / "bars.arrow")
    compare_witnesses(store, polars)
    compare_resampling(frame, polars)
    polars.close()
    bar_files.clear_cache()
    shutil.rmtree(folder / "ours")
    compare_numbers_of_symbols(folder, frame)
    measure_ingest(folder, frame)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bars-", dir=peers.ROOT / ".bench") as home:
        os.environ["MISMARTERA_HOME"] = home
        os.chdir(Path(home))
        main(Path(home))
