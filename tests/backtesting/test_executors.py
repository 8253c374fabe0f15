"""Where a sweep is run changes nothing: threads, processes, Dask, workers that die, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.backtesting.indicators import sma
from mismartera_analytics.backtesting.searches import Place
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.sweeps import sweep
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import DatabaseNotReadyError, InvalidInputError, WorkerError

ROOT = Path(ma.__file__).parents[1]
GRID = {"fast": [3, 5, 8], "slow": [20, 40]}


def notebook(source: str) -> dict[str, Any]:
    """Run code as a notebook's cell does: in a module `__main__` that no other process has."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(source), namespace)
    return namespace


CELL = """
    from mismartera_analytics.backtesting.indicators import sma
    from mismartera_analytics.backtesting.strategy import Strategy

    WINDOW = "window"

    def mean(ctx, length):
        return ctx.indicator(sma, "close", **{WINDOW: length})

    class FromACell(Strategy):
        fast = 5
        slow = 20

        def on_start(self, ctx):
            self.quick, self.steady = mean(ctx, self.fast), mean(ctx, self.slow)

        def on_bar(self, ctx):
            ctx.target_percent(0.9 if self.quick[-1] > self.steady[-1] else 0.0)

    def crossing(bars, fast, slow):
        quick, steady = (bars.indicator(sma, window=length) for length in (fast, slow))
        return quick > steady, quick < steady
"""


@pytest.fixture(scope="module")
def shared(sample: pd.DataFrame, splits: pd.DataFrame, nyse: TradingCalendar) -> dict[str, Any]:
    bars = sample[(sample["symbol"] == "AAPL") & (sample["session"] >= "2004-06-01")]
    bars = bars[bars["session"] <= "2005-12-31"]
    return {"bars": bars, "actions": splits, "calendar": nyse, "symbols": "AAPL", "count": False}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes of Dask, started afresh."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.mark.parametrize("name", ["FromACell", "crossing"])
def test_threads_processes_and_dask_agree_to_the_bit(
    shared: dict[str, Any], client: Any, name: str
) -> None:
    strategy = notebook(CELL)[name]
    one = sweep(strategy, GRID, run_in="threads", workers=1, **shared).frame
    assert (one["trades"] > 1).all()
    places: list[dict[str, Any]] = [{"run_in": "threads", "workers": 3}, {"client": client}]
    if name == "FromACell":
        places.append({"run_in": "processes", "workers": 2})
    for where in places:
        found = sweep(strategy, GRID, **where, **shared).frame
        pd.testing.assert_frame_equal(found, one, check_exact=True)


def test_batches_are_many_enough_for_every_worker(client: Any) -> None:
    assert Place(workers=1).batch_size(10_000) == 16
    for workers, count in ((2, 32), (2, 400), (64, 1_000), (64, 5), (1, 0)):
        size = Place(workers=workers).batch_size(count)
        assert size == 1 or count / size >= 16 * workers
    assert Place(client=client).batch_size(400) == Place(workers=2).batch_size(400)


class Fatal(Strategy):
    """Kills its process once, or always, when it comes to one of its parameters."""

    fast = 3
    marker = ""

    def on_start(self, ctx: Any) -> None:
        marker = Path(self.marker)
        if self.fast == 5 and not (marker.exists() and marker.read_text() == "once"):
            if not marker.exists():
                marker.write_text("once")
            os.kill(os.getpid(), signal.SIGKILL)
        self.mean = ctx.indicator(sma, "close", window=self.fast)

    def on_bar(self, ctx: Any) -> None:
        ctx.target_percent(0.5 if ctx.bars.close[-1] > self.mean[-1] else 0.0)


@pytest.mark.parametrize("place", ["processes", "dask"])
def test_a_worker_that_dies_costs_its_tasks_a_retry(
    shared: dict[str, Any], client: Any, tmp_path: Path, place: str
) -> None:
    where: dict[str, Any] = (
        {"client": client} if place == "dask" else {"run_in": "processes", "workers": 1}
    )
    grid = {"fast": [2, 3, 4, 5, 6, 7]}
    marker = tmp_path / "died"
    found = sweep(Fatal(marker=str(marker)), grid, **where, **shared).frame
    assert marker.read_text() == "once"
    calm = sweep(Fatal(marker=str(marker)), grid, run_in="threads", workers=1, **shared).frame
    pd.testing.assert_frame_equal(found, calm, check_exact=True)


