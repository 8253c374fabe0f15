"""What can be run again on another future: strategies, and functions of bars."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.context import Context
from mismartera_analytics.backtesting.frame_rows import rows_of, symbols_of
from mismartera_analytics.backtesting.lookahead_decisions import Decisions, Track
from mismartera_analytics.backtesting.lookahead_futures import bars_of
from mismartera_analytics.backtesting.loop import run_strategy
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.errors import InvalidInputError, StrategyError, as_given
from mismartera_analytics.kernels import layouts

__all__ = [
    "FramesOfBars",
    "StrategyRuns",
    "Subject",
    "UniverseOfBars",
    "named",
    "symbols_chosen",
]

Adjust = Literal["split", "all"] | None
_SIZES = {
    layouts.UNITS: "",
    layouts.PERCENT: " of the account",
    layouts.TARGET: " as target weight",
    layouts.ALL_CASH: " of the cash",
}


class Subject(Protocol):
    """Something that decides on bars."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def decide(self, market: Market, last: int) -> Decisions:
        """Return what is decided on a market up to the end of row `last`."""
        ...


def named(function: Any) -> str:
    """Return what a function or a class is called."""
    inner = function.func if isinstance(function, functools.partial) else function
    name: str = getattr(inner, "__name__", type(inner).__name__)
    return name


@dataclass(frozen=True)
class StrategyRuns:
    """A strategy, run on one market after another.

    Attributes
    ----------
    strategy
        It stays as it is: each run has a copy.
    settings
        The rules.
    """

    strategy: Strategy
    settings: Settings

    @property
    def name(self) -> str:
        """The class."""
        return type(self.strategy).__name__

    def decide(self, market: Market, last: int) -> Decisions:
        """Return indicators and orders up to the end of a row, and of the open that follows it."""
        from mismartera_analytics.backtesting.simulation import Simulation

        own = copy.copy(self.strategy)
        simulation = Simulation(market, self.settings)
        context = run_strategy(
            own, market, simulation, self.settings, context_type=_Watching, rows=last + 1
        )
        assert isinstance(context, _Watching)
        return context.decisions()


class _Noted:
    """An indicator's function that keeps what it returned, and at which row."""

    def __init__(self, function: Callable[..., Any], context: _Watching, label: Track) -> None:
        functools.update_wrapper(self, function)
        self.label = label
        self.outputs: dict[int, tuple[NDArray[Any], ...]] = {}
        self._function = function
        self._context = context

    def __call__(self, *arrays: Any, **parameters: Any) -> Any:
        given = self._function(*arrays, **parameters)
        several = given if isinstance(given, tuple) else (given,)
        # The engine copies what it is given, and so does the note: a function may reuse its array.
        self.outputs[self._context.row] = tuple(np.array(one, np.float64) for one in several)
        return given


class _Watching(Context):
    """A context that notes indicators and orders as they are asked for."""

    def __init__(self, *arguments: Any, **rules: Any) -> None:
        super().__init__(*arguments, **rules)
        self._noted: list[_Noted] = []
        self._names: dict[int, tuple[Any, str]] = {}
        self._acts: list[tuple[int, int, str]] = []

    def indicator(
        self,
        function: Callable[..., Any],
        *inputs: Any,
        symbol: str | None = None,
        **parameters: Any,
    ) -> Any:
        number = self._number(symbol)
        shown = [self._names.get(id(item), (None, str(item)))[1] for item in inputs]
        shown += [f"{name}={as_given(value)}" for name, value in parameters.items()]
        name = f"{named(function)}({', '.join(shown)})"
        rows = np.flatnonzero(~np.isnan(self._market.fields[3, number]))
        label = Track("indicator", name, self.symbols[number], rows, np.zeros(0))
        noted = _Noted(function, self, label)
        self._noted.append(noted)
        made = super().indicator(noted, *inputs, symbol=symbol, **parameters)
        for one in made if isinstance(made, tuple) else (made,):
            self._names[id(one)] = (one, name)
        return made

    def cancel(self, order_id: int) -> bool:
        is_done = super().cancel(order_id)
        if is_done:
            number = int(self._simulation.placed[order_id]["symbol"])
            self._acts.append((self._cursor.seen - 1, number, f"cancel order {order_id}"))
        return is_done

    def _place(self, ticket: Ticket) -> int:
        number = super()._place(ticket)
        self._acts.append((self._cursor.seen - 1, ticket.symbol, _described(ticket)))
        return number

    def decisions(self) -> Decisions:
        tracks: dict[Any, Track] = {}
        for call, noted in enumerate(self._noted):
            for row, outputs in noted.outputs.items():
                for output, values in enumerate(outputs):
                    key = ("indicator", call, row, output)
                    tracks[key] = dataclasses.replace(noted.label, values=values, since=row)
        for number, symbol in enumerate(self.symbols):
            own = [(row, text) for row, of, text in self._acts if of == number]
            if own:
                tracks["order", symbol] = _by_row("order", symbol, own)
        return Decisions(tracks, np.unique([row for row, _, _ in self._acts]).astype(np.int64))


