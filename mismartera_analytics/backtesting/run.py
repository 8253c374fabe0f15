"""Running a backtest."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import only_known_names, truth
from mismartera_analytics.backtesting.costs import (
    Commission,
    NoCommission,
    NoSlippage,
    Slippage,
)
from mismartera_analytics.backtesting.counting import count_run, family_of
from mismartera_analytics.backtesting.exchanges import CalendarLike, calendar_told
from mismartera_analytics.backtesting.financing import (
    Borrow,
    BorrowRate,
    Interest,
    InterestRates,
    Maintenance,
)
from mismartera_analytics.backtesting.forms import Instructions, prepared
from mismartera_analytics.backtesting.inputs import load_market, named_symbols
from mismartera_analytics.backtesting.limits import Limits
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.result import BacktestResult
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.strategy import Strategy

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.simulation import Simulation

__all__ = ["backtest", "bound_told", "described_run", "run_on"]

_FREE = NoCommission()
_UNPAID = BorrowRate()
_WITHOUT = InterestRates()
_EXACT = NoSlippage()
_UNLIMITED = Limits()


@only_known_names()
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
    short_entries: pd.DataFrame | pd.Series | None = None,
    short_exits: pd.DataFrame | pd.Series | None = None,
    size: float | Literal["all"] | None = None,
    stop_loss: float | None = None,
    take_profit: float | None = None,
    trail: float | None = None,
    orders: pd.DataFrame | None = None,
    parameters: dict[str, Any] | None = None,
    commission: Commission = _FREE,
    slippage: Slippage = _EXACT,
    fill: Literal["next_open", "next_close", "same_close"] = "next_open",
    size_at: Literal["fill", "decision"] = "fill",
    limit_fill: Literal["touch", "through"] = "touch",
    fractional: bool = False,
    partial_on_cash: bool = False,
    volume_limit: float | None = None,
    bracket_from: Literal["entry_bar", "next_bar"] = "entry_bar",
    bar_path: Literal["pessimistic", "best", "ohlc"] = "pessimistic",
    account_type: Literal["cash", "margin"] = "cash",
    leverage: float | None = None,
    borrow: Borrow = _UNPAID,
    interest: Interest = _WITHOUT,
    maintenance: Maintenance | None = None,
    delay: int = 0,
    limits: Limits = _UNLIMITED,
    calendar: CalendarLike = None,
    seed: int = 0,
    compile: bool = False,
    bars: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
    family: str | None = None,
    count: bool = True,
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
        Each row is a rebalance; a bar without a row changes nothing. Below 0 is sold short.
    entries, exits
        Booleans, one row a bar, columns symbols (a Series with one symbol).
    short_entries, short_exits
        The same for short positions, on a margin account. An entry counts when nothing is held, or
        where the other side's exit is true in the same row: the position is then turned round.
    size
        What an entry takes: ``"all"`` cash (the default with one symbol) or a fraction of the account.
    stop_loss, take_profit, trail
        Of entries: a bracket at these fractions of the price at which an entry fills, for instance
        0.05; `trail` is a stop that follows the price and takes the place of `stop_loss`. Orders and
        strategies give each order prices of its own.
    orders
        Columns ``placed_at, symbol, side, quantity`` and perhaps ``order_type, price, stop_price,
        trail, trail_percent, stop_loss, take_profit, time_in_force``; an order is eligible from the
        first bar that starts then or later.
    parameters
        Of `strategy` where that is a class; names that it lacks are refused.
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
        Whether an order that cash or margin do not allow shrinks; it is rejected by default.
    volume_limit
        Share of a bar's volume that orders of its symbol can take together, for instance 0.1; what is
        left of an order works on as long as its time in force says. None is no limit.
    bracket_from
        Whether a bracket works from the bar of its entry on, or from the next one.
    bar_path
        What is reached first where a bar does not tell: the stop, the target (``"best"``), or what lies
        first on the way from the open to the nearer of high and low, the other one, and the close
        (``"ohlc"``). `BacktestResult.ambiguity` compares them.
    account_type
        ``"cash"`` sells nothing short and borrows nothing; ``"margin"`` does both up to `leverage`.
    leverage
        Most that the sizes of all positions may add up to after a fill, in multiples of the account's
        value [1]; 2 by default, as Regulation T has it. An order that makes no position larger is never
        refused for it.
    borrow, interest
        Policies of `backtesting.financing`: fees for shares sold short and interest on the balance;
        none by default.
    maintenance
        What part of its positions a margin account must be worth at each close; below, a margin call
        closes the largest ones at the next open. None, the default, knows no margin calls;
        ``Maintenance()`` of `backtesting.financing` asks for 25 % of long and 30 % of short ones.
    delay
        Bars of the run by which every order arrives late, as if it had been decided so many bars
        later; to see what a strategy loses by it.
    limits
        What no order may exceed when it fills: value of an order, of a symbol's position, of all
        positions, and their number; none by default.
    calendar
        Exchange whose sessions the bars belong to; for symbols of several a dict from symbol to its
        exchange. By default what is recorded of the instruments, else NYSE.
    seed
        Of ``ctx.random``.
    compile
        Whether the strategy's `on_bar` is compiled by Numba, which takes some seconds once a process
        and gives the same answers; see `Strategy`.
    bars, actions
        Frames as `frames.BARS` and `frames.CORPORATE_ACTIONS` to run on, instead of the bar store and
        the recorded actions.
    family
        Strategy family in which the run is counted as a trial, see `trials`: by default the name of
        the strategy's class. Frames of weights, signals and orders are counted only in a family that
        is named. The same run again counts once.
    count
        False leaves the run out of the trials.

    Returns
    -------
    BacktestResult
        Orders, fills, equity and metrics; frames with the columns of the query helpers.

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
    count = truth(count, "count")
    settings = Settings(
        cash=cash,
        commission=commission,
        slippage=slippage,
        fill=fill,
        size_at=size_at,
        limit_fill=limit_fill,
        fractional=fractional,
        partial_on_cash=partial_on_cash,
        volume_limit=volume_limit,
        bracket_from=bracket_from,
        bar_path=bar_path,
        account_type=account_type,
        leverage=leverage,
        borrow=borrow,
        interest=interest,
        maintenance=maintenance,
        delay=delay,
        limits=limits,
        seed=seed,
        compile=compile,
    )
    instructions = Instructions(
        strategy=prepared(strategy, parameters),
        weights=weights,
        entries=entries,
        exits=exits,
        short_entries=short_entries,
        short_exits=short_exits,
        size=size,
        stop_loss=stop_loss,
        take_profit=take_profit,
        trail=trail,
        orders=orders,
    )
    named_family = family_of(instructions, family)
    market, source = load_market(
        named_symbols(symbols, instructions, bars),
        start,
        end,
        clock.parse_interval(interval),
        calendar,
        bars,
        actions,
    )
    told = {
        "data": source,
        "calendar": calendar_told(calendar),
        "range": [bound_told(start), bound_told(end)],
        "family": named_family if count else None,
    }
    if not count or named_family is None:
        return run_on(market, instructions, settings, source=told)
    hashing = threading.Thread(target=market.digest)  # lets go of the interpreter: the run goes on
    hashing.start()
    result = run_on(market, instructions, settings, source=told)
    hashing.join()
    count_run(result, named_family)
    return result


def bound_told(value: Any) -> str | None:
    """Return a bound of the range as text that reads as the same bound."""
    bound = None if value is None else clock.parse_bound(value, argument="start")
    return None if bound is None else bound.isoformat()


def run_on(
    market: Market,
    instructions: Instructions,
    settings: Settings,
    *,
    source: Mapping[str, Any] | None = None,
) -> BacktestResult:
    """Simulate trading on a market that stands already; what sweeps and checks call many times.

    Nothing is counted as a trial: who runs many records them in one go by `trial_log.log_trials`.

    Parameters
    ----------
    market
        Bars of all symbols on one clock. It is only read, and may be shared by many runs.
    instructions
        What to trade. A strategy is run as it is: give each run its own.
    settings
        The rules.
    source
        Of the bars and the calendar, for the run's configuration: ``data`` and ``calendar``.

    Returns
    -------
    BacktestResult

    Raises
    ------
    InvalidInputError, InvalidOrderError
        If the instructions do not fit the market.
    StrategyError
        If the strategy raises; its state is kept on the error.
    """
    config = {**instructions.described(), **described_run(market, settings, source or {})}
    kept = instructions.again()
    simulation = _simulated(market, instructions, settings)
    simulation.finish()
    return BacktestResult(config, market, simulation, kept, settings)


def described_run(market: Market, settings: Settings, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a run, but for what it trades, as JSON values."""
    return {
        "symbols": list(market.asked or market.symbols),
        "start": str(market.clock.label[0]),
        "end": str(market.clock.label[-1]),
        "interval": str(market.interval),
        "data": {},
        "calendar": "",
        **source,
        **settings.described(),
    }


def _simulated(market: Market, instructions: Instructions, settings: Settings) -> Simulation:
    from mismartera_analytics.backtesting.loop import run_strategy
    from mismartera_analytics.backtesting.orders import orders_of
    from mismartera_analytics.backtesting.simulation import Simulation

    simulation = Simulation(market, settings)
    if instructions.strategy is None:
        simulation.load(orders_of(market, instructions, settings))
    else:
        run_strategy(instructions.strategy, market, simulation, settings)
    return simulation
