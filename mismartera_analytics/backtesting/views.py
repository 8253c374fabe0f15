"""What a strategy sees of bars and indicators: everything up to now, nothing later."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.backtesting.market import FIELDS, Market
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion

__all__ = ["Bars", "Cursor", "Indicator", "OnlyBars", "SymbolBars", "reveal"]

Floats = NDArray[np.float64]
INPUTS = (*FIELDS, "session")
"""What an indicator can be computed from."""


class Cursor:
    """How many rows of the clock have been seen."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0


class SymbolBars:
    """The bars of one symbol so far, oldest first, as read-only arrays.

    Prices and volumes are in shares of now: those before a split are adjusted once it is in force.
    A row without a bar of this symbol is not there.
    """

    __slots__ = ("_columns", "_counts", "_cursor", "_indicators", "_sessions", "symbol")

    def __init__(self, market: Market, number: int, cursor: Cursor) -> None:
        self.symbol = market.symbols[number]
        self._cursor = cursor
        self._indicators: list[Indicator] = []
        columns = market.fields[:, number]
        has_bar = ~np.isnan(columns[3])
        self._counts: NDArray[np.int64] | None = None  # bars before each row; None: a bar a row
        if not has_bar.all():
            self._counts = np.concatenate([[0], np.cumsum(has_bar)])
            columns = columns[:, has_bar]
        self._columns: Floats = _read_only(columns)
        self._sessions = market.clock_of(number).session

    def __len__(self) -> int:
        seen = self._cursor.seen
        return seen if self._counts is None else self._counts.item(seen)

    @property
    def open(self) -> Floats:
        """Opens so far [currency/share]."""
        return self._columns[0, : len(self)]

    @property
    def high(self) -> Floats:
        """Highs so far [currency/share]."""
        return self._columns[1, : len(self)]

    @property
    def low(self) -> Floats:
        """Lows so far [currency/share]."""
        return self._columns[2, : len(self)]

    @property
    def close(self) -> Floats:
        """Closes so far [currency/share]."""
        return self._columns[3, : len(self)]

    @property
    def volume(self) -> Floats:
        """Volumes so far [shares]."""
        return self._columns[4, : len(self)]

    @property
    def is_here(self) -> bool:
        """Whether the latest row holds a bar of this symbol."""
        seen = self._cursor.seen
        if self._counts is None or seen == 0:
            return seen > 0
        return bool(self._counts[seen] > self._counts[seen - 1])

    def split(self, row: int, ratio: float) -> None:
        """Adjust everything before `row` of the clock for a split, indicators included."""
        before = row if self._counts is None else int(self._counts[row])
        columns = self._columns.copy()
        columns[:4, :before] /= ratio
        columns[4, :before] *= ratio
        self._columns = _read_only(columns)
        for indicator in self._indicators:
            indicator.refresh()

    def whole(self, field: str) -> Floats:
        """Return a whole column, later bars included, for an indicator to be computed from."""
        if not is_one_of(field, INPUTS):
            raise InvalidInputError(
                f"input {field!r} is no column of the bars{suggestion(field, INPUTS) or '.'} "
                f"Allowed: {', '.join(INPUTS)}."
            )
        if field == "session":
            has_bar = slice(None) if self._counts is None else np.diff(self._counts) > 0
            return self._sessions[has_bar].astype(np.float64)
        column: Floats = self._columns[FIELDS.index(field)]
        return column

    def indicator(
        self, function: Callable[..., Any], inputs: tuple[Any, ...], parameters: dict[str, Any]
    ) -> Any:
        """Compute an indicator and return its `Indicator`, or one for each of its outputs."""
        named = inputs or _columns_of(function)

        def compute() -> tuple[Floats, ...]:
            return _evaluate(self, function, named, parameters)

        outputs = enumerate(compute())
        made = [Indicator(self, compute, output, values) for output, values in outputs]
        self._indicators.extend(made)
        return made[0] if len(made) == 1 else tuple(made)


