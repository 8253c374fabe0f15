"""Signals given as a function of bars and parameters, and what such functions share."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.backtesting.forms import SIGNALS
from mismartera_analytics.backtesting.market import FIELDS, Market
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    StrategyError,
    suggestion,
)

__all__ = ["SignalBars", "SignalBoard", "SignalFunction", "check_names"]

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
SignalFunction = Callable[..., Any]
"""Takes `SignalBars` and parameters by name; returns entries and exits, and those of short
positions where there are any: booleans of shape (n,)."""

_ROOM = 64 * 2**20
"""Bytes of indicators kept for the combinations to come; beyond it they are computed each time."""


class Shelf:
    """Indicators computed already, up to a number of bytes; what is on it stays."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """Return what was kept, or None."""
        return self._kept.get(key)

    def keep(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a value while there is room."""
        with self._lock:
            if size <= self._room and key not in self._kept:
                self._room -= size
                self._kept[key] = value


class SignalBars:
    """All bars of one symbol, oldest first, as read-only arrays of shape (n,).

    Prices and volumes are in the shares of the last bar shown: across a split the function is called
    once before and once after it.

    Attributes
    ----------
    symbol
        Whose bars they are.
    open, high, low, close
        [currency/share]
    volume
        [shares]
    """

    def __init__(self, symbol: str, columns: Floats, shelf: Shelf, stretch: Hashable) -> None:
        columns.flags.writeable = False
        self.symbol = symbol
        self.open, self.high, self.low, self.close, self.volume = columns
        self._shelf = shelf
        self._stretch = stretch
        self._names: dict[int, Hashable] = {}

    def __len__(self) -> int:
        return len(self.close)

    def indicator(self, function: Callable[..., Any], *inputs: Any, **parameters: Any) -> Any:
        """Compute an indicator, or return what an earlier combination computed.

        Parameters
        ----------
        function
            Takes arrays of shape (n,) and the parameters; returns an array of shape (n,), or a tuple
            of them. Each value must be made of the bars up to it.
        *inputs
            Columns of the bars (``"close"`` by default) or arrays, such as other indicators.
        **parameters
            Passed on.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            Read-only.

        Raises
        ------
        InvalidInputError
            If a column is unknown.
        """
        given = inputs or ("close",)
        key = self._key(function, given, parameters)
        found = None if key is None else self._shelf.find(key)
        if found is None:
            arrays = [self._column(item) if isinstance(item, str) else item for item in given]
            outputs = function(*arrays, **parameters)
            several = outputs if isinstance(outputs, tuple) else (outputs,)
            found = tuple(_read_only(output) for output in several)
            if key is not None:
                self._shelf.keep(key, found, sum(array.nbytes for array in found))
                found = self._shelf.find(key) or found
        if key is not None and self._shelf.find(key) is found:
            self._names |= {id(array): (key, number) for number, array in enumerate(found)}
        return found[0] if len(found) == 1 else found

    def _column(self, field: str) -> Floats:
        if not is_one_of(field, FIELDS):
            raise InvalidInputError(
                f"input {field!r} is no column of the bars{suggestion(field, FIELDS) or '.'} "
                f"Allowed: {', '.join(FIELDS)}."
            )
        column: Floats = getattr(self, field)
        return column

    def _key(
        self, function: Any, inputs: tuple[Any, ...], parameters: dict[str, Any]
    ) -> Hashable | None:
        """Return what tells this computation from others; None where that is not known."""
        names = [item if isinstance(item, str) else self._names.get(id(item)) for item in inputs]
        key = (self._stretch, function, tuple(names), tuple(sorted(parameters.items())))
        if None in names:
            return None
        try:
            hash(key)
        except TypeError:
            return None
        return key


