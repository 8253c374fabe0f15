"""How long does a tear sheet take, from a fresh process, and how large is it?

33 years of made-up daily returns with a benchmark, the same for both, written to one HTML file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers

PEER = "quantstats==0.0.86"
DATA = """
import numpy as np, pandas as pd
random = np.random.default_rng(7)
days = pd.bdate_range("1991-01-02", "2023-12-29")
benchmark = pd.Series(random.normal(4e-4, 0.011, len(days)), index=days, name="index")
returns = (0.8 * benchmark + random.normal(1e-4, 0.006, len(days))).rename("strategy")
"""
OURS = """
import sys
from pathlib import Path
import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.performance.tables import growth, underwater
from mismartera_analytics.reports.content import TearSheetContent
value = 1e5 * growth(returns)
equity = frames.EQUITY.conform(pd.DataFrame({
    "timestamp": days.tz_localize("UTC"), "session": days, "cash": 0.0, "positions": value.to_numpy(),
    "equity": value.to_numpy(), "drawdown": underwater(returns).to_numpy()}))
ma.tear_sheet(TearSheetContent("33 years", returns=returns, equity=equity), sys.argv[1],
              benchmark=benchmark)
"""
THEIRS = """
import sys, warnings
warnings.simplefilter("ignore")
import matplotlib
matplotlib.use("Agg")
import quantstats as qs
qs.reports.html(returns, benchmark=benchmark, title="33 years", output=sys.argv[1])
"""


SHARPE_OF_OURS = """
print(ma.performance_summary(returns, conventions="quantstats").loc["sharpe_ratio", "value"])
"""
SHARPE_OF_THEIRS = """
print(qs.stats.sharpe(returns))
"""


def said(interpreter: str, code: str, folder: Path) -> float:
    """Return the number that a process prints last."""
    done = subprocess.run(
        [interpreter, "-c", DATA + code, str(folder / "said.html")],
        check=True, capture_output=True, text=True, cwd=peers.ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(peers.ROOT)},
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def written(interpreter: str, code: str, folder: Path) -> tuple[float, int]:
    """Return the seconds that a fresh process takes, and the bytes that it writes."""
    path = folder / "report.html"
    path.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(
        [interpreter, "-c", DATA + code, str(path)],
        check=True,
        capture_output=True,
        cwd=peers.ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(peers.ROOT)},
    )
    return time.perf_counter() - start, path.stat().st_size


if __name__ == "__main__":
    peer = str(peers.python("quantstats", PEER, "pandas<3", "ipython"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        ours, theirs = (
            said(sys.executable, OURS + SHARPE_OF_OURS, scratch),
            said(peer, THEIRS + SHARPE_OF_THEIRS, scratch),
        )
        assert abs(ours / theirs - 1) < 1e-9, (ours, theirs)
        for warm in ((sys.executable, OURS), (peer, THEIRS)):
            written(*warm, scratch)  # font caches and compiled files
        peers.compare(
            "33 years of daily returns with a benchmark to HTML, fresh process",
            ours=lambda: written(sys.executable, OURS, scratch)[0],
            theirs=lambda: written(peer, THEIRS, scratch)[0],
            peer=PEER.replace("==", " "),
            at_least=4.0,
        )
        peers.compare(
            "size of that file",
            ours=lambda: written(sys.executable, OURS, scratch)[1] / 1e6,
            theirs=lambda: written(peer, THEIRS, scratch)[1] / 1e6,
            peer=PEER.replace("==", " "),
            unit="MB",
            runs=1,
        )
