"""Whether a strategy, or a function of bars, looks ahead."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import only_known_names, whole
from mismartera_analytics.backtesting.exchanges import CalendarLike
from mismartera_analytics.backtesting.forms import BRACKET, Instructions, prepared
from mismartera_analytics.backtesting.inputs import asked_symbols, load_market
from mismartera_analytics.backtesting.lookahead_decisions import TOLERANCE, Decisions
from mismartera_analytics.backtesting.lookahead_futures import bars_of, cut_rows
from mismartera_analytics.backtesting.lookahead_outside import outside_data
from mismartera_analytics.backtesting.lookahead_report import LookaheadReport
from mismartera_analytics.backtesting.lookahead_search import (
    because,
    findings_of,
    named_early,
    report_of,
    search,
)
from mismartera_analytics.backtesting.lookahead_subjects import (
    FramesOfBars,
    StrategyRuns,
    Subject,
    UniverseOfBars,
    call,
    named,
    symbols_chosen,
)
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.orders import orders_of
from mismartera_analytics.backtesting.settings import RULES, Settings
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["check_lookahead"]

FORMS = ("strategy", "weights", "entries", "orders", "universe")


@only_known_names(*RULES, *BRACKET)
def check_lookahead(
    strategy: Any = None,
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    interval: str = "1d",
    weights: Any = None,
    entries: Any = None,
    exits: Any = None,
    short_entries: Any = None,
    short_exits: Any = None,
    orders: Any = None,
    universe: Any = None,
    size: float | Literal["all"] | None = None,
    parameters: dict[str, Any] | None = None,
    adjust: Literal["split", "all"] | None = None,
    calendar: CalendarLike = None,
    bars: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
    cuts: int = 16,
    seed: int = 0,
    progress: bool | None = None,
    **rules: Any,
) -> LookaheadReport:
    """Run again with other futures, and say what was decided otherwise before they began.

    The bars up to a cut stay as they are; those after it are removed, thinned out, moved at random,
    and moved the opposite way. Whatever was decided at the cut or before must be the same: each value
    of each indicator, every order, weight and signal.

    Parameters
    ----------
    strategy
        A `Strategy`, a class of it with `parameters`, or a function of bars as `weights`, `entries`,
        `orders` or `universe` take it: what it returns tells which.
    symbols, start, end, interval, calendar, bars, actions, size
        As in `backtest`. Without `symbols`, those of `bars`.
    weights
        A function from bars (`frames.BARS`, as `ma.bars` gives them) to a frame of target weights.
    entries, exits, short_entries, short_exits
        Functions from bars to frames of booleans; `entries` may return a pair of itself and exits.
    orders
        A function from bars to a frame of orders. One placed at an instant may know the bars that had
        ended by then.
    universe
        A function that chooses symbols. Its parameters are named ``bars`` and ``date``: with both it
        may know the bars up to the close of that date; with ``bars`` alone it chooses for the whole
        run, so nothing after the first bar may matter; with ``date`` alone there is nothing to change,
        and only symbols without a bar by that date are found.
    parameters
        Of a strategy given as a class.
    adjust
        How the bars that functions get are adjusted, as in `ma.bars`: for the actions in force at
        the last bar that they get. A `Strategy` sees what it always sees.
    cuts
        After how many bars the future is replaced: half of them at decisions, some where a symbol
        comes, goes or splits, the others anywhere.
    seed
        Of the cuts, the futures and ``ctx.random``.
    progress
        Whether a progress bar is shown; by default on a terminal and in a notebook.
    **rules
        As in `backtest`: `cash`, `commission`, `fill` and so on. With `compile` too a strategy runs
        in Python here, which gives the same answers.

    Returns
    -------
    LookaheadReport
        ``"clean"``, ``"looks ahead"`` or ``"not checkable"``: a finished frame or list, something that
        reads data beside its arguments, or does not repeat itself, is never called clean.

    Raises
    ------
    BarsNotFoundError
        If a symbol has no bars of the interval in the range.
    InvalidInputError, InvalidOrderError
        If an argument breaks a rule, or a function returns what `backtest` would not take.
    StrategyError
        If the strategy or the function raises on the bars as they are.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> ma.check_lookahead(MovingAverageCross(fast=20, slow=50), "IBM", "2010-01-04", cuts=4).status
    'clean'
    >>> def tomorrow(bars):
    ...     close = bars.pivot(index="session", columns="symbol", values="close")
    ...     return close.shift(-1) > close
    >>> ma.check_lookahead(tomorrow, "IBM", "2010-01-04", cuts=4).findings["bars_ahead"].tolist()
    [1]
    """
    given = {
        "strategy": strategy,
        "weights": weights,
        "entries": None,
        "orders": orders,
        "universe": universe,
    }
    signals = {
        name: function
        for name, function in (
            ("entries", entries),
            ("exits", exits),
            ("short_entries", short_entries),
            ("short_exits", short_exits),
        )
        if function is not None
    }
    form, thing = _only(given, signals)
    settings, terms = _told({**rules, "seed": seed})
    things = {form: thing, **signals}
    if not all(_can_be_asked(one) for one in things.values()):
        _check_finished(things)
        return _finished(form, seed=seed, peeks=settings.fill == "same_close")
    cuts = whole(cuts, "cuts", least=1)
    market, _ = load_market(
        _symbols(symbols, bars), start, end, clock.parse_interval(interval), calendar, bars, actions
    )
    check = _Check(market, settings, cuts, adjust, progress)
    if form == "strategy" and (isinstance(thing, Strategy) or inspect.isclass(thing)):
        own = prepared(thing, parameters)
        assert own is not None
        Instructions(strategy=own, **terms)
        return check.subject(StrategyRuns(own, settings), [own], calendar_known=False)
    if parameters:
        raise InvalidInputError("parameters belongs to a strategy given as a class.")
    if form == "strategy":
        form = _form_of(thing, market, adjust)
    if form == "universe":
        return check.universe(thing)
    return check.frames(FramesOfBars(signals or {form: thing}, adjust), {"size": size, **terms})


@dataclasses.dataclass(frozen=True)
class _Check:
    """What every kind of check has."""

    market: Market
    settings: Settings
    cuts: int
    adjust: Literal["split", "all"] | None
    progress: bool | None

    def subject(
        self,
        subject: Subject,
        things: Sequence[Any],
        *,
        calendar_known: bool,
        rows: Sequence[int] | None = None,
    ) -> LookaheadReport:
        run = subject.decide(self.market, len(self.market.clock) - 1)
        cuts = self.rows(run) if rows is None else rows
        found = search(
            subject, self.market, run, cuts, seed=self.settings.seed, progress=self.progress
        )
        return report_of(
            found,
            self.market,
            subject=subject.name,
            cuts=cuts,
            seed=self.settings.seed,
            outside=list(dict.fromkeys(one for thing in things for one in outside_data(thing))),
            dates_excused=calendar_known,
            peeks=self.settings.fill == "same_close",
        )

    def rows(self, run: Decisions) -> list[int]:
        random = np.random.default_rng(self.settings.seed)
        return cut_rows(self.market, run.acted, count=self.cuts, random=random)

    def frames(self, functions: FramesOfBars, terms: dict[str, Any]) -> LookaheadReport:
        """Check functions of bars, after what they return on all bars was taken as `backtest` does."""
        values = functions.given(self.market, len(self.market.clock) - 1)
        arguments = {argument: value for argument, (_, value) in values.items()}
        if terms["size"] is None and {"entries", "short_entries"} & arguments.keys():
            terms = {**terms, "size": 1 / len(self.market.symbols)}
        orders_of(self.market, Instructions(**arguments, **terms), self.settings)
        things = list(functions.functions.values())
        return self.subject(functions, things, calendar_known=True)

    def universe(self, function: Callable[..., Any]) -> LookaheadReport:
        names = set(inspect.signature(function).parameters)
        rows = self.rows(Decisions())
        if names == {"date"}:
            return _dated(self, function, rows)
        if names == {"bars", "date"}:
            subject = UniverseOfBars(function, tuple(rows), self.adjust)
        elif len(names) == 1:
            subject = UniverseOfBars(function, None, self.adjust)
        else:
            raise InvalidInputError(
                f"universe: {named(function)} has the parameters {', '.join(sorted(names))}; name them "
                f"bars, or date, or both."
            )
        return self.subject(subject, [function], calendar_known=False, rows=rows)


def _only(given: dict[str, Any], signals: dict[str, Any]) -> tuple[str, Any]:
    """Return the one form that is given, and what was given; entries stand for all signals."""
    given = {**given, "entries": next(iter(signals.values()), None)}
    found = [(name, value) for name, value in given.items() if value is not None]
    if len(found) != 1:
        names = ", ".join(name for name, _ in found)
        raise InvalidInputError(
            f"give exactly one of {', '.join(FORMS)}; given: {names or 'none'}."
        )
    return found[0]


def _can_be_asked(thing: Any) -> bool:
    return callable(thing) or isinstance(thing, Strategy)


def _check_finished(things: dict[str, Any]) -> None:
    """Refuse what is neither to be called nor something finished."""
    for name, thing in things.items():
        kinds = (pd.DataFrame, pd.Series) if name != "universe" else (Iterable,)
        if not _can_be_asked(thing) and not isinstance(thing, kinds):
            what = "a list of symbols" if name == "universe" else "a pandas DataFrame"
            raise InvalidInputError(
                f"{name}={as_given(thing)} is neither a function of bars nor {what}."
            )


def _told(rules: dict[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return the rules of a run, which is never compiled, and what else belongs to its orders."""
    terms = {name: value for name, value in rules.items() if name in BRACKET}
    settings = Settings(**{name: value for name, value in rules.items() if name in RULES})
    return dataclasses.replace(settings, compile=False), terms


