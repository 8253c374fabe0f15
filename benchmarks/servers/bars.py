"""A peer of ``bars.py`` in an environment of its own: answers a question a line with its own time.

``python bars.py arcticdb BARS.arrow`` or ``polars``; a question is a JSON list of a name and arguments.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

VALUES = ["open", "high", "low", "close", "volume"]


def checksum(frame) -> list[float]:
    """Return what tells two answers apart: rows, sums of the values and of the times' positions."""
    weights = np.arange(1, len(frame) + 1) % 1009
    return [len(frame), *(float((frame[name].to_numpy() * weights).sum()) for name in VALUES)]


class ArcticDB:
    """Frames by symbol, indexed by time, in LMDB."""

    def __init__(self, table: pa.Table) -> None:
        self.frame = table.to_pandas()
        self.frame["timestamp"] = self.frame["timestamp"].dt.as_unit("ns")
        self.frames = self.split()
        self.library = None

    def split(self):
        return {
            name: part.drop(columns="symbol").set_index("timestamp")
            for name, part in self.frame.groupby("symbol", observed=True)
        }

    def _fresh(self, folder):
        import arcticdb

        shutil.rmtree(folder, ignore_errors=True)
        store = arcticdb.Arctic(f"lmdb://{folder}?map_size=8GB")
        self.library = store.create_library("bars")

    def write(self, folder, manner):
        """Write every bar: the whole frame's, or those of frames that were split beforehand."""
        import arcticdb

        def run():
            self._fresh(folder)
            frames = self.split() if manner == "one frame" else self.frames
            payloads = [arcticdb.WritePayload(name, part) for name, part in frames.items()]
            if manner == "one by one":
                for payload in payloads:
                    self.library.write(payload.symbol, payload.data)
            else:
                self.library.write_batch(payloads)

        return run

    def read(self, name, start, end):
        asked = None if start is None else (pd.Timestamp(start), pd.Timestamp(end))
        return lambda: self.library.read(name, date_range=asked).data

    def batch(self, names, start, end):
        import arcticdb

        asked = None if start is None else (pd.Timestamp(start), pd.Timestamp(end))
        requests = [arcticdb.ReadRequest(name, date_range=asked) for name in names]
        return lambda: pd.concat([item.data for item in self.library.read_batch(requests)])

    def frames_only(self, names, start, end):
        import arcticdb

        asked = None if start is None else (pd.Timestamp(start), pd.Timestamp(end))
        requests = [arcticdb.ReadRequest(name, date_range=asked) for name in names]
        return lambda: [item.data for item in self.library.read_batch(requests)]


class Polars:
    """The store's own files, and frames in memory."""

    def __init__(self, table: pa.Table) -> None:
        import polars

        self.polars = polars
        self.frame = polars.from_arrow(table).with_columns(polars.col("symbol").cast(polars.String))

    def scan(self, files, start, end):
        time_ = self.polars.col("timestamp")
        first, last = (self.polars.lit(pd.Timestamp(x).to_pydatetime()) for x in (start, end))
        return lambda: (
            self.polars.scan_parquet(files).filter((time_ >= first) & (time_ <= last)).collect()
        )

    def sessions(self):
        column = self.polars.col
        return lambda: (
            self.frame.lazy()
            .group_by("symbol", column("timestamp").dt.date().alias("session"))
            .agg(
                column("open").first(), column("high").max(), column("low").min(),
                column("close").last(), column("volume").sum(),
            )
            .sort("symbol", "session")
            .collect()
        )  # fmt: skip


def main() -> None:
    """Answer until the input ends."""
    with pa.memory_map(sys.argv[2]) as source:
        table = pa.ipc.open_file(source).read_all()
    peer = {"arcticdb": ArcticDB, "polars": Polars}[sys.argv[1]](table)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        call = getattr(peer, name)(*arguments)
        began = time.perf_counter()
        answer = call()
        taken = time.perf_counter() - began
        told = checksum(answer) if hasattr(answer, "columns") else []
        del answer
        print(json.dumps({"seconds": taken, "checksum": told}), flush=True)


if __name__ == "__main__":
    Path(sys.argv[2]).stat()
    main()
