"""What does a search cost: on one worker and on two, with its trials logged, and in memory?

195,000 simulated minute bars of one symbol. Compared first: two worker processes of Dask, with one
thread each, give the rows that one gives, and a sweep that is logged gives those of one that is not.
Memory is the peak of a process of its own.

What other programs of the machine take from a run shows in its seconds, hardly in its processor time.
So that is given too: for two workers that of the busier one and of the client, which is what bounds
them; for the log that of the whole process. About four minutes on two free cores.
"""

from __future__ import annotations

import os
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
from backtest_bars import write_bars

TWO_AVERAGES = {"fast": list(range(5, 55, 5)), "slow": list(range(60, 260, 20))}
MANY = {"fast": list(range(5, 105)), "slow": list(range(110, 310, 2))}
FEW = {"fast": [5, 10], "slow": list(range(110, 310, 40))}
HEAVY = {"fast": [5, 10, 15, 20], "slow": list(range(60, 220, 20))}
WARM = {"fast": [5, 10], "slow": [60, 80]}


def crossing(bars: Any, fast: int, slow: int) -> tuple[Any, Any]:
    """Hold the symbol while its fast moving average lies above its slow one."""
    from mismartera_analytics.backtesting.indicators import sma

    quick, steady = bars.indicator(sma, window=fast), bars.indicator(sma, window=slow)
    return quick > steady, quick < steady


def strategy() -> Any:
    """Return the same as a `Strategy` in Python."""
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.indicators import sma

    class Crossing(ma.Strategy):
        fast = 10
        slow = 50

        def on_start(self, ctx: Any) -> None:
            self.quick = ctx.indicator(sma, "close", window=self.fast)
            self.steady = ctx.indicator(sma, "close", window=self.slow)

        def on_bar(self, ctx: Any) -> None:
            if ctx.position() == 0:
                if self.quick[-1] > self.steady[-1]:
                    ctx.buy()
            elif self.quick[-1] < self.steady[-1]:
                ctx.close()

    return Crossing


def sweep(what: Any, grid: dict[str, list[int]], minutes: pd.DataFrame, **options: Any) -> Any:
    import mismartera_analytics as ma

    return ma.sweep(what, grid, interval="1m", bars=minutes, **{"count": False, **options})


class Clock:
    """Tells how long a call takes, and what processor time it took.

    Parameters
    ----------
    call
        What is timed.
    client
        Of Dask: its busiest worker's processor time is added to that of this process.
    """

    def __init__(self, call: Callable[[], object], client: Any = None) -> None:
        self._call, self._client = call, client
        self._processor: list[float] = []

    def seconds(self) -> float:
        """Call, and return how long it took [s]."""
        began, before = time.perf_counter(), self._used()
        self._call()
        took = time.perf_counter() - began
        here, *workers = (now - then for now, then in zip(self._used(), before, strict=True))
        self._processor.append(here + max(workers, default=0.0))
        return took

    def processor(self) -> float:
        """Return the processor time of each call once, in their sequence [s]."""
        return self._processor.pop(0)

    def _used(self) -> list[float]:
        workers = {} if self._client is None else self._client.run(time.process_time)
        return [time.process_time(), *(workers[name] for name in sorted(workers))]


def compare_twice(
    question: str, ours: Clock, theirs: Clock, *, peer: str, runs: int, at_least: float
) -> None:
    """Compare seconds, then what the same runs took of the processors."""
    options: dict[str, Any] = {"peer": peer, "runs": runs, "at_least": at_least}
    peers.compare(question, ours=ours.seconds, theirs=theirs.seconds, **options)
    peers.compare(
        f"{question}: processor time", ours=ours.processor, theirs=theirs.processor, **options
    )