def _by_row(kind: str, symbol: str, told: Sequence[tuple[int, str]]) -> Track:
    texts: dict[int, str] = {}
    for row, text in told:
        texts[row] = f"{texts[row]}; {text}" if row in texts else text
    rows = np.array(sorted(texts), np.int64)
    values = np.array([texts[row] for row in rows.tolist()], object)
    return Track(kind, "", symbol, rows, values)


def _described(ticket: Ticket) -> str:
    """Return an order in words: whatever differs from an ordinary one is named."""
    side = {1: "BUY ", -1: "SELL ", 0: ""}[ticket.side]
    parts = [f"{ticket.order_type} {side}{ticket.size:.10g}{_SIZES.get(ticket.sizing, '')}"]
    for field in dataclasses.fields(ticket):
        value = getattr(ticket, field.name)
        if field.default is dataclasses.MISSING or field.name == "order_type":
            continue
        if value != field.default and value == value:  # NaN stands for nothing
            shown = f"{value:.10g}" if isinstance(value, float) else str(value)
            parts.append(f"{field.name}={shown}")
    return " ".join(parts)


@dataclass(frozen=True)
class FramesOfBars:
    """Functions of bars that return weights, signals or orders.

    Attributes
    ----------
    functions
        By what they return: ``weights``, ``orders``, ``entries`` (perhaps with exits as a pair),
        ``exits``, ``short_entries`` and ``short_exits``.
    adjust
        How the bars that they get are adjusted, as in `BarStore.read`.
    """

    functions: Mapping[str, Callable[[pd.DataFrame], Any]]
    adjust: Adjust

    @property
    def name(self) -> str:
        """The functions' names."""
        return ", ".join(dict.fromkeys(named(function) for function in self.functions.values()))

    def given(self, market: Market, last: int) -> dict[str, tuple[str, Any]]:
        """Return what the functions return on a market, by argument, with the functions' names."""
        found: dict[str, tuple[str, Any]] = {}
        for argument, function in self.functions.items():
            value = call(function, bars_of(market, last, adjust=self.adjust))
            if argument == "entries" and isinstance(value, tuple) and len(value) == 2:
                found["entries"] = named(function), value[0]
                found["exits"] = named(function), value[1]
            else:
                found[argument] = named(function), value
        for argument, (name, value) in found.items():
            is_series = isinstance(value, pd.Series) and argument not in ("weights", "orders")
            if not (isinstance(value, pd.DataFrame) or is_series):
                raise InvalidInputError(
                    f"{argument}: {name} returned {type(value).__name__}; it must return a DataFrame."
                )
        return found

    def decide(self, market: Market, last: int) -> Decisions:
        """Return the rows of the frames up to the end of a row of the clock."""
        tracks: dict[Any, Track] = {}
        acted = [np.zeros(0, np.int64)]
        for argument, (name, value) in self.given(market, last).items():
            own = _orders(market, value, last) if argument == "orders" else None
            if own is None:
                own = _wide(market, value, argument, name, last)
            tracks.update({(argument, track.symbol): track for track in own})
            acted += [_turns(track) for track in own]
        return Decisions(tracks, np.unique(np.concatenate(acted)))


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a user's function; what it raises becomes a `StrategyError`."""
    try:
        return function(*arguments)
    except Exception as error:
        raise StrategyError(
            f"{named(function)} raised {type(error).__name__}: {error}", strategy=function
        ) from error


_KINDS = {
    "weights": "weight",
    "entries": "entry",
    "exits": "exit",
    "short_entries": "short entry",
    "short_exits": "short exit",
}


