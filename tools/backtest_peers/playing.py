"""What the peers' players share: they read a job, run its cases and write fills and equity.

``python PLAYER.py JOB.json ANSWER.json`` in the peer's own environment. An answer holds, for each
case, ``fills`` (row, symbol, signed quantity, price) and ``equity`` of each row, or ``cannot``: why
the peer's rules cannot be set equal.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd


class CannotBeEqualError(Exception):
    """The peer's rules cannot be set equal to the case's; the message says why."""


class Job:
    """A case with its bars."""

    def __init__(self, case: dict[str, Any], bars: pd.DataFrame) -> None:
        self.__dict__.update(case)
        self.bars = bars
        self.symbols = sorted(bars["symbol"].unique())
        self.by_row = defaultdict(list)
        for item in self.instructions:
            self.by_row[item["row"]].append(item)

    def wide(self, column: str) -> pd.DataFrame:
        """Return a column of the bars, rows by symbols."""
        return self.bars.pivot_table(index="when", columns="symbol", values=column)

    def single(self) -> pd.DataFrame:
        """Return the bars of the only symbol."""
        return self.bars.set_index("when")[["open", "high", "low", "close", "volume"]]

    def has(self, *names: str) -> bool:
        """Tell whether an instruction sets one of these terms."""
        return any(item[name] is not None for item in self.instructions for name in names)

    @property
    def sizings(self) -> set[str]:
        """The ways in which its orders are sized."""
        return {item["sizing"] for item in self.instructions}


def main(play: Callable[[Job], dict[str, Any]]) -> None:
    """Run every case of the job."""
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = {}
    for case in cases:
        job = Job(case, pd.read_parquet(case["bars"]))
        try:
            answers[case["name"]] = play(job)
        except CannotBeEqualError as reason:
            answers[case["name"]] = {"cannot": str(reason)}
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")