class SignalBoard:
    """The bars of a market as signal functions see them; shared by all combinations.

    Parameters
    ----------
    market
        Only read.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._shelf = Shelf(_ROOM)

    def signals(self, function: SignalFunction, parameters: Mapping[str, Any]) -> list[Booleans]:
        """Return the signals of a combination, each of shape (symbols, rows).

        Entries and exits, or these and the entries and exits of short positions.

        Raises
        ------
        InvalidInputError
            If the function does not return two or four arrays of booleans, one value a bar.
        StrategyError
            If the function raises.
        """
        market = self._market
        shape = len(market.symbols), len(market.clock)
        whole: list[Booleans] = []
        for number in range(len(market.symbols)):
            for first, bars, rows in self._stretches(number):
                signals = _checked(function, _called(function, bars, parameters), len(bars))
                if shape == (1, len(bars)) and not whole:
                    return [flags[np.newaxis] for flags in signals]
                whole = whole or [np.zeros(shape, np.bool_) for _ in signals]
                for place, flags in zip(whole, signals, strict=True):
                    place[number, rows[first:]] = flags[first:]
        return whole

    def _stretches(self, number: int) -> list[tuple[int, SignalBars, NDArray[np.int64]]]:
        """Return, for each time between splits, its first bar, the bars up to its end, their rows."""
        key = ("stretches", number)
        found: Any = self._shelf.find(key)
        if found is None:
            found = self._made_stretches(number)
            self._shelf.keep(key, found, 0)
        symbol, shelf = self._market.symbols[number], self._shelf
        return [
            (first, SignalBars(symbol, columns, shelf, (number, first)), rows)
            for first, columns, rows in found
        ]

    def _made_stretches(self, number: int) -> list[tuple[int, Floats, NDArray[np.int64]]]:
        columns, actions = self._market.fields[:, number], self._market.actions
        rows = np.flatnonzero(~np.isnan(columns[3]))
        columns = columns[:, rows]
        of_symbol = (actions.symbol == number) & (actions.ratio != 1.0)
        made = []
        first = 0
        for split in np.flatnonzero(of_symbol).tolist():
            bar = int(np.searchsorted(rows, actions.row[split]))
            if bar > first:
                made.append((first, columns[:, :bar].copy(), rows[:bar]))
            columns = columns.copy()
            columns[:4, :bar] /= actions.ratio[split]
            columns[4, :bar] *= actions.ratio[split]
            first = bar
        if first < len(rows):
            made.append((first, columns.copy(), rows))
        return made


def check_names(function: SignalFunction, names: tuple[str, ...]) -> None:
    """Refuse parameters that a signal function does not take, or lacks.

    Raises
    ------
    InvalidInputError
        The nearest name is suggested.
    """
    signature = inspect.signature(function)
    known = list(signature.parameters.values())[1:]
    allowed = [p.name for p in known if p.kind is not p.VAR_KEYWORD]
    takes_any = len(allowed) < len(known)
    called = getattr(function, "__name__", repr(function))
    for name in names:
        if name not in allowed and not takes_any:
            raise InvalidInputError(
                f"{called} has no parameter {name!r}{suggestion(name, allowed) or '.'} "
                f"Its parameters: {', '.join(allowed) or 'none'}."
            )
    for parameter in known:
        needed = parameter.default is parameter.empty and parameter.name in allowed
        if needed and parameter.name not in names:
            raise InvalidInputError(f"grid: {called} needs a value of {parameter.name!r}.")


def _called(function: SignalFunction, bars: SignalBars, parameters: Mapping[str, Any]) -> Any:
    try:
        return function(bars, **parameters)
    except MismarteraError:
        raise
    except Exception as error:
        called = getattr(function, "__name__", repr(function))
        raise StrategyError(f"{called} raised {type(error).__name__}: {error}") from error


def _checked(function: SignalFunction, outputs: Any, count: int) -> list[Booleans]:
    called = getattr(function, "__name__", repr(function))
    if not isinstance(outputs, tuple) or len(outputs) not in (2, 4):
        raise InvalidInputError(
            f"{called} must return two arrays, entries and exits, or four: these and the entries and "
            f"exits of short positions."
        )
    signals = []
    for name, output in zip(SIGNALS, outputs, strict=False):
        array = np.zeros(count, np.bool_) if output is None else np.asarray(output)
        if array.dtype != np.bool_ or array.shape != (count,):
            raise InvalidInputError(
                f"{called} returned {name} of type {array.dtype} and shape {array.shape}; they must "
                f"be booleans of shape ({count},), one a bar."
            )
        signals.append(np.ascontiguousarray(array))
    return signals


def _read_only(output: Any) -> Floats:
    array = np.array(output, dtype=np.float64)
    array.flags.writeable = False
    return array
