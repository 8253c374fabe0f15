"""Running a backtest: what goes in is checked here, once."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock, frames
from mismartera_analytics.backtesting.costs import (
    Commission,
    NoCommission,
    NoSlippage,
    Slippage,
)
from mismartera_analytics.backtesting.market import Market, build_market
from mismartera_analytics.backtesting.result import BacktestResult
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError, suggestion

__all__ = ["backtest"]

_FREE = NoCommission()
_EXACT = NoSlippage()


@dataclass(frozen=True)
class _Settings:
    """The rules of a run, checked."""

    cash: float
    commission: Commission
    slippage: Slippage
    fill: Literal["next_open", "next_close", "same_close"]
    size_at: Literal["fill", "decision"]
    limit_fill: Literal["touch", "through"]
    fractional: bool
    partial_on_cash: bool
    seed: int

    def __post_init__(self) -> None:
        if not (isinstance(self.cash, (int, float)) and 0 < self.cash < math.inf):
            raise InvalidInputError(f"cash={self.cash!r} must be a positive amount.")
        _choice(self.fill, "fill", ("next_open", "next_close", "same_close"))
        _choice(self.size_at, "size_at", ("fill", "decision"))
        _choice(self.limit_fill, "limit_fill", ("touch", "through"))
        for name in ("commission", "slippage"):
            if not hasattr(getattr(self, name), "terms"):
                raise InvalidInputError(
                    f"{name}={getattr(self, name)!r} is no policy; use one of "
                    f"mismartera_analytics.backtesting.costs."
                )

    @property
    def only_whole(self) -> str:
        """Why shares must be whole; empty when they need not be."""
        return "" if self.fractional else "set fractional=True to trade parts of shares"

    def described(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "commission": _described(self.commission),
            "slippage": _described(self.slippage),
        }


def backtest(
    strategy: Strategy | type[Strategy] | None = None,
    symbols: str | Iterable[str] | None = None,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    interval: str = "1d",
    cash: float = 100_000.0,
    weights: pd.DataFrame | None = None,
    entries: pd.DataFrame | pd.Series | None = None,
    exits: pd.DataFrame | pd.Series | None = None,
    size: float | Literal["all"] | None = None,
    orders: pd.DataFrame | None = None,
    parameters: dict[str, Any] | None = None,
    commission: Commission = _FREE,
    slippage: Slippage = _EXACT,
    fill: Literal["next_open", "next_close", "same_close"] = "next_open",
    size_at: Literal["fill", "decision"] = "fill",
    limit_fill: Literal["touch", "through"] = "touch",
    fractional: bool = False,
    partial_on_cash: bool = False,
    calendar: str | TradingCalendar = "NYSE",
    seed: int = 0,
    bars: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
) -> BacktestResult:
    """Simulate trading on recorded bars by one rule book, whichever way the orders come in.

    Exactly one of `strategy`, `weights`, `entries` and `orders` says what to trade. A decision is made
    at a bar's end and can fill from the symbol's next bar on. Fills happen at prices as traded, with
    splits and dividends applied to positions and working orders.

    Parameters
    ----------
    strategy
        A `Strategy`, or a class of it with `parameters`. The object given is not changed.
    symbols
        One or several; by default those of the frames given.
    start, end
        Range of bars as in `BarStore.read`.
    interval
        Length of the bars.
    cash
        What the account begins with [currency].
    weights
        Target weights [1], index a subset of the bars (labels, or starts of bars), columns symbols.
        Each row is a rebalance; a bar without a row changes nothing.
    entries, exits
        Booleans, one row a bar, columns symbols (a Series with one symbol).
    size
        What an entry takes: ``"all"`` cash (the default with one symbol) or a fraction of the account.
    orders
        Columns ``placed_at, symbol, side, quantity`` and perhaps ``order_type, price, stop_price,
        time_in_force``; an order is eligible from the first bar that starts then or later.
    commission, slippage
        Policies of `backtesting.costs`; none by default.
    fill
        Where a market order fills: at the next bar's open or close, or, to reproduce other engines,
        at the deciding bar's own close: the result is then marked as peeking.
    size_at
        When fractions of the account and all cash are turned into shares: at the fill's prices, or at
        the last closes when the order is decided.
    limit_fill
        Whether a limit fills when its price is touched, or only when it is passed.
    fractional
        Whether parts of shares can be traded.
    partial_on_cash
        Whether a buy that the cash does not pay for shrinks; it is rejected by default.
    calendar
        Exchange whose sessions the bars belong to.
    seed
        Of ``ctx.random``.
    bars, actions
        Frames as `frames.BARS` and `frames.CORPORATE_ACTIONS` to run on, instead of the bar store and
        the recorded actions.

    Returns
    -------
    BacktestResult

    Raises
    ------
    BarsNotFoundError
        If a symbol has no bars of the interval in the range.
    InvalidInputError, InvalidOrderError, InvalidBarsError
        If an argument breaks a rule; the message names it.
    StrategyError
        If the strategy raises; its state is kept on the error.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> ma.backtest(MovingAverageCross(fast=50), "AAPL", "2000-03-01")
    BacktestResult(MovingAverageCross, 2000-03-01 to 2013-03-01, ...)
    """
    settings = _Settings(
        cash=cash,
        commission=commission,
        slippage=slippage,
        fill=fill,
        size_at=size_at,
        limit_fill=limit_fill,
        fractional=fractional,
        partial_on_cash=partial_on_cash,
        seed=seed,
    )
    forms = {"strategy": strategy, "weights": weights, "entries": entries, "orders": orders}
    form = _only_form(forms, exits)
    chosen = _strategy(strategy, parameters) if form == "strategy" else None
    length = clock.parse_interval(interval)
    market, source = _market(
        _named_symbols(symbols, weights, entries, orders, bars), start, end, length, calendar,
        bars, actions,
    )  # fmt: skip
    config = {
        "strategy": type(chosen).__name__ if chosen is not None else form,
        "parameters": chosen.parameters if chosen is not None else {},
        "symbols": list(market.symbols),
        "start": str(market.clock.label[0]),
        "end": str(market.clock.label[-1]),
        "interval": str(length),
        "data": source,
        "calendar": calendar if isinstance(calendar, str) else repr(calendar),
        **settings.described(),
    }
    simulation = _simulation(market, settings)
    if chosen is not None:
        _run_strategy(chosen, market, simulation, settings)
    else:
        simulation.load(_instructions(market, weights, entries, exits, size, orders, settings))
    simulation.finish()
    return BacktestResult(config, market, simulation)


def _only_form(forms: dict[str, Any], exits: Any) -> str:
    given = [name for name, value in forms.items() if value is not None]
    if len(given) != 1:
        raise InvalidInputError(
            f"give exactly one of {', '.join(forms)}; given: {', '.join(given) or 'none'}."
        )
    if exits is not None and given != ["entries"]:
        raise InvalidInputError("exits belongs to entries.")
    return given[0]


def _strategy(strategy: Any, parameters: dict[str, Any] | None) -> Strategy:
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        return strategy(**(parameters or {}))
    if not isinstance(strategy, Strategy):
        raise InvalidInputError(
            f"strategy={strategy!r} is no Strategy; derive a class from ma.Strategy."
        )
    if parameters:
        raise InvalidInputError("parameters belongs to a strategy given as a class.")
    return copy.copy(strategy)


def _named_symbols(symbols: Any, *named: Any) -> list[str] | None:
    """Return the symbols asked for, or those that the instructions name; None for all of the bars."""
    if symbols is not None:
        given = [symbols] if isinstance(symbols, str) else list(symbols)
        if not given:
            raise InvalidInputError("symbols is empty; name at least one symbol.")
        return sorted(set(given))
    weights, entries, orders, bars = named
    for frame in (weights, entries):
        if isinstance(frame, pd.DataFrame):
            return sorted({str(name) for name in frame.columns})
    if bars is not None:
        return None
    if orders is not None and "symbol" in orders.columns:
        return sorted({str(name) for name in orders["symbol"]})
    raise InvalidInputError("symbols is missing; name at least one symbol.")


def _market(
    symbols: list[str] | None,
    start: Any,
    end: Any,
    interval: clock.Interval,
    calendar: str | TradingCalendar,
    bars: pd.DataFrame | None,
    actions: pd.DataFrame | None,
) -> tuple[Market, dict[str, Any]]:
    """Return the market and, of bars from the store, where they came from."""
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.market_data.actions import corporate_actions
    from mismartera_analytics.market_data.store import BarStore

    sessions = trading_calendar(calendar) if isinstance(calendar, str) else calendar
    source: dict[str, Any] = {}
    if bars is None:
        assert symbols is not None
        store = BarStore()
        source = {"store": store.uri, "version": store.version(str(interval))}
        frame = store.read(symbols, str(interval), start, end)
        known = corporate_actions(symbols) if actions is None else actions
    else:
        frame = _within(bars, start, end, interval, sessions)
        known = frames.CORPORATE_ACTIONS.empty() if actions is None else actions
    market = build_market(frame, known, symbols=symbols, interval=interval, calendar=sessions)
    return market, source


def _within(
    bars: pd.DataFrame, start: Any, end: Any, interval: clock.Interval, calendar: TradingCalendar
) -> pd.DataFrame:
    """Return the bars of a range, read as `BarStore.read` reads it."""
    from mismartera_analytics.market_data.session_times import instants_of_labels

    first = None if start is None else clock.parse_bound(start, argument="start")
    last = None if end is None else clock.parse_bound(end, argument="end")
    if interval.is_intraday:
        first, last = instants_of_labels(calendar, first, last)
    kept = np.ones(len(bars), np.bool_)
    for bound, is_start in ((first, True), (last, False)):
        if bound is None:
            continue
        if isinstance(bound, dt.datetime):
            times = bars["timestamp"]
            kept &= (times >= bound) if is_start else (times < bound)
        else:
            labels, label = bars["session"], pd.Timestamp(bound)
            kept &= (labels >= label) if is_start else (labels <= label)
    if not kept.any():
        raise BarsNotFoundError(f"bars holds no {interval} bars from {start} to {end}.")
    return bars if kept.all() else bars[kept]


def _simulation(market: Market, settings: _Settings) -> Any:
    from mismartera_analytics.backtesting.simulation import Simulation, make_rules

    rules = make_rules(
        commission=settings.commission,
        slippage=settings.slippage,
        fill=settings.fill,
        size_at=settings.size_at,
        limit_fill=settings.limit_fill,
        shares="fractional" if settings.fractional else "whole",
        short_of_cash="shrink" if settings.partial_on_cash else "reject",
    )
    return Simulation(market, cash=float(settings.cash), rules=rules)


def _run_strategy(strategy: Strategy, market: Market, simulation: Any, settings: _Settings) -> None:
    from mismartera_analytics.backtesting.context import Context, run_strategy

    context = Context(market, simulation, only_whole=settings.only_whole, seed=settings.seed)
    run_strategy(strategy, context)


def _instructions(
    market: Market,
    weights: pd.DataFrame | None,
    entries: Any,
    exits: Any,
    size: Any,
    orders: pd.DataFrame | None,
    settings: _Settings,
) -> Any:
    from mismartera_analytics.backtesting import instructions

    if weights is not None:
        return instructions.from_weights(market, weights)
    if orders is not None:
        return instructions.from_orders(market, orders, only_whole=settings.only_whole)
    return instructions.from_signals(market, entries, exits, size=size)


def _choice(value: Any, argument: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInputError(
            f"{argument}={value!r} is unknown{suggestion(str(value), allowed) or '.'} "
            f"Allowed: {', '.join(allowed)}."
        )


def _described(policy: Commission | Slippage) -> dict[str, Any]:
    terms = dataclasses.asdict(policy.terms())
    finite = {name: value for name, value in terms.items() if value != math.inf}
    return {"policy": type(policy).__name__, **finite}
