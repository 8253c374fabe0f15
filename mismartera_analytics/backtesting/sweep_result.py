"""What a sweep gave: a row of numbers for each combination, and any of them again in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.counting import count_run
from mismartera_analytics.backtesting.fingerprints import code_hash
from mismartera_analytics.backtesting.grids import Grid
from mismartera_analytics.backtesting.jobs import Job, Runner
from mismartera_analytics.backtesting.result import BacktestResult
from mismartera_analytics.backtesting.run import run_on
from mismartera_analytics.backtesting.scores import (
    LOWER_IS_BETTER,
    SHOWN,
    best_place,
    column_of,
    session_ends,
    typed,
)
from mismartera_analytics.backtesting.signal_functions import check_names
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName
    from mismartera_analytics.performance.cross_validation import Overfitting

__all__ = ["SweepResult", "frame_of"]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep.

    Attributes
    ----------
    frame
        One row a combination in the order of the grid, whoever ran it: the parameters, then
        ``equity`` at the end [currency], ``total_return`` [1], ``cagr``, ``volatility``,
        ``sharpe_ratio``, ``sortino_ratio``, ``max_drawdown`` (by the conventions of
        `performance.metrics`), and the numbers of ``fills`` and closed ``trades``.
    family
        Under which the trials are logged.
    tried
        How many combinations were run by this call; the others were found in the log.
    """

    frame: pd.DataFrame
    family: str
    tried: int
    _grid: Grid = field(repr=False)
    _job: Job = field(repr=False)
    _source: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        found = len(self.frame) - self.tried
        from_log = f", {found:,} from the log" if found else ""
        return (
            f"SweepResult({self._job.name}, {len(self.frame):,} combinations of "
            f"{', '.join(self._grid.names)}{from_log})"
        )

    def __len__(self) -> int:
        return len(self.frame)

    def best(self, by: str = "sharpe") -> dict[str, Any]:
        """Return the parameters of the best combination; of equals the first in the grid.

        Parameters
        ----------
        by
            A column of `frame`, or ``"sharpe"`` or ``"sortino"``: its highest value is the best, of
            the volatility the lowest.

        Returns
        -------
        dict

        Raises
        ------
        InvalidInputError
            If there is no such column, or no combination has a value in it.
        """
        column = column_of(by, SHOWN, "by")
        place = best_place(self.frame[column].to_numpy(dtype=np.float64), column)
        if place is None:
            raise InvalidInputError(
                f"by={as_given(by)}: no combination has a value; the record may be too short for it."
            )
        return dict(self._grid[place])

    def result(self, parameters: Mapping[str, Any] | None = None, **named: Any) -> BacktestResult:
        """Run one combination again, in full. One that is not of the grid is one trial more.

        Parameters
        ----------
        parameters, **named
            The combination, as a dict or by name; it need not be one of the grid.

        Returns
        -------
        BacktestResult

        Raises
        ------
        InvalidInputError
            If a parameter of the grid is missing, or one is unknown.
        """
        if not isinstance(parameters, Mapping | None):
            raise InvalidInputError(
                f"parameters={as_given(parameters)} must be a dict of names and values, as best() "
                f"gives it."
            )
        chosen = {**(parameters or {}), **named}
        missing = [name for name in self._grid.names if name not in chosen]
        if missing:
            raise InvalidInputError(f"parameters lacks {', '.join(missing)}; name all of the grid.")
        if not self._job.is_strategy:
            check_names(self._job.subject, (*self._job.base, *chosen))
        instructions = self._job.instructions(chosen)
        source = dict(self._source)
        if not self._job.is_strategy:
            source["made_by"] = {
                "function": self._job.name,
                "parameters": self._job.all_parameters(chosen),
                "code_hash": code_hash(self._job.subject),
                "size": self._job.size,
            }
        result = run_on(self._job.market, instructions, self._job.settings, source=source)
        if source["family"] is not None:
            count_run(result, source["family"])
        return result

    def returns(self) -> pd.DataFrame:
        """Run every combination again and return what each session of it brought.

        Returns
        -------
        pandas.DataFrame
            Simple returns [1]: index the sessions, a column for each row of `frame`, by its position.
            It takes 8 bytes for each session of each combination.
        """
        market, cash = self._job.market, self._job.settings.cash
        values, _ = Runner(self._job).values(list(self._grid))
        before = np.hstack([np.full((len(values), 1), cash), values[:, :-1]])
        labels = market.clock.label[session_ends(market.clock)].astype("datetime64[us]")
        return pd.DataFrame(
            (values / before - 1.0).T,
            index=pd.DatetimeIndex(labels, name="session"),
            columns=pd.RangeIndex(len(values), name="combination"),
        )

    def overfitting(self, *, blocks: int = 16) -> Overfitting:
        """Return how often the best combination of one half of the record fails on the other.

        Parameters
        ----------
        blocks
            Pieces into which the record is cut, as in `probability_of_backtest_overfitting`.

        Returns
        -------
        Overfitting

        Raises
        ------
        InvalidInputError
            As in `probability_of_backtest_overfitting`.

        Examples
        --------
        >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
        >>> grid = {"fast": [10, 20], "slow": [50, 100]}
        >>> found = ma.sweep(MovingAverageCross, grid, "AAPL", "2000-03-01")
        >>> found.overfitting(blocks=8).trials
        4
        """
        from mismartera_analytics.performance.cross_validation import (
            probability_of_backtest_overfitting,
        )

        return probability_of_backtest_overfitting(self.returns(), blocks=blocks)

    def heatmap(
        self, x: str, y: str, value: str = "sharpe", *, theme: ThemeName = "light"
    ) -> Figure:
        """Return a figure of one score over two parameters.

        Parameters
        ----------
        x, y
            Parameters of the grid. Where others vary too, the best of their combinations is shown.
        value
            A column of `frame`, or ``"sharpe"`` or ``"sortino"``.
        theme
            ``"light"`` or ``"dark"``.

        Returns
        -------
        matplotlib.figure.Figure
            Not shown.

        Raises
        ------
        InvalidInputError
            If a name is unknown, or `x` and `y` are the same.
        """
        from mismartera_analytics.figures.grids import grid_heatmap

        column = column_of(value, SHOWN, "value")
        for argument, name in (("x", x), ("y", y)):
            if name not in self._grid.names:
                raise InvalidInputError(
                    f"{argument}={as_given(name)} is no parameter of the grid"
                    f"{suggestion(name, self._grid.names) or '.'} "
                    f"Its parameters: {', '.join(self._grid.names)}."
                )
        if x == y:
            raise InvalidInputError(f"x and y are both {x!r}; name two parameters.")
        lowest = column in LOWER_IS_BETTER
        table = self.frame.pivot_table(
            index=y, columns=x, values=column, aggfunc="min" if lowest else "max", dropna=False
        )
        return grid_heatmap(table, value=column, theme=theme)


def frame_of(grid: Grid, table: NDArray[np.float64]) -> pd.DataFrame:
    """Return the frame of a sweep from its grid and its scores."""
    columns: dict[str, Any] = {name: [] for name in grid.names}
    for combination in grid:
        for name in grid.names:
            columns[name].append(combination[name])
    return pd.DataFrame({**columns, **typed(table)})