class Indicator:
    """An indicator's values so far: ``average[-1]`` is the one of the symbol's latest bar.

    Before there are that many values an index gives NaN.
    """

    __slots__ = ("_bars", "_compute", "_output", "_values")

    def __init__(
        self,
        bars: SymbolBars,
        compute: Callable[[], tuple[Floats, ...]],
        output: int,
        values: Floats,
    ) -> None:
        self._bars = bars
        self._compute = compute
        self._output = output
        self._values = values

    def __len__(self) -> int:
        return len(self._bars)

    def __getitem__(self, index: int) -> float:
        count = len(self._bars)
        position = index + count if index < 0 else index
        if 0 <= position < count:
            return self._values.item(position)
        if index < 0:
            return math.nan
        raise IndexError(f"index {index}: there are {count} values so far.")

    def __float__(self) -> float:
        return self[-1]

    def __repr__(self) -> str:
        return f"Indicator({self._bars.symbol!r}, {len(self)} values, last {self[-1]:g})"

    @property
    def symbol(self) -> str:
        """Of whose bars it is made."""
        return self._bars.symbol

    @property
    def values(self) -> Floats:
        """All values so far, read-only."""
        return self._values[: len(self._bars)]

    @property
    def whole(self) -> Floats:
        """All values, later ones included, for another indicator to be computed from."""
        return self._values

    def refresh(self) -> None:
        """Compute the values anew after a split."""
        self._values = self._compute()[self._output]


class Bars:
    """The bars of each symbol: ``ctx.bars["AAPL"].close``."""

    __slots__ = ("_by_symbol",)

    def __init__(self, by_symbol: dict[str, SymbolBars]) -> None:
        self._by_symbol = by_symbol

    def __getitem__(self, symbol: str) -> SymbolBars:
        try:
            return self._by_symbol[symbol]
        except KeyError:
            hint = suggestion(symbol, self._by_symbol)
            raise InvalidInputError(
                f"symbol={as_given(symbol)} is not in this run{hint or '.'} "
                f"Its symbols: {', '.join(self._by_symbol)}."
            ) from None


class OnlyBars(SymbolBars):
    """The bars of a run's only symbol: ``ctx.bars.close`` as well as ``ctx.bars["AAPL"].close``."""

    __slots__ = ("_names",)

    def __init__(self, market: Market, number: int, cursor: Cursor) -> None:
        super().__init__(market, number, cursor)
        self._names = tuple(market.numbers)

    def __getitem__(self, symbol: str) -> SymbolBars:
        return Bars(dict.fromkeys(self._names, self))[symbol]


def reveal(market: Market, cursor: Cursor) -> Bars | OnlyBars:
    """Return the bars of a market as far as the cursor has come."""
    if len(market.symbols) == 1:
        return OnlyBars(market, 0, cursor)
    every = [SymbolBars(market, number, cursor) for number in range(len(market.symbols))]
    return Bars({name: every[number] for name, number in market.numbers.items()})


def _columns_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the columns that the first parameters are named after, or the close."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some compiled functions have no signature
        names = []
    return tuple(itertools.takewhile(INPUTS.__contains__, names)) or ("close",)


def _evaluate(
    bars: SymbolBars,
    function: Callable[..., Any],
    inputs: tuple[Any, ...],
    parameters: dict[str, Any],
) -> tuple[Floats, ...]:
    arrays = [item.whole if isinstance(item, Indicator) else bars.whole(item) for item in inputs]
    outputs = function(*arrays, **parameters)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    results = tuple(_read_only(np.array(output, dtype=np.float64)) for output in several)
    for result in results:
        if result.shape != bars.whole("close").shape:
            name = getattr(function, "__name__", "the indicator")
            raise InvalidInputError(
                f"{name} returned shape {result.shape} for {len(bars.whole('close'))} bars; an "
                f"indicator gives one value a bar."
            )
    return results


def _read_only(array: Floats) -> Floats:
    view = array.view()
    view.flags.writeable = False
    return view
