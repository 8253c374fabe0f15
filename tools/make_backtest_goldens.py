"""Write what the peers fill and hold on the sample bars, for the tests.

Run by ``make backtest-goldens``. Every fill, and the account's value on every 25th row and the last, of
each case whose rules a peer can be set to.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

import pandas as pd
from compare_backtest_peers import ROOT, fills_of, packaged_cases, peers_answers

GOLDENS = ROOT / "tests" / "backtesting" / "goldens"
EVERY = 25


def main() -> None:
    """Write both files; the same numbers give the same bytes."""
    import mismartera_analytics as ma

    ma.init_db()
    cases = list(packaged_cases(ma.trading_calendar("NYSE")))
    with tempfile.TemporaryDirectory() as folder:
        answers = peers_answers(cases, Path(folder))
    fills, values = [], []
    for case in cases:
        for peer, found in answers.items():
            answer = found[case.name]
            if "cannot" in answer:
                continue
            fills.append(fills_of(answer).assign(case=case.name, peer=peer))
            equity = answer.get("equity", [])
            rows = sorted({*range(0, len(equity), EVERY), len(equity) - 1} - {-1})
            kept = [equity[row] for row in rows]
            values.append(
                pd.DataFrame({"row": rows, "equity": kept}).assign(case=case.name, peer=peer)
            )
    write("peer_fills.csv.gz", fills, ["case", "peer", "row", "symbol", "quantity", "price"])
    write("peer_equity.csv.gz", values, ["case", "peer", "row", "equity"])


def write(name: str, parts: list[pd.DataFrame], columns: list[str]) -> None:
    """Write a file of the goldens."""
    table = pd.concat(parts, ignore_index=True)[columns].astype({"row": int})
    path = GOLDENS / name
    path.write_bytes(gzip.compress(table.to_csv(index=False).encode(), 9, mtime=0))
    print(f"{name}: {len(table)} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["MISMARTERA_HOME"] = home
        main()