def test_one_that_always_kills_is_named(shared: dict[str, Any], tmp_path: Path) -> None:
    marker = tmp_path / "died"
    marker.write_text("always")
    with pytest.raises(WorkerError, match=r"again and again while it ran \{'fast': 5\}"):
        sweep(Fatal(marker=str(marker)), {"fast": [4, 5, 6]}, run_in="processes", workers=1,
              **shared)  # fmt: skip


def test_what_cannot_travel_is_refused(shared: dict[str, Any], tmp_path: Path) -> None:
    namespace = notebook(CELL)
    with (tmp_path / "open").open("w") as file:
        namespace["FromACell"].log = file
        with pytest.raises(InvalidInputError, match="cannot be sent to other processes"):
            sweep(namespace["FromACell"], GRID, run_in="processes", workers=2, **shared)


# The log


@pytest.fixture
def counted(shared: dict[str, Any], ready_database: str) -> dict[str, Any]:
    return {**shared, "count": True}


def test_combinations_are_counted_and_found_again(counted: dict[str, Any]) -> None:
    strategy = notebook(CELL)["FromACell"]
    first = sweep(strategy, {"fast": [3, 5], "slow": [20, 40]}, **counted)
    known = ma.trials("FromACell")
    assert len(known) == 4
    assert known["sharpe"].notna().all()
    resumed = sweep(strategy, GRID, resume=True, **counted)
    assert resumed.tried == 2
    whole = sweep(strategy, GRID, **(counted | {"count": False}))
    pd.testing.assert_frame_equal(resumed.frame, whole.frame, check_exact=True)
    assert len(ma.trials("FromACell")) == 6
    assert first.family == "FromACell"
    assert first.result(fast=3, slow=20).family == "FromACell"
    # The same run as a backtest is the same trial.
    given = {name: counted[name] for name in ("bars", "actions", "calendar", "symbols")}
    ma.backtest(strategy(fast=3, slow=20), **given)
    assert len(ma.trials("FromACell")) == 6
    # Other rules, bars or code are other trials.
    for changed in (
        {"cash": 5_000.0},
        {"bars": counted["bars"].assign(close=lambda bars: bars["low"])},
        {"strategy": notebook(CELL.replace("0.9", "0.8"))["FromACell"]},
    ):
        given = {"strategy": strategy, **counted, **changed}
        assert sweep(grid=GRID, resume=True, **given).tried == 6
    sweep(strategy, GRID, family="crossings", **counted)
    assert len(ma.trials("crossings")) == 6


def test_without_a_log_nothing_is_resumed(shared: dict[str, Any], database_url: str) -> None:
    with pytest.raises(DatabaseNotReadyError):
        sweep(notebook(CELL)["crossing"], GRID, resume=True, **shared)


SLOW = """
    import time
    import pandas as pd
    from mismartera_analytics.backtesting.strategy import Strategy

    class Slow(Strategy):
        length = 3
        pause = 0.1

        def on_start(self, ctx):
            time.sleep(self.pause)
            self.mean = ctx.indicator(lambda close, n: pd.Series(close).rolling(n).mean(), "close",
                                      n=self.length)

        def on_bar(self, ctx):
            ctx.target_percent(0.5 if ctx.bars.close[-1] > self.mean[-1] else 0.0)
"""
SCRIPT = """
    import sys
    import mismartera_analytics as ma

    ma.configure(database_url=sys.argv[1])
    bars, actions = pd.read_parquet(sys.argv[2]), pd.read_parquet(sys.argv[3])
    found = ma.sweep(Slow, {"length": range(2, 24)}, "AAPL", bars=bars, actions=actions, resume=True,
                     workers=1)
    found.frame.to_parquet(sys.argv[4])
    print(found.tried)
"""


def test_killed_half_way_it_resumes_and_ends_equal(
    counted: dict[str, Any], nyse: TradingCalendar, ready_database: str, tmp_path: Path
) -> None:
    script = tmp_path / "search.py"
    script.write_text(textwrap.dedent(SLOW) + textwrap.dedent(SCRIPT))
    files = [tmp_path / name for name in ("bars", "actions", "found")]
    counted["bars"].to_parquet(files[0])
    counted["actions"].to_parquet(files[1])
    command = [sys.executable, str(script), ready_database, *map(str, files)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    while not len(ma.trials("Slow")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    logged = len(ma.trials("Slow"))
    assert 0 < logged < 22
    resumed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert int(resumed.stdout) == 22 - logged
    slow = notebook(SLOW)["Slow"](pause=0.0)
    whole = sweep(
        slow, {"length": range(2, 24)}, **(counted | {"count": False, "calendar": "NYSE"})
    )
    pd.testing.assert_frame_equal(pd.read_parquet(files[2]), whole.frame, check_exact=True)
    assert len(ma.trials("Slow")) == 22
