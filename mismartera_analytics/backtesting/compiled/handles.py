"""What compiled code is given: plain holders of arrays, which `types` teaches Numba to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.backtesting.context import Context
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.backtesting.views import Indicator
from mismartera_analytics.kernels import layouts

__all__ = [
    "BUSY",
    "ROW",
    "TOLD",
    "UNCHECKED",
    "ContextHandle",
    "IndicatorHandle",
    "StrategyHandle",
    "SymbolHandle",
]

ROW, BUSY, UNCHECKED, TOLD = 0, 1, 2, 3
"""Places in a cursor: latest row, whether orders may work, first order to be checked, actions told."""


@dataclass(frozen=True)
class SymbolHandle:
    """A symbol, by its position in the run."""

    number: int


@dataclass(frozen=True)
class IndicatorHandle:
    """An indicator's values and how many of them have been seen."""

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    number: int


class StrategyHandle:
    """A strategy's attributes: numbers in arrays that compiled code may change, the rest as it is.

    Attributes
    ----------
    floats, integers, switches
        Values of the attributes of each kind.
    scalars
        Name -> kind (``"floats"``, ``"integers"``, ``"switches"``) and place.
    objects
        Name -> what Numba reads as it is.
    strange
        Name -> type of the attributes that compiled code cannot use.
    kind
        What Numba takes it for, once it was asked.
    """

    def __init__(self, strategy: Strategy, counts: NDArray[np.int64], names: Mapping[str, int]):
        self.label = type(strategy).__name__
        self.kind: Any = None
        self.scalars: dict[str, tuple[str, int]] = {}
        self.objects: dict[str, Any] = {}
        self.strange: dict[str, str] = {}
        kept: dict[str, list[Any]] = {"floats": [], "integers": [], "switches": []}
        for name, value in {**_class_values(strategy), **vars(strategy)}.items():
            kind = _kind(value)
            if kind is not None:
                self.scalars[name] = (kind, len(kept[kind]))
                kept[kind].append(value)
                continue
            try:
                self.objects[name] = _converted(value, counts, names)
            except TypeError:
                self.strange[name] = type(value).__name__
        self.floats = np.array(kept["floats"], np.float64)
        self.integers = np.array(kept["integers"], np.int64)
        self.switches = np.array(kept["switches"], np.bool_)

    def write_back(self, strategy: Strategy) -> None:
        """Give the strategy the numbers that compiled code left."""
        for name, (kind, place) in self.scalars.items():
            value = getattr(self, kind)[place].item()
            if getattr(strategy, name) != value:
                setattr(strategy, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("o_") and name[2:] in self.objects:
            return self.objects[name[2:]]
        raise AttributeError(name)


def _class_values(strategy: Strategy) -> dict[str, Any]:
    """Return the values of the class, those with an underscore too."""
    found: dict[str, Any] = {}
    for base in reversed(type(strategy).__mro__):
        if base is not object and base is not Strategy:
            values = vars(base).items()
            found.update((name, value) for name, value in values if not name.startswith("__"))
    return {name: value for name, value in found.items() if not callable(value)}


def _kind(value: Any) -> str | None:
    if isinstance(value, (bool, np.bool_)):
        return "switches"
    if isinstance(value, (int, np.integer)):
        return "integers"
    return "floats" if isinstance(value, (float, np.floating)) else None


def _converted(value: Any, counts: NDArray[np.int64], names: Mapping[str, int]) -> Any:
    """Return what stands for a value in compiled code; a TypeError says that nothing does."""
    if isinstance(value, Indicator):
        number = names[value.symbol]
        return IndicatorHandle(value.whole, counts, number)
    if isinstance(value, str) and value in names:
        return SymbolHandle(names[value])
    if isinstance(value, (tuple, list)) and value:
        return tuple(_converted(item, counts, names) for item in value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fib":
        return value
    if _kind(value) is not None:
        return value
    raise TypeError(type(value).__name__)


class ContextHandle:
    """The arrays behind a context.

    Attributes
    ----------
    symbols, names
        All symbols; every name and its symbol's number if the code names one of them, else None.
    columns
        (5, symbols, bars) adjusted open, high, low, close and volume of each symbol's bars.
    counts
        (symbols,) how many of them have been seen.
    cursor
        As `ROW`, `BUSY`, `UNCHECKED` and `TOLD` say.
    template
        (1,) an order on which nothing is set.
    ends
        End of each row [us].
    bounds, calendar
        (calendars, sessions) `Clock.session_bounds` [us], and which calendar each symbol keeps.
    every
        (symbols,) handles.
    book
        What `kernels.fills.advance` works on; parts of it are members of their own.
    kind
        What Numba takes it for, once it was asked.
    """

    MEMBERS = (
        *("columns", "counts", "cursor", "template", "ends", "bounds", "calendar", "every", "book"),
        *("prices", "actions", "orders", "holdings", "ledger", "state", "rules"),
    )

    def __init__(self, context: Context, names: tuple[tuple[str, int], ...] | None) -> None:
        times = context._market.clock
        self.kind: Any = None
        self.actions: layouts.Records
        self.symbols = context.symbols
        self.names = names
        self.counts = np.zeros(len(self.symbols), np.int64)
        self.cursor = np.array([-1, int(context._is_busy), -1, 0], np.int64)
        self.template = np.zeros(1, layouts.ORDER)
        blank = Ticket(symbol=0, sizing=layouts.UNITS, size=1.0, side=1)
        self.template[0] = blank.record(row=0, placed=0, session=0)
        self.ends = times.end
        self.bounds = _bounds(context)
        self.every = tuple(SymbolHandle(number) for number in range(len(self.symbols)))
        self.columns = _read_only(context._market.fields)
        if np.isnan(context._market.fields[3]).any():
            self.adjust(context)
        self.renew(context)

    def renew(self, context: Context) -> None:
        """Take the book's arrays, which move when it grows."""
        simulation = context._simulation
        self.book = simulation.book
        self.calendar = simulation.times.calendar
        self.prices = _read_only(simulation.prices)
        for name in ("actions", "orders", "holdings", "ledger", "state", "rules"):
            setattr(self, name, getattr(simulation, name))

    def adjust(self, context: Context) -> None:
        """Take the columns anew, after a split or where bars are missing."""
        bars = context.bars
        each = [bars[symbol]._columns for symbol in self.symbols]
        columns = np.full((5, len(each), max(part.shape[1] for part in each)), np.nan)
        for number, part in enumerate(each):
            columns[:, number, : part.shape[1]] = part
        self.columns = _read_only(columns)


def _bounds(context: Context) -> NDArray[np.int64]:
    market = context._market
    each = [times.session_bounds for times in market.calendars or (market.clock,)]
    bounds = np.full((len(each), max(map(len, each))), np.iinfo(np.int64).max)
    for number, own in enumerate(each):
        bounds[number, : len(own)] = own
    return bounds


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    view = array.view()
    view.flags.writeable = False
    return view