def _symbols(symbols: str | Iterable[str] | None, bars: pd.DataFrame | None) -> list[str] | None:
    if symbols is None and bars is None:
        raise InvalidInputError("symbols is missing; name at least one symbol.")
    if symbols is None:
        return None
    return asked_symbols(symbols)


def _form_of(
    function: Callable[..., Any], market: Market, adjust: Literal["split", "all"] | None
) -> str:
    """Tell by its parameters, or by what it returns on all bars, what a function decides."""
    if "date" in inspect.signature(function).parameters:
        return "universe"
    value = call(function, bars_of(market, len(market.clock) - 1, adjust=adjust))
    first = value[0] if isinstance(value, tuple) and value else value
    if isinstance(first, pd.DataFrame):
        if "placed_at" in first.columns:
            return "orders"
        is_signal = all(pd.api.types.is_bool_dtype(dtype) for dtype in first.dtypes)
        return "entries" if is_signal else "weights"
    if isinstance(first, pd.Series) and pd.api.types.is_bool_dtype(first.dtype):
        return "entries"
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return "universe"
    raise InvalidInputError(
        f"{named(function)} returned {type(value).__name__}; a frame of weights, of booleans or of "
        f"orders, or symbols, can be checked."
    )


def _finished(form: str, *, seed: int, peeks: bool) -> LookaheadReport:
    what = "a finished list" if form == "universe" else "a finished frame"
    note = f"{what} does not tell how it was made: give the function that makes it from bars."
    return LookaheadReport(
        status="looks ahead" if peeks else "not checkable",
        subject=form,
        findings=findings_of([], peeks=peeks),
        checked=frames.LOOKAHEAD_CHECKED.empty(),
        notes=(note,),
        cuts=(),
        reruns=0,
        tolerance=TOLERANCE,
        seed=seed,
    )