def _wide(market: Market, value: Any, argument: str, name: str, last: int) -> list[Track]:
    """Return the columns of a frame with a row a bar, or for some bars."""
    frame = value.to_frame(market.symbols[0]) if isinstance(value, pd.Series) else value
    if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
        raise InvalidInputError(
            f"{argument}: {name} returned {type(value).__name__}; a DataFrame indexed by labels or by "
            f"starts of bars is needed."
        )
    symbols_of(market, frame.columns, argument)
    times = market.clock
    bound: Any = pd.Timestamp(times.label[last])
    if frame.index.tz is not None:
        bound = pd.Timestamp(int(times.start[last]), unit="us", tz="UTC")
    known = frame[frame.index <= bound]
    rows = rows_of(market, known.index, argument)
    columns = {
        symbol: known[symbol].to_numpy(dtype=np.float64, na_value=np.nan)
        for symbol in known.columns
    }
    absent = np.zeros(len(rows))
    return [
        Track(_KINDS[argument], name, symbol, rows, columns.get(symbol, absent))
        for symbol in market.symbols
    ]


def _turns(track: Track) -> NDArray[np.int64]:
    """Return the rows at which a decision differs from the one before."""
    values = track.values
    if values.dtype == object:
        return track.rows
    return track.rows[np.flatnonzero(np.diff(values, prepend=0.0) != 0.0)]


def _orders(market: Market, value: Any, last: int) -> list[Track]:
    """Return a frame of orders as text, by the last bar that had ended when each was placed."""
    if not isinstance(value, pd.DataFrame) or "placed_at" not in value.columns:
        raise InvalidInputError("orders: the function must return a frame with placed_at.")
    times = market.clock
    table = value.reset_index(drop=True)
    placed = microseconds(table["placed_at"]) if len(table) else np.zeros(0, np.int64)
    rows = np.searchsorted(times.end, placed, side="right") - 1
    told: dict[str, list[tuple[int, str]]] = {}
    for row, terms in zip(rows.tolist(), table.to_dict("records"), strict=True):
        if row <= last:
            shown = [f"{k}={v}" for k, v in terms.items() if k != "symbol" and pd.notna(v)]
            told.setdefault(str(terms["symbol"]), []).append((row, " ".join(shown)))
    return [_by_row("order", symbol, own) for symbol, own in told.items()]


@dataclass(frozen=True)
class UniverseOfBars:
    """A function that chooses symbols by bars, for a date or for the whole run.

    Attributes
    ----------
    function
        Of ``bars``, or of ``bars`` and ``date``.
    rows
        Rows of the clock at whose dates it is asked; None for one universe for the whole run, which
        is chosen before its second bar.
    adjust
        As in `FramesOfBars`.
    """

    function: Callable[..., Any]
    rows: tuple[int, ...] | None
    adjust: Adjust

    @property
    def name(self) -> str:
        """The function's name."""
        return named(self.function)

    def decide(self, market: Market, last: int) -> Decisions:
        """Return the symbols chosen up to the end of a row."""
        bars = bars_of(market, last, adjust=self.adjust)
        if self.rows is None:
            chosen = {0: _names(call(self.function, bars), self.name)}
        else:
            is_run = last == len(market.clock) - 1
            known = [row for row in self.rows if row <= last]
            chosen = {
                row: self._on(market, bars, row) for row in (known if is_run else known[-_DATES:])
            }
        tracks = {
            row: Track("universe", self.name, "", np.array([row]), np.array([names], object))
            for row, names in chosen.items()
        }
        return Decisions(tracks, is_part=True)

    def _on(self, market: Market, bars: pd.DataFrame, row: int) -> str:
        date: dt.date = market.clock.label[row].item()
        found = call(functools.partial(self.function, bars=bars.copy(), date=date))
        return _names(found, self.name)


_DATES = 2  # dates that a rerun is asked for: the cut's and the one before


def symbols_chosen(found: Any, name: str) -> list[str]:
    """Return what a function chose, sorted, each symbol once.

    Raises
    ------
    InvalidInputError
        If these are no symbols.
    """
    if isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        raise InvalidInputError(f"universe: {name} returned {found!r}; it must return symbols.")
    return sorted({str(symbol) for symbol in found})


def _names(found: Any, name: str) -> str:
    return ", ".join(symbols_chosen(found, name)) or "no symbol"
