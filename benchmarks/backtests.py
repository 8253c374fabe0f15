"""How fast are backtests, against vectorbt, backtesting.py, backtrader, nautilus_trader and bt?

Simulated bars, the same for all: 195,000 minutes of one symbol, and 8,300 sessions of 20 symbols. The
answers are compared first. Timed is the way from a frame of bars in memory to the last equity and the
headline metrics. A peer's rules are set equal to ours where they can be, and ours to its where not:
nautilus_trader and bt fill a market order at the close on which it is decided. Ours runs in the
environment of this script, whose SciPy Numba imports when it finds it: a tenth of a second of a fresh
process.
"""

from __future__ import annotations

import json
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
from backtest_bars import MINUTES, SESSIONS, SYMBOLS, walk, write_bars

CASH, SHARES, FEE = 10_000_000.0, 10_000, 0.0005
FASTS, SLOWS = list(range(5, 55, 5)), list(range(60, 260, 20))
WEIGHT = 0.049
"""Twenty of them leave room for the fees: what happens when cash falls short is each engine's own."""


class Peer:
    """A peer's process; asked a question, it gives its answer and how long it took."""

    def __init__(self, name: str, folder: Path) -> None:
        python, self.name = peers.pinned(name)
        server = Path(__file__).parent / "servers" / "backtests.py"
        self.process: Any = subprocess.Popen(
            [str(python), str(server), name, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def ask(self, *question: object) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def seconds(self, *question: object) -> Callable[[], float]:
        return lambda: float(self.ask(*question)["seconds"])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that tells how long a call takes."""

    def measure() -> float:
        began = time.perf_counter()
        answer = call()
        taken = time.perf_counter() - began
        del answer
        return taken

    return measure


def require_same(question: str, ours: object, theirs: object, *, within: float = 1e-9) -> None:
    assert np.allclose(ours, theirs, rtol=within, atol=0), (question, ours, theirs)  # type: ignore[arg-type]


def answer(result: Any) -> tuple[float, Any]:
    """Read the last equity and every metric of a result."""
    return float(result.equity["equity"].iloc[-1]), result.metrics


def crossing() -> Any:
    """Return the strategy that every event-driven engine runs."""
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.indicators import sma

    class Cross(ma.Strategy):
        fast, slow = 20, 100

        def on_start(self, ctx: Any) -> None:
            self._fast = ctx.indicator(sma, "close", window=self.fast)
            self._slow = ctx.indicator(sma, "close", window=self.slow)

        def on_bar(self, ctx: Any) -> None:
            if self._fast[-1] > self._slow[-1]:
                if ctx.position() == 0:
                    ctx.buy(quantity=SHARES)
            elif ctx.position() > 0:
                ctx.close()

    return Cross


def compare_strategies(folder: Path, minutes: pd.DataFrame) -> None:
    """Run one moving-average crossover, called bar by bar, in every engine that calls so."""
    import mismartera_analytics as ma

    strategy = crossing()
    question = f"a Strategy in Python, {MINUTES:,} minutes"
    for name, fill, runs, wanted in (
        ("backtesting", "next_open", 5, 4.0),
        ("backtrader", "next_open", 2, 30.0),
        ("nautilus_trader", "same_close", 2, 30.0),
    ):

        def run(fill: Any = fill) -> Any:
            return ma.backtest(strategy, interval="1m", bars=minutes, cash=CASH, fill=fill)

        peer = Peer(name, folder)
        found, theirs = run(), peer.ask("cross")
        require_same(question, answer(found)[0], theirs["equity"])
        require_same(question, len(found.fills), theirs["fills"])
        peers.compare(
            question, ours=timed(lambda run=run: answer(run())), theirs=peer.seconds("cross"),
            peer=peer.name, runs=runs, at_least=wanted,
        )  # fmt: skip
        if name == "backtesting":
            compare_compiled(peer, minutes, theirs["equity"])
        peer.close()


def compare_compiled(peer: Peer, minutes: pd.DataFrame, equity: float) -> None:
    """Run the same strategy compiled, from the frame and on a market that stands already."""
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.forms import Instructions
    from mismartera_analytics.backtesting.run import run_on
    from mismartera_analytics.backtesting.settings import Settings

    strategy = crossing()

    def from_frame() -> Any:
        return ma.backtest(strategy, interval="1m", bars=minutes, cash=CASH, compile=True)

    first = timed(from_frame)()
    found = from_frame()
    settings = Settings(cash=CASH, compile=True)

    def on_market() -> Any:
        return run_on(found._market, Instructions(strategy=strategy()), settings)

    question = f"a Strategy with compile=True, {MINUTES:,} minutes"
    for run, told in ((from_frame, "from the frame"), (on_market, "on a market that stands")):
        require_same(question, answer(run())[0], equity)
        peers.compare(
            f"{question}, {told}", ours=timed(lambda run=run: answer(run())),
            theirs=peer.seconds("cross"), runs=5, at_least=100.0,
            peer=f"{peer.name} (ours took {first:.3g} s the first time in its process)",
        )  # fmt: skip


def compare_rebalances(folder: Path, days: pd.DataFrame) -> None:
    """Bring twenty symbols to equal weights at every month's end, with fees."""
    labels = pd.DatetimeIndex(days["session"].unique())
    months = labels.to_period("M")
    last = np.flatnonzero(months[:-1] != months[1:])
    weights = pd.DataFrame(WEIGHT, labels[last], sorted(days["symbol"].unique()))
    question = f"monthly rebalance of {SYMBOLS} symbols, {SESSIONS:,} sessions, with fees"
    opens = [str(label.date()) for label in labels[last + 1]]
    _rebalance_at_opens(question, Peer("vectorbt", folder), days, weights, opens)
    closes = [str(label.date()) for label in labels[last]]
    _rebalance_at_closes(question, Peer("bt", folder), days, weights, closes)


def rebalanced(days: pd.DataFrame, weights: pd.DataFrame, *, fill: Any, fee: float) -> Any:
    """Run the weights from a frame of bars."""
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.costs import Proportional

    return ma.backtest(
        weights=weights, bars=days, cash=CASH, fractional=True, fill=fill,
        commission=Proportional(fee),
    )  # fmt: skip


def _rebalance_at_opens(
    question: str, peer: Peer, days: pd.DataFrame, weights: pd.DataFrame, dates: list[str]
) -> None:
    from mismartera_analytics.backtesting.costs import Proportional
    from mismartera_analytics.backtesting.forms import Instructions
    from mismartera_analytics.backtesting.run import run_on
    from mismartera_analytics.backtesting.settings import Settings

    def from_frame() -> Any:
        return rebalanced(days, weights, fill="next_open", fee=FEE)

    found = from_frame()
    settings = Settings(cash=CASH, fractional=True, commission=Proportional(FEE))

    def on_market() -> Any:
        return run_on(found._market, Instructions(weights=weights), settings)

    for begin, told, run in (
        ("long", "from one frame", from_frame),
        ("wide", "from arrays that stand: a market here, wide frames there", on_market),
    ):
        asked = ("monthly", dates, WEIGHT, FEE, begin)
        theirs = peer.ask(*asked)
        require_same(question, answer(run())[0], theirs["equity"])
        require_same(question, len(found.fills), theirs["fills"])
        peers.compare(
            f"{question}, {told}", ours=timed(lambda run=run: answer(run())),
            theirs=peer.seconds(*asked), peer=f"{peer.name}, warm", runs=9, at_least=10.0,
        )  # fmt: skip
    peer.close()


def _rebalance_at_closes(
    question: str, peer: Peer, days: pd.DataFrame, weights: pd.DataFrame, dates: list[str]
) -> None:
    def run(fee: float) -> tuple[float, Any]:
        return answer(rebalanced(days, weights, fill="same_close", fee=fee))

    require_same(question, run(0.0)[0], peer.ask("monthly", dates, WEIGHT, 0.0)["equity"])
    # bt takes the fee of a purchase out of what it buys for, and sells more to raise it.
    theirs = peer.ask("monthly", dates, WEIGHT, FEE)["equity"]
    require_same(question, run(FEE)[0], theirs, within=1e-3)
    peers.compare(
        f"{question}, from one frame, at the closes", ours=timed(lambda: run(FEE)),
        theirs=peer.seconds("monthly", dates, WEIGHT, FEE), peer=peer.name, runs=3,
        at_least=200.0,
    )  # fmt: skip
    peer.close()


def compare_fresh_processes(folder: Path) -> None:
    """Start, read the bars, run and print metrics, in processes that begin with nothing."""
    script = Path(__file__).parent / "servers" / "fresh.py"

    def run(interpreter: str, engine: str) -> tuple[float, float]:
        began = time.perf_counter()
        done = subprocess.run(
            [interpreter, str(script), engine, str(folder / "twenty_years.parquet")], check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(peers.ROOT)},
        )  # fmt: skip
        return time.perf_counter() - began, float(done.stdout.split()[-1])

    question = "fresh process to first metrics, 20 years of days"
    found = run(sys.executable, "ours")[1]
    for name, wanted, runs in (("vectorbt", 6.0, 3), ("backtesting", 0.5, 7)):
        python, label = peers.pinned(name)
        require_same(question, found, run(str(python), name)[1])
        peers.compare(
            question, ours=lambda: run(sys.executable, "ours")[0],
            theirs=lambda python=python, name=name: run(str(python), name)[0],
            peer=label, runs=runs, at_least=wanted,
        )  # fmt: skip


def crossing_signals(bars: Any, fast: int, slow: int) -> tuple[Any, Any]:
    """Hold while the fast average lies above the slow one."""
    from mismartera_analytics.backtesting.indicators import sma

    quick, steady = bars.indicator(sma, window=fast), bars.indicator(sma, window=slow)
    return quick > steady, quick < steady


def sweep(minutes: pd.DataFrame, fasts: list[int], slows: list[int]) -> Any:
    """Run every pair of averages."""
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.costs import Proportional

    return ma.sweep(
        crossing_signals, {"fast": fasts, "slow": slows}, interval="1m", bars=minutes, cash=CASH,
        fractional=True, commission=Proportional(FEE),
    )  # fmt: skip


def compare_sweeps(folder: Path, minutes: pd.DataFrame) -> None:
    """Try a hundred pairs of averages: final equity, return, Sharpe ratio and drawdown of each."""
    question = f"a sweep of {len(FASTS) * len(SLOWS)} pairs of averages, {MINUTES:,} minutes"
    peer = Peer("vectorbt", folder)
    asked = ("sweep", FASTS, SLOWS, FEE)
    first = peer.ask(*asked)
    require_same(question, sweep(minutes, FASTS, SLOWS).frame["equity"], first["equity"])
    peers.compare(
        question, ours=timed(lambda: sweep(minutes, FASTS, SLOWS)), theirs=peer.seconds(*asked),
        peer=f"{peer.name}, warm (the first took {first['seconds']:.3g} s)", runs=3,
        at_least=40.0,
    )  # fmt: skip
    peer.close()


MEMORY = """
import re, sys
import numpy as np
import pandas as pd
sys.path.insert(0, sys.argv[2])
import backtests
found = backtests.sweep(
    pd.read_parquet(sys.argv[1]), list(range(2, 102)), list(range(105, 605, 5)))
assert len(found.frame) == 10_000 and np.isfinite(found.frame["equity"]).all()
# What the kernel keeps of this program alone: ru_maxrss counts the process that started it as well.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024 / 1e6)
"""


def measure_sweep_memory(folder: Path) -> None:
    """Sweep ten thousand combinations in a process of its own and see what it took at most."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(folder / "minutes.parquet"), str(Path(__file__).parent)],
        check=True, capture_output=True, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(peers.ROOT)},
    )  # fmt: skip
    taken, peak = time.perf_counter() - began, float(done.stdout.split()[-1])
    peers.compare(
        f"peak memory of a sweep of 10,000 combinations, {MINUTES:,} minutes, in {taken:.0f} s",
        ours=lambda: peak, theirs=lambda: 500.0, peer="the bound", unit="MB", runs=1, at_least=1.0,
    )  # fmt: skip


def compare_lengths() -> None:
    """Run the strategy on few and on many bars: one of many must not cost more."""
    import mismartera_analytics as ma

    few, many = 10_000, 10_000_000
    starts = ma.trading_calendar("NYSE").minutes("2023-01-01", "2024-12-31", interval="1s")
    starts = starts.tz_convert("UTC").as_unit("us")[:many]
    bars = walk(np.random.default_rng(7), many, step=0.00005).assign(symbol="AAA", timestamp=starts)
    strategy = crossing()

    def per_bar(count: int) -> float:
        frame = bars.iloc[:count]
        call = timed(lambda: answer(ma.backtest(strategy, interval="1s", bars=frame, cash=CASH)))
        return min(call() for _ in range(20 if count == few else 1)) * 1e9 / count

    peers.compare(
        f"a bar of {many:,} against a bar of {few:,}", ours=lambda: per_bar(many),
        theirs=lambda: per_bar(few), peer="ours, few bars", unit="ns", runs=3, at_least=1 / 1.3,
    )  # fmt: skip


def main(folder: Path) -> None:
    """Check the answers, then compare."""
    import mismartera_analytics as ma

    ma.init_db()
    minutes, days = write_bars(folder)
    compare_fresh_processes(folder)
    compare_strategies(folder, minutes)
    compare_rebalances(folder, days)
    compare_sweeps(folder, minutes)
    measure_sweep_memory(folder)
    compare_lengths()


if __name__ == "__main__":
    (peers.ROOT / ".bench").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backtests-", dir=peers.ROOT / ".bench") as home:
        os.environ["MISMARTERA_HOME"] = home
        os.chdir(Path(home))
        main(Path(home))
