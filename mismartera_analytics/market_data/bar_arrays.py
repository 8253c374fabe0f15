"""A frame of bars as plain arrays, copied only where its rows are not in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidBarsError
from mismartera_analytics.frames.given import check_table
from mismartera_analytics.frames.number_cells import numbers_in
from mismartera_analytics.market_data import validation
from mismartera_analytics.market_data.layout import VALUES
from mismartera_analytics.market_data.symbol_runs import check_symbols_of, symbol_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BarArrays", "bar_arrays", "fixed"]


@dataclass(frozen=True, eq=False)
class BarArrays:
    """Bars with those of a symbol together; within a symbol in the order in which they were given.

    Attributes
    ----------
    names
        The symbols, each once, in the order of their rows.
    starts
        Shape (symbols + 1,): the rows of ``names[i]`` are ``starts[i]:starts[i + 1]``.
    time
        Shape (rows,): starts of the bars [microseconds since 1970, UTC].
    session
        Shape (rows,): labels [days since 1970], or None for bars shorter than a session.
    values
        Open, high, low, close and volume, each of shape (rows,), contiguous and not to be written to.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    time: NDArray[np.int64]
    session: NDArray[np.int64] | None
    values: tuple[NDArray[np.float64], ...]

    @property
    def key(self) -> NDArray[np.int64]:
        """What names a bar of a symbol: its session if it has one, else its time."""
        return self.time if self.session is None else self.session

    def in_order(self) -> BarArrays:
        """Return the bars with each symbol's in order of their keys."""
        codes = np.repeat(np.arange(len(self.names)), np.diff(self.starts))
        return self._taken(np.lexsort((self.key, codes)), self.names, self.starts)

    def _taken(
        self, rows: NDArray[Any], names: tuple[str, ...], starts: NDArray[np.int64]
    ) -> BarArrays:
        session = None if self.session is None else fixed(self.session[rows])
        values = tuple(fixed(array[rows]) for array in self.values)
        return BarArrays(names, starts, fixed(self.time[rows]), session, values)


def bar_arrays(frame: pd.DataFrame) -> BarArrays:
    """Return the arrays of a frame of bars.

    Parameters
    ----------
    frame
        Columns `symbol`, `timestamp` (aware), `open`, `high`, `low`, `close`, `volume`; with labels
        in a column `session` its bars are of a session or longer. Any order.

    Returns
    -------
    BarArrays

    Raises
    ------
    InvalidBarsError
        If a column is missing or there twice, a symbol is none, or only some bars have a session.
    NaiveDatetimeError
        If `timestamp` has no time zone.
    """
    if isinstance(frame, pd.DataFrame):
        check_table(frame, argument="the bars", error=InvalidBarsError)
    validation.require_columns(frame, ("symbol", "timestamp", *VALUES), what="the bars")
    runs = symbol_runs(frame["symbol"])
    check_symbols_of(runs, argument="the bars")
    time = fixed(validation.instants(frame["timestamp"]))
    values = tuple(fixed(numbers_in(frame[name])) for name in VALUES)
    arrays = BarArrays(runs.known, runs.starts, time, _sessions(frame), values)
    if len(runs.codes) == len(runs.known):
        return arrays
    codes = runs.by_row
    ends = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(runs.known)))])
    return arrays._taken(np.argsort(codes, kind="stable"), runs.known, ends)


def _sessions(frame: pd.DataFrame) -> NDArray[np.int64] | None:
    if "session" not in frame.columns or frame["session"].isna().all():
        return None
    lacks = frame["session"].isna()
    if lacks.any():
        raise InvalidBarsError(
            f"{int(lacks.sum())} of {len(frame)} bars have no session, row "
            f"{frame.index[lacks][0]} for instance; give bars of one interval at a time."
        )
    labels: NDArray[np.int64] = fixed(validation.labels(frame["session"]))
    return labels


def fixed(array: NDArray[Any]) -> Any:
    """Return a contiguous view that cannot be written to: one kind of array, one compiled kernel."""
    fixed = np.ascontiguousarray(array).view()
    fixed.flags.writeable = False
    return fixed