def _dated(check: _Check, function: Callable[..., Any], rows: Sequence[int]) -> LookaheadReport:
    """Check a function of nothing but a date: whom it names before there is a bar of them."""
    market = check.market
    first = {
        symbol: int(np.argmax(~np.isnan(market.fields[3, number])))
        for number, symbol in enumerate(market.symbols)
    }
    early: dict[str, list[int]] = {}
    for row in rows:
        date = market.clock.label[row].item()
        chosen = call(functools.partial(function, date=date))
        for symbol in symbols_chosen(chosen, named(function)):
            if first.get(symbol, -1) > row:
                early.setdefault(symbol, []).append(row)
    peeks = check.settings.fill == "same_close"
    found = [
        named_early(market, named(function), symbol, at, first[symbol], asked=len(rows))
        for symbol, at in sorted(early.items())
    ]
    note = f"{named(function)} is given nothing but a date, so what it knows cannot be changed."
    return LookaheadReport(
        status="looks ahead" if found or peeks else "not checkable",
        subject=named(function),
        findings=findings_of(found, peeks=peeks),
        checked=frames.LOOKAHEAD_CHECKED.empty(),
        notes=(note, *because(outside_data(function))),
        cuts=(),
        reruns=0,
        tolerance=TOLERANCE,
        seed=check.settings.seed,
    )
