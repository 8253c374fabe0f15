"""How far a result hangs on what bars do not tell: the path of prices between low and high."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mismartera_analytics.backtesting.settings import BAR_PATHS

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.result import BacktestResult

__all__ = ["Ambiguity", "ambiguity_of"]

_TOLD = {
    "pessimistic": "with the stop first",
    "ohlc": "along open, nearer end, farther end, close",
    "best": "with the target first",
}


@dataclass(frozen=True)
class Ambiguity:
    """Fills that hung on the path inside a bar, and the run under each rule for that path.

    Attributes
    ----------
    fills
        How many there were.
    ambiguous
        How many of them hung on the path: stop and target lay in one bar, an entry inside a bar was
        followed by its stop or target, or prices on both sides of the open were reached by orders of
        one symbol.
    fill_ids
        Which they are, as in `BacktestResult.fills`.
    bounds
        Index ``bar_path`` (pessimistic, ohlc, best), columns ``final_equity`` [currency],
        ``total_return`` [1], ``fills``, ``ambiguous``. The rules differ in what brackets and orders
        that cancel one another do; later decisions follow from it, so the two ends bound a single trade
        and not every strategy.
    """

    fills: int
    ambiguous: int
    fill_ids: tuple[int, ...]
    bounds: pd.DataFrame

    @property
    def share(self) -> float:
        """Share of the fills that hung on the path [1]; NaN without fills."""
        return self.ambiguous / self.fills if self.fills else float("nan")

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest final equity of the three path rules [currency]."""
        finals = self.bounds["final_equity"]
        return float(finals.min()), float(finals.max())

    def __str__(self) -> str:
        told = f"{self.ambiguous:,} of {self.fills:,} fills hung on the path inside their bar"
        if not self.ambiguous:
            return told
        finals = ", ".join(
            f"{value:,.2f} {_TOLD[str(path)]}"
            for path, value in self.bounds["final_equity"].items()
        )
        return f"{told}: the account ends with {finals}"


def ambiguity_of(result: BacktestResult) -> Ambiguity:
    """Return how far a result hangs on the path inside bars.

    The run is repeated under the other rules for that path where it had anything to decide.

    Parameters
    ----------
    result
        A finished run.

    Returns
    -------
    Ambiguity

    Raises
    ------
    StrategyError
        If the strategy raises on another path.
    """
    from mismartera_analytics.backtesting.run import run_on

    settings = result._settings
    runs: dict[str, BacktestResult] = {settings.bar_path: result}
    has_choice = bool(result._simulation.state["ambiguous"][0])
    for path in BAR_PATHS:
        if path in runs:
            continue
        runs[path] = result
        if has_choice:
            changed = dataclasses.replace(settings, bar_path=path)
            runs[path] = run_on(result._market, result._instructions.again(), changed)
    marked = _marked(result)
    return Ambiguity(
        fills=len(result._simulation.filled),
        ambiguous=len(marked),
        fill_ids=marked,
        bounds=pd.DataFrame(
            [_row(runs[path]) for path in BAR_PATHS],
            index=pd.Index(BAR_PATHS, name="bar_path", dtype="str"),
        ),
    )


def _marked(result: BacktestResult) -> tuple[int, ...]:
    marks = result._simulation.filled["ambiguous"]
    return tuple(int(number) + 1 for number in np.flatnonzero(marks))


def _row(result: BacktestResult) -> dict[str, float | int]:
    final = float(result._simulation.ledger[:, -1].sum())
    return {
        "final_equity": final,
        "total_return": final / float(result.config["cash"]) - 1.0,
        "fills": len(result._simulation.filled),
        "ambiguous": len(_marked(result)),
    }