def compare_workers(minutes: pd.DataFrame) -> None:
    """Compare two worker processes of one thread each with one."""
    from distributed import Client, LocalCluster

    options = {"processes": True, "threads_per_worker": 1, "memory_limit": 0}
    with (
        LocalCluster(n_workers=1, dashboard_address=":0", **options) as single,
        LocalCluster(n_workers=2, dashboard_address=":0", **options) as double,
        Client(single, set_as_default=False) as one,
        Client(double, set_as_default=False) as two,
    ):
        rows = [sweep(strategy(), WARM, minutes, client=client).frame for client in (one, two)]
        pd.testing.assert_frame_equal(*rows, check_exact=True)
        clocks = [
            Clock(lambda client=client: sweep(strategy(), HEAVY, minutes, client=client), client)
            for client in (two, one)
        ]
        compare_twice(
            "a sweep of 32 combinations of a Strategy in Python on two workers of one thread each",
            *clocks, peer="one worker", runs=3, at_least=1.7,
        )  # fmt: skip


def compare_shared(minutes: pd.DataFrame) -> None:
    """Compare a sweep of signals with the same combinations run one by one."""
    swept = sweep(crossing, TWO_AVERAGES, minutes)
    single = swept.result(fast=10, slow=60)
    assert swept.frame["equity"][10] == single.equity["equity"].iloc[-1]

    def one_by_one() -> float:
        began = time.perf_counter()
        for slow in TWO_AVERAGES["slow"][:4]:
            swept.result(fast=10, slow=slow).equity.iloc[-1]
        return 25 * (time.perf_counter() - began)

    peers.compare(
        "100 pairs of moving averages over 195,000 minutes",
        ours=Clock(lambda: sweep(crossing, TWO_AVERAGES, minutes)).seconds, theirs=one_by_one,
        peer="single backtests on signals, 25 times four of them", runs=3,
    )  # fmt: skip


def compare_logging(minutes: pd.DataFrame) -> None:
    """Compare a sweep of 10,000 that is logged with one that is not."""
    family = iter(range(1_000))

    def logged() -> Any:
        return sweep(crossing, MANY, minutes, count=True, family=f"family {next(family)}")

    few = sweep(crossing, FEW, minutes)
    pd.testing.assert_frame_equal(
        sweep(crossing, FEW, minutes, count=True).frame, few.frame, check_exact=True
    )
    compare_twice(
        "a sweep of 10,000 combinations, each logged as a trial",
        Clock(logged), Clock(lambda: sweep(crossing, MANY, minutes)),
        peer="the same without a log", runs=3, at_least=1 / 1.1,
    )  # fmt: skip


def peak(file: Path, count: str) -> float:
    """Return the peak of a process that sweeps a file of minutes [MB]."""
    command = [sys.executable, __file__, "--memory", str(file), count]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def compare_memory(file: Path) -> None:
    """Compare the peak of 10,000 combinations with the budget, and with that of 10 on Dask's client."""
    peers.compare(
        "peak memory of a sweep of 10,000 combinations", ours=lambda: peak(file, "many"),
        theirs=lambda: 500.0, peer="budget", unit="MB", runs=1, at_least=1.0,
    )  # fmt: skip
    peers.compare(
        "peak memory of the client, 10,000 combinations on Dask",
        ours=lambda: peak(file, "many on dask"), theirs=lambda: peak(file, "few on dask"),
        peer="10 combinations on Dask", unit="MB", runs=1, at_least=0.95,
    )  # fmt: skip


def measure_memory(file: str, count: str) -> None:
    """Sweep, and print the peak of this process [MB]."""
    minutes = pd.read_parquet(file)
    grid = MANY if count.startswith("many") else FEW
    if count.endswith("dask"):
        from distributed import Client, LocalCluster

        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(memory_limit=0, **options) as cluster, Client(cluster) as client:
            rows = len(sweep(crossing, grid, minutes, client=client))
    else:
        rows = len(sweep(crossing, grid, minutes))
    assert rows == np.prod([len(values) for values in grid.values()])
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def main() -> None:
    """Write the bars once, and compare."""
    import mismartera_analytics as ma

    with tempfile.TemporaryDirectory() as folder:
        os.environ["MISMARTERA_HOME"] = folder
        ma.init_db()
        minutes, _ = write_bars(Path(folder))
        compare_shared(minutes)
        compare_workers(minutes)
        compare_logging(minutes)
        compare_memory(Path(folder) / "minutes.parquet")
        ma.close_db()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        measure_memory(*sys.argv[2:])
    else:
        main()
